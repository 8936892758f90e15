"""`can.Bus(interface="hil")`: the virtual bus of a running flight, for guests."""

from __future__ import annotations

import contextlib
import select
import socket
import time
from collections import deque
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import can

from hil.wire.bus import guest_folder
from hil.wire.can_message import frame_of, message_of
from hil.wire.guest import PACKET_BYTES, GuestState, Settings, read_packet, settings_packet

__all__ = ["HilBus"]

_MOST_FD: Final = 64


def _to_frame(message: can.Message, *, fd: bool) -> bytes:
    """Return a message as the bus carries it; raise CanOperationError for what it cannot carry."""
    data = bytes(message.data or b"")
    if message.is_error_frame:
        raise can.CanOperationError("an error frame cannot be sent: it is news of an error")
    if not fd and (message.is_fd or len(data) > 8):
        raise can.CanOperationError(
            f"this bus is classical CAN: no FD frames and at most 8 bytes (this one has {len(data)})"
        )
    if len(data) > (_MOST_FD if message.is_fd else 8):
        raise can.CanOperationError(f"a frame of {len(data)} bytes is longer than CAN has")
    return frame_of(message)


class HilBus(can.BusABC):
    """The virtual bus of a running flight, joined from another process.

    `channel` is the path of the bus's socket, or its name in the rig: then the newest flight that has such
    a bus is joined. `fd` lets FD frames in both directions; `listen_only` (the bus state PASSIVE)
    acknowledges nothing and sends nothing; `receive_own_messages` gives one's own frames back
    with the time at which they ended on the bus. `bitrate` and `data_bitrate` need not be given; if they
    are, they have to be those of the bus. Timestamps are seconds since the start of the flight, to the
    nanosecond, of the last bit of a frame, as an analyser on the bus would give them.
    """

    def __init__(
        self,
        channel: str = "engine",
        can_filters: Any = None,
        *,
        fd: bool = False,
        listen_only: bool = False,
        receive_own_messages: bool = False,
        receive_error_frames: bool = True,
        bitrate: int | None = None,
        data_bitrate: int | None = None,
        **kwargs: Any,
    ) -> None:
        self.channel_info = f"hil {channel}"
        self._channel = channel
        self._waiting: deque[tuple[int, bytes]] = deque()
        self._status: GuestState | None = None
        self._settings = Settings(listen_only, fd, receive_own_messages, receive_error_frames)
        path, self._link = _connect(channel)
        try:
            _check_bitrates(channel, _bitrates(path), fd, bitrate, data_bitrate)
            self._link.send(settings_packet(self._settings))
        except BaseException:
            self._link.close()
            raise
        super().__init__(channel=channel, can_filters=can_filters, **kwargs)
        self._can_protocol = can.CanProtocol.CAN_FD if fd else can.CanProtocol.CAN_20

    def _recv_internal(self, timeout: float | None) -> tuple[can.Message | None, bool]:
        end_s = None if timeout is None else time.monotonic() + timeout
        while not self._waiting:
            left_s = None if end_s is None else max(end_s - time.monotonic(), 0.0)
            if not self._read(left_s):
                return None, False
        t_ns, frame = self._waiting.popleft()
        return message_of(frame, channel=self._channel, t_s=t_ns * 1e-9), False

    def _read(self, timeout: float | None) -> bool:
        """Take in what the bus has sent; False when nothing came in time."""
        if not select.select([self._link], [], [], timeout)[0]:
            return False
        try:
            packet = self._link.recv(PACKET_BYTES)
        except OSError as error:
            raise can.CanOperationError(f"hil: {error}") from None
        if not packet:
            raise can.CanOperationError("hil: the flight has ended")
        told = read_packet(packet)
        if isinstance(told, GuestState):
            self._status = told
        else:
            self._waiting.extend(told)
        return True

    def send(self, msg: can.Message, timeout: float | None = None) -> None:
        """Put a message into the transmit queue, whose room is waited for (None: for as long as it takes).

        Raises CanOperationError for what the bus cannot carry and when the flight has ended, CanTimeoutError
        when there was no room in time: the bus is too full for what is sent.
        """
        if self._settings.listen_only:
            raise can.CanOperationError("hil: a bus in the state PASSIVE only listens")
        frame = _to_frame(msg, fd=self._settings.fd)
        self._link.settimeout(timeout)
        try:
            self._link.send(frame)
        except (TimeoutError, BlockingIOError):
            raise can.CanTimeoutError("hil: no room in the transmit queue: the bus is full") from None
        except OSError as error:
            raise can.CanOperationError(f"hil: {error}") from None
        finally:
            self._link.settimeout(None)

    @property
    def status(self) -> GuestState | None:
        """Error counters, bit rates and losses as the bus last told them; None before it has."""
        with contextlib.suppress(can.CanOperationError):
            while self._read(0.0):
                pass
        return self._status

    @property
    def state(self) -> can.BusState:
        """ERROR when bus-off, PASSIVE when error passive or only listening, else ACTIVE."""
        status = self.status
        if status is not None and status.state == "bus off":
            return can.BusState.ERROR
        passive = self._settings.listen_only or (status is not None and status.state == "error passive")
        return can.BusState.PASSIVE if passive else can.BusState.ACTIVE

    @state.setter
    def state(self, new_state: can.BusState) -> None:
        if new_state is can.BusState.ERROR:
            raise ValueError("hil: a bus can be set ACTIVE or PASSIVE")
        old = self._settings
        self._settings = Settings(new_state is can.BusState.PASSIVE, old.fd, old.own, old.errors)
        try:
            self._link.send(settings_packet(self._settings))
        except OSError as error:
            raise can.CanOperationError(f"hil: {error}") from None

    @staticmethod
    def _detect_available_configs() -> list[can.typechecking.AutoDetectedConfig]:
        """Return the buses of the flights that are on now."""
        names = {path.name.split(".")[0] for path in guest_folder().glob("*.sock")}
        return [{"interface": "hil", "channel": name} for name in sorted(names)]

    def fileno(self) -> int:
        """Return the socket's descriptor."""
        return self._link.fileno()

    def shutdown(self) -> None:
        """Leave the bus; safe to call twice."""
        super().shutdown()
        self._link.close()


