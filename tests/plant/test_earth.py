"""The Earth: figures that can be worked out by hand, and the way there and back."""

from __future__ import annotations

import math

import numpy as np
import pytest

from hil.plant.earth import (
    AUTHALIC_RADIUS_M,
    EQUATOR_M,
    FIRST_ECCENTRICITY_SQUARED,
    J2,
    MU_M3PS2,
    TURN_RATE_RADPS,
    earth_centred,
    geodetic,
    gravitation,
    local_axes,
)

POLAR_M = 6_356_752.3142
"""NIMA TR8350.2, table 3.3."""


def test_places_on_the_axes() -> None:
    assert earth_centred(0.0, 0.0, 10.0, EQUATOR_M, FIRST_ECCENTRICITY_SQUARED)[0] == EQUATOR_M + 10.0
    pole = earth_centred(math.pi / 2.0, 0.0, 10.0, EQUATOR_M, FIRST_ECCENTRICITY_SQUARED)
    assert pole[2] == pytest.approx(POLAR_M + 10.0, abs=1e-3)


@pytest.mark.parametrize("e2", [0.0, FIRST_ECCENTRICITY_SQUARED])
@pytest.mark.parametrize("latitude", [-90.0, -89.999, -45.0, 0.0, 1e-7, 28.4857, 60.0, 90.0])
@pytest.mark.parametrize("altitude", [-5000.0, 0.0, 9144.0, 1e6])
def test_there_and_back(latitude: float, altitude: float, e2: float) -> None:
    place = earth_centred(math.radians(latitude), math.radians(-170.0), altitude, EQUATOR_M, e2)
    back = geodetic(*place, EQUATOR_M, e2)
    assert back[0] == pytest.approx(math.radians(latitude), abs=1e-12)
    assert back[2] == pytest.approx(altitude, abs=1e-6)
    if abs(latitude) < 90.0:
        assert back[1] == pytest.approx(math.radians(-170.0), abs=1e-12)


def test_gravity_on_the_ellipsoid_is_the_published_one() -> None:
    """Attraction less the centrifugal part is the normal gravity of table 3.4, within what J4 leaves."""
    x, _, _ = earth_centred(0.0, 0.0, 0.0, EQUATOR_M, FIRST_ECCENTRICITY_SQUARED)
    equator = -gravitation(x, 0.0, 0.0, J2)[0] - TURN_RATE_RADPS**2 * x
    _, _, z = earth_centred(math.pi / 2.0, 0.0, 0.0, EQUATOR_M, FIRST_ECCENTRICITY_SQUARED)
    pole = -gravitation(0.0, 0.0, z, J2)[2]
    assert equator == pytest.approx(9.7803253359, abs=5e-5)
    assert pole == pytest.approx(9.8321849378, abs=1.5e-4)


def test_gravitation_is_the_gradient_of_its_potential() -> None:
    def potential(p: np.ndarray) -> float:
        r = float(np.linalg.norm(p))
        legendre = 0.5 * (3.0 * (p[2] / r) ** 2 - 1.0)
        return float(MU_M3PS2 / r * (1.0 - J2 * (EQUATOR_M / r) ** 2 * legendre))

    place = np.array([3.1e6, -4.2e6, 3.9e6])
    slope = [(potential(place + step) - potential(place - step)) / 200.0 for step in 100.0 * np.eye(3)]
    assert gravitation(*place, J2) == pytest.approx(slope, abs=1e-6)


def test_a_sphere_pulls_to_its_centre() -> None:
    pull = np.array(gravitation(0.0, 3e6, 6e6, 0.0))
    assert float(np.linalg.norm(pull)) == pytest.approx(MU_M3PS2 / 45e12, rel=1e-12)
    assert np.cross(pull, [0.0, 3.0, 6.0]) == pytest.approx([0.0, 0.0, 0.0], abs=1e-12)


def test_local_axes() -> None:
    axes = np.array(local_axes(math.radians(30.0), math.radians(90.0))).reshape(3, 3)
    assert axes @ [0.0, 1.0, 0.0] == pytest.approx([-1.0, 0.0, 0.0])
    assert axes @ [0.0, 0.0, -1.0] == pytest.approx([0.0, math.cos(math.pi / 6.0), 0.5])
    assert axes @ axes.T == pytest.approx(np.eye(3), abs=1e-15)


def test_the_authalic_sphere_has_the_surface_of_the_ellipsoid() -> None:
    e = math.sqrt(FIRST_ECCENTRICITY_SQUARED)
    surface = 0.5 + (1.0 - e * e) / (4.0 * e) * math.log((1.0 + e) / (1.0 - e))
    assert EQUATOR_M * math.sqrt(surface) == pytest.approx(AUTHALIC_RADIUS_M, abs=0.1)
