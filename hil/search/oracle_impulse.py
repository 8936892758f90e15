"""The least speed change that stopping takes of the engines, and the most that the propellant can give.

Over the height fallen s, with w the speed downwards, E = w^2 / 2 and J the integral of thrust over mass,

    dE/ds = g - f - D(s, w) / m,    0 <= f <= F(s) / m,    dJ/ds = f / w

V(s, w), the least J still to be spent from a height and a speed, is found from the ground up.  A stage that
still has V before it has the propellant for it, so that m >= m_dry exp(V / c): neither air nor thrust acts
on less.  More drag never raises V: who is slower at a height may fall until he meets the faster one.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from hil.faults.case import Case
from hil.plant.vehicle import Vehicle
from hil.search.oracle_lift import SPEEDS

__all__ = ["Stopping", "least_impulse", "most_impulse"]

Array = npt.NDArray[np.float64]

GRID: Final = 241
"""Speeds of the table."""
LEVELS: Final = np.linspace(0.0, 1.0, 9)
"""Shares of the largest thrust that are tried in each step."""
NEVER_MPS: Final = 5000.0
"""Stands for what cannot be stopped."""
RATIOS: Final = np.geomspace(0.5, 14.0, 60)
"""Mixture ratios; beyond them a chamber goes out."""
PRICES: Final = np.linspace(0.0, 1.0, 41)


@dataclass(frozen=True)
class Stopping:
    """What there is on a grid of heights fallen (n steps) to stop a stage with."""

    step_m: float
    gravity: Array
    thrust_n: Array
    """The most."""
    fastest: Array
    """Largest speed downwards at each step's begin, m/s."""
    upward_n: Array
    """Largest upward air force, shape (n, SPEEDS), at shares of `fastest`."""
    dry_kg: float
    exhaust_mps: float
    """The largest."""
    soft_mps: float


def least_impulse(stop: Stopping, start_mps: float) -> tuple[float, Array]:
    """Return the least J from the top at a speed, m/s (NEVER_MPS: none), and V at the top over the grid."""
    speed = np.linspace(0.0, 1.02 * float(np.max(stop.fastest)) + 1.0, GRID)
    energy = 0.5 * speed**2
    value = np.where(speed <= stop.soft_mps, 0.0, NEVER_MPS)
    for k in range(len(stop.gravity) - 1, -1, -1):
        air = np.interp(speed, SPEEDS * stop.fastest[k], stop.upward_n[k])
        value = _before(stop, k, speed, energy, air, value)
    return float(np.interp(start_mps, speed, value)), value


def _before(stop: Stopping, k: int, speed: Array, energy: Array, air: Array, after: Array) -> Array:
    """Return V at the begin of a step from V at its end."""
    gravity, step = float(stop.gravity[k]), stop.step_m
    most = (air + float(stop.thrust_n[k])) / stop.dry_kg
    slowest = np.sqrt(2.0 * np.maximum(energy + (gravity - most) * step, 0.0))
    least = np.minimum(np.interp(slowest, speed, after), NEVER_MPS)
    mass = stop.dry_kg * np.exp(np.minimum(least, 0.5 * stop.exhaust_mps) / stop.exhaust_mps)
    best = np.full(len(speed), NEVER_MPS)
    for level in LEVELS:
        f = level * float(stop.thrust_n[k]) / mass
        reached = np.sqrt(2.0 * np.maximum(energy + (gravity - air / mass - f) * step, 0.0))
        spent = f * step / np.maximum(np.maximum(speed, reached), 1.0)
        best = np.minimum(best, spent + np.interp(reached, speed, after))
    result: Array = np.maximum.accumulate(np.minimum(best, NEVER_MPS))
    return result


def most_impulse(case: Case, vehicle: Vehicle, exhaust_mps: float) -> float:
    """Return the most J that fuel and oxidiser can give at any mixture ratios, m/s.

    For any prices a, b of a kilogram of fuel and of oxidiser J is at most

        a fuel + b oxidiser + integral of max(0, c(r) / m - (a + b r) / (1 + r)) dm

    from the dry mass to the full one; the least over prices is taken.
    """
    fuel, ox = _loaded(case, vehicle)
    dry = vehicle.body.dry_kg * case.stage.mass_factor
    mass = np.linspace(dry, dry + fuel + ox, 81)
    share = _shares(vehicle) * exhaust_mps
    gain = share[:, None] / mass[None, :]
    best = math.inf
    unit = 8.0 * exhaust_mps / dry
    for price_fuel in PRICES:
        for price_ox in PRICES[:9] if price_fuel > 0.0 else PRICES:
            paid = unit * (price_fuel + 0.5 * price_ox * RATIOS) / (1.0 + RATIOS)
            worth = np.maximum(np.max(gain - paid[:, None], axis=0), 0.0)
            spent = unit * (price_fuel * fuel + 0.5 * price_ox * ox)
            best = min(best, float(spent + np.sum(0.5 * (worth[1:] + worth[:-1]) * np.diff(mass))))
    return best


def _loaded(case: Case, vehicle: Vehicle) -> tuple[float, float]:
    """Return fuel and oxidiser on board at the most, kg."""
    body = vehicle.body
    loaded = body.propellant_kg if case.initial.propellant_kg is None else case.initial.propellant_kg
    loaded *= case.stage.mass_factor
    fuel = loaded / (1.0 + body.mixture_ratio)
    short = {"fuel": 0.0, "oxidiser": 0.0}
    for fault in case.fault:
        if fault.kind == "tank.load_error" and fault.at_s == 0.0:
            short[str(fault.tank)] += fault.missing_kg or 0.0
    return max(fuel - short["fuel"], 0.0), max(loaded - fuel - short["oxidiser"], 0.0)


def _shares(vehicle: Vehicle) -> Array:
    """Return the exhaust velocity at RATIOS over that at the vehicle's own ratio (the plant's parabola)."""
    p = vehicle.propulsion

    def factor(ratio: Array) -> Array:
        off = 2.0 * (ratio - p.best_ratio) / (ratio + p.best_ratio)
        result: Array = np.maximum(1.0 - p.ratio_loss * off * off, 0.2)
        return result

    return factor(RATIOS) / factor(np.array(vehicle.body.mixture_ratio))
