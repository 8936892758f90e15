"""The same descent, written down independently for Clarabel: its own matrices, in scaled units.

Fixed final time, Acikmese & Ploen 2007; limits at the nodes. What is minimised is the propellant, or the miss
that docs/decisions describe for a pad that cannot be reached.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import clarabel
import numpy as np
from scipy import sparse
from scipy.linalg import expm

G0 = 9.80665
PENALTY = 100.0
"""Price of what the least-miss problem gives up last, in scaled units, as csrc/fk_socp.c states it."""
THRIFT = 1e-4
"""Price of propellant there."""


@dataclass
class Reference:
    """Clarabel's answer in SI units; `status` is Clarabel's word."""

    status: str
    propellant_kg: float
    miss_m: float
    pos_m: np.ndarray
    vel_mps: np.ndarray
    thrust_n: np.ndarray
    solve_time_s: float
    iterations: int


@dataclass
class Rows:
    """Rows `a x + s = b` of one cone after the other, as triplets."""

    cones: list[Any] = field(default_factory=list)
    at: list[int] = field(default_factory=list)
    column: list[int] = field(default_factory=list)
    value: list[float] = field(default_factory=list)
    b: list[float] = field(default_factory=list)

    def add(self, cone: Any, rows: list[tuple[dict[int, float], float]]) -> None:
        """Append rows given as (coefficients, constant) of the affine slack `constant + coefficients x`."""
        for coefficients, constant in rows:
            for column, value in coefficients.items():
                self.at.append(len(self.b))
                self.column.append(column)
                self.value.append(-value)
            self.b.append(constant)
        self.cones.append(cone(len(rows)))


def held(a: np.ndarray, dt: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return e^(A dt), and what a constant and a ramp 0..1 of acceleration add, by one matrix exponential."""
    big = np.zeros((12, 12))
    big[:6, :6] = a
    big[3:6, 6:9] = np.eye(3)
    big[6:9, 9:12] = np.eye(3) / dt
    e = expm(big * dt)
    return e[:6, :6], e[:6, 6:9], e[:6, 9:12]


def turning(rate: np.ndarray) -> np.ndarray:
    """Return the motion of a free point in axes that turn at `rate`."""
    w = np.array([[0, -rate[2], rate[1]], [rate[2], 0, -rate[0]], [-rate[1], rate[0], 0]])
    return np.block([[np.zeros((3, 3)), np.eye(3)], [-w @ w, -2 * w]])


