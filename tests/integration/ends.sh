#!/bin/sh
# The end of the program tutti: output that cannot be written is an error that is told, whatever way leads to the end; output that nobody
# reads is none.
# SPDX-License-Identifier: LGPL-3.0-or-later
. "$TUTTI_SOURCE_DIR/tests/support/tap.sh"

folder=$(mktemp -d "${TMPDIR:-/tmp}/tutti-ends-XXXXXX")
trap 'rm -rf "$folder"; [ -n "${tap_ended-}" ] || { echo "Bail out! ended early"; exit 1; }' EXIT
cd "$folder" || exit 1

full="tutti: cannot write to the standard output: No space left on device"
script () { printf '%s\n' "$2" > "$1.scm"; }
# to_full NAME STATUS WORDS COMMAND...: with its output to a device that takes nothing
to_full ()
{
  name=$1 status=$2 words=$3; shift 3
  timeout 60 "$@" > /dev/full 2> errors
  tap_equal "$name: status and words" "$status $words" "$? $(cat errors)"
}

script end '(display "x")'
script exit '(display "x") (exit 0)'
script five '(display "x") (exit 5)'
script primitive '(display "x") (primitive-exit 0)'
script pool '(use-modules (tutti)) (display (call-with-pool 1 (lambda (pool) (pool-map pool sqrt (list 4)))))'
script error '(display "x") (car 1)'
to_full "the end of a script" 1 "$full" "$TUTTI" run end.scm
to_full "exit" 1 "$full" "$TUTTI" run exit.scm
to_full "a status of its own" 5 "$full" "$TUTTI" run five.scm
to_full "primitive-exit" 1 "$full" "$TUTTI" run primitive.scm
to_full "with a pool" 1 "$full" "$TUTTI" run pool.scm
to_full "--help" 1 "$full" "$TUTTI" --help
to_full "--version" 1 "$full" "$TUTTI" --version
to_full "doctor" 1 "$full" "$TUTTI" doctor
timeout 60 "$TUTTI" run error.scm > /dev/full 2> errors
tap_equal "an error of the script is told as well: status" 1 $?
tap_equal "an error of the script is told as well" 1 "$(grep -c 'error.scm:1:.*In procedure car' errors)"
timeout 60 "$TUTTI" compile end.scm && to_full "a compiled script" 1 "$full" "$TUTTI" run end.go

script two '(define kept (open-output-file "kept")) (define lost (open-output-file "/dev/full"))
(display "kept" kept) (display "lost" lost)
(display "shown")'
output=$(timeout 60 "$TUTTI" run two.scm 2> errors)
tap_equal "one port that fails keeps no other from being flushed: status" 1 $?
tap_equal "standard output" shown "$output"
tap_equal "a file" kept "$(cat kept)"
tap_equal "what failed is told" 1 "$(grep -c 'cannot write to /dev/full: No space left on device' errors)"

# A write that fails while the script runs.
script output '(use-modules (tutti)) (for-each display (make-list 100 (make-string 3000 #\a)))'
script output-file '(call-with-output-file "full" (lambda (port) (for-each (lambda (n) (display (make-string 3000 #\a) port)) (iota 100))))'
script closing '(call-with-output-file "full" (lambda (port) (display "x" port)))'
ln -s /dev/full full
for case in "output:the standard output" "output-file:full" "closing:full"; do
  timeout 60 "$TUTTI" run "${case%%:*}.scm" > /dev/full 2> errors
  tap_equal "${case%%:*}.scm says what it cannot write: status" 1 $?
  tap_equal "${case%%:*}.scm says what it cannot write" 1 "$(grep -c "^  cannot write to ${case#*:}\$" errors)"
done

# Closed descriptors.
script files '(use-modules (tutti))
(display "output")
(display "error" (current-error-port))
(define descriptors (map (lambda (n) (readlink (format #f "/proc/self/fd/~a" n))) (iota 3)))
(call-with-output-file "result"
  (lambda (port)
    (write (list descriptors (read-char) (call-with-pool 1 (lambda (pool) (pool-map pool sqrt (list 4))))) port)))'
timeout 60 "$TUTTI" run files.scm <&- >&- 2>&-
tap_equal "without input, output and error: status" 0 $?
tap_equal "they are /dev/null, and nothing else takes their place" \
  '(("/dev/null" "/dev/null" "/dev/null") #<eof> (2))' "$(cat result)"
sh -c 'exec "$@" >&-' sh timeout 60 "$TUTTI" --version
tap_equal "--version without output" 0 $?

# Readers that have gone. The shell tells how the program ended: by SIGPIPE, which is 141, or where it is ignored, with 1.
script long '(let loop ((i 0)) (when (< i 100000) (display "line\n") (loop (1+ i))))'
script late '(use-modules (tutti)) (display "first\n") (force-output) (while (zero? (system* "test" "!" "-e" "gone")) (usleep 10000))
(display (call-with-pool 1 (lambda (pool) (pool-map pool sqrt (list 4)))))'
# unread NAME COMMAND...: with a reader that takes one line
unread ()
{
  name=$1; shift
  { timeout 60 env "$@" 2> errors; echo $? > status; } | { head -n 1 > first; touch gone; }
  tap_equal "$name, read by head: status" 141 "$(cat status)"
  tap_empty "$name, read by head: errors" "$(cat errors)"
  rm -f gone
  (trap '' PIPE; { timeout 60 env "$@" 2> errors; echo $? > status; } | { head -n 1 > first; touch gone; })
  tap_equal "$name, with SIGPIPE ignored: status" 1 "$(cat status)"
  tap_empty "$name, with SIGPIPE ignored: errors" "$(cat errors)"
  rm -f gone
}
unread "a script" "$TUTTI" run long.scm
unread "a script that writes later" "$TUTTI" run late.scm
unread "doctor" "$TUTTI" doctor
# --help is written at once, perhaps before its reader has gone.
{ { while [ ! -e gone ]; do sleep 0.01; done; timeout 60 "$TUTTI" --help 2> errors; echo $? > status; } | { exec <&-; touch gone; }; }
tap_equal "--help that nobody reads: status" 141 "$(cat status)"
tap_empty "--help that nobody reads: errors" "$(cat errors)"

script own '(sigaction SIGPIPE SIG_IGN)
(use-modules (ice-9 popen) (tutti))
(define ends (pipe))
(close-port (car ends))
(define caught (catch (quote system-error) (lambda () (display "x" (cdr ends)) (force-output (cdr ends)) #f) (lambda e (system-error-errno e))))
(write (list (= caught EPIPE) (call-with-pool 1 (lambda (pool) (pool-map pool sqrt (list 4))))))'
tap_equal "a script that looks after its own pipes" "(#t (2))" "$(timeout 60 "$TUTTI" run own.scm 2>&1)"
script careless '(sigaction SIGPIPE SIG_IGN)
(define ends (pipe))
(close-port (car ends))
(display "x" (cdr ends)) (force-output (cdr ends))'
tap_equal "an own pipe that nobody reads is an error of the script" yes \
  "$(timeout 60 "$TUTTI" run careless.scm 2>&1 | grep -q 'careless.scm:4:.*Broken pipe' && echo yes)"
tap_end
