"""What thrust a case leaves of each engine, second by second: measured in the plant, never modelled twice.

Engines are started together in a plant with the case's faults and more propellant than they can burn, once
with all valves open and once with all valves at the throttle floor.  Whatever a fault does to valves, pumps,
injectors, igniters or boards is in what comes out.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from hil.faults.case import Case, FaultSpec
from hil.plant.vehicle import Vehicle
from hil.search.oracle_engines import Sequencer
from hil.search.oracle_world import FRAME_S, World

__all__ = ["Bound", "Traces", "envelope", "measure", "timed"]

Array = npt.NDArray[np.float64]

PLENTY_KG: Final = 80_000.0
SAMPLE_FRAMES: Final = 5
SPARING: Final = (0.85, 0.7, 0.6)
"""Openings that are tried for engines that do not bear being run wide open."""


@dataclass(frozen=True)
class Traces:
    """Thrust of each engine that was started at `ignition_s`, in samples of `step_s` from then on, N."""

    ignition_s: float
    step_s: float
    low_n: Array
    """At the throttle floor, shape (engines, samples)."""
    high_n: Array
    """With all valves as far open as the engine may be run."""
    most: Array | None = None
    """That opening, one value for each engine; None: 1."""

    def mean(self, values: Array, start_s: Array, end_s: Array) -> Array:
        """Return means of thrusts (engines, samples) between times (absolute), shape (engines, n).

        Beyond the last sample thrust stays what it was.
        """
        count = values.shape[1]
        total = np.concatenate([np.zeros((len(values), 1)), np.cumsum(values, axis=1)], axis=1)

        def upto(t_s: Array) -> Array:
            place = np.maximum((t_s - self.ignition_s) / self.step_s, 0.0)
            at = np.arange(count + 1)
            beyond = np.maximum(place - count, 0.0)
            within = np.stack([np.interp(place, at, row) for row in total])
            result: Array = within + values[:, -1:] * beyond
            return result

        width = np.maximum((end_s - start_s) / self.step_s, 1e-6)
        means: Array = (upto(end_s) - upto(start_s)) / width
        return means


def timed(case: Case, crossing: Callable[[float], float]) -> Case:
    """Return the case with triggers by time for those by height; `crossing(height_m)` is the time, s."""
    faults = []
    for fault in case.fault:
        if fault.below_alt_m is not None:
            at_s = min(max(crossing(fault.below_alt_m), 0.0), 600.0)
            fault = _at(fault, at_s)
        faults.append(fault)
    return case.model_copy(update={"fault": tuple(faults)})


def _at(fault: FaultSpec, at_s: float) -> FaultSpec:
    return fault.model_copy(update={"below_alt_m": None, "at_s": at_s})


def measure(
    case: Case, vehicle: Vehicle, lit: tuple[int, ...], ignition_s: float, span_s: float,
    held: dict[int, float] | None = None, *, spared: bool = False,
) -> Traces:  # fmt: skip
    """Return the thrusts of the engines in the slots `lit`; a case with triggers by time only (`timed`).

    `held`: the opening of engines that are not throttled.  `spared`: an engine that is lost at an opening
    and not at the floor (its pump races and trips) is never run that far open.
    """
    initial = case.initial.model_copy(update={"propellant_kg": PLENTY_KG})
    plenty = case.model_copy(update={"initial": initial})
    low = _probe(plenty, vehicle, lit, ignition_s, span_s, vehicle.engine.throttle_floor, held=held)
    high = _probe(plenty, vehicle, lit, ignition_s, span_s, 1.0, held=held)
    most = np.ones(len(high))
    for opening in SPARING if spared else ():
        lost = high[:, -1] < 0.5 * low[:, -1]
        if not lost.any():
            break
        less = _probe(plenty, vehicle, lit, ignition_s, span_s, opening, held=held)
        high, most = np.where(lost[:, None], less, high), np.where(lost, opening, most)
    lost = high[:, -1] < 0.5 * low[:, -1]
    high = np.where(lost[:, None] & spared, low, high)
    most = np.where(lost & spared, vehicle.engine.throttle_floor, most)
    return Traces(ignition_s, SAMPLE_FRAMES * FRAME_S, np.minimum(low, high), high, most)


def _probe(
    case: Case, vehicle: Vehicle, lit: tuple[int, ...], ignition_s: float, span_s: float, valve: float,
    wait_s: float = 0.0, held: dict[int, float] | None = None,
) -> Array:  # fmt: skip
    world = World(case, vehicle, 0, "oracle")
    sequencer = Sequencer(world)
    idle = [0.0] * world.engines
    valves = [(held or {}).get(slot, valve) for slot in range(world.engines)]
    while world.t_s < ignition_s - 1e-9:
        world.advance()
    world.ask(lit[0], starting=True)  # the landing ignition, whenever engines follow
    rows: list[list[float]] = []
    for number in range(round(span_s / FRAME_S)):
        state = world.state()
        if number == round(wait_s / FRAME_S):
            for slot in lit:
                sequencer.start(slot, state.t_s)
        if number % SAMPLE_FRAMES == 0:
            rows.append(state.thrust)
        sequencer.drive(state, valves, idle, idle)
        world.advance()
    return np.array(rows).T


@dataclass(frozen=True)
class Bound:
    """The most thrust that any way of running each engine gave, by absolute time."""

    t_s: Array
    most_n: Array
    """Shape (engines, samples), at the ambient pressure of the ground."""

    def later(self, wide_s: float) -> Array:
        """Return the most thrust from each moment on, or up to `wide_s` before it, (engines, samples)."""
        step = float(self.t_s[1] - self.t_s[0])
        reach = round(wide_s / step)
        ahead = np.flip(np.maximum.accumulate(np.flip(self.most_n, axis=1), axis=1), axis=1)
        if reach == 0:
            return ahead
        count = ahead.shape[1]
        shifted = np.maximum(np.arange(count) - reach, 0)
        result: Array = ahead[:, shifted]
        return result


def envelope(case: Case, vehicle: Vehicle, ignition_s: float, span_s: float) -> Bound:
    """Return the most thrust of each engine for a first ignition at `ignition_s`; triggers by time only.

    Engines are run at four openings, started at once, and started after the last fault.
    """
    initial = case.initial.model_copy(update={"propellant_kg": PLENTY_KG, "pos_pad_m": (0.0, 0.0, 0.0)})
    plenty = case.model_copy(update={"initial": initial})
    every = tuple(range(len(vehicle.landing_engines)))
    onsets = [
        (f.at_s or 0.0) if f.after_ignition_s is None else ignition_s + f.after_ignition_s for f in case.fault
    ]
    starts = [0.0]
    if onsets and 0.0 < max(onsets) - ignition_s < span_s:
        starts.append(max(onsets) - ignition_s + 0.05)
    floor = vehicle.engine.throttle_floor
    openings = (1.0, 0.85, 0.7, floor) if case.fault else (1.0,)
    rows = [
        _probe(plenty, vehicle, every, ignition_s, span_s, opening, wait_s)
        for wait_s in starts
        for opening in openings
    ]
    most = np.max(np.array(rows), axis=0)
    step = SAMPLE_FRAMES * FRAME_S
    return Bound(ignition_s + step * np.arange(most.shape[1]), most)
