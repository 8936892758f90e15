"""The memory of the propulsion chain: constants, engines, feeds, and the chains' states.

Pressures are fractions of the full chamber pressure, flows fractions of the full flow of their own
propellant, the pump's speed is that at full thrust.  Side 0 is oxidiser, side 1 fuel.
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np

__all__ = [
    "CHAIN",
    "DELAY_SLOTS",
    "ENGINE",
    "ENGINE_EFFECTS",
    "FEED",
    "FEED_EFFECTS",
    "FLOW",
    "LINE",
    "PROPULSION",
]

DELAY_SLOTS: Final = 256
"""Sub-steps of injected flow that are kept for the combustion time lag."""


def _floats(*names: str) -> list[Any]:
    return [(name, "<f8") for name in names]


PROPULSION: Final = np.dtype((np.record, [
    *_floats(
        # nozzle
        "thrust_vac_n", "full_thrust_n", "exit_area_m2", "chamber_full_pa", "exit_pa",
        "separation", "exit_gamma",
        # chamber
        "mixture_ratio", "throttle_floor", "residence_s", "time_lag_s", "lag_spread", "best_ratio",
        "ratio_loss", "ratio_norm", "tail_off_s", "igniter_s", "pool_share", "pool_drain_s", "pool_burn_s",
        "damage_pressure",
        # turbopump
        "spool_s", "speed_0", "speed_1", "speed_2", "torque_at_rest", "start_torque", "start_speed",
        "bearing", "cavitation_slope", "trip_speed", "trip_s",
        # valves and gimbal
        "valve_slew_per_s", "valve_lag_s", "valve_play", "valve_spring_per_s", "gimbal_limit_rad",
        "gimbal_rate_radps",
        "gimbal_lag_s", "gimbal_deadband",
        # tanks
        "settled_mps2", "slosh_gain",
        # the long path's lag, and the injector stiffness below which the short path is taken
        "short_lag_s", "watch_stiffness",
        # steps and what lags leave over them; long and short
        "long_dt", "short_dt", "valve_decay_long", "valve_decay_short", "gimbal_decay",
    ),
    ("engines", "<i8"),
    ("long_steps", "<i8"),
    ("short_steps", "<i8"),
]))  # fmt: skip
"""What does not change in a flight; `full_thrust_n` is that of all landing engines at sea level."""

LINE: Final = np.dtype((np.record, _floats(
    "share", "full_kgps", "inlet", "head", "shutoff", "injector", "upstream", "contour_0", "contour_1",
    "contour_2", "inertance_s", "capacity_s", "power_share", "suction_required", "ingest_kg",
)))  # fmt: skip
"""One propellant's way from tank to chamber; `upstream` holds line and pump droop.

`share` is its share of the full mass flow, `head` the pump's rise at full thrust, `shutoff` that
at no flow.  The valve's resistance is contour_0 / x^2 + contour_1 / x + contour_2.
"""

FEED_EFFECTS: Final = (
    "stuck", "stuck_pos", "slew_factor", "stiction", "stiction_hold_s", "leak", "injector_area",
    "flow_factor", "void", "cavitation",
)  # fmt: skip

FEED: Final = np.dtype((np.record, _floats("travel", "speed", "pos", "pulled_s", "loose", *FEED_EFFECTS)))
"""One valve: its actuator's travel, its stem's position, and what faults do to this side."""

ENGINE_EFFECTS: Final = (
    "out", "tail_off_s", "ignition_delay_s", "starts_most", "thrust_factor", "thrust_factor_tau_s",
    "throttle_tau_s", "hard_start_peak", "hard_start_burn_s", "injector_dp", "time_lag_s", "buzz",
    "buzz_hz", "void_burst_s", "turbine_factor", "trip_speed", "trip_s", "gimbal_stuck", "gimbal_held",
    "gimbal_held_x_rad", "gimbal_held_y_rad", "gimbal_rate_factor", "gimbal_bias_x_rad",
    "gimbal_bias_y_rad",
)  # fmt: skip

ENGINE: Final = np.dtype((np.record, [
    *_floats(
        "x_m", "y_m", "gimbal_x_rad", "gimbal_x_speed", "gimbal_y_rad", "gimbal_y_speed",
        *ENGINE_EFFECTS,
    ),
    ("split", "<i8"),
    ("short", "<i8"),
    ("idle", "<i8"),
]))  # fmt: skip
"""One engine: place, gimbal, effects; `split` once its healthy twin is integrated by itself."""

CHAIN: Final = np.dtype((np.record, [
    *_floats(
        "speed", "throttle", "pressure", "burning", "factor", "rate_speed", "rate_pressure",
        "last_speed", "last_pressure", "igniting_s", "starved_s", "risen_s", "pool_s",
        "over_s", "void_s", "buzz_s", "unrest", "swing",
    ),
    ("delayed", "<f8", (DELAY_SLOTS,)),
    *((name, "<i8") for name in (
        "newest", "lit", "established", "starts_left", "dead", "spared", "short", "fresh",
    )),
]))  # fmt: skip
"""Turbopump, chamber and ignition of one engine, or of the healthy twin that tells what was expected."""

FLOW: Final = np.dtype((np.record, _floats("line", "manifold", "injected", "used_kg")))
"""One side of a chain: flow in the line, pressure in the manifold, flow into the chamber, mass used."""
