"""The powered descent as a convex problem: least propellant from a state to the pad, solved by Clarabel.

    minimise  sum w_k s_k  (+ a little for each turn of the thrust)
    such that |F_k| <= s_k,  low_k <= s_k <= high_k,  F_k within a cone about up,  turns of F bounded,
              r_N, v_N on the pad (with a slack that costs more than all propellant)

Thrust is linear between nodes (FOH), mass and air are those of the last pass, so that position and
velocity at the end are linear in the F_k and no state is a variable.  The relaxed |F| <= s is that of
Acikmese & Ploen (JGCD 30, 2007).  Two or three passes make mass, drag and lift those of the plan.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final

import clarabel
import numpy as np
import numpy.typing as npt
from scipy import sparse

from hil.plant.atmosphere import G0_MPS2
from hil.search.oracle_air import Air

__all__ = ["Descent", "Plan", "solve"]

Array = npt.NDArray[np.float64]

UNIT_N: Final = 1e6
"""Scale of forces in the problem."""
SLACK_COST: Final = 200.0
"""Cost of a metre (or of a metre a second, times 3) off the pad, in units of 1e6 N s."""
TURN_COST: Final = 0.1
CENTRE_COST: Final = 0.5
"""Cost of thrust away from the middle of its range, over 1e6 N: what is left is room for feedback."""
UPRIGHT_S: Final = 1.5
"""For so long before the end the stage stands upright."""
SIDE_RAD: Final = math.radians(1.5)
"""A thrust further off the body's axis cannot be vertical while the stage stands upright, ..."""
LEANS_RAD: Final = math.radians(2.0)
LEANT_S: Final = 0.6
"""... so the stage comes upright to this only for so long, ..."""
LEANT_RADPS: Final = math.radians(1.5)
"""... and turns no faster then."""
LOOSE: Final = 0.02
"""A plan whose thrust is below what its engines give by more than this is no plan."""


@dataclass(frozen=True)
class Descent:
    """One descent: a state, an end, and what thrust there is in between (arrays of `nodes` values)."""

    pos: Array
    """Centre of mass, pad axes, m."""
    vel: Array
    axis: Array
    """The body's axis at the start, a unit vector."""
    mass_kg: float
    t_s: float
    final_s: float
    """Flight time."""
    low_n: Array
    high_n: Array
    final_pos: Array
    final_vel: Array
    tilt_rad: float = math.radians(20.0)
    final_tilt_rad: float = math.radians(0.9)
    turn_radps: float = math.radians(8.0)
    turning: tuple[float, float] = (0.0, 0.0)
    """How fast the axis turns at the start, pad axes east and north, 1/s."""
    turn_accel_per_n: float = 1e-7
    """Angular acceleration that gimbals give, over the thrust, rad/s^2/N."""
    side: tuple[float, float] = (0.0, 0.0)
    """How far the thrust points off the body's axis, rad towards east and north: at the end the body stands
    upright, not the thrust."""
    isp_s: float = 283.0
    fixed_axis: bool = True

    @property
    def nodes(self) -> int:
        """Number of nodes, first and last included."""
        return len(self.low_n)


