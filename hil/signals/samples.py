"""What single sensors say, one record a measurement: between the sensors' room and the serial lines."""

from __future__ import annotations

from dataclasses import dataclass, field

__all__ = ["GnssFix", "HeightSample", "ImuSample", "SensorSamples", "Vector3"]

Vector3 = tuple[float, float, float]
NO_AXIS = (False, False, False)


@dataclass(frozen=True, slots=True)
class ImuSample:
    """One measurement of an inertial unit; its axes are the body's."""

    t_ns: int
    """When it was taken, since the start of the flight."""
    rate_body_radps: Vector3
    force_body_mps2: Vector3
    rate_overload: tuple[bool, bool, bool] = NO_AXIS
    """Axes at the end of their range."""
    force_overload: tuple[bool, bool, bool] = NO_AXIS
    healthy: bool = True
    """False: the unit itself reports that it cannot be trusted."""


@dataclass(frozen=True, slots=True)
class GnssFix:
    """One solution of a GNSS receiver: WGS-84, velocity in north, east, down at the place itself."""

    t_ns: int
    latitude_deg: float
    longitude_deg: float
    height_m: float
    """Above the ellipsoid."""
    vel_ned_mps: Vector3
    horizontal_m: float
    """One-sigma accuracies, as the receiver believes them."""
    vertical_m: float
    speed_mps: float
    satellites: int = 14
    valid: bool = True
    """False: the receiver has no fix; position and velocity mean nothing."""


@dataclass(frozen=True, slots=True)
class HeightSample:
    """One measurement of a radar altimeter."""

    t_ns: int
    height_m: float
    valid: bool = True
    """False: no echo, because of the distance or the tilt."""


@dataclass(slots=True)
class SensorSamples:
    """What the sensors on lines of their own have said in this frame, oldest first."""

    imu: list[ImuSample] = field(default_factory=list)
    gnss: list[GnssFix] = field(default_factory=list)
    altimeter: list[HeightSample] = field(default_factory=list)

    def clear(self) -> None:
        """Forget the frame before."""
        self.imu.clear()
        self.gnss.clear()
        self.altimeter.clear()
