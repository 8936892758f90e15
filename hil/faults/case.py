"""Case files: what goes wrong. A case is small and whole: vehicle, start, weather, faults, seed."""

from __future__ import annotations

import math
from itertools import pairwise
from pathlib import Path
from typing import Annotated, Final, Self

from pydantic import Field, model_validator

from hil.faults.catalogue import CATALOGUE, SIZES, Choice, Size
from hil.files import FileError, FileModel, bounded, load_toml

__all__ = [
    "SHIPPED",
    "Atmosphere",
    "Case",
    "FaultSpec",
    "Gnss",
    "Ignition",
    "Imu",
    "Initial",
    "Navigation",
    "Pad",
    "Radar",
    "Wind",
    "find_case",
    "load_case",
    "vehicle_path",
]

SHIPPED: Final = Path(__file__).resolve().parent.parent.parent / "rigs"
"""The rigs, cases and vehicles that come with the sources."""

Vector3 = Annotated[tuple[float, float, float], Field(description="east, north, up")]


class Initial(FileModel):
    """The state at time 0. The attitude, when not given, has the engines along the air-relative velocity."""

    pos_pad_m: Vector3
    vel_pad_mps: Vector3
    q_pad_from_body: tuple[float, float, float, float] | None = None
    omega_body_radps: Vector3 = (0.0, 0.0, 0.0)
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

    mean_mps: tuple[float, float] = (0.0, 0.0)
    altitude_m: Annotated[tuple[float, ...], Field(min_length=2, max_length=64)] | None = None
    profile_mps: Annotated[tuple[tuple[float, float], ...], Field(min_length=2, max_length=64)] | None = None
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
    dropouts_s: Annotated[tuple[tuple[float, float], ...], Field(max_length=16)] = ()
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
    board: str | None = None
    tail_off_s: float | None = None
    delay_s: float | None = None
    factor: float | None = None
    tau_s: float | None = None
    valve: str | None = None

    @model_validator(mode="after")
    def _is_in_the_catalogue(self) -> Self:
        kind = CATALOGUE.get(self.kind)
        if kind is None:
            raise ValueError(f"kind = {self.kind!r} is not in the catalogue ({', '.join(CATALOGUE)})")
        triggers = [t for t in (self.at_s, self.after_ignition_s, self.below_alt_m) if t is not None]
        if len(triggers) != 1:
            raise ValueError("a fault has exactly one trigger: at_s, after_ignition_s or below_alt_m")
        other = "board" if kind.strikes == "engine" else "engine"
        if getattr(self, kind.strikes) is None:
            raise ValueError(f"{kind.name} needs the key '{kind.strikes}'")
        taken = {size.name for size in kind.sizes}
        for name in (other, *sorted(SIZES - taken)):
            if getattr(self, name) is not None:
                raise ValueError(f"{kind.name} does not take the key '{name}'")
        for size in kind.sizes:
            _check_size(kind.name, size, getattr(self, size.name))
        return self


def _check_size(kind: str, size: Size | Choice, value: float | str | None) -> None:
    if value is None:
        raise ValueError(f"{kind} needs the key '{size.name}' (allowed: {size.allowed})")
    fits = value in size.words if isinstance(size, Choice) else size.low <= float(value) <= size.high
    if not fits:
        raise ValueError(f"key '{size.name}' = {value!r} is out of range (allowed: {size.allowed})")


class Case(FileModel):
    """A case as its file describes it."""

    vehicle: str
    description: str
    initial: Initial
    wind: Wind = Wind()
    atmosphere: Atmosphere = Atmosphere()
    pad: Pad = Pad()
    navigation: Navigation = Navigation()
    ignition: Ignition = Ignition()
    fault: tuple[FaultSpec, ...] = ()
    seed: int = bounded(0, 2**63 - 1, "1", default=0)
    time_limit_s: float = bounded(1.0, 600.0, "s", default=120.0)
    path: Annotated[Path, Field(exclude=True)] = Path()


def find_case(name: str, rig_path: Path) -> Path:
    """Return the file of a case: a path, or a name under `cases/` of the rig's or the shipped files."""
    if name.endswith(".toml") or "/" in name:
        return Path(name)
    return _find(Path("cases") / f"{name}.toml", (rig_path.parent,))


def vehicle_path(case: Case, rig_path: Path) -> Path:
    """Return the file of the case's vehicle; raise FileError when there is none."""
    places = (case.path.parent.parent, case.path.parent, rig_path.parent)
    found = _find(Path("vehicles") / f"{case.vehicle}.toml", places)
    if not found.is_file():
        known = sorted({p.stem for place in (*places, SHIPPED) for p in (place / "vehicles").glob("*.toml")})
        raise FileError(
            f"{case.path}: key 'vehicle' = {case.vehicle!r}: no such vehicle (known: {', '.join(known)})"
        )
    return found


def _find(relative: Path, places: tuple[Path, ...]) -> Path:
    """Return the first existing `relative` in `places` and the shipped rigs, else the first candidate."""
    candidates = [place / relative for place in (*places, SHIPPED)]
    return next((c for c in candidates if c.is_file()), candidates[0])


def load_case(path: Path) -> Case:
    """Read a case file; raise FileError with one line when it cannot be used."""
    return load_toml(path, Case).model_copy(update={"path": path})
