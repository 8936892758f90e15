"""The problem that all integrators are given: a free rigid body of six degrees of freedom that falls.

The figures are those of zq3_class with its tanks' contents at its centre of mass, so that neither
centre nor inertia depend on them.  Two motions: in `FALL` it drops along its axis with drag and
spins about it; in `TUMBLE` it turns about all axes without drag.  Drag is opposite to the velocity
with a constant coefficient; in `FALL` that is what each of the integrators offers by itself, some
along the path and some along the axis.  Gravity falls off with the square of the distance from a
sphere that does not turn; the air is the U.S. Standard Atmosphere 1976.

Axes are those of the pad (east, north, up) and of the body (z to the nose); states are of the
centre of mass.  `reference` solves the problem without any of the integrators.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cache
from typing import Any, Final, TypeVar

import numpy as np
import numpy.typing as npt
from measuring import ROOT

from hil.faults.case import Initial, Wind
from hil.files import FileModel
from hil.plant.model import BoosterPlant
from hil.plant.vehicle import Vehicle, load_vehicle
from hil.signals import Frame

__all__ = [
    "FALL",
    "LIMITS",
    "STEP_S",
    "TUMBLE",
    "Deviation",
    "Flight",
    "Motion",
    "PlantFlight",
    "State",
    "burning",
    "deviation",
    "light_engines",
    "product",
    "reference",
    "standard_density",
]

STEP_S: Final = 1e-3
STEP_NS: Final = 1_000_000
FRAME_STEPS: Final = 10
"""Steps in a frame of the closed loop."""
G0_MPS2: Final = 9.80665
EARTH_RADIUS_M: Final = 6_356_766.0
"""Effective radius of the US1976 (section 1.2.5)."""

Array = npt.NDArray[np.float64]
Model = TypeVar("Model", bound=FileModel)


@dataclass(frozen=True, slots=True)
class Motion:
    """A body and its start, upright at (0, 0, height): SI units, rates in body axes."""

    name: str
    mass_kg: float
    inertia_transverse_kgm2: float
    inertia_axial_kgm2: float
    drag_area_m2: float
    """Drag coefficient times reference area."""
    height_m: float
    sink_mps: float
    omega_body_radps: tuple[float, float, float]


@dataclass(frozen=True, slots=True)
class State:
    """Position, velocity (pad axes, m, m/s), q_pad_from_body (scalar first), turn rate (body axes, rad/s)."""

    pos_m: Array
    vel_mps: Array
    q: Array
    omega_radps: Array


@dataclass(frozen=True, slots=True)
class Deviation:
    """How far apart two states are."""

    pos_m: float
    vel_mps: float
    attitude_rad: float
    omega_radps: float

    def within(self, limits: Deviation) -> bool:
        """Tell whether every part is at most that of `limits`; what is no number is not."""
        return (
            self.pos_m <= limits.pos_m
            and self.vel_mps <= limits.vel_mps
            and self.attitude_rad <= limits.attitude_rad
            and self.omega_radps <= limits.omega_radps
        )


LIMITS: Final = Deviation(pos_m=0.1, vel_mps=0.02, attitude_rad=1e-4, omega_radps=1e-5)
"""What counts as the same motion after ten seconds, a fall of three kilometres.

