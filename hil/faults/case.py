"""Case files: what goes wrong. A case is small and whole: vehicle, start, weather, faults, seed."""

from __future__ import annotations

import math
from itertools import pairwise
from pathlib import Path
from typing import Annotated, Final, Literal, Self

from pydantic import AllowInfNan, Field, model_validator

from hil.faults.catalogue import CATALOGUE, HEALS, SIZES, STRUCK, Choice, Kind, Size
from hil.files import FileError, FileModel, Name, bounded, load_toml

__all__ = [
    "SHIPPED",
    "Atmosphere",
    "Case",
    "Dispersion",
    "FaultSpec",
    "Found",
    "Gnss",
    "Ignition",
    "Imu",
    "Initial",
    "Navigation",
    "Pad",
    "Radar",
    "Stage",
    "Wind",
    "find_case",
    "load_case",
    "vehicle_path",
]

SHIPPED: Final = Path(__file__).resolve().parent.parent.parent / "rigs"
"""The rigs, cases and vehicles that come with the sources."""

ACROSS_M: Final = (-20e3, 20e3)
ALTITUDE_M: Final = (0.0, 100e3)
SPEED_MPS: Final = (-3000.0, 3000.0)
FACTOR: Final = (0.5, 1.5)
"""Ranges of what dispersions are drawn about."""

Across = Annotated[float, bounded(*ACROSS_M, "m, east and north of the pad")]
Altitude = Annotated[float, bounded(*ALTITUDE_M, "m above the pad")]
Speed = Annotated[float, bounded(*SPEED_MPS, "m/s")]
Breeze = Annotated[float, bounded(-100.0, 100.0, "m/s")]
Component = Annotated[float, bounded(-1.01, 1.01, "1")]
Rate = Annotated[float, bounded(-10.0, 10.0, "rad/s")]
Moment = Annotated[float, bounded(0.0, 600.0, "s")]
HalfPosition = Annotated[float, bounded(0.0, 5000.0, "m")]
HalfSpeed = Annotated[float, bounded(0.0, 500.0, "m/s")]
Wind2 = tuple[Breeze, Breeze]
Measure = Annotated[float, AllowInfNan(True)]
"""Size of a fault: the catalogue knows its range, which no NaN is in."""


class Initial(FileModel):
    """The state at time 0. The attitude, when not given, has the engines along the air-relative velocity."""

    pos_pad_m: tuple[Across, Across, Altitude]
    vel_pad_mps: tuple[Speed, Speed, Speed]
    q_pad_from_body: tuple[Component, Component, Component, Component] | None = None
    omega_body_radps: tuple[Rate, Rate, Rate] = (0.0, 0.0, 0.0)
    propellant_kg: float | None = bounded(0.0, 1e6, "kg", default=None)
    """Landing propellant; None takes the vehicle's."""

    @model_validator(mode="after")
    def _is_an_attitude(self) -> Self:
        q = self.q_pad_from_body
        if q is not None and abs(math.hypot(*q) - 1.0) > 0.01:
            raise ValueError("q_pad_from_body must be a unit quaternion (length 0.99 to 1.01), scalar first")
        return self


