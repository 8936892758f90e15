"""A booster small enough to read, to fly the kernel with: one rigid body, first-order engines, air.

It is no judge of landings (`hil.plant` is); it closes the loop, so that a command with the wrong sign or
size ends beside the pad. Only + - * / and square roots are used, so that a flight has the same bits on
every machine. Frames: pad = east, north, up; body = z to the nose, origin in the plane of the feet."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from hil.kernel import KernelRun, interface, reference_kernel

COAST, IGNITION, BRAKING, TERMINAL, TOUCHDOWN, DONE, ABORT = range(7)
SAFE, ARM, START, RUN, SHUTDOWN = range(5)
OFF, ARMED, STARTING, MAINSTAGE, STOPPING, FAULT = range(6)

G0 = 9.80665
DT = 0.01
FRAME_NS = 10_000_000
CHAMBER_PA = 1.0e7
LIGHT_S = 0.5
"""From START until propellant burns; MAINSTAGE is told at the configuration's start_s."""
CLUSTER = ((0.0, 0.0, 1), (1.5, 0.0, 0), (-1.5, 0.0, 0))
"""Three in a row: x, y, centre."""
CROSS = ((0.0, 0.0, 1), (1.5, 0.0, 0), (0.0, 1.5, 0), (-1.5, 0.0, 0), (0.0, -1.5, 0))

Vector = tuple[float, float, float]


VALUES: dict[str, Any] = {
    "mass_kg": 50e3,
    "dry_mass_kg": 40e3,
    "dry_cm_z_m": 19.5,
    "propellant_cm_z_m": 9.5,
    "inertia_transverse_kgm2": 7e6,
    "inertia_axial_kgm2": 2.25e5,
    "gimbal_plane_z_m": 2.5,
    "length_m": 45.0,
    "ref_area_m2": 16.0,
    "aero_points": 4,
    "aero_mach": (0.3, 0.8, 1.2, 3.0),
    "aero_axial": (0.8, 0.92, 1.24, 1.15),
    "aero_normal_slope": (2.0, 2.05, 2.1, 2.0),
    "aero_cp_z_m": 20.5,
    "plume_factor": 0.6,
    "fin_z_m": 43.0,
    "fin_arm_m": 3.2,
    "fin_slope_m2_per_rad": 3.0,
    "fin_limit_rad": 0.35,
    "fin_rate_radps": 1.0,
    "throttle_plan_low": 0.55,
    "throttle_plan_high": 0.95,
    "land_throttle": 0.72,
    "brake_throttle": 0.7,
    "touchdown_speed_mps": 0.5,
    "soft_finish_height_m": 60.0,
    "tilt_limit_rad": 0.2,
    "keep_out_radius_m": 50.0,
}
"""A 40 t stage with 10 t of propellant, of the tests' own: the shipped vehicles may change."""


def make_config(cluster: tuple[tuple[float, float, int], ...] = CLUSTER, **changes: Any) -> Any:
    """Return an `fk_if_config_t *` of VALUES, keys replaced by those given."""
    config = interface().new("fk_if_config_t *")
    config.version = interface().dlopen(None).FK_IF_VERSION
    config.size = interface().sizeof("fk_if_config_t")
    config.frame_s, config.engine_count = DT, len(cluster)
    for engine, (x, y, centre) in zip(config.engine, cluster, strict=False):
        engine.pos_body_m = (x, y)
        engine.thrust_sl_n, engine.thrust_vac_n = 800e3, 900e3
        engine.throttle_floor, engine.isp_vac_s, engine.chamber_pa = 0.56, 310.0, CHAMBER_PA
        engine.thrust_lag_s, engine.valve_slew_per_s, engine.start_s = 0.13, 4.0, 0.8
        engine.gimbal_limit_rad, engine.gimbal_rate_radps = 0.12, 0.26
        engine.centre, engine.starts = centre, 2
    for name, value in {**VALUES, **changes}.items():
        if isinstance(value, tuple):
            for i, item in enumerate(value):
                getattr(config, name)[i] = item
        else:
            setattr(config, name, value)
    return config


def cross(a: Vector, b: Vector) -> Vector:
    """Return the vector product."""
    return a[1] * b[2] - a[2] * b[1], a[2] * b[0] - a[0] * b[2], a[0] * b[1] - a[1] * b[0]


