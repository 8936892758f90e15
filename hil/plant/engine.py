"""One engine: drive -> valve -> flow -> chamber -> thrust, its gimbal, its ignition and its end.

All lags are integrated exactly over a step, because their inputs are held over it.  Valve
positions and flows are fractions of those at full thrust.
"""

from __future__ import annotations

import math
from typing import Any, Final

from hil.plant.jit import compiled

__all__ = ["actuator_step", "chamber_step", "engine_step", "mixture_efficiency", "servo_step"]

IGNITION_FLOW: Final = 0.03
"""Both flows above this fraction, and the igniter on: the ignition delay runs."""
SUSTAIN_FLOW: Final = 0.05
"""A chamber goes out when either flow falls below this fraction."""
BLOW_OUT: Final = 0.8
"""A chamber goes out below this fraction of the throttle floor, once it has been above."""
MIXTURE_LOSS: Final = 2.0
"""Loss of chamber pressure over the square of the mixture imbalance [assumed: mild]."""


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
def servo_step(pos: float, demand: float, decay: float, limit: float, most: float) -> float:
    """Return a fin's angle after a step: first-order lag to the demand, at most `most` rad a step."""
    wanted = clipped(demand, limit)
    return pos + clipped((wanted - pos) * (1.0 - decay), most)


@compiled
def mixture_efficiency(ox: float, fuel: float) -> float:
    """Return the fraction of chamber pressure left when the flows do not fit each other."""
    imbalance = (ox - fuel) / max(ox + fuel, 1e-9)
    return max(1.0 - MIXTURE_LOSS * imbalance * imbalance, 0.0)


@compiled
def burns_on(ox: float, fuel: float, level: float, floor: float, established: int, igniter: bool) -> bool:
    """Tell whether a burning chamber goes on burning at these flows."""
    if ox < SUSTAIN_FLOW or fuel < SUSTAIN_FLOW:
        return False
    if level < BLOW_OUT * floor:
        return igniter and established == 0
    return True


@compiled
def chamber_step(
    c: Any,
    h: Any,
    ox: float,
    fuel: float,
    igniter: bool,
    dead: bool,
    delay_s: float,
    factor: float,
    tail_s: float,
    decay: float,
    dt: float,
) -> None:
    """Advance the chamber `h` (a record with pressure and ignition state) by `dt`.

    It lights once igniter and both flows have been on for igniter_s + delay_s, if a start is left.
    """
    level = (c.mixture_ratio * ox + fuel) / (1.0 + c.mixture_ratio)
    if igniter and ox > IGNITION_FLOW and fuel > IGNITION_FLOW:
        h.igniting_s += dt
    else:
        h.igniting_s = 0.0
    if h.lit == 1:
        if dead or not burns_on(ox, fuel, level, c.throttle_floor, h.established, igniter):
            h.lit = 0
            h.igniting_s = 0.0
    elif not dead and h.starts_left > 0 and h.igniting_s >= c.igniter_s + delay_s:
        h.lit = 1
        h.established = 0
        h.starts_left -= 1
    if h.lit == 0:
        if h.pressure_pa > 0.0:
            h.pressure_pa *= math.exp(-dt / tail_s)
        return
    if level >= BLOW_OUT * c.throttle_floor:
        h.established = 1
    target = c.chamber_full_pa * level * mixture_efficiency(ox, fuel) * factor
    h.pressure_pa = target + (h.pressure_pa - target) * decay


@compiled
def valves_step(c: Any, e: Any, s: Any, ox_drive: float, fuel_drive: float, dt: float) -> None:
    """Move both valves of engine `e`; a stuck valve stays where it stands."""
    slew = c.valve_slew_per_s
    if e.ox_stuck == 0.0:
        e.ox_pos, e.ox_speed = actuator_step(
            e.ox_pos,
            e.ox_speed,
            ox_drive,
            slew * e.ox_slew_factor,
            c.valve_lag_s,
            s.valve_decay,
            dt,
            0.0,
            1.0,
        )
    else:
        e.ox_speed = 0.0
    if e.fuel_stuck == 0.0:
        e.fuel_pos, e.fuel_speed = actuator_step(
            e.fuel_pos,
            e.fuel_speed,
            fuel_drive,
            slew * e.fuel_slew_factor,
            c.valve_lag_s,
            s.valve_decay,
            dt,
            0.0,
            1.0,
        )
    else:
        e.fuel_speed = 0.0


