# What a customer is about to buy.

SHIPPING=490
FREE_FROM=5000
cart_items=

cart_add() {
    price_of "$1" || { echo "WARNING shop.cart: refused $2 x $1: not in the catalogue"; return 1; }
    eval "cart_$1=$2"
    case " $cart_items " in *" $1 "*) ;; *) cart_items="$cart_items $1" ;; esac
    eval "echo \"INFO shop.cart: added $2 x $1, now \$cart_$1 of them\""
}

cart_remove() {
    eval "cart_$1=0"
    echo "INFO shop.cart: removed $1"
}

cart_count() {
    eval "result=\${cart_$1:-0}"
}

cart_total() {
    total=0
    for item in $cart_items; do
        price_of "$item"
        eval "total=\$((total + price * cart_$item))"
    done
    euros "$total"
    echo "INFO shop.cart: total is $result"
    result=$total
}

cart_shipping() {
    cart_total
    if [ "$result" -ge "$FREE_FROM" ]; then result=0; else result=$SHIPPING; fi
}
