"""The rate table: who runs how often. Everything is a whole number of nanoseconds."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["RateTable"]

_NS_PER_S = 1_000_000_000


@dataclass(frozen=True)
class RateTable:
    """Periods of a rig: one minor frame for every station, and the plant's steps within it."""

    frame_ns: int
    plant_step_ns: int

    def __post_init__(self) -> None:
        if self.frame_ns <= 0 or self.plant_step_ns <= 0:
            raise ValueError("periods are positive")
        if self.frame_ns % self.plant_step_ns != 0:
            raise ValueError(
                f"the frame ({self.frame_ns} ns) is not a whole number of plant steps "
                f"({self.plant_step_ns} ns)"
            )

    def rows(self) -> tuple[tuple[str, int], ...]:
        """Return (station, period in ns) for every station, in the order of one frame."""
        frame = self.frame_ns
        stations = ("sensors", "boards", "wires", "tape")
        return (*((name, frame) for name in stations), ("plant", self.plant_step_ns))

    def frames_in(self, seconds: float) -> int:
        """Return the number of frames that begin within `seconds` (rounded to the nearest ns)."""
        return -(-round(seconds * _NS_PER_S) // self.frame_ns)
