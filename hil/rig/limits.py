"""The bench's own account of what each actuator has done, beside that of the boards."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Final

import numpy as np
import numpy.typing as npt

from hil.plant.vehicle import Vehicle
from hil.rig.model import LimitSpec, LimitsSpec
from hil.signals import RigError

__all__ = ["LimitWatch"]

_ACTUATORS: Final = {
    "ox_drive": ("valve", "oxidiser valve"),
    "fuel_drive": ("valve", "fuel valve"),
    "gimbal_x_drive": ("gimbal", "gimbal x"),
    "gimbal_y_drive": ("gimbal", "gimbal y"),
    "igniter": ("igniter", "igniter"),
}
"""Fields of the actuator record: kind in [limits], name for people."""
_ON: Final = 0.5


class _Account:
    """Strokes, duty and energy of one actuator of every engine; each shape (engines,)."""

    def __init__(self, field: npt.NDArray[np.float64], limit: LimitSpec, speed_per_s: float) -> None:
        """`speed_per_s` is full drive in strokes a second, 0 for what is only switched on."""
        self._field = field
        self._limit = limit
        self._speed_per_s = speed_per_s
        self._before = np.zeros_like(field)
        self._used = {name: np.zeros_like(field) for name in ("strokes", "duty", "energy_j")}

    def count(self, frame_s: float) -> tuple[str, int, float, float] | None:
        """Add one frame; return (limit, slot, used, allowed) of the first that is over."""
        limit, used = self._limit, self._used
        effort = np.abs(self._field)
        if self._speed_per_s > 0.0:
            used["strokes"] += effort * (self._speed_per_s * frame_s)
        else:
            used["strokes"] += (effort > _ON) & (self._before <= _ON)
        used["duty"] += (effort - used["duty"]) * min(frame_s / limit.duty_window_s, 1.0)
        used["energy_j"] += effort * ((limit.power_w or 0.0) * frame_s)
        self._before = effort
        for name, allowed in (("strokes", limit.strokes), ("duty", limit.duty), ("energy_j", limit.energy_j)):
            if allowed is not None and used[name].max() > allowed:
                slot = int(used[name].argmax())
                return name, slot, float(used[name][slot]), allowed
        return None


class LimitWatch:
    """Counts what the actuators do, once a frame."""

    def __init__(
        self,
        drives: Mapping[str, npt.NDArray[np.float64]],
        vehicle: Vehicle,
        limits: LimitsSpec,
        frame_s: float,
    ) -> None:
        """`drives` is what each actuator does now, by field of the actuator record."""
        engine = vehicle.engine
        speeds = {
            "valve": engine.valve_slew_per_s,
            "gimbal": math.radians(engine.gimbal_rate_degps) / (2.0 * math.radians(engine.gimbal_limit_deg)),
            "igniter": 0.0,
        }
        self._frame_s = frame_s
        self._engines = vehicle.landing_engines
        self._accounts = {
            field: _Account(drives[field], getattr(limits, kind), speeds[kind])
            for field, (kind, _) in _ACTUATORS.items()
        }

    def look(self) -> None:
        """Count one frame; raise RigError for the first actuator that has done more than it may."""
        for field, account in self._accounts.items():
            over = account.count(self._frame_s)
            if over is not None:
                kind, shown = _ACTUATORS[field]
                name, slot, used, allowed = over
                raise RigError(
                    f"engine {self._engines[slot]}: {shown}: {used:.4g} over its limit of {allowed:.4g} "
                    f"(limits.{kind}.{name})"
                )
