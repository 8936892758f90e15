"""The bench's ear on the bus: frames to records, by the table, never raising, rejects counted."""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

import fastcrc
from cantools.database.can import Database, Message

from hil.signals import Frame
from hil.wire.canframe import make_frame
from hil.wire.counting import no_counts
from hil.wire.layout import raw_range, signal_bits

__all__ = ["BenchDecoder", "checksum", "encode_frame"]

_CHECKED: Final = {"COUNTER", "CHECKSUM"}
_AS_COUNTS: Final = struct.Struct("=IB3xQ")
"""A frame with its eight data bytes as one number: little-endian, as every signal of the table."""

_AXES: Final = ("east", "north", "up")
_crc: Final = fastcrc.crc8.autosar

_Take = Callable[[int], None]
"""Takes a frame's data, as one number, into the records."""


def checksum(can_id: int, data: bytes) -> int:
    """Return CRC-8/AUTOSAR over the id, low byte first, and the first seven data bytes."""
    return int(fastcrc.crc8.autosar(can_id.to_bytes(2, "little") + data[:7]))


def encode_frame(message: Message, values: Mapping[str, float], counter: int) -> bytes:
    """Return a protected frame with the physical `values` of a message's signals.

    Values are rounded to the nearest count; cantools raises EncodeError for one that is out of range.
    """
    data = bytearray(message.encode({**values, "COUNTER": counter & 0xF, "CHECKSUM": 0}))
    data[7] = checksum(message.frame_id, bytes(data))
    return make_frame(message.frame_id, bytes(data))


@dataclass(slots=True)
class _Heard:
    """One message that the bench knows: how to check it, and what to do with it."""

    limits: tuple[tuple[int, int, int, int, int], ...]
    """Signals whose bits can say more than their range allows: bits, least and greatest count."""
    take: _Take | None
    start: int
    """Checksum of its id, with which that of its data begins."""
    counter: int = -1


def _limits(message: Message) -> tuple[tuple[int, int, int, int, int], ...]:
    limited = []
    for signal in message.signals:
        low, high = raw_range(signal)
        bits = signal.length - (1 if signal.is_signed else 0)
        narrow = high < (1 << bits) - 1 or low > (-(1 << bits) if signal.is_signed else 0)
        if narrow and signal.name not in _CHECKED:
            limited.append((*signal_bits(message, signal.name), low, high))
    return tuple(limited)