@dataclass(frozen=True)
class Plan:
    """A solved descent: thrust, position, velocity and mass at its nodes."""

    t_s: Array
    """Absolute times."""
    force: Array
    """Thrust vectors in pad axes, N, shape (nodes, 3)."""
    axis: Array
    """Where the thrust points, unit vectors, shape (nodes, 3)."""
    sigma: Array
    """Magnitudes, N."""
    accel: Array
    """Whole acceleration, gravity and air included, shape (nodes, 3), m/s^2."""
    pos: Array
    vel: Array
    mass_kg: Array
    miss_m: float
    """How far the end is from the pad, m, ..."""
    miss_mps: float
    """... and how much faster, m/s."""
    loose: float
    """Largest share by which the thrust is below what the engines have to give."""

    @property
    def propellant_kg(self) -> float:
        """Propellant used."""
        return float(self.mass_kg[0] - self.mass_kg[-1])

    @property
    def lands(self) -> bool:
        """Tell whether the plan ends on the pad with thrust that the engines can give."""
        return self.miss_m < 0.05 and self.miss_mps < 0.05 and self.loose < LOOSE

    @property
    def badness(self) -> float:
        """One figure to choose by, kg: propellant, and far more for what is missed."""
        loose = max(self.loose - LOOSE, 0.0)
        return self.propellant_kg + 2e3 * self.miss_m + 6e3 * self.miss_mps + 1e5 * loose

    def at(self, t_s: float) -> tuple[Array, Array, Array, float]:
        """Return position, velocity, direction and size of the thrust at a time (held beyond the ends)."""
        times = self.t_s
        dt = float(times[1] - times[0])
        k = min(max(int((t_s - times[0]) / dt), 0), len(times) - 2)
        x = min(max(t_s - times[k], 0.0), dt)
        part = x / dt
        a0, a1 = self.accel[k], self.accel[k + 1]
        slope = (a1 - a0) / dt
        vel = self.vel[k] + a0 * x + slope * (0.5 * x * x)
        pos = self.pos[k] + self.vel[k] * x + a0 * (0.5 * x * x) + slope * (x**3 / 6.0)
        axis = self.axis[k] + part * (self.axis[k + 1] - self.axis[k])
        return pos, vel, axis, float(self.sigma[k] + part * (self.sigma[k + 1] - self.sigma[k]))


def solve(descent: Descent, air: Air, guess: Plan | None = None, passes: int = 3) -> Plan:
    """Return the best plan found for a descent; where none lands, one that misses as little as possible."""
    plan = guess or _first_guess(descent)
    for _ in range(passes):
        plan = _pass(descent, air, plan)
    return plan


def _times(descent: Descent) -> Array:
    return descent.t_s + np.linspace(0.0, descent.final_s, descent.nodes)


def _first_guess(d: Descent) -> Plan:
    """Return a straight, evenly braked motion to the pad."""
    part = np.linspace(0.0, 1.0, d.nodes)[:, None]
    vel = d.vel + part * (d.final_vel - d.vel)
    pos = d.pos + d.final_s * (part * d.vel + 0.5 * part**2 * (d.final_vel - d.vel))
    pos[:, 2] = np.maximum(pos[:, 2], d.final_pos[2])
    sigma = 0.5 * (d.low_n + d.high_n)
    force = np.zeros((d.nodes, 3))
    force[:, 2] = sigma
    mass = _mass(d, sigma)
    up = np.tile([0.0, 0.0, 1.0], (d.nodes, 1))
    return Plan(_times(d), force, up, sigma, np.zeros_like(force), pos, vel, mass, 0.0, 0.0, 0.0)


def _mass(d: Descent, sigma: Array) -> Array:
    dt = d.final_s / (d.nodes - 1)
    used = np.concatenate([[0.0], np.cumsum(0.5 * dt * (sigma[1:] + sigma[:-1]))])
    result: Array = np.maximum(d.mass_kg - used / (G0_MPS2 * d.isp_s), 0.5 * d.mass_kg)
    return result


def _along(plan: Plan, times: Array) -> tuple[Array, Array, Array, Array]:
    """Return position, velocity, thrust and its magnitude of a plan at other times."""

    def at(values: Array) -> Array:
        return np.stack([np.interp(times, plan.t_s, values[:, i]) for i in range(3)], axis=-1)

    return at(plan.pos), at(plan.vel), at(plan.force), np.interp(times, plan.t_s, plan.sigma)


