"""One engine after the other: valves, flows, chambers, ignition, shutdown, gimbals, and their faults."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from hil.plant.actuators import actuator_step
from hil.plant.atmosphere import G0_MPS2, atmosphere
from hil.plant.propulsion import mixture_factor
from hil.plant.vehicle import Vehicle

Make = Callable[..., Any]


def chamber_fraction(b: Any, slot: int = 0) -> float:
    return float(b.truth["chamber_pa"][slot] / b.vehicle.engine.chamber_pa)


def test_actuator_is_exact_for_a_held_drive() -> None:
    """Many small steps and one large one give the same place: the lag is integrated exactly."""
    lag, full = 0.02, 4.0
    one = actuator_step(0.1, 0.5, 0.8, full, lag, math.exp(-0.05 / lag), 0.05, 0.0, 1.0)
    many = (0.1, 0.5)
    for _ in range(500):
        many = actuator_step(*many, 0.8, full, lag, math.exp(-1e-4 / lag), 1e-4, 0.0, 1.0)
    assert many == pytest.approx(one, rel=1e-12)


def test_valve_keeps_slew_and_stops(bench: Make, zq3: Vehicle) -> None:
    b = bench()
    b.act["ox_drive"][:] = 5.0  # a drive is held to its range
    last = 0.0
    for _ in range(60):
        b.tick()
        now = float(b.truth["ox_valve_pos"][0])
        assert now - last <= zq3.engine.valve_slew_per_s * 0.01 * (1.0 + 1e-9)
        last = now
    assert last == 1.0
    b.act["ox_drive"][:] = -1.0
    b.tick(60)
    assert b.truth["ox_valve_pos"].tolist() == [0.0, 0.0, 0.0]


@pytest.mark.parametrize("spring_per_s", [2.0, 0.0])
def test_a_valve_without_power_is_closed_by_its_spring_where_it_has_one(
    bench: Make, zq3: Vehicle, spring_per_s: float
) -> None:
    engine = zq3.engine.model_copy(update={"valve_spring_per_s": spring_per_s})
    b = bench(vehicle=zq3.model_copy(update={"engine": engine}))
    b.act["ox_drive"][:] = b.act["fuel_drive"][:] = 1.0
    b.tick(60)
    b.act["ox_drive"][:] = b.act["fuel_drive"][:] = 0.0
    b.act["unpowered"][1] = 1.0
    b.tick(25)
    lag = zq3.engine.valve_lag_s
    left = 1.0 - spring_per_s * (0.25 - lag) + 0.5 * zq3.engine.valve_play if spring_per_s else 1.0
    for valve in ("ox_valve_pos", "fuel_valve_pos"):
        assert b.truth[valve].tolist() == pytest.approx([1.0, left, 1.0], abs=2e-3)
    b.tick(40)
    assert b.truth["ox_valve_pos"].tolist() == [1.0, 0.0 if spring_per_s else 1.0, 1.0]


def test_drive_that_is_no_number_moves_nothing(bench: Make) -> None:
    b = bench()
    for name in ("ox_drive", "fuel_drive", "gimbal_x_drive", "gimbal_y_drive", "igniter", "fin_cmd_rad"):
        b.act[name][:] = np.nan
    b.tick(10)
    assert b.truth["ox_valve_pos"].tolist() == [0.0, 0.0, 0.0]
    assert np.isfinite(b.frame.floats("truth")).all()


def test_start_takes_an_igniter(bench: Make) -> None:
    """Propellant alone flows through the engine and is lost; it does not burn."""
    b = bench()
    b.run(1.5, 0.7)
    assert b.truth["lit"].tolist() == [0, 0, 0]
    assert b.truth["chamber_pa"].tolist() == [0.0, 0.0, 0.0]
    assert float(b.truth["propellant_kg"]) < b.vehicle.body.propellant_kg - 100.0  # under tank pressure


def test_start(bench: Make, zq3: Vehicle) -> None:
    """Dark until the igniter has burnt for its time with both propellants flowing, then to the demand."""
    b = bench()
    b.act["igniter"][:] = 1.0
    dark = 0.0
    while not b.truth["lit"].all() and b.t_ns < 2e9:
        assert chamber_fraction(b) == 0.0
        b.run(0.01, 0.6, igniter=1.0)
        dark += 0.01
    assert zq3.engine.igniter_s < dark < zq3.engine.igniter_s + 0.1
    b.run(1.5, 0.6, igniter=1.0)
    assert b.truth["starts_left"].tolist() == [zq3.engine.starts - 1] * 3
    assert chamber_fraction(b) == pytest.approx(0.6, abs=1e-3)
    assert b.value("chamber_expected_pa") == pytest.approx(b.value("chamber_pa"), rel=1e-12)


def test_start_by_the_boards_sequence_takes_about_0_8_s(bench: Make, zq3: Vehicle, falcon9: Vehicle) -> None:
    for vehicle in (zq3, falcon9):
        b = bench(vehicle)
        board = vehicle.valve_board
        fuel_s = board.start_igniter_lead_s
        ox_s = fuel_s + board.start_fuel_lead_s
        b.act["igniter"][:] = 1.0
        while chamber_fraction(b) < vehicle.engine.throttle_floor and b.t_ns < 3e9:
            t_s = b.t_ns * 1e-9
            b.hold(board.start_valve_pos * (t_s >= ox_s), board.start_valve_pos * (t_s >= fuel_s))
            b.tick()
        assert 0.6 < b.t_ns * 1e-9 < 0.95


def test_thrust_follows_the_valves_within_0_3_s(bench: Make) -> None:
    b = bench()
    b.light()
    before = chamber_fraction(b)
    lag_s = 0.0
    while chamber_fraction(b) < before + 0.0632 and lag_s < 1.0:
        b.run(0.01, 0.8)
        lag_s += 0.01
    assert 0.15 <= lag_s <= 0.3


def test_steady_thrust_and_flow(bench: Make, zq3: Vehicle) -> None:
    """Thrust is the vacuum thrust by chamber pressure less ambient pressure on the exit."""
    b = bench()
    b.light()
    engine = zq3.engine
    vacuum = engine.thrust_sl_n + 101_325.0 * engine.nozzle_exit_area_m2
    ambient = atmosphere(float(b.truth["pos_pad_m"][2]) + float(b.truth["cm_z_m"]))[1]
    expected = chamber_fraction(b) * vacuum - ambient * engine.nozzle_exit_area_m2
    assert b.truth["thrust_n"][0] == pytest.approx(expected, rel=1e-5)
    flow = b.truth["ox_flow_kgps"][0] + b.truth["fuel_flow_kgps"][0]
    assert flow == pytest.approx(0.7 * engine.thrust_sl_n / (engine.isp_sl_s * G0_MPS2), rel=1e-3)
    ratio = b.truth["ox_flow_kgps"][0] / b.truth["fuel_flow_kgps"][0]
    assert ratio == pytest.approx(zq3.body.mixture_ratio, rel=1e-6)


def test_mass_lost_is_propellant_burnt(bench: Make, zq3: Vehicle) -> None:
    b = bench()
    b.light()
    start = float(b.truth["mass_kg"])
    flows = []
    for k in range(300):
        flows.append(b.truth["ox_flow_kgps"].sum() + b.truth["fuel_flow_kgps"].sum())
        b.run(0.01, 0.7 + 0.1 * math.sin(0.05 * k))
    flows.append(b.truth["ox_flow_kgps"].sum() + b.truth["fuel_flow_kgps"].sum())
    assert start - float(b.truth["mass_kg"]) == pytest.approx(float(np.trapezoid(flows, dx=0.01)), rel=1e-4)
    flowed = b.plant._propulsion.flows["used_kg"].reshape(3, 2, 2)[:, 0].sum()  # into the real chambers
    lost = zq3.body.dry_kg + zq3.body.propellant_kg - float(b.truth["mass_kg"])
    assert lost == pytest.approx(flowed, rel=1e-12)
    assert flowed > 2500.0
    assert float(b.truth["mass_kg"]) == zq3.body.dry_kg + float(b.truth["propellant_kg"])


def test_shutdown_tails_off_and_shuts(bench: Make, zq3: Vehicle) -> None:
    b = bench()
    b.light()
    b.run(0.35, 0.0)
    assert b.truth["lit"].tolist() == [0, 0, 0]
    dark = chamber_fraction(b)
    assert dark > 0.0
    b.run(zq3.engine.tail_off_s, 0.0)
    assert chamber_fraction(b) == pytest.approx(dark * math.exp(-1.0), rel=1e-6)
    b.run(1.0, 0.0)
    assert b.truth["thrust_n"].tolist() == [0.0, 0.0, 0.0]
    assert b.truth["ox_valve_pos"].tolist() == pytest.approx([0.0, 0.0, 0.0], abs=zq3.valve_board.closed_pos)


def test_throttled_below_the_floor_it_blows_out(bench: Make, zq3: Vehicle) -> None:
    low, dead = bench(), bench()
    for b, level in ((low, 0.9), (dead, 0.3)):
        b.light()
        b.run(1.5, level * zq3.engine.throttle_floor)
    assert low.truth["lit"].tolist() == [1, 1, 1]
    assert dead.truth["lit"].tolist() == [0, 0, 0]
    dead.run(1.0, 0.7)
    assert dead.truth["lit"].tolist() == [0, 0, 0]  # it does not light again by itself


def test_starts_run_out(bench: Make, zq3: Vehicle) -> None:
    b = bench()
    for left in range(zq3.engine.starts - 1, -1, -1):
        b.light()
        assert b.truth["lit"].tolist() == [1, 1, 1]
        assert b.truth["starts_left"].tolist() == [left] * 3
        b.run(1.0, 0.0)
    b.light()
    assert b.truth["lit"].tolist() == [0, 0, 0]


def test_empty_tanks_end_the_burn(bench: Make, zq3: Vehicle) -> None:
    """Gas is drawn in with the last of it; the pressure falls within 0.1 to 0.3 s."""
    b = bench(propellant_kg=1400.0)
    b.light()
    falling_s = 0.0
    while chamber_fraction(b) > 0.2 * 0.7:
        b.run(0.01, 0.7)
        falling_s += 0.01 * (chamber_fraction(b) < 0.95 * 0.7)
    assert 0.095 < falling_s < 0.305
    b.run(5.0, 0.7)
    assert 0.0 < float(b.truth["propellant_kg"]) < zq3.propulsion.ingest_kg
    assert b.truth["thrust_n"].tolist() == [0.0, 0.0, 0.0]


def test_a_wrong_mixture_costs_a_little(bench: Make, zq3: Vehicle) -> None:
    """c* is that of the nominal mixture at equal flows, best near the best ratio, and falls on both sides."""
    k = bench().plant._propulsion.constants[0]
    assert mixture_factor(k, 0.7, 0.7) == pytest.approx(1.0, abs=1e-12)
    best = zq3.propulsion.best_ratio / zq3.body.mixture_ratio
    assert 1.0 < mixture_factor(k, best, 1.0) < 1.02
    assert mixture_factor(k, 1.2 * best, 1.0) < mixture_factor(k, best, 1.0) > mixture_factor(k, best, 1.2)
    assert 0.9 < mixture_factor(k, 1.2, 1.0) < 0.99


@pytest.mark.parametrize(("axis", "sign"), [("x", 1.0), ("x", -1.0), ("y", 1.0), ("y", -1.0)])
def test_gimbal_limits_and_sign(bench: Make, zq3: Vehicle, axis: str, sign: float) -> None:
    """The thrust is deflected towards the axis, and so turns the nose the other way."""
    b = bench()
    b.light()
    rate = math.radians(zq3.engine.gimbal_rate_degps) * 0.01
    b.act[f"gimbal_{axis}_drive"][:] = sign
    last = 0.0
    for _ in range(80):
        b.tick()
        now = float(b.truth[f"gimbal_{axis}_rad"][0])
        assert abs(now - last) <= rate * (1.0 + 1e-9)
        last = now
    assert last == sign * math.radians(zq3.engine.gimbal_limit_deg)
    turned = b.truth["omega_body_radps"]
    if axis == "x":
        assert sign * turned[1] < -0.01
    else:
        assert sign * turned[0] > 0.01


def test_one_outer_engine_turns_the_booster(bench: Make) -> None:
    """Only the engine at +x burns: its thrust pushes the nose towards -x."""
    b = bench()
    b.plant.effects.out[[0, 2]] = 1.0
    b.light()
    assert b.truth["lit"].tolist() == [0, 1, 0]
    assert b.truth["omega_body_radps"][1] < -0.02


def test_engine_out(bench: Make) -> None:
    b = bench()
    b.light()
    b.plant.effects.tail_off_s[1] = 0.2
    b.plant.effects.out[1] = 1.0
    before = b.value("chamber_pa")
    b.run(0.2, 0.7)
    assert b.truth["chamber_pa"][1] == pytest.approx(before[1] * math.exp(-1.0), rel=1e-6)
    assert b.truth["chamber_expected_pa"][1] == pytest.approx(before[1], rel=1e-3)
    b.run(2.0, 0.7, igniter=1.0)
    assert b.truth["lit"].tolist() == [1, 0, 1]


def test_engine_late(bench: Make, zq3: Vehicle) -> None:
    b = bench()
    b.plant.effects.ignition_delay_s[:] = (0.0, 0.5, math.inf)
    b.run(zq3.engine.igniter_s + 0.1, 0.7, igniter=1.0)
    assert b.truth["lit"].tolist() == [1, 0, 0]
    b.run(0.5, 0.7, igniter=1.0)
    assert b.truth["lit"].tolist() == [1, 1, 0]
    assert b.truth["chamber_expected_pa"][2] > 0.5 * zq3.engine.chamber_pa


def test_thrust_low(bench: Make) -> None:
    b = bench()
    b.light()
    b.plant.effects.thrust_factor[0] = 0.8
    b.plant.effects.thrust_factor[1] = 0.8
    b.plant.effects.thrust_factor_tau_s[1] = 0.5
    b.run(0.5, 0.7)
    assert chamber_fraction(b, 0) == pytest.approx(0.56, abs=2e-3)
    assert 0.60 < chamber_fraction(b, 1) < 0.67
    b.run(3.0, 0.7)
    assert chamber_fraction(b, 1) == pytest.approx(0.56, abs=2e-3)
    assert chamber_fraction(b, 2) == pytest.approx(0.70, abs=2e-3)


def test_stuck_and_slow_actuators(bench: Make) -> None:
    b = bench()
    b.light()
    effects = b.plant.effects
    effects.ox_stuck[0] = 1.0
    effects.gimbal_stuck[0] = 1.0
    effects.fuel_slew_factor[1] = 0.1
    effects.gimbal_rate_factor[1] = 0.1
    before = b.value("ox_valve_pos")[0]
    for _ in range(20):
        b.hold(0.9, 0.9, gimbal_x=0.05)
        b.tick()
    assert b.truth["ox_valve_pos"][0] == before
    assert b.truth["gimbal_x_rad"][0] == 0.0
    assert b.truth["fuel_valve_pos"][1] < 0.8 < b.truth["fuel_valve_pos"][2]
    assert b.truth["gimbal_x_rad"][1] < 0.01 < b.truth["gimbal_x_rad"][2]


def test_misaligned_gimbal_turns_the_booster_unseen(bench: Make) -> None:
    b = bench()
    b.plant.effects.gimbal_bias_x_rad[0] = 0.05
    b.light()
    assert b.truth["gimbal_x_rad"][0] == pytest.approx(0.0, abs=1e-12)
    assert b.truth["omega_body_radps"][1] < -0.01
