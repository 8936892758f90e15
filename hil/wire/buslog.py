"""The traffic of a bus as a candump log."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

from hil.wire.canframe import ERROR, EXTENDED, FRAME_BYTES, REMOTE, frame_flags, frame_id, is_fd, split_frame

__all__ = ["BusLog"]

_NS: Final = 1_000_000_000
_MOST_TEMPLATES: Final = 256
_EIGHT: Final = b"\x08"


class _Names(dict[bytes, str]):
    """What stands between time and data, by the bytes of an id: channel and id."""

    def __init__(self, channel: str) -> None:
        self._channel = channel

    def __missing__(self, head: bytes) -> str:
        can_id = frame_id(head)
        plain = can_id & 0x1FFF_FFFF
        text = f"{plain | can_id & ERROR:08X}" if can_id & (EXTENDED | ERROR) else f"{plain & 0x7FF:03X}"
        self[head] = name = f") {self._channel} {text}#"
        return name


class BusLog:
    """The traffic as candump writes it: readable line by line, however the run ends."""

    def __init__(self, path: Path, channel: str) -> None:
        self._file = path.open("wb", buffering=0)
        self._names = _Names(channel)
        self._templates: dict[bytes, str] = {}

    def write(self, frames: list[tuple[int, bytes]]) -> None:
        """Append frames, each with the time (ns) at which it ended, in order."""
        if not frames:
            return
        joined = b"".join([frame for _, frame in frames])
        count = len(frames)
        second = frames[0][0] // _NS
        plain = len(joined) == FRAME_BYTES * count and frames[-1][0] < (second + 1) * _NS
        if plain and joined[3::FRAME_BYTES] + joined[4::FRAME_BYTES] == bytes(count) + _EIGHT * count:
            text = self._plain(frames, joined, second)
        else:
            text = "".join([self._line(t_ns, frame) for t_ns, frame in frames])
        self._file.write(text.encode())

    def _plain(self, frames: list[tuple[int, bytes]], joined: bytes, second: int) -> str:
        """Return the lines of base frames with 8 bytes within one second: nearly all there are.

        Frames come in the same order again and again, so what does not change is kept as a template.
        """
        ids = joined[0::FRAME_BYTES] + joined[1::FRAME_BYTES]
        template = self._templates.get(ids)
        if template is None:
            if len(self._templates) >= _MOST_TEMPLATES:
                self._templates.clear()
            names = [self._names[frame[:4]].replace("%", "%%") for _, frame in frames]
            template = self._templates[ids] = "".join([f"(%s%06d{name}%s\n" for name in names])
        base, digits = second * _NS, joined.hex().upper()
        head = f"{second:010d}."
        values: list[Any] = [head] * (3 * len(frames))
        values[1::3] = [(t_ns - base) // 1000 for t_ns, _ in frames]
        values[2::3] = [digits[at : at + 16] for at in range(16, len(digits), 32)]
        return template % tuple(values)

    def _line(self, t_ns: int, frame: bytes) -> str:
        second, ns = divmod(t_ns, _NS)
        return f"({second:010d}.{ns // 1000:06d}{self._names[frame[:4]]}{_data_text(frame)}\n"

    def close(self) -> None:
        """Close the file; safe to call twice."""
        self._file.close()


def _data_text(frame: bytes) -> str:
    """Return what stands behind the id: of an FD frame another # and its flags first."""
    can_id, data = split_frame(frame)
    if can_id & REMOTE:
        return f"R{frame[4]}" if frame[4] else "R"
    flags = f"#{frame_flags(frame):X}" if is_fd(frame) else ""
    return flags + data.hex().upper()
