"""The sensors: latency, sizes and correlation of the noise, and its independence."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from hil.faults.case import Navigation
from hil.plant.vehicle import Vehicle, load_vehicle
from hil.sensors.model import BoosterSensors
from hil.signals import Frame

FRAME_NS = 10_000_000


@pytest.fixture(scope="module")
def zq3() -> Vehicle:
    return load_vehicle(Path(__file__).parents[2] / "rigs" / "vehicles" / "zq3_class.toml")


def quiet(**changes: Any) -> Navigation:
    """Navigation without errors, but for `changes`."""
    none = {"pos_m": 0.0, "vel_mps": 0.0, "attitude_deg": 0.0, "height_m": 0.0}
    return Navigation(**{**none, "latency_ms": 0, **changes})


class Bench:
    """Sensors on a frame whose truth stands still unless a test moves it."""

    def __init__(self, vehicle: Vehicle, navigation: Navigation, seed: int = 1, run_id: str = "run") -> None:
        self.frame = Frame(len(vehicle.landing_engines))
        self.truth = self.frame["truth"]
        self.truth["q_pad_from_body"][:] = (1.0, 0.0, 0.0, 0.0)
        self.truth["pos_pad_m"][2] = 500.0
        self.sensors = BoosterSensors(self.frame, vehicle, navigation, seed, run_id)

    def record(self, count: int, *signals: tuple[str, str]) -> list[Any]:
        """Sample `count` frames and return these (record, field) as arrays over time."""
        rows: list[list[Any]] = [[] for _ in signals]
        for k in range(count):
            self.sensors.sample(k * FRAME_NS)
            for row, (record, field) in zip(rows, signals, strict=True):
                row.append(self.frame[record][field].copy())
        return [np.array(row) for row in rows]


@pytest.mark.parametrize(("latency_ms", "late"), [(0, 0), (10, 1), (50, 5), (55, 6), (500, 50)])
def test_latency(zq3: Vehicle, latency_ms: int, late: int) -> None:
    """The solution is the truth of the newest frame at least as old as the latency, and says so."""
    b = Bench(zq3, quiet(latency_ms=latency_ms))
    for k in range(1200):
        b.truth["pos_pad_m"][0] = k
        b.truth["vel_pad_mps"][1] = -k
        b.sensors.sample(k * FRAME_NS)
        expected = max(k - late, 0)
        assert int(b.frame["nav"]["valid_t_ns"]) == expected * FRAME_NS
        assert b.frame["nav"]["pos_pad_m"][0] == expected
        assert b.frame["nav"]["vel_pad_mps"][1] == -expected
        assert int(b.frame["nav"]["valid"]) == 1


def test_without_errors_navigation_is_the_truth(zq3: Vehicle) -> None:
    b = Bench(zq3, quiet())
    b.truth["q_pad_from_body"][:] = (0.5, 0.5, -0.5, 0.5)
    b.truth["pos_pad_m"][:] = (1.0, 2.0, 3.0)
    b.sensors.sample(0)
    assert b.frame["nav"]["q_pad_from_body"] == pytest.approx([0.5, 0.5, -0.5, 0.5])
    assert b.frame["nav"]["pos_pad_m"].tolist() == [1.0, 2.0, 3.0]
    assert float(b.frame["nav"]["height_m"]) == 3.0


def test_velocity_and_gyro_are_white(zq3: Vehicle) -> None:
    b = Bench(zq3, quiet(vel_mps=0.05))
    velocity, rate = b.record(5000, ("nav", "vel_pad_mps"), ("nav", "omega_body_radps"))
    for noise, sigma in ((velocity, 0.05), (rate, 2e-4)):
        for axis in range(3):
            values = noise[:, axis]
            assert values.std() == pytest.approx(sigma, rel=0.05)
            assert abs(values.mean()) < 5.0 * sigma / math.sqrt(5000.0)
            assert abs(np.corrcoef(values[1:], values[:-1])[0, 1]) < 5.0 / math.sqrt(5000.0)


def test_position_error_is_correlated(zq3: Vehicle) -> None:
    """First-order Gauss-Markov: its size from the first frame on, and its correlation time."""
    starts = []
    for seed in range(400):
        b = Bench(zq3, quiet(pos_m=0.2), seed=seed)
        b.sensors.sample(0)
        starts.append(float(b.frame["nav"]["pos_pad_m"][0]))
    assert np.std(starts) == pytest.approx(0.2, rel=0.12)
    (position,) = Bench(zq3, quiet(pos_m=0.2, pos_correlation_s=1.0)).record(60_000, ("nav", "pos_pad_m"))
    error = position[:, 1]
    assert error.std() == pytest.approx(0.2, rel=0.15)
    after_1_s = np.corrcoef(error[100:], error[:-100])[0, 1]
    assert after_1_s == pytest.approx(math.exp(-1.0), abs=0.12)
    assert np.corrcoef(error[1:], error[:-1])[0, 1] > 0.98


def test_attitude_noise(zq3: Vehicle) -> None:
    b = Bench(zq3, quiet(attitude_deg=0.1))
    (attitude,) = b.record(4000, ("nav", "q_pad_from_body"))
    assert np.linalg.norm(attitude, axis=1) == pytest.approx(1.0, abs=1e-12)
    for axis in (1, 2, 3):
        assert math.degrees(2.0 * attitude[:, axis].std()) == pytest.approx(0.1, rel=0.06)


def test_height_is_exact_near_the_ground_only(zq3: Vehicle) -> None:
    """Below 100 m the radar's error; above, that of the position."""
    low, high = Bench(zq3, quiet(pos_m=5.0, height_m=0.05)), Bench(zq3, quiet(pos_m=5.0, height_m=0.05))
    low.truth["pos_pad_m"][2] = 50.0
    (height,) = low.record(3000, ("nav", "height_m"))
    assert height.std() == pytest.approx(0.05, rel=0.06)
    assert height.mean() == pytest.approx(50.0, abs=0.01)
    height, position = high.record(100, ("nav", "height_m"), ("nav", "pos_pad_m"))
    assert height.tolist() == position[:, 2].tolist()


