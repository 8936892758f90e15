"""A switch at the bench, wired to a modem line of a serial port."""

from __future__ import annotations

import contextlib
from typing import Final, Literal

import serial

from hil.signals import RigError

__all__ = ["Line", "Switch"]

Line = Literal["cts", "dsr", "cd", "ri"]
_SLOWEST_BAUD: Final = 9600


class Switch:
    """On while the line is asserted."""

    def __init__(self, name: str, port: str, line: Line) -> None:
        """Open it; raise RigError, naming the input `name`, when its port or line is not there."""
        self.name = name
        self._line = line
        self._where = f"{name}: {port} {line}"
        try:
            self._port = serial.serial_for_url(port, baudrate=_SLOWEST_BAUD, timeout=0)
        except (serial.SerialException, ValueError, OSError) as error:
            raise RigError(f"{self._where}: {_reason(error)}") from None
        try:
            self.read()
        except RigError:
            self.close()
            raise

    def read(self) -> bool:
        """Tell whether it is on; raise RigError when it cannot be read."""
        try:
            return bool(getattr(self._port, self._line))
        except (serial.SerialException, OSError) as error:
            raise RigError(f"{self._where}: cannot be read: {_reason(error)}") from None

    def close(self) -> None:
        """Close its port; safe to call twice."""
        with contextlib.suppress(serial.SerialException, OSError):
            self._port.close()


def _reason(error: BaseException) -> str:
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    return " ".join(str(error).split()) or type(error).__name__
