"""What a descent promises whatever the problem: bounded, repeatable, honest about what it was given."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from hil.kernel import DescentProblem, DescentSolution, solve_descent
from hil.kernel._kernel import ffi, lib
from hil.kernel.descent import raw_problem
from tests.oracle.descents import BOOSTER, BOOSTER_TIME_S, LANDER, Hold

G0 = 9.80665
FAR = replace(BOOSTER, pos_m=(3000.0, 0.0, 3000.0))


def run(raw: Any, free_time: bool, at_a_time: int, fill: int = 0) -> tuple[bytes, int]:
    """Solve in calls of so many iterations, in memory filled with a byte; return the answer and the calls."""
    memory = ffi.new("double[]", lib.descent_size() // 8 + 1)
    ffi.buffer(memory)[:] = bytes([fill]) * ffi.sizeof(memory)
    lib.descent_init(memory, raw, free_time)
    calls = 1
    while lib.descent_iterate(memory, at_a_time) == 0:
        calls += 1
        assert calls < 100_000
    answer = ffi.new("fk_answer_t *")
    lib.descent_result(memory, answer)
    return bytes(ffi.buffer(answer)), calls


def bits(found: DescentSolution) -> tuple[Any, ...]:
    return found.status, found.iterations, found.pos_m.tobytes(), found.thrust_n.tobytes()


anything = (
    st.floats(allow_nan=True, allow_infinity=True) | st.floats(-1e4, 1e6) | st.sampled_from([0.0, 5e-324])
)
SWITCH = replace(BOOSTER, later_thrust_min_n=150e3, later_thrust_max_n=500e3)
DRAG = replace(BOOSTER, drag_area_m2=10.0)
BOTH = replace(SWITCH, drag_area_m2=10.0)


@pytest.mark.parametrize("free_time", [False, True])
@pytest.mark.parametrize("problem", [BOOSTER, FAR, SWITCH, DRAG, BOTH])
def test_iterations_may_be_spread_over_calls(problem: DescentProblem, free_time: bool) -> None:
    raw = raw_problem(problem, 12, BOOSTER_TIME_S, "foh")
    at_once, _ = run(raw, free_time, 100_000)
    one_by_one, calls = run(raw, free_time, 1)
    assert at_once == one_by_one
    assert calls > 10


@pytest.mark.parametrize("problem", [BOOSTER, FAR, SWITCH, DRAG, BOTH])
def test_what_was_in_memory_does_not_matter(problem: DescentProblem) -> None:
    """0xFF bytes are NaNs: one that is read would show."""
    raw = raw_problem(problem, 30, BOOSTER_TIME_S, "foh")
    assert run(raw, False, 50, fill=0x00)[0] == run(raw, False, 50, fill=0xFF)[0]


def test_a_solve_leaves_nothing_behind() -> None:
    before = bits(solve_descent(BOOSTER, nodes=30, final_time_s=BOOSTER_TIME_S))
    memory = ffi.new("double[]", lib.descent_size() // 8 + 1)
    answer = ffi.new("fk_answer_t *")
    good = raw_problem(BOOSTER, 30, BOOSTER_TIME_S, "foh")
    for other in (FAR, replace(BOOSTER, thrust_max_n=301e3), LANDER):
        lib.descent_timed(memory, raw_problem(other, 30, BOOSTER_TIME_S, "zoh"), False)
        lib.descent_timed(memory, good, False)
        lib.descent_result(memory, answer)
        assert (
            answer.propellant_kg
            == solve_descent(BOOSTER, nodes=30, final_time_s=BOOSTER_TIME_S).propellant_kg
        )
    assert bits(solve_descent(BOOSTER, nodes=30, final_time_s=BOOSTER_TIME_S)) == before


@pytest.mark.parametrize("hold", ["zoh", "foh"])
def test_limits_hold_at_the_nodes(hold: Hold) -> None:
    found = solve_descent(BOOSTER, nodes=30, final_time_s=BOOSTER_TIME_S, hold=hold)
    thrust = np.linalg.norm(found.thrust_n, axis=1)
    assert (thrust <= 1000e3 * (1 + 1e-6)).all()
    assert (thrust >= 300e3 * (1 - 1e-3)).all()
    assert (found.thrust_n[:, 2] >= thrust * math.cos(math.radians(25.0)) - 1.0).all()
    assert (np.linalg.norm(found.vel_mps, axis=1) <= 300.0 * (1 + 1e-6)).all()
    away = np.hypot(found.pos_m[:, 0], found.pos_m[:, 1])
    assert (away <= math.tan(math.radians(80.0)) * found.pos_m[:, 2] + 1e-3).all()
    assert found.mass_kg[-1] >= 38_000.0 - 0.1
    assert found.propellant_kg == pytest.approx(found.mass_kg[0] - found.mass_kg[-1])


@pytest.mark.parametrize("problem", [BOOSTER, FAR])
@pytest.mark.parametrize("hold", ["zoh", "foh"])
def test_motion_follows_from_the_thrust_it_names(problem: DescentProblem, hold: Hold) -> None:
    """Integrated afresh; thrust acceleration is constant or linear between nodes, the least miss included."""
    found = solve_descent(problem, nodes=30, final_time_s=BOOSTER_TIME_S, hold=hold)
    assert found.hold == hold
    accel = found.thrust_n / found.mass_kg[:, None]
    dt = found.t_s[1]
    r, v = np.array(problem.pos_m, float), np.array(problem.vel_mps, float)
    for k in range(29):
        now, then = accel[k], accel[k + 1] if hold == "foh" else accel[k]
        r = r + v * dt + np.array([0, 0, -G0]) * dt**2 / 2 + now * dt**2 / 3 + then * dt**2 / 6
        v = v + np.array([0, 0, -G0]) * dt + (now + then) * dt / 2
        np.testing.assert_allclose(r, found.pos_m[k + 1], atol=1e-5)
        np.testing.assert_allclose(v, found.vel_mps[k + 1], atol=1e-6)


def test_thrust_bounds_of_each_node_are_kept() -> None:
    """A third of the thrust is lost half-way."""
    most = np.where(np.arange(30) < 15, 1000e3, 667e3)
    found = solve_descent(
        replace(BOOSTER, thrust_max_n=most, vel_mps=(10.0, -15.0, -150.0)), nodes=30, final_time_s=30.0
    )
    assert found.status == "optimal"
    assert (np.linalg.norm(found.thrust_n, axis=1) <= most * (1 + 1e-6)).all()
    assert np.linalg.norm(found.thrust_n, axis=1)[15:].max() > 660e3


@pytest.mark.parametrize("hold", ["zoh", "foh"])
@pytest.mark.parametrize("problem", [SWITCH, BOTH])
def test_thrust_keeps_to_the_bounds_on_either_side_of_the_switch(problem: DescentProblem, hold: Hold) -> None:
    found = solve_descent(problem, nodes=30, hold=hold)
    assert found.status == "optimal"
    assert found.switch_s in found.t_s[1 : 30 if hold == "foh" else 29]
    held = found.thrust_n if hold == "foh" else found.thrust_n[:-1]
    thrust = np.linalg.norm(held, axis=1)
    later = found.t_s[: len(held)] >= found.switch_s
    assert (thrust <= np.where(later, 500e3, 1000e3) * (1 + 1e-6)).all()
    assert (thrust >= np.where(later, 150e3, 300e3) * (1 - 1e-3)).all()
    assert thrust[~later].max() > 500e3


def test_the_problem_given_is_left_as_it_was() -> None:
    """Bounds and drag are changed on the way: nothing of it is left in the problem that was given."""
    raw = raw_problem(BOTH, 12, BOOSTER_TIME_S, "foh")
    before = bytes(ffi.buffer(raw))
    first, _ = run(raw, False, 100_000)
    assert bytes(ffi.buffer(raw)) == before
    assert run(raw, False, 100_000)[0] == first


@pytest.mark.parametrize("free_time", [False, True])
@pytest.mark.parametrize("nodes", [-1, 3, 61, 2**31 - 1])
def test_a_switch_among_nodes_that_are_not_there_fails(nodes: int, free_time: bool) -> None:
    raw = raw_problem(BOTH, 12, BOOSTER_TIME_S, "foh")
    raw.nodes = nodes
    answer = ffi.from_buffer("fk_answer_t *", run(raw, free_time, 1)[0])
    assert (answer.status, answer.iterations, answer.switch_s) == (3, 0, 0.0)


@settings(max_examples=60, deadline=None)
@given(
    st.tuples(anything, anything, anything),
    st.integers(4, 7),
    st.booleans(),
    st.booleans(),
    st.booleans(),
    st.floats(14.0, 32.0),
)
def test_hostile_switches_and_drag_end(
    values: tuple[float, float, float], nodes: int, foh: bool, free: bool, switch: bool, time_s: float
) -> None:
    """Worst cases are those that fk_descent.h states."""
    raw = raw_problem(BOOSTER, nodes, time_s, "foh" if foh else "zoh")
    raw.has_switch = switch
    raw.later_thrust_min_n, raw.later_thrust_max_n, raw.drag_area_m2 = values
    memory = ffi.new("double[]", lib.descent_size() // 8 + 1)
    lib.descent_timed(memory, raw, free)
    answer = ffi.new("fk_answer_t *")
    lib.descent_result(memory, answer)
    bound = {
        (False, False): lib.FK_DESCENT_FIXED,
        (False, True): lib.FK_DESCENT_FREE,
        (True, False): lib.FK_DESCENT_SWITCH,
        (True, True): lib.FK_DESCENT_BOTH,
    }[switch, free]
    passes = lib.FK_DESCENT_PASSES if raw.drag_area_m2 > 0.0 else 1
    assert answer.status in (1, 2, 3)
    assert 0 <= answer.iterations <= bound * passes <= lib.FK_DESCENT_MOST
    assert 0.0 <= answer.switch_s <= answer.t_s[nodes - 1]
    for name in ("pos_m", "vel_mps", "mass_kg", "thrust_n"):
        assert np.isfinite(np.frombuffer(ffi.buffer(getattr(answer, name)))).all()


def test_least_miss_lands_beside_the_pad() -> None:
    found = solve_descent(FAR, nodes=30, final_time_s=BOOSTER_TIME_S)
    assert found.status == "infeasible"
    assert found.miss_m == pytest.approx(math.hypot(*found.pos_m[-1, :2]))
    assert 1000.0 < found.miss_m < 3000.0
    assert abs(found.pos_m[-1, 2]) < 0.1
    assert np.linalg.norm(found.vel_mps[-1]) < 0.1


@pytest.mark.parametrize("time_s", [BOOSTER_TIME_S, None])
def test_engines_too_weak_whenever_they_are_switched_miss_the_pad_by_little(time_s: float | None) -> None:
    weak = replace(SWITCH, thrust_max_n=430e3, later_thrust_min_n=100e3, later_thrust_max_n=400e3)
    found = solve_descent(weak, nodes=8, final_time_s=time_s)
    assert found.status == "infeasible"
    assert found.switch_s is not None
    assert np.isfinite(found.pos_m).all()


def test_initial_state_outside_a_limit_is_infeasible() -> None:
    for broken in (replace(BOOSTER, speed_limit_mps=200.0), replace(BOOSTER, glide_slope_deg=4.0)):
        found = solve_descent(broken, nodes=30, final_time_s=BOOSTER_TIME_S)
        assert found.status == "infeasible"
        assert np.isfinite(found.pos_m).all()


def test_no_bound_below() -> None:
    """An engine that can be throttled to nothing."""
    found = solve_descent(replace(BOOSTER, thrust_min_n=0.0), nodes=30, final_time_s=BOOSTER_TIME_S)
    assert found.status == "optimal"
    assert found.propellant_kg < 6836.0


@pytest.mark.parametrize(
    "wrong",
    [
        {"mass_kg": math.nan},
        {"mass_kg": 1.0},
        {"isp_s": 0.0},
        {"isp_s": None},
        {"mass_flow_s_per_m": 1e-4},
        {"thrust_min_n": 2000e3},
        {"thrust_max_n": [1e6] * 29},
        {"pos_m": (0.0, 0.0)},
        {"pos_m": (0.0, math.inf, 0.0)},
        {"glide_slope_deg": 0.0},
        {"pointing_deg": 181.0},
        {"speed_limit_mps": -1.0},
        {"frame_rate_radps": (10.0, 0.0, 0.0)},
        {"later_thrust_min_n": 1e5},
        {"later_thrust_max_n": 1e5},
        {"later_thrust_min_n": 2e5, "later_thrust_max_n": 1e5},
        {"later_thrust_min_n": -1.0, "later_thrust_max_n": 1e5},
        {"later_thrust_min_n": 0.0, "later_thrust_max_n": 0.0},
        {"drag_area_m2": -1.0},
        {"drag_area_m2": math.nan},
    ],
)
def test_wrong_data_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"\w"):
        solve_descent(replace(BOOSTER, **wrong), nodes=30, final_time_s=BOOSTER_TIME_S)


@pytest.mark.parametrize("pose", [{"nodes": 3}, {"nodes": 61}, {"nodes": 30, "hold": "spline"}])
def test_wrong_ways_to_pose_it_are_refused(pose: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="wanted"):
        solve_descent(BOOSTER, final_time_s=BOOSTER_TIME_S, **pose)


problems = st.dictionaries(
    st.sampled_from(
        [
            *("mass_kg", "dry_mass_kg", "mass_flow_s_per_m", "final_time_s", "thrust_min_n", "thrust_max_n"),
            *("pointing_rad", "glide_slope_rad", "speed_limit_mps", "gravity_mps2", "frame_rate_radps"),
            *("pos_m", "vel_mps", "final_pos_m", "final_vel_mps"),
        ]
    ),
    st.lists(anything, min_size=3, max_size=3),
    max_size=5,
)


@settings(max_examples=300, deadline=None)
@given(problems, st.integers(4, 12), st.booleans(), st.booleans())
@example({"final_time_s": [42758.0], "gravity_mps2": [0.0, 21333.0, 0.0]}, 9, False, False)
def test_hostile_problems_end(changes: dict[str, list[float]], nodes: int, foh: bool, free: bool) -> None:
    """Whatever is asked: a status, a finite answer, the stated number of iterations at most."""
    raw = raw_problem(BOOSTER, nodes, BOOSTER_TIME_S, "foh" if foh else "zoh")
    for name, values in changes.items():
        field = getattr(raw, name)
        if isinstance(field, float):
            setattr(raw, name, values[0])
        else:
            for i, value in enumerate(values):
                field[i] = value
    memory = ffi.new("double[]", lib.descent_size() // 8 + 1)
    lib.descent_timed(memory, raw, free)
    answer = ffi.new("fk_answer_t *")
    lib.descent_result(memory, answer)
    assert answer.status in (1, 2, 3)
    assert 0 <= answer.iterations <= (lib.FK_DESCENT_FREE if free else lib.FK_DESCENT_FIXED)
    for name in ("pos_m", "vel_mps", "mass_kg", "thrust_n"):
        assert np.isfinite(np.frombuffer(ffi.buffer(getattr(answer, name)))).all()


@given(st.floats(-700.0, 700.0))
def test_exponential(x: float) -> None:
    assert lib.fk_exp(x) == pytest.approx(math.exp(x), rel=2e-15)


@given(st.floats(1e-300, 1e300))
def test_logarithm(x: float) -> None:
    assert lib.fk_log(x) == pytest.approx(math.log(x), rel=2e-15, abs=1e-15)
