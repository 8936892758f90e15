"""Plans against arithmetic done by hand: what goes as planned is left alone, and ends where it has to."""

from __future__ import annotations

import math
from typing import Any

import pytest

from tests.kernel.desk import Desk, brake
from tests.kernel.flight import (
    ARMED,
    CHAMBER_PA,
    DT,
    G0,
    MAINSTAGE,
    TERMINAL,
    make_config,
)
from tests.kernel.test_laws import air
from tools.loop_margins import constant

DRAG: dict[str, Any] = {"aero_axial": (0.8,) * 4, "aero_normal_slope": (0.0,) * 4, "plume_factor": 1.0}
"""One coefficient at all speeds, with engines or without."""


TOUCHDOWN_MPS = float(make_config().touchdown_speed_mps)


# ---- the finish


@pytest.mark.parametrize("decel_mps2", [5.0, 6.5])
@pytest.mark.parametrize("height_m", [80.0, 45.0, 20.0])
def test_a_finish_that_goes_as_planned_is_asked_for_what_it_does(height_m: float, decel_mps2: float) -> None:
    """At one deceleration to the touchdown speed just above the ground, whatever the engines' lag."""
    full_n, force = 1000e3, (0.0, 0.0, decel_mps2 + G0)
    sink = math.sqrt(
        TOUCHDOWN_MPS**2 + 2.0 * decel_mps2 * (height_m - constant("fk_guidance.c", "END_HEIGHT_M"))
    )
    config = {**DRAG, "thrust_sl_n": full_n, "thrust_vac_n": full_n}
    desk = brake(height_m=height_m, vel=(0.0, 0.0, -sink), force=force, config=config)
    height = height_m
    for frame in range(80):
        height -= sink * DT - 0.5 * decel_mps2 * DT * DT
        sink -= decel_mps2 * DT
        if height < 3.0:
            break
        drag = 0.5 * air(height)[1] * sink * sink * 16.0 * 0.8
        burn_alone(desk, (desk.telemetry.mass_est_kg * force[2] - drag) / full_n)
        desk.put(height_m=height, vel=(0.0, 0.0, -sink), force=force)
        desk.step()
        if frame > 3:
            assert desk.telemetry.mode == TERMINAL
            asked = (desk.telemetry.thrust_cmd_n + drag) / desk.telemetry.mass_est_kg
            assert asked == pytest.approx(force[2], rel=4e-3)
    assert frame > 30


def burn_alone(desk: Desk, throttle: float) -> None:
    """Let the first engine burn and the others rest."""
    for status, part in zip(desk.statuses, [throttle, *[0.0] * len(desk.statuses)], strict=False):
        status.ox_valve_pos = status.fuel_valve_pos = part
        status.chamber_pa, status.state = part * CHAMBER_PA, MAINSTAGE if part else ARMED


# ---- braking

TWO = ((0.0, 0.0, 1), (0.0, 0.0, 0))
"""Both push along the axis; the first one finishes."""


def fall_on(throttle: float, height_m: float, sink: float, mass: float, landing: float, joined: float) -> Any:
    """Yield (height, sink, mass, specific force, throttle) every millisecond of a descent on TWO."""
    full_n, flow = 800e3, 1.0 / (310.0 * G0)
    while sink > TOUCHDOWN_MPS and height_m > -300.0:
        used, engines = (throttle, 2) if sink > joined else (landing, 1)
        thrust = engines * used * full_n
        force = (thrust + 0.5 * air(max(height_m, 0.0))[1] * sink * sink * 16.0 * 0.8) / mass
        yield height_m, sink, mass, force, used
        height_m -= 1e-3 * sink
        sink -= 1e-3 * (force - G0)
        mass -= 1e-3 * thrust * flow


def planned_descent(throttle: float, sink: float) -> list[Any]:
    """Return the descent at a braking throttle that ends just above the ground, by its own final mass."""
    c, end_m = Desk().config, constant("fk_guidance.c", "END_HEIGHT_M")
    height, final = 1000.0, 45e3
    for _ in range(12):
        least = final * (G0 + constant("fk_guidance.c", "FINISH_DECEL_LEAST")) / 800e3
        landing = max(c.land_throttle, least)
        decel = landing * 800e3 / final - G0
        joined = math.sqrt(TOUCHDOWN_MPS**2 + 2.0 * decel * c.soft_finish_height_m)
        path = list(fall_on(throttle, height, sink, c.mass_kg, landing, joined))
        height, final = height - path[-1][0] + end_m, path[-1][2]
    return path


