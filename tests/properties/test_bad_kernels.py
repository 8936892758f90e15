"""Kernels with a planted fault: the verdict judges what the kernel put out, not what was let through."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path

import pytest

from hil.rig.model import KernelSpec
from hil.rig.plan import load_plan
from hil.rig.run import Run, run_flight

RIGS = Path(__file__).parents[2] / "rigs"
MINIMAL = RIGS / "kernels" / "minimal" / "minimal.c"
LAST_LINE = "    out->telemetry.plan_source = burning;\n"
WORK_BOUND = "FK_IF_MAX_ENGINES"
FRAME = "in->t_ns / 10000000"
OTHER = {"CMD-FINITE": "CMD-RANGE", "CMD-RANGE": "CMD-FINITE"}


def fly(rung: str, folder: Path, planted: str, change: Callable[[str], str] = str) -> Run:
    """Fly nominal with the example kernel, which does `planted` (C) at the end of each step.

    `change` has its source first.
    """
    source = change(MINIMAL.read_text(encoding="utf-8"))
    assert source.count(LAST_LINE) == 1
    folder.mkdir()
    own = folder / "planted.c"
    own.write_text(source.replace(LAST_LINE, LAST_LINE + f"    {planted}\n"), encoding="utf-8")
    plan = load_plan(RIGS / f"{rung}.toml", "nominal")
    rig = plan.rig.model_copy(update={"kernel": KernelSpec(name="planted", sources=(str(own),))})
    run = run_flight(dataclasses.replace(plan, rig=rig), seed=0, pace="lockstep", run_dir=folder)
    assert run.judgement is not None, run.cause
    return run


@pytest.mark.parametrize(
    ("planted", "name", "says"),
    [
        ("out->engine[0].ox_valve_cmd = NAN;", "CMD-FINITE", "at least 255 frames, first at t = 0.00 s"),
        ("out->fin_cmd_rad[3] = -INFINITY;", "CMD-FINITE", "at least 255 frames"),
        (
            f"if ({FRAME} == 120) out->telemetry.time_to_go_s = NAN;",
            "CMD-FINITE",
            "1 frame, first at t = 1.20 s",
        ),
        (f"if ({FRAME} == 1200) out->engine[1].fuel_valve_cmd = 1.5;", "CMD-RANGE", "first at t = 12.00 s"),
        (
            f"if ({FRAME} >= 1500) out->engine[2].gimbal_y_cmd_rad = 50.0;",
            "CMD-RANGE",
            "first at t = 15.00 s",
        ),
        (f"if ({FRAME} == 5) out->fin_cmd_rad[0] = 0.36;", "CMD-RANGE", "1 frame, first at t = 0.05 s"),
        (f"if ({FRAME} < 3) out->engine[0].request = 999;", "CMD-RANGE", "3 frames, first at t = 0.00 s"),
        (f"if ({FRAME} == 7) out->telemetry.mode = 7;", "CMD-RANGE", "1 frame, first at t = 0.07 s"),
        (f"if ({FRAME} == 7) out->telemetry.plan_source = -1;", "CMD-RANGE", "1 frame, first at t = 0.07 s"),
    ],
    ids=["nan", "inf", "telemetry", "valve", "gimbal", "fin", "request", "mode", "source"],
)
def test_bad_output_that_the_flight_computer_caught_still_fails(
    planted: str, name: str, says: str, tmp_path: Path
) -> None:
    run = fly("kernel", tmp_path / "run", planted)
    assert run.judgement is not None
    result = run.judgement.results[name]
    assert result.status == "fail"
    assert says in result.reason
    assert run.judgement.results[OTHER[name]].status == "pass"


@pytest.mark.parametrize("rung", ["kernel", "in_process"])
def test_a_kernel_that_works_more_than_it_states_fails(rung: str, tmp_path: Path) -> None:
    planted = f"if ({FRAME} >= 500 && {FRAME} < 503) out->telemetry.work = {WORK_BOUND} + {FRAME} - 499;"
    run = fly(rung, tmp_path / "run", planted)
    assert run.judgement is not None
    result = run.judgement.results["WORK-BOUND"]
    assert result.status == "fail"
    assert result.reason == "work above its bound of 40 in 3 frames, most at t = 5.02 s: 43"


@pytest.mark.parametrize(
    ("planted", "status"),
    [(f"out->telemetry.work = {WORK_BOUND};", "pass"), ("out->telemetry.work = 99999999;", "fail")],
)
def test_work_at_its_bound_passes_and_beyond_what_telemetry_carries_fails(
    planted: str, status: str, tmp_path: Path
) -> None:
    assert fly("kernel", tmp_path / "run", planted).result["requirements"]["WORK-BOUND"] == status


def test_a_kernel_that_states_no_bound_is_not_judged_by_one(tmp_path: Path) -> None:
    def states_none(text: str) -> str:
        assert text.count(WORK_BOUND) == 1
        return text.replace(WORK_BOUND, "0")

    run = fly("kernel", tmp_path / "run", "out->telemetry.work = 30000;", states_none)
    assert run.result["requirements"]["WORK-BOUND"] == "not exercised"


def test_the_margin_at_ignition_goes_from_the_kernel_to_the_object(tmp_path: Path) -> None:
    planted = "out->telemetry.ignition_margin_known = 1; out->telemetry.ignition_margin_s = -2.5;"
    runs = [fly(rung, tmp_path / rung, planted) for rung in ("kernel", "in_process")]
    assert [run.result["guidance"]["ignition_margin_s"] for run in runs] == [-2.5, -2.5]
    assert fly("kernel", tmp_path / "none", "").result["guidance"]["ignition_margin_s"] is None


def test_every_rung_sees_the_same_nan(tmp_path: Path) -> None:
    planted = f"if ({FRAME} % 7 == 6) out->engine[0].gimbal_x_cmd_rad = NAN;"
    runs = [fly(rung, tmp_path / rung, planted) for rung in ("kernel", "in_process", "virtual")]
    for run in runs:
        assert run.judgement is not None
        assert run.judgement.verdict == "FAIL"
        assert "first at t = 0.06 s" in run.judgement.results["CMD-FINITE"].reason
    assert len({run.result["signals_sha256"] for run in runs}) == 1


def test_a_step_that_the_rate_limit_turns_into_a_ramp_is_no_fault(tmp_path: Path) -> None:
    planted = f"out->engine[0].gimbal_x_cmd_rad = ({FRAME} % 2) ? 0.1 : -0.1;"
    run = fly("kernel", tmp_path / "run", planted)
    assert run.judgement is not None
    for name in ("CMD-FINITE", "CMD-RANGE", "CMD-RATE"):
        assert run.judgement.results[name].status == "pass", run.judgement.results[name].reason
