"""Robustness of the requirements: its sign is the verdict's, its size that of signal temporal logic."""

from __future__ import annotations

import math
import warnings
from typing import Any

import numpy as np
import pytest

from hil.faults.case import SHIPPED
from hil.files import parse_toml
from hil.plant.vehicle import Vehicle
from hil.signals import REQUESTS
from hil.verdict.checks import CHECKS
from hil.verdict.flight import FlightRecord
from hil.verdict.requirements import REQUIREMENTS
from hil.verdict.robustness import SIZES, robustness
from tests.verdict.test_judge import CONTACT, END, FAILURE, MAINSTAGE, engine_lost, good_flight, recording

VEHICLE = parse_toml((SHIPPED / "vehicles" / "zq3_class.toml").read_text(), "vehicle", Vehicle)
LIMITS = VEHICLE.requirements


def flown(*changes: Any, **kwargs: Any) -> FlightRecord:
    f = good_flight()
    for change in changes:
        change(f)
    return FlightRecord(recording(f, **kwargs))


def margins(flight: FlightRecord) -> dict[str, float | None]:
    return robustness(flight, {name: check(flight) for name, check in CHECKS.items()})


def touch(**values: Any) -> Any:
    def change(f: Any) -> None:
        for name, value in values.items():
            f["truth"][f"contact_{name}"][CONTACT:] = value

    return change


def jump(f: Any) -> None:
    f["command"]["ox_valve_cmd"][500:, 0] += 0.3


def beyond(f: Any) -> None:
    f["command"]["gimbal_x_cmd_rad"][300, 2] = 0.2


def valve_open(f: Any) -> None:
    f["truth"]["fuel_valve_pos"][END - 1, 1] = 0.5


def never_down(f: Any) -> None:
    f["truth"]["contact"] = 0
    f["truth"]["at_rest"] = 0


CHANGES: dict[str, tuple[tuple[Any, ...], dict[str, Any]]] = {
    "good": ((), {}),
    "hard": ((touch(vel_pad_mps=(0.3, 0.4, -5.0)),), {}),
    "at the limit": ((touch(vel_pad_mps=(0.0, 0.0, -LIMITS.vertical_speed_mps)),), {}),
    "far": ((touch(pos_pad_m=(30.0, 40.0, 0.0)),), {}),
    "tilted": ((touch(tilt_rad=math.radians(9.0)),), {}),
    "never down": ((never_down,), {"limit": END * 0.01}),
    "cut short": ((never_down,), {}),
    "engine lost": ((engine_lost,), {}),
    "found late": ((lambda f: engine_lost(f, detected=FAILURE + 40),), {}),
    "never found": ((lambda f: engine_lost(f, detected=None),), {}),
    "dead engine told to run": ((lambda f: engine_lost(f, dead_request="RUN"),), {}),
    "jump": ((jump,), {}),
    "out of range": ((beyond,), {}),
    "valve open": ((valve_open,), {}),
    "too much work": ((), {"work_bound": 20}),
    "no bound": ((), {"work_bound": 0, "most": None}),
    "tipped over": ((lambda f: f["truth"]["at_rest"].__setitem__(slice(850, None), 2),), {}),
}


@pytest.mark.parametrize("name", CHANGES)
def test_the_sign_is_that_of_the_verdict(name: str) -> None:
    changes, kwargs = CHANGES[name]
    flight = flown(*changes, **kwargs)
    told = margins(flight)
    assert list(told) == [r.id for r in REQUIREMENTS]
    for requirement, check in CHECKS.items():
        status, margin = check(flight).status, told[requirement]
        if status == "not exercised":
            assert margin is None, requirement
        else:
            assert margin is not None, requirement
            assert (margin < 0.0) == (status == "fail"), requirement
            assert math.isfinite(margin), requirement


@pytest.mark.parametrize("name", [name for name in CHANGES if name != "tipped over"])
def test_sizes_by_themselves_agree_with_the_verdict(name: str) -> None:
    """Without the verdict's word on the sign (what tips a stage over at last, the tape does not say)."""
    changes, kwargs = CHANGES[name]
    flight = flown(*changes, **kwargs)
    for requirement, size in SIZES.items():
        value, status = size(flight), CHECKS[requirement](flight).status
        if value is not None and status != "not exercised" and requirement != "KEEP-OUT":
            assert (value < -1e-9) == (status == "fail"), requirement


def test_touchdown_is_measured_by_its_limits() -> None:
    told = margins(flown(touch(vel_pad_mps=(0.3, 0.4, -3.0))))
    assert told["TD-VERTICAL"] == pytest.approx((LIMITS.vertical_speed_mps - 3.0) / LIMITS.vertical_speed_mps)
    assert told["TD-LATERAL"] == pytest.approx((LIMITS.lateral_speed_mps - 0.5) / LIMITS.lateral_speed_mps)
    worse = margins(flown(touch(vel_pad_mps=(0.3, 0.4, -4.0))))["TD-VERTICAL"]
    assert worse is not None
    assert told["TD-VERTICAL"] is not None
    assert worse < told["TD-VERTICAL"]


