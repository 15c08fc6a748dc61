# SPDX-License-Identifier: LGPL-3.0-or-later
"""The model in examples/python by itself, in plain Python: its derivative is one, and its adjoint is exact."""
import os
import sys

import tap

sys.path.insert(0, os.path.join(os.environ["TUTTI_SOURCE_DIR"], "examples", "python"))
try:
    import numpy as np
    import scipy.linalg
except ImportError as error:
    tap.skip_all(f"{error.name} is not installed")
import heat

random = np.random.default_rng(5)
for heater in (0.1, 0.27):
    model = heat.Heat(heater, unknowns=7)
    m = np.log(6e-5) + 0.3 * random.normal(size=model.domain)
    before = m.copy()
    y, derivative = model.linearize(m)
    tap.equal("sizes", (7, 180, (180,)), (model.domain, model.codomain, y.shape))
    tap.check("a linearisation has the value", np.array_equal(y, model.evaluate(m)))
    tap.check("the unknowns are left as they are", np.array_equal(m, before))

    gaps = []
    for _ in range(5):
        h, w = random.normal(size=model.domain), random.normal(size=model.codomain)
        a, b = derivative.apply(h) @ w, h @ derivative.adjoint(w)
        gaps.append(abs(a - b) / (np.linalg.norm(derivative.apply(h)) * np.linalg.norm(w)))
    tap.check("the adjoint is exact", max(gaps) < 1e-14, gaps)

    h = random.normal(size=model.domain)
    remainders = [np.linalg.norm(model.evaluate(m + step * h) - y - step * derivative.apply(h)) for step in (1e-2, 1e-3, 1e-4)]
    orders = np.log10(np.array(remainders[:-1]) / remainders[1:])
    tap.check("what is left of the Taylor expansion is of second order", np.all(np.abs(orders - 2) < 0.05), orders)

    u = model.fields(m)[2]
    heats = u.sum(axis=1) * model.dx
    given = model.source.sum() * model.dx * np.minimum(np.arange(model.steps + 1) * model.dt, heat.HEATED)
    tap.check("what is heated into the rod stays there", np.allclose(heats, given, rtol=1e-12), np.abs(heats - given).max())
tap.end()
