"""Draw the signature of every fault of an engine into docs/plant/, one small SVG each.

    python tools/plant_pictures.py [--check]

Each picture flies zq3_class with the fault on engine 2 alone and shows it (dark) beside engine 1 (light).
--check draws nothing and fails when a fault of the catalogue has no picture.
"""

from __future__ import annotations

import argparse
import math
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from hil.faults.case import FaultSpec, Initial, Wind  # noqa: E402
from hil.faults.catalogue import CATALOGUE  # noqa: E402
from hil.faults.effects import PLANT_FAULTS, fire_order, plant_changes  # noqa: E402
from hil.plant.model import BoosterPlant  # noqa: E402
from hil.plant.vehicle import load_vehicle  # noqa: E402
from hil.signals import Frame  # noqa: E402

OUT = ROOT / "docs" / "plant"
MS = 1_000_000
SLOT, HEALTHY = 1, 0
WIDTH, HEIGHT, LEFT, BOTTOM, TOP = 560, 200, 52, 34, 26
POINTS = 420
FONT = 'font-family="sans-serif" font-size="11"'


def steady(opening: float) -> Callable[[float], float]:
    """Return a throttle that holds `opening`."""
    return lambda _: opening


@dataclass(frozen=True)
class Picture:
    """What is flown, and which signal is drawn; the fault strikes at `at_s`, ignition is at 0."""

    kind: str
    sizes: dict[str, Any]
    throttle: Callable[[float], float]
    signal: str = "chamber_pa"
    at_s: float = 2.6
    span_s: tuple[float, float] = (2.4, 4.0)
    gimbal: float = 0.0
    note: str = ""


STEP = lambda t_s: 0.65 if t_s < 2.8 else 0.85  # noqa: E731
RAMP = lambda t_s: 0.6 + 0.1 * max(t_s - 2.6, 0.0)  # noqa: E731
DOWN = lambda t_s: 0.0 if t_s < 0.6 else 0.6  # noqa: E731

PICTURES = (
    Picture("engine.out", {"tail_off_s": 0.2}, steady(0.7)),
    Picture("engine.late_ignition", {"delay_s": 0.8}, DOWN, at_s=0.0, span_s=(0.5, 2.5)),
    Picture("engine.thrust_shortfall", {"factor": 0.8, "tau_s": 0.3}, steady(0.7)),
    Picture("engine.no_ignition", {"starts": 0.0}, DOWN, at_s=0.0, span_s=(0.5, 2.5)),
    Picture("engine.hard_start", {"peak": 2.0, "duration_s": 0.01}, DOWN, at_s=0.0, span_s=(0.5, 1.7)),
    Picture("engine.slow_throttle", {"tau_s": 0.5}, STEP),
    Picture("engine.chug", {"stiffness": 0.15, "lag_s": 3e-3}, steady(0.6), span_s=(2.55, 2.95)),
    Picture("engine.buzz", {"amplitude": 0.15, "frequency_hz": 450.0}, steady(0.7), span_s=(2.58, 2.68)),
    Picture("engine.mixture_shift", {"rich": "oxidiser", "shift": 0.15}, steady(0.7)),
    Picture("valve.stuck", {"valve": "fuel"}, STEP),
    Picture("valve.stuck_at", {"valve": "fuel", "position": 0.45}, steady(0.7)),
    Picture("valve.slow", {"valve": "oxidiser", "rate": 0.15}, STEP, "ox_valve_pos"),
    Picture("valve.stiction", {"valve": "oxidiser", "band": 0.02, "hold_s": 0.3}, RAMP, "ox_valve_pos"),
    Picture("valve.leak", {"valve": "oxidiser", "leak": 0.03}, DOWN, "ox_flow_kgps", 0.0, (0.0, 1.2)),
    Picture("feed.gas", {"side": "oxidiser", "void": 0.15, "burst_s": 0.2}, steady(0.75)),
    Picture("pump.cavitation", {"side": "oxidiser", "head_loss": 0.15}, steady(0.7)),
    Picture(
        "pump.overspeed", {"torque": 2.5, "trip_speed": 1.12, "trip_s": 0.1}, steady(0.9), span_s=(2.5, 3.5)
    ),
    Picture("injector.blockage", {"side": "fuel", "area": 0.15}, steady(0.7)),
    Picture("tank.load_error", {"tank": "oxidiser", "missing_kg": 1500.0}, steady(0.7), at_s=0.0,
            span_s=(2.0, 7.5), note="both engines: the tank is theirs"),
    Picture("gimbal.stuck", {}, steady(0.7), "gimbal_x_rad", gimbal=0.05),
    Picture("gimbal.hardover", {"axis": "x", "angle_deg": 5.0}, steady(0.7), "gimbal_x_rad", gimbal=0.05),
    Picture("gimbal.bias", {"axis": "x", "angle_deg": 3.0}, steady(0.7), "omega_body_radps",
            note="turn rate about y, with (dark) and without"),
    Picture("gimbal.slow", {"rate": 0.2}, steady(0.7), "gimbal_x_rad", gimbal=0.05),
    Picture("fin.stuck", {}, steady(0.7), "fin_rad", gimbal=0.05),
    Picture("fin.slow", {"rate": 0.1}, steady(0.7), "fin_rad", gimbal=0.05),
    Picture("bay.fire", {"first_s": 0.0, "spread_s": 0.2}, lambda t_s: 0.7 + 0.1 * math.sin(6.0 * t_s),
            "gimbal_x_rad", gimbal=0.05),
)  # fmt: skip
UNITS = {
    "chamber_pa": ("chamber pressure, MPa", 1e-6),
    "ox_valve_pos": ("oxidiser valve, 1", 1.0),
    "ox_flow_kgps": ("oxidiser flow, kg/s", 1.0),
    "gimbal_x_rad": ("gimbal x, deg", math.degrees(1.0)),
    "fin_rad": ("fin, deg", math.degrees(1.0)),
    "omega_body_radps": ("turn rate, deg/s", math.degrees(1.0)),
}


