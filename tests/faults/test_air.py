"""Gusts, shifts, density and a slippery pad: what they do to the plant, and that they end."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

from hil.faults.air import wind_speed
from hil.faults.case import SHIPPED, Case, FaultSpec, Initial, Wind
from hil.faults.triggers import TriggerBook
from hil.faults.wrappers import add_faults
from hil.plant.model import BoosterPlant
from hil.plant.vehicle import load_vehicle
from hil.signals import Frame

MS = 1_000_000
VEHICLE = load_vehicle(SHIPPED / "vehicles" / "zq3_class.toml")
PROFILE = Wind(altitude_m=(0.0, 4000.0), profile_mps=((2.0, 0.0), (6.0, -4.0)))


def fall(*faults: dict[str, Any], wind: Wind = PROFILE, frames: int = 60) -> Any:
    """Let the stage fall past 2 km with these faults from 0.1 s on; return the truth of each frame."""
    frame = Frame(3)
    start = Initial(pos_pad_m=(0.0, 0.0, 2000.0), vel_pad_mps=(0.0, 0.0, -200.0))
    specs = tuple(FaultSpec.model_validate({"at_s": 0.1, **fault}) for fault in faults)
    case = Case(vehicle="zq3_class", description="x", initial=start, wind=wind, fault=specs)
    plant = BoosterPlant(frame, VEHICLE, start, wind, MS)
    faulty, _ = add_faults(case, TriggerBook(frame, case.fault, 10 * MS), plant, [], {1: 0, 2: 1, 3: 2})
    out = []
    for k in range(frames):
        out.append(frame["truth"].copy())
        faulty.advance((k + 1) * 10 * MS)
    return np.array(out)


def gust(**keys: Any) -> dict[str, Any]:
    return {
        "kind": "wind.gust",
        "shape": "cosine",
        "speed_mps": 10.0,
        "towards_deg": 90.0,
        "duration_s": 0.2,
    } | keys


def test_a_gust_rises_and_dies_like_one_minus_cosine() -> None:
    speed = wind_speed(FaultSpec(**gust(duration_s=2.0), at_s=0.0))
    assert [speed(t) for t in (0.0, 0.5, 1.0, 1.5, 2.0, 3.0)] == pytest.approx(
        [0.0, 5.0, 10.0, 5.0, 0.0, 0.0]
    )
    step = wind_speed(FaultSpec(**gust(shape="step", duration_s=2.0), at_s=0.0))
    assert [step(t) for t in (0.0, 1.99, 2.0)] == [10.0, 10.0, 0.0]
    shift = {"kind": "wind.shift", "speed_mps": 6.0, "towards_deg": 0.0, "at_s": 0.0}
    assert [wind_speed(FaultSpec(**shift, rise_s=3.0))(t) for t in (0.0, 1.5, 3.0, 99.0)] == [
        0.0,
        3.0,
        6.0,
        6.0,
    ]
    assert wind_speed(FaultSpec(**shift, rise_s=0.0))(0.0) == 6.0


def test_a_gust_blows_its_way_on_top_of_the_profile_and_is_over() -> None:
    quiet, blown = fall()["wind_pad_mps"], fall(gust())["wind_pad_mps"]
    added = blown - quiet
    assert np.flatnonzero(np.abs(added).max(axis=1) > 0.01).tolist() == list(range(11, 31))
    assert added[:, 0].max() == pytest.approx(10.0, abs=0.1)
    assert added[:, 1:] == pytest.approx(0.0, abs=0.01)


def test_gusts_and_shifts_add_up_and_a_shift_stays() -> None:
    shift = {"kind": "wind.shift", "speed_mps": 8.0, "towards_deg": 180.0, "rise_s": 0.1}
    added = fall(gust(), shift, gust(towards_deg=270.0))["wind_pad_mps"] - fall()["wind_pad_mps"]
    assert added[25:, 1] == pytest.approx(-8.0, abs=0.01)
    assert added[:, 0] == pytest.approx(0.0, abs=0.01), "two gusts against each other"


def test_density_acts_on_the_dynamic_pressure_and_heals() -> None:
    thin = {"kind": "air.density", "factor": 0.8, "heals_after_s": 0.2}
    ratio = fall(thin)["dynamic_pressure_pa"] / fall()["dynamic_pressure_pa"]
    assert ratio[:11] == pytest.approx(1.0, abs=1e-12)
    assert ratio[11:31] == pytest.approx(0.8, abs=2e-3)
    assert ratio[31:] == pytest.approx(1.0, abs=5e-3), "but for the speed that it gained meanwhile"


def test_the_newer_of_two_faults_has_its_way_until_it_heals() -> None:
    both = (
        {"kind": "air.density", "factor": 0.5, "at_s": 0.1, "heals_after_s": 0.4},
        {"kind": "air.density", "factor": 1.5, "at_s": 0.2, "heals_after_s": 0.1},
    )
    ratio = fall(*both)["dynamic_pressure_pa"] / fall()["dynamic_pressure_pa"]
    assert ratio[[5, 15, 25, 35, 55]] == pytest.approx([1.0, 0.5, 1.5, 0.5, 1.0], abs=0.01)


def test_a_valve_that_heals_moves_again_and_a_pump_gets_its_head_back() -> None:
    """Of each effect all that a fault had set is as it was before."""
    frame = Frame(3)
    start = Initial(pos_pad_m=(0.0, 0.0, 2000.0), vel_pad_mps=(0.0, 0.0, -200.0))
    specs = tuple(
        FaultSpec.model_validate({"engine": 2, "at_s": 0.0, "heals_after_s": 0.05, **keys})
        for keys in (
            {"kind": "valve.stuck_at", "valve": "fuel", "position": 0.3},
            {"kind": "pump.cavitation", "side": "oxidiser", "head_loss": 0.2},
            {"kind": "gimbal.hardover", "axis": "x", "angle_deg": 3.0},
            {"kind": "engine.thrust_shortfall", "factor": 0.7, "tau_s": 0.2},
        )
    )
    case = Case(vehicle="zq3_class", description="x", initial=start, fault=specs)
    plant = BoosterPlant(frame, VEHICLE, start, Wind(), MS)
    names = plant.effects.__dataclass_fields__
    healthy = {name: getattr(plant.effects, name).copy() for name in names}
    faulty, _ = add_faults(case, TriggerBook(frame, case.fault, 10 * MS), plant, [], {1: 0, 2: 1, 3: 2})
    touched: set[str] = set()
    for k in range(10):
        faulty.advance((k + 1) * 10 * MS)
        touched |= {n for n in names if not np.array_equal(getattr(plant.effects, n), healthy[n])}
    assert {"fuel_stuck", "ox_cavitation", "gimbal_held_x_rad", "thrust_factor"} <= touched
    assert all(np.array_equal(getattr(plant.effects, n), healthy[n]) for n in names)


def test_a_slippery_pad_lets_the_stage_slide_further() -> None:
    def slide(*faults: FaultSpec) -> float:
        frame = Frame(3)
        start = Initial(
            pos_pad_m=(0.0, 0.0, 0.3), vel_pad_mps=(1.0, 0.0, -0.5), q_pad_from_body=(1.0, 0.0, 0.0, 0.0)
        )
        case = Case(vehicle="zq3_class", description="x", initial=start, fault=faults)
        plant = BoosterPlant(frame, VEHICLE, start, Wind(), MS)
        faulty, _ = add_faults(case, TriggerBook(frame, case.fault, 10 * MS), plant, [], {1: 0, 2: 1, 3: 2})
        for k in range(200):
            faulty.advance((k + 1) * 10 * MS)
        return float(math.hypot(*frame["truth"]["pos_pad_m"][:2]))

    assert slide(FaultSpec(kind="pad.slippery", at_s=0.0, friction=0.05)) > 1.5 * slide()
