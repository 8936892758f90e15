"""Measures the kernel's optimiser against ECOS, Clarabel and QOCO on the same descents, in the same run.

    python benchmarks/descent.py [--nodes 20,30,50] [--rounds 41] [--no-instructions]

One core, one thread; the solvers take turns, so that whatever disturbs the machine disturbs all of them. What
counts is the time each solver states for its solve, set-up left out; ours includes scaling the problem. The
table goes to standard output; every figure, the machine and the versions to benchmarks/results/descent.json.
Where valgrind is there, the instructions of one of our solves are counted too, and those of one ECOS solve.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from importlib import metadata
from pathlib import Path
from typing import Any, Final

ROOT: Final = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

import numpy as np  # noqa: E402
from scipy import sparse  # noqa: E402

from hil.kernel import DescentProblem, solve_descent  # noqa: E402
from tests.oracle.descent_reference import Descent, Rows, clarabel_solve  # noqa: E402

__all__ = ["BOOSTER", "main", "measure"]

RESULTS: Final = ROOT / "benchmarks" / "results" / "descent.json"
FINAL_TIME_S: Final = 22.0
AGREE: Final = 1e-5
"""Relative difference of propellant above which two answers are not the same optimum."""

BOOSTER: Final = DescentProblem(
    mass_kg=45_000.0,
    dry_mass_kg=38_000.0,
    isp_s=290.0,
    thrust_min_n=300e3,
    thrust_max_n=1000e3,
    gravity_mps2=(0.0, 0.0, -9.80665),
    pos_m=(200.0, 100.0, 3000.0),
    vel_mps=(10.0, -15.0, -250.0),
    pointing_deg=25.0,
    glide_slope_deg=80.0,
    speed_limit_mps=300.0,
)


@dataclass
class Standing:
    """What one solver did at one size."""

    solver: str
    nodes: int
    iterations: int
    propellant_kg: float
    times_us: list[float] = field(default_factory=list)
    instructions: int | None = None

    @property
    def median_us(self) -> float:
        """Median of the solve times."""
        return statistics.median(self.times_us)


Solver = Callable[[], tuple[float, float, int]]
"""Solves once; returns propellant in kg, solve time in s, iterations."""


def _cones(rows: Rows) -> tuple[sparse.csc_matrix, Any, sparse.csc_matrix, Any, list[int], int]:
    """Split Clarabel's form into equalities, and half-lines before second-order cones: (A, b, G, h, q, l)."""
    width = max(rows.column) + 1
    whole = sparse.csr_matrix((rows.value, (rows.at, rows.column)), shape=(len(rows.b), width))
    b = np.asarray(rows.b)
    kinds: dict[str, list[int]] = {"ZeroConeT": [], "NonnegativeConeT": [], "SecondOrderConeT": []}
    sizes, at = [], 0
    for cone in rows.cones:
        kind = type(cone).__name__
        kinds[kind] += range(at, at + cone.dim)
        if kind == "SecondOrderConeT":
            sizes.append(cone.dim)
        at += cone.dim
    equal, lines = kinds["ZeroConeT"], kinds["NonnegativeConeT"]
    order = lines + kinds["SecondOrderConeT"]
    return (
        sparse.csc_matrix(whole[equal]), b[equal], sparse.csc_matrix(whole[order]), b[order], sizes, len(lines)
    )  # fmt: skip


def _ecos(descent: Descent) -> Solver:
    import ecos

    cost, rows = descent.least_propellant()
    a, b, g, h, sizes, lines = _cones(rows)

    def solve() -> tuple[float, float, int]:
        found = ecos.solve(cost, g, h, {"l": lines, "q": sizes}, a, b, verbose=False)
        info = found["info"]
        answer = descent.answer(found["x"], info["infostring"], info["timing"]["tsolve"], info["iter"])
        return answer.propellant_kg, info["timing"]["tsolve"], info["iter"]

    return solve


def _qoco(descent: Descent) -> Solver:
    import qoco

    cost, rows = descent.least_propellant()
    a, b, g, h, sizes, lines = _cones(rows)
    n = len(cost)

    def solve() -> tuple[float, float, int]:
        solver = qoco.QOCO()
        solver.setup(
            n, g.shape[0], a.shape[0], None, cost, a, b, g, h, lines, len(sizes), np.array(sizes, dtype=np.int32)
        )
        found = solver.solve()
        answer = descent.answer(np.asarray(found.x), str(found.status), found.solve_time_sec, found.iters)
        return answer.propellant_kg, found.solve_time_sec, found.iters

    return solve


def _clarabel(descent: Descent) -> Solver:
    cost, rows = descent.least_propellant()

    def solve() -> tuple[float, float, int]:
        x, status, time, iterations = clarabel_solve(cost, rows)
        return descent.answer(x, status, time, iterations).propellant_kg, time, iterations

    return solve


def _ours(descent: Descent) -> Solver:
    def solve() -> tuple[float, float, int]:
        found = solve_descent(descent.p, nodes=descent.n, final_time_s=descent.tf, hold="foh")
        return found.propellant_kg, found.solve_time_s, found.iterations

    return solve


SOLVERS: Final[dict[str, Callable[[Descent], Solver]]] = {
    "lastbrake": _ours,
    "ecos": _ecos,
    "clarabel": _clarabel,
    "qoco": _qoco,
}


def measure(nodes: int, rounds: int) -> list[Standing]:
    """Let the solvers take turns on the booster benchmark; raise RuntimeError when they disagree."""
    descent = Descent(BOOSTER, nodes, FINAL_TIME_S, "foh")
    solvers = {name: make(descent) for name, make in SOLVERS.items()}
    standings = {}
    for name, solve in solvers.items():  # warms up, and compares the answers
        propellant, _, iterations = solve()
        standings[name] = Standing(name, nodes, iterations, propellant)
    reference = standings["clarabel"].propellant_kg
    for s in standings.values():
        if abs(s.propellant_kg - reference) > AGREE * reference:
            raise RuntimeError(f"{s.solver}: {s.propellant_kg} kg, clarabel: {reference} kg")
    for _ in range(rounds):
        for name, solve in solvers.items():
            standings[name].times_us.append(1e6 * solve()[1])
    return list(standings.values())


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, print the table, write the JSON file; 1 when the solvers disagree."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--nodes", default="20,30,50")
    parser.add_argument("--rounds", type=int, default=41)
    parser.add_argument("--no-instructions", action="store_true")
    options = parser.parse_args(arguments)
    os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    for n in map(int, options.nodes.split(",")):
        found = measure(n, options.rounds)
        ours = found[0].median_us
        for s in found:
            print(f"{n:4d} {s.solver:10} {s.median_us:9.1f} us {s.iterations:4d} it {s.median_us / ours:6.2f} x  {s.propellant_kg:.4f}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
