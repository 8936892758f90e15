"""The Earth: WGS-84 figure, gravitation with J2, and the way between Earth-centred and geodetic places.

Earth-centred axes: z along the turning axis, x through latitude 0, longitude 0 (turned with the
Earth, or standing still at time 0).  A local frame is north, east, down at a geodetic place.
"""

from __future__ import annotations

import math
from typing import Any, Final

from hil.plant.jit import compiled

__all__ = [
    "AUTHALIC_RADIUS_M",
    "EQUATOR_M",
    "FIRST_ECCENTRICITY_SQUARED",
    "J2",
    "MU_M3PS2",
    "TURN_RATE_RADPS",
    "earth_centred",
    "geodetic",
    "gravitation",
    "local_axes",
    "pad_gravity",
    "pad_place",
]

# WGS-84: NIMA TR8350.2 (third edition, 2000), tables 3.1, 3.3 and 3.4.
EQUATOR_M: Final = 6_378_137.0
FLATTENING: Final = 1.0 / 298.257223563
MU_M3PS2: Final = 3.986004418e14
TURN_RATE_RADPS: Final = 7.292115e-5
J2: Final = 0.484166774985e-3 * math.sqrt(5.0)
"""From the normalised coefficient C20 of EGM96, the gravity model of the edition."""

FIRST_ECCENTRICITY_SQUARED: Final = FLATTENING * (2.0 - FLATTENING)
AUTHALIC_RADIUS_M: Final = 6_371_007.2
"""Radius of the sphere with the ellipsoid's surface (Moritz, Geodetic Reference System 1980)."""

Vector3 = tuple[float, float, float]
Matrix9 = tuple[float, float, float, float, float, float, float, float, float]

_LATITUDE_STEPS: Final = 5
"""Steps of Bowring's iteration: each gains two digits or more below 1,000 km: the end of double."""


@compiled
def earth_centred(
    latitude_rad: float, longitude_rad: float, altitude_m: float, radius_m: float, e2: float
) -> Vector3:
    """Return the Earth-centred place of a geodetic one; `e2`: first eccentricity squared (0: sphere)."""
    sine, cosine = math.sin(latitude_rad), math.cos(latitude_rad)
    across = radius_m / math.sqrt(1.0 - e2 * sine * sine)
    from_axis = (across + altitude_m) * cosine
    return (
        from_axis * math.cos(longitude_rad),
        from_axis * math.sin(longitude_rad),
        (across * (1.0 - e2) + altitude_m) * sine,
    )


@compiled
def geodetic(x: float, y: float, z: float, radius_m: float, e2: float) -> Vector3:
    """Return geodetic latitude (rad), longitude (rad) and altitude (m) of an Earth-centred place.

    Bowring's iteration on the parametric latitude (Survey Review 28, 1985); holds at the poles too.
    """
    from_axis = math.sqrt(x * x + y * y)
    flat = math.sqrt(1.0 - e2)
    latitude = math.atan2(z, (1.0 - e2) * from_axis)
    if e2 > 0.0:
        second = e2 / (1.0 - e2)
        for _ in range(_LATITUDE_STEPS):
            parametric = math.atan2(flat * math.sin(latitude), math.cos(latitude))
            s, c = math.sin(parametric), math.cos(parametric)
            up = z + second * flat * radius_m * s * s * s
            latitude = math.atan2(up, from_axis - e2 * radius_m * c * c * c)
    sine, cosine = math.sin(latitude), math.cos(latitude)
    altitude = from_axis * cosine + z * sine - radius_m * math.sqrt(1.0 - e2 * sine * sine)
    return latitude, math.atan2(y, x), altitude


@compiled
def local_axes(latitude_rad: float, longitude_rad: float) -> Matrix9:
    """Return the matrix, row by row, that turns north, east, down into Earth-centred vectors."""
    sp, cp = math.sin(latitude_rad), math.cos(latitude_rad)
    sl, cl = math.sin(longitude_rad), math.cos(longitude_rad)
    return (-sp * cl, -sl, -cp * cl, -sp * sl, cl, -cp * sl, cp, 0.0, -sp)


@compiled
def gravitation(x: float, y: float, z: float, j2: float) -> Vector3:
    """Return the attraction (m/s^2) at an Earth-centred place; `j2` = 0 is that of a point mass.

    It does not contain the centrifugal part, which belongs to whoever turns with the Earth.
    """
    squared = x * x + y * y + z * z
    pull = -MU_M3PS2 / (squared * math.sqrt(squared))
    bulge = 1.5 * j2 * EQUATOR_M * EQUATOR_M / squared
    ratio = 5.0 * z * z / squared
    across = pull * (1.0 + bulge * (1.0 - ratio))
    return across * x, across * y, pull * (1.0 + bulge * (3.0 - ratio)) * z


def pad_place(latitude_rad: float) -> tuple[float, float]:
    """Return north and up components (m) of the way from the Earth's centre to a pad on the ellipsoid."""
    sine, cosine = math.sin(latitude_rad), math.cos(latitude_rad)
    across = EQUATOR_M / math.sqrt(1.0 - FIRST_ECCENTRICITY_SQUARED * sine * sine)
    return -FIRST_ECCENTRICITY_SQUARED * across * sine * cosine, across * (
        1.0 - FIRST_ECCENTRICITY_SQUARED * sine * sine
    )


@compiled
def pad_gravity(c: Any, x: Any) -> Vector3:
    """Return the acceleration (m/s^2) of a free body in pad axes, which turn with the Earth.

    `x` begins with position and velocity in pad axes.  It is that of WGS-84 with J2, centrifugal and
    Coriolis parts included.
    """
    east, north, up = x[0], x[1] + c.pad_north_m, x[2] + c.pad_up_m
    along = c.axis_north * north + c.axis_up * up
    squared = east * east + north * north + up * up
    pull = -MU_M3PS2 / (squared * math.sqrt(squared))
    bulge = 1.5 * J2 * EQUATOR_M * EQUATOR_M / squared
    out = pull * (1.0 + bulge * (1.0 - 5.0 * along * along / squared))
    spin = TURN_RATE_RADPS * TURN_RATE_RADPS
    axial = (2.0 * pull * bulge - spin) * along
    out += spin
    twice = 2.0 * TURN_RATE_RADPS
    return (
        out * east - twice * (c.axis_north * x[5] - c.axis_up * x[4]),
        out * north + axial * c.axis_north - twice * c.axis_up * x[3],
        out * up + axial * c.axis_up + twice * c.axis_north * x[3],
    )
