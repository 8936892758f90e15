"""Properties that a defect in a kernel or a board breaks: what it says of itself is true, what it has given
up it never takes back, what it is known to bear it bears.

They hold of every flight, landable or not, but for the last: so a search that ends in one of them has found
a defect, and no stage that nobody could have landed.  `suite` looks at all of them in one flight.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Final

import numpy as np
import numpy.typing as npt

from hil.faults.case import Case, FaultSpec
from hil.search.flying import Flown
from hil.search.suite_cases import EMPTY_FRAMES, SILENT_FRAMES, bears, suite_cases
from hil.search.trial import Outcome, Property, Trial
from hil.signals import ENGINE_STATES, FLIGHT_MODES, REQUESTS
from hil.verdict import TOUCHDOWN_KEYS
from hil.verdict.flight import MAINSTAGE, RUN, START, Flags, FlightRecord
from hil.verdict.metrics import first_true
from hil.verdict.requirements import DETECTED_WITHIN_S, WATCHDOG_S

__all__ = ["KERNEL_PROPERTIES"]

_COAST, _IGNITION, _BRAKING, _TERMINAL, _TOUCHDOWN, _DONE, _ABORT = range(len(FLIGHT_MODES))
_SAFE: Final = ENGINE_STATES.index("SAFE")
_SHUTDOWN: Final = ENGINE_STATES.index("SHUTDOWN")
_SHUTTING: Final = tuple(ENGINE_STATES.index(name) for name in ("SAFE", "SHUTDOWN", "FAULT"))
_ASKED_TO_SHUT: Final = REQUESTS.index("SHUTDOWN")
_NEXT: Final = {
    _COAST: (_IGNITION, _ABORT),
    _IGNITION: (_BRAKING, _TOUCHDOWN, _ABORT),
    _BRAKING: (_TERMINAL, _TOUCHDOWN, _ABORT),
    _TERMINAL: (_TOUCHDOWN, _ABORT),
    _TOUCHDOWN: (_DONE, _ABORT),
    _DONE: (_ABORT,),
    _ABORT: (),
}
_OPTIMISED, _ASIDE = 2, 3
"""Numbers of telemetry.plan_source."""

_AGE_LSB_S: Final = 0.001
_PLAN_AGE_LSB_S: Final = 0.01
_VALVE_LSB: Final = 0.00025
OBEYS_FROM_S: Final = 4.5
"""After ignition: before, an engine that does not obey is better than none (docs/KERNEL.md)."""
OBEYS_S: Final = 1.0
"""For which a part of an engine may rest elsewhere while others burn, ..."""
OFF_STROKE: Final = 0.15
OFF_RAD: Final = 0.03
"""... so far from where it is asked to be."""
TILTED_MPS: Final = 30.0
"""Slower than this the flow is no direction to tilt against."""
TILTED_RAD: Final = 0.03
"""By which the flow that navigation believes in may be off, and is older."""
REST_FRAMES: Final = 3
"""For which the board of an engine that is taken back was at rest, or silent before."""
_ALIKE_RAD: Final = 0.0005
"""Angles of gimbals that are told the same may differ so much: each is rounded by itself."""
EMPTY: Final = 0.01
"""Of the full chamber pressure: an engine that gives nothing."""
PLAN_FRESH_S: Final = 1.0
"""An optimised plan that is flown is never older (docs/KERNEL.md)."""
COUNTED_S: Final = 0.1
"""A plan counts on an engine that was running for so long when it was begun."""
NAV_LOST_S: Final = 2.0
"""Without navigation for longer the kernel gives up."""
SPARE_S: Final = (2.0, 2.15)
"""What is left of the time to the latest ignition when the engines are lit (docs/KERNEL.md: 2.1 s)."""
BURNT_PART: Final = 0.02
BURNT_KG: Final = 60.0
"""The kernel's mass may be off what the chamber pressures it hears amount to, by a part and so much."""
CUT_WITHIN_S: Final = 0.2
"""From the first touch to no engine asked to run."""
CUT_BELOW_M: Final = 2.0
"""Height under which a kernel may take the stage for landed."""
CUT_AHEAD_S: Final = 0.05
"""... at once, and more by what it falls in this time: navigation is rounded, and thrust lasts."""
CARRIED_UP_MPS: Final = 1.0
"""One that rises faster is carried up by engines which cannot hover: they may be cut at any height."""
ASIDE_FROM_M: Final = 20.0
"""A stage that would fall further than this from the pad has a side on which to pass it."""
TURNED_S: Final = 1.0
"""In which a stage that is given up turns to where it steers: what pushed it before does so until then."""
NEARER_M: Final = 15.0
"""It may come down nearer to the pad than it would have fallen from there, by so much."""
LOST_MPS: Final = 20.0
"""Who comes down faster has lost the landing, ..."""
LOST_S: Final = 2.0
"""... and knew it for so long, where the last engine went before, ..."""
GIVEN_UP_S: Final = 1.0
"""... and has to give up within this time."""
STEERED_MPS: Final = 180.0
STEERED_S: Final = 4.0
STEERED_M: Final = 10.0
"""At such a speed lift carries a stage that steers aside for so long out of the keep-out, or so far."""
HEALTHY_PART: Final = 0.6
"""Of a touchdown's limit: healthy dispersed flights need at most 45 % of any."""
SETTLED_S: Final = 0.5
"""After which commands of a running engine have left the ramp of their rate limit."""

