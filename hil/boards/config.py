"""What a vehicle means to its boards: the one place where vehicle files become firmware configuration."""

from __future__ import annotations

import math
from typing import Any, Final

from hil.boards._firmware import ffi, lib
from hil.files import FileError
from hil.plant.vehicle import Vehicle
from hil.rig.model import LimitSpec, LimitsSpec

__all__ = ["flight_computer_config", "kernel_config", "valve_board_config"]

SEA_LEVEL_PA: Final = 101_325.0
BUS_GIMBAL_LIMIT_RAD: Final = 0.2047
"""What the gimbal demand's 12 bits can carry."""


def valve_board_config(
    vehicle: Vehicle,
    node: int,
    frame_s: float,
    *,
    enable_demanded: bool = False,
    limits: LimitsSpec | None = None,
) -> bytes:
    """Return the configuration of the valve board of engine `node` (an ev_config_t)."""
    engine, board = vehicle.engine, vehicle.valve_board
    config = ffi.new("ev_config_t *")
    config.version = lib.EV_CONFIG_VERSION
    config.size = ffi.sizeof("ev_config_t")
    config.frame_s = frame_s
    config.watchdog_s = board.watchdog_s
    config.valve_slew_per_s = engine.valve_slew_per_s
    config.valve_gain_per_s = board.valve_gain_per_s
    config.gimbal_rate_radps = math.radians(engine.gimbal_rate_degps)
    config.gimbal_gain_per_s = board.gimbal_gain_per_s
    config.gimbal_limit_rad = math.radians(engine.gimbal_limit_deg)
    config.chamber_pa = engine.chamber_pa
    config.mainstage_chamber_fraction = board.mainstage_chamber_fraction
    config.start_igniter_lead_s = board.start_igniter_lead_s
    config.start_fuel_lead_s = board.start_fuel_lead_s
    config.start_valve_pos = board.start_valve_pos
    config.start_light_timeout_s = board.start_light_timeout_s
    config.shutdown_gap_s = board.shutdown_gap_s
    config.stroke_time_s = board.stroke_time_s
    config.closed_pos = board.closed_pos
    config.node = node
    config.enable_demanded = enable_demanded
    if limits is not None:
        kinds = {"VALVE": limits.valve, "GIMBAL": limits.gimbal, "IGNITER": limits.igniter}
        for kind, limit in kinds.items():
            _fill_limit(config.limit[getattr(lib, f"EV_KIND_{kind}")], limit)
    config.shutdown_first = lib.EV_OX if board.shutdown_first == "oxidiser" else lib.EV_FUEL
    return bytes(ffi.buffer(config))


def _fill_limit(config: Any, limit: LimitSpec) -> None:
    """Put a limit into the configuration, where 0 is none."""
    config.strokes = limit.strokes or 0.0
    config.duty = limit.duty or 0.0
    config.duty_window_s = limit.duty_window_s
    config.energy_j = limit.energy_j or 0.0
    config.power_w = limit.power_w or 0.0


def flight_computer_config(
    vehicle: Vehicle, frame_s: float, *, initial_propellant_kg: float, ignition_forced_at_s: float | None
) -> bytes:
    """Return the configuration of the flight computer (an fc_config_t)."""
    config = ffi.new("fc_config_t *")
    config.version = lib.FC_CONFIG_VERSION
    config.size = ffi.sizeof("fc_config_t")
    for slot, number in enumerate(vehicle.landing_engines):
        config.node[slot] = number
    _fill_kernel(
        config.kernel,
        vehicle,
        frame_s,
        initial_propellant_kg=initial_propellant_kg,
        ignition_forced_at_s=ignition_forced_at_s,
    )
    return bytes(ffi.buffer(config))


def kernel_config(
    vehicle: Vehicle,
    frame_s: float,
    *,
    initial_propellant_kg: float,
    ignition_forced_at_s: float | None = None,
) -> bytes:
    """Return the guidance data of a vehicle (an fk_if_config_t), as the flight computer hands it over."""
    config = ffi.new("fk_if_config_t *")
    _fill_kernel(
        config[0],
        vehicle,
        frame_s,
        initial_propellant_kg=initial_propellant_kg,
        ignition_forced_at_s=ignition_forced_at_s,
    )
    return bytes(ffi.buffer(config))


