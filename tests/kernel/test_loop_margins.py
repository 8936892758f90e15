"""Margins of the attitude loop, and damping of the whole lateral loop, for every shipped vehicle."""

from __future__ import annotations

from pathlib import Path

import pytest

from hil.plant.vehicle import load_vehicle
from tools import loop_margins
from tools.loop_margins import Loop, least_damping, loops, margins

VEHICLES = sorted((Path(__file__).parents[2] / "rigs" / "vehicles").glob("*.toml"))


@pytest.mark.parametrize("path", VEHICLES, ids=lambda path: path.stem)
def test_the_attitude_loop_has_6_db_and_30_deg_even_with_slow_actuators(path: Path) -> None:
    for name, loop in loops(load_vehicle(path), steer=False).items():
        gain_db, phase_deg = margins(loop)
        assert gain_db >= 6.0, name
        assert phase_deg >= 30.0, name


@pytest.mark.parametrize("path", VEHICLES, ids=lambda path: path.stem)
def test_the_lateral_loop_is_damped(path: Path) -> None:
    for name, loop in loops(load_vehicle(path), steer=True).items():
        assert least_damping(loop) >= 0.35, name


def test_the_model_sees_gains_that_are_too_high(monkeypatch: pytest.MonkeyPatch) -> None:
    vehicle = load_vehicle(VEHICLES[-1])
    real = loop_margins.constant

    def hot(file: str, name: str) -> float:
        return real(file, name) * (3.0 if name == "RATE_GAIN" else 1.0)

    monkeypatch.setattr(loop_margins, "constant", hot)
    mass = vehicle.body.dry_kg
    assert least_damping(Loop(vehicle, 1, mass, steer=False)) < 0.1
    assert margins(Loop(vehicle, 1, mass, steer=False))[0] < 3.0


def test_the_gains_that_used_to_oscillate_are_seen_to(monkeypatch: pytest.MonkeyPatch) -> None:
    """Decision 5: each loop sound by itself, the whole hardly damped."""
    old = {"ANGLE_GAIN": 1.0, "RATE_GAIN": 2.5, "LATERAL_TIME_MIN_S": 7.5, "FK_ATTITUDE_LEAD_S": 0.8}
    real = loop_margins.constant
    monkeypatch.setattr(loop_margins, "constant", lambda file, name: old.get(name) or real(file, name))
    vehicle = load_vehicle(VEHICLES[-1])
    mass = vehicle.body.dry_kg + 0.3 * vehicle.body.propellant_kg
    assert least_damping(Loop(vehicle, 1, mass, steer=False)) > 0.6
    assert least_damping(Loop(vehicle, 1, mass, steer=True)) < 0.2
