#!/bin/sh
# The TAP runner of the Scheme tests: small programs that end in each possible way, and what must come out.
# SPDX-License-Identifier: LGPL-3.0-or-later
. "$TUTTI_SOURCE_DIR/tests/support/tap.sh"
GUILE_LOAD_PATH="$TUTTI_SOURCE_DIR/tests/support"; GUILE_AUTO_COMPILE=0; export GUILE_LOAD_PATH GUILE_AUTO_COMPILE

# run NAME EXPECTED-STATUS EXPECTED-LINES BODY: the lines are those that are not comments, joined with |
run ()
{
  lines=$(guile -c "(use-modules (tap) (srfi srfi-64)) (call-with-tap (lambda () $4))" 2> /dev/null; echo "status $?")
  tap_equal "$1" "$3|status $2" "$(echo "$lines" | grep -v '^#' | tr '\n' '|' | sed 's/|$//')"
}

run "all pass" 0 "ok 1 - a|ok 2 - g/b|1..2" '(test-assert "a" #t) (test-group "g" (test-eqv "b" 1 1))'
run "one fails" 1 "not ok 1 - a|ok 2 - b|1..2" '(test-equal "a" 1 2) (test-assert "b" #t)'
run "an error in a case" 1 "not ok 1 - a|ok 2 - b|1..2" '(test-assert "a" (car 1)) (test-assert "b" #t)'
run "an error in a group" 1 "ok 1 - g/a|not ok 2 - g/error outside a case|Bail out! boom" \
    '(test-group "g" (test-assert "a" #t) (error "boom")) (test-assert "b" #t)'
run "an error between groups" 1 "not ok 1 - error outside a case|Bail out! boom 1" '(error "boom" 1)'
run "a thrown key" 1 "not ok 1 - error outside a case|Bail out! Throw to key \`k' with args \`(1)'." '(throw (quote k) 1)'
run "a raised object that is no condition" 1 "not ok 1 - error outside a case|Bail out! 42" '(raise-exception 42)'
run "exit in the middle" 1 "ok 1 - a|not ok 2 - error outside a case|Bail out! Throw to key \`quit' with args \`(0)'." \
    '(test-assert "a" #t) (exit 0)'
run "no case" 1 "Bail out! no case was run" '#t'
run "an error that is caught inside is none" 0 "ok 1 - a|1..1" \
    '(false-if-exception (error "boom")) (test-assert "a" #t)'
run "a skipped case" 0 "ok 1 - a # SKIP no gnuplot|ok 2 - b|1..2" '(tap-skip "a" "no gnuplot") (test-assert "b" #t)'
run "a skipped program" 0 "1..0 # SKIP no terminal" '(tap-skip-all "no terminal") (test-assert "b" #f)'
run "an expected failure is a failure" 1 "not ok 1 - a|1..1" '(test-expect-fail 1) (test-assert "a" #f)'
run "a condition that is meant" 0 "ok 1 - a|1..1" '(test-condition "a" symbol? (raise-exception (quote x)))'
run "another condition" 1 "not ok 1 - a|1..1" '(test-condition "a" symbol? (raise-exception 42))'
run "no condition" 1 "not ok 1 - a|1..1" '(test-condition "a" symbol? 42)'
tap_end
