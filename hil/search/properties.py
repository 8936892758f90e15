"""What a search tries to break: every property by its name, with the requirements that it is about."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import numpy as np

from hil.rig.plan import message_ids
from hil.search.flying import Flown
from hil.search.properties_kernel import KERNEL_PROPERTIES
from hil.search.relatives import in_the_mirror, milder, quiet, spoiled
from hil.search.trial import Outcome, Property, Trial
from hil.search.wording import fault_words
from hil.signals import FLIGHT_MODES
from hil.verdict import REQUIREMENTS
from hil.verdict.flight import FlightRecord

__all__ = ["PROPERTIES", "Outcome", "Property", "Trial"]

_BRAKING: Final = FLIGHT_MODES.index("BRAKING")
_PLANNED: Final = (_BRAKING, FLIGHT_MODES.index("TERMINAL"))
AXES: Final = ("x", "y")
SETTLED_S: Final = 3.0
TRACKED_S: Final = 1.0
TRACKED_SHARE: Final = 0.2
"""The bound on plan and truth: so many seconds, and this share of the time to go."""
_TRACKED: Final = f"{100 * TRACKED_SHARE:g} %"
CLEARLY: Final = 0.05
"""Who lands with less to spare was lucky: a milder case may do worse for that reason."""
ALIKE: Final = 0.25
"""Share of its limit by which a figure of two touchdowns may differ that should be alike, mirrored or with
frames lost: so who lands with less to spare may be lost as well."""
_MEASURED: Final = ("nav", "sensor")
TOUCHDOWN: Final = ("TD-VERTICAL", "TD-LATERAL", "TD-TILT", "TD-RATE", "TD-MISS", "TD-STANDS")


def _all_of(*requirements: str) -> Callable[[Trial], Outcome]:
    """Every one of the requirements holds; the one with the least to spare counts."""

    def look(trial: Trial) -> Outcome:
        flown = trial.flown
        exercised = {name: m for name in requirements if (m := flown.margins[name]) is not None}
        if not exercised:
            return Outcome(None, flown.results[requirements[0]].reason)
        worst = min(exercised, key=lambda name: exercised[name])
        return Outcome(exercised[worst], flown.results[worst].reason, worst)

    return look


def _every_signal_a_number(trial: Trial) -> Outcome:
    frames = trial.flown.tape.frames
    kinds: Any = frames.dtype.fields
    for record, (layout, *_) in kinds.items():
        if record in _MEASURED:
            continue  # a sensor that is off has no reading, a fault may put no number into a solution
        for field in layout.names or ():
            values = frames[record][field]
            if values.dtype.kind != "f":
                continue
            bad = np.flatnonzero(~np.isfinite(values.reshape(len(frames), -1)).all(axis=1))
            if len(bad):
                at = float(frames["t_ns"][bad[0]]) * 1e-9
                return Outcome(-1.0, f"{record}.{field} is no number at t = {at:.2f} s", "CMD-FINITE")
    return Outcome(1.0, "every signal is a number", "CMD-FINITE")


def _lands(flown: Flown) -> float:
    """Return the least margin of the touchdown's requirements."""
    return min(m for name in TOUCHDOWN if (m := flown.margins[name]) is not None)


def _tracks(trial: Trial) -> Outcome:
    """Hold the touchdown that the plans announce against the one that comes, where the stage lands."""
    flown = trial.flown
    flight, frames = flown.flight, flown.tape.frames
    if _lands(flown) < 0.0 or flight.contact is None:
        return Outcome(None, "the stage does not land")
    t_s = frames["t_ns"] * 1e-9
    down_s = float(frames["truth"]["contact_t_ns"][flight.contact]) * 1e-9
    telemetry = frames["telemetry"]
    planned = np.isin(telemetry["mode"], _PLANNED) & (telemetry["fresh"] != 0) & (t_s < down_s)
    onsets = [at for onset in flown.onsets if (at := onset["onset_s"]) is not None and at < down_s]
    onsets += [flight.t_s(k) for _, k in (*flight.losses, *_stopped_while_braking(flight))]
    since = max([*(at + SETTLED_S for at in onsets), *(t_s[planned][:1] + SETTLED_S)], default=down_s)
    planned &= t_s >= since
    if not planned.any():
        return Outcome(None, "no plan was flown long enough after the last fault")
    togo_s = telemetry["time_to_go_s"][planned]
    off_s = np.abs(t_s[planned] + togo_s - down_s)
    bound_s = TRACKED_S + TRACKED_SHARE * togo_s
    spare = 1.0 - off_s / bound_s
    worst = int(np.argmin(spare))
    return Outcome(
        float(spare[worst]),
        f"the plan at t = {t_s[planned][worst]:.2f} s is {off_s[worst]:.2f} s off the touchdown "
        f"that comes, {bound_s[worst]:.2f} allowed",
    )


