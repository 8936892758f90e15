"""Sensors that speak for themselves: IMU, GNSS receiver and radar altimeter on lines of their own.

They make samples at their own rates, from the motion between the last frame and this one, which is
taken as linear; so nothing that happens within a frame is seen.  Biases and scale errors are those of
the same units in the navigation solution, noise is drawn from streams of their own.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Iterator, Mapping
from typing import Any, Final, Generic, TypeVar

import numpy as np
import numpy.typing as npt

from hil.faults.case import Gnss, Imu, Navigation, Pad, Radar
from hil.plant.earth import EQUATOR_M, FIRST_ECCENTRICITY_SQUARED, earth_centred, geodetic, local_axes
from hil.sensors.streams import stream
from hil.signals import Frame
from hil.signals.samples import GnssFix, HeightSample, ImuSample, SensorSamples, Vector3

__all__ = ["LineSensors"]

Floats = npt.NDArray[np.float64]

POS, VEL, ATTITUDE, RATE, FORCE = slice(0, 3), slice(3, 6), slice(6, 10), slice(10, 13), slice(13, 16)
_FIELDS: Final = (
    ("pos_pad_m", POS),
    ("vel_pad_mps", VEL),
    ("q_pad_from_body", ATTITUDE),
    ("omega_body_radps", RATE),
    ("force_body_mps2", FORCE),
)
STANDARD_MPS2: Final = 9.80665
VERTICAL_FACTOR: Final = 1.5
"""A receiver's errors upwards against those across [assumed: the usual geometry of the satellites]."""
US_D1: Final = Radar(least_m=0.0, most_m=50.0)
"""Range of the US-D1 [published: 50 m; from the ground up]."""

Sample = TypeVar("Sample")


class _Clock(Generic[Sample]):
    """When a sensor measures, and what it has measured but not yet said."""

    def __init__(self, rate_hz: int, latency_ms: int) -> None:
        self._rate_hz = rate_hz
        self._latency_ns = latency_ms * 1_000_000
        self._number = 0
        self._waiting: deque[tuple[int, Sample]] = deque()

    def due(self, now_ns: int) -> list[int]:
        """Return the times of measuring up to now that have not been returned yet, ns."""
        times = []
        t_ns = self._number * 1_000_000_000 // self._rate_hz
        while t_ns <= now_ns:
            times.append(t_ns)
            self._number += 1
            t_ns = self._number * 1_000_000_000 // self._rate_hz
        return times

    def keep(self, t_ns: int, sample: Sample) -> None:
        """Keep a sample until its latency is over."""
        self._waiting.append((t_ns + self._latency_ns, sample))

    def said(self, now_ns: int) -> Iterator[Sample]:
        """Give the samples whose latency is over."""
        while self._waiting and self._waiting[0][0] <= now_ns:
            yield self._waiting.popleft()[1]


class LineSensors:
    """Fills `samples` in each frame with what the sensors of a rig have said since the last one."""

    def __init__(
        self,
        frame: Frame,
        rates_hz: Mapping[str, int],
        navigation: Navigation,
        pad: Pad,
        seed: int,
        run_id: str,
    ) -> None:
        """`rates_hz` names the sensors that are there: imu, gnss, altimeter."""
        self.samples = SensorSamples()
        self._views = [(frame["truth"][name], place) for name, place in _FIELDS]
        self._last, self._now = np.zeros(16), np.zeros(16)
        self._last_ns = -1
        self._imu = self._gnss = self._altimeter = None
        if "imu" in rates_hz:
            self._imu = _ImuUnit(navigation.imu or Imu(), rates_hz["imu"], seed, run_id)
        if "gnss" in rates_hz:
            self._gnss = _Receiver(navigation.gnss or Gnss(), pad, rates_hz["gnss"], seed, run_id)
        if "altimeter" in rates_hz:
            self._altimeter = _Altimeter(navigation.radar or US_D1, rates_hz["altimeter"], seed, run_id)

    def sample(self, t_ns: int) -> None:
        """Measure up to frame time `t_ns` and say what is due."""
        self._last, self._now = self._now, self._last
        for view, place in self._views:
            self._now[place] = view
        if self._last_ns < 0:
            self._last[:] = self._now
        samples = self.samples
        samples.clear()
        if self._imu is not None:
            samples.imu += self._imu.said(self._states, t_ns)
        if self._gnss is not None:
            samples.gnss += self._gnss.said(self._states, t_ns)
        if self._altimeter is not None:
            samples.altimeter += self._altimeter.said(self._states, t_ns)
        self._last_ns = t_ns

    def _states(self, times: list[int], now_ns: int) -> Floats:
        """Return the motion at `times`, one row each, linear between the last frame and now."""
        span = now_ns - self._last_ns if self._last_ns >= 0 else 1
        parts = np.array([1.0 - (now_ns - t) / span for t in times])[:, np.newaxis]
        return self._last + parts * (self._now - self._last)


