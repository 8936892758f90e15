"""Parts of the clairvoyant oracle: what its bound rests on, how it aims, what engines do behind boards."""

from __future__ import annotations

import itertools
import math
from dataclasses import replace
from functools import cache
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from hil.faults.case import SHIPPED, Case, FaultSpec, load_case
from hil.plant.vehicle import Vehicle, load_vehicle
from hil.search.oracle import Judgement, judge
from hil.search.oracle_aim import Aimer
from hil.search.oracle_air import Air
from hil.search.oracle_bound import CELL_S, channel_of, fastest_of, refute
from hil.search.oracle_fall import Fall, fastest_fall
from hil.search.oracle_flight import Subject, Tactic, coast
from hil.search.oracle_impulse import most_impulse
from hil.search.oracle_lift import SPEEDS, most_upward
from hil.search.oracle_plan import Descent, Plan, solve
from hil.search.oracle_thrust import measure
from hil.search.oracle_world import History, Touchdown

Array = npt.NDArray[np.float64]

G = 9.80665


@cache
def shipped(name: str) -> tuple[Case, Vehicle]:
    case = load_case(SHIPPED / "cases" / f"{name}.toml")
    return case, load_vehicle(SHIPPED / "vehicles" / f"{case.vehicle}.toml")


@cache
def judged(name: str) -> Judgement:
    case, vehicle = shipped(name)
    return judge(case, vehicle, run_id=name)


def with_faults(case: Case, *faults: FaultSpec) -> Case:
    return case.model_copy(update={"fault": faults})


# ---- the fastest fall


def falls(start_mps: float, drag_per_m: float, mass: float = 1.0) -> Fall:
    heights = np.flip(np.arange(10.0, 4000.0, 20.0))
    return fastest_fall(
        start_mps, 20.0, heights, lambda _height_m, speed: drag_per_m * mass * speed**2, mass, mass
    )


@pytest.mark.parametrize("start_mps", [50.0, 330.0])
def test_the_fastest_fall_in_a_vacuum_is_the_closed_form(start_mps: float) -> None:
    fall = falls(start_mps, 0.0)
    end = math.sqrt(start_mps**2 + 2.0 * G * 4000.0)
    assert fall.speed_mps[-1] == pytest.approx(end, rel=1e-9)
    assert fall.time_s[-1] == pytest.approx((end - start_mps) / G, rel=1e-6)


@pytest.mark.parametrize("start_mps", [50.0, 330.0])
def test_the_fastest_fall_through_air_is_never_below_its_closed_form_and_close_to_it(
    start_mps: float,
) -> None:
    drag = 1.5e-4  # terminal at 256 m/s
    fall = falls(start_mps, drag)
    at = 20.0 * np.arange(len(fall.speed_mps))
    terminal = G / drag
    exact = np.sqrt(terminal + (start_mps**2 - terminal) * np.exp(-2.0 * drag * at))
    assert np.all(fall.speed_mps >= exact - 1e-9)
    assert np.all(fall.speed_mps <= 1.02 * exact)


# ---- real flights keep to the bound


def energies(heights_m: Array, vel_up_mps: Array, edges_m: npt.NDArray[Any]) -> Array:
    """Return w^2 / 2 at heights fallen, as far as the flight came."""
    fallen = heights_m[0] - heights_m
    energy = np.interp(edges_m, fallen, 0.5 * np.minimum(vel_up_mps, 0.0) ** 2)
    result: Array = energy[edges_m <= fallen[-1]]
    return result


def flown(subject: Subject, history: History) -> tuple[Array, Array]:
    """Return heights and speeds upwards of the centre of mass, down to the touch."""
    world = subject.world()
    rows = []

    def note() -> bool:
        state = world.state()
        rows.append((state.pos[2], state.vel[2]))
        return state.contact

    world.replay(history, note)
    values = np.array(rows)
    return values[:, 0], values[:, 1]


@pytest.mark.parametrize("name", ["nominal", "zq3_y1"])
def test_a_flight_that_lands_keeps_to_every_step_of_the_bound(name: str) -> None:
    case, vehicle = shipped(name)
    said = judged(name)
    assert said.history is not None
    assert said.ignition_s is not None
    subject = Subject(case, vehicle, case.seed, name)
    begin_s = CELL_S * math.floor(said.ignition_s / CELL_S)
    bound = channel_of(subject, begin_s, begin_s + CELL_S)
    n = len(bound.gravity)
    energy = energies(*flown(subject, said.history), bound.step_m * np.arange(n + 1))
    assert len(energy) > 0.95 * n
    for k, (before, after) in enumerate(itertools.pairwise(energy.tolist())):
        rate, push = float(bound.air[k]), float(bound.gravity[k] - bound.across[k] - bound.most_f[k])
        left = math.exp(-rate * bound.step_m)
        weight = (1.0 - left) / rate if rate > 0.0 else bound.step_m
        assert after >= before * left + push * weight - 1e-6
        assert math.sqrt(2.0 * after) <= max(float(bound.fastest[k]), bound.soft_mps)


