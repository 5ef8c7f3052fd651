"""What a customer is about to buy."""

import logging

from shop import pricing

log = logging.getLogger("shop.cart")

SHIPPING = 490
FREE_FROM = 5000


class UnknownItem(Exception):
    """The shop does not sell this."""


class Line:
    def __init__(self, name, count):
        self.count = count
        self.price = pricing.CATALOGUE[name] * count


class Cart:
    def __init__(self):
        self._lines = {}

    def add(self, name, count=1):
        if name not in pricing.CATALOGUE:
            log.warning("refused %d x %s: not in the catalogue", count, name)
            raise UnknownItem(name)
        self._lines[name] = Line(name, count)
        log.info("added %d x %s, now %d of them", count, name, self._lines[name].count)

    def remove(self, name):
        del self._lines[name]
        log.info("removed %s, %d lines left", name, len(self._lines))

    def count(self, name):
        return self._lines[name].count if name in self._lines else 0

    def total(self):
        total = sum(line.price for line in self._lines.values())
        log.info("total of %d lines is %s", len(self._lines), pricing.euros(total))
        return total

    def shipping(self):
        return 0 if self.total() >= FREE_FROM else SHIPPING
