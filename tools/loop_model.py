"""Linear model of one lateral axis: stage with slosh and air, actuators, bench, and the kernel's loops.

The stage is linearised from the plant itself (the body's derivative, the swing of the tanks), at a straight
fall; the kernel's gains are read from csrc/.  What is no matter of small signals is left out: dead zones,
slew limits, gimbal stops, tilt limits.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass, replace
from functools import cache, cached_property
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from hil.faults.case import Initial, Navigation, Wind
from hil.plant.aero import plume_shielding
from hil.plant.atmosphere import G0_MPS2
from hil.plant.core import set_mass
from hil.plant.model import BoosterPlant
from hil.plant.propellant import find_modes, leave, swing
from hil.plant.rigid import derivative
from hil.plant.vehicle import Vehicle
from hil.signals import Frame

__all__ = ["DT", "Loop", "Stage", "constant"]

ROOT: Final = Path(__file__).resolve().parent.parent
DT: Final = 0.01
"""Frame of bench and kernel, s."""
NAV_FRAMES: Final = round(Navigation().latency_ms * 1e-3 / DT)
"""Navigation latency."""
SENSED: Final = ("place", "speed", "tilt", "rate", "force")
"""What navigation tells of one axis: origin's place and speed, attitude, turn rate, specific force across."""
PROBE: Final = 1e-4
"""Half step of the differences: the derivative is all but linear over it."""

Matrix = npt.NDArray[np.float64]
Row = npt.NDArray[np.float64]
Rows = dict[str, Row]


@cache
def _source(file: str) -> str:
    return (ROOT / "csrc" / file).read_text(encoding="utf-8")


def constant(file: str, name: str) -> float:
    """Return the number that `#define name` has in csrc/file."""
    found = re.search(rf"#define {name}[ \\\n]+\(?(-?[0-9.]+)", _source(file))
    if found is None:
        raise SystemExit(f"csrc/{file} does not define {name}")
    return float(found[1])


def _control(name: str) -> float:
    return constant("fk_control.c", name)


