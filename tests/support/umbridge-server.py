# SPDX-License-Identifier: LGPL-3.0-or-later
"""A server of UM-Bridge, protocol 1.0, on loopback, with the status codes and error types of the reference implementation; and all that
a server can do wrong. It uses sockets and nothing else, so that each byte is chosen here.

    umbridge-server.py [--family inet6] [--certificate FILE] [--servers N] [--kill SECONDS] [--version VERSION]

It prints the ports of its N servers in one line, and ends with its standard input. With --kill, each of them in turn is killed every so
often, and another takes its place. What an Evaluate does wrong is the member "mode" of its config."""
import argparse
import json
import os
import select
import signal
import socket
import ssl
import struct
import threading
import time

lock = threading.Lock()
version = 1.0
counts = {"evaluations": 0, "running": 0, "most": 0}


class Wrong(Exception):
    """An error of the protocol: type, message, status."""

    def __init__(self, kind, message, status=400):
        super().__init__(message)
        self.kind, self.status = kind, status


class Model:
    def input_sizes(self, config):
        return [config.get("n", 10)]

    output_sizes = input_sizes
    supports = ["Evaluate"]


class Scale(Model):
    """y = a x"""
    supports = ["Evaluate", "Gradient", "ApplyJacobian"]

    def evaluate(self, inputs, config):
        a = config.get("a", 1)
        return [[a * number for number in inputs[0]]]

    def jacobian(self, i, j, inputs, vec, config):
        return self.evaluate([vec], config)[0]

    gradient = jacobian


class Blocks(Model):
    """(x of 2, z of 3) to (u of 2, v of 1): u = (x0 z0, x1^2 + z1), v = x0 x1 z2. Its value is (u, v)."""
    supports = ["Evaluate", "Gradient", "ApplyJacobian", "ApplyHessian"]

    def input_sizes(self, config):
        return [2, 3]

    def output_sizes(self, config):
        return [2, 1]

    def evaluate(self, inputs, config):
        (x0, x1), (z0, z1, z2) = inputs
        return [[x0 * z0, x1 * x1 + z1], [x0 * x1 * z2]]

    def matrix(self, i, j, inputs):
        (x0, x1), (z0, _, z2) = inputs
        return [[[[z0, 0], [0, 2 * x1]], [[x0, 0, 0], [0, 1, 0]]],
                [[[x1 * z2, x0 * z2]], [[0, 0, x0 * x1]]]][i][j]

    def jacobian(self, i, j, inputs, vec, config):
        return [sum(a * b for a, b in zip(row, vec)) for row in self.matrix(i, j, inputs)]

    def gradient(self, i, j, inputs, sens, config):
        rows = self.matrix(i, j, inputs)
        return [sum(row[k] * s for row, s in zip(rows, sens)) for k in range(len(rows[0]))]

    def hessian(self, i, j, k, inputs, sens, vec, config):
        # It is linear in each number but x1, so differences of the gradient are exact but for rounding.
        step = 0.5
        moved = [list(block) for block in inputs]
        back = [list(block) for block in inputs]
        for n, number in enumerate(vec):
            moved[k][n] += step * number
            back[k][n] -= step * number
        there, here = self.gradient(i, j, moved, sens, config), self.gradient(i, j, back, sens, config)
        return [(a - b) / (2 * step) for a, b in zip(there, here)]


class Count(Model):
    """How many evaluations of other models there were, and how many at once at most."""

    def input_sizes(self, config):
        return [1]

    def output_sizes(self, config):
        return [2]

    def evaluate(self, inputs, config):
        return [[counts["evaluations"], counts["most"]]]


class Half(Scale):
    """Has half of a derivative."""
    supports = ["Evaluate", "Gradient"]


class Plain(Scale):
    supports = ["Evaluate"]


class Mute(Scale):
    supports = []


models = {"scale": Scale(), "blocks": Blocks(), "count": Count(), "half": Half(), "plain": Plain(), "mute": Mute()}


def check(inputs, sizes):
    if len(inputs) != len(sizes):
        raise Wrong("InvalidInput", "Number of input parameters does not match model number of model inputs!")
    for i, (block, size) in enumerate(zip(inputs, sizes)):
        if len(block) != size:
            raise Wrong("InvalidInput", f"Input parameter {i} has invalid length! Expected {size} but got {len(block)}.")


