# What lies on the shelves, and for whom it is put aside.

MINUTES=30
reservations=0
reserved=

# Called where another buyer may come in between.
stock_turn() { :; }

stock_put() {
    eval "left_$1=$2"
}

stock_left() {
    eval "result=\$left_$1"
}

# stock_reserve BUYER ITEM COUNT
stock_reserve() {
    stock_turn asked
    echo "INFO shop.stock: $1 asks for $3 x $2"
    stock_turn checking
    eval "left=\$left_$2"
    if [ "$left" -lt "$3" ]; then
        echo "WARNING shop.stock: $1 goes away: $left of $2 left"
        return 1
    fi
    eval "seen_by_$1=$left"
    stock_turn taking
    eval "left_$2=\$((seen_by_$1 - $3))"
    reservations=$((reservations + 1))
    result=r$reservations
    reserved="$reserved $result:$2:$3"
    echo "INFO shop.stock: $1 has $result: $3 x $2"
    result=$result@$MINUTES
}

stock_release() {
    for entry in $reserved; do
        rest=${entry#*:}
        if [ "${entry%%:*}" = "${1%@*}" ]; then
            eval "left_${rest%:*}=\$((left_${rest%:*} + ${rest#*:}))"
            echo "INFO shop.stock: $1 given back: ${rest#*:} x ${rest%:*}"
            return 0
        fi
    done
    echo "ERROR shop.stock: there is no reservation '$1'"
    return 1
}
