"""Certificates that nothing could have landed: an outer bound of the vertical channel, as a linear program.

With E = w^2 / 2 (w: speed downwards, of the centre of mass) and s the height fallen,

    dE/ds >= g - f - a(s) - b(s) E,     0 <= f <= F(s),     integral f / (c(s) W(s)) ds <= ln(m0 / m_dry)

holds for every flight: f is thrust over mass, F its bound, a + b E the largest air force upwards over mass,
W the largest speed downwards, c the exhaust velocity; the right side is less where fuel or oxidiser is
missing (hil.search.oracle_impulse).  Heights are the grid, so that no ignition moment appears.  If no E, f
reach the ground slowly enough, no flight does: Clarabel returns the Farkas certificate.
docs/decisions/0016 gives the reason of each bound.
"""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass
from typing import Any, Final

import clarabel
import numpy as np
import numpy.typing as npt
from scipy import sparse

from hil.faults.case import Case
from hil.plant.atmosphere import G0_MPS2, SEA_LEVEL_PA
from hil.search.oracle_air import Air
from hil.search.oracle_fall import Fall, LeastPush, fastest_fall
from hil.search.oracle_flight import Subject
from hil.search.oracle_impulse import loaded_kg, most_impulse
from hil.search.oracle_lift import SPEEDS, attack_held, gimbal_reach, most_upward
from hil.search.oracle_thrust import envelope, timed
from hil.search.oracle_world import physical_faults

__all__ = ["CELL_S", "Certificate", "Channel", "cannot_stop", "channel_of", "fastest_of", "refute"]

Array = npt.NDArray[np.float64]

STEP_M: Final = 20.0
SOFT_MPS: Final = 3.0
"""Speed downwards of the centre of mass at a touch within the limits, with room for its turn rate."""
ACROSS_MPS: Final = 40.0
"""Flights are considered that move across by at most so much faster than at the start, and the wind."""
CELL_S: Final = 0.5
"""Ignition moments are taken together in cells of this length, where faults count from ignition."""
AIR_MARGIN: Final = 1.05
THRUST_MARGIN: Final = 1.02
"""What gusts and what unknown ways of throttling may add."""
LINE_AT: Final = 0.35
"""Where the line that bounds the air force is to be least, over the fastest speed."""
GRAVITY_SHARE: Final = 0.994
"""Least gravity over the standard's: the turning Earth's at the equator."""


LEAST_THRUST_N: Final = 1e3
"""Less than this is no thrust of an engine that starts."""


@dataclass(frozen=True)
class Certificate:
    """Why no flight lands: the program, and its proof for the ignition cell that comes closest."""

    kind: str
    """`braking` (even with endless propellant) or `propellant`."""
    text: str
    over: float
    """Least speed downwards at the ground over what a landing may have (1: the limit; braking only)."""
    cells: int
    """Ignition cells refuted; each has its own proof."""
    dual: Array
    """Farkas certificate of the last cell's program (rows as in `_program`)."""


@dataclass(frozen=True)
class Channel:
    """Bounds of the vertical channel on a grid of heights fallen, one value for each step."""

    step_m: float
    start_mps: float
    gravity: Array
    most_f: Array
    """Largest thrust over mass, m/s^2."""
    air: Array
    """Largest air force over mass: its slope with E, 1/m, ..."""
    across: Array
    """... and what it is at no speed downwards, m/s^2."""
    fastest: Array
    """Largest speed downwards, m/s."""
    exhaust_mps: Array
    log_mass: float
    """ln of mass at the start over dry mass, or what fuel and oxidiser give over the exhaust velocity."""
    soft_mps: float = SOFT_MPS


def refute(subject: Subject) -> Certificate | None:
    """Return a certificate that no flight of the subject lands; None where the bound does not show it."""
    proofs: list[tuple[str, float, Array]] = []
    for begin_s, end_s in _cells(subject):
        proof = _refuted(subject, begin_s, end_s)
        if proof is None:
            return None
        proofs.append(proof)
    braking = all(kind == "braking" for kind, _, _ in proofs)
    least = min(speed for _, speed, _ in proofs)
    if braking:
        text = f"touches down at {least:.0f} m/s at the least, with all thrust and all lift there is"
    else:
        text = "not enough propellant to be slow at the ground, with all thrust and all lift there is"
    kind = "braking" if braking else "propellant"
    return Certificate(kind, text, least / SOFT_MPS, len(proofs), proofs[-1][2])


