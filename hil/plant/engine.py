"""One engine: its valves and gimbal, its propulsion chain, its healthy twin, and its nozzle.

The twin has the real valve positions and nothing wrong with it: its chamber pressure is what was to
be expected.  As long as nothing is wrong with the engine itself, the two are one.
"""

from __future__ import annotations

import math
from typing import Any

from numba import literal_unroll

from hil.plant.actuators import gimbal_step, valve_step
from hil.plant.jit import compiled
from hil.plant.propulsion import begin_short, evaluate, idle, long_step, needs_short, short_step
from hil.plant.propulsion_layout import DELAY_SLOTS, ENGINE_EFFECTS, FEED_EFFECTS

__all__ = [
    "begin_engine",
    "engine_step",
    "expected_pressure",
    "move_gimbal",
    "seen_pressure",
    "tank_void",
    "thrust_n",
]


@compiled
def engine_differs(a: Any, b: Any) -> bool:
    """Tell whether faults act otherwise on the engine `a` than on `b`."""
    for name in literal_unroll(ENGINE_EFFECTS):  # noqa: SIM110
        if a[name] != b[name]:
            return True
    return False


@compiled
def feed_differs(a: Any, b: Any) -> bool:
    """Tell whether faults act otherwise on the feed `a` than on `b`."""
    for name in literal_unroll(FEED_EFFECTS):  # noqa: SIM110
        if a[name] != b[name]:
            return True
    return False


@compiled
def copy_chain(real: Any, twin: Any, flows: Any, at: int) -> None:
    """Make the twin, whose flows follow those of the real chain at `at`, what the real chain is."""
    twin.speed, twin.throttle, twin.pressure = real.speed, real.throttle, real.pressure
    twin.burning, twin.factor = real.burning, real.factor
    twin.rate_speed, twin.rate_pressure = real.rate_speed, real.rate_pressure
    twin.last_speed, twin.last_pressure = real.last_speed, real.last_pressure
    twin.igniting_s, twin.pool_s, twin.over_s = real.igniting_s, real.pool_s, real.over_s
    twin.starved_s, twin.risen_s = real.starved_s, real.risen_s
    twin.unrest, twin.swing, twin.newest, twin.fresh = real.unrest, real.swing, real.newest, real.fresh
    twin.lit, twin.established, twin.starts_left = real.lit, real.established, real.starts_left
    twin.dead, twin.short = real.dead, real.short
    for i in range(DELAY_SLOTS):
        twin.delayed[i] = real.delayed[i]
    for side in range(2):
        flows[at + 2 + side].line = flows[at + side].line
        flows[at + 2 + side].manifold = flows[at + side].manifold
        flows[at + 2 + side].injected = flows[at + side].injected


@compiled
def choose_path(
    k: Any, lines: Any, e: Any, h: Any, fo: Any, ff: Any, flows: Any, at: int, ox_pos: float, fuel_pos: float,
    short: bool, igniter: bool,
) -> None:  # fmt: skip
    """Take the chain `h` to the path of the next frame."""
    if short and h.short == 0:
        begin_short(lines, h, flows, at)
    elif not short and h.short == 1:
        evaluate(k, lines, e, h, fo, ff, flows, at, ox_pos, fuel_pos, 0.0, 0.0, igniter)
    h.short = 1 if short else 0
    h.unrest = 0.0


@compiled
def is_faulty(engines: Any, feeds: Any, i: int, count: int) -> bool:
    """Tell whether some fault acts on the engine in slot `i` or on its feeds."""
    if engine_differs(engines[i], engines[count]):
        return True
    return feed_differs(feeds[2 * i], feeds[2 * count]) or feed_differs(
        feeds[2 * i + 1], feeds[2 * count + 1]
    )


@compiled
def is_idle(e: Any, real: Any, twin: Any, fo: Any, ff: Any, igniter: bool) -> bool:
    """Tell whether an engine is shut, with nothing moving in it."""
    if fo.pos + ff.pos != 0.0 or fo.speed != 0.0 or ff.speed != 0.0:
        return False
    if not idle(real, fo, ff, 0.0, 0.0, igniter):
        return False
    return e.split == 0 or idle(twin, fo, ff, 0.0, 0.0, igniter)


@compiled
def begin_engine(
    k: Any, lines: Any, engines: Any, feeds: Any, chains: Any, flows: Any, i: int, igniter: bool,
    driven: bool, drawing_gas: bool,
) -> None:  # fmt: skip
    """Before a frame: part engine and twin if something is wrong from now on, and choose their path.

    An engine that is shut is left out of the frame's steps.
    """
    e, healthy, count = engines[i], engines[k.engines], k.engines
    fo, ff, ho, hf = feeds[2 * i], feeds[2 * i + 1], feeds[2 * count], feeds[2 * count + 1]
    real, twin, at = chains[2 * i], chains[2 * i + 1], 4 * i
    if e.split == 0 and (drawing_gas or is_faulty(engines, feeds, i, count)):
        e.split = 1
        copy_chain(real, twin, flows, at)
    if e.out != 0.0:
        real.dead = 1
        real.lit = 0
    short = needs_short(k, lines, e, real, flows, at, igniter) and not (drawing_gas and real.lit == 0)
    if e.split == 1 and not short:
        short = needs_short(k, lines, healthy, twin, flows, at + 2, igniter)
    choose_path(k, lines, e, real, fo, ff, flows, at, fo.pos, ff.pos, short, igniter)
    if e.split == 1:
        choose_path(k, lines, healthy, twin, ho, hf, flows, at + 2, fo.pos, ff.pos, short, igniter)
    e.short = 1 if short else 0
    e.idle = 1 if not driven and is_idle(e, real, twin, fo, ff, igniter) else 0


