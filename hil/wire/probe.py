"""Trying to open an interface: is it there, and if not, what is missing?"""

from __future__ import annotations

import contextlib
import os
import tty
from typing import Final

from hil.signals import RigError
from hil.wire.can_config import LinkSettings

__all__ = ["can_interfaces", "loop_back", "probe_can", "probe_serial"]


_ZEROS: Final = bytes(16)
_ECHO_S: Final = 0.2


def can_interfaces() -> frozenset[str]:
    """Return the names of python-can's interfaces, those of its plugins included."""
    import can  # here: it takes long, and a rig without a real bus does not need it

    return frozenset(can.VALID_INTERFACES)


def probe_can(name: str, settings: LinkSettings) -> None:
    """Open and close bus `name` of a rig; raise RigError that names it and says what is missing."""
    if settings.interface == "hil":
        return
    from hil.wire.can_link import open_can_link

    open_can_link(name, settings).close()


def probe_serial(name: str, port: str, baudrate: int) -> None:
    """Open and close a serial port; raise RigError that names it and says what is missing."""
    if port == "pty":
        return
    import serial

    try:
        link = serial.serial_for_url(port, baudrate=baudrate, timeout=0.0)
    except (serial.SerialException, OSError, ValueError) as error:
        raise RigError(f"{name}: {port}: {_reason(error)}") from None
    link.close()


def loop_back(port: str, baudrate: int, name: str) -> str:
    """Send zeros, which every receiver here skips, and say what came back; raise RigError when it is damaged.

    A pseudo-terminal has to carry them to its other end; a real line brings them back only with a plug that
    joins its two wires.
    """
    import serial

    try:
        with contextlib.ExitStack() as stack:
            far = None
            if port == "pty":
                far, near = os.openpty()
                stack.callback(os.close, far)
                stack.callback(os.close, near)
                tty.setraw(near)
                port = os.ttyname(near)
            link = stack.enter_context(
                serial.serial_for_url(port, baudrate=baudrate, timeout=_ECHO_S, write_timeout=_ECHO_S)
            )
            link.reset_input_buffer()
            link.write(_ZEROS)
            link.flush()
            back = os.read(far, len(_ZEROS)) if far is not None else link.read(len(_ZEROS))
    except (serial.SerialException, OSError, ValueError) as error:
        raise RigError(f"serial.{name}: {port}: {_reason(error)}") from None
    if back == _ZEROS:
        return f"{len(_ZEROS)} bytes came through"
    if any(back):
        raise RigError(f"serial.{name}: {port}: what was sent came back damaged: is it {baudrate} baud?")
    return "nothing comes back: no loopback plug (a link that a board listens to has none)"


def _reason(error: BaseException) -> str:
    """Return in one line why something did not open."""
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    return " ".join(str(error).split()) or type(error).__name__
