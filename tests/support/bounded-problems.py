#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-3.0-or-later
"""Minima of random linear least-squares problems within bounds, for tests/scheme/test-solver-bounded.scm.

python3 tests/support/bounded-problems.py > tests/support/bounded-minima.txt

The problems are made of integers and of sums, products and quotients of doubles in a fixed order, so that the test has the
same bits. The minima are what an active set in integers of a thousand bits goes to from where scipy's lsq_linear ends, which
for the worst conditions is not at the minimum: how far it was is written to the standard error.
"""
import math
import sys

import numpy
from scipy.optimize import lsq_linear

COUNT = 200


class Draws:
    """Numbers from 0 to 1 by a linear congruential generator (Knuth's MMIX)."""

    def __init__(self, seed):
        self.state = seed
        for _ in range(3):
            self.next()

    def next(self):
        self.state = (6364136223846793005 * self.state + 1442695040888963407) % 2**64
        return (self.state >> 11) / 2**53

    def below(self, n):
        return math.floor(n * self.next())

    def many(self, n):
        return [self.next() for _ in range(n)]


def dot(x, y):
    total = 0.0
    for a, b in zip(x, y):
        total += a * b
    return total


def reflect(rows, v):
    """Each of the rows times the reflection at the plane orthogonal to v."""
    square = dot(v, v)
    for row in rows:
        factor = 2.0 * dot(v, row) / square
        for j, x in enumerate(v):
            row[j] -= factor * x


def singular_values(count, octaves):
    """From 1 to 2^-octaves, about evenly by their logarithms."""
    values = []
    for i in range(count):
        e = octaves * i / (count - 1.0) if count > 1 else 0.0
        whole = math.floor(e)
        values.append(2.0**-whole * (1.0 - (e - whole) / 2.0))
    return values


def make_matrix(draws, m, n):
    rows = [[0.0] * n for _ in range(m)]
    for i, s in enumerate(singular_values(min(m, n), draws.below(54))):
        rows[i][i] = s
        for j in range(m, n):
            rows[i][j] = s * (draws.next() - 0.5)
    for _ in range(2):
        reflect(rows, [x - 0.5 for x in draws.many(n)])
    columns = [list(column) for column in zip(*rows)]
    for _ in range(2):
        reflect(columns, [x - 0.5 for x in draws.many(m)])
    scale = 2.0 ** (draws.below(21) - 10)
    return [[scale * x for x in row] for row in zip(*columns)]


def make_bounds(draws, n):
    kind = draws.below(6)
    lower, upper = [], []
    for _ in range(n):
        a, b, which = draws.next(), draws.next(), draws.below(4)
        low, high = [(-math.inf, math.inf), (0.0, math.inf), (-0.25, 0.25), (a - 1.0, a - 1.0 + b),
                     [(-math.inf, math.inf), (a - 0.5, math.inf), (-math.inf, a - 0.5), (a - 1.0, b)][which],
                     (a - 0.5, a - 0.5) if which == 0 else (a - 1.0, b)][kind]
        lower.append(low)
        upper.append(high)
    return lower, upper


def make_problem(number):
    draws = Draws(number)
    n = 2 + draws.below(59)
    m = max(1, n + draws.below(31) - 10)
    rows = make_matrix(draws, m, n)
    model = [2.0 * x - 1.0 for x in draws.many(n)]
    noise = 2.0 ** -draws.below(31)
    data = [dot(row, model) + noise * (x - 0.5) for row, x in zip(rows, draws.many(m))]
    beta = 0.0 if draws.below(4) == 0 else 2.0 ** (draws.below(60) - 53)
    lower, upper = make_bounds(draws, n)
    size = [0.0, 1.0, 1000.0][draws.below(3)]
    start = [size * (2.0 * x - 1.0) for x in draws.many(n)]
    return rows, data, beta, lower, upper, start


# Integers that stand for themselves by 2^BITS.
BITS = 1000
ONE = 1 << BITS


def exact(x):
    numerator, denominator = float(x).as_integer_ratio()
    return (numerator << BITS) // denominator


def times(x, y):
    return (x * y) >> BITS


def shortened(x):
    """Sums of products of two numbers as numbers."""
    return x >> BITS


