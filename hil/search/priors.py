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
from typing import Any, Final, Literal

import numpy as np

from hil.faults.case import Case, FaultSpec
from hil.faults.catalogue import ABILITIES, CATALOGUE, HEALS, Choice, Kind, Size
from hil.faults.dispersion import disperse
from hil.plant.vehicle import Vehicle
from hil.sensors.streams import stream

__all__ = [
    "COUNTS",
    "GROUPS",
    "NOT_DRAWN",
    "PRIORS",
    "Group",
    "Prior",
    "Span",
    "draw_case",
    "drawn_kinds",
    "kind_shares",
    "log_likelihood",
    "spans",
]

BURN_S: Final = 20.0
"""The landing engine burns so long (computed: 20.6 to 21.2 s in `dispersed`), ..."""
BRAKE_S: Final = 11.0
"""... the others until the step-down (computed: 11.0 to 11.1 s); later faults would change nothing."""
COAST_S: Final = 7.5
"""From the start to the ignition (computed: 7.5 to 8.2 s)."""
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
_COMPUTER: Final = "flight_computer"
_COMES_BACK: Final = ("board.reset", "board.brown_out", "board.slow_clock")
"""Kinds that a flight computer may have: without one there is no guidance to be scored."""

Law = Literal["uniform", "log", "half-normal", "whole"]
Onset = Literal["latent", "burn", "flight"]
Rng = np.random.Generator


@dataclass(frozen=True, slots=True)
class Span:
    """How a size is distributed from its mild to its severe end (both drawn), in the size's own unit.

    `uniform`: even; `log`: even in the logarithm of its distance to `about`, the value of no fault;
    `half-normal`: likeliest at the mild end, half the range one sigma; `whole`: whole numbers, even.
    Both ends may be one value.
    """

    mild: float
    severe: float
    law: Law = "uniform"
    about: float = 0.0

    def draw(self, rng: Rng) -> float:
        """Return a value."""
        part, mild, severe = float(rng.uniform()), self.mild, self.severe
        low, high = min(mild, severe), max(mild, severe)
        if self.law == "whole":
            return float(low + min(math.floor(part * (high - low + 1.0)), high - low))
        if self.law == "log":
            ratio = (severe - self.about) / (mild - self.about)
            value = self.about + (mild - self.about) * math.pow(ratio, part)
        else:
            value = mild + (severe - mild) * (_half_normal(part) if self.law == "half-normal" else part)
        return min(max(value, low), high)

    def off(self, value: float) -> float:
        """Return how far `value` is beyond the range."""
        return max(min(self.mild, self.severe) - value, value - max(self.mild, self.severe), 0.0)

    def log_density(self, value: float) -> float:
        """Return the logarithm of the density over that of a uniform draw; beyond an end as at the end."""
        if self.mild == self.severe:
            return 0.0
        value = min(max(value, min(self.mild, self.severe)), max(self.mild, self.severe))
        if self.law == "log":
            far, near = abs(self.severe - self.about), abs(self.mild - self.about)
            return math.log((far - near) / (abs(value - self.about) * math.log(far / near)))
        if self.law == "half-normal":
            x = (value - self.mild) / (self.severe - self.mild)
            return -2.0 * x * x - math.log(_HALF_NORMAL_AREA)
        return 0.0


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
    "board": "boards",
    **dict.fromkeys(("nav", "sensor"), "sensors"),
    **dict.fromkeys(("wire", "bus", "can", "link", "serial"), "wires"),
    **dict.fromkeys(("wind", "air", "pad"), "environment"),
}
"""Group of a kind by the first word of its name; any other word is a sensor's."""


def _group(kind: str) -> str:
    return _GROUP_OF.get(kind.split(".", 1)[0], "sensors")


@dataclass(frozen=True, slots=True)
class Prior:
    """What is assumed of one kind: its weight within its group, when it strikes and how badly."""

    weight: float
    onset: Onset = "burn"
    laws: Mapping[str, Law] = field(default_factory=dict)
    """Sizes whose distribution is another than the catalogue's mild end suggests."""


