"""What off-nominal cases are drawn from: every kind, in its range, at a meaningful moment, reproducibly."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from hil.faults.case import Case, FaultSpec, load_case
from hil.faults.catalogue import CATALOGUE, Size
from hil.faults.dispersion import case_toml
from hil.rig.plan import load_plan
from hil.search import priors
from hil.search.priors import Span, draw_case, drawn_kinds, log_likelihood

RIGS = Path(__file__).parents[2] / "rigs"
PLAN = load_plan(RIGS / "kernel.toml", "dispersed")
SAMPLE = [draw_case(PLAN.case, PLAN.vehicle, 0, index) for index in range(2000)]
FAULTS = [fault for case in SAMPLE for fault in case.fault]


def test_every_kind_that_the_rung_can_fly_is_drawn_with_its_share() -> None:
    counts = Counter(fault.kind for fault in FAULTS)
    assert set(counts) == set(drawn_kinds())
    alone = Counter(case.fault[0].kind for case in SAMPLE)
    shares = priors._shares(drawn_kinds())
    for kind, share in shares.items():
        spread = 4.0 * math.sqrt(len(SAMPLE) * share * (1.0 - share))
        assert abs(alone[kind] - len(SAMPLE) * share) < spread, kind


def test_shares_are_shares_of_the_groups() -> None:
    shares = priors._shares(drawn_kinds())
    assert math.fsum(shares.values()) == pytest.approx(1.0)
    groups = {priors._group(kind) for kind in shares}
    there = sum(priors.GROUPS[name].share for name in groups)
    propulsion = math.fsum(share for kind, share in shares.items() if priors._group(kind) == "propulsion")
    assert propulsion == pytest.approx(priors.GROUPS["propulsion"].share / there)
    assert math.fsum(group.share for group in priors.GROUPS.values()) == pytest.approx(1.0)


def test_mostly_one_fault() -> None:
    counts = Counter(len(case.fault) for case in SAMPLE)
    for number, share in enumerate(priors.COUNTS, 1):
        assert counts[number] / len(SAMPLE) == pytest.approx(share, abs=0.03)


def test_at_least_the_known_share_of_engine_failures_is_in_the_start_up() -> None:
    engine = [f for f in FAULTS if f.engine is not None]
    starting = [f for f in engine if f.at_s == 0.0 or (f.after_ignition_s or math.inf) <= priors.START_S]
    assert len(starting) / len(engine) > 0.30


def test_no_onset_is_wasted() -> None:
    for fault in FAULTS:
        if fault.after_ignition_s is None:
            assert fault.at_s is not None
            assert fault.at_s <= priors.FLIGHT_S + len(priors.COUNTS) * priors.COMMON_S
        else:
            engine = fault.engine or int(str(fault.board).removeprefix("engine_"))
            assert fault.after_ignition_s <= (priors.BURN_S if engine == 1 else priors.BRAKE_S)


def test_never_every_engine_out() -> None:
    out = [sum(fault.kind == "engine.out" for fault in case.fault) for case in SAMPLE]
    assert max(out) == 2


def test_the_same_arguments_give_the_same_case_and_others_another() -> None:
    case = draw_case(PLAN.case, PLAN.vehicle, 7, 3)
    assert draw_case(PLAN.case, PLAN.vehicle, 7, 3) == case
    others = [draw_case(PLAN.case, PLAN.vehicle, *which) for which in ((7, 4), (8, 3), (3, 7))]
    assert all(case_toml(other) != case_toml(case) for other in others)


def test_a_drawn_case_is_a_plain_case_file(tmp_path: Path) -> None:
    for case in SAMPLE[:20]:
        path = tmp_path / case.path.name
        path.write_text(case_toml(case), encoding="utf-8")
        assert load_case(path) == case.model_copy(update={"path": path})


def test_only_kinds_that_are_asked_for_are_drawn() -> None:
    kinds = {"engine.out", "fin.stuck"}
    drawn = [draw_case(PLAN.case, PLAN.vehicle, 1, index, kinds) for index in range(50)]
    assert {fault.kind for case in drawn for fault in case.fault} == kinds


@pytest.mark.parametrize("kind", sorted(priors.PRIORS))
def test_every_row_is_of_the_catalogue_and_within_its_ranges(kind: str) -> None:
    sizes = {size.name: size for size in CATALOGUE[kind].sizes if isinstance(size, Size)}
    for name, span in priors.PRIORS[kind].sizes.items():
        ends = (span.mild, span.severe, *((-span.mild, -span.severe) if span.either_sign else ()))
        assert all(sizes[name].low <= end <= sizes[name].high for end in ends), name
    assert set(sizes) <= set(priors.PRIORS[kind].sizes), "a size of a kind with a row is drawn by default"


@pytest.mark.parametrize(
    "span",
    [Span(0.1, 0.5, "uniform"), Span(0.2, 3.0), Span(0.97, 0.60, about=1.0), Span(0.0, 1500.0, "half-normal"),
     Span(1.0, 8.0, either_sign=True), Span(2.0, 0.2, step=0.25)],
)  # fmt: skip
def test_draws_follow_the_density_that_is_stated(span: Span) -> None:
    rng = np.random.default_rng(0)
    values = np.array([span.draw(rng) for _ in range(4000)])
    continuous = np.abs(values[values != 0.0]) if span.step else np.abs(values)
    low, high = sorted((span.mild, span.severe))
    assert low <= continuous.min()
    assert continuous.max() <= high
    edges = np.linspace(low, high, 6)
    got = np.histogram(continuous, edges)[0] / len(values)
    for begin, end, share in zip(edges[:-1], edges[1:], got, strict=True):
        middles = begin + (np.arange(200) + 0.5) / 200 * (end - begin)
        expected = np.mean([math.exp(span.log_density(float(x))) for x in middles]) / 5
        assert share == pytest.approx(expected, abs=0.03)
    if span.step:
        assert np.mean(values == 0.0) == pytest.approx(span.step, abs=0.03)
    if span.either_sign:
        assert np.mean(values < 0.0) == pytest.approx(0.5, abs=0.03)


def test_whole_numbers_are_all_drawn() -> None:
    rng = np.random.default_rng(0)
    assert {Span(3.0, 0.0, "whole").draw(rng) for _ in range(100)} == {0.0, 1.0, 2.0, 3.0}


def _with(*faults: FaultSpec) -> Case:
    return PLAN.case.model_copy(update={"fault": faults})


def _weak(factor: float, at: float = 5.0, engine: int = 2) -> FaultSpec:
    return FaultSpec(
        kind="engine.thrust_shortfall", after_ignition_s=at, engine=engine, factor=factor, tau_s=0.5
    )


@pytest.mark.parametrize(
    ("likelier", "less"),
    [
        ((), (_weak(0.9),)),
        ((_weak(0.95),), (_weak(0.7),)),
        ((_weak(0.9),), (_weak(0.9), FaultSpec(kind="gimbal.stuck", at_s=3.0, engine=1))),
        ((_weak(0.9), _weak(0.9, 5.5, 3)), (_weak(0.9), _weak(0.9, 9.0, 3))),
    ],
)
def test_fewer_milder_and_common_is_likelier(
    likelier: tuple[FaultSpec, ...], less: tuple[FaultSpec, ...]
) -> None:
    assert log_likelihood(_with(*likelier)) > log_likelihood(_with(*less))


@pytest.mark.parametrize("say", [log_likelihood])
def test_every_drawn_case_has_a_finite_likelihood(say: Callable[[Case], float]) -> None:
    assert all(math.isfinite(say(case)) for case in SAMPLE)
