"""Whole flights, commands replayed open loop at half the step: within 1 mm and 1 mm/s before contact."""

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


def replay(frames: Any, name: str, step_ns: int) -> Any:
    """Return position and velocity at the last frame before contact, noise and guidance off."""
    case = load_case(RIGS / "cases" / f"{name}.toml")
    vehicle = load_vehicle(RIGS / "vehicles" / f"{case.vehicle}.toml")
    frame = Frame(len(vehicle.landing_engines))
    plant = BoosterPlant(frame, vehicle, case.initial, case.wind, step_ns)
    contact = int(np.argmax(frames["truth"]["contact"] != 0))
    assert contact > 2000
    for number in range(contact - 1):
        frame["actuator"][...] = frames["actuator"][number]
        plant.advance(int(frames["t_ns"][number + 1]))
    truth = frame["truth"]
    return np.concatenate([truth["pos_pad_m"], truth["vel_pad_mps"]])


@pytest.mark.parametrize("name", ["nominal", "crs12"])
def test_halving_the_step_of_a_whole_flight(name: str, tmp_path: Path, capsys: Any) -> None:
    run = tmp_path / "run"
    assert main(["run", str(RIGS / "kernel.toml"), "--case", name, "--json", "--out", str(run)]) == 0
    capsys.readouterr()
    frames = read_tape(run / "tape.mcap").frames
    whole, half = (replay(frames, name, step_ns) for step_ns in (1_000_000, 500_000))
    contact = int(np.argmax(frames["truth"]["contact"] != 0))
    assert whole[:3].tolist() == frames["truth"]["pos_pad_m"][contact - 1].tolist()
    assert np.abs(whole - half)[:3].max() < 1e-3
    assert np.abs(whole - half)[3:].max() < 1e-3
