# SPDX-License-Identifier: LGPL-3.0-or-later
"""metg-python.py pipes | pool KERNEL WORKERS: graphs of metg.h with Python's multiprocessing.

  pipes   each worker has its columns, side by side, and a pipe to each other worker, through which all that the other needs of a
          timestep goes as one message: what is done with MPI
  pool    Pool.map of the points of a timestep, one timestep after the other; of all points at once if none needs another's value

KERNEL is the shared object with the pattern and the work. For each line "PATTERN WIDTH STEPS ITERATIONS" it answers how many seconds
that took.
"""
import ctypes
import functools
import multiprocessing
import sys
import time

TRIVIAL, MOST_PREDECESSORS = 0, 5
kernel = ctypes.CDLL(sys.argv[2])
kernel.metg_kernel_spin.argtypes = [ctypes.c_uint64, ctypes.c_uint64]
kernel.metg_kernel_spin.restype = ctypes.c_uint64
spin = kernel.metg_kernel_spin


@functools.lru_cache(maxsize=None)
def predecessors(pattern, width):
    """Return for each phase and column the list of columns that it needs; the phase of a timestep is its remainder."""
    period = width.bit_length() - 1 if pattern == 3 else 16
    buffer = (ctypes.c_int * MOST_PREDECESSORS)()
    return [[buffer[:kernel.metg_kernel_predecessors(pattern, width, t or period, i, buffer)] for i in range(width)] for t in range(period)]


def check(what, complaint):
    if not what:
        sys.exit(complaint)


def point(index, before, columns, iterations, values):
    """Return the value of the point with INDEX, which gets VALUES of COLUMNS of the timestep whose first index is BEFORE."""
    for column, value in zip(columns, values):
        if value != before + column + 1:
            sys.exit("point %d got a wrong value" % index)
    return index + 1 + (spin(iterations, index) == 0)


# Pipes.

def run_columns(rank, n_workers, others, pattern, width, steps, iterations):
    table = predecessors(pattern, width)
    own = range(width // n_workers * rank, width // n_workers * (rank + 1))
    owner = [i * n_workers // width for i in range(width)]
    # For each phase: what each other worker needs of this one, and what this one needs of it.
    gives = [[sorted({c for i in range(width) if owner[i] == other for c in row[i] if owner[c] == rank}) for other in range(n_workers)]
             for row in table]
    takes = [[sorted({c for i in own for c in row[i] if owner[c] == other}) for other in range(n_workers)] for row in table]
    values = {}
    for t in range(steps):
        phase = t % len(table)
        if t > 0:
            for other, connection in others.items():
                if gives[phase][other]:
                    connection.send([values[c] for c in gives[phase][other]])
            for other, connection in others.items():
                if takes[phase][other]:
                    values.update(zip(takes[phase][other], connection.recv()))
        before = (t - 1) * width
        new = {}
        for i in own:
            columns = table[phase][i] if t > 0 else ()
            new[i] = point(t * width + i, before, columns, iterations, [values[c] for c in columns])
        values = new
    return [values[i] for i in own]


def serve(rank, n_workers, connection, others):
    while (line := connection.recv()) is not None:
        connection.send(run_columns(rank, n_workers, others, *line))


class Pipes:
    def __init__(self, n):
        between = {(i, j): multiprocessing.Pipe() for i in range(n) for j in range(i)}
        self.connections = []
        for rank in range(n):
            others = {other: between[max(rank, other), min(rank, other)][rank < other] for other in range(n) if other != rank}
            here, there = multiprocessing.Pipe()
            multiprocessing.Process(target=serve, args=(rank, n, there, others), daemon=True).start()
            self.connections.append(here)

    def run(self, pattern, width, steps, iterations):
        for connection in self.connections:
            connection.send((pattern, width, steps, iterations))
        last = [value for connection in self.connections for value in connection.recv()]
        check(last == list(range((steps - 1) * width + 1, steps * width + 1)), "a point has a wrong value")

    def close(self):
        for connection in self.connections:
            connection.send(None)


# A pool.

def pool_point(item):
    pattern, width, index, iterations, values = item
    table = predecessors(pattern, width)
    t, i = divmod(index, width)
    return point(index, (t - 1) * width, table[t % len(table)][i], iterations, values)


class Pool:
    def __init__(self, n):
        self.n = n
        self.pool = multiprocessing.Pool(n)

    def run(self, pattern, width, steps, iterations):
        if pattern == TRIVIAL:
            values = self.pool.map(pool_point, [(pattern, width, i, iterations, ()) for i in range(width * steps)],
                                   max(1, width * steps // (8 * self.n)))
            check(values == list(range(1, width * steps + 1)), "a point has a wrong value")
            return
        table = predecessors(pattern, width)
        values = []
        for t in range(steps):
            values = self.pool.map(pool_point, [(pattern, width, t * width + i, iterations, [values[c] for c in table[t % len(table)][i]]
                                                 if t > 0 else ()) for i in range(width)], width // self.n)
            check(values == list(range(t * width + 1, (t + 1) * width + 1)), "a point has a wrong value")

    def close(self):
        self.pool.close()


def main():
    side = {"pipes": Pipes, "pool": Pool}[sys.argv[1]](int(sys.argv[3]))
    side.run(TRIVIAL, 8, 100, 1)
    for line in sys.stdin:
        graph = [int(word) for word in line.split()]
        side.run(*graph[:2], 3, 1)      # the tables of the pattern are made
        start = time.perf_counter()
        side.run(*graph)
        print("%.9g" % (time.perf_counter() - start), flush=True)
    side.close()


if __name__ == "__main__":
    multiprocessing.set_start_method("fork")
    main()
