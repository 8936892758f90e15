"""The booster: the facade that the executive turns, in front of the compiled core."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from hil.faults.case import Atmosphere, Initial, Pad, Wind
from hil.plant.atmosphere import G0_MPS2, SEA_LEVEL_PA
from hil.plant.core import advance, set_mass, write_truth
from hil.plant.earth import pad_place
from hil.plant.layout import BODY, CHAMBER, CONSTANTS, ENGINE, WHERE, record_array
from hil.plant.vehicle import EnginePosition, Vehicle
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
    ox_stuck: Array
    """1: the oxidiser valve stays where it stands."""
    fuel_stuck: Array
    """1: the fuel valve stays where it stands."""
    ox_slew_factor: Array
    """Factor of the oxidiser valve's slew rate; healthy 1."""
    fuel_slew_factor: Array
    """Factor of the fuel valve's slew rate; healthy 1."""
    gimbal_stuck: Array
    """1: the gimbal stays where it stands, on both axes."""
    gimbal_rate_factor: Array
    """Factor of the gimbal's rate; healthy 1."""
    gimbal_bias_x_rad: Array
    """Angle of the thrust to the gimbal towards x, rad: a misalignment that no sensor sees."""
    gimbal_bias_y_rad: Array
    """Angle of the thrust to the gimbal towards y, rad."""


class BoosterPlant:
    """The booster and its surroundings; writes the `truth` record of the frame.

    Positions are of the body origin (centre of the foot plane), pad axes; SI units.  The step is
    at most `step_ns`; the initial truth stands in the frame once the plant is made.  Gusts draw from
    their own stream, named by `seed` and `run_id`.
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
        self._engines, self._chambers = _engines(vehicle)
        self._body = _body(vehicle, initial, wind, self._constants)
        self.effects = Effects(**{name: self._engines[name] for name in Effects.__dataclass_fields__})
        self._actuator = frame.floats("actuator")
        self._truth = frame.floats("truth")
        self._truth_int = frame.ints("truth")
        self._blocks = (
            self._constants, self._body, self._engines, self._chambers, self._actuator, self._truth,
            self._truth_int,
        )  # fmt: skip
        self._at_rest = 0
        self._gusts = stream(seed, run_id, "wind.gusts") if wind.gust_w20_mps > 0.0 else None
        self._gust_noise: Array = np.zeros((GUST_BLOCK, 3))
        self._gust_next = GUST_BLOCK - 1  # the first frame draws the first block
        if self._gusts is not None:
            gust_start(self._constants[0], self._body[0], self._gusts.standard_normal(5))
        write_truth(self._constants, self._body, self._engines, self._chambers, self._truth, self._truth_int)

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
        **_engine_values(vehicle),
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
        "mixture_ratio": body.mixture_ratio,
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
        "leg_count": legs.count,
        "leg_radius_m": legs.radius_m,
        "leg_stiffness_npm": legs.stiffness_npm,
        "leg_damping_nspm": legs.damping_nspm,
        "leg_friction": legs.friction,
        "crash_speed_mps": legs.crash_speed_mps,
        "leg_crush_n": math.inf if legs.crush_n is None else legs.crush_n,
        "leg_stroke_m": math.inf if legs.crush_stroke_m is None else legs.crush_stroke_m,
    }


def _engine_values(vehicle: Vehicle) -> dict[str, float]:
    engine, ratio = vehicle.engine, vehicle.body.mixture_ratio
    flow_kgps = engine.thrust_sl_n / (engine.isp_sl_s * G0_MPS2)
    return {
        "engines": len(vehicle.landing_engines),
        "nozzle_ring_m2": float(np.mean([p.x_m**2 + p.y_m**2 for p in _places(vehicle)])),
        "thrust_vac_n": engine.thrust_sl_n + SEA_LEVEL_PA * engine.nozzle_exit_area_m2,
        "full_thrust_n": engine.thrust_sl_n * len(vehicle.landing_engines),
        "exit_area_m2": engine.nozzle_exit_area_m2,
        "chamber_full_pa": engine.chamber_pa,
        "ox_full_kgps": flow_kgps * ratio / (1.0 + ratio),
        "fuel_full_kgps": flow_kgps / (1.0 + ratio),
        "throttle_floor": engine.throttle_floor,
        "valve_slew_per_s": engine.valve_slew_per_s,
        "valve_lag_s": engine.valve_lag_s,
        "flow_lag_s": engine.flow_lag_s,
        "chamber_lag_s": engine.chamber_lag_s,
        "tail_off_s": engine.tail_off_s,
        "igniter_s": engine.igniter_s,
        "gimbal_limit_rad": math.radians(engine.gimbal_limit_deg),
        "gimbal_rate_radps": math.radians(engine.gimbal_rate_degps),
        "gimbal_lag_s": engine.gimbal_lag_s,
    }


def _places(vehicle: Vehicle) -> list[EnginePosition]:
    return [vehicle.engine_position[number - 1] for number in vehicle.landing_engines]


def _engines(vehicle: Vehicle) -> tuple[Any, Any]:
    """Return engines and chambers, shut and healthy."""
    count = len(vehicle.landing_engines)
    engines, chambers = record_array(ENGINE, count), record_array(CHAMBER, 2 * count)
    places = _places(vehicle)
    engines["x_m"] = [place.x_m for place in places]
    engines["y_m"] = [place.y_m for place in places]
    for name in (
        "thrust_factor",
        "thrust_factor_now",
        "ox_slew_factor",
        "fuel_slew_factor",
        "gimbal_rate_factor",
    ):
        engines[name] = 1.0
    engines["tail_off_s"] = vehicle.engine.tail_off_s
    chambers["starts_left"] = vehicle.engine.starts
    return engines, chambers


def _body(vehicle: Vehicle, initial: Initial, wind: Wind, constants: Any) -> Any:
    """Return the body in its initial state."""
    block = record_array(BODY)
    s = block[0]
    propellant = vehicle.body.propellant_kg if initial.propellant_kg is None else initial.propellant_kg
    ratio = vehicle.body.mixture_ratio
    s.ox_kg, s.fuel_kg = propellant * ratio / (1.0 + ratio), propellant / (1.0 + ratio)
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
