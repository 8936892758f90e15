"""The plant's core: one compiled call integrates a frame and writes the truth record.

Within a step the actuators, engines and fins come first (their inputs are held, so their lags are
exact), then mass and air at the middle of the step, then the rigid body by Runge-Kutta with
those held, then the ground.  Thrust is the mean over the step, so the whole is of second order.
"""

from __future__ import annotations

import math
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from hil.plant.actuators import servo_step
from hil.plant.aero import plume_shielding
from hil.plant.atmosphere import atmosphere, gravity_mps2
from hil.plant.engine import (
    begin_engine,
    engine_step,
    expected_pressure,
    move_gimbal,
    seen_pressure,
    tank_void,
    thrust_n,
)
from hil.plant.jit import compiled
from hil.plant.legs import (
    CRASHED,
    MOVING,
    TIPPED,
    crush_step,
    how_it_stands,
    hull_on_ground,
    lowest_foot,
)
from hil.plant.propellant import leave, slosh_step
from hil.plant.rigid import derivative, rotation, runge_kutta_step
from hil.plant.wind import gust_step, wind_at

__all__ = ["advance", "set_mass", "write_truth"]

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

STILL_S: Final = 0.5
STILL_MPS: Final = 0.1
STILL_RADPS: Final = math.radians(1.0)
STANDING_TILT: Final = math.cos(math.radians(10.0))
TIPPED_TILT: Final = math.cos(math.radians(45.0))
"""Beyond this tilt a booster on its legs is past its balance, whatever it does."""


@compiled
def set_mass(c: Any, s: Any, propellant: float) -> None:
    """Set mass, centre of mass and inertia for `propellant` kilograms in the tanks.

    The propellant is a column with a fixed centre; its length goes with its mass, and it does not
    turn with the tanks about the axis.
    """
    s.mass_kg = c.dry_kg + propellant
    s.cm_z_m = (c.dry_kg * c.dry_cm_z_m + propellant * c.propellant_cm_z_m) / s.mass_kg
    dry_arm = c.dry_cm_z_m - s.cm_z_m
    propellant_arm = c.propellant_cm_z_m - s.cm_z_m
    length = c.propellant_length_m * propellant / c.propellant_full_kg
    s.inertia_transverse_kgm2 = (
        c.inertia_transverse_kgm2
        + c.dry_kg * dry_arm * dry_arm
        + propellant * (propellant_arm * propellant_arm + length * length / 12.0)
    )
    s.inertia_axial_kgm2 = c.inertia_axial_kgm2
    s.per_mass = 1.0 / s.mass_kg
    s.per_transverse = 1.0 / s.inertia_transverse_kgm2
    s.per_axial = 1.0 / s.inertia_axial_kgm2


@compiled
def add_thrust(c: Any, s: Any, e: Any, thrust: float, gx: float, gy: float) -> float:
    """Add the thrust of engine `e`, deflected by (gx, gy), to force and moment about the body origin."""
    along_x = math.sin(gx + e.gimbal_bias_x_rad)
    along_y = math.sin(gy + e.gimbal_bias_y_rad)
    fx, fy = thrust * along_x, thrust * along_y
    fz = thrust * math.sqrt(1.0 - along_x * along_x - along_y * along_y)
    s.thrust_body_n[0] += fx
    s.thrust_body_n[1] += fy
    s.thrust_body_n[2] += fz
    s.moment_body_nm[0] += e.y_m * fz - c.gimbal_plane_z_m * fy
    s.moment_body_nm[1] += c.gimbal_plane_z_m * fx - e.x_m * fz
    s.moment_body_nm[2] += e.x_m * fy - e.y_m * fx
    return thrust


@compiled
def settling(k: Any, s: Any) -> float:
    """Return by how much more of a tank draws gas than when it is settled: little or slanted acceleration."""
    along = s.specific_mps2[2]
    across = math.sqrt(s.specific_mps2[0] * s.specific_mps2[0] + s.specific_mps2[1] * s.specific_mps2[1])
    lean = k.slosh_gain * across / max(along, 1.0)
    return float(1.0 + lean + max(k.settled_mps2 / max(along, 0.1) - 1.0, 0.0))


@compiled
def gas_drawn(k: Any, lines: Any, s: Any) -> tuple[float, float]:
    """Return the void in what the oxidiser and the fuel tank give."""
    factor = settling(k, s)
    return tank_void(lines[0].ingest_kg, s.ox_kg, factor), tank_void(lines[1].ingest_kg, s.fuel_kg, factor)


