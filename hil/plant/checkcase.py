"""Check-case files: a body, a state, an Earth, air and wind in plain TOML, validated.

docs/PLANT.md shows how to write one.
"""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path
from typing import Annotated, Any, Final, Literal, Self

import numpy as np
from pydantic import Field, model_validator

from hil.files import FileError, FileModel, bounded, load_toml
from hil.plant.freebody import TABLE_POINTS

__all__ = ["SHIPPED_CHECKS", "CheckCase", "find_check_case", "load_check_case", "shipped_check_cases"]

_PACKAGE: Final = Path(__file__).resolve().parent.parent
SHIPPED_CHECKS: Final = next(
    (root / "rigs" / "plant" for root in (_PACKAGE.parent, _PACKAGE / "_native") if (root / "rigs").is_dir()),
    _PACKAGE.parent / "rigs" / "plant",
)
"""The check cases that come with the sources (beside the package, or inside it in a wheel)."""

MOST_STEPS: Final = 10_000_000

Vector3 = tuple[float, float, float]
Table = Annotated[tuple[float, ...], Field(min_length=2, max_length=TABLE_POINTS)]


def _increases(name: str, values: tuple[float, ...]) -> None:
    if any(b <= a for a, b in pairwise(values)):
        raise ValueError(f"{name} must increase")


class Earth(FileModel):
    """Figure, turning and gravity of the Earth."""

    shape: Literal["wgs84", "sphere"] = "wgs84"
    radius_m: float | None = bounded(1e5, 1e8, "m", default=None)
    """Of the sphere; None takes the one with the ellipsoid's surface."""
    turning: bool = True
    gravity: Literal["wgs84_j2", "spherical", "constant"] = "wgs84_j2"
    gravity_mps2: float | None = bounded(0.0, 100.0, "m/s^2", default=None)
    """Of constant gravity; None takes 9.80665."""

    @model_validator(mode="after")
    def _fits(self) -> Self:
        if self.radius_m is not None and self.shape != "sphere":
            raise ValueError("earth.radius_m is for shape = 'sphere' only")
        if self.gravity_mps2 is not None and self.gravity != "constant":
            raise ValueError("earth.gravity_mps2 is for gravity = 'constant' only")
        return self


class Atmosphere(FileModel):
    """The air."""

    model: Literal["us1976", "none"] = "us1976"
    density_factor: float = bounded(0.0, 10.0, "1", default=1.0)


class Wind(FileModel):
    """Velocity of the air over the ground (where it blows to): one vector, or a table by altitude.

    Between the points of the table it is linear, beyond its ends constant.
    """

    frame: Literal["ned", "enu"] = "ned"
    steady_mps: Vector3 | None = None
    altitude_m: Table | None = None
    table_mps: Annotated[tuple[Vector3, ...], Field(min_length=2, max_length=TABLE_POINTS)] | None = None

    @model_validator(mode="after")
    def _fits(self) -> Self:
        if (self.altitude_m is None) != (self.table_mps is None):
            raise ValueError("wind.altitude_m and wind.table_mps belong together")
        if self.altitude_m is not None and self.table_mps is not None:
            if self.steady_mps is not None:
                raise ValueError("wind takes steady_mps or a table by altitude, not both")
            if len(self.altitude_m) != len(self.table_mps):
                raise ValueError("wind.altitude_m and wind.table_mps must have the same length")
            _increases("wind.altitude_m", self.altitude_m)
        return self

    def points(self) -> tuple[tuple[float, ...], tuple[Vector3, ...]]:
        """Return altitudes (m) and winds there (m/s, north, east, down)."""
        if self.altitude_m is None or self.table_mps is None:
            vectors: tuple[Vector3, ...] = (self.steady_mps or (0.0, 0.0, 0.0),)
            altitudes: tuple[float, ...] = (0.0,)
        else:
            altitudes, vectors = self.altitude_m, self.table_mps
        if self.frame == "enu":
            vectors = tuple((north, east, -up) for east, north, up in vectors)
        return altitudes, vectors


