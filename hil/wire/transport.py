"""Where the bytes of a serial link go: memory, a pseudo-terminal, a real port, a socket.

All ends behave alike: `write` takes everything or raises LinkLost, `read` never waits, and once the other end
is gone both say so.
"""

from __future__ import annotations

import contextlib
import os
from collections import deque
from typing import Protocol

import serial

from hil.signals import RigError

__all__ = ["LinkLost", "MemoryTransport", "PortTransport", "PtyTransport", "Transport", "open_transport"]

_WRITE_S = 0.5
"""How long a port may refuse bytes before it counts as lost."""
_MOST = 65536


class LinkLost(RigError):
    """A serial link broke: unplugged, closed by the other end, or it takes no more bytes."""

    def __init__(self, name: str, text: str) -> None:
        super().__init__(f"serial.{name}: {text}")
        self.link = name


class Transport(Protocol):
    """One end of a serial link."""

    def write(self, data: bytes) -> None:
        """Send bytes; raise LinkLost when the other end is gone."""

    def read(self) -> bytes:
        """Return what has come, without waiting; raise LinkLost when the other end is gone."""

    def set_break(self, held: bool) -> None:
        """Hold the line low, or let it go; nothing where the link knows no break."""

    def close(self) -> None:
        """Close this end; safe to call twice."""


class MemoryTransport:
    """An end of a link within the process; `pair` makes both."""

    def __init__(self, name: str, inbox: deque[bytes], outbox: deque[bytes], ends: list[bool]) -> None:
        self.name = name
        self.broken = False
        """True while the other end holds the line low."""
        self._inbox, self._outbox = inbox, outbox
        self._open = ends
        self._peer: MemoryTransport | None = None

    @classmethod
    def pair(cls, name: str) -> tuple[MemoryTransport, MemoryTransport]:
        """Return both ends of a new link."""
        there, back, ends = deque[bytes](), deque[bytes](), [True]
        near, far = cls(name, back, there, ends), cls(name, there, back, ends)
        near._peer, far._peer = far, near
        return near, far

    def write(self, data: bytes) -> None:
        """Send bytes."""
        self._check()
        if data:
            self._outbox.append(data)

    def read(self) -> bytes:
        """Return what has come; what came before the end closed is still there."""
        if not self._inbox:
            self._check()
        data = b"".join(self._inbox)
        self._inbox.clear()
        return data

    def _check(self) -> None:
        if not self._open[0]:
            raise LinkLost(self.name, "the other end is closed")

    def set_break(self, held: bool) -> None:
        """Let the other end see a break."""
        if self._peer is not None:
            self._peer.broken = held

    def close(self) -> None:
        """Close the link for both ends."""
        self._open[0] = False


class PortTransport:
    """A port of pyserial: a device, best by its stable name under /dev/serial/by-path, or a URL."""

    def __init__(self, port: str, baudrate: int, name: str) -> None:
        """Open it; raise RigError, naming link `name`, when it is not there."""
        try:
            self._port = serial.serial_for_url(port, baudrate=baudrate, timeout=0, write_timeout=_WRITE_S)
        except (serial.SerialException, ValueError, OSError) as error:
            raise RigError(f"serial.{name}: cannot open {port}: {_line(error)}") from None
        self.port = port
        self.name = name

    def write(self, data: bytes) -> None:
        """Send bytes."""
        try:
            taken = self._port.write(data) if data else 0
        except (serial.SerialException, OSError) as error:
            raise LinkLost(self.name, f"{self.port}: lost: {_line(error)}; plug it in again") from None
        if taken is not None and taken < len(data):
            raise LinkLost(self.name, f"{self.port}: took {taken} of {len(data)} bytes")

    def read(self) -> bytes:
        """Return what has come."""
        try:
            return bytes(self._port.read(_MOST))
        except (serial.SerialException, OSError) as error:
            raise LinkLost(self.name, f"{self.port}: lost: {_line(error)}; plug it in again") from None

    def set_break(self, held: bool) -> None:
        """Hold the transmitter low, or let it go."""
        with contextlib.suppress(serial.SerialException, OSError, NotImplementedError):
            self._port.break_condition = held

    def close(self) -> None:
        """Close the port."""
        link = getattr(self._port, "_socket", None)
        with contextlib.suppress(serial.SerialException, OSError):
            self._port.close()
        if link is not None:
            link.close()  # pyserial leaves it open where the other end has hung up


class PtyTransport(PortTransport):
    """A pseudo-terminal; whoever holds `master` is the other end (a board process inherits it)."""

    def __init__(self, baudrate: int, name: str) -> None:
        try:
            self.master, slave = os.openpty()
        except OSError as error:
            raise RigError(f"serial.{name}: no pseudo-terminal: {error.strerror}") from None
        try:
            super().__init__(os.ttyname(slave), baudrate, name)
        except RigError:
            os.close(self.master)
            raise
        finally:
            os.close(slave)
        self._handed_over = False

    def write(self, data: bytes) -> None:
        """Send bytes; only what does not fit at once takes the long way, which waits."""
        taken = self.offer(data)
        if taken < len(data):
            super().write(data[taken:])

    def offer(self, data: bytes) -> int:
        """Send what fits without waiting for the other end; return how many bytes were taken."""
        try:
            return os.write(self._port.fileno(), data) if data else 0
        except BlockingIOError:
            return 0
        except (serial.SerialException, OSError) as error:
            raise LinkLost(self.name, f"{self.port}: lost: {_line(error)}") from None

    def hand_over(self) -> None:
        """Close the master here, once the board has inherited it."""
        if not self._handed_over:
            self._handed_over = True
            os.close(self.master)

    def close(self) -> None:
        """Close the link; safe to call twice."""
        self.hand_over()
        super().close()


def open_transport(port: str, baudrate: int, name: str) -> Transport:
    """Open link `name` of a rig; raise RigError in one line when it is not there."""
    return PtyTransport(baudrate, name) if port == "pty" else PortTransport(port, baudrate, name)


def _line(error: BaseException) -> str:
    """Return in one line why something does not work."""
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    return " ".join(str(error).split()) or type(error).__name__
