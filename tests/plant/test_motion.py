"""The rigid body: what must be conserved is, and halving the step changes little."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from hil.plant.atmosphere import EARTH_RADIUS_M, G0_MPS2
from hil.plant.layout import BODY, CONSTANTS, record_array
from hil.plant.rigid import rotation, runge_kutta_step
from hil.plant.vehicle import Vehicle

Make = Callable[..., Any]


def airless(omega: tuple[float, float, float]) -> tuple[Any, Any]:
    """Return constants and a body far from the air, turning."""
    constants, body = record_array(CONSTANTS), record_array(BODY)
    c, s = constants[0], body[0]
    c.aero_points = 2
    c.mach[1] = 1.0
    s.mass_kg, s.per_mass = 4e4, 1.0 / 4e4
    s.inertia_transverse_kgm2, s.inertia_axial_kgm2 = 6e6, 2e5
    s.per_transverse, s.per_axial = 1.0 / 6e6, 1.0 / 2e5
    s.sound_mps = 300.0
    s.x[:] = (0.0, 0.0, 5000.0, 30.0, -20.0, 80.0, 1.0, 0.0, 0.0, 0.0, *omega)
    return c, s


def test_free_turning_keeps_momentum_and_energy() -> None:
    c, s = airless((0.3, -0.2, 0.5))
    inertia = np.array([6e6, 6e6, 2e5])

    def momentum() -> Any:
        return np.array(rotation(*s.x[6:10])).reshape(3, 3) @ (inertia * s.x[10:13])

    before, energy = momentum(), float(inertia @ s.x[10:13] ** 2)
    for _ in range(20_000):
        runge_kutta_step(c, s, s.x, s.scratch, 1e-3)
    assert momentum() == pytest.approx(before, rel=1e-9)
    assert float(inertia @ s.x[10:13] ** 2) == pytest.approx(energy, rel=1e-10)
    assert float(np.linalg.norm(s.x[6:10])) == pytest.approx(1.0, abs=1e-15)


def test_free_fall_keeps_energy() -> None:
    c, s = airless((0.0, 0.0, 0.0))

    def energy() -> float:
        potential = -G0_MPS2 * EARTH_RADIUS_M**2 / (EARTH_RADIUS_M + s.x[2])
        return float(0.5 * s.x[3:6] @ s.x[3:6] + potential - -G0_MPS2 * EARTH_RADIUS_M)

    before = energy()
    for _ in range(10_000):
        runge_kutta_step(c, s, s.x, s.scratch, 1e-3)
    assert energy() == pytest.approx(before, abs=1e-6)
    assert s.x[0] == pytest.approx(300.0, abs=1e-9)


def test_dropped_from_rest(bench: Make) -> None:
    b = bench(pos=(0.0, 0.0, 3000.0), vel=(0.0, 0.0, 0.0))
    b.tick(100)
    assert b.truth["pos_pad_m"][2] == pytest.approx(3000.0 - 0.5 * 9.797, abs=0.01)
    assert b.truth["vel_pad_mps"][2] == pytest.approx(-9.79, abs=0.02)
    assert b.truth["force_body_mps2"][2] == pytest.approx(0.0, abs=0.02)  # weightless but for the air


def test_specific_force_is_what_an_accelerometer_says(bench: Make) -> None:
    """In steady flight, velocity changes by the specific force turned to the pad, less gravity."""
    b = bench(vel=(20.0, -10.0, -250.0), wind=(5.0, 3.0))
    b.light()
    before, force = b.value("vel_pad_mps"), b.value("force_body_mps2")
    turn = np.array(rotation(*b.truth["q_pad_from_body"])).reshape(3, 3)
    b.run(0.01, 0.7)
    change = (b.truth["vel_pad_mps"] - before) / 0.01
    assert change == pytest.approx(turn @ force - [0.0, 0.0, 9.80], abs=0.05)


def test_the_origin_does_not_jump_when_propellant_is_burnt(bench: Make) -> None:
    """Position is the integral of velocity, both of the body origin, while the centre of mass climbs."""
    b = bench(omega_body_radps=(0.05, 0.0, 0.0))
    b.light()
    before, cm_z_m = b.value("pos_pad_m"), float(b.truth["cm_z_m"])
    speeds = [b.value("vel_pad_mps")]
    for _ in range(100):
        b.run(0.01, 0.7)
        speeds.append(b.value("vel_pad_mps"))
    assert float(b.truth["cm_z_m"]) > cm_z_m + 0.01
    travelled = np.trapezoid(np.array(speeds), dx=0.01, axis=0)
    assert b.truth["pos_pad_m"] - before == pytest.approx(travelled, abs=2e-3)


def steered(b: Any, frames: int) -> Any:
    """Fly with moving fins and gimbals; return position, velocity and turn rate."""
    for k in range(frames):
        b.act["gimbal_x_drive"][:] = 0.3 * math.sin(0.1 * k)
        b.act["fin_cmd_rad"][:] = 0.1 * math.cos(0.1 * k)
        b.tick()
    return np.concatenate([b.value(name) for name in ("pos_pad_m", "vel_pad_mps", "omega_body_radps")])


@pytest.mark.parametrize("sloshes", [False, True])
def test_halving_the_step(bench: Make, zq3: Vehicle, sloshes: bool) -> None:
    """Without events the scheme is of second order: half the step leaves a quarter of the error.

    Slosh is coupled through the last step's acceleration, so its small part is of first order.
    """
    vehicle = zq3 if sloshes else zq3.model_copy(update={"tank": ()})
    coarse, middle, fine = (
        steered(bench(vehicle, vel=(20.0, -10.0, -250.0), wind=(8.0, -3.0), step_ns=step_ns), 300)
        for step_ns in (1_000_000, 500_000, 50_000)
    )
    assert np.abs(coarse - fine).max() < 1e-4
    assert np.abs(middle - fine).max() < (0.55 if sloshes else 0.3) * np.abs(coarse - fine).max()


def test_halving_the_step_under_power(bench: Make) -> None:
    """Ignition falls on a step's end, so a burn differs by up to a step or two of thrust, no more."""

    def burn(step_ns: int) -> Any:
        b = bench(vel=(20.0, -10.0, -250.0), wind=(8.0, -3.0), step_ns=step_ns)
        b.act["igniter"][:] = 1.0
        b.act["ox_drive"][:] = b.act["fuel_drive"][:] = 0.5
        b.tick(35)
        b.act["ox_drive"][:] = b.act["fuel_drive"][:] = 0.0
        state = steered(b, 365)
        assert b.truth["lit"].all()
        return state

    coarse, fine = burn(1_000_000), burn(62_500)
    assert np.abs(coarse - fine)[3:6].max() < 0.002 * 50.0  # two steps at 50 m/s^2
    assert np.abs(coarse - fine)[:3].max() < 0.002 * 50.0 * 3.65


def test_steps_need_not_divide_the_frame(bench: Make) -> None:
    odd, even = bench(step_ns=300_000), bench(step_ns=1_000_000)
    odd.tick(50)
    even.tick(50)
    assert odd.truth["pos_pad_m"] == pytest.approx(even.truth["pos_pad_m"], abs=1e-5)


def test_a_state_beyond_all_bounds_ends_the_flight(bench: Make) -> None:
    b = bench(vel=(0.0, 0.0, -1e8))
    b.tick(10)
    assert b.plant.at_rest
    assert int(b.truth["at_rest"]) == 3
    assert np.isfinite(b.frame.floats("truth")).all()
