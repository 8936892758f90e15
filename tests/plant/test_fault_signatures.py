"""Every row of the combustion and actuator faults, switched on alone: its signature in pressure or motion.

Each test flies three engines, of which one (slot 1) is faulty; the others stay as they were.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from hil.faults.case import FaultSpec
from hil.faults.catalogue import CATALOGUE
from hil.faults.effects import PLANT_FAULTS, plant_changes
from hil.plant.vehicle import Vehicle
from tests.plant.test_engine import chamber_fraction

Make = Callable[..., Any]
SLOT = 1
MS = 1_000_000


def strike(b: Any, kind: str, **sizes: Any) -> None:
    """Let a fault of the catalogue strike the engine in slot 1 (or its fin, or the tanks) now."""
    place = {"engine": {"engine": SLOT + 1}, "fin": {"fin": SLOT + 1}, "tank": {}}[CATALOGUE[kind].strikes]
    fault = FaultSpec.model_validate({"kind": kind, "at_s": 0.0, **place, **sizes})
    index = 0 if CATALOGUE[kind].strikes == "tank" else SLOT
    plant_changes(b.plant.effects, index, PLANT_FAULTS[kind](fault))()


def burning(bench: Make, opening: float = 0.7, **state: Any) -> Any:
    state.setdefault("pos", (0.0, 0.0, 6000.0))
    b = bench(**state)
    b.light()
    b.run(1.0, opening)
    return b


def fine(b: Any, seconds: float, opening: float, igniter: float = 0.0) -> Any:
    """Hold an opening; return chamber pressures (fractions, all slots) every millisecond."""
    out = []
    b.act["igniter"][:] = igniter
    for k in range(round(seconds * 1e3)):
        if k % 10 == 0:
            b.hold(opening, opening)
        b.t_ns += MS
        b.plant.advance(b.t_ns)
        out.append(b.value("chamber_pa") / b.vehicle.engine.chamber_pa)
    return np.array(out)


def swing(pressures: Any) -> float:
    """Return the amplitude of an oscillation, of the mean."""
    return float(np.ptp(pressures) / 2.0 / np.mean(pressures))


def healthy_neighbours(b: Any, opening: float) -> None:
    for slot in (0, 2):
        assert chamber_fraction(b, slot) == pytest.approx(opening, abs=5e-3)


def test_every_engine_fault_of_the_catalogue_reaches_the_plant(bench: Make) -> None:
    effects = bench().plant.effects
    for kind in CATALOGUE.values():
        if kind.strikes in ("engine", "fin", "tank") and kind.needs == "plant":
            sizes = {s.name: s.words[0] if hasattr(s, "words") else s.high for s in kind.sizes}
            place = {"engine": {"engine": 1}, "fin": {"fin": 1}, "tank": {}}[kind.strikes]
            fault = FaultSpec.model_validate({"kind": kind.name, "at_s": 0.0, **place, **sizes})
            for name in PLANT_FAULTS[kind.name](fault):
                assert getattr(effects, name).dtype == np.float64, name


def test_valve_stuck_at(bench: Make) -> None:
    b = burning(bench)
    strike(b, "valve.stuck_at", valve="fuel", position=0.4)
    b.run(1.0, 0.7)
    assert b.truth["fuel_valve_pos"][SLOT] == pytest.approx(0.4, abs=1e-9)
    assert b.truth["ox_valve_pos"][SLOT] == pytest.approx(0.7, abs=2e-3)
    assert chamber_fraction(b, SLOT) < 0.62
    ratio = b.truth["ox_flow_kgps"] / b.truth["fuel_flow_kgps"]
    assert ratio[SLOT] > 1.1 * ratio[0]
    healthy_neighbours(b, 0.7)


def test_valve_slow(bench: Make) -> None:
    b = burning(bench)
    strike(b, "valve.slow", valve="oxidiser", rate=0.1)
    before = b.value("ox_valve_pos")
    b.run(0.2, 1.0)
    moved = b.truth["ox_valve_pos"] - before
    assert moved[SLOT] == pytest.approx(0.2 * 0.1 * b.vehicle.engine.valve_slew_per_s, rel=0.15)
    assert moved[0] > 0.25


def test_valve_stiction_is_a_staircase(bench: Make) -> None:
    """A slow ramp becomes jumps of the band's size; the healthy valve follows it."""
    b = burning(bench)
    strike(b, "valve.stiction", valve="oxidiser", band=0.03, hold_s=0.3)
    steps = []
    for k in range(200):
        before = b.value("ox_valve_pos")
        b.run(0.01, 0.7 + 0.001 * k)
        steps.append(b.truth["ox_valve_pos"] - before)
    sizes = np.array(steps)
    stands = float((np.abs(sizes[:, SLOT]) < 1e-9).mean())
    assert 0.5 < stands < 0.99
    assert 0.02 < sizes[:, SLOT].max() < 0.05
    assert sizes[20:, 0].max() < 0.003


