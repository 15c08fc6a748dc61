# SPDX-License-Identifier: LGPL-3.0-or-later
"""peer.py: what people would take instead, in plain Python. It says "ready", and answers each line, the name of a case, with a line: the
microseconds that a call takes, or "-" if what is needed is not installed.

  call, loop            a function that does nothing, called by a loop in C (map, which calls as PyObject_Vectorcall does), and in Python
  exponential, double, diffusion   the bare call of numpy for a million numbers
  exponential+out, double+out   the same with out=, an array that is there
  small                 the product of a matrix and ten numbers
  small-WAY             the same on another process
  exponential-WAY       the exponential of a million numbers on another process
  seed-random, seed-numpy   seeding the generators that modules have for everybody

  WAY: pipe             numbers as bytes, through a pipe; what no message can do without
       shared           numbers in shared memory, messages through a pipe
       frames           pickled, with the numbers apart (protocol 5), through a TCP connection, as Dask does
       apply            multiprocessing.Pool.apply, one call after the other
       map-1, map       multiprocessing.Pool.map, with a chunk size of one, and with the usual one
       executor         concurrent.futures.ProcessPoolExecutor.submit, one call after the other
       dask             Dask's Client.submit, one call after the other

Pools have two processes.
"""
import os

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import collections
import concurrent.futures
import itertools
import multiprocessing
import multiprocessing.shared_memory
import pickle
import random
import socket
import struct
import sys
import time

import numpy as np

import models

N_PROCESSES = 2
context = multiprocessing.get_context("fork")
large, result = np.linspace(0, 1, models.LARGE), np.zeros(models.LARGE)
work = {"small": models.Small().apply, "exponential": models.Exponential().evaluate, "double": models.Double().apply,
        "diffusion": models.Diffusion().apply,
        "exponential+out": lambda x: np.exp(x, out=result), "double+out": lambda x: np.multiply(2, x, out=result)}
inputs = {"small": np.linspace(0, 1, models.SMALL), "exponential": large, "double": large, "diffusion": large, "exponential+out": large,
          "double+out": large}
calls = {"small": 1000, "exponential": 20, "double": 50, "diffusion": 5, "exponential+out": 20, "double+out": 50}


def call(name, x):
    return work[name](x)


def timed(n, action):
    """Return the microseconds that each of N calls takes which ACTION makes."""
    start = time.perf_counter()
    action()
    return 1e6 * (time.perf_counter() - start) / n


def repeated(n, function, *arguments):
    def action():
        for _ in range(n):
            function(*arguments)
    return timed(n, action)


# --- in this process ---------------------------------------------------------------------------------------------------

def bare_call():
    n = 1_000_000
    return timed(n, lambda: collections.deque(map(models.nothing, itertools.repeat(None, n)), maxlen=0))


def here(name):
    return repeated(calls[name], work[name], inputs[name])


# --- another process ---------------------------------------------------------------------------------------------------

class Link:
    """A process that answers calls of one of WORK, in a way that subclasses know."""
    def __init__(self, name):
        self.name, self.x = name, inputs[name]
        self.prepare()
        self.process = context.Process(target=self.serve, daemon=True)
        self.process.start()
        self.settle()
        assert np.array_equal(self(), work[name](self.x)), "a wrong answer"

    def settle(self):
        pass


class Pipe(Link):
    def prepare(self):
        self.end, self.other = context.Pipe()

    def serve(self):
        function = work[self.name]
        while True:
            self.other.send_bytes(function(np.frombuffer(self.other.recv_bytes())).data)

    def __call__(self):
        self.end.send_bytes(self.x.data)
        return np.frombuffer(self.end.recv_bytes())


class SharedMemory(Link):
    def prepare(self):
        self.end, self.other = context.Pipe()
        self.memories = [multiprocessing.shared_memory.SharedMemory(create=True, size=self.x.nbytes) for _ in range(2)]
        self.there, self.result = (np.ndarray(len(self.x), np.float64, memory.buf) for memory in self.memories)
        for memory in self.memories:
            memory.unlink()

    def serve(self):
        while True:
            self.other.recv_bytes()
            self.result[:] = work[self.name](self.there)
            self.other.send_bytes(b".")

    def __call__(self):
        self.there[:] = self.x
        self.end.send_bytes(b".")
        self.end.recv_bytes()
        return self.result