WEAKENING: Final = ("engine.thrust_shortfall", "injector.", "feed.", "pump.")
"""Beginnings of faults by which a chamber may stand right at the pressure that counts as a failure."""
DECEIVING: Final = (
    "sensor.",
    "nav.",
    "board.",
    "bay.",
    "valve.stuck",
    "valve.leak",
    "gimbal.",
    "wire.",
    "serial.",
)
"""Beginnings of faults by which a requirement is lost whatever the flight computer does."""
_HANGS: Final = ("board.silent", "board.freeze")
_GOOD: Final = Outcome(1.0, "holds")


def _broken(reason: str, requirement: str | None = None) -> Outcome:
    return Outcome(-1.0, reason, requirement)


def _struck(case: Case, *beginnings: str) -> bool:
    """Tell whether a fault of the case is of a kind that begins so."""
    return any(fault.kind.startswith(beginnings) for fault in case.fault)


def _wreck(flown: Flown) -> bool:
    """Tell whether the stage did not land: nobody knows what its navigation says afterwards."""
    return any(name.startswith("TD-") for name in flown.broken)


def _computer_struck(case: Case) -> bool:
    return any(fault.board == "flight_computer" for fault in case.fault)


def _frames(flight: FlightRecord) -> slice:
    """Frames in which the flight computer spoke, but for the first, in which it has no solution yet."""
    return slice(2, flight.computer_frames)


def _first(flight: FlightRecord, bad: npt.NDArray[np.bool_], start: int = 2) -> tuple[int, float] | None:
    """Return frame and time of the first that is bad, where `bad` begins at frame `start`."""
    at = first_true(bad)
    return None if at is None else (at + start, flight.t_s(at + start))


# ---- what the kernel says of itself


def _navigation_age(trial: Trial) -> Outcome:
    """Navigation is never told younger than the newest solution that was sent, nor flown when it is lost."""
    flight, span = trial.flown.flight, _frames(trial.flown.flight)
    newest = np.maximum.accumulate(flight.part("nav", "valid_t_ns"))[span]
    t_ns, told_s = flight.frames["t_ns"][span], flight.part("telemetry", "nav_age_s")[span]
    fresh = flight.part("telemetry", "fresh")[span] != 0
    age_s = np.where(newest >= 0, (t_ns - newest) * 1e-9, 0.0)
    young = _first(flight, fresh & (told_s < np.minimum(age_s, 60.0) - flight.frame_s - _AGE_LSB_S))
    if young is not None and not _struck(trial.case, "nav.", "serial.", "board."):
        return _broken(f"navigation is told younger than it is at t = {young[1]:.2f} s")
    flown = ~np.isin(flight.part("telemetry", "mode")[span], (_TOUCHDOWN, _DONE, _ABORT))
    lost = _first(flight, fresh & flown & (told_s > NAV_LOST_S + flight.frame_s))
    if lost is not None:
        return _broken(
            f"flies on at t = {lost[1]:.2f} s on navigation that is {told_s[lost[0] - 2]:.2f} s old"
        )
    return _GOOD


def _plan_age(trial: Trial) -> Outcome:
    """No plan is flown that is old, or that counts on an engine that is gone."""
    flight, span = trial.flown.flight, _frames(trial.flown.flight)
    source, told_s = (
        flight.part("telemetry", "plan_source")[span],
        flight.part("telemetry", "plan_age_s")[span],
    )
    old = _first(flight, (source == _OPTIMISED) & (told_s > PLAN_FRESH_S + _PLAN_AGE_LSB_S))
    if old is not None:
        return _broken(f"a plan that is {told_s[old[0] - 2]:.2f} s old is flown at t = {old[1]:.2f} s")
    for slot in flight.slots:
        found = _flown_after_loss(flight, slot, (source == _OPTIMISED), told_s)
        if found is not None:
            return found
    return _GOOD


