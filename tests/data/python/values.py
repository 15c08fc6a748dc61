"""What values are on the side of Python, for tests/scheme/test-python-values.scm."""
import fractions

import numpy as np


def echo(x):
    return x


def kind(x):
    return type(x).__name__


def outline(x):
    return [str(x.dtype), list(x.shape), [float(abs(v)) for v in x.ravel()], bool(x.flags.writeable)]


def named(a, b=2, *, c=3):
    return [a, b, c]


def ratio():
    return fractions.Fraction(2, 3)


def scalars():
    return [np.float32(1.5), np.int16(-3), np.bool_(True), np.complex64(1 + 2j), np.str_("text"), np.array(7), np.array(2.5)]


def nested(depth):
    x = []
    for _ in range(depth):
        x = [x]
    return x


def circular():
    x = []
    x.append(x)
    return x


def made(name):
    ones = np.arange(6.0).reshape(2, 3)
    return {
        "fortran": np.asfortranarray(ones),
        "transposed": ones.T,
        "strided": np.arange(10.0)[::3],
        "reversed": np.arange(4.0)[::-1],
        "swapped": np.arange(4, dtype=">f8"),
        "swapped integers": np.arange(4, dtype=">i2"),
        "broadcast": np.broadcast_to(np.array([1.0, 2.0]), (2, 2)),
        "matrix": np.matrix([[1.0, 2.0]]),
        "empty": np.empty(0),
        "empty matrix": np.empty((0, 3)),
        "rank 4": np.arange(16.0).reshape(2, 2, 2, 2),
        "unaligned": np.frombuffer(b"x" + np.arange(3.0).tobytes(), dtype=np.float64, offset=1),
        "longlong": np.arange(3, dtype=np.longlong),
        "large": np.arange(100000.0),
        "large view": np.arange(200000.0)[:100000],
        "large reshaped": np.arange(100000.0).reshape(100, 1000),
        "objects": np.array([object()]),
        "records": np.zeros(2, dtype=[("a", "f8"), ("b", "i4")]),
        "strings": np.array(["a", "b"]),
        "dates": np.array(["2020-01-01"], dtype="datetime64[D]"),
        "halves": np.zeros(2, dtype=np.float16),
        "long doubles": np.zeros(2, dtype=np.longdouble),
        "masked": np.ma.array([1.0, 2.0], mask=[False, True]),
        "truths": np.array([True, False, True]),
        "many truths": np.ones((2, 2), dtype=bool),
        "array": __import__("array").array("d", [1.0, 2.0]),
        "memory": memoryview(b"ab"),
        "bytearray": bytearray(b"ab"),
        "set": {1},
        "function": made,
        "surrogate": "\ud800",
        "inside": {"k": [1, {"x": (object(),)}]},
    }[name]
