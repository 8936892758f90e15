"""The air of the plant against the tables of the U.S. Standard Atmosphere 1976."""

from __future__ import annotations

import pytest

from hil.plant.atmosphere import G0_MPS2, atmosphere, gravity_mps2

# US1976 table I, by geometric altitude: m, K, Pa, kg/m^3, m/s
TABLE = [
    (0.0, 288.150, 1.01325e5, 1.2250, 340.294),
    (1_000.0, 281.651, 8.9876e4, 1.1117, 336.435),
    (5_000.0, 255.676, 5.4048e4, 7.3643e-1, 320.545),
    (10_000.0, 223.252, 2.6500e4, 4.1351e-1, 299.532),
    (15_000.0, 216.650, 1.2112e4, 1.9476e-1, 295.070),
    (20_000.0, 216.650, 5.5293e3, 8.8910e-2, 295.070),
    (25_000.0, 221.552, 2.5492e3, 4.0084e-2, 298.389),
    (30_000.0, 226.509, 1.1970e3, 1.8410e-2, 301.709),
]


@pytest.mark.parametrize(("altitude", "kelvin", "pascal", "density", "sound"), TABLE)
def test_table(altitude: float, kelvin: float, pascal: float, density: float, sound: float) -> None:
    found = atmosphere(altitude)
    assert found[0] == pytest.approx(kelvin, abs=6e-4)
    assert found[1] == pytest.approx(pascal, rel=6e-5)
    assert found[2] == pytest.approx(density, rel=6e-5)
    assert found[3] == pytest.approx(sound, abs=6e-4)


def test_layers_meet() -> None:
    """Pressure and temperature do not jump where one layer ends and the next begins."""
    for base in (11_000.0, 20_000.0, 32_000.0, 47_000.0, 51_000.0, 71_000.0):
        geometric = 6_356_766.0 * base / (6_356_766.0 - base)
        below, above = atmosphere(geometric - 0.01), atmosphere(geometric + 0.01)
        assert below[0] == pytest.approx(above[0], abs=1e-4)
        assert below[1] == pytest.approx(above[1], rel=1e-5)


def test_far_out_of_range_is_finite() -> None:
    for altitude in (-20_000.0, 200_000.0):
        assert all(value > 0.0 for value in atmosphere(altitude))


def test_gravity() -> None:
    assert gravity_mps2(0.0) == G0_MPS2
    assert gravity_mps2(30_000.0) == pytest.approx(9.7147, abs=1e-4)  # US1976 table I
