"""Engines whose boards restart in flight: given up at once, and lit again where that helps."""

from __future__ import annotations

from typing import Any

import pytest

from tests.kernel.desk import Desk, brake
from tests.kernel.flight import (
    ARM,
    ARMED,
    CHAMBER_PA,
    CLUSTER,
    DT,
    FAULT,
    G0,
    MAINSTAGE,
    OFF,
    RUN,
    SHUTDOWN,
    START,
    STARTING,
    TERMINAL,
)
from tests.kernel.test_relight import finishing, rest
from tools.loop_margins import constant

HOME_FRAMES = int(constant("fk_health.c", "HOME_FRAMES"))
SILENT_FRAMES = int(constant("fk_health.c", "SILENT_FRAMES"))
GIVEN_UP = 3
"""Number of telemetry.plan_source."""


def braking(height_m: float = 2900.0, sink: float = 200.0, **config: Any) -> Desk:
    """Return a stage that has braked on three engines for longer than any of them has to be borne with."""
    desk = brake(height_m=height_m, vel=(0.0, 0.0, -sink), force=(0.0, 0.0, G0), config=config)
    hold(desk, round(constant("fk.h", "FK_ENGINE_OUT_S") / DT) + 10)
    assert desk.requests == [RUN] * 3
    return desk


def hold(desk: Desk, frames: int = 1) -> None:
    """Run frames in which the stage stays where it is and its engines do as they are told."""
    for _ in range(frames):
        desk.obey()
        desk.step()


def fall_silent(desk: Desk, *engines: int, frames: int = SILENT_FRAMES) -> None:
    """Let boards be dark while they restart; their valves fall shut."""
    for engine in engines:
        rest(desk, MAINSTAGE, engine)
        desk.statuses[engine].fresh = 0
    desk.step(frames)


def come_back(desk: Desk, *engines: int, frames: int = HOME_FRAMES) -> None:
    """Let boards speak again: they know of nothing and are SAFE."""
    rest(desk, OFF, *engines)
    for engine in engines:
        desk.statuses[engine].fresh = 1
    desk.step(frames)


def failed(desk: Desk) -> list[int]:
    """Return which engines are held for failed."""
    return [command.failed for command in desk.commands]


def start(desk: Desk, engine: int) -> None:
    """Follow the engine's board from SAFE to MAINSTAGE."""
    for state, request in ((ARMED, START), (STARTING, START), (MAINSTAGE, RUN)):
        desk.statuses[engine].state = state
        desk.step(1 if state != STARTING else 30)
        assert desk.requests[engine] == request


@pytest.mark.parametrize("engine", [0, 1])
def test_an_engine_whose_board_restarts_is_given_up_and_then_lit_again(engine: int) -> None:
    desk = braking()
    fall_silent(desk, engine, frames=SILENT_FRAMES - 1)
    assert failed(desk) == [0, 0, 0]
    fall_silent(desk, engine, frames=1)
    assert desk.commands[engine].failed
    assert desk.requests[engine] == SHUTDOWN
    assert not desk.commands[engine].share
    come_back(desk, engine, frames=HOME_FRAMES - 1)
    assert desk.commands[engine].failed
    assert desk.requests[engine] == SHUTDOWN
    come_back(desk, engine, frames=1)
    assert failed(desk) == [0, 0, 0]
    assert desk.requests[engine] == ARM
    assert desk.commands[engine].share
    start(desk, engine)
    assert desk.requests == [RUN] * 3


def test_one_that_restarts_before_its_silence_shows_is_given_up_for_having_stopped() -> None:
    desk = braking()
    fall_silent(desk, 2, frames=SILENT_FRAMES - 2)
    come_back(desk, 2, frames=1)
    assert failed(desk) == [0, 0, 1]
    come_back(desk, 2)
    assert failed(desk) == [0, 0, 0]


def test_an_engine_whose_board_restarts_twice_has_no_start_left() -> None:
    desk = braking()
    fall_silent(desk, 1)
    come_back(desk, 1)
    start(desk, 1)
    hold(desk, 100)
    fall_silent(desk, 1)
    come_back(desk, 1, frames=200)
    assert failed(desk) == [0, 1, 0]
    assert desk.requests == [RUN, SHUTDOWN, RUN]


def test_an_engine_with_one_start_in_all_is_not_lit_again() -> None:
    desk = braking(starts=1)
    fall_silent(desk, 1)
    come_back(desk, 1, frames=50)
    assert failed(desk) == [0, 1, 0]


def without_pressure(desk: Desk) -> None:
    """Let the engine die, and its board restart afterwards."""
    desk.statuses[1].chamber_pa = 0.0
    desk.step(10)


def in_fault(desk: Desk) -> None:
    """Let its board find a fault, before it restarts."""
    desk.statuses[1].state = FAULT
    desk.step(2)


def fault_at_last(desk: Desk) -> None:
    """Let its board find a fault, once it has been silent."""
    fall_silent(desk, 1)
    desk.statuses[1].fresh, desk.statuses[1].state = 1, FAULT
    desk.step(2)


@pytest.mark.parametrize("trouble", [without_pressure, in_fault, fault_at_last])
def test_an_engine_that_has_more_against_it_than_its_board_is_not_lit_again(trouble: Any) -> None:
    desk = braking()
    trouble(desk)
    assert failed(desk) == [0, 1, 0]
    fall_silent(desk, 1)
    come_back(desk, 1, frames=100)
    assert failed(desk) == [0, 1, 0]
    assert desk.requests[1] == SHUTDOWN


