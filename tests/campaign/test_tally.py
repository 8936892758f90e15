"""Counts and bounds of campaigns."""

from __future__ import annotations

import pytest

from hil.campaign import Tally, success_bounds


@pytest.mark.parametrize(
    ("successes", "flights", "low", "high"),
    [
        # Clopper & Pearson 1934 and the closed forms at the ends: 0.025^(1/n), 1 - 0.025^(1/n)
        (10, 10, 0.6915029, 1.0),
        (0, 10, 0.0, 0.3084971),
        (5, 10, 0.1870860, 0.8129140),
        (998, 1000, 0.9927937, 0.9997577),
    ],
)
def test_bounds_match_published_values(successes: int, flights: int, low: float, high: float) -> None:
    assert success_bounds(successes, flights) == pytest.approx((low, high), abs=2e-6)


def test_counts_that_are_none_are_refused() -> None:
    with pytest.raises(ValueError, match="11 of 10"):
        success_bounds(11, 10)


def test_the_worst_status_wins_and_the_sentence_names_every_verdict() -> None:
    tally = Tally()
    flights = (("PASS", 0, ""), ("PASS", 0, ""), ("FAIL", 1, "TD-MISS: 7 m"), ("ERROR", 3, "a board died"))
    for seed, (verdict, status, why) in enumerate(flights):
        tally.add(seed, verdict, status, why)
    assert tally.worst_status == 3
    assert tally.sentence().startswith(
        "2 of 4 flights PASS (1 ERROR, 1 FAIL): rate of success 6.76 to 93.24 %"
    )
    assert tally.others == ["seed 2 FAIL: TD-MISS: 7 m", "seed 3 ERROR: a board died"]
