#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-3.0-or-later
"""page-readers.py ADDRESS N: read N streams of the page at ADDRESS until the standard input ends; then print how many events and kilobytes each
has had, and how long after they were written lines "tick MS" of workers came, in ms: median and most."""
import json, re, select, socket, sys, time
from urllib.parse import urlsplit, parse_qs

address, n = sys.argv[1], int(sys.argv[2])
port, token = urlsplit(address).port, parse_qs(urlsplit(address).query)["token"][0]
streams = []
for _ in range(n):
    stream = socket.create_connection(("127.0.0.1", port))
    stream.sendall(f"GET /events?token={token} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
    streams.append(stream)
print("ready", flush=True)
began = time.time() * 1000
n_bytes, n_events, latencies, seen = 0, 0, [], set()
while True:
    ready, _, _ = select.select(streams + [sys.stdin], [], [])
    if sys.stdin in ready:
        break
    for stream in ready:
        piece = stream.recv(1 << 16)
        if not piece:
            streams.remove(stream)
            continue
        n_bytes += len(piece)
        n_events += piece.count(b"data: ")
        for match in re.finditer(rb"tick (\d+)", piece):
            tick = (stream, match.group(1))
            if tick not in seen and int(match.group(1)) > began:
                seen.add(tick)
                latencies.append(time.time() * 1000 - int(match.group(1)))
latencies.sort()
print(n_events // n, n_bytes // n // 1000, round(latencies[len(latencies) // 2]) if latencies else "-",
      round(latencies[-1]) if latencies else "-", flush=True)
