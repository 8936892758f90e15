"""How likely each fault is: from which cases are drawn, and how likely a case is.

Public figures are few, so most of what stands here is assumed and says so; what is known is cited.
Shares and ranges are told in docs/PRIORS.md.

Every fault has a kind, a moment and sizes. Kinds come in groups, each with a share of all faults; an onset
is latent (there before the start), in the start-up or at any moment of the burn; sizes lie between a mild
and a severe end. Densities are relative to a uniform draw over the range, so that cases with faults of
different kinds can be compared.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any, Final, Literal

import numpy as np

from hil.faults.case import Case, FaultSpec
from hil.faults.catalogue import CATALOGUE, Choice, Kind, Size
from hil.faults.dispersion import disperse
from hil.plant.vehicle import Vehicle
from hil.sensors.streams import stream

__all__ = [
    "COUNTS",
    "GROUPS",
    "PRIORS",
    "Group",
    "Prior",
    "Span",
    "draw_case",
    "drawn_kinds",
    "kind_shares",
    "log_likelihood",
]

BURN_S: Final = 20.0
"""The landing engine burns so long (computed: 20.6 to 21.2 s in `dispersed`), ..."""
BRAKE_S: Final = 11.0
"""... the others until the step-down (computed: 11.0 to 11.1 s); later faults would change nothing."""
FLIGHT_S: Final = 27.0
"""Something other than an engine fails in this time since the start (touchdown: at 28 s, computed)."""
START_S: Final = 1.0
"""The start-up of an engine: START to the floor takes 0.75 s, computed in docs/plant_propulsion.md."""
START_SHARE: Final = 0.35
"""Of faults that may strike an engine at any moment: those that strike in its start-up. Published: start-up
holds over 30 % of engine failures; kinds that belong to the start come on top."""
COUNTS: Final = (0.80, 0.15, 0.05)
"""Cases with one, two and three faults (assumed)."""
COMMON: Final = 0.5
"""Of further faults: those with the cause of the first one, so of its kind and soon after it (assumed)."""
COMMON_S: Final = 1.0
"""How much later at the most (assumed)."""

_BOARD: Final = "engine_{}"

Law = Literal["uniform", "log", "half-normal", "whole"]
Onset = Literal["latent", "burn", "flight"]
Rng = np.random.Generator


@dataclass(frozen=True, slots=True)
class Span:
    """How a size is distributed from its mild to its severe end (both drawn), in the size's own unit.

    `uniform`: even; `log`: even in the logarithm of its distance to `about`, the value of no fault;
    `half-normal`: likeliest at the mild end, half the range one sigma; `whole`: whole numbers, even.
    """

    mild: float
    severe: float
    law: Law = "log"
    about: float = 0.0
    either_sign: bool = False
    """True: the drawn value is as likely negative."""
    step: float = 0.0
    """Share of cases in which the size is 0, say a time constant of something that may happen at once."""

    def draw(self, rng: Rng) -> float:
        """Return a value."""
        part, sign, at_once = (float(u) for u in rng.uniform(size=3))
        if at_once < self.step:
            return 0.0
        value = self._at(part)
        return -value if self.either_sign and sign < 0.5 else value

    def _at(self, part: float) -> float:
        """Return the value that a share `part` of all values is milder than."""
        mild, severe = self.mild, self.severe
        if self.law == "whole":
            low = min(mild, severe)
            return float(low + min(math.floor(part * (abs(severe - mild) + 1.0)), abs(severe - mild)))
        if self.law == "log":
            ratio = (severe - self.about) / (mild - self.about)
            value = self.about + (mild - self.about) * math.pow(ratio, part)
        else:
            value = mild + (severe - mild) * (_half_normal(part) if self.law == "half-normal" else part)
        return min(max(value, min(mild, severe)), max(mild, severe))

    def log_density(self, value: float) -> float:
        """Return the logarithm of the density over that of a uniform draw; beyond an end as at the end."""
        if self.step and value == 0.0:
            return math.log(self.step)
        low, high = min(self.mild, self.severe), max(self.mild, self.severe)
        value = min(max(abs(value) if self.either_sign else value, low), high)
        base = math.log1p(-self.step)
        if self.law == "log":
            far, near = abs(self.severe - self.about), abs(self.mild - self.about)
            return base + math.log((far - near) / (abs(value - self.about) * math.log(far / near)))
        if self.law == "half-normal":
            x = (value - self.mild) / (self.severe - self.mild)
            return base - 2.0 * x * x - math.log(_HALF_NORMAL_AREA)
        return base


_HALF_NORMAL_AREA: Final = math.sqrt(math.pi / 8.0) * math.erf(math.sqrt(2.0))
"""Integral of exp(-2 x^2) from 0 to 1: a half-normal of sigma 0.5, cut at two sigma."""


def _half_normal(part: float) -> float:
    """Return the `part` quantile of a half-normal of sigma 0.5, cut at 1; by bisection."""
    low, high = 0.0, 1.0
    for _ in range(50):
        middle = 0.5 * (low + high)
        if math.erf(math.sqrt(2.0) * middle) < part * math.erf(math.sqrt(2.0)):
            low = middle
        else:
            high = middle
    return 0.5 * (low + high)


@dataclass(frozen=True, slots=True)
class Group:
    """A group of kinds: its share of all faults (kinds that are not drawn leave theirs to the others)."""

    share: float
    origin: str


GROUPS: Final[Mapping[str, Group]] = {
    "propulsion": Group(0.50, "published: about half of the mission failures of 25 years"),
    "actuators": Group(0.15, "assumed"),
    "boards": Group(0.10, "assumed"),
    "sensors": Group(0.15, "assumed"),
    "wires": Group(0.05, "assumed"),
    "environment": Group(0.05, "assumed"),
}
_GROUP_OF: Final = {
    **dict.fromkeys(("engine", "valve", "feed", "pump", "injector", "tank", "bay"), "propulsion"),
    **dict.fromkeys(("gimbal", "fin"), "actuators"),
    **dict.fromkeys(("board",), "boards"),
    **dict.fromkeys(("wire", "can", "serial", "bus"), "wires"),
    **dict.fromkeys(("wind", "gust", "air", "environment", "atmosphere", "weather", "pad"), "environment"),
}
"""Group of a kind by the first word of its name; any other word is a sensor's."""


