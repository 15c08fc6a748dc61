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


kept = []


def write_and_keep(x, number):
    """Write NUMBER to X and keep it. Returns what is in all that was kept, each time written to X first."""
    x[0] = number
    kept.append(x)
    return [float(k[0]) for k in kept]


_addresses = {}
_kept = []


def returned(name):
    """Return an array of 3000 ones, in the way that the name says, and note where it is."""
    array = np.ones((30, 100)) if name == "reshaped" else np.ones(3000)
    if name == "kept":
        _kept.append(array)
    _addresses[name] = array.ctypes.data
    if name == "reshaped":
        return array.reshape(-1)
    if name == "listed":
        return [array]
    if name == "view of a kept one":
        _kept.append(array)
        return array[:]
    return array


def address_of(name):
    return _addresses[name]
