"""The propulsion chain: calibration, paths that agree, steps that may be halved, and figures for guidance."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from hil.plant.engine import tank_void, thrust_n
from hil.plant.propulsion_data import PropulsionMemory
from hil.plant.vehicle import Vehicle
from tests.plant.test_engine import chamber_fraction

Make = Callable[..., Any]
BOTH = pytest.mark.parametrize("name", ["zq3", "falcon9"])


@BOTH
def test_chamber_pressure_is_the_valves_opening(bench: Make, name: str, request: Any) -> None:
    """At the nominal mixture, from the floor to full, within 0.2 % (2 % would do)."""
    vehicle: Vehicle = request.getfixturevalue(name)
    b = bench(vehicle, pos=(0.0, 0.0, 9000.0))
    b.light()
    for opening in (vehicle.engine.throttle_floor, 0.6, 0.8, 1.0):
        b.run(1.5, opening)
        assert chamber_fraction(b) == pytest.approx(opening, rel=2e-3)


@BOTH
def test_figures_for_guidance(bench: Make, name: str, request: Any) -> None:
    """The lag from valve to chamber pressure and the time to the floor in the file are the chain's."""
    vehicle: Vehicle = request.getfixturevalue(name)
    b = bench(vehicle)
    board = vehicle.valve_board
    fuel_s = board.start_igniter_lead_s
    b.act["igniter"][:] = 1.0
    while not (b.truth["lit"][0] and chamber_fraction(b) > vehicle.engine.throttle_floor):
        t_s = b.t_ns * 1e-9
        position = board.start_valve_pos
        b.hold(position * (t_s >= fuel_s + board.start_fuel_lead_s), position * (t_s >= fuel_s))
        b.tick()
        assert t_s < 2.0
    assert b.t_ns * 1e-9 == pytest.approx(vehicle.engine.start_s, abs=0.03)
    b.run(1.5, 0.7)
    behind = 0.0
    for _ in range(150):
        b.run(0.01, 0.8)
        behind += 0.01 * (b.truth["ox_valve_pos"][0] - chamber_fraction(b)) / 0.1
    assert behind == pytest.approx(vehicle.engine.thrust_lag_s, abs=0.02)


def wavy(b: Any, frames: int, short: bool) -> Any:
    """Fly with moving valves, all engines on one path; return pressures and propellant by frame."""
    out = []
    for k in range(frames):
        if short:
            b.plant._propulsion.chains["unrest"] = 1.0  # never at rest
        b.run(0.01, 0.75 + 0.1 * math.sin(0.07 * k))
        out.append((chamber_fraction(b), float(b.truth["propellant_kg"])))
    return np.array(out)


def test_both_paths_agree(bench: Make) -> None:
    long, short = bench(), bench()
    long.light()
    short.light()
    a, b = wavy(long, 300, False), wavy(short, 300, True)
    assert long.plant._propulsion.chains["short"][0] == 0
    assert short.plant._propulsion.chains["short"][0] == 1
    assert np.abs(a[:, 0] - b[:, 0]).max() < 1e-3
    assert np.abs(a[:, 1] - b[:, 1]).max() < 1.0  # of 3.4 t


def replay(b: Any, commands: Any) -> Any:
    """Fly recorded actuator commands open loop until just before contact; return position and velocity."""
    for row in commands:
        b.act["igniter"][:], b.act["ox_drive"][:], b.act["fuel_drive"][:] = row[0], row[1], row[2]
        b.act["gimbal_x_drive"][:], b.act["fin_cmd_rad"][:] = row[3], row[4]
        b.tick()
    return np.concatenate([b.value("pos_pad_m"), b.value("vel_pad_mps")])


def test_halving_the_step_moves_a_landing_burn_by_less_than_a_millimetre(bench: Make) -> None:
    """Start, throttling, step-down of the outer engines by shutting, all open loop, noise off."""
    recorder = bench(pos=(0.0, 0.0, 1900.0), vel=(5.0, -3.0, -260.0), wind=(8.0, -3.0))
    commands = []
    for k in range(1300):
        t = 0.01 * k
        opening = np.array([0.0 if t < 0.2 else 0.62 + 0.05 * math.sin(t)] * 3)
        if t > 7.0:
            opening[1:] = 0.0
        recorder.hold(opening, opening)
        igniter = 1.0 if t < 1.0 else 0.0
        row = (
            igniter, recorder.act["ox_drive"].copy(), recorder.act["fuel_drive"].copy(),
            0.05 * math.sin(3.0 * t), 0.02 * math.cos(2.0 * t),
        )  # fmt: skip
        commands.append(row)
        recorder.act["igniter"][:] = row[0]
        recorder.act["gimbal_x_drive"][:], recorder.act["fin_cmd_rad"][:] = row[3], row[4]
        recorder.tick()
        if float(recorder.truth["pos_pad_m"][2]) < 3.0 or recorder.plant.at_rest:
            break
    commands.pop()
    ends = [
        replay(
            bench(pos=(0.0, 0.0, 1900.0), vel=(5.0, -3.0, -260.0), wind=(8.0, -3.0), step_ns=step_ns),
            commands,
        )
        for step_ns in (1_000_000, 500_000)
    ]
    assert len(commands) > 800
    assert np.abs(ends[0] - ends[1])[:3].max() < 1e-3
    assert np.abs(ends[0] - ends[1])[3:].max() < 1e-3


def test_nozzle_separates_below_its_limit(zq3: Vehicle) -> None:
    k = PropulsionMemory(zq3).constants[0]
    p, e = zq3.propulsion, zq3.engine
    vacuum = e.thrust_sl_n + 101_325.0 * e.nozzle_exit_area_m2
    onset = p.separation * 101_325.0 / p.exit_pa
    assert onset < e.throttle_floor  # a healthy engine's nozzle flows full
    for pressure in (onset * 1.01, onset * 0.999):  # no jump at the onset
        attached = vacuum * pressure - 101_325.0 * e.nozzle_exit_area_m2
        assert thrust_n(k, pressure, 101_325.0) == pytest.approx(attached, rel=1e-3)
    attached = vacuum * 0.3 - 101_325.0 * e.nozzle_exit_area_m2
    assert attached * 1.02 < thrust_n(k, 0.3, 101_325.0) < attached * 1.3
    assert thrust_n(k, 0.0, 101_325.0) == 0.0


def test_a_tank_gives_gas_only_at_its_end() -> None:
    assert tank_void(100.0, 100.0, 1.0) == 0.0
    assert tank_void(100.0, 99.0, 1.0) > 0.0
    assert tank_void(100.0, 150.0, 2.0) > 0.0  # unsettled
    assert tank_void(100.0, 50.0, 1.0) == pytest.approx(0.5)
    assert tank_void(100.0, 0.0, 1.0) == 1.0


def test_twin_is_the_engine_until_something_is_wrong(bench: Make) -> None:
    """Parting engine and twin by an effect that changes nothing leaves both where they were."""
    one, other = bench(), bench()
    for b in (one, other):
        b.light()
    other.plant.effects.trip_speed[:] = 1.5
    for b in (one, other):
        b.run(1.0, 0.8)
    assert other.plant._propulsion.engines["split"][:3].tolist() == [1, 1, 1]
    assert one.plant._propulsion.engines["split"][:3].tolist() == [0, 0, 0]
    assert bytes(one.frame.bytes) == bytes(other.frame.bytes)