class Descent:
    """Columns: r(3) v(3) z of each node, then u(3) sigma of each stage; units of length, speed and so on."""

    def __init__(self, p: Any, nodes: int, tf: float, hold: str) -> None:
        self.p, self.n, self.tf, self.hold = p, nodes, tf, hold
        self.stages = nodes if hold == "foh" else nodes - 1
        self.dt = tf / (nodes - 1)
        self.r0 = np.asarray(p.pos_m, float)
        self.v0 = np.asarray(p.vel_mps, float)
        self.rf = np.asarray(p.final_pos_m, float)
        self.vf = np.asarray(p.final_vel_mps, float)
        gravity = np.asarray(p.gravity_mps2, float)
        self.g = gravity if gravity.ndim else np.array([0.0, 0.0, -float(gravity)])
        self.alpha = p.mass_flow_s_per_m if p.mass_flow_s_per_m else 1.0 / (p.isp_s * G0)
        self.low = np.broadcast_to(np.asarray(p.thrust_min_n, float), nodes).copy()
        self.top = np.broadcast_to(np.asarray(p.thrust_max_n, float), nodes).copy()
        self.length = max(float(np.linalg.norm(self.r0 - self.rf)), 1.0)
        self.speed = max(float(np.linalg.norm(self.v0)), self.length / tf)
        self.accel = self.top.max() / p.mass_kg
        self.z0 = np.log(self._mass(self.top) / p.mass_kg)
        self.z1 = np.log(self._mass(self.low) / p.mass_kg)
        self.columns = 7 * nodes + 4 * self.stages

    def _mass(self, thrust: np.ndarray) -> np.ndarray:
        burn = thrust[:-1] if self.hold == "zoh" else 0.5 * (thrust[:-1] + thrust[1:])
        return np.asarray(self.p.mass_kg - self.alpha * self.dt * np.concatenate([[0.0], np.cumsum(burn)]))

    def r(self, k: int, i: int) -> int:
        return 7 * k + i

    def v(self, k: int, i: int) -> int:
        return 7 * k + 3 + i

    def z(self, k: int) -> int:
        return 7 * k + 6

    def u(self, k: int, i: int) -> int:
        return 7 * self.n + 4 * k + i

    def sigma(self, k: int) -> int:
        return 7 * self.n + 4 * k + 3

    def motion(self, rows: Rows) -> None:
        """Equalities of every interval; z is the logarithm of mass over initial mass."""
        rate = np.zeros(3) if self.p.frame_rate_radps is None else np.asarray(self.p.frame_rate_radps, float)
        a, one, ramp = held(turning(rate), self.dt)
        unit = np.repeat([self.length, self.speed], 3)
        now, after = (one - ramp, ramp) if self.hold == "foh" else (one, 0 * ramp)
        origin = np.concatenate([self.rf, np.zeros(3)])  # r is kept relative to the final position
        constant = one @ self.g + a @ origin - origin
        for k in range(self.n - 1):
            for i in range(6):
                c = {7 * (k + 1) + i: -1.0}
                for j in range(6):
                    c[7 * k + j] = a[i, j] * unit[j] / unit[i]
                for j in range(3):
                    c[self.u(k, j)] = now[i, j] * self.accel / unit[i]
                    if self.hold == "foh":
                        c[self.u(k + 1, j)] = after[i, j] * self.accel / unit[i]
                rows.add(clarabel.ZeroConeT, [(c, constant[i] / unit[i])])
            burn = self.alpha * self.dt * self.accel
            c = {self.z(k + 1): -1.0, self.z(k): 1.0}
            if self.hold == "foh":
                c |= {self.sigma(k): -burn / 2, self.sigma(k + 1): -burn / 2}
            else:
                c |= {self.sigma(k): -burn}
            rows.add(clarabel.ZeroConeT, [(c, 0.0)])

    def thrust(self, rows: Rows) -> None:
        """Cone of thrust, its bounds about z0 and the pointing limit, at every stage."""
        for k in range(self.stages):
            u = [({self.u(k, i): 1.0}, 0.0) for i in range(3)]
            rows.add(clarabel.SecondOrderConeT, [({self.sigma(k): 1.0}, 0.0), *u])
            mass = self.p.mass_kg * math.exp(self.z0[k]) * self.accel
            top, low = self.top[k] / mass, self.low[k] / mass
            rows.add(
                clarabel.NonnegativeConeT,
                [({self.sigma(k): -1.0, self.z(k): -top}, top * (1.0 + self.z0[k]))],
            )
            above = {self.sigma(k): 1.0, self.z(k): low}
            rest = -low * (1.0 + self.z0[k])
            root = math.sqrt(2.0 * low)
            rows.add(
                clarabel.SecondOrderConeT,
                [(above, rest + 1.0), (above, rest - 1.0), ({self.z(k): root}, -root * self.z0[k])],
            )
            if self.p.pointing_deg is not None:
                cos = math.cos(math.radians(self.p.pointing_deg))
                rows.add(clarabel.NonnegativeConeT, [({self.u(k, 2): 1.0, self.sigma(k): -cos}, 0.0)])

    def states(self, rows: Rows) -> None:
        """Mass bounds at every node but the first; glide slope and speed limit between the ends."""
        p = self.p
        for k in range(1, self.n):
            rows.add(clarabel.NonnegativeConeT, [({self.z(k): 1.0}, -self.z0[k])])
            rows.add(clarabel.NonnegativeConeT, [({self.z(k): -1.0}, self.z1[k])])
        dry = math.log(p.dry_mass_kg / p.mass_kg)
        rows.add(clarabel.NonnegativeConeT, [({self.z(self.n - 1): 1.0}, -dry)])
        for k in range(self.n):
            if p.glide_slope_deg is not None and (
                0 < k < self.n - 1 or (k == 0 and not self.start_in_cone())
            ):
                self.glide(rows, k)
            given = {0: self.v0, self.n - 1: self.vf}.get(k)
            if p.speed_limit_mps is not None and (given is None or np.linalg.norm(given) > p.speed_limit_mps):
                v = [({self.v(k, i): 1.0}, 0.0) for i in range(3)]
                rows.add(clarabel.SecondOrderConeT, [({}, p.speed_limit_mps / self.speed), *v])

    def start_in_cone(self) -> bool:
        """Tell whether the initial position, which is given, keeps to the glide slope."""
        away = self.r0 - self.rf
        return bool(np.hypot(*away[:2]) <= math.tan(math.radians(self.p.glide_slope_deg)) * away[2])

    def glide(self, rows: Rows, k: int, slack: dict[int, float] | None = None) -> None:
        """Glide slope about the final position; `slack` is added to its first row."""
        angle = math.radians(self.p.glide_slope_deg)
        across = [({self.r(k, i): math.cos(angle)}, 0.0) for i in range(2)]
        first = {self.r(k, 2): math.sin(angle)} | (slack or {})
        rows.add(clarabel.SecondOrderConeT, [(first, 0.0), *across])

    def ends(self, rows: Rows) -> None:
        start = np.concatenate([(self.r0 - self.rf) / self.length, self.v0 / self.speed, [0.0]])
        final = np.concatenate([np.zeros(3), self.vf / self.speed])
        for i in range(7):
            rows.add(clarabel.ZeroConeT, [({i: 1.0}, -start[i])])
        for i in range(6):
            rows.add(clarabel.ZeroConeT, [({7 * (self.n - 1) + i: 1.0}, -final[i])])

    def least_propellant(self) -> tuple[np.ndarray, Rows]:
        """Return cost and rows of the problem."""
        rows = Rows()
        for part in (self.motion, self.thrust, self.states, self.ends):
            part(rows)
        cost = np.zeros(self.columns)
        cost[self.z(self.n - 1)] = -1.0
        return cost, rows

    def least_miss(self) -> tuple[np.ndarray, Rows]:
        """Return cost and rows of the problem whose final state may be missed.

        Blackmore, Acikmese & Scharf 2010, problem 3: least horizontal miss, the glide slope standing where
        the motion ends. What it cannot keep to even so (altitude and velocity at the end, glide slope, speed
        limit, propellant) is given up at `PENALTY` times the price.
        """
        rows = Rows()
        self.motion(rows)
        self.thrust(rows)
        extra: list[float] = []

        def slack(price: float) -> int:
            extra.append(price)
            return self.columns + len(extra) - 1

        end = self.n - 1
        for k in range(1, self.n):
            rows.add(clarabel.NonnegativeConeT, [({self.z(k): 1.0}, -self.z0[k])])
            rows.add(clarabel.NonnegativeConeT, [({self.z(k): -1.0}, self.z1[k])])
        for k in range(end):
            self.soft_limits(rows, k, slack)
        start = np.concatenate([(self.r0 - self.rf) / self.length, self.v0 / self.speed, [0.0]])
        for i in range(7):
            rows.add(clarabel.ZeroConeT, [({i: 1.0}, -start[i])])
        for size, parts in (
            (slack(1.0), [({self.r(end, i): 1.0}, 0.0) for i in range(2)]),
            (slack(PENALTY), [({self.r(end, 2): 1.0}, 0.0)]),
            (slack(PENALTY), [({self.v(end, i): 1.0}, -self.vf[i] / self.speed) for i in range(3)]),
        ):
            rows.add(clarabel.SecondOrderConeT, [({size: 1.0}, 0.0), *parts])
        dry = slack(PENALTY)
        needed = math.log(self.p.dry_mass_kg / self.p.mass_kg)
        rows.add(clarabel.NonnegativeConeT, [({self.z(end): 1.0, dry: 1.0}, -needed), ({dry: 1.0}, 0.0)])
        cost = np.concatenate([np.zeros(self.columns), extra])
        cost[self.z(end)] = -THRIFT
        return cost, rows

    def soft_limits(self, rows: Rows, k: int, slack: Callable[[float], int]) -> None:
        """Glide slope of node k about the motion's end, speed limit of node k + 1, each with its price."""
        p, end = self.p, self.n - 1
        if p.glide_slope_deg is not None:
            angle, s = math.radians(p.glide_slope_deg), slack(PENALTY)
            a, b = math.sin(angle), math.cos(angle)
            across = [({self.r(k, i): b, self.r(end, i): -b}, 0.0) for i in range(2)]
            first = {self.r(k, 2): a, self.r(end, 2): -a, s: 1.0}
            rows.add(clarabel.SecondOrderConeT, [(first, 0.0), *across])
            rows.add(clarabel.NonnegativeConeT, [({s: 1.0}, 0.0)])
        if p.speed_limit_mps is not None:
            s = slack(PENALTY)
            v = [({self.v(k + 1, i): 1.0}, 0.0) for i in range(3)]
            rows.add(clarabel.SecondOrderConeT, [({s: 1.0}, p.speed_limit_mps / self.speed), *v])
            rows.add(clarabel.NonnegativeConeT, [({s: 1.0}, 0.0)])

    def miss_cost(self, pos_m: np.ndarray, vel_mps: np.ndarray, mass_kg: np.ndarray) -> float:
        """Return what a motion costs in the least-miss problem, reckoned from the motion itself."""
        p = self.p
        off = (pos_m[-1] - self.rf) / self.length
        given_up = float(abs(off[2])) + float(np.linalg.norm(vel_mps[-1] - self.vf)) / self.speed
        if p.glide_slope_deg is not None:
            angle = math.radians(p.glide_slope_deg)
            away = (pos_m[:-1] - pos_m[-1]) / self.length
            short = np.hypot(away[:, 0], away[:, 1]) * math.cos(angle) - away[:, 2] * math.sin(angle)
            given_up += float(np.maximum(short, 0.0).sum())
        if p.speed_limit_mps is not None:
            over = (np.linalg.norm(vel_mps[1:], axis=1) - p.speed_limit_mps) / self.speed
            given_up += float(np.maximum(over, 0.0).sum())
        given_up += max(0.0, math.log(p.dry_mass_kg / mass_kg[-1]))
        used = math.log(p.mass_kg / mass_kg[-1])
        return float(np.hypot(*off[:2])) + PENALTY * given_up + THRIFT * used

    def answer(self, x: np.ndarray, status: str, time: float, iterations: int) -> Reference:
        state = x[: 7 * self.n].reshape(self.n, 7)
        mass = self.p.mass_kg * np.exp(state[:, 6])
        u = x[7 * self.n : 7 * self.n + 4 * self.stages].reshape(self.stages, 4)[:, :3]
        return Reference(
            status=status,
            propellant_kg=float(self.p.mass_kg - mass[-1]),
            miss_m=float("nan"),
            pos_m=state[:, :3] * self.length + self.rf,
            vel_mps=state[:, 3:6] * self.speed,
            thrust_n=u * self.accel * mass[: self.stages, None],
            solve_time_s=time,
            iterations=iterations,
        )


