"""The buses that the contract of a CAN bus is tried on; a further backend is one more entry of BACKENDS."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Mapping
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

    def trouble(self, end: can.BusABC, other: can.BusABC) -> None:
        """Have an error on the bus, to which `end` is the cause, that `other` hears of."""


@dataclass(frozen=True)
class Backend:
    """A way to have a bus, and which parts of the contract it can be held to."""

    name: str
    open: Callable[[], AbstractContextManager[Line]]
    cannot: Mapping[str, str] = field(default_factory=dict)
    """What it cannot do, and why: tests of that are not tried on it."""
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

    def trouble(self, end: can.BusABC, other: can.BusABC) -> None:
        self.ring(end)
        other.send(can.Message(arbitration_id=0x10, is_extended_id=False), timeout=1.0)
        self.turn(5)


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

    def trouble(self, end: can.BusABC, other: can.BusABC) -> None:
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
        options["ignore_rx_error_frames"] = not options.pop("receive_error_frames", True)
        end = can.Bus(interface="socketcan", channel=self.channel, fd=options.pop("fd", True), **options)
        self.ends.append(end)
        return end

    def trouble(self, end: can.BusABC, other: can.BusABC) -> None:
        """A vcan has no wires to fail: whoever is a controller's driver says so, here an end of the bus."""
        news = can.Message(arbitration_id=0x088, data=bytes(8), is_error_frame=True, is_extended_id=False)
        end.send(news, timeout=1.0)


@contextmanager
def _vcan_line() -> Iterator[VcanLine]:
    line = VcanLine("vcan0")
    try:
        yield line
    finally:
        for end in line.ends:
            end.shutdown()


_NO_WIRES = "it has no wires: no bit rate, nothing to arbitrate, nothing to disturb"
BACKENDS = (
    Backend("hil", hil_line),
    Backend(
        "virtual",
        _same_process_line,
        {
            "arbitrate": _NO_WIRES,
            "ring": _NO_WIRES,
            "tell errors": "python-can passes an error frame on like any other, wanted or not",
            "push back": "its queues have no end",
            "stamp": "each end takes the time at which it reads",
        },
    ),
    Backend(
        "vcan",
        _vcan_line,
        {
            "arbitrate": _NO_WIRES,
            "ring": _NO_WIRES,
            "push back": "the kernel drops what a reader has no room for (hil.wire.can_link counts it)",
            "stamp": "frames take no time, and its stamps are those of the kernel's clock",
        },
        tuple(ON_VCAN),
    ),
)
