"""A CAN frame as 16 bytes, laid out as Linux's struct can_frame: what every transport here carries."""

from __future__ import annotations

import struct
from typing import Final

__all__ = ["FRAME_BYTES", "frame_id", "make_frame", "split_frame"]

_LAYOUT: Final = struct.Struct("=IB3x8s")
_ID: Final = struct.Struct("=I")
FRAME_BYTES: Final = _LAYOUT.size


def make_frame(can_id: int, data: bytes) -> bytes:
    """Return the frame with `can_id` (11 bits, or flags as SocketCAN has them) and up to 8 data bytes."""
    return _LAYOUT.pack(can_id, len(data), data)


def split_frame(frame: bytes) -> tuple[int, bytes]:
    """Return (id, data); a length above 8 counts as 8."""
    can_id, length, data = _LAYOUT.unpack(frame)
    return can_id, data[: min(length, 8)]


def frame_id(frame: bytes) -> int:
    """Return the frame's id, flags included."""
    number: int = _ID.unpack_from(frame)[0]
    return number
