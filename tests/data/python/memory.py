"""Whose memory is it? For tests/scheme/test-python-memory.scm."""
import numpy as np


def write(x):
    x[0] = 5


def address(x):
    return x.ctypes.data


def filled(n, number):
    return np.full(n, number)


def resident():
    """Return the bytes of this process that are in memory."""
    with open("/proc/self/statm") as statm:
        return int(statm.read().split()[1]) * 4096
