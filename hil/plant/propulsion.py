"""The propulsion chain of one engine: feed lines, turbopump, injector, chamber, ignition.

    L dm/dt = p_inlet + head(N, m) - (K_line + K_valve(x)) m |m| - p_manifold     line, each propellant
    C dp_manifold/dt = m - m_injected,    m_injected = sqrt((p_manifold - p_chamber) / K_injector)
    theta dp_chamber/dt = c*(MR) (w_ox m_ox + w_fuel m_fuel)(t - tau) - p_chamber
    spool dN/dt = turbine torque(throttle, N) - pump torque(N, m)

All in fractions of the values at full thrust (hil.plant.propulsion_layout).  The first three lines
with a time lag tau are the feed-coupled model of Summerfield (J. ARS 21, 1951) with the manifold's
capacity of Crocco & Cheng (AGARDograph 8, 1956): chug is theirs to make, nothing here asks for it.

The short path integrates all of it (Heun's method, about 0.1 ms).  The long path is for an engine at
rest: flows and manifolds are quasi-steady, and what lags they leave are one lag on the pressure.
"""

from __future__ import annotations

import math
from typing import Any, Final

from hil.plant.jit import compiled
from hil.plant.propulsion_layout import DELAY_SLOTS

__all__ = ["begin_short", "ignite", "long_step", "mixture_factor", "needs_short", "short_step"]

IGNITION_FLOW: Final = 0.03
"""Both flows above this fraction, and the igniter on: the ignition delay runs."""
SUSTAIN_FLOW: Final = 0.05
"""A chamber goes out when either flow stays below this fraction..."""
STARVED_S: Final = 0.06
"""... for longer than this: an oscillation may stop the flow for an instant."""
BLOW_OUT: Final = 0.4
"""A chamber goes out below this fraction of the throttle floor, once it has been above."""
ESTABLISHED_S: Final = 0.1
"""How long flows and pressure have to be above blow-out before a chamber can blow out."""
NEAR_FLOOR: Final = 0.97
"""Below this fraction of the floor the short path is taken: a valve cannot cross from here to
blow-out within a frame."""
CUT_FROM: Final = 0.1
"""The valve's contour is cut down to this opening; below it the area goes with the opening."""
LEAST_OPEN: Final = 0.02
"""Least opening of a valve that is not shut in the short path: a line cannot be braked at once."""
ROUND: Final = 2e-3
"""Pressure drop below which the injector's square root is rounded off."""
AT_REST: Final = 4e-3
"""An engine whose pressures and flows fit each other this well takes the long path."""
MOST_GAS: Final = 1.0 - 1e-12
MOST_GAS_SHORT: Final = 0.999
"""More gas than this makes a line too stiff for the short path; nothing burns by then."""
MOST_SPREAD: Final = 0.9
SWING_S: Final = 0.01
"""Over this time the swing of an oscillation is averaged."""
LEAST_FACTOR: Final = 0.05
MOST_LOST: Final = 0.7
"""What cavitation takes of the head at the most."""
LEAST_SPEED: Final = 0.2
"""Least pump speed that the gas generator's contour is cut for."""


@compiled
def mixture_factor(k: Any, ox: float, fuel: float) -> float:
    """Return c* at these flows (fractions of full) over c* at the nominal mixture ratio.

    A parabola in the logarithm of the mixture ratio, by its first series term.
    """
    rich = k.mixture_ratio * ox
    lean = k.best_ratio * fuel
    if rich + lean <= 0.0:
        return 1.0
    z = 2.0 * (rich - lean) / (rich + lean)
    return float(max((1.0 - k.ratio_loss * z * z) * k.ratio_norm, 0.2))


@compiled
def valve_opening(f: Any, pos: float) -> float:
    """Return the opening that flows: the stem's, and what leaks past its seat."""
    return float(pos + f.leak * (1.0 - pos))


@compiled
def resistance(line: Any, f: Any, x: float, void: float) -> float:
    """Return the resistance of line and valve at opening `x` > 0; gas makes the liquid lighter."""
    cut = max(x, CUT_FROM)
    valve = max(line.contour_0 / (cut * cut) + line.contour_1 / cut + line.contour_2, 0.0)
    if x < CUT_FROM:
        valve *= CUT_FROM * CUT_FROM / (x * x)
    return float((line.upstream + valve) / (f.flow_factor * f.flow_factor * (1.0 - void)))


