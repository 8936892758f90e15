"""The plant against the recorded landing of CRS-12: drag fit, coast, and a throttle history that follows it.

python tools/recorded_flight.py drag       fit the axial force to the 20 s before ignition, print the table
python tools/recorded_flight.py coast      fly these 20 s with the vehicle as it is, print ours and the record
python tools/recorded_flight.py throttle   fit a throttle history to the burn, draw docs/crs12_throttle.svg
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt

ROOT: Final = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / "tools")]

from line_plot import Line, Panel, draw_panels  # noqa: E402

from hil.faults.case import Case, load_case  # noqa: E402
from hil.plant.coast import fly_booster, fly_coast  # noqa: E402
from hil.plant.vehicle import Vehicle, load_vehicle  # noqa: E402
from hil.signals import Frame  # noqa: E402

__all__ = ["coast_errors", "fit_drag", "fit_throttle", "main", "record", "vehicle"]

Array = npt.NDArray[np.float64]

SPEED_MPS: Final = 5.0
ALTITUDE_M: Final = 75.0
"""What a misfit of speed and of altitude is divided by: half of what is allowed at ignition."""
BEND: Final = 0.05
"""The same for the bend of the drag's correction from one point of the table to the next."""
DRAG_FROM_MACH: Final = 0.9
BY_DECELERATION: Final = (0.82, 0.924, 1.10, 1.28, 1.447, 1.56, 1.59, 1.40)
"""Axial force from DRAG_FROM_MACH up where the record's deceleration alone is used: the fit starts here."""

RMS_MPS: Final = 5.0
KNOTS_S: Final = 2.0
BURN_S: Final = 33.0
STARTS_S: Final = (0.0, 0.5, 1.0, 1.5)
"""Moments of the start command that are tried: the record's times are rounded to 1 s, its display is late."""
THROTTLE_ALTITUDE_M: Final = 50.0
THROTTLE_BEND: Final = 0.3
FRAME_S: Final = 0.02
CHASE_PER_MPS: Final = 0.025
ALIGN_PER_RAD: Final = 1.0
ALIGN_S: Final = 1.5
"""Gains of the attitude hold: gimbal angle by misalignment (1) and by turn rate (s)."""


def vehicle() -> Vehicle:
    """Return the vehicle that is held against the record."""
    return load_vehicle(ROOT / "rigs" / "vehicles" / "falcon9_class.toml")


def record() -> tuple[Array, Array, Array]:
    """Return the record: time from landing ignition (s), speed (m/s), altitude (m)."""
    table = np.loadtxt(ROOT / "rigs" / "plant" / "crs12_record.csv", delimiter=",", skiprows=3)
    return table[:, 0], table[:, 1], table[:, 2]


def least_squares(
    residuals: Callable[[Array], Array], start: Array, low: float, high: float, rounds: int
) -> Array:
    """Minimise the sum of squares by damped Gauss-Newton steps, parameters held to low..high."""
    x, damping = start.copy(), 1e-3
    r = residuals(x)
    for _ in range(rounds):
        step = 1e-3 * np.where(x + 1e-3 > high, -1.0, 1.0)
        slopes = np.array(
            [(residuals(x + step * unit) - r) / s for unit, s in zip(np.eye(len(x)), step, strict=True)]
        ).T
        normal = slopes.T @ slopes
        for _ in range(6):
            trial = np.clip(x - np.linalg.solve(normal + damping * np.eye(len(x)), slopes.T @ r), low, high)
            trial_r = residuals(trial)
            if trial_r @ trial_r < r @ r:
                x, r, damping = trial, trial_r, 0.3 * damping
                break
            damping *= 10.0
    return x


# ---- the coast


def coast_errors(flown: Vehicle, case: Case) -> tuple[Array, Array]:
    """Return speed and altitude errors against the record from -20 s to ignition, in time."""
    history = fly_coast(flown, case, 20.0, 0.1)
    times, speed, altitude = record()
    before = times <= 0.0
    ours = (
        np.interp(times[before], history["t_s"] - 20.0, history[name]) for name in ("speed_mps", "altitude_m")
    )
    return next(ours) - speed[before], next(ours) - altitude[before]


def fit_drag(base: Vehicle) -> Vehicle:
    """Return `base` with its axial force from DRAG_FROM_MACH up fitted to the record before ignition."""
    case = load_case(ROOT / "rigs" / "cases" / "crs12_coast.toml")
    aero = base.aero
    points = [i for i, mach in enumerate(aero.mach) if mach >= DRAG_FROM_MACH]

    def changed(parts: Array) -> Vehicle:
        axial = np.array(aero.axial)
        axial[points] = np.array(BY_DECELERATION) * (1.0 + parts)
        return base.model_copy(update={"aero": aero.model_copy(update={"axial": tuple(axial.tolist())})})

    def residuals(parts: Array) -> Array:
        speed, altitude = coast_errors(changed(parts), case)
        root = np.sqrt(len(speed))
        return np.concatenate(
            [
                speed / SPEED_MPS / root,
                altitude / ALTITUDE_M / root,
                np.diff(parts, 2) / BEND,
                parts / (10.0 * BEND),
            ]
        )

    return changed(least_squares(residuals, np.zeros(len(points)), -0.5, 0.5, 4))