class Booster:
    """A plant whose valves, gimbals and fins are held by plain position loops, every 10 ms."""

    def __init__(self, propellant_kg: float) -> None:
        self.vehicle = load_vehicle(ROOT / "rigs" / "vehicles" / "zq3_class.toml")
        self.frame = Frame(len(self.vehicle.landing_engines))
        start = Initial(
            pos_pad_m=(0.0, 0.0, 6000.0), vel_pad_mps=(0.0, 0.0, -250.0), propellant_kg=propellant_kg
        )
        self.plant = BoosterPlant(self.frame, self.vehicle, start, Wind(), MS)
        self.truth, self.act = self.frame["truth"], self.frame["actuator"]

    def hold(self, opening: float, igniter: float, gimbal: float, t_s: float) -> None:
        """Drive everything towards these positions."""
        engine, board = self.vehicle.engine, self.vehicle.valve_board
        for valve in ("ox", "fuel"):
            error = opening - self.truth[f"{valve}_valve_pos"]
            drive = board.valve_gain_per_s * error / engine.valve_slew_per_s
            self.act[f"{valve}_drive"][:] = np.clip(drive, -1.0, 1.0)
        wanted = gimbal * math.sin(5.0 * t_s)
        error = wanted - self.truth["gimbal_x_rad"]
        rate = math.radians(engine.gimbal_rate_degps)
        self.act["gimbal_x_drive"][:] = np.clip(board.gimbal_gain_per_s * error / rate, -1.0, 1.0)
        self.act["fin_cmd_rad"][:] = 2.0 * wanted
        self.act["igniter"][:] = igniter


def fly(picture: Picture, *, faulty: bool = True) -> Any:
    """Return times (s) and the signal of engine 1 and engine 2, every millisecond."""
    b = Booster(4000.0 if picture.kind == "tank.load_error" else 10_000.0)
    rows = []
    pending = strikes(picture, b) if faulty else []
    for k in range(round(picture.span_s[1] * 1e3)):
        t_s = 1e-3 * k
        for at_s, strike in [entry for entry in pending if entry[0] <= t_s]:
            strike()
            pending = [entry for entry in pending if entry[0] > at_s]
        if k % 10 == 0:
            b.hold(picture.throttle(t_s), float(t_s < 2.0), picture.gimbal, t_s)
        b.plant.advance((k + 1) * MS)
        values = b.truth[picture.signal]
        rows.append((t_s, float(values[HEALTHY]), float(values[SLOT])))
    table = np.array(rows)
    return table[table[:, 0] >= picture.span_s[0]]


def strikes(picture: Picture, b: Booster) -> list[tuple[float, Callable[[], None]]]:
    """Return when the fault does what to the plant."""
    struck = CATALOGUE[picture.kind].strikes
    place = {"engine": {"engine": SLOT + 1}, "fin": {"fin": SLOT + 1}, "tank": {}}[struck]
    fault = FaultSpec.model_validate({"kind": picture.kind, "at_s": 0.0, **place, **picture.sizes})
    index = 0 if struck == "tank" else SLOT
    if picture.kind == "bay.fire":
        return [
            (picture.at_s + after_s, plant_changes(b.plant.effects, index, {name: 1.0}))
            for after_s, name in fire_order(fault)
        ]
    return [(picture.at_s, plant_changes(b.plant.effects, index, PLANT_FAULTS[picture.kind](fault)))]