@compiled
def injector_resistance(line: Any, e: Any, f: Any, void: float) -> float:
    """Return the injector's resistance: its pressure drop at full flow."""
    drop = e.injector_dp if e.injector_dp > 0.0 else line.injector
    area = f.injector_area * f.flow_factor
    return float(drop / (area * area * (1.0 - void)))


@compiled
def source_pressure(k: Any, line: Any, f: Any, speed: float, void: float) -> float:
    """Return inlet pressure and head of the pump at no flow; head goes with N^2 and suffers cavitation."""
    squared = speed * speed
    lost = f.cavitation
    required = line.suction_required * squared
    if line.inlet < required:
        lost = max(lost, k.cavitation_slope * (1.0 - line.inlet / required))
    head = line.shutoff * squared * (1.0 - min(lost, MOST_LOST))
    return float(line.inlet + head * (1.0 - void))


@compiled
def turbine_torque(k: Any, e: Any, h: Any, igniter: bool) -> float:
    """Return the gas generator's torque, and the start gas's while the igniter is on.

    The gas generator's valves are ganged with the main valves; their contour is cut so that the
    pump runs at its design speed for each opening, as the main valves' is.
    """
    torque = 0.0
    n = h.speed
    if h.lit == 1:
        x = h.throttle
        design = math.sqrt(max(k.speed_0 + x * (k.speed_1 + x * k.speed_2), LEAST_SPEED * LEAST_SPEED))
        power = k.torque_at_rest * design + (1.0 - k.torque_at_rest) * x + k.bearing
        torque = e.turbine_factor * power / (2.0 - design) * n * (2.0 - n)
    if igniter and h.dead == 0 and n < k.start_speed:
        torque += k.start_torque * (1.0 - n / k.start_speed)
    return torque


@compiled
def pump_torque(k: Any, lines: Any, speed: float, ox: float, fuel: float, gas: float) -> float:
    """Return the torque of both pumps and the bearings; `gas` is the void of the worse side."""
    flow = lines[0].power_share * ox + lines[1].power_share * fuel
    wet = (k.torque_at_rest * speed + (1.0 - k.torque_at_rest) * flow) * (1.0 - gas)
    return float(speed * (wet + k.bearing))


@compiled
def set_throttle(e: Any, h: Any, ox_pos: float, fuel_pos: float, dt: float) -> None:
    """Let throttle and c* factor follow: at once, or with the lags that faults give them.

    The gas generator needs both propellants, so its opening is the harmonic mean of the valves'.
    """
    total = ox_pos + fuel_pos
    wanted = 2.0 * ox_pos * fuel_pos / total if total > 0.0 else 0.0
    if e.throttle_tau_s > 0.0:
        h.throttle += (wanted - h.throttle) * (1.0 - math.exp(-dt / e.throttle_tau_s))
    else:
        h.throttle = wanted
    if e.thrust_factor_tau_s > 0.0:
        h.factor += (e.thrust_factor - h.factor) * (1.0 - math.exp(-dt / e.thrust_factor_tau_s))
    else:
        h.factor = e.thrust_factor


@compiled
def void_now(e: Any, f: Any, h: Any, tank: float) -> float:
    """Return the gas in the feed: what the tank draws in, or a fault's burst."""
    void = f.void
    if void > 0.0 and e.void_burst_s > 0.0:
        bursts = h.void_s / (2.0 * e.void_burst_s)
        if bursts - math.floor(bursts) >= 0.5:
            void = 0.0
    return float(min(max(void, tank), MOST_GAS))


@compiled
def burns_on(k: Any, h: Any, ox: float, fuel: float, igniter: bool, dt: float) -> bool:
    """Tell whether a burning chamber goes on burning at these flows in its lines."""
    h.starved_s = h.starved_s + dt if ox < SUSTAIN_FLOW or fuel < SUSTAIN_FLOW else 0.0
    if h.dead == 1 or h.starved_s > STARVED_S:
        return False
    level = (k.mixture_ratio * ox + fuel) / (1.0 + k.mixture_ratio)
    if level < BLOW_OUT * k.throttle_floor:
        h.risen_s = 0.0
        return igniter or h.established == 0
    h.risen_s = h.risen_s + dt if h.pressure >= BLOW_OUT * k.throttle_floor else 0.0
    if h.risen_s >= ESTABLISHED_S:
        h.established = 1
    return True


