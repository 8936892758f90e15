"""The lines of a rig on which sensors speak for themselves: samples to frames, faults, the wire, the port."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping, Sequence
from enum import Enum
from pathlib import Path
from typing import Any, Final

from hil.signals.samples import GnssFix, HeightSample, ImuSample, Vector3
from hil.wire import stim300, ubx, us_d1
from hil.wire.sensor_format import SensorFormat
from hil.wire.serial_line import LineFault, SerialLine
from hil.wire.transport import LinkLost, Transport

__all__ = ["FORMATS", "LINE_NAMES", "SensorLine", "SensorLines", "SensorLog", "UnitFault"]

LINE_NAMES: Final = ("imu", "gnss", "altimeter")
"""Names of the lines in rig files, in the order of the firmware's numbers (fc_sensors.h)."""
FORMATS: Final[Mapping[str, SensorFormat[Any]]] = {
    "imu": stim300.FORMAT,
    "gnss": ubx.FORMAT,
    "altimeter": us_d1.FORMAT,
}
"""What each line speaks."""

_METRES_PER_DEGREE: Final = math.radians(6_371_007.2)
"""Of a great circle; good to 0.5 % anywhere, which is enough for a bias."""


class UnitFault(Enum):
    """What can go wrong with a sensor; `size` is what SensorLine.set_fault takes with it."""

    DROP = "drop"
    """Its frames are not sent."""
    CORRUPT = "corrupt"
    """A byte of every frame is damaged."""
    STUCK = "stuck"
    """Its values stay as they are; time, counter and flags go on: a silent kind."""
    BIAS = "bias"
    """`size` is added: imu rate (rad/s) and force (m/s^2), three each; gnss north, east, down (m);
    altimeter height (m)."""
    FREEZE = "freeze"
    """It sends its last frame again and again, counter and all."""
    INVALID = "invalid"
    """It says itself that it cannot be trusted: integrity error, no fix, no echo."""


_BIAS_SIZES: Final = {"imu": 6, "gnss": 3, "altimeter": 1}


def _sum(a: Vector3, b: Sequence[float]) -> Vector3:
    return a[0] + b[0], a[1] + b[1], a[2] + b[2]


def _biased(sample: Any, size: Sequence[float]) -> Any:
    if isinstance(sample, ImuSample):
        return dataclasses.replace(
            sample,
            rate_body_radps=_sum(sample.rate_body_radps, size[:3]),
            force_body_mps2=_sum(sample.force_body_mps2, size[3:]),
        )
    if isinstance(sample, GnssFix):
        parallel = max(math.cos(math.radians(sample.latitude_deg)), 1e-6)
        return dataclasses.replace(
            sample,
            latitude_deg=sample.latitude_deg + size[0] / _METRES_PER_DEGREE,
            longitude_deg=sample.longitude_deg + size[1] / (_METRES_PER_DEGREE * parallel),
            height_m=sample.height_m - size[2],
        )
    return dataclasses.replace(sample, height_m=sample.height_m + size[0])


def _invalid(sample: Any) -> Any:
    return dataclasses.replace(sample, **{"healthy" if isinstance(sample, ImuSample) else "valid": False})


_FLAGS: Final = ("t_ns", "healthy", "valid", "satellites")
"""Fields of samples that go on while the values are stuck."""


def _stuck(sample: Any, held: Any) -> Any:
    return dataclasses.replace(held, **{n: getattr(sample, n) for n in _FLAGS if hasattr(sample, n)})


def _frame_of(sample: ImuSample | GnssFix | HeightSample, sent_ns: int) -> bytes:
    """Return the frame that says `sample` and goes out at `sent_ns`."""
    if isinstance(sample, ImuSample):
        return stim300.encode_stim300(stim300.datagram_of(sample, sent_ns))
    if isinstance(sample, GnssFix):
        return ubx.encode_nav_pvt(ubx.pvt_of(sample))
    return us_d1.encode_us_d1(us_d1.reading_of(sample))


