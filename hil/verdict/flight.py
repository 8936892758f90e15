"""A recording as the verdict looks at it: signals, data sheet, and the events that several checks need."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from hil.files import parse_toml
from hil.plant.vehicle import Vehicle
from hil.signals import ENGINE_STATES, REQUESTS
from hil.tape import Recording
from hil.verdict.metrics import first_true, ignition_index, touchdown
from hil.verdict.requirements import FAILED_FOR_S, FAILED_FRACTION

__all__ = ["MAINSTAGE", "RUN", "START", "Failure", "Flags", "FlightRecord"]

START: Final = REQUESTS.index("START")
RUN: Final = REQUESTS.index("RUN")
MAINSTAGE: Final = ENGINE_STATES.index("MAINSTAGE")

Flags = npt.NDArray[np.bool_]

_JUDGED_ABOVE: Final = 0.10
"""Expected chamber pressure, as a fraction of the full one, below which an engine is not running."""


@dataclass(frozen=True, slots=True)
class Failure:
    """A running engine whose chamber was too low for long enough; indices are frames."""

    slot: int
    since: int
    """First frame with too low a chamber pressure."""
    failed: int
    """Frame in which it had been too low for FAILED_FOR_S."""
    detected: int | None
    """First frame from `since` on in which the kernel holds the engine for failed."""


@lru_cache(maxsize=4)
def _vehicle(toml: str) -> Vehicle:
    return parse_toml(toml, "vehicle of the tape", Vehicle)


class FlightRecord:
    """A recording with its vehicle; everything else is derived from the frames."""

    def __init__(self, tape: Recording) -> None:
        self.frames = tape.frames
        self.info = tape.info
        self.timing = tape.timing
        self.step_instructions_max: int | None = tape.info.get("step_instructions_max")
        self.vehicle = _vehicle(str(tape.info["vehicle_toml"]))
        self.frame_s = int(tape.info["frame_ns"]) * 1e-9
        self.engine_numbers = list(self.vehicle.landing_engines)
        self.time_limit_s = float(tape.info["time_limit_s"])
        self.work_bound = int(tape.info.get("work_bound", 0))
        """Most work of a step by the kernel's own account, in its own unit; 0: it states none."""

    def part(self, record: str, field: str) -> npt.NDArray[Any]:
        """Return one field of a record for all frames."""
        values: npt.NDArray[Any] = self.frames[record][field]
        return values

    @cached_property
    def slots(self) -> range:
        """Slots of the engines of the burn."""
        return range(len(self.engine_numbers))

    def engine(self, slot: int) -> str:
        """Return how the engine in `slot` is called."""
        return f"engine {self.engine_numbers[slot]}"

    def t_s(self, index: int) -> float:
        """Return the time of frame number `index`, s."""
        return float(self.frames["t_ns"][index]) * 1e-9

    def ms(self, frames: int) -> str:
        """Return a number of frames as text in ms."""
        return f"{frames * self.frame_s * 1e3:.0f} ms"

    def count(self, seconds: float) -> int:
        """Return how many frames `seconds` are (rounded to the nearest, at least 1)."""
        return max(1, round(seconds / self.frame_s))

    @cached_property
    def touchdown(self) -> dict[str, float | None]:
        """The numbers of the touchdown."""
        return touchdown(self.frames)

    @cached_property
    def contact(self) -> int | None:
        """First frame with a leg on the ground."""
        return first_true(self.part("truth", "contact") != 0)

    @cached_property
    def rest(self) -> int | None:
        """First frame in which the stage is at rest."""
        return first_true(self.part("truth", "at_rest") != 0)

    @cached_property
    def ignition(self) -> int | None:
        """First frame with a START request on the wire."""
        return ignition_index(self.frames)

    @cached_property
    def completed(self) -> bool:
        """True when the flight was flown to its end: the stage at rest, or the time limit reached."""
        return self.rest is not None or len(self.frames) * self.frame_s >= self.time_limit_s - 1e-9

    @property
    def own_clocks(self) -> bool:
        """True when bench and boards kept their own time: a flight on the wall clock."""
        return bool(self.info.get("pace") == "wall")

    @cached_property
    def computer_frames(self) -> int:
        """Number of frames up to the last one in which the flight computer spoke."""
        fresh = np.flatnonzero(self.part("command", "fresh").any(axis=1))
        return int(fresh[-1]) + 1 if len(fresh) else 0

    @cached_property
    def asked_to_run(self) -> Flags:
        """For each frame and slot: the engine is commanded to start or to run."""
        request = self.part("command", "request")
        running: Flags = (request == START) | (request == RUN)
        return running

    @cached_property
    def held_failed(self) -> Flags:
        """For each frame and slot: the kernel holds the engine for failed."""
        held: Flags = self.part("telemetry", "engine_failed") != 0
        return held

    @cached_property
    def shares(self) -> Flags:
        """For each frame and slot: the kernel reports that the engine takes part."""
        shares: Flags = self.part("telemetry", "engine_share") != 0
        return shares

    def given_up(self, slot: int) -> list[int]:
        """Return the frames from which on the kernel holds an engine for failed; one may be taken back."""
        held = self.held_failed[:, slot]
        return np.flatnonzero(held & ~np.concatenate(([False], held[:-1]))).tolist()

    @cached_property
    def losses(self) -> list[tuple[int, int]]:
        """Return slot and frame each time an engine is given up, in slot order."""
        return [(slot, held) for slot in self.slots for held in self.given_up(slot)]

    @cached_property
    def too_low(self) -> Flags:
        """For each frame and slot: the chamber is below FAILED_FRACTION of what its valves should give."""
        expected = self.part("truth", "chamber_expected_pa")
        judged = expected > _JUDGED_ABOVE * self.vehicle.engine.chamber_pa
        low: Flags = judged & (self.part("truth", "chamber_pa") < FAILED_FRACTION * expected)
        return low

    @cached_property
    def failures(self) -> tuple[Failure, ...]:
        """Engines that failed while they ran, in slot order.

        An engine runs from the first MAINSTAGE its board reports, while it is asked to; one that
        has not lit yet is the start sequence's business.
        """
        found = (self._failure(slot) for slot in self.slots)
        return tuple(failure for failure in found if failure is not None)

    def had_to_be_detected(self, failure: Failure, within: int) -> bool:
        """Tell whether the flight computer went on for `within` frames and asked the engine to run."""
        due = failure.failed + within
        asked = self.asked_to_run[failure.failed : due + 1, failure.slot]
        return due < self.computer_frames and bool(asked.all())

    def _failure(self, slot: int) -> Failure | None:
        started = first_true(self.part("status", "state")[:, slot] == MAINSTAGE)
        if started is None:
            return None
        low = self.too_low[:, slot] & self.asked_to_run[:, slot]
        low[:started] = False
        low &= self.part("status", "state")[:, slot] == MAINSTAGE  # lit again, it starts as it did at first
        frames = self.count(FAILED_FOR_S)
        lasting = low.copy()
        for shift in range(1, frames + 1):
            lasting[shift:] &= low[:-shift]
            lasting[:shift] = False
        failed = first_true(lasting)
        if failed is None:
            return None
        since = failed - frames
        detected = first_true(self.held_failed[since:, slot])
        return Failure(slot, since, failed, None if detected is None else since + detected)
