"""One function for each requirement: recorded signals in, result out."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Final, Literal

import numpy as np
import numpy.typing as npt

from hil.signals import ENGINE_STATES, REQUESTS
from hil.verdict.flight import Flags, FlightRecord
from hil.verdict.metrics import first_true
from hil.verdict.requirements import (
    CLOSES_WITHIN_S,
    DETECTED_WITHIN_S,
    REALLOCATED_WITHIN_S,
    REQUIREMENTS,
    WATCHDOG_S,
)

__all__ = ["CHECKS", "COMMANDS", "TOLERANCE", "Result", "Steps", "closing_moments", "commands", "steps"]

Status = Literal["pass", "fail", "not exercised"]


@dataclass(frozen=True, slots=True)
class Result:
    """How a requirement fared, and in one plain sentence why."""

    status: Status
    reason: str


def _pass(reason: str) -> Result:
    return Result("pass", reason)


def _fail(reason: str) -> Result:
    return Result("fail", reason)


def _not_exercised(reason: str) -> Result:
    return Result("not exercised", reason)


_SAFE: Final = REQUESTS.index("SAFE")
_SHUTDOWN: Final = REQUESTS.index("SHUTDOWN")
_SHUTTING: Final = tuple(ENGINE_STATES.index(name) for name in ("SAFE", "SHUTDOWN", "FAULT"))

_VALVE_LSB: Final = 0.00025
_ANGLE_LSB_RAD: Final = 0.0001
"""Resolution of commands on the wire: a value may be off by half of it, a difference by all of it."""
TOLERANCE: Final = 1e-9
_MISREAD: Final = 0.03
"""An engine sensor that is off by more than this (of full pressure or stroke) ..."""
_MISREAD_RAD: Final = 0.01
"""... or by this is out of order: ten times its noise."""
_AWAY_FRAMES: Final = 3
"""A flight computer that was silent for so long and speaks again has been stopped, or has started anew."""
_MOST_COUNTED: Final = 255
"""Where the flight computer's counters of bad kernel output stop."""

_VALVE_OFF: Final = 0.06
_GIMBAL_OFF_RAD: Final = 0.008
_LASTING_FRAMES: Final = 10
_BURNS: Final = 0.05
"""Of its full thrust: less is none."""
_ASLANT_RAD: Final = math.radians(2.0)
"""Between what pushes a stage on one engine and where that points; air adds less than a degree."""
_HIGH_PRESSURE: Final = 1.2
"""Off what it was told, or above what its valves should give, by so much, an engine is not healthy."""


# ---- touchdown


def _touchdown(key: str) -> Callable[[FlightRecord], Result]:
    names = {
        "vertical_speed_mps": ("vertical speed", "m/s"),
        "lateral_speed_mps": ("lateral speed", "m/s"),
        "tilt_deg": ("tilt", "deg"),
        "rate_degps": ("turn rate", "deg/s"),
        "miss_m": ("miss", "m"),
    }
    name, unit = names[key]

    def check(flight: FlightRecord) -> Result:
        value, limit = flight.touchdown[key], float(getattr(flight.vehicle.requirements, key))
        if value is None:
            if flight.completed:
                return _fail(f"the stage never touched down within {flight.time_limit_s:g} s")
            return _not_exercised("the flight was cut short before touchdown")
        text = f"{name} {value:.2f} {unit} at touchdown (limit {limit:g} {unit})"
        return _pass(text) if value <= limit else _fail(text)

    return check


def _stands(flight: FlightRecord) -> Result:
    if flight.rest is None:
        if flight.completed:
            return _fail("the stage never came to rest")
        return _not_exercised("the flight was cut short before the stage came to rest")
    state = int(flight.part("truth", "at_rest")[-1])
    words = {
        1: "the stage stands",
        2: "the stage tipped over",
        3: "the stage crashed",
        4: "the stage stands, hard: on crushed legs",
        5: "the stage stands, off the pad",
    }
    return (_pass if state in (1, 4, 5) else _fail)(words.get(state, f"unknown rest state {state}"))


