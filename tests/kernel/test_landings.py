"""Whole flights against what they are for: a soft upright landing on the pad, the right modes on the way."""

from __future__ import annotations

import math

import pytest

from tests.kernel.flight import (
    ABORT,
    ARM,
    BRAKING,
    CLUSTER,
    COAST,
    CROSS,
    DONE,
    IGNITION,
    SHUTDOWN,
    START,
    TERMINAL,
    TOUCHDOWN,
    Flight,
    make_config,
    norm,
)
from tests.kernel.flown import GIVEN_UP, flown
from tests.kernel.scripted import ASIDE, FLIGHTS

LANDS = {
    "plain": 0.01,
    "aside": 3.0,
    "windy": 8.0,
    "optimised": 1.0,
    "optimised_loss": 4.0,
    "outer_out": 2.0,
    "centre_out": 0.1,
    "silent": 3.0,
    "weak_and_late": 3.0,
    "never_lights": 3.0,
    "deaf": 3.0,
    "crossed": 1.0,
    "hover_class": 2.0,
    "noisy": 3.0,
    "centre_out_late": 0.1,
    "weak_finish": 0.1,
    "stuck": 3.0,
    "unvouched": 3.0,
    "strong_finish": 0.1,
    "relit_on_a_tail": 0.5,
    "weak_twice": 0.5,
    "feeble_outer": 4.0,
    "strong_engine_one": 4.0,
    "overpressed": 4.0,
    "chugging": 4.0,
    "lame_pair": 4.0,
    "hard_over": 5.0,
    "gusty": 4.0,
    "gusty_with_plans": 3.0,
    "supersonic": 2.0,
    "rolling": 8.0,
    "finless": 4.0,
    "jumping_clock": 2.0,
    "uneven": 4.0,
    "uneven_weak": 1.0,
}
"""Flight -> how far beside the pad's centre it may end, in metres."""


@pytest.mark.parametrize("name", LANDS)
def test_lands_softly_upright_and_on_the_pad(name: str) -> None:
    flight = flown(name)
    assert abs(flight.pos[2]) < 0.05
    assert 0.2 < -flight.vel[2] < 2.0  # TD-VERTICAL
    assert math.hypot(flight.vel[0], flight.vel[1]) < 1.0  # TD-LATERAL
    assert flight.axis[2] > 0.998
    assert math.hypot(*flight.omega[:2]) < 0.03
    assert flight.miss_m < LANDS[name]


@pytest.mark.parametrize(
    "name", ["reset_in_coast", "reset_in_braking", "reset_in_finish", "reset_with_plans"]
)
def test_a_computer_that_is_reset_lands_all_the_same(name: str) -> None:
    flight = flown(name)
    assert 0.2 < -flight.vel[2] < 2.0
    assert math.hypot(flight.vel[0], flight.vel[1]) < 1.0
    assert flight.miss_m < 6.0


@pytest.mark.parametrize("name", ["all_late", "never_lit", "given_up_straight", "two_of_five_left"])
def test_what_cannot_be_landed_is_told_so_and_nothing_is_lit_again(name: str) -> None:
    flight = flown(name)
    assert GIVEN_UP in flight.sources
    assert all(engine.starts <= 1 for engine in flight.engines)


@pytest.mark.parametrize("name", LANDS)
def test_modes_come_in_their_order(name: str) -> None:
    modes = flown(name).modes
    seen = list(dict.fromkeys(modes))
    assert modes == sorted(modes)
    before = [COAST, IGNITION, BRAKING, TERMINAL]
    assert seen in (before, [*before, TOUCHDOWN])  # engines that can hover burn until the stage stands


@pytest.mark.parametrize("name", sorted(FLIGHTS))
def test_every_command_is_in_range_and_what_is_shut_down_stays_so(name: str) -> None:
    """Looked at in every frame while the flight is flown."""
    assert flown(name).frame > 0


@pytest.mark.parametrize(
    ("name", "failed"),
    [
        ("plain", []),
        ("outer_out", [2]),
        ("centre_out", [0]),
        ("silent", [1]),
        ("never_lights", [2]),
        ("weak_and_late", []),
        ("optimised_loss", [1]),
        ("faulty_boards", [2]),
        ("centre_out_late", [0]),
        ("weak_finish", []),
        ("stuck", [2]),
        ("unvouched", []),
        ("strong_finish", []),
        ("relit_on_a_tail", [0]),
        ("weak_twice", []),
        ("overpressed", [1]),
        ("hard_over", [2]),
        ("ran_aside", [1]),
        ("lame_centre", []),
        ("centre_hard_over", [0]),
        ("outer_aslant", []),
        ("chugging", []),
        ("silent_one_by_one", [0, 1, 2]),
    ],
)
def test_the_engines_that_fail_are_held_for_failed_and_no_others(name: str, failed: list[int]) -> None:
    flight = flown(name)
    assert [i for i, command in enumerate(flight.commands) if command.failed] == failed


