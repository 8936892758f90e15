"""Margins of the reference kernel's loops, over the conditions that a landing of each vehicle meets.

    python tools/loop_margins.py [VEHICLE.toml ...]   print every condition
    python tools/loop_margins.py --write              write the table of worst cases in docs/KERNEL.md
    python tools/loop_margins.py --check              compare it with the one that stands there

The model is that of loop_model.py.  The loop is cut where control hands its torque to allocation, the one
place that both gimbals and fins hang on.  A loop that needs its feedback (weakly stable air, an integrator,
slosh) has a gain margin both ways: by how much the gain may rise, and by how much it may fall.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import product
from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt

ROOT: Final = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / "tools")]

from loop_model import DT, Loop, Stage, constant  # noqa: E402

from hil.plant.atmosphere import SEA_LEVEL_PA  # noqa: E402
from hil.plant.vehicle import Vehicle, load_vehicle  # noqa: E402

__all__ = ["Condition", "Margins", "conditions", "least_damping", "main", "margins", "table", "vehicles"]

PAGE: Final = ROOT / "docs" / "KERNEL.md"
BEGIN: Final = "<!-- loop margins -->\n"
END: Final = "<!-- end -->\n"

Poles = npt.NDArray[np.complex128]


@dataclass(frozen=True)
class Fall:
    """A stretch of the landing: how fast, how high, how full, on which engines."""

    name: str
    speed_mps: float
    height_m: float
    fills: tuple[float, ...]
    engines: tuple[str, ...]
    braking: bool
    """Still planned at the braking thrust; else at that of the landing."""


FALLS: Final = (
    # what, speed (m/s), height (m), landing propellant left, engines that are out at the most
    Fall("start of the burn", 330.0, 2800.0, (1.0, 0.8), ("all", "one out"), braking=True),
    Fall("braking", 200.0, 1000.0, (0.9, 0.5), ("all", "one out"), braking=True),
    Fall("early step-down", 120.0, 600.0, (0.7, 0.5), ("all", "one out"), braking=True),
    Fall("step-down", 55.0, 300.0, (0.5, 0.3), ("all", "one out", "centre alone"), braking=False),
    Fall("touchdown", 1.0, 1.0, (0.4, 0.03), ("one out", "centre alone"), braking=False),
)
"""From the start of the burn to touchdown, with more and with less propellant than is flown there."""
OFF_NOMINAL: Final = (
    # what, factor of the gimbals' position loop, of their lag, wind across (m/s)
    ("", 1.0, 1.0, 0.0),
    (", gimbal loop a quarter slower", 0.75, 1.0, 0.0),
    (", gimbal loop a quarter faster", 1.25, 1.0, 0.0),
    (", gimbal lag doubled", 1.0, 2.0, 0.0),
    (", 15 m/s of wind", 1.0, 1.0, 15.0),
)
"""As stated, and with one thing worse than stated."""


@dataclass(frozen=True)
class Margins:
    """What a loop can stand; infinite where no amount upsets it, all zero where it is unstable as it is."""

    up_db: float
    """By how much the gain may rise."""
    down_db: float
    """By how much it may fall."""
    phase_deg: float
    """By how much the phase may turn, either way."""

    @property
    def gain_db(self) -> float:
        """The smaller of both ways."""
        return min(self.up_db, self.down_db)


@dataclass(frozen=True)
class Condition:
    """A stage as a landing meets it."""

    name: str
    loop: Loop


def _poles(loop: Loop) -> tuple[Poles, Poles]:
    """Return the poles of the open and of the closed loop (in z)."""
    a, b, c, _ = loop.matrices
    return np.linalg.eigvals(a).astype(complex), np.linalg.eigvals(a + b @ c).astype(complex)


def _continuous(poles: Poles) -> Poles:
    """Return those that are not plain delays, in s."""
    moving = poles[np.abs(poles) > 0.02]
    rates: Poles = np.asarray(np.log(moving) / DT, dtype=np.complex128)
    return rates


def least_damping(loop: Loop) -> float:
    """Return the least damping ratio of the closed loop's modes slower than 15 rad/s."""
    s = _continuous(_poles(loop)[1])
    modes = s[(np.abs(s) < 15.0) & (np.abs(s) > 1e-3)]
    return float(np.min(-modes.real / np.abs(modes)))


