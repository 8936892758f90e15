"""The clairvoyant oracle: could a case have been landed at all, by any guidance that knew everything?

`judge` answers *landable* with commands that land when flown open loop in the plant, *unlandable* with a
certificate (hil.search.oracle_bound), or *undecided*.  It never calls the guidance kernel.
docs/ORACLE.md says what that claims and what not.
"""

from __future__ import annotations

import itertools
import math
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Final, Literal

import numpy as np

from hil.faults.case import Case, FaultSpec
from hil.faults.dispersion import disperse
from hil.plant.vehicle import Vehicle
from hil.search.oracle_air import Air
from hil.search.oracle_aim import Aimer
from hil.search.oracle_bound import Certificate, refute
from hil.search.oracle_clear import Clearing
from hil.search.oracle_clear import clearing as clearing_of
from hil.search.oracle_flight import Lead, Subject, Tactic, coast, fly, plan_descent, start_of
from hil.search.oracle_thrust import Traces, measure, timed
from hil.search.oracle_vertical import Coast, Schedule, schedules
from hil.search.oracle_world import History, Touchdown, physical_faults

__all__ = ["Clearing", "Judgement", "could_clear", "judge", "replay"]

Verdict = Literal["landable", "unlandable", "undecided"]

SPAN_S: Final = 32.0
"""Thrust is measured for so long after ignition."""
THROTTLES: Final = ((0.75, 0.3), (0.5, 0.3), (0.25, 0.3), (0.5, 0.6), (0.9, 0.5), (0.95, 0.85))
"""Of braking and of landing, 0 floor to 1 full: from gentle burns to the shortest."""
SHUT_BEFORE_S: Final = 0.6
"""An engine is shut so long before its fault strikes: valves and chamber take some time."""
LANDS_FIRST: Final = 2
"""Sets of landing engines that are tried before the less centred ones."""
TRIED_FIRST: Final = 2
"""Leads of one choice of engines that are flown before others are looked at."""
MOST_FLIGHTS: Final = 24
MOST_AIMS: Final = 7
"""Flights of one lead, each aimed by what the one before missed."""


@dataclass(frozen=True)
class Judgement:
    """What the oracle says of a case; times in s since the start, masses in kg."""

    verdict: Verdict
    reason: str
    margin: dict[str, float]
    """Landable: `propellant_left_kg`, `delay_s` (how much later the vertical channel could light and still
    stop) and `touchdown_share` (worst figure of the touch over its limit).  Unlandable: what the certificate
    is over its limit (`over`)."""
    propellant_kg: float | None
    ignition_s: float | None
    touchdown: Touchdown | None
    history: History | None
    certificate: Certificate | None
    flights: int
    """Clairvoyant flights that were flown."""
    work_s: float
    """Processor time that it took, s."""

    def clearing(
        self, case: Case, vehicle: Vehicle, *, seed: int | None = None, run_id: str = ""
    ) -> Clearing:
        """Tell whether coming down outside the keep-out was still possible (`could_clear`)."""
        return could_clear(case, vehicle, seed=seed, run_id=run_id)


def judge(
    case: Case,
    vehicle: Vehicle,
    *,
    seed: int | None = None,
    run_id: str = "",
    most_flights: int = MOST_FLIGHTS,
) -> Judgement:
    """Judge a case: landable, unlandable or undecided.

    `seed` (default: the case's) and `run_id` (the case's name in a rig's flights) name the random streams
    of dispersions and gusts, so that the very flight of a rig is judged.  `most_flights` bounds the work.
    Raises ImportError where Clarabel or SciPy is not installed.
    """
    begin = time.process_time()
    seed = case.seed if seed is None else seed
    plain, _ = disperse(case, seed, run_id)
    subject = Subject(plain, vehicle, seed, run_id)
    certificate = refute(subject)
    if certificate is not None:
        spent = time.process_time() - begin
        over = {"over": certificate.over}
        return Judgement(
            "unlandable", certificate.text, over, None, None, None, None, certificate, 0, spent
        )  # fmt: skip
    return _Hunt(subject, most_flights).run(begin)