def _stopped_while_braking(flight: FlightRecord) -> list[tuple[int, int]]:
    """Return slot and frame where an engine's share is withdrawn while the stage brakes."""
    share = flight.shares
    braking = flight.part("telemetry", "mode") == _BRAKING
    gone = share[:-1] & ~share[1:] & braking[1:, None]
    return [(slot, int(k) + 1) for slot in flight.slots for k in np.flatnonzero(gone[:, slot])]


def _not_punished(trial: Trial) -> Outcome:
    """If the stage lands well with its faults, it lands with milder ones, and without any one of them."""
    case = trial.case
    if not case.fault:
        return Outcome(None, "nothing is wrong")
    if _lands(trial.flown) < CLEARLY:
        return Outcome(None, "the stage does not land with something to spare")
    relatives = [("half as bad", tuple(map(milder, case.fault)))]
    if len(case.fault) > 1:
        relatives += [
            (f"without: {fault_words(fault)}", tuple(f for f in case.fault if f is not fault))
            for fault in case.fault
        ]
    worst = Outcome(1.0, "the stage lands with milder faults too")
    for told, fewer in relatives:
        relative = case.model_copy(update={"fault": fewer})
        flown = trial.fly(relative)
        margin = _lands(flown)
        if margin < (worst.margin or 0.0) and not (margin < 0.0 and trial.unlandable(relative)):
            reason = flown.results[flown.broken[0]].reason if flown.broken else "lands"
            worst = Outcome(margin, f"lands, but not {told} ({reason})", next(iter(flown.broken), None))
    return worst


def _lands_in_the_mirror(trial: Trial) -> Outcome:
    """Without noise and gusts: the mirror image lands as the case does, and mirrored."""
    case, vehicle = quiet(trial.case), trial.plan.vehicle
    flown = trial.fly(case)
    worst = Outcome(None, "no mirror maps the landing engines onto themselves")
    for axis in AXES:
        image = in_the_mirror(case, vehicle, axis)
        if image is None:
            continue
        other = trial.fly(image)
        outcome = _alike(flown, other, axis)
        if worst.margin is None or (outcome.margin is not None and outcome.margin < worst.margin):
            worst = outcome
    return worst


def _alike(flown: Flown, other: Flown, axis: str) -> Outcome:
    """Compare the landings of a case and its mirror image; two losses are alike however they end."""
    here, there = _lands(flown), _lands(other)
    if (here < 0.0) != (there < 0.0):
        if max(here, there) < ALIKE:
            return Outcome(None, "only one of the images lands, but with hardly anything to spare")
        lost = flown if here < 0.0 else other
        reason = lost.results[lost.broken[0]].reason
        return Outcome(min(here, there), f"mirrored along {axis} only one lands ({reason})", lost.broken[0])
    if here < 0.0:
        return Outcome(1.0, "neither image lands")
    limits, worst = flown.flight.vehicle.requirements, Outcome(1.0, "the images land alike")
    for key in ("vertical_speed_mps", "lateral_speed_mps", "tilt_deg", "rate_degps", "miss_m"):
        value, image = flown.flight.touchdown[key], other.flight.touchdown[key]
        assert value is not None
        assert image is not None
        spare = 1.0 - abs(value - image) / (ALIKE * float(getattr(limits, key)))
        if worst.margin is None or spare < worst.margin:
            worst = Outcome(spare, f"{key} {value:.3f}, but {image:.3f} mirrored along {axis}")
    return worst


