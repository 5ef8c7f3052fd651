#!/bin/sh
# Runs all tests, writes reports/junit-*.xml, exits 1 when a test fails.
# SHOP_VARIANT=shell takes the shell's tests even where there is Python.
set -eu
cd "$(dirname "$0")"
rm -rf reports
mkdir -p reports
if [ "${SHOP_VARIANT:-}" != shell ] && python3 -c 'import unittest' >/dev/null 2>&1; then
    echo "shop: testing with $(python3 --version 2>&1)"
    exec python3 -B python/run_tests.py
fi
echo "shop: testing with $(uname -s) sh"
exec sh shell/run_tests.sh
