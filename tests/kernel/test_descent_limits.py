"""Descents at the ends of what may be asked: ranges, limits that bind, answers known beforehand."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from hil.kernel import DescentProblem, solve_descent
from hil.kernel._kernel import ffi, lib
from hil.kernel.descent import raw_problem
from tests.oracle.descents import BOOSTER, BOOSTER_TIME_S, LANDER, Hold

WEIGHTLESS = DescentProblem(
    mass_kg=45_000.0,
    dry_mass_kg=20_000.0,
    isp_s=290.0,
    thrust_min_n=0.0,
    thrust_max_n=1000e3,
    gravity_mps2=(0.0, 0.0, 0.0),
    pos_m=(300.0, -600.0, 3000.0),
    vel_mps=(-10.0, 20.0, -100.0),
    final_vel_mps=(-10.0, 20.0, -100.0),
)
"""Coasts to its aim by itself in 30 s."""


def usable(**changes: Any) -> bool:
    """Tell whether a descent of ten nodes is in range with some values changed."""
    raw = raw_problem(BOOSTER, 60, BOOSTER_TIME_S, "foh")
    raw.nodes = 10
    for name, value in changes.items():
        if isinstance(value, tuple):
            index, item = value
            getattr(raw, name)[index] = item
        else:
            setattr(raw, name, value)
    return bool(lib.fk_problem_usable(raw))


RANGES = [
    ("nodes", 4, 60, 1),
    ("final_time_s", 1e-3, 1e5, 1e-9),
    ("dry_mass_kg", 1e-3, 45_000.0, 1e-6),
    ("mass_kg", 38_000.0, 1e9, 1e-3),
    ("mass_flow_s_per_m", 1e-9, 1.0, 1e-12),
    ("pointing_rad", 0.0, math.pi, 1e-6),
    ("glide_slope_rad", 1e-6, math.pi / 2, 1e-9),
    ("speed_limit_mps", 1e-6, 1e6, 1e-9),
]


@pytest.mark.parametrize(("name", "low", "high", "more"), RANGES)
def test_a_value_may_be_at_the_ends_of_its_range_and_no_further(
    name: str, low: float, high: float, more: float
) -> None:
    assert usable(**{name: low})
    assert usable(**{name: high})
    assert not usable(**{name: low - more})
    assert not usable(**{name: high + max(more, high * 1e-9) if name != "nodes" else 61})
    if name != "nodes":
        assert not usable(**{name: math.nan})


@pytest.mark.parametrize("name", ["gravity_mps2", "pos_m", "vel_mps", "final_pos_m", "final_vel_mps"])
@pytest.mark.parametrize("place", [0, 1, 2])
def test_vectors_are_finite_and_within_a_million_kilometres(name: str, place: int) -> None:
    for value in (1e9, -1e9):
        assert usable(**{name: (place, value)})
    for value in (1.01e9, -1.01e9, math.nan, math.inf):
        assert not usable(**{name: (place, value)})


@pytest.mark.parametrize("node", [0, 5, 9])
def test_accelerations_and_thrust_bounds_are_looked_at_in_every_node(node: int) -> None:
    raw = raw_problem(BOOSTER, 10, BOOSTER_TIME_S, "foh")
    raw.accel_mps2[node][2] = math.nan
    assert not lib.fk_problem_usable(raw)
    for name, wrong in (
        ("thrust_min_n", (-1.0, 1001e3, math.nan)),
        ("thrust_max_n", (299e3, 1.1e12, math.nan)),
    ):
        for value in wrong:
            assert not usable(**{name: (node, value)})
    assert usable(thrust_min_n=(node, 0.0))
    assert usable(thrust_min_n=(node, 1000e3))
    raw = raw_problem(BOOSTER, 10, BOOSTER_TIME_S, "foh")
    raw.thrust_min_n[node] = raw.thrust_max_n[node] = 0.0
    assert not lib.fk_problem_usable(raw)


def test_what_lies_beyond_the_last_node_is_nobody_s() -> None:
    raw = raw_problem(BOOSTER, 10, BOOSTER_TIME_S, "foh")
    raw.accel_mps2[10][0] = raw.thrust_max_n[10] = math.nan
    assert lib.fk_problem_usable(raw)


def test_a_limit_that_is_off_may_have_any_value() -> None:
    for flag, name in (
        ("has_pointing", "pointing_rad"),
        ("has_glide_slope", "glide_slope_rad"),
        ("has_speed_limit", "speed_limit_mps"),
    ):
        assert usable(**{flag: 0, name: -1.0})
        assert not usable(**{flag: 1, name: -1.0})


def test_axes_turn_by_less_than_a_radian_in_one_interval() -> None:
    most = 9 / BOOSTER_TIME_S
    assert usable(frame_rate_radps=(1, 0.999 * most))
    assert not usable(frame_rate_radps=(1, 1.001 * most))
    assert not usable(frame_rate_radps=(1, math.nan))


@pytest.mark.parametrize("far_m", [1e7, 9e7])
@pytest.mark.parametrize("hold", ["foh", "zoh"])
def test_lengths_and_thrust_too_far_apart_to_compute_with_are_refused(far_m: float, hold: Hold) -> None:
    """Each in range, but the engine could not be told from none."""
    found = solve_descent(
        replace(BOOSTER, thrust_min_n=0.0, thrust_max_n=0.03, pos_m=(far_m, 0.0, 3000.0)),
        nodes=8,
        final_time_s=BOOSTER_TIME_S,
        hold=hold,
    )
    assert found.status == "failed"
    assert found.iterations == 0
    assert (found.pos_m == 0.0).all()


@pytest.mark.parametrize("hold", ["foh", "zoh"])
def test_numbers_that_overflow_on_the_way_fail_at_once(hold: Hold) -> None:
    """Six kilograms under thirty-seven giganewtons, two of them at least."""
    absurd = replace(BOOSTER, mass_kg=6.0, dry_mass_kg=3.4, thrust_min_n=2e9, thrust_max_n=3.7e10)
    found = solve_descent(
        replace(absurd, glide_slope_deg=None, speed_limit_mps=None), nodes=8, final_time_s=22.0, hold=hold
    )
    assert found.status == "failed"
    assert found.iterations <= 2
    assert np.isfinite(found.pos_m).all()


@pytest.mark.parametrize("nodes", [59, 60])
@pytest.mark.parametrize("hold", ["foh", "zoh"])
def test_the_largest_least_miss_problem_is_solved(nodes: int, hold: Hold) -> None:
    """All limits on and all ends elastic: every array of the optimiser is as full as it gets."""
    far = replace(BOOSTER, pos_m=(2600.0, -900.0, 3000.0))
    found = solve_descent(far, nodes=nodes, final_time_s=BOOSTER_TIME_S, hold=hold)
    assert found.status == "infeasible"
    assert 500.0 < found.miss_m < 2750.0
    np.testing.assert_allclose(found.pos_m[0], far.pos_m, atol=1e-6)
    assert abs(found.pos_m[-1, 2]) < 0.1


@pytest.mark.parametrize("time_s", [5.0, 22.0])
@pytest.mark.parametrize("hold", ["foh", "zoh"])
def test_thrust_that_may_only_point_up_never_reaches_a_pad_beside(time_s: float, hold: Hold) -> None:
    """A cone without an inside: it is out of reach or not to be computed, never said to be solved."""
    for nodes in (4, 30, 60):
        found = solve_descent(replace(BOOSTER, pointing_deg=0.0), nodes=nodes, final_time_s=time_s, hold=hold)
        assert found.status in ("infeasible", "failed")
        assert np.isfinite(found.pos_m).all()
        assert np.isfinite(found.thrust_n).all()


@pytest.mark.parametrize("nodes", [4, 10, 30])
@pytest.mark.parametrize("hold", ["foh", "zoh"])
def test_coasting_to_the_aim_costs_nothing(nodes: int, hold: Hold) -> None:
    found = solve_descent(WEIGHTLESS, nodes=nodes, final_time_s=30.0, hold=hold)
    assert found.status == "optimal"
    assert 0.0 <= found.propellant_kg < 0.01
    for k, t in enumerate(found.t_s):
        coasted = np.array(WEIGHTLESS.pos_m) + np.array(WEIGHTLESS.vel_mps) * t
        np.testing.assert_allclose(found.pos_m[k], coasted, atol=0.5)
    assert found.t_s[-1] == pytest.approx(30.0)


@pytest.mark.parametrize("hold", ["foh", "zoh"])
def test_the_final_state_is_the_one_that_was_asked_for(hold: Hold) -> None:
    aim, speed = (40.0, -30.0, 12.0), (1.0, -2.0, -3.0)
    found = solve_descent(
        replace(BOOSTER, final_pos_m=aim, final_vel_mps=speed), nodes=20, final_time_s=22.0, hold=hold
    )
    assert found.status == "optimal"
    np.testing.assert_allclose(found.pos_m[0], BOOSTER.pos_m, atol=1e-6)
    np.testing.assert_allclose(found.vel_mps[0], BOOSTER.vel_mps, atol=1e-6)
    np.testing.assert_allclose(found.pos_m[-1], aim, atol=1e-5)
    np.testing.assert_allclose(found.vel_mps[-1], speed, atol=1e-6)
    assert found.miss_m == pytest.approx(0.0, abs=1e-5)
    assert found.mass_kg[0] == pytest.approx(45_000.0, rel=1e-12)


@pytest.mark.parametrize("hold", ["foh", "zoh"])
def test_mass_falls_by_what_the_thrust_takes(hold: Hold) -> None:
    """ln m is linear in the thrust acceleration's bound, which the optimum attains."""
    found = solve_descent(BOOSTER, nodes=30, final_time_s=BOOSTER_TIME_S, hold=hold)
    accel = np.linalg.norm(found.thrust_n, axis=1) / found.mass_kg
    mean = 0.5 * (accel[1:] + accel[:-1]) if hold == "foh" else accel[:-1]
    fallen = -np.diff(np.log(found.mass_kg)) * 290.0 * 9.80665
    np.testing.assert_allclose(fallen, mean * found.t_s[1], rtol=2e-3)


