"""Flying the cases of a search: judged in memory, nothing left behind."""

from __future__ import annotations

import dataclasses
import tempfile
from functools import cached_property
from pathlib import Path
from typing import Any, Final

from hil.executive import fly
from hil.faults.case import Case
from hil.faults.wrappers import check_faults
from hil.files import FileError
from hil.rig.arming import leave_for
from hil.rig.build import build_flight
from hil.rig.plan import Plan
from hil.signals import RigError
from hil.tape import MemoryTape, Recording
from hil.verdict.checks import CHECKS, Result
from hil.verdict.flight import FlightRecord
from hil.verdict.robustness import robustness

__all__ = ["Flown", "Flyer"]

_KEPT: Final = 8
"""Flights that are kept, so that several properties look at the same one."""


class Flown:
    """A flight that is over: what was flown, its recording, and what is judged of it when asked."""

    def __init__(self, case: Case, tape: Recording, onsets: list[dict[str, Any]]) -> None:
        self.case = case
        self.tape = tape
        self.onsets = onsets
        """For each fault what it is and when it struck (hil.faults.triggers)."""
        self.flight = FlightRecord(tape)

    @cached_property
    def results(self) -> dict[str, Result]:
        """How each requirement fared."""
        return {name: check(self.flight) for name, check in CHECKS.items()}

    @cached_property
    def margins(self) -> dict[str, float | None]:
        """Robustness of each requirement (hil.verdict.robustness)."""
        return robustness(self.flight, self.results)

    @property
    def broken(self) -> list[str]:
        """Ids of the requirements that failed, the worst broken first."""
        failed = [name for name, result in self.results.items() if result.status == "fail"]
        return sorted(failed, key=lambda name: self.margins[name] or 0.0)

    @property
    def verdict(self) -> str:
        """PASS or FAIL (in lockstep nothing is ever INVALID)."""
        return "FAIL" if self.broken else "PASS"


class Flyer:
    """Flies cases on the rig and vehicle of a plan, in lockstep."""

    def __init__(self, plan: Plan) -> None:
        if plan.rig.live:
            raise FileError(
                f"rig {plan.rig.name} is live: a search flies hundreds of times unattended; search on "
                "rigs/kernel.toml and fly what it finds on the live rig with hil run"
            )
        self.plan = plan
        self.flights = 0
        """Number of flights flown so far."""
        self._kept: dict[str, Flown] = {}

    def fly(self, case: Case) -> Flown:
        """Fly a case with its own seed; raise RigError when the rig breaks, FileError for a bad case."""
        key = case.model_dump_json(exclude={"description", "found"})
        flown = self._kept.pop(key, None)
        if flown is None:
            flown = self._fly(case)
        self._kept[key] = flown
        while len(self._kept) > _KEPT:
            del self._kept[next(iter(self._kept))]
        return flown

    def _fly(self, case: Case) -> Flown:
        plan = dataclasses.replace(self.plan, case=case)
        check_faults(case, list(plan.rig.board), plan.vehicle.landing_engines)
        self.flights += 1
        memory = Path("/dev/shm")
        with tempfile.TemporaryDirectory(dir=memory if memory.is_dir() else None) as folder:
            built = build_flight(
                plan,
                seed=case.seed,
                pace="lockstep",
                run_dir=Path(folder),
                leave=leave_for(plan.rig, None),
                in_memory=True,
            )
            try:
                ending = fly(built.flight)
                onsets = built.book.onsets()
            finally:
                built.close()
            if ending.reason == "interrupted":
                raise KeyboardInterrupt
            if ending.cause is not None:
                raise RigError(ending.cause)
        assert isinstance(built.tape, MemoryTape)
        return Flown(case, built.tape.recording(), onsets)