@pytest.mark.parametrize("name", ["nominal", "crs12"])
def test_a_coast_is_a_little_slower_than_the_fastest_fall(name: str) -> None:
    case, vehicle = shipped(name)
    subject = Subject(case, vehicle, case.seed, name)
    fallen, fall = coast(subject, 60.0), fastest_of(subject)
    step_m = (case.initial.pos_pad_m[2] + 2.0) / (len(fall.speed_mps) - 1)
    energy = energies(fallen.pos[:, 2], fallen.vel[:, 2], step_m * np.arange(len(fall.speed_mps)))
    speed, most = np.sqrt(2.0 * energy), fall.speed_mps[: len(energy)]
    assert np.all(speed <= most + 1e-6)
    assert speed[-1] > 0.75 * most[-1]
    assert fallen.t_s[-1] > fall.time_s[len(energy) - 1]


def test_two_engines_that_die_in_their_start_up_are_refuted_low_and_not_high() -> None:
    case, vehicle = shipped("nominal")
    faults = [FaultSpec(kind="engine.out", engine=n, after_ignition_s=1.5, tail_off_s=0.2) for n in (1, 2)]

    def at(height_m: float) -> Subject:
        initial = case.initial.model_copy(update={"pos_pad_m": (0.0, 0.0, height_m)})
        moved = case.model_copy(update={"initial": initial})
        return Subject(with_faults(moved, *faults), vehicle, 0, "low")

    assert refute(at(800.0)) is not None
    assert refute(at(3000.0)) is None


# ---- what fuel and oxidiser give, and what air can hold


EXHAUST_MPS = 2800.0


def loaded(propellant_kg: float, missing_kg: float, tank: str = "fuel") -> tuple[Case, Vehicle]:
    case, vehicle = shipped("nominal")
    initial = case.initial.model_copy(update={"propellant_kg": propellant_kg})
    fault = FaultSpec(kind="tank.load_error", at_s=0.0, tank=tank, missing_kg=missing_kg)
    return with_faults(case.model_copy(update={"initial": initial}), fault), vehicle


def test_full_tanks_give_what_the_rocket_equation_says() -> None:
    case, vehicle = loaded(10_000.0, 0.0)
    exact = EXHAUST_MPS * math.log(50.0 / 40.0)
    assert most_impulse(case, vehicle, EXHAUST_MPS) == pytest.approx(exact, rel=2e-3)


@pytest.mark.parametrize("missing_kg", [400.0, 1000.0, 1500.0])
def test_with_fuel_missing_no_mixture_gives_more_and_one_comes_close(missing_kg: float) -> None:
    case, vehicle = loaded(10_000.0, missing_kg)
    fuel, ox = 10_000.0 / 4.6 - missing_kg, 10_000.0 * 3.6 / 4.6
    p, full = vehicle.propulsion, 40_000.0 + fuel + ox

    def factor(ratio: float) -> float:
        off = 2.0 * (ratio - p.best_ratio) / (ratio + p.best_ratio)
        return 1.0 - p.ratio_loss * off * off

    def steady(ratio: float) -> float:
        burnt = min(fuel * (1.0 + ratio), ox * (1.0 + 1.0 / ratio))
        return EXHAUST_MPS * factor(ratio) / factor(3.6) * math.log(full / (full - burnt))

    best = max(steady(ratio) for ratio in np.linspace(2.0, 12.0, 200))
    gives = most_impulse(case, vehicle, EXHAUST_MPS)
    assert best <= gives <= 1.05 * best


def test_a_stage_with_hardly_any_fuel_is_refuted_however_much_oxidiser_it_has() -> None:
    def refuted(propellant_kg: float, missing_kg: float) -> bool:
        case, vehicle = loaded(propellant_kg, missing_kg)
        return refute(Subject(case, vehicle, 0, "fuel")) is not None

    assert refuted(7000.0, 1450.0)  # 5.5 t of oxidiser, 70 kg of fuel
    assert not refuted(5550.0, 0.0)


