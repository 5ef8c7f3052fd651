"""What lies on the shelves, and for whom it is put aside."""

import logging

log = logging.getLogger("shop.stock")

MINUTES = 30


class SoldOut(Exception):
    """There is not enough left."""


class Stock:
    def __init__(self, left, turn=lambda step: None):
        self._left = dict(left)
        self._reserved = {}
        # Called where another buyer may come in between.
        self._turn = turn

    def left(self, name):
        return self._left[name]

    def reserve(self, buyer, name, count=1):
        self._turn("asked")
        log.info("%s asks for %d x %s", buyer, count, name)
        self._turn("checking")
        left = self._left[name]
        if left < count:
            log.warning("%s goes away: %d of %s left", buyer, left, name)
            raise SoldOut(name)
        self._turn("taking")
        self._left[name] = left - count
        number = "r{}".format(len(self._reserved) + 1)
        self._reserved[number] = (name, count)
        log.info("%s has %s: %d x %s, %d left", buyer, number, count, name, left - count)
        return "{}@{}".format(number, MINUTES)

    def release(self, number):
        name, count = self._reserved.pop(number.split("@")[0])
        self._left[name] += count
        log.info("%s given back: %d x %s", number, count, name)
