"""Properties: what they say of a good flight, and of flights in which what they are about went wrong."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings

from hil.faults.case import SHIPPED, Case, FaultSpec
from hil.rig.plan import load_plan
from hil.search import off_nominal_cases
from hil.search.flying import Flown, Flyer
from hil.search.properties import PROPERTIES, Trial
from hil.search.relatives import in_the_mirror, milder, quiet, swap
from hil.signals import REQUESTS
from hil.verdict import REQUIREMENTS

PLAN = load_plan(SHIPPED / "kernel.toml", "nominal")
ENGINES = PLAN.vehicle.landing_engines


@pytest.fixture(scope="module")
def flyer() -> Flyer:
    return Flyer(PLAN)


class Changed(Trial):
    """A trial whose flight was written over."""

    def __init__(self, flyer: Flyer, change: Callable[[Any], None]) -> None:
        super().__init__(flyer, PLAN.case)
        flown = flyer.fly(PLAN.case)
        frames = flown.tape.frames.copy()
        change(frames)
        self._changed = Flown(flown.case, dataclasses.replace(flown.tape, frames=frames), flown.onsets)

    @property
    def flown(self) -> Flown:
        return self._changed


def test_every_requirement_has_its_property() -> None:
    for requirement in REQUIREMENTS:
        assert PROPERTIES[requirement.id.lower()].requirements == (requirement.id,)


@pytest.mark.parametrize("name", PROPERTIES)
def test_the_nominal_flight_breaks_none(name: str, flyer: Flyer) -> None:
    outcome = PROPERTIES[name].look(Trial(flyer, PLAN.case))
    assert outcome.margin is None or outcome.margin >= 0.0, outcome.reason


def not_a_number(frames: Any) -> None:
    frames["telemetry"]["accel_cmd_pad_mps2"][1500, 1] = np.nan


def too_many_starts(frames: Any) -> None:
    for begin in (1000, 1100, 1200):
        frames["command"]["request"][begin : begin + 50, 0] = REQUESTS.index("START")
        frames["command"]["request"][begin + 50 : begin + 100, 0] = REQUESTS.index("SAFE")


def stale_plan(frames: Any) -> None:
    frames["telemetry"]["time_to_go_s"][1800:] = frames["telemetry"]["time_to_go_s"][1400]


@pytest.mark.parametrize(
    ("name", "change", "told"),
    [
        ("never-nan", not_a_number, "telemetry.accel_cmd_pad_mps2 is no number at t = 15.00 s"),
        ("starts", too_many_starts, "engine 1 was told to start 4 times"),
        ("tracks-plan", stale_plan, "off the touchdown that comes"),
    ],
)
def test_what_goes_wrong_is_seen_and_told(
    name: str, change: Callable[[Any], None], told: str, flyer: Flyer
) -> None:
    outcome = PROPERTIES[name].look(Changed(flyer, change))
    assert outcome.margin is not None
    assert outcome.margin < 0.0
    assert told in outcome.reason


def test_a_loss_is_told_by_the_requirement_that_is_broken_worst(flyer: Flyer) -> None:
    fault = FaultSpec(kind="tank.load_error", at_s=0.0, tank="fuel", missing_kg=1500.0)
    trial = Trial(flyer, PLAN.case.model_copy(update={"fault": (fault,)}))
    outcome = PROPERTIES["lands"].look(trial)
    assert outcome.margin is not None
    assert outcome.margin < 0.0
    assert outcome.requirement in trial.flown.broken
    assert PROPERTIES["milder-is-not-worse"].look(trial).margin is None


def test_a_fault_that_breaks_a_property_by_itself_is_not_its_business() -> None:
    stuck = FaultSpec(kind="valve.stuck", after_ignition_s=5.0, engine=1, valve="fuel")
    case = PLAN.case.model_copy(update={"fault": (stuck,)})
    assert not PROPERTIES["valve-end"].is_about(case)
    assert PROPERTIES["lands"].is_about(case)


@settings(max_examples=50, deadline=None)
@given(off_nominal_cases(PLAN.case, ENGINES))
def test_the_mirror_image_of_the_mirror_image_is_the_case(case: Case) -> None:
    still = quiet(case)
    assert still.wind.gust_w20_mps == 0.0
    for axis in ("x", "y"):
        image = in_the_mirror(still, PLAN.vehicle, axis)
        assert image is not None
        again = in_the_mirror(image, PLAN.vehicle, axis)
        assert again is not None
        assert again.model_dump(exclude={"fault"}) == still.model_dump(exclude={"fault"})
        for fault, back in zip(still.fault, again.fault, strict=True):
            assert fault.model_dump(exclude={"towards_deg"}) == back.model_dump(exclude={"towards_deg"})


def test_outer_engines_change_places_in_the_mirror() -> None:
    assert swap(PLAN.vehicle, "x") == {1: 1, 2: 3, 3: 2}
    assert swap(PLAN.vehicle, "y") == {1: 1, 2: 2, 3: 3}


def test_milder_is_half_way_to_the_mildest() -> None:
    fault = FaultSpec(kind="gimbal.slow", after_ignition_s=5.0, engine=2, rate=0.1, heals_after_s=2.0)
    half = milder(fault)
    assert (half.rate, half.heals_after_s, half.engine) == (0.3, 1.0, 2)


def test_lost_frames_within_the_budget_change_nothing() -> None:
    plan = load_plan(SHIPPED / "in_process.toml", "nominal")
    outcome = PROPERTIES["wires-within-budget"].look(Trial(Flyer(plan), plan.case))
    assert outcome.margin == 1.0, outcome.reason
