#!/bin/sh
# The counter of cases: made-up logs of each kind, and what it must make of them.
# SPDX-License-Identifier: LGPL-3.0-or-later
. "$TUTTI_SOURCE_DIR/tests/support/tap.sh"
count="$TUTTI_SOURCE_DIR/tests/support/count-tap"
folder=$(mktemp -d "${TMPDIR:-/tmp}/count-tap-XXXXXX") || exit 1
cleanup () { rm -rf "$folder"; }
unset CI TUTTI_TEST_MUST_WORK TUTTI_SHARED

# program STDOUT RESULT STATUS: one line of a log, with STDOUT as JSON writes it
program ()
{
  printf '{"name": "p", "stdout": "%s", "result": "%s", "starttime": 1.5, "returncode": %s, "command": ["a \\"b\\"", "ok 1"]}\n' \
         "$1" "$2" "$3"
}

# counted NAME EXPECTED-LAST-LINE EXPECTED-STATUS: counts the log on the standard input
counted ()
{
  rm -rf "$folder/build"; mkdir -p "$folder/build/meson-logs"
  cat > "$folder/build/meson-logs/testlog.json"
  output=$("$count" "$folder/build"); status=$?
  tap_equal "$1" "$2, status $3" "$(echo "$output" | tail -n 1), status $status"
}

counted "two cases pass" "2 passed, 0 failed, 0 skipped" 0 <<END
$(program 'ok 1 /a\nok 2 /b\n1..2\n' OK 0)
END
counted "two programs" "2 passed, 1 failed, 1 skipped" 1 <<END
$(program 'ok 1 /a\nnot ok 2 /b\n1..2\n' FAIL 1)
$(program '# ok 1 comment\nok 1 /a # SKIP no gnuplot\nok 2 /b\n1..2\n' OK 0)
END
counted "a failure says what is wrong" "1 passed, 2 failed, 0 skipped" 1 <<END
$(program 'not ok 1 /a\n# expected: 1\n# actual: 2\nok 2 /b\n# not of it\n1..2\n' FAIL 1)
$(program 'Bail out! ERROR: it was wrong\n' ERROR -6)
END
tap_equal "below it, and no more" "FAILED:  build: p /a
  # expected: 1
  # actual: 2
FAILED:  build: p (the program ended with ERROR after 0 cases; Bail out! ERROR: it was wrong)" "$(echo "$output" | grep -v passed)"
counted "a whole program is skipped" "0 passed, 0 failed, 1 skipped" 0 <<END
$(program '1..0 # SKIP no terminal\n' SKIP 0)
END
counted "a crash after a case that passed" "1 passed, 1 failed, 0 skipped" 1 <<END
$(program 'ok 1 /a\n' ERROR -11)
END
counted "a crash that a case has told is one failure" "1 passed, 1 failed, 0 skipped" 1 <<END
$(program 'ok 1 /a\nnot ok 2 /b\nBail out!\n' ERROR -6)
END
counted "out of time" "0 passed, 1 failed, 0 skipped" 1 <<END
$(program '' TIMEOUT -15)
END
counted "no TAP at all" "0 passed, 1 failed, 0 skipped" 1 <<END
$(program 'hello\n' SKIP 0)
END
counted "no case was run" "0 passed, 1 failed, 0 skipped" 1 <<END
$(program '1..0\n' SKIP 0)
END
counted "an expected failure is a failure" "0 passed, 2 failed, 0 skipped" 1 <<END
$(program 'ok 1 /a # TO''DO later\nnot ok 2 /b # TO''DO later\n1..2\n' OK 0)
END
counted "quotes and backslashes in the output" "2 passed, 0 failed, 0 skipped" 0 <<'END'
{"name": "p", "stdout": "# say \"not ok\" \\nnot ok 1 \", \"result\": \"FAIL\nok 1 /a\nok 2 /b\\\\\n1..2\n", "result": "OK", "returncode": 0}
END
counted "a log that cannot be understood" "0 passed, 1 failed, 0 skipped" 1 <<END
{"other": "format"}
END
counted "an empty log is a build whose tests did not run" "0 passed, 1 failed, 0 skipped" 1 < /dev/null

# run PROGRAMS STATUS: what is beside the log of the next count
run ()
{
  mkdir -p "$folder/run/meson-logs"; echo "$1 $2" > "$folder/run/meson-logs/run"
  program 'ok 1 /a\n1..1\n' OK 0 > "$folder/run/meson-logs/testlog.json"
  "$count" "$folder/run" | tail -n 1
}
tap_equal "all programs have run" "1 passed, 0 failed, 0 skipped" "$(run 1 0)"
tap_equal "two programs have not run" "1 passed, 2 failed, 0 skipped" "$(run 3 1)"
tap_equal "meson has failed for a reason that no case tells" "1 passed, 1 failed, 0 skipped" "$(run 1 1)"

TUTTI_TEST_MUST_WORK=1; export TUTTI_TEST_MUST_WORK
counted "where all must work a skip fails" "1 passed, 1 failed, 0 skipped" 1 <<END
$(program 'ok 1 /a # SKIP no gnuplot\nok 2 /b\n1..2\n' OK 0)
END
counted "unless the data sets are not there" "0 passed, 0 failed, 1 skipped" 0 <<END
$(program 'ok 1 /a # SKIP TUTTI_SHARED is not set\n1..1\n' OK 0)
END
TUTTI_SHARED=$folder; export TUTTI_SHARED
counted "but if they are, it fails" "0 passed, 1 failed, 0 skipped" 1 <<END
$(program 'ok 1 /a # SKIP TUTTI_SHARED is not set\n1..1\n' OK 0)
END
unset TUTTI_TEST_MUST_WORK
output=$(CI=true "$count" "$folder/nowhere")
tap_equal "a build folder without a log" "0 passed, 1 failed, 0 skipped" "$(echo "$output" | tail -n 1)"
cleanup
tap_end
