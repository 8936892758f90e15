"""From a vehicle's file to the propulsion chain's constants: contours, linear lag, chug watch."""

from __future__ import annotations

import math
from typing import Any, Final

import numpy as np

from hil.plant.atmosphere import G0_MPS2, SEA_LEVEL_PA
from hil.plant.propulsion_layout import CHAIN, ENGINE, FEED, FLOW, LINE, PROPULSION
from hil.plant.stability import Mode, Side, chug_mode
from hil.plant.vehicle import Vehicle

__all__ = ["PropulsionMemory", "chug_at", "engine_memory", "feed_sides", "short_steps"]

SHORT_STEP_NS: Final = 100_000
"""Longest sub-step of the short path: 25 of them in a period of 400 Hz."""
LONG_STEP_NS: Final = 1_000_000
WATCH_MARGIN: Final = 1.1
"""The short path is taken below this multiple of the injector stiffness at which chug sets in."""
LAG_AT: Final = 0.7
"""Throttle at which the long path's lag is that of the short path."""
UNLIMITED: Final = 1e9


class PropulsionMemory:
    """The structured arrays of all engines, and constants of the chain.

    Engines larger than the data sheet's by `size` give that much more thrust at every chamber and
    ambient pressure, and take that much more propellant.
    """

    def __init__(self, vehicle: Vehicle, size: float = 1.0) -> None:
        count = len(vehicle.landing_engines)
        self.count = count
        lines, constants = _known(vehicle)
        self.lines, self.constants = lines.copy(), constants.copy()
        self.lines["full_kgps"] *= size
        for name in ("thrust_vac_n", "exit_area_m2"):
            self.constants[name] *= size
        self.engines = np.zeros(count + 1, ENGINE)
        self.feeds = np.zeros(2 * (count + 1), FEED)
        self.chains = np.zeros(2 * count, CHAIN)
        self.flows = np.zeros(4 * count, FLOW)
        self._make_healthy(vehicle)

    def _make_healthy(self, vehicle: Vehicle) -> None:
        places = [vehicle.engine_position[number - 1] for number in vehicle.landing_engines]
        self.engines["x_m"][: self.count] = [place.x_m for place in places]
        self.engines["y_m"][: self.count] = [place.y_m for place in places]
        for name in ("thrust_factor", "turbine_factor", "gimbal_rate_factor"):
            self.engines[name] = 1.0
        self.engines["starts_most"] = UNLIMITED
        self.engines["tail_off_s"] = vehicle.engine.tail_off_s
        for name in ("slew_factor", "injector_area", "flow_factor"):
            self.feeds[name] = 1.0
        self.feeds["stuck_pos"] = -1.0
        self.chains["starts_left"] = vehicle.engine.starts
        self.chains["factor"] = 1.0
        self.chains["fresh"] = 1
        self.chains["spared"][1::2] = 1

    def set_steps(self, dt: float, short_count: int, long_count: int) -> None:
        """Prepare for plant steps of `dt` seconds, cut into so many short and long steps."""
        k = self.constants[0]
        k["short_steps"], k["long_steps"] = short_count, long_count
        k["valve_decay_short"] = math.exp(-dt / short_count / k["valve_lag_s"])
        k["valve_decay_long"] = math.exp(-dt / long_count / k["valve_lag_s"])
        k["gimbal_decay"] = math.exp(-dt / k["gimbal_lag_s"])


_KNOWN: Final[dict[str, tuple[Any, Any]]] = {}


def _known(vehicle: Vehicle) -> tuple[Any, Any]:
    """Return lines and constants, worked out once for each engine and kept (a campaign flies many)."""
    parts = (vehicle.engine, vehicle.propulsion)
    key = "".join(part.model_dump_json() for part in parts)
    key += f"{vehicle.body.mixture_ratio} {len(vehicle.landing_engines)}"
    if key not in _KNOWN:
        lines = _lines(vehicle)
        _KNOWN[key] = lines, _constants(vehicle, lines)
    return _KNOWN[key]


def _lines(vehicle: Vehicle) -> Any:
    """Return the two lines; heads follow from the pressure drops, contours from the law of the speed.

    The design law: at opening x, flows and chamber pressure are x of full, and the oxidiser valve
    drops valve_drop x.  The common shaft then fixes the speed, and the speed the fuel valve.
    """
    p, engine, ratio = vehicle.propulsion, vehicle.engine, vehicle.body.mixture_ratio
    flow_kgps = engine.thrust_sl_n / (engine.isp_sl_s * G0_MPS2)
    lines = np.zeros(2, LINE)
    share = (ratio / (1.0 + ratio), 1.0 / (1.0 + ratio))
    drops = (p.injector_drop_ox, p.injector_drop_fuel)
    lines["share"] = share
    lines["full_kgps"] = [flow_kgps * part for part in share]
    lines["inlet"] = p.inlet_pa / engine.chamber_pa
    lines["injector"] = drops
    lines["head"] = 1.0 + p.valve_drop + p.line_drop + lines["injector"] - lines["inlet"]
    lines["shutoff"] = (1.0 + p.pump_droop) * lines["head"]
    lines["upstream"] = p.line_drop + p.pump_droop * lines["head"]
    lines["inertance_s"] = (p.line_inertance_ox_s, p.line_inertance_fuel_s)
    lines["capacity_s"] = (p.manifold_capacity_ox_s, p.manifold_capacity_fuel_s)
    lines["power_share"] = (p.ox_power_share, 1.0 - p.ox_power_share)
    lines["suction_required"] = p.suction_required_pa / engine.chamber_pa
    lines["ingest_kg"] = [p.ingest_kg * part for part in share]
    law = _speed_law(vehicle, lines)
    for line in lines:
        line["contour_0"] = line["inlet"] + line["shutoff"] * law[0]
        line["contour_1"] = line["shutoff"] * law[1] - 1.0
        line["contour_2"] = line["shutoff"] * law[2] - line["upstream"] - line["injector"]
    return lines


