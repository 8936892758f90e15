"""Touching down: standing, tipping over, crashing, and what is latched at the first touch."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from hil.faults.case import Pad
from hil.plant.vehicle import Vehicle

Make = Callable[..., Any]


def drop(bench: Make, speed: float, side: float = 0.0, tilt_deg: float = 0.0, **more: Any) -> Any:
    """Let a nearly empty booster touch down; fly until it is at rest."""
    half = math.radians(tilt_deg) / 2.0
    lowest_foot = 9.0 * abs(math.sin(2.0 * half)) * math.cos(math.pi / 4.0)
    b = bench(
        pos=(3.0, -4.0, lowest_foot + 0.004),
        vel=(side, 0.0, -speed),
        q_pad_from_body=(math.cos(half), 0.0, math.sin(half), 0.0),
        propellant_kg=500.0,
        **more,
    )
    for _ in range(3000):
        b.tick()
        if b.plant.at_rest:
            break
    return b


def test_soft_landing_stands(bench: Make) -> None:
    b = drop(bench, 1.0)
    assert int(b.truth["at_rest"]) == 1
    assert int(b.truth["legs_down"]) == 4
    assert b.t_ns * 1e-9 < 2.0
    mass = float(b.truth["mass_kg"])
    sag = mass * 9.80665 / (4.0 * b.vehicle.legs.stiffness_npm)
    assert b.truth["pos_pad_m"][2] == pytest.approx(-sag, rel=0.02)


def test_first_touch_is_latched_at_the_step(bench: Make) -> None:
    b = drop(bench, 1.0)
    assert int(b.truth["contact"]) == 1
    contact_t_ns = int(b.truth["contact_t_ns"])
    assert contact_t_ns == pytest.approx(0.004e9, abs=1e6)
    assert contact_t_ns % 1_000_000 == 0
    assert b.truth["contact_vel_pad_mps"] == pytest.approx([0.0, 0.0, -1.04], abs=0.01)
    assert b.truth["contact_pos_pad_m"] == pytest.approx([3.0, -4.0, 0.0], abs=2e-3)
    assert float(b.truth["contact_tilt_rad"]) == pytest.approx(0.0, abs=1e-6)


def test_hard_landing_crashes(bench: Make) -> None:
    b = drop(bench, 8.0)
    assert int(b.truth["at_rest"]) == 3
    assert b.truth["contact_vel_pad_mps"][2] == pytest.approx(-8.0, abs=0.1)
    assert b.truth["vel_pad_mps"].tolist() == [0.0, 0.0, 0.0]
    assert np.isfinite(b.frame.floats("truth")).all()


def test_legs_touch_one_by_one(bench: Make) -> None:
    """Tilted, one leg comes down first and turns the booster until all stand."""
    half = math.radians(4.0) / 2.0
    q = np.array([math.cos(half), math.sin(half) * 0.6, math.sin(half) * 0.8, 0.0])
    b = bench(pos=(0.0, 0.0, 0.7), vel=(0.0, 0.0, -1.0), q_pad_from_body=tuple(q), propellant_kg=500.0)
    seen = []
    for _ in range(1500):
        b.tick()
        down = int(b.truth["legs_down"])
        if not seen or seen[-1] != down:
            seen.append(down)
    assert seen[:3] == [0, 1, 2]
    assert max(seen) >= 3
    assert int(b.truth["at_rest"]) == 1


def test_a_fast_landing_crushes_the_legs(bench: Make) -> None:
    """Too fast for the struts, slow enough for the cores: it stands, lower, and that is told."""
    b = drop(bench, 5.0)
    assert int(b.truth["at_rest"]) == 4
    assert int(b.truth["legs_down"]) == 4
    crush = b.plant._body["crush_m"][0, :4]
    assert crush.min() > 0.05
    assert crush.max() < b.vehicle.legs.crush_stroke_m
    soft = drop(bench, 1.0)
    assert soft.plant._body["crush_m"].max() == 0.0
    lower = soft.truth["pos_pad_m"][2] - b.truth["pos_pad_m"][2]
    assert lower == pytest.approx(float(crush.mean()), abs=0.01)


def test_a_crushing_leg_carries_its_load_and_no_more(bench: Make) -> None:
    """While the cores yield, the deceleration is that of four loads at the cores' limit."""
    b = bench(pos=(0.0, 0.0, 0.01), vel=(0.0, 0.0, -5.9), propellant_kg=500.0)
    most = 0.0
    for _ in range(30):
        b.tick()
        most = max(most, float(b.truth["force_body_mps2"][2]))
    limit = 4.0 * b.vehicle.legs.crush_n / float(b.truth["mass_kg"])
    assert most == pytest.approx(limit, rel=0.01)


