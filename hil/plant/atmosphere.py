"""U.S. Standard Atmosphere 1976 below 84.8 km (geopotential), and gravity above the pad."""

from __future__ import annotations

import math
from typing import Final

from hil.plant.jit import compiled

__all__ = ["EARTH_RADIUS_M", "G0_MPS2", "SEA_LEVEL_PA", "atmosphere", "gravity_mps2"]

G0_MPS2: Final = 9.80665
EARTH_RADIUS_M: Final = 6_356_766.0
"""Effective radius of the standard (US1976, section 1.2.5)."""
SEA_LEVEL_PA: Final = 101_325.0
AIR_GAS_CONSTANT: Final = 8314.32 / 28.9644  # J / (kg K), US1976 table 2
HEAT_RATIO: Final = 1.4

# US1976 table 4: base of each layer (geopotential m), lapse rate (K/m).  Base temperature and
# pressure follow from the layers below; they are worked out once, here.
_BASES: Final = (0.0, 11_000.0, 20_000.0, 32_000.0, 47_000.0, 51_000.0, 71_000.0)
_LAPSES: Final = (-0.0065, 0.0, 0.001, 0.0028, 0.0, -0.0028, -0.002)
_TOP_M: Final = 84_852.0


def _climb(temperature: float, pressure: float, lapse: float, rise: float) -> tuple[float, float]:
    """Return temperature and pressure `rise` metres higher in a layer (US1976 eqs. 23, 33a, 33b)."""
    if lapse == 0.0:
        return temperature, pressure * math.exp(-G0_MPS2 * rise / (AIR_GAS_CONSTANT * temperature))
    top = temperature + lapse * rise
    return top, pressure * (temperature / top) ** (G0_MPS2 / (AIR_GAS_CONSTANT * lapse))


def _layer_bases() -> tuple[tuple[float, ...], tuple[float, ...]]:
    temperatures, pressures = [288.15], [SEA_LEVEL_PA]
    for i in range(len(_BASES) - 1):
        t, p = _climb(temperatures[i], pressures[i], _LAPSES[i], _BASES[i + 1] - _BASES[i])
        temperatures.append(t)
        pressures.append(p)
    return tuple(temperatures), tuple(pressures)


_TEMPERATURES, _PRESSURES = _layer_bases()


@compiled
def atmosphere(altitude_m: float) -> tuple[float, float, float, float]:
    """Return temperature (K), pressure (Pa), density (kg/m^3) and speed of sound (m/s).

    `altitude_m` is geometric; it is held to the range of the standard's lower part.
    """
    height = EARTH_RADIUS_M * altitude_m / (EARTH_RADIUS_M + altitude_m)
    height = min(max(height, -5000.0), _TOP_M)
    layer = 0
    for i in range(1, 7):
        if height >= _BASES[i]:
            layer = i
    base_t, base_p, lapse = _TEMPERATURES[layer], _PRESSURES[layer], _LAPSES[layer]
    rise = height - _BASES[layer]
    if lapse == 0.0:
        temperature = base_t
        pressure = base_p * math.exp(-G0_MPS2 * rise / (AIR_GAS_CONSTANT * base_t))
    else:
        temperature = base_t + lapse * rise
        pressure = base_p * math.pow(base_t / temperature, G0_MPS2 / (AIR_GAS_CONSTANT * lapse))
    density = pressure / (AIR_GAS_CONSTANT * temperature)
    return temperature, pressure, density, math.sqrt(HEAT_RATIO * AIR_GAS_CONSTANT * temperature)


@compiled
def gravity_mps2(altitude_m: float) -> float:
    """Return the downward acceleration: standard gravity at the pad, inverse square above it."""
    ratio = EARTH_RADIUS_M / (EARTH_RADIUS_M + altitude_m)
    return G0_MPS2 * ratio * ratio
