"""`hil climb`: one case up the ladder, what is identical and what parts, and its exit statuses."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from hil.cli import main
from hil.faults.case import SHIPPED
from hil.tape import read_tape
from tests.cases import TOO_SHORT

KERNEL, IN_PROCESS = SHIPPED / "kernel.toml", SHIPPED / "in_process.toml"
SILENT_FIFTH = '\n[[fault]]\nkind = "board.silent"\nboard = "engine_3"\nat_s = 0.2\n'
ENGINE_3 = '[board.engine_3]\nfirmware = "engine_valve"\nbackend = "in_process"\nnode = 3\n'


@pytest.fixture(autouse=True)
def _in_tmp(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def case(tmp_path: Path) -> Path:
    """A case of one second, which fails on every rung."""
    path = tmp_path / "short.toml"
    path.write_text(TOO_SHORT)
    return path


def own_rig(tmp_path: Path, name: str, change: str) -> Path:
    """Return a copy of the kernel rig under another name, with something appended."""
    path = tmp_path / f"{name}.toml"
    text = KERNEL.read_text().replace('name = "kernel"', f'name = "{name}"')
    path.write_text(f"{text}\n{change}")
    return path


def climb(*arguments: object) -> int:
    """Run `hil climb` with these arguments."""
    return main(["climb", *map(str, arguments)])


def test_rungs_that_agree_to_the_bit_are_identical(capsys: pytest.CaptureFixture[str]) -> None:
    assert climb("nominal", KERNEL, IN_PROCESS, "--seed", 5, "--json", "--out", "up") == 0
    out, err = capsys.readouterr()
    told = json.loads(out)
    assert out.count("\n") == 1
    assert (told["verdict"], told["case"], told["seed"]) == ("PASS", "nominal", 5)
    assert [flown["rig"] for flown in told["flown"]] == ["kernel", "in_process"]
    assert told["divergence"] == [{"from": "kernel", "to": "in_process", "identical": True}]
    assert told["left_out"] == []
    assert read_tape(Path("up/1-kernel/tape.mcap")).info["seed"] == 5
    assert Path("up/2-in_process/run.json").is_file()
    assert "kernel -> in_process  identical" in err
    assert "real: none; virtual: flight_computer engine_1 engine_2 engine_3 (in_process)" in err


def test_rungs_that_agree_on_fail_are_1(case: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert climb(case, KERNEL, IN_PROCESS) == 1
    out = capsys.readouterr().out
    assert out.strip().startswith("FAIL")
    assert "DISAGREE" not in out


def test_where_kernels_differ_the_first_divergence_is_told(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    idle = tmp_path / "idle.c"
    text = (SHIPPED / "kernels" / "minimal" / "minimal.c").read_text()
    last = "    out->telemetry.plan_source = burning;\n"
    assert text.count(last) == 1
    idle.write_text(text.replace(last, "    memset(out, 0, sizeof *out);\n"))
    rig = own_rig(tmp_path, "idle", f'[kernel]\nname = "idle"\nsources = ["{idle}"]\n')
    assert climb("nominal", KERNEL, rig, "--json") == 1
    out, err = capsys.readouterr()
    told = json.loads(out)
    assert told["verdict"] == "DISAGREE"
    parted = told["divergence"][0]
    assert parted["identical"] is False
    assert parted["signal"].split(".")[0] in ("command", "actuator", "telemetry")
    one, two = (read_tape(Path(flown["run_dir"]) / "tape.mcap").frames for flown in told["flown"])
    assert one[: parted["frame"]].tobytes() == two[: parted["frame"]].tobytes()
    assert one[parted["frame"]].tobytes() != two[parted["frame"]].tobytes()
    assert "DISAGREE: the rungs do not give the same verdict: kernel PASS, idle FAIL" in err


def test_a_rig_that_does_not_support_the_faults_is_told_and_left_out(
    case: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    case.write_text(TOO_SHORT + SILENT_FIFTH)
    text = KERNEL.read_text()
    poor = tmp_path / "poor.toml"
    parts = text.split("[board.engine_3]")
    assert len(parts) == 2
    poor.write_text(parts[0].replace('name = "kernel"', 'name = "poor"'))
    assert climb(case, KERNEL, poor) == 1
    out = capsys.readouterr().out
    assert "poor  not supported: " in out
    assert "the rig has no such board" in out
    assert climb(case, poor) == 2
    assert "no rig supports the case: poor: not supported" in capsys.readouterr().err


def test_a_live_rig_that_is_not_armed_is_3_and_nothing_flies(
    case: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert climb(case, KERNEL, SHIPPED / "bench_example.toml", "--out", "up") == 3
    out, err = capsys.readouterr()
    assert out == ""
    assert err.count("\n") == 1
    assert "rig bench_example is live and not armed" in err
    assert not Path("up").exists()


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("nowhere", KERNEL), "no such file"),
        (("nominal", "nowhere.toml"), "nowhere.toml"),
        (("nominal", KERNEL, "--arm-igniter"), "--arm-igniter"),
    ],
)
def test_bad_files_and_wishes_are_2_before_anything_flies(
    arguments: tuple[object, ...], says: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert climb(*arguments) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert says in err
    assert not Path("runs").exists()
