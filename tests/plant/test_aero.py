"""Directions, sizes and symmetries of the aerodynamic forces."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from hil.plant.actuators import servo_step
from hil.plant.aero import body_forces, fin_forces, interpolate, plume_shielding
from hil.plant.vehicle import Vehicle

DENSITY, SOUND = 1.0, 330.0


def constants(bench: Callable[..., Any]) -> Any:
    return bench().plant._constants[0]


def test_interpolation() -> None:
    xs, a, b = np.array([0.0, 1.0, 3.0, 0.0]), np.array([1.0, 2.0, 6.0, 0.0]), np.array([5.0, 4.0, 0.0, 0.0])
    assert interpolate(-1.0, xs, a, b, 3) == (1.0, 5.0)
    assert interpolate(0.5, xs, a, b, 3) == (1.5, 4.5)
    assert interpolate(2.0, xs, a, b, 3) == (4.0, 2.0)
    assert interpolate(9.0, xs, a, b, 3) == (6.0, 0.0)


def test_drag_opposes_the_fall(bench: Callable[..., Any], zq3: Vehicle) -> None:
    c = constants(bench)
    force = body_forces(c, 0.0, 0.0, -200.0, DENSITY, SOUND, 1.0, 17.5)
    mach = 200.0 / SOUND
    drag = 0.5 * DENSITY * 200.0**2 * zq3.aero.ref_area_m2 * np.interp(mach, zq3.aero.mach, zq3.aero.axial)
    assert force == pytest.approx((0.0, 0.0, drag, 0.0, 0.0, 0.0))
    assert body_forces(c, 0.0, 0.0, 200.0, DENSITY, SOUND, 1.0, 17.5)[2] == pytest.approx(-drag)


def test_cross_flow_is_opposed_and_turns_the_engines_into_the_flow(bench: Callable[..., Any]) -> None:
    """Drifting to +x pushes to -x, nose-ward of the centre of mass: the nose lags, as stability wants."""
    c = constants(bench)
    fx, fy, _, mx, my, mz = body_forces(c, 10.0, 0.0, -200.0, DENSITY, SOUND, 1.0, 17.5)
    assert fx < 0.0
    assert my < 0.0
    assert (fy, mx, mz) == (0.0, 0.0, 0.0)
    gx, gy, _, nx, ny, _ = body_forces(c, 0.0, 10.0, -200.0, DENSITY, SOUND, 1.0, 17.5)
    assert (gy, nx) == pytest.approx((fx, -my))
    assert gx == ny == 0.0


def test_side_wind_on_a_standing_body(bench: Callable[..., Any], zq3: Vehicle) -> None:
    fx = body_forces(constants(bench), -8.0, 0.0, 0.0, 1.225, 340.0, 1.0, 17.5)[0]
    assert fx == pytest.approx(0.5 * 1.225 * 64.0 * zq3.aero.crossflow_drag_area_m2)


def test_plume_takes_drag_and_normal_force_away(bench: Callable[..., Any], zq3: Vehicle) -> None:
    c, factor = constants(bench), zq3.aero.plume_factor
    assert plume_shielding(0.0, 100.0, factor) == 1.0
    assert plume_shielding(50.0, 100.0, factor) == pytest.approx(0.5 * (1.0 + factor))
    assert plume_shielding(150.0, 100.0, factor) == pytest.approx(factor)
    free = body_forces(c, 0.0, 0.0, -200.0, DENSITY, SOUND, 1.0, 17.5)
    behind = body_forces(c, 0.0, 0.0, -200.0, DENSITY, SOUND, factor, 17.5)
    assert behind[2] == pytest.approx(factor * free[2])


@pytest.mark.parametrize(
    ("fin", "direction"), [(0, (0.0, 1.0)), (1, (-1.0, 0.0)), (2, (0.0, -1.0)), (3, (1.0, 0.0))]
)
def test_a_fin_pushes_along_z_cross_r(
    bench: Callable[..., Any], zq3: Vehicle, fin: int, direction: tuple[float, float]
) -> None:
    fins = np.zeros(4)
    fins[fin] = 0.1
    cm_z_m, pressure = 17.5, 10_000.0
    force = pressure * zq3.fins.slope_m2_per_rad * 0.1
    place = ((1.0, 0.0), (0.0, 1.0), (-1.0, 0.0), (0.0, -1.0))[fin]
    lever = np.array([*(zq3.fins.arm_m * np.array(place)), zq3.fins.z_m - cm_z_m])
    push = force * np.array([*direction, 0.0])
    expected = [*push, *np.cross(lever, push)]
    assert fin_forces(constants(bench), fins, pressure, cm_z_m) == pytest.approx(expected)


def test_fins_turn_the_booster(bench: Callable[..., Any]) -> None:
    """All fins positive roll it about +z; the +x and -x fins against each other pitch it."""
    rolled = bench()
    rolled.act["fin_cmd_rad"][:] = 0.1
    rolled.tick(20)
    assert rolled.truth["omega_body_radps"][2] > 0.01
    assert abs(rolled.truth["omega_body_radps"][0]) < 1e-9
    pitched = bench()
    pitched.act["fin_cmd_rad"][:] = (0.1, 0.0, -0.1, 0.0)
    pitched.tick(20)
    assert pitched.truth["omega_body_radps"][0] < -0.001
    assert abs(pitched.truth["omega_body_radps"][2]) < 1e-9


def test_fin_servos_keep_rate_and_limit(bench: Callable[..., Any], zq3: Vehicle) -> None:
    b = bench()
    b.act["fin_cmd_rad"][:] = 10.0
    most = math.radians(zq3.fins.rate_degps) * 0.01
    last = 0.0
    for _ in range(100):
        b.tick()
        now = float(b.truth["fin_rad"][0])
        assert now - last <= most * (1.0 + 1e-9)
        last = now
    assert last == pytest.approx(math.radians(zq3.fins.limit_deg - zq3.fins.deadband_deg), rel=1e-3)
    assert last <= math.radians(zq3.fins.limit_deg)


def test_turning_is_damped(bench: Callable[..., Any]) -> None:
    free = bench(omega_body_radps=(0.0, 0.0, 0.2))
    free.tick(100)
    assert 0.0 < free.truth["omega_body_radps"][2] < 0.2


def test_weakly_stable_engines_first(bench: Callable[..., Any]) -> None:
    """Tilted a little in the flow, the booster turns back."""
    half = math.radians(1.5)
    b = bench(q_pad_from_body=(math.cos(half), math.sin(half), 0.0, 0.0))
    before = float(b.truth["angle_of_attack_rad"])
    b.tick(150)
    assert before == pytest.approx(2.0 * half)
    assert float(b.truth["angle_of_attack_rad"]) < before


def test_fin_servo_is_exact_for_a_held_demand() -> None:
    """One large step and many small ones agree, through the rate limit's end, in angle and mean."""
    lag, rate, limit, band = 0.05, 1.0, 0.35, 0.001

    def step(pos: float, dt: float) -> tuple[float, float]:
        return servo_step(pos, 0.3, lag, math.exp(-dt / lag), limit, rate, band, dt)

    for dt in (0.01, 0.2, 0.26, 0.5):
        after, mean = step(0.0, dt)
        pos, area = 0.0, 0.0
        for _ in range(1000):
            pos, part = step(pos, dt / 1000.0)
            area += part / 1000.0
        assert after == pytest.approx(pos, abs=1e-12)
        assert mean == pytest.approx(area, abs=1e-9)