@compiled
def tank_void(ingest_kg: float, left_kg: float, settling: float) -> float:
    """Return the gas drawn in with the last of a tank: none above `ingest_kg` (more when unsettled).

    The liquid's share falls gently at first and with the square of what is left at last, so that the
    flow dies out with it.
    """
    level = left_kg / (ingest_kg * settling)
    if level >= 1.0:
        return 0.0
    return 1.0 - level * level * (3.0 - 2.0 * level) if level > 0.0 else 1.0


@compiled
def engine_step(
    k: Any, lines: Any, engines: Any, feeds: Any, chains: Any, flows: Any, i: int, ox_drive: float,
    fuel_drive: float, igniter: bool, ox_void: float, fuel_void: float, ambient_pa: float, dt: float,
) -> float:  # fmt: skip
    """Advance the engine in slot `i`, and its twin, by a plant step of `dt` with its drives held.

    Returns the mean thrust of the step, N.
    """
    e, healthy, count = engines[i], engines[k.engines], k.engines
    if e.idle == 1:
        return 0.0
    fo, ff, ho, hf = feeds[2 * i], feeds[2 * i + 1], feeds[2 * count], feeds[2 * count + 1]
    real, twin, at = chains[2 * i], chains[2 * i + 1], 4 * i
    steps = k.short_steps if e.short == 1 else k.long_steps
    decay = k.valve_decay_short if e.short == 1 else k.valve_decay_long
    h = dt / steps
    total = 0.0
    for _ in range(steps):
        valve_step(k, fo, ox_drive, decay, h)
        valve_step(k, ff, fuel_drive, decay, h)
        before, was_lit = real.pressure, real.lit
        if e.short == 1:
            short_step(k, lines, e, real, fo, ff, flows, at, fo.pos, ff.pos, ox_void, fuel_void, igniter, h)
            if e.split == 1:
                short_step(
                    k, lines, healthy, twin, ho, hf, flows, at + 2, fo.pos, ff.pos, 0.0, 0.0, igniter, h
                )
        else:
            long_step(k, lines, e, real, fo, ff, flows, at, fo.pos, ff.pos, ox_void, fuel_void, igniter, h)
            if e.split == 1:
                long_step(
                    k, lines, healthy, twin, ho, hf, flows, at + 2, fo.pos, ff.pos, 0.0, 0.0, igniter, h
                )
        if real.lit > was_lit and e.split == 1:
            copy_chain(real, twin, flows, at)  # it is expected to rise from where it was lit
        total += thrust_n(k, 0.5 * (before + real.pressure), ambient_pa)
    real.buzz_s += dt
    return float(total / steps)


@compiled
def seen_pressure(e: Any, real: Any) -> float:
    """Return the chamber pressure, as a fraction of full, with the buzz that a fault puts on it."""
    if e.buzz <= 0.0:
        return float(real.pressure)
    return float(real.pressure * (1.0 + e.buzz * math.sin(2.0 * math.pi * e.buzz_hz * real.buzz_s)))


@compiled
def expected_pressure(e: Any, real: Any, twin: Any) -> float:
    """Return the chamber pressure of a healthy engine at these valve positions, as a fraction of full."""
    return float(twin.pressure if e.split == 1 else real.pressure)


@compiled
def thrust_n(k: Any, pressure: float, ambient_pa: float) -> float:
    """Return the thrust at `ambient_pa`: vacuum thrust by chamber pressure, less p A_exit, never negative.

    The flow leaves the wall where the wall's pressure has fallen to `separation` of the ambient one
    (the criterion of Summerfield, Foster & Swan, Jet Propulsion 24, 1954); beyond, the nozzle does
    not count.  The wall's pressure is taken to go with area^-gamma.
    """
    exit_pa = k.exit_pa * pressure
    limit_pa = k.separation * ambient_pa
    area = k.exit_area_m2
    lost_n = 0.0
    if 0.0 < exit_pa < limit_pa:
        shrink = math.pow(exit_pa / limit_pa, 1.0 / k.exit_gamma)
        lost_n = exit_pa * area / (k.exit_gamma - 1.0) * (math.pow(shrink, 1.0 - k.exit_gamma) - 1.0)
        area *= shrink
    elif exit_pa <= 0.0:
        return 0.0
    return float(max(k.thrust_vac_n * pressure - lost_n - ambient_pa * area, 0.0))


@compiled
def move_gimbal(k: Any, e: Any, x_drive: float, y_drive: float, dt: float) -> tuple[float, float]:
    """Move the gimbal by `dt`; return its mean angles, rad (of the cubic through angles and rates)."""
    gx, gy, vx, vy = e.gimbal_x_rad, e.gimbal_y_rad, e.gimbal_x_speed, e.gimbal_y_speed
    gimbal_step(k, e, x_drive, y_drive, k.gimbal_decay, dt)
    part = dt / 12.0
    mean_x = 0.5 * (gx + e.gimbal_x_rad) + part * (vx - e.gimbal_x_speed)
    return mean_x, 0.5 * (gy + e.gimbal_y_rad) + part * (vy - e.gimbal_y_speed)
