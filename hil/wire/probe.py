"""Trying to open an interface: is it there, and if not, what is missing?"""

from __future__ import annotations

from hil.signals import RigError
from hil.wire.can_config import LinkSettings

__all__ = ["can_interfaces", "probe_can", "probe_serial"]


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


def _reason(error: BaseException) -> str:
    """Return in one line why something did not open."""
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    return " ".join(str(error).split()) or type(error).__name__
