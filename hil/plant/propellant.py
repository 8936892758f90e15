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
    """Move the liquid in every tank by `dt` under the last step's acceleration; add what it does to the body.

    What stands in force and moment (about the body origin) is the difference to liquid at rest in
    its tank, which mass and inertia already contain.
    """
    axial = s.specific_mps2[2]
    if axial < WEIGHTLESS_MPS2:
        s.slosh_mps[:, :] = 0.0
        s.sloshes = 0
        return
    # turning acceleration of the last evaluation of the derivative
    turn_x, turn_y = s.scratch[3, 10], s.scratch[3, 11]
    push_x, push_y = s.thrust_body_n[0] / s.mass_kg, s.thrust_body_n[1] / s.mass_kg
    push_turn_x = (s.moment_body_nm[0] + s.cm_z_m * s.thrust_body_n[1]) / s.inertia_transverse_kgm2
    push_turn_y = (s.moment_body_nm[1] - s.cm_z_m * s.thrust_body_n[0]) / s.inertia_transverse_kgm2
    for i in range(c.tanks):
        liquid = s.ox_kg if c.tank_is_fuel[i] == 0 else s.fuel_kg
        mass, length, depth = slosh_mode(c.tank_radius_m[i], c.tank_density_kgpm3[i], liquid)
        z = c.tank_bottom_z_m[i] + 0.5 * depth
        arm = z - s.cm_z_m
        stiffness = axial / length
        damping = 2.0 * c.tank_damping[i] * math.sqrt(stiffness)
        edge = WALL * c.tank_radius_m[i]
        for side in range(2):
            known = s.specific_mps2[side] + arm * (turn_y if side == 0 else -turn_x)
            # what is known is a step old; what the engines have changed since is known as well
            engines = push_x + arm * push_turn_y if side == 0 else push_y - arm * push_turn_x
            pushed = known + engines - s.slosh_pushed[side, i] if s.sloshes == 1 else known
            s.slosh_pushed[side, i] = engines
            before = s.slosh_mps[side, i]
            middle = s.slosh_m[side, i] + 0.5 * dt * before
            s.slosh_mps[side, i] = before - dt * (stiffness * middle + damping * before + pushed)
            s.slosh_m[side, i] = middle + 0.5 * dt * s.slosh_mps[side, i]
            back = stiffness * middle + 0.5 * damping * (before + s.slosh_mps[side, i])
            if abs(s.slosh_m[side, i]) > edge:
                s.slosh_m[side, i] = math.copysign(edge, s.slosh_m[side, i])
                s.slosh_mps[side, i] = 0.0
                middle = s.slosh_m[side, i]
                back = -pushed  # the baffle takes it along
            force = mass * (back + pushed)
            weight = mass * axial * middle
            s.thrust_body_n[side] += force
            if side == 0:
                s.moment_body_nm[1] += z * force + weight
            else:
                s.moment_body_nm[0] -= z * force + weight
    s.sloshes = 1
