# SPDX-License-Identifier: LGPL-3.0-or-later
"""Heat in a rod that is insulated: temperatures at sensors, as a function of the diffusivity along the rod, with derivative and adjoint.

    u_t = (a u_x)_x + q,   a = exp (m)

The unknowns m are logarithms of diffusivities (m^2/s) at nodes along the rod, between which they are interpolated. A heater of one place warms
the rod for a while, and sensors see the temperature (K) at times. Cells are of equal size, and time steps are implicit (backward Euler).

As a program it measures: it prints what the sensors say, with noise, of a rod with a damaged piece. That is in temperatures.csv."""
import numpy as np
from scipy.linalg import cho_solve_banded, cholesky_banded

LENGTH = 0.5                                    # of the rod (m)
SENSORS = np.linspace(0.03, 0.47, 9)            # places (m)
POWER, HEATED = 0.05, 300.0                     # of the heater (K m/s), and how long it is on (s)


class Heat:
    """Temperatures at the sensors, time after time, for a heater at one place (m), as a function of the unknowns."""

    def __init__(self, heater, unknowns=16, cells=200, duration=1200.0, steps=120, observations=20):
        self.dx, self.dt, self.steps = LENGTH / cells, duration / steps, steps
        centres = (np.arange(cells) + 0.5) * self.dx
        faces = np.arange(1, cells) * self.dx
        nodes = np.linspace(0, LENGTH, unknowns)
        self.interpolation = np.array([np.interp(faces, nodes, unit) for unit in np.eye(unknowns)]).T
        self.source = POWER * np.exp(-0.5 * ((centres - heater) / 0.01) ** 2) / (0.01 * np.sqrt(2 * np.pi))
        self.observed = np.arange(1, observations + 1) * (steps // observations)    # these steps
        self.sensors = np.array([np.interp(SENSORS, centres, unit) for unit in np.eye(cells)]).T
        self.domain, self.codomain = unknowns, observations * len(SENSORS)

    def fields(self, m):
        """The diffusivities at the faces between cells, the factors of the matrix of a step, and the temperatures after each step."""
        a = np.exp(self.interpolation @ m)
        k = self.dt / self.dx ** 2 * a
        matrix = np.zeros((2, len(self.source)))                # its diagonal and what is above
        matrix[0, 1:] = -k
        matrix[1] = 1
        matrix[1, :-1] += k
        matrix[1, 1:] += k
        factors = cholesky_banded(matrix)
        u = np.zeros((self.steps + 1, len(self.source)))
        for n in range(1, self.steps + 1):
            heat = self.dt * self.source if n * self.dt <= HEATED else 0
            u[n] = cho_solve_banded((factors, False), u[n - 1] + heat)
        return a, factors, u

    def observe(self, u):
        return (u[self.observed] @ self.sensors.T).ravel()

    def evaluate(self, m):
        return self.observe(self.fields(m)[2])

    def linearize(self, m):
        a, factors, u = self.fields(m)
        return self.observe(u), Derivative(self, a, factors, u)


class Derivative:
    """The derivative of Heat at a point: what a small change of the unknowns does to the temperatures, and its exact adjoint."""

    def __init__(self, heat, a, factors, u):
        self.heat, self.factors = heat, factors
        self.flux = -heat.dt / heat.dx ** 2 * a * np.diff(u, axis=1)    # through each face in each step, per change of ln a

    def solve(self, b):
        return cho_solve_banded((self.factors, False), b)

    def apply(self, h):
        change = self.heat.interpolation @ h
        v = np.zeros((self.heat.steps + 1, len(self.heat.source)))
        for n in range(1, self.heat.steps + 1):
            through = self.flux[n] * change
            v[n] = self.solve(v[n - 1] - np.diff(through, prepend=0, append=0))
        return self.heat.observe(v)

    def adjoint(self, y):
        residuals = np.zeros((self.heat.steps + 1, len(self.heat.source)))
        residuals[self.heat.observed] = y.reshape(-1, len(SENSORS)) @ self.heat.sensors
        gradient = np.zeros(len(self.heat.interpolation))
        p = np.zeros(len(self.heat.source))
        for n in range(self.heat.steps, 0, -1):                 # backwards in time
            p = self.solve(p + residuals[n])
            gradient += self.flux[n] * np.diff(p)
        return self.heat.interpolation.T @ gradient


def main():
    m = np.full(16, np.log(8e-5))
    m[9:12] = np.log([4e-5, 2e-5, 4e-5])                        # the damage
    noise = np.random.default_rng(1)
    print("heater (m),time (s)," + ",".join(f"{1000 * place:.0f} mm (K)" for place in SENSORS))
    for heater in (0.1, 0.2, 0.3, 0.4):
        heat = Heat(heater)
        temperatures = heat.evaluate(m) + noise.normal(0, 0.05, heat.codomain)
        for step, row in zip(heat.observed, temperatures.reshape(-1, len(SENSORS))):
            print(f"{heater},{step * heat.dt:.0f}," + ",".join(f"{t:.3f}" for t in row))


if __name__ == "__main__":
    main()