def _effects(d: Descent, air: Air, plan: Plan) -> tuple[Array, Array, Array]:
    """Return mass, the lateral effect of thrust and the acceleration without thrust, along the last plan.

    To the first order in the angle of attack the air adds (A - N) along the axis and N against the
    flow, so that a tilted thrust pushes less across than it would in a vacuum.
    """
    pos, vel, force, sigma = _along(plan, _times(d))
    sigma = np.clip(sigma, d.low_n, d.high_n)
    size = np.maximum(np.linalg.norm(force, axis=1), 1.0)
    axis = np.where(size[:, None] > 1e3, force / size[:, None], np.array([0.0, 0.0, 1.0]))
    still = air.loads(pos, vel, sigma, np.zeros(d.nodes))
    attack = np.arccos(np.clip(np.sum(axis * still.flow, axis=1), -1.0, 1.0))
    slow = np.linalg.norm(vel, axis=1) < 20.0
    attack = np.where(slow, np.minimum(attack, 0.2), attack)
    loads = air.loads(pos, vel, sigma, attack)
    mass = _mass(d, sigma)
    turned = loads.axial_n - loads.normal_n
    effect = np.clip(1.0 + turned / np.maximum(sigma, 0.2 * UNIT_N), 0.2, 1.5)
    rest = loads.normal_n[:, None] * loads.flow
    rest[:, 2] += turned * axis[:, 2]
    rest = rest / mass[:, None]
    rest[:, 2] -= air.gravity(float(np.mean(pos[:, 2])))
    return mass, effect, rest


@lru_cache(maxsize=8)
def _weights(nodes: int) -> tuple[Array, Array]:
    """Return what the accelerations at the nodes add to velocity and position at the end, for unit steps."""
    last = nodes - 1
    k = np.arange(nodes)
    vel = 0.5 * ((k < last).astype(float) + (k > 0))
    pos = np.where(k < last, 1.0 / 3.0 + 0.5 * (last - k - 1), 0.0)
    pos = pos + np.where(k > 0, 1.0 / 6.0 + 0.5 * (last - k), 0.0)
    return vel, pos


def _pass(d: Descent, air: Air, plan: Plan) -> Plan:
    """Solve once with mass and air of `plan`."""
    mass, effect, rest = _effects(d, air, plan)
    sigma = np.interp(_times(d), plan.t_s, plan.sigma)
    typical = np.maximum(np.clip(sigma, d.low_n, d.high_n), 0.15 * UNIT_N)
    x, ok = _solved(d, typical, mass, effect, rest)
    if not ok:
        return plan
    n = d.nodes
    force = UNIT_N * x[: 3 * n].reshape(3, n).T
    sigma = UNIT_N * x[3 * n : 4 * n]
    # what turns smoothly is the direction over the thrust of the last pass
    across = force[:, :2] / typical[:, None]
    across /= np.maximum(np.linalg.norm(across, axis=1) / 0.7, 1.0)[:, None]
    axis = np.column_stack([across, np.sqrt(1.0 - np.sum(across**2, axis=1))])
    accel = force / mass[:, None]
    accel[:, :2] *= effect[:, None]
    accel = accel + rest
    pos, vel = _integrated(d, accel)
    miss = pos[-1] - d.final_pos
    wrong = vel[-1] - d.final_vel
    size = np.linalg.norm(force, axis=1)
    matters = d.low_n > 0.05 * UNIT_N
    loose = float(np.max(np.where(matters, 1.0 - size / np.maximum(sigma, 1.0), 0.0), initial=0.0))
    return Plan(
        _times(d), force, axis, sigma, accel, pos, vel, _mass(d, sigma), float(np.linalg.norm(miss)),
        float(np.linalg.norm(wrong)), loose,
    )  # fmt: skip


def _integrated(d: Descent, accel: Array) -> tuple[Array, Array]:
    """Return positions and velocities at the nodes under an acceleration linear between them."""
    dt = d.final_s / (d.nodes - 1)
    dv = 0.5 * dt * (accel[1:] + accel[:-1])
    vel = d.vel + np.concatenate([np.zeros((1, 3)), np.cumsum(dv, axis=0)])
    dr = dt * vel[:-1] + dt * dt * (accel[:-1] / 3.0 + accel[1:] / 6.0)
    pos = d.pos + np.concatenate([np.zeros((1, 3)), np.cumsum(dr, axis=0)])
    return pos, vel


class _Rows:
    """Collects rows of a cone program A x + s = b."""

    def __init__(self) -> None:
        self.row: list[Array] = []
        self.column: list[Array] = []
        self.value: list[Array] = []
        self.right: list[Array] = []
        self.count = 0

    def add(self, entries: list[tuple[Any, Any, Any]], right: Any) -> None:
        """Add rows: entries are (row within the block, column, value); `right` has one value a row."""
        right = np.asarray(right, dtype=float)
        for row, column, value in entries:
            row, column = np.asarray(row), np.asarray(column)
            self.row.append((row + self.count).ravel())
            self.column.append(np.broadcast_to(column, row.shape).ravel())
            self.value.append(np.broadcast_to(value, row.shape).astype(float).ravel())
        self.right.append(right)
        self.count += len(right)


