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


CODES = {"WELCOME10": 10, "FRIEND5": 5}


def discounted(total, codes):
    """The total after the first code that the shop knows."""
    known = [code for code in codes if code in CODES]
    if not known:
        return total
    log.info("code %s takes %d percent, %d more ignored", known[0], CODES[known[0]], len(known) - 1)
    return total - percent(total, CODES[known[0]])
