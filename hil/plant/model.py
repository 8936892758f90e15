"""The booster: the facade that the executive turns, in front of the compiled core."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from hil.faults.case import Atmosphere, Initial, Pad, Stage, Wind
from hil.plant.core import advance, set_mass, write_truth
from hil.plant.earth import pad_place
from hil.plant.layout import BODY, CONSTANTS, WHERE, record_array
from hil.plant.propulsion_data import PropulsionMemory, short_steps
from hil.plant.propulsion_layout import ENGINE_EFFECTS, FEED_EFFECTS
from hil.plant.vehicle import Vehicle
from hil.plant.wind import gust_start
from hil.sensors.streams import stream
from hil.signals import Frame

__all__ = ["BoosterPlant", "Effects"]

MAX_STEPS: Final = 1_000_000
"""Most steps of one call of advance."""
GUST_BLOCK: Final = 1024
"""Frames for which random numbers are drawn ahead."""

Array = npt.NDArray[np.float64]


@dataclass(slots=True)
class Effects:
    """What faults do to the engines: one array for each effect, one value for each slot.

    Flags are 0 (healthy) or 1.  Write into the arrays, never replace them:
    they are views of the plant's memory.
    """

    out: Array
    """1: the chamber dies, and never burns again."""
    tail_off_s: Array
    """Decay of the chamber pressure of an engine that is out, s."""
    ignition_delay_s: Array
    """Added to the ignition delay, s; infinite: does not light."""
    thrust_factor: Array
    """Factor of c* and so of chamber pressure and thrust; healthy 1."""
    thrust_factor_tau_s: Array
    """Time constant with which the thrust factor takes effect, s; 0 at once."""
    throttle_tau_s: Array
    """Time constant with which the gas generator follows the valves, s; healthy 0."""
    starts_most: Array
    """Igniter starts left at the most."""
    hard_start_peak: Array
    """Peak pressure to which propellant has pooled when the chamber lights, of full; 0: none."""
    hard_start_burn_s: Array
    """Time constant with which pooled propellant burns, s; 0: the vehicle's."""
    injector_dp: Array
    """Pressure drop of both injectors at full flow over the full chamber pressure; 0: the vehicle's."""
    time_lag_s: Array
    """Time lag of the combustion, s; 0: the vehicle's."""
    buzz: Array
    """Amplitude of an acoustic oscillation imposed on the chamber pressure, of the mean."""
    buzz_hz: Array
    """Its frequency, Hz."""
    void_burst_s: Array
    """Gas comes in bursts of so long, and as long between them, s; 0: all the time."""
    turbine_factor: Array
    """Factor of the gas generator's torque; healthy 1."""
    trip_speed: Array
    """Pump speed above which the engine's protection cuts it, of full; 0: the vehicle's."""
    trip_s: Array
    """How long it waits, s; 0: the vehicle's."""
    ox_stuck: Array
    """1: the oxidiser valve stays where it stands, or goes to where it sticks."""
    ox_stuck_pos: Array
    """Where it sticks, 0 to 1; negative: where it stands."""
    ox_slew_factor: Array
    """Factor of the oxidiser valve's slew rate; healthy 1."""
    ox_stiction: Array
    """How far the actuator runs ahead before the stem breaks loose, of the stroke; healthy 0."""
    ox_stiction_hold_s: Array
    """How long the actuator pulls before the stem breaks loose in any case, s."""
    ox_leak: Array
    """Opening that is left when the valve is shut, 0 to 1; healthy 0."""
    ox_injector_area: Array
    """Factor of the injector's area; healthy 1."""
    ox_flow_factor: Array
    """Factor of the flow at a given pressure difference, from pump to chamber; healthy 1."""
    ox_void: Array
    """Gas in the feed, by volume."""
    ox_cavitation: Array
    """Head that the pump loses to cavitation at the least; healthy 0."""
    fuel_stuck: Array
    """As for the oxidiser, and so are those that follow."""
    fuel_stuck_pos: Array
    fuel_slew_factor: Array
    fuel_stiction: Array
    fuel_stiction_hold_s: Array
    fuel_leak: Array
    fuel_injector_area: Array
    fuel_flow_factor: Array
    fuel_void: Array
    fuel_cavitation: Array
    gimbal_stuck: Array
    """1: the gimbal stays where it stands, or runs to where it is held."""
    gimbal_held: Array
    """1: a stuck gimbal is held at the angles below."""
    gimbal_held_x_rad: Array
    gimbal_held_y_rad: Array
    gimbal_rate_factor: Array
    """Factor of the gimbal's rate; healthy 1."""
    gimbal_bias_x_rad: Array
    """Angle of the thrust to the gimbal towards x, rad: a misalignment that no sensor sees."""
    gimbal_bias_y_rad: Array
    """Angle of the thrust to the gimbal towards y, rad."""
    fin_stuck: Array
    """1: the fin stays where it stands; one value for each fin."""
    fin_rate_factor: Array
    """Factor of the fin's rate; healthy 1; one value for each fin."""
    ox_missing_kg: Array
    """Oxidiser that is not in the tank after all, kg (one value); taken out once, then 0."""
    fuel_missing_kg: Array
    """As for the oxidiser."""
    density_factor: Array
    """Factor of the air's density (one value)."""
    leg_friction: Array
    """Friction of the feet on the pad, 1 (one value)."""
    wind_east_mps: Array
    """The steady wind towards east, m/s, one value for each point of its profile."""
    wind_north_mps: Array
    """As towards east."""