@pytest.mark.parametrize(
    ("reading", "value"),
    [
        ("ox_valve_pos", 0.12),
        ("fuel_valve_pos", 0.12),
        ("chamber_pa", 0.4 * CHAMBER_PA),
        ("state", ARMED),
        ("fresh", 0),
        ("ox_valve_pos", float("nan")),
    ],
)
def test_its_readings_have_to_be_those_of_an_engine_at_rest(reading: str, value: float) -> None:
    desk = braking()
    fall_silent(desk, 1)
    come_back(desk, 1, frames=0)
    setattr(desk.statuses[1], reading, value)
    desk.step(50)
    assert failed(desk) == [0, 1, 0]
    come_back(desk, 1)
    assert failed(desk) == [0, 0, 0]


@pytest.mark.parametrize("restarts", [True, False])
def test_one_whose_valves_fell_shut_before_is_lit_again_if_its_board_then_restarts(restarts: bool) -> None:
    """A supply that sags drops the drives first: the board still says MAINSTAGE, and obeys nobody."""
    desk = braking()
    status, limits = desk.statuses[1], desk.config.engine[1]
    valve = status.ox_valve_pos
    for _ in range(60):
        pressure = status.chamber_pa
        desk.obey()
        valve = max(0.0, valve - limits.valve_slew_per_s * DT)
        status.ox_valve_pos = status.fuel_valve_pos = valve
        follows = DT / (limits.thrust_lag_s + DT)
        status.chamber_pa = pressure + follows * (valve * CHAMBER_PA - pressure)
        desk.step()
    assert failed(desk) == [0, 1, 0]
    if restarts:
        fall_silent(desk, 1, frames=int(constant("fk_health.c", "DARK_FRAMES")))
    come_back(desk, 1, frames=30)
    assert failed(desk) == [0, int(not restarts), 0]


def test_one_whose_valve_stuck_open_is_not_lit_again() -> None:
    desk = braking()
    for _ in range(40):
        desk.obey()
        desk.statuses[1].fuel_valve_pos = 1.0
        desk.step()
    assert failed(desk) == [0, 1, 0]
    fall_silent(desk, 1)
    come_back(desk, 1, frames=50)
    assert failed(desk) == [0, 1, 0]


# ---- where there is little time


def late(height_m: float, sink: float = 60.0, engine: int = 1) -> Desk:
    """Return a stage about to end its braking, an engine's board of which has just come back."""
    desk = braking(height_m=height_m, sink=sink)
    fall_silent(desk, engine)
    come_back(desk, engine)
    return desk


def test_with_little_braking_left_one_that_is_not_needed_waits_for_the_finish() -> None:
    desk = late(height_m=400.0)
    desk.step(10)
    assert failed(desk) == [0, 1, 0]
    while desk.telemetry.mode != TERMINAL:
        desk.obey()
        desk.move()
    desk.step()
    assert failed(desk) == [0, 0, 0]  # and is kept
    assert desk.requests == [RUN, ARM, SHUTDOWN]
    assert [command.share for command in desk.commands] == [1, 0, 0]


def test_one_that_is_needed_is_lit_all_the_same() -> None:
    """Where the stage stands still in the air, as here, the others have to do more and more."""
    desk = late(height_m=320.0)
    assert failed(desk) == [0, 1, 0]
    hold(desk, 100)
    assert desk.commands[0].ox_valve_cmd > constant("fk_modes.c", "WORTH_THROTTLE")
    assert failed(desk) == [0, 0, 0]
    assert desk.requests == [RUN, ARM, RUN]


def test_so_is_the_centre_engine_as_it_finishes_alone() -> None:
    desk = late(height_m=400.0, sink=70.0, engine=0)
    assert failed(desk) == [0, 0, 0]
    assert desk.requests[0] == ARM


def test_in_the_finish_the_centre_engine_is_not_kept_beside_others() -> None:
    desk = finishing(height_m=100.0)
    fall_silent(desk, 0)
    come_back(desk, 0, frames=10)
    assert failed(desk) == [1, 0, 0]


def test_but_where_there_is_no_other_it_is_lit_again() -> None:
    desk = finishing(height_m=100.0, cluster=CLUSTER[:1])
    fall_silent(desk, 0)
    come_back(desk, 0)
    assert failed(desk) == [0]
    assert desk.requests == [ARM]
    desk.statuses[0].state = ARMED
    for _ in range(300):
        desk.move()
        if desk.requests == [START]:
            return
    raise AssertionError("it was never lit again")


# ---- a stage that could not land without


def test_a_stage_is_not_given_up_while_boards_may_still_come_back() -> None:
    desk = braking(height_m=1200.0, sink=170.0)
    hoped = constant("fk_health.c", "HOPED_S")
    fall_silent(desk, 1, 2, frames=SILENT_FRAMES)
    for _ in range(round((hoped - 0.1) / DT)):
        desk.step()
        assert desk.telemetry.plan_source != GIVEN_UP
    desk.step(50)
    assert desk.telemetry.plan_source == GIVEN_UP
    come_back(desk, 1, 2, frames=50)  # too late: nothing is lit again
    assert failed(desk) == [0, 1, 1]


def test_it_is_given_up_sooner_where_engines_are_dead() -> None:
    desk = braking(height_m=1200.0, sink=170.0)
    rest(desk, FAULT, 1, 2)
    desk.step(40)
    assert desk.telemetry.plan_source == GIVEN_UP
