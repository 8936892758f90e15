"""Two clocks compared: how far apart they are, how fast they drift, and how well that is known."""

from __future__ import annotations

from dataclasses import dataclass, field
from math import inf, isfinite
from typing import Final

__all__ = ["EXACT", "ClockMatch"]

_BLOCK_S: Final = 1.0
_FOR_DRIFT: Final = 3
"""Blocks that a drift is told from."""
EXACT: Final[dict[str, float | None]] = {
    "offset_s": 0.0,
    "drift_ppm": 0.0,
    "residual_s": 0.0,
    "uncertainty_s": 0.0,
    "drift_uncertainty_ppm": 0.0,
}
"""What ClockMatch.as_dict returns, for a clock that is the bench's own."""


@dataclass
class _Block:
    """The readings of a second."""

    own_s: float
    upper_s: float = inf
    """Least own - other of an event that was over when the own clock was read."""
    lower_s: float = -inf
    """Greatest own - other of an event that was still to come when the own clock was read."""


@dataclass
class ClockMatch:
    """Readings of another clock against the bench's own; `apart` is own - other.

    A reading comes late, never early, so `apart` is at most what a reading says, and the least of each second
    is the nearest to the truth. Where the bench itself has caused what was stamped, `apart` is at least what
    the moment before says as well: then the truth lies between the two, and it is known how well it is known.
    A line through the middles (without causes: through the upper bounds) is offset and drift.
    """

    blocks: list[_Block] = field(default_factory=list)

    def note(self, own_s: float, other_s: float) -> None:
        """Take a reading: what the other clock stamped `other_s` was seen when the own one showed `own_s`."""
        block = self._block(own_s)
        block.upper_s = min(block.upper_s, own_s - other_s)

    def note_cause(self, own_s: float, other_s: float) -> None:
        """Take a reading: what the other clock stamped `other_s` was caused at `own_s` of the own one."""
        block = self._block(own_s)
        block.lower_s = max(block.lower_s, own_s - other_s)

    def _block(self, own_s: float) -> _Block:
        if not self.blocks or own_s - self.blocks[-1].own_s >= _BLOCK_S:
            self.blocks.append(_Block(own_s))
        return self.blocks[-1]

    def _used(self) -> tuple[list[_Block], bool]:
        """Return the blocks to fit a line through, and whether they are bounded on both sides."""
        upper = [block for block in self.blocks if isfinite(block.upper_s)]
        both = [block for block in upper if isfinite(block.lower_s)]
        return both or upper, bool(both)

    def as_dict(self) -> dict[str, float | None]:
        """Return offset at the first reading (s), drift (1e-6), the largest residual (s), as JSON values.

        `uncertainty_s` and `drift_uncertainty_ppm` bound how far these are off; None where only one side is
        known: the offset then holds the least delay of a reading, whatever that is. The drift is None before
        three seconds have been compared.
        """
        used, both = self._used()
        if not used:
            return dict.fromkeys(EXACT)
        times = [block.own_s - used[0].own_s for block in used]
        apart = [(block.upper_s + block.lower_s) / 2.0 if both else block.upper_s for block in used]
        offset, slope = _line(times, apart)
        residuals = [abs(a - offset - slope * t) for t, a in zip(times, apart, strict=True)]
        # the two bounds of a block are of different moments of it, between which the clocks have drifted
        known = None if not both else _widest(used, residuals) + abs(slope) * _BLOCK_S
        drifts = len(used) >= _FOR_DRIFT
        return {
            "offset_s": offset,
            "drift_ppm": 1e6 * slope if drifts else None,
            "residual_s": max(residuals),
            "uncertainty_s": known,
            "drift_uncertainty_ppm": 1e6 * known * _tilt(times) if drifts and known is not None else None,
        }


def _widest(blocks: list[_Block], residuals: list[float]) -> float:
    """Return how far the line through the middles of blocks can be off in any of them."""
    halves = [abs(block.upper_s - block.lower_s) / 2.0 for block in blocks]
    return max(half + residual for half, residual in zip(halves, residuals, strict=True))


def _tilt(times: list[float]) -> float:
    """Return by how much a line's slope can be off (1/s) when every point is off by at most 1."""
    mean_t = sum(times) / len(times)
    return sum(abs(t - mean_t) for t in times) / sum((t - mean_t) ** 2 for t in times)


def _line(times: list[float], values: list[float]) -> tuple[float, float]:
    """Return value at zero and slope of the line that fits best; no slope before a drift can be told."""
    mean_t, mean_v = sum(times) / len(times), sum(values) / len(times)
    spread = sum((t - mean_t) ** 2 for t in times)
    slope = 0.0
    if len(times) >= _FOR_DRIFT and spread > 0.0:
        slope = sum((t - mean_t) * v for t, v in zip(times, values, strict=True)) / spread
    return mean_v - slope * mean_t, slope