class SensorLine:
    """One sensor's line: `turn` sends a frame's samples, `take` gives the receiver what arrived."""

    def __init__(
        self, name: str, source: Sequence[Any], line: SerialLine, transport: Transport | None = None
    ) -> None:
        """`source` is the list of the frame's samples; `transport` a real port or socket (None: the rig's
        virtual flight computer hears the line)."""
        self.name = name
        self.line = line
        self.arrived = b""
        """What came through in this frame."""
        self.lost: LinkLost | None = None
        """Why the port is gone."""
        self.frames = 0
        """Frames sent so far."""
        self._source = source
        self._transport = transport
        self._faults: dict[UnitFault, tuple[float, ...]] = {}
        self._held: Any = None
        self._last = b""
        self._break = False

    @property
    def elsewhere(self) -> bool:
        """True when its receiver is behind a real port or socket."""
        return self._transport is not None

    # ---- faults

    def set_fault(self, fault: UnitFault | LineFault, *size: float) -> None:
        """Begin a fault of the sensor or of its line; raise ValueError for a size that it cannot have."""
        if isinstance(fault, LineFault):
            self.line.set_fault(fault, *size)
            return
        wanted = _BIAS_SIZES[self.name] if fault is UnitFault.BIAS else 0
        if len(size) != wanted or not all(math.isfinite(value) for value in size):
            raise ValueError(f"size = {size}: {fault.name} of {self.name} takes {wanted} finite numbers")
        self._faults[fault] = size
        if fault is UnitFault.STUCK:
            self._held = None

    def clear_fault(self, fault: UnitFault | LineFault) -> None:
        """End a fault; nothing where there is none."""
        if isinstance(fault, LineFault):
            self.line.clear_fault(fault)
        else:
            self._faults.pop(fault, None)

    # ---- a frame

    def turn(self, t_ns: int) -> None:
        """Send the samples of the frame at `t_ns`; a port that is gone is kept in `lost`."""
        sent = b"".join(self._sent(sample, t_ns) for sample in self._source)
        self.arrived = self.line.carry(t_ns, sent)
        if self._transport is not None and self.lost is None:
            try:
                self._to_port(self._transport)
            except LinkLost as failure:
                self.lost = failure

    def _to_port(self, transport: Transport) -> None:
        held = self.line.has(LineFault.BREAK)
        if held != self._break:
            self._break = held
            transport.set_break(held)
        transport.read()  # sensors may be spoken to: nothing here listens, but a link that is gone says so
        transport.write(self.arrived)

    def take(self) -> bytes:
        """Return what a virtual flight computer hears in this frame; raise LinkLost when the port is gone.

        On a real port or socket the receiver is elsewhere, and nothing is returned.
        """
        if self.lost is not None:
            raise self.lost
        return b"" if self._transport is not None else self.arrived

    def missed(self, count: int) -> None:
        """Count bytes that the receiver had no room for."""
        self.line.counts["overrun"] += count

    def _sent(self, sample: Any, t_ns: int) -> bytes:
        """Return the bytes that say a sample, with the sensor's faults."""
        faults = self._faults
        if not faults:
            self._last = _frame_of(sample, t_ns)
            self.frames += 1
            return self._last
        if UnitFault.DROP in faults:
            return b""
        if UnitFault.STUCK in faults:
            self._held = sample if self._held is None else self._held
            sample = _stuck(sample, self._held)
        if UnitFault.BIAS in faults:
            sample = _biased(sample, faults[UnitFault.BIAS])
        if UnitFault.INVALID in faults:
            sample = _invalid(sample)
        if UnitFault.FREEZE not in faults or not self._last:
            self._last = _frame_of(sample, t_ns)
        self.frames += 1
        if UnitFault.CORRUPT in faults:
            damaged = bytearray(self._last)
            damaged[len(damaged) // 2] ^= 0x10
            return bytes(damaged)
        return self._last

    def counts(self) -> dict[str, int]:
        """Return frames sent, and what the wire did to their bytes."""
        return {"frames": self.frames, **self.line.counts}

    def close(self) -> None:
        """Close the port; safe to call twice."""
        if self._transport is not None:
            self._transport.close()


class SensorLog:
    """What arrived on the lines: time, line and bytes in hexadecimal, readable however the run ends."""

    def __init__(self, path: Path) -> None:
        self._file = path.open("wb", buffering=0)

    def write(self, t_ns: int, name: str, data: bytes) -> None:
        """Append what came in the frame at `t_ns`."""
        head = f"({t_ns // 1_000_000_000:010d}.{t_ns // 1000 % 1_000_000:06d}) {name} "
        self._file.write((head + data.hex().upper() + "\n").encode())

    def close(self) -> None:
        """Close the file; safe to call twice."""
        self._file.close()


class SensorLines:
    """All sensor lines of a rig, turned together once a frame, after the sensors."""

    def __init__(self, lines: Sequence[SensorLine]) -> None:
        self.by_name = {line.name: line for line in lines}
        self.log: SensorLog | None = None

    def add(self, line: SensorLine) -> None:
        """Add a line."""
        self.by_name[line.name] = line

    def turn(self, t_ns: int) -> None:
        """Send what the sensors have said in the frame at `t_ns`."""
        for line in self.by_name.values():
            line.turn(t_ns)
            if self.log is not None and line.arrived:
                self.log.write(t_ns, line.name, line.arrived)

    def heard(self) -> list[str]:
        """Return the names of the lines that a virtual flight computer hears."""
        return [name for name, line in self.by_name.items() if not line.elsewhere]

    def close(self) -> None:
        """Close ports and log; safe to call twice."""
        for line in self.by_name.values():
            line.close()
        if self.log is not None:
            self.log.close()
