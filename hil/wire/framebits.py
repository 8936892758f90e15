"""How long a CAN frame is on the wire and which of two goes first, from its bits; and how long it can be.

This is the plain way, frame by frame; a rig measures the frames of a flight by C that says the same
(`hil.boards.can_bits`).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Final

from hil.wire.bitstream import wire_bits
from hil.wire.canframe import EXTENDED, REMOTE, frame_id, is_fd

__all__ = ["IDLE_BITS", "INTERMISSION_BITS", "FrameBits", "Measure", "measure_frames", "worst_bits"]

INTERMISSION_BITS: Final = 3
"""Bits between the end of a frame and the start of the next."""
IDLE_BITS: Final = 11
"""Recessive bits in a row by which a node knows that the bus is idle."""

FrameBits = tuple[list[int], list[int], list[int]]
"""Of frames: places in arbitration (the lower wins), bits at the nominal, bits at the data bit rate."""
Measure = Callable[[Sequence[bytes]], FrameBits]


def measure_frames(frames: Sequence[bytes]) -> FrameBits:
    """Return the frames' places in arbitration and their bits, from start of frame to end of end of frame."""
    measured = [_measure(frame) for frame in frames]
    return (
        [key for key, _, _ in measured],
        [slow for _, slow, _ in measured],
        [fast for _, _, fast in measured],
    )


@lru_cache(maxsize=4096)
def _measure(frame: bytes) -> tuple[int, int, int]:
    wire = wire_bits(frame)
    fast = wire.fast_to - wire.fast_from
    return _arbitration_key(frame_id(frame), fd=is_fd(frame)), len(wire.bits) - fast, fast


def _arbitration_key(can_id: int, *, fd: bool) -> int:
    """Return a number that is lower for the frame that wins: its bits in their order, as far as they tell.

    Base id, RTR or SRR, IDE, then of an extended frame the rest of the id and RTR, then FDF: of equal
    frames the classical one sends a dominant bit there.
    """
    remote = 1 if can_id & REMOTE and not fd else 0
    if can_id & EXTENDED:
        key = (can_id >> 18 & 0x7FF) << 21 | 3 << 19 | (can_id & 0x3FFFF) << 1 | remote
    else:
        key = (can_id & 0x7FF) << 21 | remote << 20
    return key << 1 | fd


def worst_bits(length: int, *, extended: bool = False) -> int:
    """Return the most bits that a classical data frame of `length` bytes can have, intermission included.

    8 s + g + 13 + floor((g + 8 s - 1) / 4), with g = 34 for base and 54 for extended ids (Davis, Burns, Bril,
    Lukkien: Controller Area Network (CAN) schedulability analysis, Real-Time Systems 35, 2007, equation 1).
    """
    stuffed = (54 if extended else 34) + 8 * length
    return stuffed + 13 + (stuffed - 1) // 4
