"""Clocks compared, and what the system gives a flight on the wall clock."""

from __future__ import annotations

import gc
import os

import numpy as np
import pytest

from hil.executive.realtime import PRIORITY, real_time
from hil.signals.clocks import ClockMatch


def test_offset_and_drift_under_delays_that_are_never_negative() -> None:
    rng, match = np.random.default_rng(1), ClockMatch()
    for k in range(6000):
        own_s = 0.01 * k
        match.note(own_s + rng.exponential(0.003), 0.25 + own_s * (1.0 - 40e-6))
    found = match.as_dict()
    assert found["offset_s"] == pytest.approx(-0.25, abs=2e-4)
    assert found["drift_ppm"] == pytest.approx(40.0, abs=5.0)
    assert found["residual_s"] is not None
    assert found["residual_s"] < 1e-3


def test_no_readings_no_answer() -> None:
    assert set(ClockMatch().as_dict().values()) == {None}


def test_what_was_taken_is_given_back() -> None:
    before = os.sched_getscheduler(0)
    with real_time() as granted:
        assert gc.get_freeze_count() > 0
        taken = os.sched_getscheduler(0) & ~os.SCHED_RESET_ON_FORK
        assert (taken == os.SCHED_FIFO) == (granted["scheduling"] == f"SCHED_FIFO {PRIORITY}")
        assert granted["memory"] == "locked" or "mlockall is not permitted" in granted["memory"]
    assert os.sched_getscheduler(0) == before
    assert gc.get_freeze_count() == 0


def test_bounds_from_both_sides_hold_the_truth_and_say_how_well() -> None:
    rng = np.random.default_rng(2)
    for drift_ppm, delay_s in ((-80.0, 0.004), (0.0, 1e-4), (150.0, 0.05)):
        match, offset_s = ClockMatch(), 1.7e9
        for k in range(3000):
            own_s = 0.01 * k
            other_s = (own_s - offset_s) / (1.0 + drift_ppm * 1e-6)
            match.note_cause(own_s - rng.exponential(delay_s), other_s)
            match.note(own_s + rng.exponential(delay_s), other_s)
        found = match.as_dict()
        assert None not in found.values()
        truth_s = offset_s / (1.0 + drift_ppm * 1e-6)
        assert abs(found["offset_s"] - truth_s) <= found["uncertainty_s"]  # type: ignore[operator]
        assert abs(found["drift_ppm"] - drift_ppm) <= found["drift_uncertainty_ppm"]  # type: ignore[operator]
        assert found["uncertainty_s"] < 2.0 * delay_s + 1e-3  # type: ignore[operator]
