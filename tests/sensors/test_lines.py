"""Sensors on lines of their own: when they measure, what they say, and that they know their limits."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

from hil.faults.case import Gnss, Imu, Navigation, Pad, Radar
from hil.plant.earth import EQUATOR_M, FIRST_ECCENTRICITY_SQUARED, earth_centred, local_axes
from hil.sensors.lines import LineSensors
from hil.signals import Frame

FRAME_NS = 10_000_000
QUIET_IMU = Imu(
    gyro_bias_degph=0.0, gyro_scale_ppm=0.0, gyro_noise_deg_rth=0.0, gyro_lsb_degps=0.0,
    accelerometer_bias_mg=0.0, accelerometer_scale_ppm=0.0, accelerometer_noise_mps_rth=0.0,
    accelerometer_lsb_mg=0.0,
)  # fmt: skip
QUIET_GNSS = Gnss(pos_m=0.0, vel_mps=0.0, drift_m=0.0, latency_ms=0)
QUIET_RADAR = Radar(noise_m=0.0, scale_ppm=0.0, lsb_m=0.0, latency_ms=0)
RATES = {"imu": 1000, "gnss": 10, "altimeter": 100}


class Bench:
    """Sensors above a pad, on a frame whose truth a test moves."""

    def __init__(self, rates: dict[str, int], pad: Pad | None = None, seed: int = 1, **units: Any) -> None:
        quiet = {"imu": QUIET_IMU, "gnss": QUIET_GNSS, "radar": QUIET_RADAR} | units
        self.frame = Frame(1)
        self.truth = self.frame["truth"]
        self.truth["q_pad_from_body"][:] = (1.0, 0.0, 0.0, 0.0)
        self.truth["pos_pad_m"][2] = 40.0
        self.sensors = LineSensors(self.frame, rates, Navigation(**quiet), pad or Pad(), seed, "run")
        self.said: dict[str, list[Any]] = {"imu": [], "gnss": [], "altimeter": []}
        self.frames: list[dict[str, int]] = []

    def turn(self, frames: int, frame_ns: int = FRAME_NS) -> None:
        for _ in range(frames):
            self.sensors.sample(len(self.frames) * frame_ns)
            new = {name: list(getattr(self.sensors.samples, name)) for name in self.said}
            for name, samples in new.items():
                self.said[name] += samples
            self.frames.append({name: len(samples) for name, samples in new.items()})


@pytest.mark.parametrize("frame_ms", [1, 7, 10, 20])
@pytest.mark.parametrize(("line", "rate_hz"), [("imu", 250), ("imu", 2000), ("gnss", 8), ("altimeter", 77)])
def test_a_sensor_measures_at_its_rate(line: str, rate_hz: int, frame_ms: int) -> None:
    bench = Bench({line: rate_hz})
    bench.turn(1000 // frame_ms + 1, frame_ms * 1_000_000)
    times = [sample.t_ns for sample in bench.said[line]]
    last_ns = 1000 // frame_ms * frame_ms * 1_000_000
    assert times == [n * 10**9 // rate_hz for n in range(len(times))]
    assert times[-1] <= last_ns < len(times) * 10**9 // rate_hz, "all that were due, and no more"


def test_latency_holds_samples_back() -> None:
    gnss = QUIET_GNSS.model_copy(update={"latency_ms": 105})
    bench = Bench({"gnss": 10}, gnss=gnss)
    bench.turn(31)
    assert [k for k, said in enumerate(bench.frames) if said["gnss"]] == [11, 21]
    assert [fix.t_ns for fix in bench.said["gnss"]] == [0, 100_000_000]


def test_within_a_frame_the_motion_is_linear() -> None:
    bench = Bench({"imu": 500})
    for k in range(3):
        bench.truth["omega_body_radps"][:] = (0.1 * k, 0.0, -0.2 * k)
        bench.truth["force_body_mps2"][2] = 10.0 + k
        bench.turn(1)
    imu = bench.said["imu"]
    assert len(imu) == 11
    assert [s.rate_body_radps[0] for s in imu] == pytest.approx([0.02 * n for n in range(11)])
    assert [s.force_body_mps2[2] for s in imu] == pytest.approx([10.0 + 0.2 * n for n in range(11)])


def test_the_imu_knows_when_it_is_overloaded() -> None:
    bench = Bench({"imu": 1000})
    bench.truth["omega_body_radps"][:] = (math.radians(401.0), 0.0, math.radians(-399.0))
    bench.truth["force_body_mps2"][:] = (0.0, -99.0, 98.0)
    bench.turn(1)
    (sample,) = bench.said["imu"]
    assert (sample.rate_overload, sample.force_overload) == ((True, False, False), (False, True, False))
    assert sample.rate_body_radps[0] == pytest.approx(math.radians(400.0))
    assert sample.force_body_mps2[1] == pytest.approx(-98.0665)


def test_white_noise_has_its_density_at_every_rate() -> None:
    for rate_hz in (250, 2000):
        bench = Bench({"imu": rate_hz}, imu=QUIET_IMU.model_copy(update={"gyro_noise_deg_rth": 0.15}))
        bench.turn(800)
        rates = np.array([sample.rate_body_radps for sample in bench.said["imu"]])
        sigma = math.radians(0.15) / 60.0 * math.sqrt(rate_hz)
        assert rates.std() == pytest.approx(sigma, rel=4.0 / math.sqrt(2 * rates.size))


@pytest.mark.parametrize("latitude", [None, 40.96, -28.0])
def test_fixes_turn_back_into_pad_axes(latitude: float | None) -> None:
    bench = Bench({"gnss": 10}, pad=Pad(latitude_deg=latitude))
    bench.truth["pos_pad_m"][:] = pos = (1500.0, -7000.0, 4654.0)
    bench.truth["vel_pad_mps"][:] = vel = (-6.0, 30.0, -330.0)
    bench.turn(1)
    (fix,) = bench.said["gnss"]
    lat, lon = math.radians(fix.latitude_deg), math.radians(fix.longitude_deg)
    pad_lat = math.radians(latitude or 0.0)
    away = np.subtract(
        earth_centred(lat, lon, fix.height_m, EQUATOR_M, FIRST_ECCENTRICITY_SQUARED),
        earth_centred(pad_lat, 0.0, 0.0, EQUATOR_M, FIRST_ECCENTRICITY_SQUARED),
    )
    at_pad = np.array(local_axes(pad_lat, 0.0)).reshape(3, 3)
    north, east, down = at_pad.T @ away
    assert (east, north, -down) == pytest.approx(pos, abs=1e-6)
    north, east, down = at_pad.T @ np.array(local_axes(lat, lon)).reshape(3, 3) @ fix.vel_ned_mps
    assert (east, north, -down) == pytest.approx(vel, abs=1e-9)
    bulge = (1500.0**2 + 7000.0**2) / (2 * 6.37e6)
    assert fix.height_m == pytest.approx(4654.0 + bulge, rel=0.0, abs=0.05 * bulge), "the Earth falls away"


def test_a_dropout_takes_the_fix_and_gives_it_back() -> None:
    bench = Bench({"gnss": 10}, gnss=QUIET_GNSS.model_copy(update={"dropouts_s": ((0.25, 0.3),)}))
    bench.turn(81)
    assert [fix.valid for fix in bench.said["gnss"]] == [True] * 3 + [False] * 3 + [True] * 3


def test_the_altimeter_sees_the_ground_within_range_and_tilt() -> None:
    bench = Bench({"altimeter": 100}, radar=None)

    def seen(height_m: float, tilt_deg: float) -> bool:
        half = math.radians(tilt_deg) / 2.0
        bench.truth["pos_pad_m"][2] = height_m
        bench.truth["q_pad_from_body"][:] = (math.cos(half), math.sin(half), 0.0, 0.0)
        bench.turn(4)  # its latency is 20 ms
        return bool(bench.said["altimeter"][-1].valid)

    assert [seen(49.9, 0.0), seen(50.1, 0.0), seen(20.0, 29.0), seen(20.0, 31.0)] == [
        True,
        False,
        True,
        False,
    ]


def test_runs_repeat_to_the_bit_and_sensors_do_not_share_draws() -> None:
    noisy = {"imu": Imu(), "gnss": Gnss(latency_ms=0), "radar": Radar(latency_ms=0)}

    def said(seed: int, rates: dict[str, int]) -> dict[str, list[Any]]:
        bench = Bench(rates, seed=seed, **noisy)
        bench.turn(50)
        return bench.said

    all_three = said(1, RATES)
    assert said(1, RATES) == all_three
    assert said(2, RATES) != all_three
    for line in RATES:
        assert said(1, {line: RATES[line]})[line] == all_three[line], "switching others off changes nothing"