@compiled
def protect(k: Any, e: Any, h: Any, dt: float) -> None:
    """Cut the engine for good when it is out, has overspeeded for too long, or has burst."""
    trip = e.trip_speed if e.trip_speed > 0.0 else k.trip_speed
    wait_s = e.trip_s if e.trip_s > 0.0 else k.trip_s
    h.over_s = h.over_s + dt if h.speed > trip else 0.0
    if h.spared == 0 and (e.out != 0.0 or h.over_s >= wait_s or h.pressure > k.damage_pressure):
        h.dead = 1


@compiled
def pool_for(k: Any, peak: float, burn_s: float) -> float:
    """Return the pooled propellant (s of full flow) that peaks at `peak`, burning with `burn_s`.

    The chamber is a lag of residence_s behind an exponential of burn_s; nothing else burns.
    """
    if peak <= 0.0 or burn_s <= 0.0:
        return 0.0
    a = k.residence_s / burn_s
    shape = math.pow(a, -a / (1.0 - a)) if abs(1.0 - a) > 1e-3 else math.e
    return float(peak * burn_s * shape)


@compiled
def ignite(k: Any, e: Any, h: Any, ox: float, fuel: float, igniter: bool, dt: float) -> None:
    """Put the chamber out, or light it once igniter and both flows have been on for long enough.

    Lighting takes a start.  Unburnt propellant pools until then, and drains.
    """
    if e.starts_most < h.starts_left:
        h.starts_left = int(e.starts_most)
    if igniter and ox > IGNITION_FLOW and fuel > IGNITION_FLOW:
        h.igniting_s += dt
    else:
        h.igniting_s = 0.0
    if h.lit == 1:
        if not burns_on(k, h, ox, fuel, igniter, dt):
            h.lit = 0
            h.igniting_s = 0.0
        return
    if h.pool_s > 0.0 or ox > 0.0 or fuel > 0.0:
        level = (k.mixture_ratio * ox + fuel) / (1.0 + k.mixture_ratio)
        # an igniter that works in its time leaves nothing to pool
        share = 0.0 if 0.0 < h.igniting_s <= k.igniter_s else k.pool_share
        h.pool_s += dt * (share * level - h.pool_s / k.pool_drain_s)
    # half a step's slack, so that rounding of the sum does not decide
    if h.dead == 0 and h.starts_left > 0 and h.igniting_s + 0.5 * dt >= k.igniter_s + e.ignition_delay_s:
        h.lit = 1
        h.established = 0
        h.risen_s = 0.0
        h.starts_left -= 1
        h.pool_s += pool_for(k, e.hard_start_peak, e.hard_start_burn_s)
        h.unrest = 1.0


@compiled
def dark_pressure(k: Any, e: Any, h: Any, dt: float) -> None:
    """Let the pressure of a chamber that does not burn decay."""
    if h.pressure > 1e-6:
        tail_s = max(e.tail_off_s, 1e-3) if e.out != 0.0 else k.tail_off_s
        h.pressure *= math.exp(-dt / tail_s)
    else:
        h.pressure = 0.0


@compiled
def quasi_steady(line: Any, e: Any, f: Any, x: float, source: float, back: float, void: float) -> float:
    """Return the steady flow against the back pressure."""
    if x <= 0.0 or source <= back:
        return 0.0
    return math.sqrt((source - back) / (resistance(line, f, x, void) + injector_resistance(line, e, f, void)))


