"""What a customer is about to buy."""

import logging

from shop import pricing

log = logging.getLogger("shop.cart")


class UnknownItem(Exception):
    """The shop does not sell this."""


class Cart:
    def __init__(self):
        self._lines = {}

    def add(self, name, count=1):
        if name not in pricing.CATALOGUE:
            log.warning("refused %d x %s: not in the catalogue", count, name)
            raise UnknownItem(name)
        self._lines[name] = self._lines.get(name, 0) + count
        log.info("added %d x %s, now %d of them", count, name, self._lines[name])

    def remove(self, name):
        del self._lines[name]
        log.info("removed %s, %d lines left", name, len(self._lines))

    def count(self, name):
        return self._lines.get(name, 0)

    def total(self):
        total = sum(pricing.CATALOGUE[name] * count for name, count in self._lines.items())
        log.info("total of %d lines is %s", len(self._lines), pricing.euros(total))
        return total
