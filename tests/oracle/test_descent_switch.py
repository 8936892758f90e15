"""A switch of thrust bounds is the best of all nodes; drag is that of the motion which is flown."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

from hil.kernel import DescentProblem, DescentSolution, solve_descent
from hil.kernel._kernel import lib
from hil.kernel.descent import G0_MPS2
from tests.oracle.descent_reference import Descent, least_miss_cost, solve_reference
from tests.oracle.descents import BOOSTER, BOOSTER_TIME_S, Drawn, Hold, draw_switch

AGREE = 1e-4
"""Relative difference of propellant."""


def switched_at(case: Drawn, node: int) -> DescentProblem:
    """Return the problem with the later bounds from a given node on."""
    p = case.problem
    before = np.arange(case.nodes) < node
    return replace(
        p,
        thrust_min_n=np.where(before, p.thrust_min_n, p.later_thrust_min_n),
        thrust_max_n=np.where(before, p.thrust_max_n, p.later_thrust_max_n),
        later_thrust_min_n=None,
        later_thrust_max_n=None,
    )


def every_node(case: Drawn) -> list[DescentProblem]:
    """Return the problem for each node at which it may switch: first and last thrust have one pair each."""
    return [switched_at(case, k) for k in range(1, case.nodes if case.hold == "foh" else case.nodes - 1)]


def solve(case: Drawn, free_time: bool = False) -> DescentSolution:
    time_s = None if free_time else case.time_s
    return solve_descent(case.problem, nodes=case.nodes, final_time_s=time_s, hold=case.hold)


def each_node(case: Drawn, free_time: bool = False) -> list[DescentSolution]:
    return [solve(replace(case, problem=p), free_time) for p in every_node(case)]


def node_of(found: DescentSolution) -> int:
    assert found.switch_s is not None
    return int(np.flatnonzero(found.t_s == found.switch_s)[0])


def check(case: Drawn, free_time: bool = False) -> bool:
    """Hold one problem against all its nodes; tell whether it can be landed."""
    found = solve(case, free_time)
    nodes = each_node(case, free_time)
    landed = [s.propellant_kg for s in nodes if s.status == "optimal"]
    assert found.status == ("optimal" if landed else "infeasible")
    if landed:
        assert found.propellant_kg == pytest.approx(min(landed), rel=AGREE)
        assert nodes[node_of(found) - 1].propellant_kg == pytest.approx(found.propellant_kg, rel=AGREE)
        return True
    if case.problem.drag_area_m2 is None and not free_time:
        costs = [
            Descent(p, case.nodes, case.time_s, case.hold).miss_cost(s.pos_m, s.vel_mps, s.mass_kg)
            for p, s in zip(every_node(case), nodes, strict=True)
        ]
        assert costs[node_of(found) - 1] == pytest.approx(min(costs), rel=1e-3, abs=1e-4)
    return False


def check_many(seed: int, count: int, change: Callable[[Drawn, np.random.Generator], Drawn]) -> None:
    rng = np.random.default_rng(seed)
    landed = [check(change(draw_switch(rng), rng)) for _ in range(count)]
    assert 0.25 < np.mean(landed) < 0.9


def with_drag(case: Drawn, rng: np.random.Generator) -> Drawn:
    return replace(case, problem=replace(case.problem, drag_area_m2=rng.uniform(1.0, 12.0)))


def test_the_switch_is_the_best_of_all_nodes() -> None:
    check_many(11, 20, lambda case, _: case)


@pytest.mark.nightly
def test_the_switch_is_the_best_of_all_nodes_a_hundred_times() -> None:
    check_many(12, 100, lambda case, _: case)


def test_the_switch_is_the_best_of_all_nodes_with_drag() -> None:
    check_many(13, 10, with_drag)


@pytest.mark.nightly
def test_the_switch_is_the_best_of_all_nodes_with_drag_a_hundred_times() -> None:
    check_many(14, 100, with_drag)


def check_free(seed: int, count: int, nodes: int) -> None:
    rng = np.random.default_rng(seed)
    landed = [check(replace(draw_switch(rng), nodes=nodes), free_time=True) for _ in range(count)]
    assert np.mean(landed) > 0.5


def test_switch_and_final_time_are_found_together() -> None:
    check_free(15, 5, 20)


@pytest.mark.nightly
def test_switch_and_final_time_are_found_together_a_hundred_times() -> None:
    check_free(16, 100, 30)


def clarabel_agrees(case: Drawn) -> bool:
    """Hold one problem against Clarabel at every node; tell whether Clarabel knows them all."""
    references = [solve_reference(p, case.nodes, case.time_s, case.hold) for p in every_node(case)]
    if not {r.status for r in references} <= {"Solved", "PrimalInfeasible"}:
        return False
    landed = [r.propellant_kg for r in references if r.status == "Solved"]
    found = solve(case)
    assert found.status == ("optimal" if landed else "infeasible")
    if landed:
        assert found.propellant_kg == pytest.approx(min(landed), rel=AGREE)
    return True


def test_clarabel_finds_the_same_switch() -> None:
    rng = np.random.default_rng(17)
    assert sum(clarabel_agrees(draw_switch(rng)) for _ in range(6)) >= 3


@pytest.mark.nightly
def test_clarabel_finds_the_same_switch_a_hundred_times() -> None:
    rng = np.random.default_rng(18)
    assert sum(clarabel_agrees(draw_switch(rng)) for _ in range(100)) >= 50


def test_a_switch_that_cannot_land_misses_least() -> None:
    """Reckoned by Clarabel for the node found, and for its neighbours."""
    rng = np.random.default_rng(19)
    case = next(c for c in iter(lambda: draw_switch(rng), None) if solve(c).status == "infeasible")
    found = solve(case)
    node = node_of(found)
    posed = Descent(switched_at(case, node), case.nodes, case.time_s, case.hold)
    cost = posed.miss_cost(found.pos_m, found.vel_mps, found.mass_kg)
    for k in {max(node - 1, 1), node, min(node + 1, case.nodes - 2)}:
        other = least_miss_cost(switched_at(case, k), case.nodes, case.time_s, case.hold)
        assert cost <= other * 1.001 + 1e-4


def flown(problem: DescentProblem, found: DescentSolution, steps: int = 10) -> NDArray[np.float64]:
    """Return position, velocity and mass at the end of the thrust found, flown with drag as it comes.

    Runge-Kutta, `steps` to an interval; thrust acceleration is that between nodes which the solution names.
    """
    area, flow = problem.drag_area_m2 or 0.0, problem.flow_s_per_m()
    accel = found.thrust_n / found.mass_kg[:, None]
    if found.hold == "zoh":
        accel[-1] = accel[-2]

    def rate(state: NDArray[np.float64], push: NDArray[np.float64]) -> NDArray[np.float64]:
        vel = state[3:6]
        density = lib.fk_air_at(state[2]).density_kgpm3
        drag = -0.5 * density * area * np.linalg.norm(vel) * vel / state[6]
        return np.concatenate(
            [vel, push + drag - [0.0, 0.0, G0_MPS2], [-flow * state[6] * np.linalg.norm(push)]]
        )

    state = np.array([*problem.pos_m, *problem.vel_mps, problem.mass_kg], dtype=float)
    for k in range(len(accel) - 1):
        change = accel[k + 1] - accel[k] if found.hold == "foh" else np.zeros(3)
        h = float(found.t_s[1]) / steps
        for i in range(steps):
            a, b, c = (accel[k] + change * (i + x) / steps for x in (0.0, 0.5, 1.0))
            k1 = rate(state, a)
            k2 = rate(state + 0.5 * h * k1, b)
            k3 = rate(state + 0.5 * h * k2, b)
            k4 = rate(state + h * k3, c)
            state = state + h / 6.0 * (k1 + 2.0 * k2 + 2.0 * k3 + k4)
    return state


@pytest.mark.parametrize("hold", ["zoh", "foh"])
@pytest.mark.parametrize("time_s", [BOOSTER_TIME_S, None])
def test_thrust_flown_in_the_air_reaches_the_pad(hold: Hold, time_s: float | None) -> None:
    """What is left is drag between the nodes: a quarter with twice the nodes, 10 cm and 1 cm/s at 60."""
    problem = replace(BOOSTER, drag_area_m2=10.0)
    missed = []
    for nodes in (15, 30, 60):
        found = solve_descent(problem, nodes=nodes, final_time_s=time_s, hold=hold)
        assert found.status == "optimal"
        end = flown(problem, found)
        missed.append((np.linalg.norm(end[:3]), np.linalg.norm(end[3:6])))
    for i in (1, 2):
        assert missed[i][0] < missed[i - 1][0] / 2.5
        assert missed[i][1] < missed[i - 1][1] / 2.5
    assert missed[-1][0] < 0.1
    assert missed[-1][1] < 0.01


def test_a_switch_flown_in_the_air_reaches_the_pad() -> None:
    rng = np.random.default_rng(20)
    for _ in range(6):
        case = with_drag(draw_switch(rng), rng)
        found = solve(replace(case, nodes=60))
        end = flown(case.problem, found)
        if found.status == "optimal":
            assert np.linalg.norm(end[:3]) < 0.5
            assert np.linalg.norm(end[3:6]) < 0.1
        else:
            assert np.linalg.norm(end[:3]) > 0.5


def test_drag_lowers_propellant() -> None:
    used = [
        solve_descent(replace(BOOSTER, drag_area_m2=area), nodes=30, final_time_s=time_s).propellant_kg
        for time_s in (BOOSTER_TIME_S, None)
        for area in (0.0, 5.0, 10.0, 20.0)
    ]
    assert used[0] > used[1] > used[2] > used[3]
    assert used[4] > used[5] > used[6] > used[7]


def test_free_final_time_with_drag_beats_every_time_of_a_grid() -> None:
    problem = replace(BOOSTER, drag_area_m2=10.0)
    found = solve_descent(problem, nodes=30)
    grid = [solve_descent(problem, nodes=30, final_time_s=float(t)) for t in np.arange(19.0, 24.0, 0.05)]
    assert found.propellant_kg <= min(s.propellant_kg for s in grid if s.status == "optimal") * (1.0 + 1e-5)


@pytest.mark.parametrize("time_s", [BOOSTER_TIME_S, None])
def test_no_drag_area_is_no_drag_to_the_bit(time_s: float | None) -> None:
    without = solve_descent(BOOSTER, nodes=30, final_time_s=time_s)
    zero = solve_descent(replace(BOOSTER, drag_area_m2=0.0), nodes=30, final_time_s=time_s)
    assert (without.iterations, without.propellant_kg) == (zero.iterations, zero.propellant_kg)
    for name in ("t_s", "pos_m", "vel_mps", "mass_kg", "thrust_n"):
        assert getattr(without, name).tobytes() == getattr(zero, name).tobytes()
    assert without.switch_s is None
