"""Aerodynamics of a booster that falls engines first: body, crossflow, rate damping, grid fins."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import numpy.typing as npt

from hil.plant.jit import compiled

__all__ = ["body_forces", "fin_forces", "interpolate", "plume_shielding"]

Vector6 = tuple[float, float, float, float, float, float]


@compiled
def interpolate(
    x: float, xs: npt.NDArray[np.float64], a: npt.NDArray[np.float64], b: npt.NDArray[np.float64], count: int
) -> tuple[float, float]:
    """Return both tables `a` and `b` at `x`, linear between points, constant beyond the ends."""
    if x <= xs[0]:
        return a[0], b[0]
    for i in range(1, count):
        if x < xs[i]:
            part = (x - xs[i - 1]) / (xs[i] - xs[i - 1])
            return a[i - 1] + part * (a[i] - a[i - 1]), b[i - 1] + part * (b[i] - b[i - 1])
    return a[count - 1], b[count - 1]


@compiled
def plume_shielding(thrust_n: float, full_thrust_n: float, factor: float) -> float:
    """Return what the plume leaves of the body's aerodynamics: 1 without thrust, `factor` at full."""
    part = min(max(thrust_n / full_thrust_n, 0.0), 1.0)
    return 1.0 - (1.0 - factor) * part


@compiled
def body_forces(
    c: Any, ux: float, uy: float, uz: float, density: float, sound_mps: float, plume: float, cm_z_m: float
) -> Vector6:
    """Return force (N) and moment about the centre of mass (N m) of the body, in body axes.

    (ux, uy, uz) is the velocity through the air in body axes, m/s.  The axial force is
    q S C_A cos(alpha) against uz; the normal force q S C_Na |cos(alpha)| sin(alpha) against the
    cross flow acts at the centre of pressure; the crossflow drag (Allen & Perkins, NACA TR 1048)
    acts at half length and is not shielded by the plume.
    """
    speed = math.sqrt(ux * ux + uy * uy + uz * uz)
    cross = math.sqrt(ux * ux + uy * uy)
    axial, slope = interpolate(speed / sound_mps, c.mach, c.axial, c.normal_slope, c.aero_points)
    half_density = 0.5 * density
    area = half_density * c.ref_area_m2 * plume
    normal = area * slope * abs(uz)
    crossflow = half_density * c.crossflow_drag_area_m2 * cross
    arm = normal * (c.cp_z_m - cm_z_m) + crossflow * (0.5 * c.length_m - cm_z_m)
    push = normal + crossflow
    return -push * ux, -push * uy, -area * axial * speed * uz, arm * uy, -arm * ux, 0.0


@compiled
def damping_moment(
    c: Any, speed: float, density: float, wx: float, wy: float, wz: float
) -> tuple[float, float, float]:
    """Return the moment (N m) against the turn rate: -q/V * rate_damping; in roll that of the fins."""
    q_over_speed = 0.5 * density * speed
    transverse = -q_over_speed * c.rate_damping_m4
    roll = -q_over_speed * 4.0 * c.fin_slope_m2_per_rad * c.fin_arm_m * c.fin_arm_m
    return transverse * wx, transverse * wy, roll * wz


@compiled
def fin_forces(c: Any, fins: npt.NDArray[np.float64], pressure_pa: float, cm_z_m: float) -> Vector6:
    """Return force (N) and moment about the centre of mass (N m) of the four grid fins, body axes.

    A positive deflection pushes along z x r: the fins at +x, +y, -x, -y push to +y, -x, -y, +x.
    `pressure_pa` is the dynamic pressure along the axis, positive engines first.
    """
    push = pressure_pa * c.fin_slope_m2_per_rad
    fx = push * (fins[3] - fins[1])
    fy = push * (fins[0] - fins[2])
    arm = c.fin_z_m - cm_z_m
    roll = push * c.fin_arm_m * (fins[0] + fins[1] + fins[2] + fins[3])
    return fx, fy, 0.0, -arm * fy, arm * fx, roll