# ---- commands


COMMANDS: Final = ("ox_valve_cmd", "fuel_valve_cmd", "gimbal_x_cmd_rad", "gimbal_y_cmd_rad")


def commands(flight: FlightRecord) -> Iterator[tuple[str, npt.NDArray[Any], float, float, float, float]]:
    """Yield name, values (frame, channel), low, high, rate a second and resolution of each command."""
    engine, fins = flight.vehicle.engine, flight.vehicle.fins
    gimbal, gimbal_rate = math.radians(engine.gimbal_limit_deg), math.radians(engine.gimbal_rate_degps)
    fin, fin_rate = math.radians(fins.limit_deg), math.radians(fins.rate_degps)
    for name in COMMANDS:
        values = flight.part("command", name)
        if "valve" in name:
            yield name, values, 0.0, 1.0, engine.valve_slew_per_s, _VALVE_LSB
        else:
            yield name, values, -gimbal, gimbal, gimbal_rate, _ANGLE_LSB_RAD
    yield "fin_cmd_rad", flight.part("actuator", "fin_cmd_rad"), -fin, fin, fin_rate, 0.0


def _no_commands(flight: FlightRecord) -> Result | None:
    if flight.computer_frames == 0:
        return _not_exercised("the flight computer sent no command")
    return None


def _kernel_fault(flight: FlightRecord, counter: str, what: str) -> Result | None:
    """Fail when the kernel's own output was bad, even where the flight computer let none of it through."""
    count = flight.part("telemetry", counter)
    first = first_true(count > 0)
    if first is None:
        return None
    most = int(count.max())
    frames = f"{'at least ' if most >= _MOST_COUNTED else ''}{most} frame{'s' if most > 1 else ''}"
    return _fail(
        f"the kernel's output was {what} in {frames}, first at t = {flight.t_s(first):.2f} s; "
        "the flight computer let none of it through"
    )


def _finite(flight: FlightRecord) -> Result:
    for name, values, *_ in commands(flight):
        wild: Flags = ~np.isfinite(values)
        bad = first_true(wild.any(axis=1))
        if bad is not None:
            return _fail(f"{name} is not finite at t = {flight.t_s(bad):.2f} s")
    fault = _kernel_fault(flight, "kernel_not_finite", "not finite")
    return fault or _no_commands(flight) or _pass("every command is finite")


def _in_range(flight: FlightRecord) -> Result:
    for name, values, low, high, _, lsb in commands(flight):
        margin = 0.5 * lsb + TOLERANCE
        outside: Flags = ~((values >= low - margin) & (values <= high + margin))
        bad = first_true(outside.any(axis=1))
        if bad is not None:
            value = values[bad][int(np.argmax(outside[bad]))]
            return _fail(f"{name} = {value:g} at t = {flight.t_s(bad):.2f} s is outside {low:g} to {high:g}")
    request = flight.part("command", "request")
    unknown: Flags = (request < 0) | (request >= len(REQUESTS))
    bad = first_true(unknown.any(axis=1))
    if bad is not None:
        return _fail(f"an unknown request was sent at t = {flight.t_s(bad):.2f} s")
    fault = _kernel_fault(flight, "kernel_out_of_range", "out of range")
    return fault or _no_commands(flight) or _pass("every command is in range")


@dataclass(frozen=True, slots=True)
class Steps:
    """The steps of one command from frame to frame; arrays of shape (frame, channel)."""

    name: str
    rate: float
    """What is allowed a second."""
    taken: npt.NDArray[np.float64]
    allowed: npt.NDArray[np.float64]
    judged: Flags