PRIORS: Final[Mapping[str, Prior]] = {
    "engine.out": Prior(8.0),
    "engine.late_ignition": Prior(6.0, "latent"),
    "engine.no_ignition": Prior(3.0, "latent"),
    "engine.hard_start": Prior(3.0, "latent"),
    "engine.thrust_shortfall": Prior(6.0),
    "engine.slow_throttle": Prior(2.0),
    "engine.chug": Prior(2.0),
    "engine.buzz": Prior(1.0),
    "engine.mixture_shift": Prior(3.0),
    "valve.stuck": Prior(2.0),
    "valve.stuck_at": Prior(1.0, laws={"position": "uniform"}),
    "valve.slow": Prior(2.0),
    "valve.stiction": Prior(3.0),
    "valve.leak": Prior(2.0, "latent"),
    "feed.gas": Prior(3.0),
    "pump.cavitation": Prior(2.0),
    "pump.overspeed": Prior(1.0),
    "injector.blockage": Prior(2.0),
    "tank.load_error": Prior(2.0, "latent"),
    "bay.fire": Prior(2.0),
    "gimbal.stuck": Prior(2.0),
    "gimbal.hardover": Prior(1.0),
    "gimbal.bias": Prior(2.0),
    "gimbal.slow": Prior(2.0),
    "fin.stuck": Prior(2.0, "flight"),
    "fin.slow": Prior(2.0, "flight"),
    "board.silent": Prior(1.0, "flight"),
    "board.reset": Prior(2.0, "flight"),
    "board.freeze": Prior(1.0, "flight"),
    "board.slow_clock": Prior(1.0, "flight"),
    "board.brown_out": Prior(1.0, "flight"),
    "nav.off": Prior(3.0, "flight"),
    "nav.stale": Prior(2.0, "flight"),
    "nav.stuck": Prior(1.0, "flight"),
    "nav.wrong": Prior(0.5, "flight", {"value": "uniform"}),
    "nav.noise": Prior(2.0, "flight"),
    "nav.bias": Prior(2.0, "flight"),
    "nav.scale": Prior(1.0, "flight"),
    "nav.latency": Prior(1.0, "flight"),
    "sensor.off": Prior(3.0),
    "sensor.stuck": Prior(2.0),
    "sensor.wrong": Prior(1.0, laws={"value": "uniform"}),
    "sensor.noise": Prior(2.0),
    "sensor.bias": Prior(2.0),
    "sensor.scale": Prior(1.0),
    "sensor.latency": Prior(1.0),
    "wind.gust": Prior(3.0, "flight", {"towards_deg": "uniform"}),
    "wind.shift": Prior(2.0, "flight", {"towards_deg": "uniform", "rise_s": "uniform"}),
    "air.density": Prior(1.0, "flight"),
    "pad.slippery": Prior(2.0, "latent"),
}
"""Weights are assumed.  Kinds that are not here get DEFAULT."""

DEFAULT: Final = Prior(1.0, "flight")

HEAL: Final = 0.3
"""Of faults that may heal: those that do (assumed)."""
_NEVER: Final = 1e-6
"""Likelihood of what is never drawn, so that it can still be compared."""
BLINDING: Final[Mapping[str, tuple[str, ...]]] = {
    "nav.off": ("solution",),
    "nav.stuck": ("position", "velocity", "attitude", "rate"),
    "nav.wrong": ("position", "velocity", "rate"),
}
"""Faults that leave nothing to guide by: they always heal, as the flight computer always comes back."""


NOT_DRAWN: Final = ("nav.frozen", "nav.no_number")
"""Kinds that are left to searches, so that a scorecard's cases stay those that earlier kernels flew."""


@cache
def drawn_kinds() -> tuple[str, ...]:
    """Return the kinds that are drawn: those that the rung `kernel` can fly, but for NOT_DRAWN."""
    return tuple(
        name
        for name, kind in CATALOGUE.items()
        if "kernel" in ABILITIES[kind.needs].rungs and name not in NOT_DRAWN
    )


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


