"""The bench's ear on the bus: frames to records, by the table, never raising, rejects counted."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

import fastcrc
from cantools.database.can import Database, Message

from hil.signals import Frame
from hil.wire.canframe import make_frame, split_frame
from hil.wire.counting import no_counts
from hil.wire.layout import raw_range

__all__ = ["BenchDecoder", "checksum", "encode_frame"]

_CHECKED: Final = {"COUNTER", "CHECKSUM"}


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


@dataclass
class _Heard:
    """One message that the bench knows: how to check it, and what to do with it."""

    message: Message
    ranges: tuple[tuple[str, float, float], ...]
    """Signals whose bits can say more than their range allows."""
    take: Callable[[Mapping[str, Any]], None] | None
    counter: int = -1


def _ranges(message: Message) -> tuple[tuple[str, float, float], ...]:
    """Return (name, low, high) in physical units, half a count wide, of the signals that need a look."""
    limited = []
    for signal in message.signals:
        low, high = raw_range(signal)
        bits = signal.length - (1 if signal.is_signed else 0)
        narrow = high < (1 << bits) - 1 or low > (-(1 << bits) if signal.is_signed else 0)
        if narrow and signal.name not in _CHECKED:
            scale = float(signal.scale)
            limited.append((signal.name, (low - 0.5) * scale, (high + 0.5) * scale))
    return tuple(limited)


class BenchDecoder:
    """Decodes the bus into the command, status and telemetry records of a frame.

    `nodes` are the numbers of the engines in the burn, by slot. A value stays in its record until
    the next one comes; `fresh` says whether it came in this frame.
    """

    def __init__(self, frame: Frame, nodes: tuple[int, ...], database: Database) -> None:
        self.counts = no_counts()
        self._nodes = nodes
        self._frame = frame
        self._fresh = [frame[name]["fresh"] for name in ("command", "status")]
        self._telemetry_fresh = frame["telemetry"]["fresh"]
        takers = self._takers()
        self._heard = {
            message.frame_id: _Heard(message, _ranges(message), takers.get(message.name))
            for message in database.messages
            if not message.is_fd
        }

    def _takers(self) -> dict[str, Callable[[Mapping[str, Any]], None]]:
        takers: dict[str, Callable[[Mapping[str, Any]], None]] = {}
        for slot, node in enumerate(self._nodes):
            command = ("request", "ox_valve_cmd", "fuel_valve_cmd", "gimbal_x_cmd_rad", "gimbal_y_cmd_rad")
            status = ("state", "fault", "ox_valve_pos", "fuel_valve_pos", "chamber_pa")
            gimbal = ("gimbal_x_rad", "gimbal_y_rad", "rejected")
            takers[f"ENGINE_{node}_COMMAND"] = self._slot_taker("command", command, slot, fresh=True)
            takers[f"ENGINE_{node}_STATUS"] = self._slot_taker("status", status, slot, fresh=True)
            takers[f"ENGINE_{node}_GIMBAL"] = self._slot_taker("status", gimbal, slot, fresh=False)
        scalars = {
            "TELEMETRY_MODE": ("mode", "plan_source", "rejected", "plan_age_s", "nav_age_s"),
            "TELEMETRY_PLAN": ("time_to_go_s", "thrust_cmd_n"),
            "TELEMETRY_MASS": ("mass_est_kg", "ignition_margin_m"),
            "TELEMETRY_KERNEL": ("kernel_not_finite", "kernel_out_of_range"),
        }
        for message, names in scalars.items():
            takers[message] = self._scalar_taker(names)
        takers["TELEMETRY_FAILED"] = self._mask_taker("engine_failed")
        takers["TELEMETRY_SHARE"] = self._mask_taker("engine_share")
        takers["TELEMETRY_ACCEL"] = self._accel_taker()
        return takers

    def _slot_taker(
        self, record: str, names: tuple[str, ...], slot: int, *, fresh: bool
    ) -> Callable[[Mapping[str, Any]], None]:
        targets = [(name, self._frame[record][name]) for name in names]
        mark = self._frame[record]["fresh"]

        def take(values: Mapping[str, Any]) -> None:
            for name, array in targets:
                array[slot] = values[name]
            if fresh:
                mark[slot] = 1

        return take

    def _scalar_taker(self, names: tuple[str, ...]) -> Callable[[Mapping[str, Any]], None]:
        targets = [(name, self._frame["telemetry"][name]) for name in names]
        mark = self._telemetry_fresh

        def take(values: Mapping[str, Any]) -> None:
            for name, array in targets:
                array[()] = values[name]
            mark[()] = 1

        return take

    def _mask_taker(self, name: str) -> Callable[[Mapping[str, Any]], None]:
        array = self._frame["telemetry"][name]
        bits = [(slot, node - 1) for slot, node in enumerate(self._nodes)]

        def take(values: Mapping[str, Any]) -> None:
            mask = int(values[name])
            for slot, bit in bits:
                array[slot] = (mask >> bit) & 1

        return take

    def _accel_taker(self) -> Callable[[Mapping[str, Any]], None]:
        array = self._frame["telemetry"]["accel_cmd_pad_mps2"]

        def take(values: Mapping[str, Any]) -> None:
            array[0] = values["accel_cmd_east_mps2"]
            array[1] = values["accel_cmd_north_mps2"]
            array[2] = values["accel_cmd_up_mps2"]

        return take

    def take(self, frames: Iterable[bytes]) -> None:
        """Decode what was sent in a frame, in its order."""
        for fresh in self._fresh:
            fresh[:] = 0
        self._telemetry_fresh[()] = 0
        for frame in frames:
            self._take_one(frame)

    def _take_one(self, frame: bytes) -> None:
        can_id, data = split_frame(frame)
        heard = self._heard.get(can_id)
        if heard is None:
            self.counts["unknown_id"] += 1
            return
        values = self._checked(heard, can_id, data)
        if values is None:
            return
        self.counts["accepted"] += 1
        if heard.take is not None:
            heard.take(values)

    def _checked(self, heard: _Heard, can_id: int, data: bytes) -> Mapping[str, Any] | None:
        """Return the decoded signals of a frame that passes every check; count why it does not."""
        counts = self.counts
        if len(data) != heard.message.length:
            counts["length"] += 1
            return None
        if data[7] != checksum(can_id, data):
            counts["checksum"] += 1
            return None
        counter = data[6] >> 4
        if heard.counter >= 0:
            step = (counter - heard.counter) & 0xF
            if step == 0:
                counts["repeated"] += 1
                return None
            if step != 1:
                counts["jumped"] += 1
        heard.counter = counter
        values: Mapping[str, Any] = heard.message.decode(data, decode_choices=False)  # type: ignore[assignment]
        for name, low, high in heard.ranges:
            if not low <= values[name] <= high:
                counts["range"] += 1
                return None
        return values
