# Prices and taxes, in cents.

VAT_PERCENT=19

price_of() {
    case $1 in
    mug) price=890 ;;
    shirt) price=1990 ;;
    sticker) price=130 ;;
    pin) price=140 ;;
    badge) price=150 ;;
    *) return 1 ;;
    esac
}

euros() {
    result=$(printf '%d.%02d EUR' $(($1 / 100)) $(($1 % 100)))
}

# A share of an amount, rounded half up.
percent() {
    result=$((($1 * $2 + 50) / 100))
}

vat() {
    taxes=0
    for amount in "$@"; do
        percent "$amount" "$VAT_PERCENT"
        taxes=$((taxes + result))
    done
    echo "INFO shop.pricing: VAT of $* is $taxes"
    result=$taxes
}