def spans(kind: str, size: Size) -> tuple[Span, ...]:
    """Return the ranges of a size, one as likely as the other, each from its mild to its severe end."""
    law = PRIORS.get(kind, DEFAULT).laws.get(size.name)
    ranges: list[tuple[float, float]] = []
    for low, high in size.drawn:
        apart = law is None and low < size.mildest < high  # grows either way from the value of no fault
        ranges += [(low, size.mildest), (size.mildest, high)] if apart else [(low, high)]
    return tuple(_span(size, low, high, law) for low, high in ranges)


def _span(size: Size, low: float, high: float, law: Law | None) -> Span:
    """Return how one range of a size is drawn: from the end that is nearer to the mildest value.

    Unless `law` says otherwise: whole numbers even; sizes that grow from a value of no fault by the
    logarithm, or, where the range begins at that value, half-normal; shares of a healthy value even.
    """
    mildest = size.mildest
    about = mildest if isinstance(size.mild, float) else 0.0
    mild, severe = (low, high) if abs(low - mildest) <= abs(high - mildest) else (high, low)
    if law is None and size.whole:
        law = "whole"
    elif law is None and size.mild == "high":
        law = "uniform"
    elif law is None:
        law = "half-normal" if mild == about else "log"
    return Span(mild, severe, law, about)


# ---- drawing


def draw_case(
    base: Case, vehicle: Vehicle, seed: int, index: int, kinds: Collection[str] | None = None
) -> Case:
    """Return off-nominal case number `index` of master seed `seed`: the same for the same arguments.

    `base` lends everything but the faults; its dispersions are drawn too, so that the case is plain.
    `kinds` limits what is drawn (default: drawn_kinds()).
    """
    rng = stream(seed, str(index), "faults")
    chosen = drawn_kinds() if kinds is None else tuple(name for name in CATALOGUE if name in kinds)
    faults = _draw_faults(rng, chosen, vehicle)
    run_id, own_seed = f"drawn-{seed}-{index}", int(rng.integers(2**31))
    plain, _ = disperse(base, own_seed, run_id)
    told = f"Drawn by seed {seed}, number {index}: {', '.join(fault.kind for fault in faults)}."
    changes = {"description": told, "fault": faults, "run_id": run_id, "seed": own_seed}
    return plain.model_copy(update=changes)


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


def _place(fault: FaultSpec) -> tuple[str, str, str | None]:
    """Return what a fault strikes; two of a kind in one place would be one."""
    struck = getattr(fault, CATALOGUE[fault.kind].strikes, None)
    return fault.kind, str(struck), fault.what


def _may_join(fault: FaultSpec, faults: Sequence[FaultSpec], vehicle: Vehicle) -> bool:
    """Tell whether a case may have this fault too."""
    if _place(fault) in map(_place, faults) or _too_late(fault, vehicle):
        return False
    out = {f.engine for f in (*faults, fault) if f.kind == "engine.out"}
    return fault.kind != "engine.out" or len(out) < len(vehicle.landing_engines) or len(out) == 1


def _too_late(fault: FaultSpec, vehicle: Vehicle) -> bool:
    """Tell whether the engine is shut down by then, so that nothing would change."""
    boards = {_BOARD.format(number): number for number in vehicle.landing_engines}
    engine = fault.engine if fault.board is None else boards.get(fault.board)
    lasts_s = BURN_S if engine is None else _burns_s(engine, vehicle)
    return max((fault.at_s or 0.0) - COAST_S, fault.after_ignition_s or 0.0) > lasts_s


def _has_room(fault: FaultSpec, faults: Sequence[FaultSpec], vehicle: Vehicle) -> bool:
    """Tell whether another place is left for a fault of this kind."""
    kind = CATALOGUE[fault.kind]
    units = {
        "engine": len(vehicle.landing_engines),
        "board": len(vehicle.landing_engines),
        "fin": 4,
        "tank": 2,
    }
    places = units.get(kind.strikes, 1) * max(1, len(kind.what))
    return sum(f.kind == fault.kind for f in faults) < places - (fault.kind == "engine.out")


