"""A program that stays: it reads a line in JSON, and answers with one."""
import json
import math
import sys

for line in sys.stdin:
    request = json.loads(line)
    answer = {"temperature": 20 + 75 * math.exp(-request["rate"] * request["time"])}
    print(json.dumps(answer), flush=True)
