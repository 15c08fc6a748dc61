#!/bin/sh
# The example in Python works as the README of its folder says.
# SPDX-License-Identifier: LGPL-3.0-or-later
. "$TUTTI_SOURCE_DIR/tests/support/tap.sh"
. "$TUTTI_SOURCE_DIR/tests/support/embedding-example.sh"

/usr/bin/python3 -c 'import gi' 2> /dev/null || skip_all "PyGObject is not installed"
/usr/bin/python3 -c 'import numpy' 2> /dev/null || skip_all "numpy is not installed"
/usr/bin/python3 -c 'import gi; gi.require_version ("Tutti", "0")' 2> /dev/null || skip_all "there is no introspection data"

begin_example python
run_command "the task module is compiled, without a warning" 'pendulum.so $('
tap_empty "compiling it says nothing" "$(cat log)"
run_command "pool.py runs" pool.py
tap_equal "a worker was killed, and the results are there" "worker 0 was ended by signal 9 (SIGKILL)
the longest period is 5.158 s
1000000 angles, from -1.000 to 1.000, mean square 0.506" "$(sed 's/^\(worker 0\) (pid [0-9]*)/\1/; s/\((SIGKILL)\).*/\1/' log)"
tap_end