def _flown_after_loss(
    flight: FlightRecord, slot: int, optimised: npt.NDArray[np.bool_], told_s: npt.NDArray[np.float64]
) -> Outcome | None:
    """Return what is wrong with plans after the loss of an engine while braking: they count on it still."""
    span = _frames(flight)
    braking = flight.part("telemetry", "mode")[span] == _BRAKING
    gone = first_true(flight.held_failed[span, slot])
    if gone is None or not braking[gone]:
        return None
    now_s = flight.frames["t_ns"][span] * 1e-9
    made_s = now_s - told_s
    made = np.clip(np.rint(made_s / flight.frame_s).astype(int) - flight.count(COUNTED_S), 0, None)
    ran = flight.part("status", "state")[made, slot] == MAINSTAGE
    stale = optimised & braking & ran & (made_s < now_s[gone] - _PLAN_AGE_LSB_S - flight.frame_s)
    stale[:gone] = False
    found = _first(flight, stale)
    if found is None:
        return None
    lost = f"{flight.engine(slot)}, lost at {now_s[gone]:.2f} s"
    return _broken(f"at t = {found[1]:.2f} s a plan is flown that counts on {lost}")


def _mass(trial: Trial) -> Outcome:
    """The kernel's mass goes down by what the chamber pressures that it hears amount to."""
    flight, engine = trial.flown.flight, trial.flown.flight.vehicle.engine
    span = _frames(flight)
    full_kgps = engine.thrust_sl_n / (engine.isp_sl_s * 9.80665)
    heard = flight.part("status", "fresh") != 0
    chamber = np.where(heard, flight.part("status", "chamber_pa") / engine.chamber_pa, 0.0)
    burnt = np.cumsum(np.clip(chamber, 0.0, 1.2).sum(axis=1)) * full_kgps * flight.frame_s
    told = flight.part("telemetry", "mass_est_kg")[span]
    if len(told) == 0 or _struck(trial.case, "nav.", "sensor.", "pump.") or _computer_struck(trial.case):
        return Outcome(None, "nobody can tell what the kernel heard")
    free = told > flight.vehicle.body.dry_kg + 1.0
    off = np.abs((told[0] - told) - (burnt[span] - burnt[2]))
    bad = _first(flight, free & (off > BURNT_PART * burnt[span] + BURNT_KG))
    if bad is None:
        return _GOOD
    return _broken(f"the kernel's mass is off by {off[bad[0] - 2]:.0f} kg at t = {bad[1]:.2f} s")


def _spare(trial: Trial) -> Outcome:
    """The burn begins when the kernel's own margin is spent or where it is planned to, and no later."""
    flight = trial.flown.flight
    if flight.ignition is None or trial.case.ignition.forced_at_s is not None or _computer_struck(trial.case):
        return Outcome(None, "no ignition of the kernel's own choice")
    if not flight.part("telemetry", "ignition_margin_known")[flight.ignition] or _struck(trial.case, "nav."):
        return Outcome(None, "the kernel knows no margin")
    left = float(flight.part("telemetry", "ignition_margin_s")[flight.ignition])
    planned = float(flight.part("telemetry", "ignition_margin_m")[flight.ignition]) <= 0.0
    if SPARE_S[0] <= left and (planned or left <= SPARE_S[1]):
        return _GOOD
    return _broken(f"the engines are lit with {left:.2f} s left (2.1 s are due)")


# ---- no way back


def _modes(trial: Trial) -> Outcome:
    """Modes follow each other in their order, and none comes back."""
    flight = trial.flown.flight
    if _computer_struck(trial.case):
        return Outcome(None, "the flight computer is struck")
    modes = flight.part("telemetry", "mode")[: flight.computer_frames]
    for k in np.flatnonzero(np.diff(modes)):
        was, now = int(modes[k]), int(modes[k + 1])
        if now not in _NEXT.get(was, ()):
            names = f"{FLIGHT_MODES[was]} to {FLIGHT_MODES[now]}"
            return _broken(f"the mode goes from {names} at t = {flight.t_s(int(k) + 1):.2f} s")
    return _GOOD


def _stopped(trial: Trial) -> Outcome:
    """Once the stage stands, or everything is broken off, no engine is asked to run."""
    flight = trial.flown.flight
    if _computer_struck(trial.case):
        return Outcome(None, "the flight computer is struck")
    over = np.isin(flight.part("telemetry", "mode"), (_TOUCHDOWN, _DONE, _ABORT))
    asked = flight.asked_to_run & over[:, None]
    at = first_true(asked[: flight.computer_frames].any(axis=1))
    if at is None:
        return _GOOD
    mode = FLIGHT_MODES[int(flight.part("telemetry", "mode")[at])]
    return _broken(f"{flight.engine(int(np.argmax(asked[at])))} is asked to run in mode {mode}")


