"""Whole flights on a real vcan: the boards are processes on it, candump listens, the interface goes down."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from hil.cli import main
from hil.faults.case import SHIPPED
from hil.tape import read_tape
from tests.cases import BURNING
from tests.vcan import ON_VCAN, dumping, ip, traffic

pytestmark = ON_VCAN

PASS, ERROR, INVALID = 0, 3, 4


def fly(
    rig: str, out: Path, capsys: pytest.CaptureFixture[str], *arguments: str
) -> tuple[int, dict[str, Any], Path]:
    """Fly `nominal`; return exit status, result and run folder."""
    command = ["run", str(SHIPPED / f"{rig}.toml"), "--seeds", "0:1", "--out", str(out), *arguments]
    status = main(command)
    printed = capsys.readouterr()
    return status, {**json.loads(printed.out), "said": printed.err}, out / "seed-0"


def test_a_landing_in_lockstep_is_the_same_to_the_bit_as_on_virtual_wires(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with dumping("vcan0", tmp_path / "peer.log"):
        status, result, run = fly("socketcan", tmp_path / "vcan", capsys)
    assert status == PASS, result
    assert set(result["rungs"].values()) == {"process"}
    ours, theirs = traffic(run / "can.log"), traffic(tmp_path / "peer.log")
    assert len(ours) > 16 * 2000
    assert sorted(ours) == sorted(theirs)
    _, reference, _ = fly("in_process", tmp_path / "in_process", capsys)
    assert result["signals_sha256"] == reference["signals_sha256"]


def test_a_landing_on_the_wall_clock_is_recorded_as_candump_heard_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with dumping("vcan0", tmp_path / "peer.log"):
        status, result, run = fly("socketcan", tmp_path / "vcan", capsys, "--pace", "wall")
    assert status in (PASS, INVALID), f"{result['said']} {result}"
    assert (status == INVALID) == (result["verdict"] == "INVALID"), (
        "a machine too slow proves nothing, and says so"
    )
    ours, theirs = traffic(run / "can.log"), traffic(tmp_path / "peer.log")
    assert len(ours) > 1000
    assert ours == theirs
    told = json.loads((run / "run.json").read_text())
    rejects = {name: n for name, n in told["wires"]["bench"].items() if name not in ("accepted", "jumped")}
    assert not any(rejects.values()), rejects
    assert told["boards_not_safe"] == []
    for node in (1, 2, 3):
        said = (run / f"engine_{node}.log").read_text().splitlines()
        assert status == INVALID or any("MAINSTAGE" in line for line in said)
        assert [line.split(maxsplit=1)[1] for line in said[-2:]] == ["state SAFE valves closed", "bench gone"]


def test_an_interface_that_goes_down_in_flight_is_3_and_every_valve_closes(tmp_path: Path) -> None:
    (tmp_path / "case.toml").write_text(BURNING)
    out = tmp_path / "out"
    command = [sys.executable, "-c", "import sys; from hil.cli import main; sys.exit(main())", "run"]
    command += [str(SHIPPED / "socketcan.toml"), "--case", str(tmp_path / "case.toml"), "--pace", "wall"]
    with subprocess.Popen([*command, "--out", str(out)], stderr=subprocess.PIPE, text=True) as hil:
        logs = [out / f"engine_{n}.log" for n in (1, 2, 3)]
        deadline = time.monotonic() + 120.0
        while not all(log.exists() and "MAINSTAGE" in log.read_text() for log in logs):
            assert time.monotonic() < deadline, "the engines never burned"
            assert hil.poll() is None
            time.sleep(0.1)
        ip("set", "vcan0", "down")
        try:
            _, err = hil.communicate(timeout=120)
        finally:
            ip("set", "vcan0", "up")
    assert hil.returncode == ERROR, err
    assert "hil: can.engine: socketcan vcan0: cannot receive: Network is down" in err
    for log in logs:
        said = log.read_text()
        assert "SHUTDOWN cause watchdog" in said
        assert [line.split(maxsplit=1)[1] for line in said.splitlines()[-2:]] == [
            "state SAFE valves closed",
            "bench gone",
        ]
    truth = read_tape(out / "tape.mcap").frames["truth"]
    for valve in ("ox_valve_pos", "fuel_valve_pos"):
        assert truth[valve].max() > 0.1, "there was something to close"
        assert (truth[valve][-1] <= 0.01).all()
    assert json.loads((out / "run.json").read_text())["boards_not_safe"] == []
