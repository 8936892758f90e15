"""Found cases: whole case files that keep what a search found, and how they are flown again."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

from hil.faults.case import SHIPPED, Case, Found, load_case
from hil.faults.dispersion import case_toml
from hil.files import FileError, parse_toml
from hil.rig.model import load_rig
from hil.rig.plan import Plan
from hil.search.flying import Flyer
from hil.search.hunt import Finding
from hil.search.priors import log_likelihood
from hil.search.properties import PROPERTIES, Outcome, Trial
from hil.search.wording import failure_line

__all__ = ["MARGINAL", "Kept", "Replay", "expect", "found_files", "keep", "replay"]

MARGINAL: Final = "marginal"
"""The folder beside the found cases for those that another rung judges otherwise."""
_LONGEST: Final = 56


@dataclass(frozen=True)
class Kept:
    """A finding as it lies on the disk."""

    path: Path
    case: Case
    is_new: bool
    """False when the very same case had been found before."""
    marginal: bool


@dataclass(frozen=True)
class Replay:
    """A found case flown again: what its property says now, and the requirements that it breaks."""

    case: Case
    outcome: Outcome
    broken: tuple[str, ...]

    @property
    def verdict(self) -> Literal["PASS", "FAIL"]:
        """FAIL while the property that the case was found by is broken."""
        return "FAIL" if self.outcome.margin is not None and self.outcome.margin < 0.0 else "PASS"


def expect(path: Path, verdict: Literal["PASS", "FAIL"]) -> None:
    """Let a found case's file expect a verdict from now on; raise FileError when it cannot be written."""
    case = load_case(path)
    if case.found is None:
        raise FileError(f"{path}: key 'found' is missing: no search wrote it")
    changed = case.model_copy(update={"found": case.found.model_copy(update={"expect": verdict})})
    try:
        path.write_text(case_toml(changed), encoding="utf-8")
    except OSError as error:
        raise FileError(f"{path}: {error.strerror}") from None


def found_files(folder: Path) -> list[Path]:
    """Return the found cases in `folder`, in the order of their names; marginal ones are apart."""
    return sorted(folder.glob("*.toml"))


def replay(plan: Plan) -> Replay:
    """Fly a found case again and ask its property; raise FileError for a case that no search wrote."""
    found = plan.case.found
    if found is None or found.property not in PROPERTIES:
        raise FileError(f"{plan.case.path}: key 'found.property' is missing or names no property")
    flyer = Flyer(plan)
    outcome = PROPERTIES[found.property].look(Trial(flyer, plan.case))
    return Replay(plan.case, outcome, tuple(flyer.fly(plan.case).broken))


def keep(plan: Plan, name: str, finding: Finding, *, seed: int, folder: Path) -> Kept:
    """Write a finding as a case file; return what was written.

    What the file will say is flown first, here and on the rung with wires: it goes to `folder`, or to the
    folder for marginal cases in it where the other rung judges otherwise.  Raises FileError when it
    cannot be written.
    """
    described = _described(plan, name, finding, seed)
    text = case_toml(described)
    case = parse_toml(text, "the found case", Case).model_copy(update={"path": plan.case.path})
    marginal = not all(
        replay(again).verdict == "FAIL" for again in (_with_case(plan, case), *_with_wires(plan, case))
    )
    place = folder / MARGINAL if marginal else folder
    path = place / f"{_file_name(name, case)}.toml"
    is_new = not path.exists()
    if is_new:
        try:
            place.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
        except OSError as error:
            raise FileError(f"{path}: {error.strerror}") from None
    return Kept(path, case.model_copy(update={"path": path}), is_new, marginal)


def _described(plan: Plan, name: str, finding: Finding, seed: int) -> Case:
    """Return the case with everything that is known of it."""
    flown = Flyer(plan).fly(finding.case)
    outcome, case = finding.outcome, finding.case
    line = failure_line(
        case,
        plan.case,
        outcome.requirement,
        flown.flight.touchdown,
        plan.vehicle.requirements,
        outcome.reason,
    )
    assert outcome.margin is not None
    found = Found(
        property=name,
        requirements=tuple(flown.broken),
        expect="FAIL",
        reason=line,
        margin=round(outcome.margin, 6),
        log_likelihood=round(log_likelihood(case), 3),
        onsets_s=tuple(-1.0 if onset["onset_s"] is None else onset["onset_s"] for onset in flown.onsets),
        rig=plan.rig.name,
        search=f"hil search --property {name} --case {plan.case_name} --seed {seed}",
    )
    return case.model_copy(update={"description": f"Found: {line}.", "found": found})


def _file_name(name: str, case: Case) -> str:
    digest = hashlib.sha256(case.model_dump_json(exclude={"description", "found"}).encode()).hexdigest()
    kinds = sorted({fault.kind.replace(".", "_") for fault in case.fault})
    return f"{'-'.join([name, *kinds])[:_LONGEST]}-{digest[:6]}"


def _with_case(plan: Plan, case: Case) -> Plan:
    return Plan(plan.rig, case, plan.vehicle)


def _with_wires(plan: Plan, case: Case) -> Iterator[Plan]:
    """Yield the case on the shipped rig with wires, where `plan` has none and the boards are the same."""
    if plan.rig.has_wires:
        return
    rig = load_rig(SHIPPED / "in_process.toml")
    if set(rig.board) != set(plan.rig.board) or rig.timing != plan.rig.timing:
        return
    kernel = plan.rig.kernel
    if kernel is not None:
        here = plan.rig.path.parent.resolve()
        kernel = kernel.model_copy(
            update={
                "sources": tuple(str(here / source) for source in kernel.sources),
                "include": tuple(str(here / folder) for folder in kernel.include),
                "library": None if kernel.library is None else str(here / kernel.library),
            }
        )
    yield Plan(rig.model_copy(update={"kernel": kernel}), case, plan.vehicle)