RocketPy's own table of the standard's density is off by 1.2e-4, which is 0.05 m; the others agree
more closely.
"""


class Flight:
    """One integrator in the middle of a motion; made at its start."""

    def run(self, steps: int) -> None:
        """Go on for so many steps of STEP_S."""
        raise NotImplementedError

    def state(self) -> State:
        """Return where the body is."""
        raise NotImplementedError


@cache
def _vehicle() -> Vehicle:
    return load_vehicle(ROOT / "rigs" / "vehicles" / "zq3_class.toml")


def _changed(model: Model, **values: Any) -> Model:
    """Return a copy of part of a vehicle; raise ValueError for a field that it does not have."""
    unknown = set(values) - set(type(model).model_fields)
    if unknown:
        raise ValueError(f"{type(model).__name__} has no field {sorted(unknown)}")
    return model.model_copy(update=values)


def _motion(name: str, drag_coefficient: float, omega: tuple[float, float, float]) -> Motion:
    body, aero = _vehicle().body, _vehicle().aero
    return Motion(
        name=name,
        mass_kg=body.dry_kg + body.propellant_kg,
        inertia_transverse_kgm2=body.inertia_transverse_kgm2,
        inertia_axial_kgm2=body.inertia_axial_kgm2,
        drag_area_m2=drag_coefficient * aero.ref_area_m2,
        height_m=4500.0,
        sink_mps=300.0,
        omega_body_radps=omega,
    )


FALL: Final = _motion("fall", 0.9, (0.0, 0.0, 0.5))
TUMBLE: Final = _motion("tumble", 0.0, (0.1, 0.2, 0.5))


def _body_of(motion: Motion) -> Vehicle:
    """Return the booster as a free rigid body: no moments of the air, constant drag, the tanks at its centre
    and nothing in them that moves (no peer has slosh here).

    The tables keep their length, so that looking them up costs what it costs in a flight.
    """
    vehicle = _vehicle()
    drag = motion.drag_area_m2 / vehicle.aero.ref_area_m2
    points = len(vehicle.aero.mach)
    body = _changed(vehicle.body, propellant_cm_z_m=vehicle.body.dry_cm_z_m, propellant_length_m=0.0)
    aero = _changed(
        vehicle.aero,
        axial=(drag,) * points,
        normal_slope=(drag,) * points,
        cp_z_m=vehicle.body.dry_cm_z_m,
        crossflow_drag_area_m2=0.0,
        rate_damping=0.0,
        plume_factor=1.0,
    )
    fins = _changed(vehicle.fins, slope_m2_per_rad=0.0)
    return _changed(vehicle, body=body, aero=aero, fins=fins, tank=())


class PlantFlight(Flight):
    """Our plant, engines off; `call_steps` of its steps are done in one call."""

    def __init__(self, motion: Motion, call_steps: int) -> None:
        vehicle = _body_of(motion)
        self.frame = Frame(len(vehicle.landing_engines))
        self.vehicle = vehicle
        self.call_steps = call_steps
        self._t_ns = 0
        arm = np.array([0.0, 0.0, vehicle.body.dry_cm_z_m])
        vx, vy, vz = np.array([0.0, 0.0, -motion.sink_mps]) - np.cross(motion.omega_body_radps, arm)
        initial = Initial(
            pos_pad_m=(0.0, 0.0, motion.height_m - vehicle.body.dry_cm_z_m),
            vel_pad_mps=(vx, vy, vz),
            q_pad_from_body=(1.0, 0.0, 0.0, 0.0),
            omega_body_radps=motion.omega_body_radps,
        )
        self.plant = BoosterPlant(self.frame, vehicle, initial, Wind(), STEP_NS)

    def run(self, steps: int) -> None:
        """Go on for so many steps, a multiple of those of a call."""
        end_ns = self._t_ns + steps * STEP_NS
        advance, call_ns, t_ns = self.plant.advance, self.call_steps * STEP_NS, self._t_ns
        while t_ns < end_ns:
            t_ns += call_ns
            advance(t_ns)
        self._t_ns = t_ns

    def state(self) -> State:
        """Return the state of the centre of mass; the truth is of the body's origin."""
        truth = self.frame["truth"]
        q, omega = truth["q_pad_from_body"].copy(), truth["omega_body_radps"].copy()
        turn = rotation(q)
        arm = np.array([0.0, 0.0, float(truth["cm_z_m"])])
        return State(
            pos_m=truth["pos_pad_m"] + turn @ arm,
            vel_mps=truth["vel_pad_mps"] + turn @ np.cross(omega, arm),
            q=q,
            omega_radps=omega,
        )


def light_engines(flight: PlantFlight, opening: float = 0.7, seconds: float = 2.0) -> None:
    """Start every landing engine and bring its valves to `opening` as a valve board would; then hold them.

    Raises RuntimeError when one does not burn.
    """
    engine, board = flight.vehicle.engine, flight.vehicle.valve_board
    truth, act = flight.frame["truth"], flight.frame["actuator"]
    act["igniter"][:] = 1.0
    for _ in range(round(seconds / (FRAME_STEPS * STEP_S))):
        for side in ("ox", "fuel"):
            error = opening - truth[f"{side}_valve_pos"]
            act[f"{side}_drive"][:] = np.clip(
                board.valve_gain_per_s * error / engine.valve_slew_per_s, -1.0, 1.0
            )
        flight.run(FRAME_STEPS)
    act["ox_drive"][:] = act["fuel_drive"][:] = act["igniter"][:] = 0.0
    burning(flight)


def burning(flight: PlantFlight) -> None:
    """Raise RuntimeError unless every engine burns."""
    lit = flight.frame["truth"]["lit"]
    if not lit.all():
        raise RuntimeError(f"engines lit: {lit.tolist()}: this is not the motion that was to be timed")


