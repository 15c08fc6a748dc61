# SPDX-License-Identifier: LGPL-3.0-or-later
"""speed-simpeg.py ROWS COLUMNS [PROCESSES]: a replica of the protocol of SimPEG's multiprocessing meta-simulation, in numpy.

SimPEG itself is not needed. What is done as there: each process holds its simulations, a contiguous part of the 8, and has a queue of
requests and a queue of results, both of multiprocessing. A new model is pickled to each process. dpred, Jvec and Jtvec have the fields
of the model computed first, which stay in the process, under a key that comes back; then the request names this key. The results are
pickled back, and concatenated, or added for Jtvec. The simulations are linear: their fields are what the matrix of ROWS x COLUMNS makes of
the model. All small integers, so that nothing is rounded and each result can be looked at.

Figures are in seconds: simpeg-ROWS-dpred with a new model each time, simpeg-ROWS-jvec and -jtvec with the same model and a new vector.
"""
import multiprocessing
import statistics
import sys
import time
import uuid

import numpy as np

N_SIMULATIONS = 8


def matrix(i, n_rows, n_columns):
    """Return a matrix whose row r is the numbers 0 to 16, again and again, shifted by r + i."""
    row = (np.arange(n_columns) % 17).astype(np.float64)
    return np.array([np.roll(row, -(r + i)) for r in range(n_rows)])


class Part:
    """The simulations of one process."""
    def __init__(self, numbers, n_rows, n_columns):
        self.matrices = [matrix(i, n_rows, n_columns) for i in numbers]
        self.n_rows = n_rows
        self.model = None
        self.fields = {}

    def set_model(self, model):
        self.model = model
        self.fields.clear()

    def compute_fields(self):
        key = uuid.uuid4().hex
        self.fields[key] = [m @ self.model for m in self.matrices]
        return key

    def dpred(self, key):
        return np.concatenate(self.fields.pop(key))

    def jvec(self, key, v):
        del self.fields[key]
        return np.concatenate([m @ v for m in self.matrices])

    def jtvec(self, key, u):
        del self.fields[key]
        total = u[:self.n_rows] @ self.matrices[0]
        for i in range(1, len(self.matrices)):
            total += u[i * self.n_rows:(i + 1) * self.n_rows] @ self.matrices[i]
        return total


def serve(requests, results, arguments):
    part = Part(*arguments)
    while (request := requests.get()) is not None:
        name, *rest = request
        result = getattr(part, name)(*rest)
        if name != "set_model":
            results.put(result)


class Meta:
    """The simulations of all processes, as one."""
    def __init__(self, n_rows, n_columns, n_processes):
        self.model = None
        self.parts = []         # process, requests, results
        self.bounds = []        # of the data of each
        for numbers in np.array_split(np.arange(N_SIMULATIONS), n_processes):
            requests, results = multiprocessing.Queue(), multiprocessing.Queue()
            process = multiprocessing.Process(target=serve, args=(requests, results, (numbers, n_rows, n_columns)), daemon=True)
            process.start()
            self.parts.append((process, requests, results))
            self.bounds.append((numbers[0] * n_rows, (numbers[-1] + 1) * n_rows))

    def set_model(self, model):
        if self.model is None or not np.allclose(self.model, model):
            self.model = model
            for _, requests, _ in self.parts:
                requests.put(("set_model", model))

    def ask(self, name, *arguments):
        """Have each part do NAME, with its own of each list of arguments."""
        for i, (_, requests, _) in enumerate(self.parts):
            requests.put((name, *(own[i] for own in arguments)))
        return [results.get() for _, _, results in self.parts]

    def fields(self, model):
        self.set_model(model)
        return self.ask("compute_fields")

    def dpred(self, model):
        return np.concatenate(self.ask("dpred", self.fields(model)))

    def jvec(self, model, v):
        return np.concatenate(self.ask("jvec", self.fields(model), [v] * len(self.parts)))

    def jtvec(self, model, u):
        return sum(self.ask("jtvec", self.fields(model), [u[first:end] for first, end in self.bounds]))

    def close(self):
        for process, requests, _ in self.parts:
            requests.put(None)
            process.join()


def check(what, complaint):
    if not what:
        sys.exit(complaint)


def median_time(rounds, action, verify, warm=3):
    times = []
    for i in range(warm + rounds):
        start = time.perf_counter()
        result = action(i)
        times.append(time.perf_counter() - start)
        if i == 0 or i == warm + rounds - 1:
            verify(i, result)
    return statistics.median(times[warm:])


def main(n_rows, n_columns, n_processes):
    models = [((np.arange(n_columns) + i) % 5).astype(np.float64) for i in range(5)]
    weights = [((np.arange(N_SIMULATIONS * n_rows) + i) % 3).astype(np.float64) for i in range(3)]
    expected = [matrix(i, n_rows, n_columns) for i in range(N_SIMULATIONS)]
    data = [np.concatenate([m @ model for m in expected]) for model in models]
    gradients = [sum(w[i * n_rows:(i + 1) * n_rows] @ m for i, m in enumerate(expected)) for w in weights]
    del expected
    meta = Meta(n_rows, n_columns, n_processes)
    rounds = 9 if n_rows >= 100 else 500

    def measure(name, action, verify):
        print("simpeg-%d-%s" % (n_rows, name), "%.9g" % median_time(rounds, action, verify), flush=True)

    def is_data(i, result):
        check(np.array_equal(result, data[i % 5]), "the data are wrong")

    measure("dpred", lambda i: meta.dpred(models[i % 5]), is_data)
    measure("jvec", lambda i: meta.jvec(models[0], models[i % 5]), is_data)
    measure("jtvec", lambda i: meta.jtvec(models[0], weights[i % 3]),
            lambda i, result: check(np.array_equal(result, gradients[i % 3]), "the gradient is wrong"))
    meta.close()


if __name__ == "__main__":
    check(len(sys.argv) in (3, 4), __doc__)
    main(int(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]) if len(sys.argv) == 4 else 2)