@dataclass(frozen=True)
class Stage:
    """A stage in its fall, engines first: what acts on it, per unit of what moves it."""

    vehicle: Vehicle
    engines: int
    propellant_kg: float
    throttle: float
    """Thrust over the sea-level thrust of the burning engines."""
    speed_mps: float
    height_m: float
    across_mps: tuple[float, float] = (0.0, 0.0)
    """Speed through the air across the axis, in the plane of the motion and out of it: air gets stiffer."""

    @property
    def thrust_n(self) -> float:
        """Thrust of all burning engines."""
        return self.engines * self.throttle * self.vehicle.engine.thrust_sl_n

    @cached_property
    def records(self) -> tuple[Any, Any]:
        """Constants and body of the plant at this state, the specific force in it."""
        vehicle = self.vehicle
        initial = Initial(
            pos_pad_m=(0.0, 0.0, self.height_m),
            vel_pad_mps=(0.0, 0.0, -self.speed_mps),
            propellant_kg=self.propellant_kg,
        )
        frame = Frame(len(vehicle.landing_engines))
        c, s = BoosterPlant(frame, vehicle, initial, Wind(), 1_000_000).records()
        s.wind_mps[0], s.wind_mps[1] = -self.across_mps[0], -self.across_mps[1]
        s.thrust_body_n[2] = self.thrust_n
        s.plume = plume_shielding(self.thrust_n, c.full_thrust_n, c.plume_factor)
        leave(c, s, self.thrust_n / (G0_MPS2 * vehicle.engine.isp_sl_s), 1.0)
        derivative(c, s, s.x, s.scratch[4])
        return c, s

    @cached_property
    def by(self) -> dict[str, tuple[float, float]]:
        """Specific force across (m/s^2) and turning acceleration (rad/s^2), liquid at rest in its tanks.

        Each per m/s of drift, rad of tilt, rad/s of turn rate, rad of fins and rad of gimbal.
        """
        c, s = self.records
        arm = c.gimbal_plane_z_m - s.cm_z_m
        return {
            "speed": self._slope(s.x, 3, 1.0),
            "tilt": self._slope(s.x, 8, 0.5),  # half the angle is the quaternion's y
            "rate": self._slope(s.x, 11, 1.0),
            "fin": self._fin_slope(),
            "gimbal": (self.thrust_n / s.mass_kg, self.thrust_n * arm / s.inertia_transverse_kgm2),
        }

    def _slope(self, cell: Matrix, index: int, per_unit: float) -> tuple[float, float]:
        c, s = self.records
        start, out, sides = cell[index], np.zeros(13), []
        for sign in (1.0, -1.0):
            cell[index] = start + sign * per_unit * PROBE
            derivative(c, s, s.x, out)
            sides.append((float(s.specific_mps2[0]), float(out[11])))
        cell[index] = start
        derivative(c, s, s.x, out)
        return (sides[0][0] - sides[1][0]) / (2.0 * PROBE), (sides[0][1] - sides[1][1]) / (2.0 * PROBE)

    def _fin_slope(self) -> tuple[float, float]:
        """As the kernel uses the fins: the one at -y and the one at +y against each other."""
        _, s = self.records
        push, turn = self._slope(s.fin_mean_rad, 3, 1.0)
        return 2.0 * push, 2.0 * turn

    @property
    def axial_mps2(self) -> float:
        """Specific force along the axis."""
        return float(self.records[1].specific_mps2[2])

    @cached_property
    def normal_n_per_rad(self) -> float:
        """Aerodynamic normal force, as the kernel has it: without the drag of the cross flow."""
        calm = self if self.across_mps == (0.0, 0.0) else replace(self, across_mps=(0.0, 0.0))
        return -calm.by["speed"][0] * float(self.records[1].mass_kg) * self.speed_mps

    @property
    def known_inertia_kgm2(self) -> float:
        """What fk_stage.c takes for the transverse inertia: that at ignition, in proportion to the mass."""
        c, s = self.records[0], self.records[1].copy()
        set_mass(c, s, self.vehicle.body.propellant_kg)
        return float(s.inertia_transverse_kgm2 / s.mass_kg * self.records[1].mass_kg)

    def tanks(self) -> list[tuple[float, float, float, float]]:
        """Return of each tank sloshing mass (kg), arm about the centre of mass (m), stiffness (1/s^2) and
        damping (1/s)."""
        c, s = self.records
        s.slosh_m[0, :], s.slosh_mps[0, :] = 1.0, 0.0
        find_modes(c, s)
        found = [swing(c, s, 0, i, 0.0) for i in range(c.tanks)]
        return [(mass, arm, back, damping) for mass, arm, back, _, _, damping in found]


