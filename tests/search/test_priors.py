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
        board = str(fault.board).removeprefix("engine_")
        engine = fault.engine or (int(board) if board.isdigit() else 1)
        burns_s = priors.BURN_S if engine == 1 else priors.BRAKE_S
        if fault.after_ignition_s is None:
            assert fault.at_s is not None
            assert fault.at_s <= priors.COAST_S + burns_s
        else:
            assert fault.after_ignition_s <= burns_s


def test_the_flight_computer_is_never_lost_for_good() -> None:
    struck = {fault.kind for fault in FAULTS if fault.board == "flight_computer"}
    assert struck <= set(priors._COMES_BACK)


def test_what_blinds_guidance_heals_and_of_the_rest_some() -> None:
    blind = [f for f in FAULTS if f.what in priors.BLINDING.get(f.kind, ())]
    assert blind
    assert all(fault.heals_after_s is not None for fault in blind)
    others = [f for f in FAULTS if CATALOGUE[f.kind].heals and f.what not in priors.BLINDING.get(f.kind, ())]
    assert np.mean([f.heals_after_s is not None for f in others]) == pytest.approx(priors.HEAL, abs=0.05)


def test_sizes_are_drawn_from_the_ranges_of_the_catalogue() -> None:
    for fault in FAULTS:
        for size in CATALOGUE[fault.kind].sizes_for(fault.what):
            value = getattr(fault, size.name)
            if isinstance(size, Size):
                assert any(low <= value <= high for low, high in size.drawn), (fault.kind, size.name)


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
        path = tmp_path / "case.toml"
        path.write_text(case_toml(case), encoding="utf-8")
        assert case.run_id is not None
        assert load_case(path) == case.model_copy(update={"path": path})


def test_only_kinds_that_are_asked_for_are_drawn() -> None:
    kinds = {"engine.out", "fin.stuck"}
    drawn = [draw_case(PLAN.case, PLAN.vehicle, 1, index, kinds) for index in range(50)]
    assert {fault.kind for case in drawn for fault in case.fault} == kinds


def test_every_drawn_kind_has_a_row_and_rows_name_sizes_of_their_kind() -> None:
    assert set(priors.PRIORS) == set(drawn_kinds())
    assert priors._group("wire.drop") == priors._group("serial.slow") == "wires"
    for name, prior in priors.PRIORS.items():
        assert set(prior.laws) <= {size.name for plain in CATALOGUE[name].variants() for size in plain.sizes}


@pytest.mark.parametrize(
    ("kind", "name", "expected"),
    [
        ("engine.late_ignition", "delay_s", [Span(0.2, 3.0, "log")]),
        ("engine.thrust_shortfall", "factor", [Span(0.97, 0.6, "log", 1.0)]),
        ("engine.thrust_shortfall", "tau_s", [Span(0.0, 0.0), Span(2.0, 0.2)]),
        ("engine.no_ignition", "starts", [Span(3.0, 0.0, "whole")]),
        ("tank.load_error", "missing_kg", [Span(0.0, 1500.0, "half-normal")]),
        ("gimbal.bias", "angle_deg", [Span(-1.0, -8.0, "log"), Span(1.0, 8.0, "log")]),
        ("gimbal.hardover", "angle_deg", [Span(0.0, -8.0, "half-normal"), Span(0.0, 8.0, "half-normal")]),
        ("valve.stuck_at", "position", [Span(1.0, 0.0, "uniform", 0.7)]),
    ],
)
def test_how_sizes_are_drawn_follows_the_catalogue(kind: str, name: str, expected: list[Span]) -> None:
    size = next(size for size in CATALOGUE[kind].sizes if size.name == name)
    assert isinstance(size, Size)
    assert list(priors.spans(kind, size)) == expected


@pytest.mark.parametrize(
    "span",
    [
        Span(0.1, 0.5),
        Span(0.2, 3.0, "log"),
        Span(0.97, 0.60, "log", 1.0),
        Span(-1.0, -8.0, "log"),
        Span(0.0, 1500.0, "half-normal"),
        Span(1.0, 0.9, "half-normal", 1.0),
    ],
)
def test_draws_follow_the_density_that_is_stated(span: Span) -> None:
    rng = np.random.default_rng(0)
    values = np.array([span.draw(rng) for _ in range(4000)])
    low, high = sorted((span.mild, span.severe))
    assert low <= values.min()
    assert values.max() <= high
    edges = np.linspace(low, high, 6)
    got = np.histogram(values, edges)[0] / len(values)
    for begin, end, share in zip(edges[:-1], edges[1:], got, strict=True):
        middles = begin + (np.arange(200) + 0.5) / 200 * (end - begin)
        expected = np.mean([math.exp(span.log_density(float(x))) for x in middles]) / 5
        assert share == pytest.approx(expected, abs=0.03)


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
