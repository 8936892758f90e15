"""How far every requirement is from breaking: robustness as in signal temporal logic.

The robustness of a predicate `value <= limit` is (limit - value) / limit; "always" takes the least over
time, "and" the least over its parts (Donze and Maler 2010, Robust satisfaction of temporal logic over
real-valued signals, section 3; here every predicate is divided by its limit, so that the numbers of
different requirements can be compared).  Positive: the requirement holds with so much to spare;
negative: it is broken by so much; None: the flight did not exercise it.

The verdict decides the sign, the size is read from the same signals.  A requirement whose predicate has
no size (a command is finite or it is not) has +1 or -1.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Final

import numpy as np

from hil.verdict.checks import TOLERANCE, Result, closing_moments, commands, steps
from hil.verdict.flight import FlightRecord
from hil.verdict.metrics import first_true
from hil.verdict.requirements import DETECTED_WITHIN_S, REALLOCATED_WITHIN_S, REQUIREMENTS

__all__ = ["LEAST", "SIZES", "robustness"]

LEAST: Final = 1e-6
"""What a broken requirement is broken by at the least."""
_NEVER_DOWN_M: Final = 1000.0
"""A stage that never comes down breaks its touchdown by 1, and by 1 more for each of these metres."""


def robustness(flight: FlightRecord, results: Mapping[str, Result]) -> dict[str, float | None]:
    """Return the robustness of each requirement by its id; `results` are those of CHECKS."""
    return {r.id: _signed(flight, r.id, results[r.id]) for r in REQUIREMENTS}


def _signed(flight: FlightRecord, name: str, result: Result) -> float | None:
    if result.status == "not exercised":
        return None
    passed = result.status == "pass"
    sized = SIZES.get(name)
    size = None if sized is None else sized(flight)
    if size is None:
        return 1.0 if passed else -1.0
    return max(size, 0.0) if passed else min(size, -LEAST)


# ---- touchdown


def _touchdown(key: str) -> Callable[[FlightRecord], float | None]:
    def size(flight: FlightRecord) -> float | None:
        value, limit = flight.touchdown[key], float(getattr(flight.vehicle.requirements, key))
        if value is None:
            return -1.0 - max(0.0, float(flight.part("truth", "pos_pad_m")[-1, 2])) / _NEVER_DOWN_M
        return (limit - value) / limit

    return size


def _stands(flight: FlightRecord) -> float | None:
    """Always, from the first touch on: the tilt below that of tipping, the impact below the crash speed."""
    first, legs = flight.contact, flight.vehicle.legs
    if first is None:
        return None
    truth = flight.frames["truth"]
    attitude = truth["q_pad_from_body"][first:]
    upright = 1.0 - 2.0 * (attitude[:, 1] ** 2 + attitude[:, 2] ** 2)
    tilt = np.arccos(np.clip(upright, -1.0, 1.0))
    # a stage tips when its centre of mass passes over the line between two neighbouring feet
    tipping = math.atan2(legs.radius_m * math.cos(math.pi / legs.count), float(truth["cm_z_m"][first]))
    speed = math.sqrt(float(np.sum(np.square(truth["contact_vel_pad_mps"][first]))))
    return min(1.0 - float(tilt.max()) / tipping, 1.0 - speed / legs.crash_speed_mps)


# ---- commands


def _range(flight: FlightRecord) -> float | None:
    """Always: every command inside its range, of the range; the counters of what was not let through."""
    out = int(flight.part("telemetry", "kernel_out_of_range").max(initial=0))
    if out:
        return -float(out)
    worst = math.inf
    for _, values, low, high, _, lsb in commands(flight):
        margin = 0.5 * lsb + TOLERANCE
        inside = np.minimum(values - (low - margin), (high + margin) - values)
        worst = min(worst, float(np.min(inside, initial=math.inf)) / (high - low))
    return worst if math.isfinite(worst) else None


def _rate(flight: FlightRecord) -> float | None:
    """Always, where a step is judged: at most what the rate limit allows."""
    worst = math.inf
    for step in steps(flight):
        spare = (step.allowed - step.taken) / step.allowed
        worst = min(worst, float(np.min(spare[step.judged], initial=math.inf)))
    return worst if math.isfinite(worst) else None


# ---- engines


def _detection(flight: FlightRecord) -> float | None:
    """For every failed engine: detected within the limit; so much of the limit was left."""
    limit = flight.count(DETECTED_WITHIN_S)
    last = flight.computer_frames
    late = [
        (last if failure.detected is None else failure.detected) - failure.failed
        for failure in flight.failures
        if failure.detected is not None or flight.had_to_be_detected(failure, limit)
    ]
    return (limit - max(late)) / limit if late else None


def _reallocation(flight: FlightRecord) -> float | None:
    """For every engine held for failed: out of the plan within the limit."""
    limit = flight.count(REALLOCATED_WITHIN_S)
    share = flight.shares
    worst = math.inf
    for slot, held in flight.losses:
        done = first_true(~share[held:, slot])
        late = len(share) - held if done is None else done
        worst = min(worst, (limit - late) / limit)
    return worst if math.isfinite(worst) else None


# ---- keep-out, valves, work


def _clear_of_the_pad(flight: FlightRecord) -> float | None:
    radius, miss = flight.vehicle.guidance.keep_out_radius_m, flight.touchdown["miss_m"]
    return None if miss is None else (miss - radius) / radius


def _closed(flight: FlightRecord) -> float | None:
    """At the end, and after a landing when the commands end: every valve within its closed position."""
    limit = flight.vehicle.valve_board.closed_pos
    ends = flight.frames["truth"][closing_moments(flight)]
    most = max(float(np.max(ends[f"{valve}_valve_pos"], initial=0.0)) for valve in ("ox", "fuel"))
    return (limit - most) / limit


def _work(flight: FlightRecord) -> float | None:
    """Always: the work of a step within its bound, of the bound."""
    sizes = []
    if flight.work_bound > 0:
        fresh = flight.part("telemetry", "fresh") != 0
        most = int(np.max(flight.part("telemetry", "work")[fresh], initial=0))
        sizes.append((flight.work_bound - most) / flight.work_bound)
    if flight.step_instructions_max:
        counted = int(flight.timing["step_instructions"].max(initial=0))
        sizes.append((flight.step_instructions_max - counted) / flight.step_instructions_max)
    return min(sizes) if sizes else None


SIZES: Final[dict[str, Callable[[FlightRecord], float | None]]] = {
    **{r.id: _touchdown(r.key) for r in REQUIREMENTS if r.key is not None},
    "TD-STANDS": _stands,
    "CMD-RANGE": _range,
    "CMD-RATE": _rate,
    "ENG-DETECT": _detection,
    "ENG-SHARE": _reallocation,
    "KEEP-OUT": _clear_of_the_pad,
    "VALVE-END": _closed,
    "WORK-BOUND": _work,
}
"""How much each requirement has to spare, where that has a size (None: here it has none)."""
