"""The traffic of a bus as a candump log."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from hil.wire.canframe import ERROR, EXTENDED, FRAME_BYTES, REMOTE, frame_flags, frame_id, is_fd, split_frame

__all__ = ["BusLog"]

_NS: Final = 1_000_000_000
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

    def write(self, frames: list[tuple[int, bytes]]) -> None:
        """Append frames, each with the time (ns) at which it ended, in order."""
        if not frames:
            return
        joined = b"".join([frame for _, frame in frames])
        count = len(frames)
        second = frames[0][0] // _NS
        plain = len(joined) == FRAME_BYTES * count and frames[-1][0] < (second + 1) * _NS
        if plain and joined[3::FRAME_BYTES] + joined[4::FRAME_BYTES] == bytes(count) + _EIGHT * count:
            lines = self._plain(frames, joined, second)
        else:
            lines = [self._line(t_ns, frame) for t_ns, frame in frames]
        self._file.write(("(" + "\n(".join(lines) + "\n").encode())

    def _plain(self, frames: list[tuple[int, bytes]], joined: bytes, second: int) -> list[str]:
        """Return the lines of base frames with 8 bytes within one second: nearly all there are."""
        digits = joined.hex().upper()
        data = [digits[at : at + 16] for at in range(16, len(digits), 32)]
        head, base, names = f"{second:010d}.", second * _NS, self._names
        return [
            f"{head}{(t_ns - base) // 1000:06d}{names[frame[:4]]}{text}"
            for (t_ns, frame), text in zip(frames, data, strict=True)
        ]

    def _line(self, t_ns: int, frame: bytes) -> str:
        second, ns = divmod(t_ns, _NS)
        return f"{second:010d}.{ns // 1000:06d}{self._names[frame[:4]]}{_data_text(frame)}"

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
