"""Propellant that leaves and moves: jet damping, slosh frequencies, momentum, and the switch."""

from __future__ import annotations

import math
from collections.abc import Callable
from itertools import pairwise
from typing import Any

import numpy as np
import pytest

from hil.plant.layout import BODY, CONSTANTS, record_array
from hil.plant.propellant import MASS_PART, leave, slosh_mode, slosh_step
from hil.plant.rigid import runge_kutta_step
from hil.plant.vehicle import Vehicle

Make = Callable[..., Any]


def still(vehicle: Vehicle) -> Vehicle:
    """Return the vehicle with propellant that does not slosh."""
    return vehicle.model_copy(update={"tank": ()})


# ---- what leaves


def test_jet_damping_is_that_of_the_textbook() -> None:
    """A thin body whose propellant sits at its centre: the rate falls by flow * arm^2 / inertia."""
    c, s = record_array(CONSTANTS)[0], record_array(BODY)[0]
    c.propellant_full_kg, c.gimbal_plane_z_m, c.propellant_cm_z_m, c.nozzle_ring_m2 = 1e4, 2.0, 17.0, 4.0
    s.cm_z_m, s.ox_kg = 17.0, 1e4
    leave(c, s, 0.8, 0.001)
    assert s.leave_transverse == pytest.approx(800.0 * 15.0**2)
    assert s.leave_axial == pytest.approx(800.0 * 4.0)
    leave(c, s, 0.0, 0.001)
    assert (s.leave_transverse, s.leave_axial) == (0.0, 0.0)


def test_propellant_far_from_the_centre_takes_its_momentum_along() -> None:
    """Where propellant leaves as far from the centre as it has lain, nothing is damped."""
    c, s = record_array(CONSTANTS)[0], record_array(BODY)[0]
    c.propellant_full_kg, c.gimbal_plane_z_m, c.propellant_cm_z_m = 1e4, 7.0, 7.0
    s.cm_z_m = 17.0
    leave(c, s, 0.8, 0.001)
    assert s.leave_transverse == pytest.approx(0.0)


def test_thrust_damps_the_turn_rate(bench: Make, zq3: Vehicle) -> None:
    """With the air away, thrust through the centre of mass leaves only jet damping and dI/dt."""
    none = (0.0,) * len(zq3.aero.mach)
    aero = zq3.aero.model_copy(
        update={"axial": none, "normal_slope": none, "crossflow_drag_area_m2": 0.0, "rate_damping": 0.0}
    )
    fins = zq3.fins.model_copy(update={"slope_m2_per_rad": 0.0})
    vehicle = still(zq3).model_copy(update={"aero": aero, "fins": fins})
    b = bench(vehicle=vehicle, pos=(0.0, 0.0, 9000.0), omega_body_radps=(0.0, 0.02, 0.1))
    b.light()
    s = b.plant._body[0]
    before, axial = math.hypot(s.x[10], s.x[11]), float(s.x[12])
    b.run(2.0, 0.7)
    across = math.exp(-2.0 * float(s.leave_transverse / s.inertia_transverse_kgm2))
    assert across < 0.98
    # the inertia is not constant over the 2 s, hence the tolerance
    assert math.hypot(s.x[10], s.x[11]) / before == pytest.approx(across, rel=2e-3)
    assert float(s.x[12]) / axial == pytest.approx(
        math.exp(-2.0 * float(s.leave_axial / s.inertia_axial_kgm2)), rel=2e-3
    )


# ---- what moves


def test_modes_of_deep_and_shallow_liquid() -> None:
    """Deep: length radius / 1.841, mass set by the radius; shallow: long waves, most of the liquid moves."""
    density, radius = 1000.0, 2.0
    area = math.pi * radius**2
    mass, length, depth = slosh_mode(radius, density, 20.0 * area * density)
    assert depth == pytest.approx(20.0)
    assert length == pytest.approx(radius / 1.841, rel=1e-6)
    assert mass == pytest.approx(MASS_PART * radius * area * density, rel=1e-6)
    mass, length, depth = slosh_mode(radius, density, 0.02 * area * density)
    assert 9.81 / length == pytest.approx((1.841 / radius) ** 2 * 9.81 * depth, rel=1e-3)
    assert mass / (0.02 * area * density) == pytest.approx(0.837, rel=0.01)
    assert slosh_mode(radius, density, 0.0)[0] == 0.0


