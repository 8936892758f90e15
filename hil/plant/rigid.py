"""The rigid body: attitude algebra, the equations of motion, and one Runge-Kutta step.

The state vector is position (3) and velocity (3) of the centre of mass in pad axes, attitude
q_pad_from_body (4, scalar first) and turn rate in body axes (3).
"""

from __future__ import annotations

import math
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from hil.plant.aero import body_forces, damping_moment, fin_forces
from hil.plant.atmosphere import gravity_mps2
from hil.plant.earth import pad_gravity
from hil.plant.jit import compiled
from hil.plant.legs import feet_forces

__all__ = [
    "STATES",
    "attitude_rates",
    "derivative",
    "rotation",
    "runge_kutta_finish",
    "runge_kutta_stage",
    "runge_kutta_step",
]

STATES: Final = 13
Floats = npt.NDArray[np.float64]
Matrix9 = tuple[float, float, float, float, float, float, float, float, float]


@compiled
def rotation(w: float, x: float, y: float, z: float) -> Matrix9:
    """Return the matrix that turns body into pad vectors, row by row, of a quaternion of any length."""
    n = 2.0 / (w * w + x * x + y * y + z * z)
    return (
        1.0 - n * (y * y + z * z), n * (x * y - w * z), n * (x * z + w * y),
        n * (x * y + w * z), 1.0 - n * (x * x + z * z), n * (y * z - w * x),
        n * (x * z - w * y), n * (y * z + w * x), 1.0 - n * (x * x + y * y),
    )  # fmt: skip


@compiled
def aero_loads(c: Any, s: Any, rot: Matrix9, x: Floats) -> tuple[float, float, float, float, float, float]:
    """Return the air's force and moment about the centre of mass, body axes."""
    r00, r01, r02, r10, r11, r12, r20, r21, r22 = rot
    ax, ay, az = x[3] - s.wind_mps[0], x[4] - s.wind_mps[1], x[5] - s.wind_mps[2]
    ux = r00 * ax + r10 * ay + r20 * az
    uy = r01 * ax + r11 * ay + r21 * az
    uz = r02 * ax + r12 * ay + r22 * az
    speed = math.sqrt(ux * ux + uy * uy + uz * uz)
    fx, fy, fz, mx, my, mz = body_forces(c, ux, uy, uz, s.density_kgpm3, s.sound_mps, s.plume, s.cm_z_m)
    px, py, pz, kx, ky, kz = fin_forces(c, s.fin_mean_rad, -0.5 * s.density_kgpm3 * speed * uz, s.cm_z_m)
    dx, dy, dz = damping_moment(c, speed, s.density_kgpm3, x[10], x[11], x[12])
    return fx + px, fy + py, fz + pz, mx + kx + dx, my + ky + dy, mz + kz + dz


@compiled
def attitude_rates(x: Floats, out: Floats) -> None:
    """Write the derivative of the attitude quaternion of the state `x`."""
    w, i, j, k = x[6], x[7], x[8], x[9]
    wx, wy, wz = x[10], x[11], x[12]
    out[6] = 0.5 * (-i * wx - j * wy - k * wz)
    out[7] = 0.5 * (w * wx + j * wz - k * wy)
    out[8] = 0.5 * (w * wy + k * wx - i * wz)
    out[9] = 0.5 * (w * wz + i * wy - j * wx)


@compiled
def turn_rates(x: Floats, s: Any, mx: float, my: float, mz: float, out: Floats) -> None:
    """Write the derivative of the turn rate of the booster under a moment in body axes (Euler)."""
    wx, wy, wz = x[10], x[11], x[12]
    mx, my, mz = mx - s.leave_transverse * wx, my - s.leave_transverse * wy, mz - s.leave_axial * wz
    twist = (s.inertia_transverse_kgm2 - s.inertia_axial_kgm2) * wz
    out[10] = (mx + twist * wy) * s.per_transverse
    out[11] = (my - twist * wx) * s.per_transverse
    out[12] = mz * s.per_axial


@compiled
def derivative(c: Any, s: Any, x: Floats, out: Floats) -> None:
    """Write the derivative of the state `x` to `out`, with thrust, fins, mass and air of `s` held.

    The specific force of this state is left in `s.specific_mps2` (body axes).
    """
    rot = rotation(x[6], x[7], x[8], x[9])
    r00, r01, r02, r10, r11, r12, r20, r21, r22 = rot
    fx, fy, fz, mx, my, mz = aero_loads(c, s, rot, x)
    fx, fy, fz = fx + s.thrust_body_n[0], fy + s.thrust_body_n[1], fz + s.thrust_body_n[2]
    mx, my, mz = mx + s.moment_body_nm[0], my + s.moment_body_nm[1], mz + s.moment_body_nm[2]
    px = r00 * fx + r01 * fy + r02 * fz
    py = r10 * fx + r11 * fy + r12 * fz
    pz = r20 * fx + r21 * fy + r22 * fz
    if s.contact == 1:
        gx, gy, gz, kx, ky, kz = feet_forces(c, s, rot, x[2], s.cm_z_m, x[3], x[4], x[5], x[10], x[11], x[12])
        px, py, pz = px + gx, py + gy, pz + gz
        mx, my, mz = mx + kx, my + ky, mz + kz
    px, py, pz = px * s.per_mass, py * s.per_mass, pz * s.per_mass
    s.specific_mps2[0] = r00 * px + r10 * py + r20 * pz
    s.specific_mps2[1] = r01 * px + r11 * py + r21 * pz
    s.specific_mps2[2] = r02 * px + r12 * py + r22 * pz
    out[0], out[1], out[2] = x[3], x[4], x[5]
    if c.turning == 1:
        fx, fy, fz = pad_gravity(c, x)
        out[3], out[4], out[5] = px + fx, py + fy, pz + fz
    else:
        out[3], out[4], out[5] = px, py, pz - gravity_mps2(x[2] - s.cm_z_m)
    attitude_rates(x, out)
    turn_rates(x, s, mx, my, mz, out)


@compiled
def runge_kutta_stage(x: Floats, k: Floats, stage: int, part: float) -> None:
    """Leave in `k[4]` the state at which the slope after `stage` is taken; `part` is the time to it."""
    for i in range(STATES):
        k[4, i] = x[i] + part * k[stage, i]


@compiled
def runge_kutta_finish(x: Floats, k: Floats, dt: float) -> None:
    """Advance the state by the weighted mean of the four slopes in `k`; keep the attitude a unit one."""
    for i in range(STATES):
        x[i] += dt / 6.0 * (k[0, i] + 2.0 * (k[1, i] + k[2, i]) + k[3, i])
    norm = 1.0 / math.sqrt(x[6] * x[6] + x[7] * x[7] + x[8] * x[8] + x[9] * x[9])
    for i in range(6, 10):
        x[i] *= norm


@compiled
def runge_kutta_step(c: Any, s: Any, x: Floats, k: Floats, dt: float) -> None:
    """Advance the state `x` by `dt` with the classical fourth-order method; `k` is 5 x 13 scratch."""
    derivative(c, s, x, k[0])
    runge_kutta_stage(x, k, 0, 0.5 * dt)
    derivative(c, s, k[4], k[1])
    runge_kutta_stage(x, k, 1, 0.5 * dt)
    derivative(c, s, k[4], k[2])
    runge_kutta_stage(x, k, 2, dt)
    derivative(c, s, k[4], k[3])
    runge_kutta_finish(x, k, dt)
