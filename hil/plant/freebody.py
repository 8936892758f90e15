"""A body of any shape over the whole Earth: the equations of the published check cases.

The state is that of the booster (`hil.plant.rigid`), with position and velocity in Earth-centred
axes that do not turn, and so are its attitude kinematics and its Runge-Kutta step.  What differs is
the place (an ellipsoid or a sphere that may turn), a full inertia tensor and a plain drag law.
"""

from __future__ import annotations

import math
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from hil.plant.aero import interpolate
from hil.plant.atmosphere import atmosphere
from hil.plant.earth import geodetic, gravitation, local_axes
from hil.plant.jit import compiled
from hil.plant.rigid import STATES, attitude_rates, rotation, runge_kutta_finish, runge_kutta_stage

__all__ = ["COLUMNS", "FREE", "GRAVITY", "TABLE_POINTS", "fly", "turning_point"]

Floats = npt.NDArray[np.float64]
Vector3 = tuple[float, float, float]

TABLE_POINTS: Final = 200
"""Most points of a table of wind by altitude, or of drag by Mach number."""

GRAVITY: Final = ("wgs84_j2", "spherical", "constant")
"""Gravity models, in the order of their numbers."""

COLUMNS: Final = (
    "altitude_m", "vel_north_mps", "vel_east_mps", "vel_down_mps", "longitude_deg", "latitude_deg",
    "roll_rate_degps", "pitch_rate_degps", "yaw_rate_degps", "speed_of_sound_mps", "density_kgpm3", "mach",
    "gravity_mps2", "roll_deg", "pitch_deg", "yaw_deg", "wind_north_mps", "wind_east_mps", "wind_down_mps",
    "airspeed_mps", "drag_n",
)  # fmt: skip
"""What `fly` writes in each row; rates are of the body against the stars, in body axes."""

_DEGREES: Final = 180.0 / math.pi


def _floats(*names: str) -> list[Any]:
    return [(name, "<f8") for name in names]


FREE: Final = np.dtype((np.record, [
    *_floats(
        "radius_m", "e2", "turn_radps", "constant_mps2", "j2", "density_factor", "mass_kg", "area_m2",
        "span_m", "chord_m", "roll_damping", "pitch_damping", "yaw_damping",
        # left by the last evaluation of the derivative
        "latitude_rad", "longitude_rad", "altitude_m", "density_kgpm3", "sound_mps", "airspeed_mps", "drag_n",
        "gravity_mps2",
    ),
    ("inertia", "<f8", (3, 3)),
    ("per_inertia", "<f8", (3, 3)),
    ("wind_altitude_m", "<f8", (TABLE_POINTS,)),
    ("wind_ned_mps", "<f8", (3, TABLE_POINTS)),
    ("drag_mach", "<f8", (TABLE_POINTS,)),
    ("drag", "<f8", (TABLE_POINTS,)),
    ("wind_now_mps", "<f8", (3,)),
    ("scratch", "<f8", (5, STATES)),
    ("gravity", "<i8"),
    ("air", "<i8"),
    ("wind_points", "<i8"),
    ("drag_points", "<i8"),
]))  # fmt: skip
"""One body and its surroundings; wind is the velocity of the air over the ground: north, east, down."""


@compiled
def turning_point(turn_radps: float, x: float, y: float) -> Vector3:
    """Return the velocity of a point fixed to the turning Earth, m/s."""
    return -turn_radps * y, turn_radps * x, 0.0


@compiled
def set_place(b: Any, x: Floats, t_s: float) -> None:
    """Set latitude, longitude (on the turned Earth) and altitude of the state `x` at time `t_s`."""
    latitude, longitude, altitude = geodetic(x[0], x[1], x[2], b.radius_m, b.e2)
    b.latitude_rad, b.altitude_m = latitude, altitude
    longitude -= b.turn_radps * t_s
    b.longitude_rad = longitude - 2.0 * math.pi * math.floor(longitude / (2.0 * math.pi) + 0.5)


@compiled
def set_air(b: Any) -> None:
    """Set density and speed of sound at the body's place."""
    _, _, density, sound = atmosphere(b.altitude_m)
    b.density_kgpm3 = density * b.density_factor if b.air == 1 else 0.0
    b.sound_mps = sound


@compiled
def gravity_at(b: Any, x: Floats, axes: Any) -> Vector3:
    """Return the acceleration of gravity in Earth-centred axes; `axes` are the local ones."""
    if b.gravity == 2:
        g = b.constant_mps2
        return g * axes[2], g * axes[5], g * axes[8]
    return gravitation(x[0], x[1], x[2], b.j2)


@compiled
def wind_at(b: Any, axes: Any) -> Vector3:
    """Return the wind in Earth-centred axes; linear in altitude between the points of its table."""
    north, east = interpolate(
        b.altitude_m, b.wind_altitude_m, b.wind_ned_mps[0], b.wind_ned_mps[1], b.wind_points
    )
    down, _ = interpolate(
        b.altitude_m, b.wind_altitude_m, b.wind_ned_mps[2], b.wind_ned_mps[2], b.wind_points
    )
    b.wind_now_mps[0], b.wind_now_mps[1], b.wind_now_mps[2] = north, east, down
    return (
        axes[0] * north + axes[1] * east + axes[2] * down,
        axes[3] * north + axes[4] * east + axes[5] * down,
        axes[6] * north + axes[7] * east + axes[8] * down,
    )