# ---- the burn


class Follower:
    """Flies a throttle history: valves after it, the engine's axis against the velocity by the gimbal."""

    def __init__(self, flown: Vehicle, throttle: Array, start_s: float) -> None:
        self.vehicle = flown
        self.start_s = start_s
        self.knots_s = KNOTS_S * np.arange(len(throttle))
        self.throttle = throttle

    def wanted(self, t_s: float, truth: Any) -> float:  # noqa: ARG002 (others look at it)
        """Return the throttle for the time `t_s`."""
        return float(np.interp(t_s, self.knots_s, self.throttle))

    def __call__(self, t_s: float, frame: Frame) -> None:
        """Write the drives for the next stretch."""
        truth, act = frame["truth"], frame["actuator"]
        engine, board = self.vehicle.engine, self.vehicle.valve_board
        if t_s < self.start_s:
            return
        wanted = self.wanted(t_s, truth)
        act["igniter"][:] = 0.0 if truth["lit"].all() else 1.0
        for name in ("ox", "fuel"):
            gap = wanted - truth[f"{name}_valve_pos"]
            act[f"{name}_drive"][:] = np.clip(
                board.valve_gain_per_s * gap / engine.valve_slew_per_s, -1.0, 1.0
            )
        x, y = self._gimbal(truth)
        rate = np.radians(engine.gimbal_rate_degps)
        for name, angle in (("x", x), ("y", y)):
            gap = angle - truth[f"gimbal_{name}_rad"]
            act[f"gimbal_{name}_drive"][:] = np.clip(board.gimbal_gain_per_s * gap / rate, -1.0, 1.0)

    def _gimbal(self, truth: Any) -> tuple[float, float]:
        """Return gimbal angles that turn the nose against the velocity."""
        w, *v = truth["q_pad_from_body"]
        wanted = -truth["vel_pad_mps"] / max(float(np.linalg.norm(truth["vel_pad_mps"])), 1.0)
        cross = np.cross(v, wanted)
        in_body = wanted - 2.0 * w * cross + 2.0 * np.cross(v, cross)
        omega = truth["omega_body_radps"]
        limit = np.radians(self.vehicle.engine.gimbal_limit_deg)
        y = np.clip(-ALIGN_PER_RAD * in_body[1] - ALIGN_S * omega[0], -limit, limit)
        x = np.clip(-ALIGN_PER_RAD * in_body[0] + ALIGN_S * omega[1], -limit, limit)
        return float(x), float(y)


class Chaser(Follower):
    """Follows the recorded speed by feedback: the first guess of the throttle history."""

    def wanted(self, t_s: float, truth: Any) -> float:
        """Return a throttle that takes the speed error away; note it in the history."""
        times, speed, _ = record()
        ahead = float(np.linalg.norm(truth["vel_pad_mps"])) - float(np.interp(t_s + 1.0, times, speed))
        engine = self.vehicle.engine
        throttle = float(np.clip(0.25 + CHASE_PER_MPS * ahead, engine.throttle_floor, 1.0))
        self.throttle[np.abs(self.knots_s - t_s) <= 0.5 * KNOTS_S] = throttle
        return throttle


def burn_case() -> Case:
    """Return the case of the burn: the recorded state at ignition."""
    return load_case(ROOT / "rigs" / "cases" / "crs12.toml")


def fly_throttle(flown: Vehicle, throttle: Array, start_s: float) -> dict[str, Array]:
    """Fly the burn with a throttle history (knots KNOTS_S apart), the valves shut until `start_s`."""
    return fly_booster(flown, burn_case(), BURN_S, FRAME_S, Follower(flown, throttle, start_s))


def burn_errors(history: dict[str, Array]) -> tuple[Array, Array]:
    """Return speed and altitude errors against the record, from ignition to 1 s before the end."""
    times, speed, altitude = record()
    after = (times >= 0.0) & (times <= BURN_S - 1.0)
    ours = (
        np.interp(times[after], history["t_s"], history[name], right=0.0)
        for name in ("speed_mps", "altitude_m")
    )
    return next(ours) - speed[after], next(ours) - altitude[after]


def rms(values: Array) -> float:
    """Return the root of the mean square."""
    return float(np.sqrt(np.mean(values**2)))


