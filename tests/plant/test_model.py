"""The facade: initial truth, refusals, and the same numbers compiled and interpreted."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from hil.faults.case import Initial, Wind
from hil.plant.jit import _drop_stale_caches
from hil.plant.model import BoosterPlant
from hil.plant.rigid import rotation
from hil.plant.vehicle import Vehicle
from hil.signals import Frame

Make = Callable[..., Any]
ROOT = Path(__file__).parents[2]

FLIGHTS = """
import json, sys
import numpy as np
from pathlib import Path
from hil.faults.case import Initial, Wind
from hil.plant.model import BoosterPlant
from hil.plant.vehicle import load_vehicle
from hil.signals import Frame

def flight(vehicle, frames, **initial):
    frame = Frame(len(vehicle.landing_engines))
    plant = BoosterPlant(frame, vehicle, Initial(**initial), Wind(mean_mps=(8.0, -3.0)), 1_000_000)
    act = frame["actuator"]
    act["igniter"][:] = 1.0
    act["ox_drive"][:] = act["fuel_drive"][:] = 0.4
    act["gimbal_x_drive"][:] = 0.2
    act["gimbal_y_drive"][:] = -0.1
    act["fin_cmd_rad"][:] = (0.1, 0.05, -0.02, 0.03)
    for k in range(1, frames + 1):
        plant.advance(k * 10_000_000)
    return frame.floats("truth").tolist(), int(frame["truth"]["contact"]), int(frame["truth"]["lit"].sum())

vehicle = load_vehicle(Path(sys.argv[1]))
print(json.dumps([
    flight(vehicle, 70, pos_pad_m=(10.0, 20.0, 900.0), vel_pad_mps=(5.0, -7.0, -180.0),
           omega_body_radps=(0.02, -0.03, 0.1)),
    flight(vehicle, 20, pos_pad_m=(0.0, 0.0, 0.05), vel_pad_mps=(0.5, 0.2, -1.5)),
]))
"""


def fly(compiled: bool) -> Any:
    environment = {**os.environ, "NUMBA_DISABLE_JIT": "0" if compiled else "1", "PYTHONPATH": str(ROOT)}
    vehicle = ROOT / "rigs" / "vehicles" / "zq3_class.toml"
    done = subprocess.run(
        [sys.executable, "-c", FLIGHTS, str(vehicle)],
        capture_output=True, text=True, check=True, env=environment, cwd=ROOT, timeout=300,
    )  # fmt: skip
    return json.loads(done.stdout)


def test_compiled_and_interpreted_give_the_same_numbers() -> None:
    for (fast, fast_contact, fast_lit), (slow, slow_contact, slow_lit) in zip(
        fly(True), fly(False), strict=True
    ):
        assert fast_contact == slow_contact
        assert fast_lit == slow_lit
        # what is zero but for rounding is compared with an absolute bound
        np.testing.assert_allclose(fast, slow, rtol=1e-12, atol=1e-12)
        assert fast_contact or fast_lit == 3  # the two flights saw fire and ground


def test_initial_truth_stands_in_the_frame(bench: Make, zq3: Vehicle) -> None:
    b = bench(pos=(120.0, -60.0, 4500.0), vel=(-6.0, 3.0, -330.0), omega_body_radps=(0.01, 0.0, 0.0))
    assert b.truth["pos_pad_m"].tolist() == pytest.approx([120.0, -60.0, 4500.0], abs=1e-9)
    assert b.truth["vel_pad_mps"].tolist() == pytest.approx([-6.0, 3.0, -330.0], abs=1e-9)
    assert float(b.truth["mass_kg"]) == 50_000.0
    assert float(b.truth["cm_z_m"]) == pytest.approx(17.5)
    assert b.truth["starts_left"].tolist() == [zq3.engine.starts] * 3
    assert float(b.truth["force_body_mps2"][2]) > 5.0
    assert not b.plant.at_rest


def test_default_attitude_has_the_engines_in_the_flow(bench: Make) -> None:
    wind = (8.0, -3.0)
    b = bench(vel=(-30.0, 20.0, -300.0), wind=wind)
    flow = np.array([-30.0 - wind[0], 20.0 - wind[1], -300.0])
    turn = np.array(rotation(*b.truth["q_pad_from_body"])).reshape(3, 3)
    assert turn[:, 2] == pytest.approx(-flow / np.linalg.norm(flow))
    assert b.truth["q_pad_from_body"][3] == 0.0
    assert float(b.truth["angle_of_attack_rad"]) == pytest.approx(0.0, abs=1e-6)


def test_default_attitude_without_a_flow_is_upright(bench: Make) -> None:
    for vel in ((0.0, 0.0, 0.0), (0.0, 0.0, 20.0)):
        assert bench(vel=vel).truth["q_pad_from_body"].tolist() == [1.0, 0.0, 0.0, 0.0]


def test_given_attitude_is_made_a_unit_quaternion(bench: Make) -> None:
    b = bench(q_pad_from_body=(1.005, 0.0, 0.0, 0.0))
    assert b.truth["q_pad_from_body"].tolist() == [1.0, 0.0, 0.0, 0.0]


def test_refusals(bench: Make, zq3: Vehicle) -> None:
    start = Initial(pos_pad_m=(0.0, 0.0, 100.0), vel_pad_mps=(0.0, 0.0, -1.0))
    with pytest.raises(ValueError, match="made for 2 engines"):
        BoosterPlant(Frame(2), zq3, start, Wind(), 1_000_000)
    with pytest.raises(ValueError, match="must be positive"):
        BoosterPlant(Frame(3), zq3, start, Wind(), 0)
    b = bench()
    b.tick()
    with pytest.raises(ValueError, match="not ahead"):
        b.plant.advance(0)
    with pytest.raises(ValueError, match="not ahead"):
        b.plant.advance(10**16)
    before = bytes(b.frame.bytes)
    b.plant.advance(b.t_ns)  # no time has passed: nothing happens
    assert bytes(b.frame.bytes) == before


def test_two_plants_do_not_touch_each_other(bench: Make) -> None:
    alone, one, other = bench(), bench(), bench(vel=(0.0, 0.0, -100.0))
    for _ in range(20):
        alone.tick()
        one.tick()
        other.tick()
    assert bytes(alone.frame.bytes) == bytes(one.frame.bytes)


def test_caches_older_than_a_source_are_dropped(tmp_path: Path) -> None:
    source, index = tmp_path / "core.py", tmp_path / "__pycache__" / "core.nbi"
    index.parent.mkdir()
    for path in (index, source):
        path.write_text("")
    os.utime(source, (1000.0, 1000.0))
    os.utime(index, (2000.0, 2000.0))
    _drop_stale_caches(tmp_path)
    assert index.exists()
    os.utime(source, (3000.0, 3000.0))
    _drop_stale_caches(tmp_path)
    assert not index.exists()