def thinned(t: Any, y: Any) -> list[tuple[float, float]]:
    """Return a curve of at most POINTS points that keeps the extremes of every stretch."""
    if len(t) <= POINTS:
        return list(zip(t, y, strict=True))
    out: list[tuple[float, float]] = []
    for part in np.array_split(np.arange(len(t)), POINTS // 2):
        pair = sorted({int(part[np.argmin(y[part])]), int(part[np.argmax(y[part])])})
        out += [(float(t[i]), float(y[i])) for i in pair]
    return out


def draw(picture: Picture, table: Any) -> str:
    """Return the SVG of a flown picture."""
    label, scale = UNITS[picture.signal]
    t, curves = table[:, 0], table[:, 1:] * scale
    low, high = float(min(curves.min(), 0.0)), float(curves.max())
    if high - float(curves.min()) < 0.3 * high:
        low = float(curves.min()) - 0.3 * (high - float(curves.min()))
    high = high + 0.05 * (high - low) if high > low else low + 1.0
    x_scale = (WIDTH - LEFT - 10) / (t[-1] - t[0])
    y_scale = (HEIGHT - BOTTOM - TOP) / (high - low)

    def x_at(value: float) -> float:
        return float(LEFT + (value - t[0]) * x_scale)

    def y_at(value: float) -> float:
        return float(HEIGHT - BOTTOM - (value - low) * y_scale)

    sizes = ", ".join(f"{k} {v}" for k, v in picture.sizes.items())
    note = f" - {picture.note}" if picture.note else ""
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" {FONT}>',
        f'<rect width="{WIDTH}" height="{HEIGHT}" fill="#fff"/>',
        f'<text x="{LEFT}" y="15"><tspan font-weight="bold">{picture.kind}</tspan> {sizes}{note}</text>',
    ]
    for i in range(5):
        value = low + i * (high - low) / 4.0
        y = y_at(value)
        lines.append(f'<path d="M{LEFT} {y:.1f}H{WIDTH - 10}" stroke="#ddd"/>')
        lines.append(f'<text x="{LEFT - 5}" y="{y + 4:.1f}" text-anchor="end">{value:.3g}</text>')
        when = t[0] + i * (t[-1] - t[0]) / 4.0
        place = f'x="{x_at(when):.1f}" y="{HEIGHT - BOTTOM + 15}" text-anchor="middle"'
        lines.append(f"<text {place}>{when:.3g}</text>")
    lines.append(f'<text x="{LEFT}" y="{HEIGHT - 4}">{label}, over time, s</text>')
    for column, colour, width in ((0, "#9ab", 1.2), (1, "#124", 1.4)):
        points = " ".join(f"{x_at(a):.1f},{y_at(v):.1f}" for a, v in thinned(t, curves[:, column]))
        lines.append(f'<polyline points="{points}" fill="none" stroke="{colour}" stroke-width="{width}"/>')
    return "\n".join([*lines, "</svg>", ""])


def pictured() -> list[str]:
    """Return the kinds that a picture shows: those of engines, fins and tanks, but not of sensors."""
    kinds = [kind for kind in CATALOGUE.values() if kind.strikes in ("engine", "fin", "tank")]
    return [kind.name for kind in kinds if kind.needs == "plant" or kind.name == "bay.fire"]


def main() -> int:
    """Draw all pictures, or look for missing ones."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true")
    check = parser.parse_args().check
    drawn = {picture.kind for picture in PICTURES}
    missing = [name for name in pictured() if name not in drawn]
    missing += [name for name in drawn if check and not (OUT / f"{name}.svg").is_file()]
    if missing:
        print(f"no picture of {', '.join(missing)}: see PICTURES in {Path(__file__).name}")
        return 1
    if check:
        return 0
    OUT.mkdir(parents=True, exist_ok=True)
    for picture in PICTURES:
        table = fly(picture)
        if picture.signal == "omega_body_radps":  # of the body, not of an engine: fly it again, healthy
            table[:, 1] = fly(picture, faulty=False)[:, 2]
        (OUT / f"{picture.kind}.svg").write_text(draw(picture, table), encoding="utf-8")
    print(f"{len(PICTURES)} pictures in {OUT.relative_to(ROOT)}")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
