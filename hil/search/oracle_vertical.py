"""The vertical channel of a landing, for many ignition moments at once: when to light, when to step down.

Braking engines burn at one throttle between their floor and full until the landing engines, at theirs,
can stop the stage on the ground; from there on those alone burn.  Ignition moments are tried together
(one array element each); thrust over time is what the case leaves of it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from hil.plant.atmosphere import G0_MPS2
from hil.search.oracle_air import Air
from hil.search.oracle_thrust import Traces

__all__ = ["Coast", "Schedule", "schedules"]

Array = npt.NDArray[np.float64]

STEP_S: Final = 0.05
TOUCH_MPS: Final = 0.7
LONGEST_S: Final = 60.0


@dataclass(frozen=True)
class Coast:
    """The stage before it lights, at the frames' times: centre of mass and velocity, mass."""

    t_s: Array
    pos: Array
    vel: Array
    axis: Array
    mass_kg: float

    def at(self, t_s: float) -> tuple[Array, Array, Array]:
        """Return position, velocity and body axis at a time."""
        k = min(int(np.searchsorted(self.t_s, t_s - 1e-6)), len(self.t_s) - 1)
        return self.pos[k], self.vel[k], self.axis[k]


@dataclass(frozen=True)
class Schedule:
    """When to light and to step down; times absolute, s."""

    ignition_s: float
    step_down_s: float
    touchdown_s: float
    propellant_kg: float

    def later(self, by_s: float) -> Schedule:
        """Return the same schedule so much later."""
        return Schedule(
            self.ignition_s + by_s, self.step_down_s + by_s, self.touchdown_s + by_s, self.propellant_kg
        )


def schedules(
    coast: Coast, traces: Traces, air: Air, isp_s: float, floor_m: float, brake: list[int], land: list[int],
    ignition_s: Array, throttle: float, land_throttle: float,
) -> list[Schedule | None]:  # fmt: skip
    """Return for each ignition moment the landing at these throttles (0 floor, 1 full), None where none is.

    `floor_m` is the height of the centre of mass of a standing stage.
    """
    start = np.searchsorted(coast.t_s, ignition_s - 1e-6).clip(0, len(coast.t_s) - 1)
    height = coast.pos[start, 2] - floor_m
    speed = np.linalg.norm(coast.vel[start], axis=1)
    slope = np.maximum(-coast.vel[start, 2] / np.maximum(speed, 1.0), 0.3)
    mass = np.full(len(start), coast.mass_kg)
    level = traces.low_n + throttle * (traces.high_n - traces.low_n)
    brake_n = level[brake].sum(axis=0)
    land_level = traces.low_n + land_throttle * (traces.high_n - traces.low_n)
    land_n = land_level[land].sum(axis=0)
    stepped = np.full(len(start), np.nan)
    touched = np.full(len(start), np.nan)
    alive = np.ones(len(start), dtype=bool)
    for k in range(round(LONGEST_S / STEP_S)):
        at = min(k, len(brake_n) - 1)
        g = G0_MPS2
        soon = min(at + 8, len(land_n) - 1)
        brakes = land_n[soon] / mass - g * slope
        need = (speed * speed - TOUCH_MPS**2) / (2.0 * np.maximum(height / slope, 0.05))
        joins = alive & np.isnan(stepped) & (need <= brakes) & (land_n[soon] > 0.0)
        stepped[joins] = k * STEP_S
        landing = ~np.isnan(stepped)
        pull = (need + g * slope) * mass
        drag = _drag(air, height + floor_m, speed, np.where(landing, land_n[at], brake_n[at]))
        thrust = np.where(landing, np.maximum(pull - drag, 0.0), brake_n[at])
        touched[alive & landing & (height <= 0.3)] = k * STEP_S
        alive &= np.isnan(touched) & (height > 0.0) & (speed > 0.2)
        if not alive.any():
            break
        decel = (thrust + drag) / mass - g * slope
        step = np.where(alive, STEP_S, 0.0)
        speed = np.maximum(speed - decel * step, 0.0)
        height = height - speed * slope * step
        mass = mass - thrust / (G0_MPS2 * isp_s) * step
    used = coast.mass_kg - mass
    return [
        None if np.isnan(touched[i]) else Schedule(
            float(ignition_s[i]), float(ignition_s[i] + stepped[i]), float(ignition_s[i] + touched[i]),
            float(used[i]),
        )
        for i in range(len(start))
    ]  # fmt: skip


def _drag(air: Air, height_m: Array, speed: Array, thrust_n: Array | float) -> Array:
    pressure = 0.5 * air.density(height_m) * speed * speed
    axial, _ = air.coefficients(speed / air.sound(height_m))
    result: Array = pressure * axial * air.aero.ref_area_m2 * air.plume(np.asarray(thrust_n))
    return result
