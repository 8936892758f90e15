"""Sensors that something is wrong with: what they say is bent after the sensor model, truth is not."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from hil.faults.case import Case, FaultSpec
from hil.faults.catalogue import CATALOGUE
from hil.faults.effects import fire_sensors
from hil.faults.triggers import TriggerBook
from hil.signals import Frame, Sensors

__all__ = ["FaultySensors", "add_sensor_faults"]

Array = npt.NDArray[np.float64]
Bend = Callable[[], None]
"""Bends the readings of a frame in place."""
Draws = np.random.Generator
Streams = Callable[[str], Draws]

_DEG: Final = math.radians(1.0)
_NAV: Final = {
    "position": ("pos_pad_m", 1.0),
    "velocity": ("vel_pad_mps", 1.0),
    "attitude": ("q_pad_from_body", _DEG),
    "rate": ("omega_body_radps", _DEG),
    "height": ("height_m", 1.0),
}
"""Field of the nav record, and its unit in that of the catalogue."""
_READINGS: Final = {
    "chamber": "chamber_pa",
    "oxidiser_valve": "ox_valve_pos",
    "fuel_valve": "fuel_valve_pos",
    "gimbal_x": "gimbal_x_rad",
    "gimbal_y": "gimbal_y_rad",
}
"""Field of the sensor record."""
_AXES: Final = {
    "east": slice(0, 1), "north": slice(1, 2), "up": slice(2, 3),
    "x": slice(0, 1), "y": slice(1, 2), "z": slice(2, 3),
}  # fmt: skip
_ALL: Final = slice(None)


class FaultySensors:
    """Sensors that the faults of a case act on."""

    def __init__(self, sensors: Sensors, book: TriggerBook, frame: Frame, *, remember_s: float) -> None:
        """`remember_s` is how old a reading may have to be."""
        self._sensors = sensors
        self._book = book
        self._frame = frame
        frames = round(remember_s * 1e9) // book.frame_ns
        self._past: deque[npt.NDArray[np.void]] | None = deque(maxlen=frames + 1) if frames else None
        """Frames with what the healthy sensors said, the newest last; None where no fault asks for them."""
        self._bends: dict[int, list[Bend]] = {}
        """By the number of the fault that bends."""
        self._later: list[tuple[int, int, Bend]] = []

    def begin(self, index: int, bend: Bend, delay_s: float = 0.0) -> None:
        """Let fault number `index` bend what is said, `delay_s` from now on."""
        self._later.append((self._book.now_ns + round(delay_s * 1e9), index, bend))

    def end(self, index: int) -> None:
        """Let fault number `index` bend nothing any more."""
        self._bends.pop(index, None)

    def past(self, late_s: float) -> npt.NDArray[np.void]:
        """Return the frame of `late_s` ago as far as sensors are concerned, or the oldest there is."""
        age = round(late_s * 1e9 / self._book.frame_ns)
        if self._past is None:
            return self._frame.array
        return self._past[max(len(self._past) - 1 - age, 0)]

    def sample(self, t_ns: int) -> None:
        """Sample at frame time `t_ns`, then bend what is said."""
        self._sensors.sample(t_ns)
        if self._past is not None:
            self._past.append(self._frame.array.copy())
        self._book.begin_frame(t_ns)
        for _, index, bend in [entry for entry in self._later if entry[0] <= t_ns]:
            self._bends.setdefault(index, []).append(bend)
        self._later = [entry for entry in self._later if entry[0] > t_ns]
        for index in sorted(self._bends):
            for bend in self._bends[index]:
                bend()


def add_sensor_faults(
    case: Case,
    book: TriggerBook,
    sensors: Sensors,
    frame: Frame,
    *,
    slots: Mapping[int, int],
    chamber_pa: float,
    streams: Streams,
) -> Sensors:
    """Return the sensors as the case wants them; unwrapped where none of its faults is theirs.

    `slots` maps engine numbers to slots, `chamber_pa` is the full chamber pressure, `streams` gives the
    random stream of a name.
    """
    mine = [
        (index, fault) for index, fault in enumerate(case.fault)
        if CATALOGUE[fault.kind].needs in ("navigation", "nav_record", "engine_sensors")
    ]  # fmt: skip
    if not mine:
        return sensors
    late_s = [fault.late_s for _, fault in mine if fault.late_s is not None]
    faulty = FaultySensors(sensors, book, frame, remember_s=max(late_s, default=0.0))
    for index, fault in mine:
        slot = None if fault.engine is None else slots[fault.engine]
        if fault.kind == "bay.fire" and slot is not None:
            book.on(index, _fire(faulty, index, fault, frame, slot))
            continue
        draws = streams(_source(fault, [other for number, other in mine if number < index]))
        if slot is None:
            bend = _bent_navigation(fault, faulty, frame, draws)
        else:
            bend = _bent_reading(fault, faulty, frame, slot, chamber_pa, draws)
        book.on(index, partial(faulty.begin, index, bend), partial(faulty.end, index))
    return faulty


def _source(fault: FaultSpec, before: list[FaultSpec]) -> str:
    """Return the name of a fault's random stream: by what it is, so that other faults shift no draw of it."""
    place = (fault.kind, fault.what, fault.engine)
    number = sum((other.kind, other.what, other.engine) == place for other in before)
    return ".".join(str(part) for part in ("fault", *place, number) if part is not None)


