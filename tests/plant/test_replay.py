"""Whole flights, commands replayed open loop at half the step: 1 mm and 1 mm/s before contact are the aim."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from hil.cli import main
from hil.faults.case import load_case
from hil.plant.model import BoosterPlant
from hil.plant.vehicle import load_vehicle
from hil.signals import Frame
from hil.tape.reader import read_tape

RIGS = Path(__file__).parents[2] / "rigs"


def replay(frames: Any, name: str, step_ns: int, upto: int) -> Any:
    """Return position and velocity at frame `upto`, noise and guidance off."""
    case = load_case(RIGS / "cases" / f"{name}.toml")
    vehicle = load_vehicle(RIGS / "vehicles" / f"{case.vehicle}.toml")
    frame = Frame(len(vehicle.landing_engines))
    plant = BoosterPlant(frame, vehicle, case.initial, case.wind, step_ns)
    for number in range(upto):
        frame["actuator"][...] = frames["actuator"][number]
        plant.advance(int(frames["t_ns"][number + 1]))
    truth = frame["truth"]
    return np.concatenate([truth["pos_pad_m"], truth["vel_pad_mps"]])


@pytest.fixture(scope="module", params=["nominal", "crs12"])
def flight(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[str, Any]:
    """Return a case's name and its frames, flown by the kernel."""
    run = tmp_path_factory.mktemp(request.param) / "run"
    case = ["--case", request.param, "--json", "--out", str(run)]
    assert main(["run", str(RIGS / "kernel.toml"), *case]) == 0
    return request.param, read_tape(run / "tape.mcap").frames


def halved(flight: tuple[str, Any], upto: int) -> Any:
    """Return by how much half the step changes position and velocity at frame `upto`."""
    name, frames = flight
    whole, half = (replay(frames, name, step_ns, upto) for step_ns in (1_000_000, 500_000))
    if whole[:3].tolist() != frames["truth"]["pos_pad_m"][upto].tolist():
        raise RuntimeError("the replay is not the flight")
    return np.abs(whole - half)


def test_halving_the_step_until_the_engines_burn(flight: tuple[str, Any]) -> None:
    assert halved(flight, int(np.argmax(flight[1]["telemetry"]["mode"] == 2))).max() < 1e-3


@pytest.mark.xfail(
    raises=AssertionError,
    strict=True,
    reason="liquid that meets a baffle's edge is stopped within one step, whatever its length: docs/PLANT.md",
)
def test_halving_the_step_of_a_whole_flight(flight: tuple[str, Any]) -> None:
    contact = int(np.argmax(flight[1]["truth"]["contact"] != 0))
    assert contact > 2000
    assert halved(flight, contact - 1).max() < 1e-3
