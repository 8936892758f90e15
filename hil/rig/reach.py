"""Can an interface reach hardware? Whatever cannot be proven to be virtual can."""

from __future__ import annotations

import contextlib
import socket
import struct
from collections.abc import Iterator
from typing import Final
from urllib.parse import urlsplit

__all__ = ["can_reaches_out", "link_kind", "link_kind_of", "serial_reaches_out"]

_SOFTWARE_BUSES: Final = ("hil", "virtual")
"""Interfaces that never leave this process: the bench's own bus and python-can's."""
_LOOPBACK: Final = ("127.0.0.1", "localhost")

_RTM_NEWLINK, _RTM_GETLINK, _REQUEST = 16, 18, 1
_IFLA_LINKINFO, _IFLA_INFO_KIND = 18, 1
_HEADER: Final = struct.Struct("=IHHII")
_IFINFO: Final = struct.Struct("=BxHiII")
_ATTRIBUTE: Final = struct.Struct("=HH")
_ANSWER_S: Final = 1.0


def can_reaches_out(interface: str, channel: str) -> bool:
    """Tell whether a CAN interface can reach hardware; a SocketCAN device cannot if its driver is vcan.

    Neither a device's name nor its place in the system says so: serial-line adapters are virtual
    network devices too, and anybody may call one vcan0.
    """
    if interface in _SOFTWARE_BUSES:
        return False
    return interface != "socketcan" or link_kind(channel) != "vcan"


def serial_reaches_out(port: str) -> bool:
    """Tell whether a serial port can reach hardware: all but pty, loop:// and sockets of this machine."""
    if port == "pty":
        return False
    if "://" not in port:
        return True
    try:
        parts = urlsplit(port)
        return parts.scheme != "loop" and not (parts.scheme == "socket" and parts.hostname in _LOOPBACK)
    except ValueError:
        return True


def link_kind(device: str) -> str | None:
    """Return the kind of a network device as the kernel knows it (vcan, slcan, ...), None if it says none."""
    try:
        index = socket.if_nametoindex(device)
        with contextlib.closing(socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 0)) as link:
            link.settimeout(_ANSWER_S)
            size = _HEADER.size + _IFINFO.size
            head = _HEADER.pack(size, _RTM_GETLINK, _REQUEST, 1, 0)
            link.sendto(head + _IFINFO.pack(socket.AF_UNSPEC, 0, index, 0, 0), (0, 0))
            return link_kind_of(link.recv(65536))
    except (OSError, ValueError, AttributeError):
        return None  # no such device, or a system without netlink


def link_kind_of(answer: bytes) -> str | None:
    """Return the kind in the kernel's answer (RTM_NEWLINK) about a network device."""
    try:
        if _HEADER.unpack_from(answer)[1] != _RTM_NEWLINK:
            return None
        for kind, value in _attributes(answer[_HEADER.size + _IFINFO.size :]):
            if kind == _IFLA_LINKINFO:
                inner = dict(_attributes(value))
                return inner.get(_IFLA_INFO_KIND, b"").rstrip(b"\0").decode("ascii") or None
    except (struct.error, UnicodeDecodeError):
        pass
    return None


def _attributes(data: bytes) -> Iterator[tuple[int, bytes]]:
    """Yield the attributes of a netlink message: length, type, value, each on a multiple of 4 bytes."""
    while len(data) >= _ATTRIBUTE.size:
        size, kind = _ATTRIBUTE.unpack_from(data)
        if size < _ATTRIBUTE.size:
            return
        yield kind & 0x3FFF, data[_ATTRIBUTE.size : size]
        data = data[(size + 3) & ~3 :]
