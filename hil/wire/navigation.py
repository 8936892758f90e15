"""The serial link of the navigation solution: record -> payload -> COBS frame -> port."""

from __future__ import annotations

import os
from typing import Any, Final, Protocol

import fastcrc
import numpy as np
import serial
from cantools.database.can import Database
from cobs import cobs

from hil.signals import Frame, RigError
from hil.wire.layout import raw_range

__all__ = ["NavEncoder", "PtyLink", "SerialPort", "open_port"]

_VECTORS: Final = {
    "pos_pad_m": ("pos_east_m", "pos_north_m", "pos_up_m"),
    "vel_pad_mps": ("vel_east_mps", "vel_north_mps", "vel_up_mps"),
    "q_pad_from_body": ("q_0", "q_1", "q_2", "q_3"),
    "omega_body_radps": ("omega_x_radps", "omega_y_radps", "omega_z_radps"),
    "force_body_mps2": ("force_x_mps2", "force_y_mps2", "force_z_mps2"),
    "height_m": ("height_m",),
}
"""Fields of the nav record, and the signals that carry them."""


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


class SerialPort(Protocol):
    """Where bytes for a serial link go."""

    def write(self, data: bytes, /) -> int | None:
        """Send bytes; return how many were taken."""

    def close(self) -> None:
        """Close the port."""


def open_port(port: str, baudrate: int, name: str) -> SerialPort:
    """Open a serial port or URL by pyserial; raise RigError, naming link `name`, when it is not there."""
    try:
        opened: SerialPort = serial.serial_for_url(port, baudrate=baudrate, timeout=0, write_timeout=0.5)
    except (serial.SerialException, ValueError, OSError) as error:
        text = " ".join(str(error).split())
        raise RigError(f"serial.{name}: cannot open {port}: {text}") from None
    return opened


class PtyLink:
    """A serial link to a board process: a pseudo-terminal whose master the board inherits."""

    def __init__(self, baudrate: int, name: str) -> None:
        try:
            self.master, slave = os.openpty()
        except OSError as error:
            raise RigError(f"serial.{name}: no pseudo-terminal: {error.strerror}") from None
        try:
            self._port = open_port(os.ttyname(slave), baudrate, name)
        except RigError:
            os.close(self.master)
            raise
        finally:
            os.close(slave)
        self._handed_over = False

    def hand_over(self) -> None:
        """Close the master here, once the board has inherited it."""
        if not self._handed_over:
            self._handed_over = True
            os.close(self.master)

    def write(self, data: bytes) -> None:
        """Send bytes; raise OSError when the board's end is closed."""
        self._port.write(data)

    def close(self) -> None:
        """Close the link; safe to call twice."""
        self.hand_over()
        self._port.close()
