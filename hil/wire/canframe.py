"""CAN frames as bytes, laid out as Linux has them: what every transport here carries.

A classical frame is the 16 bytes of struct can_frame, an FD frame the 72 bytes of struct canfd_frame; the
number of bytes tells them apart, as on an AF_CAN socket.
"""

from __future__ import annotations

import struct
from bisect import bisect_left
from typing import Final

__all__ = [
    "BIT_RATE_SWITCH",
    "ERROR",
    "ERROR_STATE",
    "EXTENDED",
    "FD_FRAME_BYTES",
    "FD_LENGTHS",
    "FRAME_BYTES",
    "REMOTE",
    "error_as_heard",
    "error_frame",
    "frame_flags",
    "frame_id",
    "is_fd",
    "is_sound",
    "make_fd_frame",
    "make_frame",
    "make_remote_frame",
    "split_frame",
]

EXTENDED: Final = 0x8000_0000
"""Flag in an id: 29 bits instead of 11."""
REMOTE: Final = 0x4000_0000
"""Flag in an id: a remote frame."""
ERROR: Final = 0x2000_0000
"""Flag in an id: no frame, but news of an error on the bus."""
BIT_RATE_SWITCH: Final = 1
"""Flag of an FD frame: its data phase goes at the data bit rate."""
ERROR_STATE: Final = 2
"""Flag of an FD frame: its sender is error passive."""
_FD_FORMAT: Final = 4

_ERR_PROTOCOL, _ERR_ACK, _ERR_BUS_OFF, _ERR_BUS_ERROR, _ERR_COUNTERS = 0x8, 0x20, 0x40, 0x80, 0x200
"""Classes of errors in the id of an error frame (linux/can/error.h), where the next ones come from too."""
_ERR_KINDS: Final = {"bit": 0x01, "form": 0x02, "stuff": 0x04}
_ERR_AT_CRC: Final = 0x08

_LAYOUT: Final = struct.Struct("=IB3x8s")
_FD_LAYOUT: Final = struct.Struct("=IBB2x64s")
_ID: Final = struct.Struct("=I")
FRAME_BYTES: Final = _LAYOUT.size
FD_FRAME_BYTES: Final = _FD_LAYOUT.size
FD_LENGTHS: Final = (*range(9), 12, 16, 20, 24, 32, 48, 64)
"""Data bytes by the data length code of an FD frame."""


def make_frame(can_id: int, data: bytes) -> bytes:
    """Return the frame with `can_id` (11 bits, or flags as SocketCAN has them) and up to 8 data bytes."""
    return _LAYOUT.pack(can_id, len(data), data)


def make_remote_frame(can_id: int, length: int) -> bytes:
    """Return the frame that asks for `length` bytes (0 to 8) of `can_id`; it carries none."""
    return _LAYOUT.pack(can_id | REMOTE, length, b"")


def make_fd_frame(
    can_id: int, data: bytes, *, bit_rate_switch: bool = True, error_state: bool = False
) -> bytes:
    """Return the FD frame with up to 64 data bytes, filled with zeros to the next length that FD has."""
    flags = _FD_FORMAT | (BIT_RATE_SWITCH if bit_rate_switch else 0) | (ERROR_STATE if error_state else 0)
    length = FD_LENGTHS[bisect_left(FD_LENGTHS, len(data))]
    return _FD_LAYOUT.pack(can_id, length, flags, data)


def error_frame(kind: str, tec: int, rec: int, *, bus_off: bool) -> bytes:
    """Return the news of an error frame as Linux's can/error.h lays it out, with the sender's counters.

    `kind` is bit, stuff, form, crc or ack.
    """
    classes = ERROR | _ERR_BUS_ERROR | _ERR_COUNTERS | (_ERR_BUS_OFF if bus_off else 0)
    classes |= _ERR_ACK if kind == "ack" else _ERR_PROTOCOL
    place = _ERR_AT_CRC if kind == "crc" else 0
    data = bytes([0, 0, _ERR_KINDS.get(kind, 0), place, 0, 0, min(tec, 255), min(rec, 255)])
    return _LAYOUT.pack(classes, 8, data)


def error_as_heard(frame: bytes, tec: int, rec: int) -> bytes:
    """Return the news of an error in another's frame as a controller with these counters tells it.

    What has become of the sender no controller knows but its own.
    """
    classes, _, data = _LAYOUT.unpack(frame)
    data = data[:6] + bytes([min(tec, 255), min(rec, 255)])
    return _LAYOUT.pack(classes & ~_ERR_BUS_OFF, 8, data)


def is_fd(frame: bytes) -> bool:
    """Tell whether a frame is an FD frame."""
    return len(frame) == FD_FRAME_BYTES


def is_sound(frame: bytes) -> bool:
    """Tell whether bytes from outside are a frame that a controller can send."""
    if len(frame) not in (FRAME_BYTES, FD_FRAME_BYTES) or frame_id(frame) & ERROR:
        return False
    if is_fd(frame):
        return frame[4] in FD_LENGTHS and not frame_id(frame) & REMOTE
    return frame[4] <= 8


def split_frame(frame: bytes) -> tuple[int, bytes]:
    """Return (id, data); a length above the most counts as that; a remote frame has no data."""
    can_id, length = frame_id(frame), frame[4]
    if can_id & REMOTE:
        return can_id, b""
    return can_id, frame[8 : 8 + min(length, 64 if is_fd(frame) else 8)]


def frame_id(frame: bytes) -> int:
    """Return the frame's id, flags included."""
    number: int = _ID.unpack_from(frame)[0]
    return number


def frame_flags(frame: bytes) -> int:
    """Return BIT_RATE_SWITCH and ERROR_STATE of an FD frame, 0 of a classical one."""
    return frame[5] & (BIT_RATE_SWITCH | ERROR_STATE) if is_fd(frame) else 0