def _cells(subject: Subject) -> list[tuple[float, float]]:
    """Return the ignition moments to refute, in cells: one for all where no fault counts from ignition."""
    longest = subject.case.time_limit_s
    if all(f.after_ignition_s is None for f in physical_faults(subject.case)):
        return [(0.0, longest)]
    edges = [*np.arange(0.0, min(_longest_fall_s(subject), longest), CELL_S).tolist(), longest]
    cells = list(itertools.pairwise(edges))
    # the ones in the middle are refuted last: they tell soonest that there is no proof
    return sorted(cells, key=lambda cell: abs(cell[0] - 0.4 * edges[-2]))


def _refuted(subject: Subject, begin_s: float, end_s: float) -> tuple[str, float, Array] | None:
    """Refute the ignitions of a cell: kind, least speed at the ground, and the proof; None if not refuted."""
    channel = channel_of(subject, begin_s, end_s)
    speed = _least_speed(channel)
    kind = "braking" if speed > channel.soft_mps else "propellant"
    dual = cannot_stop(channel)
    return None if dual is None else (kind, speed, dual)


def _least_speed(channel: Channel) -> float:
    """Return the least speed at the ground with all thrust all the way, m/s."""
    energy = 0.5 * channel.start_mps**2
    for k in range(len(channel.gravity)):
        energy = max(_stepped(channel, k, energy, float(channel.most_f[k])), 0.0)
    return math.sqrt(2.0 * energy)


def _stepped(channel: Channel, k: int, energy: float, f: float) -> float:
    rate, step = float(channel.air[k]), channel.step_m
    push = float(channel.gravity[k] - channel.across[k]) - f
    left = math.exp(-rate * step)
    weight = (1.0 - left) / rate if rate > 1e-12 else step
    return energy * left + push * weight


def cannot_stop(channel: Channel) -> Array | None:
    """Return Clarabel's Farkas certificate that no E, f meet the channel's bounds; None where some do."""
    matrix, right, equalities = _program(channel)
    size = matrix.shape[1]
    settings = clarabel.DefaultSettings()
    settings.verbose = False
    cones = [clarabel.ZeroConeT(equalities), clarabel.NonnegativeConeT(len(right) - equalities)]
    nothing = sparse.csc_matrix((size, size))
    solver = clarabel.DefaultSolver(nothing, np.zeros(size), matrix, right, cones, settings)
    solution = solver.solve()
    if str(solution.status) != "PrimalInfeasible":
        return None
    dual = np.array(solution.z)
    return dual if _is_proof(matrix, right, equalities, dual) else None


def _is_proof(matrix: Any, right: Array, equalities: int, dual: Array) -> bool:
    """Check a Farkas certificate: A'z = 0, z >= 0 on the inequalities, b'z < 0."""
    scale = float(np.max(np.abs(dual)))
    if scale <= 0.0:
        return False
    z = dual / scale
    residual = float(np.max(np.abs(matrix.T @ z)))
    gain = -float(right @ z)
    return gain > 0.0 and float(np.min(z[equalities:])) > -1e-9 and residual < 1e-5 * max(gain, 1e-3)