@compiled
def burnt(c: Any, flows: Any) -> tuple[float, float]:
    """Return how much oxidiser and fuel all engines have used since the start, kg."""
    ox_kg = fuel_kg = 0.0
    for i in range(c.engines):
        ox_kg += flows[4 * i].used_kg
        fuel_kg += flows[4 * i + 1].used_kg
    return ox_kg, fuel_kg


@compiled
def engines_step(c: Any, s: Any, prop: Any, act: Floats, dt: float) -> float:
    """Advance all engines; leave the mean thrust force and moment of the step in `s`."""
    constants, lines, engines, feeds, chains, flows = prop
    k = constants[0]
    total = 0.0
    for i in range(3):
        s.thrust_body_n[i] = 0.0
        s.moment_body_nm[i] = 0.0
    ox_void, fuel_void = gas_drawn(k, lines, s)
    for i in range(c.engines):
        e = engines[i]
        igniter = act[c.at_igniter + i] > 0.5
        ox_drive, fuel_drive = act[c.at_ox_drive + i], act[c.at_fuel_drive + i]
        if act[c.at_unpowered + i] > 0.5:
            ox_drive = fuel_drive = -k.valve_spring_per_s / k.valve_slew_per_s
        thrust = engine_step(
            k, lines, engines, feeds, chains, flows, i, ox_drive, fuel_drive,
            igniter, ox_void, fuel_void, s.ambient_pa, dt,
        )  # fmt: skip
        gx, gy = move_gimbal(k, e, act[c.at_gimbal_x_drive + i], act[c.at_gimbal_y_drive + i], dt)
        if thrust > 0.0:
            total += add_thrust(c, s, e, thrust, gx, gy)
    ox_kg, fuel_kg = burnt(c, flows)
    s.ox_kg, s.fuel_kg = s.ox_loaded_kg - ox_kg, s.fuel_loaded_kg - fuel_kg
    return total


@compiled
def begin_frame(c: Any, s: Any, prop: Any, act: Floats) -> None:
    """Take what faults do to the tanks, and choose each engine's path for the frame."""
    constants, lines, engines, feeds, chains, flows = prop
    k = constants[0]
    if s.ox_missing_kg != 0.0 or s.fuel_missing_kg != 0.0:
        s.ox_loaded_kg -= min(s.ox_missing_kg, s.ox_kg)
        s.fuel_loaded_kg -= min(s.fuel_missing_kg, s.fuel_kg)
        s.ox_kg -= min(s.ox_missing_kg, s.ox_kg)
        s.fuel_kg -= min(s.fuel_missing_kg, s.fuel_kg)
        s.ox_missing_kg = 0.0
        s.fuel_missing_kg = 0.0
    ox_void, fuel_void = gas_drawn(k, lines, s)
    # what a frame can draw at most must be left, or the twin has to be parted now
    drawing = ox_void + fuel_void > 0.0
    for i in range(c.engines):
        driven = act[c.at_ox_drive + i] > 0.0 or act[c.at_fuel_drive + i] > 0.0
        igniter = act[c.at_igniter + i] > 0.5
        begin_engine(k, lines, engines, feeds, chains, flows, i, igniter, driven, drawing)


@compiled
def fins_step(c: Any, s: Any, act: Floats, dt: float) -> None:
    """Let the fin servos follow their demands; leave the mean angles of the step in `s`."""
    for i in range(4):
        s.fin_mean_rad[i] = s.fin_rad[i]
        if s.fin_stuck[i] == 0.0:
            s.fin_rad[i], s.fin_mean_rad[i] = servo_step(
                s.fin_rad[i], act[c.at_fin_cmd_rad + i], c.fin_lag_s, s.fin_decay, c.fin_limit_rad,
                c.fin_rate_radps * s.fin_rate_factor[i], c.fin_deadband_rad, dt,
            )  # fmt: skip


@compiled
def air_at(c: Any, s: Any, altitude_m: float, part: float) -> None:
    """Set the air about the booster; `part` is how much of the frame has gone by."""
    _, s.ambient_pa, density, s.sound_mps = atmosphere(altitude_m)
    s.density_kgpm3 = c.density_factor * density
    wind_at(c, s, altitude_m, part)


