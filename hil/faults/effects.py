"""What each fault does to the plant: the effects that it sets, each with its value, and how they end."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, Final

from hil.faults.case import FaultSpec

__all__ = ["PLANT_FAULTS", "HeldEffects", "fire_board_s", "fire_order", "fire_sensors", "plant_changes"]

Changes = dict[str, float]


def _side(word: str | None) -> str:
    return "ox" if word == "oxidiser" else "fuel"


def _value(size: float | None) -> float:
    assert size is not None, "checked when the case was read"
    return float(size)


def _valve(effect: str, size: str) -> Callable[[FaultSpec], Changes]:
    """Return a fault of one valve that sets one effect to one size."""
    return lambda f: {f"{_side(f.valve)}_{effect}": _value(getattr(f, size))}


def _mixture_shift(f: FaultSpec) -> Changes:
    half = 0.5 * _value(f.shift) * (1.0 if f.rich == "oxidiser" else -1.0)
    return {"ox_flow_factor": 1.0 + half, "fuel_flow_factor": 1.0 - half}


def _hardover(f: FaultSpec) -> Changes:
    return {
        "gimbal_stuck": 1.0,
        "gimbal_held": 1.0,
        f"gimbal_held_{f.axis}_rad": math.radians(_value(f.angle_deg)),
    }


PLANT_FAULTS: Final[dict[str, Callable[[FaultSpec], Changes]]] = {
    "engine.out": lambda f: {"tail_off_s": _value(f.tail_off_s), "out": 1.0},
    "engine.late_ignition": lambda f: {"ignition_delay_s": _value(f.delay_s)},
    "engine.thrust_shortfall": lambda f: {
        "thrust_factor_tau_s": _value(f.tau_s), "thrust_factor": _value(f.factor),
    },
    "engine.no_ignition": lambda f: {"starts_most": _value(f.starts)},
    "engine.hard_start": lambda f: {
        "hard_start_burn_s": _value(f.duration_s), "hard_start_peak": _value(f.peak),
    },
    "engine.slow_throttle": lambda f: {"throttle_tau_s": _value(f.tau_s)},
    "engine.chug": lambda f: {"injector_dp": _value(f.stiffness), "time_lag_s": _value(f.lag_s)},
    "engine.buzz": lambda f: {"buzz_hz": _value(f.frequency_hz), "buzz": _value(f.amplitude)},
    "engine.mixture_shift": _mixture_shift,
    "valve.stuck": lambda f: {f"{_side(f.valve)}_stuck": 1.0},
    "valve.stuck_at": lambda f: {
        f"{_side(f.valve)}_stuck_pos": _value(f.position), f"{_side(f.valve)}_stuck": 1.0,
    },
    "valve.slow": _valve("slew_factor", "rate"),
    "valve.stiction": lambda f: {
        f"{_side(f.valve)}_stiction": _value(f.band), f"{_side(f.valve)}_stiction_hold_s": _value(f.hold_s),
    },
    "valve.leak": _valve("leak", "leak"),
    "feed.gas": lambda f: {"void_burst_s": _value(f.burst_s), f"{_side(f.side)}_void": _value(f.void)},
    "pump.cavitation": lambda f: {f"{_side(f.side)}_cavitation": _value(f.head_loss)},
    "pump.overspeed": lambda f: {
        "trip_speed": _value(f.trip_speed), "trip_s": _value(f.trip_s), "turbine_factor": _value(f.torque),
    },
    "injector.blockage": lambda f: {f"{_side(f.side)}_injector_area": 1.0 - _value(f.area)},
    "gimbal.stuck": lambda _: {"gimbal_stuck": 1.0},
    "gimbal.hardover": _hardover,
    "gimbal.bias": lambda f: {f"gimbal_bias_{f.axis}_rad": math.radians(_value(f.angle_deg))},
    "gimbal.slow": lambda f: {"gimbal_rate_factor": _value(f.rate)},
    "fin.stuck": lambda _: {"fin_stuck": 1.0},
    "fin.slow": lambda f: {"fin_rate_factor": _value(f.rate)},
    "tank.load_error": lambda f: {f"{_side(f.tank)}_missing_kg": _value(f.missing_kg)},
    "air.density": lambda f: {"density_factor": _value(f.factor)},
    "pad.slippery": lambda f: {"leg_friction": _value(f.friction)},
}  # fmt: skip
"""Kinds that strike the plant at once, and the effects that they set."""


_SCALES: Final = ("density_factor", "leg_friction")
"""Effects whose value is a factor of the healthy one."""

_FIRE: Final = (
    ("sensor", "chamber"),
    ("plant", "gimbal_stuck"),
    ("sensor", "fuel_valve"),
    ("plant", "fuel_stuck"),
    ("sensor", "oxidiser_valve"),
    ("plant", "ox_stuck"),
    ("board", ""),
)
"""What a fire takes, in order."""


def _burnt(fault: FaultSpec, where: str) -> list[tuple[float, str]]:
    """Return what a fire takes of one sort, with the seconds after its outbreak."""
    first_s, spread_s = _value(fault.first_s), _value(fault.spread_s)
    return [(first_s + i * spread_s, name) for i, (sort, name) in enumerate(_FIRE) if sort == where]


def fire_order(fault: FaultSpec) -> list[tuple[float, str]]:
    """Return what a fire does to actuators: seconds after its outbreak, and the effect set to 1."""
    return _burnt(fault, "plant")


def fire_sensors(fault: FaultSpec) -> list[tuple[float, str]]:
    """Return the engine sensors that a fire takes: seconds after its outbreak, and which."""
    return _burnt(fault, "sensor")


def fire_board_s(fault: FaultSpec) -> float:
    """Return when a fire takes the engine's valve board, s after its outbreak."""
    return _burnt(fault, "board")[0][0]


def plant_changes(effects: Any, index: int, changes: Changes) -> Callable[[], None]:
    """Return the act of setting `changes` for engine slot, fin or tank number `index`, for good."""
    held = HeldEffects(effects)
    return lambda: held.hold(object(), index, changes)


class HeldEffects:
    """Effects as the faults that act now set them: the newest has its way, after the last all is healthy."""

    def __init__(self, effects: Any) -> None:
        """`effects` are the plant's arrays, as yet untouched."""
        self._effects = effects
        self._healthy: dict[tuple[str, int], float] = {}
        self._held: dict[tuple[str, int], dict[object, float]] = {}

    def hold(self, fault: object, index: int, changes: Changes) -> None:
        """Let `fault` set `changes` for engine slot, fin or tank number `index`."""
        for name, value in changes.items():
            place = (name, index)
            healthy = self._healthy.setdefault(place, float(getattr(self._effects, name)[index]))
            self._held.setdefault(place, {})[fault] = value * healthy if name in _SCALES else value
            self._show(place)

    def lift(self, fault: object) -> None:
        """Let `fault` act no longer."""
        for place, held in self._held.items():
            if held.pop(fault, None) is not None:
                self._show(place)

    def _show(self, place: tuple[str, int]) -> None:
        name, index = place
        held = self._held[place]
        getattr(self._effects, name)[index] = next(reversed(held.values()), self._healthy[place])