def test_each_limit_costs_something_where_it_binds_and_nothing_where_not() -> None:
    free = replace(BOOSTER, pointing_deg=None, glide_slope_deg=None, speed_limit_mps=None)

    def cost(**limits: float) -> float:
        found = solve_descent(replace(free, **limits), nodes=20, final_time_s=BOOSTER_TIME_S)
        assert found.status == "optimal"
        return found.propellant_kg

    base = cost()
    for loose in (
        {"pointing_deg": 170.0},
        {"pointing_deg": 90.0},
        {"glide_slope_deg": 89.9},
        {"speed_limit_mps": 1e4},
    ):
        assert cost(**loose) == pytest.approx(base, rel=1e-6)
    for tight in ({"pointing_deg": 8.0}, {"glide_slope_deg": 5.0}):
        assert cost(**tight) > base * (1.0 + 1e-5)


def test_thrust_may_point_below_the_horizon_where_the_cone_is_wide() -> None:
    """Too fast to be stopped in time unless the engine first pushes down."""
    high = replace(
        BOOSTER,
        speed_limit_mps=None,
        pos_m=(0.0, 0.0, 3000.0),
        vel_mps=(0.0, 0.0, 0.0),
        dry_mass_kg=15e3,
        glide_slope_deg=None,
    )
    wide = solve_descent(replace(high, pointing_deg=180.0), nodes=20, final_time_s=29.0)
    narrow = solve_descent(replace(high, pointing_deg=80.0), nodes=20, final_time_s=29.0)
    assert wide.status == "optimal"
    assert wide.thrust_n[0, 2] < 0.0
    assert narrow.status == "infeasible" or narrow.thrust_n[0, 2] > 0.0


