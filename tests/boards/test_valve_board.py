"""The valve board's state machine, through its wires: when valves may open, and how they close."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hil.signals import REQUESTS
from tests.boards.valve import ValveBench, command_frame
from tests.seams.rigging import VEHICLE

BOARD = VEHICLE.valve_board
WATCHDOG, NOT_LIT, SENSOR = 1, 2, 4


def test_it_starts_in_the_stated_order() -> None:
    bench = ValveBench()
    bench.run("ARM", 2)
    igniter, fuel, ox = [], [], []
    for _ in range(300):
        if bench.step("START")["state"] == "MAINSTAGE":
            break
        igniter.append(bench.drive("igniter"))
        fuel.append(bench.fuel)
        ox.append(bench.ox)
    assert all(igniter), "the igniter is on throughout"
    opens_fuel = next(i for i, pos in enumerate(fuel) if pos > 0.0) * 0.01
    opens_ox = next(i for i, pos in enumerate(ox) if pos > 0.0) * 0.01
    assert opens_fuel == pytest.approx(BOARD.start_igniter_lead_s, abs=0.011)
    assert opens_ox - opens_fuel == pytest.approx(BOARD.start_fuel_lead_s, abs=0.011)
    assert max(fuel + ox) <= BOARD.start_valve_pos + 0.01
    bench.step("RUN")
    assert bench.drive("igniter") == 0.0


def test_it_follows_the_commanded_valves_and_gimbals_in_mainstage() -> None:
    bench = ValveBench()
    bench.to_mainstage()
    bench.run("RUN", 60, valve=0.9)
    assert bench.ox == pytest.approx(0.9, abs=0.01)
    bench.run("RUN", 60, valve=0.6, gimbal=0.1)
    assert bench.fuel == pytest.approx(0.6, abs=0.01)
    assert bench.drive("gimbal_x_drive") > 0.0 > bench.drive("gimbal_y_drive")


@pytest.mark.parametrize("request_name", ["SAFE", "ARM", "SHUTDOWN"])
def test_anything_but_start_and_run_shuts_down(request_name: str) -> None:
    bench = ValveBench()
    bench.to_mainstage()
    assert bench.step(request_name)["state"] == "SHUTDOWN"


def test_the_shutdown_closes_one_valve_then_the_other() -> None:
    bench = ValveBench()
    bench.to_mainstage()
    bench.run("RUN", 60, valve=0.9)
    first = "ox" if BOARD.shutdown_first == "oxidiser" else "fuel"
    second = "fuel" if first == "ox" else "ox"
    gap_frames = round(BOARD.shutdown_gap_s / 0.01)
    bench.step("SHUTDOWN")
    for _ in range(gap_frames - 1):
        assert bench.drive(f"{first}_drive") == -1.0 or getattr(bench, first) <= BOARD.closed_pos
        assert bench.drive(f"{second}_drive") == 0.0
        assert bench.drive("gimbal_x_drive") == 0.0
        bench.step("SHUTDOWN")
    states = bench.run("SHUTDOWN", 100)
    assert states[-1] == "SAFE"
    assert bench.board.safe
    assert max(bench.ox, bench.fuel) <= BOARD.closed_pos


def test_the_watchdog_shuts_down_after_50_ms_and_is_latched() -> None:
    bench = ValveBench()
    bench.to_mainstage()
    bench.step("RUN")
    states = bench.run(None, 5)
    assert states[:4] == ["MAINSTAGE"] * 4
    assert states[4] == "SHUTDOWN", "five frames without a command are 50 ms"
    status = bench.step(None)
    assert status["fault"] & WATCHDOG
    states = bench.run(None, 150)
    assert states[-1] == "SAFE"
    assert bench.step("ARM")["fault"] & WATCHDOG, "the bit stays until the board is initialised"


@pytest.mark.parametrize("request_name", ["ARM", "START"])
def test_the_watchdog_looks_in_every_state_but_safe(request_name: str) -> None:
    bench = ValveBench()
    bench.step("ARM")
    bench.step(request_name)
    assert "SHUTDOWN" in bench.run(None, 6)
    idle = ValveBench()
    assert set(idle.run(None, 50)) == {"SAFE"}


def test_frames_that_are_rejected_do_not_feed_the_watchdog() -> None:
    bench = ValveBench()
    bench.to_mainstage()
    stale = command_frame("RUN", bench.counter - 1)
    states = [bench.step_frames([stale])["state"] for _ in range(6)]
    assert "SHUTDOWN" in states
    assert bench.board.counters()["repeated"] == 6


def test_an_engine_that_does_not_light_ends_in_fault_and_closes() -> None:
    bench = ValveBench()
    bench.chamber_lights = False
    bench.run("ARM", 2)
    frames = round(BOARD.start_light_timeout_s / 0.01)
    states = bench.run("START", frames + 2)
    assert states[frames - 2] == "START"
    assert states[-1] == "FAULT"
    states = bench.run("START", 150)
    assert set(states) == {"FAULT"}, "a START does not bring it back"
    assert max(bench.ox, bench.fuel) <= BOARD.closed_pos
    assert bench.drive("igniter") == 0.0
    assert bench.step("SAFE")["fault"] & NOT_LIT
    assert bench.run("SAFE", 5)[-1] == "SAFE"


def test_no_restart_without_safe_and_arm() -> None:
    bench = ValveBench()
    bench.to_mainstage()
    bench.step("SHUTDOWN")
    states = bench.run("START", 200)
    assert set(states) == {"SHUTDOWN", "SAFE"}
    assert states[-1] == "SAFE"
    bench.step("ARM")
    assert bench.step("START")["state"] == "START"


@settings(max_examples=30, deadline=None)
@given(st.lists(st.sampled_from([None, "SAFE", "ARM", "RUN", "SHUTDOWN"]), max_size=60))
def test_without_start_no_valve_ever_opens(requests: list[str | None]) -> None:
    bench = ValveBench()
    for request in requests:
        bench.step(request, valve=1.0)
        assert bench.ox == 0.0
        assert bench.fuel == 0.0
        assert bench.drive("igniter") == 0.0


@settings(max_examples=30, deadline=None)
@given(st.lists(st.sampled_from([None, *REQUESTS]), max_size=150))
def test_whatever_was_asked_silence_ends_with_closed_valves(requests: list[str | None]) -> None:
    bench = ValveBench()
    for request in requests:
        bench.step(request)
    sequence = BOARD.shutdown_gap_s + BOARD.stroke_time_s
    bench.run(None, 6 + round(sequence / 0.01) + 5)
    assert bench.board.safe
    assert max(bench.ox, bench.fuel) <= BOARD.closed_pos
    assert bench.drive("igniter") == 0.0


def test_it_closes_by_the_clock_when_its_sensors_are_gone() -> None:
    bench = ValveBench()
    bench.to_mainstage()
    bench.run("RUN", 60, valve=0.9)
    sensor = bench.frame["sensor"]
    for name in sensor.dtype.names or ():
        sensor[name][0] = np.nan
    drives = []
    for _ in range(200):
        bench.node.inbox = []
        bench.board.start_frame(bench.number * 10_000_000)
        bench.number += 1
        drives.append(bench.drive("ox_drive"))
        if bench.board.safe:
            break
    assert bench.board.safe
    allowed = 0.05 + BOARD.shutdown_gap_s + 1.5 * BOARD.stroke_time_s + 0.03
    assert len(drives) * 0.01 <= allowed
    assert drives.count(-1.0) * 0.01 == pytest.approx(1.5 * BOARD.stroke_time_s, abs=0.03)


def test_a_board_with_a_broken_configuration_does_not_start() -> None:
    with pytest.raises(Exception, match="a value of its configuration is out of range"):
        ValveBench(start_valve_pos=7.0)
