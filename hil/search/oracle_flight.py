"""One clairvoyant flight: coast, light, follow plans that are made anew from the true state, touch down."""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace
from typing import Final

import numpy as np
import numpy.typing as npt

from hil.faults.case import Case
from hil.plant.atmosphere import G0_MPS2
from hil.plant.vehicle import Vehicle
from hil.search.oracle_air import Air
from hil.search.oracle_engines import Sequencer
from hil.search.oracle_pilot import Demand, Pilot
from hil.search.oracle_plan import Descent, Plan, solve
from hil.search.oracle_thrust import Traces
from hil.search.oracle_vertical import Coast, Schedule
from hil.search.oracle_world import State, World

__all__ = ["Lead", "Subject", "Tactic", "coast", "fly", "follow", "plan_descent", "start_of"]

Array = npt.NDArray[np.float64]

NODES: Final = 22
REPLAN_S: Final = 0.5
LAST_PLAN_S: Final = 2.0
"""Before the planned end, the last plan is made; from then on it is followed."""
TAIL_S: Final = 0.17
"""An engine that is shut down pushes on for about so long, at the thrust it had."""
LEAD_S: Final = 0.2
"""Valve and chamber follow a demand so much later."""
TURN_LEAD_S: Final = 0.03
TOUCH_MPS: Final = 0.7
CUT_MPS: Final = 1.3
"""Engines are cut where a fall from there touches down no faster."""
LEAST_FREE: Final = 0.2
"""Part of the gimbals' range that plans count on at the least where the rest holds thrust off the axis."""
RISING_MPS: Final = 3.0
"""A stage that rises faster after the planned touch has missed it."""
HEIGHT_GAINS: Final = (1.2, 2.0)
GLIDE_RAD: Final = math.radians(5.0)
GLIDE_PER_MPS2: Final = 0.04
"""Tilt of the coast over the acceleration that is wanted, rad s^2/m."""
GLIDE_S: Final = 25.0
"""The coast steers from so long before it would hit the ground."""
ACROSS_GAINS: Final = (0.12, 0.55)
AFTER_S: Final = 6.0
"""A flight goes on so long after the touch at the most, to see whether the stage stands."""


@dataclass(frozen=True)
class Subject:
    """What is judged: a case (dispersions drawn), its vehicle, and the names of its random streams."""

    case: Case
    vehicle: Vehicle
    seed: int
    run_id: str

    def world(self) -> World:
        """Return a new flight of it."""
        return World(self.case, self.vehicle, self.seed, self.run_id)


@dataclass(frozen=True)
class Tactic:
    """What a clairvoyant tries: which engines brake, which land, until when each burns."""

    brake: tuple[int, ...]
    land: tuple[int, ...]
    throttle: float
    """Of the braking phase, 0 floor to 1 full."""
    land_throttle: float
    shut_s: dict[int, float] = field(default_factory=dict)
    """Engines that are shut at a time (absolute), before a fault of theirs."""
    held: dict[int, float] = field(default_factory=dict)
    """Engines that are run at an opening all along: they will burn on behind their boards."""
    aim_m: float = 0.0
    """Plans end so far above the ground: what an earlier flight of the same tactic was off by, ..."""
    aim_mps: tuple[float, float] = (0.0, 0.0)
    """... so fast across, pad axes east and north, ..."""
    aim_at_m: tuple[float, float] = (0.0, 0.0)
    """... and so far from the pad's centre."""
    later_s: float = 0.0
    """It is flown so much later: an earlier flight stopped far above the ground."""
    reserve: float = 0.1
    """Part of the thrust range that plans leave for feedback, at either end."""


def coast(subject: Subject, until_s: float) -> Coast:
    """Fly the stage without engines, its axis along the flow, until `until_s` or the ground."""
    world = subject.world()
    sequencer = Sequencer(world)
    pilot = Pilot(world, sequencer, Air(subject.case, subject.vehicle), subject.case.stage.mass_factor)
    states = []
    while world.t_s < until_s and not world.at_rest:
        state = world.state()
        states.append(state)
        _fall(pilot, state, world.engines)
        world.advance()
    return Coast(
        np.array([s.t_s for s in states]), np.array([s.pos for s in states]),
        np.array([s.vel for s in states]), np.array([s.rot[2::3] for s in states]), states[-1].mass_kg,
    )  # fmt: skip


def _fall(pilot: Pilot, state: State, engines: int) -> None:
    pilot.fly(state, Demand(_gliding(state), (0.0, 0.0, 0.0), 0.0), [0.0] * engines)


