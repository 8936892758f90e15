"""Single sensors of a navigation unit: IMU, GNSS receiver, radar altimeter, each with its own errors.

Where a case names them they replace what the plain error model gives: turn rates and specific
forces are the IMU's, position and velocity are those of a unit that follows GNSS with its inertial
solution (and drifts on its accelerometers' biases while GNSS is away), height is the radar's.
All compiled functions that call each other stand in this one file.
"""

from __future__ import annotations

import math
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from hil.faults.case import Gnss, Imu, Navigation, Radar
from hil.plant.jit import compiled
from hil.sensors.streams import stream

__all__ = ["UNIT_NOISE", "Units", "sample_units"]

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

SOURCES: Final = (
    ("imu.gyro", 3),
    ("imu.accelerometer", 3),
    ("gnss.position", 3),
    ("gnss.velocity", 3),
    ("gnss.drift", 3),
    ("radar.height", 1),
)
UNIT_NOISE: Final = sum(width for _, width in SOURCES)
"""Columns of noise: one stream for each source."""
MOST_DROPOUTS: Final = 16
STANDARD_MPS2: Final = 9.80665
BLOCK_FRAMES: Final = 1024


def _floats(*names: str) -> list[Any]:
    return [(name, "<f8") for name in names]


UNITS: Final = np.dtype((np.record, [
    *((name, "<f8", (3,)) for name in (
        "gyro_bias_radps", "gyro_scale", "accelerometer_bias_mps2", "accelerometer_scale", "drift_m",
        "error_pos_m", "error_vel_mps",
    )),
    ("dropout_from_s", "<f8", (MOST_DROPOUTS,)),
    ("dropout_to_s", "<f8", (MOST_DROPOUTS,)),
    *_floats(
        "gyro_density", "gyro_range_radps", "gyro_lsb_radps", "accelerometer_density",
        "accelerometer_range_mps2", "accelerometer_lsb_mps2", "gnss_pos_m", "gnss_vel_mps", "gnss_drift_m",
        "gnss_drift_s", "follow_s", "coast_s", "away_s", "radar_m", "radar_scale", "radar_lsb_m",
        "radar_least_m", "radar_most_m", "radar_cos_tilt",
    ),
    *((name, "<i8") for name in (
        "has_imu", "has_gnss", "has_radar", "imu_latency_ns", "gnss_latency_ns", "radar_latency_ns",
        "dropouts", "last_t_ns", "started",
    )),
]))  # fmt: skip
"""Settings and state of the units of one flight."""


@compiled
def row_at(c: Any, times: Ints, due_ns: int) -> int:
    """Return the newest row of the ring that is not younger than `due_ns`; the oldest while there is none."""
    row = c.newest
    for _ in range(c.stored - 1):
        if times[row] <= due_ns:
            break
        row = (row - 1) % times.shape[0]
    return int(row)


@compiled
def measured(value: float, bias: float, scale: float, noise: float, limit: float, lsb: float) -> float:
    """Return what a sensor says: scaled, shifted, noisy, saturated, and in whole steps of `lsb`."""
    value = min(max((1.0 + scale) * value + bias + noise, -limit), limit)
    return lsb * math.floor(value / lsb + 0.5) if lsb > 0.0 else value


@compiled
def sample_imu(u: Any, c: Any, row: Floats, dt_s: float, noise: Floats, nav: Floats) -> None:
    """Write turn rates and specific forces as the IMU gives them; densities become sizes over `dt_s`."""
    root = math.sqrt(dt_s)
    for i in range(3):
        nav[c.nav_omega_body_radps + i] = measured(
            row[10 + i],
            u.gyro_bias_radps[i],
            u.gyro_scale[i],
            u.gyro_density / root * noise[i],
            u.gyro_range_radps,
            u.gyro_lsb_radps,
        )
        nav[c.nav_force_body_mps2 + i] = measured(
            row[13 + i],
            u.accelerometer_bias_mps2[i],
            u.accelerometer_scale[i],
            u.accelerometer_density / root * noise[3 + i],
            u.accelerometer_range_mps2,
            u.accelerometer_lsb_mps2,
        )


