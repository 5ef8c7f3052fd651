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
    sum=0
    for amount in "$@"; do sum=$((sum + amount)); done
    percent "$sum" "$VAT_PERCENT"
    echo "INFO shop.pricing: VAT of $* is $result"
}

# discounted TOTAL CODE...: the total after the first code that the shop knows.
discounted() {
    total=$1
    shift
    rate=0
    for code in "$@"; do
        case $code in
        WELCOME10) rate=10 ;;
        FRIEND5) rate=5 ;;
        *) continue ;;
        esac
        echo "INFO shop.pricing: code $code takes $rate percent"
        break
    done
    percent "$total" "$rate"
    result=$((total - result))
}