def steps(flight: FlightRecord) -> Iterator[Steps]:
    """Yield the steps between two frames in both of which the engine is asked to start or to run.

    This is about what goes to the boards: a kernel may ask for a step and leave the ramp to the flight
    computer, which enforces the rate limits.
    Shutting an engine down is not limited: its valve board closes the valves at its own pace.  Nor is the
    first command of a flight computer that was away, since it may not know what it commanded before.  On the
    wall clock bench and computer keep their own time, and two of the computer's frames may fall into
    one of the bench's: then a step may be as large as two frames allow.  Where frames got lost, a step is
    that from the last command heard: as large as the frames since then allow.
    """
    heard = flight.computer_frames
    frame_s = flight.frame_s * (2.0 if flight.own_clocks else 1.0)
    running = flight.asked_to_run[:heard]
    both = running[1:] & running[:-1]
    back = _computer_is_back(flight)[1:heard]
    since = _frames_since_heard(flight)[1:heard]
    for name, values, _, _, rate, lsb in commands(flight):
        taken = np.abs(np.diff(values[:heard], axis=0))
        judged = np.broadcast_to(~back[:, None], taken.shape)
        allowed = np.full(taken.shape, rate * frame_s + lsb + TOLERANCE)
        if name in COMMANDS:
            judged = judged & both
            allowed = rate * frame_s * since + lsb + TOLERANCE
        yield Steps(name, rate, taken, allowed, judged)


def _in_rate(flight: FlightRecord) -> Result:
    """Judge every step of `steps`."""
    for step in steps(flight):
        over: Flags = (step.taken > step.allowed) & step.judged
        bad = first_true(over.any(axis=1))
        if bad is not None:
            got = step.rate * float(np.max((step.taken[bad] / step.allowed[bad])[over[bad]]))
            at = flight.t_s(bad + 1)
            return _fail(f"{step.name} moves {got:.3g}/s at t = {at:.2f} s (limit {step.rate:.3g}/s)")
    return _no_commands(flight) or _pass("every command is within its rate limit")


def _frames_since_heard(flight: FlightRecord) -> npt.NDArray[np.int64]:
    """For each frame and engine: how many frames before it a command was heard last, 1 where none is lost."""
    fresh = flight.part("command", "fresh") > 0
    number = np.arange(len(fresh))[:, None]
    last = np.maximum.accumulate(np.where(fresh, number, 0), axis=0)
    spans: npt.NDArray[np.int64] = number - np.vstack((np.zeros_like(last[:1]) - 1, last[:-1]))
    return spans


def _computer_is_back(flight: FlightRecord) -> Flags:
    """For each frame: the flight computer speaks in it, after a silence of _AWAY_FRAMES at the least."""
    speaks = np.flatnonzero(flight.part("command", "fresh").any(axis=1))
    back = np.zeros(len(flight.frames), bool)
    back[speaks[1:][np.diff(speaks) > _AWAY_FRAMES]] = True
    return back


# ---- engines


def _detected(flight: FlightRecord) -> Result:
    if not flight.failures:
        return _not_exercised("no running engine failed")
    limit = flight.count(DETECTED_WITHIN_S)
    told = []
    for failure in flight.failures:
        name, at = flight.engine(failure.slot), flight.t_s(failure.failed)
        if failure.detected is None:
            if not flight.had_to_be_detected(failure, limit):
                continue
            return _fail(f"{name} failed at t = {at:.2f} s and was never detected")
        late = failure.detected - failure.failed
        text = f"{name} failed at t = {at:.2f} s and was detected {flight.ms(late)} later"
        if late > limit:
            return _fail(f"{text} (limit {DETECTED_WITHIN_S * 1e3:.0f} ms)")
        told.append(text)
    return _pass("; ".join(told)) if told else _not_exercised("the flight ended before a detection was due")


def _no_false_detection(flight: FlightRecord) -> Result:
    if flight.ignition is None:
        return _not_exercised("no engine was started")
    for slot, held in flight.losses:
        if not _something_wrong(flight, slot, held):
            name, at = flight.engine(slot), flight.t_s(held)
            return _fail(f"{name}, healthy, was taken for failed at t = {at:.2f} s")
    return _pass("no healthy engine was taken for failed")