@compiled
def centre_mass(c: Any, s: Any, ox_kg: float, fuel_kg: float) -> None:
    """Set the mass for these tank contents and move the state to the new centre of mass.

    The body itself stays where it is, and its origin keeps its velocity.
    """
    old_cm_z_m = s.cm_z_m
    set_mass(c, s, ox_kg + fuel_kg)
    shift = s.cm_z_m - old_cm_z_m
    x = s.x
    r00, r01, r02, r10, r11, r12, r20, r21, r22 = rotation(x[6], x[7], x[8], x[9])
    bx, by = x[11] * shift, -x[10] * shift
    x[0], x[1], x[2] = x[0] + r02 * shift, x[1] + r12 * shift, x[2] + r22 * shift
    x[3], x[4], x[5] = x[3] + r00 * bx + r01 * by, x[4] + r10 * bx + r11 * by, x[5] + r20 * bx + r21 * by


@compiled
def turned(x: Floats, bx: float, by: float, bz: float) -> tuple[float, float, float]:
    """Return a body vector in pad axes."""
    r00, r01, r02, r10, r11, r12, r20, r21, r22 = rotation(x[6], x[7], x[8], x[9])
    return r00 * bx + r01 * by + r02 * bz, r10 * bx + r11 * by + r12 * bz, r20 * bx + r21 * by + r22 * bz


@compiled
def origin(s: Any) -> tuple[float, float, float, float, float, float]:
    """Return position and velocity of the body origin in pad axes."""
    x = s.x
    px, py, pz = turned(x, 0.0, 0.0, -s.cm_z_m)
    vx, vy, vz = turned(x, -x[11] * s.cm_z_m, x[10] * s.cm_z_m, 0.0)
    return x[0] + px, x[1] + py, x[2] + pz, x[3] + vx, x[4] + vy, x[5] + vz


@compiled
def first_touch(c: Any, s: Any, t_ns: int, up_z: float) -> None:
    """Latch the state of the first touch; an impact above the crash speed ends the flight."""
    px, py, pz, vx, vy, vz = origin(s)
    s.contact = 1
    s.contact_t_ns = t_ns
    s.contact_pos_pad_m[0], s.contact_pos_pad_m[1], s.contact_pos_pad_m[2] = px, py, pz
    s.contact_vel_pad_mps[0], s.contact_vel_pad_mps[1], s.contact_vel_pad_mps[2] = vx, vy, vz
    s.contact_tilt_rad = math.acos(min(max(up_z, -1.0), 1.0))
    s.contact_rate_radps = math.sqrt(s.x[10] * s.x[10] + s.x[11] * s.x[11] + s.x[12] * s.x[12])
    if math.sqrt(vx * vx + vy * vy + vz * vz) > c.crash_speed_mps:
        s.at_rest = CRASHED


@compiled
def still(s: Any, up_z: float) -> bool:
    """Tell whether the booster moves so little, so upright, that it stands."""
    x = s.x
    slow = x[3] * x[3] + x[4] * x[4] + x[5] * x[5] < STILL_MPS * STILL_MPS
    steady = x[10] * x[10] + x[11] * x[11] + x[12] * x[12] < STILL_RADPS * STILL_RADPS
    return slow and steady and up_z > STANDING_TILT


@compiled
def ground_step(c: Any, s: Any, t_ns: int, dt: float) -> None:
    """Look for the ground after a step: first touch, feet down, standing, tipped or crashed."""
    x = s.x
    rot = rotation(x[6], x[7], x[8], x[9])
    _, _, _, _, _, _, r20, r21, up_z = rot
    height = x[2] - up_z * s.cm_z_m
    if height > c.length_m + c.leg_radius_m:
        return
    lowest, s.legs_down = lowest_foot(c, s, r20, r21, height)
    if s.contact == 0 and (lowest <= 0.0 or hull_on_ground(c, height, up_z)):
        first_touch(c, s, t_ns, up_z)
        if up_z < TIPPED_TILT:
            s.at_rest = CRASHED  # came down on its side or its nose
    if s.contact == 0 or s.at_rest != MOVING:
        return
    crush_step(c, s, rot, dt)
    if up_z < TIPPED_TILT:
        s.at_rest = TIPPED
    elif hull_on_ground(c, height, up_z):
        s.at_rest = CRASHED
    s.still_s = s.still_s + dt if s.legs_down > 0 and still(s, up_z) else 0.0
    if s.at_rest == MOVING and s.still_s >= STILL_S:
        s.at_rest = how_it_stands(c, s, x[0] - rot[2] * s.cm_z_m, x[1] - rot[5] * s.cm_z_m)


