"""The reference kernel seen through its interface: modes, health, refusal of what cannot be used."""

from __future__ import annotations

import math

import pytest

from hil.boards.config import kernel_config
from hil.kernel import KernelRun, interface, reference_kernel
from tests.kernel.conftest import Bench, braking

COAST, IGNITION, BRAKING, TERMINAL, TOUCHDOWN, DONE, ABORT = range(7)
SAFE, ARM, START, RUN, SHUTDOWN = range(5)


def test_coasts_armed_until_the_burn_has_to_start(bench: Bench) -> None:
    bench.step()
    assert bench.telemetry.mode == COAST
    assert bench.telemetry.ignition_margin_m > 1000.0
    assert [c.request for c in bench.commands] == [ARM] * 3


def test_lights_all_engines_when_the_margin_is_used_up(bench: Bench) -> None:
    for engine in bench.engines:
        engine.state = 1
    bench.place(height_m=1800.0, sink_mps=295.0)
    bench.step()
    bench.step()
    assert bench.telemetry.mode == IGNITION
    assert [c.request for c in bench.commands] == [START] * 3


def test_a_forced_ignition_comes_at_its_time_whatever_the_margin() -> None:
    bench = Bench(ignition_forced_at_s=0.5)
    for engine in bench.engines:
        engine.state = 1
    for _ in range(49):
        bench.step()
    assert bench.telemetry.mode == COAST
    bench.step()
    assert bench.telemetry.mode == IGNITION


def test_brakes_on_what_runs(burning: Bench) -> None:
    assert burning.telemetry.mode == BRAKING
    assert [c.request for c in burning.commands] == [RUN] * 3
    assert burning.telemetry.thrust_cmd_n > 0.0


def test_steps_down_to_the_centre_engine_and_keeps_the_others_armed() -> None:
    bench = braking(height_m=120.0, sink_mps=42.0)
    assert bench.telemetry.mode == TERMINAL
    assert [c.request for c in bench.commands] == [RUN, SHUTDOWN, SHUTDOWN]
    for engine in bench.engines[1:]:
        engine.state, engine.chamber_pa = 0, 0.0
        engine.ox_valve_pos = engine.fuel_valve_pos = 0.0
    for _ in range(60):
        bench.step()
        assert [c.request for c in bench.commands] == [RUN, ARM, ARM]


@pytest.mark.parametrize("dead", [0, 1, 2])
def test_an_engine_that_loses_pressure_is_given_up_within_four_frames(burning: Bench, dead: int) -> None:
    assert not any(c.failed for c in burning.commands)
    burning.engines[dead].chamber_pa *= 0.6
    for _ in range(4):
        burning.step()
    assert [c.failed for c in burning.commands] == [i == dead for i in range(3)]
    assert burning.commands[dead].request == SHUTDOWN
    assert burning.commands[dead].ox_valve_cmd == 0.0
    burning.engines[dead].chamber_pa /= 0.6
    burning.burn(frames=100)
    assert burning.commands[dead].request == SHUTDOWN, "a failed engine is never commanded again"


def test_a_weak_engine_above_the_threshold_is_kept(burning: Bench) -> None:
    for _ in range(100):
        burning.engines[1].chamber_pa = 0.8 * 0.7 * burning.vehicle.engine.chamber_pa
        burning.step()
    assert not any(c.failed for c in burning.commands)
    assert burning.commands[1].request == RUN


def test_a_silent_board_counts_as_a_failed_engine(burning: Bench) -> None:
    burning.engines[2].fresh = 0
    for _ in range(7):
        burning.step()
    assert [bool(c.failed) for c in burning.commands] == [False, False, True]


def test_thrust_of_a_lost_engine_goes_to_the_others() -> None:
    burning = braking(height_m=1750.0, sink_mps=280.0)
    burning.burn(throttle=0.65, frames=100)
    before = burning.commands[0].ox_valve_cmd
    assert 0.6 < before < 0.9
    burning.engines[1].chamber_pa = 0.0
    for _ in range(40):
        burning.step()
    assert burning.commands[0].ox_valve_cmd > before
    assert burning.commands[0].gimbal_x_cmd_rad != 0.0, "the lost engine's torque is trimmed"


def test_abort_shuts_everything_down(burning: Bench) -> None:
    burning.run.input.abort = 1
    burning.step()
    assert burning.telemetry.mode == ABORT
    assert [c.request for c in burning.commands] == [SHUTDOWN] * 3


def test_flies_on_through_a_gap_in_navigation_and_gives_up_after_two_seconds(burning: Bench) -> None:
    burning.run.input.nav.fresh = 0
    burning.burn(frames=150)
    assert burning.telemetry.mode == BRAKING
    burning.burn(frames=60)
    assert burning.telemetry.mode == ABORT


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("version", 99),
        ("size", 8),
        ("engine_count", 0),
        ("engine_count", 41),
        ("dry_mass_kg", -1.0),
        ("dry_mass_kg", math.nan),
        ("frame_s", 0.0),
        ("aero_points", 13),
        ("tilt_limit_rad", 2.0),
    ],
)
def test_refuses_a_configuration_it_cannot_fly(bench: Bench, field: str, value: float) -> None:
    raw = kernel_config(bench.vehicle, 0.01, initial_propellant_kg=1e4)
    config = interface().from_buffer("fk_if_config_t *", bytearray(raw))
    setattr(config, field, value)
    with pytest.raises(ValueError, match="refused"):
        KernelRun(reference_kernel(), bytes(interface().buffer(config)))