class Frames(Link):
    def prepare(self):
        self.listener = socket.create_server(("127.0.0.1", 0))

    def serve(self):
        connection = socket.create_connection(self.listener.getsockname())
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        while True:
            name, x = receive(connection)
            send(connection, call(name, x))

    def settle(self):
        self.connection, _ = self.listener.accept()
        self.connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def __call__(self):
        send(self.connection, (self.name, self.x))
        return receive(self.connection)


def send(connection, value):
    buffers = []
    head = pickle.dumps(value, protocol=5, buffer_callback=buffers.append)
    frames = [head] + [buffer.raw() for buffer in buffers]
    connection.sendall(struct.pack("<Q%dQ" % len(frames), len(frames), *map(len, frames)))
    for frame in frames:
        connection.sendall(frame)


def receive(connection):
    n = struct.unpack("<Q", receive_bytes(connection, 8))[0]
    sizes = struct.unpack("<%dQ" % n, receive_bytes(connection, 8 * n))
    head, *buffers = [receive_bytes(connection, size) for size in sizes]
    return pickle.loads(head, buffers=buffers)


def receive_bytes(connection, size):
    frame = memoryview(np.empty(size, np.uint8))
    done = 0
    while done < size:
        count = connection.recv_into(frame[done:])
        if count == 0:
            raise EOFError
        done += count
    return frame


# --- pools -------------------------------------------------------------------------------------------------------------

kept = {}


def once(key, make):
    if key not in kept:
        kept[key] = make()
    return kept[key]


def pool():
    return once("pool", lambda: context.Pool(N_PROCESSES))


def executor():
    return once("executor", lambda: concurrent.futures.ProcessPoolExecutor(N_PROCESSES, mp_context=context))


def map_all(name, chunk):
    # An array for each: the same one twice would be pickled once.
    items = [(name, inputs[name].copy()) for _ in range(calls[name])]
    return timed(len(items), lambda: pool().starmap(call, items, chunksize=chunk))


def by_link(kind):
    def way(name):
        return repeated(calls[name], once((kind, name), lambda: kind(name)))
    return way


def by_dask(name):
    try:
        import distributed
    except ImportError:
        return None
    large = inputs[name].nbytes > 1000
    # Not kept: its processes do something all the time.
    with distributed.LocalCluster(n_workers=N_PROCESSES, threads_per_worker=1, dashboard_address=None) as cluster:
        with distributed.Client(cluster) as client:
            def one():
                x = client.scatter(inputs[name], direct=True, hash=False) if large else inputs[name]
                return client.submit(call, name, x, pure=False).result()
            repeated(10, one)
            return repeated(min(calls[name], 100), one)


ways = {
    "pipe": by_link(Pipe),
    "shared": by_link(SharedMemory),
    "frames": by_link(Frames),
    "apply": lambda name: repeated(calls[name], pool().apply, call, (name, inputs[name])),
    "map-1": lambda name: map_all(name, 1),
    "map": lambda name: map_all(name, None),
    "executor": lambda name: repeated(calls[name], lambda: executor().submit(call, name, inputs[name]).result()),
    "dask": by_dask,
}
seeds = itertools.count()
cases = {
    "call": bare_call,
    "loop": lambda: repeated(1_000_000, models.nothing),
    "seed-random": lambda: repeated(1000, lambda: random.seed(next(seeds))),
    "seed-numpy": lambda: repeated(1000, lambda: np.random.seed((next(seeds), 1))),
}


def measure(case):
    if case in cases:
        return cases[case]()
    name, _, way = case.partition("-")
    return ways[way](name) if way else here(name)


if __name__ == "__main__":
    print("ready", flush=True)
    for line in sys.stdin:
        time_of_call = measure(line.strip())
        print("-" if time_of_call is None else "%.9g" % time_of_call, flush=True)
    if "executor" in kept:
        kept["executor"].shutdown()
    if "pool" in kept:
        kept["pool"].terminate()
