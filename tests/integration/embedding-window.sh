#!/bin/sh
# The example with a window: it comes round in its main loop while simulations run, shows how far they are, and cancels them.
# SPDX-License-Identifier: LGPL-3.0-or-later
. "$TUTTI_SOURCE_DIR/tests/support/tap.sh"
. "$TUTTI_SOURCE_DIR/tests/support/embedding-example.sh"

pkg-config --exists gtk4 || skip_all "GTK 4 is not installed"
command -v Xvfb > /dev/null || skip_all "there is no Xvfb"

begin_example window
run_command "the task module is compiled" 'pendulum.so $('
run_command "the window is compiled, without a warning" 'window.c'
tap_empty "compiling it says nothing" "$(cat log)"

# The server chooses a display that nobody has, and says which one when it is ready.
mkfifo ready
timeout 300 Xvfb -displayfd 3 -screen 0 800x600x24 -nolisten tcp 3> ready > server-log 2>&1 &
server=$!
trap 'kill $server; wait; rm -rf "$example_folder"; [ -n "${tap_ended-}" ] || { echo "Bail out! ended early"; exit 1; }' EXIT
read -r display < ready
tap_equal "there is a display" yes "$([ -n "$display" ] && echo yes || cat server-log)"

# With xdotool, Start is clicked on with the mouse; it is at the top left of the window, which is at that of the screen.
by=
if command -v xdotool > /dev/null; then
  by=--by-click
  (while kill -0 $server; do DISPLAY=:$display timeout 20 xdotool mousemove 40 25 click 1; sleep 0.2; done) > /dev/null 2>&1 &
fi
# The other clicks are those of the program. What runs meanwhile and for how long is the machine's; a main loop that were blocked would not come round.
DISPLAY=:$display GTK_A11Y=none GSK_RENDERER=cairo GDK_BACKEND=x11 timeout 240 ./window ./pendulum.so --self-test picture.png $by > log 2> errors
tap_equal "the window runs" 0 $?
tap_empty "without a complaint" "$(cat errors)"
tap_equal "periods, a killed worker, and a cancelled map are shown" "All periods are there. 5.158 s at 3.00 rad
worker 0 was ended by signal 9 (SIGKILL)
Cancelled." "$(sed 's/^\(worker 0\) (pid [0-9]*)/\1/; s/\((SIGKILL)\).*/\1/; /^ticks/d' log)"
counts=$(sed -n 's/^ticks \([0-9]*\), steps \([0-9]*\)$/\1 \2/p' log)
tap_equal "while the map ran, a clock of 20 ms has ticked" yes "$([ "${counts%% *}" -ge 5 ] && echo yes || echo "$counts")"
tap_equal "and the progress bar has moved" yes "$([ "${counts##* }" -ge 2 ] && echo yes || echo "$counts")"
tap_equal "a picture of it" "89504e47" "$(head -c 4 picture.png | od -An -tx1 | tr -d ' ')"
tap_end
