"""Ground contact: spring-damper feet with friction, a crush core in each leg, and what ends a flight."""

from __future__ import annotations

import math
from typing import Any, Final

from hil.plant.jit import compiled

__all__ = [
    "CRASHED",
    "MOVING",
    "STANDS",
    "STANDS_CRUSHED",
    "STANDS_OFF_PAD",
    "TIPPED",
    "crush_step",
    "feet_forces",
    "how_it_stands",
    "lowest_foot",
]

MOVING: Final = 0
STANDS: Final = 1
TIPPED: Final = 2
CRASHED: Final = 3
STANDS_CRUSHED: Final = 4
STANDS_OFF_PAD: Final = 5
"""What became of a flight; the record `truth.at_rest` tells it by these numbers."""

HARD_M: Final = 0.01
"""A leg that was crushed by more makes a landing a hard one."""
GONE_M: Final = 1e6
"""Crush of a leg that has collapsed: it no longer reaches the ground."""

SLIP_MPS: Final = 0.02
"""Friction grows over this slip speed: Coulomb's law without its jump."""

Matrix9 = tuple[float, float, float, float, float, float, float, float, float]
Vector6 = tuple[float, float, float, float, float, float]


@compiled
def foot_force(c: Any, depth: float, vx: float, vy: float, vz: float) -> tuple[float, float, float]:
    """Return the ground's force (N, pad axes) on a foot that is pressed in by `depth` metres.

    Strut and crush core are in series, so the core's load is the most that a leg can carry.
    """
    if depth <= 0.0:
        return 0.0, 0.0, 0.0
    normal = max(c.leg_stiffness_npm * depth - c.leg_damping_nspm * vz, 0.0)
    normal = min(normal, c.leg_crush_n)
    drag = c.leg_friction * normal / math.sqrt(vx * vx + vy * vy + SLIP_MPS * SLIP_MPS)
    return -drag * vx, -drag * vy, normal


@compiled
def feet_forces(
    c: Any,
    s: Any,
    rot: Matrix9,
    cm_height_m: float,
    cm_z_m: float,
    vx: float,
    vy: float,
    vz: float,
    wx: float,
    wy: float,
    wz: float,
) -> Vector6:
    """Return force (N, pad axes) and moment about the centre of mass (N m, body axes) of all feet.

    `rot` turns body into pad, row by row; v is the velocity of the centre of mass in pad axes, w
    the turn rate in body axes.
    """
    r00, r01, r02, r10, r11, r12, r20, r21, r22 = rot
    fx = fy = fz = mx = my = mz = 0.0
    bz = -cm_z_m
    for i in range(c.leg_count):
        bx, by = c.foot_x_m[i], c.foot_y_m[i]
        depth = -(cm_height_m + r20 * bx + r21 * by + r22 * bz) - s.crush_m[i]
        if depth > 0.0:
            sx, sy, sz = wy * bz - wz * by, wz * bx - wx * bz, wx * by - wy * bx
            px, py, pz = foot_force(
                c,
                depth,
                vx + r00 * sx + r01 * sy + r02 * sz,
                vy + r10 * sx + r11 * sy + r12 * sz,
                vz + r20 * sx + r21 * sy + r22 * sz,
            )
            fx, fy, fz = fx + px, fy + py, fz + pz
            gx = r00 * px + r10 * py + r20 * pz
            gy = r01 * px + r11 * py + r21 * pz
            gz = r02 * px + r12 * py + r22 * pz
            mx, my, mz = mx + by * gz - bz * gy, my + bz * gx - bx * gz, mz + bx * gy - by * gx
    return fx, fy, fz, mx, my, mz


@compiled
def crush_step(c: Any, s: Any, rot: Matrix9, dt: float) -> None:
    """Let the cores of overloaded legs yield: what the strut cannot follow at their load, they give way.

    A core at the end of its stroke is a leg that has collapsed.
    """
    x = s.x
    _, _, _, _, _, _, r20, r21, r22 = rot
    bz = -s.cm_z_m
    for i in range(c.leg_count):
        bx, by = c.foot_x_m[i], c.foot_y_m[i]
        depth = -(x[2] + r20 * bx + r21 * by + r22 * bz) - s.crush_m[i]
        if depth > 0.0:
            sx, sy, sz = x[11] * bz - x[12] * by, x[12] * bx - x[10] * bz, x[10] * by - x[11] * bx
            sinking = -(x[5] + r20 * sx + r21 * sy + r22 * sz)
            follows = (c.leg_crush_n - c.leg_stiffness_npm * depth) / c.leg_damping_nspm
            if sinking > follows:
                s.crush_m[i] += min((sinking - follows) * dt, depth)
                if s.crush_m[i] > c.leg_stroke_m:
                    s.crush_m[i] = GONE_M


@compiled
def how_it_stands(c: Any, s: Any, east_m: float, north_m: float) -> int:
    """Return how a booster stands whose body origin is at (east, north): well, hard, or off the pad."""
    if east_m * east_m + north_m * north_m > c.pad_radius_m * c.pad_radius_m:
        return STANDS_OFF_PAD
    for i in range(c.leg_count):
        if s.crush_m[i] > HARD_M:
            return STANDS_CRUSHED
    return STANDS


@compiled
def lowest_foot(c: Any, s: Any, r20: float, r21: float, origin_height_m: float) -> tuple[float, int]:
    """Return the height of the lowest foot, and how many feet are on or under the ground."""
    lowest = 1e30
    down = 0
    for i in range(c.leg_count):
        height = origin_height_m + r20 * c.foot_x_m[i] + r21 * c.foot_y_m[i] + s.crush_m[i]
        lowest = min(lowest, height)
        if height <= 0.0:
            down += 1
    return lowest, down


@compiled
def hull_on_ground(c: Any, origin_height_m: float, up_z: float) -> bool:
    """Tell whether the rim of the base or of the nose is under the ground; `up_z` is cos(tilt)."""
    rim = 0.5 * c.diameter_m * math.sqrt(max(1.0 - up_z * up_z, 0.0))
    base = origin_height_m + c.gimbal_plane_z_m * up_z - rim
    nose = origin_height_m + c.length_m * up_z - rim
    return bool(base <= 0.0 or nose <= 0.0)
