"""When the kernel lights, and what that is worth when an engine then fails."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from hil.cli.main import main
from hil.tape import read_tape

RIG = Path(__file__).parents[2] / "rigs" / "kernel.toml"
IGNITION = 1
LATE_S = 1.8
"""Of the two seconds to spare; at the very end the margins of the touchdown are spent too."""

NOMINAL = """
vehicle = "zq3_class"
description = "An engine fails 3 s after ignition."
[initial]
pos_pad_m = [120.0, -60.0, 4500.0]
vel_pad_mps = [-6.0, 3.0, -330.0]
[wind]
mean_mps = [8.0, -3.0]
"""


def fly(case: str, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> dict[str, object]:
    """Fly a case on the kernel rung; return the object that --json prints."""
    main(["run", str(RIG), "--case", case, "--json", "--out", str(tmp_path / "run")])
    result: dict[str, object] = json.loads(capsys.readouterr().out)
    return result


def ignition_time(run_dir: Path) -> float:
    """Return when a recorded flight commanded its landing-burn ignition, in s."""
    tape = read_tape(run_dir / "tape.mcap")
    lit = (tape.frames["telemetry"]["mode"] == IGNITION).argmax()
    return float(tape.timing["t_ns"][lit]) * 1e-9


def test_two_seconds_are_left_at_ignition(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    guidance = fly("nominal", capsys, tmp_path)["guidance"]
    assert isinstance(guidance, dict)
    assert guidance["ignition_margin_s"] >= 2.0


@pytest.mark.parametrize("engine", [1, 2, 3])
def test_the_loss_of_any_engine_is_borne_after_a_late_start(
    engine: int, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    fly("nominal", capsys, tmp_path)
    late_s = ignition_time(tmp_path / "run") + LATE_S
    loss = f'[[fault]]\nkind = "engine.out"\nengine = {engine}\nafter_ignition_s = 3.0\ntail_off_s = 0.2\n'
    case = tmp_path / "late.toml"
    case.write_text(f"{NOMINAL}[ignition]\nforced_at_s = {late_s}\n{loss}")
    assert fly(str(case), capsys, tmp_path / "late")["verdict"] == "PASS"


@pytest.mark.parametrize("lost", [(1, 2), (1, 2, 3)])
def test_a_stage_that_cannot_land_comes_down_outside_the_keep_out(
    lost: tuple[int, ...], capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    losses = "".join(
        f'[[fault]]\nkind = "engine.out"\nengine = {engine}\nafter_ignition_s = 3.0\ntail_off_s = 0.2\n'
        for engine in lost
    )
    case = tmp_path / "lost.toml"
    case.write_text(NOMINAL + losses)
    result = fly(str(case), capsys, tmp_path)
    requirements = result["requirements"]
    assert isinstance(requirements, dict)
    assert result["verdict"] == "FAIL"
    assert requirements["KEEP-OUT"] == "pass"