@compiled
def evaluate(
    k: Any, lines: Any, e: Any, h: Any, fo: Any, ff: Any, flows: Any, at: int, ox_pos: float, fuel_pos: float,
    ox_gas: float, fuel_gas: float, igniter: bool,
) -> None:  # fmt: skip
    """Leave flows and rates of the long path at this very state in `flows` and `h`."""
    back = h.pressure / max(h.factor, LEAST_FACTOR)
    ox_from = source_pressure(k, lines[0], fo, h.speed, ox_gas)
    fuel_from = source_pressure(k, lines[1], ff, h.speed, fuel_gas)
    ox = quasi_steady(lines[0], e, fo, valve_opening(fo, ox_pos), ox_from, back, ox_gas)
    fuel = quasi_steady(lines[1], e, ff, valve_opening(ff, fuel_pos), fuel_from, back, fuel_gas)
    flows[at].line = ox
    flows[at].injected = ox
    flows[at + 1].line = fuel
    flows[at + 1].injected = fuel
    h.last_speed = h.rate_speed
    h.last_pressure = h.rate_pressure
    gas = max(ox_gas, fuel_gas)
    h.rate_speed = (
        turbine_torque(k, e, h, igniter) - pump_torque(k, lines, h.speed, ox, fuel, gas)
    ) / k.spool_s
    h.burning = 0.0
    h.rate_pressure = 0.0
    if h.lit == 1:
        h.burning = h.factor * mixture_factor(k, ox, fuel) * (lines[0].share * ox + lines[1].share * fuel)
        h.rate_pressure = (h.burning - h.pressure) / k.short_lag_s


@compiled
def idle(h: Any, fo: Any, ff: Any, ox_pos: float, fuel_pos: float, igniter: bool) -> bool:
    """Tell whether nothing moves in an engine that is shut."""
    shut = valve_opening(fo, ox_pos) <= 0.0 and valve_opening(ff, fuel_pos) <= 0.0
    return shut and not igniter and h.lit == 0 and h.pressure == 0.0 and h.speed == 0.0 and h.pool_s == 0.0


@compiled
def long_step(
    k: Any, lines: Any, e: Any, h: Any, fo: Any, ff: Any, flows: Any, at: int, ox_pos: float, fuel_pos: float,
    ox_tank: float, fuel_tank: float, igniter: bool, dt: float,
) -> None:  # fmt: skip
    """Advance a chain by the long path (Adams-Bashforth of second order on speed and pressure)."""
    if idle(h, fo, ff, ox_pos, fuel_pos, igniter):
        return
    ox_before, fuel_before = flows[at].injected, flows[at + 1].injected
    old, new = (1.0, 0.0) if h.fresh == 1 else (1.5, -0.5)
    h.fresh = 0
    h.speed = max(h.speed + dt * (old * h.rate_speed + new * h.last_speed), 0.0)
    if h.lit == 1:
        h.pressure = max(h.pressure + dt * (old * h.rate_pressure + new * h.last_pressure), 0.0)
        h.pool_s = 0.0
    else:
        dark_pressure(k, e, h, dt)
        if h.speed < 1e-4 and h.throttle == 0.0:
            h.speed = 0.0
        if h.pool_s < 1e-6:
            h.pool_s = 0.0
    h.void_s = h.void_s + dt if fo.void + ff.void > 0.0 else 0.0
    set_throttle(e, h, ox_pos, fuel_pos, dt)
    was_lit = h.lit
    evaluate(
        k, lines, e, h, fo, ff, flows, at, ox_pos, fuel_pos, void_now(e, fo, h, ox_tank),
        void_now(e, ff, h, fuel_tank), igniter,
    )  # fmt: skip
    flows[at].used_kg += 0.5 * dt * lines[0].full_kgps * (ox_before + flows[at].injected)
    flows[at + 1].used_kg += 0.5 * dt * lines[1].full_kgps * (fuel_before + flows[at + 1].injected)
    protect(k, e, h, dt)
    ignite(k, e, h, flows[at].line, flows[at + 1].line, igniter, dt)
    if h.lit != was_lit:
        h.fresh = 1


@compiled
def needs_short(k: Any, lines: Any, e: Any, h: Any, flows: Any, at: int, igniter: bool) -> bool:
    """Tell whether the next frame of a chain takes the short path.

    It does while it starts, while pressures and flows have not come to rest, where the injector is
    so soft that they may not, and close to going out.
    """
    if h.lit == 0:
        return igniter and h.dead == 0 and h.starts_left > 0
    ox, fuel = flows[at].line, flows[at + 1].line
    level = lines[0].share * ox + lines[1].share * fuel
    soft = e.injector_dp > 0.0 or e.time_lag_s > 0.0
    if soft or h.unrest > AT_REST or level < NEAR_FLOOR * k.throttle_floor:
        return True
    drop = min(lines[0].injector * ox * ox, lines[1].injector * fuel * fuel)
    return bool(drop < k.watch_stiffness * h.pressure)


