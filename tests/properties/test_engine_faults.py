"""Engines late, weak and out at any moment, from any state: what holds whatever happens."""

from __future__ import annotations

import dataclasses
import shutil
import tempfile
from pathlib import Path

from hypothesis import HealthCheck, example, given, settings

from hil.faults.case import Case, FaultSpec
from hil.rig.model import KernelSpec
from hil.rig.plan import Plan, load_plan
from hil.rig.run import Run, run_flight
from hil.search import off_nominal_cases

RIG = Path(__file__).parents[2] / "rigs" / "kernel.toml"
PLAN = load_plan(RIG, "nominal")
KINDS = ("engine.late_ignition", "engine.thrust_shortfall", "engine.out")
ALWAYS = ("CMD-FINITE", "CMD-RANGE", "VALVE-END")
"""Hold on every flight; ENG-DEAD as soon as an engine was lost."""


def fly(case: Case, plan: Plan = PLAN) -> Run:
    """Fly a case on the kernel rung."""
    with tempfile.TemporaryDirectory() as folder:
        return run_flight(
            dataclasses.replace(plan, case=case), seed=case.seed, pace="lockstep", run_dir=Path(folder)
        )


def lost_before_ignition(engine: int) -> Case:
    """A case whose engine never lights."""
    fault = FaultSpec(kind="engine.out", at_s=0.0, engine=engine, tail_off_s=0.1)
    return PLAN.case.model_copy(update={"fault": (fault,)})


def two_late_engines() -> Case:
    """A case that cannot be landed: found by this test, the kernel once burned on after the crash."""
    faults = tuple(
        FaultSpec(kind="engine.late_ignition", at_s=0.0, engine=engine, delay_s=3.0) for engine in (1, 3)
    )
    return PLAN.case.model_copy(update={"fault": faults})


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(off_nominal_cases(PLAN.case, PLAN.vehicle.landing_engines, kinds=KINDS))
@example(lost_before_ignition(1))
@example(lost_before_ignition(2))
@example(two_late_engines())
def test_no_bad_command_no_dead_engine_and_every_valve_closed(case: Case) -> None:
    run = fly(case)
    assert run.judgement is not None, run.cause
    results = run.judgement.results
    for name in ALWAYS:
        assert results[name].status == "pass", f"{name}: {results[name].reason}"
    assert results["ENG-DEAD"].status != "fail", results["ENG-DEAD"].reason


def test_a_kernel_that_forgets_its_dead_engines_is_caught(tmp_path: Path) -> None:
    sources = tmp_path / "csrc"
    shutil.copytree(RIG.parents[1] / "csrc", sources)
    allocation = sources / "fk_alloc.c"
    text = allocation.read_text(encoding="utf-8")
    assert "if (e->failed || " in text
    allocation.write_text(text.replace("if (e->failed || ", "if ("), encoding="utf-8")
    kernel = KernelSpec(name="forgetful", sources=tuple(str(p) for p in sorted(sources.glob("*.c"))))
    rig = PLAN.rig.model_copy(update={"kernel": kernel})
    run = fly(lost_before_ignition(2), dataclasses.replace(PLAN, rig=rig))
    assert run.judgement is not None, run.cause
    assert run.judgement.results["ENG-DEAD"].status == "fail"