def _program(channel: Channel) -> tuple[Any, Array, int]:
    """Return A, b and the number of equality rows of A x + s = b for x = (e_1..e_n, f_1..f_n), scaled.

    e = E over its value at the start (at least 100 m/s), f over g.
    """
    n = len(channel.gravity)
    unit = 0.5 * max(channel.start_mps, 100.0) ** 2
    left = np.exp(-channel.air * channel.step_m)
    weight = np.where(channel.air > 1e-12, (1.0 - left) / np.maximum(channel.air, 1e-12), channel.step_m)
    push = (channel.gravity - channel.across) * weight / unit
    thrust = G0_MPS2 * weight / unit
    k = np.arange(n)
    below = sparse.csc_matrix((left[1:], (k[1:], k[:-1])), shape=(n, n))
    motion = sparse.hstack([sparse.identity(n) - below, sparse.diags(thrust)])
    start = np.zeros(n)
    start[0] = left[0] * 0.5 * channel.start_mps**2 / unit
    # motion is an equality: less braking than the bound is less f or (slack) lighter air, both relaxed by <=
    rows = [-motion, sparse.hstack([-sparse.identity(n), sparse.csc_matrix((n, n))])]
    rights = [-(push + start), np.zeros(n)]
    nothing = sparse.csc_matrix((n, n))
    rows += [sparse.hstack([nothing, -sparse.identity(n)]), sparse.hstack([nothing, sparse.identity(n)])]
    rights += [np.zeros(n), channel.most_f / G0_MPS2]
    rows.append(sparse.hstack([sparse.identity(n), nothing]))
    rights.append(np.maximum(0.5 * channel.fastest**2, 0.5 * channel.soft_mps**2) / unit)
    used = G0_MPS2 * channel.step_m / (channel.exhaust_mps * np.maximum(channel.fastest, 1.0))
    rows.append(sparse.hstack([sparse.csc_matrix((1, n)), sparse.csc_matrix(used[None, :])]))
    rights.append(np.array([channel.log_mass]))
    last = sparse.csc_matrix(([1.0], ([0], [n - 1])), shape=(1, 2 * n))
    rows.append(last)
    rights.append(np.array([0.5 * channel.soft_mps**2 / unit]))
    return sparse.vstack(rows).tocsc(), np.concatenate(rights), 0


def channel_of(subject: Subject, begin_s: float, end_s: float) -> Channel:
    """Return the bounds for all flights whose first engine is started within the cell."""
    case, vehicle = subject.case, subject.vehicle
    air = Air(case, vehicle)
    start_mps = max(-case.initial.vel_pad_mps[2], 0.0)
    fall_m, step, height = _grid(subject)
    n = len(height)
    gravity = GRAVITY_SHARE * air.gravity(fall_m) * np.ones(n)
    across = _across(subject)
    fall = fastest_of(subject)
    thrust, quiet_s = _thrust(subject, air, begin_s, end_s, fall.time_s, height)
    # a step that even the slowest fall is through before any engine gives thrust has none
    times = _slowest_fall(subject, step, gravity, height, across)
    thrust = np.where(times <= begin_s + quiet_s, 0.0, thrust)
    dry = vehicle.body.dry_kg * case.stage.mass_factor
    loaded = _propellant(subject)
    mass = np.full(n, dry)
    exhaust = _exhaust(subject, air, height)
    fastest = fall.speed_mps[1:]
    best_mps = float(np.max(exhaust))
    channel = None
    for _ in range(2):
        most_f = thrust / mass
        held, rate = _air_lines(subject, height, thrust, fall.speed_mps[:-1], across)
        channel = Channel(
            step, start_mps, gravity, most_f, rate / mass, held / mass, fastest, exhaust,
            most_impulse(case, vehicle, best_mps) / best_mps,
        )  # fmt: skip
        mass = np.maximum(dry, _least_mass(channel, dry + loaded, thrust))
    assert channel is not None
    braked = _brake_curve(channel)
    return Channel(
        step, start_mps, gravity, thrust / mass, rate / mass, held / mass,
        np.minimum(fastest, braked), exhaust, channel.log_mass,
    )  # fmt: skip


def _longest_fall_s(subject: Subject) -> float:
    """Return how long the stage falls at the most when no engine is lit."""
    _fall_m, step, height = _grid(subject)
    gravity = np.full(len(height), GRAVITY_SHARE * G0_MPS2)
    times = _slowest_fall(subject, step, gravity, height, _across(subject))
    return float(times[-1])


