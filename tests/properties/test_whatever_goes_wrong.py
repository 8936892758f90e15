"""Whatever goes wrong, from any state, in any wind: what holds on every flight, and what without faults.

How many examples there are is the Hypothesis profile's business (hil.search.profiles): a few in `make test`,
300 for each property in `make nightly`.  Properties that look at one flight are asked of the same flights.
The two groups take about as long as each other.
"""

from __future__ import annotations

import pytest
from hypothesis import given, settings, target

from hil.faults.case import SHIPPED, Case
from hil.rig.plan import Plan, load_plan
from hil.search import off_nominal_cases
from hil.search.flying import Flyer
from hil.search.hunt import flyable_kinds
from hil.search.properties import PROPERTIES, TOUCHDOWN, Outcome, Property, Trial
from hil.search.properties_kernel import suite_cases
from hil.search.wording import case_words

PLAN = load_plan(SHIPPED / "kernel.toml", "nominal")
WIRED = load_plan(SHIPPED / "in_process.toml", "nominal")
BOARDS = [name for name, board in PLAN.rig.board.items() if board.firmware == "engine_valve"]
ENGINES = PLAN.vehicle.landing_engines
KINDS = flyable_kinds(PLAN.rig)

LANDING = ("lands", "lands-where-possible", "holds", *(name.lower() for name in TOUCHDOWN))
"""What faults may well break."""
COMPARING = ("milder-is-not-worse", "mirrored", "wires-within-budget")
"""Take flights of their own."""
FLOWN = [p for p in PROPERTIES.values() if p.cases is None and p.name not in COMPARING]
"""Those that draw cases of their own are asked by `suite`."""
ALWAYS = [p for p in FLOWN if p.name not in LANDING]

FEWER = settings(max_examples=settings().max_examples // (1 if settings().max_examples >= 300 else 4))
"""Several flights an example: fewer of them, but in the profile that has hundreds."""

KNOWN = {
    "valve-end": ("gimbal.",),
    "cmd-rate": ("board.",),
}
"""Kinds of faults by which a property is known to be lost, not put right yet: it is not asked about them."""

ANYTHING = off_nominal_cases(PLAN.case, ENGINES, boards=BOARDS, kinds=KINDS)
NOTHING_FAILS = off_nominal_cases(PLAN.case, ENGINES, most=0)
"""Other states, winds, gusts, masses and thrusts, within the dispersions that a landing has to bear."""


class Questions:
    """Asks properties of one case after the other.

    Once one is broken, shrinking it takes few flights: of what is not flown any more nothing is said.
    """

    def __init__(self, *names: str, plan: Plan = PLAN) -> None:
        self._properties = [PROPERTIES[name] for name in names]
        self._flyer = Flyer(plan)
        self._without_wires = Flyer(PLAN)
        self._most_flights = 0
        self._broken: dict[str, str] = {}

    def ask(self, case: Case) -> None:
        """Fail with one line for the first property that a case breaks."""
        key = case.model_dump_json()
        if self._broken and key not in self._broken and self._flyer.flights >= self._most_flights:
            return
        told = self._broken.get(key) or self._look(key, case)
        assert told is None, told

    def _look(self, key: str, case: Case) -> str | None:
        trial = Trial(self._flyer, case, without_wires=self._without_wires)
        for prop in self._properties:
            outcome = prop.look(trial) if prop.is_about(case) and not _is_known(prop, case) else NOT_ASKED
            if outcome.margin is not None and outcome.margin < 0.0:
                if not self._broken:
                    self._most_flights = self._flyer.flights + prop.shrink_flights
                self._broken[key] = f"{prop.name}: {case_words(case, PLAN.case)}: {outcome.reason}"
                return self._broken[key]
            if outcome.margin is not None:
                target(-min(outcome.margin, 10.0), label=prop.name)
        return None


def _is_known(prop: Property, case: Case) -> bool:
    return any(fault.kind.startswith(KNOWN.get(prop.name, ())) for fault in case.fault)


NOT_ASKED = Outcome(None)
WHATEVER = Questions(*(p.name for p in ALWAYS), "milder-is-not-worse")
HEALTHY = Questions(*(p.name for p in FLOWN))
DEFECTS = Questions("suite")
MIRRORED = Questions("mirrored")
SPOILED = Questions("wires-within-budget", plan=WIRED)


@pytest.mark.xdist_group("properties-1")
@given(ANYTHING)
def test_whatever_goes_wrong_these_hold_and_milder_faults_are_not_punished_harder(case: Case) -> None:
    WHATEVER.ask(case)


@pytest.mark.xdist_group("properties-1")
@FEWER
@given(ANYTHING)
def test_the_mirror_image_lands_as_the_case_does(case: Case) -> None:
    MIRRORED.ask(case)


@pytest.mark.xdist_group("properties-2")
@FEWER
@given(ANYTHING)
def test_frames_lost_within_the_budget_change_no_verdict(case: Case) -> None:
    SPOILED.ask(case)


@pytest.mark.xdist_group("properties-2")
@given(suite_cases(PLAN, BOARDS, KINDS))
def test_no_defect_shows_in_the_kernel(case: Case) -> None:
    DEFECTS.ask(case)


@pytest.mark.xdist_group("properties-2")
@given(NOTHING_FAILS)
def test_where_nothing_fails_the_stage_lands_and_everything_holds(case: Case) -> None:
    HEALTHY.ask(case)
