# SPDX-License-Identifier: LGPL-3.0-or-later
"""TAP for tests in Python: cases, then end ()."""
import atexit
import os
import sys

_count = _failed = 0
_ended = False


def _say(line):
    print(line, flush=True)


def check(name, passed, text=""):
    """A case; TEXT says what was wrong if it has not passed."""
    global _count, _failed
    _count += 1
    _say(f"{'ok' if passed else 'not ok'} {_count} - {name}")
    if not passed:
        _failed += 1
        for line in str(text).splitlines():
            _say("# " + line)
    return passed


def equal(name, expected, actual):
    return check(name, expected == actual, f"expected: {expected!r}\nactual:   {actual!r}")


def empty(name, complaints):
    return check(name, not complaints, "\n".join(complaints))


def skip(name, reason):
    global _count
    _count += 1
    _say(f"ok {_count} - {name} # SKIP {reason}")


def skip_all(reason):
    global _ended
    _ended = True
    _say(f"1..0 # SKIP {reason}")
    sys.exit(0)


def end():
    global _ended
    _ended = True
    _say(f"1..{_count}")
    sys.exit(1 if _failed else 0)


# A program that ends before its end () has no plan and a non-zero status, so that it cannot pass by accident.
@atexit.register
def _bail_out():
    if not _ended:
        _say("Bail out! ended early")
        sys.stdout.flush()
        os._exit(1)
