"""Margins of the reference kernel's loops, from a linear model of kernel, bench and vehicle.

    python tools/loop_margins.py [VEHICLE.toml ...]

The model holds position, velocity, attitude, turn rate and gimbal of one axis, the gains as they stand in
csrc/, the valve board's position loop, and the delays of the bench: navigation latency, one frame of bus,
one frame of board.  Aerodynamic forces are left out: it is the landing on engines at low speed.
"""

from __future__ import annotations

import math
import re
import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from hil.plant.vehicle import Vehicle, load_vehicle

ROOT = Path(__file__).parents[1]
DT = 0.01
NAV_FRAMES = 5
"""Navigation latency of 50 ms."""
BUS_FRAMES = 2
"""Command on the bus, and the board's own frame."""

Matrix = npt.NDArray[np.float64]


def constant(file: str, name: str) -> float:
    """Return the number that `#define name` has in csrc/file."""
    text = (ROOT / "csrc" / file).read_text(encoding="utf-8")
    found = re.search(rf"#define {name} +\(?(-?[0-9.]+)", text)
    if found is None:
        raise SystemExit(f"csrc/{file} does not define {name}")
    return float(found[1])


@dataclass(frozen=True)
class Loop:
    """One axis of a stage on `engines` engines; factors make its actuators slower."""

    vehicle: Vehicle
    engines: int
    mass_kg: float
    throttle: float = 0.7
    gimbal_gain_factor: float = 1.0
    gimbal_lag_factor: float = 1.0
    steer: bool = True
    """False leaves the position loop open: the attitude loop alone."""

    @property
    def matrices(self) -> tuple[Matrix, Matrix, Matrix]:
        """A, B, C with x' = A x + B u and the kernel's gimbal command C x."""
        n = 6 + NAV_FRAMES + BUS_FRAMES + 1
        zero, rest = np.zeros(n), self._next
        a = np.column_stack([rest(column, 0.0)[0] for column in np.eye(n)])
        b = rest(zero, 1.0)[0].reshape(n, 1)
        c = np.array([[rest(column, 0.0)[1] for column in np.eye(n)]])
        return a, b, c

    def _push_and_turn(self) -> tuple[float, float]:
        """Return the specific thrust (m/s^2) and the turning acceleration of a gimbal angle (1/s^2)."""
        engine, body = self.vehicle.engine, self.vehicle.body
        thrust = self.engines * self.throttle * engine.thrust_sl_n
        propellant, between = self.mass_kg - body.dry_kg, body.dry_cm_z_m - body.propellant_cm_z_m
        push = thrust / self.mass_kg
        arm = body.dry_cm_z_m - between * propellant / self.mass_kg - body.gimbal_plane_z_m
        inertia = body.inertia_transverse_kgm2 + body.dry_kg * propellant / self.mass_kg * between**2
        return push, thrust * arm / inertia

    def _next(self, s: Matrix, u: float) -> tuple[Matrix, float]:
        """Return the next state and the kernel's gimbal command, for the gimbal command `u` on the bus."""
        engine, board = self.vehicle.engine, self.vehicle.valve_board
        push, turn_gain = self._push_and_turn()
        x, v, tilt, rate, gimbal, speed = s[:6]
        seen, bus, turning = s[6 : 6 + NAV_FRAMES], s[6 + NAV_FRAMES : -1], s[-1]
        old_rate = seen[-1]
        tilt_now = tilt - DT * seen.sum() + NAV_FRAMES * DT * old_rate
        wanted = self._wanted_tilt(x, v, tilt_now, old_rate, push) if self.steer else 0.0
        predicted = old_rate + NAV_FRAMES * DT * turning
        accel = constant("fk_control.c", "RATE_GAIN") * (
            constant("fk_control.c", "ANGLE_GAIN") * (wanted - tilt_now) - predicted
        )
        next_turning = turning + DT / constant("fk_control.c", "ACTUATION_S") * (accel - turning)
        command = -accel / turn_gain
        drive = board.gimbal_gain_per_s * self.gimbal_gain_factor * (bus[-1] - gimbal)
        next_speed = speed + DT / (engine.gimbal_lag_s * self.gimbal_lag_factor) * (drive - speed)
        next_rate = rate - DT * turn_gain * gimbal
        next_v = v + DT * push * (tilt + gimbal)
        moved = [
            x + DT * next_v,
            next_v,
            tilt + DT * next_rate,
            next_rate,
            gimbal + DT * next_speed,
            next_speed,
        ]
        return np.array([*moved, rate, *seen[:-1], u, *bus[:-1], next_turning]), float(command)

    def _wanted_tilt(self, x: float, v: float, tilt: float, rate: float, push: float) -> float:
        """The quadratic law of fk_guidance.c at its least time to go."""
        lead = constant("fk_parts.h", "FK_ATTITUDE_LEAD_S")
        part = min(max(constant("fk_guidance.c", "LATERAL_FORCE_MPS2") / push, 0.4), 1.0)
        t = constant("fk_guidance.c", "LATERAL_TIME_MIN_S") * math.sqrt(part)
        now = push * (tilt + lead / 3.0 * rate)
        ahead = x + lead * v + 0.5 * lead * lead * now
        speed = v + lead * (now + lead / 6.0 * push * rate)
        return (-12.0 * ahead / (t * t) - 6.0 * speed / t) / push


