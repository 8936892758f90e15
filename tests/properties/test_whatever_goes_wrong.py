"""Whatever goes wrong, from any state, in any wind: what holds on every flight, and what without faults.

Every property is asked of the same flights.  How many there are is the Hypothesis profile's business
(hil.search.profiles): a few in `make test`, hundreds in `make nightly`.
"""

from __future__ import annotations

from hypothesis import given, settings, target

from hil.faults.case import SHIPPED, Case
from hil.rig.plan import load_plan
from hil.search import off_nominal_cases
from hil.search.flying import Flyer
from hil.search.hunt import flyable_kinds
from hil.search.properties import PROPERTIES, TOUCHDOWN, Property, Trial
from hil.search.wording import case_words

PLAN = load_plan(SHIPPED / "kernel.toml", "nominal")
BOARDS = [name for name, board in PLAN.rig.board.items() if board.firmware == "engine_valve"]
ENGINES = PLAN.vehicle.landing_engines

LANDING = ("lands", "lands-where-possible", "holds", *(name.lower() for name in TOUCHDOWN))
"""What faults may well break."""
COMPARING = ("milder-is-not-worse", "mirrored", "wires-within-budget")
"""Take flights of their own."""
FLOWN = [p for p in PROPERTIES.values() if p.cases is None and p.name not in COMPARING]
"""Those that draw cases of their own have tests of their own."""
ALWAYS = [p for p in FLOWN if p.name not in LANDING]

FEWER = settings(max_examples=settings().max_examples // (1 if settings().max_examples >= 300 else 4))
"""Several flights an example: fewer of them, but in the profile that has hundreds."""

KNOWN = {
    "valve-end": ("gimbal.",),
    "cmd-rate": ("board.",),
}
"""Kinds of faults by which a property is known to be lost, not put right yet: it is not asked about them."""

ANYTHING = off_nominal_cases(PLAN.case, ENGINES, boards=BOARDS, kinds=flyable_kinds(PLAN.rig))
NOTHING_FAILS = off_nominal_cases(PLAN.case, ENGINES, most=0)
"""Other states, winds, gusts, masses and thrusts, within the dispersions that a landing has to bear."""


def check(properties: list[Property], case: Case) -> None:
    """Ask the properties of a case; fail with one line for the first that is broken."""
    trial = Trial(Flyer(PLAN), case)
    for prop in properties:
        if not prop.is_about(case) or _is_known(prop, case):
            continue
        outcome = prop.look(trial)
        if outcome.margin is None:
            continue
        assert outcome.margin >= 0.0, f"{prop.name}: {case_words(case, PLAN.case)}: {outcome.reason}"
        target(-min(outcome.margin, 10.0), label=prop.name)


def _is_known(prop: Property, case: Case) -> bool:
    return any(fault.kind.startswith(KNOWN.get(prop.name, ())) for fault in case.fault)


@given(ANYTHING)
def test_whatever_goes_wrong_these_hold(case: Case) -> None:
    check(ALWAYS, case)


@given(NOTHING_FAILS)
def test_where_nothing_fails_the_stage_lands_and_everything_holds(case: Case) -> None:
    check(FLOWN, case)


@FEWER
@given(ANYTHING)
def test_milder_faults_are_not_punished_harder(case: Case) -> None:
    check([PROPERTIES["milder-is-not-worse"]], case)


@FEWER
@given(ANYTHING)
def test_the_mirror_image_lands_as_the_case_does(case: Case) -> None:
    check([PROPERTIES["mirrored"]], case)