States = Any
"""Called with times and now (ns), gives the motion at these times."""


class _ImuUnit:
    """An inertial unit whose axes are the body's, at the centre of mass."""

    def __init__(self, imu: Imu, rate_hz: int, seed: int, run_id: str) -> None:
        self._clock: _Clock[ImuSample] = _Clock(rate_hz, imu.latency_ms)
        self._noise = [stream(seed, run_id, f"line.imu.{name}") for name in ("gyro", "accelerometer")]
        # drawn as in the navigation unit: it is the same device
        draws = stream(seed, run_id, "imu.turn_on").standard_normal((4, 3))
        root = math.sqrt(rate_hz)
        self._rate_bias = math.radians(imu.gyro_bias_degph) / 3600.0 * draws[0]
        self._rate_scale = 1.0 + 1e-6 * imu.gyro_scale_ppm * draws[1]
        self._rate_noise = math.radians(imu.gyro_noise_deg_rth) / 60.0 * root
        self._rate_most = math.radians(imu.gyro_range_degps)
        self._rate_lsb = math.radians(imu.gyro_lsb_degps)
        self._force_bias = 1e-3 * STANDARD_MPS2 * imu.accelerometer_bias_mg * draws[2]
        self._force_scale = 1.0 + 1e-6 * imu.accelerometer_scale_ppm * draws[3]
        self._force_noise = imu.accelerometer_noise_mps_rth / 60.0 * root
        self._force_most = STANDARD_MPS2 * imu.accelerometer_range_g
        self._force_lsb = 1e-3 * STANDARD_MPS2 * imu.accelerometer_lsb_mg

    def said(self, states: States, now_ns: int) -> Iterator[ImuSample]:
        times = self._clock.due(now_ns)
        if times:
            motion = states(times, now_ns)
            shape = (len(times), 3)
            rates = motion[:, RATE] * self._rate_scale + self._rate_bias
            rates += self._rate_noise * self._noise[0].standard_normal(shape)
            forces = motion[:, FORCE] * self._force_scale + self._force_bias
            forces += self._force_noise * self._noise[1].standard_normal(shape)
            rates, fast = _limited(rates, self._rate_most, self._rate_lsb)
            forces, hard = _limited(forces, self._force_most, self._force_lsb)
            for t_ns, *row in zip(
                times, rates.tolist(), forces.tolist(), fast.tolist(), hard.tolist(), strict=True
            ):
                rate, force, rate_over, force_over = (tuple(values) for values in row)
                self._clock.keep(t_ns, ImuSample(t_ns, rate, force, rate_over, force_over))
        return self._clock.said(now_ns)


def _limited(values: Floats, most: float, lsb: float) -> tuple[Floats, npt.NDArray[np.bool_]]:
    """Return values within their range and in whole steps, and which of them have left the range."""
    beyond = np.abs(values) > most
    values = np.clip(values, -most, most)
    return (lsb * np.floor(values / lsb + 0.5) if lsb > 0.0 else values), beyond