@compiled
def gnss_is_there(u: Any, t_s: float) -> bool:
    """Tell whether a fix of the time `t_s` exists."""
    there = True
    for i in range(u.dropouts):
        if u.dropout_from_s[i] <= t_s < u.dropout_to_s[i]:
            there = False
    return there


@compiled
def follow_gnss(u: Any, t_s: float, dt_s: float, noise: Floats) -> None:
    """Advance the errors of the integrated solution: towards those of the fixes, or adrift without any.

    The accelerometers' biases stand for their errors in pad axes as well: the attitude is not followed.
    """
    left = math.exp(-dt_s / u.gnss_drift_s) if u.started == 1 else 0.0
    part = 1.0 - math.exp(-dt_s / u.follow_s) if u.started == 1 else 1.0
    there = gnss_is_there(u, t_s - u.gnss_latency_ns * 1e-9)
    u.away_s = 0.0 if there else u.away_s + dt_s
    # white errors of the fixes, averaged as the lag of the following does
    white = math.sqrt((2.0 - part) / part)
    for i in range(3):
        fresh = u.gnss_drift_m * math.sqrt(1.0 - left * left)
        u.drift_m[i] = left * u.drift_m[i] + fresh * noise[12 + i]
        if there:
            u.error_pos_m[i] += part * (u.drift_m[i] + white * u.gnss_pos_m * noise[6 + i] - u.error_pos_m[i])
            u.error_vel_mps[i] += part * (white * u.gnss_vel_mps * noise[9 + i] - u.error_vel_mps[i])
        else:
            u.error_pos_m[i] += dt_s * u.error_vel_mps[i]
            u.error_vel_mps[i] += dt_s * u.accelerometer_bias_mps2[i]


@compiled
def sample_radar(u: Any, c: Any, row: Floats, noise: float, nav: Floats) -> None:
    """Write the radar's height where it has one: within its range, and not tilted too far."""
    up_z = 1.0 - 2.0 * (row[7] * row[7] + row[8] * row[8])
    if u.radar_least_m <= row[2] <= u.radar_most_m and up_z >= u.radar_cos_tilt:
        nav[c.nav_height_m] = measured(row[2], 0.0, u.radar_scale, u.radar_m * noise, 1e9, u.radar_lsb_m)
    else:
        nav[c.nav_height_m] = nav[c.nav_pos_pad_m + 2]


@compiled
def sample_units(
    units: Any, settings: Any, ring: Floats, times: Ints, nav: Floats, nav_int: Ints, noise: Floats, t_ns: int
) -> None:
    """Replace in the nav record what the named units give; call after the plain sample of the same frame."""
    u, c = units[0], settings[0]
    dt_s = (t_ns - u.last_t_ns) * 1e-9 if u.started == 1 else 0.01
    if u.has_imu == 1:
        sample_imu(u, c, ring[row_at(c, times, t_ns - u.imu_latency_ns)], dt_s, noise, nav)
    if u.has_gnss == 1:
        follow_gnss(u, t_ns * 1e-9, dt_s, noise)
        row = ring[c.delayed]
        for i in range(3):
            nav[c.nav_pos_pad_m + i] = row[i] + u.error_pos_m[i]
            nav[c.nav_vel_pad_mps + i] = row[3 + i] + u.error_vel_mps[i]
        nav_int[c.nav_valid] = 1 if u.away_s <= u.coast_s else 0
        if row[2] >= c.radar_height_m:
            nav[c.nav_height_m] = nav[c.nav_pos_pad_m + 2]
    if u.has_radar == 1:
        sample_radar(u, c, ring[row_at(c, times, t_ns - u.radar_latency_ns)], noise[15], nav)
    u.last_t_ns, u.started = t_ns, 1