def answer(path, request):
    if path == "/Info":
        return {"protocolVersion": version, "models": list(models)}
    model, config = models.get(request["name"]), request.get("config", {})
    if model is None:
        raise Wrong("ModelNotFound", f"Model {request['name']} not found!")
    if path == "/ModelInfo":
        return {"support": {name: name in model.supports
                            for name in ("Evaluate", "Gradient", "ApplyJacobian", "ApplyHessian")}}
    if path == "/InputSizes":
        return {"inputSizes": model.input_sizes(config)}
    if path == "/OutputSizes":
        return {"outputSizes": model.output_sizes(config)}
    if path[1:] not in model.supports:
        raise Wrong("UnsupportedFeature", f"{path[1:]} not supported by model!")
    inputs = request["input"]
    check(inputs, model.input_sizes(config))
    if path == "/Evaluate":
        return {"output": model.evaluate(inputs, config)}
    if path == "/Gradient":
        return {"output": model.gradient(request["outWrt"], request["inWrt"], inputs, request["sens"], config)}
    if path == "/ApplyJacobian":
        return {"output": model.jacobian(request["outWrt"], request["inWrt"], inputs, request["vec"], config)}
    return {"output": model.hessian(request["outWrt"], request["inWrt1"], request["inWrt2"], inputs, request["sens"],
                                    request["vec"], config)}


# What goes wrong. Each takes a connection, the body of the right answer, and how many evaluations there have been; it returns true if the
# connection is to be closed.

def plain(status, body, *headers):
    lines = [f"HTTP/1.1 {status}", f"Content-Length: {len(body)}", *headers, "", ""]
    return "\r\n".join(lines).encode() + body


def send(*parts):
    """Send all of the parts, made of the body, and close."""
    def wrong(connection, body, n):
        for part in parts:
            connection.sendall(part(body) if callable(part) else part)
        return True
    return wrong


def dribble(connection, body, n):
    for byte in plain("200 OK", body):
        connection.sendall(bytes([byte]))
        time.sleep(0.02)


def silent(connection, body, n):
    connection.settimeout(None)
    connection.recv(1)
    return True


def reset(connection, body, n):
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    return True