def _something_wrong(flight: FlightRecord, slot: int, held: int) -> bool:
    """Tell whether anything visible was wrong with the engine or its board when it was given up."""
    before = slice(max(0, held - flight.count(0.5)), held + 1)
    silent = flight.part("status", "fresh")[before, slot] == 0
    faulty = (flight.part("status", "fault")[before, slot] != 0) | (
        flight.part("status", "state")[before, slot] == ENGINE_STATES.index("FAULT")
    )
    not_lit = (flight.part("truth", "lit")[held, slot] == 0) and bool(flight.asked_to_run[before, slot].any())
    low = flight.too_low[before, slot]
    # in the frame in which it is given up it is told something else already
    until = slice(before.start, held)
    lasting = any(_lasts(off) for off in (_disobeys(flight, slot, until), _aslant(flight, slot, until)))
    return bool(
        silent.any() or faulty.any() or low.any() or not_lit or lasting or _misread(flight, slot, before)
    )


def _lasts(off: npt.NDArray[np.bool_]) -> bool:
    """Tell whether something is so in each of the last frames of a window, or in most of it."""
    return len(off) >= _LASTING_FRAMES and bool(off[-_LASTING_FRAMES:].all() or off.mean() > 0.5)


def _misread(flight: FlightRecord, slot: int, window: slice) -> bool:
    """Tell whether a sensor of the engine said something else than was true: nobody could know better."""
    full_pa = flight.vehicle.engine.chamber_pa
    allowed = {"chamber_pa": _MISREAD * full_pa, "gimbal_x_rad": _MISREAD_RAD, "gimbal_y_rad": _MISREAD_RAD}
    for name in ("chamber_pa", "ox_valve_pos", "fuel_valve_pos", "gimbal_x_rad", "gimbal_y_rad"):
        said, true = (flight.part(record, name)[window, slot] for record in ("sensor", "truth"))
        if not bool((np.abs(said - true) <= allowed.get(name, _MISREAD)).all()):  # so that NaN is wrong too
            return True
    return False


def _disobeys(flight: FlightRecord, slot: int, window: slice) -> npt.NDArray[np.bool_]:
    """For each frame: a valve or gimbal is not where it was told to be, or the pressure above the valves'."""
    off = flight.part("truth", "chamber_pa")[window, slot] > _HIGH_PRESSURE * np.maximum(
        flight.part("truth", "chamber_expected_pa")[window, slot],
        flight.vehicle.engine.throttle_floor * flight.vehicle.engine.chamber_pa,
    )
    for part, unit, told, allowed in (
        ("ox_valve", "_pos", "_cmd", _VALVE_OFF),
        ("fuel_valve", "_pos", "_cmd", _VALVE_OFF),
        ("gimbal_x", "_rad", "_cmd_rad", _GIMBAL_OFF_RAD),
        ("gimbal_y", "_rad", "_cmd_rad", _GIMBAL_OFF_RAD),
    ):
        command = flight.part("command", part + told)[window, slot]
        off |= np.abs(flight.part("truth", part + unit)[window, slot] - command) > allowed
    return np.asarray(off, bool)


def _aslant(flight: FlightRecord, slot: int, window: slice) -> npt.NDArray[np.bool_]:
    """For each frame: the engine burns alone, and pushes elsewhere than its gimbal points."""
    truth = flight.frames["truth"][window]
    burns = truth["thrust_n"] > _BURNS * flight.vehicle.engine.thrust_sl_n
    alone = burns[:, slot] & (burns.sum(axis=1) == 1)
    force = truth["force_body_mps2"]
    off = np.zeros(len(truth), bool)
    for axis, name in enumerate(("gimbal_x_rad", "gimbal_y_rad")):
        off |= np.abs(np.arctan2(force[:, axis], force[:, 2]) - truth[name][:, slot]) > _ASLANT_RAD
    return np.asarray(off & alone, bool)