def _sockets(channel: str) -> Iterator[Path]:
    """Yield the sockets that a channel may mean, the newest first."""
    if "/" in channel:
        yield Path(channel)
    else:
        yield from sorted(guest_folder().glob(f"{channel}.*.sock"), key=_changed, reverse=True)


def _connect(channel: str) -> tuple[Path, socket.socket]:
    for path in _sockets(channel):
        link = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        try:
            link.connect(str(path))
        except OSError:
            link.close()
        else:
            return path, link
    raise can.CanInitializationError(f"hil: no flight has a bus {channel!r} now")


def _bitrates(path: Path) -> tuple[int, int]:
    """Return the bit rates in the name of a bus's socket, 0 for what it does not have."""
    parts = path.name.split(".")[1:3]
    return (int(parts[0]), int(parts[1])) if len(parts) == 2 and all(p.isdigit() for p in parts) else (0, 0)


def _check_bitrates(
    channel: str, rates: tuple[int, int], fd: bool, bitrate: int | None, data_bitrate: int | None
) -> None:
    """Raise CanInitializationError for what does not fit the bus: frames of another rate would be noise."""
    if fd and not rates[1]:
        raise can.CanInitializationError(
            f"hil: bus {channel!r} is classical CAN: its rig gives it no data_bitrate"
        )
    for name, wanted, there in (("bitrate", bitrate, rates[0]), ("data_bitrate", data_bitrate, rates[1])):
        if wanted is not None and there and int(wanted) != there:
            raise can.CanInitializationError(
                f"hil: {name} = {wanted}: bus {channel!r} runs at {there} bit/s (or leave it out)"
            )


def _changed(path: Path) -> float:
    try:
        return path.stat().st_mtime
    except OSError:
        return 0.0
