"""Hypothesis strategies for landings that go wrong: they draw cases, and shrink towards nominal.

Every strategy shrinks towards fewer, later, smaller and shorter faults, calm air and the nominal state, so
that what is left of a failing example is what the failure needs.  Numbers are drawn on a grid that people
can read (50 ms, a hundredth of a fault's range, 1 m, 0.1 m/s), so that a case file holds them exactly.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

from hypothesis import strategies as st

from hil.faults.case import Case, FaultSpec, Initial, Stage, Wind
from hil.faults.catalogue import CATALOGUE, HEALS, Choice, Kind, Size
from hil.search.priors import kind_shares

__all__ = [
    "AT_START",
    "COMBUSTION",
    "combustion_faults",
    "engine_faults",
    "faults",
    "initial_states",
    "off_nominal_cases",
    "one_fault",
    "stages",
    "winds",
]

LAST_ONSET_S: Final = 22.0
"""Latest onset drawn, after ignition: later than this a burn is over."""
ONSET_STEP_S: Final = 0.05
STEPS: Final = 100
"""Steps from the mildest value of a size to the end of a range that is drawn."""
MILDER: Final = 1.5
"""Exponent that has mild sizes drawn more often than severe ones."""
SHARES: Final = 200
FINS: Final = 4

AT_START: Final = frozenset(
    {"engine.late_ignition", "engine.no_ignition", "engine.hard_start", "tank.load_error", "valve.leak"}
)
"""Kinds that are about the start of the engines or of the flight: they strike at time 0."""
IN_FLIGHT: Final = frozenset({"engine", "feed", "pump", "injector", "bay"})
"""Groups of kinds that strike while the engines burn; all others may also be there from the start."""
COMBUSTION: Final = tuple(
    name
    for name in CATALOGUE
    if name.split(".")[0] in ("engine", "valve", "feed", "pump", "injector", "tank", "bay")
)
"""Kinds between tank and chamber: the combustion table in docs/plant_propulsion.md."""


def _onset() -> st.SearchStrategy[float]:
    """Draw a time after ignition in s, in steps of ONSET_STEP_S; shrinks towards late."""
    most = round(LAST_ONSET_S / ONSET_STEP_S)
    return st.integers(0, most).map(lambda early: round(LAST_ONSET_S - early * ONSET_STEP_S, 2))


def _sized(size: Size) -> st.SearchStrategy[float]:
    """Draw a size from its likely ranges, small ones more often; shrinks towards the mildest value."""
    nearest = sorted(size.drawn, key=lambda ends: min(abs(end - size.mildest) for end in ends))
    return st.one_of(*(_from_range(size, *ends) for ends in nearest))


def _from_range(size: Size, low: float, high: float) -> st.SearchStrategy[float]:
    mild, severe = (low, high) if abs(low - size.mildest) <= abs(high - size.mildest) else (high, low)
    if mild < size.mildest < severe or severe < size.mildest < mild:
        mild = size.mildest
    if size.whole:
        return st.integers(0, round(abs(severe - mild))).map(
            lambda step: mild + math.copysign(step, severe - mild)
        )

    def scaled(step: int) -> float:
        return float(f"{mild + (step / STEPS) ** MILDER * (severe - mild):.4g}")

    return st.integers(0, STEPS).map(scaled)


def _trigger(kind: Kind) -> st.SearchStrategy[dict[str, Any]]:
    after: st.SearchStrategy[dict[str, Any]] = _onset().map(lambda onset: {"after_ignition_s": onset})
    at_start: st.SearchStrategy[dict[str, Any]] = st.just({"at_s": 0.0})
    if kind.name in AT_START:
        return at_start
    return after if kind.name.split(".")[0] in IN_FLIGHT else st.one_of(after, at_start)


def _fault(kind: Kind, struck: Mapping[str, Sequence[Any]]) -> st.SearchStrategy[FaultSpec]:
    """Draw a fault of one kind."""
    keys: dict[str, st.SearchStrategy[Any]] = {}
    if kind.strikes in struck:
        keys[kind.strikes] = st.sampled_from(list(struck[kind.strikes]))
    if kind.heals:
        keys[HEALS.name] = st.one_of(_sized(HEALS), st.none())
    plain = [
        st.fixed_dictionaries(
            keys
            | {
                size.name: st.sampled_from(size.words) if isinstance(size, Choice) else _sized(size)
                for size in variant.sizes
            }
        )
        for variant in kind.variants()
    ]
    return st.tuples(_trigger(kind), st.one_of(*plain)).map(
        lambda parts: FaultSpec(kind=kind.name, **parts[0], **parts[1])
    )


def one_fault(name: str, engines: Sequence[int], boards: Sequence[str] = ()) -> st.SearchStrategy[FaultSpec]:
    """Draw one fault of a kind of the catalogue (none that strikes messages or lines)."""
    return _fault(CATALOGUE[name], {"engine": engines, "board": boards, "fin": range(1, FINS + 1)})


def faults(
    engines: Sequence[int],
    boards: Sequence[str] = (),
    *,
    messages: Sequence[str] = (),
    lines: Sequence[str] = (),
    kinds: Iterable[str] | None = None,
    most: int = 3,
) -> st.SearchStrategy[tuple[FaultSpec, ...]]:
    """Draw up to `most` faults of `kinds` (None: every kind of the catalogue), none twice on one thing.

    `engines` are the numbers of the engines that land, `boards`, `messages` (of the bus) and `lines` (serial)
    the names of what else may be struck; kinds for which there is nothing to strike are left out.
    """
    struck: dict[str, Sequence[Any]] = {
        "engine": engines,
        "board": boards,
        "message": messages,
        "line": lines,
        "fin": range(1, FINS + 1),
    }
    shares = kind_shares(tuple(CATALOGUE if kinds is None else kinds))
    # a kind is drawn about as often as it is met, none less than once in SHARES
    often = [
        name
        for name, share in sorted(shares.items(), key=lambda item: -item[1])
        if struck.get(CATALOGUE[name].strikes, (None,))
        for _ in range(max(1, round(SHARES * share)))
    ]
    each = {name: _fault(CATALOGUE[name], struck) for name in often}
    one = st.sampled_from(often).flatmap(lambda name: each[name])
    # a list of each length by itself: fewer faults are simpler, whatever they are
    unique = st.one_of(
        *(
            st.lists(
                one,
                min_size=count,
                max_size=count,
                unique_by=lambda f: (f.kind, f.engine, f.board, f.fin, f.what, f.message, f.line),
            )
            for count in range(most + 1)
        )
    )
    return unique.map(tuple)


def combustion_faults(engines: Sequence[int], *, most: int = 3) -> st.SearchStrategy[tuple[FaultSpec, ...]]:
    """Draw up to `most` faults between tank and chamber: every kind of COMBUSTION."""
    return faults(engines, kinds=COMBUSTION, most=most)


def engine_faults(engines: Sequence[int], *, most: int = 3) -> st.SearchStrategy[tuple[FaultSpec, ...]]:
    """Draw up to `most` engines that are late, weak or out, at any moment."""
    return faults(engines, kinds=("engine.late_ignition", "engine.thrust_shortfall", "engine.out"), most=most)


def _grid(half_range: float, step: float) -> st.SearchStrategy[float]:
    """Draw from -half_range to half_range in steps; shrinks towards 0."""
    most = round(half_range / step)
    return st.integers(-most, most).map(lambda count: round(count * step, 6))


def initial_states(
    nominal: Initial, *, pos_m: float = 100.0, vel_mps: float = 10.0
) -> st.SearchStrategy[Initial]:
    """Draw states about `nominal`: half-ranges in m and m/s on each pad axis."""

    def build(offsets: tuple[float, ...]) -> Initial:
        pos = tuple(round(p + d, 6) for p, d in zip(nominal.pos_pad_m, offsets[:3], strict=True))
        vel = tuple(round(v + d, 6) for v, d in zip(nominal.vel_pad_mps, offsets[3:], strict=True))
        return nominal.model_copy(update={"pos_pad_m": pos, "vel_pad_mps": vel})

    drawn = st.tuples(*[_grid(pos_m, 1.0)] * 3, *[_grid(vel_mps, 0.1)] * 3).map(build)
    return st.one_of(st.just(nominal), drawn)


def winds(most_mps: float = 15.0, gusts_mps: float = 8.0) -> st.SearchStrategy[Wind]:
    """Draw steady winds up to `most_mps` from anywhere, gusts up to `gusts_mps`; shrinks towards calm."""

    def build(parts: tuple[int, int, int]) -> Wind:
        speed, towards = 0.5 * parts[0], math.radians(10.0 * parts[1])
        mean = (round(speed * math.sin(towards), 2), round(speed * math.cos(towards), 2))
        return Wind(mean_mps=mean, gust_w20_mps=0.5 * parts[2])

    drawn = st.tuples(
        st.integers(0, round(2 * most_mps)), st.integers(0, 35), st.integers(0, round(2 * gusts_mps))
    )
    return st.one_of(st.just(Wind()), drawn.map(build))


def stages(mass: float = 0.02, thrust: float = 0.03) -> st.SearchStrategy[Stage]:
    """Draw stages whose mass and thrust are off the data sheet by these parts at the most."""
    drawn = st.tuples(_grid(mass, 0.002), _grid(thrust, 0.003)).map(
        lambda off: Stage(mass_factor=round(1.0 + off[0], 6), thrust_factor=round(1.0 + off[1], 6))
    )
    return st.one_of(st.just(Stage()), drawn)


def off_nominal_cases(
    nominal: Case,
    engines: Sequence[int],
    *,
    boards: Sequence[str] = (),
    messages: Sequence[str] = (),
    lines: Sequence[str] = (),
    kinds: Iterable[str] | None = None,
    most: int = 3,
) -> st.SearchStrategy[Case]:
    """Draw cases about `nominal`: faults beside its own, another state, wind, stage and seed of the noise.

    A dispersion of `nominal` is replaced by what is drawn here.  Random streams keep its name, so that a
    drawn case is the same flight under every name.
    """
    run_id = nominal.run_id or nominal.path.stem or None

    def build(parts: tuple[tuple[FaultSpec, ...], Initial, Wind, Stage, int]) -> Case:
        drawn, initial, wind, stage, seed = parts
        changes = {"initial": initial, "wind": wind, "stage": stage, "fault": (*nominal.fault, *drawn)}
        return nominal.model_copy(update={**changes, "seed": seed, "dispersion": None, "run_id": run_id})

    return st.tuples(
        faults(engines, boards, messages=messages, lines=lines, kinds=kinds, most=most),
        initial_states(nominal.initial),
        winds(),
        stages(),
        st.integers(0, 1000),
    ).map(build)