def least_damping(loop: Loop) -> float:
    """Return the least damping ratio of the closed loop's modes slower than 15 rad/s."""
    a, b, c = loop.matrices
    poles = np.linalg.eigvals(a + b @ c)
    s = np.log(poles[np.abs(poles) > 1e-6].astype(complex)) / DT
    modes = s[(np.abs(s) < 15.0) & (np.abs(s) > 1e-4)]
    return float(np.min(-modes.real / np.abs(modes)))


def margins(loop: Loop) -> tuple[float, float]:
    """Return gain margin (dB, the smaller of up and down) and phase margin (deg), broken at the gimbal."""
    a, b, c = loop.matrices
    omega = np.geomspace(0.05, 100.0, 4000)
    identity = np.eye(len(a))
    gains = np.array([-(c @ np.linalg.solve(np.exp(1j * w * DT) * identity - a, b))[0, 0] for w in omega])
    size, phase = np.abs(gains), np.unwrap(np.angle(gains))
    crossings = np.flatnonzero(np.diff(np.sign(size - 1.0)) != 0)
    phase_margin = min(abs(math.degrees(math.remainder(phase[i] + math.pi, 2 * math.pi))) for i in crossings)
    turned = np.sin(phase)
    flips = np.flatnonzero((np.diff(np.sign(turned)) != 0) & (np.cos(phase[:-1]) < 0.0))
    gain_margin = min(abs(20.0 * math.log10(size[i])) for i in flips)
    return gain_margin, phase_margin


def loops(vehicle: Vehicle, *, steer: bool) -> dict[str, Loop]:
    """Return the stage as it lands, and with everything that turns it worse than stated."""
    mass = vehicle.body.dry_kg + 0.3 * vehicle.body.propellant_kg
    every = len(vehicle.landing_engines)
    full = vehicle.body.dry_kg + 0.8 * vehicle.body.propellant_kg
    return {
        "one engine": Loop(vehicle, 1, mass, steer=steer),
        "one engine, gimbal loop a quarter slower": Loop(
            vehicle, 1, mass, gimbal_gain_factor=0.75, steer=steer
        ),
        "one engine, gimbal lag doubled": Loop(vehicle, 1, mass, gimbal_lag_factor=2.0, steer=steer),
        f"all {every}": Loop(vehicle, every, full, steer=steer),
    }


def main() -> None:
    """Print a table for each vehicle."""
    paths = [Path(p) for p in sys.argv[1:]] or sorted((ROOT / "rigs" / "vehicles").glob("*.toml"))
    for path in paths:
        vehicle = load_vehicle(path)
        print(f"{vehicle.name:44} damping   gain margin   phase margin")
        for steer, what in ((False, "attitude alone"), (True, "with the lateral loop")):
            for name, loop in loops(vehicle, steer=steer).items():
                gain, phase = margins(loop)
                print(
                    f"  {what + ', ' + name:62} {least_damping(loop):4.2f}  {gain:5.1f} dB  {phase:4.0f} deg"
                )


if __name__ == "__main__":
    main()
