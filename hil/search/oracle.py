"""The clairvoyant oracle: could a case have been landed at all, by any guidance that knew everything?

`judge` answers *landable* with commands that land when flown open loop in the plant, *unlandable* with a
certificate (hil.search.oracle_bound), or *undecided*.  It never calls the guidance kernel.
docs/ORACLE.md says what that claims and what not.
"""

from __future__ import annotations

import math
import time
from dataclasses import dataclass, replace
from typing import Final, Literal

from hil.faults.case import Case
from hil.faults.dispersion import disperse
from hil.plant.vehicle import Vehicle
from hil.search.oracle_aim import Aimer
from hil.search.oracle_air import Air
from hil.search.oracle_bound import Certificate, refute
from hil.search.oracle_clear import Clearing
from hil.search.oracle_clear import clearing as clearing_of
from hil.search.oracle_flight import Lead, Subject, fly
from hil.search.oracle_leads import Leads
from hil.search.oracle_world import History, Touchdown

__all__ = ["Clearing", "Judgement", "could_clear", "judge", "replay"]

Verdict = Literal["landable", "unlandable", "undecided"]

MOST_FLIGHTS: Final = 24
HOPELESS_FLIGHTS: Final = 10
HOPELESS: Final = 10.0
"""After so many flights that all were so many times over a limit no more are flown."""
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
        self.most_flights = most_flights
        self.flights = 0

    def run(self, begin: float) -> Judgement:
        """Plan and fly tactics, the most promising first, until one lands."""
        best: tuple[float, Touchdown | None] = (math.inf, None)
        for lead in Leads(self.subject, self.air):
            hopeless = self.flights >= HOPELESS_FLIGHTS and best[0] > HOPELESS
            if self.flights >= self.most_flights or hopeless:
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
        return next(iter(Leads(self.subject, self.air)), None)

    def _flown(self, lead: Lead) -> Judgement | Touchdown | None:
        """Fly a lead, and again with another aim where little was missing; a judgement when it lands."""
        aimer = Aimer(self.subject.vehicle, -float(lead.plan.vel[0][2]))
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
            tactic = aimer.next(
                lead.tactic, touch, world.touch_across_mps(), world.touch_at_m(), world.lowest_m
            )
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
