"""UBX-NAV-PVT: the solution of a u-blox GNSS receiver.

Source: u-blox M8 protocol specification (UBX-13003221), UBX frame structure and message NAV-PVT (0x01 0x07).
"""

from __future__ import annotations

import math
import struct
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

from hil.signals.samples import GnssFix, Vector3
from hil.wire.sensor_format import Look, SensorFormat, counts_of

__all__ = ["FORMAT", "START_UTC", "NavPvt", "encode_nav_pvt", "look_ubx", "pvt_of", "read_nav_pvt", "ubx_sum"]

SYNC: Final = b"\xb5\x62"
MESSAGE: Final = b"\x01\x07"
HEAD_BYTES: Final = 6
PAYLOAD_BYTES: Final = 92
SIZE: Final = HEAD_BYTES + PAYLOAD_BYTES + 2
MOST_PAYLOAD: Final = 1024
"""Longer messages than this do not come from a receiver on such a line: the length is damaged."""

_LAYOUT: Final = struct.Struct("<IHBBBBBBIiBBBBiiiiIIiiiiiIIHH4xihH")
assert _LAYOUT.size == PAYLOAD_BYTES

START_UTC: Final = datetime(2026, 1, 1, tzinfo=UTC)
"""What the receiver calls the start of a flight: a constant, so that equal flights give equal bytes."""
_GPS_START: Final = datetime(1980, 1, 6, tzinfo=UTC)
_LEAP_S: Final = 18
"""GPS time is ahead of UTC by this, since 2017."""
_WEEK_MS: Final = 604_800_000
_TIME_VALID: Final = 0x07
"""Date and time valid, leap seconds resolved."""
_FIX_OK: Final = 0x01
_NO_FIX, FIX_3D = 0, 3
MOST_I4: Final = 0x7FFFFFFF
MOST_U4: Final = 0xFFFFFFFF
TIME_ACCURACY_NS: Final = 20
PDOP: Final = 1.2
HEADING_ACCURACY_DEG: Final = 180.0
"""Without a speed over ground the heading means nothing."""


@dataclass(frozen=True, slots=True)
class NavPvt:
    """The message in SI units and degrees."""

    itow_ms: int
    utc: tuple[int, int, int, int, int, int]
    """Year, month, day, hour, minute, second."""
    nano: int
    """Nanoseconds to be added to `utc`."""
    fix_type: int
    fix_ok: bool
    satellites: int
    longitude_deg: float
    latitude_deg: float
    height_m: float
    height_msl_m: float
    horizontal_m: float
    vertical_m: float
    vel_ned_mps: Vector3
    speed_accuracy_mps: float

    @property
    def usable(self) -> bool:
        """True when the receiver vouches for a fix in three dimensions."""
        return self.fix_ok and self.fix_type == FIX_3D


