"""How fast a stage can fall at the most: the air slows every fall that is considered by at least so much.

With E = w^2 / 2 (w: speed downwards) over the height fallen s every such flight has

    dE/ds <= g - a(s, E),     a: least upward force of air and thrust over the mass at that speed

and the solution of the equation with the same start is above the E of every flight (comparison of scalar
equations), so that no flight is faster at a height, nor there earlier.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from hil.plant.atmosphere import G0_MPS2
from hil.search.oracle_air import Air

__all__ = ["Fall", "LeastPush", "fastest_fall"]

Array = npt.NDArray[np.float64]

AIR_SHARE: Final = 0.9
"""Of the least air force: what gusts, shears and a stage's turning may take."""
ANGLES: Final = 37
FLOWS: Final = 9


@dataclass(frozen=True)
class Fall:
    """The fastest fall on a grid of heights fallen, one value at each edge of its steps."""

    speed_mps: Array
    time_s: Array
    """Earliest moment at which anything is there."""


@dataclass(frozen=True)
class LeastPush:
    """The least upward force of air and thrust at a height and a speed downwards."""

    air: Air
    across_mps: float
    """Largest speed across through the air."""
    most_n: float
    """Thrust of all engines together at the most."""
    gimbal_rad: float
    fin_area_m2: float
    """Side force of all fins on their stops over the dynamic pressure along the axis."""
    trim: Callable[[float, float], float]
    """Largest angle of attack that can be held, rad, from dynamic pressure (Pa) and thrust (N)."""
    thinnest: float = 1.0
    """Factor on the density that faults leave at the least."""

    def __call__(self, height_m: float, speed_mps: float) -> float:
        """Return the force, N.

        It is linear in the thrust (the plume shields the body in proportion), so that the least is without
        thrust or with all of it; over flow and attack it is sought on a grid.
        """
        aero = self.air.aero
        density = self.thinnest * float(self.air.density(np.array(height_m)))
        most_flow = math.atan2(self.across_mps, max(speed_mps, 1.0))
        flow = np.linspace(0.0, most_flow, FLOWS)[:, None]
        through = speed_mps / np.cos(flow)
        pressure = 0.5 * density * through**2
        limit = max(self.trim(float(pressure[0, 0]), thrust) for thrust in (0.0, self.most_n))
        attack = np.linspace(0.0, limit, ANGLES)[None, :]
        sine, cosine = np.sin(attack), np.cos(attack)
        mach = through / float(self.air.sound(np.array(height_m)))
        axial = aero.ref_area_m2 * np.interp(mach, aero.mach, aero.axial) * cosine
        normal = aero.ref_area_m2 * min(aero.normal_slope) * cosine * sine
        most_normal = aero.ref_area_m2 * max(aero.normal_slope) * cosine * sine
        cross = aero.crossflow_drag_area_m2 * sine**2
        fins = self.fin_area_m2 * cosine
        least = math.inf
        for thrust in (0.0, self.most_n):
            plume = float(self.air.plume(np.array(thrust)))
            drag = plume * (axial * cosine + normal * sine) + (cross - fins) * sine
            lift = np.abs(plume * (axial * sine)) + plume * most_normal * cosine + (cross + fins) * cosine
            upward = pressure * (drag * np.cos(flow) - lift * np.sin(flow))
            tilt = np.minimum(attack + flow + self.gimbal_rad, math.pi)
            least = min(least, float(np.min(AIR_SHARE * upward + thrust * np.cos(tilt))))
        return least


def fastest_fall(
    start_mps: float, step_m: float, height_m: Array, least_push_n: Callable[[float, float], float],
    full_kg: float, dry_kg: float,
) -> Fall:  # fmt: skip
    """Integrate the fastest fall down a grid of heights (the middles of its steps), from `start_mps`.

    The heaviest stage is slowed least where the push is upward, the lightest is pulled most where it is not.
    Within a step the push is the least of those at the speed it begins with, the least and the most speed
    it may end with, in the thinner air of its beginning.
    """
    energy, t_s = 0.5 * start_mps**2, 0.0
    speeds, times = [start_mps], [0.0]
    for height in height_m.tolist():
        above_m = height + 0.5 * step_m
        here = least_push_n(above_m, math.sqrt(2.0 * energy)) / full_kg
        reached = (max(energy + (G0_MPS2 - here) * step_m, 0.0), energy + G0_MPS2 * step_m)
        least = min(here * full_kg, *(least_push_n(above_m, math.sqrt(2.0 * e)) for e in reached))
        push = least / full_kg if least > 0.0 else least / dry_kg
        after = max(energy + (G0_MPS2 - push) * step_m, 0.0)
        t_s += 2.0 * step_m / max(math.sqrt(2.0 * energy) + math.sqrt(2.0 * after), 1e-6)
        energy = after
        speeds.append(math.sqrt(2.0 * energy))
        times.append(t_s)
    return Fall(np.array(speeds), np.array(times))
