"""The serial link of the navigation solution: record -> payload -> COBS frame -> port."""

from __future__ import annotations

from collections.abc import Callable
from math import floor, isnan
from typing import Any, Final

import fastcrc
from cantools.database.can import Database
from cobs import cobs

from hil.signals import Frame
from hil.wire.layout import raw_range, signal_bits
from hil.wire.serial_line import SerialLine

__all__ = ["MOST_FRAME_BYTES", "NavEncoder", "sent_over"]

_VECTORS: Final = {
    "pos_pad_m": ("pos_east_m", "pos_north_m", "pos_up_m"),
    "vel_pad_mps": ("vel_east_mps", "vel_north_mps", "vel_up_mps"),
    "q_pad_from_body": ("q_0", "q_1", "q_2", "q_3"),
    "omega_body_radps": ("omega_x_radps", "omega_y_radps", "omega_z_radps"),
    "force_body_mps2": ("force_x_mps2", "force_y_mps2", "force_z_mps2"),
    "height_m": ("height_m",),
}
"""Fields of the nav record, and the signals that carry them."""


MOST_FRAME_BYTES: Final = 68
"""64 bytes, CRC-16, one byte of COBS, the closing zero."""


class NavEncoder:
    """Makes the frame's navigation record into bytes for the link, one counter value after the other.

    Where each signal lies is looked up once: a payload is one number, of which a signal is a few bits.
    """

    def __init__(self, frame: Frame, database: Database) -> None:
        message = database.get_message_by_name("NAV_SOLUTION")
        self._bytes = message.length
        self._flat: Any = frame.floats("nav").data
        self._values: list[tuple[int, float, int, int, int, int]] = []
        """Place in the record, scale, least and greatest count, and place and bits in the payload."""
        for field, names in _VECTORS.items():
            first = frame.offset("nav", field)
            for at, name in enumerate(names, start=first):
                signal = message.get_signal_by_name(name)
                shift, mask, _ = signal_bits(message, name)
                self._values.append((at, float(signal.scale), *raw_range(signal), shift, mask))
        self._time = frame["nav"]["valid_t_ns"]
        self._valid = frame["nav"]["valid"]
        self._latest_us = raw_range(message.get_signal_by_name("valid_t_us"))[1]
        self._shifts = [signal_bits(message, name)[0] for name in ("valid_t_us", "valid", "COUNTER")]
        self._counter = 0

    def payload(self) -> bytes:
        """Return the 64 bytes of the record as it stands: nearest counts, halves up, kept in range."""
        t_us = min(max(int(self._time[()]) // 1000, 0), self._latest_us)
        valid = int(self._valid[()] != 0)
        at_time, at_valid, at_counter = self._shifts
        word = t_us << at_time | valid << at_valid | self._counter << at_counter
        flat = self._flat
        for at, lsb, low, high, shift, mask in self._values:
            value = flat[at] / lsb + 0.5
            if low <= value < high:
                word |= (floor(value) & mask) << shift
            elif not isnan(value):  # hostile values saturate, as in C; a NaN is zero
                word |= ((high if value >= high else low) & mask) << shift
        self._counter = (self._counter + 1) & 0xFF
        return word.to_bytes(self._bytes, "little")

    def frame(self) -> bytes:
        """Return the record as it goes over the link: COBS(payload + CRC-16), then a zero."""
        payload = self.payload()
        crc = int(fastcrc.crc16.ibm_3740(payload))
        return bytes(cobs.encode(payload + crc.to_bytes(2, "little"))) + b"\0"


def sent_over(line: SerialLine, frame: Frame, encoder: NavEncoder) -> Callable[[], bytes]:
    """Return what gives the bytes of the navigation link that arrive in the frame that is turned."""
    t_ns = frame.array["t_ns"]

    def take() -> bytes:
        return line.carry(int(t_ns[()]), encoder.frame())

    return take
