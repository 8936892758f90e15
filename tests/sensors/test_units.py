"""IMU, GNSS and radar altimeter: each figure does what its name says, and without them nothing changes."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from hil.faults.case import Gnss, Imu, Navigation, Radar
from hil.plant.vehicle import Vehicle, load_vehicle
from hil.sensors.model import BoosterSensors
from hil.signals import Frame

FRAME_NS = 10_000_000


@pytest.fixture(scope="module")
def zq3() -> Vehicle:
    return load_vehicle(Path(__file__).parents[2] / "rigs" / "vehicles" / "zq3_class.toml")


def perfect_imu(**changes: Any) -> Imu:
    names = (
        "gyro_bias_degph", "gyro_scale_ppm", "gyro_noise_deg_rth", "gyro_lsb_degps", "accelerometer_bias_mg",
        "accelerometer_scale_ppm", "accelerometer_noise_mps_rth", "accelerometer_lsb_mg",
    )  # fmt: skip
    return Imu(**{**dict.fromkeys(names, 0.0), **changes})


def perfect_gnss(**changes: Any) -> Gnss:
    return Gnss(**{"pos_m": 0.0, "vel_mps": 0.0, "drift_m": 0.0, "latency_ms": 0, **changes})


def perfect_radar(**changes: Any) -> Radar:
    return Radar(**{"noise_m": 0.0, "scale_ppm": 0.0, "lsb_m": 0.0, "latency_ms": 0, **changes})


class Bench:
    """Sensors on a frame; the truth turns at 0.1 rad/s about z under 20 m/s^2, 50 m up, unless moved."""

    def __init__(self, vehicle: Vehicle, seed: int = 1, **units: Any) -> None:
        self.frame = Frame(len(vehicle.landing_engines))
        self.truth, self.nav = self.frame["truth"], self.frame["nav"]
        self.truth["q_pad_from_body"][:] = (1.0, 0.0, 0.0, 0.0)
        self.truth["omega_body_radps"][2] = 0.1
        self.truth["force_body_mps2"][2] = 20.0
        self.truth["pos_pad_m"][2] = 50.0
        quiet = {"pos_m": 0.0, "vel_mps": 0.0, "attitude_deg": 0.0, "height_m": 0.0, "latency_ms": 0}
        navigation = Navigation(**{**quiet, **units})
        self.sensors = BoosterSensors(self.frame, vehicle, navigation, seed, "run")
        self.t_ns = 0

    def run(self, frames: int, *names: str) -> Any:
        """Sample so many frames; return the named fields of the nav record, one row a frame."""
        rows = []
        for _ in range(frames):
            self.sensors.sample(self.t_ns)
            self.t_ns += FRAME_NS
            rows.append(np.concatenate([np.atleast_1d(self.nav[name]).astype(float) for name in names]))
        return np.array(rows)


# ---- the IMU


def test_a_perfect_imu_says_the_truth(zq3: Vehicle) -> None:
    rows = Bench(zq3, imu=perfect_imu()).run(5, "omega_body_radps", "force_body_mps2")
    assert rows[-1].tolist() == [0.0, 0.0, 0.1, 0.0, 0.0, 20.0]


def test_imu_bias_and_scale_are_constant_in_a_flight_and_differ_between_flights(zq3: Vehicle) -> None:
    imu = perfect_imu(gyro_bias_degph=36_000.0, accelerometer_bias_mg=100.0)
    flights = [
        Bench(zq3, seed=seed, imu=imu).run(20, "omega_body_radps", "force_body_mps2") for seed in range(60)
    ]
    assert all(np.ptp(rows, axis=0).max() == 0.0 for rows in flights)
    biases = np.array([rows[0] for rows in flights]) - [0.0, 0.0, 0.1, 0.0, 0.0, 20.0]
    assert biases[:, :3].std() == pytest.approx(math.radians(10.0), rel=0.2)
    assert biases[:, 3:].std() == pytest.approx(0.980665, rel=0.2)
    scaled = [
        Bench(zq3, seed=seed, imu=perfect_imu(accelerometer_scale_ppm=1000.0)).run(1, "force_body_mps2")[0, 2]
        for seed in range(60)
    ]
    assert np.std(scaled) == pytest.approx(0.020, rel=0.25)


def test_imu_noise_density(zq3: Vehicle) -> None:
    """A density of n in an hour is a spread of n / 60 / sqrt(dt) in each sample, dt in seconds."""
    imu = perfect_imu(gyro_noise_deg_rth=6.0, accelerometer_noise_mps_rth=0.6)
    rows = Bench(zq3, imu=imu).run(6000, "omega_body_radps", "force_body_mps2")
    assert np.degrees(rows[:, :3].std(axis=0)) == pytest.approx([1.0] * 3, rel=0.05)  # 6/60/sqrt(0.01)
    assert rows[:, 3:].std(axis=0) == pytest.approx([0.1] * 3, rel=0.05)


def test_imu_saturation_and_steps(zq3: Vehicle) -> None:
    imu = perfect_imu(
        gyro_range_degps=4.0, gyro_lsb_degps=0.5, accelerometer_range_g=1.5, accelerometer_lsb_mg=100.0
    )
    bench = Bench(zq3, imu=imu)
    rows = bench.run(1, "omega_body_radps", "force_body_mps2")[0]
    assert math.degrees(rows[2]) == pytest.approx(4.0)  # 5.7 deg/s is over the range
    assert rows[5] == pytest.approx(1.5 * 9.80665)
    bench.truth["omega_body_radps"][2] = math.radians(-1.3)
    bench.truth["force_body_mps2"][2] = 0.34 * 9.80665
    rows = bench.run(1, "omega_body_radps", "force_body_mps2")[0]
    assert math.degrees(rows[2]) == pytest.approx(-1.5)
    assert rows[5] == pytest.approx(0.3 * 9.80665)


def test_imu_has_its_own_latency(zq3: Vehicle) -> None:
    bench = Bench(zq3, imu=perfect_imu(latency_ms=30))
    seen = []
    for k in range(10):
        bench.truth["omega_body_radps"][0] = float(k)
        seen.append(bench.run(1, "omega_body_radps")[0, 0])
    assert seen[3:] == [float(k) for k in range(7)]


# ---- GNSS


def test_gnss_noise_and_drift(zq3: Vehicle) -> None:
    """White errors stay the stated size whatever the lag; the drift is a slow one of the stated size."""
    white = Bench(zq3, gnss=perfect_gnss(pos_m=2.0, vel_mps=0.3, follow_s=0.1)).run(
        20_000, "pos_pad_m", "vel_pad_mps"
    )
    assert white[:, 0].std() == pytest.approx(2.0, rel=0.1)
    assert white[:, 3].std() == pytest.approx(0.3, rel=0.1)
    drifts = np.array(
        [
            Bench(zq3, seed=seed, gnss=perfect_gnss(drift_m=3.0, follow_s=0.01)).run(2, "pos_pad_m")[-1]
            for seed in range(80)
        ]
    )
    assert (drifts - [0.0, 0.0, 50.0]).std() == pytest.approx(3.0, rel=0.15)
    slow = Bench(zq3, gnss=perfect_gnss(drift_m=3.0)).run(100, "pos_pad_m")
    assert np.abs(np.diff(slow, axis=0)).max() < 0.2


def test_without_gnss_the_unit_drifts_on_its_biases_and_comes_back(zq3: Vehicle) -> None:
    gnss = perfect_gnss(dropouts_s=((1.0, 10.0),), coast_s=5.0, follow_s=0.5)
    bench = Bench(zq3, gnss=gnss, imu=perfect_imu(accelerometer_bias_mg=10.0))
    rows = bench.run(2000, "pos_pad_m", "vel_pad_mps", "valid", "force_body_mps2")
    error = rows[:, :3] - [0.0, 0.0, 50.0]
    bias = rows[0, 7:] - [0.0, 0.0, 20.0]
    assert np.abs(error[:100]).max() == 0.0
    assert error[1099] == pytest.approx(0.5 * bias * 10.0**2, rel=0.02)
    assert rows[1099, 3:6] == pytest.approx(bias * 10.0, rel=0.01)
    assert np.abs(error[-1]).max() < 1e-3 * np.abs(error[1099]).max()
    assert rows[[99, 590, 610, 1098, 1105], 6].tolist() == [1.0, 1.0, 0.0, 0.0, 1.0]


def test_gnss_latency_delays_its_loss(zq3: Vehicle) -> None:
    gnss = perfect_gnss(dropouts_s=((1.0, 1.0),), coast_s=0.0, latency_ms=200)
    valid = Bench(zq3, gnss=gnss).run(300, "valid")[:, 0]
    assert np.flatnonzero(valid == 0.0)[[0, -1]].tolist() == [120, 219]


# ---- radar


def test_radar_height(zq3: Vehicle) -> None:
    bench = Bench(zq3, pos_m=0.0, radar=perfect_radar(lsb_m=0.25, most_m=80.0, tilt_deg=10.0))
    bench.truth["pos_pad_m"][2] = 50.3
    assert bench.run(1, "height_m")[0, 0] == pytest.approx(50.25)
    half = math.radians(12.0) / 2.0
    bench.truth["q_pad_from_body"][:] = (math.cos(half), math.sin(half), 0.0, 0.0)
    assert bench.run(1, "height_m")[0, 0] == pytest.approx(50.3)  # too far tilted: the unit's own
    noisy = Bench(zq3, radar=perfect_radar(noise_m=0.4)).run(4000, "height_m")
    assert noisy.std() == pytest.approx(0.4, rel=0.05)
    late = Bench(zq3, radar=perfect_radar(latency_ms=50))
    heights = []
    for k in range(10):
        late.truth["pos_pad_m"][2] = float(k)
        heights.append(late.run(1, "height_m")[0, 0])
    assert heights[5:] == [0.0, 1.0, 2.0, 3.0, 4.0]


# ---- all together


def test_units_draw_from_their_own_streams(zq3: Vehicle) -> None:
    """Naming a GNSS receiver changes neither the IMU's noise nor the attitude's."""
    alone = Bench(zq3, attitude_deg=0.1, imu=Imu())
    both = Bench(zq3, attitude_deg=0.1, imu=Imu(), gnss=Gnss(), radar=Radar())
    names = ("omega_body_radps", "force_body_mps2", "q_pad_from_body")
    assert (alone.run(50, *names) == both.run(50, *names)).all()


def test_the_figures_that_are_not_given_are_those_of_a_usual_unit(zq3: Vehicle) -> None:
    rows = Bench(zq3, imu=Imu(), gnss=Gnss(), radar=Radar()).run(500, "pos_pad_m", "vel_pad_mps", "height_m")
    assert np.isfinite(rows).all()
    assert np.abs(rows - [0.0, 0.0, 50.0, 0.0, 0.0, 0.0, 50.0]).max() < 6.0
