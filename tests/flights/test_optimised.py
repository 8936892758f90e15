"""The braking burn along optimised plans: experimental, so switched on here in a copy of the vehicle."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest

from hil.rig.plan import load_plan
from hil.rig.run import run_flight
from hil.tape import read_tape

RIG = Path(__file__).parents[2] / "rigs" / "kernel.toml"
LAST_FRAMES = 300
"""The last 3 s belong to the closed form."""


@pytest.mark.parametrize("case", ["nominal", "crs12"])
def test_most_of_the_burn_follows_a_fresh_optimised_plan_and_lands(case: str, tmp_path: Path) -> None:
    plan = load_plan(RIG, case)
    guidance = plan.vehicle.guidance.model_copy(update={"optimise": True})
    plan = dataclasses.replace(plan, vehicle=plan.vehicle.model_copy(update={"guidance": guidance}))
    run = run_flight(plan, seed=0, pace="lockstep", run_dir=tmp_path)
    assert run.result["verdict"] == "PASS", run.details["findings"]
    telemetry = read_tape(tmp_path / "tape.mcap").frames["telemetry"]
    powered = np.flatnonzero((telemetry["mode"] == 2) | (telemetry["mode"] == 3))[:-LAST_FRAMES]
    followed = telemetry["plan_source"][powered] == 2
    assert followed.mean() > 0.9
    assert telemetry["plan_age_s"][powered].max() <= 1.0


def test_it_is_off_unless_switched_on(tmp_path: Path) -> None:
    run_flight(load_plan(RIG, "nominal"), seed=0, pace="lockstep", run_dir=tmp_path)
    telemetry = read_tape(tmp_path / "tape.mcap").frames["telemetry"]
    assert (telemetry["plan_source"] != 2).all()
