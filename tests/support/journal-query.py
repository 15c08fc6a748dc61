# SPDX-License-Identifier: LGPL-3.0-or-later
"""journal-query.py FILE SQL: the rows of a query, a line each, with | between the values.
journal-query.py FILE tasks: "RUN TASK OUTCOME" of each task, those in blocks as well."""
import sqlite3
import struct
import sys

RECORD = struct.Struct("<QqIIIHHII")


def tasks(database):
    for run, records in database.execute("SELECT run, records FROM block"):
        for fields in RECORD.iter_unpack(records):
            yield run, fields[0], "done"
    yield from database.execute("SELECT run, task, coalesce (outcome, 'unfinished') FROM task")


def main():
    database = sqlite3.connect("file:%s?mode=ro" % sys.argv[1], uri=True, timeout=10)
    if sys.argv[2] == "tasks":
        for row in sorted(tasks(database)):
            print("%d %d %s" % row)
    else:
        for row in database.execute(sys.argv[2]):
            print("|".join("" if value is None else str(value) for value in row))


main()