class _Receiver:
    """A GNSS receiver at the body origin."""

    def __init__(self, gnss: Gnss, pad: Pad, rate_hz: int, seed: int, run_id: str) -> None:
        self._clock: _Clock[GnssFix] = _Clock(rate_hz, gnss.latency_ms)
        self._gnss = gnss
        self._place = _PadOnEarth(0.0 if pad.latitude_deg is None else pad.latitude_deg)
        self._noise = {name: stream(seed, run_id, f"line.gnss.{name}") for name in ("white", "drift")}
        self._left = math.exp(-1.0 / (rate_hz * gnss.drift_s))
        self._drift = gnss.drift_m * self._noise["drift"].standard_normal(3)

    def said(self, states: States, now_ns: int) -> Iterator[GnssFix]:
        times = self._clock.due(now_ns)
        if times:
            for t_ns, row in zip(times, states(times, now_ns), strict=True):
                self._clock.keep(t_ns, self._fix(t_ns, row))
        return self._clock.said(now_ns)

    def _fix(self, t_ns: int, row: Floats) -> GnssFix:
        gnss = self._gnss
        white = self._noise["white"].standard_normal(6)
        fresh = gnss.drift_m * math.sqrt(1.0 - self._left**2)
        self._drift = self._left * self._drift + fresh * self._noise["drift"].standard_normal(3)
        upwards = np.array([1.0, 1.0, VERTICAL_FACTOR])
        pos = row[POS] + upwards * (self._drift + gnss.pos_m * white[:3])
        vel = row[VEL] + upwards * gnss.vel_mps * white[3:]
        latitude_deg, longitude_deg, height_m, vel_ned_mps = self._place.geodetic(pos, vel)
        across = math.hypot(gnss.pos_m, gnss.drift_m)
        t_s = t_ns * 1e-9
        return GnssFix(
            t_ns=t_ns,
            latitude_deg=latitude_deg,
            longitude_deg=longitude_deg,
            height_m=height_m,
            vel_ned_mps=vel_ned_mps,
            horizontal_m=across,
            vertical_m=VERTICAL_FACTOR * across,
            speed_mps=gnss.vel_mps,
            valid=not any(start <= t_s < start + length for start, length in gnss.dropouts_s),
        )


class _PadOnEarth:
    """Turns pad axes into WGS-84: the pad's centre lies on the ellipsoid, at longitude 0."""

    def __init__(self, latitude_deg: float) -> None:
        latitude = math.radians(latitude_deg)
        north_east_down = np.array(local_axes(latitude, 0.0)).reshape(3, 3)
        self._turn = np.column_stack((north_east_down[:, 1], north_east_down[:, 0], -north_east_down[:, 2]))
        self._centre = np.array(earth_centred(latitude, 0.0, 0.0, EQUATOR_M, FIRST_ECCENTRICITY_SQUARED))

    def geodetic(self, pos_pad_m: Floats, vel_pad_mps: Floats) -> tuple[float, float, float, Vector3]:
        """Return latitude and longitude (deg), height (m) and velocity in north, east, down there (m/s)."""
        x, y, z = (self._centre + self._turn @ pos_pad_m).tolist()
        latitude, longitude, height_m = geodetic(x, y, z, EQUATOR_M, FIRST_ECCENTRICITY_SQUARED)
        local = np.array(local_axes(latitude, longitude)).reshape(3, 3)
        north, east, down = (local.T @ (self._turn @ vel_pad_mps)).tolist()
        return math.degrees(latitude), math.degrees(longitude), float(height_m), (north, east, down)


class _Altimeter:
    """A radar altimeter that looks down the body axis from the body origin."""

    def __init__(self, radar: Radar, rate_hz: int, seed: int, run_id: str) -> None:
        self._clock: _Clock[HeightSample] = _Clock(rate_hz, radar.latency_ms)
        self._radar = radar
        self._noise = stream(seed, run_id, "line.altimeter.height")
        turn_on = stream(seed, run_id, "radar.turn_on")  # the navigation unit's: it is the same device
        self._scale = 1.0 + 1e-6 * radar.scale_ppm * float(turn_on.standard_normal())
        self._cos_tilt = math.cos(math.radians(radar.tilt_deg))

    def said(self, states: States, now_ns: int) -> Iterator[HeightSample]:
        times = self._clock.due(now_ns)
        if times:
            for t_ns, row in zip(times, states(times, now_ns), strict=True):
                self._clock.keep(t_ns, self._height(t_ns, row))
        return self._clock.said(now_ns)

    def _height(self, t_ns: int, row: Floats) -> HeightSample:
        radar, height = self._radar, float(row[2])
        _, x, y, _ = row[ATTITUDE]
        seen = radar.least_m <= height <= radar.most_m and 1.0 - 2.0 * (x * x + y * y) >= self._cos_tilt
        said = self._scale * height + radar.noise_m * float(self._noise.standard_normal())
        if radar.lsb_m > 0.0:
            said = radar.lsb_m * math.floor(said / radar.lsb_m + 0.5)
        return HeightSample(t_ns, said, bool(seen))
