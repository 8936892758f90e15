"""Random streams: the same name gives the same numbers, any other name independent ones."""

from __future__ import annotations

import numpy as np

from hil.sensors.streams import stream


def test_reproducible() -> None:
    one, two = stream(7, "run", "navigation.gyro"), stream(7, "run", "navigation.gyro")
    assert one.standard_normal(100).tolist() == two.standard_normal(100).tolist()


def test_the_numbers_do_not_change_between_releases() -> None:
    """A seed names a flight for good: the first draws are written down here."""
    raw = stream(1, "nominal", "navigation.position").bit_generator.random_raw(2)
    assert raw.tolist() == FIRST


FIRST = [10995905297021609261, 10303651679041811473]


def test_seed_run_and_source_each_matter() -> None:
    names = [
        (1, "a", "bc"),
        (1, "ab", "c"),
        (2, "a", "bc"),
        (1, "a", "c"),
        (1, "a", "b|1:c"),
        (1, "a|1:b", "c"),
    ]
    first = {float(stream(*name).standard_normal()) for name in names}
    assert len(first) == len(names)


def test_independent() -> None:
    """The numbers of many sources are uncorrelated: no pair exceeds 5 sigma."""
    draws = np.array([stream(3, "run", f"source_{i}").standard_normal(4000) for i in range(30)])
    correlation = np.corrcoef(draws) - np.eye(30)
    assert np.abs(correlation).max() < 5.0 / np.sqrt(4000.0)