class Wind(FileModel):
    """Where the air blows to, east and north: one steady wind or a profile by altitude, and gusts.

    A profile is linear between its points and constant beyond its ends: its slope is the shear.
    """

    mean_mps: Wind2 = (0.0, 0.0)
    altitude_m: Annotated[tuple[Altitude, ...], Field(min_length=2, max_length=64)] | None = None
    profile_mps: Annotated[tuple[Wind2, ...], Field(min_length=2, max_length=64)] | None = None
    gust_w20_mps: float = bounded(0.0, 50.0, "m/s, wind at 20 ft that the gusts are scaled to", default=0.0)
    """Dryden gusts of MIL-F-8785C; 0: none."""

    @model_validator(mode="after")
    def _is_one_wind(self) -> Self:
        if (self.altitude_m is None) != (self.profile_mps is None):
            raise ValueError("wind.altitude_m and wind.profile_mps belong together")
        if self.altitude_m is not None and self.profile_mps is not None:
            if self.mean_mps != (0.0, 0.0):
                raise ValueError("wind takes mean_mps or a profile, not both")
            if len(self.altitude_m) != len(self.profile_mps):
                raise ValueError("wind.altitude_m and wind.profile_mps must have the same length")
            if any(b <= a for a, b in pairwise(self.altitude_m)):
                raise ValueError("wind.altitude_m must increase")
        return self

    def points(self) -> tuple[tuple[float, ...], tuple[tuple[float, float], ...]]:
        """Return altitudes (m) and the winds there (m/s, east and north)."""
        if self.altitude_m is None or self.profile_mps is None:
            return (0.0,), (self.mean_mps,)
        return self.altitude_m, self.profile_mps

    def steady_mps(self, altitude_m: float) -> tuple[float, float]:
        """Return the wind without gusts at an altitude, m/s, east and north."""
        altitudes, winds = self.points()
        for i in range(1, len(altitudes)):
            if altitude_m < altitudes[i]:
                part = max((altitude_m - altitudes[i - 1]) / (altitudes[i] - altitudes[i - 1]), 0.0)
                (e0, n0), (e1, n1) = winds[i - 1], winds[i]
                return e0 + part * (e1 - e0), n0 + part * (n1 - n0)
        return winds[-1]


class Atmosphere(FileModel):
    """The air: US Standard Atmosphere 1976, its density scaled."""

    density_factor: float = bounded(0.5, 2.0, "1", default=1.0)


class Pad(FileModel):
    """The pad: level ground everywhere, the pad itself a disc."""

    radius_m: float = bounded(1.0, 1000.0, "m", default=40.0)
    """Whoever stands further out stands off the pad."""
    latitude_deg: float | None = bounded(-90.0, 90.0, "deg", default=None)
    """With it the pad stands on the turning WGS-84 Earth (J2, centrifugal force, Coriolis); without it
    gravity is the standard's over a flat Earth that stands still."""


class Stage(FileModel):
    """The stage as it really is, over its data sheet; the flight computer is told the data sheet alone."""

    mass_factor: float = bounded(*FACTOR, "1, of dry mass and propellant alike", default=1.0)
    """What a weighing error leaves unknown: of masses and moments of inertia; the centre of mass stays."""
    thrust_factor: float = bounded(*FACTOR, "1, of every engine", default=1.0)
    """Engines of one design, a little larger or smaller: thrust and propellant flow at a given chamber
    pressure, so that specific impulse and pressure readings do not show it."""


class Dispersion(FileModel):
    """Half-ranges of uniform draws about the case's own values, made by the seed of the flight.

    The wind blows in a random direction; its speeds at 1 km and at 10 m are drawn from 0 up, it is
    linear between these heights and constant beyond them, and the gusts are scaled to it.
    """

    pos_m: tuple[HalfPosition, HalfPosition, HalfPosition] = (0.0, 0.0, 0.0)
    vel_mps: tuple[HalfSpeed, HalfSpeed, HalfSpeed] = (0.0, 0.0, 0.0)
    mass: float = bounded(0.0, 0.3, "1, of dry mass and propellant alike", default=0.0)
    thrust: float = bounded(0.0, 0.3, "1, of every engine alike", default=0.0)
    wind_1km_mps: float = bounded(0.0, 100.0, "m/s, most wind at 1 km", default=0.0)
    wind_10m_mps: float = bounded(0.0, 50.0, "m/s, most wind at 10 m", default=0.0)

    @property
    def draws_wind(self) -> bool:
        """True when the wind is drawn."""
        return self.wind_1km_mps > 0.0 or self.wind_10m_mps > 0.0


