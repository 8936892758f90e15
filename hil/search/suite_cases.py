"""What is drawn for defects in a kernel, and which of it the reference kernel is known to bear."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, Final

from hypothesis import strategies as st

from hil.faults.case import Case, FaultSpec, Initial
from hil.plant.vehicle import Vehicle
from hil.rig.plan import Plan
from hil.search.strategies import initial_states, off_nominal_cases, one_fault, stages, winds

__all__ = ["EMPTY_FRAMES", "SILENT_FRAMES", "bears", "suite_cases"]

SILENT_FRAMES: Final = 6
EMPTY_FRAMES: Final = 3
"""A board that is silent for so many frames in a row, an engine that gives too little for so many, is given
up, neither sooner nor later (docs/KERNEL.md)."""
BORNE: Final = (
    "engine.out",
    "engine.late_ignition",
    "engine.thrust_shortfall",
    "engine.slow_throttle",
    "engine.mixture_shift",
    "engine.chug",
    "engine.hard_start",
    "valve.stiction",
)
"""Faults of one engine that a stage of three bears, whenever they strike, whichever engine; the loss of the
centre engine left out."""

OFTEN: Final = (*["engine.out"] * 6, "engine.late_ignition", *BORNE[1:], "nav.off", "nav.off")
"""What is drawn for defects, and how often: handling a loss is what most of a kernel is for."""

GONE: Final = ("nav.no_number", "nav.frozen")
"""Navigation that is gone; the first only where records are handed over."""
NO_NUMBER: Final = ("rate", "position", "velocity", "rate", "attitude", "rate", "height")
"""Parts of a solution, and how often they are drawn: a turn rate acts at once."""
GONE_S: Final = 0.5
"""Before the burn the kernel bears to be without navigation for so long."""

NEAR: Final = (
    *["engine.out"] * 4,
    *["nav.wrong"] * 2,
    "nav.off",
    "nav.frozen",
    "gimbal.stuck",
    "gimbal.hardover",
    "valve.stuck",
    "valve.stuck_at",
    "sensor.stuck",
)
"""What is drawn near nominal, and how often."""
HANGS: Final = "board.freeze"
BRIEF: Final = (HANGS, "sensor.wrong")
"""What is drawn for moments that have to be borne, and for those in which an engine has to be given up."""
BRIEF_APART_S: Final = 1.5
"""From one engine to the next."""

WEAK: Final = 0.75
"""An engine that gives less than this of its thrust is soon taken for lost."""
NEAR_M: Final = 50.0
NEAR_MPS: Final = 5.0
NEAR_WIND_MPS: Final = 8.0
NEAR_GUST_MPS: Final = 4.0
"""So far off nominal more is borne: the centre engine lost, parts that are stuck, navigation that errs."""
CENTRE_LOST_S: Final = ((11.5, 16.0), (1.0, 8.5))
"""When the centre engine may be lost, after ignition. Not just before the step-down: the others, too strong
to hover, then stop the stage above the ground; nor at the end, where there is no time to light them."""
OTHERS_BURN_S: Final = (0.5, 10.0)
"""When the others burn, after ignition: until the step-down."""
FROZEN_S: Final = (3.0, 20.0)
"""When navigation may be gone, for GONE_S; sooner after ignition nobody tells how much the engines brake."""
ERRS_S: Final = {"position": 6.0, "velocity": 2.0}
"""For which one component of navigation may be wrong."""
ERRS: Final = {"position": (-500.0, 0.0, 300.0, 2000.0), "velocity": (-300.0, -50.0, 0.0, 20.0)}
"""What it says then, m and m/s."""


def bears(case: Case, plan: Plan) -> bool:
    """Tell whether the kernel is known to bear a case: one without faults, or with one of those listed."""
    if not case.fault:
        return True
    fault = case.fault[0]
    if len(case.fault) > 1:
        return False
    if fault.kind in GONE and fault.at_s == 0.0:
        return fault.heals_after_s is not None and fault.heals_after_s <= GONE_S
    if len(plan.vehicle.landing_engines) < 3:
        return False
    return _always_borne(fault, plan.vehicle) or (
        _is_near(case, plan.case) and _borne_near(fault, plan.vehicle)
    )


def _always_borne(fault: FaultSpec, vehicle: Vehicle) -> bool:
    weak = fault.kind == "engine.thrust_shortfall" and (fault.factor or 0.0) < WEAK
    centre_lost = (fault.kind == "engine.out" or weak) and fault.engine == vehicle.centre_engine
    return fault.kind in BORNE and not centre_lost


def _borne_near(fault: FaultSpec, vehicle: Vehicle) -> bool:
    """Tell whether a fault is borne by a stage that is near nominal."""
    since_s = fault.after_ignition_s
    if since_s is None:
        return False
    if fault.kind == "nav.wrong":
        most_s = ERRS_S.get(fault.what or "", 0.0)
        return fault.heals_after_s is not None and fault.heals_after_s <= most_s and fault.axis != "all"
    if fault.kind == "nav.frozen":
        return (fault.heals_after_s or math.inf) <= GONE_S and since_s >= FROZEN_S[0]
    if fault.kind == "engine.out":
        return fault.engine == vehicle.centre_engine and any(a <= since_s <= b for a, b in CENTRE_LOST_S)
    return fault.kind in ("gimbal.stuck", "valve.stuck", "nav.off") or (
        fault.kind == "sensor.stuck" and fault.what == "chamber"
    )


def _is_near(case: Case, nominal: Case) -> bool:
    """Tell whether start and wind of a case are near nominal."""
    here, there = case.initial, nominal.initial
    off_m = max(abs(a - b) for a, b in zip(here.pos_pad_m, there.pos_pad_m, strict=True))
    off_mps = max(abs(a - b) for a, b in zip(here.vel_pad_mps, there.vel_pad_mps, strict=True))
    calm = max(map(abs, case.wind.mean_mps)) <= NEAR_WIND_MPS and case.wind.gust_w20_mps <= NEAR_GUST_MPS
    return calm and off_m <= NEAR_M + 1e-6 and off_mps <= NEAR_MPS + 1e-6


def suite_cases(plan: Plan, boards: Sequence[str], kinds: Sequence[str]) -> st.SearchStrategy[Case]:
    """Draw cases for defects: what is borne, what is not, flight computers that fall silent or hang, and
    navigation that goes or misleads."""
    engines, run_id = plan.vehicle.landing_engines, plan.case.run_id or plan.case.path.stem or None

    def build(parts: tuple[Any, ...]) -> Case:
        drawn, initial, wind, stage, seed = parts
        return plan.case.model_copy(
            update={
                "fault": drawn,
                "initial": initial,
                "wind": wind,
                "stage": stage,
                "seed": seed,
                "dispersion": None,
                "run_id": run_id,
            }
        )

    known = [kind for kind in OFTEN if kind in kinds]
    one = st.sampled_from(known).flatmap(lambda kind: one_fault(kind, engines, boards)).map(lambda f: (f,))
    misled = ([_gone(kinds)] if set(GONE) & set(kinds) else []) + (
        [_turning()] if "nav.wrong" in kinds else []
    )
    lost = [_two_lost(engines)] * 2 if "engine.out" in kinds and len(engines) > 2 else []
    brief = [_brief(plan.vehicle, kinds)] * 2 if boards and set(BRIEF) & set(kinds) else []
    struck = st.one_of(*([one] * 4 if known else []), _computer_faults(), *misled, *lost, *brief)
    kind = st.sampled_from([kind for kind in NEAR if kind in kinds])
    near = kind.flatmap(lambda kind: _near(kind, plan.vehicle))
    close = initial_states(plan.case.initial, pos_m=NEAR_M, vel_mps=NEAR_MPS)
    calm = winds(NEAR_WIND_MPS, NEAR_GUST_MPS)
    borne = st.tuples(near, close, calm, stages(), st.integers(0, 1000)).map(build)
    states = st.one_of(*[initial_states(plan.case.initial)] * 3, _higher(plan.case.initial))
    about = st.tuples(struck, states, winds(), stages(), st.integers(0, 1000)).map(build)
    return st.one_of(about, about, borne, off_nominal_cases(plan.case, engines, boards=boards, kinds=kinds))


def _near(kind: str, vehicle: Vehicle) -> st.SearchStrategy[tuple[FaultSpec, ...]]:
    """Draw a fault of a kind that a stage near nominal bears."""
    if kind == "engine.out":
        return _lost(vehicle)
    late = _between(*(FROZEN_S if kind == "nav.frozen" else (0.0, 20.0)))
    keys: dict[str, st.SearchStrategy[Any]] = {"kind": st.just(kind), "after_ignition_s": late}
    if kind == "nav.wrong":
        axis, lasts = st.sampled_from(("up", "east", "north")), st.sampled_from((1.0, 0.5, 0.05))
        said = st.sampled_from([(what, value) for what, values in ERRS.items() for value in values])
        return st.tuples(st.fixed_dictionaries(keys), said, axis, lasts).map(
            lambda part: (
                FaultSpec(
                    what=part[1][0],
                    value=part[1][1],
                    axis=part[2],
                    heals_after_s=round(part[3] * ERRS_S[part[1][0]], 2),
                    **part[0],
                ),
            )
        )
    if kind == "nav.off":
        keys["what"] = st.sampled_from(("solution", "height"))
    elif kind != "nav.frozen":
        keys["engine"] = st.sampled_from(vehicle.landing_engines)
    valve = {"valve": st.sampled_from(("oxidiser", "fuel"))}
    angle = st.sampled_from((3.0, -3.0, 6.0, -6.0))
    sizes: dict[str, dict[str, st.SearchStrategy[Any]]] = {
        "nav.frozen": {"heals_after_s": st.sampled_from((GONE_S, 0.3))},
        "valve.stuck": {**valve},
        "valve.stuck_at": {**valve, "position": st.sampled_from((0.3, 0.5, 0.8, 1.0))},
        "gimbal.hardover": {"axis": st.sampled_from("xy"), "angle_deg": angle},
        "sensor.stuck": {"what": st.just("chamber")},
    }
    return st.fixed_dictionaries(keys | sizes.get(kind, {})).map(lambda part: (FaultSpec(**part),))


def _lost(vehicle: Vehicle) -> st.SearchStrategy[tuple[FaultSpec, ...]]:
    """Draw the loss of the centre engine when it is borne, or of another one while it burns."""
    centre, engines = vehicle.centre_engine, vehicle.landing_engines
    others = [number for number in engines if number != centre] or list(engines)
    at_centre = st.tuples(st.just(centre), st.one_of(*(_between(*window) for window in CENTRE_LOST_S)))
    beside = st.tuples(st.sampled_from(others), _between(*OTHERS_BURN_S))
    return st.one_of(beside, at_centre).map(
        lambda part: (FaultSpec(kind="engine.out", engine=part[0], after_ignition_s=part[1], tail_off_s=0.2),)
    )


def _between(first_s: float, last_s: float) -> st.SearchStrategy[float]:
    """Draw a time in steps of 50 ms; shrinks towards late."""
    steps = round((last_s - first_s) / 0.05)
    return st.integers(0, steps).map(lambda early: round(last_s - 0.05 * early, 2))


def _higher(nominal: Initial) -> st.SearchStrategy[Initial]:
    """Draw starts up to 20 s earlier, falling as fast: a long coast."""

    def earlier(seconds: int) -> Initial:
        pos = tuple(p - v * seconds for p, v in zip(nominal.pos_pad_m, nominal.vel_pad_mps, strict=True))
        return nominal.model_copy(update={"pos_pad_m": (*nominal.pos_pad_m[:2], pos[2])})

    return st.integers(0, 20).map(earlier)


def _brief(vehicle: Vehicle, kinds: Sequence[str]) -> st.SearchStrategy[tuple[FaultSpec, ...]]:
    """Draw boards that hang, or chambers that read empty, each twice: for as long as is borne, or longer."""
    engines, centre = vehicle.landing_engines, vehicle.centre_engine
    alone = [(number,) for number in engines]

    def build(parts: tuple[tuple[int, ...], str, int, int, int, int]) -> tuple[FaultSpec, ...]:
        struck, kind, early, apart, *longer = parts
        last_s = 19.0 if struck == (centre,) else 8.0  # the others stop at the step-down
        drawn = []
        for number, engine in enumerate(struck):
            keys: dict[str, Any] = {"engine": engine, "what": "chamber", "value": 0.0}
            keys, due = (
                ({"board": f"engine_{engine}"}, SILENT_FRAMES) if kind == HANGS else (keys, EMPTY_FRAMES)
            )
            for at_s, more in zip((0.0, 0.2 * apart), longer, strict=True):
                onset_s = last_s - 0.05 * early - BRIEF_APART_S * number + at_s
                lasts_s = 0.01 * (due - 1 + more)
                keys |= {"after_ignition_s": round(onset_s, 2), "heals_after_s": round(lasts_s, 2)}
                drawn.append(FaultSpec(kind=kind, **keys))
        return tuple(drawn)

    longer = st.sampled_from((0, 0, 0, -1, 1, 2))
    return st.tuples(
        st.sampled_from([*alone, tuple(engines), tuple(engines)]),
        st.sampled_from([kind for kind in BRIEF if kind in kinds]),
        st.integers(0, 60),
        st.integers(1, 6),
        longer,
        longer,
    ).map(build)


def _gone(kinds: Sequence[str]) -> st.SearchStrategy[tuple[FaultSpec, ...]]:
    """Draw navigation that is gone, before the burn or at any moment of it, for a moment or for good."""
    after: st.SearchStrategy[dict[str, Any]] = st.integers(0, 400).map(
        lambda early: {"after_ignition_s": 20.0 - early * 0.05}
    )
    at_start: st.SearchStrategy[dict[str, Any]] = st.just({"at_s": 0.0})
    when = st.one_of(after, at_start)
    brief = st.integers(1, 50).map(lambda hundredths: hundredths * 0.01)
    lost = st.integers(21, 40).map(lambda tenths: round(tenths * 0.1, 1))  # and back after the abort
    heals = st.one_of(brief, lost, st.none())
    what = {"nav.frozen": st.none(), "nav.no_number": st.sampled_from(NO_NUMBER)}
    named = st.sampled_from([kind for kind in GONE if kind in kinds]).flatmap(
        lambda kind: st.tuples(st.just(kind), what[kind])
    )
    return st.tuples(named, when, heals).map(
        lambda part: (FaultSpec(kind=part[0][0], what=part[0][1], heals_after_s=part[2], **part[1]),)
    )


def _turning() -> st.SearchStrategy[tuple[FaultSpec, ...]]:
    """Draw navigation that believes in a turning stage: no plan can be made of that."""
    onset, rate = st.integers(0, 400), st.integers(1, 50)
    return st.tuples(onset, st.sampled_from("xy"), rate, st.sampled_from((1.0, -1.0))).map(
        lambda part: (
            FaultSpec(
                kind="nav.wrong",
                what="rate",
                axis=part[1],
                value=part[2] * part[3],
                after_ignition_s=20.0 - part[0] * 0.05,
            ),
        )
    )


def _two_lost(engines: Sequence[int]) -> st.SearchStrategy[tuple[FaultSpec, ...]]:
    """Draw two engines that go out while the stage is fast, the second at once or up to 2 s later."""
    pairs = [(a, b) for a in engines for b in engines if a != b]

    def build(parts: tuple[tuple[int, int], int, int]) -> tuple[FaultSpec, ...]:
        first_s = 5.0 - 0.05 * parts[1]
        both = zip(parts[0], (first_s, first_s + 0.05 * parts[2]), strict=True)
        return tuple(
            FaultSpec(kind="engine.out", engine=engine, after_ignition_s=round(onset_s, 2), tail_off_s=0.2)
            for engine, onset_s in both
        )

    return st.tuples(st.sampled_from(pairs), st.integers(0, 90), st.integers(0, 40)).map(build)


def _computer_faults() -> st.SearchStrategy[tuple[FaultSpec, ...]]:
    """Draw a flight computer that dies or hangs for a few frames, at any moment of the burn."""
    onset = st.integers(0, 400).map(lambda early: 20.0 - early * 0.05)
    dies = onset.map(lambda t: (FaultSpec(kind="board.silent", board="flight_computer", after_ignition_s=t),))
    hangs = st.tuples(onset, st.integers(1, 8)).map(
        lambda part: (
            FaultSpec(
                kind="board.freeze",
                board="flight_computer",
                after_ignition_s=part[0],
                heals_after_s=part[1] / 100,
            ),
        )
    )
    return st.one_of(dies, hangs)
