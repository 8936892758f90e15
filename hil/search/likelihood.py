"""How likely a case is: so that findings can be put in the order in which they would be met."""

from __future__ import annotations

import math
from typing import Final

from hil.faults.case import Case

__all__ = ["log_likelihood"]

_FAULT: Final = math.log(1e-2)
"""Of a fault of any kind in a landing burn [E]: start-up and running, from public flight histories."""
_SIGMA: Final = (50.0, 5.0, 5.0)
"""One sigma of position in m, velocity in m/s and wind in m/s on each axis."""


def log_likelihood(case: Case, base: Case) -> float:
    """Return the natural logarithm of how likely `case` is against `base` without faults (0 there)."""
    here, there = case.initial, base.initial
    squares = [((a - b) / _SIGMA[0]) ** 2 for a, b in zip(here.pos_pad_m, there.pos_pad_m, strict=True)]
    squares += [((a - b) / _SIGMA[1]) ** 2 for a, b in zip(here.vel_pad_mps, there.vel_pad_mps, strict=True)]
    squares += [(speed / _SIGMA[2]) ** 2 for speed in case.wind.steady_mps(1000.0)]
    return round(-0.5 * sum(squares) + _FAULT * len(case.fault), 3)
