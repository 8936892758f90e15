"""A real CAN interface, opened through python-can: any that python-can offers."""

from __future__ import annotations

import contextlib
import errno
import logging
import os
import socket
import struct
from typing import Any, Final

import can

from hil.signals import RigError
from hil.wire.can_config import LinkSettings
from hil.wire.can_message import frame_of, message_of

__all__ = ["CanLink", "open_can_link"]

_MOST: Final = 4096
"""Most frames taken at a time."""
_QUEUE_BYTES: Final = 4 * 1024 * 1024
"""Receive queue asked for: some thousand frames; the system's limit stands for those without privilege."""
_SO_RCVBUFFORCE: Final = 33
_SO_MEMINFO: Final = 55
_MEMINFO: Final = struct.Struct("=9I")
"""Figures of a socket (linux/sock_diag.h); the last is how many packets its receive queue had no room for."""
_NO_ROOM: Final = (errno.ENOBUFS, errno.EAGAIN)
_HINTS: Final = {
    errno.ENETDOWN: " (ip link set {} up)",
    errno.ENODEV: " (ip -brief link tells what there is)",
}
_FULL: Final = "Transmit buffer full"
"""What python-can says, without a number, when a socket takes nothing just now."""

logging.getLogger("can").addHandler(logging.NullHandler())  # what fails is told once, by a RigError


class CanLink:
    """One open interface. Every failure of it is a RigError that names bus, interface and reason."""

    def __init__(self, bus: can.BusABC, name: str, interface: str, channel: str, *, echoes: bool) -> None:
        self._bus = bus
        self._channel = channel
        self._label = f"can.{name}: {interface} {channel}"
        self._socket = _raw_socket(bus)
        self.echoes = echoes
        """True where a frame comes back once it was on the bus, in its place among the others."""

    def send(self, frame: bytes) -> bool:
        """Put a frame into the transmit queue; False when that is full."""
        try:
            self._bus.send(message_of(frame))
        except (can.CanError, OSError) as error:
            if _number(error) in _NO_ROOM or str(error).startswith(_FULL):
                return False
            raise self._failure("cannot send", error) from None
        return True

    def drain(self) -> list[tuple[float, bytes]]:
        """Return what has been received, each with the interface's time stamp in s, without waiting."""
        frames: list[tuple[float, bytes]] = []
        try:
            while len(frames) < _MOST and (message := self._bus.recv(0)) is not None:
                frames.append((message.timestamp, frame_of(message)))
        except (can.CanError, OSError, ValueError) as error:
            raise self._failure("cannot receive", error) from None
        return frames

    def overflowed(self) -> int:
        """Return how many frames the receive queue had no room for so far (SocketCAN; others do not tell)."""
        if self._socket is None:
            return 0
        try:
            figures = self._socket.getsockopt(socket.SOL_SOCKET, _SO_MEMINFO, _MEMINFO.size)
        except OSError:
            return 0  # a kernel before 4.12 does not tell
        return int(_MEMINFO.unpack(figures)[-1])

    def check_up(self) -> None:
        """Raise RigError when a SocketCAN interface is there but not up."""
        if self._socket is not None:
            number = self._socket.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
            if number:
                raise self._failure("does not open", OSError(number, os.strerror(number)))

    def fileno(self) -> int:
        """Return what to poll, -1 where the interface has nothing."""
        try:
            return self._bus.fileno()
        except (NotImplementedError, can.CanError, OSError):
            return -1

    def close(self) -> None:
        """Close the interface; safe to call twice."""
        with contextlib.suppress(can.CanError, OSError):
            self._bus.shutdown()

    def failure(self, what: str) -> RigError:
        """Return `what` as a failure of this interface."""
        return RigError(f"{self._label}: {what}")

    def _failure(self, doing: str, error: BaseException) -> RigError:
        return self.failure(f"{doing}: {_reason(error, self._channel)}")


def _raw_socket(bus: can.BusABC) -> socket.socket | None:
    """Return the socket of a SocketCAN bus, with a receive queue as large as the system allows."""
    raw = getattr(bus, "socket", None)
    if not isinstance(raw, socket.socket) or raw.family != getattr(socket, "AF_CAN", -1):
        return None
    try:
        raw.setsockopt(socket.SOL_SOCKET, _SO_RCVBUFFORCE, _QUEUE_BYTES)
    except OSError:
        with contextlib.suppress(OSError):
            raw.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _QUEUE_BYTES)
    return raw


def _number(error: BaseException) -> int | None:
    """Return the errno behind a failure, None without one."""
    number = getattr(error, "error_code", None) or getattr(error, "errno", None)
    return number if isinstance(number, int) else None


def _reason(error: BaseException, channel: str) -> str:
    """Return in one line why something failed, and what to do where that is known."""
    number = _number(error)
    if number is not None and number in errno.errorcode:
        return os.strerror(number) + _HINTS.get(number, "").format(channel)
    return " ".join(str(error).split()) or type(error).__name__


def open_can_link(name: str, settings: LinkSettings) -> CanLink:
    """Open bus `name` of a rig; raise RigError that names it and says what is missing.

    python-can's own configuration adds nothing unless the rig asks for it. SocketCAN lets FD frames in, so
    that none on the bus goes unrecorded.
    """
    interface, channel = settings.interface, settings.channel
    echoes = interface == "socketcan"
    label = f"can.{name}: {interface} {channel}"
    if echoes and channel not in {known for _, known in socket.if_nameindex()}:
        reason = _reason(OSError(errno.ENODEV, ""), channel)  # python-can would leave its socket open
        raise RigError(f"{label}: does not open: {reason}")
    given: dict[str, Any] = {"bitrate": settings.bitrate, **settings.options}
    if echoes:
        given |= {"fd": True, "receive_own_messages": True}
    if settings.by_python_can:
        given["config_context"] = name
    else:
        given["ignore_config"] = True
    try:
        bus = can.Bus(interface=interface, channel=channel, **given)
    except (
        can.CanError,
        OSError,
        ImportError,
        ValueError,
        TypeError,
        NameError,
        NotImplementedError,
    ) as error:
        # drivers of python-can that lack their vendor's library, or dislike an option, fail in all these ways
        raise RigError(f"{label}: does not open: {_reason(error, channel)}") from None
    link = CanLink(bus, name, interface, channel, echoes=echoes)
    try:
        link.check_up()
    except RigError:
        link.close()
        raise
    return link