def conic(cost: np.ndarray, rows: Rows) -> tuple[np.ndarray, sparse.csc_matrix, np.ndarray, list[Any]]:
    """Return (q, A, b, cones) in Clarabel's form."""
    a = sparse.csc_matrix((rows.value, (rows.at, rows.column)), shape=(len(rows.b), len(cost)))
    return cost, a, np.asarray(rows.b), rows.cones


def clarabel_solve(cost: np.ndarray, rows: Rows) -> tuple[np.ndarray, str, float, int]:
    """Solve with Clarabel's own settings, silent."""
    q, a, b, cones = conic(cost, rows)
    settings = clarabel.DefaultSettings()
    settings.verbose = False
    solver = clarabel.DefaultSolver(sparse.csc_matrix((len(q), len(q))), q, a, b, cones, settings)
    found = solver.solve()
    return np.asarray(found.x), str(found.status), float(found.solve_time), int(found.iterations)


def least_miss_cost(problem: Any, nodes: int, final_time_s: float, hold: str) -> float:
    """Return the least cost of missing, by Clarabel."""
    cost, rows = Descent(problem, nodes, final_time_s, hold).least_miss()
    x, status, _, _ = clarabel_solve(cost, rows)
    assert status in ("Solved", "AlmostSolved"), status
    return float(cost @ x)


def solve_reference(problem: Any, nodes: int, final_time_s: float, hold: str) -> Reference:
    """Solve the least-propellant problem with Clarabel."""
    descent = Descent(problem, nodes, final_time_s, hold)
    x, status, time, iterations = clarabel_solve(*descent.least_propellant())
    return descent.answer(x, status, time, iterations)
