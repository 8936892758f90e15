"""Flying check cases, and holding them against what others have computed."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from hil.files import FileError
from hil.plant.atmosphere import G0_MPS2
from hil.plant.checkcase import MOST_STEPS, Body, CheckCase, Earth, load_check_case, shipped_check_cases
from hil.plant.earth import (
    AUTHALIC_RADIUS_M,
    EQUATOR_M,
    FIRST_ECCENTRICITY_SQUARED,
    J2,
    TURN_RATE_RADPS,
    earth_centred,
    local_axes,
)
from hil.plant.freebody import COLUMNS, FREE, GRAVITY, fly, turning_point
from hil.plant.layout import record_array

__all__ = ["Comparison", "check_shipped", "compare", "fly_check_case"]

Array = npt.NDArray[np.float64]

_METRE_DEG: Final = math.degrees(1.0 / EQUATOR_M)
FLOORS: Final = {
    "altitude_m": 1.0,
    "vel_north_mps": 0.01,
    "vel_east_mps": 0.01,
    "vel_down_mps": 0.01,
    "longitude_deg": _METRE_DEG,
    "latitude_deg": _METRE_DEG,
    "roll_rate_degps": 0.01,
    "pitch_rate_degps": 0.01,
    "yaw_rate_degps": 0.01,
}
"""Least tolerance of a signal, in its unit: 1 m, 0.01 m/s, 0.01 deg/s; a metre of arc for the place.

