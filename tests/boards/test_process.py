"""Boards as processes, emulated ones too: what they leave behind when somebody dies."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from hil.boards import emulated, process
from hil.signals import BoardLost
from tests.seams.rigging import PROCESSES, RIGS, Stations
from tests.seams.test_seams import engine_model

BOARDS = ("flight_computer", "engine_1", "engine_2", "engine_3")


@pytest.mark.parametrize("rung", PROCESSES)
def test_a_frozen_board_is_found(rung: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (process, emulated):
        monkeypatch.setattr(module, "ANSWER_S", 0.2)
    with Stations(rung) as stations:
        stations.turn(3)
        victim = stations.board("engine_1")
        os.kill(victim.pid, signal.SIGSTOP)
        try:
            with pytest.raises(
                BoardLost, match=r"board engine_1: does not answer: process \d+ has been silent"
            ):
                stations.turn(1)
        finally:
            os.kill(victim.pid, signal.SIGCONT)


@pytest.mark.parametrize("rung", PROCESSES)
def test_boards_that_are_safe_end_at_once(rung: str) -> None:
    stations = Stations(rung)
    stations.turn(1)
    begin = time.monotonic()
    stations.close()
    assert time.monotonic() - begin < 1.0
    assert all(board._process.returncode == 0 for board in stations.boards)
    stations.close()


@pytest.mark.parametrize("rung", PROCESSES)
def test_running_boards_close_their_valves_when_the_bench_hangs_up(rung: str, tmp_path: Path) -> None:
    stations = Stations(rung, run_dir=tmp_path, ignition_forced_at_s=0.1)
    stations.turn(100, engine_model)
    assert (stations.history[-1]["status"]["state"] == 3).all()
    begin = time.monotonic()
    stations.close()
    assert time.monotonic() - begin < 2.0, "the boards close side by side"
    for name in BOARDS[1:]:
        said = (tmp_path / f"{name}.log").read_text().splitlines()
        assert said[-1].endswith("state SAFE valves closed")
        gone = float(next(line for line in said if "bench gone" in line).split()[0])
        began = float(next(line for line in said if "SHUTDOWN cause watchdog" in line).split()[0])
        assert 0.0 <= began - gone <= 0.06


@pytest.mark.parametrize("rung", PROCESSES)
def test_a_dead_flight_computer_is_named(rung: str) -> None:
    with Stations(rung) as stations:
        stations.turn(2)
        os.kill(stations.board("flight_computer").pid, signal.SIGKILL)
        with pytest.raises(BoardLost, match=r"board flight_computer: process \d+ was killed by signal 9"):
            stations.turn(3)


BENCH = """
import os, signal, sys
from pathlib import Path
from tests.seams.rigging import Stations
stations = Stations(sys.argv[2], pace="wall", run_dir=Path(sys.argv[1]))
stations.frame["sensor"]["ox_valve_pos"][:] = 0.5
import time
start = time.monotonic()
for k in range(20):
    stations.wires.pump(start + k * 0.01)
    stations.turn(1)
print(*[board.pid for board in stations.boards], flush=True)
os.kill(os.getpid(), signal.SIGKILL)
"""


def _lives(pid: int) -> bool:
    try:
        return ") Z" not in Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return False


@pytest.mark.xdist_group("wall")
@pytest.mark.parametrize("rung", PROCESSES)
def test_a_killed_bench_leaves_no_process_and_no_open_valve(rung: str, tmp_path: Path) -> None:
    bench = subprocess.run(
        [sys.executable, "-c", BENCH, str(tmp_path), rung],
        cwd=RIGS.parent,
        env={**os.environ, "PYTHONPATH": str(RIGS.parent)},
        capture_output=True,
        text=True,
        check=False,
    )
    killed = time.monotonic()
    assert bench.returncode == -signal.SIGKILL, bench.stderr
    pids = [int(word) for word in bench.stdout.split()]
    assert len(pids) == 4
    while any(_lives(pid) for pid in pids) and time.monotonic() - killed < 3.0:
        time.sleep(0.02)
    assert time.monotonic() - killed < 2.0
    for name in BOARDS[1:]:
        log = (tmp_path / f"{name}.log").read_text()
        assert re.search(r"state SHUTDOWN cause watchdog", log)
        assert log.rstrip().endswith("state SAFE valves closed")


@pytest.mark.xdist_group("wall")
@pytest.mark.parametrize("rung", PROCESSES)
def test_boards_run_on_the_wall_clock(rung: str, tmp_path: Path) -> None:
    with Stations(rung, pace="wall", run_dir=tmp_path) as stations:
        start = time.monotonic()
        for k in range(60):
            stations.wires.pump(start + k * 0.01)
            stations.turn(1)
        assert (stations.frame["status"]["state"] == 1).all(), "armed by a command that crossed the bus"
        counts = stations.wires.counters()
        assert counts["engine_1"]["accepted"] > 30
        assert counts["flight_computer"]["accepted"] > 30
    log = (tmp_path / "can.log").read_text()
    channel = "vcan0" if rung == "socketcan" else "test"
    assert f" {channel} 041#" in log