def _grid(subject: Subject) -> tuple[float, float, Any]:
    """Return the height of fall, the step, and the height of the centre of mass at each step's middle, m."""
    fall_m = subject.case.initial.pos_pad_m[2] + 2.0
    n = max(math.ceil(fall_m / STEP_M), 5)
    step = fall_m / n
    return fall_m, step, fall_m - 2.0 - step * (np.arange(n) + 0.5) + subject.vehicle.body.dry_cm_z_m


def _across(subject: Subject) -> float:
    """Return the largest speed across through the air that is considered, m/s."""
    case = subject.case
    return ACROSS_MPS + math.hypot(*case.initial.vel_pad_mps[:2]) + _most_wind(case)


def fastest_of(subject: Subject) -> Fall:
    """Return the fastest fall there is, with or without thrust (`hil.search.oracle_fall`)."""
    case, vehicle = subject.case, subject.vehicle
    air, across = Air(case, vehicle), _across(subject)
    _fall_m, step, height = _grid(subject)
    fins, engine = vehicle.fins, vehicle.engine
    thinner = [min(f.factor or 1.0, 1.0) for f in case.fault if f.kind == "air.density"]
    push = LeastPush(
        air, across, THRUST_MARGIN * len(vehicle.landing_engines) * engine.thrust_sl_n
        * case.stage.thrust_factor, gimbal_reach(subject),
        2.0 * math.sqrt(2.0) * fins.slope_m2_per_rad * math.radians(fins.limit_deg),
        lambda pressure, thrust: float(attack_held(subject, np.array(pressure), np.array(thrust))),
        math.prod(thinner),
    )  # fmt: skip
    dry = vehicle.body.dry_kg * case.stage.mass_factor
    start_mps = max(-case.initial.vel_pad_mps[2], 0.0)
    return fastest_fall(start_mps, step, height, push, dry + _propellant(subject), dry)


def _slowest_fall(subject: Subject, step: float, gravity: Array, height: Array, across: float) -> Array:
    """Return when the slowest fall without engines is through each step, s."""
    case = subject.case
    start_mps = max(-case.initial.vel_pad_mps[2], 0.0)
    vacuum = np.sqrt(start_mps**2 + 2.0 * G0_MPS2 * step * np.arange(len(height)))
    full = subject.vehicle.body.dry_kg * case.stage.mass_factor + _propellant(subject)
    held, rate = _air_lines(subject, height, np.zeros(len(height)), vacuum, across)
    fall = Channel(
        step, start_mps, gravity, np.zeros(len(height)), rate / full, held / full, vacuum, vacuum, 0.0
    )
    energy, t_s = 0.5 * start_mps**2, 0.0
    times = np.zeros(len(height))
    for k in range(len(height)):
        after = max(_stepped(fall, k, energy, 0.0), 0.0)
        t_s += step / math.sqrt(2.0 * max(min(energy, after), 1.0))
        times[k] = t_s
        energy = after
    return times


def _propellant(subject: Subject) -> float:
    """Return what there is to burn at the most, kg."""
    return sum(loaded_kg(subject.case, subject.vehicle))


def _most_wind(case: Case) -> float:
    _, winds = case.wind.points()
    risen = sum(abs(f.speed_mps or 0.0) for f in case.fault if f.kind in ("wind.gust", "wind.shift"))
    return max(math.hypot(*wind) for wind in winds) + 0.5 * case.wind.gust_w20_mps + risen


def _exhaust(subject: Subject, air: Air, height: Array) -> Array:
    """Return the largest thrust over propellant flow, m/s: at full thrust, at that height's pressure."""
    engine = subject.vehicle.engine
    gained = engine.nozzle_exit_area_m2 * (SEA_LEVEL_PA - air.pressure(height)) / engine.thrust_sl_n
    return engine.isp_sl_s * G0_MPS2 * (1.0 + np.maximum(gained, 0.0)) * THRUST_MARGIN