class Imu(FileModel):
    """An inertial measurement unit; biases and scale errors are one sigma, drawn when it is turned on."""

    gyro_bias_degph: float = bounded(0.0, 1e5, "deg/h", default=0.5)
    gyro_scale_ppm: float = bounded(0.0, 1e5, "ppm", default=500.0)
    gyro_noise_deg_rth: float = bounded(0.0, 100.0, "deg/sqrt(h)", default=0.15)
    gyro_range_degps: float = bounded(1.0, 1e4, "deg/s", default=400.0)
    gyro_lsb_degps: float = bounded(0.0, 10.0, "deg/s, 0: none", default=6.1035e-5)
    accelerometer_bias_mg: float = bounded(0.0, 1000.0, "mg", default=0.75)
    accelerometer_scale_ppm: float = bounded(0.0, 1e5, "ppm", default=300.0)
    accelerometer_noise_mps_rth: float = bounded(0.0, 100.0, "m/s/sqrt(h)", default=0.07)
    accelerometer_range_g: float = bounded(0.1, 1000.0, "g", default=10.0)
    accelerometer_lsb_mg: float = bounded(0.0, 100.0, "mg, 0: none", default=1.9073e-3)
    latency_ms: int = bounded(0, 500, "ms", default=0)


class Gnss(FileModel):
    """A GNSS receiver, followed by the navigation unit's inertial solution."""

    pos_m: float = bounded(0.0, 1000.0, "m, white", default=0.5)
    vel_mps: float = bounded(0.0, 100.0, "m/s, white", default=0.05)
    drift_m: float = bounded(0.0, 1000.0, "m, correlated", default=1.0)
    drift_s: float = bounded(0.1, 1e5, "s", default=60.0)
    follow_s: float = bounded(0.01, 100.0, "s, lag of the unit behind the fixes", default=1.0)
    coast_s: float = bounded(0.0, 1e4, "s, without a fix the unit vouches for so long", default=30.0)
    latency_ms: int = bounded(0, 2000, "ms", default=100)
    dropouts_s: Annotated[tuple[tuple[Moment, Moment], ...], Field(max_length=16)] = ()
    """Start and length of each dropout, s since the start of the flight."""


class Radar(FileModel):
    """A radar altimeter; outside its range the height is the unit's."""

    noise_m: float = bounded(0.0, 100.0, "m", default=0.05)
    scale_ppm: float = bounded(0.0, 1e5, "ppm", default=500.0)
    lsb_m: float = bounded(0.0, 10.0, "m, 0: none", default=0.01)
    least_m: float = bounded(-10.0, 1000.0, "m", default=-10.0)
    most_m: float = bounded(1.0, 20_000.0, "m", default=100.0)
    tilt_deg: float = bounded(0.0, 89.0, "deg, sees the ground up to this tilt", default=30.0)
    latency_ms: int = bounded(0, 500, "ms", default=20)


class Navigation(FileModel):
    """One-sigma errors and latency of the navigation solution; a named unit replaces its part of them."""

    pos_m: float = bounded(0.0, 100.0, "m", default=0.2)
    pos_correlation_s: float = bounded(0.1, 1e4, "s", default=60.0)
    vel_mps: float = bounded(0.0, 10.0, "m/s", default=0.05)
    attitude_deg: float = bounded(0.0, 5.0, "deg", default=0.1)
    height_m: float = bounded(0.0, 10.0, "m", default=0.05)
    latency_ms: int = bounded(0, 500, "ms", default=50)
    imu: Imu | None = None
    gnss: Gnss | None = None
    radar: Radar | None = None


class Ignition(FileModel):
    """Lets a case force the moment of the landing ignition; without it the kernel decides."""

    forced_at_s: float | None = bounded(0.0, 600.0, "s", default=None)


