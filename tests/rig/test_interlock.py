"""The interlock on virtual rigs that demand the enable frame: switches, limits, cold, clock steps."""

from __future__ import annotations

import json
import re
import time
from pathlib import Path

import numpy as np
import pytest

from hil.cli import main
from hil.faults.case import SHIPPED
from hil.tape import read_tape

CASE = """
vehicle = "zq3_class"
description = "Lights its engines at once, and is over soon."
time_limit_s = 1.5
[initial]
pos_pad_m = [0.0, 0.0, 3000.0]
vel_pad_mps = [0.0, 0.0, -300.0]
[ignition]
forced_at_s = 0.2
"""


def fly(folder: Path, interlock: str, *arguments: str, rig: str = "in_process", limits: str = "") -> int:
    """Fly CASE on a shipped rig that demands the enable frame; return the exit status."""
    text = (SHIPPED / f"{rig}.toml").read_text()
    text = re.sub(r'database = "bus.dbc".*', f'database = "{SHIPPED}/bus.dbc"', text)
    (folder / "rig.toml").write_text(f"{text}\n[interlock]\nenable = true\n{interlock}\n{limits}")
    (folder / "case.toml").write_text(CASE)
    command = ["run", str(folder / "rig.toml"), "--case", str(folder / "case.toml")]
    return main([*command, "--out", str(folder / "out"), "--json", *arguments])


def frames(folder: Path) -> np.ndarray:
    """Return what is on the tape, whole, with its valves closed at the end."""
    tape = read_tape(folder / "out" / "tape.mcap")
    assert tape.complete
    for valve in ("ox_valve_pos", "fuel_valve_pos"):
        assert tape.frames["truth"][valve][-1].max() <= 0.01
    return tape.frames


@pytest.mark.parametrize(
    ("switch", "cause"),
    [
        ('abort = {port = "loop://", line = "cts"}', "the abort switch"),
        ('key = {port = "loop://", line = "ri"}', "the key was turned off"),
    ],
)
def test_a_switch_ends_the_flight_as_ctrl_c_does(
    switch: str, cause: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """pyserial's loop:// asserts CTS (its own RTS) and never RI."""
    assert fly(tmp_path, switch) == 130
    assert f"interrupted ({cause})" in capsys.readouterr().err
    frames(tmp_path)


def test_a_switch_that_is_not_there_is_an_error(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert fly(tmp_path, 'abort = {port = "/dev/nowhere", line = "cts"}') == 3
    assert "hil: interlock.abort: /dev/nowhere cts: " in capsys.readouterr().err


def test_processes_and_in_process_fly_the_same_under_the_enable_frame(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    digests = []
    for rig in ("in_process", "virtual"):
        folder = tmp_path / rig
        folder.mkdir()
        fly(folder, "", rig=rig)
        digests.append(json.loads(capsys.readouterr().out)["signals_sha256"])
        assert read_tape(folder / "out" / "tape.mcap").frames["actuator"]["igniter"].max() == 1.0
    assert digests[0] == digests[1]


def test_cold_follows_what_would_be_driven(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    fly(tmp_path, "", "--cold")
    capsys.readouterr()
    tape = read_tape(tmp_path / "out" / "tape.mcap")
    assert tape.frames["actuator"]["fuel_drive"].max() > 0.1
    assert tape.frames["truth"]["fuel_valve_pos"].max() > 0.1, "the model flies"


def test_the_bench_keeps_the_limits_too(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert fly(tmp_path, "", limits="[limits.igniter]\npower_w = 100.0\nenergy_j = 10.0\n") == 3
    err = capsys.readouterr().err
    assert re.search(r"hil: (engine 1: igniter: \S+ over its limit of 10|board engine_1: has reached)", err)
    on = frames(tmp_path)["actuator"]["igniter"].sum(axis=0)
    assert (on * 0.01 * 100.0 <= 10.0 + 2.0).all()


def test_steps_of_the_calendar_clock_change_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """An NTP client or a person sets the clock: deadlines, watchdogs and verdict know another one."""
    steps = iter(range(10**9))
    monkeypatch.setattr(time, "time", lambda: 1e9 + (-1) ** next(steps) * 3600.0)
    monkeypatch.setattr(time, "time_ns", lambda: int(time.time() * 1e9))
    assert fly(tmp_path, "", "--pace", "wall") in (1, 4)
    result = json.loads(capsys.readouterr().out)
    assert result["timing"]["deadlines"]["worst_lateness_s"] < 60.0
    assert 1.0 < result["wall_s"] < 60.0
    assert result["timing"]["real_time"]["collector"] == "frozen"


def test_limits_of_timing_are_the_rigs(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    text = (
        (SHIPPED / "kernel.toml")
        .read_text()
        .replace("[timing]", "[timing]\nlateness_ms = 0.1\nmissed_share = 0.0")
    )
    (tmp_path / "rig.toml").write_text(text)
    (tmp_path / "case.toml").write_text(CASE)
    command = [
        "run",
        str(tmp_path / "rig.toml"),
        "--case",
        str(tmp_path / "case.toml"),
        "--pace",
        "wall",
        "--json",
    ]
    status = main([*command, "--out", str(tmp_path / "out")])
    capsys.readouterr()
    tape = read_tape(tmp_path / "out" / "tape.mcap")
    late = tape.timing["lateness_s"].max() > 1e-4
    assert status == (4 if late else 1)
    assert (tape.timing["work_s"][1:] > 0.0).all()
    worst = tape.timing["lateness_s"] > 0.01
    assert (tape.timing["overrun"][worst] > 0).all()