def _gliding(state: State) -> tuple[float, float, float]:
    """Return the axis of the coast: along the flow, tilted so that lift takes the stage towards the pad.

    Without thrust a stage is pushed away from where its nose leans.
    """
    x, y, z = _against_flow(state)
    left_s = state.pos[2] / max(-state.vel[2], 1.0)
    if not 2.0 < left_s < GLIDE_S or -state.vel[2] < 100.0:
        return x, y, z
    lean_x, lean_y = (
        GLIDE_PER_MPS2 * (6.0 * state.pos[i] / left_s**2 + 4.0 * state.vel[i] / left_s) for i in range(2)
    )
    size = max(math.hypot(lean_x, lean_y) / GLIDE_RAD, 1.0)
    x, y = x + lean_x / size, y + lean_y / size
    norm = math.sqrt(x * x + y * y + z * z)
    return x / norm, y / norm, z / norm


def _against_flow(state: State) -> tuple[float, float, float]:
    x, y, z = (v - w for v, w in zip(state.vel, state.wind, strict=True))
    size = math.sqrt(x * x + y * y + z * z)
    if size < 1.0 or z > 0.0:
        return 0.0, 0.0, 1.0
    return -x / size, -y / size, -z / size


def _bounds(traces: Traces, tactic: Tactic, step_down_s: float, times: Array) -> tuple[Array, Array]:
    """Return least and most thrust about each of the times, N."""
    half = 0.5 * float(times[1] - times[0])
    start, end = times - half, times + half
    low, high = np.zeros(len(times)), np.zeros(len(times))
    low_all = traces.mean(traces.low_n, start, end)
    high_all = traces.mean(traces.high_n, start, end)
    for slot in tactic.brake:
        off = math.inf if slot in tactic.land or slot in tactic.held else step_down_s
        off = min(off, tactic.shut_s.get(slot, math.inf)) + TAIL_S
        on = np.clip((off - start) / (end - start), 0.0, 1.0)
        low += on * low_all[slot]
        high += on * high_all[slot]
    band = high - low
    return low + 0.3 * tactic.reserve * band, high - tactic.reserve * band


def plan_descent(
    air: Air, traces: Traces, tactic: Tactic, schedule: Schedule, start: Descent,
    guess: Plan | None, factors: tuple[float, ...], passes: int,
) -> Plan:  # fmt: skip
    """Return the best plan over a few flight times about that of the schedule, or the first good one."""
    best: Plan | None = None
    for factor in factors:
        final_s = max((schedule.touchdown_s - start.t_s) * factor, 0.6)
        times = start.t_s + np.linspace(0.0, final_s, NODES)
        low, high = _bounds(traces, tactic, schedule.step_down_s, times)
        descent = replace(start, final_s=final_s, low_n=low, high_n=high)
        plan = solve(descent, air, guess, passes)
        if best is None or plan.badness < best.badness:
            best = plan
        if best.lands and guess is not None:
            break
    assert best is not None
    return best


def steering_point(subject: Subject, state: State) -> tuple[Array, Array]:
    """Return position and velocity of the point that is pushed along the body's axis alone.

    A gimballed engine that turns the stage pushes it aside as well; the centre of percussion, I / (m L)
    above the centre of mass, does not feel it (L: from gimbals to the centre of mass).  Over an upright
    stage that does not turn it stands where the centre of mass does.
    """
    body = subject.vehicle.body
    lever = state.cm_z_m - body.gimbal_plane_z_m
    above = 1.12 * body.inertia_transverse_kgm2 * subject.case.stage.mass_factor / (state.mass_kg * lever)
    r, (ox, oy, _) = state.rot, state.omega
    pos, vel = np.array(state.pos), np.array(state.vel)
    for i in range(2):
        pos[i] += above * r[3 * i + 2]
        vel[i] += above * (r[3 * i] * oy - r[3 * i + 1] * ox)
    return pos, vel


def start_of(subject: Subject, t_s: float, pos: Array, vel: Array, axis: Array, mass: float) -> Descent:
    """Return a descent from a state to the pad; thrust and flight time still to be set."""
    engine = subject.vehicle.engine
    stands_m = _standing_cm(subject)
    lever = stands_m - subject.vehicle.body.gimbal_plane_z_m
    inertia = 1.12 * subject.vehicle.body.inertia_transverse_kgm2
    nothing = np.zeros(NODES)
    return Descent(
        pos, vel, axis, mass, t_s, 1.0, nothing, nothing, np.array([0.0, 0.0, stands_m]),
        np.array([0.0, 0.0, -TOUCH_MPS]), isp_s=engine.isp_sl_s,
        turn_accel_per_n=0.28 * math.sin(math.radians(engine.gimbal_limit_deg)) * lever / inertia,
    )  # fmt: skip


