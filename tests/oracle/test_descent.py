"""The optimiser finds what Clarabel finds for the same problem, and what has been published."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from hil.kernel import DescentProblem, solve_descent
from tests.oracle.descent_reference import Descent, least_miss_cost, solve_reference
from tests.oracle.descents import BOOSTER, BOOSTER_TIME_S, LANDER, ROTATING, Hold, draw

PUBLISHED = {
    "Acikmese & Ploen, 72 s": (LANDER, 60, 72.0, 387.9),
    "Acikmese & Ploen, 81 s": (replace(LANDER, glide_slope_deg=86.0), 60, 81.0, 399.5),
    "Malyuta, 75 s": (ROTATING, 60, 75.0, 373.77),
}


@pytest.mark.parametrize("hold", ["zoh", "foh"])
@pytest.mark.parametrize("name", PUBLISHED)
def test_published_optima_are_met_within_three_in_a_thousand(name: str, hold: Hold) -> None:
    problem, nodes, time_s, propellant = PUBLISHED[name]
    found = solve_descent(problem, nodes=nodes, final_time_s=time_s, hold=hold)
    assert found.status == "optimal"
    assert found.propellant_kg == pytest.approx(propellant, rel=3e-3)


def test_booster_benchmark() -> None:
    found = solve_descent(BOOSTER, nodes=30, final_time_s=BOOSTER_TIME_S, hold="foh")
    assert found.status == "optimal"
    assert found.propellant_kg == pytest.approx(6836.014, rel=1e-5)


@pytest.mark.parametrize("hold", ["zoh", "foh"])
@pytest.mark.parametrize("nodes", [4, 7, 30, 60])
@pytest.mark.parametrize("rate", [None, (7e-5, -3e-5, 4e-5), (0.001, -0.002, 0.003)])
def test_motion_is_the_reference_s_in_still_and_in_turning_axes(
    hold: Hold, nodes: int, rate: tuple[float, float, float] | None
) -> None:
    problem = replace(
        LANDER, frame_rate_radps=rate, final_pos_m=(30.0, -20.0, 5.0), final_vel_mps=(0.5, 0.2, -1.0)
    )
    reference = solve_reference(problem, nodes, 76.0, hold)
    found = solve_descent(problem, nodes=nodes, final_time_s=76.0, hold=hold)
    assert (reference.status == "Solved") == (found.status == "optimal")
    if found.status == "optimal":
        assert found.propellant_kg == pytest.approx(reference.propellant_kg, rel=1e-6)
        np.testing.assert_allclose(found.pos_m, reference.pos_m, atol=0.1)
        np.testing.assert_allclose(found.vel_mps, reference.vel_mps, atol=0.01)


def compare(seed: int, feasible: int, infeasible: int) -> None:
    """Draw until both kinds are there so many times; every one has to agree."""
    rng = np.random.default_rng(seed)
    seen = {"Solved": 0, "PrimalInfeasible": 0}
    while seen["Solved"] < feasible or seen["PrimalInfeasible"] < infeasible:
        case = draw(rng)
        reference = solve_reference(case.problem, case.nodes, case.time_s, case.hold)
        if reference.status not in seen:
            continue  # Clarabel itself does not know
        seen[reference.status] += 1
        found = solve_descent(case.problem, nodes=case.nodes, final_time_s=case.time_s, hold=case.hold)
        if reference.status == "Solved":
            assert found.status == "optimal"
            assert found.propellant_kg == pytest.approx(reference.propellant_kg, rel=1e-6)
            continue
        assert found.status == "infeasible"
        least = least_miss_cost(case.problem, case.nodes, case.time_s, case.hold)
        ours = Descent(case.problem, case.nodes, case.time_s, case.hold).miss_cost(
            found.pos_m, found.vel_mps, found.mass_kg
        )
        assert ours == pytest.approx(least, rel=1e-3, abs=1e-4)


def test_random_boosters_agree_with_clarabel() -> None:
    compare(seed=1, feasible=40, infeasible=40)


@pytest.mark.nightly
def test_four_hundred_random_boosters_agree_with_clarabel() -> None:
    compare(seed=2, feasible=200, infeasible=200)


@pytest.mark.parametrize(
    ("problem", "times"),
    [
        pytest.param(BOOSTER, np.arange(20.4, 23.3, 0.1), id="booster, best at the short end"),
        pytest.param(replace(LANDER, glide_slope_deg=86.0), np.arange(70.0, 86.0, 0.5), id="lander"),
    ],
)
def test_free_final_time_beats_every_time_of_a_grid(problem: DescentProblem, times: np.ndarray) -> None:
    found = solve_descent(problem, nodes=30, hold="foh")
    assert found.status == "optimal"
    best = min(
        (r.propellant_kg, t)
        for t in times
        if (r := solve_reference(problem, 30, float(t), "foh")).status == "Solved"
    )
    assert found.propellant_kg <= best[0] * (1.0 + 1e-5)
    again = solve_reference(problem, 30, float(found.t_s[-1]), "foh")
    assert found.propellant_kg == pytest.approx(again.propellant_kg, rel=1e-5)


def test_free_final_time_where_nothing_reaches_the_pad() -> None:
    """With 800 kN the booster cannot stop: the best time misses by no more than any other."""
    weak = replace(BOOSTER, thrust_max_n=800e3)
    found = solve_descent(weak, nodes=20)
    assert found.status == "infeasible"
    cost = Descent(weak, 20, float(found.t_s[-1]), "foh").miss_cost(found.pos_m, found.vel_mps, found.mass_kg)
    assert cost <= min(least_miss_cost(weak, 20, float(t), "foh") for t in np.arange(20.0, 32.0, 1.0)) * 1.001
