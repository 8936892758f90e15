"""`hil run` on the wall clock, cut short while the engines burn: processes, signals, the tape left behind."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest

from hil.boards.process import WALL_ANSWER_S
from hil.faults.case import SHIPPED
from hil.tape import read_tape
from hil.tape.reader import Recording
from tests.cases import BURNING

ROOT = Path(__file__).parents[2]
SLACK = 10
"""Frames by which all may be late on a machine that has other work to do."""
FLIGHTS = 4
"""Flights that are tried until one is in time."""


@contextmanager
def flying(folder: Path) -> Iterator[subprocess.Popen[str]]:
    """Fly on the virtual rig until the engines burn; yield `hil run`, whose run folder is `out`.

    On a machine that is late, boards close by themselves before anything is done to them: then it flies anew.
    """
    for attempt in range(FLIGHTS):
        with _burning(folder, f"out{attempt}") as hil:
            if all("SHUTDOWN" not in log.read_text() for log in _logs(folder / f"out{attempt}")):
                (folder / "out").symlink_to(f"out{attempt}")
                yield hil
                return
            hil.send_signal(signal.SIGINT)
            hil.communicate(timeout=60)
    raise AssertionError(f"in {FLIGHTS} flights the engines did not burn for half a second")


def _logs(out: Path) -> list[Path]:
    return [out / f"engine_{n}.log" for n in (1, 2, 3)]


@contextmanager
def _burning(folder: Path, out: str) -> Iterator[subprocess.Popen[str]]:
    (folder / "case.toml").write_text(BURNING)
    command = [sys.executable, "-c", "import sys; from hil.cli import main; sys.exit(main())", "run"]
    command += [str(SHIPPED / "virtual.toml"), "--case", str(folder / "case.toml"), "--pace", "wall"]
    with subprocess.Popen(
        [*command, "--out", str(folder / out)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        cwd=folder,
    ) as hil:
        logs = _logs(folder / out)
        deadline = time.monotonic() + 90.0
        while not all(log.exists() and "MAINSTAGE" in log.read_text() for log in logs):
            assert time.monotonic() < deadline, "the engines never burned"
            assert hil.poll() is None
            time.sleep(0.02)
        time.sleep(0.5)
        yield hil


def board_pid(hil: int, name: str) -> int:
    """Return the number of the process of board `name`: the child that writes its log."""
    for child in Path(f"/proc/{hil}/task/{hil}/children").read_text().split():
        for descriptor in Path(f"/proc/{child}/fd").iterdir():
            if descriptor.readlink().name == f"{name}.log":
                return int(child)
    raise AssertionError(f"{name} has no process")


def check_closed(out: Path, slots: tuple[int, ...], *, flown_on: bool = False) -> Recording:
    """See that the boards in `slots` shut down by their watchdogs, at once, and are closed on the tape.

    Where the flight was `flown_on` for a while the computer may have shut an engine down by itself before.
    """
    tape = read_tape(out / "tape.mcap")
    frames = tape.frames
    assert tape.complete
    last_command = int(np.flatnonzero(frames["command"]["fresh"].any(axis=1))[-1])
    late = int(np.ceil(100.0 * tape.timing["lateness_s"][last_command:].max()))
    for slot in slots:
        shutting = np.flatnonzero(frames["status"]["state"][:, slot] == 4)
        if flown_on and shutting[0] <= last_command:
            assert frames["truth"]["ox_valve_pos"][-1, slot] <= 0.01
            assert frames["truth"]["fuel_valve_pos"][-1, slot] <= 0.01
            continue
        assert 0 < shutting[0] - last_command <= 6 + SLACK + late, "60 ms after the last command"
        assert "SHUTDOWN cause watchdog" in (out / f"engine_{slot + 1}.log").read_text()
        for valve in ("ox_valve_pos", "fuel_valve_pos"):
            assert frames["truth"][valve][last_command, slot] > 0.1, "there was something to close"
            assert frames["truth"][valve][-1, slot] <= 0.01
    return tape


@pytest.mark.xdist_group("wall")
@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGSTOP])
def test_a_lost_valve_board_closes_all_others(number: signal.Signals, tmp_path: Path) -> None:
    with flying(tmp_path) as hil:
        victim = board_pid(hil.pid, "engine_2")
        os.kill(victim, number)
        _, err = hil.communicate(timeout=60)
    assert hil.returncode == 3, err
    assert "hil: board engine_2: " in err
    assert not Path(f"/proc/{victim}").exists()
    tape = check_closed(tmp_path / "out", (0, 2), flown_on=number == signal.SIGSTOP)
    fresh = tape.frames["status"]["fresh"]
    spoke = int(np.flatnonzero(fresh[:, 1])[-1])
    noticed = 0 if number == signal.SIGKILL else round(WALL_ANSWER_S * 100)
    shut = np.flatnonzero(tape.frames["status"]["state"][:, 0] == 4)[0]
    late = int(np.ceil(100.0 * tape.timing["lateness_s"][spoke:].max()))
    assert shut - spoke <= noticed + 7 + 2 * (SLACK + late)


@pytest.mark.xdist_group("wall")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_ctrl_c_ends_when_all_boards_are_safe(number: signal.Signals, tmp_path: Path) -> None:
    with flying(tmp_path) as hil:
        hil.send_signal(number)
        _, err = hil.communicate(timeout=60)
    assert hil.returncode == 130, err
    assert f"interrupted ({number.name})" in err
    check_closed(tmp_path / "out", (0, 1, 2))
    for node in (1, 2, 3):
        said = (tmp_path / "out" / f"engine_{node}.log").read_text().splitlines()
        assert [line.split(maxsplit=1)[1] for line in said[-2:]] == ["state SAFE valves closed", "bench gone"]
