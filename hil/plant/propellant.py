"""Propellant that leaves and propellant that moves: jet damping, changing inertia, slosh.

Slosh is the first lateral mode of each tank, an equivalent pendulum in two directions (Abramson, The
Dynamic Behavior of Liquids in Moving Containers, NASA SP-106, 1966, chapter 6; cylindrical tank).
"""

from __future__ import annotations

import math
from typing import Any, Final

from hil.plant.jit import compiled

__all__ = ["MAX_TANKS", "leave", "slosh_mode", "slosh_step"]

MAX_TANKS: Final = 4
ROOT: Final = 1.841
"""First root of J1'."""
MASS_PART: Final = 2.0 / (ROOT * (ROOT * ROOT - 1.0))
"""Sloshing mass over liquid mass is this, times radius over depth, times tanh(ROOT depth / radius)."""
WEIGHTLESS_MPS2: Final = 0.1
"""Below this axial acceleration the liquid goes with its tank [assumed: no model of weightless liquid]."""
WALL: Final = 0.5
"""The equivalent mass goes no further from the axis than this part of the radius: the baffles' edge."""


@compiled
def leave(c: Any, s: Any, burnt_kg: float, dt: float) -> None:
    """Set the damping by propellant that leaves: the rate's moment is -(dI/dt + flow * arm^2) * rate.

    Thomson, Introduction to Space Dynamics (1961), section 7.5; I is about the moving centre of mass,
    and the arm ends in the gimbal plane.  About the axis only the nozzles' own distance counts: the
    propellant does not turn with the tanks.
    """
    flow = burnt_kg / dt
    arm = s.cm_z_m - c.gimbal_plane_z_m
    lever = c.propellant_cm_z_m - s.cm_z_m
    full_kg = c.propellant_full_kg
    length = c.propellant_length_m * (s.ox_kg + s.fuel_kg) / full_kg
    # the column gets shorter as it empties, so dI/dm of its own inertia is three times length^2 / 12
    inertia_per_kg = lever * lever + 0.25 * length * length
    s.leave_transverse = flow * (arm * arm - inertia_per_kg)
    s.leave_axial = flow * c.nozzle_ring_m2


@compiled
def slosh_mode(radius_m: float, density_kgpm3: float, liquid_kg: float) -> tuple[float, float, float]:
    """Return sloshing mass (kg), pendulum length (m) and depth (m) of liquid in an upright cylinder."""
    depth = liquid_kg / (density_kgpm3 * math.pi * radius_m * radius_m)
    if depth <= 0.0:
        return 0.0, radius_m, 0.0
    shallow = math.tanh(ROOT * depth / radius_m)
    return liquid_kg * MASS_PART * radius_m / depth * shallow, radius_m / (ROOT * shallow), depth


@compiled
def slosh_step(c: Any, s: Any, dt: float) -> None:
    """Move the liquid in every tank by `dt`; add what it does to the body.

    What stands in force and moment (about the body origin) is the difference to liquid at rest in
    its tank, which mass and inertia already contain.
    """
    if s.specific_mps2[2] < WEIGHTLESS_MPS2:
        s.slosh_mps[:, :] = 0.0
        s.sloshes = 0
        return
    find_modes(c, s)
    for side in range(2):
        sign = 1.0 if side == 0 else -1.0
        push, turn = accelerations(c, s, side, sign, dt)
        force, moment = move_liquid(c, s, side, push, turn, dt)
        s.slosh_known[side, 2] = force / s.mass_kg
        s.slosh_known[side, 3] = (moment - s.cm_z_m * force) / s.inertia_transverse_kgm2
        s.thrust_body_n[side] += force
        s.moment_body_nm[1 - side] += sign * moment
    s.sloshes = 1


@compiled
def find_modes(c: Any, s: Any) -> None:
    """Set each tank's sloshing mass, pendulum length and depth for what is left in it."""
    for i in range(c.tanks):
        content = s.ox_kg if c.tank_is_fuel[i] == 0 else s.fuel_kg
        mass, length, depth = slosh_mode(c.tank_radius_m[i], c.tank_density_kgpm3[i], content)
        s.tank_mode[i, 0], s.tank_mode[i, 1], s.tank_mode[i, 2] = mass, length, depth


