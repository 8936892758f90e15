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


def measure_frames(frames: Sequence[bytes]) -> list[FrameBits]:
    """Return what `hil.wire.framebits.measure_frames` returns, hundreds of times faster."""
    count = len(frames)
    joined = b"".join(frames)
    if len(joined) != count * lib.CAN_BITS_CLASSICAL or count > _MOST:
        return [_measure_one(frame) for frame in frames]
    lib.can_bits_measure(joined, count, lib.CAN_BITS_CLASSICAL, _out)
    flat = ffi.unpack(_out, 2 * count)
    return [(key, bits, 0) for key, bits in zip(flat[:count], flat[count:], strict=True)]


def _measure_one(frame: bytes) -> FrameBits:
    lib.can_bits_measure(frame, 1, len(frame), _out)
    return int(_out[0]), int(_out[1]), int(_out[2])
