"""Numbers of a flight, from its recorded frames alone."""

from __future__ import annotations

import math
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from hil.signals import REQUESTS

__all__ = ["TOUCHDOWN_KEYS", "first_true", "ignition_index", "seconds", "touchdown"]

TOUCHDOWN_KEYS: Final = (
    "t_s",
    "miss_m",
    "vertical_speed_mps",
    "lateral_speed_mps",
    "tilt_deg",
    "rate_degps",
    "propellant_left_kg",
)

Frames = npt.NDArray[np.void]


def first_true(flags: Any) -> int | None:
    """Return the index of the first true flag in an array of shape (n,); None without one."""
    found = int(np.argmax(flags)) if len(flags) else 0
    return found if len(flags) and flags[found] else None


def seconds(frames: Frames, index: int) -> float:
    """Return the time of frame number `index`, in s since the start."""
    return float(frames["t_ns"][index]) * 1e-9


def ignition_index(frames: Frames) -> int | None:
    """Return the first frame with a START request on the wire; None without one."""
    return first_true((frames["command"]["request"] == REQUESTS.index("START")).any(axis=1))


def touchdown(frames: Frames) -> dict[str, float | None]:
    """Return the numbers of the first touch; all None when nothing touched the ground.

    `t_s` counts from the ignition command of the landing burn (None without one); speeds are
    magnitudes of the body origin's velocity, the miss is horizontal.
    """
    values: dict[str, float | None] = dict.fromkeys(TOUCHDOWN_KEYS)
    index = first_true(frames["truth"]["contact"] != 0)
    if index is None:
        return values
    truth: Any = frames["truth"][index]
    ignition = ignition_index(frames)
    if ignition is not None:
        values["t_s"] = round(float(truth["contact_t_ns"]) * 1e-9 - seconds(frames, ignition), 9)
    position, velocity = truth["contact_pos_pad_m"], truth["contact_vel_pad_mps"]
    values["miss_m"] = math.hypot(position[0], position[1])
    values["vertical_speed_mps"] = abs(float(velocity[2]))
    values["lateral_speed_mps"] = math.hypot(velocity[0], velocity[1])
    values["tilt_deg"] = math.degrees(truth["contact_tilt_rad"])
    values["rate_degps"] = math.degrees(truth["contact_rate_radps"])
    values["propellant_left_kg"] = float(truth["propellant_kg"])
    return values