def _latched(trial: Trial) -> Outcome:
    """An engine that was given up stays so, but for one whose board restarted and is at rest."""
    flight = trial.flown.flight
    if _computer_struck(trial.case):
        return Outcome(None, "the flight computer is struck")
    heard = flight.computer_frames
    held = flight.held_failed[:heard]
    for slot in flight.slots:
        for at in (np.flatnonzero(held[:-1, slot] & ~held[1:, slot]) + 1).tolist():
            since = max(k for k in flight.given_up(slot) if k < at)
            if not _restarted(flight, slot, since, at):
                return _broken(
                    f"the failure of {flight.engine(slot)} is forgotten at t = {flight.t_s(at):.2f} s"
                )
    return _GOOD


def _restarted(flight: FlightRecord, slot: int, since: int, at: int) -> bool:
    """Tell whether the board left an engine that was given up in frame `since`, and is at rest in `at`."""
    state, fresh = (flight.part("status", name)[:at, slot] for name in ("state", "fresh"))
    silent = fresh == 0
    shut = np.isin(state, (_SAFE, _SHUTDOWN))
    left = (silent | shut)[max(0, since - flight.count(DETECTED_WITHIN_S)) : since].any()
    rests = (state[-REST_FRAMES:] == _SAFE) & ~silent[-REST_FRAMES:]
    return bool(rests.all() and (left or np.count_nonzero(silent[since:]) >= REST_FRAMES))


# ---- commands


def _floor(trial: Trial) -> Outcome:
    """Valves of a running engine are never asked below its throttle floor."""
    flight = trial.flown.flight
    heard, ramp = flight.computer_frames, flight.count(SETTLED_S)
    running = flight.part("command", "request")[:heard] == RUN
    settled = running.copy()
    for back in range(1, ramp + 1):
        settled[back:] &= running[:-back]
    settled[:ramp] = False
    least = np.minimum(
        flight.part("command", "ox_valve_cmd")[:heard], flight.part("command", "fuel_valve_cmd")[:heard]
    )
    floor = flight.vehicle.engine.throttle_floor
    bad = _first(flight, (settled & (least < floor - _VALVE_LSB)).any(axis=1), start=0)
    if bad is None:
        return _GOOD
    asked = float(np.where(settled, least, 1.0)[bad[0]].min())
    return _broken(
        f"valves of a running engine asked to {asked:.3f} at t = {bad[1]:.2f} s, below its floor {floor:g}"
    )


def _tilt(trial: Trial) -> Outcome:
    """A stage that is to land is not tilted further against the flow than its limit, but towards upright."""
    flight, span = trial.flown.flight, _frames(trial.flown.flight)
    if _struck(trial.case, "nav.") or _computer_struck(trial.case):
        return Outcome(None, "the kernel is told something else")
    asked, flow = (
        flight.part("telemetry", "accel_cmd_pad_mps2")[span],
        flight.part("truth", "vel_pad_mps")[span],
    )
    thrust, speed_mps = np.linalg.norm(asked, axis=1), np.linalg.norm(flow, axis=1)
    judged = (speed_mps > TILTED_MPS) & (thrust > 0.0)
    judged &= flight.part("telemetry", "plan_source")[span] != _ASIDE
    axis = asked / np.where(judged, thrust, 1.0)[:, None]
    against = -flow / np.maximum(speed_mps, TILTED_MPS)[:, None]
    judged &= axis[:, 2] < against[:, 2]
    tilt_rad = np.arccos(np.clip((axis * against).sum(axis=1), -1.0, 1.0))
    # the kernel takes the flow at the centre of mass, which a turn swings about the body's origin
    turn_radps = np.linalg.norm(flight.part("truth", "omega_body_radps")[span], axis=1)
    swing_rad = 0.5 * turn_radps * flight.vehicle.body.length_m / np.maximum(speed_mps, TILTED_MPS)
    limit_rad = math.radians(flight.vehicle.guidance.tilt_limit_deg)
    bad = _first(flight, judged & (tilt_rad > limit_rad + TILTED_RAD + swing_rad))
    if bad is None:
        return _GOOD
    told = f"{math.degrees(tilt_rad[bad[0] - 2]):.1f} deg against the flow at t = {bad[1]:.2f} s"
    return _broken(f"the stage is to tilt by {told}, its limit is {math.degrees(limit_rad):.1f} deg")


