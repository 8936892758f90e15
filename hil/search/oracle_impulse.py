"""The most speed change that fuel and oxidiser can give: with one of them missing the other is left over."""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt

from hil.faults.case import Case
from hil.plant.vehicle import Vehicle

__all__ = ["loaded_kg", "most_impulse"]

Array = npt.NDArray[np.float64]

RATIOS: Final = np.geomspace(0.5, 14.0, 60)
"""Mixture ratios; beyond them a chamber goes out."""
PRICES: Final = np.linspace(0.0, 8.0, 33)
"""Of a kilogram, in exhaust velocities over the dry mass."""


def most_impulse(case: Case, vehicle: Vehicle, exhaust_mps: float) -> float:
    """Return the most J that fuel and oxidiser can give at any mixture ratios, m/s.

    For any prices a, b of a kilogram of fuel and of oxidiser J is at most

        a fuel + b oxidiser + integral of max over r of c(r) / m - (a + b r) / (1 + r) dm

    from the full mass down to the one that makes it largest; the least over prices is taken.
    """
    fuel, ox = loaded_kg(case, vehicle)
    dry = vehicle.body.dry_kg * case.stage.mass_factor
    mass = np.linspace(dry, dry + fuel + ox, 81)
    share = _shares(vehicle) * exhaust_mps
    gain = share[:, None] / mass[None, :]
    unit = exhaust_mps / dry

    def gives(price_fuel: float, price_ox: float) -> float:
        paid = unit * (price_fuel + price_ox * RATIOS) / (1.0 + RATIOS)
        worth = np.max(gain - paid[:, None], axis=0)
        burnt = np.cumsum(np.flip(0.5 * (worth[1:] + worth[:-1]) * np.diff(mass)))
        return unit * (price_fuel * fuel + price_ox * ox) + max(float(np.max(burnt)), 0.0)

    prices = [(a, b) for a in PRICES.tolist() for b in PRICES[:9].tolist()]
    for width in (0.25, 0.06, 0.015):
        a, b = min(prices, key=lambda pair: gives(*pair))
        about = width * np.linspace(-1.0, 1.0, 9)
        prices = [(max(a + da, 0.0), max(b + db, 0.0)) for da in about.tolist() for db in about.tolist()]
    return min(gives(*pair) for pair in prices)


def loaded_kg(case: Case, vehicle: Vehicle) -> tuple[float, float]:
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