def test_valve_stiction_lets_go_after_its_hold_time(bench: Make) -> None:
    b = burning(bench)
    b.run(0.5, 0.7)
    strike(b, "valve.stiction", valve="oxidiser", band=0.04, hold_s=0.1)
    before = float(b.truth["ox_valve_pos"][SLOT])
    held_s = 0.0
    while float(b.truth["ox_valve_pos"][SLOT]) == before and held_s < 1.0:
        b.act["ox_drive"][:] = 0.05  # too slow to reach the band in the hold time
        b.tick()
        held_s += 0.01
    assert 0.08 < held_s < 0.2


def test_valve_leak(bench: Make) -> None:
    """A shut valve lets propellant out, and some of it pools in the chamber."""
    tight, leaky = bench(), bench()
    for b in (tight, leaky):
        if b is leaky:
            strike(b, "valve.leak", valve="oxidiser", leak=0.05)
            strike(b, "valve.leak", valve="fuel", leak=0.05)
        b.run(2.0, 0.0)
    lost = tight.truth["propellant_kg"] - leaky.truth["propellant_kg"]
    assert 5.0 < float(lost) < 50.0
    assert leaky.truth["ox_flow_kgps"][0] == 0.0 < leaky.truth["ox_flow_kgps"][SLOT]
    pools = leaky.plant._propulsion.chains["pool_s"][::2]
    assert pools[0] == 0.0 < 1e-3 < pools[SLOT]


def test_late_ignition_is_a_hard_start(bench: Make) -> None:
    """Propellant pools while the engine does not light: the later, the harder, up to what drains."""
    peaks = []
    for delay_s in (0.2, 0.5, 1.0):
        b = bench()
        strike(b, "engine.late_ignition", delay_s=delay_s)
        run = fine(b, 2.2, 0.6, igniter=1.0)
        lit = [int(np.argmax(run[:, slot] > 0.05)) for slot in (0, SLOT)]
        assert lit[1] - lit[0] == pytest.approx(1e3 * delay_s, abs=15.0)
        peaks.append(float(run[:, SLOT].max()))
        assert b.truth["lit"].tolist() == [1, 1, 1]
        assert run[:, 0].max() < 0.7
    assert peaks[0] < peaks[1] < peaks[2]
    assert peaks[2] > 1.2


def test_no_ignition(bench: Make) -> None:
    b = bench()
    strike(b, "engine.no_ignition", starts=0.0)
    b.light()
    assert b.truth["lit"].tolist() == [1, 0, 1]
    assert b.truth["starts_left"][SLOT] == 0
    assert b.truth["chamber_pa"][SLOT] == 0.0


@pytest.mark.parametrize(("peak", "duration_s"), [(1.5, 0.03), (2.0, 0.01), (2.2, 0.005)])
def test_hard_start(bench: Make, peak: float, duration_s: float) -> None:
    b = bench()
    strike(b, "engine.hard_start", peak=peak, duration_s=duration_s)
    run = fine(b, 1.5, 0.6, igniter=1.0)[:, SLOT]
    assert run.max() == pytest.approx(peak, rel=0.25)
    above_ms = int((run > 0.5 * run.max()).sum())
    assert 0.4 * duration_s < 1e-3 * above_ms < 3.0 * duration_s
    assert b.truth["lit"].tolist() == [1, 1, 1]


def test_hard_start_that_destroys(bench: Make, zq3: Vehicle) -> None:
    b = bench()
    strike(b, "engine.hard_start", peak=3.0, duration_s=0.03)
    run = fine(b, 1.5, 0.6, igniter=1.0)
    assert run[:, SLOT].max() > zq3.propulsion.damage_pressure
    assert b.truth["lit"].tolist() == [1, 0, 1]


def test_slow_throttle(bench: Make) -> None:
    b = burning(bench)
    strike(b, "engine.slow_throttle", tau_s=0.8)
    b.run(0.5, 0.9)
    assert chamber_fraction(b, SLOT) < chamber_fraction(b, 0) - 0.05
    b.run(4.0, 0.9)
    assert chamber_fraction(b, SLOT) == pytest.approx(0.9, abs=5e-3)


