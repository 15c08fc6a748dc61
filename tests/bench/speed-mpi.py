# SPDX-License-Identifier: LGPL-3.0-or-later
"""speed-mpi.py CASE, started by mpirun: what somebody gets who writes MPI by hand in Python, with mpi4py.

  ring     100 000 empty tasks, each handed to the rank that has answered; rank 0 has none: how many a second
  dense    8 dense operators of 1000 x 10000, dealt to all ranks: how many forward and adjoint products of all of them a second
"""
import statistics
import sys
import time

import numpy as np
from mpi4py import MPI

world = MPI.COMM_WORLD
rank, n_ranks = world.Get_rank(), world.Get_size()

N_TASKS = 100_000
N_OPERATORS, N_ROWS, N_COLUMNS = 8, 1000, 10000


def figure(name, value):
    if rank == 0:
        print(name, "%.9g" % value, flush=True)


def check(what, complaint):
    if not what:
        print(complaint, file=sys.stderr, flush=True)
        world.Abort(1)


def nothing(number):
    return number


def ring():
    if rank > 0:
        while (task := world.recv(source=0)) is not None:
            function, arguments = task
            world.send(function(*arguments), 0)
        return
    status = MPI.Status()
    begin = time.perf_counter()
    for i in range(1, n_ranks):
        world.send((nothing, (i - 1,)), i)
    given, running, total = n_ranks - 1, n_ranks - 1, 0
    while running > 0:
        total += world.recv(source=MPI.ANY_SOURCE, status=status)
        if given < N_TASKS:
            world.send((nothing, (given,)), status.source)
            given += 1
        else:
            world.send(None, status.source)
            running -= 1
    seconds = time.perf_counter() - begin
    check(total == N_TASKS * (N_TASKS - 1) // 2, "a task is missing")
    figure("mpi4py-ring", N_TASKS / seconds)


def matrix(i):
    """Return a matrix whose row r is the numbers 0 to 16, again and again, shifted by r + i."""
    row = (np.arange(N_COLUMNS) % 17).astype(np.float64)
    return np.array([np.roll(row, -(r + i)) for r in range(N_ROWS)])


def per_second(product, n=15):
    times = []
    for i in range(n + 2):
        world.Barrier()
        begin = time.perf_counter()
        product()
        times.append(time.perf_counter() - begin)
    return 1 / statistics.median(times[2:])


def dense():
    n_own = N_OPERATORS // n_ranks
    first = rank * n_own
    own = [matrix(first + i) for i in range(n_own)]
    model = (np.arange(N_COLUMNS) % 5).astype(np.float64) if rank == 0 else np.empty(N_COLUMNS)
    data = np.empty(N_OPERATORS * N_ROWS) if rank == 0 else None
    weights = (np.arange(N_OPERATORS * N_ROWS) % 3).astype(np.float64) if rank == 0 else None
    own_weights = np.empty(n_own * N_ROWS)
    gradient = np.empty(N_COLUMNS) if rank == 0 else None

    def forward():
        world.Bcast(model)
        world.Gather(np.concatenate([m @ model for m in own]), data)

    def backward():
        world.Scatter(weights, own_weights)
        total = own_weights[:N_ROWS] @ own[0]
        for i in range(1, n_own):
            total += own_weights[i * N_ROWS:(i + 1) * N_ROWS] @ own[i]
        world.Reduce(total, gradient)

    dpred, jtvec = per_second(forward), per_second(backward)
    if rank == 0:
        # All numbers are small integers, so that nothing is rounded.
        expected = [matrix(i) for i in range(N_OPERATORS)]
        check(np.array_equal(data, np.concatenate([m @ model for m in expected])), "the data are wrong")
        check(np.array_equal(gradient, weights @ np.concatenate(expected)), "the gradient is wrong")
    figure("mpi4py-dpred", dpred)
    figure("mpi4py-jtvec", jtvec)


cases = {"ring": ring, "dense": dense}

if __name__ == "__main__":
    check(len(sys.argv) > 1 and sys.argv[1] in cases, __doc__)
    cases[sys.argv[1]]()
