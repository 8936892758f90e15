"""`hil run`: exit statuses, the JSON object, run folders, and one line for every error."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from hil.cli import main
from hil.faults.case import SHIPPED
from hil.plant.model import BoosterPlant
from hil.rig.model import load_rig
from hil.tape import read_tape
from hil.verdict import REQUIREMENTS, TOUCHDOWN_KEYS
from tests.cases import TOO_SHORT

KERNEL = SHIPPED / "kernel.toml"
KEYS = [
    "verdict",
    "rig",
    "case",
    "seed",
    "rungs",
    "sim_s",
    "wall_s",
    "touchdown",
    "guidance",
    "requirements",
    "timing",
    "signals_sha256",
    "run_dir",
]


@pytest.fixture
def case(tmp_path: Path) -> Path:
    """A case of one second: fails, because the stage does not touch down within it."""
    path = tmp_path / "short.toml"
    path.write_text(TOO_SHORT)
    return path


@pytest.fixture(autouse=True)
def _in_tmp(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("HIL_DEBUG", raising=False)
    return None


def run(*arguments: object) -> int:
    """Run `hil run` on the kernel rung with these arguments."""
    return main(["run", *map(str, arguments)])


# ---- exit statuses


def test_fail_is_1_and_the_object_is_the_contract(case: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(KERNEL, "--case", case, "--json") == 1
    out, err = capsys.readouterr()
    assert out.count("\n") == 1
    result = json.loads(out)
    assert list(result) == KEYS
    assert result["verdict"] == "FAIL"
    assert result["rig"] == "kernel"
    assert result["case"] == "short"
    assert result["seed"] == 0
    assert set(result["rungs"].values()) == {"kernel"}
    assert tuple(result["touchdown"]) == TOUCHDOWN_KEYS
    assert set(result["touchdown"].values()) == {None}
    assert list(result["requirements"]) == [r.id for r in REQUIREMENTS]
    assert set(result["requirements"].values()) <= {"pass", "fail", "not exercised"}
    assert 1.0 <= result["sim_s"] <= 3.0
    assert 0.0 < result["wall_s"] < 30.0
    assert len(result["signals_sha256"]) == 64
    assert "FAIL  short on kernel" in err
    assert "never touched down within 1 s" in err


def test_the_run_folder_says_everything(case: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(KERNEL, "--case", case, "--seed", 5, "--out", "here") == 1
    folder = Path("here")
    assert {p.name for p in folder.iterdir()} >= {"run.json", "tape.mcap", "report.html"}
    kept = json.loads((folder / "run.json").read_text())
    tape = read_tape(folder / "tape.mcap")
    assert kept["seed"] == tape.info["seed"] == 5
    assert kept["case_toml"] == tape.info["case_toml"] == TOO_SHORT
    assert kept["rig_toml"] == KERNEL.read_text()
    assert "zq3_class" in kept["vehicle_toml"]
    assert {"lastbrake", "kernel", "python", "numpy"} <= set(kept["versions"])
    assert kept["findings"]
    assert set(kept["requirement_reasons"]) == set(kept["requirements"])
    assert tape.complete
    assert tape.notes["outcome"]["reason"] == "time limit"
    assert "report   here/report.html" in capsys.readouterr().out


def test_a_plant_that_breaks_is_3_with_its_cause(
    case: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    inner = BoosterPlant.advance

    def breaks(self: BoosterPlant, t_ns: int) -> None:
        if t_ns == 500_000_000:
            raise ValueError("the state is\nnot finite")
        inner(self, t_ns)

    monkeypatch.setattr(BoosterPlant, "advance", breaks)
    assert run(KERNEL, "--case", case, "--json") == 3
    out, err = capsys.readouterr()
    result = json.loads(out)
    assert result["verdict"] == "ERROR"
    assert "hil: plant: ValueError: the state is not finite" in err
    assert "Traceback" not in err
    kept = json.loads((Path(result["run_dir"]) / "run.json").read_text())
    assert kept["cause"] == "plant: ValueError: the state is not finite"
    frames = read_tape(Path(result["run_dir"]) / "tape.mcap").frames
    assert len(frames) >= 50
    assert np.array_equal(frames["frame"], np.arange(len(frames)))


def test_a_disk_that_fills_up_is_3(
    case: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    inner = os.write

    def full(fd: int, data: bytes) -> int:
        if Path(f"/proc/self/fd/{fd}").readlink().name == "tape.mcap" and os.fstat(fd).st_size > 50_000:
            raise OSError(28, "No space left on device")
        return inner(fd, data)

    case.write_text(TOO_SHORT.replace("time_limit_s = 1.0", "time_limit_s = 5.0"))
    monkeypatch.setattr(os, "write", full)
    assert run(KERNEL, "--case", case, "--json") == 3
    out, err = capsys.readouterr()
    result = json.loads(out)
    assert f"hil: tape {result['run_dir']}/tape.mcap: the disk is full" in err
    assert "Traceback" not in err
    assert len(read_tape(Path(result["run_dir"]) / "tape.mcap").frames) > 0


def test_late_frames_are_4(
    case: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    inner = BoosterPlant.advance

    def slow(self: BoosterPlant, t_ns: int) -> None:
        inner(self, t_ns)
        time.sleep(0.015)

    monkeypatch.setattr(BoosterPlant, "advance", slow)
    assert run(KERNEL, "--case", case, "--json", "--pace", "wall") == 4
    out, err = capsys.readouterr()
    result = json.loads(out)
    assert result["verdict"] == "INVALID"
    assert result["timing"]["deadlines"]["missed"] > 50
    assert "plant" in result["timing"]["deadlines"]["causes"]
    assert "nothing is proven" in err


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_ctrl_c_makes_safe_and_is_130(case: Path, number: signal.Signals) -> None:
    case.write_text(TOO_SHORT.replace("time_limit_s = 1.0", "time_limit_s = 60.0"))
    command = [sys.executable, "-c", "import sys; from hil.cli import main; sys.exit(main())"]
    command += ["run", str(KERNEL), "--case", str(case), "--pace", "wall", "--out", "cut", "--json"]
    root = str(Path(__file__).parents[2])
    with subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": root},
    ) as flying:
        tape = Path("cut/tape.mcap")
        deadline = time.monotonic() + 60.0
        while time.monotonic() < deadline and (not tape.exists() or tape.stat().st_size < 200_000):
            time.sleep(0.05)
        flying.send_signal(number)
        out, err = flying.communicate(timeout=60)
    assert flying.returncode == 130, err
    assert json.loads(out)["verdict"] == "INVALID"
    assert f"interrupted ({number.name})" in err
    assert "Traceback" not in err
    back = read_tape(tape)
    assert back.complete
    for name in ("ox_valve_pos", "fuel_valve_pos"):
        assert back.frames["truth"][name][-1].max() <= 0.01


def test_live_rigs_are_3_and_name_what_is_missing(capsys: pytest.CaptureFixture[str]) -> None:
    for command, what in (("run", "rig bench_example is live and not armed"), ("check", "can.engine: ")):
        assert main([command, str(SHIPPED / "bench_example.toml")]) == 3
        _, err = capsys.readouterr()
        assert err.startswith(f"hil: {what}")
        assert err.count("\n") == 1


# ---- many seeds


def test_seeds_fly_in_a_row(case: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(KERNEL, "--case", case, "--seeds", "3:6", "--out", "many") == 1
    out, err = capsys.readouterr()
    results = [json.loads(line) for line in out.splitlines()]
    assert [r["seed"] for r in results] == [3, 4, 5]
    told = err.splitlines()
    assert [line[: len("hil: seed 3 FAIL: TD-")] for line in told[:3]] == [
        f"hil: seed {seed} FAIL: TD-" for seed in (3, 4, 5)
    ]
    assert "TD-STANDS (" in told[0]
    assert told[3:] == [
        "hil: 0 of 3 flights PASS (3 FAIL): rate of success 0.00 to 70.76 % (95 %, Clopper-Pearson)"
    ]
    assert len({r["signals_sha256"] for r in results}) == 3
    assert sorted(p.name for p in Path("many").iterdir()) == ["seed-3", "seed-4", "seed-5"]
    assert not list(Path("many").rglob("report.html"))
    assert run(KERNEL, "--case", case, "--seed", 4, "--json") == 1
    assert json.loads(capsys.readouterr().out)["signals_sha256"] == results[1]["signals_sha256"]


def test_the_worst_status_counts(
    case: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    inner, flights = BoosterPlant.__init__, []

    def breaks_second(self: BoosterPlant, *args: Any, **kwargs: Any) -> None:
        flights.append(1)
        inner(self, *args, **kwargs)
        if len(flights) == 4:  # each flight warms up with a plant of its own
            self.advance = lambda t_ns: 1 / 0  # type: ignore[assignment,method-assign]

    monkeypatch.setattr(BoosterPlant, "__init__", breaks_second)
    assert run(KERNEL, "--case", case, "--seeds", "0:3") == 3
    verdicts = [json.loads(line)["verdict"] for line in capsys.readouterr().out.splitlines()]
    assert verdicts == ["FAIL", "ERROR", "FAIL"]


def test_jobs_fly_the_same_flights_in_the_same_order(case: Path, capsys: pytest.CaptureFixture[str]) -> None:
    told = []
    for jobs in (1, 3):
        assert run(KERNEL, "--case", case, "--seeds", "3:8", "--jobs", jobs, "--out", f"by-{jobs}") == 1
        out, err = capsys.readouterr()
        results = [json.loads(line) for line in out.splitlines()]
        assert [r["seed"] for r in results] == [3, 4, 5, 6, 7]
        assert [r["run_dir"] for r in results] == [f"by-{jobs}/seed-{seed}" for seed in range(3, 8)]
        assert all((Path(r["run_dir"]) / "run.json").is_file() for r in results)
        told.append(([r["signals_sha256"] for r in results], err))
    assert told[0] == told[1]


def test_a_bad_file_ends_all_jobs(case: Path, capsys: pytest.CaptureFixture[str]) -> None:
    Path("many/seed-5").mkdir(parents=True)
    Path("many/seed-5/run.json").write_text("")
    assert run(KERNEL, "--case", case, "--seeds", "4:40", "--jobs", 2, "--out", "many") == 2
    assert capsys.readouterr().err == ("hil: --out many/seed-5: holds a run already; name another folder\n")
    assert len(list(Path("many").iterdir())) <= 3


@pytest.mark.parametrize("whom", ["the parent", "all"])
def test_ctrl_c_ends_every_job(case: Path, whom: str) -> None:
    case.write_text(TOO_SHORT.replace("time_limit_s = 1.0", "time_limit_s = 60.0"))
    main_file = Path("hil_main.py")
    main_file.write_text(
        "import sys\nfrom hil.cli import main\nif __name__ == '__main__':\n    sys.exit(main())\n"
    )
    command = [sys.executable, str(main_file), "run", str(KERNEL), "--case", str(case)]
    command += ["--seeds", "0:100000", "--jobs", "2", "--out", "cut"]
    with subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])},
    ) as flying:
        children: list[int] = []
        deadline = time.monotonic() + 60.0
        while time.monotonic() < deadline and not list(Path("cut").glob("*/run.json")):
            children = [int(pid) for pid in _children(flying.pid) if _is_job(int(pid))]
            time.sleep(0.05)
        assert len(children) == 2
        for pid in [flying.pid] if whom == "the parent" else [*children, flying.pid]:
            os.kill(pid, signal.SIGINT)
        out, err = flying.communicate(timeout=60)
    assert flying.returncode == 130, err
    results = [json.loads(line) for line in out.splitlines()]
    assert [r["seed"] for r in results] == list(range(len(results)))
    assert "Traceback" not in err
    assert "interrupted (SIGINT): not every seed was flown" in err
    assert not any(Path(f"/proc/{pid}").exists() for pid in children)
    for result in results:
        assert read_tape(Path(result["run_dir"]) / "tape.mcap").complete


def _children(pid: int) -> list[str]:
    return Path(f"/proc/{pid}/task/{pid}/children").read_text().split()


def _is_job(pid: int) -> bool:
    return "resource_tracker" not in Path(f"/proc/{pid}/cmdline").read_text()


def test_a_job_that_dies_is_3(case: Path, capsys: pytest.CaptureFixture[str]) -> None:
    def kill_first() -> None:
        deadline = time.monotonic() + 60.0
        while time.monotonic() < deadline and not list(Path("many").glob("*/tape.mcap")):
            time.sleep(0.01)
        jobs = [pid for pid in _children(os.getpid()) if _is_job(int(pid))]
        os.kill(int(jobs[0]), signal.SIGKILL)

    killer = threading.Thread(target=kill_first)
    killer.start()
    case.write_text(TOO_SHORT.replace("time_limit_s = 1.0", "time_limit_s = 60.0"))
    status = run(KERNEL, "--case", case, "--seeds", "0:100000", "--jobs", 2, "--out", "many")
    killer.join()
    assert status == 3
    err = capsys.readouterr().err
    assert err.count("\n") == 1
    assert "the process that flew it died (exit status -9)" in err


def test_jobs_need_seeds_and_wires_of_their_own(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(KERNEL, "--jobs", 2) == 2
    assert capsys.readouterr().err == "hil: --jobs: several flights need --seeds A:B\n"
    assert run(KERNEL, "--seeds", "0:2", "--jobs", 2, "--pace", "wall") == 2
    assert "--jobs 2: flights at once need virtual wires" in capsys.readouterr().err
    assert not load_rig(SHIPPED / "bench_example.toml").is_virtual
    assert all(load_rig(SHIPPED / f"{rig}.toml").is_virtual for rig in ("kernel", "in_process", "virtual"))
    for jobs in ("0", "257", "two"):
        assert run(KERNEL, "--seeds", "0:2", "--jobs", jobs) == 2


# ---- run folders


def test_an_earlier_run_is_never_overwritten(case: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folders = []
    for _ in range(3):
        run(KERNEL, "--case", case, "--json")
        folders.append(json.loads(capsys.readouterr().out)["run_dir"])
    assert folders == ["runs/kernel-short-0", "runs/kernel-short-0.2", "runs/kernel-short-0.3"]
    assert run(KERNEL, "--case", case, "--out", folders[0]) == 2
    assert "holds a run already" in capsys.readouterr().err


def test_a_folder_that_cannot_be_made_is_2(case: Path, capsys: pytest.CaptureFixture[str]) -> None:
    Path("file").write_text("")
    assert run(KERNEL, "--case", case, "--out", "file/below") == 2
    assert capsys.readouterr().err.count("\n") == 1


def test_the_report_can_be_written_again(case: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run(KERNEL, "--case", case, "--out", "here")
    Path("here/report.html").unlink()
    capsys.readouterr()
    assert main(["report", "here"]) == 0
    assert capsys.readouterr().out == "here/report.html\n"
    assert Path("here/report.html").stat().st_size > 1000
    assert main(["report", "nowhere"]) == 2
    assert "nowhere: no such run folder" in capsys.readouterr().err


# ---- bad usage and bad files


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["fly"],
        ["run"],
        ["run", "x", "--seed", "-1"],
        ["run", "x", "--seed", "1.5"],
        ["run", "x", "--seeds", "5"],
        ["run", "x", "--seeds", "5:5"],
        ["run", "x", "--seed", "1", "--seeds", "0:2"],
        ["run", "x", "--pace", "fast"],
    ],
)
def test_bad_usage_is_2(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(arguments) == 2
    assert "usage: hil" in capsys.readouterr().err


def test_help_is_0(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--help"]) == 0
    assert "130 interrupted" in capsys.readouterr().out


BAD_RIGS = [
    ("frame_ms = 10", "frame_mss = 10", "unknown key 'timing.frame_mss'"),
    ("frame_ms = 10", "frame_ms = 1000", "(allowed: 1 to 20 ms)"),
    ("frame_ms = 10", 'frame_ms = "ten"', "'timing.frame_ms' = 'ten'"),
    ("plant_step_us = 1000", "plant_step_us = 10", "(allowed: 50 to 1000 us)"),
    ("plant_step_us = 1000", "plant_step_us = 300", "not a whole number of such steps"),
    ("[timing]", "[timing", "broken TOML"),
    ("node = 2", "node = 3", "the same node"),
    ("node = 2", "node = 41", "'board.engine_2.node' = 41"),
    (
        'firmware = "flight_computer"',
        'firmware = "autopilot"',
        "'board.flight_computer.firmware' = 'autopilot'",
    ),
    ('backend = "in_process"', 'backend = "process"', "in_process boards only"),
]


@pytest.mark.parametrize(("old", "new", "says"), BAD_RIGS, ids=[says for *_, says in BAD_RIGS])
def test_bad_rigs_are_2_in_one_line(
    tmp_path: Path, old: str, new: str, says: str, capsys: pytest.CaptureFixture[str]
) -> None:
    rig = tmp_path / "rig.toml"
    text = KERNEL.read_text()
    assert old in text
    rig.write_text(text.replace(old, new, 1))
    assert run(rig) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.count("\n") == 1
    assert err.startswith(f"hil: {rig}: ")
    assert says in err
    assert not Path("runs").exists()


def test_a_missing_database_is_2(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rig = tmp_path / "rig.toml"
    rig.write_text((SHIPPED / "virtual.toml").read_text())
    assert run(rig) == 2
    assert f"key 'can.engine.database': {tmp_path}/bus.dbc: no such file" in capsys.readouterr().err


def test_bad_cases_are_2_in_one_line(case: Path, capsys: pytest.CaptureFixture[str]) -> None:
    changes = [
        ("time_limit_s = 1.0", "time_limit_s = 1e9", "(allowed: 1 to 600 s)"),
        ("zq3_class", "zq3_klass", "no such vehicle"),
        ("[initial]", "[weather]\n[initial]", "unknown key 'weather'"),
        ("-300.0]", '-300.0]\n[[fault]]\nkind = "gimbal.stuck"\nengine = 9\nat_s = 1.0', "fault.0.engine"),
        ("-300.0]", '-300.0]\n[[fault]]\nkind = "board.silent"\nboard = "x"\nat_s = 1.0', "fault.0.board"),
    ]
    for old, new, says in changes:
        case.write_text(TOO_SHORT.replace(old, new))
        assert run(KERNEL, "--case", case) == 2
        err = capsys.readouterr().err
        assert err.count("\n") == 1
        assert f"hil: {case}: " in err
        assert says in err


def test_a_bad_vehicle_is_2_in_one_line(
    tmp_path: Path, case: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "vehicles").mkdir()
    text = (SHIPPED / "vehicles" / "zq3_class.toml").read_text()
    broken = text.replace("throttle_floor", "throttle_flor", 1)
    assert broken != text
    (tmp_path / "vehicles" / "zq3_class.toml").write_text(broken)
    assert run(KERNEL, "--case", case) == 2
    err = capsys.readouterr().err
    assert err.count("\n") == 1
    assert "unknown key 'engine.throttle_flor'" in err


def test_a_landing_engine_without_board_is_2(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rig = tmp_path / "rig.toml"
    text = KERNEL.read_text()
    rig.write_text(text[: text.index("[board.engine_3]")])
    assert run(rig) == 2
    err = capsys.readouterr().err
    assert err.count("\n") == 1
    assert not list(Path("runs").iterdir())
    assert "engine 3 of zq3_class lands but has no board" in err


def test_nothing_ever_shows_a_traceback(case: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("hil.cli.run.load_plan", lambda *_: 1 / 0)
    assert run(KERNEL, "--case", case) == 3
