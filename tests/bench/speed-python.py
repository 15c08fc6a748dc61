# SPDX-License-Identifier: LGPL-3.0-or-later
"""speed-python.py CASE [ARGUMENT...]: what somebody gets who does it with Python's multiprocessing and numpy.

  round-trip               an empty task through a pipe, 1 worker: the median
  map                      Pool.map of an empty task over a million items, 2 workers, the best of several chunk sizes: items a second
  broadcast pipe | shared  80 MB to 8 workers, each of which looks at one number
  gather pipe | shared     80 MB from 8 workers, which have a part each
  sum                      80 MB from each of 8 workers, added
  start N                  N workers by fork; prints their process numbers
  memory ROUNDS            a new vector of 80 MB to 8 workers, so many times; waits for a line after each

Figures are in seconds unless said otherwise. With shared memory the vectors are there, and only who has to look at them goes through pipes.
"""
import multiprocessing
import os
import statistics
import sys
import time
from multiprocessing import shared_memory

import numpy as np

N_NUMBERS = 10_000_000
N_WORKERS = 8
PART = N_NUMBERS // N_WORKERS

kept = {}       # of a worker: what it has made or attached


def serve(connection):
    while True:
        task = connection.recv()
        if task is None:
            return
        function, arguments = task
        connection.send(function(*arguments))


class Workers:
    def __init__(self, n):
        context = multiprocessing.get_context("fork")
        self.connections = []
        self.processes = []
        for _ in range(n):
            here, there = context.Pipe()
            process = context.Process(target=serve, args=(there,), daemon=True)
            process.start()
            there.close()
            self.connections.append(here)
            self.processes.append(process)

    def each(self, function, arguments):
        """Return what the workers return for FUNCTION and their tuple of ARGUMENTS."""
        for connection, own in zip(self.connections, arguments):
            connection.send((function, own))
        return [connection.recv() for connection in self.connections]

    def close(self):
        for connection in self.connections:
            connection.send(None)
        for process in self.processes:
            process.join()


class Shared:
    """A vector of N numbers in shared memory."""
    def __init__(self, n):
        self.memory = shared_memory.SharedMemory(create=True, size=8 * n)
        self.name = self.memory.name
        self.numbers = np.ndarray(n, np.float64, self.memory.buf)
        self.numbers[:] = 0

    def close(self):
        del self.numbers
        self.memory.close()
        self.memory.unlink()


def attached(name, n):
    if name not in kept:
        memory = shared_memory.SharedMemory(name=name)
        kept[name] = memory, np.ndarray(n, np.float64, memory.buf)
    return kept[name][1]


# Tasks.

def nothing(*arguments):
    return None


def process_number():
    return os.getpid()


def look(vector, index):
    return float(vector[index])


def look_shared(name, index):
    return look(attached(name, N_NUMBERS), index)


def make_numbers(start, n):
    kept["numbers"] = np.arange(start, start + n, dtype=np.float64)


def give():
    return kept["numbers"]


def put(name, n, start):
    numbers = kept["numbers"]
    attached(name, n)[start:start + len(numbers)] = numbers


# Measurements.

def figure(name, value):
    print(name, "%.9g" % value, flush=True)


def check(what, complaint):
    if not what:
        sys.exit(complaint)


def median_time(rounds, action, verify, prepare=lambda i: None, warm=2):
    """Return the median of the times that ACTION (number of the round) takes, without those of the first rounds."""
    times = []
    for i in range(warm + rounds):
        prepare(i)
        start = time.perf_counter()
        result = action(i)
        times.append(time.perf_counter() - start)
        verify(i, result)
        del result
    return statistics.median(times[warm:])


def round_trip():
    workers = Workers(1)
    figure("python-round-trip", median_time(5000, lambda i: workers.each(nothing, [()]),
                                            lambda i, result: check(result == [None], "a wrong answer"), warm=200))
    workers.close()