@dataclass(frozen=True)
class Loop:
    """The closed loop about one axis of a stage; factors make its gimbals worse than stated."""

    stage: Stage
    gimbal_gain_factor: float = 1.0
    gimbal_lag_factor: float = 1.0
    steer: bool = True
    """False leaves the position loop open: the attitude loop alone, about a fixed axis."""
    steer_s: float | None = None
    """Time in which the quadratic law works; None is its least, `track_s` that of plan tracking."""
    offset_part: float = 1.0
    """Of the offset that the law counts; less in the last seconds."""

    @cached_property
    def names(self) -> tuple[str, ...]:
        """The states: stage and actuators, navigation on its way, then what the kernel keeps."""
        slosh = [f"{what}{i}" for i in range(len(self.stage.vehicle.tank)) for what in ("liquid", "flow")]
        late = [f"{name}-{k}" for name in SENSED for k in range(1, NAV_FRAMES + 1)]
        held = [f"held {name}" for name in SENSED]
        body = ["x", "speed", "tilt", "rate", "gimbal", "gimbal speed", "fin"]
        kept = ["lever", "bus", "turn", "wind", "rest", "integral", "turning"]
        return (*body, *slosh, *late, *held, *kept)

    @cached_property
    def matrices(self) -> tuple[Matrix, Matrix, Matrix, Matrix]:
        """A, B, C, E of a frame, with x' = A x + B u + E d.

        C x is the turning acceleration (rad/s^2) that the kernel asks for, u the one that the effectors are
        told (the same where the loop is closed), d an angle (rad) of the thrust that nobody knows of.
        """
        n = len(self.names)
        rows = dict(zip((*self.names, "asked", "bias"), np.eye(n + 2), strict=True))
        after, asked = self._frame(rows)
        a = np.array([after[name] for name in self.names])
        return a[:, :n], a[:, n : n + 1], asked[None, :n], a[:, n + 1 :]

    @cached_property
    def body_step(self) -> tuple[Matrix, Row]:
        """Transition of stage and actuators over a frame, their inputs (drive, fins, bias) held; and the
        specific force across by their state."""
        names = [*self.names[: self.names.index("place-1")], "drive", "fin command", "bias"]
        row = dict(zip(names, np.eye(len(names)), strict=True))
        force, turn, flows = self._accelerations(row)
        lag = self.stage.vehicle.engine.gimbal_lag_s * self.gimbal_lag_factor
        slope = {
            "x": row["speed"],
            "speed": force + self.stage.axial_mps2 * row["tilt"],
            "tilt": row["rate"],
            "rate": turn,
            "gimbal": row["gimbal speed"],
            "gimbal speed": (row["drive"] - row["gimbal speed"]) / lag,
            "fin": (row["fin command"] - row["fin"]) / self.stage.vehicle.fins.lag_s,
            **flows,
        }
        rates = np.array([slope.get(name, np.zeros(len(names))) for name in names])
        return _exponential(rates * DT), force

    def _accelerations(self, row: Rows) -> tuple[Row, Row, Rows]:
        """Return specific force across, turning acceleration and the liquid's slopes (propellant.py: body and
        liquid accelerate each other)."""
        stage, s = self.stage, self.stage.records[1]
        mass, inertia, by = s.mass_kg, s.inertia_transverse_kgm2, stage.by
        thrust = row["gimbal"] + row["bias"]
        moved = {**{name: row[name] for name in ("speed", "tilt", "rate", "fin")}, "gimbal": thrust}
        push = sum((by[name][0] * moved[name] for name in moved), np.zeros_like(thrust))
        turn = sum((by[name][1] * moved[name] for name in moved), np.zeros_like(thrust))
        coupling = np.eye(2)
        tanks = stage.tanks()
        backs = []
        for i, (liquid, arm, stiffness, damping) in enumerate(tanks):
            back = stiffness * row[f"liquid{i}"] + damping * row[f"flow{i}"]
            backs.append(back)
            lever = np.array([1.0, arm])
            coupling -= liquid * np.outer(lever / np.array([mass, inertia]), lever)
            push = push + liquid * back / mass
            turn = turn + liquid * (arm * back + stage.axial_mps2 * row[f"liquid{i}"]) / inertia
        push, turn = np.linalg.solve(coupling, np.array([push, turn]))
        flows: Rows = {}
        for i, (_, arm, _, _) in enumerate(tanks):
            flows[f"liquid{i}"] = row[f"flow{i}"]
            flows[f"flow{i}"] = -backs[i] - push - arm * turn
        return push, turn, flows

    def _frame(self, row: Rows) -> tuple[Rows, Row]:
        """Return the states a frame later, and what the kernel asks for in this one."""
        after: Rows = {}
        seen = self._navigate(row, after)
        asked = self._control(row, seen, after)
        self._actuate(row, after)
        return after, asked

    @property
    def _fin_part(self) -> float:
        """Part of a torque that the fins take (fk_stage.c)."""
        stage, vehicle, (c, s) = self.stage, self.stage.vehicle, self.stage.records
        fins = stage.by["fin"][1] * s.inertia_transverse_kgm2
        if fins <= constant("fk_parts.h", "FK_FINS_USEFUL_NM_PER_RAD"):
            return 0.0
        gimbals = stage.thrust_n * (s.cm_z_m - c.gimbal_plane_z_m)
        reach = fins * c.fin_limit_rad, gimbals * math.radians(vehicle.engine.gimbal_limit_deg)
        return float(reach[0] ** 2 / (reach[0] ** 2 + reach[1] ** 2))

    def _actuate(self, row: Rows, after: Rows) -> None:
        """Allocation of what is asked, the wires, the board's position loop, and the stage (fk_alloc.c)."""
        stage, vehicle, (c, s) = self.stage, self.stage.vehicle, self.stage.records
        inertia = stage.known_inertia_kgm2
        fins = stage.by["fin"][1] * s.inertia_transverse_kgm2
        gimbals = stage.thrust_n * (s.cm_z_m - c.gimbal_plane_z_m)
        part = self._fin_part
        step, force = self.body_step
        count = len(step) - 3
        inputs = {
            "drive": vehicle.valve_board.gimbal_gain_per_s
            * self.gimbal_gain_factor
            * (row["bus"] - row["gimbal"]),
            "fin command": (part * inertia / fins if part > 0.0 else 0.0) * row["asked"],
            "bias": row["bias"],
        }
        body = np.array([row[name] for name in self.names[:count]])
        moved = step[:count] @ np.vstack([body, *inputs.values()])
        after.update(zip(self.names[:count], moved, strict=True))
        after["bus"] = -(1.0 - part) * inertia / gimbals * row["asked"]
        now = {
            "place": row["x"] - s.cm_z_m * row["tilt"],
            "speed": row["speed"] - s.cm_z_m * row["rate"],
            "tilt": row["tilt"],
            "rate": row["rate"],
            "force": force[:count] @ body + force[-1] * row["bias"],
        }
        for name, value in now.items():
            after[f"{name}-1"] = value
            for k in range(1, NAV_FRAMES):
                after[f"{name}-{k + 1}"] = row[f"{name}-{k}"]

    def _navigate(self, row: Rows, after: Rows) -> Rows:
        """fk_nav.c: smooth each solution at its own time, for the centre of mass, then reckon to now."""
        axial, old = self.stage.axial_mps2, {name: row[f"held {name}"] for name in SENSED}
        told = {name: row[f"{name}-{NAV_FRAMES}"] for name in SENSED}
        cm = self.stage.records[1].cm_z_m
        turning = cm * told["rate"]
        went = self._reckon(old, DT, axial)
        tilt = went["tilt"] + constant("fk_nav.c", "ATTITUDE_GAIN") * (told["tilt"] - went["tilt"])
        found = {"place": told["place"] + cm * tilt, "speed": told["speed"] + turning}
        gains = {"place": "POSITION_GAIN", "speed": "VELOCITY_GAIN"}
        held = {
            name: went[name] + constant("fk_nav.c", gain) * (found[name] - went[name])
            for name, gain in gains.items()
        }
        held |= {"tilt": tilt, "rate": told["rate"], "force": told["force"]}
        after.update({f"held {name}": value for name, value in held.items()})
        lever = row["lever"] + constant("fk_nav.c", "VELOCITY_GAIN") * (turning - row["lever"])
        after["lever"] = lever
        seen = self._reckon(held, NAV_FRAMES * DT, axial)
        return {
            **held,
            "x": seen["place"],
            "v": seen["speed"] + cm * seen["rate"] - lever,
            "tilt now": seen["tilt"],
        }

    @staticmethod
    def _reckon(held: Rows, dt: float, axial: float) -> Rows:
        across = axial * held["tilt"] + held["force"]
        return {
            **held,
            "place": held["place"] + dt * held["speed"] + 0.5 * dt * dt * across,
            "speed": held["speed"] + dt * across,
            "tilt": held["tilt"] + dt * held["rate"],
        }

    def _control(self, row: Rows, seen: Rows, after: Rows) -> Row:
        """fk_control.c: the turning acceleration asked for, the air's moment taken off."""
        stage, (c, s) = self.stage, self.stage.records
        missed = self._missed(row, seen, after)
        wanted = self._wanted_tilt(seen, missed) if self.steer else np.zeros_like(missed)
        error = wanted - seen["tilt now"]
        rate = seen["rate"] + NAV_FRAMES * DT * row["turning"]
        wrong = _control("RATE_GAIN") * (_control("ANGLE_GAIN") * error - rate)
        after["integral"] = row["integral"] + DT / _control("INTEGRAL_S") * wrong
        accel = wrong + after["integral"]
        after["turning"] = row["turning"] + DT / _control("ACTUATION_S") * (accel - row["turning"])
        air = (c.cp_z_m - s.cm_z_m) * self._per_flow() * self._flow(seen)
        asked: Row = accel + air / stage.known_inertia_kgm2
        return asked

    def _per_flow(self) -> float:
        """Normal force per m/s across, N s/m; none below 1 m/s (fk_stage.c)."""
        speed = self.stage.speed_mps
        return self.stage.normal_n_per_rad / speed if speed > 1.0 else 0.0

    def _flow(self, seen: Rows) -> Row:
        """Speed across the body, as the kernel takes it."""
        return seen["v"] + self.stage.speed_mps * seen["tilt now"]

    def _missed(self, row: Rows, seen: Rows, after: Rows) -> Row:
        """fk_stage.c: what the kernel's model misses across, learnt as a wind and a rest."""
        stage, mass = self.stage, self.stage.records[1].mass_kg
        file, least = "fk_stage.c", constant("fk_stage.c", "WIND_SHOWS_PER_S")
        per_wind = self._per_flow() / mass
        shows = min(max(per_wind / least, 0.0), 1.0)
        model = -per_wind * self._flow(seen) + self._turning_force(row, seen, after) / mass
        measured = seen["force"] + stage.axial_mps2 * (seen["tilt"] - seen["tilt now"])
        missed = measured - model
        pace = DT / constant(file, "WIND_FILTER_S") * shows * shows / max(per_wind, least)
        after["wind"] = row["wind"] + pace * (missed - per_wind * row["wind"])
        rest = missed - per_wind * after["wind"]
        after["rest"] = row["rest"] + DT / constant(file, "MISSED_FILTER_S") * (rest - row["rest"])
        learnt: Row = per_wind * after["wind"] + after["rest"]
        return learnt

    def _turning_force(self, row: Rows, seen: Rows, after: Rows) -> Row:
        """fk_stage.c: the force across that gimbals turn the stage with, by how it turns."""
        stage, (c, s) = self.stage, self.stage.records
        turned = seen["rate"] - row["turn"]
        filter_s = constant("fk_stage.c", "TURN_FILTER_S")
        after["turn"] = row["turn"] + DT / filter_s * turned
        air = -(c.cp_z_m - s.cm_z_m) * self._per_flow() * self._flow(seen)
        torque = stage.known_inertia_kgm2 / filter_s * turned - air
        force: Row = -(1.0 - self._fin_part) * torque / (s.cm_z_m - c.gimbal_plane_z_m)
        return force

    @property
    def least_steer_s(self) -> float:
        """The quadratic law's least time to go (fk_guidance.c)."""
        return constant("fk_guidance.c", "LATERAL_TIME_MIN_S")

    def _wanted_tilt(self, seen: Rows, missed: Row) -> Row:
        """fk_guidance.c: the quadratic law for the state ahead, and the tilt that gives what it asks."""
        stage, mass = self.stage, self.stage.records[1].mass_kg
        lift = stage.normal_n_per_rad / mass
        slow = constant("fk_guidance.c", "SLOW_MPS")
        lead, t = constant("fk_parts.h", "FK_ATTITUDE_LEAD_S"), self.steer_s or self.least_steer_s
        push = stage.axial_mps2 - lift
        side = missed - lift / max(stage.speed_mps, slow) * seen["v"]
        now = push * (seen["tilt now"] + lead / 3.0 * seen["rate"]) + side
        ahead = seen["x"] + lead * seen["v"] + 0.5 * lead * lead * now
        speed = seen["v"] + lead * (now + lead / 6.0 * push * seen["rate"])
        force = -12.0 * self.offset_part * ahead / (t * t) - 6.0 * speed / t - missed
        against = -seen["v"] / stage.speed_mps if stage.speed_mps > slow else np.zeros_like(force)
        pushed = stage.axial_mps2
        least = constant("fk_guidance.c", "STIFFNESS_LEAST") * max(pushed, lift)
        tilt: Row = against + (force - pushed * against) / max(pushed - lift, least, 0.1 * G0_MPS2)
        return tilt


def _exponential(a: Matrix) -> Matrix:
    """Return exp(a) of a small matrix by its series, halved until it converges fast."""
    halvings = max(0, math.ceil(math.log2(max(float(np.abs(a).sum(axis=1).max()), 1e-9))) + 2)
    part = a / 2.0**halvings
    total, term = np.eye(len(a)), np.eye(len(a))
    for k in range(1, 16):
        term = term @ part / k
        total = total + term
    for _ in range(halvings):
        total = total @ total
    return total