def test_the_pair_lands_where_the_centre_engine_is_lost_the_centre_engine_elsewhere() -> None:
    pair, centre = [0, 1, 1], [1, 0, 0]
    on = {
        "centre_out": pair,
        "centre_out_late": pair,
        "weak_finish": pair,
        "outer_out": centre,
        "plain": centre,
        "weak_twice": pair,
        "lame_centre": pair,
        "lame_pair": centre,
        "centre_aslant": pair,
        "aslant_in_finish": pair,
        "uneven_weak": pair,
        "reset_in_finish": centre,
    }
    for name, shares in on.items():
        flight = flown(name)
        last = len(flight.modes) - 1 - flight.modes[::-1].index(TERMINAL)
        assert flight.shares[last] == shares


@pytest.mark.parametrize(
    ("lame", "shares"),
    [([], [1, 0, 0]), ([0], [0, 1, 1]), ([1], [1, 0, 0]), ([0, 1], [1, 0, 0]), ([0, 1, 2], [1, 0, 0])],
)
def test_the_pair_lands_where_the_gimbal_of_the_centre_engine_is_slow_and_theirs_are_not(
    lame: list[int], shares: list[int]
) -> None:
    """In a wind that has the gimbals move at all."""
    flight = Flight(make_config(brake_throttle=0.6), **ASIDE, wind=(12.0, 0.0, 0.0))
    for i in lame:
        flight.engines[i].agility = 0.1
    flight.land()
    assert not any(command.failed for command in flight.commands)
    assert next(last for last in reversed(flight.shares) if any(last)) == shares
    if len(lame) < 2:
        assert 0.2 < -flight.vel[2] < 3.0
        assert math.hypot(flight.vel[0], flight.vel[1]) < 1.0
        assert flight.miss_m < 5.0


@pytest.mark.parametrize("gimbal", [(0.05, 0.0), (-0.04, 0.03)])
def test_an_outer_gimbal_that_ran_aside_and_stays_there_moves_the_landing_little(
    gimbal: tuple[float, float],
) -> None:
    """Its engine burns on and the others hold against it; what they hold goes with it at the step-down."""

    def tamper(flight: Flight) -> None:
        if flight.now_s >= 9.0:
            flight.engines[1].gimbal, flight.engines[1].agility = gimbal, 0.0

    flight = Flight(make_config(brake_throttle=0.6), **ASIDE, tamper=tamper).land()
    assert not any(command.failed for command in flight.commands)
    assert 0.2 < -flight.vel[2] < 2.0
    assert math.hypot(flight.vel[0], flight.vel[1]) < 1.0
    assert flight.miss_m < 5.0


@pytest.mark.parametrize(
    ("engine", "aslant", "shares"),
    [(0, (0.115, 0.0), [0, 1, 1]), (0, (0.0, -0.115), [0, 1, 1]), (1, (0.0, 0.115), [1, 0, 0])],
)
def test_the_pair_lands_where_the_centre_gimbal_is_off_by_nearly_its_reach_unseen(
    engine: int, aslant: tuple[float, float], shares: list[int]
) -> None:
    """What it turns the stage by tells; one off the axis would roll it, and stops with the step-down."""
    flight = Flight(make_config(brake_throttle=0.6), **ASIDE)
    flight.engines[engine].aslant = aslant
    flight.legs_m = 2.0 * math.sqrt(flight.config.ref_area_m2)
    flight.land()
    assert not any(command.failed for command in flight.commands)
    assert next(last for last in reversed(flight.shares) if any(last)) == shares
    assert 0.2 < -flight.vel[2] < 3.0
    assert math.hypot(flight.vel[0], flight.vel[1]) < 1.0
    assert flight.miss_m < 5.0


def test_a_finish_whose_gimbal_runs_nearly_to_its_stop_unseen_is_given_up_for_the_others() -> None:
    def tamper(flight: Flight) -> None:
        if flight.telemetry.mode == TERMINAL and flight.pos[2] < 130.0:
            flight.engines[0].aslant = (0.118, 0.0)

    flight = Flight(make_config(brake_throttle=0.6), tamper=tamper).land()
    assert [command.failed for command in flight.commands] == [1, 0, 0]
    assert next(last for last in reversed(flight.shares) if any(last)) == [0, 1, 1]
    assert -flight.vel[2] < 3.0


