"""STIM300 inertial unit: datagram 0x91, rates and accelerations.

Source: Safran Sensing Technologies (Sensonor), TS1524 STIM300 datasheet, chapters 5.5 and 8.  The checksum,
its padding and the scalings are held against a datagram that a real unit sent (tests/wire/test_stim300.py).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

import fastcrc

from hil.signals.samples import ImuSample, Vector3
from hil.wire.sensor_format import Look, SensorFormat, counts_of

__all__ = [
    "FORCE_LSB_MPS2",
    "FORMAT",
    "INTEGRITY",
    "OVERLOAD",
    "RATE_LSB_RADPS",
    "START_UP",
    "Stim300",
    "crc32_of",
    "datagram_of",
    "encode_stim300",
    "look_stim300",
    "read_stim300",
]

DATAGRAM: Final = 0x91
SIZE: Final = 28
CHECKED: Final = SIZE - 4
RATE_LSB_RADPS: Final = math.radians(1.0) / 16384.0
"""2^-14 deg/s."""
FORCE_LSB_MPS2: Final = 9.80665 / 524288.0
"""2^-19 g, the unit with a range of 10 g."""
MOST: Final = 0x7FFFFF

INTEGRITY: Final = 0x80
START_UP: Final = 0x40
OUTSIDE: Final = 0x20
"""Outside of its operating conditions."""
OVERLOAD: Final = 0x10
CHANNEL_ERROR: Final = 0x08
"""A channel has failed: bits 0, 1 and 2 say whether x, y or z; with OVERLOAD they say which is overloaded."""
UNUSABLE: Final = INTEGRITY | START_UP | OVERLOAD | CHANNEL_ERROR

INTERNAL_HZ: Final = 2000
"""The counter counts the unit's own measurements, so it goes up by 2000 / rate from datagram to datagram."""
MOST_LATENCY_US: Final = 0xFFFF


def crc32_of(data: bytes) -> int:
    """Return the CRC-32 of a datagram without its last four bytes.

    Polynomial 0x04C11DB7, initial value 0xFFFFFFFF, not reflected, no final xor, over the bytes and as many
    zeros as it takes to a multiple of four (as CRC-32/MPEG-2).
    """
    return int(fastcrc.crc32.mpeg_2(data + bytes(-len(data) % 4)))


@dataclass(frozen=True, slots=True)
class Stim300:
    """A datagram in SI units; the statuses are the bytes as they stand."""

    rate_body_radps: Vector3
    force_body_mps2: Vector3
    rate_status: int
    force_status: int
    counter: int
    latency_us: int
    """From the measurement to the first bit of the datagram."""

    @property
    def usable(self) -> bool:
        """True when neither status speaks against the values."""
        return not (self.rate_status | self.force_status) & UNUSABLE


def datagram_of(sample: ImuSample, sent_ns: int) -> Stim300:
    """Return the datagram of a sample that goes out at `sent_ns`; a latency above 65,535 us saturates."""
    latency_us = min(max((sent_ns - sample.t_ns) // 1000, 0), MOST_LATENCY_US)
    return Stim300(
        rate_body_radps=sample.rate_body_radps,
        force_body_mps2=sample.force_body_mps2,
        rate_status=_status(sample.healthy, sample.rate_overload),
        force_status=_status(sample.healthy, sample.force_overload),
        counter=sample.t_ns * INTERNAL_HZ // 1_000_000_000 % 256,
        latency_us=latency_us,
    )


def _status(healthy: bool, overload: tuple[bool, bool, bool]) -> int:
    status = 0 if healthy else INTEGRITY
    if any(overload):
        status |= OVERLOAD | sum(bit << i for i, bit in enumerate(overload))
    return status


def encode_stim300(datagram: Stim300) -> bytes:
    """Return the 28 bytes: 24-bit two's complement, most significant byte first; values saturate."""
    parts = [bytes([DATAGRAM])]
    for values, lsb, status in (
        (datagram.rate_body_radps, RATE_LSB_RADPS, datagram.rate_status),
        (datagram.force_body_mps2, FORCE_LSB_MPS2, datagram.force_status),
    ):
        for value in values:
            counts = counts_of(value, lsb, -MOST - 1, MOST)
            parts.append(counts.to_bytes(3, "big", signed=True))
        parts.append(bytes([status & 0xFF]))
    parts.append(bytes([datagram.counter & 0xFF]))
    parts.append(min(max(datagram.latency_us, 0), MOST_LATENCY_US).to_bytes(2, "big"))
    data = b"".join(parts)
    return data + crc32_of(data).to_bytes(4, "big")


def look_stim300(buffer: bytes) -> Look:
    """Say what a buffer begins with."""
    if buffer[0] != DATAGRAM:
        return Look("bad", reason="framing")
    if len(buffer) < SIZE:
        return Look("more")
    if crc32_of(buffer[:CHECKED]) != int.from_bytes(buffer[CHECKED:SIZE], "big"):
        return Look("bad", SIZE, "checksum")
    return Look("frame", SIZE)


def read_stim300(frame: bytes) -> Stim300:
    """Return what an undamaged datagram says."""

    def axes(at: int, lsb: float) -> Vector3:
        x, y, z = (int.from_bytes(frame[i : i + 3], "big", signed=True) * lsb for i in (at, at + 3, at + 6))
        return x, y, z

    return Stim300(
        rate_body_radps=axes(1, RATE_LSB_RADPS),
        force_body_mps2=axes(11, FORCE_LSB_MPS2),
        rate_status=frame[10],
        force_status=frame[20],
        counter=frame[21],
        latency_us=int.from_bytes(frame[22:24], "big"),
    )


def _counter(datagram: Stim300) -> int:
    return datagram.counter


FORMAT: Final = SensorFormat(
    name="stim300",
    frame_bytes=SIZE,
    baudrate=921_600,
    rate_hz=1000,
    rates_hz=(125, 250, 500, 1000, 2000),
    look=look_stim300,
    read=read_stim300,
    tick=_counter,
    wrap=256,
)