def pvt_of(fix: GnssFix) -> NavPvt:
    """Return the message of a fix; the geoid is taken for the ellipsoid."""
    when = START_UTC + timedelta(microseconds=fix.t_ns // 1000)
    since_gps = when - _GPS_START + timedelta(seconds=_LEAP_S)
    return NavPvt(
        itow_ms=since_gps // timedelta(milliseconds=1) % _WEEK_MS,
        utc=(when.year, when.month, when.day, when.hour, when.minute, when.second),
        nano=when.microsecond * 1000,
        fix_type=FIX_3D if fix.valid else _NO_FIX,
        fix_ok=fix.valid,
        satellites=fix.satellites if fix.valid else 0,
        longitude_deg=fix.longitude_deg,
        latitude_deg=fix.latitude_deg,
        height_m=fix.height_m,
        height_msl_m=fix.height_m,
        horizontal_m=fix.horizontal_m,
        vertical_m=fix.vertical_m,
        vel_ned_mps=fix.vel_ned_mps,
        speed_accuracy_mps=fix.speed_mps,
    )


def ubx_sum(data: bytes) -> bytes:
    """Return the two checksum bytes (8-bit Fletcher) over class, id, length and payload."""
    a = b = 0
    for byte in data:
        a = (a + byte) & 0xFF
        b = (b + a) & 0xFF
    return bytes((a, b))


def _i4(value: float, lsb: float) -> int:
    return counts_of(value, lsb, -MOST_I4 - 1, MOST_I4)


def _u4(value: float, lsb: float) -> int:
    return counts_of(value, lsb, 0, MOST_U4)


def encode_nav_pvt(pvt: NavPvt) -> bytes:
    """Return the 100 bytes; values saturate."""
    north, east, down = pvt.vel_ned_mps
    heading = math.degrees(math.atan2(east, north)) % 360.0 if math.isfinite(north + east) else 0.0
    ground_mps = math.hypot(north, east)
    accuracy = HEADING_ACCURACY_DEG
    if ground_mps > pvt.speed_accuracy_mps:
        accuracy = math.degrees(math.atan2(pvt.speed_accuracy_mps, ground_mps))
    payload = _LAYOUT.pack(
        pvt.itow_ms % _WEEK_MS,
        *pvt.utc,
        _TIME_VALID,
        TIME_ACCURACY_NS,
        pvt.nano,
        pvt.fix_type & 0xFF,
        _FIX_OK if pvt.fix_ok else 0,
        0,
        min(max(pvt.satellites, 0), 255),
        _i4(pvt.longitude_deg, 1e-7),
        _i4(pvt.latitude_deg, 1e-7),
        _i4(pvt.height_m, 1e-3),
        _i4(pvt.height_msl_m, 1e-3),
        _u4(pvt.horizontal_m, 1e-3),
        _u4(pvt.vertical_m, 1e-3),
        _i4(north, 1e-3),
        _i4(east, 1e-3),
        _i4(down, 1e-3),
        _i4(ground_mps, 1e-3),
        _i4(heading, 1e-5),
        _u4(pvt.speed_accuracy_mps, 1e-3),
        _u4(accuracy, 1e-5),
        counts_of(PDOP, 0.01, 0, 0xFFFF),
        0,
        0,
        0,
        0,
    )
    body = MESSAGE + PAYLOAD_BYTES.to_bytes(2, "little") + payload
    return SYNC + body + ubx_sum(body)


def look_ubx(buffer: bytes) -> Look:
    """Say what a buffer begins with; messages other than NAV-PVT are skipped by their length."""
    if not SYNC.startswith(buffer[:2]):
        return Look("bad", reason="framing")
    if len(buffer) < HEAD_BYTES:
        return Look("more")
    length = int.from_bytes(buffer[4:6], "little")
    if buffer[2:4] != MESSAGE and length <= MOST_PAYLOAD:
        return Look("skip", HEAD_BYTES + length + 2, "unknown_id")
    if length != PAYLOAD_BYTES:
        return Look("bad", reason="length")
    if len(buffer) < SIZE:
        return Look("more")
    if ubx_sum(buffer[2 : SIZE - 2]) != buffer[SIZE - 2 : SIZE]:
        return Look("bad", SIZE, "checksum")
    return Look("frame", SIZE)


def read_nav_pvt(frame: bytes) -> NavPvt | str:
    """Return what an undamaged message says; "range" when the place is none on Earth."""
    (
        itow, year, month, day, hour, minute, second, _valid, _t_acc, nano, fix_type, flags, _flags2,
        satellites, lon, lat, height, msl, h_acc, v_acc, north, east, down, _ground, _heading, s_acc, *_rest,
    ) = _LAYOUT.unpack_from(frame, HEAD_BYTES)  # fmt: skip
    if abs(lon) > 1_800_000_000 or abs(lat) > 900_000_000 or itow >= _WEEK_MS:
        return "range"
    return NavPvt(
        itow_ms=itow,
        utc=(year, month, day, hour, minute, second),
        nano=nano,
        fix_type=fix_type,
        fix_ok=bool(flags & _FIX_OK),
        satellites=satellites,
        longitude_deg=lon * 1e-7,
        latitude_deg=lat * 1e-7,
        height_m=height * 1e-3,
        height_msl_m=msl * 1e-3,
        horizontal_m=h_acc * 1e-3,
        vertical_m=v_acc * 1e-3,
        vel_ned_mps=(north * 1e-3, east * 1e-3, down * 1e-3),
        speed_accuracy_mps=s_acc * 1e-3,
    )


def _itow(pvt: NavPvt) -> int:
    return pvt.itow_ms


FORMAT: Final = SensorFormat(
    name="ubx_nav_pvt",
    frame_bytes=SIZE,
    baudrate=115_200,
    rate_hz=10,
    rates_hz=(5, 8, 10, 20, 25),
    look=look_ubx,
    read=read_nav_pvt,
    tick=_itow,
    wrap=_WEEK_MS,
)
"""Rates whose period is a whole number of milliseconds: that is what the receiver is set in."""