def test_chug(bench: Make) -> None:
    """A soft injector and a late combustion: 10 to 200 Hz, more than smooth combustion's 5 %."""
    b = burning(bench, 0.6)
    assert swing(fine(b, 0.1, 0.6)[:, SLOT]) < 0.01
    strike(b, "engine.chug", stiffness=0.15, lag_s=3e-3)
    b.run(0.5, 0.6)
    wave = fine(b, 0.4, 0.6)
    assert 0.05 < swing(wave[:, SLOT]) < 0.6
    spectrum = np.abs(np.fft.rfft(wave[:, SLOT] - wave[:, SLOT].mean()))
    assert 50.0 < np.argmax(spectrum) / 0.4 < 200.0
    assert swing(wave[:, 0]) < 0.01


def test_a_healthy_engine_chugs_when_throttled_far_below_its_floor(bench: Make) -> None:
    """Nothing asks for it: the injector's drop falls with the flow, its own time lag does the rest."""
    swings = []
    for opening in (0.56, 0.4, 0.25):
        b = burning(bench)
        b.run(2.5, opening)
        swings.append(swing(fine(b, 0.1, opening)[:, SLOT]))
        assert b.truth["lit"].tolist() == [1, 1, 1]
    assert swings[0] < 0.005
    assert swings[1] < 0.005
    assert swings[2] > 0.05


def test_chug_needs_the_lag_and_the_softness(bench: Make) -> None:
    """The same lag behind a stiff injector, and a soft injector with a short lag at full thrust: smooth."""
    for opening, stiffness, lag_s in ((0.9, 0.2, 1e-3), (1.0, 0.2, 1e-3)):
        b = burning(bench, opening)
        strike(b, "engine.chug", stiffness=stiffness, lag_s=lag_s)
        b.run(0.5, opening)
        assert swing(fine(b, 0.2, opening)[:, SLOT]) < 0.01


def test_buzz(bench: Make) -> None:
    b = burning(bench)
    strike(b, "engine.buzz", amplitude=0.2, frequency_hz=450.0)
    assert swing(fine(b, 0.1, 0.7)[:, SLOT]) == pytest.approx(0.2, rel=0.1)


@pytest.mark.parametrize(("rich", "sign"), [("oxidiser", 1.0), ("fuel", -1.0)])
def test_mixture_shift(bench: Make, rich: str, sign: float) -> None:
    b = burning(bench)
    strike(b, "engine.mixture_shift", rich=rich, shift=0.1)
    b.run(1.0, 0.7)
    ratio = b.truth["ox_flow_kgps"] / b.truth["fuel_flow_kgps"]
    assert ratio[SLOT] / ratio[0] - 1.0 == pytest.approx(sign * 0.1, abs=0.03)
    assert chamber_fraction(b, SLOT) != pytest.approx(0.7, abs=1e-3)


def test_gas_in_the_feed_comes_in_bursts(bench: Make) -> None:
    b = burning(bench)
    strike(b, "feed.gas", side="oxidiser", void=0.2, burst_s=0.2)
    wave = fine(b, 0.8, 0.7)[:, SLOT]
    with_gas, without = wave[150:200].mean(), wave[350:400].mean()
    assert with_gas < 0.95 * without
    assert wave[550:600].mean() == pytest.approx(with_gas, rel=0.1)
    healthy_neighbours(b, 0.7)


def test_much_gas_puts_the_flame_out(bench: Make) -> None:
    b = burning(bench, 0.6)
    strike(b, "feed.gas", side="oxidiser", void=0.5, burst_s=1.0)
    b.run(1.0, 0.6)
    assert b.truth["lit"].tolist() == [1, 0, 1]


def test_cavitation(bench: Make) -> None:
    pressures = []
    for loss in (0.03, 0.15):
        b = burning(bench)
        speed = b.plant._propulsion.chains["speed"][2 * SLOT]
        strike(b, "pump.cavitation", side="oxidiser", head_loss=loss)
        b.run(1.0, 0.7)
        pressures.append(chamber_fraction(b, SLOT))
        assert b.plant._propulsion.chains["speed"][2 * SLOT] > speed  # unloaded, it runs up
    assert pressures[1] < pressures[0] < 0.695


def test_overspeed_trips(bench: Make) -> None:
    b = burning(bench, 0.9)
    strike(b, "pump.overspeed", torque=2.5, trip_speed=1.12, trip_s=0.1)
    fast = lit_s = 0.0
    while b.truth["lit"][SLOT] and lit_s < 2.0:
        b.run(0.01, 0.9)
        lit_s += 0.01
        fast += 0.01 * (b.plant._propulsion.chains["speed"][2 * SLOT] > 1.12)
    assert 0.08 < fast < 0.13
    b.run(1.0, 0.9, igniter=1.0)
    assert b.truth["lit"].tolist() == [1, 0, 1]