class BenchDecoder:
    """Decodes the bus into the command, status and telemetry records of a frame.

    `nodes` are the numbers of the engines in the burn, by slot. A value stays in its record until
    the next one comes; `fresh` says whether it came in this frame.

    Where each signal lies is looked up once: a frame's data is one number, of which a signal is a few
    bits, and a record is a flat array, of which a field is one place.
    """

    def __init__(self, frame: Frame, nodes: tuple[int, ...], database: Database) -> None:
        self.counts = no_counts()
        self._nodes = nodes
        self._frame = frame
        self._fresh = [frame[name]["fresh"] for name in ("command", "status")]
        self._telemetry_fresh = frame["telemetry"]["fresh"]
        self._messages = {message.name: message for message in database.messages if not message.is_fd}
        takers = self._takers()
        self._heard = {
            message.frame_id: _Heard(
                _limits(message), takers.get(message.name), _crc(message.frame_id.to_bytes(2, "little"))
            )
            for message in self._messages.values()
            if message.length == 8
        }

    def _takers(self) -> dict[str, _Take]:
        takers: dict[str, _Take] = {}
        for slot, node in enumerate(self._nodes):
            command: tuple[str, ...] = (
                "request",
                "ox_valve_cmd",
                "fuel_valve_cmd",
                "gimbal_x_cmd_rad",
                "gimbal_y_cmd_rad",
            )
            status: tuple[str, ...] = ("state", "fault", "ox_valve_pos", "fuel_valve_pos", "chamber_pa")
            gimbal: tuple[str, ...] = ("gimbal_x_rad", "gimbal_y_rad", "rejected")
            for name, record, fields, fresh in (
                (f"ENGINE_{node}_COMMAND", "command", command, True),
                (f"ENGINE_{node}_STATUS", "status", status, True),
                (f"ENGINE_{node}_GIMBAL", "status", gimbal, False),
            ):
                takers[name] = self._taker(
                    name, record, {f: (f, slot) for f in fields}, slot if fresh else None
                )
        scalars = {
            "TELEMETRY_MODE": ("mode", "plan_source", "rejected", "plan_age_s", "nav_age_s"),
            "TELEMETRY_PLAN": ("time_to_go_s", "thrust_cmd_n"),
            "TELEMETRY_MASS": ("mass_est_kg", "ignition_margin_m"),
            "TELEMETRY_KERNEL": (
                "kernel_not_finite",
                "kernel_out_of_range",
                "work",
                "ignition_margin_s",
                "ignition_margin_known",
            ),
        }
        for name, fields in scalars.items():
            takers[name] = self._taker(name, "telemetry", {f: (f, 0) for f in fields}, 0)
        takers["TELEMETRY_FAILED"] = self._mask_taker("TELEMETRY_FAILED", "engine_failed")
        takers["TELEMETRY_SHARE"] = self._mask_taker("TELEMETRY_SHARE", "engine_share")
        axes = {f"accel_cmd_{axis}_mps2": ("accel_cmd_pad_mps2", i) for i, axis in enumerate(_AXES)}
        takers["TELEMETRY_ACCEL"] = self._taker("TELEMETRY_ACCEL", "telemetry", axes, None)
        return takers

    def _taker(
        self, name: str, record: str, places: Mapping[str, tuple[str, int]], fresh: int | None
    ) -> _Take:
        """Return what takes message `name` into a record.

        `places` maps its signals to a field and a place in it; `fresh` is the place to mark, None for none.
        """
        message = self._messages[name]
        floats: Any = self._frame.floats(record).data
        ints: Any = self._frame.ints(record).data
        values: list[tuple[int, int, int, float, int]] = []
        numbers: list[tuple[int, int, int, int]] = []
        for signal, (field, place) in places.items():
            at = self._frame.offset(record, field) + place
            if self._frame[record][field].dtype.kind == "f":
                values.append(
                    (*signal_bits(message, signal), float(message.get_signal_by_name(signal).scale), at)
                )
            else:
                numbers.append((*signal_bits(message, signal), at))
        mark = None if fresh is None else self._frame.offset(record, "fresh") + fresh

        def take(data: int) -> None:
            for shift, mask, sign, scale, at in values:
                floats[at] = ((((data >> shift) & mask) ^ sign) - sign) * scale
            for shift, mask, sign, at in numbers:
                ints[at] = (((data >> shift) & mask) ^ sign) - sign
            if mark is not None:
                ints[mark] = 1

        return take

    def _mask_taker(self, message: str, field: str) -> _Take:
        shift, bits, sign = signal_bits(self._messages[message], field)
        assert sign == 0, "a mask has no sign"
        ints: Any = self._frame.ints("telemetry").data
        first = self._frame.offset("telemetry", field)
        places = [(first + slot, node - 1) for slot, node in enumerate(self._nodes)]

        def take(data: int) -> None:
            mask = (data >> shift) & bits
            for at, bit in places:
                ints[at] = (mask >> bit) & 1

        return take

    def listen(self, name: str, take: Callable[[dict[str, float]], None]) -> None:
        """Hand every accepted frame of message `name` to `take` too, as physical values by signal."""
        message = self._messages[name]
        places = [(s.name, signal_bits(message, s.name), float(s.scale)) for s in message.signals]
        heard = self._heard[message.frame_id]
        inner = heard.take

        def both(data: int) -> None:
            if inner is not None:
                inner(data)
            take(
                {
                    signal: ((((data >> shift) & mask) ^ sign) - sign) * scale
                    for signal, (shift, mask, sign), scale in places
                }
            )

        heard.take = both

    def take(self, frames: Iterable[bytes]) -> None:
        """Decode what was sent in a frame, in its order."""
        for fresh in self._fresh:
            fresh[:] = 0
        self._telemetry_fresh[()] = 0
        heard_by_id, counts, read = self._heard, self.counts, _AS_COUNTS.unpack
        for frame in frames:
            can_id, length, data = read(frame)
            heard = heard_by_id.get(can_id)
            if heard is None:
                counts["unknown_id"] += 1
                continue
            reject = self._reject(heard, frame, length, data)
            if reject is not None:
                counts[reject] += 1
                continue
            counts["accepted"] += 1
            if heard.take is not None:
                heard.take(data)

    def _reject(self, heard: _Heard, frame: bytes, length: int, data: int) -> str | None:
        """Return why a frame is rejected, None for one that passes every check."""
        if length < 8:
            return "length"
        if data >> 56 != _crc(frame[8:15], heard.start):
            return "checksum"
        counter = (data >> 52) & 0xF
        last = heard.counter
        if counter != (last + 1) & 0xF and last >= 0:
            if counter == last:
                return "repeated"
            self.counts["jumped"] += 1
        heard.counter = counter
        for shift, mask, sign, least, most in heard.limits:
            if not least <= (((data >> shift) & mask) ^ sign) - sign <= most:
                return "range"
        return None