def _fill_kernel(
    config: Any,
    vehicle: Vehicle,
    frame_s: float,
    *,
    initial_propellant_kg: float,
    ignition_forced_at_s: float | None,
) -> None:
    if math.radians(vehicle.engine.gimbal_limit_deg) > BUS_GIMBAL_LIMIT_RAD:
        most = math.degrees(BUS_GIMBAL_LIMIT_RAD)
        raise FileError(
            f"vehicle {vehicle.name}: key 'engine.gimbal_limit_deg' = {vehicle.engine.gimbal_limit_deg:g}: "
            f"the bus carries at most {most:.1f} deg"
        )
    config.version = lib.FK_IF_VERSION
    config.size = ffi.sizeof("fk_if_config_t")
    config.frame_s = frame_s
    config.engine_count = len(vehicle.landing_engines)
    config.ignition_forced = ignition_forced_at_s is not None
    config.ignition_forced_t_s = ignition_forced_at_s or 0.0
    for slot, number in enumerate(vehicle.landing_engines):
        _fill_engine(config.engine[slot], vehicle, number)
    _fill_body(config, vehicle, initial_propellant_kg)
    _fill_aero(config, vehicle)
    _fill_guidance(config, vehicle)


def _fill_engine(config: Any, vehicle: Vehicle, number: int) -> None:
    engine = vehicle.engine
    position = vehicle.engine_position[number - 1]
    vacuum_n = engine.thrust_sl_n + SEA_LEVEL_PA * engine.nozzle_exit_area_m2
    config.pos_body_m[0] = position.x_m
    config.pos_body_m[1] = position.y_m
    config.thrust_sl_n = engine.thrust_sl_n
    config.thrust_vac_n = vacuum_n
    config.throttle_floor = engine.throttle_floor
    config.isp_vac_s = engine.isp_sl_s * vacuum_n / engine.thrust_sl_n
    config.chamber_pa = engine.chamber_pa
    config.thrust_lag_s = engine.thrust_lag_s
    config.valve_slew_per_s = engine.valve_slew_per_s
    config.start_s = engine.start_s
    config.gimbal_limit_rad = math.radians(engine.gimbal_limit_deg)
    config.gimbal_rate_radps = math.radians(engine.gimbal_rate_degps)
    config.centre = number == vehicle.centre_engine
    config.starts = engine.starts


def _fill_body(config: Any, vehicle: Vehicle, propellant_kg: float) -> None:
    body = vehicle.body
    mass_kg = body.dry_kg + propellant_kg
    cm_z_m = (body.dry_kg * body.dry_cm_z_m + propellant_kg * body.propellant_cm_z_m) / mass_kg
    about_own = propellant_kg * body.propellant_length_m**2 / 12.0
    steiner = body.dry_kg * (body.dry_cm_z_m - cm_z_m) ** 2
    steiner += propellant_kg * (body.propellant_cm_z_m - cm_z_m) ** 2
    config.mass_kg = mass_kg
    config.dry_mass_kg = body.dry_kg
    config.dry_cm_z_m = body.dry_cm_z_m
    config.propellant_cm_z_m = body.propellant_cm_z_m
    config.inertia_transverse_kgm2 = body.inertia_transverse_kgm2 + about_own + steiner
    config.inertia_axial_kgm2 = body.inertia_axial_kgm2 + propellant_kg * body.diameter_m**2 / 8.0
    config.gimbal_plane_z_m = body.gimbal_plane_z_m
    config.length_m = body.length_m


def _fill_aero(config: Any, vehicle: Vehicle) -> None:
    aero, fins = vehicle.aero, vehicle.fins
    config.ref_area_m2 = aero.ref_area_m2
    config.aero_points = len(aero.mach)
    for i, (mach, axial, slope) in enumerate(zip(aero.mach, aero.axial, aero.normal_slope, strict=True)):
        config.aero_mach[i] = mach
        config.aero_axial[i] = axial
        config.aero_normal_slope[i] = slope
    config.aero_cp_z_m = aero.cp_z_m
    config.plume_factor = aero.plume_factor
    config.fin_z_m = fins.z_m
    config.fin_arm_m = fins.arm_m
    config.fin_slope_m2_per_rad = fins.slope_m2_per_rad
    config.fin_limit_rad = math.radians(fins.limit_deg)
    config.fin_rate_radps = math.radians(fins.rate_degps)


def _fill_guidance(config: Any, vehicle: Vehicle) -> None:
    data = vehicle.guidance
    config.throttle_plan_low = data.throttle_plan_low
    config.throttle_plan_high = data.throttle_plan_high
    config.land_throttle = data.land_throttle
    config.brake_throttle = data.brake_throttle
    config.touchdown_speed_mps = data.touchdown_speed_mps
    config.soft_finish_height_m = data.soft_finish_height_m
    config.tilt_limit_rad = math.radians(data.tilt_limit_deg)
    config.keep_out_radius_m = data.keep_out_radius_m
    config.optimise = data.optimise