def _alike(trial: Trial) -> Outcome:
    """Engines that burn are told to point alike, but for what rolls the stage."""
    flight, places = trial.flown.flight, trial.flown.flight.vehicle.engine_position
    if _struck(trial.case, "gimbal.", "bay.", "sensor.", "board.", "wire."):
        return Outcome(None, "a gimbal may not follow")
    free = _free_gimbals(flight)
    x, y = (flight.part("command", f"gimbal_{axis}_cmd_rad")[: len(free)] for axis in "xy")
    at = [places[number - 1] for number in flight.engine_numbers]
    for which in np.unique(free[free.sum(axis=1) > 1], axis=0):
        slots = np.flatnonzero(which)
        frames = np.flatnonzero((free == which).all(axis=1))
        # each engine turns by the angle of all, and about the axis by how far it stands from it
        of_all = np.array(
            [[1.0, 0.0, -at[slot].y_m] for slot in slots] + [[0.0, 1.0, at[slot].x_m] for slot in slots]
        )
        told = np.hstack((x[frames][:, slots], y[frames][:, slots])).T
        apart = np.abs(told - of_all @ (np.linalg.pinv(of_all) @ told)).max(axis=0, initial=0.0)
        bad = first_true(apart > _ALIKE_RAD)
        if bad is not None:
            names = ", ".join(flight.engine(int(slot)) for slot in slots)
            return _broken(f"{names} are told to point apart at t = {flight.t_s(int(frames[bad])):.2f} s")
    return _GOOD


def _free_gimbals(flight: FlightRecord) -> Flags:
    """Tell for each frame and slot whether the command of a burning engine's gimbal is held by no limit."""
    heard, engine = flight.computer_frames, flight.vehicle.engine
    free: Flags = flight.part("command", "request")[:heard] == RUN
    most, step = (
        math.radians(engine.gimbal_limit_deg),
        math.radians(engine.gimbal_rate_degps) * flight.frame_s,
    )
    for axis in "xy":
        angle = flight.part("command", f"gimbal_{axis}_cmd_rad")[:heard]
        free &= np.abs(angle) < most - _ALIKE_RAD
        free[1:] &= np.abs(np.diff(angle, axis=0)) < step - _ALIKE_RAD
    free[:1] = False
    return free


def _starts(trial: Trial) -> Outcome:
    """No engine is told to start more often than its igniter has starts."""
    flight = trial.flown.flight
    start = flight.part("command", "request") == START
    begun = np.count_nonzero(start[1:] & ~start[:-1], axis=0) + start[0]
    have, slot = flight.vehicle.engine.starts, int(np.argmax(begun))
    text = f"{flight.engine(slot)} was told to start {int(begun[slot])} times, its igniter has {have} starts"
    return Outcome((have - int(begun[slot])) / have, text)


def _noticed(trial: Trial) -> Outcome:
    """An engine whose board is silent, or has left MAINSTAGE by itself, is given up in time."""
    flight = trial.flown.flight
    if _computer_struck(trial.case):
        return Outcome(None, "the flight computer is struck")
    heard = flight.computer_frames
    due = flight.count(DETECTED_WITHIN_S) + 3  # the wire there, the wire back, and the frame that shows it
    asked = flight.asked_to_run[:heard] & ~flight.held_failed[:heard]
    ran = np.logical_or.accumulate(flight.part("status", "state") == MAINSTAGE)[:heard]
    gone = (flight.part("status", "fresh")[:heard] == 0) | (
        ran & np.isin(flight.part("status", "state")[:heard], _SHUTTING)
    )
    unnoticed = asked & gone
    lasting = unnoticed.copy()
    for back in range(1, due + 1):
        lasting[back:] &= unnoticed[:-back]
        lasting[:back] = False
    for slot in flight.slots:
        bad = _first(flight, lasting[:, slot], start=0)
        if bad is not None:
            told = f"{flight.engine(slot)} is asked to run at t = {bad[1]:.2f} s"
            return _broken(f"{told} although its board is silent or shut", "ENG-DETECT")
    return _GOOD


