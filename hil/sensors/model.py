"""The booster's sensors: the facade that the executive turns, in front of the compiled mapping."""

from __future__ import annotations

import math
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from hil.faults.case import Navigation
from hil.plant.vehicle import Vehicle
from hil.sensors.mapping import ENGINE_NOISE, NAV_NOISE, RING_ROWS, SETTINGS, STATE, WHERE, sample
from hil.sensors.streams import stream
from hil.sensors.units import Units, sample_units
from hil.signals import Frame

__all__ = ["BoosterSensors"]

# One sigma of what no case sets [assumed: parts of the usual grade].
GYRO_RADPS: Final = 2e-4
ACCELEROMETER_MPS2: Final = 0.02
VALVE_POS: Final = 5e-4
CHAMBER_FRACTION: Final = 0.002
"""Of the full chamber pressure."""
GIMBAL_RAD: Final = 2e-4
RADAR_HEIGHT_M: Final = 100.0
"""Below this height the radar gives the height."""

BLOCK_FRAMES: Final = 1024
"""Frames for which noise is drawn ahead."""

NAV_SOURCES: Final = (
    ("navigation.position", 3),
    ("navigation.velocity", 3),
    ("navigation.attitude", 3),
    ("navigation.gyro", 3),
    ("navigation.accelerometer", 3),
    ("navigation.height", 1),
)
ENGINE_SOURCES: Final = ("ox_valve", "fuel_valve", "chamber", "gimbal_x", "gimbal_y")


class BoosterSensors:
    """Turns the `truth` record into the `nav` and `sensor` records of the same frame.

    Navigation is late by its latency, which the solution states in `valid_t_ns`; before the flight
    is that old it holds for the start.  Every noise source draws from its own stream.
    """

    def __init__(
        self, frame: Frame, vehicle: Vehicle, navigation: Navigation, seed: int, run_id: str
    ) -> None:
        self._settings = _settings(frame, vehicle, navigation)
        self._sources = _sources(vehicle, seed, run_id)
        columns = NAV_NOISE + ENGINE_NOISE * frame.engines
        self._noise: npt.NDArray[np.float64] = np.zeros((BLOCK_FRAMES, columns))
        self._next = BLOCK_FRAMES
        self._last_t_ns = -1
        self._units = Units(navigation, seed, run_id)
        self._blocks = (
            self._settings,
            np.zeros((RING_ROWS, STATE)),
            np.zeros(RING_ROWS, np.int64),
            frame.floats("truth"),
            frame.floats("nav"),
            frame.ints("nav"),
            frame.floats("sensor"),
            self._noise,
        )

    def sample(self, t_ns: int) -> None:
        """Sample at frame time `t_ns`, later than the last; raise ValueError if it is not."""
        if t_ns <= self._last_t_ns:
            raise ValueError(f"t_ns = {t_ns}: not later than the last sample at {self._last_t_ns}")
        if self._next == BLOCK_FRAMES:
            self._draw()
        sample(*self._blocks, self._next, t_ns)
        if self._units:
            settings, ring, times, _, nav, nav_int, *_ = self._blocks
            noise = self._units.noise[self._next]
            sample_units(self._units.block, settings, ring, times, nav, nav_int, noise, t_ns)
        self._next += 1
        self._last_t_ns = t_ns

    def _draw(self) -> None:
        """Draw the noise of the next block of frames, each source from its own stream."""
        column = 0
        for generator, width in self._sources:
            self._noise[:, column : column + width] = generator.standard_normal((BLOCK_FRAMES, width))
            column += width
        if self._units:
            self._units.draw()
        self._next = 0


def _sources(vehicle: Vehicle, seed: int, run_id: str) -> list[tuple[np.random.Generator, int]]:
    """Return the stream of each source and how many numbers it gives a frame, in column order."""
    names = list(NAV_SOURCES)
    for number in vehicle.landing_engines:
        names += [(f"engine_{number}.{source}", 1) for source in ENGINE_SOURCES]
    return [(stream(seed, run_id, name), width) for name, width in names]


def _settings(frame: Frame, vehicle: Vehicle, navigation: Navigation) -> Any:
    """Return the settings of the compiled mapping."""
    block = np.zeros(1, SETTINGS)
    values = {
        "pos_m": navigation.pos_m,
        "pos_correlation_s": navigation.pos_correlation_s,
        "vel_mps": navigation.vel_mps,
        "attitude_rad": math.radians(navigation.attitude_deg),
        "gyro_radps": GYRO_RADPS,
        "accelerometer_mps2": ACCELEROMETER_MPS2,
        "height_m": navigation.height_m,
        "radar_height_m": RADAR_HEIGHT_M,
        "valve": VALVE_POS,
        "chamber_pa": CHAMBER_FRACTION * vehicle.engine.chamber_pa,
        "gimbal_rad": GIMBAL_RAD,
        "engines": frame.engines,
        "latency_ns": navigation.latency_ms * 1_000_000,
        "newest": -1,
        **{setting: frame.offset(record, field) for record, field, setting in WHERE},
    }
    for name, value in values.items():
        block[name][0] = value
    return block
