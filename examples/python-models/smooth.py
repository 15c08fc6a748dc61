"""Solving with a matrix as an operator: scipy has it as a LinearOperator."""
import numpy as np
from scipy.sparse import diags
from scipy.sparse.linalg import LinearOperator, splu

from adapters import Linear


def smoother(n, length):
    """Return the solution operator of u - length^2 u'' = x on n points, with a drift so that it is not symmetric."""
    square = length * length
    matrix = diags([-square - length, 1 + 2 * square, -square + length], [-1, 0, 1], shape=(n, n), format="csc")
    factors = splu(matrix)
    return Linear(LinearOperator((n, n), matvec=factors.solve, rmatvec=lambda y: factors.solve(y, "T"), dtype=np.float64))