def _standing_cm(subject: Subject) -> float:
    """Return the height of the centre of mass of a nearly empty stage that stands."""
    body = subject.vehicle.body
    left = 0.25 * body.propellant_kg
    return (body.dry_kg * body.dry_cm_z_m + left * body.propellant_cm_z_m) / (body.dry_kg + left)


class _Guide:
    """Makes plans as the flight goes on, and demands from them."""

    def __init__(self, subject: Subject, air: Air, lead: Lead) -> None:
        self.subject, self.air, self.traces, self.tactic = subject, air, lead.traces, lead.tactic
        self.schedule, self.plan = lead.schedule.later(lead.tactic.later_s), lead.plan
        self._next_s = self.schedule.ignition_s + 1.2

    def burns(self, state: State) -> bool:
        """Tell whether thrust is there, or about to be."""
        return state.t_s >= self.schedule.ignition_s + 0.6

    def rises(self, state: State) -> bool:
        """Tell whether the stage stopped above the ground and left it again: no landing any more."""
        return state.t_s > self.end_s and state.vel[2] > RISING_MPS and not state.contact

    @property
    def end_s(self) -> float:
        """When the plan in use touches down."""
        return float(self.plan.t_s[-1])

    def replan(self, state: State, side: tuple[float, float]) -> None:
        """Make a new plan from the true state when it is due; `side`: thrust off the body's axis."""
        if state.t_s < self._next_s or self.end_s - state.t_s < LAST_PLAN_S:
            return
        self._next_s = state.t_s + REPLAN_S
        axis = self._axis_now(state)
        at, moves = steering_point(self.subject, state)
        start = start_of(self.subject, state.t_s, at, moves, axis, state.mass_kg)
        turn = self._turning(state.t_s)
        free = 1.0 - math.hypot(*side) / math.radians(self.subject.vehicle.engine.gimbal_limit_deg)
        start = replace(
            start, final_pos=np.array([*self.tactic.aim_at_m, state.cm_z_m + self.tactic.aim_m]),
            turn_accel_per_n=start.turn_accel_per_n * max(free, LEAST_FREE),
            final_vel=np.array([*self.tactic.aim_mps, -TOUCH_MPS]), side=side,
            turning=(turn[1] * axis[2] - turn[2] * axis[1], turn[2] * axis[0] - turn[0] * axis[2]),
        )  # fmt: skip
        self.schedule = replace(self.schedule, touchdown_s=self.end_s)
        left_s = self.end_s - state.t_s
        factors = (1.0, 0.97, 1.04) if left_s > 3.0 else (1.0, 0.98, 1.02, 0.95, 1.05)
        plan = plan_descent(
            self.air, self.traces, self.tactic, self.schedule, start, self.plan, factors,
            1 if left_s > 4.0 else 2,
        )  # fmt: skip
        self.plan = plan

    def _axis_now(self, state: State) -> Array:
        """Return where the plan in use has the thrust point: the stage follows that, not its own wobble."""
        _, _, axis, _ = self.plan.at(state.t_s)
        return axis

    def demand(self, state: State) -> Demand:
        """Return what the stage shall do now: the plan's thrust, and what brings it back to the plan."""
        ahead_s = state.t_s + LEAD_S
        pos, vel, _, _ = self.plan.at(state.t_s)
        _, _, _, sigma = self.plan.at(ahead_s)
        _, _, along, _ = self.plan.at(state.t_s + TURN_LEAD_S)
        at, moves = steering_point(self.subject, state)
        off, late = pos - at, vel - moves
        if state.t_s > self.end_s:
            off[2], sigma = 0.0, 9.81 * state.mass_kg
        push = state.mass_kg * (HEIGHT_GAINS[0] * off[2] + HEIGHT_GAINS[1] * late[2])
        across = state.mass_kg * (ACROSS_GAINS[0] * off[:2] + ACROSS_GAINS[1] * late[:2])
        across /= max(sigma, 1e5)
        across /= max(math.hypot(across[0], across[1]) / 0.12, 1.0)
        x, y, z = float(along[0] + across[0]), float(along[1] + across[1]), float(along[2])
        norm = math.sqrt(x * x + y * y + z * z)
        axis = (x / norm, y / norm, z / norm)
        thrust = sigma + push / max(axis[2], 0.5)
        return Demand(axis, self._turning(state.t_s + TURN_LEAD_S), thrust)

    def _turning(self, t_s: float) -> tuple[float, float, float]:
        """Return the turn rate of the plan's thrust, pad axes, rad/s."""
        half = 0.1
        _, _, before, _ = self.plan.at(t_s - half)
        _, _, after, _ = self.plan.at(t_s + half)
        if t_s - half < self.plan.t_s[0] or t_s + half > self.end_s:
            half *= 0.5
        x, y, z = np.cross(before, after) / (2.0 * half)
        return float(x), float(y), float(z)


