"""Touching down: standing, tipping over, crashing, and what is latched at the first touch."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

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