@pytest.mark.parametrize("problem", [BOOSTER, LANDER])
def test_solves_take_few_iterations(problem: DescentProblem) -> None:
    """What the stated time of a plan in flight rests on: two iterations a frame."""
    time_s = BOOSTER_TIME_S if problem is BOOSTER else 76.0
    for nodes in (8, 30, 60):
        for hold in ("zoh", "foh"):
            found = solve_descent(problem, nodes=nodes, final_time_s=time_s, hold=hold)
            assert found.iterations <= 20


def test_a_drag_that_is_known_saves_the_propellant_that_it_brakes_with() -> None:
    raw = raw_problem(BOOSTER, 20, BOOSTER_TIME_S, "foh")
    memory = ffi.new("double[]", lib.descent_size() // 8 + 1)
    answer = ffi.new("fk_answer_t *")
    used = []
    for drag in (0.0, 1.0, 2.0):
        for k in range(20):
            raw.accel_mps2[k][2] = drag
        lib.descent_timed(memory, raw, False)
        lib.descent_result(memory, answer)
        assert answer.status == 1
        used.append(answer.propellant_kg)
    saved = (45_000.0 - used[0]) * BOOSTER_TIME_S / (290.0 * 9.80665)
    assert used[0] - used[1] == pytest.approx(saved, rel=0.03)
    assert used[1] - used[2] == pytest.approx(saved, rel=0.03)


@pytest.mark.parametrize("hold", ["foh", "zoh"])
def test_a_pad_just_out_of_reach_is_missed_by_what_is_lacking(hold: Hold) -> None:
    """By less than a metre, which is told from none: that no descent exists is proven."""

    def solved(east_m: float) -> Any:
        beside = replace(BOOSTER, pos_m=(east_m, 100.0, 3000.0))
        return solve_descent(beside, nodes=10, final_time_s=BOOSTER_TIME_S, hold=hold)

    near, far = 200.0, 3000.0
    while far - near > 0.25:
        middle = 0.5 * (near + far)
        near, far = (middle, far) if solved(middle).status == "optimal" else (near, middle)
    for beyond_m in (0.5, 2.0, 10.0):
        found = solved(far + beyond_m)
        assert found.status == "infeasible"
        assert found.miss_m == pytest.approx(beyond_m, abs=0.3)


def air_density(height_m: float) -> float:
    """Return density, kg/m^3: US Standard Atmosphere 1976."""
    return float(1.225 * (1.0 - 0.0065 * height_m / 288.15) ** 4.25588)


@pytest.mark.parametrize("free_time", [False, True])
@pytest.mark.parametrize(("nodes", "hold"), [(12, "foh"), (12, "zoh"), (6, "foh")])
def test_motion_follows_from_thrust_and_the_drag_of_that_motion(
    nodes: int, hold: Hold, free_time: bool
) -> None:
    """Drag like thrust: linear from node to node, or the mean of both ends all the way."""
    area_m2 = 15.0
    dragged = replace(BOOSTER, drag_area_m2=area_m2)
    found = solve_descent(dragged, nodes=nodes, final_time_s=None if free_time else BOOSTER_TIME_S, hold=hold)
    assert found.status == "optimal"
    speed = np.linalg.norm(found.vel_mps, axis=1)[:, None]
    density = np.array([air_density(h) for h in found.pos_m[:, 2]])[:, None]
    drag = -0.5 * density * area_m2 * speed * found.vel_mps / found.mass_kg[:, None]
    thrust = found.thrust_n / found.mass_kg[:, None]
    dt = found.t_s[1]
    close = 0.01 * np.linalg.norm(drag, axis=1).max()
    for k in range(nodes - 1):
        driven = (found.vel_mps[k + 1] - found.vel_mps[k]) / dt - np.array([0.0, 0.0, -9.80665])
        by_thrust = (thrust[k] + thrust[k + 1]) / 2.0 if hold == "foh" else thrust[k]
        np.testing.assert_allclose(driven - by_thrust, (drag[k] + drag[k + 1]) / 2.0, atol=close)


def test_the_search_over_final_times_is_as_good_as_its_neighbours() -> None:
    found = solve_descent(LANDER, nodes=20)
    assert found.status == "optimal"
    best_s = float(found.t_s[-1])
    for factor in (0.98, 0.995, 1.005, 1.02):
        other = solve_descent(LANDER, nodes=20, final_time_s=best_s * factor)
        assert other.status != "optimal" or other.propellant_kg >= found.propellant_kg * (1.0 - 1e-6)


def test_where_no_time_reaches_the_pad_the_search_finds_the_least_miss() -> None:
    weak = replace(BOOSTER, thrust_max_n=700e3, pos_m=(2500.0, 0.0, 2500.0))
    found = solve_descent(weak, nodes=10)
    assert found.status == "infeasible"
    for factor in (0.9, 1.1):
        other = solve_descent(weak, nodes=10, final_time_s=float(found.t_s[-1]) * factor)
        assert other.status == "infeasible"
        worse = np.linalg.norm(other.vel_mps[-1]) + abs(other.pos_m[-1, 2]) + other.miss_m
        ours = np.linalg.norm(found.vel_mps[-1]) + abs(found.pos_m[-1, 2]) + found.miss_m
        assert ours < worse * 1.2


@pytest.mark.parametrize("time_s", [BOOSTER_TIME_S, None])
def test_where_no_switch_reaches_the_pad_the_least_miss_is_looked_for(time_s: float | None) -> None:
    """Too weak before and after it: all nodes of the switch are tried, then compared by their miss."""
    weak = replace(BOOSTER, thrust_max_n=700e3, later_thrust_min_n=150e3, later_thrust_max_n=400e3)
    found = solve_descent(weak, nodes=5, final_time_s=time_s)
    assert found.status == "infeasible"
    assert np.isfinite(found.pos_m).all()
    held = replace(weak, later_thrust_min_n=None, later_thrust_max_n=None)
    assert solve_descent(held, nodes=5, final_time_s=time_s).status == "infeasible"
