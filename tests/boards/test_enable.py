"""The bench's leave to move: without it no valve opens, and it is lost more easily than it is found."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hil.rig.model import LimitSpec, LimitsSpec
from hil.signals import REQUESTS
from tests.boards.valve import Enable, ValveBench
from tests.seams.rigging import VEHICLE

WATCHDOG, ENABLE, BENCHES, LIMIT = 1, 8, 16, 32
SEQUENCE = round((VEHICLE.valve_board.shutdown_gap_s + VEHICLE.valve_board.stroke_time_s) / 0.01) + 20
DRIVES = ("ox_drive", "fuel_drive", "gimbal_x_drive", "gimbal_y_drive", "igniter")


def enabled_bench(**enable: object) -> ValveBench:
    """Return a board that demands the enable frame and hears it."""
    bench = ValveBench(enable_demanded=True)
    bench.step()
    bench.enable = Enable(**enable)  # type: ignore[arg-type]
    bench.step()
    return bench


def moves(bench: ValveBench) -> bool:
    """Tell whether anything but a closing valve is driven."""
    return any(bench.drive(name) > 0.0 for name in DRIVES) or any(
        bench.drive(name) != 0.0 for name in DRIVES[2:]
    )


@settings(max_examples=30, deadline=None)
@given(st.lists(st.sampled_from([None, *REQUESTS]), max_size=80), st.booleans())
def test_commands_alone_move_nothing(requests: list[str | None], stop_frames: bool) -> None:
    bench = ValveBench(enable_demanded=True)
    bench.frame["sensor"]["gimbal_x_rad"][0] = 0.1
    bench.enable = Enable(mode="STOP") if stop_frames else None
    for request in requests:
        assert bench.step(request)["state"] == "SAFE"
        assert not moves(bench)


def test_the_enable_frame_alone_moves_nothing() -> None:
    bench = enabled_bench()
    assert set(bench.run(None, 100)) == {"SAFE"}
    assert not moves(bench)


def test_with_both_the_engine_runs() -> None:
    bench = enabled_bench()
    bench.to_mainstage()
    assert bench.reported()["mode"] == "DRIVE"


@pytest.mark.parametrize("request_name", ["ARM", "START", "RUN"])
def test_dead_man_60_ms_although_commands_go_on(request_name: str) -> None:
    bench = enabled_bench()
    if request_name == "RUN":
        bench.to_mainstage()
    else:
        bench.step("ARM")
    bench.step(request_name)
    bench.enable = None
    states = [bench.step(request_name) for _ in range(6)]
    assert "SHUTDOWN" in [status["state"] for status in states]
    assert states[-1]["fault"] & ENABLE
    for request in ("SAFE", "ARM", "START", "RUN") * SEQUENCE:
        bench.step(request)
        assert not moves(bench)
    assert bench.board.safe


def test_a_bench_that_comes_back_enables_nothing() -> None:
    bench = enabled_bench()
    bench.to_mainstage()
    stalled, bench.enable = bench.enable, None
    bench.run("RUN", SEQUENCE)
    bench.enable = stalled
    assert set(bench.run("SAFE", 5) + bench.run("ARM", 20) + bench.run("START", 50)) == {"SAFE"}
    bench.enable = Enable(nonce=8)
    bench.run("SAFE", 6)
    assert bench.step("ARM")["state"] == "ARMED", "a new run may"


def test_commands_lost_in_one_run_are_not_held_against_the_next() -> None:
    bench = enabled_bench()
    bench.to_mainstage()
    bench.run(None, SEQUENCE)
    assert bench.step("SAFE")["fault"] == WATCHDOG
    bench.enable = Enable(nonce=8)
    bench.run("SAFE", 6)
    assert bench.step("SAFE")["fault"] == 0


def test_leave_is_not_lost_by_a_gap_while_safe() -> None:
    bench = enabled_bench()
    kept, bench.enable = bench.enable, None
    bench.run(None, 50)
    bench.enable = kept
    bench.step("SAFE")
    assert bench.step("ARM")["state"] == "ARMED"


def test_stop_shuts_down_in_the_same_frame_and_for_good() -> None:
    bench = enabled_bench()
    bench.to_mainstage()
    assert bench.enable is not None
    bench.enable.mode = "STOP"
    assert bench.step("RUN")["state"] == "SHUTDOWN"
    bench.enable.mode = "DRIVE"
    bench.run("RUN", SEQUENCE)
    assert set(bench.run("ARM", 10)) == {"SAFE"}


@pytest.mark.parametrize("mode", ["COLD", "DRIVE"])
def test_the_mode_does_not_change_in_a_run(mode: str) -> None:
    bench = enabled_bench(mode=mode)
    bench.run("ARM", 2)
    bench.run("START", 20)
    assert bench.enable is not None
    bench.enable.mode = "DRIVE" if mode == "COLD" else "COLD"
    assert bench.step("START")["state"] == "SHUTDOWN"
    bench.run("START", SEQUENCE)
    assert max(bench.ox, bench.fuel) <= VEHICLE.valve_board.closed_pos


def test_two_benches_enable_nothing() -> None:
    for counters in (0, 1):  # in step with each other or not
        bench = enabled_bench()
        bench.to_mainstage()
        assert bench.enable is not None
        other = Enable(nonce=99)
        other.counter = bench.enable.counter + counters
        states = []
        for _ in range(SEQUENCE):
            frames = [bench.enable.frame(), other.frame()]
            states.append(bench.step_frames(frames))
        assert states[0]["state"] == "SHUTDOWN"
        assert states[-1]["fault"] & BENCHES
        assert bench.board.safe
        assert set(bench.run("ARM", 3)) == {"SAFE"}


def test_a_stuck_enable_frame_is_no_enable_frame() -> None:
    bench = enabled_bench()
    bench.to_mainstage()
    assert bench.enable is not None
    stuck, bench.enable = bench.enable.frame(), None
    bench.step_frames([stuck])
    states = [bench.step_frames([stuck])["state"] for _ in range(6)]
    assert "SHUTDOWN" in states
    assert bench.board.counters()["repeated"] == 6


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 63), st.data())
def test_a_damaged_enable_frame_is_none(bit: int, data: st.DataObject) -> None:
    bench = ValveBench(enable_demanded=True)
    bench.step()
    whole = Enable(nonce=data.draw(st.integers(0, 2**32 - 1))).frame()
    payload = int.from_bytes(whole[8:16], "little") ^ (1 << bit)
    bench.step_frames([whole[:8] + payload.to_bytes(8, "little")])
    assert set(bench.run("ARM", 3)) == {"SAFE"}
    assert bench.board.counters()["checksum"] == 1


def test_leave_needs_closed_valves_that_are_seen() -> None:
    for broken in (0.5, np.nan):
        bench = ValveBench(enable_demanded=True)
        bench.frame["sensor"]["ox_valve_pos"][0] = broken
        bench.step()
        bench.enable = Enable()
        bench.node.inbox = [bench.enable.frame()]
        bench.board.start_frame(bench.number * 10_000_000)
        assert bench.reported()["mode"] == "STOP"


def test_igniter_power_is_allowed_apart() -> None:
    bench = enabled_bench(igniter=0)
    bench.run("ARM", 2)
    for _ in range(20):
        bench.step("START")
        assert bench.drive("igniter") == 0.0
        assert bench.reported()["igniter"] == 1, "what would be driven is told"
    assert bench.enable is not None
    bench.enable.igniter = 1
    bench.run("START", 5)
    assert bench.drive("igniter") == 0.0, "not in the middle of a run"


def test_cold_drives_nothing_and_tells_what_it_would() -> None:
    bench, hot = enabled_bench(mode="COLD"), enabled_bench()
    bench.chamber_lights = hot.chamber_lights = False
    for request in ["ARM"] * 3 + ["START"] * 60:
        cold_said, hot_said = bench.step(request), hot.step(request)
        assert [bench.drive(name) for name in DRIVES] == [0.0] * 5
        assert bench.ox == bench.fuel == 0.0
        assert cold_said["state"] == hot_said["state"]
        for name in ("ox_drive", "fuel_drive", "igniter"):
            assert bench.reported()[name] == pytest.approx(hot.drive(name), abs=0.002)
    assert bench.reported()["mode"] == "COLD"
    assert cold_said["fuel_valve_pos"] == pytest.approx(hot_said["fuel_valve_pos"], abs=0.01)
    assert hot.fuel > 0.1


# ---- limits


def limited(kind: str, **limit: float) -> ValveBench:
    """Return a running board of which one kind of actuator is limited."""
    bench = ValveBench(limits=LimitsSpec.model_validate({kind: LimitSpec.model_validate(limit)}))
    bench.to_mainstage()
    return bench


@pytest.mark.parametrize("limit", [{"strokes": 3.0}, {"energy_j": 40.0, "power_w": 20.0}, {"duty": 0.25}])
def test_a_valve_that_has_done_enough_shuts_the_board_down(limit: dict[str, float]) -> None:
    bench = limited("valve", **{"duty_window_s": 1.0, **limit})
    travelled, states = 0.0, []
    for k in range(800):
        before = bench.ox
        states.append(bench.step("RUN", valve=0.9 if k // 40 % 2 else 0.4)["state"])
        travelled += abs(bench.ox - before)
        if states[-1] == "SHUTDOWN":
            break
    assert states[-1] == "SHUTDOWN"
    assert bench.step("RUN")["fault"] & LIMIT
    if "strokes" in limit:
        assert travelled <= limit["strokes"]
    bench.run("RUN", SEQUENCE)
    assert bench.board.safe, "closing has no limit"
    assert set(bench.run("ARM", 5)) == {"SAFE"}


def test_an_igniter_that_burns_too_long_is_switched_off() -> None:
    bench = ValveBench(limits=LimitsSpec(igniter=LimitSpec(energy_j=10.0, power_w=50.0)))
    bench.chamber_lights = False
    bench.run("ARM", 2)
    on = 0
    for _ in range(100):
        bench.step("START")
        on += int(bench.drive("igniter") > 0.0)
    assert on * 0.01 * 50.0 == pytest.approx(10.0, abs=0.5)


def test_within_its_limits_a_board_does_as_without() -> None:
    roomy = LimitSpec(strokes=1e3, duty=1.0, energy_j=1e6, power_w=1.0)
    free, kept = ValveBench(), ValveBench(limits=LimitsSpec(valve=roomy, gimbal=roomy, igniter=roomy))
    for bench in (free, kept):
        bench.to_mainstage()
    for k in range(100):
        valve = 0.5 + 0.004 * (k % 100)
        assert free.step("RUN", valve=valve) == kept.step("RUN", valve=valve)