@compiled
def begin_short(lines: Any, h: Any, flows: Any, at: int) -> None:
    """Fill manifolds and the time lag's memory from the long path's state."""
    for side in range(2):
        q = flows[at + side].line
        flows[at + side].manifold = h.pressure / max(h.factor, LEAST_FACTOR) + lines[side].injector * q * q
    for i in range(DELAY_SLOTS):
        h.delayed[i] = h.burning
    h.newest = 0
    h.unrest = 1.0


@compiled
def delayed_burning(h: Any, steps: float) -> float:
    """Return what was injected `steps` sub-steps ago, linear between them."""
    whole = int(steps)
    part = steps - whole
    at = h.newest - whole
    if at < 0:
        at += DELAY_SLOTS
    before = at - 1 if at > 0 else DELAY_SLOTS - 1
    return float(h.delayed[at] + part * (h.delayed[before] - h.delayed[at]))


@compiled
def lag_steps(k: Any, e: Any, h: Any, dt: float) -> tuple[float, float]:
    """Return the time lags of early and late droplets, in sub-steps.

    One lag for small oscillations, as in the linear theory; swings spread it, which is what bounds
    their growth: half burns earlier and half later by lag_spread times the swing of what burns.
    """
    lag = (e.time_lag_s if e.time_lag_s > 0.0 else k.time_lag_s) / dt
    spread = min(k.lag_spread * h.swing, MOST_SPREAD)
    most = DELAY_SLOTS - 3.0
    return min(max(lag * (1.0 - spread), 1.0), most), min(max(lag * (1.0 + spread), 1.0), most)


@compiled
def injected(drop: float, inward: float) -> float:
    """Return the flow through an injector of resistance `inward`; it does not flow back."""
    if drop <= 0.0:
        return 0.0
    return drop / math.sqrt(inward * math.sqrt(drop * drop + ROUND * ROUND))


@compiled
def line_rates(
    line: Any, source: float, along: float, inward: float, flow: float, manifold: float, back: float
) -> tuple[float, float, float]:
    """Return the rates of line flow and manifold pressure, and the flow into the chamber."""
    q = injected(manifold - back, inward)
    pull = source - manifold - along * flow * flow
    return pull / line.inertance_s, (flow - q) / line.capacity_s, q


@compiled
def pool_source(k: Any, e: Any, h: Any, dt: float) -> float:
    """Burn pooled propellant for a sub-step; return the mean flow that it stands for."""
    if h.lit == 0 or h.pool_s <= 0.0:
        return 0.0
    burn_s = e.hard_start_burn_s if e.hard_start_burn_s > 0.0 else k.pool_burn_s
    left = h.pool_s * math.exp(-dt / burn_s) if h.pool_s > 1e-7 else 0.0
    source = (h.pool_s - left) / dt
    h.pool_s = left
    return float(source)