def test_blockage_costs_a_little(bench: Make) -> None:
    b = burning(bench)
    strike(b, "injector.blockage", side="fuel", area=0.15)
    b.run(1.0, 0.7)
    ratio = b.truth["ox_flow_kgps"] / b.truth["fuel_flow_kgps"]
    assert ratio[SLOT] > 1.01 * ratio[0]
    assert chamber_fraction(b, SLOT) < 0.699


def test_load_error_empties_a_tank_early(bench: Make, zq3: Vehicle) -> None:
    b = bench(propellant_kg=4000.0)
    strike(b, "tank.load_error", tank="oxidiser", missing_kg=1500.0)
    b.light()
    assert float(b.truth["propellant_kg"]) < 2500.0
    falling_s = 0.0
    while chamber_fraction(b) > 0.2 * 0.7:
        b.run(0.01, 0.7)
        falling_s += 0.01 * (chamber_fraction(b) < 0.95 * 0.7)
    assert 0.095 < falling_s < 0.305
    b.run(0.2, 0.7)
    assert b.truth["lit"].tolist() == [0, 0, 0]
    assert float(b.plant._body[0].fuel_kg) > 100.0  # the other tank is not empty


def test_unsettled_propellant_lets_gas_in(bench: Make) -> None:
    """The same small rest burns on in a settled tank and not in one that leans."""
    b = bench(propellant_kg=2000.0)
    b.light()
    k = b.plant._propulsion.constants[0]
    assert b.truth["lit"].all()
    k["slosh_gain"] = 1e4  # any lean at all
    b.act["gimbal_x_drive"][:] = 0.5
    for _ in range(40):
        b.hold(0.7, 0.7, gimbal_x=0.08)
        b.tick()
    assert not b.truth["lit"].any()


def test_gimbal_hardover_and_slow(bench: Make, zq3: Vehicle) -> None:
    b = burning(bench)
    strike(b, "gimbal.hardover", axis="x", angle_deg=5.0)
    rate = math.radians(zq3.engine.gimbal_rate_degps)
    b.run(0.1, 0.7)
    assert b.truth["gimbal_x_rad"][SLOT] == pytest.approx(0.1 * rate, rel=1e-6)
    b.run(1.0, 0.7)
    assert b.truth["gimbal_x_rad"][SLOT] == pytest.approx(math.radians(5.0), rel=1e-9)
    assert abs(b.truth["gimbal_y_rad"][SLOT]) < 1e-12
    b = burning(bench)
    strike(b, "gimbal.slow", rate=0.2)
    for _ in range(20):
        b.act["gimbal_y_drive"][:] = 1.0
        b.tick()
    assert b.truth["gimbal_y_rad"][SLOT] == pytest.approx(0.2 * b.truth["gimbal_y_rad"][0], rel=1e-6)


def test_gimbal_bias_is_not_seen_but_felt(bench: Make) -> None:
    b = burning(bench)
    turn = float(b.truth["omega_body_radps"][1])
    strike(b, "gimbal.bias", axis="x", angle_deg=4.0)
    b.run(0.3, 0.7)
    assert abs(b.truth["gimbal_x_rad"][SLOT]) < 1e-9
    assert float(b.truth["omega_body_radps"][1]) < turn - 5e-3


def test_gimbal_deadband(bench: Make, zq3: Vehicle) -> None:
    b = bench()
    b.act["gimbal_x_drive"][:] = 0.9 * zq3.engine.gimbal_deadband
    b.tick(50)
    assert b.truth["gimbal_x_rad"].tolist() == [0.0, 0.0, 0.0]
    b.act["gimbal_x_drive"][:] = 2.0 * zq3.engine.gimbal_deadband
    b.tick(50)
    assert float(b.truth["gimbal_x_rad"][0]) > 0.0


def test_fins_stuck_slow_and_dead_band(bench: Make, zq3: Vehicle) -> None:
    b = bench()
    strike(b, "fin.stuck")
    b.plant.effects.fin_rate_factor[2] = 0.1
    b.act["fin_cmd_rad"][:] = (0.2, 0.2, 0.2, 0.5 * math.radians(zq3.fins.deadband_deg))
    b.tick(10)
    fins = b.truth["fin_rad"]
    assert fins[SLOT] == 0.0
    assert fins[3] == 0.0
    assert 0.05 * fins[0] < fins[2] < 0.2 * fins[0]
