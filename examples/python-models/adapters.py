"""Classes that make operators of other packages operators of Tutti."""


class Linear:
    """A LinearOperator of scipy, or an operator of PyLops."""

    def __init__(self, operator):
        self.operator = operator
        self.codomain, self.domain = operator.shape

    def apply(self, x):
        return self.operator.matvec(x)

    def adjoint(self, y):
        return self.operator.rmatvec(y)


class Simulation:
    """A simulation of SimPEG for models that `mapping` takes, such as simulation.sigmaMap."""

    def __init__(self, simulation, mapping):
        self.simulation, self.mapping = simulation, mapping

    def __getattr__(self, name):
        return getattr(self.simulation, name)
