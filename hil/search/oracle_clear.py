"""Could a stage that cannot land still come down outside the keep-out when its last fault struck?

Until then it flies to the pad, on the plan of a stage that suspects nothing.  From then on it is steered
aside in the plant, on thrust or without it, several ways; one touch outside shows that clearing was
possible.  That it was not is shown by the most that thrust and air could have moved it aside.
"""

from __future__ import annotations

import math
from typing import Final, Literal

import numpy as np
import numpy.typing as npt

from hil.plant.atmosphere import G0_MPS2
from hil.search.oracle_air import Air
from hil.search.oracle_engines import Sequencer
from hil.search.oracle_flight import Lead, Subject, follow
from hil.search.oracle_pilot import Demand, Pilot
from hil.search.oracle_world import State, World, physical_faults

__all__ = ["Clearing", "clearing"]

Array = npt.NDArray[np.float64]
Clearing = Literal["clear", "not clear", "undecided"]

GLIDE_RAD: Final = math.radians(12.0)
"""Tilt to the flow without thrust: about what the fins hold."""
LEAN_RAD: Final = math.radians(22.0)
"""Tilt to the vertical on thrust."""
ROOM_M: Final = 1.0


def clearing(subject: Subject, lead: Lead | None) -> Clearing:
    """Tell whether the keep-out could be cleared; `lead` is the plan of a stage that suspects nothing."""
    onset_s = last_onset_s(subject, lead)
    keep_out_m = subject.vehicle.guidance.keep_out_radius_m
    state = _state_at(subject, lead, onset_s)
    if state is None:
        return "undecided"
    if _most_aside_m(subject, state) < keep_out_m:
        return "not clear"
    away = math.atan2(state.pos[1] + 3.0 * state.vel[1], state.pos[0] + 3.0 * state.vel[0])
    for turn in (0.0, 0.5 * math.pi, -0.5 * math.pi):
        for thrust in (False, True):
            miss_m = _aside(subject, lead, onset_s, away + turn, thrust)
            if miss_m is not None and miss_m > keep_out_m + ROOM_M:
                return "clear"
    return "undecided"


def last_onset_s(subject: Subject, lead: Lead | None) -> float:
    """Return when the last fault strikes on the way to the pad, s since the start."""
    latest = 0.0
    for fault in physical_faults(subject.case):
        if fault.at_s is not None:
            latest = max(latest, fault.at_s)
        elif fault.after_ignition_s is not None and lead is not None:
            latest = max(latest, lead.schedule.ignition_s + fault.after_ignition_s)
        elif fault.below_alt_m is not None and lead is not None:
            heights = np.flip(lead.plan.pos[:, 2])
            if fault.below_alt_m < heights[-1]:
                latest = max(latest, float(np.interp(fault.below_alt_m, heights, np.flip(lead.plan.t_s))))
    return latest


def _fly(subject: Subject, lead: Lead | None, onset_s: float) -> tuple[World, Sequencer, Pilot]:
    """Return the flight as it stands when the last fault strikes."""
    world = subject.world()
    sequencer = Sequencer(world)
    pilot = Pilot(world, sequencer, Air(subject.case, subject.vehicle), subject.case.stage.mass_factor)
    follow(subject, lead, world, sequencer, pilot, onset_s)
    return world, sequencer, pilot


def _state_at(subject: Subject, lead: Lead | None, onset_s: float) -> State | None:
    world, _, _ = _fly(subject, lead, onset_s)
    return None if world.at_rest else world.state()


def _aside(subject: Subject, lead: Lead | None, onset_s: float, azimuth: float, thrust: bool) -> float | None:
    """Return how far from the pad's centre the stage comes down when it is steered aside, m."""
    world, sequencer, pilot = _fly(subject, lead, onset_s)
    east, north = math.cos(azimuth), math.sin(azimuth)
    while not world.at_rest and world.t_s < subject.case.time_limit_s:
        state = world.state()
        touch = world.touchdown()
        if touch is not None:
            return touch.miss_m
        if not thrust:
            for slot in range(world.engines):
                sequencer.shut(slot, state.t_s)
        pushes = thrust and sum(state.thrust) > 1e5
        axis = _leant(east, north) if pushes else _across_flow(state, east, north)
        pilot.fly(state, Demand(axis, (0.0, 0.0, 0.0), 0.0), [1.0] * world.engines)
        world.advance()
    touch = world.touchdown()
    return None if touch is None else touch.miss_m


def _leant(east: float, north: float) -> tuple[float, float, float]:
    return east * math.sin(LEAN_RAD), north * math.sin(LEAN_RAD), math.cos(LEAN_RAD)


def _across_flow(state: State, east: float, north: float) -> tuple[float, float, float]:
    """Return the axis at which lift pushes to (east, north): tilted the other way from the flow."""
    flow = np.array([w - v for v, w in zip(state.vel, state.wind, strict=True)])
    flow = flow / max(float(np.linalg.norm(flow)), 1.0)
    axis = flow - math.tan(GLIDE_RAD) * np.array([east, north, 0.0])
    axis = axis / float(np.linalg.norm(axis))
    return float(axis[0]), float(axis[1]), float(axis[2])


def _most_aside_m(subject: Subject, state: State) -> float:
    """Return the most distance from the pad that the stage can reach, m; infinite where it may hover."""
    vehicle = subject.vehicle
    engines = sum(1 for thrust in state.thrust if thrust > 1e4)
    most_n = 1.1 * engines * vehicle.engine.thrust_sl_n * subject.case.stage.thrust_factor
    down = -state.vel[2]
    if most_n > 0.9 * state.mass_kg * G0_MPS2 or down < 1.0:
        return math.inf
    # air may slow the fall, but not below the slowest fall there is
    aero = vehicle.aero
    density = 1.3 * subject.case.atmosphere.density_factor
    area = aero.crossflow_drag_area_m2 + aero.ref_area_m2 * max(aero.axial)
    slowest = math.sqrt(2.0 * (state.mass_kg * G0_MPS2 - most_n) / (density * area))
    left_s = state.height_m / min(down, slowest) if down > 0.0 else math.inf
    speed = max(down, 60.0)
    air_n = (
        0.5 * density * speed**2 * (aero.crossflow_drag_area_m2 + aero.ref_area_m2 * max(aero.normal_slope))
    )
    push = (most_n + air_n) / state.mass_kg
    start = math.hypot(state.pos[0], state.pos[1]) + math.hypot(state.vel[0], state.vel[1]) * left_s
    return start + 0.5 * push * left_s**2