@pytest.mark.parametrize("height_m", [50.0, 40.0, 30.0])
def test_a_finish_that_loses_its_engine_ends_softer_by_far_than_it_would_without_the_others(
    height_m: float,
) -> None:
    """Down to where the others are just lit in time; without them it would fall from there."""

    def tamper(flight: Flight) -> None:
        if flight.telemetry.mode == TERMINAL and flight.pos[2] < height_m:
            flight.engines[0].dies_at_s = 0.0

    flight = Flight(make_config(brake_throttle=0.58), tamper=tamper).land()
    assert [engine.starts for engine in flight.engines] == [1, 2, 2]
    assert -flight.vel[2] < 3.0


@pytest.mark.parametrize(
    ("engine", "aslant"),
    [(0, (-0.08, 0.0)), (0, (0.0, 0.08)), (1, (0.0, 0.08)), (2, (0.0, -0.08)), (1, (0.1, 0.0))],
)
def test_thrust_that_points_elsewhere_than_its_gimbal_says_lands_all_the_same(
    engine: int, aslant: tuple[float, float]
) -> None:
    """An outer engine's rolls the stage as well."""
    flight = Flight(make_config(brake_throttle=0.6), **ASIDE)
    flight.engines[engine].aslant = aslant
    flight.legs_m = 2.0 * math.sqrt(flight.config.ref_area_m2)
    flight.land()
    assert 0.2 < -flight.vel[2] < 2.0
    assert math.hypot(flight.vel[0], flight.vel[1]) < 1.0
    assert flight.miss_m < 5.0
    assert norm(flight.omega) < math.radians(3.0)  # TD-RATE


def test_after_touchdown_everything_is_shut_and_after_two_seconds_it_is_done() -> None:
    flight = flown("stands")
    assert flight.modes.count(TOUCHDOWN) == 201
    assert flight.modes[-1] == DONE
    assert [c.request for c in flight.commands] == [SHUTDOWN] * 3
    assert flight.telemetry.thrust_cmd_n == 0.0


def test_an_abort_is_for_good() -> None:
    flight = Flight(make_config(), **ASIDE)
    flight.step(600)
    flight.run.input.abort = 1
    flight.step()
    flight.run.input.abort = 0
    flight.step(50)
    assert set(flight.modes[600:]) == {ABORT}
    assert all(c.request == SHUTDOWN for c in flight.commands)


def test_a_stage_that_lies_down_or_has_lost_its_way_is_given_up() -> None:
    assert set(flown("turned_over").modes) == {ABORT}
    lost = flown("lost")
    newest = 899 - 5  # frame of the last solution that was heard
    assert lost.modes.index(ABORT) + 1 == newest + 201


def test_a_stage_that_cannot_land_is_given_up_and_held_away_from_the_pad() -> None:
    """Lift alone does not reach beyond the keep-out here; it ends on the side that it came from."""
    flight = flown("all_out")
    assert flight.sources[-1] == 3
    assert flight.pos[0] > 20.0
    assert abs(flight.vel[0]) < 5.0


@pytest.mark.parametrize(("name", "burning"), [("two_out_early", False), ("two_out", True)])
def test_a_stage_that_cannot_land_comes_down_beside_the_keep_out(name: str, burning: bool) -> None:
    flight = flown(name)
    assert flight.sources[-1] == 3
    assert flight.miss_m > flight.config.keep_out_radius_m
    shares = flight.shares[flight.sources.index(3) + 10]
    assert shares == [burning, 0, 0]


@pytest.mark.parametrize("engine", [0, 1, 2])
def test_a_board_that_cannot_be_armed_does_not_hold_up_the_others_for_long(engine: int) -> None:
    def unarmed(flight: Flight) -> None:
        flight.run.input.engine[engine].state = 0

    late = Flight(make_config(), tamper=unarmed)
    late.step(600)
    prompt = Flight(make_config())
    prompt.step(600)
    assert late.modes.index(IGNITION) == prompt.modes.index(IGNITION)
    forced = make_config(ignition_forced=1, ignition_forced_t_s=0.03)
    waiting = Flight(forced, tamper=unarmed)
    waiting.step(30)
    assert waiting.modes.index(IGNITION) == 10
    assert [c.request for c in waiting.commands] == [ARM if i == engine else START for i in range(3)]


def test_armed_engines_light_at_the_forced_moment_itself() -> None:
    flight = Flight(make_config(ignition_forced=1, ignition_forced_t_s=0.25))
    flight.step(24)
    assert [c.request for c in flight.commands] == [ARM] * 3
    flight.step()
    assert [c.request for c in flight.commands] == [START] * 3