def _thrust(
    subject: Subject, air: Air, begin_s: float, end_s: float, earliest: Array, height: Array
) -> tuple[Array, float]:
    """Return the largest thrust of all engines at each height, N, and how long a start gives none, s.

    Thrust that faults leave is bounded by its largest value from the earliest moment on at which any flight
    can be at that height; triggers by height are put at that same moment.
    """
    fallen_at = earliest

    def crossing(height_m: float) -> float:
        drop = subject.case.initial.pos_pad_m[2] - height_m
        at = np.linspace(0.0, 1.0, len(fallen_at)) * (subject.case.initial.pos_pad_m[2] + 2.0)
        return float(np.interp(max(drop, 0.0), at, fallen_at))

    case = timed(subject.case, crossing)
    span_s = max(float(earliest[-1]) - begin_s, 1.0) + 1.0
    bound = envelope(case, subject.vehicle, begin_s, span_s)
    wide = min(end_s - begin_s, CELL_S) if end_s - begin_s <= CELL_S else 0.0
    from_now = bound.later(wide)
    engine = subject.vehicle.engine
    at_s = earliest[:-1]
    total = np.zeros(len(height))
    for row in from_now:
        thrust = np.interp(at_s, bound.t_s, row)
        gained = engine.nozzle_exit_area_m2 * (SEA_LEVEL_PA - air.pressure(height))
        total += np.where(thrust > LEAST_THRUST_N, thrust + np.maximum(gained, 0.0), 0.0)
    gives = np.nonzero(bound.most_n.sum(axis=0) > LEAST_THRUST_N)[0]
    quiet_s = float(bound.t_s[max(gives[0] - 1, 0)]) - begin_s if len(gives) else 0.0
    return THRUST_MARGIN * total, quiet_s


def _air_lines(
    subject: Subject, height: Array, thrust: Array, fastest: Array, across: float
) -> tuple[Array, Array]:
    """Return a (N) and b (kg/m) at each height: no air force upwards is more than a + b E (`most_upward`).

    Of the lines above the force at all speeds the one that is least at LINE_AT of the fastest is taken.
    """
    upward = AIR_MARGIN * most_upward(subject, height, thrust, fastest, across)
    energy = 0.5 * (fastest[:, None] * SPEEDS) ** 2
    steepest = np.max(upward[:, 1:] / energy[:, 1:], axis=1)
    slopes = steepest[:, None] * np.linspace(0.0, 1.0, 31)
    offsets = np.max(upward[:, None, :] - slopes[:, :, None] * energy[:, None, :], axis=2)
    there = offsets + slopes * (0.5 * (LINE_AT * fastest) ** 2)[:, None]
    best = np.argmin(there, axis=1)[:, None]
    return np.take_along_axis(offsets, best, 1)[:, 0], np.take_along_axis(slopes, best, 1)[:, 0]


def _least_mass(channel: Channel, start_kg: float, thrust: Array) -> Array:
    """Return the least mass at each step: what is left when everything burns from the start.

    Braked as hard as can be the stage is slowest at each height, so it has burnt most; once it stands
    still, nothing is known.
    """
    energy, mass = 0.5 * channel.start_mps**2, start_kg
    result = np.zeros(len(thrust))
    for k in range(len(thrust)):
        after = _stepped(channel, k, energy, float(channel.most_f[k]))
        if after <= 50.0:
            break
        slow = math.sqrt(2.0 * min(energy, after))
        flow = float(thrust[k]) / (0.85 * float(channel.exhaust_mps[k]))
        mass = max(mass - flow * channel.step_m / slow, 0.0)
        result[k] = mass
        energy = after
    return result


def _brake_curve(channel: Channel) -> Array:
    """Return the speed at the end of each step from which all thrust and air still stop the stage, m/s."""
    n = len(channel.gravity)
    energy = 0.5 * channel.soft_mps**2
    result = np.zeros(n)
    for k in range(n - 1, -1, -1):
        result[k] = math.sqrt(2.0 * energy)
        rate, step = float(channel.air[k]), channel.step_m
        push = float(channel.gravity[k] - channel.across[k] - channel.most_f[k])
        left = math.exp(-rate * step)
        weight = (1.0 - left) / rate if rate > 1e-12 else step
        energy = max((energy - push * weight) / left, 0.0)
    return result