def map_items():
    n, rates = 1_000_000, []
    with multiprocessing.get_context("fork").Pool(2) as pool:
        pool.map(nothing, range(10000))
        for chunk in (None, n // 2, n // 8, n // 32, n // 128):
            start = time.perf_counter()
            result = pool.map(nothing, range(n), chunksize=chunk)
            rates.append(n / (time.perf_counter() - start))
            check(len(result) == n, "items are missing")
    figure("python-map", max(rates))


def broadcast(way):
    shared = Shared(N_NUMBERS)
    workers = Workers(N_WORKERS)
    # Not zeros: numpy would leave them to the kernel, which has one page for all that nobody has written to.
    vector = np.arange(N_NUMBERS, dtype=np.float64)

    def change(i):
        vector[100 * i] = i + 0.5

    def verify(i, result):
        check(result == [i + 0.5] * N_WORKERS, "a worker sees something else")

    if way == "pipe":
        figure("python-broadcast-pipe", median_time(
            1, lambda i: workers.each(look, [(vector, 100 * i)] * N_WORKERS), verify, change, warm=0))
    else:
        def send(i):
            shared.numbers[:] = vector
            return workers.each(look_shared, [(shared.name, 100 * i)] * N_WORKERS)

        figure("python-broadcast-shared", median_time(15, send, verify, change))
    workers.close()
    shared.close()


def gather(way):
    shared = Shared(N_NUMBERS)
    workers = Workers(N_WORKERS)
    workers.each(make_numbers, [(i * PART, PART) for i in range(N_WORKERS)])
    expected = np.arange(N_NUMBERS, dtype=np.float64)

    def verify(i, result):
        check(np.array_equal(result, expected), "the gathered vector is wrong")

    if way == "pipe":
        figure("python-gather-pipe", median_time(
            3, lambda i: np.concatenate(workers.each(give, [()] * N_WORKERS)), verify, warm=1))
    else:
        def collect(i):
            workers.each(put, [(shared.name, N_NUMBERS, i * PART) for i in range(N_WORKERS)])
            return shared.numbers

        figure("python-gather-shared", median_time(9, collect, verify))
    workers.close()
    shared.close()


def add_up():
    shared = Shared(N_WORKERS * N_NUMBERS)
    workers = Workers(N_WORKERS)
    workers.each(make_numbers, [(i, N_NUMBERS) for i in range(N_WORKERS)])
    rows = shared.numbers.reshape(N_WORKERS, N_NUMBERS)
    expected = N_WORKERS * np.arange(N_NUMBERS, dtype=np.float64) + sum(range(N_WORKERS))

    def collect(i):
        workers.each(put, [(shared.name, N_WORKERS * N_NUMBERS, i * N_NUMBERS) for i in range(N_WORKERS)])
        total = rows[0] + rows[1]
        for row in rows[2:]:
            total += row
        return total

    figure("python-sum", median_time(
        5, collect, lambda i, result: check(np.array_equal(result, expected), "the sum is wrong"), warm=1))
    workers.close()
    del rows
    shared.close()


def start(n):
    workers = Workers(int(n))
    print(*workers.each(process_number, [()] * int(n)), flush=True)
    workers.close()


def memory(rounds):
    # The shared memory comes after the workers, as in a program that gets its vectors while it runs. Each worker that attaches it then
    # starts a process of its own that keeps track of it.
    workers = Workers(N_WORKERS)
    shared = Shared(N_NUMBERS)
    for i in range(int(rounds)):
        vector = np.full(N_NUMBERS, i + 0.5)
        shared.numbers[:] = vector
        result = workers.each(look_shared, [(shared.name, i)] * N_WORKERS)
        check(result == [i + 0.5] * N_WORKERS, "a worker sees something else")
        print("sent", flush=True)
        sys.stdin.readline()
    shared.close()
    workers.close()


cases = {"round-trip": round_trip, "map": map_items, "broadcast": broadcast, "gather": gather, "sum": add_up, "start": start,
         "memory": memory}

if __name__ == "__main__":
    check(len(sys.argv) > 1 and sys.argv[1] in cases, __doc__)
    cases[sys.argv[1]](*sys.argv[2:])