def _frequencies(poles: Poles) -> npt.NDArray[np.float64]:
    """Return rad/s from slow to the frame's own, close together about every mode."""
    every = _continuous(poles)
    s = every[(every.imag > 0.05) & (every.imag < math.pi / DT)]
    near = s.imag[:, None] + np.abs(s.real)[:, None] * np.linspace(-6.0, 6.0, 121)
    spread = np.geomspace(0.01, math.pi / DT, 3000)
    omega = np.unique(np.concatenate([spread, near.ravel()]))
    inside: npt.NDArray[np.float64] = omega[(omega >= spread[0]) & (omega <= spread[-1])]
    return inside


def _return(loop_poles: tuple[Poles, Poles], omega: npt.NDArray[np.float64]) -> Poles:
    """Return the loop's frequency response L: 1 + L is closed over open characteristic polynomial."""
    z = np.exp(1j * omega * DT)
    response = np.ones_like(z)
    for before, after in zip(*loop_poles, strict=True):
        response *= (z - after) / (z - before)
    loop: Poles = response - 1.0
    return loop


def margins(loop: Loop) -> Margins:
    """Return the margins of the loop, cut at the torque that control asks for."""
    opened, closed = _poles(loop)
    if np.any(_continuous(closed).real > 1e-3):
        return Margins(0.0, 0.0, 0.0)
    response = _return((opened, closed), _frequencies(np.concatenate([opened, closed])))
    factors = -1.0 / _real_crossings(response)
    up, down = factors[factors > 1.0], factors[(factors > 0.0) & (factors < 1.0)]
    return Margins(
        20.0 * math.log10(up.min()) if up.size else math.inf,
        -20.0 * math.log10(down.max()) if down.size else math.inf,
        _phase_margin_deg(response),
    )


def _real_crossings(response: Poles) -> npt.NDArray[np.float64]:
    """Return where the response crosses the negative real axis."""
    at = np.flatnonzero(np.diff(np.sign(response.imag)) != 0)
    part = response.imag[at] / (response.imag[at] - response.imag[at + 1])
    real = response.real[at] + part * (response.real[at + 1] - response.real[at])
    crossed: npt.NDArray[np.float64] = real[real < 0.0]
    return crossed


def _phase_margin_deg(response: Poles) -> float:
    size = np.log(np.abs(response))
    at = np.flatnonzero(np.diff(np.sign(size)) != 0)
    if not at.size:
        return math.inf
    part = size[at] / (size[at] - size[at + 1])
    crossing = response[at] + part * (response[at + 1] - response[at])
    return float(np.degrees(np.abs(np.angle(-crossing)).min()))


def _clusters(vehicle: Vehicle, fall: Fall) -> Iterator[tuple[str, int]]:
    """The engines that burn in this stretch: a vehicle that lands on one has no other."""
    every = len(vehicle.landing_engines)
    if every == 1:
        yield "its engine", 1
        return
    counts = {"all": every, "one out": every - 1, "centre alone": 1}
    for name in fall.engines:
        yield name, counts[name]


def _thrusts(vehicle: Vehicle, fall: Fall, engines: int, *, steer: bool) -> tuple[float, float]:
    """Return the least and the most thrust of an engine over its sea-level thrust.

    For the attitude loop all that it can give; for steering the planned one, shared by those that burn,
    within 15 %.
    """
    engine, plan = vehicle.engine, vehicle.guidance
    lost = SEA_LEVEL_PA * engine.nozzle_exit_area_m2 / engine.thrust_sl_n
    floor = engine.throttle_floor * (1.0 + lost) - lost
    if not steer:
        return floor, 1.0
    planned = (
        plan.brake_throttle * len(vehicle.landing_engines) / engines if fall.braking else plan.land_throttle
    )
    return max(0.85 * planned, floor), min(1.15 * planned, 1.0)