def rotate(q: tuple[float, ...], v: Vector) -> Vector:
    """Return v turned by a quaternion, scalar first."""
    axis = (q[1], q[2], q[3])
    t = cross(axis, v)
    t = (2.0 * t[0], 2.0 * t[1], 2.0 * t[2])
    u = cross(axis, t)
    return v[0] + q[0] * t[0] + u[0], v[1] + q[0] * t[1] + u[1], v[2] + q[0] * t[2] + u[2]


def norm(v: Vector) -> float:
    """Return the length of a vector."""
    return math.sqrt(v[0] * v[0] + v[1] * v[1] + v[2] * v[2])


def conjugate(q: tuple[float, ...]) -> tuple[float, float, float, float]:
    """Return the quaternion that turns back."""
    return q[0], -q[1], -q[2], -q[3]


@dataclass
class Engine:
    """One engine and its valve board."""

    state: int = OFF
    valve: float = 0.0
    chamber: float = 0.0
    starting_s: float = 0.0
    starts: int = 0
    strength: float = 1.0
    """Thrust over what the valves should give."""
    delay_s: float = 0.0
    dies_at_s: float = math.inf
    silent_at_s: float = math.inf
    gimbal: tuple[float, float] = (0.0, 0.0)
    aslant: tuple[float, float] = (0.0, 0.0)
    """Of the thrust to where the gimbal points, rad; no sensor shows it."""
    agility: float = 1.0
    """Of the gimbal, over its rate."""
    stuck_at_s: float = math.inf
    """From then on valves and gimbals stay where they are."""

    def change_state(self, request: int, start_s: float, now_s: float) -> None:
        """Take the state that a request leads to, or that a fault does."""
        if now_s >= self.dies_at_s and self.state != OFF:
            self.state, self.strength = FAULT, 0.0
        elif request == ARM and self.state == OFF:
            self.state = ARMED
        elif request in (START, RUN) and self.state == ARMED:
            self.state, self.starting_s, self.starts = STARTING, 0.0, self.starts + 1
        elif request == SHUTDOWN and self.state in (STARTING, MAINSTAGE):
            self.state = STOPPING
        elif self.state == STOPPING and self.valve <= 0.0:
            self.state = OFF
        if self.state == STARTING:
            self.starting_s += DT
            if self.starting_s >= start_s + self.delay_s:
                self.state = MAINSTAGE

    def obey(self, command: Any, limits: Any, now_s: float) -> None:
        """Follow a command for one frame."""
        stuck = now_s >= self.stuck_at_s
        self.change_state(command.request, limits.start_s, now_s)
        lit = self.state == MAINSTAGE or (self.state == STARTING and self.starting_s > LIGHT_S)
        wanted = command.ox_valve_cmd if lit else 0.0
        slew = limits.valve_slew_per_s * DT
        self.valve += 0.0 if stuck and lit else min(max(wanted - self.valve, -slew), slew)
        burning = self.valve if lit else 0.0
        self.chamber += DT / (limits.thrust_lag_s + DT) * (burning * self.strength - self.chamber)
        most = 0.0 if stuck else self.agility * limits.gimbal_rate_radps * DT
        asked = command.gimbal_x_cmd_rad, command.gimbal_y_cmd_rad
        x, y = (g + min(max(a - g, -most), most) for g, a in zip(self.gimbal, asked, strict=True))
        self.gimbal = x, y


