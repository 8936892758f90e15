"""The hunt: hypothesis draws cases, climbs towards failure, and shrinks what fails to what it takes."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final, NoReturn

import hypothesis
from hypothesis import HealthCheck, Phase, settings
from hypothesis.strategies import SearchStrategy

from hil.faults.case import Case
from hil.faults.catalogue import CATALOGUE
from hil.rig.abilities import refusals
from hil.rig.model import Rig
from hil.rig.plan import Plan, message_ids
from hil.search.flying import Flyer
from hil.search.properties import PROPERTIES, Outcome, Property, Trial
from hil.search.strategies import off_nominal_cases

__all__ = ["KEPT_MARGIN", "Finding", "Hunt", "flyable_kinds", "hunt"]

KEPT_MARGIN: Final = -0.05
"""A failure, and every case on the way of shrinking it, is broken by at least this much of its limit, so
that rounding and latency of another rung do not turn it."""
FRESH: Final = 10
"""Of so many cases, the simplest first, hypothesis draws each anew; of later ones it makes five variants.
A property that only a defect breaks has no slope to climb by: it is hunted in short turns of new cases."""
_STEEPEST: Final = 10.0
"""Margins beyond this are all the same to the climb."""


class _Broken(Exception):
    """The property is broken by a case."""


def _stop() -> NoReturn:
    """Raise _Broken, always from here: to hypothesis failures of different lines are different ones."""
    raise _Broken


@dataclass(frozen=True)
class Finding:
    """A shrunk case that breaks a property."""

    case: Case
    outcome: Outcome


@dataclass
class Hunt:
    """What came of a hunt."""

    examples: int = 0
    """Cases drawn before something was found."""
    flights: int = 0
    finding: Finding | None = None
    least: float = math.inf
    """The smallest margin met."""


def flyable_kinds(rig: Rig) -> list[str]:
    """Return the kinds of faults that a rig can fly in lockstep, wherever they strike."""
    return [kind.name for kind in CATALOGUE.values() if not refusals(rig, kind, "lockstep")]


def hunt(
    plan: Plan,
    name: str,
    *,
    examples: int,
    seed: int,
    known: frozenset[frozenset[str]] = frozenset(),
    kinds: Sequence[str] | None = None,
    told: Callable[[Hunt], None] = lambda _: None,
) -> Hunt:
    """Look for a case about the plan's own that breaks the property `name`, and shrink it.

    `known` are sets of fault kinds that need not be found again, `kinds` the faults that are drawn
    (None: the whole catalogue).  `told` is called after each case.
    The same plan, property, number of examples and seed give the same finding.
    """
    prop = PROPERTIES[name]
    hunter, cases = _Hunter(plan, prop, known, told), _cases(plan, prop, kinds)
    if prop.cases is None:
        _look_at(hunter, cases, examples, str(seed))
    else:
        for turn in range(examples):
            left = examples - hunter.result.examples
            if left <= 0 or hunter.result.finding is not None:
                break
            _look_at(hunter, cases, min(1 + left, FRESH), f"{seed}/{turn}")
    return hunter.result


def _look_at(hunter: _Hunter, cases: SearchStrategy[Case], examples: int, seed: str) -> None:
    """Have hypothesis draw cases; one that breaks the property is shrunk."""
    phases = (Phase.generate, Phase.target, Phase.shrink)

    @hypothesis.seed(seed)
    @settings(
        max_examples=examples,
        database=None,
        deadline=None,
        phases=phases if examples > FRESH else (Phase.generate, Phase.shrink),
        suppress_health_check=list(HealthCheck),
        report_multiple_bugs=False,
        print_blob=False,
    )
    @hypothesis.given(cases)
    def attempt(case: Case) -> None:
        hunter.look(case)

    with contextlib.suppress(_Broken):
        attempt()


def _cases(plan: Plan, prop: Property, kinds: Sequence[str] | None) -> SearchStrategy[Case]:
    """Return what is drawn for a property: of `kinds` those that the rig can fly and it is about."""
    boards = [name for name, board in plan.rig.board.items() if board.firmware == "engine_valve"]
    can = flyable_kinds(plan.rig)
    if kinds is None:
        kinds = [kind for kind in CATALOGUE if not kind.startswith(prop.without)]
    drawn = [kind for kind in kinds if kind in can]
    if prop.cases is not None:
        own: SearchStrategy[Case] = prop.cases(plan, boards, drawn)
        return own
    return off_nominal_cases(
        plan.case,
        plan.vehicle.landing_engines,
        boards=boards,
        messages=list(message_ids(plan.rig)),
        lines=list(plan.rig.serial),
        kinds=drawn,
    )


class _Hunter:
    """Looks at one case after the other; raises _Broken for one that breaks the property."""

    def __init__(
        self, plan: Plan, prop: Property, known: frozenset[frozenset[str]], told: Callable[[Hunt], None]
    ) -> None:
        self.result = Hunt()
        self._property, self._known, self._told = prop, known, told
        self._flyer = Flyer(plan)
        self._seen: set[str] = set()
        self._broken: dict[str, Finding] = {}
        self._most_flights = 0

    def look(self, case: Case) -> None:
        """Look at a case; how far it is from breaking the property is what hypothesis climbs by."""
        struck = frozenset(fault.kind for fault in case.fault)
        if any(found <= struck for found in self._known):
            return
        key = case.model_dump_json()
        if key in self._broken:
            self.result.finding = self._broken[key]
            _stop()
        if not self._broken:
            if key in self._seen:
                return
            self._seen.add(key)
            self.result.examples += 1
        elif self._flyer.flights >= self._most_flights:
            return  # shrunk enough: only what broke before still does
        outcome = self._property.look(Trial(self._flyer, case))
        self.result.flights = self._flyer.flights
        self._told(self.result)
        if outcome.margin is None:
            return
        self.result.least = min(self.result.least, outcome.margin)
        if outcome.margin <= KEPT_MARGIN:
            if not self._broken:
                self._most_flights = self._flyer.flights + self._property.shrink_flights
            self.result.finding = self._broken[key] = Finding(case, outcome)
            _stop()
        away = max(-_STEEPEST, min(outcome.margin, _STEEPEST))
        hypothesis.target(-away, label=self._property.name)
