"""How a flight that just missed is flown again: the plant repeats itself, so an aim can make up for it."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Final

from hil.plant.vehicle import Vehicle
from hil.search.oracle_flight import Tactic
from hil.search.oracle_world import Touchdown

__all__ = ["NEAR", "Aimer"]

NEAR: Final = 3.0
"""A touch that is over its limits by less is worth another aim."""
LEAST_RESERVE: Final = 0.02
HIGHEST_M: Final = 3.0
CLOSEST_M: Final = 0.01
"""Heights to end at that are closer together are the same."""
LOWER_M: Final = 0.3
TOUCHES_M: Final = 0.1
"""A stage that stopped above the ground is aimed to stop so far below it."""
LOWERED: Final = 3
"""So often a tactic that never came down is aimed lower."""
SHARE: Final = 0.8
"""Of the miss and of the speed across at the touch that the next flight aims against."""
EASY: Final = 0.6
"""A figure over its limit by less than this needs no other aim."""
FAR_M: Final = 3.0
"""A stage that stopped higher than this is not brought down by a lower end: it is lit later, ..."""
LATER_S: Final = 0.01
"""... by this at the least."""
DRY_KG: Final = 100.0
"""A stage with less left than this ran dry."""
DRY_MPS: Final = 25.0
"""No reserve makes up for more than this."""
SHIFT_M: Final = 0.12
"""A touch that only swings or leans too much is aimed so much higher or lower: it comes at another phase."""
SHIFTS: Final = 4


@dataclass
class Aimer:
    """Chooses the next aim of one tactic from the touches of those before.

    A plan that ends too low touches too fast; one that ends too high stops above the ground and, where the
    least thrust is more than the weight, leaves it again: between the two the height is halved.  A stage
    that ran dry is flown again with less thrust held back for feedback: shorter burns use less.
    """

    vehicle: Vehicle
    fall_mps: float = 250.0
    """How fast the stage falls where it is lit."""
    too_low_m: float = -math.inf
    too_high_m: float = math.inf
    lowered: int = 0
    shifted: int = 0

    def next(
        self, tactic: Tactic, touch: Touchdown | None, across: tuple[float, float],
        at_m: tuple[float, float] = (0.0, 0.0), lowest_m: float = LOWER_M,
    ) -> Tactic | None:  # fmt: skip
        """Return the tactic to fly next; None where nothing is left to change.

        `touch` is None where the stage left the ground again, `lowest_m` high at the least; `across` its
        velocity at the touch, m/s, and `at_m` where that was, m.
        """
        if touch is None:
            return self._lower(tactic, lowest_m)
        if touch.propellant_left_kg < DRY_KG and touch.excess(self.vehicle) > 1.0:
            return self._thriftier(tactic) if touch.vertical_speed_mps < DRY_MPS else None
        if touch.excess(self.vehicle) > NEAR:
            aim_m = self._faster(tactic, touch)
            return None if aim_m is None else self._at_height(tactic, aim_m)
        changed = self._against(tactic, touch, across, at_m)
        limit = self.vehicle.requirements.vertical_speed_mps
        if touch.vertical_speed_mps > limit:
            self.too_low_m = max(self.too_low_m, tactic.aim_m)
            speed = touch.vertical_speed_mps
            wanted_m = min(tactic.aim_m + (speed * speed - 1.0) / 20.0, HIGHEST_M)
            return self._at_height(changed, wanted_m) or (changed if changed != tactic else None)
        if changed != tactic:
            return changed
        return self._shifted(tactic)

    def _thriftier(self, tactic: Tactic) -> Tactic | None:
        """Return the tactic with less thrust held back; None where nothing is left to give."""
        if tactic.reserve <= LEAST_RESERVE:
            return None
        return replace(tactic, reserve=max(0.5 * tactic.reserve, LEAST_RESERVE))

    def _lower(self, tactic: Tactic, lowest_m: float) -> Tactic | None:
        """Return the tactic for a stage that stopped so high: with a lower end, or lit later where far."""
        if lowest_m > FAR_M:
            self.lowered += 1
            later_s = max(lowest_m / max(self.fall_mps, 1.0), LATER_S)
            return None if self.lowered > LOWERED else replace(tactic, later_s=tactic.later_s + later_s)
        self.too_high_m = min(self.too_high_m, tactic.aim_m)
        return self._at_height(tactic, tactic.aim_m - max(lowest_m, 0.0) - TOUCHES_M)

    def _shifted(self, tactic: Tactic) -> Tactic | None:
        """Return the tactic with an end a little higher or lower, by turns further away."""
        if tactic.reserve > 0.5 * Tactic.reserve:
            return replace(tactic, reserve=0.5 * tactic.reserve)
        self.shifted += 1
        if self.shifted > SHIFTS:
            return None
        step_m = SHIFT_M * self.shifted * (1 if self.shifted % 2 else -1)
        return replace(tactic, aim_m=tactic.aim_m + step_m)

    def _faster(self, tactic: Tactic, touch: Touchdown) -> float | None:
        """Return where to end instead after a touch that was too fast and nothing else; None otherwise."""
        limits, speed = self.vehicle.requirements, touch.vertical_speed_mps
        others = max(touch.miss_m / limits.miss_m, touch.lateral_speed_mps / limits.lateral_speed_mps)
        if others > 1.5 or not limits.vertical_speed_mps < speed < 8.0:
            return None
        self.too_low_m = max(self.too_low_m, tactic.aim_m)
        return min(tactic.aim_m + (speed * speed - 1.0) / 20.0, HIGHEST_M)

    def _at_height(self, tactic: Tactic, wanted_m: float) -> Tactic | None:
        """Return the tactic with an end at the wanted height, or halfway where that is known to be wrong."""
        if self.too_high_m - self.too_low_m < CLOSEST_M:
            return None
        if math.isinf(self.too_low_m) and self.too_high_m <= tactic.aim_m:
            self.lowered += 1
            if self.lowered > LOWERED:
                return None
        if not self.too_low_m < wanted_m < self.too_high_m:
            wanted_m = 0.5 * (self.too_low_m + self.too_high_m)
        if math.isinf(wanted_m):
            wanted_m = self.too_high_m - LOWER_M
        return replace(tactic, aim_m=wanted_m)

    def _against(
        self, tactic: Tactic, touch: Touchdown, across: tuple[float, float], at_m: tuple[float, float]
    ) -> Tactic:
        """Return the tactic aimed against the miss and the speed across that were left."""
        limits = self.vehicle.requirements
        if touch.lateral_speed_mps > EASY * limits.lateral_speed_mps:
            tactic = replace(tactic, aim_mps=_less(tactic.aim_mps, across))
        if touch.miss_m > EASY * limits.miss_m:
            tactic = replace(tactic, aim_at_m=_less(tactic.aim_at_m, at_m))
        return tactic


def _less(aim: tuple[float, float], off: tuple[float, float]) -> tuple[float, float]:
    return aim[0] - SHARE * off[0], aim[1] - SHARE * off[1]
