"""Every case that a search has found is flown for ever: what was put right stays so."""

from __future__ import annotations

from pathlib import Path

import pytest

from hil.faults.case import SHIPPED, load_case
from hil.rig.plan import load_plan
from hil.search.found import MARGINAL, found_files, replay
from hil.search.properties import PROPERTIES

FOLDER = SHIPPED / "cases" / "found"
FILES = [*found_files(FOLDER), *found_files(FOLDER / MARGINAL)]


@pytest.mark.parametrize("path", found_files(FOLDER), ids=lambda path: path.stem)
def test_a_found_case_does_what_its_file_expects(path: Path) -> None:
    again = replay(load_plan(SHIPPED / "kernel.toml", str(path)))
    found = again.case.found
    assert found is not None
    told = f"{found.property}: {again.outcome.reason}; hil search RIG --recheck tells of all found cases"
    assert again.verdict == found.expect, told
    if found.expect == "FAIL" and found.requirements:
        assert set(found.requirements) & set(again.broken), f"broken now: {again.broken}"


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_a_found_case_says_how_it_was_found(path: Path) -> None:
    case = load_case(path)
    assert case.found is not None
    assert case.found.property in PROPERTIES
    assert case.run_id is not None, "its noise would depend on the name of the file"
    assert len(case.found.onsets_s) == len(case.fault)
