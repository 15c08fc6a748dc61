# SPDX-License-Identifier: LGPL-3.0-or-later
"""The same calibration in plain Python, with steps of Gauss and Newton: experiment after experiment, in one process."""
import os

import numpy as np

from heat import Heat

STD, BETA, START = 0.05, 4.0, np.log(6e-5)

table = np.loadtxt(os.path.join(os.path.dirname(os.path.abspath(__file__)), "temperatures.csv"), delimiter=",", skiprows=1)
heaters = list(dict.fromkeys(table[:, 0]))
data = table[:, 2:].ravel()
models = [Heat(heater) for heater in heaters]
unknowns = models[0].domain
roughness = np.sqrt(BETA) * np.diff(np.eye(unknowns), axis=0)


def residual(m):
    temperatures = np.concatenate([model.evaluate(m) for model in models])
    return np.concatenate([(temperatures - data) / STD, roughness @ m])


def jacobian(m):
    derivatives = [model.linearize(m)[1] for model in models]
    columns = [np.concatenate([derivative.apply(unit) for derivative in derivatives]) for unit in np.eye(unknowns)]
    return np.vstack([np.array(columns).T / STD, roughness])


m = np.full(unknowns, START)
for iteration in range(50):
    step = np.linalg.lstsq(jacobian(m), -residual(m), rcond=None)[0]
    m += step
    if np.linalg.norm(step) <= 1e-11 * np.linalg.norm(m):
        break

misfit = np.sum(residual(m)[:len(data)] ** 2)
print(f"{len(data)} temperatures, misfit {misfit:.4f}, roughness {np.sum(np.diff(m) ** 2):.6f}")
print("place (m)   diffusivity (mm2/s)")
for place, value in zip(np.linspace(0, 0.5, unknowns), m):
    print(f"{place:9.4f}   {1e6 * np.exp(value):19.9f}")
