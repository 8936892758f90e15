"""A tape in memory: for flights that are judged and forgotten."""

from __future__ import annotations

import hashlib
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from hil.signals import Frame
from hil.signals.timing import BusSheet, bus_dtype
from hil.tape.reader import Recording

__all__ = ["MemoryTape"]

_FIRST_ROWS: Final = 4096


class _Rows:
    """The bytes of one sheet, frame after frame."""

    def __init__(self, sheet: npt.NDArray[np.void]) -> None:
        self.source: npt.NDArray[np.uint8] = sheet.reshape(1).view(np.uint8)
        self.dtype = sheet.dtype
        self.rows = np.empty((_FIRST_ROWS, sheet.dtype.itemsize), np.uint8)

    def grow(self) -> None:
        """Make room for as many frames again."""
        self.rows = np.concatenate((self.rows, np.empty_like(self.rows)))

    def first(self, count: int) -> npt.NDArray[np.void]:
        """Return the first `count` frames."""
        return self.rows[:count].reshape(-1).view(self.dtype)


class MemoryTape:
    """Keeps every frame as hil.tape.TapeWriter writes it, and gives it back as read_tape does."""

    def __init__(
        self, frame: Frame, timing: npt.NDArray[np.void], info: dict[str, Any], *, bus: BusSheet | None = None
    ) -> None:
        self._info = {**info, "engines": frame.engines, "bus_nodes": [] if bus is None else list(bus.nodes)}
        sheets = [frame.array, timing, *([] if bus is None else [bus.record])]
        self._sheets = [_Rows(sheet) for sheet in sheets]
        self._notes: dict[str, dict[str, Any]] = {}
        self._count = 0

    def write(self, t_ns: int) -> None:  # noqa: ARG002 - the frame carries its time itself
        """Append the shared frame as it stands."""
        index = self._count
        if index == len(self._sheets[0].rows):
            for sheet in self._sheets:
                sheet.grow()
        for sheet in self._sheets:
            sheet.rows[index] = sheet.source
        self._count = index + 1

    def annotate(self, name: str, values: dict[str, Any]) -> None:
        """Add a note after the frames so far."""
        self._notes[name] = values

    @property
    def frames(self) -> int:
        """Number of frames written so far."""
        return self._count

    @property
    def signals_sha256(self) -> str:
        """Digest of the bytes of all frames, in order: that of a tape on the disk."""
        return hashlib.sha256(self._sheets[0].rows[: self._count].tobytes()).hexdigest()

    def close(self) -> None:
        """Nothing to finish."""

    def recording(self) -> Recording:
        """Return the flight so far as a tape holds it."""
        frames, timing, *bus = (sheet.first(self._count) for sheet in self._sheets)
        return Recording(
            frames=frames,
            timing=timing,
            bus=bus[0] if bus else np.zeros(0, bus_dtype(0)),
            info=self._info,
            notes=self._notes,
            complete=True,
        )