def _solved(d: Descent, typical: Array, mass: Array, effect: Array, rest: Array) -> tuple[Array, bool]:
    """Build and solve the cone program; return its variables (Fx, Fy, Fz, s at the nodes, two slacks)."""
    n = d.nodes
    rows, cones = _Rows(), []
    _add_start(d, rows)
    cones.append(clarabel.ZeroConeT(rows.count))
    begin = rows.count
    _add_bounds(d, rows)
    cones.append(clarabel.NonnegativeConeT(rows.count - begin))
    _add_thrust_cones(n, rows)
    cones += [clarabel.SecondOrderConeT(4)] * n
    _add_turns(d, typical, rows)
    cones += [clarabel.SecondOrderConeT(3)] * (2 * (n - 1))
    _add_end_tilt(d, rows)
    cones += [clarabel.SecondOrderConeT(3)] * len(_last_nodes(d))
    _add_target(d, mass, effect, rest, rows)
    cones += [clarabel.SecondOrderConeT(4)] * 2
    size = 4 * n + 2
    matrix = sparse.csc_matrix(
        (np.concatenate(rows.value), (np.concatenate(rows.row), np.concatenate(rows.column))),
        shape=(rows.count, size),
    )
    quadratic, linear = _cost(d)
    settings = clarabel.DefaultSettings()
    settings.verbose = False
    solver = clarabel.DefaultSolver(quadratic, linear, matrix, np.concatenate(rows.right), cones, settings)
    solution = solver.solve()
    good = str(solution.status) in ("Solved", "AlmostSolved")
    return np.array(solution.x), good


def _cost(d: Descent) -> tuple[Any, Array]:
    n, dt = d.nodes, d.final_s / (d.nodes - 1)
    linear = np.zeros(4 * n + 2)
    linear[3 * n : 4 * n] = dt * _weights(n)[0]
    linear[4 * n :] = SLACK_COST, 3.0 * SLACK_COST
    # thrust in the middle of its range leaves room for feedback
    middle = 0.5 * (d.low_n + d.high_n) / UNIT_N
    centring = 2.0 * CENTRE_COST * dt
    linear[3 * n : 4 * n] -= centring * middle
    sizes = sparse.diags(np.full(n, centring))
    nothing = sparse.csc_matrix((2, 2))
    blocks = [_turn_cost(n), _turn_cost(n), sparse.csc_matrix((n, n)), sizes, nothing]
    return sparse.block_diag(blocks).tocsc(), linear


@lru_cache(maxsize=8)
def _turn_cost(n: int) -> Any:
    change = sparse.diags([-np.ones(n), np.ones(n - 1)], [0, 1], shape=(n - 1, n))
    return sparse.triu(TURN_COST * n * (change.T @ change))


def _add_start(d: Descent, rows: _Rows) -> None:
    """The thrust starts along the body's axis, which cannot jump."""
    if not d.fixed_axis:
        return
    n, two = d.nodes, np.arange(2)
    rows.add([(two, two * n, 1.0), (two, np.full(2, 3 * n), -d.axis[:2])], np.zeros(2))


def _add_bounds(d: Descent, rows: _Rows) -> None:
    n, k = d.nodes, np.arange(d.nodes)
    rows.add([(k, 3 * n + k, -1.0)], -d.low_n / UNIT_N)
    rows.add([(k, 3 * n + k, 1.0)], d.high_n / UNIT_N)
    # the cone about up opens for a stage that starts outside it
    tilt = max(d.tilt_rad, math.acos(min(max(d.axis[2], 0.5), 1.0)) + 0.1)
    rows.add([(k, 2 * n + k, -1.0), (k, 3 * n + k, math.cos(tilt))], np.zeros(n))


