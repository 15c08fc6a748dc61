# SPDX-License-Identifier: LGPL-3.0-or-later
"""check-trace.py FILE: is it a trace that Perfetto can read, and do its times nest? Prints "ENDING COUNT" for each way in which tasks ended, and
"instant COUNT"."""
import collections
import json
import sys

FIELDS = {"X": {"name", "cat", "ts", "dur", "pid", "tid", "args"}, "i": {"name", "ts", "s", "pid", "tid"}, "M": {"name", "pid", "args"},
          "C": {"name", "ts", "pid", "args"}}


def check_nesting(events):
    """Of two events of a thread one is in the other, or they have no time in common."""
    open_until = []
    for event in sorted(events, key=lambda event: (event["ts"], -event["dur"])):
        begin, end = event["ts"], event["ts"] + event["dur"]
        while open_until and open_until[-1] <= begin:
            open_until.pop()
        assert not open_until or end <= open_until[-1], ("they overlap", event)
        open_until.append(end)


def main():
    with open(sys.argv[1], encoding="utf-8") as file:
        text = file.read()
    assert "<" not in text and "\u202e" not in text and "\u200b" not in text
    trace = json.loads(text)
    assert trace["metadata"]["clock-domain"] == "LINUX_CLOCK_REALTIME"
    assert int(trace["metadata"]["clock-offset-since-epoch"]) > 1600000000000000
    threads, endings = collections.defaultdict(list), collections.Counter()
    for event in trace["traceEvents"]:
        assert FIELDS[event["ph"]] <= event.keys(), event
        if event["ph"] == "X":
            assert event["ts"] >= 0 and event["dur"] >= 0 and event["args"]["task"] > 0, event
            threads[event["pid"], event["tid"]].append(event)
            endings[event["cat"]] += 1
        elif event["ph"] == "i":
            endings["instant"] += 1
    for events in threads.values():
        check_nesting(events)
    named = {(event["pid"], event["tid"]) for event in trace["traceEvents"] if event["ph"] == "M" and event["name"] == "thread_name"}
    assert set(threads) <= named, (set(threads), named)
    for ending, count in sorted(endings.items()):
        print(ending, count)


main()