def _draw_fault(rng: Rng, kind: Kind, vehicle: Vehicle) -> FaultSpec:
    """Draw a fault of a kind: what it strikes, when, how badly, and whether it heals."""
    onset = PRIORS.get(kind.name, DEFAULT).onset
    start = onset == "burn" and rng.uniform() < START_SHARE
    struck, lasts_s = _draw_struck(rng, kind, vehicle, even=start or onset != "burn")
    moment = float(rng.uniform())
    trigger = {
        "latent": {"at_s": 0.0},
        "burn": {"after_ignition_s": round(moment * (START_S if start else lasts_s), 2)},
        "flight": {"at_s": round(moment * (COAST_S + lasts_s), 2)},
    }
    variants = list(kind.variants())
    plain = variants[int(rng.integers(len(variants)))]
    sizes = {size.name: _draw_size(rng, kind.name, size) for size in plain.sizes}
    if kind.heals and rng.uniform() < _heals(kind.name, sizes.get("what")):
        sizes[HEALS.name] = _draw_size(rng, kind.name, HEALS)
    return FaultSpec.model_validate({"kind": kind.name, **struck, **trigger[onset], **sizes})


def _heals(kind: str, what: object) -> float:
    """Return in which share of its cases a fault of a kind that may heal does."""
    return 1.0 if what in BLINDING.get(kind, ()) else HEAL


def _draw_struck(rng: Rng, kind: Kind, vehicle: Vehicle, *, even: bool) -> tuple[dict[str, Any], float]:
    """Return the key that says what the fault strikes, and how much of the burn that matters, s.

    Engines are all alike if `even`, else by how long they burn; so are their boards.  The flight computer
    is one board more where it comes back.
    """
    engines = vehicle.landing_engines
    lasting = np.array([_burns_s(number, vehicle) for number in engines])
    index = int(rng.choice(len(engines), p=None if even else lasting / lasting.sum()))
    computer = kind.name in _COMES_BACK and rng.uniform() < 1.0 / (len(engines) + 1)
    fin = 1 + int(rng.integers(4))
    if kind.strikes == "engine":
        return {"engine": engines[index]}, float(lasting[index])
    if kind.strikes == "board" and not computer:
        return {"board": _BOARD.format(engines[index])}, float(lasting[index])
    others: dict[str, dict[str, Any]] = {"board": {"board": _COMPUTER}, "fin": {"fin": fin}}
    return others.get(kind.strikes, {}), BURN_S


def _burns_s(engine: int, vehicle: Vehicle) -> float:
    """Return how long an engine burns in a landing, s."""
    lands = engine == vehicle.centre_engine or len(vehicle.landing_engines) == 1
    return BURN_S if lands else BRAKE_S


def _draw_size(rng: Rng, kind: str, size: Size | Choice) -> float | str:
    """Draw a size or word; numbers to six digits, which a case file shows in full."""
    if isinstance(size, Choice):
        return size.words[int(rng.integers(len(size.words)))]
    ranges = spans(kind, size)
    return float(f"{ranges[int(rng.integers(len(ranges)))].draw(rng):.6g}")


def _alike(rng: Rng, first: FaultSpec, vehicle: Vehicle) -> FaultSpec:
    """Draw a fault of the same cause as `first`: of its kind, somewhere else, at once or a little later."""
    fault = _draw_fault(rng, CATALOGUE[first.kind], vehicle)
    later = round(float(rng.uniform(0.0, COMMON_S)), 2)
    latent = PRIORS.get(first.kind, DEFAULT).onset == "latent"
    moments = {
        name: None if (at := getattr(first, name)) is None else round(at + (0.0 if latent else later), 2)
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
    """Return the logarithm of the density of the sizes, and of healing."""
    kind, total = CATALOGUE[fault.kind], 0.0
    for size in kind.sizes_for(fault.what):
        if isinstance(size, Size):
            value = float(getattr(fault, size.name))
            ranges = spans(kind.name, size)
            total += min(ranges, key=lambda span: span.off(value)).log_density(value) - math.log(len(ranges))
    if kind.heals:
        share = _heals(kind.name, fault.what)
        healing = share if fault.heals_after_s is not None else 1.0 - share
        total += math.log(max(healing, _NEVER))
    return total


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
