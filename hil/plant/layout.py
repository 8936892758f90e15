"""The memory of the plant: structured arrays that the compiled core and the facade share.

Each array is a contiguous block; an element of it reads and writes its fields as attributes, in
compiled code as well as in plain Python.
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np

from hil.plant.propellant import MAX_TANKS
from hil.plant.rigid import STATES
from hil.plant.wind import GUST_STATES, WIND_POINTS
from hil.signals import FIN_COUNT

__all__ = ["AERO_POINTS", "BODY", "CONSTANTS", "MAX_LEGS", "WHERE", "record_array"]

AERO_POINTS: Final = 12
MAX_LEGS: Final = 8

WHERE: Final = (
    *(("truth", name) for name in (
        "pos_pad_m", "vel_pad_mps", "q_pad_from_body", "omega_body_radps", "force_body_mps2", "mass_kg",
        "propellant_kg", "cm_z_m", "mach", "dynamic_pressure_pa", "angle_of_attack_rad", "wind_pad_mps",
        "ox_valve_pos", "fuel_valve_pos", "ox_flow_kgps", "fuel_flow_kgps", "chamber_pa",
        "chamber_expected_pa", "thrust_n", "gimbal_x_rad", "gimbal_y_rad", "lit", "starts_left", "fin_rad",
        "legs_down", "contact", "contact_t_ns", "contact_pos_pad_m", "contact_vel_pad_mps",
        "contact_tilt_rad", "contact_rate_radps", "at_rest",
    )),
    *(("actuator", name) for name in (
        "ox_drive", "fuel_drive", "gimbal_x_drive", "gimbal_y_drive", "igniter", "unpowered",
        "fin_cmd_rad",
    )),
)  # fmt: skip
"""Fields of the frame that the core reads or writes; their offsets are constants `at_<field>`."""


def _floats(*names: str) -> list[Any]:
    return [(name, "<f8") for name in names]


def _ints(*names: str) -> list[Any]:
    return [(name, "<i8") for name in names]


CONSTANTS: Final = np.dtype((np.record, [
    *_floats(
        "dry_kg", "dry_cm_z_m", "propellant_cm_z_m", "propellant_full_kg", "propellant_length_m",
        "inertia_transverse_kgm2", "inertia_axial_kgm2", "length_m", "diameter_m", "gimbal_plane_z_m",
        "ref_area_m2", "cp_z_m", "crossflow_drag_area_m2", "rate_damping_m4", "plume_factor",
        "fin_z_m", "fin_arm_m", "fin_slope_m2_per_rad", "fin_limit_rad", "fin_rate_radps", "fin_lag_s",
        "fin_deadband_rad", "full_thrust_n",
        "leg_stiffness_npm", "leg_damping_nspm", "leg_friction", "leg_radius_m", "crash_speed_mps",
        "leg_crush_n", "leg_stroke_m", "pad_radius_m", "nozzle_ring_m2",
        "density_factor", "gust_w20_mps", "pad_north_m", "pad_up_m", "axis_north", "axis_up",
    ),
    ("mach", "<f8", (AERO_POINTS,)),
    ("axial", "<f8", (AERO_POINTS,)),
    ("normal_slope", "<f8", (AERO_POINTS,)),
    ("foot_x_m", "<f8", (MAX_LEGS,)),
    ("foot_y_m", "<f8", (MAX_LEGS,)),
    *((name, "<f8", (MAX_TANKS,)) for name in (
        "tank_radius_m", "tank_bottom_z_m", "tank_density_kgpm3", "tank_damping",
    )),
    *((name, "<f8", (WIND_POINTS,)) for name in ("wind_altitude_m", "wind_east_mps", "wind_north_mps")),
    ("tank_is_fuel", "<i8", (MAX_TANKS,)),
    *_ints("aero_points", "leg_count", "engines", "tanks", "wind_points", "turning"),
    *_ints(*(f"at_{name}" for _, name in WHERE)),
]))  # fmt: skip
"""What does not change in a flight. `full_thrust_n` is that of all landing engines at sea level."""

BODY: Final = np.dtype((np.record, [
    ("x", "<f8", (STATES,)),
    ("kept", "<f8", (STATES,)),
    ("scratch", "<f8", (5, STATES)),
    ("thrust_body_n", "<f8", (3,)),
    ("moment_body_nm", "<f8", (3,)),
    ("specific_mps2", "<f8", (3,)),
    ("fin_rad", "<f8", (FIN_COUNT,)),
    ("fin_mean_rad", "<f8", (FIN_COUNT,)),
    ("crush_m", "<f8", (MAX_LEGS,)),
    ("wind_mps", "<f8", (3,)),
    ("gust_states", "<f8", (GUST_STATES,)),
    ("gust_from_mps", "<f8", (3,)),
    ("gust_to_mps", "<f8", (3,)),
    ("slosh_m", "<f8", (2, MAX_TANKS)),
    ("slosh_mps", "<f8", (2, MAX_TANKS)),
    ("slosh_known", "<f8", (2, 6)),
    ("tank_mode", "<f8", (MAX_TANKS, 3)),
    ("fin_stuck", "<f8", (FIN_COUNT,)),
    ("fin_rate_factor", "<f8", (FIN_COUNT,)),
    ("contact_pos_pad_m", "<f8", (3,)),
    ("contact_vel_pad_mps", "<f8", (3,)),
    *_floats(
        "ox_kg", "fuel_kg", "mass_kg", "cm_z_m", "inertia_transverse_kgm2", "inertia_axial_kgm2",
        "density_kgpm3", "sound_mps", "ambient_pa", "plume", "still_s", "contact_tilt_rad",
        "contact_rate_radps", "fin_decay", "ox_loaded_kg", "fuel_loaded_kg", "ox_missing_kg",
        "fuel_missing_kg",
        "per_mass", "per_transverse", "per_axial",
        "leave_transverse", "leave_axial",
    ),
    *_ints("sloshes", "contact", "contact_t_ns", "at_rest", "legs_down"),
]))  # fmt: skip
"""The state of the body, what is held over a step, and the first touch."""


def record_array(dtype: np.dtype[Any], count: int = 1) -> Any:
    """Return `count` zeroed elements of `dtype`."""
    return np.zeros(count, dtype)