def _group(kind: str) -> str:
    return _GROUP_OF.get(kind.split(".", 1)[0], "sensors")


@dataclass(frozen=True, slots=True)
class Prior:
    """What is assumed of one kind: its weight within its group, when it strikes and how badly."""

    weight: float
    onset: Onset = "burn"
    sizes: Mapping[str, Span] = field(default_factory=dict)
    """Sizes that are not drawn from the mild end of the catalogue to the other."""


PRIORS: Final[Mapping[str, Prior]] = {
    "engine.out": Prior(8.0, sizes={"tail_off_s": Span(0.1, 0.5, "uniform")}),
    "engine.late_ignition": Prior(6.0, "latent", {"delay_s": Span(0.2, 3.0)}),
    "engine.no_ignition": Prior(3.0, "latent", {"starts": Span(3.0, 0.0, "whole")}),
    "engine.hard_start": Prior(3.0, "latent", {"peak": Span(1.5, 3.0), "duration_s": Span(0.005, 0.03)}),
    "engine.thrust_shortfall": Prior(
        6.0, sizes={"factor": Span(0.97, 0.60, about=1.0), "tau_s": Span(2.0, 0.2, step=0.25)}
    ),
    "engine.slow_throttle": Prior(2.0, sizes={"tau_s": Span(0.1, 0.8)}),
    "engine.chug": Prior(
        2.0, sizes={"stiffness": Span(0.2, 0.02, "uniform"), "lag_s": Span(0.001, 0.005, "uniform")}
    ),
    "engine.buzz": Prior(
        1.0, sizes={"amplitude": Span(0.05, 0.3), "frequency_hz": Span(400.0, 1000.0, "uniform")}
    ),
    "engine.mixture_shift": Prior(3.0, sizes={"shift": Span(0.05, 0.2)}),
    "valve.stuck": Prior(2.0),
    "valve.stuck_at": Prior(1.0, sizes={"position": Span(0.0, 1.0, "uniform")}),
    "valve.slow": Prior(2.0, sizes={"rate": Span(0.7, 0.1, "uniform")}),
    "valve.stiction": Prior(3.0, sizes={"band": Span(0.005, 0.04), "hold_s": Span(0.02, 0.3)}),
    "valve.leak": Prior(2.0, "latent", {"leak": Span(0.005, 0.05)}),
    "feed.gas": Prior(3.0, sizes={"void": Span(0.05, 0.5), "burst_s": Span(0.1, 1.0)}),
    "pump.cavitation": Prior(2.0, sizes={"head_loss": Span(0.03, 0.3)}),
    "pump.overspeed": Prior(
        1.0,
        sizes={
            "torque": Span(1.1, 4.0),
            "trip_speed": Span(1.1, 1.2, "uniform"),
            "trip_s": Span(0.05, 0.15, "uniform"),
        },
    ),
    "injector.blockage": Prior(2.0, sizes={"area": Span(0.01, 0.15)}),
    "tank.load_error": Prior(2.0, "latent", {"missing_kg": Span(0.0, 1500.0, "half-normal")}),
    "bay.fire": Prior(2.0, sizes={"first_s": Span(5.0, 0.0, "uniform"), "spread_s": Span(2.0, 0.05)}),
    "gimbal.stuck": Prior(2.0),
    "gimbal.hardover": Prior(1.0, sizes={"angle_deg": Span(1.0, 8.0, either_sign=True)}),
    "gimbal.bias": Prior(2.0, sizes={"angle_deg": Span(1.0, 8.0, either_sign=True)}),
    "gimbal.slow": Prior(2.0, sizes={"rate": Span(0.5, 0.1, "uniform")}),
    "fin.stuck": Prior(2.0, "flight"),
    "fin.slow": Prior(2.0, "flight", {"rate": Span(0.7, 0.0, "uniform")}),
    "board.silent": Prior(1.0),
}
"""Weights and ranges are assumed; kinds that are not here get DEFAULT."""

