"""Trying to open an interface: is it there, and if not, what is missing?"""

from __future__ import annotations

from hil.signals import RigError

__all__ = ["can_interfaces", "probe_can", "probe_serial"]


def can_interfaces() -> frozenset[str]:
    """Return the names of python-can's interfaces, those of its plugins included."""
    import can  # here: it takes long, and a rig without a real bus does not need it

    return frozenset(can.VALID_INTERFACES)


def probe_can(name: str, interface: str, channel: str, bitrate: int) -> None:
    """Open and close a CAN interface; raise RigError that names it and says what is missing."""
    if interface == "hil":
        return
    import can

    try:
        bus = can.Bus(channel=channel, interface=interface, bitrate=bitrate)
    except (can.CanError, OSError, ImportError, ValueError, NameError) as error:
        # drivers of python-can that lack their vendor's library fail in all of these ways
        raise RigError(f"{name}: {interface} {channel}: {_reason(error)}") from None
    bus.shutdown()


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
