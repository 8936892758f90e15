"""From a recording to its verdict."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from hil.tape import Recording
from hil.verdict.checks import CHECKS, Result
from hil.verdict.findings import findings
from hil.verdict.flight import FlightRecord
from hil.verdict.metrics import guidance
from hil.verdict.requirements import DEGRADED_FRACTION, DEGRADED_LATENESS_S, REQUIREMENTS

__all__ = ["Judgement", "judge", "limits_of"]


@dataclass(frozen=True)
class Judgement:
    """What a recording proves.

    `verdict` is PASS when no requirement failed, FAIL when one did, INVALID when the timing was
    degraded so that nothing is proven.  (ERROR, a broken rig, is not the verdict's to find.)
    """

    verdict: Literal["PASS", "FAIL", "INVALID"]
    touchdown: dict[str, float | None]
    guidance: dict[str, float | None]
    results: dict[str, Result]
    findings: list[str]
    limits: dict[str, float]

    @property
    def requirements(self) -> dict[str, str]:
        """Status of each requirement by its id."""
        return {name: result.status for name, result in self.results.items()}


def judge(tape: Recording) -> Judgement:
    """Judge a recording by every requirement; raises FileError when it does not say what was flown."""
    flight = FlightRecord(tape)
    results = {requirement.id: CHECKS[requirement.id](flight) for requirement in REQUIREMENTS}
    told = findings(flight)
    degraded = _degraded(flight)
    verdict: Literal["PASS", "FAIL", "INVALID"]
    if degraded is not None:
        verdict = "INVALID"
        told.append(degraded)
    elif any(result.status == "fail" for result in results.values()):
        verdict = "FAIL"
    elif not flight.completed:
        verdict = "INVALID"
        told.append("the flight was cut short: nothing is proven")
    else:
        verdict = "PASS"
    return Judgement(verdict, flight.touchdown, guidance(flight.frames), results, told, limits_of(flight))


def limits_of(flight: FlightRecord) -> dict[str, float]:
    """Return the limits that this vehicle is judged by."""
    vehicle = flight.vehicle
    limits: dict[str, Any] = {r.key: getattr(vehicle.requirements, r.key) for r in REQUIREMENTS if r.key}
    return {**limits, "keep_out_m": vehicle.guidance.keep_out_radius_m}


def _degraded(flight: FlightRecord) -> str | None:
    """Return why the timing on the wall clock was too poor to prove anything, None when it was not.

    A frame that begins late by a whole period means that the frame before missed its deadline.  A virtual
    board that the machine starves is as good as late.
    """
    late = flight.timing["lateness_s"]
    if len(late) == 0:
        return None
    limits = flight.info.get("timing_limits", {})
    missed, worst = float(np.mean(late > flight.frame_s)), float(np.max(late))
    allowed = float(limits.get("missed_share", DEGRADED_FRACTION))
    lateness_s = float(limits.get("lateness_s", DEGRADED_LATENESS_S))
    lag_s = float(np.max(flight.timing["answer_s"]))
    if lag_s > flight.frame_s + lateness_s:  # an answer comes with the next frame
        return f"timing degraded: a board did not answer for {1e3 * lag_s:.0f} ms; nothing is proven"
    if missed > allowed or worst > lateness_s:
        return (
            f"timing degraded: {100 * missed:.1f} % of the frames began more than one period late, "
            f"the worst by {1e3 * worst:.0f} ms; nothing is proven"
        )
    return None
