"""Numbers of a flight, from its recorded frames alone."""

from __future__ import annotations

import math
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from hil.signals import FLIGHT_MODES, REQUESTS

__all__ = [
    "GUIDANCE_KEYS",
    "TOUCHDOWN_KEYS",
    "first_true",
    "guidance",
    "ignition_index",
    "seconds",
    "touchdown",
]

TOUCHDOWN_KEYS: Final = (
    "t_s",
    "miss_m",
    "vertical_speed_mps",
    "lateral_speed_mps",
    "tilt_deg",
    "rate_degps",
    "propellant_left_kg",
)

GUIDANCE_KEYS: Final = (
    "powered_s",
    "optimised_share",
    "replans_per_s",
    "oldest_plan_s",
    "ignition_margin_s",
)

OPTIMISED: Final = 2
"""Source of a plan in telemetry: the optimiser."""
FRESH_S: Final = 1.0
"""An optimised plan counts while it is younger than this ..."""
LAST_S: Final = 3.0
"""... and up to this time before touchdown: the last seconds are not looked at."""
POWERED: Final = tuple(FLIGHT_MODES.index(name) for name in ("IGNITION", "BRAKING", "TERMINAL"))

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


def guidance(frames: Frames) -> dict[str, float | None]:
    """Return by what plans the powered flight was guided, from the kernel's telemetry.

    Looked at are the frames with telemetry of the powered modes up to LAST_S before touchdown; without
    a touchdown, all up to the end of powered flight.  `powered_s` is how long they last,
    `optimised_share` the share of them that flew an accepted optimised plan younger than FRESH_S,
    `replans_per_s` the plans accepted in them a second, `oldest_plan_s` the greatest age of an optimised
    plan; `ignition_margin_s` is the last margin told before powered flight.  What does not apply is None.
    """
    values: dict[str, float | None] = dict.fromkeys(GUIDANCE_KEYS)
    told = frames[frames["telemetry"]["fresh"] != 0]
    values["ignition_margin_s"] = _ignition_margin_s(told)
    contact = first_true(frames["truth"]["contact"] != 0)
    end_ns = np.iinfo(np.int64).max
    if contact is not None:
        end_ns = int(frames["truth"]["contact_t_ns"][contact]) - round(LAST_S * 1e9)
    powered = np.isin(told["telemetry"]["mode"], POWERED) & (told["t_ns"] < end_ns)
    looked_at = told[powered]
    frame_s = float(np.diff(frames["t_ns"][:2]).sum()) * 1e-9
    values["powered_s"] = seconds_powered = round(len(looked_at) * frame_s, 9)
    if seconds_powered == 0.0:
        return values
    optimised = looked_at["telemetry"]["plan_source"] == OPTIMISED
    age_s = looked_at["telemetry"]["plan_age_s"]
    values["optimised_share"] = float(np.mean(optimised & (age_s < FRESH_S)))
    if optimised.any():
        values["oldest_plan_s"] = float(age_s[optimised].max())
    known_s = looked_at["t_ns"][optimised] * 1e-9 - age_s[optimised]
    # a plan is new when it was made later than the one before; ages are rounded on the wire
    accepted = int(optimised.any()) + int(np.count_nonzero(np.diff(known_s) > 0.5 * frame_s))
    values["replans_per_s"] = accepted / seconds_powered
    return values


def _ignition_margin_s(told: Frames) -> float | None:
    """Return the last margin told before powered flight; None when the kernel knew none."""
    first = first_true(np.isin(told["telemetry"]["mode"], POWERED))
    before = told["telemetry"][:first]
    known = before[before["ignition_margin_known"] != 0]
    return float(known["ignition_margin_s"][-1]) if len(known) else None
