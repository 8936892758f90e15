"""The buses that the contract of a CAN bus is tried on; a further backend is one more entry of BACKENDS."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Protocol

import can
import pytest

from hil.boards.can_bits import measure_frames
from hil.sensors.streams import stream
from hil.wire.bus import VirtualBus
from hil.wire.controller import Disturbance
from hil.wire.medium import Medium
from tests.vcan import ON_VCAN

__all__ = ["BACKENDS", "FRAME_NS", "Backend", "Line", "hil_line"]

FRAME_NS = 10_000_000


class Line(Protocol):
    """A bus that stands ready, and what a test may do to it."""

    def join(self, **options: Any) -> can.BusABC:
        """Open one more end of the bus."""

    def turn(self, frames: int = 1) -> None:
        """Let what has been sent get through."""

    def ring(self, end: can.BusABC) -> None:
        """Let the stub of an end, the first that has joined, ring so that it disturbs every frame."""


@dataclass(frozen=True)
class Backend:
    """A way to have a bus, and which parts of the contract it can be held to."""

    name: str
    open: Callable[[], AbstractContextManager[Line]]
    arbitrates: bool = False
    tells_errors: bool = False
    pushes_back: bool = False
    stamps: bool = False
    marks: tuple[pytest.MarkDecorator, ...] = ()
    """Of the tests that it is tried in: what they need of the machine."""


@dataclass
class HilLine:
    """The virtual bus, turned in lockstep by the test."""

    bus: VirtualBus
    path: str
    number: int = 0
    ends: list[can.BusABC] = field(default_factory=list)

    def join(self, **options: Any) -> can.BusABC:
        end = can.Bus(interface="hil", channel=self.path, fd=options.pop("fd", True), **options)
        self.ends.append(end)
        self.turn()
        return end

    def turn(self, frames: int = 1) -> None:
        for _ in range(frames):
            self.bus.exchange(self.number * FRAME_NS)
            self.number += 1

    def ring(self, end: can.BusABC) -> None:
        medium = self.bus.medium
        assert medium is not None
        assert end is self.ends[0]
        controller = next(c for c in medium.controllers if c.name == "guest")
        medium.disturb(controller, Disturbance(bit_error_rate=1.0))


@contextmanager
def hil_line() -> Iterator[HilLine]:
    """Open a virtual bus of 500 kbit/s, 2 Mbit/s in the data phase."""
    medium = Medium(500_000, 2_000_000, measure=measure_frames, streams=partial(stream, 1, "contract"))
    bus = VirtualBus("contract", medium=medium, frame_ns=FRAME_NS)
    line = HilLine(bus, str(bus.listen()))
    try:
        yield line
    finally:
        for end in line.ends:
            end.shutdown()
        bus.close()


_numbers = itertools.count()


@dataclass
class SameProcessLine:
    """python-can's own virtual bus: no bit rate, no arbitration, no errors."""

    channel: str
    ends: list[can.BusABC] = field(default_factory=list)

    def join(self, **options: Any) -> can.BusABC:
        options.pop("fd", None)
        end = can.Bus(interface="virtual", channel=self.channel, **options)
        self.ends.append(end)
        return end

    def turn(self, frames: int = 1) -> None:
        """Frames are there at once."""

    def ring(self, end: can.BusABC) -> None:
        raise NotImplementedError


@contextmanager
def _same_process_line() -> Iterator[SameProcessLine]:
    line = SameProcessLine(f"contract {next(_numbers)}")
    try:
        yield line
    finally:
        for end in line.ends:
            end.shutdown()


class VcanLine(SameProcessLine):
    """A real vcan; the two ends are sockets of their own."""

    def join(self, **options: Any) -> can.BusABC:
        end = can.Bus(interface="socketcan", channel=self.channel, fd=options.pop("fd", True), **options)
        self.ends.append(end)
        return end


@contextmanager
def _vcan_line() -> Iterator[VcanLine]:
    line = VcanLine("vcan0")
    try:
        yield line
    finally:
        for end in line.ends:
            end.shutdown()


BACKENDS = (
    Backend("hil", hil_line, arbitrates=True, tells_errors=True, pushes_back=True, stamps=True),
    Backend("virtual", _same_process_line),
    Backend("vcan", _vcan_line, marks=tuple(ON_VCAN)),
)