class Quadratic:
    """x'Gx - 2 g'x + c, the functional."""

    def __init__(self, rows, data, beta):
        a = numpy.array([[exact(x) for x in row] for row in rows], dtype=object)
        d = numpy.array([exact(x) for x in data], dtype=object)
        n = a.shape[1]
        self.matrix = shortened(a.T.dot(a))
        # Where there are many minimisers, one of them will do.
        self.matrix[numpy.diag_indices(n)] += exact(beta) + (ONE >> 500)
        self.vector = shortened(a.T.dot(d))
        self.constant = shortened(d.dot(d))

    def value(self, x):
        return shortened(x.dot(shortened(self.matrix.dot(x)) - 2 * self.vector)) + self.constant

    def half_gradient(self, x):
        return shortened(self.matrix.dot(x)) - self.vector

    def minimum(self, x, free):
        """The minimum in the free unknowns."""
        x = x.copy()
        x[free] = 0
        x[free] = solve(self.matrix[numpy.ix_(free, free)].copy(), -self.half_gradient(x)[free])
        return x


def solve(matrix, right):
    n = len(right)
    for k in range(n):
        for i in range(k + 1, n):
            factor = (matrix[i, k] << BITS) // matrix[k, k]
            matrix[i, k + 1:] -= times(factor, matrix[k, k + 1:])
            right[i] -= times(factor, right[k])
    for k in reversed(range(n)):
        rest = right[k] - shortened(sum(matrix[k, k + 1:] * right[k + 1:]))
        right[k] = (rest << BITS) // matrix[k, k]
    return right


def first_block(x, target, free, lower, upper):
    """How far x can go to the target, and which unknown is then at a bound, or None."""
    length, block = ONE, None
    for j in free:
        bound = lower[j] if target[j] < lower[j] else upper[j] if target[j] > upper[j] else None
        if bound is not None:
            here = ((bound - x[j]) << BITS) // (target[j] - x[j])
            if here <= length:
                length, block = here, j
    return length, block


def minimise(quadratic, x, lower, upper):
    """The least value between the bounds, by an active set from x on."""
    free = [j for j in range(len(x)) if lower[j] < x[j] < upper[j]]
    while True:
        while free:
            target = quadratic.minimum(x, free)
            length, block = first_block(x, target, free, lower, upper)
            if block is None:
                x = target
                break
            x = x + times(length, target - x)
            x[block] = lower[block] if target[block] < lower[block] else upper[block]
            free.remove(block)
        gradient = quadratic.half_gradient(x)
        pulls = [(abs(g), j) for j, g in enumerate(gradient)
                 if j not in free and lower[j] < upper[j] and ((x[j] == lower[j] and g < -ONE >> 400) or (x[j] == upper[j] and g > ONE >> 400))]
        if not pulls:
            return quadratic.value(x)
        free.append(max(pulls)[1])


def to_bound(x):
    # Infinity is further than anything.
    return exact(math.copysign(2.0**200, x) if math.isinf(x) else x)


def solutions(rows, data, beta, lower, upper):
    n = len(lower)
    a = numpy.vstack([numpy.array(rows), math.sqrt(beta) * numpy.eye(n)])
    b = numpy.concatenate([numpy.array(data), numpy.zeros(n)])
    low, high = numpy.array(lower), numpy.array(upper)
    # Neither method takes bounds that are equal: such an unknown is none.
    free = low < high
    fixed = numpy.where(free, 0.0, low)
    for method in ('bvls', 'trf'):
        x = fixed.copy()
        if free.any():
            found = lsq_linear(a[:, free], b - a @ fixed, (low[free], high[free]), method=method, tol=1e-15, max_iter=1000,
                               lsq_solver='exact')
            x[free] = numpy.clip(found.x, low[free], high[free])
        yield numpy.array([exact(v) for v in x], dtype=object)


def main():
    for number in range(COUNT):
        rows, data, beta, lower, upper, _ = make_problem(number)
        quadratic = Quadratic(rows, data, beta)
        best = min(solutions(rows, data, beta, lower, upper), key=quadratic.value)
        least = minimise(quadratic, best, [to_bound(x) for x in lower], [to_bound(x) for x in upper])
        print(number, repr(least / ONE), flush=True)
        if quadratic.value(best) > least + least // 10**8:
            print(f'{number}: lsq_linear found {quadratic.value(best) / ONE!r}, the minimum is {least / ONE!r}', file=sys.stderr)


if __name__ == '__main__':
    sys.exit(main())
