"""Vehicle files: the TOML that describes a booster, validated, every figure tagged with its origin."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from hil.files import Figure, FileModel, bounded, load_toml
from hil.signals import MAX_ENGINES

__all__ = [
    "Aero",
    "Body",
    "Engine",
    "EnginePosition",
    "Fins",
    "Guidance",
    "Legs",
    "Propulsion",
    "Tank",
    "ValveBoard",
    "Vehicle",
    "load_vehicle",
]


class Body(FileModel):
    """Masses and lengths. Heights are measured from the body origin, the centre of the foot plane."""

    dry_kg: Figure = bounded(1e3, 1e6, "kg")
    propellant_kg: Figure = bounded(1.0, 1e6, "kg")
    mixture_ratio: Figure = bounded(1.0, 8.0, "kg oxidiser / kg fuel")
    dry_cm_z_m: Figure = bounded(0.5, 100.0, "m")
    propellant_cm_z_m: Figure = bounded(0.5, 100.0, "m")
    propellant_length_m: Figure = bounded(0.0, 50.0, "m")
    inertia_transverse_kgm2: Figure = bounded(1e3, 1e10, "kg m^2, empty")
    inertia_axial_kgm2: Figure = bounded(1e2, 1e9, "kg m^2, empty")
    length_m: Figure = bounded(2.0, 150.0, "m")
    diameter_m: Figure = bounded(0.5, 20.0, "m")
    gimbal_plane_z_m: Figure = bounded(0.0, 20.0, "m")


Mach = Annotated[float, bounded(0.0, 50.0, "1")]
Coefficient = Annotated[float, bounded(-100.0, 100.0, "1, of ref_area_m2")]


class Aero(FileModel):
    """Aerodynamics engines first, by Mach; the tables are of equal length (2 to 12 points)."""

    mach: Annotated[tuple[Mach, ...], Field(min_length=2, max_length=12)]
    axial: Annotated[tuple[Coefficient, ...], Field(min_length=2, max_length=12)]
    normal_slope: Annotated[tuple[Coefficient, ...], Field(min_length=2, max_length=12)]
    origin: Literal["published", "computed", "assumed"]
    note: str
    ref_area_m2: Figure = bounded(0.1, 500.0, "m^2")
    cp_z_m: Figure = bounded(0.0, 100.0, "m")
    crossflow_drag_area_m2: Figure = bounded(0.0, 2000.0, "m^2")
    rate_damping: Figure = bounded(0.0, 1e4, "m^4, moment = -q/V * this * rate")
    plume_factor: Figure = bounded(0.0, 1.0, "1, fraction left behind the plume at full thrust")

    @model_validator(mode="after")
    def _tables_fit(self) -> Self:
        if not len(self.mach) == len(self.axial) == len(self.normal_slope):
            raise ValueError("aero.mach, aero.axial and aero.normal_slope must have the same length")
        if any(b <= a for a, b in zip(self.mach, self.mach[1:], strict=False)):
            raise ValueError("aero.mach must increase")
        return self


class Fins(FileModel):
    """Four grid fins at +x, +y, -x, -y; a positive deflection pushes along z x r."""

    z_m: Figure = bounded(0.0, 120.0, "m")
    arm_m: Figure = bounded(0.1, 20.0, "m")
    slope_m2_per_rad: Figure = bounded(0.0, 100.0, "m^2/rad")
    limit_deg: Figure = bounded(0.0, 60.0, "deg")
    rate_degps: Figure = bounded(0.1, 500.0, "deg/s")
    lag_s: Figure = bounded(0.001, 2.0, "s")
    deadband_deg: Figure = bounded(0.0, 5.0, "deg, error that moves nothing")


class Engine(FileModel):
    """One engine type, with its valves and gimbal."""

    thrust_sl_n: Figure = bounded(1e3, 1e7, "N")
    isp_sl_s: Figure = bounded(100.0, 500.0, "s")
    nozzle_exit_area_m2: Figure = bounded(0.0, 10.0, "m^2")
    chamber_pa: Figure = bounded(1e5, 4e7, "Pa")
    throttle_floor: Figure = bounded(0.05, 1.0, "1")
    valve_slew_per_s: Figure = bounded(0.1, 50.0, "1/s")
    valve_lag_s: Figure = bounded(0.001, 1.0, "s, drive to valve speed")
    valve_play: Figure = bounded(0.0, 0.05, "1, backlash between actuator and stem, of the stroke")
    valve_spring_per_s: Figure = bounded(
        0.0, 50.0, "1/s, spring that closes a valve whose drive is without power"
    )
    thrust_lag_s: Figure = bounded(0.001, 1.0, "s, valve position to chamber pressure, for guidance")
    start_s: Figure = bounded(0.01, 10.0, "s, START request to the throttle floor, for guidance")
    tail_off_s: Figure = bounded(0.01, 2.0, "s, decay of the chamber pressure once it no longer burns")
    igniter_s: Figure = bounded(0.01, 2.0, "s, igniter on to burning chamber, propellants flowing")
    starts: Annotated[int, Field(ge=0, le=20)]
    gimbal_limit_deg: Figure = bounded(0.0, 20.0, "deg")
    gimbal_rate_degps: Figure = bounded(0.1, 200.0, "deg/s")
    gimbal_lag_s: Figure = bounded(0.001, 1.0, "s, drive to gimbal speed")
    gimbal_deadband: Figure = bounded(0.0, 0.5, "1, drive that does not move the gimbal yet")


class Propulsion(FileModel):
    """The engine's propulsion chain; "of Pc" is a fraction of the full chamber pressure.

    Inertance and capacity are times: that in which the full chamber pressure brings the line to full
    flow, and that in which the full flow brings the manifold to full chamber pressure.
    """

    inlet_pa: Figure = bounded(5e4, 5e6, "Pa, at the pump inlets, held by the tanks' pressurisation")
    injector_drop_ox: Figure = bounded(0.01, 2.0, "of Pc, at full flow")
    injector_drop_fuel: Figure = bounded(0.01, 2.0, "of Pc, at full flow")
    line_drop: Figure = bounded(0.0, 2.0, "of Pc, at full flow")
    valve_drop: Figure = bounded(0.05, 2.0, "of the chamber pressure, at every throttle")
    line_inertance_ox_s: Figure = bounded(5e-4, 0.1, "s")
    line_inertance_fuel_s: Figure = bounded(5e-4, 0.1, "s")
    manifold_capacity_ox_s: Figure = bounded(5e-4, 0.1, "s")
    manifold_capacity_fuel_s: Figure = bounded(5e-4, 0.1, "s")
    residence_s: Figure = bounded(3e-4, 0.02, "s, gas in the chamber")
    time_lag_s: Figure = bounded(1e-4, 0.01, "s, injection to combustion")
    lag_spread: Figure = bounded(0.0, 10.0, "1, spread of the time lag over the swing of what burns")
    best_ratio: Figure = bounded(1.0, 8.0, "kg oxidiser / kg fuel of the highest c*")
    ratio_loss: Figure = bounded(0.0, 5.0, "1, c* lost over the square of ln(ratio / best)")
    spool_s: Figure = bounded(0.01, 2.0, "s, full pump torque to full pump speed")
    pump_droop: Figure = bounded(0.0, 1.0, "of the head at full thrust, gained at no flow")
    pump_torque_at_rest: Figure = bounded(0.0, 0.9, "of the torque, at no flow and full speed")
    bearing: Figure = bounded(0.0, 0.2, "of the full torque")
    ox_power_share: Figure = bounded(0.1, 0.95, "of the pump power, oxidiser side")
    start_torque: Figure = bounded(0.01, 2.0, "of the full torque, start gas at standstill")
    start_speed: Figure = bounded(0.05, 0.8, "of the full speed, reached by start gas alone")
    suction_required_pa: Figure = bounded(1e3, 5e6, "Pa above vapour pressure, at full speed")
    cavitation_slope: Figure = bounded(0.0, 10.0, "1, head lost over suction head missing")
    trip_speed: Figure = bounded(1.01, 2.0, "of the full speed")
    trip_s: Figure = bounded(0.001, 1.0, "s above the trip speed")
    pool_share: Figure = bounded(0.0, 1.0, "1, of unburnt flow that stays in the chamber")
    pool_drain_s: Figure = bounded(0.01, 5.0, "s")
    pool_burn_s: Figure = bounded(0.001, 0.1, "s")
    damage_pressure: Figure = bounded(1.1, 10.0, "of Pc, destroys the engine")
    ingest_kg: Figure = bounded(1.0, 1e5, "kg of both propellants, settled, below which gas is drawn in")
    settled_mps2: Figure = bounded(0.0, 20.0, "m/s^2 along the axis, settles the propellant")
    slosh_gain: Figure = bounded(0.0, 20.0, "1, ingest level gained over the tangent of the liquid's tilt")
    exit_pa: Figure = bounded(1e3, 1e6, "Pa, nozzle exit at full thrust")
    exit_gamma: Figure = bounded(1.05, 1.67, "1, in the nozzle's end")
    separation: Figure = bounded(0.0, 0.8, "of the ambient pressure, at the wall where the flow separates")


class EnginePosition(FileModel):
    """Where an engine sits in the gimbal plane."""

    x_m: float = bounded(-20.0, 20.0, "m")
    y_m: float = bounded(-20.0, 20.0, "m")


class ValveBoard(FileModel):
    """What the firmware of a valve board is told about its engine: sequences and limits."""

    watchdog_s: Figure = bounded(0.05, 0.05, "s, fixed by the design")
    valve_gain_per_s: Figure = bounded(0.1, 100.0, "1/s, position loop")
    gimbal_gain_per_s: Figure = bounded(0.1, 100.0, "1/s, position loop")
    start_igniter_lead_s: Figure = bounded(0.0, 5.0, "s, igniter on before the first valve opens")
    start_fuel_lead_s: Figure = bounded(0.0, 5.0, "s, fuel valve opens before the oxidiser valve")
    start_valve_pos: Figure = bounded(0.05, 1.0, "1, valve opening held during the start")
    start_light_timeout_s: Figure = bounded(0.1, 10.0, "s, START to FAULT without chamber pressure")
    mainstage_chamber_fraction: Figure = bounded(0.05, 1.0, "1, of full chamber pressure: START to MAINSTAGE")
    shutdown_first: Literal["oxidiser", "fuel"]
    shutdown_gap_s: Figure = bounded(0.0, 2.0, "s, from closing the first valve to closing the second")
    stroke_time_s: Figure = bounded(0.01, 5.0, "s, full stroke at the shutdown drive, upper bound")
    closed_pos: Figure = bounded(0.0, 0.05, "1, below this a valve counts as on its stop")


class Legs(FileModel):
    """Landing legs: spring and damper at each foot, and a core that crushes under more than its load.

    Without `crush_n` the legs are elastic and never collapse.
    """

    count: Annotated[int, Field(ge=3, le=8)]
    radius_m: Figure = bounded(0.5, 30.0, "m")
    stiffness_npm: Figure = bounded(1e3, 1e8, "N/m, each leg")
    damping_nspm: Figure = bounded(1e2, 1e8, "N s/m, each leg")
    friction: Figure = bounded(0.0, 2.0, "1")
    crash_speed_mps: Figure = bounded(1.0, 50.0, "m/s, above this the legs collapse")
    crush_n: Figure | None = bounded(1e3, 1e8, "N, each leg", default=None)
    crush_stroke_m: Figure | None = bounded(0.01, 5.0, "m, crushed by more a leg collapses", default=None)


class Tank(FileModel):
    """A tank whose propellant sloshes: an upright cylinder, filled from its bottom."""

    contents: Literal["oxidiser", "fuel"]
    radius_m: Figure = bounded(0.1, 20.0, "m")
    bottom_z_m: Figure = bounded(0.0, 150.0, "m, where the liquid lies")
    density_kgpm3: Figure = bounded(50.0, 2000.0, "kg/m^3")
    damping: Figure = bounded(0.0, 1.0, "1, ratio to critical")


class Guidance(FileModel):
    """Guidance data: set once for a vehicle, never for a case."""

    throttle_plan_low: Figure = bounded(0.05, 1.0, "1")
    throttle_plan_high: Figure = bounded(0.05, 1.0, "1")
    brake_throttle: Figure = bounded(0.05, 1.0, "1, planned while all engines brake")
    land_throttle: Figure = bounded(0.05, 1.0, "1, planned after the step-down")
    touchdown_speed_mps: Figure = bounded(0.1, 2.0, "m/s")
    soft_finish_height_m: Figure = bounded(0.0, 500.0, "m")
    tilt_limit_deg: Figure = bounded(1.0, 45.0, "deg")
    optimise: bool = False
    """Fly the powered descent along optimised plans."""
    keep_out_radius_m: Figure = bounded(0.0, 500.0, "m")

    @model_validator(mode="after")
    def _has_a_planning_band(self) -> Self:
        if self.throttle_plan_low >= self.throttle_plan_high:
            raise ValueError(
                f"throttle_plan_low = {self.throttle_plan_low:g} must be below "
                f"throttle_plan_high = {self.throttle_plan_high:g} (1)"
            )
        return self


class Requirements(FileModel):
    """Touchdown limits; a vehicle may tighten the defaults, never widen them."""

    vertical_speed_mps: float = bounded(0.01, 2.0, "m/s", default=2.0)
    lateral_speed_mps: float = bounded(0.01, 1.0, "m/s", default=1.0)
    tilt_deg: float = bounded(0.01, 3.0, "deg", default=3.0)
    rate_degps: float = bounded(0.01, 3.0, "deg/s", default=3.0)
    miss_m: float = bounded(0.01, 5.0, "m", default=5.0)


class Vehicle(FileModel):
    """A booster as its file describes it."""

    name: str
    description: str
    body: Body
    aero: Aero
    fins: Fins
    engine: Engine
    propulsion: Propulsion
    engine_position: Annotated[tuple[EnginePosition, ...], Field(min_length=1, max_length=MAX_ENGINES)]
    landing_engines: Annotated[tuple[int, ...], Field(min_length=1, max_length=MAX_ENGINES)]
    """Numbers (from 1) of the engines that take part in the landing burn, in burn order."""
    centre_engine: int
    """Number of the engine that may land the stage by itself."""
    valve_board: ValveBoard
    tank: Annotated[tuple[Tank, ...], Field(max_length=4)] = ()
    """Tanks that slosh; without any the propellant stands still in the body."""
    legs: Legs
    guidance: Guidance
    requirements: Requirements = Requirements()

    @model_validator(mode="after")
    def _engines_exist(self) -> Self:
        count = len(self.engine_position)
        for number in self.landing_engines:
            if not 1 <= number <= count:
                raise ValueError(f"landing_engines: engine {number} has no position (1 to {count})")
        if len(set(self.landing_engines)) != len(self.landing_engines):
            raise ValueError("landing_engines: an engine is named twice")
        if self.centre_engine not in self.landing_engines:
            raise ValueError(f"centre_engine: engine {self.centre_engine} is not one of landing_engines")
        return self

    @model_validator(mode="after")
    def _valves_get_through_their_stroke(self) -> Self:
        least_s = 1.0 / self.engine.valve_slew_per_s
        if self.valve_board.stroke_time_s < least_s * (1.0 - 1e-9):
            raise ValueError(
                f"key 'valve_board.stroke_time_s' = {self.valve_board.stroke_time_s:g}: a full stroke takes "
                f"{least_s:g} s at the slew of engine.valve_slew_per_s = {self.engine.valve_slew_per_s:g} 1/s"
            )
        return self


def load_vehicle(path: Path) -> Vehicle:
    """Read a vehicle file; raise FileError with one line when it cannot be used."""
    return load_toml(path, Vehicle)