class BoosterPlant:
    """The booster and its surroundings; writes the `truth` record of the frame.

    Positions are of the body origin (centre of the foot plane), pad axes; SI units.  The step is
    at most `step_ns`; the initial truth stands in the frame once the plant is made.  `stage` says
    by what the stage differs from the vehicle's data sheet.  Gusts draw from their own stream, named
    by `seed` and `run_id`.
    """

    def __init__(
        self,
        frame: Frame,
        vehicle: Vehicle,
        initial: Initial,
        wind: Wind,
        step_ns: int,
        *,
        atmosphere: Atmosphere | None = None,
        pad: Pad | None = None,
        stage: Stage | None = None,
        seed: int = 0,
        run_id: str = "",
    ) -> None:
        if step_ns <= 0:
            raise ValueError(f"step_ns = {step_ns}: must be positive")
        count = len(vehicle.landing_engines)
        if frame.engines != count:
            raise ValueError(f"the frame is made for {frame.engines} engines, the vehicle lands on {count}")
        self._step_ns = step_ns
        self._t_ns = 0
        self._constants = _constants(frame, vehicle)
        _set_surroundings(self._constants, wind, atmosphere or Atmosphere(), pad or Pad())
        real = stage or Stage()
        _weigh(self._constants, real.mass_factor)
        self._propulsion = memory = PropulsionMemory(vehicle, real.thrust_factor)
        self._body = _body(vehicle, initial, wind, self._constants, real.mass_factor)
        self.effects = _effects(memory, self._body, self._constants)
        self._actuator = frame.floats("actuator")
        self._truth = frame.floats("truth")
        self._truth_int = frame.ints("truth")
        self._chain = (
            memory.constants, memory.lines, memory.engines, memory.feeds, memory.chains, memory.flows,
        )  # fmt: skip
        self._blocks = (
            self._constants, self._body, self._chain, self._actuator, self._truth, self._truth_int,
        )  # fmt: skip
        self._at_rest = 0
        self._planned = (0, 0)
        self._gusts = stream(seed, run_id, "wind.gusts") if wind.gust_w20_mps > 0.0 else None
        self._gust_noise: Array = np.zeros((GUST_BLOCK, 3))
        self._gust_next = GUST_BLOCK - 1  # the first frame draws the first block
        if self._gusts is not None:
            gust_start(self._constants[0], self._body[0], self._gusts.standard_normal(5))
        write_truth(self._constants, self._body, self._chain, self._truth, self._truth_int)

    def records(self) -> tuple[Any, Any]:
        """Return copies of the core's constants and of the body (layout.py), for analysis."""
        return self._constants.copy()[0], self._body.copy()[0]

    @property
    def at_rest(self) -> bool:
        """True when the flight has ended: the booster stands, lies or is destroyed."""
        return self._at_rest != 0

    def advance(self, t_ns: int) -> None:
        """Integrate to time `t_ns` with the `actuator` record held; write the truth of that time.

        Raises ValueError when `t_ns` lies in the past or too far ahead.
        """
        span_ns = t_ns - self._t_ns
        steps = -(-span_ns // self._step_ns)
        if not 0 < steps <= MAX_STEPS:
            if steps == 0:
                return
            raise ValueError(f"t_ns = {t_ns}: not ahead of {self._t_ns} by 1 to {MAX_STEPS} steps")
        if self._planned != (span_ns, steps):
            self._plan_steps(span_ns, steps)
        if self._gusts is not None:
            self._draw_gusts()
        self._at_rest = advance(*self._blocks, self._gust_noise[self._gust_next], self._t_ns, span_ns, steps)
        self._t_ns = t_ns

    def _draw_gusts(self) -> None:
        """Go to the next frame's random numbers; draw a block of them ahead when there are none left."""
        assert self._gusts is not None
        self._gust_next = (self._gust_next + 1) % GUST_BLOCK
        if self._gust_next == 0:
            self._gust_noise[:] = self._gusts.standard_normal((GUST_BLOCK, 3))

    def _plan_steps(self, span_ns: int, steps: int) -> None:
        """Work out what lags leave over the steps of a frame, and how the engines cut them."""
        self._planned = (span_ns, steps)
        dt = span_ns * 1e-9 / steps
        self._propulsion.set_steps(dt, *short_steps(span_ns, steps))
        self._body[0].fin_decay = math.exp(-dt / self._constants[0].fin_lag_s)


def _effects(memory: PropulsionMemory, body: Any, constants: Any) -> Effects:
    """Return the views through which faults act; those of feeds are named ox_... and fuel_...."""
    views = {}
    for name in Effects.__dataclass_fields__:
        side, _, rest = name.partition("_")
        if side in ("ox", "fuel") and rest in FEED_EFFECTS:
            views[name] = memory.feeds[rest][0 if side == "ox" else 1 : 2 * memory.count : 2]
        elif name in ENGINE_EFFECTS:
            views[name] = memory.engines[name][: memory.count]
        elif name in ("fin_stuck", "fin_rate_factor"):
            views[name] = body[name][0]
        elif name.startswith("wind_"):
            views[name] = constants[name][0]
        elif name in ("density_factor", "leg_friction"):
            views[name] = constants[name]
        else:
            views[name] = body[name]
    return Effects(**views)


def _set_surroundings(block: Any, wind: Wind, atmosphere: Atmosphere, pad: Pad) -> None:
    """Put wind, air and pad into the core's constants."""
    altitudes, winds = wind.points()
    count = len(altitudes)
    block["wind_points"][0] = count
    block["wind_altitude_m"][0, :count] = altitudes
    block["wind_east_mps"][0, :count] = [east for east, _ in winds]
    block["wind_north_mps"][0, :count] = [north for _, north in winds]
    block["gust_w20_mps"][0] = wind.gust_w20_mps
    block["density_factor"][0] = atmosphere.density_factor
    block["pad_radius_m"][0] = pad.radius_m
    if pad.latitude_deg is not None:
        latitude = math.radians(pad.latitude_deg)
        block["turning"][0] = 1
        block["pad_north_m"][0], block["pad_up_m"][0] = pad_place(latitude)
        block["axis_north"][0], block["axis_up"][0] = math.cos(latitude), math.sin(latitude)


def _constants(frame: Frame, vehicle: Vehicle) -> Any:
    """Return the core's constants for a flight."""
    block = record_array(CONSTANTS)
    values = {
        **_body_values(vehicle),
        "engines": len(vehicle.landing_engines),
        "nozzle_ring_m2": float(
            np.mean(
                [
                    p.x_m**2 + p.y_m**2
                    for p in (vehicle.engine_position[n - 1] for n in vehicle.landing_engines)
                ]
            )
        ),
        "full_thrust_n": vehicle.engine.thrust_sl_n * len(vehicle.landing_engines),
        **{f"at_{field}": frame.offset(record, field) for record, field in WHERE},
    }
    for name, value in values.items():
        block[name][0] = value
    points = len(vehicle.aero.mach)
    for name, table in (
        ("mach", vehicle.aero.mach),
        ("axial", vehicle.aero.axial),
        ("normal_slope", vehicle.aero.normal_slope),
    ):
        block[name][0, :points] = table
    for i, tank in enumerate(vehicle.tank):
        block["tank_radius_m"][0, i] = tank.radius_m
        block["tank_bottom_z_m"][0, i] = tank.bottom_z_m
        block["tank_density_kgpm3"][0, i] = tank.density_kgpm3
        block["tank_damping"][0, i] = tank.damping
        block["tank_is_fuel"][0, i] = int(tank.contents == "fuel")
    # the feet stand between the fins
    angles = 2.0 * np.pi * (np.arange(vehicle.legs.count) + 0.5) / vehicle.legs.count
    block["foot_x_m"][0, : vehicle.legs.count] = vehicle.legs.radius_m * np.cos(angles)
    block["foot_y_m"][0, : vehicle.legs.count] = vehicle.legs.radius_m * np.sin(angles)
    return block


def _body_values(vehicle: Vehicle) -> dict[str, float]:
    body, aero, fins, legs = vehicle.body, vehicle.aero, vehicle.fins, vehicle.legs
    return {
        "dry_kg": body.dry_kg,
        "dry_cm_z_m": body.dry_cm_z_m,
        "propellant_cm_z_m": body.propellant_cm_z_m,
        "propellant_full_kg": body.propellant_kg,
        "propellant_length_m": body.propellant_length_m,
        "inertia_transverse_kgm2": body.inertia_transverse_kgm2,
        "inertia_axial_kgm2": body.inertia_axial_kgm2,
        "length_m": body.length_m,
        "diameter_m": body.diameter_m,
        "gimbal_plane_z_m": body.gimbal_plane_z_m,
        "aero_points": len(aero.mach),
        "ref_area_m2": aero.ref_area_m2,
        "cp_z_m": aero.cp_z_m,
        "crossflow_drag_area_m2": aero.crossflow_drag_area_m2,
        "rate_damping_m4": aero.rate_damping,
        "plume_factor": aero.plume_factor,
        "fin_z_m": fins.z_m,
        "fin_arm_m": fins.arm_m,
        "fin_slope_m2_per_rad": fins.slope_m2_per_rad,
        "fin_limit_rad": math.radians(fins.limit_deg),
        "fin_rate_radps": math.radians(fins.rate_degps),
        "fin_lag_s": fins.lag_s,
        "tanks": len(vehicle.tank),
        "fin_deadband_rad": math.radians(fins.deadband_deg),
        "leg_count": legs.count,
        "leg_radius_m": legs.radius_m,
        "leg_stiffness_npm": legs.stiffness_npm,
        "leg_damping_nspm": legs.damping_nspm,
        "leg_friction": legs.friction,
        "crash_speed_mps": legs.crash_speed_mps,
        "leg_crush_n": math.inf if legs.crush_n is None else legs.crush_n,
        "leg_stroke_m": math.inf if legs.crush_stroke_m is None else legs.crush_stroke_m,
    }


def _weigh(block: Any, mass_factor: float) -> None:
    """Make every mass `mass_factor` of the data sheet's; `_body` does the same to the propellant."""
    for name in ("dry_kg", "propellant_full_kg", "inertia_transverse_kgm2", "inertia_axial_kgm2"):
        block[name][0] *= mass_factor


def _body(vehicle: Vehicle, initial: Initial, wind: Wind, constants: Any, mass_factor: float) -> Any:
    """Return the body in its initial state."""
    block = record_array(BODY)
    s = block[0]
    propellant = vehicle.body.propellant_kg if initial.propellant_kg is None else initial.propellant_kg
    propellant *= mass_factor
    ratio = vehicle.body.mixture_ratio
    s.ox_kg, s.fuel_kg = propellant * ratio / (1.0 + ratio), propellant / (1.0 + ratio)
    s.ox_loaded_kg, s.fuel_loaded_kg = s.ox_kg, s.fuel_kg
    s.fin_rate_factor[:] = 1.0
    s.plume = 1.0
    set_mass(constants[0], s, propellant)
    q = np.array(_attitude(initial, wind))
    w, v = q[0], q[1:]
    arm = np.array([0.0, 0.0, s.cm_z_m])

    def turn(vector: Array) -> Array:
        cross = np.cross(v, vector)
        turned: Array = vector + 2.0 * (w * cross + np.cross(v, cross))
        return turned

    omega = np.array(initial.omega_body_radps)
    s.x[0:3] = np.array(initial.pos_pad_m) + turn(arm)
    s.x[3:6] = np.array(initial.vel_pad_mps) + turn(np.cross(omega, arm))
    s.x[6:10] = q
    s.x[10:13] = omega
    return block


def _attitude(initial: Initial, wind: Wind) -> tuple[float, float, float, float]:
    """Return the case's attitude, or the one with the engines along the air-relative velocity, roll zero."""
    if initial.q_pad_from_body is not None:
        w, x, y, z = initial.q_pad_from_body
        norm = math.sqrt(w * w + x * x + y * y + z * z)
        return w / norm, x / norm, y / norm, z / norm
    east, north, up = initial.vel_pad_mps
    air_east, air_north = wind.steady_mps(initial.pos_pad_m[2])
    east, north = east - air_east, north - air_north
    speed = math.sqrt(east * east + north * north + up * up)
    # shortest turn from straight up; upright when there is no flow, or when it comes from above
    if speed < 1.0 or up > 0.0:
        return 1.0, 0.0, 0.0, 0.0
    w, x, y = 1.0 - up / speed, north / speed, -east / speed
    norm = math.sqrt(w * w + x * x + y * y)
    return w / norm, x / norm, y / norm, 0.0