def tank_alone(damping: float) -> tuple[Any, Any]:
    """Return a heavy body under 20 m/s^2 with one tank whose liquid stands 0.1 m to the side."""
    c, s = record_array(CONSTANTS)[0], record_array(BODY)[0]
    c.tanks = 1
    c.tank_radius_m[0], c.tank_density_kgpm3[0], c.tank_damping[0] = 2.0, 1000.0, damping
    s.ox_kg = 10_000.0
    s.mass_kg, s.inertia_transverse_kgm2 = 1e9, 1e12
    s.specific_mps2[2] = 20.0
    s.slosh_m[0, 0] = 0.1
    return c, s


def test_slosh_swings_at_its_frequency_and_dies_by_its_damping() -> None:
    c, s = tank_alone(0.03)
    _, length, _ = slosh_mode(2.0, 1000.0, 10_000.0)
    rate = math.sqrt(20.0 / length)
    places = []
    for _ in range(8000):
        slosh_step(c, s, 1e-3)
        places.append(float(s.slosh_m[0, 0]))
    crossings = np.flatnonzero(np.diff(np.sign(places)))
    half = float(np.mean(np.diff(crossings))) * 1e-3
    assert math.pi / half == pytest.approx(rate * math.sqrt(1.0 - 0.03**2), rel=2e-3)
    peaks = [max(np.abs(places[a:b])) for a, b in pairwise(crossings)]
    ratio = (peaks[-1] / peaks[0]) ** (1.0 / (len(peaks) - 1))
    assert ratio == pytest.approx(math.exp(-math.pi * 0.03), rel=5e-3)


def test_slosh_stays_within_its_baffles_and_needs_weight() -> None:
    c, s = tank_alone(0.0)
    s.slosh_mps[0, 0] = 50.0
    slosh_step(c, s, 0.1)
    assert s.slosh_m[0, 0] == pytest.approx(1.0)
    c, s = tank_alone(0.0)
    s.specific_mps2[2] = 0.05
    slosh_step(c, s, 1e-3)
    assert s.slosh_m[0, 0] == 0.1  # without weight nothing drives it back
    assert s.thrust_body_n[0] == 0.0


def test_liquid_and_body_swing_against_each_other() -> None:
    """A free body under axial thrust: the momentum of body and liquid across stays what it was."""
    c, s = tank_alone(0.0)
    c.aero_points = 2
    c.mach[1] = 1.0
    s.sound_mps = 300.0
    s.mass_kg, s.per_mass = 50_000.0, 1.0 / 50_000.0
    s.inertia_transverse_kgm2, s.per_transverse = 1e12, 1e-12  # does not turn
    s.inertia_axial_kgm2, s.per_axial = 1e12, 1e-12
    s.x[:] = (0.0, 0.0, 1e4, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0)
    mass, length, _ = slosh_mode(2.0, 1000.0, 10_000.0)
    swung = []
    for _ in range(10_000):
        s.thrust_body_n[:] = (0.0, 0.0, 1e6)
        slosh_step(c, s, 1e-3)
        s.moment_body_nm[:] = 0.0
        runge_kutta_step(c, s, s.x, s.scratch, 1e-3)
        swung.append((float(s.slosh_m[0, 0]), float(s.x[0])))
    liquid, body = np.array(swung).T
    # the centre of mass of both stays where it was, and the liquid swings faster for the body's yielding
    assert mass * (liquid - 0.1) + 50_000.0 * body == pytest.approx(0.0, abs=0.03 * mass * 0.1)
    half = float(np.mean(np.diff(np.flatnonzero(np.diff(np.sign(liquid)))))) * 1e-3
    assert math.pi / half == pytest.approx(math.sqrt(20.0 / length / (1.0 - mass / 50_000.0)), rel=5e-3)
    assert np.abs(liquid).max() < 0.103


def test_slosh_is_switched_by_the_vehicle(bench: Make, zq3: Vehicle) -> None:
    """A kick of the gimbal moves the liquid, and the liquid the body; without tanks the body alone turns."""

    def kicked(vehicle: Vehicle) -> tuple[Any, Any]:
        b = bench(vehicle=vehicle)
        b.light()
        for _ in range(50):
            b.hold(0.7, 0.7, gimbal_x=0.02)
            b.tick()
        return b.plant._body[0], b.value("omega_body_radps")

    with_tanks, omega = kicked(zq3)
    without, omega_without = kicked(still(zq3))
    assert np.abs(with_tanks.slosh_m[0, :2]).max() > 0.01
    assert np.abs(without.slosh_m).max() == 0.0
    assert 0.0 < abs(omega[1] - omega_without[1]) < 0.3 * abs(omega_without[1])
