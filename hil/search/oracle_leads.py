"""What a clairvoyant may try: which engines brake and land, how hard, from when; each with a plan to fly."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Final

import numpy as np

from hil.faults.case import FaultSpec
from hil.search.oracle_air import Air
from hil.search.oracle_flight import Lead, Subject, Tactic, coast, plan_descent, start_of
from hil.search.oracle_thrust import Traces, measure, timed
from hil.search.oracle_vertical import Coast, Schedule, schedules
from hil.search.oracle_world import physical_faults

__all__ = ["Leads"]

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
CELL_S: Final = 1.5
"""Where faults strike at a time, ignitions are looked for in cells of this length."""
CONFIRMED: Final = 4
"""So many ignitions of a cell are tried with the thrust of that very ignition."""
SUBSETS_OF: Final = 4
"""Every set of engines is tried where there are at most so many."""
BURNS_ON: Final = ("board.freeze", "bay.fire")
"""After these an engine burns on as its valves were left, ..."""
TRIPS: Final = ("pump.overspeed",)
"""These shut an engine for good when it is run wide open."""
UNPOWERED: Final = "board.silent"
"""... and after this where no springs close valves without power."""


@dataclass(frozen=True)
class Way:
    """A way to use the engines: braking and landing ones, and what is done about those with faults."""

    brake: tuple[int, ...]
    land: tuple[int, ...]
    early: bool = False
    """Engines with faults are shut before they strike."""
    held: float | None = None
    """Engines that will burn on behind their boards are run at this opening all along."""
    spared: bool = False
    """Engines that trip when they are run wide open are not (`measure`)."""


class Leads:
    """Finds leads for one subject, the most promising first."""

    def __init__(self, subject: Subject, air: Air) -> None:
        self.subject = subject
        self.air = air
        self.engines = len(subject.vehicle.landing_engines)
        self.coast: Coast = coast(subject, min(subject.case.time_limit_s, 60.0))
        self._faults = physical_faults(subject.case)
        slots = {self._slot(fault) for fault in self._faults}
        self._bad = {slot for slot in slots if slot is not None}
        springs = subject.vehicle.engine.valve_spring_per_s > 0.0
        kinds = BURNS_ON if springs else (*BURNS_ON, UNPOWERED)
        self._burn_on = {
            slot for f in self._faults if f.kind in kinds and (slot := self._slot(f)) is not None
        }
        self._timed = any(f.after_ignition_s is None for f in self._faults)
        self._usual_s: dict[tuple[tuple[int, ...], float | None, bool], float] = {}
        """Ignition that the last tactic of these engines had: the next one's is close."""
        self._hardest_s: dict[Way, float] = {}
        """Ignition of a way's hardest tactic: those of the others are before it."""
        self._measured: dict[tuple[float | None, bool, int], Traces] = {}

    def __iter__(self) -> Iterator[Lead]:
        """Yield leads, the best plans of each way first, then the others."""
        others: list[Lead] = []
        for way in self._ways():
            found = self._found(way)
            found.sort(key=lambda lead: lead.plan.badness)
            first = [lead for lead in found if lead.plan.lands][:TRIED_FIRST]
            others += [
                lead for lead in found if all(lead is not one for one in first) and lead.plan.miss_m < 30.0
            ]
            yield from first
        yield from sorted(others, key=lambda lead: lead.plan.badness)

    def _found(self, way: Way) -> list[Lead]:
        """Return the leads of a way, one for each throttle; none where the hardest cannot stop the stage."""
        tactics = [Tactic(way.brake, way.land, high, low) for high, low in THROTTLES]
        hardest = self._scheduled(way, tactics[-1])
        if hardest is None:
            return []
        self._usual_s.setdefault((way.brake, way.held, way.spared), hardest[0].ignition_s)
        self._hardest_s[way] = hardest[0].ignition_s
        return [lead for tactic in tactics if (lead := self._lead(way, tactic)) is not None]

    # ---- ways

    def _ways(self) -> Iterator[Way]:
        """Yield the ways to use the engines: all of them first, sets that leave some out last."""
        every = tuple(range(self.engines))
        good = tuple(slot for slot in every if slot not in self._bad)
        sets = [(every, False)]
        if self._burn_on:  # an engine that nobody can shut any more has to be planned for (_held_ways)
            sets = [(good, False), (every, True)] if good else [(every, True)]
        elif good != every:
            sets = [(every, False), (every, True), (good, False)] if good else [(every, False), (every, True)]
        for few in (True, False):
            for brake, early in sets:
                lands = self._landing_sets(brake)
                for land in lands[:LANDS_FIRST] if few else lands[LANDS_FIRST:]:
                    yield Way(brake, land, early)
        yield from self._spared_ways(every)
        if self._bad and self.engines <= SUBSETS_OF:
            yield from self._held_ways()
            yield from self._other_ways(every, good)

    def _spared_ways(self, every: tuple[int, ...]) -> Iterator[Way]:
        """Yield ways with engines that trip wide open and are never run so."""
        if any(fault.kind in TRIPS for fault in self._faults):
            for land in self._landing_sets(every):
                yield Way(every, land, spared=True)

    def _held_ways(self) -> Iterator[Way]:
        """Yield ways with an engine burning on behind its board."""
        for slot in sorted(self._burn_on):
            others = [s for s in range(self.engines) if s != slot]
            for size in range(len(others), -1, -1):
                for more in itertools.combinations(others, size):
                    brake = tuple(sorted((slot, *more)))
                    for held in (0.0, 1.0):
                        yield Way(brake, brake, False, held)

    def _other_ways(self, every: tuple[int, ...], good: tuple[int, ...]) -> Iterator[Way]:
        for size in range(self.engines - 1, 0, -1):
            for brake in itertools.combinations(every, size):
                if brake != good:
                    for land in self._landing_sets(brake)[:LANDS_FIRST]:
                        yield Way(brake, land, bool(self._bad & set(brake)))

    def _landing_sets(self, brake: tuple[int, ...]) -> list[tuple[int, ...]]:
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
        healthy = [s for s in sets if not self._bad & set(s)]
        return sorted(healthy or sets, key=lambda s: (round(offset(s), 2), len(s)))

    # ---- one lead

    def _lead(self, way: Way, tactic: Tactic) -> Lead | None:
        """Find the ignition of a tactic and plan its descent; None where none stops the stage."""
        found = self._scheduled(way, tactic)
        if found is None:
            return None
        schedule, traces, tactic = found
        if way.early and not any(shut_s < schedule.touchdown_s for shut_s in tactic.shut_s.values()):
            return None  # it would be the flight of another way
        self._usual_s[way.brake, way.held, way.spared] = schedule.ignition_s
        latest = self._latest(tactic, traces, 0.97)
        pos, vel, axis = self.coast.at(schedule.ignition_s)
        start = start_of(self.subject, schedule.ignition_s, pos, vel, axis, self.coast.mass_kg)
        factors = (1.0, 1.06, 0.94, 1.12)
        plan = plan_descent(self.air, traces, tactic, schedule, start, None, factors, 2)
        last = schedule.ignition_s if latest is None else latest.ignition_s
        return Lead(tactic, schedule, plan, traces, last)

    def _scheduled(self, way: Way, tactic: Tactic) -> tuple[Schedule, Traces, Tactic] | None:
        """Find the latest ignition that stops the stage, with the thrust of that ignition."""
        return self._usual(way, tactic) or (self._scanned(way, tactic) if self._timed else None)

    def _usual(self, way: Way, tactic: Tactic) -> tuple[Schedule, Traces, Tactic] | None:
        """Find the ignition from thrust measured about where it is expected."""
        guess_s = self._usual_s.get((way.brake, way.held, way.spared), 0.6 * float(self.coast.t_s[-1]))
        schedule: Schedule | None = None
        for _ in range(2):
            traces, tried = self._prepared(way, tactic, guess_s)
            schedule = self._latest(tried, traces, tried.throttle)
            if schedule is None:
                return None
            close = abs(schedule.ignition_s - guess_s) < 0.3
            guess_s = schedule.ignition_s
            if close or not self._timed:
                break
        return None if schedule is None else (schedule, *self._prepared(way, tactic, guess_s))

    def _scanned(self, way: Way, tactic: Tactic) -> tuple[Schedule, Traces, Tactic] | None:
        """Find the ignition cell by cell, the latest first: thrust depends on when it is lit."""
        end_s = self._hardest_s.get(way, max(float(self.coast.t_s[-1]) - 0.5, CELL_S)) + 0.01
        for begin_s in np.flip(np.arange(0.0, end_s, CELL_S)).tolist():
            traces, tried = self._prepared(way, tactic, begin_s)
            schedule = self._latest(tried, traces, tried.throttle, (begin_s, begin_s + CELL_S))
            if schedule is None:
                continue
            for ignition_s in np.linspace(schedule.ignition_s, begin_s, CONFIRMED).tolist():
                found = self._confirmed(way, tactic, ignition_s)
                if found is not None:
                    return found
        return None

    def _confirmed(
        self, way: Way, tactic: Tactic, ignition_s: float
    ) -> tuple[Schedule, Traces, Tactic] | None:
        """Return the landing from this very ignition; None where its thrust does not stop the stage."""
        traces, tried = self._prepared(way, tactic, ignition_s)
        schedule = self._latest(tried, traces, tried.throttle, (ignition_s, ignition_s + 0.01))
        return None if schedule is None else (schedule, traces, tried)

    def _prepared(self, way: Way, tactic: Tactic, ignition_s: float) -> tuple[Traces, Tactic]:
        """Return thrust and tactic for an ignition, with what the way does about engines with faults."""
        traces = self._traces(way, ignition_s)
        if way.held is not None:
            opening = self._opening(way.held)
            held = {slot: opening for slot in way.brake if slot in self._burn_on}
            return traces, replace(tactic, held=held)
        return self._early(traces, tactic) if way.early else (traces, tactic)

    def _opening(self, level: float) -> float:
        floor = self.subject.vehicle.engine.throttle_floor
        return floor + level * (1.0 - floor)

    def _early(self, traces: Traces, tactic: Tactic) -> tuple[Traces, Tactic]:
        """Return thrust and tactic with engines shut just before a fault of theirs strikes."""
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
        for fault in self._faults:
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

    def _latest(
        self, tactic: Tactic, traces: Traces, throttle: float, cell: tuple[float, float] | None = None
    ) -> Schedule | None:
        """Return the latest ignition (in a cell) from which the vertical channel lands."""
        stands = 0.97 * self.subject.vehicle.body.dry_cm_z_m
        end = max(float(self.coast.t_s[-1]) - 0.5, 0.05)
        begin, end = (0.0, end) if cell is None else (cell[0], min(cell[1], end))
        moments = np.arange(begin, end, 0.05)
        if not len(moments):
            return None
        isp = self.subject.vehicle.engine.isp_sl_s
        found = schedules(
            self.coast, traces, self.air, isp, stands, list(tactic.brake), list(tactic.land), moments,
            throttle, tactic.land_throttle,
        )  # fmt: skip
        return next((s for s in reversed(found) if s is not None), None)

    def _traces(self, way: Way, ignition_s: float) -> Traces:
        """Return the thrust of engines lit at a moment; measured again only where that matters."""
        step = round(ignition_s / 0.2) if self._timed else 0
        if (way.held, way.spared, step) not in self._measured:
            case = timed(self.subject.case, self._crossing(ignition_s))
            held = {} if way.held is None else dict.fromkeys(self._burn_on, self._opening(way.held))
            every = tuple(range(self.engines))
            self._measured[way.held, way.spared, step] = measure(
                case, self.subject.vehicle, every, ignition_s, SPAN_S, held, spared=way.spared
            )
        every_one = self._measured[way.held, way.spared, step]
        lit = np.isin(np.arange(self.engines), way.brake)[:, None]
        return Traces(
            ignition_s, every_one.step_s, np.where(lit, every_one.low_n, 0.0),
            np.where(lit, every_one.high_n, 0.0), every_one.most,
        )  # fmt: skip

    def _crossing(self, ignition_s: float) -> Callable[[float], float]:
        """Return when a height is passed: in the coast, then braking evenly to the ground."""
        pos, vel, _ = self.coast.at(ignition_s)
        height, speed = max(float(pos[2]), 1.0), max(-float(vel[2]), 1.0)

        def at(height_m: float) -> float:
            above = self.coast.pos[:, 2]
            if height_m >= height:
                return float(np.interp(-height_m, -above, self.coast.t_s))
            return ignition_s + 2.0 * height / speed * (1.0 - math.sqrt(max(height_m, 0.0) / height))

        return at