@dataclass(frozen=True)
class Lead:
    """A tactic with its schedule and plan, ready to be flown."""

    tactic: Tactic
    schedule: Schedule
    plan: Plan
    traces: Traces
    latest_s: float
    """Latest ignition from which the vertical channel still stops."""


def fly(subject: Subject, air: Air, lead: Lead) -> World:
    """Fly a lead to the touchdown and a little further; the world holds history and outcome."""
    world = subject.world()
    sequencer = Sequencer(world)
    pilot = Pilot(world, sequencer, air, subject.case.stage.mass_factor)
    follow(subject, lead, world, sequencer, pilot, subject.case.time_limit_s)
    return world


def follow(
    subject: Subject, lead: Lead | None, world: World, sequencer: Sequencer, pilot: Pilot, until_s: float
) -> None:
    """Fly a lead (none: without engines) up to a time or until a while after the touch."""
    air = Air(subject.case, subject.vehicle)
    guide = None if lead is None else _Guide(subject, air, lead)
    floor = subject.vehicle.engine.throttle_floor
    contact_s = math.inf
    while not world.at_rest and world.t_s < min(until_s, contact_s + AFTER_S):
        state = world.state()
        if state.contact and contact_s == math.inf:
            contact_s = state.t_s
        if guide is not None and guide.rises(state):
            return
        _command_engines(world, sequencer, guide, state)
        if guide is None or lead is None or not guide.burns(state) or state.contact:
            _fall_or_stand(pilot, state, world.engines, floor)
        else:
            guide.replan(state, pilot.side_pad(state))
            demand = guide.demand(state)
            valves = _valves(world, sequencer, lead, floor, demand.thrust_n, state)
            pilot.fly(state, demand, valves)
        world.advance()


def _command_engines(world: World, sequencer: Sequencer, guide: _Guide | None, state: State) -> None:
    """Start and shut engines as planned; shut all of them at the touch, or where the rest can be fallen."""
    if guide is not None:
        _sequence(sequencer, guide, state)
    if state.contact or (guide is not None and guide.burns(state) and _is_down(state)):
        for slot in range(world.engines):
            sequencer.shut(slot, state.t_s)


def _fall_or_stand(pilot: Pilot, state: State, engines: int, floor: float) -> None:
    axis = (0.0, 0.0, 1.0) if state.contact else _gliding(state)
    pilot.fly(state, Demand(axis, (0.0, 0.0, 0.0), 0.0), [floor] * engines)


def _is_down(state: State) -> bool:
    """Tell whether to cut the engines: the fall that is left ends softly enough."""
    if state.height_m > 0.5 or state.vel[2] < -CUT_MPS:
        return False
    return state.vel[2] ** 2 + 2.0 * G0_MPS2 * max(state.height_m, 0.0) < CUT_MPS**2


def _sequence(sequencer: Sequencer, guide: _Guide, state: State) -> None:
    """Start and shut engines when their time has come."""
    tactic = guide.tactic
    if state.t_s >= guide.schedule.ignition_s - 1e-9:
        for slot in tactic.brake:
            sequencer.start(slot, state.t_s)
    for slot, shut_s in tactic.shut_s.items():
        if state.t_s >= shut_s - 1e-9:
            sequencer.shut(slot, state.t_s)
    if state.t_s >= guide.schedule.step_down_s - 1e-9:
        for slot in tactic.brake:
            if slot not in tactic.land and slot not in tactic.held:
                sequencer.shut(slot, state.t_s)


def _valves(
    world: World, sequencer: Sequencer, lead: Lead, floor: float, thrust_n: float, state: State
) -> list[float]:
    """Return the valve openings at which the engines give a thrust together, those that obey sharing it."""
    traces, held = lead.traces, lead.tactic.held
    k = min(max(int((state.t_s - traces.ignition_s) / traces.step_s), 0), traces.low_n.shape[1] - 1)
    running = [slot for slot in range(world.engines) if sequencer.running(slot) and slot not in held]
    low = sum(float(traces.low_n[slot, k]) for slot in running)
    high = sum(float(traces.high_n[slot, k]) for slot in running)
    rest = sum(state.thrust[slot] for slot in range(world.engines) if slot not in running)
    part = (thrust_n - rest - low) / (high - low) if high > low + 1.0 else 1.0
    part = min(max(part, 0.0), 1.0)
    most = [1.0] * world.engines if traces.most is None else traces.most.tolist()
    return [held.get(slot, floor + (most[slot] - floor) * part) for slot in range(world.engines)]
