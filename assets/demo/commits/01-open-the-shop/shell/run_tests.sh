# Runs the tests of this folder and writes one JUnit report for each file of tests.
set -u
cd "$(dirname "$0")/.."
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
count=0 broken=0 skipped=0

for part in pricing cart stock; do . "shell/shop/$part.sh"; done

# What a test calls. Each ends the test's own shell with a code that says how.
fail() { printf '%s' "$1" >"$scratch/message"; exit 101; }
skip() { printf '%s' "$1" >"$scratch/message"; exit 102; }
assert_equal() { [ "$1" = "$2" ] || fail "'$1' != '$2'"; }

# Text made fit for XML: no control characters, no markup.
escape() {
    tr -d '\000-\010\013\014\016-\037' | sed 's/&/\&amp;/g; s/</\&lt;/g; s/>/\&gt;/g; s/"/\&quot;/g'
}

# The line on which a function is defined.
line_of() { sed -n "/^$2()/=" "$1"; }

# The commands of a failed test, from its trace.
stack() {
    echo "Traceback (most recent call last):"
    echo "  File \"shell/run_tests.sh\", line $(line_of shell/run_tests.sh run_test), in run_test"
    echo "  File \"$2\", line $(line_of "$2" "$3"), in $3"
    sed 's/^+* /    /' "$scratch/trace" | grep -v '^    \(echo\|printf\|exit\|fail\) ' | tail -n 6
    echo "$1: $(cat "$scratch/message")"
}

# run_test FILE NAME
run_test() {
    : >"$scratch/message"
    (
        exec 2>"$scratch/trace"
        set -ex
        "$2"
    ) >"$scratch/output"
    code=$?
    outcome=passed kind=
    case $code in
    0) ;;
    101) outcome=failure kind=AssertionError ;;
    102) outcome=skipped skipped=$((skipped + 1)) ;;
    *) outcome=error kind=CommandFailed
        printf '%s' "$(tail -n 1 "$scratch/output") (exit code $code)" >"$scratch/message" ;;
    esac
    printf '%-8stests.%s.%s.%s\n' "$outcome" "$name" "$CLASS" "$2"
    printf '<testcase classname="tests.%s.%s" name="%s" file="%s" line="%s" time="0.000">' \
        "$name" "$CLASS" "$2" "$1" "$(line_of "$1" "$2")" >>"$scratch/cases"
    if [ "$outcome" = skipped ]; then
        printf '<skipped message="%s"/>' "$(escape <"$scratch/message")" >>"$scratch/cases"
    elif [ "$outcome" != passed ]; then
        broken=$((broken + 1))
        eval "${outcome}s=\$((${outcome}s + 1))"
        {
            printf '<%s message="%s" type="%s">' "$outcome" "$(escape <"$scratch/message")" "$kind"
            stack "$kind" "$1" "$2" | escape
            printf '</%s>' "$outcome"
        } >>"$scratch/cases"
    fi
    printf '<system-out>%s</system-out></testcase>\n' "$(escape <"$scratch/output")" >>"$scratch/cases"
}

for file in shell/tests/test_*.sh; do
    name=$(basename "$file" .sh)
    . "$file"
    : >"$scratch/cases"
    tests=0 failures=0 errors=0 before=$skipped
    for test in $(sed -n 's/^\(test_[a-z_]*\)().*/\1/p' "$file"); do
        run_test "$file" "$test"
        tests=$((tests + 1))
    done
    report=reports/junit-${name#test_}.xml
    {
        echo '<?xml version="1.0" encoding="UTF-8"?>'
        printf '<testsuite name="%s" tests="%d" failures="%d" errors="%d" skipped="%d" time="0.000" timestamp="%s" hostname="%s">\n' \
            "$name" "$tests" "$failures" "$errors" $((skipped - before)) "$(date -u +%Y-%m-%dT%H:%M:%SZ)" "$(uname -n | escape)"
        cat "$scratch/cases"
        echo '</testsuite>'
    } >"$report"
    echo "wrote $report"
    count=$((count + tests))
done
echo "$count tests, $broken broken, $skipped skipped"
[ "$broken" -eq 0 ]
