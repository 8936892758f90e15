"""Every case that a search has found is flown for ever: what was put right stays so, on every rung alike."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import pytest

from hil.faults.case import SHIPPED, load_case
from hil.files import NotSupported
from hil.rig.abilities import check_supported
from hil.rig.plan import Plan, load_plan
from hil.search.found import MARGINAL, Replay, found_files, replay
from hil.search.properties import PROPERTIES
from tests.emulation import EMULATED

FOLDER = SHIPPED / "cases" / "found"
KEPT = found_files(FOLDER)
FILES = [*KEPT, *found_files(FOLDER / MARGINAL)]
RUNGS = ("kernel", "in_process", "virtual", "emulated")
"""Rigs, from the bottom of the ladder up."""
AT_ONCE = {"in_process": len(KEPT), "virtual": 4, "emulated": 2}
"""Cases that `make test` flies on each; `make nightly` flies all."""

pytestmark = pytest.mark.xdist_group("found")  # what one test has flown is kept for the next


def plan_of(rig: str, path: Path) -> Plan | None:
    """Return what a rig flies of a case; None where it does not support its faults."""
    plan = load_plan(SHIPPED / f"{rig}.toml", str(path))
    try:
        check_supported(plan.rig, plan.case, "lockstep")
    except NotSupported:
        return None
    return plan


@cache
def flown(rig: str, path: Path) -> Replay | None:
    """Return how a found case fares on a rig; None where it does not support its faults."""
    plan = plan_of(rig, path)
    return None if plan is None else replay(plan)


@cache
def lowest(path: Path) -> str:
    """Return the lowest rung that supports a case's faults."""
    return next(rig for rig in RUNGS if plan_of(rig, path) is not None)


@pytest.mark.parametrize("path", KEPT, ids=lambda path: path.stem)
def test_a_found_case_does_what_its_file_expects(path: Path) -> None:
    again = flown(lowest(path), path)
    assert again is not None
    found = again.case.found
    assert found is not None
    told = f"{found.property}: {again.outcome.reason}; hil search RIG --recheck tells of all found cases"
    assert again.verdict == found.expect, told
    if found.expect == "FAIL" and found.requirements:
        assert set(found.requirements) & set(again.broken), f"broken now: {again.broken}"


def climbs() -> list[object]:
    """Return a parameter set for each found case and rung."""
    sets: list[object] = []
    for rig, at_once in AT_ONCE.items():
        for number, path in enumerate(KEPT):
            marks = [] if number < at_once else [pytest.mark.nightly]
            marks += EMULATED if rig == "emulated" else []
            sets.append(pytest.param(rig, path, marks=marks, id=f"{path.stem}-{rig}"))
    return sets


@pytest.mark.parametrize(("rig", "path"), climbs())
def test_a_found_case_is_judged_alike_on_every_rung_that_supports_its_faults(rig: str, path: Path) -> None:
    here = flown(rig, path)
    if here is None or rig == lowest(path):
        pytest.skip(f"{rig} is not above the lowest rung that supports {path.stem}")
    below = flown(lowest(path), path)
    assert below is not None
    assert (here.verdict, here.broken) == (below.verdict, below.broken), here.outcome.reason


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_a_found_case_says_how_it_was_found(path: Path) -> None:
    case = load_case(path)
    assert case.found is not None
    assert case.found.property in PROPERTIES
    assert case.run_id is not None, "its noise would depend on the name of the file"
    assert len(case.found.onsets_s) == len(case.fault)
