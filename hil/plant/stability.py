"""Linear theory of chug: when the feed system and the combustion time lag feed an oscillation.

After Summerfield (J. ARS 21, 1951: rocket motor instability in the low-frequency range) and Crocco &
Cheng (AGARDograph 8, 1956), for two propellants: with s the complex frequency,

    theta s + 1 + exp(-s tau) sum_i E_i / (R_i + 1 / (C_i s + 1 / (L_i s + Z_i))) = 0

where E_i is the gain from a side's flow to what burns, R_i and Z_i are the slopes of pressure drop over
flow of injector and of all that lies upstream, L_i and C_i inertance and capacity.  C = 0 is
Summerfield's system, and E / R alone (Z = L = 0) its injector-stiffness limit R > E = 1, dp > p / 2, for
long time lags.
"""

from __future__ import annotations

import cmath
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

__all__ = ["Mode", "Side", "chug_mode"]


@dataclass(frozen=True, slots=True)
class Side:
    """One propellant's feed at an operating point, in fractions and seconds."""

    gain: float
    injector: float
    """Slope of the injector's pressure drop, 2 K q."""
    upstream: float
    """Slope of the pressure drop of line, valve and pump."""
    inertance_s: float
    capacity_s: float

    def flow_per_pressure(self, s: complex) -> complex:
        """Return the fall of injected flow over the rise of chamber pressure at complex frequency `s`."""
        line = self.inertance_s * s + self.upstream
        return 1.0 / (self.injector + 1.0 / (self.capacity_s * s + 1.0 / line))


@dataclass(frozen=True, slots=True)
class Mode:
    """An oscillation exp(growth t) sin(2 pi frequency t)."""

    growth_per_s: float
    frequency_hz: float


def chug_mode(
    sides: Sequence[Side], residence_s: float, time_lag_s: float, most_hz: float = 400.0
) -> Mode | None:
    """Return the fastest growing oscillation below `most_hz`; None when there is none."""

    def characteristic(s: complex) -> complex:
        loop = sum(side.gain * side.flow_per_pressure(s) for side in sides)
        return residence_s * s + 1.0 + cmath.exp(-s * time_lag_s) * loop

    best: complex | None = None
    for start_hz in range(10, round(most_hz) + 1, 10):
        for growth in (-200.0, 0.0, 200.0):
            root = _newton(characteristic, complex(growth, 2.0 * math.pi * start_hz))
            if root is None or not 1.0 < root.imag < 2.0 * math.pi * most_hz:
                continue
            if best is None or root.real > best.real:
                best = root
    return None if best is None else Mode(best.real, best.imag / (2.0 * math.pi))


def _newton(function: Callable[[complex], complex], start: complex) -> complex | None:
    s = start
    for _ in range(40):
        step = 1e-5 * (abs(s) + 1.0)
        slope = (function(s + step) - function(s - step)) / (2.0 * step)
        if slope == 0:
            return None
        change = function(s) / slope
        s -= change
        if not abs(s) < 1e5:
            return None
        if abs(change) < 1e-9 * abs(s):
            return s
    return None