@compiled
def short_step(
    k: Any, lines: Any, e: Any, h: Any, fo: Any, ff: Any, flows: Any, at: int, ox_pos: float, fuel_pos: float,
    ox_tank: float, fuel_tank: float, igniter: bool, dt: float,
) -> None:  # fmt: skip
    """Advance a chain by one sub-step of the short path (Heun's method)."""
    set_throttle(e, h, ox_pos, fuel_pos, dt)
    h.void_s = h.void_s + dt if fo.void + ff.void > 0.0 else 0.0
    ox_gas = min(void_now(e, fo, h, ox_tank), MOST_GAS_SHORT)
    fuel_gas = min(void_now(e, ff, h, fuel_tank), MOST_GAS_SHORT)
    gas = max(ox_gas, fuel_gas)
    a, b = flows[at], flows[at + 1]
    a_along = resistance(lines[0], fo, max(valve_opening(fo, ox_pos), LEAST_OPEN), ox_gas)
    b_along = resistance(lines[1], ff, max(valve_opening(ff, fuel_pos), LEAST_OPEN), fuel_gas)
    a_in = injector_resistance(lines[0], e, fo, ox_gas)
    b_in = injector_resistance(lines[1], e, ff, fuel_gas)
    a_open = 1.0 if valve_opening(fo, ox_pos) > 0.0 else 0.0
    b_open = 1.0 if valve_opening(ff, fuel_pos) > 0.0 else 0.0
    scale = 1.0 / max(h.factor, LEAST_FACTOR)
    extra = pool_source(k, e, h, dt)
    early, late = lag_steps(k, e, h, dt)
    n, p, pa, pb = h.speed, h.pressure, a.manifold, b.manifold
    qa, qb = a.line * a_open, b.line * b_open

    a_from = source_pressure(k, lines[0], fo, n, ox_gas)
    b_from = source_pressure(k, lines[1], ff, n, fuel_gas)
    turn = turbine_torque(k, e, h, igniter)
    dn = (turn - pump_torque(k, lines, n, qa, qb, gas)) / k.spool_s
    dqa, dpa, ja = line_rates(lines[0], a_from, a_along, a_in, qa, pa, p * scale)
    dqb, dpb, jb = line_rates(lines[1], b_from, b_along, b_in, qb, pb, p * scale)
    now = 0.5 * (delayed_burning(h, early) + delayed_burning(h, late))
    dp = (now + extra - p) / k.residence_s if h.lit == 1 else 0.0

    n1, p1 = max(n + dt * dn, 0.0), max(p + dt * dp, 0.0)
    qa1, qb1 = a_open * max(qa + dt * dqa, 0.0), b_open * max(qb + dt * dqb, 0.0)
    pa1, pb1 = pa + dt * dpa, pb + dt * dpb
    dn1 = (turn - pump_torque(k, lines, n1, qa1, qb1, gas)) / k.spool_s
    dqa1, dpa1, ja1 = line_rates(lines[0], a_from, a_along, a_in, qa1, pa1, p1 * scale)
    dqb1, dpb1, jb1 = line_rates(lines[1], b_from, b_along, b_in, qb1, pb1, p1 * scale)
    then = 0.5 * (delayed_burning(h, early - 1.0) + delayed_burning(h, late - 1.0))
    dp1 = (then + extra - p1) / k.residence_s if h.lit == 1 else 0.0

    half = 0.5 * dt
    h.speed = max(n + half * (dn + dn1), 0.0)
    h.pressure = max(p + half * (dp + dp1), 0.0)
    a.line = a_open * max(qa + half * (dqa + dqa1), 0.0)
    b.line = b_open * max(qb + half * (dqb + dqb1), 0.0)
    a.manifold, b.manifold = pa + half * (dpa + dpa1), pb + half * (dpb + dpb1)
    a.used_kg += half * lines[0].full_kgps * (ja + ja1)
    b.used_kg += half * lines[1].full_kgps * (jb + jb1)
    end_short(k, lines, e, h, a, b, a_in, b_in, igniter, dt)


@compiled
def end_short(
    k: Any, lines: Any, e: Any, h: Any, a: Any, b: Any, a_in: float, b_in: float, igniter: bool, dt: float
) -> None:
    """Remember what was injected, look for rest, protection and ignition after a sub-step."""
    if h.lit == 0:
        dark_pressure(k, e, h, dt)
    back = h.pressure / max(h.factor, LEAST_FACTOR)
    a.injected, b.injected = injected(a.manifold - back, a_in), injected(b.manifold - back, b_in)
    h.burning = 0.0
    if h.lit == 1:
        level = lines[0].share * a.injected + lines[1].share * b.injected
        h.burning = h.factor * mixture_factor(k, a.injected, b.injected) * level
        off = max(abs(h.burning - h.pressure), max(abs(a.line - a.injected), abs(b.line - b.injected)))
        h.unrest = max(h.unrest, off)
        uneven = abs(h.burning - h.pressure) / max(h.pressure, LEAST_FACTOR)
        h.swing += (uneven - h.swing) * min(dt / SWING_S, 1.0)
    h.newest = h.newest + 1 if h.newest < DELAY_SLOTS - 1 else 0
    h.delayed[h.newest] = h.burning
    h.rate_speed = 0.0
    h.fresh = 1
    protect(k, e, h, dt)
    ignite(k, e, h, a.line, b.line, igniter, dt)
