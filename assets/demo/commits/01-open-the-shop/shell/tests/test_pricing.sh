# Tests of prices and taxes.
CLASS=PricingTest

test_prices_are_shown_in_euros() {
    euros 1990
    assert_equal "$result" "19.90 EUR"
    euros 5
    assert_equal "$result" "0.05 EUR"
}

test_vat_is_rounded_on_each_line() {
    vat 130 140 150
    assert_equal "$result" 81
}

test_invoices_carry_a_number() {
    skip "needs the invoice service"
}