@compiled
def turn_rates(b: Any, x: Floats, mx: float, my: float, mz: float, out: Floats) -> None:
    """Write the derivative of the turn rate under a moment: Euler's equations with a full inertia tensor."""
    wx, wy, wz = x[10], x[11], x[12]
    j = b.inertia
    hx = j[0, 0] * wx + j[0, 1] * wy + j[0, 2] * wz
    hy = j[1, 0] * wx + j[1, 1] * wy + j[1, 2] * wz
    hz = j[2, 0] * wx + j[2, 1] * wy + j[2, 2] * wz
    mx, my, mz = mx - (wy * hz - wz * hy), my - (wz * hx - wx * hz), mz - (wx * hy - wy * hx)
    k = b.per_inertia
    for i in range(3):
        out[10 + i] = k[i, 0] * mx + k[i, 1] * my + k[i, 2] * mz


@compiled
def derivative(b: Any, x: Floats, t_s: float, out: Floats) -> None:
    """Write the derivative of the state `x`.

    Damping moments are q S L C (omega L / 2V), with L the span for roll and yaw, the chord for pitch.
    """
    set_place(b, x, t_s)
    set_air(b)
    # the local axes stand at the longitude among the stars
    axes = local_axes(b.latitude_rad, math.atan2(x[1], x[0]))
    gx, gy, gz = gravity_at(b, x, axes)
    b.gravity_mps2 = math.sqrt(gx * gx + gy * gy + gz * gz)
    ux, uy, uz = turning_point(b.turn_radps, x[0], x[1])
    wx, wy, wz = wind_at(b, axes)
    ax, ay, az = x[3] - ux - wx, x[4] - uy - wy, x[5] - uz - wz
    speed = math.sqrt(ax * ax + ay * ay + az * az)
    b.airspeed_mps = speed
    push = 0.5 * b.density_kgpm3 * speed * b.area_m2
    drag, _ = interpolate(speed / b.sound_mps, b.drag_mach, b.drag, b.drag, b.drag_points)
    b.drag_n = push * drag * speed
    slow = push * drag / b.mass_kg
    out[0], out[1], out[2] = x[3], x[4], x[5]
    out[3], out[4], out[5] = gx - slow * ax, gy - slow * ay, gz - slow * az
    damp = 0.5 * push
    span, chord = b.span_m * b.span_m, b.chord_m * b.chord_m
    attitude_rates(x, out)
    turn_rates(
        b,
        x,
        damp * span * b.roll_damping * x[10],
        damp * chord * b.pitch_damping * x[11],
        damp * span * b.yaw_damping * x[12],
        out,
    )


@compiled
def step(b: Any, x: Floats, t_s: float, dt: float) -> None:
    """Advance the state `x` from `t_s` by `dt`."""
    k = b.scratch
    derivative(b, x, t_s, k[0])
    runge_kutta_stage(x, k, 0, 0.5 * dt)
    derivative(b, k[4], t_s + 0.5 * dt, k[1])
    runge_kutta_stage(x, k, 1, 0.5 * dt)
    derivative(b, k[4], t_s + 0.5 * dt, k[2])
    runge_kutta_stage(x, k, 2, dt)
    derivative(b, k[4], t_s + dt, k[3])
    runge_kutta_finish(x, k, dt)


@compiled
def write_row(b: Any, x: Floats, t_s: float, row: Floats) -> None:
    """Write what COLUMNS names for the state `x` at `t_s`."""
    derivative(b, x, t_s, b.scratch[4])
    a0, a1, a2, a3, a4, a5, a6, a7, a8 = local_axes(b.latitude_rad, math.atan2(x[1], x[0]))
    ux, uy, uz = turning_point(b.turn_radps, x[0], x[1])
    vx, vy, vz = x[3] - ux, x[4] - uy, x[5] - uz
    row[0] = b.altitude_m
    row[1], row[2] = a0 * vx + a3 * vy + a6 * vz, a1 * vx + a4 * vy + a7 * vz
    row[3] = a2 * vx + a5 * vy + a8 * vz
    row[4], row[5] = b.longitude_rad * _DEGREES, b.latitude_rad * _DEGREES
    for i in range(3):
        row[6 + i] = x[10 + i] * _DEGREES
        row[16 + i] = b.wind_now_mps[i]
    row[9], row[10], row[11] = b.sound_mps, b.density_kgpm3, b.airspeed_mps / b.sound_mps
    row[12] = b.gravity_mps2
    r00, r01, r02, r10, r11, r12, r20, r21, r22 = rotation(x[6], x[7], x[8], x[9])
    # rows of local-from-body that the Euler angles (yaw, pitch, roll) need
    n0, e0 = a0 * r00 + a3 * r10 + a6 * r20, a1 * r00 + a4 * r10 + a7 * r20
    d0, d1 = a2 * r00 + a5 * r10 + a8 * r20, a2 * r01 + a5 * r11 + a8 * r21
    d2 = a2 * r02 + a5 * r12 + a8 * r22
    row[13] = math.atan2(d1, d2) * _DEGREES
    row[14] = math.asin(min(max(-d0, -1.0), 1.0)) * _DEGREES
    row[15] = math.atan2(e0, n0) * _DEGREES
    row[19], row[20] = b.airspeed_mps, b.drag_n


@compiled
def fly(body: Any, x: Floats, rows: Floats, every_s: float, steps: int) -> None:
    """Fly from time 0, `steps` steps between rows that lie `every_s` apart; write every row."""
    b = body[0]
    dt = every_s / steps
    write_row(b, x, 0.0, rows[0])
    for i in range(1, rows.shape[0]):
        start_s = (i - 1) * every_s
        for j in range(steps):
            step(b, x, start_s + j * dt, dt)
        write_row(b, x, i * every_s, rows[i])
