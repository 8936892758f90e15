"""The scorecard: of many drawn cases, how many the kernel lands of those that can be landed.

A case that the kernel lands is landable by that very flight.  Each other one is put to a judge that knows
the whole case in advance (the clairvoyant oracle): landable, unlandable or undecided, and whether clearing
the keep-out was still possible at the fault.  Undecided cases count as landable.

Everything here depends on seed and number of cases alone: no clock, no order of processes.
"""

from __future__ import annotations

import hashlib
import math
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final, Literal

from hil.campaign import success_bounds
from hil.executive import Stop
from hil.faults.case import Case
from hil.faults.dispersion import case_toml
from hil.kernel.places import reference_sha256
from hil.rig.model import Rig
from hil.rig.plan import Plan
from hil.search.flying import Flown, Flyer
from hil.search.priors import draw_case, log_likelihood
from hil.search.wording import fault_words
from hil.signals import RigError
from hil.verdict.flight import FlightRecord
from hil.verdict.requirements import DETECTED_WITHIN_S

__all__ = [
    "CLEARED_LEAST",
    "LANDED_LEAST",
    "UNDECIDED_MOST",
    "Clearing",
    "Judge",
    "Ruling",
    "Scored",
    "Scorer",
    "Standing",
    "kernel_sha256",
    "scorecard",
    "write_case",
]

LANDED_LEAST: Final = 0.95
"""Share of the landable cases that the kernel has to land."""
CLEARED_LEAST: Final = 0.99
"""Share of the unlandable cases, where clearing was possible, that have to stay off the keep-out."""
UNDECIDED_MOST: Final = 0.05
"""Most undecided cases, of all."""
LISTED: Final = 10
"""Losses that are told one by one, the likeliest first."""

_LANDING: Final = ("TD-VERTICAL", "TD-LATERAL", "TD-TILT", "TD-RATE", "TD-MISS", "TD-STANDS")
"""What makes a landing; a flight may land and break another requirement."""


Standing = Literal["landable", "unlandable", "undecided"]
Clearing = Literal["possible", "not", "undecided"]


@dataclass(frozen=True)
class Ruling:
    """What is known of a case without asking the kernel."""

    verdict: Standing
    clearing: Clearing
    """Whether clearing the keep-out was still possible at the fault; of no matter where it is landable."""


Judge = Callable[[Case, Plan], Ruling]


@dataclass(frozen=True)
class Scored:
    """One case of a scorecard: what was drawn, how the kernel did, and what was possible."""

    index: int
    case_sha256: str
    log_likelihood: float
    kinds: tuple[str, ...]
    faults: str
    """The faults in plain words."""
    outcome: str
    """How the flight ended, in plain words."""
    landed: bool
    inside: bool
    """True when it came down within the keep-out."""
    broken: tuple[str, ...]
    """Ids of the requirements that failed."""
    detected_s: tuple[float, ...]
    """For each engine failure (as ENG-DETECT defines it) that was noticed: how much later."""
    missed: int
    """Engine failures that were never noticed, although there was time."""
    ruling: Ruling | None
    """None for a case that was landed, and where nobody judges."""

    @property
    def standing(self) -> Standing:
        """What the case counts as."""
        if self.landed:
            return "landable"
        return "undecided" if self.ruling is None else self.ruling.verdict


@dataclass(frozen=True)
class Scorer:
    """Draws, flies and judges a case by its number; a job's work, see hil.cli.jobs."""

    plan: Plan
    """Rig, vehicle, and the case that is drawn about."""
    seed: int
    judge: Judge | None

    def draw(self, index: int) -> Case:
        """Return case number `index`."""
        return draw_case(self.plan.case, self.plan.vehicle, self.seed, index)

    def __call__(self, index: int, _given: Any, _stop: Stop) -> Scored:
        """Return how case number `index` fares; raise RigError when the rig breaks."""
        case = self.draw(index)
        try:
            flown = Flyer(self.plan).fly(case)
        except RigError as error:
            raise RigError(f"case {index} of seed {self.seed}: {error}") from None
        landed = not set(flown.broken) & set(_LANDING)
        ruling = None if landed or self.judge is None else self.judge(case, self.plan)
        return _scored(index, flown, ruling)


def write_case(case: Case, folder: Path) -> Path:
    """Write a drawn case into `folder`; return the file."""
    path = folder / f"{case.run_id}.toml"
    path.write_text(case_toml(case), encoding="utf-8")
    return path


def _scored(index: int, flown: Flown, ruling: Ruling | None) -> Scored:
    case, flight, broken = flown.case, flown.flight, flown.broken
    miss = flight.touchdown["miss_m"]
    due = flight.count(DETECTED_WITHIN_S)
    noticed = [(f.detected - f.failed) * flight.frame_s for f in flight.failures if f.detected is not None]
    missed = [f for f in flight.failures if f.detected is None and f.failed + due < flight.computer_frames]
    return Scored(
        index=index,
        case_sha256=hashlib.sha256(case_toml(case).encode()).hexdigest(),
        log_likelihood=log_likelihood(case),
        kinds=tuple(fault.kind for fault in case.fault),
        faults=" and ".join(map(fault_words, case.fault)),
        outcome=_outcome(flight),
        landed=not set(broken) & set(_LANDING),
        inside=miss is not None and miss <= flight.vehicle.guidance.keep_out_radius_m,
        broken=tuple(sorted(broken)),
        detected_s=tuple(round(seconds, 9) for seconds in noticed),
        missed=len(missed),
        ruling=ruling,
    )