def _patience(trial: Trial) -> Outcome:
    """A board is given up once it was silent for six frames, an engine once it read empty for three."""
    flight = trial.flown.flight
    if not trial.case.fault or not all(map(_is_brief, trial.case.fault)):
        return Outcome(None, "no board of an engine is silent and no chamber reads empty, or not only that")
    heard = flight.computer_frames
    held, asked = flight.held_failed[:heard], flight.asked_to_run[:heard]
    fresh = flight.part("status", "fresh")[:heard] != 0
    burns = fresh & (flight.part("status", "state")[:heard] == MAINSTAGE)
    reads = flight.part("status", "chamber_pa")[:heard] / flight.vehicle.engine.chamber_pa
    silent, empty = _in_a_row(~fresh), _in_a_row(burns & (reads < EMPTY))
    settled = _in_a_row(flight.part("command", "request")[:heard] == RUN) > flight.count(SETTLED_S)
    patient = (silent < SILENT_FRAMES) & (empty < EMPTY_FRAMES)
    soon = held[1:] & ~held[:-1] & patient[:-1]
    late = asked & ~held & ((silent > SILENT_FRAMES) | (settled & (empty > EMPTY_FRAMES)))
    wrong: list[tuple[Flags, str]] = [(soon, "is given up too soon"), (late[1:], "is kept too long")]
    for bad, told in wrong:
        before = first_true(np.any(bad, axis=1))
        if before is not None:
            slot = int(np.argmax(bad[before]))
            counts = f"{silent[before, slot]} frames of silence, {empty[before, slot]} of an empty chamber"
            at = flight.t_s(before + 1)
            return _broken(f"{flight.engine(slot)} {told} at t = {at:.2f} s: {counts}", "ENG-DETECT")
    return _GOOD


def _is_brief(fault: FaultSpec) -> bool:
    """Tell whether all that a fault does is that a board of an engine hangs or a chamber reads empty."""
    empty = fault.kind == "sensor.wrong" and fault.what == "chamber" and fault.value == 0.0
    return empty or (fault.kind in _HANGS and fault.board != "flight_computer")


def _in_a_row(flags: npt.NDArray[np.bool_]) -> npt.NDArray[np.int64]:
    """Return for each frame and slot for how many frames in a row the flag has been set."""
    frames = np.arange(len(flags))[:, None]
    return frames - np.maximum.accumulate(np.where(flags, -1, frames), axis=0)


def _obeys(trial: Trial) -> Outcome:
    """While others burn, an engine whose valve rests elsewhere is given up, a gimbal that does not asked."""
    flight = trial.flown.flight
    if flight.ignition is None or _computer_struck(trial.case) or _struck(trial.case, "nav."):
        return Outcome(None, "the kernel is told something else, or nothing burns")
    heard = flight.computer_frames
    run = flight.part("command", "request")[:heard] == RUN
    late = np.arange(heard)[:, None] >= flight.ignition + flight.count(OBEYS_FROM_S)
    braking = (flight.part("telemetry", "mode")[:heard] == _BRAKING)[:, None]
    others = run.sum(axis=1, keepdims=True) - run
    for names, told, far, judged in (
        (("ox_valve_{}", "fuel_valve_{}"), "its valve", OFF_STROKE, late & braking & (others > 1)),
        (("gimbal_x_{}rad", "gimbal_y_{}rad"), "its gimbal", OFF_RAD, others > 0),
    ):
        for name in names:
            rests = _in_a_row(run & judged & _rests_elsewhere(flight, name, far))
            bad = first_true(np.max(rests, axis=1, initial=0) > flight.count(OBEYS_S))
            if bad is not None:
                slot = int(np.argmax(rests[bad]))
                return _broken(
                    f"{flight.engine(slot)} burns on at t = {flight.t_s(bad):.2f} s, {told} elsewhere"
                )
    return _GOOD


def _rests_elsewhere(flight: FlightRecord, name: str, far: float) -> Flags:
    """Tell for each frame and slot whether a part of an engine stands far from where it is asked to be."""
    heard = flight.computer_frames
    valve = "valve" in name
    asked = flight.part("command", name.format("cmd" if valve else "cmd_"))[:heard]
    seen = flight.part("status", name.format("pos" if valve else ""))[:heard]
    stands: Flags = np.zeros(seen.shape, dtype=np.bool_)
    stands[1:] = np.abs(np.diff(seen, axis=0)) < far / 10.0
    stands &= (np.abs(asked - seen) > far) & (valve | (asked != 0.0))
    return stands


def _cut(trial: Trial) -> Outcome:
    """Engines are cut when the stage stands, or is carried up again, and not before."""
    flight = trial.flown.flight
    if _computer_struck(trial.case) or _struck(trial.case, "nav."):
        return Outcome(None, "the kernel is told something else")
    modes = flight.part("telemetry", "mode")[: flight.computer_frames]
    landed = first_true(modes == _TOUCHDOWN)
    if landed is not None and (flight.contact is None or landed < flight.contact):
        height = float(flight.part("truth", "pos_pad_m")[landed, 2])
        climb = float(flight.part("truth", "vel_pad_mps")[landed, 2])
        carried_up = climb > CARRIED_UP_MPS
        if not carried_up and height > CUT_BELOW_M + max(0.0, -climb) * CUT_AHEAD_S:
            return _broken(
                f"the kernel takes the stage for landed {height:.1f} m above the pad", "TD-VERTICAL"
            )
    if flight.contact is not None and not _wreck(trial.flown):
        late = flight.contact + flight.count(CUT_WITHIN_S)
        if flight.asked_to_run[late : flight.computer_frames].any():
            return _broken(f"engines are asked to run {CUT_WITHIN_S:g} s after the first touch")
    return _GOOD


