"""What a virtual bus tells of itself: a record each frame, and sums at the end."""

from __future__ import annotations

from typing import Any

import numpy as np

from hil.signals.timing import BUS_COLUMNS, BusSheet, bus_dtype
from hil.wire.medium import Medium

__all__ = ["BusBook"]

_FIRST_NODE = 1 + len(BUS_COLUMNS)


class BusBook:
    """The diagnostics of a medium, frame by frame; `frame_ns` is the bench's frame."""

    def __init__(self, medium: Medium, frame_ns: int) -> None:
        self._medium = medium
        self._frame_ns = frame_ns
        self._busy_ns = 0
        self._most_busy = 0.0
        self._stale = False
        names = tuple(controller.name for controller in medium.controllers)
        self.sheet = BusSheet(names, np.zeros((), bus_dtype(len(names))))
        """The record of the frame, for all who are on the bus now: guests that come later are not in it."""
        flat = self.sheet.record.reshape(1).view(np.int64)
        self._ints: Any = flat.data
        self._floats: Any = flat.view(np.float64).data

    def note(self, t_ns: int, frames: int) -> None:
        """Fill in the record for the frame at `t_ns`, in which so many frames ended."""
        medium, ints = self._medium, self._ints
        busy_ns, figures = medium.busy_ns, medium.figures
        load = (busy_ns - self._busy_ns) / self._frame_ns
        self._busy_ns = busy_ns
        self._most_busy = max(self._most_busy, load)
        late = medium.waiting_since(medium.now_ns - self._frame_ns)
        figures.late += late
        ints[0], self._floats[1], ints[2], ints[3] = t_ns, load, frames, late
        ints[4], ints[5] = figures.lost, figures.errors
        if medium.troubled or self._stale:
            self._stale = medium.troubled
            count = len(self.sheet.nodes)
            for at, controller in enumerate(medium.controllers[:count], start=_FIRST_NODE):
                ints[at], ints[at + count] = controller.tec, controller.rec

    def sums(self) -> dict[str, Any]:
        """Return what has happened on the bus so far, as JSON values."""
        medium, figures = self._medium, self._medium.figures
        nodes = medium.controllers[: len(self.sheet.nodes)]
        return {
            "bitrate": medium.bitrate,
            "data_bitrate": medium.data_bitrate,
            "load_mean": medium.busy_ns / max(medium.now_ns, 1),
            "load_peak": self._most_busy,
            "frames": figures.frames,
            "errors": figures.errors,
            "late": figures.late,
            "lost": figures.lost,
            "nodes": {controller.name: controller.as_dict() for controller in nodes},
        }
