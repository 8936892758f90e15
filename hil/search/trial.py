"""What a property is: something that holds for every case, looked at through a `Trial`.

A property looks at a case through a `Trial`, which flies it (and, for properties that compare flights, its
relatives) and returns an `Outcome`: how much there is to spare, and in plain words why.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from hil.faults.case import Case
from hil.rig.plan import Plan
from hil.search.flying import Flown, Flyer

__all__ = ["Outcome", "Property", "Trial"]


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a property fared: `margin` as in hil.verdict.robustness (None: not exercised)."""

    margin: float | None
    reason: str = ""
    requirement: str | None = None
    """The requirement that is nearest to breaking, or broken worst."""


class Trial:
    """A case as a property looks at it."""

    def __init__(self, flyer: Flyer, case: Case, *, without_wires: Flyer | None = None) -> None:
        """`without_wires` flies `unspoiled`: the same signals on rung `kernel`, in a fifth of the time."""
        self.case = case
        self._flyer = flyer
        self._without_wires = flyer if without_wires is None else without_wires

    @property
    def plan(self) -> Plan:
        """What is flown; its case is the base of the search."""
        return self._flyer.plan

    @property
    def flown(self) -> Flown:
        """The flight of the case."""
        return self._flyer.fly(self.case)

    @property
    def unspoiled(self) -> Flown:
        """The flight of a case that no fault of a wire strikes."""
        return self._without_wires.fly(self.case)

    def fly(self, case: Case) -> Flown:
        """Fly a relative of the case."""
        return self._flyer.fly(case)

    def unlandable(self, case: Case) -> bool:
        """Tell whether the clairvoyant oracle shows that nobody could land a case (False without one)."""
        try:
            from hil.search.oracle import judge
        except ImportError:
            return False
        run_id = case.run_id or self.plan.case_name
        said = judge(case, self.plan.vehicle, seed=case.seed, run_id=run_id)
        return bool(said.verdict == "unlandable")


@dataclass(frozen=True, slots=True)
class Property:
    """Something that holds for every case; `requirements` are the ids that it is about."""

    name: str
    requirements: tuple[str, ...]
    text: str
    look: Callable[[Trial], Outcome]
    without: tuple[str, ...] = ()
    """Kinds of faults, in full or by their beginnings, that break it whatever the flight computer does."""
    shrink_flights: int = 150
    """Flights that shrinking may take; few where the oracle is asked, which takes seconds."""
    cases: Callable[[Plan, Sequence[str], Sequence[str]], Any] | None = None
    """Makes the strategy of the cases that are drawn for it, of a plan, the boards that may be struck and the
    kinds of faults; None: hil.search.strategies.off_nominal_cases."""

    def is_about(self, case: Case) -> bool:
        """Tell whether the property can be asked of a case: none of its faults breaks it by itself."""
        return not any(fault.kind.startswith(self.without) for fault in case.fault)