def test_a_leg_that_collapses_tips_it_over(bench: Make, zq3: Vehicle) -> None:
    """With a stroke that is too short for the speed on one side, legs collapse and the booster falls over."""
    legs = zq3.legs.model_copy(update={"crush_stroke_m": 0.1, "crush_n": 3e5})
    b = drop(bench, 4.0, tilt_deg=6.0, vehicle=zq3.model_copy(update={"legs": legs}))
    assert int(b.truth["at_rest"]) in (2, 3)
    assert b.plant._body["crush_m"].max() > 1.0


def test_off_the_pad(bench: Make) -> None:
    """Where it stands decides, and the case says how large the pad is."""
    for east, state in ((39.0, 1), (41.0, 5)):
        b = bench(pos=(east, 0.0, 0.01), vel=(0.0, 0.0, -1.0), propellant_kg=500.0)
        b.tick(300)
        assert int(b.truth["at_rest"]) == state
    b = bench(pos=(41.0, 0.0, 0.01), vel=(0.0, 0.0, -1.0), propellant_kg=500.0, pad=Pad(radius_m=50.0))
    b.tick(300)
    assert int(b.truth["at_rest"]) == 1


def test_side_speed_tips_it_over(bench: Make) -> None:
    b = drop(bench, 1.0, side=3.5, tilt_deg=10.0)
    assert int(b.truth["at_rest"]) == 2
    assert float(b.truth["contact_tilt_rad"]) == pytest.approx(math.radians(10.0), abs=1e-3)


def test_some_tilt_and_side_speed_are_survived(bench: Make) -> None:
    b = drop(bench, 1.5, side=0.8, tilt_deg=3.0)
    assert int(b.truth["at_rest"]) == 1
    assert abs(b.truth["pos_pad_m"][0] - 3.0) < 1.0


def test_lying_down_is_a_crash(bench: Make) -> None:
    half = math.radians(80.0) / 2.0
    b = bench(
        pos=(0.0, 0.0, 12.0), vel=(0.0, 0.0, -1.0), q_pad_from_body=(math.cos(half), 0.0, math.sin(half), 0.0)
    )
    b.tick(300)
    assert int(b.truth["at_rest"]) == 3


def test_it_stands_in_the_wind(bench: Make) -> None:
    """Wind of a rough day neither tips the standing booster nor pushes it along."""
    b = drop(bench, 1.0, wind=(15.0, 0.0))
    assert int(b.truth["at_rest"]) == 1
    before = b.value("pos_pad_m")
    b.tick(500)
    assert int(b.truth["at_rest"]) == 1
    assert np.linalg.norm(b.truth["pos_pad_m"] - before) < 0.05


def test_valves_still_move_after_the_end(bench: Make) -> None:
    """The bench flies on after the end, so that boards can be seen to close their valves."""
    b = drop(bench, 8.0)
    b.run(0.5, 0.4)
    assert b.truth["ox_valve_pos"] == pytest.approx([0.4] * 3, abs=0.01)
    b.run(1.0, 0.0)
    assert b.truth["ox_valve_pos"] == pytest.approx([0.0] * 3, abs=0.01)
    assert b.truth["vel_pad_mps"].tolist() == [0.0, 0.0, 0.0]