def _reallocated(flight: FlightRecord) -> Result:
    limit = flight.count(REALLOCATED_WITHIN_S)
    share = flight.shares
    told = []
    for slot, held in flight.losses:
        window = slice(held, held + limit + 1)
        rest = share[window]
        # engines that had been shut down for good before cannot take over
        left = flight.asked_to_run[max(0, held - 1)] & ~flight.held_failed[window]
        left[:, slot] = False
        nobody_left = ~left.any(axis=1)
        done = first_true(~rest[:, slot] & (rest.any(axis=1) | nobody_left))
        name, at = flight.engine(slot), flight.t_s(held)
        if done is None:
            if held + limit >= flight.computer_frames:
                continue
            return _fail(f"the share of {name}, lost at t = {at:.2f} s, was not re-allocated within 100 ms")
        if rest[done].any():
            told.append(f"the share of {name} was re-allocated {flight.ms(done)} after its detection")
        else:
            told.append(f"the share of {name} was dropped: no other engine was left to take it")
    return _pass("; ".join(told)) if told else _not_exercised("no engine was held for failed")


def _no_dead_command(flight: FlightRecord) -> Result:
    seen = False
    heard = flight.computer_frames
    request = flight.part("command", "request")[:heard]
    for slot in flight.slots:
        seen |= bool(flight.given_up(slot))
        held = flight.held_failed[:heard, slot].copy()
        held[1:] &= held[:-1]  # not yet in the first frame
        first = first_true(held & (request[:, slot] != _SAFE) & (request[:, slot] != _SHUTDOWN))
        if first is not None:
            at = flight.t_s(first)
            return _fail(f"{flight.engine(slot)}, held for failed, was commanded at t = {at:.2f} s")
    if not seen:
        return _not_exercised("no engine was held for failed")
    return _pass("engines held for failed were told to shut down and nothing else")


# ---- keep-out, valves, work


def _keep_out(flight: FlightRecord) -> Result:
    radius = flight.vehicle.guidance.keep_out_radius_m
    miss = flight.touchdown["miss_m"]
    if miss is None:
        return _not_exercised("the stage did not come down")
    limits = flight.vehicle.requirements
    landed = all(
        (value := flight.touchdown[key]) is not None and value <= float(getattr(limits, key))
        for key in ("vertical_speed_mps", "lateral_speed_mps", "tilt_deg", "rate_degps", "miss_m")
    )
    if landed:
        return _not_exercised("the stage landed")
    if miss > radius:
        return _pass(f"the stage came down {miss:.0f} m from the pad's centre, outside {radius:g} m")
    return _not_exercised(
        f"the stage came down {miss:.0f} m from the pad's centre, inside {radius:g} m; whether clearing was "
        "still possible at the fault is not judged yet"
    )


def _open_valves(flight: FlightRecord, index: int) -> list[str]:
    limit = flight.vehicle.valve_board.closed_pos
    return [
        f"{word} valve of {flight.engine(slot)} at {position:.3f}"
        for slot in flight.slots
        for word, name in (("oxidiser", "ox_valve_pos"), ("fuel", "fuel_valve_pos"))
        if (position := float(flight.part("truth", name)[index, slot])) > limit
    ]


def closing_moments(flight: FlightRecord) -> list[int]:
    """Return the last frame; after a landing also the last one with commands: nobody had to help."""
    moments = [len(flight.frames) - 1]
    if flight.rest is not None and flight.computer_frames > flight.rest:
        moments.insert(0, flight.computer_frames - 1)
    return moments


def _closed_at_end(flight: FlightRecord) -> Result:
    if len(flight.frames) == 0:
        return _not_exercised("nothing was recorded")
    for index in closing_moments(flight):
        still_open = _open_valves(flight, index)
        if still_open:
            return _fail(f"at t = {flight.t_s(index):.2f} s: {', '.join(still_open)}")
    return _pass("every valve is closed at the end")


def _closed_on_loss(flight: FlightRecord) -> Result:
    told = 0
    for slot in flight.slots:
        for last, until in _losses(flight, slot):
            result = _judge_loss(flight, slot, last, until)
            if result is not None:
                return _fail(result)
            told += 1
    if told == 0:
        return _not_exercised("no valve board with open valves went without commands for 50 ms")
    return _pass(f"valve boards closed by themselves after {told} losses of command")


