"""Cases and failures in one line of plain engineering words."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any, Final

from hil.faults.case import Case, FaultSpec
from hil.faults.catalogue import CATALOGUE, Size

__all__ = ["case_words", "failure_line", "fault_words", "wind_words"]

_WINDS: Final = ("south", "southwest", "west", "northwest", "north", "northeast", "east", "southeast")
"""Where a wind comes from that blows towards north, northeast, east, ..."""

_PHRASES: Final[dict[str, Callable[[FaultSpec], str]]] = {
    "engine.out": lambda f: f"engine {f.engine} lost",
    "engine.late_ignition": lambda f: f"engine {f.engine} lights {f.delay_s:g} s late",
    "engine.no_ignition": lambda f: f"engine {f.engine} with {f.starts:g} igniter starts left",
    "engine.thrust_shortfall": lambda f: f"engine {f.engine} at {100 * (f.factor or 0):.3g} % of its thrust",
    "engine.hard_start": lambda f: f"engine {f.engine} starting hard ({f.peak:g} times its pressure)",
    "engine.slow_throttle": lambda f: f"engine {f.engine} following its throttle {f.tau_s:g} s late",
    "engine.chug": lambda f: f"engine {f.engine} with a soft injector ({f.stiffness:g}, lag {f.lag_s:g} s)",
    "engine.buzz": lambda f: f"engine {f.engine} buzzing at {f.frequency_hz:g} Hz",
    "engine.mixture_shift": lambda f: f"engine {f.engine} {f.rich}-rich by {100 * (f.shift or 0):.3g} %",
    "valve.stuck": lambda f: f"the {f.valve} valve of engine {f.engine} stuck",
    "valve.stuck_at": lambda f: f"the {f.valve} valve of engine {f.engine} run away to {f.position:g}",
    "valve.slow": lambda f: (
        f"the {f.valve} valve of engine {f.engine} at {100 * (f.rate or 0):.3g} % of its rate"
    ),
    "valve.stiction": lambda f: (
        f"the {f.valve} valve of engine {f.engine} sticking ({f.band:g}, {f.hold_s:g} s)"
    ),
    "valve.leak": lambda f: f"the {f.valve} valve of engine {f.engine} leaking {100 * (f.leak or 0):.3g} %",
    "feed.gas": lambda f: f"{100 * (f.void or 0):.3g} % gas in the {f.side} of engine {f.engine}",
    "pump.cavitation": lambda f: (
        f"the {f.side} pump of engine {f.engine} losing {100 * (f.head_loss or 0):.3g} % head"
    ),
    "pump.overspeed": lambda f: (
        f"the turbopump of engine {f.engine} running away ({f.torque:g} times its torque)"
    ),
    "injector.blockage": lambda f: (
        f"{100 * (f.area or 0):.3g} % of the {f.side} injector of engine {f.engine} blocked"
    ),
    "tank.load_error": lambda f: f"{f.missing_kg:g} kg of {f.tank} missing",
    "gimbal.stuck": lambda f: f"the gimbal of engine {f.engine} stuck",
    "gimbal.hardover": lambda f: (
        f"the gimbal of engine {f.engine} gone to {f.angle_deg:g} deg about {f.axis}"
    ),
    "gimbal.bias": lambda f: f"the thrust of engine {f.engine} off by {f.angle_deg:g} deg about {f.axis}",
    "gimbal.slow": lambda f: f"the gimbal of engine {f.engine} at {100 * (f.rate or 0):.3g} % of its rate",
    "fin.stuck": lambda f: f"fin {f.fin} stuck",
    "fin.slow": lambda f: f"fin {f.fin} at {100 * (f.rate or 0):.3g} % of its rate",
    "bay.fire": lambda f: f"fire at engine {f.engine}",
    "board.silent": lambda f: f"the board {f.board} dead",
}


def _plain(fault: FaultSpec) -> str:
    """Say a fault of a kind that has no phrase of its own by the names that its file uses."""
    kind = CATALOGUE[fault.kind]
    struck: Any = getattr(fault, kind.strikes, None)
    sizes = [
        f"{size.name} {getattr(fault, size.name)}{f' {size.unit}' if isinstance(size, Size) else ''}"
        for size in kind.sizes
    ]
    where = f" of {kind.strikes} {struck}" if struck is not None else ""
    return f"{fault.kind}{where}" + (f" ({', '.join(sizes)})" if sizes else "")


def _when(fault: FaultSpec) -> str:
    if fault.after_ignition_s is not None:
        return f" {fault.after_ignition_s:g} s after ignition"
    if fault.below_alt_m is not None:
        return f" below {fault.below_alt_m:g} m"
    return f" {fault.at_s:g} s after the start" if fault.at_s else ""


def fault_words(fault: FaultSpec) -> str:
    """Say what a fault is and when it strikes."""
    return _PHRASES.get(fault.kind, _plain)(fault) + _when(fault)


def wind_words(mean_mps: Sequence[float]) -> str:
    """Say how hard the wind blows and where it comes from; '' for calm air."""
    speed = math.hypot(*mean_mps)
    if speed < 0.05:
        return ""
    eighth = round(math.degrees(math.atan2(mean_mps[0], mean_mps[1])) / 45.0) % 8
    return f"{speed:.3g} m/s wind from the {_WINDS[eighth]}"


def _start_words(case: Case, base: Case) -> str:
    moved = math.dist(case.initial.pos_pad_m, base.initial.pos_pad_m)
    faster = math.dist(case.initial.vel_pad_mps, base.initial.vel_pad_mps)
    told = [f"{moved:.3g} m" if moved else "", f"{faster:.3g} m/s" if faster else ""]
    told = [text for text in told if text]
    return f"a start {' and '.join(told)} off the base case's" if told else ""


def case_words(case: Case, base: Case) -> str:
    """Say what is off nominal in a case, against the case that it was drawn about."""
    surroundings = [wind_words(case.wind.steady_mps(1000.0))]
    if case.wind.gust_w20_mps:
        surroundings.append(f"gusts of a {case.wind.gust_w20_mps:g} m/s wind")
    surroundings.append(_start_words(case, base))
    for name, factor in (("mass", case.stage.mass_factor), ("thrust", case.stage.thrust_factor)):
        if factor != 1.0:
            surroundings.append(f"{100 * (factor - 1.0):+.3g} % {name}")
    around = ", ".join(text for text in surroundings if text)
    wrong = " and ".join(fault_words(fault) for fault in case.fault)
    if not wrong:
        return around or "nothing off nominal"
    return f"{wrong} with {around}" if around else wrong


_BROKEN: Final = {
    "TD-VERTICAL": ("vertical_speed_mps", "comes down at {value:.1f} m/s, {limit:.1f} allowed"),
    "TD-LATERAL": ("lateral_speed_mps", "slides sideways at {value:.1f} m/s, {limit:.1f} allowed"),
    "TD-TILT": ("tilt_deg", "touches down tilted by {value:.1f} deg, {limit:.1f} allowed"),
    "TD-RATE": ("rate_degps", "touches down turning at {value:.1f} deg/s, {limit:.1f} allowed"),
    "TD-MISS": ("miss_m", "comes down {value:.1f} m from the centre of the pad, {limit:.1f} allowed"),
}


def failure_line(
    case: Case,
    base: Case,
    requirement: str | None,
    touchdown: dict[str, float | None],
    limits: Any,
    reason: str,
) -> str:
    """Say in one line what was off nominal and what came of it; `limits` are the vehicle's requirements."""
    key, text = _BROKEN.get(requirement or "", ("", ""))
    value = touchdown.get(key)
    broke = reason if value is None else text.format(value=value, limit=float(getattr(limits, key)))
    return f"{case_words(case, base)}: {broke}"
