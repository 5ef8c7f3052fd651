import unittest

from shop.cart import Cart, UnknownItem


class CartTest(unittest.TestCase):
    def setUp(self):
        self.cart = Cart()

    def test_an_empty_cart_costs_nothing(self):
        self.assertEqual(self.cart.total(), 0)

    def test_adding_the_same_item_adds_up(self):
        self.cart.add("mug", 2)
        self.cart.add("mug", 1)
        self.assertEqual(self.cart.count("mug"), 3)
        self.assertEqual(self.cart.total(), 2670)

    def test_removing_an_item_empties_its_line(self):
        self.cart.add("mug")
        self.cart.add("shirt")
        self.cart.remove("mug")
        self.assertEqual(self.cart.count("mug"), 0)
        self.assertEqual(self.cart.total(), 1990)

    def test_unknown_items_are_refused(self):
        with self.assertRaises(UnknownItem):
            self.cart.add("boat")
