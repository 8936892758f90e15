"""What strategies draw is a case, over the whole catalogue, and shrinks towards what is nominal."""

from __future__ import annotations

import math
from pathlib import Path

import pytest
from hypothesis import HealthCheck, Phase, find, given, settings

from hil.faults.case import SHIPPED, Case, Initial, Wind
from hil.faults.catalogue import CATALOGUE, Choice, Kind, Size
from hil.faults.dispersion import case_toml
from hil.files import parse_toml
from hil.rig.plan import load_plan
from hil.search import combustion_faults, faults, initial_states, off_nominal_cases, winds
from hil.search.priors import log_likelihood
from hil.search.strategies import COMBUSTION, LAST_ONSET_S

PLAN = load_plan(SHIPPED / "kernel.toml", "nominal")
ENGINES = PLAN.vehicle.landing_engines
MESSAGES = ("ENGINE_1_COMMAND", "ENGINE_2_STATUS_A")
LINES = ("navigation",)
BOARDS = ("engine_1", "engine_2", "engine_3")
CASES = off_nominal_cases(PLAN.case, ENGINES, boards=BOARDS)
QUIET = settings(
    database=None,
    deadline=None,
    suppress_health_check=list(HealthCheck),
    max_examples=2000,
    phases=[Phase.generate, Phase.shrink],
)


@settings(QUIET, max_examples=200)
@given(CASES)
def test_a_drawn_case_is_a_case_file_to_the_last_bit(case: Case) -> None:
    again = parse_toml(case_toml(case), "drawn", Case)
    assert again == case.model_copy(update={"path": Path()})
    assert case.run_id == "nominal"
    assert math.isfinite(log_likelihood(case))


ONE_OF_EACH_GROUP = {kind.split(".")[0]: kind for kind in CATALOGUE}


@pytest.mark.parametrize("kind", CATALOGUE)
def test_every_kind_of_the_catalogue_can_be_drawn(kind: str) -> None:
    drawn = find(
        faults(ENGINES, BOARDS, messages=MESSAGES, lines=LINES, kinds=[kind]),
        bool,
        settings=settings(QUIET, phases=[Phase.generate]),
    )
    assert {fault.kind for fault in drawn} == {kind}


@pytest.mark.parametrize("kind", ONE_OF_EACH_GROUP.values())
def test_faults_shrink_to_one_that_is_late_and_mild(kind: str) -> None:
    drawn = find(faults(ENGINES, BOARDS, messages=MESSAGES, lines=LINES, kinds=[kind]), bool, settings=QUIET)
    assert len(drawn) == 1
    fault = drawn[0]
    assert fault.at_s == 0.0 or fault.after_ignition_s == LAST_ONSET_S
    variant = next(v for v in CATALOGUE[kind].variants() if fault.what in (None, *_words(v)))
    for size in variant.sizes:
        if isinstance(size, Size):
            nearest = min(abs(end - size.mildest) for ends in size.drawn for end in ends)
            inside = any(low <= size.mildest <= high for low, high in size.drawn)
            assert abs(getattr(fault, size.name) - size.mildest) == pytest.approx(0 if inside else nearest)


def _words(kind: Kind) -> tuple[str, ...]:
    return next((s.words for s in kind.sizes if isinstance(s, Choice) and s.name == "what"), ())


def test_combustion_faults_are_those_between_tank_and_chamber() -> None:
    drawn = find(combustion_faults(ENGINES), lambda found: len(found) == 2, settings=QUIET)
    assert {fault.kind for fault in drawn} <= set(COMBUSTION)


def test_a_case_shrinks_to_its_base_in_calm_air() -> None:
    case = find(CASES, lambda _: True, settings=QUIET)
    assert case == PLAN.case.model_copy(update={"wind": Wind(), "run_id": "nominal"})


def test_what_a_failure_needs_is_left_alone() -> None:
    windy = find(
        CASES, lambda case: math.hypot(*case.wind.mean_mps) > 5.0 and bool(case.fault), settings=QUIET
    )
    assert len(windy.fault) == 1
    assert windy.initial == PLAN.case.initial
    assert math.hypot(*windy.wind.mean_mps) == pytest.approx(5.5, abs=0.02)


@settings(QUIET, max_examples=100)
@given(initial_states(PLAN.case.initial, pos_m=10.0, vel_mps=1.0), winds(6.0, 2.0))
def test_ranges_are_kept(initial: Initial, wind: Wind) -> None:
    start = PLAN.case.initial
    assert max(abs(a - b) for a, b in zip(initial.pos_pad_m, start.pos_pad_m, strict=True)) <= 10.0
    assert math.hypot(*wind.mean_mps) <= 6.01
    assert wind.gust_w20_mps <= 2.0
