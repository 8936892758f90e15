"""What each fault does to the plant: the effects that it sets, each with its value."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, Final

from hil.faults.case import FaultSpec

__all__ = ["PLANT_FAULTS", "fire_order", "plant_changes"]

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
}  # fmt: skip
"""Kinds that strike the plant at once, and the effects that they set."""


def fire_order(fault: FaultSpec) -> list[tuple[float, str]]:
    """Return what a fire takes, in order: seconds after its outbreak, and the effect set to 1."""
    first_s, spread_s = _value(fault.first_s), _value(fault.spread_s)
    lost = ("gimbal_stuck", "fuel_stuck", "ox_stuck")
    return [(first_s + i * spread_s, name) for i, name in enumerate(lost)]


def plant_changes(effects: Any, index: int, changes: Changes) -> Callable[[], None]:
    """Return the act of setting `changes` for engine slot, fin or tank number `index`."""

    def strike() -> None:
        for name, value in changes.items():
            getattr(effects, name)[index] = value

    return strike