def _outcome(flight: FlightRecord) -> str:
    touch = flight.touchdown
    if touch["miss_m"] is None:
        return f"never came down within {flight.time_limit_s:g} s"
    return (
        f"came down {touch['miss_m']:.1f} m off at {touch['vertical_speed_mps']:.1f} m/s, "
        f"{touch['lateral_speed_mps']:.1f} m/s across, tilted {touch['tilt_deg']:.1f} deg, "
        f"with {touch['propellant_left_kg']:.0f} kg left"
    )


# ---- the kernel that is scored


def kernel_sha256(rig: Rig) -> str:
    """Return the digest of the kernel's sources (of its library, where a rig names one)."""
    if rig.kernel is None:
        return reference_sha256()
    folder, digest = rig.path.parent, hashlib.sha256()
    names = [rig.kernel.library] if rig.kernel.library is not None else list(rig.kernel.sources)
    for name in names:
        digest.update((folder / str(name)).read_bytes())
    return digest.hexdigest()


# ---- counting


def scorecard(scored: Sequence[Scored], plan: Plan, seed: int, *, judged: bool) -> dict[str, Any]:
    """Return the scorecard as JSON values; `judged` says whether an oracle was asked."""
    cases = hashlib.sha256("".join(one.case_sha256 for one in scored).encode())
    lost = sorted((one for one in scored if not one.landed and one.standing != "unlandable"), key=_likeliest)
    card = {
        "rig": plan.rig.name,
        "about": plan.case_name,
        "vehicle": plan.vehicle.name,
        "seed": seed,
        "cases": len(scored),
        "cases_sha256": cases.hexdigest(),
        "kernel_sha256": kernel_sha256(plan.rig),
        "oracle": judged,
        **_rates(scored),
        "detection": _detection(scored),
        "requirements": dict(sorted(Counter(name for one in scored for name in one.broken).items())),
        "kinds": _kinds(scored),
        "likeliest_losses": [_told(one) for one in lost[:LISTED]],
        "lost": sorted(one.index for one in lost),
        "lost_inside": sum(one.inside for one in lost),
        "unlandable_inside": sorted(o.index for o in scored if o.standing == "unlandable" and o.inside),
    }
    holds = all(card[name]["holds"] for name in ("landable", "undecided", "clearable"))
    return {"verdict": "PASS" if holds else "FAIL", **card}


def _likeliest(one: Scored) -> tuple[float, int]:
    return -one.log_likelihood, one.index


def _told(one: Scored) -> dict[str, Any]:
    told = asdict(one)
    return {key: told[key] for key in ("index", "log_likelihood", "faults", "outcome", "broken")} | {
        "standing": one.standing
    }


def _rate(good: int, cases: int) -> dict[str, Any]:
    """Return a rate with its Clopper-Pearson bounds; None where there is nothing to count."""
    bounds = list(success_bounds(good, cases)) if cases else None
    return {"cases": cases, "good": good, "rate": good / cases if cases else None, "bounds": bounds}


def _rates(scored: Sequence[Scored]) -> dict[str, Any]:
    """Count what can be landed, what cannot, and how the kernel did in each."""
    count = len(scored)
    landable = [one for one in scored if one.standing != "unlandable"]
    undecided = sum(one.standing == "undecided" for one in scored)
    rulings = [(one, one.ruling.clearing) for one in scored if one.standing == "unlandable" and one.ruling]

    def kept_off(clearing: str) -> dict[str, Any]:
        these = [one for one, said in rulings if said == clearing]
        return _rate(sum(not one.inside for one in these), len(these))

    landed, cleared = _rate(sum(one.landed for one in landable), len(landable)), kept_off("possible")
    return {
        "landable": landed | {"least": LANDED_LEAST, "holds": _reaches(landed, LANDED_LEAST)},
        "undecided": {
            "cases": undecided,
            "rate": undecided / count,
            "most": UNDECIDED_MOST,
            "holds": undecided <= UNDECIDED_MOST * count,
        },
        "unlandable": len(rulings),
        "clearable": cleared | {"least": CLEARED_LEAST, "holds": _reaches(cleared, CLEARED_LEAST)},
        "not_clearable": kept_off("not"),
        "clearing_undecided": kept_off("undecided"),
    }


def _reaches(rate: dict[str, Any], least: float) -> bool:
    return bool(rate["good"] >= least * rate["cases"])


def _detection(scored: Sequence[Scored]) -> dict[str, Any]:
    """Return how soon engine failures were noticed, s; the 95 % quantile is one that occurred."""
    times = sorted(seconds for one in scored for seconds in one.detected_s)
    missed = sum(one.missed for one in scored)

    def quantile(share: float) -> float | None:
        return times[max(0, math.ceil(share * len(times)) - 1)] if times else None

    return {
        "failures": len(times) + missed,
        "median_s": quantile(0.5),
        "p95_s": quantile(0.95),
        "max_s": times[-1] if times else None,
        "late": sum(seconds > DETECTED_WITHIN_S + 1e-9 for seconds in times),
        "never": missed,
        "false": sum("ENG-FALSE" in one.broken for one in scored),
    }


def _kinds(scored: Iterable[Scored]) -> dict[str, dict[str, int]]:
    """Count for each kind of fault the cases that have it, those lost, and those lost by it alone."""
    table: dict[str, dict[str, int]] = {}
    for one in scored:
        for kind in sorted(set(one.kinds)):
            row = table.setdefault(kind, {"cases": 0, "not_landed": 0, "lost": 0, "lost_alone": 0})
            row["cases"] += 1
            row["not_landed"] += not one.landed
            lost = not one.landed and one.standing != "unlandable"
            row["lost"] += lost
            row["lost_alone"] += lost and len(one.kinds) == 1
    return dict(sorted(table.items(), key=lambda item: (-item[1]["lost"], item[0])))
