"""The serial link of the navigation solution: record -> payload -> COBS frame -> port."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import fastcrc
import numpy as np
from cantools.database.can import Database
from cobs import cobs

from hil.signals import Frame
from hil.wire.layout import raw_range
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
    """Makes the frame's navigation record into bytes for the link, one counter value after the other."""

    def __init__(self, frame: Frame, database: Database) -> None:
        self._message = database.get_message_by_name("NAV_SOLUTION")
        self._names = [name for names in _VECTORS.values() for name in names]
        signals = [self._message.get_signal_by_name(name) for name in self._names]
        self._lsb = np.array([float(signal.scale) for signal in signals])
        ranges = [raw_range(signal) for signal in signals]
        self._low = np.array([float(low) for low, _ in ranges])
        self._high = np.array([float(high) for _, high in ranges])
        self._flat = frame.floats("nav")
        self._at = np.array(
            [frame.offset("nav", f) + i for f, names in _VECTORS.items() for i in range(len(names))]
        )
        self._time = frame["nav"]["valid_t_ns"]
        self._valid = frame["nav"]["valid"]
        self._latest_us = raw_range(self._message.get_signal_by_name("valid_t_us"))[1]
        self._counter = 0

    def payload(self) -> bytes:
        """Return the 64 bytes of the record as it stands: nearest counts, halves up, kept in range."""
        with np.errstate(over="ignore", invalid="ignore"):  # hostile values saturate, as in C
            counts = np.floor(self._flat[self._at] / self._lsb + 0.5)
        counts = np.fmin(np.fmax(np.nan_to_num(counts, nan=0.0), self._low), self._high)
        values: dict[str, Any] = dict(zip(self._names, counts.astype(np.int64).tolist(), strict=True))
        values["valid_t_us"] = min(max(int(self._time[()]) // 1000, 0), self._latest_us)
        values["valid"] = int(self._valid[()] != 0)
        values["COUNTER"] = self._counter
        self._counter = (self._counter + 1) & 0xFF
        return self._message.encode(values, scaling=False, strict=False)

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