def replay(
    case: Case, vehicle: Vehicle, history: History, *, seed: int, run_id: str = ""
) -> Touchdown | None:
    """Fly a history open loop in the plant of a case; return its touchdown."""
    plain, _ = disperse(case, seed, run_id)
    world = Subject(plain, vehicle, seed, run_id).world()
    world.replay(history)
    return world.touchdown()


def could_clear(case: Case, vehicle: Vehicle, *, seed: int | None = None, run_id: str = "") -> Clearing:
    """Tell whether a stage could still come down outside the keep-out when its last fault struck.

    Until then it is taken to fly to the pad as if nothing were to happen: `clear` is shown by a flight in
    the plant, `not clear` by a bound, all else is `undecided`.
    """
    seed = case.seed if seed is None else seed
    plain, _ = disperse(case, seed, run_id)
    unaware = Subject(plain.model_copy(update={"fault": ()}), vehicle, seed, run_id)
    return clearing_of(Subject(plain, vehicle, seed, run_id), _Hunt(unaware, 0).first())


class _Hunt:
    """Looks for a landing of one subject."""

    def __init__(self, subject: Subject, most_flights: int) -> None:
        self.subject = subject
        self.air = Air(subject.case, subject.vehicle)
        self.engines = len(subject.vehicle.landing_engines)
        self.most_flights = most_flights
        self.flights = 0
        self.coast: Coast = coast(subject, min(subject.case.time_limit_s, 60.0))
        self._usual_s: dict[tuple[int, ...], float] = {}
        """Ignition that the last tactic of these engines had: the next one's is close."""
        self._measured: dict[tuple[tuple[int, ...], int], Traces] = {}

    def run(self, begin: float) -> Judgement:
        """Plan and fly tactics, the most promising first, until one lands."""
        best: tuple[float, Touchdown | None] = (math.inf, None)
        for lead in self._leads():
            if self.flights >= self.most_flights:
                break
            outcome = self._flown(lead)
            if isinstance(outcome, Judgement):
                return replace(outcome, work_s=time.process_time() - begin)
            if outcome is not None and outcome.excess(self.subject.vehicle) < best[0]:
                best = (outcome.excess(self.subject.vehicle), outcome)
        near = f"the best of {self.flights} flights is {best[0]:.1f} times over a limit"
        reason = near if self.flights else "no plan was found, and no proof that there is none"
        spent = time.process_time() - begin
        return Judgement("undecided", reason, {}, None, None, best[1], None, None, self.flights, spent)

    def first(self) -> Lead | None:
        """Return the most promising lead; None without any."""
        return next(self._leads(), None)

    def _flown(self, lead: Lead) -> Judgement | Touchdown | None:
        """Fly a lead, and again with another aim where little was missing; a judgement when it lands."""
        aimer = Aimer(self.subject.vehicle)
        best: Touchdown | None = None
        for _ in range(MOST_AIMS):
            if self.flights >= self.most_flights:
                break
            self.flights += 1
            world = fly(self.subject, self.air, lead)
            touch = world.touchdown()
            if touch is not None and touch.within(self.subject.vehicle):
                history = world.history()
                again = self.subject.world()
                again.replay(history)
                if again.touchdown() == touch:
                    return self._landed(lead, touch, history)
            if best is None or (touch is not None and self._excess(touch) < self._excess(best)):
                best = touch
            tactic = aimer.next(lead.tactic, touch, world.touch_across_mps())
            if tactic is None:
                break
            lead = replace(lead, tactic=tactic)
        return best

    def _excess(self, touch: Touchdown) -> float:
        return touch.excess(self.subject.vehicle)

    def _landed(self, lead: Lead, touch: Touchdown, history: History) -> Judgement:
        left = touch.propellant_left_kg
        share = touch.excess(self.subject.vehicle)
        delay_s = max(lead.latest_s - lead.schedule.ignition_s, 0.0)
        margin = {"propellant_left_kg": left, "delay_s": delay_s, "touchdown_share": share}
        used = self.subject.world().state().propellant_kg - left
        names = self.subject.vehicle.landing_engines
        lit = ", ".join(str(names[slot]) for slot in lead.tactic.brake)
        down = ", ".join(str(names[slot]) for slot in lead.tactic.land)
        reason = f"lit at {lead.schedule.ignition_s:.2f} s on engines {lit}; lands on {down}"
        return Judgement(
            "landable",
            reason,
            margin,
            used,
            lead.schedule.ignition_s,
            touch,
            history,
            None,
            self.flights,
            0.0,
        )

    def _leads(self) -> Iterator[Lead]:
        """Yield leads, the best plans of each choice of engines first, then the others."""
        others: list[Lead] = []
        for brake, land, early in self._choices():
            tactics = (Tactic(brake, land, high, low) for high, low in THROTTLES)
            found = [lead for tactic in tactics if (lead := self._lead(tactic, early)) is not None]
            found.sort(key=lambda lead: lead.plan.badness)
            first = [lead for lead in found if lead.plan.lands][:TRIED_FIRST]
            others += [
                lead for lead in found if all(lead is not one for one in first) and lead.plan.miss_m < 30.0
            ]
            yield from first
        yield from sorted(others, key=lambda lead: lead.plan.badness)

    def _choices(self) -> Iterator[tuple[tuple[int, ...], tuple[int, ...], bool]]:
        """Yield braking and landing engines, and whether those with faults are shut before they strike."""
        every = tuple(range(self.engines))
        slots = {self._slot(fault) for fault in physical_faults(self.subject.case)}
        bad = {slot for slot in slots if slot is not None}
        good = tuple(slot for slot in every if slot not in bad)
        ways = [(every, False)]
        if good and good != every:
            ways = [(every, False), (every, True), (good, False)]
        for few in (True, False):
            for brake, early in ways:
                lands = self._landing_sets(brake, bad)
                for land in lands[:LANDS_FIRST] if few else lands[LANDS_FIRST:]:
                    yield brake, land, early

    def _landing_sets(self, brake: tuple[int, ...], bad: set[int]) -> list[tuple[int, ...]]:
        """Return sets of engines to land on: few and centred ones first, those with faults last."""
        places = self.subject.vehicle.engine_position
        numbers = self.subject.vehicle.landing_engines

        def offset(land: tuple[int, ...]) -> float:
            x = sum(places[numbers[slot] - 1].x_m for slot in land) / len(land)
            y = sum(places[numbers[slot] - 1].y_m for slot in land) / len(land)
            return math.hypot(x, y)

        most = min(len(brake), 3)
        sets = [c for size in range(1, most + 1) for c in itertools.combinations(brake, size)]
        if brake not in sets:
            sets.append(brake)
        healthy = [s for s in sets if not bad & set(s)]
        return sorted(healthy or sets, key=lambda s: (round(offset(s), 2), len(s)))

    def _lead(self, tactic: Tactic, early: bool) -> Lead | None:
        """Find the ignition of a tactic and plan its descent; None where none stops the stage."""
        guess_s = self._usual_s.get(tactic.brake, 0.6 * float(self.coast.t_s[-1]))
        schedule = latest = None
        traces = None
        for _ in range(2):
            traces, tactic = self._early(self._traces(tactic.brake, guess_s), tactic, early)
            schedule = self._latest(tactic, traces, tactic.throttle)
            if schedule is None:
                return None
            if abs(schedule.ignition_s - guess_s) < 0.3 or not self._timed_faults():
                break
            guess_s = schedule.ignition_s
        assert schedule is not None
        self._usual_s[tactic.brake] = schedule.ignition_s
        assert traces is not None
        traces, tactic = self._early(self._traces(tactic.brake, schedule.ignition_s), tactic, early)
        latest = self._latest(tactic, traces, 0.97)
        pos, vel, axis = self.coast.at(schedule.ignition_s)
        start = start_of(self.subject, schedule.ignition_s, pos, vel, axis, self.coast.mass_kg)
        factors = (1.0, 1.06, 0.94, 1.12)
        plan = plan_descent(self.air, traces, tactic, schedule, start, None, factors, 2)
        last = schedule.ignition_s if latest is None else latest.ignition_s
        return Lead(tactic, schedule, plan, traces, last)

    def _early(self, traces: Traces, tactic: Tactic, early: bool) -> tuple[Traces, Tactic]:
        """Return thrust and tactic with engines shut just before a fault of theirs strikes, if asked for."""
        if not early:
            return traces, tactic
        shut_s = {
            slot: onset_s - SHUT_BEFORE_S
            for slot, onset_s in self._onsets(traces.ignition_s).items()
            if onset_s > traces.ignition_s + 2.0 * SHUT_BEFORE_S
        }
        low_n, high_n = traces.low_n.copy(), traces.high_n.copy()
        at_s = traces.ignition_s + traces.step_s * np.arange(low_n.shape[1])
        for slot, time_s in shut_s.items():
            low_n[slot, at_s > time_s] = high_n[slot, at_s > time_s] = 0.0
        return replace(traces, low_n=low_n, high_n=high_n), replace(tactic, shut_s=shut_s)

    def _onsets(self, ignition_s: float) -> dict[int, float]:
        """Return when the first fault of each engine strikes that has one, s; triggers by height aside."""
        onsets: dict[int, float] = {}
        for fault in physical_faults(self.subject.case):
            slot = self._slot(fault)
            if slot is None or fault.below_alt_m is not None:
                continue
            after_s = fault.after_ignition_s
            onset_s = (fault.at_s or 0.0) if after_s is None else ignition_s + after_s
            onsets[slot] = min(onsets.get(slot, onset_s), onset_s)
        return onsets

    def _slot(self, fault: FaultSpec) -> int | None:
        """Return the slot of the engine that a fault strikes, itself or by its board."""
        numbers = self.subject.vehicle.landing_engines
        number = fault.engine
        if fault.board is not None and fault.board.startswith("engine_"):
            number = int(fault.board.rsplit("_", 1)[1])
        return numbers.index(number) if number in numbers else None

    def _latest(self, tactic: Tactic, traces: Traces, throttle: float) -> Schedule | None:
        stands = 0.97 * self.subject.vehicle.body.dry_cm_z_m
        end = float(self.coast.t_s[-1])
        moments = np.arange(0.0, max(end - 0.5, 0.05), 0.05)
        isp = self.subject.vehicle.engine.isp_sl_s
        found = schedules(
            self.coast, traces, self.air, isp, stands, list(tactic.brake), list(tactic.land), moments,
            throttle, tactic.land_throttle,
        )  # fmt: skip
        return next((s for s in reversed(found) if s is not None), None)

    def _timed_faults(self) -> bool:
        return any(f.after_ignition_s is None for f in physical_faults(self.subject.case))

    def _traces(self, brake: tuple[int, ...], ignition_s: float) -> Traces:
        """Return the thrust of engines lit at a moment; measured again only where that matters."""
        step = round(ignition_s / 0.2) if self._timed_faults() else 0
        if (brake, step) not in self._measured:
            crossing = self._crossing(ignition_s)
            case = timed(self.subject.case, crossing)
            self._measured[brake, step] = measure(case, self.subject.vehicle, brake, ignition_s, SPAN_S)
        return replace(self._measured[brake, step], ignition_s=ignition_s)

    def _crossing(self, ignition_s: float):  # type: ignore[no-untyped-def]
        """Return when a height is passed: in the coast, then braking evenly to the ground."""
        pos, vel, _ = self.coast.at(ignition_s)
        height, speed = max(float(pos[2]), 1.0), max(-float(vel[2]), 1.0)

        def at(height_m: float) -> float:
            above = self.coast.pos[:, 2]
            if height_m >= height:
                return float(np.interp(-height_m, -above, self.coast.t_s))
            return ignition_s + 2.0 * height / speed * (1.0 - math.sqrt(max(height_m, 0.0) / height))

        return at
