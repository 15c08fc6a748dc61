# SPDX-License-Identifier: LGPL-3.0-or-later
"""What both sides of the benchmark call: through Tutti, and in plain Python."""
import numpy as np

LARGE, SMALL = 1_000_000, 10


def nothing(*arguments):
    return None


class Exponential:
    """What costs some nanoseconds for each number."""
    domain = codomain = LARGE

    def evaluate(self, x):
        return np.exp(x)

    def linearize(self, x):
        y = np.exp(x)
        return y, Diagonal(y)


class Diagonal:
    def __init__(self, factors):
        self.factors = factors

    def apply(self, h):
        return self.factors * h

    adjoint = apply


class Double:
    """What takes as long as memory does."""
    domain = codomain = LARGE

    def apply(self, x):
        return 2 * x

    adjoint = apply


class Diffusion:
    """What a small model takes: ten explicit steps of the equation of heat."""
    domain = codomain = LARGE

    def apply(self, x):
        for _ in range(10):
            step = np.zeros(LARGE)
            step[1:-1] = x[:-2] - 2 * x[1:-1] + x[2:]
            x = x + 0.2 * step
        return x

    adjoint = apply


class ExponentialInto(Exponential):
    """The same, written where it is wanted."""
    def evaluate(self, x, out):
        return np.exp(x, out=out)


class DoubleInto(Double):
    def apply(self, x, out):
        return np.multiply(2, x, out=out)


class Small:
    """What takes no time."""
    domain = codomain = SMALL

    def __init__(self):
        self.matrix = np.arange(1.0, 1 + SMALL * SMALL).reshape(SMALL, SMALL)

    def apply(self, x):
        return self.matrix @ x

    def adjoint(self, y):
        return self.matrix.T @ y
