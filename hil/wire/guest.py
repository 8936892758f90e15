"""What a virtual bus and its guests (python-can in other processes) say to each other, and the bus's end.

They share a SOCK_SEQPACKET socket. A guest sends frames, one a packet, laid out as in `hil.wire.canframe`,
and settings. The bus sends packets of frames, each with the time at which it ended on the bus, and the state
of the guest's controller, first of all and whenever it has changed.
"""

from __future__ import annotations

import contextlib
import socket
import struct
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Final

from hil.wire.canframe import FD_FRAME_BYTES, FRAME_BYTES, is_fd
from hil.wire.controller import Controller, ErrorState

__all__ = [
    "PACKET_BYTES",
    "Guest",
    "GuestState",
    "Settings",
    "read_packet",
    "read_settings",
    "settings_packet",
]

PACKET_BYTES: Final = 1 << 16
"""Most bytes of a packet of frames."""
_FRAMES: Final = b"F"
_STATE: Final = struct.Struct("<cxxxIIIIIII")
_RECORD: Final = struct.Struct("<qB")
_SETTINGS: Final = struct.Struct("<4sI")
_SETTINGS_MARK: Final = b"set:"
_ERROR_STATES: Final[tuple[ErrorState, ...]] = ("error active", "error passive", "bus off")


@dataclass(frozen=True)
class Settings:
    """How a guest wants to take part."""

    listen_only: bool = False
    fd: bool = False
    own: bool = False
    """It hears its own frames, once they have been on the bus."""
    errors: bool = True
    """It hears of errors on the bus."""


@dataclass(frozen=True)
class GuestState:
    """What the bus says of itself and of a guest's controller; bit rates in bit/s, 0 where there is none."""

    bitrate: int
    data_bitrate: int
    tec: int
    rec: int
    state: ErrorState
    lost: int
    """Frames of the guest's that never got onto the bus."""
    missed: int
    """Frames that the guest did not get because it did not read what came before."""


def settings_packet(settings: Settings) -> bytes:
    """Return the packet in which a guest says how it wants to take part."""
    wants = (settings.listen_only, settings.fd, settings.own, settings.errors)
    return _SETTINGS.pack(_SETTINGS_MARK, sum(1 << bit for bit, want in enumerate(wants) if want))


def read_settings(packet: bytes) -> Settings | None:
    """Return the settings in a guest's packet, None if it holds none."""
    if len(packet) != _SETTINGS.size or packet[:4] != _SETTINGS_MARK:
        return None
    flags = _SETTINGS.unpack(packet)[1]
    return Settings(*(bool(flags >> bit & 1) for bit in range(4)))


def _state_packet(state: GuestState) -> bytes:
    number = _ERROR_STATES.index(state.state)
    rates = state.bitrate, state.data_bitrate
    return _STATE.pack(b"S", *rates, state.tec, state.rec, number, state.lost, state.missed)


def read_packet(packet: bytes) -> GuestState | list[tuple[int, bytes]]:
    """Return what the bus has sent: its state, or frames with the times (ns) at which they ended.

    What cannot be read is left out.
    """
    if packet[:1] != _FRAMES:
        if len(packet) != _STATE.size:
            return []
        _, bitrate, data_bitrate, tec, rec, number, lost, missed = _STATE.unpack(packet)
        state = _ERROR_STATES[min(number, 2)]
        return GuestState(bitrate, data_bitrate, tec, rec, state, lost, missed)
    frames, at = [], 1
    while at + _RECORD.size <= len(packet):
        t_ns, size = _RECORD.unpack_from(packet, at)
        at += _RECORD.size
        frame = packet[at : at + size]
        at += size
        if len(frame) in (FRAME_BYTES, FD_FRAME_BYTES):
            frames.append((t_ns, frame))
    return frames


class Guest:
    """The bus's end of a guest."""

    def __init__(self, link: socket.socket, controller: Controller | None) -> None:
        """`controller` is its place on a virtual bus, None where a real bus does the timing."""
        link.setblocking(False)
        self.link = link
        self.controller = controller
        self.settings = Settings()
        self.missed = 0
        self._told: bytes = b""

    def drain(self, most: int) -> tuple[list[bytes], bool]:
        """Return up to `most` frames that it has sent, taking in its settings; False once it is gone."""
        frames: list[bytes] = []
        resets = 0
        while len(frames) < most:
            try:
                packet = self.link.recv(FD_FRAME_BYTES + 1, socket.MSG_DONTWAIT)
            except BlockingIOError:
                return frames, resets == 0
            except ConnectionResetError:  # it has gone without reading all; what it sent comes after that
                resets += 1
                packet = b"" if resets > 1 else b"?"
            except OSError:
                packet = b""
            if not packet:
                return frames, False
            settings = read_settings(packet)
            self.settings = settings or self.settings
            if settings is None and len(packet) in (FRAME_BYTES, FD_FRAME_BYTES):
                frames.append(packet)
        return frames, True

    def tell(self, frames: Iterable[tuple[int, bytes]]) -> None:
        """Send it frames with the times at which they ended; what it has no room for, it misses."""
        for packet, count in _packets(frames, fd=self.settings.fd):
            try:
                self.link.send(packet)
            except OSError:
                self.missed += count

    def tell_state(self, bitrate: int, data_bitrate: int) -> None:
        """Send it the state of its controller, if that has changed."""
        c = self.controller
        state = GuestState(
            bitrate,
            data_bitrate,
            tec=0 if c is None else c.tec,
            rec=0 if c is None else c.rec,
            state="error active" if c is None else c.state,
            lost=0 if c is None else c.lost,
            missed=self.missed,
        )
        packet = _state_packet(state)
        if packet != self._told:
            with contextlib.suppress(OSError):
                self.link.send(packet)
                self._told = packet

    def close(self) -> None:
        """Hang up."""
        self.link.close()


def _packets(frames: Iterable[tuple[int, bytes]], *, fd: bool) -> Iterator[tuple[bytes, int]]:
    parts, size, count = [_FRAMES], 1, 0
    for t_ns, frame in frames:
        if is_fd(frame) and not fd:
            continue
        if size + _RECORD.size + len(frame) > PACKET_BYTES:
            yield b"".join(parts), count
            parts, size, count = [_FRAMES], 1, 0
        parts += (_RECORD.pack(t_ns, len(frame)), frame)
        size += _RECORD.size + len(frame)
        count += 1
    if count:
        yield b"".join(parts), count