DEFAULT: Final = Prior(1.0, "flight")


def drawn_kinds() -> tuple[str, ...]:
    """Return the kinds that are drawn: those that the rung `kernel` can fly."""
    return tuple(name for name in CATALOGUE if _group(name) != "wires")


def kind_shares(kinds: Collection[str]) -> Mapping[str, float]:
    """Return what share of all faults each of `kinds` has."""
    return _shares(tuple(kinds))


@cache
def _shares(kinds: tuple[str, ...]) -> dict[str, float]:
    """Return what share of all faults each of `kinds` has."""
    weights = {name: PRIORS.get(name, DEFAULT).weight for name in kinds}
    totals: dict[str, float] = {}
    for name in kinds:
        totals[_group(name)] = totals.get(_group(name), 0.0) + weights[name]
    there = sum(GROUPS[group].share for group in totals)
    return {name: GROUPS[_group(name)].share / there * weights[name] / totals[_group(name)] for name in kinds}


def _span(kind: str, size: Size) -> Span:
    """Return how a size is drawn: as the table says, else from its mild end to the one further off."""
    given = PRIORS.get(kind, DEFAULT).sizes.get(size.name)
    if given is not None:
        return given
    mild = getattr(size, "mildest", None)
    if mild is None:
        return Span(size.low, size.high, "uniform")
    if size.low < mild < size.high and math.isclose(size.high - mild, mild - size.low):
        return Span(mild, size.high, "half-normal", either_sign=mild == 0.0)
    far = size.high if size.high - mild >= mild - size.low else size.low
    return Span(mild, far, "half-normal")


# ---- drawing


def draw_case(
    base: Case, vehicle: Vehicle, seed: int, index: int, kinds: Collection[str] | None = None
) -> Case:
    """Return off-nominal case number `index` of master seed `seed`: the same for the same arguments.

    `base` lends everything but the faults; its dispersions are drawn too, so that the case is plain.  The
    case is named by seed and index, and the random streams of a flight by the case: under another name
    its noise is another.  `kinds` limits what is drawn (default: drawn_kinds()).
    """
    rng = stream(seed, str(index), "faults")
    chosen = drawn_kinds() if kinds is None else tuple(name for name in CATALOGUE if name in kinds)
    faults = _draw_faults(rng, chosen, vehicle)
    name = f"drawn-{seed}-{index}"
    case = base.model_copy(
        update={
            "description": f"Drawn by seed {seed}, number {index}: {', '.join(f.kind for f in faults)}.",
            "fault": faults,
            "path": Path(f"{name}.toml"),
        }
    )
    flown_seed = int(rng.integers(2**31))
    plain, _ = disperse(case, flown_seed, name)
    return plain.model_copy(update={"seed": flown_seed})