@compiled
def gimbal_step(c: Any, e: Any, s: Any, x_drive: float, y_drive: float, dt: float) -> None:
    """Move both gimbal axes of engine `e`; a stuck gimbal stays where it stands."""
    if e.gimbal_stuck != 0.0:
        e.gimbal_x_speed = 0.0
        e.gimbal_y_speed = 0.0
        return
    rate = c.gimbal_rate_radps * e.gimbal_rate_factor
    limit = c.gimbal_limit_rad
    e.gimbal_x_rad, e.gimbal_x_speed = actuator_step(
        e.gimbal_x_rad, e.gimbal_x_speed, x_drive, rate, c.gimbal_lag_s, s.gimbal_decay, dt, -limit, limit
    )
    e.gimbal_y_rad, e.gimbal_y_speed = actuator_step(
        e.gimbal_y_rad, e.gimbal_y_speed, y_drive, rate, c.gimbal_lag_s, s.gimbal_decay, dt, -limit, limit
    )


@compiled
def flows_step(c: Any, e: Any, s: Any, ox_before: float, fuel_before: float, dt: float) -> None:
    """Let the flows follow the valves and take what flowed out of the tanks; an empty tank gives none."""
    ox_target = 0.5 * (ox_before + e.ox_pos) if s.ox_kg > 0.0 else 0.0
    fuel_target = 0.5 * (fuel_before + e.fuel_pos) if s.fuel_kg > 0.0 else 0.0
    ox_lead = e.ox_flow - ox_target
    fuel_lead = e.fuel_flow - fuel_target
    spread = c.flow_lag_s * (1.0 - s.flow_decay)
    # the exact integral of the flow over the step, so that no propellant is made or lost
    s.ox_kg = max(s.ox_kg - c.ox_full_kgps * (ox_target * dt + ox_lead * spread), 0.0)
    s.fuel_kg = max(s.fuel_kg - c.fuel_full_kgps * (fuel_target * dt + fuel_lead * spread), 0.0)
    e.ox_flow = ox_target + ox_lead * s.flow_decay
    e.fuel_flow = fuel_target + fuel_lead * s.flow_decay


@compiled
def chambers_step(c: Any, e: Any, h: Any, healthy: Any, s: Any, igniter: bool, dt: float) -> None:
    """Advance the chamber of engine `e`, and the healthy one that stands for what is expected."""
    if e.thrust_factor_tau_s > 0.0:
        step = 1.0 - math.exp(-dt / e.thrust_factor_tau_s)
        e.thrust_factor_now += (e.thrust_factor - e.thrust_factor_now) * step
    else:
        e.thrust_factor_now = e.thrust_factor
    tail_s = max(e.tail_off_s, 1e-3) if e.out != 0.0 else c.tail_off_s
    chamber_step(
        c,
        h,
        e.ox_flow,
        e.fuel_flow,
        igniter,
        e.out != 0.0,
        e.ignition_delay_s,
        e.thrust_factor_now,
        tail_s,
        s.chamber_decay,
        dt,
    )
    chamber_step(
        c, healthy, e.ox_flow, e.fuel_flow, igniter, False, 0.0, 1.0, c.tail_off_s, s.chamber_decay, dt
    )


@compiled
def thrust_n(c: Any, chamber_pa: float, ambient_pa: float) -> float:
    """Return the thrust at `ambient_pa`: vacuum thrust by chamber pressure, less p A_exit, never negative."""
    return float(max(c.thrust_vac_n * chamber_pa / c.chamber_full_pa - ambient_pa * c.exit_area_m2, 0.0))


@compiled
def engine_step(
    c: Any,
    e: Any,
    h: Any,
    healthy: Any,
    s: Any,
    ox_drive: float,
    fuel_drive: float,
    x_drive: float,
    y_drive: float,
    igniter: float,
    dt: float,
) -> None:
    """Advance one engine by `dt` with its drives held."""
    ox_before, fuel_before = e.ox_pos, e.fuel_pos
    valves_step(c, e, s, ox_drive, fuel_drive, dt)
    gimbal_step(c, e, s, x_drive, y_drive, dt)
    flows_step(c, e, s, ox_before, fuel_before, dt)
    chambers_step(c, e, h, healthy, s, igniter > 0.5, dt)
