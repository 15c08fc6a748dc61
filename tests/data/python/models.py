"""Models for tests/scheme/test-python-operator.scm and test-python-simulation.scm."""
import os
import signal

import numpy as np


class Scale:
    """x -> scale x."""
    def __init__(self, n, scale=2.0):
        self.domain = self.codomain = n
        self.scale = scale

    def apply(self, x):
        return self.scale * x

    def adjoint(self, y):
        return self.scale * y

    def where(self):
        return os.getpid()


class ScaleInto(Scale):
    def apply(self, x, out):
        np.multiply(self.scale, x, out=out)

    def adjoint(self, y, out):
        return np.multiply(self.scale, y, out=out)


class Derivative:
    def __init__(self, matrix, x):
        self.matrix = matrix
        self.x = x

    def apply(self, h):
        return self.matrix @ (2 * self.x * h)

    def adjoint(self, y):
        return 2 * self.x * (self.matrix.T @ y)


class Square:
    """x -> A x^2, with a matrix of pseudo-random numbers."""
    def __init__(self, rows, columns, seed=1):
        self.matrix = np.random.default_rng(seed).standard_normal((rows, columns))

    @property
    def domain(self):
        return self.matrix.shape[1]

    def codomain(self):
        return np.int64(self.matrix.shape[0])

    def evaluate(self, x):
        return self.matrix @ x**2

    def linearize(self, x):
        return self.evaluate(x), Derivative(self.matrix, x)


class WithoutDerivative:
    domain = codomain = 3

    def evaluate(self, x):
        return np.exp(x)


class British(Square):
    linearise = Square.linearize
    linearize = None


class Turn:
    """x -> i x."""
    domain = codomain = ("complex", 3)

    def apply(self, x):
        return 1j * x

    def adjoint(self, y):
        return -1j * y


class Sum:
    """(a, b) -> a + b."""
    domain = [2, 2]
    codomain = 2

    def apply(self, x):
        return x[:2] + x[2:]

    def adjoint(self, y):
        return np.concatenate([y, y])


class Parts:
    """a -> (a, 2 a)."""
    domain = 2
    codomain = [2, 2]

    def apply(self, x):
        return np.concatenate([x, 2 * x])

    def adjoint(self, y):
        return y[:2] + 2 * y[2:]


class WrongAdjoint(Scale):
    def adjoint(self, y):
        return 3 * y


class WrongDerivative(Square):
    def linearize(self, x):
        return self.evaluate(x), Derivative(2 * self.matrix, x)


class Returns:
    """Whatever it is told to return."""
    domain = codomain = 3

    def __init__(self, what):
        self.what = what

    def evaluate(self, x):
        return {
            "None": None,
            "a list": [1.0, 2.0, 3.0],
            "a number": 1.0,
            "too few": x[:2],
            "a column": x.reshape(3, 1),
            "complex": 1j * x,
            "objects": np.array([object()] * 3),
            "text": "text",
            "single": x.astype(np.float32),
            "integers": np.arange(3),
            "truths": x > 0,
            "strided": np.arange(6.0)[::2],
            "itself": x,
            "NaN": x * np.nan,
        }[self.what]

    def linearize(self, x):
        return {
            "one value": x,
            "None": None,
            "three": (x, x, x),
            "no derivative": (x, 3),
            "derivative without adjoint": (x, type("Half", (), {"apply": lambda self, h: h})()),
            "derivative of None": (x, type("Nothing", (), {"apply": lambda self, h: None, "adjoint": lambda self, y: y})()),
        }[self.what]


class NoSizes:
    def evaluate(self, x):
        return x


class NoMethods:
    domain = codomain = 3

    def something(self):
        pass


class BadSize(Scale):
    def __init__(self, size):
        self.domain = 3
        self.codomain = size


class Memory:
    """Remembers its last input and output, and says whether the next ones are the same."""
    domain = codomain = 1

    def __init__(self, n=1):
        self.domain = self.codomain = n
        self.x = self.y = None
        self.hits = 0

    def evaluate(self, x):
        if self.x is not None and np.array_equal(self.x, x):
            self.hits += 1
            return self.y
        self.x = x
        self.y = 2 * x
        return self.y

    def count(self):
        return self.hits

    def kept(self):
        return [None if v is None else v.copy() for v in (self.x, self.y)]


class MemoryInto(Memory):
    def evaluate(self, x, out):
        if self.x is not None and np.array_equal(self.x, x):
            self.hits += 1
            out[:] = self.y
            return out
        self.x = x
        self.y = np.multiply(2, x, out=out)
        return out


class DiesOnce(Scale):
    def __init__(self, n, file):
        super().__init__(n)
        self.file = file

    def apply(self, x):
        if not os.path.exists(self.file):
            open(self.file, "w").close()
            os.kill(os.getpid(), signal.SIGKILL)
        return super().apply(x)


class Simulation:
    """d = A m^2, by the names that SimPEG has. Counts how often fields are computed."""
    def __init__(self, rows=4, columns=3):
        self.matrix = np.random.default_rng(3).standard_normal((rows, columns))
        self.model_size = columns
        self.data_size = rows
        self.computed = 0

    def fields(self, m):
        self.computed += 1
        return {"m": m.copy(), "squared": m**2}

    def dpred(self, m, f=None):
        if f is None:
            f = self.fields(m)
        return self.matrix @ f["squared"]

    def Jvec(self, m, v, f=None):
        if f is None:
            f = self.fields(m)
        return self.matrix @ (2 * f["m"] * v)

    def Jtvec(self, m, v, f=None):
        if f is None:
            f = self.fields(m)
        return 2 * f["m"] * (self.matrix.T @ v)

    def getJtJdiag(self, m, W=None, f=None):
        w = np.ones(self.data_size) if W is None else W.diagonal()
        jacobian = w[:, None] * self.matrix * (2 * m)
        return (jacobian**2).sum(axis=0)


class Sizes:
    def __init__(self, **sizes):
        self.__dict__.update(sizes)


class BySimPEG(Simulation):
    """Sizes where SimPEG has them; methods without fields."""
    def __init__(self):
        super().__init__()
        self.mapping = Sizes(nP=self.model_size)
        self.survey = Sizes(nD=self.data_size)
        del self.model_size
        self.n = self.data_size
        del self.data_size

    fields = None

    def dpred(self, m):
        return self.matrix @ m**2

    def Jvec(self, m, v):
        return self.matrix @ (2 * m * v)

    def Jtvec(self, m, v):
        return 2 * m * (self.matrix.T @ v)

    getJtJdiag = None


class NoJacobian:
    model_size = data_size = 3

    def dpred(self, m):
        return m