def _aside(trial: Trial) -> Outcome:
    """A stage that is given up is not steered towards the pad."""
    flight, truth = trial.flown.flight, trial.flown.flight.frames["truth"]
    given_up = first_true(flight.part("telemetry", "plan_source")[: flight.computer_frames] == _ASIDE)
    if (
        given_up is None
        or flight.contact is None
        or _struck(trial.case, "nav.")
        or _computer_struck(trial.case)
    ):
        return Outcome(None, "nothing was given up")
    since = min(given_up + flight.count(TURNED_S), flight.contact)
    rest_s = float(truth["contact_t_ns"][-1] - flight.frames["t_ns"][since]) * 1e-9
    fall = truth["pos_pad_m"][since, :2] + truth["vel_pad_mps"][since, :2] * rest_s
    size = float(np.linalg.norm(fall))
    if not ASIDE_FROM_M < size < flight.vehicle.guidance.keep_out_radius_m:
        return Outcome(None, "it falls on the pad or beside the keep-out by itself")
    along = float((truth["contact_pos_pad_m"][-1, :2] - fall) @ fall) / size
    if along >= -NEARER_M:
        return _GOOD
    return _broken(f"the stage, given up, was steered {-along:.0f} m towards the pad", "KEEP-OUT")


def _given_up(trial: Trial) -> Outcome:
    """A stage that lost its engines and falls on is given up in time, and clears the pad where it can."""
    flight = trial.flown.flight
    speed = flight.touchdown["vertical_speed_mps"]
    known = all(fault.kind == "engine.out" for fault in trial.case.fault)
    if not known or flight.contact is None or speed is None or speed < LOST_MPS:
        return Outcome(None, "nothing was lost by engines alone")
    lost = [k for slot in flight.slots if (k := first_true(flight.held_failed[:, slot])) is not None]
    if len(lost) < 2 or (flight.contact - max(lost)) * flight.frame_s < LOST_S:
        return Outcome(None, "one engine was lost, or the last one just before")
    aside = first_true(flight.part("telemetry", "plan_source") == _ASIDE)
    if aside is None or aside > max(lost) + flight.count(GIVEN_UP_S):
        return _broken(f"comes down at {speed:.0f} m/s and is not given up in time", "KEEP-OUT")
    rest_s = (flight.contact - aside) * flight.frame_s
    if speed < STEERED_MPS or rest_s < STEERED_S:
        return _GOOD
    if _leaves_the_pad(flight, aside, rest_s):
        return _GOOD
    return _broken(f"given up {rest_s:.1f} s before it comes down, the stage stays over the pad", "KEEP-OUT")


def _leaves_the_pad(flight: FlightRecord, aside: int, rest_s: float) -> bool:
    """Tell whether a stage comes down beyond the keep-out, or further out than it fell in frame `aside`."""
    truth = flight.frames["truth"]
    fall = truth["pos_pad_m"][aside, :2] + truth["vel_pad_mps"][aside, :2] * rest_s
    end_m = float(np.linalg.norm(truth["pos_pad_m"][flight.contact, :2]))
    if end_m > flight.vehicle.guidance.keep_out_radius_m:
        return True
    return end_m > float(np.linalg.norm(fall)) + STEERED_M


# ---- boards


def _watchdog(trial: Trial) -> Outcome:
    """A valve board that hears no command shuts down when its 50 ms are over, to the frame."""
    flight, case = trial.flown.flight, trial.case
    if flight.own_clocks or any(f.board not in (None, "flight_computer") for f in case.fault):
        return Outcome(None, "boards keep their own time, or are struck")
    seen = False
    for slot in flight.slots:
        sent = np.flatnonzero(flight.part("command", "fresh")[:, slot] != 0)
        for last, until in zip(sent, np.append(sent, len(flight.frames))[1:], strict=True):
            if until - last < 3:
                continue
            wrong = _acts_wrongly(flight, slot, int(last), int(until))
            seen |= wrong is not None
            if wrong:
                at = flight.t_s(int(last))
                text = f"{flight.engine(slot)} heard nothing after t = {at:.2f} s and {wrong}"
                return _broken(text, "VALVE-LOSS")
    return _GOOD if seen else Outcome(None, "no board went without commands")


