"""Travel times of straight rays between two boreholes."""
import numpy as np


def lengths(source, receiver, width, depth):
    """Return the length of a ray in each cell of 1 m x 1 m, row by row: from x = 0 to x = width, between two depths (m)."""
    drop = receiver - source
    rows = (np.arange(depth + 1) - source) / drop if drop else []
    where = np.unique(np.clip(np.concatenate([np.arange(width + 1) / width, rows]), 0, 1))
    middle = (where[1:] + where[:-1]) / 2
    cells = (source + drop * middle).astype(int) * width + (width * middle).astype(int)
    return np.bincount(cells, np.diff(where) * np.hypot(width, drop), width * depth)


class Rays:
    """The times (ms) from one source to receivers, out of the logarithm of the slowness (ms/m) of each cell."""

    def __init__(self, source, receivers, width=10, depth=10):
        self.domain = width * depth
        self.codomain = len(receivers)
        self.lengths = np.array([lengths(source, receiver, width, depth) for receiver in receivers])

    def evaluate(self, m):
        return self.lengths @ np.exp(m)

    def linearize(self, m):
        slowness = np.exp(m)
        return self.lengths @ slowness, Derivative(self.lengths * slowness)


class Derivative:
    def __init__(self, matrix):
        self.matrix = matrix

    def apply(self, h):
        return self.matrix @ h

    def adjoint(self, y):
        return self.matrix.T @ y
