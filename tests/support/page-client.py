#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-3.0-or-later
"""page-client.py COMMAND ADDRESS [ARGUMENT]: ask the page of a job, and print what it answers: lines of a name, a space and a value.

  requests   what is refused, and how answers look
  streams N  open N streams at once
  fold S     read a stream for S seconds, and compare what it has told with the whole state
  slow S     the same, but read nothing for S seconds before, while much happens
  watch F    read a stream to its end, and tell the last state of the run; make the file F when it is open
  alive      wait until the page answers"""
import http.client, json, socket, sys, time
from urllib.parse import urlsplit, parse_qs, quote

command, address = sys.argv[1:3]
port = urlsplit(address).port
token = parse_qs(urlsplit(address).query)["token"][0]
MOST = {"failures": 100, "told": 100, "output": 100, "series": 600}


def show(name, value):
    print(name, value, flush=True)


def ask(path="/", method="GET", given=token, host=None, body=None, seconds=15):
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=seconds)
    headers = {"Host": host} if host else {}
    connection.request(method, path + ("?token=" + given if given is not None else ""), body=body, headers=headers)
    answer = connection.getresponse()
    answer.text = answer.read()
    connection.close()
    return answer


def send_raw(data, seconds=15):
    """Send DATA, and return the status of the answer, or 0: the connection was ended without."""
    connection = socket.create_connection(("127.0.0.1", port), timeout=seconds)
    answer = b""
    try:
        connection.sendall(data)
    except OSError:
        pass
    try:
        while piece := connection.recv(4096):
            answer += piece
    except OSError:
        pass
    connection.close()
    return int(answer.split()[1]) if answer.startswith(b"HTTP/") else 0


def open_stream(buffer=None):
    connection = socket.socket()
    if buffer:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, buffer)
    connection.settimeout(20)
    connection.connect(("127.0.0.1", port))
    connection.sendall(f"GET /events?token={token} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n\r\n".encode())
    return connection


class Reader:
    """The events of a stream, folded into a state as a browser does."""

    def __init__(self, connection):
        self.answer = http.client.HTTPResponse(connection)
        self.answer.begin()
        self.state, self.bytes, self.events = {}, 0, 0

    def take(self):
        """Take an event; return whether there was one."""
        while True:
            line = self.answer.readline()
            if not line:
                return False
            self.bytes += len(line)
            if line.startswith(b"data: "):
                self.apply(json.loads(line[6:]))
                self.events += 1
                return True

    def apply(self, news):
        if news.get("whole"):
            self.state = {"workers": {}, **{name: [] for name in MOST}}
        for name, value in news.items():
            if name == "workers":
                if news.get("all_workers"):
                    self.state["workers"] = {}
                self.state["workers"].update(value)
            elif name in MOST:
                self.state[name] = (self.state[name] + value)[-MOST[name]:]
            elif name not in ("whole", "all_workers"):
                self.state[name] = value


def whole():
    return json.loads(ask("/state").text)


def same(state, other):
    """What differs between two states, but for what changes with the time."""
    names = set(state) | set(other)
    differing = []
    for name in sorted(names - {"version", "now", "whole", "series", "all_workers"}):
        a, b = state.get(name), other.get(name)
        if not a and not b:
            continue
        if name == "counts":
            a, b = [{k: v for k, v in c.items() if k != "rate"} for c in (a, b)]
        if name in ("workers", "output"):
            continue  # one ticks meanwhile
        if a != b:
            differing.append(name)
    for list_name in ("output",):
        ids = [line["id"] for line in state[list_name]]
        if ids != sorted(set(ids)):
            differing.append(list_name)
    return " ".join(differing) or "same"


