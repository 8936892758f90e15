"""The recorded landing of CRS-12: the coast before ignition, and a throttle history that follows the burn."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

from hil.cli import main
from hil.faults.case import load_case

ROOT = Path(__file__).parents[2]
SPEED_MPS, ALTITUDE_M, RMS_MPS = 10.0, 150.0, 5.0
"""How near to the record the plant has to come."""


@pytest.fixture(scope="module")
def tool() -> ModuleType:
    spec = importlib.util.spec_from_file_location("recorded_flight", ROOT / "tools" / "recorded_flight.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_coast_to_ignition(capsys: pytest.CaptureFixture[str]) -> None:
    """Engine off for 20 s from the recorded state: 318 m/s and 4,654 m (the displayed 4.6 to 4.7 km)."""
    assert main(["plant", "coast", "crs12_coast", "--for", "20", "--every", "20", "--json"]) == 0
    history = json.loads(capsys.readouterr().out)
    assert history["t_s"] == [0.0, 20.0]
    assert history["speed_mps"][-1] == pytest.approx(318.0, abs=SPEED_MPS)
    for recorded in (4654.0, 4700.0):
        assert history["altitude_m"][-1] == pytest.approx(recorded, abs=ALTITUDE_M)
    assert history["thrust_n"] == [0.0, 0.0]


def test_the_whole_coast_is_near_the_record(tool: ModuleType) -> None:
    speed, altitude = tool.coast_errors(tool.vehicle(), load_case(ROOT / "rigs/cases/crs12_coast.toml"))
    assert len(speed) > 150
    assert np.abs(speed).max() < SPEED_MPS
    assert np.abs(altitude).max() < ALTITUDE_M + 50.0  # and half a step of the display


def test_a_throttle_history_within_limits_follows_the_record(tool: ModuleType) -> None:
    stored = json.loads((ROOT / "rigs" / "plant" / "crs12_throttle.json").read_text())
    flown = tool.vehicle()
    throttle = np.array(stored["throttle"])
    floor = flown.engine.throttle_floor
    assert throttle.min() >= floor
    assert throttle.max() <= 1.0
    history = tool.fly_throttle(flown, throttle, stored["start_s"])
    speed, altitude = tool.burn_errors(history)
    assert len(speed) > 250
    assert tool.rms(speed) < RMS_MPS
    assert np.abs(altitude).max() < ALTITUDE_M
    assert flown.body.propellant_kg - (history["mass_kg"][0] - history["mass_kg"][-1]) > 0.0
    burning = history["t_s"] > stored["start_s"] + 1.5
    assert history["chamber_fraction"][burning].min() > 0.97 * floor
    assert history["chamber_fraction"].max() <= 1.0
    assert (history["thrust_n"][burning] > 0.0).all()


@pytest.mark.nightly
def test_the_drag_of_the_vehicle_file_is_the_fitted_one(tool: ModuleType) -> None:
    base = tool.vehicle()
    assert tool.fit_drag(base).aero.axial == pytest.approx(base.aero.axial, abs=0.002)


@pytest.mark.nightly
def test_the_stored_throttle_is_the_fitted_one(tool: ModuleType) -> None:
    stored = json.loads((ROOT / "rigs" / "plant" / "crs12_throttle.json").read_text())
    knots, rms_mps = tool.fit_throttle(tool.vehicle(), stored["start_s"])
    assert rms_mps == pytest.approx(stored["speed_rms_mps"], abs=0.05)
    assert knots == pytest.approx(stored["throttle"], abs=0.02)


def test_a_bad_coast_is_bad_usage(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["plant", "coast", "no_such_case"]) == 2
    assert main(["plant", "coast", "crs12_coast", "--for", "-1"]) == 2
