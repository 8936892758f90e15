"""The sensors' core: one compiled call maps a truth record and a row of noise to sensor records.

All compiled functions that call each other stand in this one file, so that numba's cache notices
every change.
"""

from __future__ import annotations

import math
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from hil.plant.jit import compiled

__all__ = ["ENGINE_NOISE", "NAV_NOISE", "RING_ROWS", "SETTINGS", "WHERE", "sample"]

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

RING_ROWS: Final = 512
"""Truth samples kept for the latency: more than the longest latency at the shortest frame."""

STATE: Final = 16
"""Floats of one sample in the ring: position, velocity, attitude, turn rate, specific force."""

NAV_NOISE: Final = 16
"""Columns of noise for navigation: position, velocity, attitude, gyro, accelerometer (3 each), height."""

ENGINE_NOISE: Final = 5
"""Columns of noise for each engine: both valves, chamber, both gimbal axes."""

WHERE: Final = (
    *(("truth", name, f"truth_{name}") for name in (
        "pos_pad_m", "vel_pad_mps", "q_pad_from_body", "omega_body_radps", "force_body_mps2",
        "ox_valve_pos", "fuel_valve_pos", "chamber_pa", "gimbal_x_rad", "gimbal_y_rad",
    )),
    *(("nav", name, f"nav_{name}") for name in (
        "valid_t_ns", "pos_pad_m", "vel_pad_mps", "q_pad_from_body", "omega_body_radps",
        "force_body_mps2", "height_m", "valid",
    )),
    *(("sensor", name, f"sensor_{name}") for name in (
        "ox_valve_pos", "fuel_valve_pos", "chamber_pa", "gimbal_x_rad", "gimbal_y_rad",
    )),
)  # fmt: skip
"""Record and field of what the core reads and writes, and the setting that holds its offset."""

_FLOATS: Final = (
    "pos_m", "pos_correlation_s", "vel_mps", "attitude_rad", "gyro_radps", "accelerometer_mps2", "height_m",
    "radar_height_m", "valve", "chamber_pa", "gimbal_rad",
)  # fmt: skip

SETTINGS: Final = np.dtype((np.record, [
    *((name, "<f8") for name in _FLOATS),
    ("error_pad_m", "<f8", (3,)),
    *((name, "<i8") for name in ("engines", "latency_ns", "last_t_ns", "newest", "stored", "delayed")),
    *((name, "<i8") for _, _, name in WHERE),
]))  # fmt: skip
"""One-sigma sizes, the correlated position error, the ring's indices, offsets in the frame."""


@compiled
def keep(c: Any, ring: Floats, times: Ints, truth: Floats, t_ns: int) -> None:
    """Put the truth of `t_ns` into the ring."""
    c.newest = (c.newest + 1) % RING_ROWS
    c.stored = min(c.stored + 1, RING_ROWS)
    times[c.newest] = t_ns
    row = ring[c.newest]
    for i in range(3):
        row[i] = truth[c.truth_pos_pad_m + i]
        row[3 + i] = truth[c.truth_vel_pad_mps + i]
        row[10 + i] = truth[c.truth_omega_body_radps + i]
        row[13 + i] = truth[c.truth_force_body_mps2 + i]
    for i in range(4):
        row[6 + i] = truth[c.truth_q_pad_from_body + i]


@compiled
def find_delayed(c: Any, times: Ints, t_ns: int) -> int:
    """Return the row of the newest sample that is at least the latency old; early on the oldest."""
    due = t_ns - c.latency_ns
    oldest = (c.newest - c.stored + 1) % RING_ROWS
    row = c.delayed if c.stored > 1 else oldest
    for _ in range(RING_ROWS):
        following = (row + 1) % RING_ROWS
        if row == c.newest or times[following] > due:
            break
        row = following
    c.delayed = row
    return int(row)


