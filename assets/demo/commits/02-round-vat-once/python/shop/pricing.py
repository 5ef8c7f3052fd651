"""Prices and taxes, in cents."""

import logging

log = logging.getLogger("shop.pricing")

CATALOGUE = {"mug": 890, "shirt": 1990, "sticker": 130, "pin": 140, "badge": 150}
VAT_PERCENT = 19


def euros(cents):
    return "{}.{:02} EUR".format(cents // 100, cents % 100)


def percent(cents, rate):
    """A share of an amount, rounded half up."""
    return (cents * rate + 50) // 100


def vat(amounts):
    tax = percent(sum(amounts), VAT_PERCENT)
    log.info("VAT of %s is %d", amounts, tax)
    return tax