def test_engine_sensors(zq3: Vehicle) -> None:
    b = Bench(zq3, quiet())
    b.truth["chamber_pa"][:] = 5e6
    b.truth["ox_valve_pos"][:] = 0.5
    b.truth["gimbal_x_rad"][:] = 0.05
    chamber, valve, gimbal = b.record(
        3000, ("sensor", "chamber_pa"), ("sensor", "ox_valve_pos"), ("sensor", "gimbal_x_rad")
    )
    assert chamber.std(axis=0) == pytest.approx([0.002 * zq3.engine.chamber_pa] * 3, rel=0.06)
    assert chamber.mean(axis=0) == pytest.approx([5e6] * 3, rel=1e-3)
    assert valve.std(axis=0) == pytest.approx([5e-4] * 3, rel=0.06)
    assert gimbal.mean(axis=0) == pytest.approx([0.05] * 3, abs=3e-5)


def test_readings_stay_in_range(zq3: Vehicle) -> None:
    b = Bench(zq3, quiet())
    b.truth["fuel_valve_pos"][:] = 1.0
    shut, wide, chamber = b.record(
        500, ("sensor", "ox_valve_pos"), ("sensor", "fuel_valve_pos"), ("sensor", "chamber_pa")
    )
    assert shut.min() == 0.0
    assert shut.max() < 0.01
    assert wide.max() == 1.0
    assert chamber.min() == 0.0


def test_no_two_sources_share_their_noise(zq3: Vehicle) -> None:
    b = Bench(zq3, quiet(vel_mps=1.0))
    b.truth["chamber_pa"][:] = 5e6
    for field in ("ox_valve_pos", "fuel_valve_pos"):
        b.truth[field][:] = 0.5
    signals = [("nav", "vel_pad_mps"), ("nav", "omega_body_radps"), ("nav", "force_body_mps2")]
    signals += [
        ("sensor", f)
        for f in ("ox_valve_pos", "fuel_valve_pos", "chamber_pa", "gimbal_x_rad", "gimbal_y_rad")
    ]
    columns = np.hstack(b.record(4000, *signals))
    assert columns.shape[1] == 9 + 15
    correlation = np.corrcoef(columns.T) - np.eye(columns.shape[1])
    assert np.abs(correlation).max() < 5.0 / math.sqrt(4000.0)


def test_the_seed_and_the_run_make_the_noise(zq3: Vehicle) -> None:
    def flight(seed: int, run_id: str) -> bytes:
        b = Bench(zq3, Navigation(), seed, run_id)
        b.record(1100)  # more than a block of noise
        return bytes(b.frame.bytes)

    assert flight(5, "run") == flight(5, "run")
    assert len({flight(5, "run"), flight(6, "run"), flight(5, "other")}) == 3


def test_time_must_go_on(zq3: Vehicle) -> None:
    b = Bench(zq3, Navigation())
    b.sensors.sample(0)
    with pytest.raises(ValueError, match="not later"):
        b.sensors.sample(0)