A signal without one is held to twice the spread alone.
"""
SPREADS: Final = 2.0
"""The tolerance is this many times the spread of the reference simulations."""

MOST_ROWS: Final = 1_000_000


@dataclass(frozen=True, slots=True)
class Comparison:
    """One signal of one case against its reference, at the moment where it fits worst."""

    case: str
    signal: str
    t_s: float
    ours: float
    reference: float
    tolerance: float

    @property
    def off(self) -> float:
        """Distance from the reference."""
        return abs(self.ours - self.reference)

    @property
    def passed(self) -> bool:
        """Whether it fits."""
        return self.off <= self.tolerance


def fly_check_case(case: CheckCase, every_s: float | None = None) -> dict[str, Array]:
    """Fly `case`; return its history: `t_s` and the signals of COLUMNS, by name.

    Rows lie `every_s` apart (the case's by default), from 0 to the last within the duration.
    Raises FileError when that makes too many rows or a state that is no number.
    """
    every = case.every_s if every_s is None else every_s
    rows = math.floor(case.duration_s / every * (1.0 + 1e-12)) + 1
    steps = max(1, math.ceil(every / case.step_s * (1.0 - 1e-12)))
    if rows > MOST_ROWS or rows * steps > MOST_STEPS:
        raise FileError(f"{case.path}: every {every:g} s makes {rows} rows (allowed: up to {MOST_ROWS})")
    table = np.zeros((rows, len(COLUMNS)))
    block = _block(case)
    fly(block, _state(case, block), table, every, steps)
    if not np.isfinite(table).all():
        raise FileError(f"{case.path}: the flight does not stay finite; take a smaller step_s")
    history: dict[str, Array] = {"t_s": every * np.arange(rows, dtype=np.float64)}
    history.update({name: table[:, i].copy() for i, name in enumerate(COLUMNS)})
    return history


def _figure(earth: Earth) -> tuple[float, float]:
    """Return equatorial radius (m) and first eccentricity squared."""
    if earth.shape == "wgs84":
        return EQUATOR_M, FIRST_ECCENTRICITY_SQUARED
    return earth.radius_m or AUTHALIC_RADIUS_M, 0.0


def _block(case: CheckCase) -> Any:
    """Return the body and its surroundings as the compiled core takes them."""
    block = record_array(FREE)
    earth, body = case.earth, case.body
    radius_m, e2 = _figure(earth)
    values = {
        "radius_m": radius_m,
        "e2": e2,
        "turn_radps": TURN_RATE_RADPS if earth.turning else 0.0,
        "gravity": GRAVITY.index(earth.gravity),
        "constant_mps2": G0_MPS2 if earth.gravity_mps2 is None else earth.gravity_mps2,
        "j2": J2 if earth.gravity == "wgs84_j2" else 0.0,
        "air": int(case.atmosphere.model == "us1976"),
        "density_factor": case.atmosphere.density_factor,
        **_body_values(body),
    }
    for name, value in values.items():
        block[name][0] = value
    altitudes, winds = case.wind.points()
    block["wind_points"][0] = len(altitudes)
    block["wind_altitude_m"][0, : len(altitudes)] = altitudes
    block["wind_ned_mps"][0, :, : len(altitudes)] = np.array(winds).T
    machs, coefficients = body.drag()
    block["drag_points"][0] = len(machs)
    block["drag_mach"][0, : len(machs)] = machs
    block["drag"][0, : len(machs)] = coefficients
    return block


def _body_values(body: Body) -> dict[str, Any]:
    tensor = body.tensor()
    return {
        "mass_kg": body.mass_kg,
        "inertia": tensor,
        "per_inertia": np.linalg.inv(tensor),
        "area_m2": body.area_m2,
        "span_m": body.span_m,
        "chord_m": body.chord_m,
        "roll_damping": body.damping_roll,
        "pitch_damping": body.damping_pitch,
        "yaw_damping": body.damping_yaw,
    }


def _state(case: CheckCase, block: Any) -> Array:
    """Return the initial state in Earth-centred axes that do not turn."""
    start, b = case.initial, block[0]
    latitude, longitude = math.radians(start.latitude_deg), math.radians(start.longitude_deg)
    place = np.array(earth_centred(latitude, longitude, start.altitude_m, b.radius_m, b.e2))
    axes = np.array(local_axes(latitude, longitude)).reshape(3, 3)
    attitude = axes @ _from_euler(*np.radians(start.attitude_deg))
    rates = np.radians(start.rates_degps)
    if start.rates_against == "earth":
        rates = rates + attitude.T @ np.array([0.0, 0.0, b.turn_radps])
    state = np.zeros(13)
    state[0:3] = place
    state[3:6] = axes @ np.array(start.vel_ned_mps) + np.array(
        turning_point(b.turn_radps, place[0], place[1])
    )
    state[6:10] = _quaternion(attitude)
    state[10:13] = rates
    return state


def _from_euler(roll: float, pitch: float, yaw: float) -> Array:
    """Return the matrix that turns body into local vectors."""
    (sr, sp, sy), (cr, cp, cy) = np.sin([roll, pitch, yaw]), np.cos([roll, pitch, yaw])
    return np.array(
        [
            [cy * cp, cy * sp * sr - sy * cr, cy * sp * cr + sy * sr],
            [sy * cp, sy * sp * sr + cy * cr, sy * sp * cr - cy * sr],
            [-sp, cp * sr, cp * cr],
        ]
    )


def _quaternion(matrix: Array) -> Array:
    """Return the unit quaternion of a turning matrix: the eigenvector of Bar-Itzhack's form."""
    m = matrix
    form = np.array(
        [
            [m[0, 0] + m[1, 1] + m[2, 2], m[2, 1] - m[1, 2], m[0, 2] - m[2, 0], m[1, 0] - m[0, 1]],
            [m[2, 1] - m[1, 2], m[0, 0] - m[1, 1] - m[2, 2], m[0, 1] + m[1, 0], m[0, 2] + m[2, 0]],
            [m[0, 2] - m[2, 0], m[0, 1] + m[1, 0], m[1, 1] - m[0, 0] - m[2, 2], m[1, 2] + m[2, 1]],
            [m[1, 0] - m[0, 1], m[0, 2] + m[2, 0], m[1, 2] + m[2, 1], m[2, 2] - m[0, 0] - m[1, 1]],
        ]
    )
    vector: Array = np.linalg.eigh(form)[1][:, -1]
    return vector if vector[0] >= 0.0 else -vector


def compare(case: CheckCase) -> list[Comparison]:
    """Fly `case` and hold each signal of its reference against ours, worst moment first in each.

    Raises FileError when the case names no reference or one that cannot be used.
    """
    reference = _reference(case)
    times = np.array(reference["t_s"], dtype=float)
    every = float(times[1] - times[0])
    flown = case.model_copy(update={"duration_s": float(times[-1])})
    history = fly_check_case(flown, every)
    if not np.allclose(history["t_s"], times):
        raise FileError(f"{case.path}: the times of the reference are not evenly spaced from 0")
    results = []
    for signal in (name for name in reference if name != "t_s"):
        median = np.array(reference[signal]["median"], dtype=float)
        tolerance = np.maximum(
            SPREADS * np.array(reference[signal]["spread"], dtype=float), FLOORS.get(signal, 0.0)
        )
        ours = history[signal]
        worst = int(np.argmax(np.abs(ours - median) / np.maximum(tolerance, np.finfo(float).tiny)))
        results.append(
            Comparison(
                case.name,
                signal,
                float(times[worst]),
                float(ours[worst]),
                float(median[worst]),
                float(tolerance[worst]),
            )
        )
    return results


def _reference(case: CheckCase) -> dict[str, Any]:
    if case.reference is None:
        raise FileError(f"{case.path}: key 'reference' is missing: nothing to compare with")
    path = case.path.parent / case.reference
    try:
        known = json.loads(path.read_text(encoding="utf-8"))["cases"]
        found: dict[str, Any] = known[case.name]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise FileError(f"{path}: no reference for {case.name!r}: {type(error).__name__}: {error}") from None
    if len(found.get("t_s", ())) < 2 or not set(found) <= {"t_s", *COLUMNS}:
        raise FileError(f"{path}: the reference of {case.name!r} has no times or an unknown signal")
    return found


def check_shipped() -> list[Comparison]:
    """Fly and compare every check case that comes with the sources and names a reference."""
    cases = [load_check_case(path) for path in shipped_check_cases()]
    return [result for case in cases if case.reference is not None for result in compare(case)]
