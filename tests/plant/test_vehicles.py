"""The shipped vehicles: complete, tagged, and as heavy, draggy and strong as their sources say."""

from __future__ import annotations

import math
import tomllib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from hil.plant.atmosphere import G0_MPS2, atmosphere
from hil.plant.vehicle import Vehicle, load_vehicle

VEHICLES = sorted((Path(__file__).parents[2] / "rigs" / "vehicles").glob("*.toml"))
Make = Callable[..., Any]


def figures(table: dict[str, Any], path: str = "") -> Iterator[tuple[str, dict[str, Any]]]:
    for key, value in table.items():
        if isinstance(value, dict) and "value" in value:
            yield f"{path}{key}", value
        elif isinstance(value, dict):
            yield from figures(value, f"{path}{key}.")


@pytest.mark.parametrize("path", VEHICLES, ids=lambda path: path.stem)
def test_every_published_or_computed_figure_names_its_source(path: Path) -> None:
    assert load_vehicle(path).name == path.stem
    tagged = dict(figures(tomllib.loads(path.read_text())))
    assert len(tagged) >= 60
    for name, figure in tagged.items():
        assert figure["origin"] in ("published", "computed", "assumed"), name
        assert figure["origin"] == "assumed" or figure["note"], name


def test_zq3_engines(zq3: Vehicle) -> None:
    places = zq3.engine_position
    assert len(places) == 9
    assert (places[0].x_m, places[0].y_m) == (0.0, 0.0)
    assert (places[1].x_m, places[1].y_m) == (-places[2].x_m, -places[2].y_m)
    gaps = [math.dist((a.x_m, a.y_m), (b.x_m, b.y_m)) for i, a in enumerate(places) for b in places[:i]]
    assert min(gaps) > 1.1  # the nozzles have room


def test_zq3_mass_properties(bench: Make, zq3: Vehicle) -> None:
    b = bench()
    assert float(b.truth["cm_z_m"]) - zq3.body.gimbal_plane_z_m == pytest.approx(15.0)
    assert b.plant._body[0].inertia_transverse_kgm2 == pytest.approx(7e6, rel=0.02)


def test_zq3_terminal_speed_near_3_km_is_about_270_mps(zq3: Vehicle) -> None:
    _, _, density, sound = atmosphere(3000.0)
    speeds = np.linspace(200.0, 320.0, 1201)
    axial = np.interp(speeds / sound, zq3.aero.mach, zq3.aero.axial)
    drag = 0.5 * density * speeds**2 * zq3.aero.ref_area_m2 * axial
    terminal = float(speeds[np.argmax(drag > 50_000.0 * G0_MPS2)])
    assert terminal == pytest.approx(270.0, abs=10.0)


def test_falcon9_drag_area_over_mass(falcon9: Vehicle) -> None:
    mass = falcon9.body.dry_kg + falcon9.body.propellant_kg
    for mach, published in ((1.2, 4.9e-4), (1.0, 3.6e-4)):
        area = falcon9.aero.ref_area_m2 * np.interp(mach, falcon9.aero.mach, falcon9.aero.axial)
        assert area / mass == pytest.approx(published, rel=0.04)


# CRS-12, webcast telemetry (public domain), linear fits over 4 s: seconds from landing ignition,
# altitude (m, shown in steps of 100 m), speed (m/s); the engine is off.
CRS12 = [
    (-16, 10348.0, 535.0),
    (-12, 8590.0, 446.0),
    (-8, 7127.0, 384.0),
    (-4, 5837.0, 343.0),
    (0, 4654.0, 318.0),
]


def test_falcon9_falls_like_crs12(bench: Make, falcon9: Vehicle) -> None:
    """Twenty seconds of fall from 12.5 km: drag, atmosphere and mass against a flight."""
    climb, speed = -566.0, 644.0
    b = bench(falcon9, pos=(0.0, 0.0, 12486.0), vel=(math.sqrt(speed**2 - climb**2), 0.0, climb))
    for _, altitude, recorded in CRS12:
        b.tick(400)
        assert float(np.linalg.norm(b.truth["vel_pad_mps"])) == pytest.approx(recorded, rel=0.015)
        assert b.truth["pos_pad_m"][2] == pytest.approx(altitude, abs=150.0)


@pytest.mark.parametrize("name", ["zq3", "falcon9"])
def test_lateral_control_keeps_its_sign_under_power(name: str, request: pytest.FixtureRequest) -> None:
    """Tilting the thrust pushes the booster the way of the tilt, in spite of the body's normal force."""
    vehicle: Vehicle = request.getfixturevalue(name)
    altitude, speed = (3000.0, 270.0) if name == "zq3" else (4654.0, 318.0)
    _, _, density, sound = atmosphere(altitude)
    aero, mach = vehicle.aero, speed / sound
    pressure = 0.5 * density * speed**2 * aero.ref_area_m2
    lift = np.interp(mach, aero.mach, aero.normal_slope) - np.interp(mach, aero.mach, aero.axial)
    thrust = vehicle.engine.throttle_floor * vehicle.engine.thrust_sl_n * len(vehicle.landing_engines)
    assert thrust > pressure * lift * aero.plume_factor