def _draw_faults(rng: Rng, kinds: tuple[str, ...], vehicle: Vehicle) -> tuple[FaultSpec, ...]:
    """Draw one to three faults, no two of a kind in one place, and never every engine out."""
    shares = _shares(kinds)
    count = 1 + int(rng.choice(len(COUNTS), p=COUNTS))
    faults: list[FaultSpec] = []
    while len(faults) < count:
        if faults and rng.uniform() < COMMON:
            fault = _alike(rng, faults[0], vehicle)
        else:
            kind = kinds[int(rng.choice(len(kinds), p=list(shares.values())))]
            fault = _draw_fault(rng, CATALOGUE[kind], vehicle)
        if _may_join(fault, faults, vehicle):
            faults.append(fault)
        elif fault.kind == faults[0].kind and not _has_room(fault, faults, vehicle):
            count = len(faults)  # nowhere left for a fault of this cause
    return tuple(faults)


def _place(fault: FaultSpec) -> tuple[Any, ...]:
    """Return what a fault strikes; two of a kind in one place would be one."""
    values = fault.model_dump(exclude_none=True)
    sizes = {size.name for size in CATALOGUE[fault.kind].sizes if isinstance(size, Size)}
    triggers = {"at_s", "after_ignition_s", "below_alt_m"}
    return tuple(sorted((k, v) for k, v in values.items() if k not in sizes | triggers))


def _may_join(fault: FaultSpec, faults: Sequence[FaultSpec], vehicle: Vehicle) -> bool:
    """Tell whether a case may have this fault too."""
    if _place(fault) in map(_place, faults) or _too_late(fault, vehicle):
        return False
    out = {f.engine for f in (*faults, fault) if f.kind == "engine.out"}
    return fault.kind != "engine.out" or len(out) < len(vehicle.landing_engines) or len(out) == 1


def _too_late(fault: FaultSpec, vehicle: Vehicle) -> bool:
    """Tell whether the engine is shut down by then, so that nothing would change."""
    board = {_BOARD.format(number): number for number in vehicle.landing_engines}
    engine = fault.engine if fault.board is None else board[fault.board]
    late = fault.after_ignition_s or 0.0
    return engine is not None and late > _burns_s(engine, vehicle)


def _has_room(fault: FaultSpec, faults: Sequence[FaultSpec], vehicle: Vehicle) -> bool:
    """Tell whether another place is left for a fault of this kind."""
    places = {"engine": len(vehicle.landing_engines), "fin": 4}.get(CATALOGUE[fault.kind].strikes, 2)
    return sum(f.kind == fault.kind for f in faults) < places - (fault.kind == "engine.out")


def _draw_fault(rng: Rng, kind: Kind, vehicle: Vehicle) -> FaultSpec:
    """Draw a fault of a kind: what it strikes, when, and how badly."""
    prior = PRIORS.get(kind.name, DEFAULT)
    start = prior.onset == "burn" and rng.uniform() < START_SHARE
    engine, burns_s = _draw_engine(rng, vehicle, even=start or prior.onset != "burn")
    moment = round(float(rng.uniform(0.0, 1.0)) * (START_S if start else burns_s), 2)
    trigger: dict[str, float]
    if prior.onset == "latent":
        trigger = {"at_s": 0.0}
    elif prior.onset == "flight":
        trigger = {"at_s": round(moment / burns_s * FLIGHT_S, 2)}
    else:
        trigger = {"after_ignition_s": moment}
    return FaultSpec.model_validate(
        {"kind": kind.name, **_struck(rng, kind, engine), **trigger, **_draw_sizes(rng, kind)}
    )


def _draw_engine(rng: Rng, vehicle: Vehicle, *, even: bool) -> tuple[int, float]:
    """Return an engine and how long it burns, s: all alike if `even`, else by how long they burn."""
    engines = vehicle.landing_engines
    lasting = [_burns_s(number, vehicle) for number in engines]
    weights = np.ones(len(engines)) if even else np.array(lasting)
    index = int(rng.choice(len(engines), p=weights / weights.sum()))
    return engines[index], lasting[index]


