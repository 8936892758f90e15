"""The C that measures CAN frames, as the virtual bus asks for it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from hil.boards._firmware import ffi, lib
from hil.wire.framebits import FrameBits

__all__ = ["measure_frames"]

_MOST: Final = 256
"""Frames that are measured at a time."""
_out: Final[Any] = ffi.new("uint64_t[]", 3 * _MOST)


def measure_frames(frames: Sequence[bytes]) -> FrameBits:
    """Return what `hil.wire.framebits.measure_frames` returns, hundreds of times faster."""
    count = len(frames)
    joined = b"".join(frames)
    if len(joined) != count * lib.CAN_BITS_CLASSICAL or count > _MOST:
        measured = [_measure_one(frame) for frame in frames]
        return [m[0] for m in measured], [m[1] for m in measured], [m[2] for m in measured]
    lib.can_bits_measure(joined, count, lib.CAN_BITS_CLASSICAL, _out)
    flat = ffi.unpack(_out, 3 * count)
    return flat[:count], flat[count : 2 * count], flat[2 * count :]


def _measure_one(frame: bytes) -> tuple[int, int, int]:
    lib.can_bits_measure(frame, 1, len(frame), _out)
    return int(_out[0]), int(_out[1]), int(_out[2])
