"""Every row of the table of combustion and propulsion faults that the bench was built against has its kinds.

The ranges are those that generated cases draw [engineering assumptions, from published anomalies]: a
kind's `drawn` ranges have to span them, so that a search tries all of a row and nothing beyond it.
"""

from __future__ import annotations

import pytest

from hil.faults.catalogue import CATALOGUE, Size

ROWS = [
    ("valve stiction", "valve.stiction", "band", 0.005, 0.04),
    ("valve stiction", "valve.stiction", "hold_s", 0.02, 0.3),
    ("slow valve", "valve.slow", "rate", 0.1, 0.7),
    ("stuck valve", "valve.stuck_at", "position", 0.0, 1.0),
    ("leaking valve", "valve.leak", "leak", 0.005, 0.05),
    ("late ignition", "engine.late_ignition", "delay_s", 0.2, 3.0),
    ("no ignition", "engine.no_ignition", "starts", 0.0, 3.0),
    ("hard start", "engine.hard_start", "peak", 1.5, 3.0),
    ("hard start", "engine.hard_start", "duration_s", 0.005, 0.03),
    ("thrust shortfall of 3 to 40 %", "engine.thrust_shortfall", "factor", 0.6, 0.97),
    ("thrust shortfall, a step or slow", "engine.thrust_shortfall", "tau_s", 0.0, 2.0),
    ("slow throttle", "engine.slow_throttle", "tau_s", 0.1, 0.8),
    ("chug by a soft injector", "engine.chug", "stiffness", 0.02, 0.2),
    ("chug by a late combustion", "engine.chug", "lag_s", 0.001, 0.005),
    ("buzz", "engine.buzz", "frequency_hz", 400.0, 1000.0),
    ("buzz", "engine.buzz", "amplitude", 0.05, 0.3),
    ("mixture-ratio shift", "engine.mixture_shift", "shift", 0.05, 0.2),
    ("gas ingestion", "feed.gas", "void", 0.05, 0.5),
    ("gas ingestion in bursts", "feed.gas", "burst_s", 0.1, 1.0),
    ("cavitation", "pump.cavitation", "head_loss", 0.03, 0.3),
    ("overspeed", "pump.overspeed", "trip_speed", 1.1, 1.2),
    ("overspeed", "pump.overspeed", "trip_s", 0.05, 0.15),
    ("injector blockage", "injector.blockage", "area", 0.01, 0.15),
    ("engine out", "engine.out", "tail_off_s", 0.1, 0.5),
    ("gimbal off", "gimbal.bias", "angle_deg", -8.0, 8.0),
    ("gimbal held", "gimbal.hardover", "angle_deg", -8.0, 8.0),
    ("gimbal slow", "gimbal.slow", "rate", 0.1, 0.5),
    ("depletion by a load error", "tank.load_error", "missing_kg", 0.0, 1500.0),
    ("aft-bay fire", "bay.fire", "first_s", 0.0, 5.0),
]


@pytest.mark.parametrize(("row", "kind", "key", "low", "high"), ROWS, ids=[f"{r[1]} {r[2]}" for r in ROWS])
def test_every_row_is_a_kind_whose_draws_span_it(
    row: str, kind: str, key: str, low: float, high: float
) -> None:
    (size,) = (size for size in CATALOGUE[kind].sizes if size.name == key)
    assert isinstance(size, Size)
    assert min(span[0] for span in size.drawn) == low, row
    assert max(span[1] for span in size.drawn) == high, row


def test_gimbals_are_off_by_a_degree_at_least() -> None:
    (angle,) = (size for size in CATALOGUE["gimbal.bias"].sizes if size.name == "angle_deg")
    assert isinstance(angle, Size)
    assert angle.drawn == ((-8.0, -1.0), (1.0, 8.0))


def test_a_shortfall_is_a_step_or_takes_its_time() -> None:
    (tau,) = (size for size in CATALOGUE["engine.thrust_shortfall"].sizes if size.name == "tau_s")
    assert isinstance(tau, Size)
    assert tau.drawn == ((0.0, 0.0), (0.2, 2.0))


def test_no_kind_of_the_propulsion_is_outside_the_table() -> None:
    families = ("engine", "valve", "feed", "pump", "injector", "tank", "gimbal", "bay")
    kinds = {name for name in CATALOGUE if name.partition(".")[0] in families}
    assert kinds - {kind for _, kind, *_ in ROWS} == {"valve.stuck", "gimbal.stuck"}, "stuck where they stand"