def _speed_law(vehicle: Vehicle, lines: Any) -> tuple[float, float, float]:
    """Return the design speed squared as a polynomial of the opening."""
    ox = lines[0]
    return (
        float(-ox["inlet"] / ox["shutoff"]),
        float((1.0 + vehicle.propulsion.valve_drop) / ox["shutoff"]),
        float((ox["upstream"] + ox["injector"]) / ox["shutoff"]),
    )


def _constants(vehicle: Vehicle, lines: Any) -> Any:
    p, engine = vehicle.propulsion, vehicle.engine
    law = _speed_law(vehicle, lines)
    ratio = vehicle.body.mixture_ratio
    off = 2.0 * (ratio - p.best_ratio) / (ratio + p.best_ratio)
    block = np.zeros(1, PROPULSION)
    values = {
        "engines": len(vehicle.landing_engines),
        "thrust_vac_n": engine.thrust_sl_n + SEA_LEVEL_PA * engine.nozzle_exit_area_m2,
        "full_thrust_n": engine.thrust_sl_n * len(vehicle.landing_engines),
        "exit_area_m2": engine.nozzle_exit_area_m2,
        "chamber_full_pa": engine.chamber_pa,
        "mixture_ratio": ratio,
        "ratio_norm": 1.0 / (1.0 - p.ratio_loss * off * off),
        "speed_0": law[0], "speed_1": law[1], "speed_2": law[2],
        "torque_at_rest": p.pump_torque_at_rest,
        "suction_required": p.suction_required_pa,
        "gimbal_limit_rad": math.radians(engine.gimbal_limit_deg),
        "gimbal_rate_radps": math.radians(engine.gimbal_rate_degps),
    }  # fmt: skip
    fields = PROPULSION.names or ()
    for source in (engine, p):
        values.update({name: getattr(source, name) for name in fields if name in type(source).model_fields})
    for name in fields:
        if name in values:
            block[name][0] = values[name]
    block["short_lag_s"][0] = _short_lag(block, lines)
    block["watch_stiffness"][0] = _watch_stiffness(block, lines)
    return block


def feed_sides(constants: Any, lines: Any, opening: float) -> tuple[Side, Side]:
    """Return both feeds linearised at the healthy steady state of `opening`."""
    k, x = constants[0], opening
    best, ratio = k["best_ratio"], k["mixture_ratio"]
    z = 2.0 * (ratio - best) / (ratio + best)
    # d c* / d ln(ratio), of mixture_factor
    slope = -k["ratio_loss"] * 2.0 * z * 4.0 * ratio * best / (ratio + best) ** 2 * k["ratio_norm"]
    sides = []
    for line, sign in zip(lines, (1.0, -1.0), strict=True):
        valve = line["contour_0"] / x**2 + line["contour_1"] / x + line["contour_2"]
        sides.append(
            Side(
                gain=float(line["share"] + sign * slope),
                injector=float(2.0 * line["injector"] * x),
                upstream=float(2.0 * (line["upstream"] + valve) * x),
                inertance_s=float(line["inertance_s"]),
                capacity_s=float(line["capacity_s"]),
            )
        )
    return sides[0], sides[1]


def chug_at(constants: Any, lines: Any, opening: float) -> Mode | None:
    """Return the chug mode of a healthy engine at `opening`."""
    k = constants[0]
    return chug_mode(feed_sides(constants, lines, opening), float(k["residence_s"]), float(k["time_lag_s"]))


def _short_lag(constants: Any, lines: Any) -> float:
    """Return the lag on the pressure that makes the long path as late as the short one.

    It is the first moment of the linear response of chamber pressure to the pumps' head.
    """
    k = constants[0]
    sides = feed_sides(constants, lines, LAG_AT)
    admittances = [1.0 / (side.injector + side.upstream) for side in sides]
    loop = sum(side.gain * y for side, y in zip(sides, admittances, strict=True))
    lag = 0.0
    for side, y in zip(sides, admittances, strict=True):
        held = y * (side.inertance_s - side.capacity_s * side.upstream**2)
        lag += side.gain * y / loop * (held + side.upstream * side.capacity_s * (1.0 + loop))
    return float(k["residence_s"] + k["time_lag_s"] + lag)


def _watch_stiffness(constants: Any, lines: Any) -> float:
    """Return the injector's drop over chamber pressure below which the short path is taken."""
    low, high = 0.05, 1.0
    for _ in range(12):
        middle = 0.5 * (low + high)
        mode = chug_at(constants, lines, middle)
        if mode is not None and mode.growth_per_s > 0.0:
            low = middle
        else:
            high = middle
    return WATCH_MARGIN * high * float(min(lines["injector"]))


def short_steps(span_ns: int, steps: int) -> tuple[int, int]:
    """Return how many short and long steps a plant step is cut into, of `steps` in `span_ns`."""
    return max(-(-span_ns // (steps * SHORT_STEP_NS)), 1), max(-(-span_ns // (steps * LONG_STEP_NS)), 1)


def engine_memory(vehicle: Vehicle) -> PropulsionMemory:
    """Return the memory of the engines of a landing burn, shut and healthy."""
    return PropulsionMemory(vehicle)