def _add_thrust_cones(n: int, rows: _Rows) -> None:
    k = np.arange(n)
    entries = [(4 * k, 3 * n + k, -1.0)]
    entries += [(4 * k + 1 + i, i * n + k, -1.0) for i in range(3)]
    rows.add(entries, np.zeros(4 * n))


def _add_turns(d: Descent, typical: Array, rows: _Rows) -> None:
    """The direction F / `typical` turns at most so fast, and its turn rate changes at most so fast."""
    n, dt = d.nodes, d.final_s / (d.nodes - 1)
    k, per = np.arange(n - 1), UNIT_N / typical
    entries = []
    for i in range(2):
        entries += [(3 * k + 1 + i, i * n + k, -per[:-1]), (3 * k + 1 + i, i * n + k + 1, per[1:])]
    right = np.zeros((n - 1, 3))
    right[:, 0] = dt * d.turn_radps
    if _leans(d):
        right[_last_nodes(d).start :, 0] = dt * LEANT_RADPS
    rows.add(entries, right.ravel())
    # second differences; the first one is against the turn rate at the start
    entries = []
    for i in range(2):
        entries += [(3 * k + 1 + i, i * n + k, np.where(k > 0, 2.0, 1.0) * per[:-1])]
        entries += [(3 * k + 1 + i, i * n + k + 1, -per[1:])]
        entries += [(3 * k[1:] + 1 + i, i * n + k[:-1], -per[:-2])]
    right = np.zeros((n - 1, 3))
    most = np.maximum(np.minimum(typical[1:], typical[:-1]), 0.2 * UNIT_N) * d.turn_accel_per_n
    right[:, 0] = dt * dt * most
    right[0, 0] += 0.5 * dt * dt * most[0] + 1e-4
    right[0, 1:] = -dt * np.array(d.turning)
    rows.add(entries, right.ravel())


def _leans(d: Descent) -> bool:
    """Tell whether a stage that stood upright would be pushed aside by its thrust."""
    return math.hypot(*d.side) >= SIDE_RAD


def _last_nodes(d: Descent) -> range:
    """Return the nodes of the last moments: at least two, at most a third of all."""
    dt = d.final_s / (d.nodes - 1)
    upright_s = LEANT_S if _leans(d) else UPRIGHT_S
    count = min(max(2, 1 + round(upright_s / dt)), d.nodes // 3)
    return range(d.nodes - count, d.nodes)


def _add_end_tilt(d: Descent, rows: _Rows) -> None:
    """In the last moments the stage stands upright, or leans as little as its thrust off the axis lets it."""
    n = d.nodes
    tilt = LEANS_RAD if _leans(d) else d.final_tilt_rad
    for k in _last_nodes(d):
        across = np.arange(2)
        entries: list[tuple[Any, Any, Any]] = [(np.array([0]), np.array([3 * n + k]), -math.sin(tilt))]
        entries += [(across + 1, across * n + k, -1.0)]
        if _leans(d):
            entries += [(across + 1, np.full(2, 3 * n + k), np.array(d.side))]
        rows.add(entries, np.zeros(3))


def _add_target(d: Descent, mass: Array, effect: Array, rest: Array, rows: _Rows) -> None:
    """Position and velocity at the end are within the slacks of the target."""
    n, dt = d.nodes, d.final_s / (d.nodes - 1)
    to_vel, to_pos = _weights(n)
    thrust = [UNIT_N * effect / mass, UNIT_N * effect / mass, UNIT_N / mass]
    free_pos = d.pos + d.final_s * d.vel + dt * dt * (to_pos @ rest) - d.final_pos
    free_vel = d.vel + dt * (to_vel @ rest) - d.final_vel
    k = np.arange(n)
    for weight, free, slack in ((dt * dt * to_pos, free_pos, 4 * n), (dt * to_vel, free_vel, 4 * n + 1)):
        entries: list[tuple[Any, Any, Any]] = [(np.array([0]), np.array([slack]), -1.0)]
        entries += [(np.full(n, 1 + i), i * n + k, -weight * thrust[i]) for i in range(3)]
        rows.add(entries, np.concatenate([[0.0], free]))