def test_the_air_holds_no_flight_up_by_more_than_the_bound_has() -> None:
    """At every attack of a body in the plant's own terms, held and borne or not, up to what is borne."""
    case, vehicle = shipped("nominal")
    subject = Subject(case, vehicle, 0, "air")
    height, fastest = np.array([1000.0]), np.array([300.0])
    table = most_upward(subject, height, np.array([2.4e6]), fastest, 0.0)[0]
    air, aero = Air(case, vehicle), vehicle.aero
    for share, most_n in zip(SPEEDS, table, strict=True):
        speed = 300.0 * share
        pressure = 0.5 * float(air.density(height)[0]) * speed**2
        mach = speed / float(air.sound(height)[0])
        axial = aero.ref_area_m2 * np.interp(mach, aero.mach, aero.axial)
        slope = aero.ref_area_m2 * np.interp(mach, aero.mach, aero.normal_slope)
        for attack in np.radians([0.0, 3.0, 6.0, 10.0]):
            sine, cosine = math.sin(attack), math.cos(attack)
            side = slope * sine * cosine + aero.crossflow_drag_area_m2 * sine**2
            if pressure * side <= G * 50_000.0:
                assert pressure * (axial * cosine**2 + side * sine) <= most_n + 1.0


# ---- aiming


def touch(vertical: float, lateral: float = 0.1, left_kg: float = 3000.0) -> Touchdown:
    return Touchdown(20.0, 0.5, vertical, lateral, 0.5, 0.5, left_kg, 1)


def test_a_height_that_touches_too_fast_and_one_that_never_touches_are_halved() -> None:
    aimer = Aimer(shipped("nominal")[1])
    higher = aimer.next(Tactic((0,), (0,), 0.5, 0.3), touch(3.6), (0.0, 0.0))
    assert higher is not None
    assert higher.aim_m > 0.0
    middle = aimer.next(higher, None, (0.0, 0.0), lowest_m=1.0)
    assert middle is not None
    assert middle.aim_m == pytest.approx(0.5 * higher.aim_m)
    again = aimer.next(middle, touch(2.5), (0.0, 0.0))
    assert again is not None
    assert middle.aim_m < again.aim_m < higher.aim_m


def test_a_speed_across_is_aimed_against() -> None:
    aimed = Aimer(shipped("nominal")[1]).next(
        Tactic((0,), (0,), 0.5, 0.3), touch(1.0, lateral=1.5), (1.2, -0.9)
    )
    assert aimed is not None
    assert aimed.aim_mps[0] < 0.0 < aimed.aim_mps[1]
    assert aimed.aim_m == 0.0


def test_a_miss_is_aimed_against() -> None:
    off = replace(touch(1.0), miss_m=5.0)
    aimed = Aimer(shipped("nominal")[1]).next(Tactic((0,), (0,), 0.5, 0.3), off, (0.0, 0.0), (4.0, -3.0))
    assert aimed is not None
    assert aimed.aim_at_m[0] < 0.0 < aimed.aim_at_m[1]


def test_a_stage_that_ran_dry_is_flown_with_less_held_back() -> None:
    tactic = Tactic((0,), (0,), 0.5, 0.3)
    thriftier = Aimer(shipped("nominal")[1]).next(tactic, touch(9.0, left_kg=20.0), (0.0, 0.0))
    assert thriftier is not None
    assert thriftier.reserve < tactic.reserve
    assert thriftier.aim_m == tactic.aim_m


def test_a_stage_that_stopped_far_above_the_ground_is_lit_later_and_one_close_above_aimed_lower() -> None:
    tactic = Tactic((0,), (0,), 0.5, 0.3)
    far = Aimer(shipped("nominal")[1], 250.0).next(tactic, None, (0.0, 0.0), lowest_m=25.0)
    close = Aimer(shipped("nominal")[1], 250.0).next(tactic, None, (0.0, 0.0), lowest_m=1.0)
    assert far is not None
    assert close is not None
    assert far.later_s == pytest.approx(0.1)
    assert (close.later_s, far.aim_m) == (0.0, 0.0)
    assert close.aim_m < -1.0


def test_a_tactic_that_never_comes_down_is_given_up() -> None:
    aimer = Aimer(shipped("nominal")[1])
    tactic: Tactic | None = Tactic((0,), (0,), 0.5, 0.3)
    for _ in range(10):
        assert tactic is not None
        tactic = aimer.next(tactic, None, (0.0, 0.0))
        if tactic is None:
            return
    raise AssertionError("aimed lower for ever")


