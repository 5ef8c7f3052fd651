# Tests of the cart.
CLASS=CartTest

test_an_empty_cart_costs_nothing() {
    cart_total
    assert_equal "$result" 0
}

test_adding_the_same_item_adds_up() {
    cart_add mug 2
    cart_add mug 1
    cart_count mug
    assert_equal "$result" 3
    cart_total
    assert_equal "$result" 2670
}

test_removing_an_item_empties_its_line() {
    cart_add mug 1
    cart_add shirt 1
    cart_remove mug
    cart_count mug
    assert_equal "$result" 0
    cart_total
    assert_equal "$result" 1990
}

test_unknown_items_are_refused() {
    if cart_add boat 1; then fail "UnknownItem not raised"; fi
}

test_shipping_is_free_from_fifty() {
    cart_add shirt 2
    cart_shipping
    assert_equal "$result" 490
    cart_add mug 2
    cart_shipping
    assert_equal "$result" 0
}