APART = (1e-6, 0.02)
"""Rounding grows along a flight: plans are optimal to 1e-7 of the scaled cost, and one leads to the next."""


def turned(flight: Flight, quarter: bool) -> tuple[float, ...]:
    """Return a flight's end, as if it had been seen from a quarter turn away, or in a mirror."""
    (x, y, z), (u, v, w), (p, q, r) = flight.pos, flight.vel, flight.axis
    return (-y, x, z, -v, u, w, -q, p, r) if quarter else (-x, y, z, -u, v, w, -p, q, r)


def land_together(one: Flight, other: Flight) -> None:
    """Fly both until one of them stands; that is in the same frame, or almost."""
    while min(one.pos[2], other.pos[2]) > 0.0:
        assert one.frame < 4000
        one.step()
        other.step()
    assert max(one.pos[2], other.pos[2]) < 0.02


@pytest.mark.parametrize(("optimise", "dead"), [(0, None), (0, 1), (1, 2)])
def test_a_mirrored_flight_is_the_flight_mirrored(optimise: int, dead: int | None) -> None:
    config = make_config(optimise=optimise, brake_throttle=0.6)
    one = Flight(config, pos=(70.0, 40.0, 2600.0), vel=(-3.0, -5.0, -280.0), wind=(3.0, 2.0, 0.0))
    other = Flight(config, pos=(-70.0, 40.0, 2600.0), vel=(3.0, -5.0, -280.0), wind=(-3.0, 2.0, 0.0))
    if dead is not None:
        one.engines[dead].dies_at_s = other.engines[3 - dead].dies_at_s = 7.5
    land_together(one, other)
    assert (*other.pos, *other.vel, *other.axis) == pytest.approx(turned(one, False), abs=APART[optimise])


@pytest.mark.parametrize("optimise", [0, 1])
def test_a_flight_from_a_quarter_turn_away_is_the_flight_turned(optimise: int) -> None:
    """With a cluster that looks the same from there; body axes do not turn, so that x and y change places."""
    config = make_config(CROSS, brake_throttle=0.55, optimise=optimise)
    one = Flight(config, pos=(70.0, 40.0, 3000.0), vel=(-3.0, -5.0, -280.0), wind=(3.0, 2.0, 0.0))
    other = Flight(config, pos=(-40.0, 70.0, 3000.0), vel=(5.0, -3.0, -280.0), wind=(-2.0, 3.0, 0.0))
    one.engines[1].dies_at_s = other.engines[2].dies_at_s = 9.0
    land_together(one, other)
    assert (*other.pos, *other.vel, *other.axis) == pytest.approx(turned(one, True), abs=APART[optimise])


@pytest.mark.parametrize("dead", [None, 0, 1])
def test_the_order_of_the_engines_does_not_matter(dead: int | None) -> None:
    """The centre one last instead of first."""
    one = Flight(make_config(brake_throttle=0.6), **ASIDE)
    other = Flight(make_config((*CLUSTER[1:], CLUSTER[0]), brake_throttle=0.6), **ASIDE)
    if dead is not None:
        one.engines[dead].dies_at_s = other.engines[(dead - 1) % 3].dies_at_s = 7.5
    land_together(one, other)
    assert (*other.pos, *other.vel, *other.axis) == pytest.approx((*one.pos, *one.vel, *one.axis), abs=1e-6)
    assert [c.request for c in other.commands] == [one.commands[i].request for i in (1, 2, 0)]


def test_a_flight_from_a_standstill_of_the_clock_elsewhere_is_the_same() -> None:
    """Time counts from nowhere."""
    early, late = Flight(make_config(), **ASIDE), Flight(make_config(), **ASIDE, frame=123_456)
    early.step(900)
    late.step(900)
    assert late.modes == early.modes
    assert late.pos == pytest.approx(early.pos, abs=1e-6)


def test_an_outer_engine_whose_gimbal_runs_away_is_given_up_while_the_others_brake() -> None:
    """Its reading stands still, what turns the stage says that it does not: the others land without it."""

    def tamper(flight: Flight) -> None:
        if flight.now_s >= 9.0:
            flight.engines[1].gimbal, flight.engines[1].agility = (-0.04, 0.08), 0.0
            flight.run.input.engine[1].gimbal_x_rad = flight.run.input.engine[1].gimbal_y_rad = 0.02

    flight = Flight(make_config(brake_throttle=0.6), tamper=tamper).land()
    assert [command.failed for command in flight.commands] == [0, 1, 0]
    assert 0.2 < -flight.vel[2] < 2.0
    assert flight.miss_m < 5.0
