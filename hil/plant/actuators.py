"""Actuators: rate-driven valves and gimbals, fin servos, and what friction and play make of them.

Lags are integrated exactly over a step, because their inputs are held over it.
"""

from __future__ import annotations

import math
from typing import Any, Final

from hil.plant.jit import compiled

__all__ = ["actuator_step", "clipped", "dead_zone", "gimbal_step", "servo_step", "stem_step", "valve_step"]

AT_REST: Final = 1e-6
"""An actuator ahead of its stem by less than this, in strokes, does not pull on it."""


@compiled
def clipped(value: float, limit: float) -> float:
    """Return `value` held to +-limit; 0 for a value that is no number."""
    if value > limit:
        return limit
    if value < -limit:
        return -limit
    if value == value:
        return value
    return 0.0


@compiled
def dead_zone(value: float, width: float) -> float:
    """Return `value` less a dead zone of +-width, without a jump."""
    if value > width:
        return value - width
    if value < -width:
        return value + width
    return 0.0


@compiled
def actuator_step(
    pos: float,
    speed: float,
    drive: float,
    full_speed: float,
    lag_s: float,
    decay: float,
    dt: float,
    low: float,
    high: float,
) -> tuple[float, float]:
    """Return position and speed of a rate-driven actuator after `dt`; `decay` is exp(-dt / lag_s).

    The drive (-1 to 1 of `full_speed`) sets the speed through a first-order lag; stops at `low`
    and `high` take the speed out.
    """
    target = full_speed * clipped(drive, 1.0)
    pos += target * dt + (speed - target) * lag_s * (1.0 - decay)
    speed = target + (speed - target) * decay
    if pos <= low:
        return low, max(speed, 0.0)
    if pos >= high:
        return high, min(speed, 0.0)
    return pos, speed


@compiled
def servo_step(
    pos: float,
    demand: float,
    lag_s: float,
    decay: float,
    limit: float,
    rate: float,
    deadband: float,
    dt: float,
) -> tuple[float, float]:
    """Return a fin's angle after a step and its mean over it; `decay` is exp(-dt / lag_s).

    First-order lag to the demand, at most at `rate` rad/s; errors within +-deadband (rad) move
    nothing.  Exact for a held demand, also where the rate limit ends within the step.
    """
    error = dead_zone(clipped(demand, limit) - pos, deadband)
    size, knee = abs(error), rate * lag_s
    if size <= knee:
        moved = error * (1.0 - decay)
        return pos + moved, pos + error - moved * lag_s / dt
    limited_s = (size - knee) / rate if rate > 0.0 else dt
    if limited_s >= dt:
        moved = math.copysign(rate * dt, error)
        return pos + moved, pos + 0.5 * moved
    rest_s = dt - limited_s
    left = knee * math.exp(-rest_s / lag_s)
    area = 0.5 * rate * limited_s * limited_s + size * rest_s - lag_s * (knee - left)
    return pos + math.copysign(size - left, error), pos + math.copysign(area / dt, error)


@compiled
def stem_step(f: Any, play: float, dt: float) -> None:
    """Let the stem of valve `f` follow its actuator through play (strokes) and stiction.

    A stem that sticks breaks loose once the actuator has run ahead by the stiction band, or has
    pulled for the hold time; it sticks again when the actuator no longer pulls.
    """
    lead = f.travel - f.pos
    half = 0.5 * play
    if lead > half:
        pull = lead - half
    elif lead < -half:
        pull = lead + half
    else:
        pull = 0.0
    if abs(pull) <= AT_REST:
        f.pulled_s = 0.0
        f.loose = 0.0
        f.pos = min(max(f.pos + pull, 0.0), 1.0)
        return
    if f.stiction > 0.0 and f.loose == 0.0:
        f.pulled_s += dt
        if abs(pull) < f.stiction and f.pulled_s < f.stiction_hold_s:
            return
        f.loose = 1.0
    f.pos = min(max(f.pos + pull, 0.0), 1.0)


@compiled
def valve_step(k: Any, f: Any, drive: float, decay: float, dt: float) -> None:
    """Move the valve `f` (a feed) by `dt`; a stuck one stays, or runs to where it sticks."""
    if f.stuck != 0.0:
        f.speed = 0.0
        if f.stuck_pos >= 0.0:
            f.pos += clipped(f.stuck_pos - f.pos, k.valve_slew_per_s * dt)
        f.travel = f.pos
        return
    half = 0.5 * k.valve_play  # the stops stand on the stem's side of the play
    f.travel, f.speed = actuator_step(
        f.travel, f.speed, drive, k.valve_slew_per_s * f.slew_factor, k.valve_lag_s, decay, dt, -half,
        1.0 + half,
    )  # fmt: skip
    stem_step(f, k.valve_play, dt)


@compiled
def gimbal_step(k: Any, e: Any, x_drive: float, y_drive: float, decay: float, dt: float) -> None:
    """Move both gimbal axes of engine `e`; a stuck gimbal stays, or runs to where it is held."""
    rate = k.gimbal_rate_radps * e.gimbal_rate_factor
    if e.gimbal_stuck != 0.0:
        e.gimbal_x_speed = 0.0
        e.gimbal_y_speed = 0.0
        if e.gimbal_held != 0.0:
            e.gimbal_x_rad += clipped(e.gimbal_held_x_rad - e.gimbal_x_rad, rate * dt)
            e.gimbal_y_rad += clipped(e.gimbal_held_y_rad - e.gimbal_y_rad, rate * dt)
        return
    limit = k.gimbal_limit_rad
    width = k.gimbal_deadband
    lag = k.gimbal_lag_s
    x_drive = dead_zone(clipped(x_drive, 1.0 + width), width)
    y_drive = dead_zone(clipped(y_drive, 1.0 + width), width)
    e.gimbal_x_rad, e.gimbal_x_speed = actuator_step(
        e.gimbal_x_rad, e.gimbal_x_speed, x_drive, rate, lag, decay, dt, -limit, limit
    )
    e.gimbal_y_rad, e.gimbal_y_speed = actuator_step(
        e.gimbal_y_rad, e.gimbal_y_speed, y_drive, rate, lag, decay, dt, -limit, limit
    )
