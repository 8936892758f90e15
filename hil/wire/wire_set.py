"""All wires of a rig: the CAN bus, what the bench hears on it, and who counts what."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from hil.signals.timing import BusSheet
from hil.wire.bus import VirtualBus
from hil.wire.codec import BenchDecoder
from hil.wire.serial_line import SerialLine

__all__ = ["WireSet"]


class WireSet:
    """The rig's wires as the executive turns them."""

    def __init__(self, bus: VirtualBus, decoder: BenchDecoder) -> None:
        self.bus = bus
        self.serial: dict[str, SerialLine] = {}
        """Serial lines by name, for what can go wrong with them."""
        self._decoder = decoder
        self._counters: dict[str, Callable[[], dict[str, int]]] = {}

    def count_for(self, node: str, counters: Callable[[], dict[str, int]]) -> None:
        """Name the function that says what a receiving node has counted."""
        self._counters[node] = counters

    def exchange(self, t_ns: int) -> None:
        """Deliver what was sent in this frame, record it, decode it into the frame's records."""
        self._decoder.take(self.bus.exchange(t_ns))

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

    def bus_sheet(self) -> BusSheet | None:
        """Return the diagnostics of the bus; None where a real bus does the timing."""
        book = self.bus.book()
        return None if book is None else book.sheet

    def bus_figures(self) -> dict[str, Any] | None:
        """Return what has happened on the bus so far; None where a real bus does the timing."""
        book = self.bus.book()
        return None if book is None else book.sums()

    def close(self) -> None:
        """Close the bus; safe to call twice."""
        self.bus.close()