@compiled
def drift(c: Any, noise: Floats, t_ns: int) -> None:
    """Advance the position error, a first-order Gauss-Markov process; it starts in its steady state."""
    left = math.exp(-(t_ns - c.last_t_ns) * 1e-9 / c.pos_correlation_s) if c.stored > 0 else 0.0
    fresh = c.pos_m * math.sqrt(1.0 - left * left)
    for i in range(3):
        c.error_pad_m[i] = left * c.error_pad_m[i] + fresh * noise[i]
    c.last_t_ns = t_ns


@compiled
def write_attitude(c: Any, q: Floats, noise: Floats, nav: Floats) -> None:
    """Write the attitude `q` turned by a small random angle about each body axis."""
    half = 0.5 * c.attitude_rad
    x, y, z = half * noise[6], half * noise[7], half * noise[8]
    n = 1.0 / math.sqrt(1.0 + x * x + y * y + z * z)
    at = c.nav_q_pad_from_body
    nav[at] = n * (q[0] - q[1] * x - q[2] * y - q[3] * z)
    nav[at + 1] = n * (q[1] + q[0] * x + q[2] * z - q[3] * y)
    nav[at + 2] = n * (q[2] + q[0] * y + q[3] * x - q[1] * z)
    nav[at + 3] = n * (q[3] + q[0] * z + q[1] * y - q[2] * x)


@compiled
def write_nav(c: Any, row: Floats, valid_t_ns: int, noise: Floats, nav: Floats, nav_int: Ints) -> None:
    """Write the navigation solution for the delayed state `row`."""
    nav_int[c.nav_valid_t_ns] = valid_t_ns
    nav_int[c.nav_valid] = 1
    for i in range(3):
        nav[c.nav_pos_pad_m + i] = row[i] + c.error_pad_m[i]
        nav[c.nav_vel_pad_mps + i] = row[3 + i] + c.vel_mps * noise[3 + i]
        nav[c.nav_omega_body_radps + i] = row[10 + i] + c.gyro_radps * noise[9 + i]
        nav[c.nav_force_body_mps2 + i] = row[13 + i] + c.accelerometer_mps2 * noise[12 + i]
    write_attitude(c, row[6:10], noise, nav)
    if row[2] < c.radar_height_m:
        nav[c.nav_height_m] = row[2] + c.height_m * noise[15]
    else:
        nav[c.nav_height_m] = row[2] + c.error_pad_m[2]


@compiled
def write_engines(c: Any, truth: Floats, noise: Floats, sensor: Floats) -> None:
    """Write what the sensors at the engines say; they have no latency."""
    for i in range(c.engines):
        at = NAV_NOISE + ENGINE_NOISE * i
        ox = truth[c.truth_ox_valve_pos + i] + c.valve * noise[at]
        fuel = truth[c.truth_fuel_valve_pos + i] + c.valve * noise[at + 1]
        sensor[c.sensor_ox_valve_pos + i] = min(max(ox, 0.0), 1.0)
        sensor[c.sensor_fuel_valve_pos + i] = min(max(fuel, 0.0), 1.0)
        chamber = truth[c.truth_chamber_pa + i] + c.chamber_pa * noise[at + 2]
        sensor[c.sensor_chamber_pa + i] = max(chamber, 0.0)
        sensor[c.sensor_gimbal_x_rad + i] = truth[c.truth_gimbal_x_rad + i] + c.gimbal_rad * noise[at + 3]
        sensor[c.sensor_gimbal_y_rad + i] = truth[c.truth_gimbal_y_rad + i] + c.gimbal_rad * noise[at + 4]


@compiled
def sample(
    settings: Any,
    ring: Floats,
    times: Ints,
    truth: Floats,
    nav: Floats,
    nav_int: Ints,
    sensor: Floats,
    noise: Floats,
    frame: int,
    t_ns: int,
) -> None:
    """Sample the truth of `t_ns` with row `frame` of `noise`; write the nav and sensor records."""
    c, row = settings[0], noise[frame]
    drift(c, row, t_ns)
    keep(c, ring, times, truth, t_ns)
    delayed = find_delayed(c, times, t_ns)
    write_nav(c, ring[delayed], times[delayed], row, nav, nav_int)
    write_engines(c, truth, row, sensor)