class FaultSpec(FileModel):
    """One fault: its kind (see the catalogue), its one trigger, and the sizes that its kind takes."""

    kind: str
    at_s: float | None = bounded(0.0, 600.0, "s", default=None)
    """Trigger: time since the start of the flight."""
    after_ignition_s: float | None = bounded(0.0, 600.0, "s", default=None)
    """Trigger: time since the first START request on the wire."""
    below_alt_m: float | None = bounded(0.0, 20_000.0, "m", default=None)
    """Trigger: the first frame in which the body origin is below this height."""
    engine: int | None = None
    board: Name | None = None
    message: Name | None = None
    line: Name | None = None
    tail_off_s: Measure | None = None
    delay_s: Measure | None = None
    factor: Measure | None = None
    tau_s: Measure | None = None
    valve: str | None = None
    fin: Annotated[int, Field(ge=1, le=4)] | None = None
    position: Measure | None = None
    rate: Measure | None = None
    band: Measure | None = None
    hold_s: Measure | None = None
    leak: Measure | None = None
    starts: Measure | None = None
    peak: Measure | None = None
    duration_s: Measure | None = None
    stiffness: Measure | None = None
    lag_s: Measure | None = None
    amplitude: Measure | None = None
    frequency_hz: Measure | None = None
    rich: str | None = None
    shift: Measure | None = None
    side: str | None = None
    void: Measure | None = None
    burst_s: Measure | None = None
    head_loss: Measure | None = None
    torque: Measure | None = None
    trip_speed: Measure | None = None
    trip_s: Measure | None = None
    area: Measure | None = None
    tank: str | None = None
    missing_kg: Measure | None = None
    axis: str | None = None
    angle_deg: Measure | None = None
    first_s: Measure | None = None
    spread_s: Measure | None = None
    boot_s: Measure | None = None
    what: str | None = None
    late_s: Measure | None = None
    bias: Measure | None = None
    sigma: Measure | None = None
    scale: Measure | None = None
    value: Measure | None = None
    shape: str | None = None
    speed_mps: Measure | None = None
    towards_deg: Measure | None = None
    rise_s: Measure | None = None
    friction: Measure | None = None
    share: Measure | None = None
    copies: Measure | None = None
    bits: Measure | None = None
    count: str | None = None
    identifier: Measure | None = None
    bit_error_rate: Measure | None = None
    bitrate: Measure | None = None
    every: Measure | None = None
    baudrate: Measure | None = None
    heals_after_s: Measure | None = None
    """After its onset the fault is over, where its kind may heal; None: never."""

    @model_validator(mode="after")
    def _is_in_the_catalogue(self) -> Self:
        kind = CATALOGUE.get(self.kind)
        if kind is None:
            raise ValueError(f"kind = {self.kind!r} is not in the catalogue ({', '.join(CATALOGUE)})")
        triggers = [t for t in (self.at_s, self.after_ignition_s, self.below_alt_m) if t is not None]
        if len(triggers) != 1:
            raise ValueError("a fault has exactly one trigger: at_s, after_ignition_s or below_alt_m")
        if kind.strikes in STRUCK and getattr(self, kind.strikes) is None:
            raise ValueError(f"{kind.name} needs the key '{kind.strikes}'")
        sizes = _sizes_of(kind, self.what)
        taken = {size.name for size in sizes} | ({HEALS.name} if kind.heals else set())
        others = [name for name in STRUCK if name != kind.strikes]
        for name in (*others, *sorted(SIZES - taken)):
            if getattr(self, name) is not None:
                raise ValueError(f"{kind.name} does not take the key '{name}'")
        for size in sizes:
            _check_size(kind.name, size, getattr(self, size.name))
        if self.heals_after_s is not None:
            _check_size(kind.name, HEALS, self.heals_after_s)
        return self


def _sizes_of(kind: Kind, what: str | None) -> tuple[Size | Choice, ...]:
    """Return what a fault takes, `what` among it where its kind has that."""
    if not kind.what:
        return kind.sizes
    words = Choice("what", tuple(word for word, _ in kind.what), "what is struck")
    _check_size(kind.name, words, what)
    return (words, *kind.sizes_for(what))


def _check_size(kind: str, size: Size | Choice, value: float | str | None) -> None:
    if value is None:
        raise ValueError(f"{kind} needs the key '{size.name}' (allowed: {size.allowed})")
    if not size.takes(value):
        raise ValueError(f"key '{size.name}' = {value!r} is out of range (allowed: {size.allowed})")


class Found(FileModel):
    """What a search found when it wrote a case, and what the case is expected to do from then on."""

    property: str
    """Name of the property that it breaks (hil search --list)."""
    requirements: tuple[str, ...] = ()
    """Ids of the requirements that it broke, worst first."""
    expect: Literal["PASS", "FAIL"]
    """Verdict to expect: FAIL for a known loss, PASS for one that has been put right."""
    reason: str
    """The failure in one line."""
    margin: float = bounded(-1e6, 1e6, "1, of the limit; negative: broken by so much")
    log_likelihood: float = bounded(-1e6, 1e6, "1, natural logarithm")
    onsets_s: tuple[float, ...] = ()
    """When each fault struck, s since the start of the flight, in the order of the faults."""
    rig: str
    """Name of the rig that it was found on."""
    search: str
    """Seed and base case of the search."""


