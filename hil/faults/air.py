"""Winds that a case lets rise during a flight: gusts and shifts, on top of the steady wind."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from hil.faults.case import FaultSpec

__all__ = ["RisingWind", "wind_speed"]


def wind_speed(fault: FaultSpec) -> Callable[[float], float]:
    """Return the speed of a gust or shift, m/s, as a function of the time since its onset, s.

    A gust of shape cosine is the discrete gust of MIL-F-8785C (3.7.1.3): it rises and dies like one
    minus cosine, here over its duration and not over a length.
    """
    speed = _number(fault.speed_mps)
    if fault.kind == "wind.shift":
        rise_s = _number(fault.rise_s)
        return lambda t_s: speed * min(t_s / rise_s, 1.0) if rise_s > 0.0 else speed
    length_s = _number(fault.duration_s)
    if fault.shape == "step":
        return lambda t_s: speed if t_s < length_s else 0.0
    turn = 2.0 * math.pi / length_s
    return lambda t_s: 0.5 * speed * (1.0 - math.cos(turn * t_s)) if t_s < length_s else 0.0


def _number(size: float | None) -> float:
    assert size is not None, "checked when the case was read"
    return float(size)


class RisingWind:
    """Puts gusts and shifts on the plant's steady wind, frame by frame, the same at every height."""

    def __init__(self, effects: Any) -> None:
        """`effects` holds the profile of the steady wind as it is without them."""
        self._arrays = (effects.wind_east_mps, effects.wind_north_mps)
        self._steady = tuple(array.copy() for array in self._arrays)
        self._rising: list[tuple[float, Callable[[float], float], float, float]] = []

    def rise(self, fault: FaultSpec, t_s: float) -> None:
        """Let a wind rise from `t_s` (s since the start) on."""
        towards = math.radians(_number(fault.towards_deg))
        self._rising.append((t_s, wind_speed(fault), math.sin(towards), math.cos(towards)))

    def blow(self, t_s: float) -> None:
        """Set the wind of the time `t_s`."""
        if not self._rising:
            return
        east = north = 0.0
        for onset_s, speed_mps, to_east, to_north in self._rising:
            speed = speed_mps(t_s - onset_s)
            east, north = east + speed * to_east, north + speed * to_north
        for array, steady, added in zip(self._arrays, self._steady, (east, north), strict=True):
            array[:] = steady + added