def endless(connection, body, n):
    connection.sendall(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
    while True:
        connection.sendall(b"10000\r\n" + b" " * 0x10000 + b"\r\n")


def endless_header(connection, body, n):
    connection.sendall(b"HTTP/1.1 200 OK\r\n")
    while True:
        connection.sendall(b"X-Filler: " + b"x" * 1000 + b"\r\n")


def right(connection, body, n):
    connection.sendall(plain("200 OK", body))


def at_times(wrong):
    """Only every second evaluation goes wrong."""
    return lambda connection, body, n: (wrong if n % 2 else right)(connection, body, n)


def chunks(body):
    pieces = [body[i:i + 7] for i in range(0, len(body), 7)]
    return b"".join(b"%x;name=value\r\n%s\r\n" % (len(piece), piece) for piece in pieces) + b"0\r\nX-Trailer: 1\r\n\r\n"


modes = {
    "dribble": dribble,
    "silent": silent,
    "close": send(),
    "reset": reset,
    "reset-at-times": at_times(reset),
    "middle": send(lambda body: plain("200 OK", body)[:-5]),
    "middle-at-times": at_times(send(lambda body: plain("200 OK", body)[:-5])),
    "too-short": send(lambda body: plain("200 OK", body).replace(b"Length: ", b"Length: 1"), lambda body: b""),
    "too-long": send(lambda body: plain("200 OK", body) + b"and more"),
    "html": send(plain("200 OK", b"<html><body>Welcome to nginx!</body></html>", "Content-Type: text/html")),
    "empty": send(plain("200 OK", b"")),
    "no-output": send(plain("200 OK", b'{"result": 1}')),
    "sizes": send(plain("200 OK", b'{"output": [[1, 2, 3]]}')),
    "blocks": send(plain("200 OK", b'{"output": [[1], [2]]}')),
    "flat": send(plain("200 OK", b'{"output": [1, 2, 3, 4, 5, 6, 7, 8, 9, 10]}')),
    "text": send(plain("200 OK", b'{"output": [["1", 2, 3, 4, 5, 6, 7, 8, 9, 10]]}')),
    "nan": send(plain("200 OK", b'{"output": [[NaN, 2, 3, 4, 5, 6, 7, 8, 9, 10]]}')),
    "overflow": send(plain("200 OK", b'{"output": [[1e999, 2, 3, 4, 5, 6, 7, 8, 9, 10]]}')),
    "huge": send(b"HTTP/1.1 200 OK\r\nContent-Length: 10737418240\r\n\r\n", b'{"output": [['),
    "endless": endless,
    "endless-header": endless_header,
    "nested": send(plain("200 OK", b"[" * 500000)),
    "redirect": send(plain("302 Found", b"", "Location: http://127.0.0.1:1/Evaluate")),
    "gzip": send(plain("200 OK", b"\x1f\x8b\x08\x00", "Content-Encoding: gzip")),
    "garbage": send(b"\x00\xff\xfe SSH-2.0-OpenSSH\r\n"),
    "ssh": send(b"SSH-2.0-OpenSSH_9.2\r\n"),
    "status": send(b"HTTP/1.1 abc\r\n\r\n"),
    "no-colon": send(b"HTTP/1.1 200 OK\r\nnonsense\r\n\r\n"),
    "two-lengths": send(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\n"),
    "bad-length": send(b"HTTP/1.1 200 OK\r\nContent-Length: -5\r\n\r\n"),
    "bad-chunk": send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n"),
    "bad-encoding": send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n"),
    "not-found": send(plain("404 Not Found", b"404: Not Found")),
    "failed": send(plain("500 Internal Server Error", b"500 Internal Server Error\n\nServer got itself in trouble")),
    "model-error": send(plain("500 Internal Server Error", b'{"error": {"type": "InvalidOutput", "message": "the solver diverged"}}')),
    "error-200": send(plain("200 OK", b'{"error": {"type": "Strange", "message": "as older servers"}}')),
    "busy": send(plain("503 Service Unavailable", b"busy")),
    "busy-at-times": at_times(send(plain("503 Service Unavailable", b"busy", "Retry-After: 0"))),
    # What is unusual, and right.
    "chunked": send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", chunks),
    "old": send(b"HTTP/1.0 200 OK\r\n\r\n", lambda body: body),
    "interim": send(b"HTTP/1.1 100 Continue\r\n\r\n", lambda body: plain("200 OK", body)),
    "bare-newlines": send(lambda body: plain("200 OK", body).replace(b"\r\n", b"\n")),
    "spaces": send(lambda body: plain("200 OK", json.dumps(json.loads(body), indent=30).encode())),
}


def read_request(stream):
    line = stream.readline()
    if not line:
        return None, None
    method, path, _ = line.split()
    length = 0
    while True:
        header = stream.readline().strip().lower()
        if not header:
            break
        if header.startswith(b"content-length:"):
            length = int(header[15:])
    body = stream.read(length)
    return path.decode(), json.loads(body) if body else {}


def evaluate(connection, request):
    mode = request.get("config", {}).get("mode")
    with lock:
        counts["evaluations"] += 1
        counts["running"] += 1
        counts["most"] = max(counts["most"], counts["running"])
        n = counts["evaluations"]
    try:
        body = json.dumps(answer("/Evaluate", request)).encode()
        if mode == "pause":
            time.sleep(0.02)
    finally:
        # Before the answer: the next request may come before another line is run here.
        with lock:
            counts["running"] -= 1
    return modes.get(mode, right)(connection, body, n)


def serve(connection):
    try:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        stream = connection.makefile("rb")
        while True:
            path, request = read_request(stream)
            if path is None:
                return
            try:
                if path == "/Evaluate" and request["name"] != "count":
                    if evaluate(connection, request):
                        return
                else:
                    connection.sendall(plain("200 OK", json.dumps(answer(path, request)).encode()))
            except Wrong as wrong:
                body = json.dumps({"error": {"type": wrong.kind, "message": str(wrong)}}).encode()
                connection.sendall(plain(f"{wrong.status} Error", body))
    except OSError:
        pass
    finally:
        connection.close()


def listen(family, port):
    listener = socket.socket(socket.AF_INET6 if family == "inet6" else socket.AF_INET)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    # A client may have been given the port of a server that was killed.
    end = time.monotonic() + 10
    while True:
        try:
            listener.bind(("::1" if family == "inet6" else "127.0.0.1", port))
            break
        except OSError:
            if time.monotonic() > end:
                raise
            time.sleep(0.01)
    listener.listen(128)
    return listener


def accept_all(listener, certificate):
    context = None
    if certificate:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate)

    def begin(connection):
        try:
            serve(context.wrap_socket(connection, server_side=True) if context else connection)
        except OSError:
            connection.close()
    while True:
        threading.Thread(target=begin, args=(listener.accept()[0],), daemon=True).start()


def start_child(arguments, port, known=None):
    """Fork a server for the port. It ends with this process."""
    ours, theirs = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(theirs)
        listener = known or listen(arguments.family, port)
        threading.Thread(target=accept_all, args=(listener, arguments.certificate), daemon=True).start()
        os.read(ours, 1)
        os._exit(0)
    os.close(ours)
    return child, theirs


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--family", default="inet")
    parser.add_argument("--certificate")
    parser.add_argument("--servers", type=int, default=1)
    parser.add_argument("--kill", type=float)
    parser.add_argument("--version", type=float, default=1.0)
    arguments = parser.parse_args()
    global version
    version = arguments.version
    listeners = [listen(arguments.family, 0) for _ in range(arguments.servers)]
    ports = [listener.getsockname()[1] for listener in listeners]
    children = [start_child(arguments, port, listener) for port, listener in zip(ports, listeners)]
    for listener in listeners:
        listener.close()
    print(*ports, flush=True)
    victim = 0
    while not select.select([0], [], [], arguments.kill)[0]:
        child, pipe = children[victim]
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        os.close(pipe)
        children[victim] = start_child(arguments, ports[victim])
        victim = (victim + 1) % len(children)


main()
