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
LESS_RESERVE: Final = 0.05
HIGHEST_M: Final = 3.0
CLOSEST_M: Final = 0.01
"""Heights to end at that are closer together are the same."""
LOWER_M: Final = 0.3
LOWERED: Final = 3
"""So often a tactic that never came down is aimed lower."""
ACROSS_SHARE: Final = 0.8
"""Of the speed across at the touch that the next flight aims against."""
EASY: Final = 0.6
"""A figure over its limit by less than this needs no other aim."""


@dataclass
class Aimer:
    """Chooses the next aim of one tactic from the touches of those before.

    A plan that ends too low touches too fast; one that ends too high stops above the ground and, where the
    least thrust is more than the weight, leaves it again: between the two the height is halved.
    """

    vehicle: Vehicle
    too_low_m: float = -math.inf
    too_high_m: float = math.inf
    lowered: int = 0

    def next(self, tactic: Tactic, touch: Touchdown | None, across: tuple[float, float]) -> Tactic | None:
        """Return the tactic to fly next; None where nothing is left to change.

        `touch` is None where the stage left the ground again; `across` its velocity at the touch, m/s.
        """
        if touch is None or _stopped_above(touch):
            self.too_high_m = min(self.too_high_m, tactic.aim_m)
            return self._at_height(tactic, tactic.aim_m)
        if touch.excess(self.vehicle) > NEAR:
            aim_m = self._faster(tactic, touch)
            return None if aim_m is None else self._at_height(tactic, aim_m)
        changed = self._against(tactic, touch, across)
        limit = self.vehicle.requirements.vertical_speed_mps
        if touch.vertical_speed_mps > limit:
            self.too_low_m = max(self.too_low_m, tactic.aim_m)
            speed = touch.vertical_speed_mps
            wanted_m = min(tactic.aim_m + (speed * speed - 1.0) / 20.0, HIGHEST_M)
            return self._at_height(changed, wanted_m) or (changed if changed != tactic else None)
        if changed != tactic:
            return changed
        return replace(tactic, reserve=LESS_RESERVE) if tactic.reserve > LESS_RESERVE else None

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
        if math.isinf(self.too_low_m) and wanted_m >= self.too_high_m:
            self.lowered += 1
            if self.lowered > LOWERED:
                return None
            wanted_m = self.too_high_m - LOWER_M
        elif not self.too_low_m < wanted_m < self.too_high_m:
            wanted_m = 0.5 * (self.too_low_m + self.too_high_m)
        return replace(tactic, aim_m=wanted_m)

    def _against(self, tactic: Tactic, touch: Touchdown, across: tuple[float, float]) -> Tactic:
        """Return the tactic aimed against the speed across that was left."""
        if touch.lateral_speed_mps < EASY * self.vehicle.requirements.lateral_speed_mps:
            return tactic
        east, north = tactic.aim_mps
        aim = (east - ACROSS_SHARE * across[0], north - ACROSS_SHARE * across[1])
        return replace(tactic, aim_mps=aim)


def _stopped_above(touch: Touchdown) -> bool:
    """Tell whether the stage stopped above the ground until it had nothing left to burn."""
    return touch.propellant_left_kg < 100.0 and touch.vertical_speed_mps > 5.0