@dataclass
class Flight:
    """A kernel and the booster that it flies; `step` runs one frame, `land` the rest of the flight.

    `deaf_s` is a span without navigation; `latency` in frames; `mass_part` the truth over what the kernel
    believes; `tamper` may change each input frame before the kernel sees it.
    """

    config: Any
    pos: Vector = (0.0, 0.0, 2600.0)
    """Of the body origin, as is the velocity."""
    vel: Vector = (0.0, 0.0, -280.0)
    wind: Vector = (0.0, 0.0, 0.0)
    latency: int = 5
    mass_part: float = 1.0
    deaf_s: tuple[float, float] = (math.inf, math.inf)
    tamper: Callable[[Flight], None] | None = None
    legs_m: float = 0.0
    """Reach of its legs: tilted, a booster stands on one of them first."""
    q: tuple[float, float, float, float] = (1.0, 0.0, 0.0, 0.0)
    omega: Vector = (0.0, 0.0, 0.0)
    force: Vector = (0.0, 0.0, 0.0)
    frame: int = 0
    digest: Any = field(default_factory=hashlib.sha256)
    modes: list[int] = field(default_factory=list)
    sources: list[int] = field(default_factory=list)
    shares: list[list[int]] = field(default_factory=list)
    past: list[tuple[Any, ...]] = field(default_factory=list)

    def __post_init__(self) -> None:
        """Start the kernel."""
        self.run = KernelRun(reference_kernel(), self.config)
        self.engines = [Engine() for _ in range(self.config.engine_count)]
        self.mass = self.config.mass_kg * self.mass_part
        self.out = self.run.output
        self.view = interface().buffer(self.out)
        self.telemetry = self.out.telemetry

    @property
    def now_s(self) -> float:
        """Time of the present frame."""
        return self.frame * DT

    @property
    def commands(self) -> list[Any]:
        """What the kernel asks of each engine."""
        return [self.out.engine[i] for i in range(self.config.engine_count)]

    @property
    def axis(self) -> Vector:
        """Where the nose points, pad axes."""
        return rotate(self.q, (0.0, 0.0, 1.0))

    def cm_z_m(self) -> float:
        """Return the height of the centre of mass in the body."""
        c = self.config
        propellant = max(self.mass - c.dry_mass_kg, 0.0)
        return float((c.dry_mass_kg * c.dry_cm_z_m + propellant * c.propellant_cm_z_m) / self.mass)

    def sense(self) -> None:
        """Fill the input frame with what sensors and boards say."""
        into, nav, now = self.run.input, self.run.input.nav, self.now_s
        self.past.append((self.frame, self.pos, self.vel, self.q, self.omega, self.force))
        (
            frame,
            nav.pos_pad_m,
            nav.vel_pad_mps,
            nav.q_pad_from_body,
            nav.omega_body_radps,
            nav.force_body_mps2,
        ) = self.past[max(0, len(self.past) - 1 - self.latency)]
        nav.height_m = nav.pos_pad_m[2]
        nav.valid_t_ns, into.t_ns = frame * FRAME_NS, self.frame * FRAME_NS
        nav.fresh = nav.valid = not self.deaf_s[0] <= now < self.deaf_s[1]
        for status, engine in zip(into.engine, self.engines, strict=False):
            status.ox_valve_pos = status.fuel_valve_pos = engine.valve
            status.chamber_pa = engine.chamber * CHAMBER_PA
            status.gimbal_x_rad, status.gimbal_y_rad = engine.gimbal
            status.state, status.fresh = engine.state, now < engine.silent_at_s

    def air(self, flow: Vector, burning: bool) -> tuple[Vector, Vector]:
        """Return aerodynamic force and torque in body axes; `flow` is the velocity against the air."""
        c, height = self.config, max(self.pos[2], 0.0)
        density = 1.225 * (1.0 - 9.2e-5 * height)
        speed = norm(flow)
        push = 0.5 * density * speed * c.ref_area_m2 * (c.plume_factor if burning else 1.0)
        side = -2.0 * push
        axial = 0.85 * push * (-flow[2] if flow[2] < 0.0 else flow[2])
        force = (side * flow[0], side * flow[1], axial if flow[2] < 0.0 else -axial)
        arm = c.aero_cp_z_m - self.cm_z_m()
        fins = [0.5 * density * speed * speed * c.fin_slope_m2_per_rad * f for f in self.out.fin_cmd_rad]
        lever = c.fin_z_m - self.cm_z_m()
        x, y = fins[3] - fins[1], fins[0] - fins[2]
        roll = c.fin_arm_m * (fins[0] + fins[1] + fins[2] + fins[3])
        torque = (-arm * force[1] - lever * y, arm * force[0] + lever * x, roll)
        return (force[0] + x, force[1] + y, force[2]), torque

    def push(self) -> tuple[Vector, Vector, float]:
        """Return the engines' force and torque in body axes, and the mass that they burn a second."""
        c, arm = self.config, self.config.gimbal_plane_z_m - self.cm_z_m()
        fx = fy = fz = tx = ty = tz = flow = 0.0
        pressure = 1.0 - 1.1e-4 * max(self.pos[2], 0.0)
        for e, engine in zip(c.engine, self.engines, strict=False):
            lost = (e.thrust_vac_n - e.thrust_sl_n) * pressure
            thrust = max(engine.chamber * e.thrust_vac_n - lost, 0.0)
            flow += engine.chamber * e.thrust_vac_n / (e.isp_vac_s * G0)
            x, y = (thrust * (g + a) for g, a in zip(engine.gimbal, engine.aslant, strict=True))
            fx, fy, fz = fx + x, fy + y, fz + thrust
            tx += e.pos_body_m[1] * thrust - arm * y
            ty += arm * x - e.pos_body_m[0] * thrust
            tz += e.pos_body_m[0] * y - e.pos_body_m[1] * x
        return (fx, fy, fz), (tx, ty, tz), flow

    def fall(self) -> None:
        """Move the booster on by one frame."""
        c = self.config
        for command, limits, engine in zip(self.commands, c.engine, self.engines, strict=False):
            engine.obey(command, limits, self.now_s)
        thrust, torque, flow = self.push()
        against = (self.vel[0] - self.wind[0], self.vel[1] - self.wind[1], self.vel[2] - self.wind[2])
        drag, moment = self.air(rotate(conjugate(self.q), against), thrust[2] > 0.0)
        self.force = tuple((a + b) / self.mass for a, b in zip(thrust, drag, strict=True))  # type: ignore[assignment]
        accel = rotate(self.q, self.force)
        before = self.swing()
        self.mass -= flow * DT
        inertia = c.inertia_transverse_kgm2 * self.mass / c.mass_kg
        w = self.omega
        self.omega = (
            w[0] + (torque[0] + moment[0]) / inertia * DT,
            w[1] + (torque[1] + moment[1]) / inertia * DT,
            w[2] + (torque[2] + moment[2]) / c.inertia_axial_kgm2 * DT,
        )
        self.turn()
        after = self.swing()
        self.vel = (
            self.vel[0] + accel[0] * DT + before[0] - after[0],
            self.vel[1] + accel[1] * DT + before[1] - after[1],
            self.vel[2] + (accel[2] - G0) * DT + before[2] - after[2],
        )
        self.pos = tuple(p + v * DT for p, v in zip(self.pos, self.vel, strict=True))  # type: ignore[assignment]

    def swing(self) -> Vector:
        """Return the velocity of the centre of mass against the body origin, pad axes."""
        return rotate(self.q, cross(self.omega, (0.0, 0.0, self.cm_z_m())))

    def turn(self) -> None:
        """Turn the attitude on by one frame."""
        p, w, h = self.q, self.omega, 0.5 * DT
        q = (
            p[0] + h * (-p[1] * w[0] - p[2] * w[1] - p[3] * w[2]),
            p[1] + h * (p[0] * w[0] + p[2] * w[2] - p[3] * w[1]),
            p[2] + h * (p[0] * w[1] + p[3] * w[0] - p[1] * w[2]),
            p[3] + h * (p[0] * w[2] + p[1] * w[1] - p[2] * w[0]),
        )
        n = math.sqrt(q[0] * q[0] + q[1] * q[1] + q[2] * q[2] + q[3] * q[3])
        self.q = (q[0] / n, q[1] / n, q[2] / n, q[3] / n)

    def step(self, frames: int = 1) -> None:
        """Run whole frames: sensors, kernel, booster."""
        for _ in range(frames):
            self.frame += 1
            self.sense()
            if self.tamper is not None:
                self.tamper(self)
            self.run.step()
            self.digest.update(self.view)
            self.modes.append(self.telemetry.mode)
            self.sources.append(self.telemetry.plan_source)
            self.shares.append([command.share for command in self.commands])
            self.fall()

    def land(self, most_s: float = 40.0) -> Flight:
        """Run until the booster stands, or for so many seconds."""
        while self.frame < most_s / DT and self.pos[2] > self.legs_m * 2.0 * math.hypot(self.q[1], self.q[2]):
            self.step()
        return self

    @property
    def miss_m(self) -> float:
        """Distance from the pad's centre across."""
        return math.sqrt(self.pos[0] * self.pos[0] + self.pos[1] * self.pos[1])