def _burns_s(engine: int, vehicle: Vehicle) -> float:
    """Return how long an engine burns in a landing, s."""
    lands = engine == vehicle.centre_engine or len(vehicle.landing_engines) == 1
    return BURN_S if lands else BRAKE_S


def _struck(rng: Rng, kind: Kind, engine: int) -> dict[str, Any]:
    """Return the key that says what the fault strikes; of the boards, that of an engine."""
    fin = 1 + int(rng.integers(4))
    words: dict[str, dict[str, Any]] = {
        "engine": {"engine": engine},
        "board": {"board": _BOARD.format(engine)},
        "fin": {"fin": fin},
    }
    return words.get(kind.strikes, {})


def _draw_sizes(rng: Rng, kind: Kind) -> dict[str, Any]:
    """Draw the sizes and words of a kind; numbers to six digits, which a case file shows in full."""
    return {
        size.name: (
            size.words[int(rng.integers(len(size.words)))]
            if isinstance(size, Choice)
            else float(f"{_span(kind.name, size).draw(rng):.6g}")
        )
        for size in kind.sizes
    }


def _alike(rng: Rng, first: FaultSpec, vehicle: Vehicle) -> FaultSpec:
    """Draw a fault of the same cause as `first`: of its kind, somewhere else, at once or a little later."""
    fault = _draw_fault(rng, CATALOGUE[first.kind], vehicle)
    later = round(float(rng.uniform(0.0, COMMON_S)), 2)
    latent = PRIORS.get(first.kind, DEFAULT).onset == "latent"
    moments = {
        name: None if (at := getattr(first, name)) is None else at + (0.0 if latent else later)
        for name in ("at_s", "after_ignition_s")
    }
    return fault.model_copy(update=moments)


# ---- how likely


def log_likelihood(case: Case) -> float:
    """Return the logarithm of how likely the faults of a case are; 0 without one, less for each.

    It is that of the draws of draw_case for number, kinds, moments and sizes; moments and sizes count by
    their density over that of a uniform draw over the same range.  Which of several like units is struck
    is not part of it, nor start and weather, whose draws are uniform.  A size beyond its drawn range
    counts as the nearer end.
    """
    count = len(case.fault)
    if count == 0:
        return 0.0
    total = math.log(COUNTS[min(count, len(COUNTS)) - 1])
    total += max(0, count - len(COUNTS)) * math.log(COUNTS[-1] / COUNTS[-2])
    first = case.fault[0]
    for number, fault in enumerate(case.fault):
        alone = math.exp(_log_kind(fault) + _log_onset(fault))
        if number > 0:
            alone = (1.0 - COMMON) * alone + COMMON * _common(first, fault)
        total += math.log(alone) + _log_sizes(fault)
    return total


def _log_kind(fault: FaultSpec) -> float:
    shares = _shares(drawn_kinds())
    return math.log(shares.get(fault.kind, min(shares.values())))


def _log_onset(fault: FaultSpec) -> float:
    """Return the logarithm of how likely a fault strikes in the start-up, or later, whichever it does."""
    if PRIORS.get(fault.kind, DEFAULT).onset != "burn":
        return 0.0
    starting = fault.after_ignition_s is not None and fault.after_ignition_s < START_S
    return math.log(START_SHARE if starting else 1.0 - START_SHARE)


def _log_sizes(fault: FaultSpec) -> float:
    return sum(
        _span(fault.kind, size).log_density(float(getattr(fault, size.name)))
        for size in CATALOGUE[fault.kind].sizes
        if isinstance(size, Size)
    )


def _common(first: FaultSpec, fault: FaultSpec) -> float:
    """Return 1 where a fault may have the cause of `first`, 0 where it cannot."""
    if fault.kind != first.kind:
        return 0.0
    if PRIORS.get(first.kind, DEFAULT).onset == "latent":
        return 1.0
    for name in ("at_s", "after_ignition_s"):
        began, at = getattr(first, name), getattr(fault, name)
        if began is not None and at is not None and -1e-9 <= at - began <= COMMON_S + 1e-9:
            return 1.0
    return 0.0