class Body(FileModel):
    """Mass, inertia, drag and rate damping; axes: x forward, y right, z down."""

    mass_kg: float = bounded(1e-6, 1e9, "kg")
    inertia_kgm2: Vector3
    """Ixx, Iyy, Izz."""
    products_kgm2: Vector3 = (0.0, 0.0, 0.0)
    """Integrals of xy, xz and yz over the mass: the tensor's off-diagonals are their negatives."""
    area_m2: float = bounded(0.0, 1e6, "m^2", default=0.0)
    cd: float | None = bounded(0.0, 100.0, "1", default=None)
    cd_mach: Table | None = None
    cd_table: Table | None = None
    """Drag coefficient by Mach number instead of one `cd`."""
    span_m: float = bounded(0.0, 1e4, "m", default=0.0)
    chord_m: float = bounded(0.0, 1e4, "m", default=0.0)
    damping_roll: float = bounded(-1e4, 1e4, "1, by p b / 2V", default=0.0)
    damping_pitch: float = bounded(-1e4, 1e4, "1, by q c / 2V", default=0.0)
    damping_yaw: float = bounded(-1e4, 1e4, "1, by r b / 2V", default=0.0)

    @model_validator(mode="after")
    def _fits(self) -> Self:
        if np.linalg.eigvalsh(self.tensor()).min() <= 0.0:
            raise ValueError("body.inertia_kgm2 with body.products_kgm2 must be positive definite")
        if (self.cd_mach is None) != (self.cd_table is None):
            raise ValueError("body.cd_mach and body.cd_table belong together")
        if self.cd_mach is not None and self.cd_table is not None:
            if self.cd is not None:
                raise ValueError("body takes cd or cd_mach with cd_table, not both")
            if len(self.cd_mach) != len(self.cd_table):
                raise ValueError("body.cd_mach and body.cd_table must have the same length")
            _increases("body.cd_mach", self.cd_mach)
        return self

    def tensor(self) -> Any:
        """Return the inertia tensor, kg m^2, 3 x 3."""
        xx, yy, zz = self.inertia_kgm2
        xy, xz, yz = self.products_kgm2
        return np.array([[xx, -xy, -xz], [-xy, yy, -yz], [-xz, -yz, zz]])

    def drag(self) -> tuple[tuple[float, ...], tuple[float, ...]]:
        """Return Mach numbers and drag coefficients there."""
        if self.cd_mach is not None and self.cd_table is not None:
            return self.cd_mach, self.cd_table
        return (0.0,), (self.cd or 0.0,)


class Start(FileModel):
    """The state at time 0."""

    latitude_deg: float = bounded(-90.0, 90.0, "deg, geodetic", default=0.0)
    longitude_deg: float = bounded(-180.0, 180.0, "deg", default=0.0)
    altitude_m: float = bounded(-5000.0, 80_000.0, "m, above the ellipsoid or sphere")
    vel_ned_mps: Vector3 = (0.0, 0.0, 0.0)
    """Over the (turning) ground: north, east, down."""
    attitude_deg: Vector3 = (0.0, 0.0, 0.0)
    """Roll, pitch, yaw of the body against north, east, down, turned in the order yaw, pitch, roll."""
    rates_degps: Vector3 = (0.0, 0.0, 0.0)
    """Turn rates about the body's x, y and z."""
    rates_against: Literal["stars", "earth"] = "stars"
    """What the rates are measured against: the stars (inertial) or the turning Earth."""


class CheckCase(FileModel):
    """A check case as its file describes it."""

    name: str
    description: str
    source: str = ""
    duration_s: float = bounded(0.001, 100_000.0, "s", default=30.0)
    step_s: float = bounded(1e-5, 1.0, "s", default=0.005)
    every_s: float = bounded(1e-3, 10_000.0, "s", default=2.5)
    """Time between the rows of the history."""
    reference: str | None = None
    """File beside the case's that holds the reference under the case's name."""
    earth: Earth = Earth()
    atmosphere: Atmosphere = Atmosphere()
    wind: Wind = Wind()
    body: Body
    initial: Start
    path: Annotated[Path, Field(exclude=True)] = Path()

    @model_validator(mode="after")
    def _is_of_a_size(self) -> Self:
        if self.duration_s / self.step_s > MOST_STEPS:
            raise ValueError(f"duration_s / step_s must be at most {MOST_STEPS}")
        return self


def shipped_check_cases() -> list[Path]:
    """Return the files of the check cases that come with the sources, in the order of their names."""
    return sorted(SHIPPED_CHECKS.glob("*.toml"))


def find_check_case(name: str) -> Path:
    """Return the file of a check case: a path, or the name of one that comes with the sources."""
    if name.endswith(".toml") or "/" in name:
        return Path(name)
    path = SHIPPED_CHECKS / f"{name}.toml"
    if not path.is_file():
        known = ", ".join(found.stem for found in shipped_check_cases())
        raise FileError(f"{name}: no such check case (known: {known}; or name a .toml file)")
    return path


def load_check_case(path: Path) -> CheckCase:
    """Read a check case; raise FileError with one line when it cannot be used."""
    return load_toml(path, CheckCase).model_copy(update={"path": path})