@compiled
def accelerations(c: Any, s: Any, side: int, sign: float, dt: float) -> tuple[float, float]:
    """Return the body's specific force across and its turning acceleration in this step, liquid included.

    Body and liquid accelerate each other, so the two are solved for together.  What else acts is that
    of the last evaluation of the derivative, less the engines and the liquid of then, carried on by half a
    step, with the engines of now.
    """
    mass, inertia = s.mass_kg, s.inertia_transverse_kgm2
    about_cm = s.moment_body_nm[1 - side] - sign * s.cm_z_m * s.thrust_body_n[side]
    engines, engines_turn = s.thrust_body_n[side] / mass, sign * about_cm / inertia
    air = s.specific_mps2[side] - s.slosh_known[side, 0] - s.slosh_known[side, 2]
    air_turn = sign * s.scratch[3, 11 - side] - s.slosh_known[side, 1] - s.slosh_known[side, 3]
    if s.sloshes == 0:
        air = s.specific_mps2[side] - engines
        air_turn = sign * s.scratch[4, 11 - side] - engines_turn
        s.slosh_known[side, 4], s.slosh_known[side, 5] = air, air_turn
    push = 1.5 * air - 0.5 * s.slosh_known[side, 4] + engines
    turn = 1.5 * air_turn - 0.5 * s.slosh_known[side, 5] + engines_turn
    s.slosh_known[side, 0], s.slosh_known[side, 1] = engines, engines_turn
    s.slosh_known[side, 4], s.slosh_known[side, 5] = air, air_turn
    a11, a12, a21, a22 = 1.0, 0.0, 0.0, 1.0
    for i in range(c.tanks):
        liquid, arm, back, middle, _, _ = swing(c, s, side, i, dt)
        a11 -= liquid / mass
        a12 -= liquid * arm / mass
        a21 -= liquid * arm / inertia
        a22 -= liquid * arm * arm / inertia
        push += liquid * back / mass
        turn += liquid * (arm * back + s.specific_mps2[2] * middle) / inertia
    det = a11 * a22 - a12 * a21
    return (a22 * push - a12 * turn) / det, (a11 * turn - a21 * push) / det


@compiled
def swing(c: Any, s: Any, side: int, i: int, dt: float) -> tuple[float, float, float, float, float, float]:
    """Return of tank `i`: sloshing mass, its arm about the centre of mass, restoring acceleration, place
    in the middle of the step, height above the body origin, damping (1/s).  `find_modes` comes first."""
    axial = s.specific_mps2[2]
    mass, length, depth = s.tank_mode[i, 0], s.tank_mode[i, 1], s.tank_mode[i, 2]
    z = c.tank_bottom_z_m[i] + 0.5 * depth
    stiffness = axial / length
    before = s.slosh_mps[side, i]
    middle = s.slosh_m[side, i] + 0.5 * dt * before
    damping = 2.0 * c.tank_damping[i] * math.sqrt(stiffness)
    return mass, z - s.cm_z_m, stiffness * middle + damping * before, middle, z, damping


@compiled
def move_liquid(c: Any, s: Any, side: int, push: float, turn: float, dt: float) -> tuple[float, float]:
    """Move the liquid of every tank along one axis; return its force and its moment about the body origin."""
    total, moment = 0.0, 0.0
    for i in range(c.tanks):
        mass, arm, back, middle, z, damping = swing(c, s, side, i, dt)
        pushed = push + arm * turn
        edge = WALL * c.tank_radius_m[i]
        change = -dt * (back + pushed) / (1.0 + 0.5 * dt * damping)  # damped by the step's mean speed
        back += 0.5 * damping * change
        s.slosh_mps[side, i] += change
        s.slosh_m[side, i] = middle + 0.5 * dt * s.slosh_mps[side, i]
        if abs(s.slosh_m[side, i]) > edge:
            s.slosh_m[side, i] = math.copysign(edge, s.slosh_m[side, i])
            s.slosh_mps[side, i] = 0.0
            middle = s.slosh_m[side, i]
            back = -pushed  # the baffle takes it along
        force = mass * (back + pushed)
        total += force
        moment += z * force + mass * s.specific_mps2[2] * middle
    return total, moment
