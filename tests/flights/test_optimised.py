"""The powered flight along optimised plans, as the reference kernel flies it, and without them."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest

from hil.rig.plan import load_plan
from hil.rig.run import run_flight
from hil.tape import read_tape

RIG = Path(__file__).parents[2] / "rigs" / "kernel.toml"


@pytest.mark.parametrize("case", ["nominal", "crs12", "zq3_y1"])
def test_nearly_all_of_the_burn_follows_fresh_optimised_plans(case: str, tmp_path: Path) -> None:
    run = run_flight(load_plan(RIG, case), seed=0, pace="lockstep", run_dir=tmp_path)
    assert run.result["verdict"] == "PASS", run.details["findings"]
    guidance = run.result["guidance"]
    assert guidance["optimised_share"] >= 0.95
    assert guidance["replans_per_s"] >= 2.0
    assert guidance["oldest_plan_s"] < 1.0


def test_the_closed_forms_land_where_optimising_is_switched_off(tmp_path: Path) -> None:
    plan = load_plan(RIG, "nominal")
    guidance = plan.vehicle.guidance.model_copy(update={"optimise": False})
    plan = dataclasses.replace(plan, vehicle=plan.vehicle.model_copy(update={"guidance": guidance}))
    run = run_flight(plan, seed=0, pace="lockstep", run_dir=tmp_path)
    assert run.result["verdict"] == "PASS", run.details["findings"]
    telemetry = read_tape(tmp_path / "tape.mcap").frames["telemetry"]
    assert (telemetry["plan_source"] != 2).all()
