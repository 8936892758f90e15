"""All wires of a rig: the CAN bus, what the bench hears on it, and who counts what."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any, Protocol

from hil.signals.timing import BusSheet
from hil.wire.bus import Node
from hil.wire.busbook import BusBook
from hil.wire.codec import BenchDecoder
from hil.wire.enable import EnableSender, ReportedDrives
from hil.wire.serial_line import SerialLine

__all__ = ["CanBus", "WireSet"]


class CanBus(Protocol):
    """A CAN bus with the rig's boards on it: virtual (hil.wire.bus) or real (hil.wire.can_hardware)."""

    def go_live(self, node: Node) -> None:
        """Serve a node's socket (wall clock)."""

    def exchange(self, t_ns: int) -> list[bytes]:
        """End the frame at `t_ns`; return the classical frames that the bench has heard in it."""

    def pump(self, timeout_s: float) -> None:
        """Serve the bus until something has been served or time is up (wall clock)."""

    def mute(self, name: str) -> None:
        """Let nothing that the board sends from now on reach anybody."""

    def book(self) -> BusBook | None:
        """Return the diagnostics frame by frame; None where the wires are not the bench's own."""

    def figures(self) -> dict[str, Any] | None:
        """Return what has happened on the bus so far, as JSON values."""

    def clock(self) -> dict[str, float | None]:
        """Return its time stamps against the bench's clock (hil.signals.clocks)."""

    def close(self) -> None:
        """Close the bus; safe to call twice."""


class WireSet:
    """The rig's wires as the executive turns them."""

    def __init__(self, bus: CanBus, decoder: BenchDecoder) -> None:
        self.bus = bus
        self.serial: dict[str, SerialLine] = {}
        """Serial lines by name, for what can go wrong with them."""
        self._decoder = decoder
        self._taps: list[Callable[[list[bytes], int], None]] = []
        self._exchanges = 0
        self._closers: list[Callable[[], None]] = []
        self._counters: dict[str, Callable[[], dict[str, int]]] = {}
        self.enable: EnableSender | None = None
        """What lets the valve boards move, where the rig demands it."""
        self.drives: ReportedDrives | None = None
        """What those boards report that they drive."""

    @property
    def decoder(self) -> BenchDecoder:
        """The bench's ear on the bus."""
        return self._decoder

    def count_for(self, node: str, counters: Callable[[], dict[str, int]]) -> None:
        """Name the function that says what a receiving node has counted."""
        self._counters[node] = counters

    def exchange(self, t_ns: int) -> None:
        """Deliver what was sent in this frame, record it, decode it into the frame's records."""
        frames = self.bus.exchange(t_ns)
        self._decoder.take(frames)
        for tap in self._taps:
            tap(frames, self._exchanges)
        self._exchanges += 1
        if self.drives is not None:
            self.drives.show()

    def pump(self, until_s: float) -> None:
        """Serve the bus until the monotonic time `until_s`."""
        left = until_s - time.monotonic()
        while left > 0.0:
            self.bus.pump(left)
            left = until_s - time.monotonic()

    def mute(self, board: str) -> None:
        """Let nothing that `board` sends from now on reach anybody."""
        self.bus.mute(board)

    def counters(self) -> dict[str, dict[str, int]]:
        """Return, for each receiving node, frames accepted and rejected by reason."""
        counted = {name: count() for name, count in self._counters.items()}
        return {"bench": dict(self._decoder.counts), **counted}

    def tap(self, take: Callable[[list[bytes], int], None]) -> None:
        """Hand everything that is heard to `take` too, with the number of the exchange, from 0."""
        self._taps.append(take)

    def on_close(self, close: Callable[[], None]) -> None:
        """Have something else closed with the wires."""
        self._closers.append(close)

    def bus_sheet(self) -> BusSheet | None:
        """Return the diagnostics of the bus; None where a real bus does the timing."""
        book = self.bus.book()
        return None if book is None else book.sheet

    def clocks(self) -> dict[str, dict[str, float | None]]:
        """Return the bus's time stamps against the bench's clock (hil.signals.clocks)."""
        return {"can.engine": self.bus.clock()}

    def bus_figures(self) -> dict[str, Any] | None:
        """Return what has happened on the bus so far, as JSON values."""
        return self.bus.figures()

    def close(self) -> None:
        """Close the bus and what else belongs to the wires; safe to call twice."""
        self.bus.close()
        while self._closers:
            self._closers.pop()()