def signals(flight: FlightRecord) -> dict[str, list[float]]:
    """Return the predicates of some requirements over time, each divided by its limit."""
    truth, command = flight.frames["truth"], flight.frames["command"]
    touching = np.zeros(len(flight.frames))
    touching[flight.contact] = 1.0
    limits = flight.vehicle.requirements
    slew = flight.vehicle.engine.valve_slew_per_s * flight.frame_s + 0.00025 + 1e-9
    run = (command["request"] == REQUESTS.index("RUN")) | (command["request"] == REQUESTS.index("START"))
    steps = np.abs(np.diff(command["ox_valve_cmd"], axis=0, prepend=command["ox_valve_cmd"][:1]))
    both = run & np.roll(run, 1, axis=0)
    both[0] = False
    closed = flight.vehicle.valve_board.closed_pos
    last = np.zeros(len(flight.frames))
    last[-1] = 1.0
    down = np.abs(truth["contact_vel_pad_mps"][:, 2])
    return {
        "touch": list(2e6 * touching - 1e6),
        "soft": list((limits.vertical_speed_mps - down) / limits.vertical_speed_mps),
        "near": list(1.0 - np.hypot(*truth["contact_pos_pad_m"][:, :2].T) / limits.miss_m),
        "both": list(2e6 * both[:, 0] - 1e6),
        "slow": list((slew - steps[:, 0]) / slew),
        "last": list(2e6 * last - 1e6),
        "shut": list(
            (closed - np.maximum(truth["ox_valve_pos"], truth["fuel_valve_pos"]).max(axis=1)) / closed
        ),
        "work": list(1.0 - flight.frames["telemetry"]["work"] / flight.work_bound),
    }


FORMULAE = {
    "TD-VERTICAL": ("touch", "soft"),
    "TD-MISS": ("touch", "near"),
    "VALVE-END": ("last", "shut"),
}
"""always (first implies second), of the signals above."""


def always_implies(first: list[float], second: list[float]) -> float:
    """The semantics by hand: always is the least over time, a implies b is max(-a, b)."""
    return min(max(-a, b) for a, b in zip(first, second, strict=True))


def changed() -> list[FlightRecord]:
    return [
        flown(*changes, **kwargs)
        for name, (changes, kwargs) in CHANGES.items()
        if "down" not in name and "cut" not in name and "bound" not in name
    ]


@pytest.mark.parametrize("requirement", FORMULAE)
def test_sizes_are_those_of_the_semantics_by_hand(requirement: str) -> None:
    first, second = FORMULAE[requirement]
    for flight in changed():
        told = signals(flight)
        assert SIZES[requirement](flight) == pytest.approx(always_implies(told[first], told[second]))


def test_the_rate_is_that_of_the_semantics_by_hand() -> None:
    flight = flown(jump)
    told = signals(flight)
    assert SIZES["CMD-RATE"](flight) == pytest.approx(always_implies(told["both"], told["slow"]))


@pytest.mark.parametrize("requirement", [*FORMULAE, "WORK-BOUND"])
def test_sizes_are_those_of_rtamt(requirement: str) -> None:
    """Nickovic and Yamaguchi 2020, RTAMT: online robustness monitors from STL."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # its parser imports what Python is about to drop
        rtamt = pytest.importorskip("rtamt")
    for flight in changed():
        told = {name: [float(v) for v in values] for name, values in signals(flight).items()}
        if requirement == "WORK-BOUND":
            wanted, formula = ["work"], "always(work >= 0)"
        else:
            wanted = list(FORMULAE[requirement])
            formula = f"always(({wanted[0]} >= 0) implies ({wanted[1]} >= 0))"
        spec = rtamt.StlDiscreteTimeSpecification()
        for name in (*wanted, "out"):
            spec.declare_var(name, "float")
        spec.spec = f"out = {formula}"
        spec.parse()
        data = {"time": list(range(len(flight.frames))), **{name: told[name] for name in wanted}}
        assert SIZES[requirement](flight) == pytest.approx(spec.evaluate(data)[0][1])


def test_a_flight_that_found_the_dead_engine_has_time_to_spare() -> None:
    early, late = (
        margins(flown(lambda f, at=at: engine_lost(f, detected=at)))["ENG-DETECT"]
        for at in (FAILURE + 4, FAILURE + 10)
    )
    assert early is not None
    assert late is not None
    assert early > late > 0.0
    assert MAINSTAGE < FAILURE