def fit_throttle(flown: Vehicle, start_s: float) -> tuple[Array, float]:
    """Return the throttle knots that follow the record best, and the rms of the speed error, m/s."""
    floor = flown.engine.throttle_floor

    def residuals(throttle: Array) -> Array:
        speed, altitude = burn_errors(fly_throttle(flown, throttle, start_s))
        root = np.sqrt(len(speed))
        bend = np.diff(throttle, 2) / THROTTLE_BEND / len(throttle)
        return np.concatenate([speed / root, altitude / THROTTLE_ALTITUDE_M / root, bend])

    guess = np.full(round(BURN_S / KNOTS_S) + 2, floor)
    fly_booster(flown, burn_case(), BURN_S, FRAME_S, Chaser(flown, guess, start_s))
    best = least_squares(residuals, guess, floor, 1.0, 6)
    return best, rms(burn_errors(fly_throttle(flown, best, start_s))[0])


def draw(path: Path, flown: Vehicle, history: dict[str, Array], rms_mps: float) -> None:
    """Write the plot of the burn to `path`."""
    times, speed, altitude = record()
    after = (times >= 0.0) & (times <= BURN_S)
    times, speed, altitude = times[after], speed[after], altitude[after]
    few = slice(None, None, 5)
    t = history["t_s"][few]
    blue, red, grey = "#1f6fb4", "#c23b22", "#999"
    ends, floor = (0.0, BURN_S), flown.engine.throttle_floor

    def ours(name: str) -> Line:
        return Line("plant", blue, t, history[name][few])

    draw_panels(
        path,
        (
            Panel(
                f"speed, m/s (rms error {rms_mps:.2f} m/s)",
                0.0,
                350.0,
                (Line("record", red, times, speed), ours("speed_mps")),
            ),
            Panel("altitude, m", 0.0, 5000.0, (Line("record", red, times, altitude), ours("altitude_m"))),
            Panel(
                "chamber pressure, fraction of full",
                0.0,
                1.2,
                (
                    ours("chamber_fraction"),
                    Line("limits", grey, ends, (1.0, 1.0)),
                    Line("", grey, ends, (floor, floor)),
                ),
            ),
        ),
        ends,
        5.0,
    )


# ---- the command


def print_coast(flown: Vehicle) -> None:
    """Print ours and the record every 4 s."""
    speed, altitude = coast_errors(flown, load_case(ROOT / "rigs" / "cases" / "crs12_coast.toml"))
    times, recorded, heights = record()
    print(f"{'t s':>6}{'speed':>9}{'record':>9}{'off m/s':>9}{'altitude':>10}{'record':>9}{'off m':>8}")
    for wanted in range(-20, 1, 4):
        i = int(np.argmin(np.abs(times[: len(speed)] - wanted)))
        print(
            f"{times[i]:6.1f}{recorded[i] + speed[i]:9.1f}{recorded[i]:9.1f}{speed[i]:9.1f}"
            f"{heights[i] + altitude[i]:10.0f}{heights[i]:9.0f}{altitude[i]:8.0f}"
        )


def write_throttle(flown: Vehicle) -> int:
    """Fit the throttle for each start, keep the best, write it and its plot."""
    fits = []
    for start_s in STARTS_S:
        knots, rms_mps = fit_throttle(flown, start_s)
        print(f"start command at {start_s:3.1f} s: speed error {rms_mps:5.2f} m/s rms")
        fits.append((rms_mps, start_s, knots.round(4)))
    rms_mps, start_s, knots = min(fits, key=lambda fit: fit[0])
    history = fly_throttle(flown, knots, start_s)
    stored = {
        "start_s": start_s,
        "knots_s": KNOTS_S,
        "throttle": knots.tolist(),
        "speed_rms_mps": round(rms_mps, 3),
    }
    (ROOT / "rigs" / "plant" / "crs12_throttle.json").write_text(
        json.dumps(stored, indent=1) + "\n", encoding="utf-8"
    )
    draw(ROOT / "docs" / "crs12_throttle.svg", flown, history, rms_mps)
    print(
        f"kept the start at {start_s} s; {history['altitude_m'][-1]:.0f} m up at {history['t_s'][-1]:.1f} s"
    )
    return 0 if rms_mps < RMS_MPS else 1


def main() -> int:
    """Run the command; return its exit status (1: the throttle history is worse than 5 m/s rms)."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("what", choices=("drag", "coast", "throttle"))
    what = parser.parse_args().what
    flown = vehicle()
    if what == "drag":
        flown = fit_drag(flown)
        print("mach  =", list(flown.aero.mach))
        print("axial =", [round(value, 3) for value in flown.aero.axial])
    if what in ("drag", "coast"):
        print_coast(flown)
        return 0
    return write_throttle(flown)


if __name__ == "__main__":
    sys.exit(main())
