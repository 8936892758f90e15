"""Whole flights on the shipped rigs: landings, digests, boards and benches that are killed."""

from __future__ import annotations

import hashlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from hil.cli import main
from hil.faults.case import SHIPPED
from hil.rig import build, plan, run
from hil.signals import ENGINE_STATES
from hil.tape import Recording, read_tape
from tests.emulation import emulated

RUNGS = ("kernel", "in_process", "virtual")
CASES = ("nominal", "crs12", "zq3_y1", "centre_out", "engine_late", "thrust_low")
SHUTTING = [ENGINE_STATES.index(name) for name in ("SAFE", "SHUTDOWN", "FAULT")]
CLOSED = 0.02


def hil(*arguments: object, cwd: Path) -> subprocess.Popen[str]:
    """Start the command in a process of its own."""
    code = "import sys; from hil.cli import main; sys.exit(main())"
    return subprocess.Popen(
        [sys.executable, "-c", code, *map(str, arguments)],
        cwd=cwd,
        env={**os.environ, "PYTHONPATH": str(SHIPPED.parent)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def children(pid: int) -> list[int]:
    """Return the processes that `pid` has started."""
    found: list[int] = []
    for task in Path(f"/proc/{pid}/task").iterdir():
        found += map(int, (task / "children").read_text().split())
    return found


def alive(pid: int) -> bool:
    """Tell whether a process still runs (a zombie does not)."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except FileNotFoundError:
        return False


def fly(rig: str, case: str, out: Path, capsys: pytest.CaptureFixture[str], *more: str) -> dict[str, Any]:
    """Fly a shipped rig and case with `--json`; return the object."""
    main(["run", str(SHIPPED / f"{rig}.toml"), "--case", case, "--json", "--out", str(out), *more])
    result: dict[str, Any] = json.loads(capsys.readouterr().out)
    return result


def closed(tape: Recording) -> bool:
    """Tell whether every valve is on its stop in the last frame."""
    truth = tape.frames["truth"]
    return bool(max(truth["ox_valve_pos"][-1].max(), truth["fuel_valve_pos"][-1].max()) <= CLOSED)


# ---- landings


@pytest.mark.parametrize("rig", RUNGS)
def test_nominal_lands(rig: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    result = fly(rig, "nominal", tmp_path / "run", capsys)
    assert result["verdict"] == "PASS"
    touchdown = result["touchdown"]
    assert touchdown["miss_m"] <= 5.0
    assert touchdown["vertical_speed_mps"] <= 2.0
    assert touchdown["lateral_speed_mps"] <= 1.0
    assert touchdown["tilt_deg"] <= 3.0
    assert (tmp_path / "run" / "report.html").stat().st_size > 10_000
    assert closed(read_tape(tmp_path / "run" / "tape.mcap"))


@pytest.mark.parametrize("rig", RUNGS)
def test_crs12_lands_in_its_time(rig: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    result = fly(rig, "crs12", tmp_path / "run", capsys)
    assert result["verdict"] == "PASS"
    assert 28.0 <= result["touchdown"]["t_s"] <= 38.0


@pytest.mark.parametrize(("case", "engine"), [("zq3_y1", 2), ("centre_out", 1)])
def test_lost_engines_are_explained(
    case: str, engine: int, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    result = fly("kernel", case, tmp_path / "run", capsys)
    assert result["verdict"] in ("PASS", "FAIL")
    kept = json.loads((tmp_path / "run" / "run.json").read_text())
    told = "\n".join(kept["findings"])
    assert f"engine {engine} fails" in told
    assert f"the flight computer holds engine {engine} for failed" in told
    assert f"the share of engine {engine} goes to " in told
    assert ("valve board of engine 2 is silent" in told) == (case == "zq3_y1")
    for name in ("ENG-DETECT", "ENG-FALSE", "ENG-SHARE", "ENG-DEAD"):
        assert result["requirements"][name] == "pass"
    ignition = next(float(f.split()[2]) for f in kept["findings"] if "ignition commanded" in f)
    assert kept["faults"][0]["onset_s"] == pytest.approx(ignition + 3.0)


# ---- the same bits


@pytest.mark.parametrize("case", CASES)
def test_every_rung_flies_the_same_signals(
    case: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    digests = {r: fly(r, case, tmp_path / r, capsys)["signals_sha256"] for r in RUNGS}
    if len(set(digests.values())) == 1:
        return
    first = read_tape(tmp_path / "kernel" / "tape.mcap").frames
    for rig in RUNGS[1:]:
        other = read_tape(tmp_path / rig / "tape.mcap").frames
        for record in first.dtype.names:
            same = first[record][: len(other)].tobytes() == other[record][: len(first)].tobytes()
            assert same, f"{case}: record {record} differs between kernel and {rig}"
    raise AssertionError(digests)


def test_the_digest_is_of_the_tape(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    result = fly("kernel", "nominal", tmp_path / "run", capsys)
    frames = read_tape(tmp_path / "run" / "tape.mcap").frames
    assert hashlib.sha256(frames.tobytes()).hexdigest() == result["signals_sha256"]
    other = fly("kernel", "nominal", tmp_path / "other", capsys, "--seed", "1")
    assert other["signals_sha256"] != result["signals_sha256"]


def test_alone_and_beside_seven_others(tmp_path: Path) -> None:
    """Board processes, so that the machine's scheduling has something to get wrong."""
    case = tmp_path / "short.toml"
    text = (SHIPPED / "cases" / "nominal.toml").read_text()
    case.write_text("time_limit_s = 4.0\n" + text + "\n[ignition]\nforced_at_s = 0.0\n")

    def once(index: int) -> str:
        with hil(
            "run",
            SHIPPED / "virtual.toml",
            "--case",
            case,
            "--json",
            "--out",
            tmp_path / str(index),
            cwd=tmp_path,
        ) as flying:
            out, err = flying.communicate(timeout=300)
        assert flying.returncode == 1, err
        digest: str = json.loads(out)["signals_sha256"]
        return digest

    alone = once(0)
    with ThreadPoolExecutor(8) as pool:
        beside = list(pool.map(once, range(1, 9)))
    assert set(beside) == {alone}


def test_rungs_are_as_fast_as_their_order(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Absolute speeds belong to benchmarks; here only that lower rungs are the faster ones."""
    speed = {r: fly(r, "nominal", tmp_path / r, capsys)["timing"]["times_real_time"] for r in RUNGS}
    assert speed["kernel"] > speed["in_process"] > speed["virtual"] > 1.0


# ---- killed in flight


def fly_with(
    monkeypatch: pytest.MonkeyPatch, rig: str, out: Path, act: Callable[[build.BuiltFlight, int], None]
) -> run.Run:
    """Fly `nominal` on a rig and call `act` with the flight after each frame is taped."""
    out.mkdir()

    def building(*args: Any, **kwargs: Any) -> build.BuiltFlight:
        built = build.build_flight(*args, **kwargs)
        write = built.tape.write

        def hooked(t_ns: int) -> None:
            write(t_ns)
            act(built, t_ns // 10_000_000)

        monkeypatch.setattr(built.tape, "write", hooked)
        return built

    monkeypatch.setattr(run, "build_flight", building)
    return run.run_flight(
        plan.load_plan(SHIPPED / f"{rig}.toml", "nominal"), seed=0, pace="lockstep", run_dir=out
    )


@pytest.mark.parametrize(
    ("rig", "victim"),
    [
        *(("virtual", name) for name in ("flight_computer", "engine_1", "engine_2", "engine_3")),
        *(emulated("emulated", name) for name in ("flight_computer", "engine_2")),
    ],
)
def test_a_killed_board_makes_the_others_safe(
    rig: str, victim: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    killed = 1200
    pids: dict[str, int] = {}

    def act(built: build.BuiltFlight, number: int) -> None:
        if number == killed:
            pids.update({board.name: board.pid for board in built.boards})  # type: ignore[attr-defined]
            os.kill(pids[victim], signal.SIGKILL)
            time.sleep(0.05)  # so that it is dead before the next frame, and the count below is exact

    result = fly_with(monkeypatch, rig, tmp_path / "run", act)
    assert result.exit_status == 3
    assert result.result["verdict"] == "ERROR"
    assert result.cause is not None
    assert result.cause.startswith(f"board {victim}: ")
    assert "signal 9" in result.cause
    tape = read_tape(tmp_path / "run" / "tape.mcap")
    assert tape.complete
    frames = tape.frames
    assert np.array_equal(frames["frame"], np.arange(len(frames)))
    assert tape.notes["outcome"]["cause"] == result.cause
    others = [slot for slot in range(3) if f"engine_{slot + 1}" != victim]
    # the flight computer's last command was sent in frame `killed` (or, if it still lived, one frame
    # later) and is heard one frame after; 60 ms on, the board must be in its shutdown sequence
    lost = killed + (0 if victim == "flight_computer" else 1)
    state = frames["status"]["state"][:, others]
    shutting = np.isin(state, SHUTTING).all(axis=1)
    assert not shutting[killed]
    assert int(np.argmax(shutting)) <= lost + 1 + 6
    for name in ("ox_valve_pos", "fuel_valve_pos"):
        assert frames["truth"][name][killed, others].max() > 0.1
        assert frames["truth"][name][-1, others].max() <= CLOSED
    assert result.details["boards_not_safe"] == []
    assert result.result["requirements"]["VALVE-LOSS"] == "pass"
    assert not [pid for pid in pids.values() if alive(pid)]


def test_a_killed_bench_leaves_nothing_behind(tmp_path: Path) -> None:
    """Wall pace, engines running: the boards notice by themselves, close, and end within 2 s."""
    case = tmp_path / "lit.toml"
    text = (SHIPPED / "cases" / "nominal.toml").read_text()
    case.write_text(text + "\n[ignition]\nforced_at_s = 0.0\n")
    out = tmp_path / "run"
    arguments = ("run", SHIPPED / "virtual.toml", "--case", case, "--pace", "wall", "--out", out)
    with hil(*arguments, cwd=tmp_path) as flying:
        tape = out / "tape.mcap"
        deadline = time.monotonic() + 60.0
        while time.monotonic() < deadline and not (tape.exists() and tape.stat().st_size > 500_000):
            time.sleep(0.05)
        boards = children(flying.pid)
        assert len(boards) == 4
        flying.kill()
        dead = time.monotonic()
        while time.monotonic() - dead < 2.0 and any(alive(pid) for pid in boards):
            time.sleep(0.02)
    left = [pid for pid in boards if alive(pid)]
    for pid in left:
        os.kill(pid, signal.SIGKILL)
    assert left == []
    back = read_tape(tape)
    assert not back.complete
    assert len(back.frames) >= 200
    assert back.frames["truth"]["lit"][-1].all()
    for number in (1, 2, 3):
        log = (out / f"engine_{number}.log").read_text()
        assert "valves closed" in log.splitlines()[-1] or "valves closed" in log.splitlines()[-2], log
        assert "SHUTDOWN" in log


@pytest.mark.parametrize("pace", ["lockstep", "wall"])
def test_an_interrupted_bench_leaves_nothing_behind(pace: str, tmp_path: Path) -> None:
    case = tmp_path / "long.toml"
    text = (SHIPPED / "cases" / "nominal.toml").read_text()
    case.write_text("time_limit_s = 600.0\n" + text.replace("4500.0]", "19000.0]"))
    out = tmp_path / "run"
    with hil(
        "run", SHIPPED / "virtual.toml", "--case", case, "--pace", pace, "--out", out, cwd=tmp_path
    ) as flying:
        tape = out / "tape.mcap"
        deadline = time.monotonic() + 60.0
        while time.monotonic() < deadline and not (tape.exists() and tape.stat().st_size > 300_000):
            time.sleep(0.01)
        boards = children(flying.pid)
        flying.send_signal(signal.SIGINT)
        _, err = flying.communicate(timeout=30)
    assert flying.returncode == 130, err
    assert len(boards) == 4
    assert not [pid for pid in boards if alive(pid)]
    assert "Traceback" not in err
    assert read_tape(tape).complete


def test_wall_pace_flies_in_real_time(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """On a machine that is not held up; a verdict INVALID is the machine's, and says so."""
    case = tmp_path / "short.toml"
    case.write_text("time_limit_s = 3.0\n" + (SHIPPED / "cases" / "nominal.toml").read_text())
    begin = time.monotonic()
    result = fly("virtual", str(case), tmp_path / "run", capsys, "--pace", "wall")
    assert time.monotonic() - begin >= 3.0
    assert result["verdict"] in ("FAIL", "INVALID")
    assert 2.9 <= result["wall_s"] <= 10.0
    assert result["timing"]["deadlines"]["missed"] >= 0
    assert closed(read_tape(tmp_path / "run" / "tape.mcap"))


# ---- tables and kernels that do not fit


def test_a_bus_table_that_does_not_match_is_2(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rig = tmp_path / "rig.toml"
    rig.write_text((SHIPPED / "virtual.toml").read_text())
    table = (SHIPPED / "bus.dbc").read_text()
    changed = table.replace("ENGINE_2_STATUS", "ENGINE_2_STATE")
    assert changed != table
    for text in (changed, "nonsense", table.replace("(0.00025,0)", "(0.0005,0)")):
        (tmp_path / "bus.dbc").write_text(text)
        for command in (["run", str(rig), "--out", str(tmp_path / "run")], ["check", str(rig)]):
            assert main(command) == 2
            err = capsys.readouterr().err
            assert err.count("\n") == 1
            assert f"hil: {tmp_path / 'bus.dbc'}: " in err


MINIMAL = SHIPPED / "kernels" / "minimal" / "minimal.c"


def rig_with_kernel(folder: Path, rig: str, kernel: str) -> Path:
    """Write a copy of a shipped rig that names another kernel."""
    (folder / "bus.dbc").write_bytes((SHIPPED / "bus.dbc").read_bytes())
    path = folder / "own.toml"
    path.write_text((SHIPPED / f"{rig}.toml").read_text() + f"\n[kernel]\n{kernel}\n")
    return path


@pytest.mark.parametrize("rig", ["kernel", "virtual", emulated("emulated")])
def test_the_example_kernel_lands_nominal(
    rig: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = rig_with_kernel(tmp_path, rig, f'name = "minimal"\nsources = ["{MINIMAL}"]')
    assert main(["run", str(path), "--json", "--out", str(tmp_path / "run")]) == 0
    assert json.loads(capsys.readouterr().out)["verdict"] == "PASS"
    kept = json.loads((tmp_path / "run" / "run.json").read_text())
    assert kept["versions"]["kernel"] == "minimal"


@pytest.mark.parametrize("rig", ["kernel", "virtual"])
@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("{FK_IF_VERSION,", "{FK_IF_VERSION + 1,"),
        ("sizeof(fk_if_config_t)", "sizeof(fk_if_config_t) - 8"),
        ("void fk_if_step(", "void fk_if_stop("),
        ("#include", "#includ"),
    ],
    ids=["version", "size", "function", "syntax"],
)
def test_a_kernel_that_does_not_fit_is_2_in_one_line(
    rig: str, old: str, new: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    source = MINIMAL.read_text()
    assert old in source
    (tmp_path / "mine.c").write_text(source.replace(old, new))
    path = rig_with_kernel(tmp_path, rig, 'name = "mine"\nsources = ["mine.c"]')
    assert main(["run", str(path), "--json", "--out", str(tmp_path / "run")]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.count("\n") == 1
    assert err.startswith("hil: kernel mine: ")