# ---- engines and their boards


def test_an_engine_behind_a_hung_board_burns_on_at_the_opening_it_was_held_at() -> None:
    case, vehicle = shipped("nominal")
    hung = with_faults(case, FaultSpec(kind="board.freeze", board="engine_2", at_s=5.0))
    traces = measure(hung, vehicle, (0, 1, 2), 2.0, 8.0, {1: 0.7})
    after = traces.low_n[:, -1]
    assert traces.low_n[1, -1] == pytest.approx(traces.high_n[1, -1], rel=0.01)  # not quite as high up
    assert after[0] < after[1] < traces.high_n[0, -1]


def test_engines_that_a_watchdog_shut_are_lit_again() -> None:
    case, vehicle = shipped("nominal")
    reset = with_faults(case, FaultSpec(kind="board.reset", board="flight_computer", at_s=6.0, boot_s=0.3))
    traces = measure(reset, vehicle, (0, 1, 2), 2.0, 10.0)
    at_s = traces.ignition_s + traces.step_s * np.arange(traces.high_n.shape[1])
    thrust = traces.high_n[0]
    assert thrust[at_s < 5.9].max() > vehicle.engine.thrust_sl_n
    assert thrust[(at_s > 6.5) & (at_s < 7.0)].min() < 1e-3 * vehicle.engine.thrust_sl_n
    assert thrust[at_s > 9.0].min() > vehicle.engine.thrust_sl_n


def test_an_engine_that_trips_wide_open_is_spared_and_burns_on() -> None:
    case, vehicle = shipped("nominal")
    races = FaultSpec(
        kind="pump.overspeed", engine=1, after_ignition_s=0.2, torque=2.5, trip_speed=1.1, trip_s=0.1
    )
    raced = with_faults(case, races)
    wide = measure(raced, vehicle, (0, 1, 2), 2.0, 6.0)
    spared = measure(raced, vehicle, (0, 1, 2), 2.0, 6.0, spared=True)
    assert spared.most is not None
    assert wide.high_n[0, -1] < 1e3
    assert spared.high_n[0, -1] > 0.5 * vehicle.engine.thrust_sl_n
    assert spared.most[0] < 1.0
    assert spared.most[1] == 1.0


def test_an_engine_cannot_be_lit_through_a_board_that_is_dead() -> None:
    case, vehicle = shipped("nominal")
    dead = with_faults(case, FaultSpec(kind="board.silent", board="engine_2", at_s=1.0))
    assert measure(dead, vehicle, (0, 1, 2), 2.0, 4.0).high_n[1].max() == 0.0


# ---- landing on an engine off the axis


def test_a_stage_whose_thrust_is_off_its_axis_comes_upright_at_the_end() -> None:
    case, vehicle = shipped("nominal")
    up, nodes = np.array([0.0, 0.0, 1.0]), 22
    side = (math.radians(-5.0), 0.0)
    descent = Descent(
        200.0 * up, -45.0 * up, up, 42_000.0, 0.0, 9.0, np.full(nodes, 4.2e5), np.full(nodes, 8e5),
        18.0 * up, -0.7 * up, side=side,
    )  # fmt: skip
    air = Air(case, vehicle)

    def tilt(plan: Plan) -> float:
        return math.hypot(plan.axis[-1][0] - side[0], plan.axis[-1][1] - side[1])

    assert solve(descent, air).lands
    assert tilt(solve(descent, air)) < math.radians(2.1)
    assert tilt(solve(replace(descent, side=(0.0, 0.0)), air)) > math.radians(3.0)


# ---- what landed only since the oracle looks further

LANDS = {
    "the computer restarts in the burn": [
        FaultSpec(kind="board.reset", board="flight_computer", at_s=12.25, boot_s=0.07)
    ],
    "a board hangs, its engine burns on": [FaultSpec(kind="board.freeze", board="engine_2", at_s=9.23)],
    "two engines lost early": [
        FaultSpec(kind="engine.out", engine=2, after_ignition_s=4.85, tail_off_s=0.33),
        FaultSpec(kind="engine.out", engine=1, after_ignition_s=5.34, tail_off_s=0.34),
    ],
}


@pytest.mark.nightly
@pytest.mark.parametrize("name", LANDS)
def test_a_clairvoyant_lands_what_looks_hopeless(name: str) -> None:
    case, vehicle = shipped("nominal")
    said = judge(with_faults(case, *LANDS[name]), vehicle, run_id="hopeless")
    assert said.verdict == "landable", said.reason
