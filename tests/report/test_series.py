"""Thinning keeps what an engineer looks for."""

from __future__ import annotations

import base64

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hil.report.series import encode, line, runs_of, thin


@given(st.integers(1, 20_000), st.integers(0, 2**32 - 1))
def test_peaks_and_ends_survive_thinning(count: int, seed: int) -> None:
    values = np.random.default_rng(seed).normal(size=count)
    kept = thin(values, 500)
    assert len(kept) <= 500
    assert kept[0] == 0
    assert kept[-1] == count - 1
    assert np.all(np.diff(kept) > 0)
    assert values[kept].min() == values.min()
    assert values[kept].max() == values.max()


def test_a_spike_of_one_frame_stays_on_the_picture() -> None:
    values = np.zeros(60_000)
    values[31_415] = 1.0
    assert 31_415 in thin(values, 200)


def test_numbers_come_back_from_their_encoding() -> None:
    packed = encode(np.array([0.0, 1.5, -2.25]))
    assert packed["dtype"] == "f4"
    assert np.frombuffer(base64.b64decode(packed["bdata"]), "<f4").tolist() == [0.0, 1.5, -2.25]


def test_a_line_with_values_that_are_not_finite_is_still_drawn() -> None:
    values = np.array([0.0, np.nan, np.inf, 3.0])
    trace = line("x", np.arange(4.0), values, "#000000")
    back = np.frombuffer(base64.b64decode(trace["y"]["bdata"]), "<f4")
    assert back[0] == 0.0
    assert np.isnan(back[1])


@pytest.mark.parametrize(
    ("values", "expected"),
    [([], []), ([3], [(3, 0, 0)]), ([1, 1, 2, 1], [(1, 0, 2), (2, 2, 3), (1, 3, 3)])],
)
def test_stretches_of_equal_values_touch(values: list[int], expected: list[tuple[int, int, int]]) -> None:
    assert runs_of(np.array(values, dtype=np.int64)) == expected