def conditions(vehicle: Vehicle, *, steer: bool) -> Iterator[Condition]:
    """The grid: fall, engines, thrust, propellant, gimbals and wind.

    The steering loop works in the time that the fall leaves at an even deceleration (closed form), and in
    that of the tracking of a plan.
    """
    for fall in FALLS:
        for what, engines in _clusters(vehicle, fall):
            for thrust, fill in product(_thrusts(vehicle, fall, engines, steer=steer), fall.fills):
                propellant_kg = fill * vehicle.body.propellant_kg
                stage = Stage(vehicle, engines, propellant_kg, thrust, fall.speed_mps, fall.height_m)
                name = f"{fall.name}, {what}, thrust {thrust:.0%}, propellant {fill:.0%}"
                yield from _off_nominal(name, stage, steer=steer)


def _off_nominal(name: str, stage: Stage, *, steer: bool) -> Iterator[Condition]:
    for how, gain, lag, wind_mps in OFF_NOMINAL:
        loop = Loop(replace(stage, across_mps=(wind_mps, 0.0)), gain, lag, steer=steer)
        if not steer:
            yield Condition(name + how, loop)
            continue
        left_s = 2.0 * stage.height_m / stage.speed_mps - constant("fk_parts.h", "FK_ATTITUDE_LEAD_S")
        times = {max(left_s, loop.least_steer_s), constant("fk_plan.c", "LATERAL_TIME_S")}
        for steer_s in sorted(times):
            yield Condition(f"{name}{how}, in {steer_s:.1f} s", replace(loop, steer_s=steer_s))


def vehicles() -> list[Vehicle]:
    """Return the shipped vehicles."""
    return [load_vehicle(path) for path in sorted((ROOT / "rigs" / "vehicles").glob("*.toml"))]


def _worst(vehicle: Vehicle, *, steer: bool) -> Iterator[str]:
    """Return the table's rows of one loop: each worst figure with its condition."""
    found = [(margins(condition.loop), condition.name) for condition in conditions(vehicle, steer=steer)]
    what = "with steering" if steer else "attitude"
    for label, unit, key in (
        ("gain up", "dB", "up_db"),
        ("gain down", "dB", "down_db"),
        ("phase", "deg", "phase_deg"),
    ):
        value, name = min((getattr(each, key), name) for each, name in found)
        figure = f"{value:.1f} {unit}" if math.isfinite(value) else "any"
        yield f"| {vehicle.name} | {what} | {label} | {figure} | {name if math.isfinite(value) else ''} |"


def table() -> str:
    """Return the worst margins of the shipped vehicles in Markdown."""
    rows = ["| vehicle | loop | margin | worst | where |", "|---|---|---|---|---|"]
    for vehicle in vehicles():
        for steer in (False, True):
            rows += _worst(vehicle, steer=steer)
    return "\n".join(rows) + "\n"


def _print_all(paths: list[Path]) -> None:
    for vehicle in [load_vehicle(path) for path in paths] or vehicles():
        print(f"{vehicle.name}: gain up and down (dB), phase (deg), damping")
        for steer, what in ((False, "attitude"), (True, "with steering")):
            for condition in conditions(vehicle, steer=steer):
                m = margins(condition.loop)
                figures = f"{m.up_db:6.1f} {m.down_db:6.1f} {m.phase_deg:6.1f}"
                print(f"  {figures} {least_damping(condition.loop):5.2f}  {what}: {condition.name}")
    print(table(), end="")


def main() -> int:
    """Print every condition, or keep the table in docs/KERNEL.md; 1 when `--check` finds it out of step."""
    options = [argument for argument in sys.argv[1:] if argument.startswith("--")]
    if not options:
        _print_all([Path(argument) for argument in sys.argv[1:]])
        return 0
    text = PAGE.read_text(encoding="utf-8")
    head, rest = text.split(BEGIN)
    _, tail = rest.split(END, maxsplit=1)
    wanted = head + BEGIN + table() + END + tail
    if "--check" in options:
        if text != wanted:
            print("docs/KERNEL.md: the table of margins is not in step: run tools/loop_margins.py --write")
            return 1
        return 0
    PAGE.write_text(wanted, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
