"""A stage that cannot land because its tanks are empty: what the kernel gives up is not healthy."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest

from hil.rig.plan import load_plan
from hil.rig.run import run_flight

RIG = Path(__file__).parents[2] / "rigs" / "kernel.toml"


@pytest.mark.parametrize("propellant_kg", [3000.0, 6500.0])
def test_an_engine_without_propellant_is_rightly_given_up(propellant_kg: float, tmp_path: Path) -> None:
    plan = load_plan(RIG, "nominal")
    initial = plan.case.initial.model_copy(update={"propellant_kg": propellant_kg})
    case = plan.case.model_copy(update={"initial": initial})
    run = run_flight(dataclasses.replace(plan, case=case), seed=0, pace="lockstep", run_dir=tmp_path)
    assert run.judgement is not None, run.cause
    held = [told for told in run.judgement.findings if "for failed" in told]
    assert held, "the kernel gives its dry engines up"
    for name in ("ENG-FALSE", "ENG-SHARE", "ENG-DEAD"):
        result = run.judgement.results[name]
        assert result.status != "fail", f"{name}: {result.reason}"
