"""What happened, in plain sentences in the order of time, from recorded signals alone."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import numpy as np

from hil.signals import ENGINE_STATES, FLIGHT_MODES
from hil.verdict.flight import FlightRecord
from hil.verdict.metrics import first_true

__all__ = ["findings"]

_SILENT_FRAMES: Final = 5
_WEAK_FRACTION: Final = 0.95
_REST: Final = {
    1: "stands",
    2: "tipped over",
    3: "crashed",
    4: "stands on crushed legs",
    5: "stands off the pad",
}

Finding = tuple[int, str]


def findings(flight: FlightRecord) -> list[str]:
    """Return what happened, one sentence each; every sentence begins with its time."""
    if len(flight.frames) == 0:
        return ["nothing was recorded"]
    found: list[Finding] = []
    for tell in (_modes, _weak_engines, _late_engines, _failures, _detections, _silences, _ground, _computer):
        found += tell(flight)
    found.sort(key=lambda item: item[0])
    return [f"t = {flight.t_s(index):.2f} s: {text}" for index, text in found]


def _modes(flight: FlightRecord) -> Iterator[Finding]:
    mode = flight.part("telemetry", "mode")
    for change in map(int, np.flatnonzero(np.diff(mode))):
        before, after = (FLIGHT_MODES[int(mode[index])] for index in (change, change + 1))
        yield change + 1, f"mode {before} -> {after}"
    if flight.ignition is not None:
        height = float(flight.part("truth", "pos_pad_m")[flight.ignition, 2])
        yield flight.ignition, f"landing-burn ignition commanded at {height:.0f} m"


def _failures(flight: FlightRecord) -> Iterator[Finding]:
    for failure in flight.failures:
        name = flight.engine(failure.slot)
        yield failure.since, f"{name} fails: chamber pressure below 70 % of what its valves should give"


def _weak_engines(flight: FlightRecord) -> Iterator[Finding]:
    """Tell of engines that settled between FAILED_FRACTION and _WEAK_FRACTION of what is expected."""
    failed = {failure.slot for failure in flight.failures}
    expected, chamber = flight.part("truth", "chamber_expected_pa"), flight.part("truth", "chamber_pa")
    running = (expected > 0.2 * flight.vehicle.engine.chamber_pa) & flight.asked_to_run
    for slot in flight.slots:
        weak = running[:, slot] & ~flight.too_low[:, slot]
        weak &= chamber[:, slot] < _WEAK_FRACTION * expected[:, slot]
        if slot in failed or weak.sum() * flight.frame_s < 0.5:
            continue
        start = first_true(weak)
        assert start is not None
        level = float(np.median(chamber[weak, slot] / expected[weak, slot]))
        yield (
            start,
            f"{flight.engine(slot)} is weak: its chamber gives about {100 * level:.0f} % of what it should",
        )


def _late_engines(flight: FlightRecord) -> Iterator[Finding]:
    """Tell how late an engine lit against what a healthy one would have done with the same valves."""
    expected = flight.part("truth", "chamber_expected_pa") > 0.05 * flight.vehicle.engine.chamber_pa
    lit = flight.part("truth", "lit") != 0
    for slot in flight.slots:
        due, done = first_true(expected[:, slot]), first_true(lit[:, slot])
        if due is None:
            continue
        if done is None:
            yield due, f"{flight.engine(slot)} should have lit here and never did"
        elif (done - due) * flight.frame_s > 0.1:
            late = (done - due) * flight.frame_s
            yield done, f"{flight.engine(slot)} lights {late:.2f} s later than a healthy engine"


def _detections(flight: FlightRecord) -> Iterator[Finding]:
    failed_at = {(failure.slot, failure.detected): failure.failed for failure in flight.failures}
    share = flight.shares
    for slot, held in flight.losses:
        after = ""
        if (slot, held) in failed_at:
            after = f", {flight.ms(held - failed_at[slot, held])} after it had been too low for 20 ms"
        yield held, f"the flight computer holds {flight.engine(slot)} for failed{after}"
        without = first_true(~share[held:, slot])
        if without is not None:
            rest = [flight.engine(other) for other in flight.slots if share[held + without, other]]
            heirs = ", ".join(rest) if rest else "nobody: no engine is left"
            yield held + without, f"the share of {flight.engine(slot)} goes to {heirs}"
        back = first_true(~flight.held_failed[held : flight.computer_frames, slot])
        if back is not None:
            yield held + back, f"the flight computer takes {flight.engine(slot)} back"


def _silences(flight: FlightRecord) -> Iterator[Finding]:
    fresh = flight.part("status", "fresh") != 0
    for slot in flight.slots:
        spoken = np.flatnonzero(fresh[:, slot])
        last = int(spoken[-1]) if len(spoken) else -1
        if len(flight.frames) - 1 - last < _SILENT_FRAMES:
            continue
        name = f"valve board of {flight.engine(slot)}"
        state = ENGINE_STATES[int(flight.part("status", "state")[max(last, 0), slot])]
        yield last + 1, f"the {name} is silent from here on (its last state: {state})"


def _ground(flight: FlightRecord) -> Iterator[Finding]:
    touch = flight.touchdown
    if flight.contact is not None:
        where = f"touchdown {touch['miss_m']:.1f} m from the pad's centre"
        how = f"{touch['vertical_speed_mps']:.1f} m/s down, {touch['lateral_speed_mps']:.1f} m/s across"
        yield flight.contact, f"{where}, {how}, tilt {touch['tilt_deg']:.1f} deg"
    if flight.rest is not None:
        state = int(flight.part("truth", "at_rest")[flight.rest])
        yield flight.rest, f"the stage {_REST.get(state, 'is at rest')}"


def _computer(flight: FlightRecord) -> Iterator[Finding]:
    heard = flight.computer_frames
    if heard == 0:
        yield 0, "the flight computer sends no command"
    elif len(flight.frames) - heard >= _SILENT_FRAMES:
        yield heard, "the flight computer is stopped or silent; the valve boards are on their own"
