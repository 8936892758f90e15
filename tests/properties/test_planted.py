"""Kernels with a planted defect are caught, each within 200 examples and by a case of at most two faults.

What shows in flight is found by `hil search --property suite`; what no wire can carry, such as a NaN, by the
stateful test of the kernel's modes."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis.stateful import run_state_machine_as_test

from hil.faults.case import SHIPPED
from hil.rig.plan import load_plan
from hil.search.hunt import hunt
from hil.search.wording import case_words
from tests.properties.planted import BY_MODES, DEFECTS, planted_kernel, planted_spec
from tests.properties.test_kernel_modes import Modes

PLAN = load_plan(SHIPPED / "kernel.toml", "nominal")
EXAMPLES, MOST_FAULTS = 200, 2
SOON = ("wrong thrust floor", "mass not updated", "failure forgotten")
"""Flown by `make test` as well: they are found at once."""


@pytest.mark.parametrize(
    "name",
    [
        pytest.param(name, marks=() if name in SOON else pytest.mark.nightly)
        for name in DEFECTS
        if name not in BY_MODES
    ],
)
def test_a_defect_that_shows_in_flight_is_caught(name: str, tmp_path: Path) -> None:
    rig = PLAN.rig.model_copy(update={"kernel": planted_spec(name, tmp_path)})
    caught = hunt(dataclasses.replace(PLAN, rig=rig), "suite", examples=EXAMPLES, seed=1)
    assert caught.finding is not None, f"not caught: least margin {caught.least}"
    assert caught.examples <= EXAMPLES
    assert len(caught.finding.case.fault) <= MOST_FAULTS, case_words(caught.finding.case, PLAN.case)


@pytest.mark.parametrize("name", BY_MODES)
def test_a_defect_that_no_wire_shows_is_caught_by_the_modes(name: str, tmp_path: Path) -> None:
    class Planted(Modes):
        """The same rules on the kernel with the defect."""

        kernel = planted_kernel(name, tmp_path)

    once = settings(
        max_examples=EXAMPLES,
        stateful_step_count=30,
        deadline=None,
        database=None,
        derandomize=True,
        phases=(Phase.generate,),
        suppress_health_check=list(HealthCheck),
    )
    with pytest.raises(AssertionError):
        run_state_machine_as_test(Planted, settings=once)
