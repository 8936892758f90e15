"""US-D1 radar altimeter (Ainstein, formerly Aerotenna), serial output.

Source: Ainstein US-D1 technical user manual; six bytes at 115,200 baud: 0xFE, version, height in
centimetres (low byte first), signal-to-noise ratio, and the sum of the four bytes between.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from hil.signals.samples import HeightSample
from hil.wire.sensor_format import Look, SensorFormat, counts_of

__all__ = ["FORMAT", "UsD1", "encode_us_d1", "look_us_d1", "read_us_d1", "reading_of"]

HEAD: Final = 0xFE
VERSION: Final = 0x02
SIZE: Final = 6
GOOD_SNR: Final = 48
"""What a clear echo is given [assumed: the manual states no scale]."""


@dataclass(frozen=True, slots=True)
class UsD1:
    """A reading; a signal-to-noise ratio of 0 stands for no echo [assumed]."""

    height_m: float
    snr: int

    @property
    def usable(self) -> bool:
        """True when there was an echo."""
        return self.snr > 0


def reading_of(sample: HeightSample) -> UsD1:
    """Return the reading of a sample."""
    return UsD1(sample.height_m, GOOD_SNR) if sample.valid else UsD1(0.0, 0)


def encode_us_d1(reading: UsD1) -> bytes:
    """Return the six bytes; a height below zero is sent as zero, one above 655.35 m as that."""
    height = counts_of(reading.height_m, 0.01, 0, 0xFFFF).to_bytes(2, "little")
    body = bytes([VERSION]) + height + bytes([min(max(reading.snr, 0), 255)])
    return bytes([HEAD]) + body + bytes([sum(body) & 0xFF])


def look_us_d1(buffer: bytes) -> Look:
    """Say what a buffer begins with; frames of another version are skipped."""
    if buffer[0] != HEAD:
        return Look("bad", reason="framing")
    if len(buffer) < SIZE:
        return Look("more")
    if sum(buffer[1 : SIZE - 1]) & 0xFF != buffer[SIZE - 1]:
        return Look("bad", SIZE, "checksum")
    if buffer[1] != VERSION:
        return Look("skip", SIZE, "unknown_id")
    return Look("frame", SIZE)


def read_us_d1(frame: bytes) -> UsD1:
    """Return what an undamaged frame says."""
    return UsD1(int.from_bytes(frame[2:4], "little") * 0.01, frame[4])


FORMAT: Final = SensorFormat(
    name="us_d1",
    frame_bytes=SIZE,
    baudrate=115_200,
    rate_hz=100,
    rates_hz=range(1, 101),
    look=look_us_d1,
    read=read_us_d1,
)