class Units:
    """The units that a case names: their settings, state and noise.  False where it names none."""

    def __init__(self, navigation: Navigation, seed: int, run_id: str) -> None:
        self.block: Any = np.zeros(1, UNITS)
        self.noise: Floats = np.zeros((BLOCK_FRAMES, UNIT_NOISE))
        self._named = any((navigation.imu, navigation.gnss, navigation.radar))
        self._streams = [(stream(seed, run_id, name), width) for name, width in SOURCES]
        if navigation.imu is not None:
            _set_imu(self.block[0], navigation.imu, stream(seed, run_id, "imu.turn_on"))
        if navigation.gnss is not None:
            _set_gnss(self.block[0], navigation.gnss)
        if navigation.radar is not None:
            _set_radar(self.block[0], navigation.radar, stream(seed, run_id, "radar.turn_on"))

    def __bool__(self) -> bool:
        return self._named

    def draw(self) -> None:
        """Draw the noise of the next block of frames, each source from its own stream."""
        column = 0
        for generator, width in self._streams:
            self.noise[:, column : column + width] = generator.standard_normal((BLOCK_FRAMES, width))
            column += width


def _set_imu(u: Any, imu: Imu, turn_on: np.random.Generator) -> None:
    """Set the IMU; biases and scale errors are drawn once, as they stand after turning it on."""
    draws = turn_on.standard_normal((4, 3))
    u.has_imu = 1
    u.gyro_bias_radps[:] = math.radians(imu.gyro_bias_degph) / 3600.0 * draws[0]
    u.gyro_scale[:] = 1e-6 * imu.gyro_scale_ppm * draws[1]
    u.accelerometer_bias_mps2[:] = 1e-3 * STANDARD_MPS2 * imu.accelerometer_bias_mg * draws[2]
    u.accelerometer_scale[:] = 1e-6 * imu.accelerometer_scale_ppm * draws[3]
    u.gyro_density = math.radians(imu.gyro_noise_deg_rth) / 60.0
    u.gyro_range_radps = math.radians(imu.gyro_range_degps)
    u.gyro_lsb_radps = math.radians(imu.gyro_lsb_degps)
    u.accelerometer_density = imu.accelerometer_noise_mps_rth / 60.0
    u.accelerometer_range_mps2 = STANDARD_MPS2 * imu.accelerometer_range_g
    u.accelerometer_lsb_mps2 = 1e-3 * STANDARD_MPS2 * imu.accelerometer_lsb_mg
    u.imu_latency_ns = imu.latency_ms * 1_000_000


def _set_gnss(u: Any, gnss: Gnss) -> None:
    u.has_gnss = 1
    u.gnss_pos_m, u.gnss_vel_mps = gnss.pos_m, gnss.vel_mps
    u.gnss_drift_m, u.gnss_drift_s = gnss.drift_m, gnss.drift_s
    u.follow_s, u.coast_s = gnss.follow_s, gnss.coast_s
    u.gnss_latency_ns = gnss.latency_ms * 1_000_000
    u.dropouts = len(gnss.dropouts_s)
    for i, (start_s, length_s) in enumerate(gnss.dropouts_s):
        u.dropout_from_s[i], u.dropout_to_s[i] = start_s, start_s + length_s


def _set_radar(u: Any, radar: Radar, turn_on: np.random.Generator) -> None:
    u.has_radar = 1
    u.radar_m, u.radar_lsb_m = radar.noise_m, radar.lsb_m
    u.radar_scale = 1e-6 * radar.scale_ppm * float(turn_on.standard_normal())
    u.radar_least_m, u.radar_most_m = radar.least_m, radar.most_m
    u.radar_cos_tilt = math.cos(math.radians(radar.tilt_deg))
    u.radar_latency_ns = radar.latency_ms * 1_000_000