def _losses(flight: FlightRecord, slot: int) -> Iterator[tuple[int, int]]:
    """Yield (last frame with a command, end of the silence) where valves were open and silence lasted."""
    fresh = np.flatnonzero(flight.part("command", "fresh")[:, slot] != 0)
    ends = np.append(fresh, len(flight.frames))[1:]
    limit = flight.vehicle.valve_board.closed_pos
    long = ends - fresh > flight.count(CLOSES_WITHIN_S) + 1
    for last, until in zip(fresh[long], ends[long], strict=True):
        heard = flight.part("status", "fresh")[last + 1 : last + 2 + flight.count(CLOSES_WITHIN_S), slot]
        if not heard.any():
            continue  # the board itself is dead: there is nobody to close anything
        positions = [flight.part("truth", f"{valve}_valve_pos")[last, slot] for valve in ("ox", "fuel")]
        if max(positions) > limit and (until - last) * flight.frame_s > WATCHDOG_S:
            yield int(last), int(until)


def _judge_loss(flight: FlightRecord, slot: int, last: int, until: int) -> str | None:
    """Return what went wrong after the last command, None when the board did what it has to do."""
    board, limit = flight.vehicle.valve_board, flight.vehicle.valve_board.closed_pos
    name, at = flight.engine(slot), flight.t_s(last)
    # a command takes one frame over the wire: the board last heard it one frame after it was sent
    due = last + 1 + flight.count(CLOSES_WITHIN_S)
    if until <= due:
        return None
    positions = np.stack([flight.part("truth", f"{v}_valve_pos")[:, slot] for v in ("ox", "fuel")], axis=1)
    drives = np.stack([flight.part("actuator", f"{v}_drive")[:, slot] for v in ("ox", "fuel")], axis=1)
    closing = (drives[last + 1 : due + 1] < 0.0).any() or positions[due].max() <= limit
    state = flight.part("status", "state")[last + 1 : due + 2, slot]
    if not (closing or np.isin(state, _SHUTTING).any()):
        return f"{name} heard no command after t = {at:.2f} s and did not start to close within 60 ms"
    through = due + flight.count(board.shutdown_gap_s + board.stroke_time_s)
    if through < until and positions[through].max() > limit:
        return f"{name} heard no command after t = {at:.2f} s and was not closed after its sequence"
    return None


def _work_bound(flight: FlightRecord) -> Result:
    instructions, most = flight.timing["step_instructions"].max(initial=0), flight.step_instructions_max
    if most is not None and instructions > most:
        return _fail(f"{instructions:,} instructions in a step, bound {most:,}")
    bound = flight.work_bound
    if bound == 0:
        return _not_exercised("the kernel states no bound of its work")
    work = np.where(flight.part("telemetry", "fresh") != 0, flight.part("telemetry", "work"), -1)
    worst = int(np.max(work, initial=-1))
    if worst < 0:
        return _not_exercised("there was no telemetry")
    at = flight.t_s(int(np.argmax(work)))
    if worst > bound:
        count = int(np.count_nonzero(work > bound))
        return _fail(f"work above its bound of {bound} in {count} frames, most at t = {at:.2f} s: {worst}")
    return _pass(f"at most {worst} of {bound} in a step, at t = {at:.2f} s")


CHECKS: Final[dict[str, Callable[[FlightRecord], Result]]] = {
    **{r.id: _touchdown(r.key) for r in REQUIREMENTS if r.key is not None},
    "TD-STANDS": _stands,
    "CMD-FINITE": _finite,
    "CMD-RANGE": _in_range,
    "CMD-RATE": _in_rate,
    "ENG-DETECT": _detected,
    "ENG-FALSE": _no_false_detection,
    "ENG-SHARE": _reallocated,
    "ENG-DEAD": _no_dead_command,
    "KEEP-OUT": _keep_out,
    "VALVE-END": _closed_at_end,
    "VALVE-LOSS": _closed_on_loss,
    "WORK-BOUND": _work_bound,
}
"""How each requirement is judged, by its id."""
