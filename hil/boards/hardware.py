"""Form `hardware`: a board outside, on the rig's wires; the bench believes what it reports."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Final

from hil.boards.common import BoardFaults, Role
from hil.boards.outputs import Seam
from hil.signals import ENGINE_STATES, Reality
from hil.signals.clocks import ClockMatch
from hil.wire.codec import BenchDecoder

__all__ = ["HardwareComputer", "HardwareValveBoard"]

STALE_FRAMES: Final = 10
"""A status older than this says nothing about whether a board is safe."""


_COUNTS: Final = 16
"""Values of a frame's COUNTER."""


class _Hardware:
    """What both kinds share: the bench can neither start nor end them."""

    role: Role
    backend = "hardware"
    reality: Reality = "real"

    def __init__(self, name: str) -> None:
        self.name = name
        self.faults = BoardFaults()

    def finish_frame(self) -> None:
        """Nothing to wait for: it runs on its own clock."""

    def counters(self) -> dict[str, int]:
        """Return nothing: what it has rejected is in its own reports."""
        return {}

    def close(self) -> None:
        """Nothing to end."""


class HardwareComputer(_Hardware):
    """The flight computer under test: hears navigation on its serial line; its fins are on no wire."""

    role: Role = "flight_computer"
    safe = True

    def __init__(self, name: str, nav: Callable[[], bytes], write: Callable[[bytes], object]) -> None:
        super().__init__(name)
        self._nav = nav
        self._write = write

    def start_frame(self, t_ns: int) -> None:  # noqa: ARG002 - it keeps its own time
        """Send it the navigation solution; raises RigError when its line is gone."""
        self._write(self._nav())


class HardwareValveBoard(_Hardware):
    """A real valve board: safe when it says so, on the bus, now."""

    role: Role = "engine_valve"

    def __init__(
        self, name: str, node: int, seam: Seam, decoder: BenchDecoder, closed_pos: float, frame_s: float
    ) -> None:
        super().__init__(name)
        self._seam = seam
        self._closed_pos = closed_pos
        self._age = STALE_FRAMES
        self._closed = False
        self.clock = ClockMatch()
        """The board's clock, counted in the frames that it has reported, against the bench's."""
        self._frame_s = frame_s
        self._counted = -1
        self._start_s = 0.0
        decoder.listen(f"ENGINE_{node}_STATUS", self._take)

    def _take(self, status: dict[str, float]) -> None:
        at_rest = max(status["ox_valve_pos"], status["fuel_valve_pos"]) <= self._closed_pos
        self._closed = ENGINE_STATES[int(status["state"])] == "SAFE" and at_rest
        self._age = 0
        now = time.monotonic()
        if self._counted < 0:
            self._counted, self._start_s = int(status["COUNTER"]), now
        self._counted += (int(status["COUNTER"]) - self._counted) % _COUNTS
        self.clock.note(now - self._start_s, self._counted * self._frame_s)

    def start_frame(self, t_ns: int) -> None:  # noqa: ARG002 - it keeps its own time
        """Take it for driving nothing until it reports what it drives."""
        self._age += 1
        self._seam.no_drive()

    @property
    def safe(self) -> bool:
        """True when its newest status, a few frames old at most, says SAFE with closed valves."""
        return self._closed and self._age <= STALE_FRAMES
