#!/bin/sh
# The example of an application that runs a user's script, as it is installed: it is run to its end, fails, and is cancelled.
# SPDX-License-Identifier: LGPL-3.0-or-later
# Argument: the program.
. "$TUTTI_SOURCE_DIR/tests/support/tap.sh"
program=$1
folder=$(mktemp -d "${TMPDIR:-/tmp}/tutti-runner-XXXXXX")
trap 'rm -rf "$folder"; [ -n "${tap_ended-}" ] || { echo "Bail out! ended early"; exit 1; }' EXIT

tap_equal "it shows what the script gives it, and its value" "script: throws: 8
point: 25.0 70.3
point: 30.0 79.5
point: 35.0 86.2
point: 40.0 90.3
point: 45.0 91.7
point: 50.0 90.3
point: 55.0 86.2
point: 60.0 79.5
value: 91.74311926605505
0" "$(timeout 120 "$program" "$TUTTI_SOURCE_DIR/examples/embedding/script-runner.scm" 2> "$folder/progress"; echo $?)"
tap_equal "it shows the progress" "8 of 8" "$(tr '\r' '\n' < "$folder/progress" | tail -n 1)"

cat > "$folder/wrong.scm" <<'END'
(define (first-point) (show-point "one" 2))
(first-point)
END
tap_equal "it shows the report of an error, which its procedure has raised" \
          "$folder/wrong.scm:2:0: In procedure show-point: x is a text, expected a real number" \
          "$(timeout 120 "$program" "$folder/wrong.scm" 2>&1 | head -n 1)"

cat > "$folder/long.scm" <<'END'
(use-modules (tutti))
(define-remote (hang x) (usleep 1000) (hang x))
(call-with-pool 2
  (lambda (pool)
    (for-each (lambda (worker) (display (worker-pid worker)) (newline)) (pool-workers pool))
    (display "begun\n")
    (pool-map pool hang '(1 2 3))))
END
timeout 120 "$program" "$folder/long.scm" > "$folder/said" 2>&1 &
runner=$!
until grep -q begun "$folder/said" || ! kill -0 $runner 2> /dev/null; do sleep 0.05; done
# timeout passes it on
kill -INT $runner
wait $runner
status=$?
tap_equal "Ctrl-C cancels the script, and the application ends as it likes" "the script was cancelled 1" "$(tail -n 1 "$folder/said") $status"
tap_empty "no worker is left" "$(sed -n 's/^script: \([0-9]*\)$/\1/p' "$folder/said" | while read -r pid; do [ ! -d "/proc/$pid" ] || echo "$pid"; done)"
tap_end
