"""Ways to break a live bench: what happens, the exit status, and that every valve closes."""

from __future__ import annotations

import json
import os
import resource
import signal
import subprocess
from pathlib import Path

import pytest

from hil.boards._firmware import lib
from hil.tape import read_tape
from tests.live.world import ARMED, LIMITS, World, bench, end_of

pytestmark = pytest.mark.xdist_group("wall")

CLOSED = 0.01


def ends_safe(
    world: World,
    hil: subprocess.Popen[str],
    *,
    status: int,
    cause: str,
    others: tuple[int, ...] = (0, 1, 2),
) -> str:
    """See that the bench ends with `status` and one line with `cause`, and the boards in `others` safe."""
    got, err = end_of(hil, world)
    assert got == status, err
    told = [line for line in err.splitlines() if line.startswith("hil: ") and cause in line]
    told = [line for line in told if "no report" not in line]
    assert len(told) == 1, err
    assert "Traceback" not in err
    world.turn(100)
    assert [world.states[slot] for slot in others] == [0] * len(others)
    sensor = world.stations.frame["sensor"]
    for valve in ("ox_valve_pos", "fuel_valve_pos"):
        assert max(sensor[valve][list(others)]) <= CLOSED
    return told[0]


def nothing_lost(folder: Path) -> None:
    """See that run.json says why, and that the tape is whole."""
    kept = json.loads((folder / "out" / "run.json").read_text())
    assert kept["cause"]
    tape = read_tape(folder / "out" / "tape.mcap")
    assert tape.complete
    assert tape.notes["outcome"]["cause"] == kept["cause"]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_abort_is_never_blocked(number: signal.Signals, tmp_path: Path) -> None:
    """Not even by a valve that says that it is open, for good."""
    with World(tmp_path / "lab") as world, bench(world, tmp_path, *ARMED) as hil:
        world.light(hil)
        world.stuck_open = True
        hil.send_signal(number)
        status, err = end_of(hil, world, 10.0)
        assert status == 130, err
        assert world.modes[-1] == 0, "the leave was withdrawn"
        assert all(drive <= 0.0 for drive in world.drives("ox_drive"))
        assert world.drives("igniter") == [0.0] * 3
        nothing_lost(tmp_path)


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGSTOP])
def test_a_board_that_dies_or_freezes_ends_the_flight(number: signal.Signals, tmp_path: Path) -> None:
    with World(tmp_path / "lab") as world, bench(world, tmp_path, *ARMED, "--arm-igniter") as hil:
        world.light(hil)
        victim = world.stations.board("engine_2")
        world.quiet("engine_2")
        os.kill(victim.pid, number)
        ends_safe(world, hil, status=3, cause="board engine_2: silent on the bus for 100 ms", others=(0, 2))
        os.kill(victim.pid, signal.SIGCONT) if number == signal.SIGSTOP else None
        nothing_lost(tmp_path)


def test_a_flight_computer_that_falls_silent(tmp_path: Path) -> None:
    with World(tmp_path / "lab") as world, bench(world, tmp_path, *ARMED, "--arm-igniter") as hil:
        world.light(hil)
        world.stations.wires.mute("flight_computer")
        ends_safe(world, hil, status=3, cause="the flight computer: silent on the bus")
        nothing_lost(tmp_path)


def test_a_board_that_restarts_has_no_leave(tmp_path: Path) -> None:
    with World(tmp_path / "lab", in_process=("engine_2",)) as world:
        board = world.stations.board("engine_2")
        with bench(world, tmp_path, *ARMED, "--arm-igniter") as hil:
            world.light(hil)
            config = world.config_of(2)
            lib.in_process_valve_init(board._state, config, len(config))
            ends_safe(world, hil, status=3, cause="board engine_2: has lost the leave of this run")


def test_a_serial_line_that_is_pulled_out(tmp_path: Path) -> None:
    with World(tmp_path / "lab") as world, bench(world, tmp_path, *ARMED) as hil:
        world.light(hil)
        world.unplug_navigation()
        ends_safe(world, hil, status=3, cause="serial.navigation: ")
        nothing_lost(tmp_path)


def test_a_disk_that_fills_up(tmp_path: Path) -> None:
    with World(tmp_path / "lab") as world, bench(world, tmp_path, *ARMED) as hil:
        world.light(hil)
        size = (tmp_path / "out" / "tape.mcap").stat().st_size
        resource.prlimit(hil.pid, resource.RLIMIT_FSIZE, (size + 1000, size + 1000))
        ends_safe(world, hil, status=3, cause="File too large")
        assert len(read_tape(tmp_path / "out" / "tape.mcap").frames) > 0, "what fitted is there"


def test_the_second_user_changes_nothing_for_the_first(tmp_path: Path) -> None:
    with World(tmp_path / "lab") as world, bench(world, tmp_path, *ARMED) as hil:
        world.light(hil)
        with bench(world, tmp_path, *ARMED, "--arm-igniter", out="second") as other:
            status, err = end_of(other, world)
        assert status == 3
        assert f"in use by pid {hil.pid}, user " in err
        assert hil.poll() is None
        assert world.faults == [0, 0, 0]
        hil.terminate()
        ends_safe(world, hil, status=130, cause="interrupted (SIGTERM)")


def test_an_actuator_that_has_done_enough(tmp_path: Path) -> None:
    few = LIMITS.replace("strokes = 200", "strokes = 0.3")
    with World(tmp_path / "lab") as world, bench(world, tmp_path, *ARMED, "--arm-igniter", more=few) as hil:
        world.wait_for_leave(hil)
        world.altitude(1500.0)
        told = ends_safe(world, hil, status=3, cause="over its limit of 0.3")
        assert "(limits.valve.strokes)" in told


# ---- what is not driven


def test_cold_runs_everything_and_moves_nothing(tmp_path: Path) -> None:
    with World(tmp_path / "lab") as world, bench(world, tmp_path, "--cold") as hil:
        world.wait_for_leave(hil)
        world.altitude(1500.0)
        seen = set()
        for _ in range(150):
            world.turn()
            seen |= set(world.states)
            for name in ("ox_drive", "fuel_drive", "gimbal_x_drive", "gimbal_y_drive", "igniter"):
                assert world.drives(name) == [0.0] * 3
            assert world.valves == 0.0
        assert 2 in seen, "the boards went through their states all the same"
        hil.terminate()
        ends_safe(world, hil, status=130, cause="interrupted (SIGTERM)")
    frames = read_tape(tmp_path / "out" / "tape.mcap").frames
    assert frames["actuator"]["igniter"].max() == 1.0, "what would have been driven is on the tape"
    assert frames["actuator"]["fuel_drive"].max() > 0.1


def test_igniters_have_no_power_unless_they_are_armed(tmp_path: Path) -> None:
    with World(tmp_path / "lab") as world, bench(world, tmp_path, *ARMED) as hil:
        world.wait_for_leave(hil)
        world.altitude(1500.0)
        seen = set()
        for _ in range(150):
            world.turn()
            seen |= set(world.states)
            assert world.drives("igniter") == [0.0] * 3
        assert 2 in seen, "the engines were started, as far as it goes without a spark"
        hil.terminate()
        ends_safe(world, hil, status=130, cause="interrupted (SIGTERM)")