def rotation(q: Array) -> Array:
    """Return the matrix of a unit quaternion, scalar first."""
    w, v = q[0], q[1:]
    cross = np.array([[0.0, -v[2], v[1]], [v[2], 0.0, -v[0]], [-v[1], v[0], 0.0]])
    turned: Array = np.eye(3) + 2.0 * (w * cross + cross @ cross)
    return turned


def product(p: Array, q: Array) -> Array:
    """Return the product of two quaternions, scalar first: turned by q, then by p."""
    vector = p[0] * q[1:] + q[0] * p[1:] + np.cross(p[1:], q[1:])
    return np.array([p[0] * q[0] - p[1:] @ q[1:], *vector])


def deviation(a: State, b: State) -> Deviation:
    """Return how far `a` is from `b`."""
    turn = product(a.q * np.array([1.0, -1.0, -1.0, -1.0]), b.q)
    return Deviation(
        pos_m=float(np.linalg.norm(a.pos_m - b.pos_m)),
        vel_mps=float(np.linalg.norm(a.vel_mps - b.vel_mps)),
        attitude_rad=2.0 * math.atan2(float(np.linalg.norm(turn[1:])), abs(float(turn[0]))),
        omega_radps=float(np.linalg.norm(a.omega_radps - b.omega_radps)),
    )


def standard_density(height_m: float) -> float:
    """Return the density (kg/m^3) of the US1976's lowest layer (its eqs. 18, 23, 33a and 42), below 11 km."""
    gas_constant, lapse = 8314.32 / 28.9644, -0.0065
    geopotential = EARTH_RADIUS_M * height_m / (EARTH_RADIUS_M + height_m)
    temperature = 288.15 + lapse * geopotential
    pressure = 101_325.0 * (288.15 / temperature) ** (G0_MPS2 / (gas_constant * lapse))
    return float(pressure / (gas_constant * temperature))


def reference(motion: Motion, t_s: float) -> State:
    """Return the state at `t_s` without any of the integrators.

    The fall is a line, integrated for itself in steps of 10 ms; the rotation of a body with an axis
    of symmetry is known in closed form.
    """
    height, speed = _fallen(motion, t_s)
    q, omega = _turned(motion, t_s)
    return State(np.array([0.0, 0.0, height]), np.array([0.0, 0.0, speed]), q, omega)


def _fallen(motion: Motion, t_s: float, dt: float = 0.01) -> tuple[float, float]:
    """Return height and upward speed at `t_s`, by the classical Runge-Kutta method."""

    def slope(y: Array) -> Array:
        height, speed = float(y[0]), float(y[1])
        gravity = G0_MPS2 * (EARTH_RADIUS_M / (EARTH_RADIUS_M + height)) ** 2
        drag = 0.5 * standard_density(height) * motion.drag_area_m2 * speed * abs(speed) / motion.mass_kg
        return np.array([speed, -gravity - drag])

    y = np.array([motion.height_m, -motion.sink_mps])
    for _ in range(round(t_s / dt)):
        a = slope(y)
        b = slope(y + 0.5 * dt * a)
        c = slope(y + 0.5 * dt * b)
        d = slope(y + dt * c)
        y = y + dt / 6.0 * (a + 2.0 * (b + c) + d)
    return float(y[0]), float(y[1])


def _turned(motion: Motion, t_s: float) -> tuple[Array, Array]:
    """Return attitude and turn rate at `t_s` of a body of revolution that no moment acts upon.

    Goldstein, Classical Mechanics, section 5.6: in space the axis goes about the angular momentum H
    at |H| / I_transverse; in the body the rate goes about the axis at (1 - I_axial / I_transverse) omega_z.
    """
    across, along = motion.inertia_transverse_kgm2, motion.inertia_axial_kgm2
    wx, wy, wz = motion.omega_body_radps
    nutation = (1.0 - along / across) * wz
    c, s = math.cos(nutation * t_s), math.sin(nutation * t_s)
    momentum = np.array([across * wx, across * wy, along * wz]) / across
    precessed = _turn(momentum, t_s)
    spun = _turn(np.array([0.0, 0.0, nutation]), t_s)
    return product(precessed, spun), np.array([wx * c + wy * s, wy * c - wx * s, wz])


def _turn(rate: Array, t_s: float) -> Array:
    """Return the quaternion of a turn at a constant rate."""
    speed = float(np.linalg.norm(rate))
    if speed == 0.0:
        return np.array([1.0, 0.0, 0.0, 0.0])
    half = 0.5 * speed * t_s
    return np.array([math.cos(half), *(math.sin(half) / speed * rate)])
