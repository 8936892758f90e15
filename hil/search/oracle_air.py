"""The air about a falling stage, for whole trajectories at once: the plant's own tables and formulas."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from hil.faults.case import Case
from hil.plant.atmosphere import atmosphere, gravity_mps2
from hil.plant.vehicle import Vehicle

__all__ = ["Air", "Loads"]

Array = npt.NDArray[np.float64]

_GRID_M: Final = np.arange(-200.0, 100_001.0, 100.0)


def _tables() -> tuple[Array, Array, Array]:
    rows = np.array([atmosphere(h) for h in _GRID_M])
    return np.log(rows[:, 2]), rows[:, 3], rows[:, 1]


@dataclass(frozen=True, slots=True)
class Loads:
    """Air loads along a trajectory, one value for each point."""

    axial_n: Array
    """Against the motion along the body's axis, at no angle of attack."""
    normal_n: Array
    """Across the axis, over the sine of the angle of attack."""
    flow: Array
    """Shape (n, 3): where the air pushes, a unit vector against the motion through the air."""


class Air:
    """Density, pressure, steady wind and loads of a case by height."""

    def __init__(self, case: Case, vehicle: Vehicle) -> None:
        log_density, self._sound, self._pressure = _tables()
        self._log_density = log_density + np.log(case.atmosphere.density_factor)
        altitudes, winds = case.wind.points()
        self._wind_at = np.array(altitudes)
        self._winds = np.array(winds)
        self.aero = vehicle.aero
        self.full_thrust_n = vehicle.engine.thrust_sl_n * len(vehicle.landing_engines)

    def density(self, height_m: Array) -> Array:
        """Return the density, kg/m^3."""
        result: Array = np.exp(np.interp(height_m, _GRID_M, self._log_density))
        return result

    def pressure(self, height_m: Array) -> Array:
        """Return the pressure, Pa."""
        return np.interp(height_m, _GRID_M, self._pressure)

    def sound(self, height_m: Array) -> Array:
        """Return the speed of sound, m/s."""
        return np.interp(height_m, _GRID_M, self._sound)

    def wind(self, height_m: Array) -> Array:
        """Return the steady wind, shape (n, 3), m/s."""
        east = np.interp(height_m, self._wind_at, self._winds[:, 0])
        north = np.interp(height_m, self._wind_at, self._winds[:, 1])
        return np.stack([east, north, np.zeros_like(east)], axis=-1)

    def gravity(self, height_m: float) -> float:
        """Return the downward acceleration, m/s^2."""
        return float(gravity_mps2(height_m))

    def plume(self, thrust_n: Array) -> Array:
        """Return what the plume leaves of the body's axial and normal force."""
        part = np.clip(thrust_n / self.full_thrust_n, 0.0, 1.0)
        result: Array = 1.0 - (1.0 - self.aero.plume_factor) * part
        return result

    def coefficients(self, mach: Array) -> tuple[Array, Array]:
        """Return axial coefficient and slope of the normal coefficient."""
        aero = self.aero
        return np.interp(mach, aero.mach, aero.axial), np.interp(mach, aero.mach, aero.normal_slope)

    def loads(self, pos: Array, vel: Array, thrust_n: Array, attack_rad: Array) -> Loads:
        """Return the loads along a trajectory of positions and velocities, shape (n, 3)."""
        through = vel - self.wind(pos[:, 2])
        speed = np.maximum(np.linalg.norm(through, axis=1), 0.1)
        pressure = 0.5 * self.density(pos[:, 2]) * speed * speed
        axial, slope = self.coefficients(speed / self.sound(pos[:, 2]))
        area = self.aero.ref_area_m2 * self.plume(thrust_n)
        normal = pressure * (area * slope + self.aero.crossflow_drag_area_m2 * np.sin(np.abs(attack_rad)))
        return Loads(pressure * area * axial, normal, -through / speed[:, None])