def _fire(faulty: FaultySensors, index: int, fault: FaultSpec, frame: Frame, slot: int) -> Bend:
    """Return the outbreak of a fire that takes the sensors of the engine in `slot` one by one."""

    def strike() -> None:
        for delay_s, reading in fire_sensors(fault):
            view = frame["sensor"][_READINGS[reading]][slot : slot + 1]
            faulty.begin(index, partial(_set, view, math.nan), delay_s)

    return strike


def _bent_reading(
    fault: FaultSpec, faulty: FaultySensors, frame: Frame, slot: int, chamber_pa: float, draws: Draws
) -> Bend:
    """Return what a fault does to a sensor of the engine in `slot`."""
    assert fault.what is not None, "checked when the case was read"
    name, here = _READINGS[fault.what], slice(slot, slot + 1)
    unit = {"chamber_pa": chamber_pa, "gimbal_x_rad": _DEG, "gimbal_y_rad": _DEG}.get(name, 1.0)
    view = frame["sensor"][name][here]
    return _bent(fault, view, lambda: faulty.past(_number(fault.late_s))["sensor"][name][here], unit, draws)


def _bent_navigation(fault: FaultSpec, faulty: FaultySensors, frame: Frame, draws: Draws) -> Bend:
    """Return what a fault does to the navigation solution."""
    nav = frame["nav"]
    if fault.kind == "nav.stale":
        return lambda: _copy(faulty.past(_number(fault.late_s))["nav"], nav)
    if fault.kind == "nav.frozen":
        return _Stuck(nav.reshape(1))
    if fault.kind == "nav.off":
        if fault.what == "height":
            return lambda: _set(nav["height_m"].reshape(1), nav["pos_pad_m"][2])
        return lambda: _set(nav["valid"].reshape(1), 0)
    assert fault.what is not None, "checked when the case was read"
    name, unit = _NAV[fault.what]
    if name == "q_pad_from_body" and fault.kind in ("nav.bias", "nav.noise"):
        return _turned(fault, nav[name], draws)
    here = _AXES.get(fault.axis or "all", _ALL)
    view = nav[name].reshape(-1)[here]
    return _bent(
        fault, view, lambda: faulty.past(_number(fault.late_s))["nav"][name].reshape(-1)[here], unit, draws
    )


def _bent(fault: FaultSpec, view: Array, past: Callable[[], Array], unit: float, draws: Draws) -> Bend:
    """Return what a fault does to the readings in `view`; `unit` is the catalogue's in SI."""
    mode = fault.kind.partition(".")[2]
    if mode in ("off", "no_number"):
        return lambda: _set(view, math.nan)  # a board takes what is not finite for no reading
    if mode == "stuck":
        return _Stuck(view)
    if mode == "wrong":
        return lambda: _set(view, unit * _number(fault.value))
    if mode == "noise":
        return lambda: _add(view, unit * _number(fault.sigma) * draws.standard_normal(view.shape))
    if mode == "bias":
        return lambda: _add(view, unit * _number(fault.bias))
    if mode == "scale":
        return lambda: _set(view, _number(fault.scale) * view)
    return lambda: _set(view, past())


class _Stuck:
    """Holds what was said when it was called first."""

    def __init__(self, view: npt.NDArray[Any]) -> None:
        self._view = view
        self._held: npt.NDArray[Any] | None = None

    def __call__(self) -> None:
        if self._held is None:
            self._held = self._view.copy()
        self._view[:] = self._held


def _turned(fault: FaultSpec, q: Array, draws: Draws) -> Bend:
    """Return what turns an attitude `q` (scalar first) about its own body axes."""
    about = np.zeros(3)
    about[_AXES.get(fault.axis or "all", _ALL)] = _DEG
    if fault.kind == "nav.bias":
        return lambda: _turn(q, _number(fault.bias) * about)
    return lambda: _turn(q, _number(fault.sigma) * about * draws.standard_normal(3))


def _turn(q: Array, turn_rad: Array) -> None:
    """Turn `q` by the rotation vector `turn_rad` in body axes."""
    angle = float(np.linalg.norm(turn_rad))
    if angle == 0.0:
        return
    w, (x, y, z) = math.cos(0.5 * angle), math.sin(0.5 * angle) / angle * turn_rad
    a, b, c, d = q.copy()
    q[:] = (
        a * w - b * x - c * y - d * z,
        a * x + b * w + c * z - d * y,
        a * y - b * z + c * w + d * x,
        a * z + b * y - c * x + d * w,
    )


def _set(view: npt.NDArray[Any], value: Any) -> None:
    view[:] = value


def _add(view: Array, value: float | Array) -> None:
    view += value


def _copy(record: npt.NDArray[np.void], into: npt.NDArray[np.void]) -> None:
    into[()] = record


def _number(size: float | None) -> float:
    assert size is not None, "checked when the case was read"
    return float(size)
