"""What a receiver counts: the same words as the firmware's link.h, in the same order."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

__all__ = ["REASONS", "REJECTS", "counts_by_reason", "no_counts"]

REASONS: Final = (
    "accepted",
    "unknown_id",  # ignored: for somebody else
    "length",
    "checksum",
    "repeated",  # counter as in the last frame
    "jumped",  # accepted: counter skipped, frames were lost before
    "range",
    "framing",  # serial bytes that are no COBS frame
)
REJECTS: Final = ("length", "checksum", "repeated", "range", "framing")


def no_counts() -> dict[str, int]:
    """Return all reasons with zero."""
    return dict.fromkeys(REASONS, 0)


def counts_by_reason(counts: Sequence[int]) -> dict[str, int]:
    """Name the counts of a firmware."""
    return dict(zip(REASONS, counts, strict=True))
