"""Wind at the booster: a steady wind or a profile by altitude, and Dryden gusts on top of it.

Gusts follow MIL-F-8785C, section 3.7.3 (the same in MIL-HDBK-1797): below 1,000 ft intensities and
lengths by height from the wind at 20 ft, the low-altitude model.  A booster comes down along the
vertical, so the horizontal components are the transverse ones of the spectra and the vertical
component the longitudinal one.  Above 1,000 ft the intensity is held [assumed], and the length
goes to the 1,750 ft of the medium-altitude model at 2,000 ft.
"""

from __future__ import annotations

import math
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from hil.plant.aero import interpolate
from hil.plant.jit import compiled

__all__ = ["GUST_STATES", "WIND_POINTS", "dryden", "gust_start", "gust_step", "wind_at"]

Floats = npt.NDArray[np.float64]

WIND_POINTS: Final = 64
"""Most points of a wind profile."""
GUST_STATES: Final = 5
"""Two of each horizontal component, one of the vertical."""

FOOT_M: Final = 0.3048
LOW_FT: Final = 1000.0
MEDIUM_FT: Final = 2000.0
MEDIUM_LENGTH_M: Final = 1750.0 * FOOT_M
LEAST_FT: Final = 10.0
LEAST_SPEED_MPS: Final = 1.0
"""Speed through the gusts that is reckoned with at least, so that they go on past a standing booster."""
ROOT3: Final = math.sqrt(3.0)


@compiled
def dryden(height_m: float) -> tuple[float, float, float, float]:
    """Return horizontal and vertical intensity, over the wind at 20 ft, and both lengths (m)."""
    feet = max(height_m / FOOT_M, LEAST_FT)
    low = min(feet, LOW_FT)
    base = 0.177 + 0.000823 * low
    across = low / base**1.2 * FOOT_M
    down = low * FOOT_M
    if feet > LOW_FT:
        part = min((feet - LOW_FT) / (MEDIUM_FT - LOW_FT), 1.0)
        across += part * (MEDIUM_LENGTH_M - across)
        down += part * (MEDIUM_LENGTH_M - down)
    return 0.1 / base**0.4, 0.1, across, down


@compiled
def gust_values(c: Any, s: Any, height_m: float) -> None:
    """Leave the gust of the present states in `s.gust_to_mps`: east, north, up."""
    across, down, _, _ = dryden(height_m)
    g = s.gust_states
    for i in range(2):
        # (1 + sqrt(3) T s) / (1 + T s)^2, the transverse spectrum's filter, of unit variance
        unit = ROOT3 * g[2 * i] + (1.0 - ROOT3) * g[2 * i + 1]
        s.gust_to_mps[i] = c.gust_w20_mps * across * unit
    s.gust_to_mps[2] = c.gust_w20_mps * down * g[4]


@compiled
def gust_start(c: Any, s: Any, noise: Floats) -> None:
    """Start the gusts in their steady state, with five numbers of unit variance."""
    for i in range(2):
        # variances 1/2 and 1/4, covariance 1/4: the steady state of the two lags
        s.gust_states[2 * i] = math.sqrt(0.5) * noise[2 * i]
        s.gust_states[2 * i + 1] = 0.5 * s.gust_states[2 * i] + math.sqrt(0.125) * noise[2 * i + 1]
    s.gust_states[4] = noise[4]
    gust_values(c, s, s.x[2])
    for i in range(3):
        s.gust_from_mps[i] = s.gust_to_mps[i]


@compiled
def gust_step(c: Any, s: Any, noise: Floats, span_s: float) -> None:
    """Advance the gusts over a frame, with three numbers of unit variance; steps go from one to the next."""
    for i in range(3):
        s.gust_from_mps[i] = s.gust_to_mps[i]
    x, g = s.x, s.gust_states
    east, north, up = x[3] - s.wind_mps[0], x[4] - s.wind_mps[1], x[5] - s.wind_mps[2]
    speed = max(math.sqrt(east * east + north * north + up * up), LEAST_SPEED_MPS)
    _, _, across, down = dryden(x[2])
    left = math.exp(-span_s * speed / across)
    fresh = math.sqrt(0.5 * (1.0 - left * left))
    for i in range(2):
        before = g[2 * i]
        g[2 * i] = left * before + fresh * noise[i]
        g[2 * i + 1] = left * g[2 * i + 1] + (1.0 - left) * 0.5 * (before + g[2 * i])
    left = math.exp(-span_s * speed / down)
    g[4] = left * g[4] + math.sqrt(1.0 - left * left) * noise[2]
    gust_values(c, s, x[2])


@compiled
def wind_at(c: Any, s: Any, altitude_m: float, part: float) -> None:
    """Set the wind at the booster; `part` is how much of the frame has gone by."""
    if c.wind_points > 1:
        s.wind_mps[0], s.wind_mps[1] = interpolate(
            altitude_m, c.wind_altitude_m, c.wind_east_mps, c.wind_north_mps, c.wind_points
        )
    else:
        s.wind_mps[0], s.wind_mps[1] = c.wind_east_mps[0], c.wind_north_mps[0]
    if c.gust_w20_mps > 0.0:
        for i in range(3):
            gust = s.gust_from_mps[i] + part * (s.gust_to_mps[i] - s.gust_from_mps[i])
            s.wind_mps[i] = gust + (s.wind_mps[i] if i < 2 else 0.0)
