"""Without thrust, drag and contact nothing may be lost: energy and angular momentum over a minute."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from hil.files import parse_toml
from hil.plant.atmosphere import EARTH_RADIUS_M, G0_MPS2
from hil.plant.check import fly_check_case
from hil.plant.checkcase import CheckCase
from hil.plant.earth import (
    EQUATOR_M,
    FIRST_ECCENTRICITY_SQUARED,
    J2,
    MU_M3PS2,
    TURN_RATE_RADPS,
    earth_centred,
    local_axes,
)
from hil.plant.rigid import rotation
from hil.plant.vehicle import Vehicle

Make = Callable[..., Any]
SECONDS = 60
DRIFT = 1e-9


def airless(vehicle: Vehicle) -> Vehicle:
    """Return the vehicle without any force or moment of the air."""
    none = (0.0,) * len(vehicle.aero.mach)
    no_aero = {"axial": none, "normal_slope": none, "crossflow_drag_area_m2": 0.0, "rate_damping": 0.0}
    return vehicle.model_copy(
        update={
            "aero": vehicle.aero.model_copy(update=no_aero),
            "fins": vehicle.fins.model_copy(update={"slope_m2_per_rad": 0.0}),
        }
    )


def turn_of(b: Any) -> Any:
    return np.array(rotation(*b.truth["q_pad_from_body"])).reshape(3, 3)


def centre_of_mass(b: Any) -> tuple[Any, Any]:
    """Return place and velocity of the centre of mass, from the truth record alone."""
    arm = np.array([0.0, 0.0, float(b.truth["cm_z_m"])])
    turn = turn_of(b)
    place = b.truth["pos_pad_m"] + turn @ arm
    return place, b.truth["vel_pad_mps"] + turn @ np.cross(b.truth["omega_body_radps"], arm)


def inertia_of(vehicle: Vehicle) -> Any:
    """Return the principal moments of inertia of the full vehicle, worked out from its file."""
    body = vehicle.body
    mass = body.dry_kg + body.propellant_kg
    centre = (body.dry_kg * body.dry_cm_z_m + body.propellant_kg * body.propellant_cm_z_m) / mass
    across = (
        body.inertia_transverse_kgm2
        + body.dry_kg * (body.dry_cm_z_m - centre) ** 2
        + body.propellant_kg * (body.propellant_cm_z_m - centre) ** 2
        + body.propellant_kg * body.propellant_length_m**2 / 12.0
    )
    return np.array([across, across, body.inertia_axial_kgm2])


def kept(before: Any, after: Any) -> None:
    assert np.linalg.norm(after - before) < DRIFT * np.linalg.norm(before)


@pytest.mark.parametrize("name", ["zq3", "falcon9"])
def test_a_tumbling_booster(bench: Make, name: str, request: pytest.FixtureRequest) -> None:
    vehicle = airless(request.getfixturevalue(name))
    b = bench(
        vehicle=vehicle,
        pos=(100.0, -50.0, 5000.0),
        vel=(60.0, -40.0, 300.0),
        omega_body_radps=(0.12, -0.07, 0.2),
    )
    inertia = inertia_of(vehicle)

    def state() -> tuple[Any, Any]:
        place, velocity = centre_of_mass(b)
        omega = b.truth["omega_body_radps"]
        height = place[2] - float(b.truth["cm_z_m"])  # gravity is taken at this height
        potential = G0_MPS2 * EARTH_RADIUS_M * height / (EARTH_RADIUS_M + height)
        moving = 0.5 * float(b.truth["mass_kg"]) * (velocity @ velocity + 2.0 * potential)
        turning = 0.5 * float(inertia @ omega**2)
        return np.array([moving, turning]), turn_of(b) @ (inertia * omega)

    energy, momentum = state()
    across = centre_of_mass(b)[1][:2]
    b.tick(SECONDS * 100)
    assert not b.plant.at_rest
    later_energy, later_momentum = state()
    for one, other in zip(energy, later_energy, strict=True):  # moving and turning do not exchange any
        assert abs(other - one) < DRIFT * one
    kept(momentum, later_momentum)
    kept(across, centre_of_mass(b)[1][:2])


def test_a_tumbling_body_over_the_turning_earth() -> None:
    """In the field of J2 energy and the momentum about the Earth's axis are kept, and that of tumbling."""
    case = parse_toml(
        'name = "x"\ndescription = "x"\nduration_s = 60.0\n[atmosphere]\nmodel = "none"\n'
        "[body]\nmass_kg = 2.0\ninertia_kgm2 = [0.0026, 0.0084, 0.0097]\n"
        "[initial]\nlatitude_deg = 50.0\nlongitude_deg = 7.0\naltitude_m = 20000.0\n"
        "vel_ned_mps = [200.0, 150.0, -300.0]\nattitude_deg = [10.0, 20.0, 30.0]\n"
        "rates_degps = [20.0, 30.0, -40.0]",
        "x.toml",
        CheckCase,
    )
    history = fly_check_case(case, 60.0)
    inertia = np.array([0.0026, 0.0084, 0.0097])

    def state(row: int) -> tuple[Any, ...]:
        h = {name: float(values[row]) for name, values in history.items()}
        latitude = math.radians(h["latitude_deg"])
        longitude = math.radians(h["longitude_deg"]) + TURN_RATE_RADPS * h["t_s"]
        place = np.array(
            earth_centred(latitude, longitude, h["altitude_m"], EQUATOR_M, FIRST_ECCENTRICITY_SQUARED)
        )
        axes = np.array(local_axes(latitude, longitude)).reshape(3, 3)
        velocity = axes @ [h["vel_north_mps"], h["vel_east_mps"], h["vel_down_mps"]]
        velocity += np.cross([0.0, 0.0, TURN_RATE_RADPS], place)
        radius = float(np.linalg.norm(place))
        bulge = J2 * (EQUATOR_M / radius) ** 2 * 0.5 * (3.0 * (place[2] / radius) ** 2 - 1.0)
        energy = 0.5 * float(velocity @ velocity) - MU_M3PS2 / radius * (1.0 - bulge)
        rates = np.radians([h[f"{axis}_rate_degps"] for axis in ("roll", "pitch", "yaw")])
        angles = np.radians([h[f"{axis}_deg"] for axis in ("roll", "pitch", "yaw")])
        (sr, sp, sy), (cr, cp, cy) = np.sin(angles), np.cos(angles)
        x = [cy * cp, sy * cp, -sp]
        y = [cy * sp * sr - sy * cr, sy * sp * sr + cy * cr, cp * sr]
        attitude = axes @ np.array([x, y, np.cross(x, y)]).T
        about_axis = float(np.cross(place, velocity)[2])
        return energy, about_axis, 0.5 * float(inertia @ rates**2), attitude @ (inertia * rates)

    for before, after in zip(state(0), state(1), strict=True):
        kept(np.atleast_1d(before), np.atleast_1d(after))