def requests():
    show("page", ask().status)
    show("no-token", ask(given=None).status)
    show("wrong-token", ask(given="0" * 32).status)
    show("part-of-token", ask(given=token[:16]).status)
    show("other-host", ask(host="evil.example").status)
    show("other-host-like-ours", ask(host="127.0.0.1.evil.example").status)
    show("tunnel", ask(host="localhost:9999").status)
    for method in ("POST", "PUT", "DELETE", "OPTIONS"):
        show(method, ask(method=method).status)
    show("HEAD", ask(method="HEAD").status)
    show("body", ask(method="GET", body=b"x" * 100).status)
    show("nothing", ask("/nothing").status)
    show("token-for-files", ask("/page.js", given=None).status)
    show("climbing", ask("/plots/..%2f..%2f..%2fetc%2fpasswd").status)
    show("unregistered", ask("/plots/" + quote("/etc/passwd", safe="")).status)
    plot = ask("/plots/" + quote("misfit <i>"))
    show("plot", plot.status)
    show("plot-type", plot.getheader("Content-Type"))
    show("plot-sandbox", "sandbox" in plot.getheader("Content-Security-Policy"))
    page = ask()
    show("policy", "default-src 'none'" in page.getheader("Content-Security-Policy") and "unsafe" not in page.getheader("Content-Security-Policy"))
    show("headers", [page.getheader(name) for name in ("X-Content-Type-Options", "Referrer-Policy", "Cache-Control")])
    show("script", ask("/page.js").getheader("Content-Type"))
    head = f"GET /?token={token} HTTP/1.1\r\nHost: 127.0.0.1\r\n".encode()
    show("long-address", send_raw(b"GET /" + b"a" * 200000 + b" HTTP/1.1\r\n\r\n") in (0, 400, 413, 414))
    show("many-headers", send_raw(head + b"X: y\r\n" * 200000 + b"\r\n") in (0, 400, 413, 431))
    show("huge-body", send_raw(f"POST /?token={token} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 1000000000\r\n\r\n".encode()
                               + b"x" * 3000000) in (0, 405, 413))
    began = time.monotonic()
    show("unfinished", send_raw(head) in (0, 408))
    show("unfinished-soon", time.monotonic() - began < 12)
    show("garbage", send_raw(b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\r\n\r\n") in (0, 400, 408))
    show("still", ask().status)


def streams(n):
    end = time.monotonic() + 20
    while True:  # one that was there before may not have been noticed to have gone
        all_streams = [open_stream() for _ in range(n)]
        statuses = [int(stream.recv(64).split()[1]) for stream in all_streams]
        if statuses.count(200) >= min(n, 64) or time.monotonic() > end:
            break
        for stream in all_streams:
            stream.close()
        time.sleep(0.3)
    show("accepted", statuses.count(200))
    show("refused", statuses.count(503))
    show("page-meanwhile", ask().status)
    for stream in all_streams:
        stream.close()
    end = time.monotonic() + 20
    while time.monotonic() < end:
        with open_stream() as stream:
            again = int(stream.recv(64).split()[1])
        if again == 200:
            break
        time.sleep(0.05)
    show("again", again)


def fold(seconds, wait):
    """With WAIT the stream is not read at first, and has little room in the kernel."""
    reader = None
    connection = open_stream(4096 if wait else None)
    if wait:
        time.sleep(seconds)
    reader = Reader(connection)
    end = time.monotonic() + (20 if wait else seconds)
    reader.take()
    while time.monotonic() < end:
        reader.take()
        if wait and (behind := time.time() * 1000 - reader.state["now"]) < 1500:
            break
    for _ in range(40):  # something may happen between the two
        difference = same(reader.state, whole())
        if difference == "same":
            break
        reader.take()
    show("fold", difference)
    show("events", reader.events)
    show("kilobytes", reader.bytes // 1000)
    times = [sample[0] for sample in reader.state["series"]]
    show("series-ascend", times == sorted(set(times)))


def watch():
    reader = Reader(open_stream())
    show("watching", "yes")
    open(sys.argv[3], "w").close()
    try:
        while reader.take():
            pass
        state = reader.state["run"]["state"]
        show("end", "cut" if state == "running" else state)
        show("status", reader.state["run"].get("status"))
        show("done", reader.state["counts"]["done"])
    except (OSError, http.client.HTTPException) as problem:
        show("end", "cut: " + type(problem).__name__)


def alive():
    end = time.monotonic() + 40
    while time.monotonic() < end:
        try:
            show("alive", ask().status)
            return
        except OSError:
            time.sleep(0.05)
    show("alive", "never")


if command == "requests":
    requests()
elif command == "streams":
    streams(int(sys.argv[3]))
elif command in ("fold", "slow"):
    fold(float(sys.argv[3]), command == "slow")
elif command == "watch":
    watch()
elif command == "alive":
    alive()
