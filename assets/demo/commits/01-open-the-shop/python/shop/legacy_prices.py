"""Prices of the market stall, before there was a shop."""

PRICES = {"mug": 700, "shirt": 1500}