@pytest.mark.parametrize(("throttle", "sink"), [(0.7, 150.0), (0.8, 220.0), (0.62, 110.0)])
def test_a_descent_that_goes_as_planned_keeps_its_throttle(throttle: float, sink: float) -> None:
    """It is solved for, from a guess that is wrong, and found within a second."""
    path = planned_descent(throttle, sink)
    config = {**DRAG, "thrust_sl_n": 800e3, "thrust_vac_n": 800e3, "brake_throttle": 0.75}
    desk = brake(
        throttle,
        cluster=TWO,
        height_m=path[0][0],
        vel=(0.0, 0.0, -sink),
        force=(0.0, 0.0, path[0][3]),
        config=config,
    )
    for frame, (height, speed, _, force, _) in enumerate(path[10:3000:10]):
        desk.put(height_m=height, vel=(0.0, 0.0, -speed), force=(0.0, 0.0, force))
        desk.step()
        if frame > 100:
            assert desk.commands[0].ox_valve_cmd == pytest.approx(throttle, rel=0.01)
            assert desk.commands[1].ox_valve_cmd == desk.commands[0].ox_valve_cmd
            left_s = (len(path) - 10 * frame - 10) * 1e-3
            assert desk.telemetry.time_to_go_s == pytest.approx(left_s, rel=0.03)


# ---- ignition


def left_over(wait_s: float, height_m: float, sink: float, reserve: float) -> float:
    """Return the height above the end when all engines but one, from a moment on, have stopped the stage.

    Ignition is so many seconds from now; thrust comes after the start time, in full but for the reserve.
    """
    c, mass, dt, t = Desk().config, 50e3, 5e-3, 0.0
    lit_s = wait_s + c.engine[0].start_s
    out_s = wait_s + constant("fk.h", "FK_ENGINE_OUT_S")
    while sink > TOUCHDOWN_MPS and height_m > -1000.0:
        engines = 0 if t < lit_s else 3 if t < out_s else 2
        thrust = reserve * engines * 800e3
        drag = 0.5 * air(max(height_m, 0.0))[1] * sink * sink * 16.0 * 0.8
        height_m -= dt * sink
        sink -= dt * ((thrust + drag) / mass - G0)
        mass -= dt * thrust / (310.0 * G0)
        t += dt
    return height_m - constant("fk_guidance.c", "END_HEIGHT_M")


def latest_s(height_m: float, sink: float) -> float:
    """Return when the burn has to begin so that the loss of any engine can just be borne."""
    early, late = 0.0, 6.0
    while late - early > 0.01:
        middle = 0.5 * (early + late)
        if left_over(middle, height_m, sink, constant("fk_ignition.c", "RESERVE")) > 0.0:
            early = middle
        else:
            late = middle
    return early


@pytest.mark.parametrize(("height_m", "sink"), [(2700.0, 270.0), (1900.0, 200.0), (1300.0, 140.0)])
def test_ignition_may_wait_until_the_loss_of_an_engine_can_just_be_borne(
    height_m: float, sink: float
) -> None:
    config = {**DRAG, "thrust_sl_n": 800e3, "thrust_vac_n": 800e3, "optimise": 1}
    desk = Desk(**config, ignition_forced=1, ignition_forced_t_s=100.0)
    height, speed = height_m, sink
    for _ in range(150):
        drag = 0.5 * air(height)[1] * speed * speed * 16.0 * 0.8 / 50e3
        desk.put(height_m=height, vel=(0.0, 0.0, -speed), force=(0.0, 0.0, drag))
        desk.step()
        height -= DT * speed
        speed += DT * (G0 - drag)
    assert desk.telemetry.ignition_margin_known
    assert desk.telemetry.ignition_margin_s == pytest.approx(latest_s(height, speed), abs=0.12)