def _acts_wrongly(flight: FlightRecord, slot: int, last: int, until: int) -> str | None:
    """Return what a board did wrong after its last command, "" for nothing, None where it is not judged."""
    due = 1 + flight.count(WATCHDOG_S)  # one frame on the wire, then the watchdog
    state = flight.part("status", "state")
    if last + due + 1 >= len(state) or state[last, slot] in _SHUTTING:
        return None
    after = first_true(np.isin(state[last + 2 : last + due + 3, slot], _SHUTTING))
    if until - last > due - 1 and (after is None or after + 2 > due):
        return "did not shut down when its watchdog's 50 ms were over"
    asked = flight.part("command", "request")[last, slot] == _ASKED_TO_SHUT
    if after is not None and after + 2 < due and not asked:
        return "shut down before its watchdog's 50 ms were over"
    return ""


# ---- requirements


def _sound(trial: Trial) -> Outcome:
    """Requirements that hold on every flight, landable or not; of a wreck valves are not asked to close."""
    case, flown = trial.case, trial.flown
    names = ["CMD-FINITE", "CMD-RANGE", "ENG-DEAD", "WORK-BOUND"]
    if not _struck(case, *DECEIVING):
        names += ["CMD-RATE", "ENG-DETECT", "ENG-SHARE", "VALVE-LOSS"]
        names += [] if _struck(case, *WEAKENING) else ["ENG-FALSE"]
        names += [] if _wreck(flown) else ["VALVE-END"]
    for name in names:
        if flown.results[name].status == "fail":
            return _broken(flown.results[name].reason, name)
    return _GOOD


def _borne(trial: Trial) -> Outcome:
    """What the kernel is known to bear, it bears: no figure of the touchdown is beyond twice its limit."""
    flown = trial.flown
    if not bears(trial.case, trial.plan):
        return Outcome(None, "not known to be borne")
    lost = [name for name in flown.broken if name.startswith("TD-")]
    if not lost:
        return _GOOD
    worst = lost[0]
    return Outcome((flown.margins[worst] or 0.0) + 1.0, flown.results[worst].reason, worst)


def _healthy(trial: Trial) -> Outcome:
    """A healthy stage touches down with room to spare: at most 60 % of every limit."""
    flown, limits = trial.flown, trial.flown.flight.vehicle.requirements
    if trial.case.fault or not bears(trial.case, trial.plan):
        return Outcome(None, "not healthy")
    for name in TOUCHDOWN_KEYS:
        value, limit = flown.flight.touchdown.get(name), getattr(limits, name, None)
        if limit is not None and (value is None or value > HEALTHY_PART * float(limit)):
            told = "never" if value is None else f"{value:.2f}"
            return _broken(f"{name} {told} at touchdown of a healthy stage (limit {float(limit):g})")
    return _GOOD


# ---- all of them


def _property(name: str, requirements: tuple[str, ...], look: Callable[[Trial], Outcome]) -> Property:
    text = " ".join((look.__doc__ or "").split()).rstrip(".")
    return Property(name, requirements, text, look, cases=suite_cases)


_EACH: Final = (
    _property("sound", ("CMD-FINITE", "CMD-RANGE", "CMD-RATE", "ENG-DEAD", "WORK-BOUND"), _sound),
    _property("navigation-age", (), _navigation_age),
    _property("plan-age", (), _plan_age),
    _property("mass", (), _mass),
    _property("spare", (), _spare),
    _property("modes", (), _modes),
    _property("stopped", (), _stopped),
    Property("starts", (), "No engine is told to start more often than its igniter has starts", _starts),
    _property("latched", ("ENG-DEAD",), _latched),
    _property("floor", ("CMD-RANGE",), _floor),
    _property("noticed", ("ENG-DETECT",), _noticed),
    _property("patience", ("ENG-DETECT",), _patience),
    _property("tilt", (), _tilt),
    _property("alike", (), _alike),
    _property("obeys", (), _obeys),
    _property("cut", (), _cut),
    _property("aside", ("KEEP-OUT",), _aside),
    _property("given-up", ("KEEP-OUT",), _given_up),
    _property("watchdog", ("VALVE-LOSS",), _watchdog),
    _property("borne", (), _borne),
    _property("healthy", (), _healthy),
)


def _suite(trial: Trial) -> Outcome:
    """No defect shows: every property of this kind holds of the flight."""
    outcomes = [prop.look(trial) for prop in _EACH]
    told = [outcome for outcome in outcomes if outcome.margin is not None]
    return min(told, key=lambda outcome: outcome.margin or 0.0) if told else Outcome(None, "not exercised")


KERNEL_PROPERTIES: Final = (*_EACH, _property("suite", (), _suite))
"""Each by itself, and all of them at once."""
