"""Two clocks compared: how far apart they are, and how fast they drift."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

__all__ = ["ClockMatch"]

_BLOCK_S: Final = 1.0


@dataclass
class ClockMatch:
    """Readings of another clock against the bench's own.

    A reading comes late, never early, so the least difference in each second is the nearest to the truth;
    a line through these is offset and drift.
    """

    blocks: list[tuple[float, float]] = field(default_factory=list)
    """For each second with readings: own time (s), least own - other in it (s)."""

    def note(self, own_s: float, other_s: float) -> None:
        """Take a reading: the other clock's `other_s` was seen when the own one showed `own_s`."""
        apart = own_s - other_s
        if not self.blocks or own_s - self.blocks[-1][0] >= _BLOCK_S:
            self.blocks.append((own_s, apart))
        elif apart < self.blocks[-1][1]:
            self.blocks[-1] = (self.blocks[-1][0], apart)

    def as_dict(self) -> dict[str, float | None]:
        """Return offset at the first reading (s), drift (1e-6) and the largest residual (s), as JSON values.

        The drift is None before three seconds have been compared.
        """
        if not self.blocks:
            return {"offset_s": None, "drift_ppm": None, "residual_s": None}
        first = self.blocks[0][0]
        times = [own - first for own, _ in self.blocks]
        mean_t, mean_a = sum(times) / len(times), sum(a for _, a in self.blocks) / len(times)
        spread = sum((t - mean_t) ** 2 for t in times)
        slope = 0.0
        if len(times) > 2 and spread > 0.0:
            slope = sum((t - mean_t) * a for t, (_, a) in zip(times, self.blocks, strict=True)) / spread
        offset = mean_a - slope * mean_t
        residuals = [abs(a - offset - slope * t) for t, (_, a) in zip(times, self.blocks, strict=True)]
        return {
            "offset_s": offset,
            "drift_ppm": 1e6 * slope if len(times) > 2 else None,
            "residual_s": max(residuals),
        }
