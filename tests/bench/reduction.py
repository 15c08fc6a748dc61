# SPDX-License-Identifier: LGPL-3.0-or-later
"""reduction.py N COUNT STEPS: the greedy algorithm of empirical interpolation with numpy, one process and one BLAS thread.

Says "ready", and answers each line with the microseconds that it took. Residuals are updated in place with one temporary array, the way that
was the quickest here; norms are sums of squares by einsum.
"""
import os

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import sys
import time

import numpy as np

n, count, steps = map(int, sys.argv[1:])


def snapshots():
    k = np.arange(count)[:, np.newaxis]
    x = np.arange(n)[np.newaxis, :] / n - 0.5 * (1 + np.sin(0.0157 * k))
    return 1 / (1e-3 + 1e-2 * np.abs(np.sin(37.0 * k)) + x * x)


def norms(residuals):
    return np.sqrt(np.einsum("ij,ij->i", residuals, residuals))


def greedy(originals):
    residuals = originals.copy()
    work = np.empty_like(residuals)
    errors = norms(residuals)
    dofs, basis = [], []
    for _ in range(steps):
        worst = residuals[np.argmax(errors)]
        dof = np.argmax(np.abs(worst))
        vector = worst / worst[dof]
        dofs.append(dof)
        basis.append(vector)
        np.multiply(residuals[:, dof, np.newaxis], vector, out=work)
        residuals -= work
        errors = norms(residuals)
    return dofs


originals = snapshots()
print("ready", flush=True)
for line in sys.stdin:
    start = time.perf_counter()
    greedy(originals)
    print(round(1e6 * (time.perf_counter() - start)), flush=True)
