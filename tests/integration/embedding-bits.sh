#!/bin/sh
# Vectors of operators have the same bits from C and from Scheme, with any number of workers.
# SPDX-License-Identifier: LGPL-3.0-or-later
. "$TUTTI_SOURCE_DIR/tests/support/tap.sh"
folder=$(mktemp -d "${TMPDIR:-/tmp}/tutti-bits-XXXXXX")
trap 'rm -rf "$folder"; [ -n "${tap_ended-}" ] || { echo "Bail out! ended early"; exit 1; }' EXIT
module=$TUTTI_HELPERS/complex-operator.so

timeout 120 "$TUTTI" run "$TUTTI_SOURCE_DIR/tests/integration/fixtures/embedding-bits.scm" 3 "$module" > "$folder/scheme" 2> "$folder/errors"
tap_equal "the script runs" "0" "$?$(cat "$folder/errors")"
# 5 soundings of 6 layers at 1 to 5 periods: 3 times 30 values, 6 of the adjoint; 4 times 3000 complex numbers: 3 times 24000, and 6000.
tap_equal "the script has all numbers" 78096 "$(wc -l < "$folder/scheme")"
for workers in 1 2 3 7; do
  timeout 120 "$TUTTI_HELPERS/embedding-bits" "$workers" "$module" > "$folder/c" 2> "$folder/errors"
  tap_equal "the program runs with $workers workers" "0" "$?$(cat "$folder/errors")"
  tap_empty "their bits are the same with $workers workers" "$(diff "$folder/scheme" "$folder/c" | head -n 5)"
done
tap_end