class Case(FileModel):
    """A case as its file describes it."""

    vehicle: Name
    description: str
    initial: Initial
    wind: Wind = Wind()
    atmosphere: Atmosphere = Atmosphere()
    pad: Pad = Pad()
    navigation: Navigation = Navigation()
    ignition: Ignition = Ignition()
    stage: Stage = Stage()
    dispersion: Dispersion | None = None
    """None once the draws have been made (hil.faults.dispersion)."""
    fault: tuple[FaultSpec, ...] = ()
    seed: int = bounded(0, 2**63 - 1, "1", default=0)
    time_limit_s: float = bounded(1.0, 600.0, "s", default=120.0)
    run_id: Name | None = None
    """Names the random streams; None takes the file's name, so that a renamed case is another flight."""
    found: Found | None = None
    """Only in cases that a search wrote."""
    path: Annotated[Path, Field(exclude=True)] = Path()

    @model_validator(mode="after")
    def _every_draw_is_a_case(self) -> Self:
        if self.dispersion is not None:
            _check_draws(self, self.dispersion)
        return self


def _check_draws(case: Case, dispersion: Dispersion) -> None:
    """Raise ValueError where the extremes of the draws would be no case of their own."""
    if dispersion.draws_wind and case.wind != Wind():
        raise ValueError("dispersion draws the wind (wind_1km_mps, wind_10m_mps): leave out [wind]")
    initial, places = case.initial, (ACROSS_M, ACROSS_M, ALTITUDE_M)
    ranges = (
        ("pos_m", "initial.pos_pad_m", initial.pos_pad_m, dispersion.pos_m, places, "m"),
        ("vel_mps", "initial.vel_pad_mps", initial.vel_pad_mps, dispersion.vel_mps, (SPEED_MPS,) * 3, "m/s"),
        ("mass", "stage.mass_factor", (case.stage.mass_factor,), (dispersion.mass,), (FACTOR,), "1"),
        ("thrust", "stage.thrust_factor", (case.stage.thrust_factor,), (dispersion.thrust,), (FACTOR,), "1"),
    )
    for key, about, middles, halves, bounds, unit in ranges:
        for middle, half, (low, high) in zip(middles, halves, bounds, strict=True):
            if not low <= middle - half <= middle + half <= high:
                raise ValueError(
                    f"key 'dispersion.{key}' = {half:g} about {about} = {middle:g} leaves its range "
                    f"(allowed: {low:g} to {high:g} {unit})"
                )


def find_case(name: str, rig_path: Path) -> Path:
    """Return the file of a case: a path, or a name under `cases/` of the rig's or the shipped files."""
    if name.endswith(".toml") or "/" in name:
        return Path(name)
    return _find(Path("cases") / f"{name}.toml", (rig_path.parent,))


def vehicle_path(case: Case, rig_path: Path) -> Path:
    """Return the file of the case's vehicle; raise FileError when there is none."""
    places = (case.path.parent.parent, case.path.parent, rig_path.parent)
    found = _find(Path("vehicles") / f"{case.vehicle}.toml", places)
    if not _is_file(found):
        known = sorted({p.stem for place in (*places, SHIPPED) for p in (place / "vehicles").glob("*.toml")})
        raise FileError(
            f"{case.path}: key 'vehicle' = {case.vehicle!r}: no such vehicle (known: {', '.join(known)})"
        )
    return found


def _find(relative: Path, places: tuple[Path, ...]) -> Path:
    """Return the first existing `relative` in `places` and the shipped rigs, else the first candidate."""
    candidates = [place / relative for place in (*places, SHIPPED)]
    return next((c for c in candidates if _is_file(c)), candidates[0])


def _is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except (OSError, ValueError):  # a name too long to be one, or with a zero byte
        return False


def load_case(path: Path) -> Case:
    """Read a case file; raise FileError with one line when it cannot be used."""
    return load_toml(path, Case).model_copy(update={"path": path})