@compiled
def body_step(c: Any, s: Any, t_ns: int, dt: float) -> None:
    """Advance the rigid body by `dt`, then the ground; a state that is no number ends the flight."""
    for i in range(13):
        s.kept[i] = s.x[i]
    runge_kutta_step(c, s, s.x, s.scratch, dt)
    total = 0.0
    for i in range(13):
        total += abs(s.x[i])
    if not total < 1e9:
        for i in range(13):
            s.x[i] = s.kept[i]
        s.at_rest = CRASHED
    if s.at_rest == TIPPED or s.at_rest == CRASHED:
        stop_body(s)
        return
    ground_step(c, s, t_ns, dt)
    if s.at_rest == TIPPED or s.at_rest == CRASHED:
        stop_body(s)


@compiled
def stop_body(s: Any) -> None:
    """Leave the body where it came to lie."""
    for i in range(3, 6):
        s.x[i] = 0.0
    for i in range(10, 13):
        s.x[i] = 0.0


@compiled
def plant_step(c: Any, s: Any, prop: Any, act: Floats, t_ns: int, dt: float, part: float) -> None:
    """Advance everything by `dt`; `t_ns` is its end, `part` how much of the frame has gone by half-way."""
    ox_kg, fuel_kg = s.ox_kg, s.fuel_kg
    air_at(c, s, s.x[2] + 0.5 * dt * s.x[5], part)
    thrust = engines_step(c, s, prop, act, dt)
    fins_step(c, s, act, dt)
    if s.at_rest == TIPPED or s.at_rest == CRASHED:
        return
    centre_mass(c, s, 0.5 * (ox_kg + s.ox_kg), 0.5 * (fuel_kg + s.fuel_kg))
    leave(c, s, ox_kg + fuel_kg - s.ox_kg - s.fuel_kg, dt)
    if c.tanks > 0:
        slosh_step(c, s, dt)
    move_moment(s)
    s.plume = plume_shielding(thrust, c.full_thrust_n, c.plume_factor)
    body_step(c, s, t_ns, dt)


@compiled
def move_moment(s: Any) -> None:
    """Take the thrust's moment from the body origin to the centre of mass."""
    s.moment_body_nm[0] += s.cm_z_m * s.thrust_body_n[1]
    s.moment_body_nm[1] -= s.cm_z_m * s.thrust_body_n[0]


