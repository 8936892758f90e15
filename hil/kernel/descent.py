"""Powered descent by the kernel's own optimiser: least propellant, or the least miss.

Acikmese & Ploen, Convex Programming Approach to Powered Descent Guidance for Mars Landing, J. Guid. Control
Dyn. 30(5), 2007. Axes are east, north, up.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal

import numpy as np
from numpy.typing import NDArray

__all__ = ["DescentProblem", "DescentSolution", "Hold", "raw_problem", "solution_of", "solve_descent"]

Hold = Literal["zoh", "foh"]
Status = Literal["optimal", "infeasible", "failed"]
STATUSES: Final[dict[int, Status]] = {1: "optimal", 2: "infeasible", 3: "failed"}
G0_MPS2: Final = 9.80665


@dataclass(frozen=True, slots=True, kw_only=True)
class DescentProblem:
    """A vehicle, where it is and where it shall come to rest; None switches a limit off.

    Either `mass_flow_s_per_m` (kg/s for each newton) or `isp_s`. Thrust bounds are scalars or one value for
    each node. `gravity_mps2` is a vector, or its size downwards. `pointing_deg` is the half-angle of thrust
    about up, `glide_slope_deg` that of the cone about up whose apex is the final position; limits hold at the
    nodes. `frame_rate_radps` is the rate at which the axes turn against the stars.
    """

    mass_kg: float
    dry_mass_kg: float
    thrust_min_n: float | Sequence[float] | NDArray[np.float64]
    thrust_max_n: float | Sequence[float] | NDArray[np.float64]
    gravity_mps2: float | Sequence[float] | NDArray[np.float64]
    pos_m: Sequence[float] | NDArray[np.float64]
    vel_mps: Sequence[float] | NDArray[np.float64]
    mass_flow_s_per_m: float | None = None
    isp_s: float | None = None
    final_pos_m: Sequence[float] | NDArray[np.float64] = (0.0, 0.0, 0.0)
    final_vel_mps: Sequence[float] | NDArray[np.float64] = (0.0, 0.0, 0.0)
    pointing_deg: float | None = None
    glide_slope_deg: float | None = None
    speed_limit_mps: float | None = None
    frame_rate_radps: Sequence[float] | NDArray[np.float64] | None = None

    def flow_s_per_m(self) -> float:
        """Return the mass flow for each newton; raise ValueError unless it is given in exactly one way."""
        if (self.mass_flow_s_per_m is None) == (self.isp_s is None):
            raise ValueError("give either mass_flow_s_per_m or isp_s")
        if self.mass_flow_s_per_m is not None:
            return self.mass_flow_s_per_m
        assert self.isp_s is not None
        return 1.0 / (self.isp_s * G0_MPS2) if self.isp_s > 0.0 else math.nan


@dataclass(frozen=True, slots=True, eq=False)
class DescentSolution:
    """What was found; arrays have one row for each node.

    `status` is "optimal"; "infeasible", and the motion is that of least miss; or "failed". `thrust_n` is the
    thrust at a node; with hold "zoh" it is that at the start of the interval after it, repeated for the last.
    Between nodes the thrust *acceleration* is constant ("zoh") or linear ("foh"). `miss_m` is the horizontal
    distance from the final position at the end.
    """

    status: Status
    propellant_kg: float
    miss_m: float
    t_s: NDArray[np.float64]
    pos_m: NDArray[np.float64]
    vel_mps: NDArray[np.float64]
    mass_kg: NDArray[np.float64]
    thrust_n: NDArray[np.float64]
    iterations: int
    solve_time_s: float
    hold: Hold


def _vector(name: str, value: Any) -> list[float]:
    found = [float(x) for x in value]
    if len(found) != 3:
        raise ValueError(f"{name}: three components wanted, {len(found)} given")
    return found


def _each_node(name: str, value: Any, nodes: int, hold: Hold) -> list[float]:
    """Return one value for each node; with "zoh" the last may be left out, as nothing is held after it."""
    if np.ndim(value) == 0:
        return [float(value)] * nodes
    found = [float(x) for x in value]
    if hold == "zoh" and len(found) == nodes - 1:
        found.append(found[-1])
    if len(found) != nodes:
        raise ValueError(f"{name}: a number or {nodes} values wanted, {len(found)} given")
    return found


def _fill(raw: Any, problem: DescentProblem, nodes: int, hold: Hold) -> None:
    raw.nodes = nodes
    raw.foh = hold == "foh"
    raw.mass_kg = problem.mass_kg
    raw.dry_mass_kg = problem.dry_mass_kg
    raw.mass_flow_s_per_m = problem.flow_s_per_m()
    gravity = problem.gravity_mps2
    raw.gravity_mps2 = (
        [0.0, 0.0, -float(gravity)]  # type: ignore[arg-type]
        if np.ndim(gravity) == 0
        else _vector("gravity_mps2", gravity)
    )
    for name in ("pos_m", "vel_mps", "final_pos_m", "final_vel_mps"):
        setattr(raw, name, _vector(name, getattr(problem, name)))
    if problem.frame_rate_radps is not None:
        raw.frame_rate_radps = _vector("frame_rate_radps", problem.frame_rate_radps)
    for name in ("thrust_min_n", "thrust_max_n"):
        for k, value in enumerate(_each_node(name, getattr(problem, name), nodes, hold)):
            getattr(raw, name)[k] = value
    if problem.pointing_deg is not None:
        raw.has_pointing, raw.pointing_rad = 1, math.radians(problem.pointing_deg)
    if problem.glide_slope_deg is not None:
        raw.has_glide_slope, raw.glide_slope_rad = 1, math.radians(problem.glide_slope_deg)
    if problem.speed_limit_mps is not None:
        raw.has_speed_limit, raw.speed_limit_mps = 1, problem.speed_limit_mps


def raw_problem(problem: DescentProblem, nodes: int, final_time_s: float | None, hold: Hold) -> Any:
    """Return the cffi `fk_problem_t *` of a descent; raise ValueError for data that it cannot hold."""
    from hil.kernel._kernel import ffi, lib

    if hold not in ("zoh", "foh"):
        raise ValueError(f"hold: 'zoh' or 'foh' wanted, {hold!r} given")
    if not lib.FK_NODES_LEAST <= nodes <= lib.FK_NODES:
        raise ValueError(f"nodes: {lib.FK_NODES_LEAST} to {lib.FK_NODES} wanted, {nodes} given")
    raw = ffi.new("fk_problem_t *")
    _fill(raw, problem, nodes, hold)
    raw.final_time_s = 1.0 if final_time_s is None else final_time_s
    if not lib.fk_problem_usable(raw):
        raise ValueError("a value is not finite or out of range (csrc/fk_problem.h states the ranges)")
    return raw


def solve_descent(
    problem: DescentProblem, *, nodes: int, final_time_s: float | None = None, hold: Hold = "foh"
) -> DescentSolution:
    """Solve a descent with `nodes` states, first and last included; without a final time search the best.

    Raises ValueError for data of the wrong shape or out of range.
    """
    from hil.kernel._kernel import ffi, lib  # built by setup.py: absent until then

    raw = raw_problem(problem, nodes, final_time_s, hold)
    memory = ffi.new("double[]", lib.descent_size() // 8 + 1)
    answer = ffi.new("fk_answer_t *")
    seconds = lib.descent_timed(memory, raw, final_time_s is None)
    lib.descent_result(memory, answer)
    return solution_of(bytes(ffi.buffer(answer)), nodes, seconds, hold)


def solution_of(answer: bytes, nodes: int, solve_time_s: float, hold: Hold) -> DescentSolution:
    """Return what the bytes of an fk_answer_t mean."""
    from hil.kernel._kernel import ffi

    found = ffi.from_buffer("fk_answer_t *", answer)

    def rows(name: str, shape: tuple[int, ...]) -> NDArray[np.float64]:
        count = math.prod(shape)
        flat = np.frombuffer(ffi.buffer(getattr(found, name)), dtype=np.float64, count=count)
        return flat.reshape(shape).copy()

    return DescentSolution(
        status=STATUSES[found.status],
        propellant_kg=found.propellant_kg,
        miss_m=found.miss_m,
        t_s=rows("t_s", (nodes,)),
        pos_m=rows("pos_m", (nodes, 3)),
        vel_mps=rows("vel_mps", (nodes, 3)),
        mass_kg=rows("mass_kg", (nodes,)),
        thrust_n=rows("thrust_n", (nodes, 3)),
        iterations=found.iterations,
        solve_time_s=solve_time_s,
        hold=hold,
    )
