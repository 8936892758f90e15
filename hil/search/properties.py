"""What a search tries to break: every property by its name, with the requirements that it is about.

A property looks at a case through a `Trial`, which flies it (and, for properties that compare flights, its
relatives) and returns an `Outcome`: how much there is to spare, and in plain words why.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from hil.faults.case import Case
from hil.rig.plan import Plan
from hil.search.flying import Flown, Flyer
from hil.signals import REQUESTS
from hil.verdict import REQUIREMENTS

__all__ = ["PROPERTIES", "Outcome", "Property", "Trial"]

_START: Final = REQUESTS.index("START")
TOUCHDOWN: Final = ("TD-VERTICAL", "TD-LATERAL", "TD-TILT", "TD-RATE", "TD-MISS", "TD-STANDS")


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a property fared: `margin` as in hil.verdict.robustness (None: not exercised)."""

    margin: float | None
    reason: str = ""
    requirement: str | None = None
    """The requirement that is nearest to breaking, or broken worst."""


class Trial:
    """A case as a property looks at it."""

    def __init__(self, flyer: Flyer, case: Case) -> None:
        self.case = case
        self._flyer = flyer

    @property
    def plan(self) -> Plan:
        """What is flown; its case is the base of the search."""
        return self._flyer.plan

    @property
    def flown(self) -> Flown:
        """The flight of the case."""
        return self._flyer.fly(self.case)

    def fly(self, case: Case) -> Flown:
        """Fly a relative of the case."""
        return self._flyer.fly(case)


@dataclass(frozen=True, slots=True)
class Property:
    """Something that holds for every case; `requirements` are the ids that it is about."""

    name: str
    requirements: tuple[str, ...]
    text: str
    look: Callable[[Trial], Outcome]


def _all_of(*requirements: str) -> Callable[[Trial], Outcome]:
    """Every one of the requirements holds; the one with the least to spare counts."""

    def look(trial: Trial) -> Outcome:
        flown = trial.flown
        exercised = {name: m for name in requirements if (m := flown.margins[name]) is not None}
        if not exercised:
            return Outcome(None, flown.results[requirements[0]].reason)
        worst = min(exercised, key=lambda name: exercised[name])
        return Outcome(exercised[worst], flown.results[worst].reason, worst)

    return look


def _every_signal_a_number(trial: Trial) -> Outcome:
    frames = trial.flown.tape.frames
    kinds: Any = frames.dtype.fields
    for record, (layout, *_) in kinds.items():
        for field in layout.names or ():
            values = frames[record][field]
            if values.dtype.kind != "f":
                continue
            bad = np.flatnonzero(~np.isfinite(values.reshape(len(frames), -1)).all(axis=1))
            if len(bad):
                at = float(frames["t_ns"][bad[0]]) * 1e-9
                return Outcome(-1.0, f"{record}.{field} is no number at t = {at:.2f} s", "CMD-FINITE")
    return Outcome(1.0, "every signal is a number", "CMD-FINITE")


def _no_start_too_many(trial: Trial) -> Outcome:
    """Count requests to start: each costs a start of the igniter, the data sheet names their number."""
    flight = trial.flown.flight
    start = flight.part("command", "request") == _START
    begun = np.count_nonzero(start[1:] & ~start[:-1], axis=0) + start[0]
    have, slot = flight.vehicle.engine.starts, int(np.argmax(begun))
    text = f"{flight.engine(slot)} was told to start {int(begun[slot])} times, its igniter has {have} starts"
    spare = (have - int(begun[slot])) / have
    return Outcome(spare, text, None)


_OWN: Final = (
    Property("lands", TOUCHDOWN, "The stage lands: every touchdown requirement holds", _all_of(*TOUCHDOWN)),
    Property(
        "holds",
        tuple(r.id for r in REQUIREMENTS),
        "No requirement is broken",
        _all_of(*(r.id for r in REQUIREMENTS)),
    ),
    Property(
        "never-nan",
        ("CMD-FINITE",),
        "Every recorded signal is a finite number, those of the kernel's own thinking included",
        _every_signal_a_number,
    ),
    Property(
        "dead-engine",
        ("ENG-DETECT", "ENG-DEAD"),
        "An engine that has died is found out in time, and then never told to run again",
        _all_of("ENG-DETECT", "ENG-DEAD"),
    ),
    Property(
        "starts",
        (),
        "No engine is told to start more often than its igniter has starts",
        _no_start_too_many,
    ),
)

PROPERTIES: Final[dict[str, Property]] = {
    p.name: p
    for p in (*_OWN, *(Property(r.id.lower(), (r.id,), r.text, _all_of(r.id)) for r in REQUIREMENTS))
}
"""Every property by its name: those of several requirements first, then one for each requirement id."""