@compiled
def advance(
    constants: Any,
    body: Any,
    prop: Any,
    act: Floats,
    truth: Floats,
    truth_int: Ints,
    gusts: Floats,
    t_ns: int,
    span_ns: int,
    steps: int,
) -> int:
    """Integrate from `t_ns` over `span_ns` in `steps` equal steps with `act` held; write the truth.

    `gusts` holds the frame's three random numbers (looked at only where the case has gusts).

    Returns at_rest.  Steps end on whole nanoseconds of the flight's clock.
    """
    c, s = constants[0], body[0]
    dt = span_ns * 1e-9 / steps
    begin_frame(c, s, prop, act)
    if c.gust_w20_mps > 0.0:
        gust_step(c, s, gusts, span_ns * 1e-9)
    for i in range(1, steps + 1):
        plant_step(c, s, prop, act, t_ns + span_ns * i // steps, dt, (i - 0.5) / steps)
    centre_mass(c, s, s.ox_kg, s.fuel_kg)
    write_truth(constants, body, prop, truth, truth_int)
    return int(s.at_rest)


@compiled
def specific_force(c: Any, s: Any) -> None:
    """Leave in `s` the specific force at this very state, with the thrust of the last step."""
    x = s.x
    if s.at_rest == TIPPED or s.at_rest == CRASHED:
        _, _, _, _, _, _, r20, r21, r22 = rotation(x[6], x[7], x[8], x[9])
        weight = gravity_mps2(x[2])
        s.specific_mps2[0], s.specific_mps2[1], s.specific_mps2[2] = r20 * weight, r21 * weight, r22 * weight
    else:
        derivative(c, s, x, s.scratch[4])


@compiled
def write_flow_state(c: Any, s: Any, truth: Floats) -> None:
    """Write Mach number, dynamic pressure, angle of attack and wind."""
    x = s.x
    ax, ay, az = x[3] - s.wind_mps[0], x[4] - s.wind_mps[1], x[5] - s.wind_mps[2]
    speed = math.sqrt(ax * ax + ay * ay + az * az)
    _, _, r02, _, _, r12, _, _, r22 = rotation(x[6], x[7], x[8], x[9])
    along = -(r02 * ax + r12 * ay + r22 * az)
    truth[c.at_mach] = speed / s.sound_mps
    truth[c.at_dynamic_pressure_pa] = 0.5 * s.density_kgpm3 * speed * speed
    across = math.sqrt(max(speed * speed - along * along, 0.0))
    truth[c.at_angle_of_attack_rad] = math.atan2(across, along) if speed > 0.1 else 0.0
    for i in range(3):
        truth[c.at_wind_pad_mps + i] = s.wind_mps[i]


@compiled
def write_body(c: Any, s: Any, truth: Floats, truth_int: Ints) -> None:
    """Write motion, mass, fins and contact."""
    px, py, pz, vx, vy, vz = origin(s)
    at = c.at_pos_pad_m
    truth[at], truth[at + 1], truth[at + 2] = px, py, pz
    at = c.at_vel_pad_mps
    truth[at], truth[at + 1], truth[at + 2] = vx, vy, vz
    for i in range(4):
        truth[c.at_q_pad_from_body + i] = s.x[6 + i]
        truth[c.at_fin_rad + i] = s.fin_rad[i]
    for i in range(3):
        truth[c.at_omega_body_radps + i] = s.x[10 + i]
        truth[c.at_force_body_mps2 + i] = s.specific_mps2[i]
        truth[c.at_contact_pos_pad_m + i] = s.contact_pos_pad_m[i]
        truth[c.at_contact_vel_pad_mps + i] = s.contact_vel_pad_mps[i]
    truth[c.at_mass_kg] = s.mass_kg
    truth[c.at_propellant_kg] = s.ox_kg + s.fuel_kg
    truth[c.at_cm_z_m] = s.cm_z_m
    truth[c.at_contact_tilt_rad] = s.contact_tilt_rad
    truth[c.at_contact_rate_radps] = s.contact_rate_radps
    truth_int[c.at_legs_down] = s.legs_down
    truth_int[c.at_contact] = s.contact
    truth_int[c.at_contact_t_ns] = s.contact_t_ns
    truth_int[c.at_at_rest] = s.at_rest


@compiled
def write_engine(c: Any, s: Any, i: int, prop: Any, truth: Floats, truth_int: Ints) -> None:
    """Write the engine in slot `i`."""
    constants, lines, engines, feeds, chains, flows = prop
    k, e, real = constants[0], engines[i], chains[2 * i]
    pressure = seen_pressure(e, real)
    truth[c.at_ox_valve_pos + i] = feeds[2 * i].pos
    truth[c.at_fuel_valve_pos + i] = feeds[2 * i + 1].pos
    truth[c.at_ox_flow_kgps + i] = flows[4 * i].injected * lines[0].full_kgps
    truth[c.at_fuel_flow_kgps + i] = flows[4 * i + 1].injected * lines[1].full_kgps
    truth[c.at_chamber_pa + i] = pressure * k.chamber_full_pa
    truth[c.at_chamber_expected_pa + i] = expected_pressure(e, real, chains[2 * i + 1]) * k.chamber_full_pa
    truth[c.at_thrust_n + i] = thrust_n(k, pressure, s.ambient_pa)
    truth[c.at_gimbal_x_rad + i] = e.gimbal_x_rad
    truth[c.at_gimbal_y_rad + i] = e.gimbal_y_rad
    truth_int[c.at_lit + i] = real.lit
    truth_int[c.at_starts_left + i] = real.starts_left


@compiled
def write_truth(constants: Any, body: Any, prop: Any, truth: Floats, truth_int: Ints) -> None:
    """Write the truth record of the present state; both views show the same memory."""
    c, s = constants[0], body[0]
    air_at(c, s, s.x[2], 1.0)
    specific_force(c, s)
    write_flow_state(c, s, truth)
    write_body(c, s, truth, truth_int)
    for i in range(c.engines):
        write_engine(c, s, i, prop, truth, truth_int)