def _wires_within_budget(trial: Trial) -> Outcome:
    """Spoil as many frames as the protocol has to bear: no requirement fares otherwise."""
    messages = list(message_ids(trial.plan.rig))
    if not messages:
        return Outcome(None, "the rig has no bus")
    flown = trial.unspoiled
    if _lands(flown) < ALIKE:
        return Outcome(None, "the stage does not land with much to spare")
    other = trial.fly(spoiled(trial.case, messages, float(flown.tape.frames["t_ns"][-1]) * 1e-9))
    changed = sorted(set(other.broken) - set(flown.broken))
    if changed:
        return Outcome(
            -1.0, f"with frames lost within the budget: {other.results[changed[0]].reason}", changed[0]
        )
    return Outcome(1.0, "frames lost within the budget change no verdict")


def _lands_where_possible(trial: Trial) -> Outcome:
    """The stage lands, or nobody could have landed it."""
    outcome = PROPERTIES["lands"].look(trial)
    if outcome.margin is not None and outcome.margin < 0.0 and trial.unlandable(trial.case):
        return Outcome(None, "the oracle shows that nobody could have landed it")
    return outcome


_OWN: Final = (
    Property("lands", TOUCHDOWN, "The stage lands: every touchdown requirement holds", _all_of(*TOUCHDOWN)),
    Property(
        "lands-where-possible",
        TOUCHDOWN,
        "The stage lands wherever the clairvoyant oracle does not show that nobody could have landed it",
        _lands_where_possible,
        shrink_flights=15,
    ),
    Property(
        "holds",
        tuple(r.id for r in REQUIREMENTS),
        "No requirement is broken",
        _all_of(*(r.id for r in REQUIREMENTS)),
    ),
    Property(
        "never-nan",
        ("CMD-FINITE",),
        "Every signal that boards send or drive is a finite number, and so is the truth",
        _every_signal_a_number,
    ),
    Property(
        "dead-engine",
        ("ENG-DETECT", "ENG-DEAD"),
        "An engine that has died is found out in time, and then never told to run again",
        _all_of("ENG-DETECT", "ENG-DEAD"),
    ),
    Property(
        "tracks-plan",
        (),
        f"A landing stage comes down when its plans say, within {TRACKED_S:g} s and {_TRACKED} of the time "
        f"to go, from {SETTLED_S:g} s after ignition, after the last fault and the last engine given up on",
        _tracks,
    ),
    Property(
        "milder-is-not-worse",
        TOUCHDOWN,
        "What lands with something to spare lands with its faults half as bad or one fault fewer, unless "
        "the oracle shows that this cannot be landed",
        _not_punished,
        shrink_flights=12,
    ),
    Property(
        "wires-within-budget",
        TOUCHDOWN,
        f"What lands with {100 * ALIKE:g} % of its limits to spare lands with frames spoiled of every message"
        " within the budget of docs/WIRE.md (needs a rig with a bus)",
        _wires_within_budget,
        without=("wire.", "bus.", "serial.", "board."),
        shrink_flights=60,
    ),
    Property(
        "mirrored",
        TOUCHDOWN,
        "Without noise, gusts and faults of sensors the mirror image of a case lands like the case, "
        f"touchdown figures within {100 * ALIKE:g} % of their limits",
        _lands_in_the_mirror,
    ),
)

_VALVES: Final = ("valve.stuck", "valve.leak", "bay.fire", "board.")
_BY_ITSELF: Final = {"VALVE-END": _VALVES, "VALVE-LOSS": _VALVES, "ENG-FALSE": ("sensor.", "board.")}
"""A valve that cannot move, a board that drives nothing; an engine whose sensors lie is not taken for
failed without reason."""

PROPERTIES: Final[dict[str, Property]] = {
    p.name: p
    for p in (
        *_OWN,
        *KERNEL_PROPERTIES,
        *(
            Property(r.id.lower(), (r.id,), r.text, _all_of(r.id), _BY_ITSELF.get(r.id, ()))
            for r in REQUIREMENTS
        ),
    )
}
"""Every property by its name: those of several requirements first, then one for each requirement id."""
