"""The traffic of a bus as a candump log."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from hil.wire.canframe import ERROR, EXTENDED, REMOTE, frame_id, split_frame

__all__ = ["BusLog"]


class BusLog:
    """The traffic as candump writes it: readable line by line, however the run ends."""

    def __init__(self, path: Path, channel: str) -> None:
        self._file = path.open("wb", buffering=0)
        self._channel = channel
        self._names: dict[int, str] = {}

    def write(self, frames: Iterable[tuple[int, bytes]]) -> None:
        """Append frames, each with the time (ns) at which it ended."""
        names, lines = self._names, []
        for t_ns, frame in frames:
            can_id = frame_id(frame)
            name = names.get(can_id)
            if name is None:
                name = names[can_id] = self._name(can_id)
            us = t_ns // 1000
            data = frame[8 : 8 + frame[4]].hex().upper() if len(frame) == 16 else _fd_text(frame)
            if can_id & REMOTE:
                data = f"R{frame[4]}"
            lines.append(f"({us // 1_000_000:010d}.{us % 1_000_000:06d}{name}{data}\n")
        if lines:
            self._file.write("".join(lines).encode())

    def _name(self, can_id: int) -> str:
        """Return what stands between time and data: flags of remote frames are in the data."""
        plain = can_id & 0x1FFF_FFFF
        text = f"{plain | can_id & ERROR:08X}" if can_id & (EXTENDED | ERROR) else f"{plain:03X}"
        return f") {self._channel} {text}#"

    def close(self) -> None:
        """Close the file; safe to call twice."""
        self._file.close()


def _fd_text(frame: bytes) -> str:
    """Return the data of an FD frame: a second #, flags, bytes."""
    return f"#{frame[5] & 3:X}{split_frame(frame)[1].hex().upper()}"
