"""`can.Bus(interface="hil")`: the virtual bus of a running flight for guests."""

from __future__ import annotations

import select
import socket
import time
from pathlib import Path
from typing import Any

import can

from hil.wire.bus import guest_folder
from hil.wire.canframe import FRAME_BYTES, make_frame, split_frame

__all__ = ["HilBus"]

_EXTENDED, _REMOTE, _ERROR = 0x8000_0000, 0x4000_0000, 0x2000_0000


def _to_message(frame: bytes, channel: str) -> can.Message:
    can_id, data = split_frame(frame)
    return can.Message(
        timestamp=time.time(),
        arbitration_id=can_id & 0x1FFF_FFFF,
        is_extended_id=bool(can_id & _EXTENDED),
        is_remote_frame=bool(can_id & _REMOTE),
        is_error_frame=bool(can_id & _ERROR),
        data=data,
        channel=channel,
    )


def _to_frame(message: can.Message) -> bytes:
    """Return a message as the bus carries it; raise CanOperationError for what classical CAN cannot carry."""
    count = len(message.data or b"")
    if message.is_fd or count > 8:
        raise can.CanOperationError(
            f"this bus is classical CAN: no FD frames and at most 8 bytes (this one has {count})"
        )
    can_id = message.arbitration_id | (_EXTENDED if message.is_extended_id else 0)
    can_id |= (_REMOTE if message.is_remote_frame else 0) | (_ERROR if message.is_error_frame else 0)
    return make_frame(can_id, bytes(message.data or b""))


class HilBus(can.BusABC):
    """The virtual bus of a running flight, joined from another process.

    `channel` is the path of the bus's socket, or its name in the rig: then the newest flight that has such
    a bus is joined.
    """

    def __init__(self, channel: str = "engine", can_filters: Any = None, **kwargs: Any) -> None:
        self.channel_info = f"hil {channel}"
        self._channel = channel
        self._link = self._connect(channel)
        super().__init__(channel=channel, can_filters=can_filters, **kwargs)

    @staticmethod
    def _connect(channel: str) -> socket.socket:
        if "/" in channel:
            paths = [Path(channel)]
        else:
            paths = sorted(guest_folder().glob(f"{channel}.*.sock"), key=_changed, reverse=True)
        for path in paths:
            link = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
            try:
                link.connect(str(path))
            except OSError:
                link.close()
            else:
                return link
        raise can.CanInitializationError(f"hil: no flight has a bus {channel!r} now")

    def _recv_internal(self, timeout: float | None) -> tuple[can.Message | None, bool]:
        if not select.select([self._link], [], [], timeout)[0]:
            return None, False
        frame = self._link.recv(FRAME_BYTES)
        if len(frame) != FRAME_BYTES:
            raise can.CanOperationError("hil: the flight has ended")
        return _to_message(frame, self._channel), False

    def send(self, msg: can.Message, timeout: float | None = None) -> None:
        """Send a message to all nodes of the bus."""
        self._link.settimeout(timeout)
        try:
            self._link.send(_to_frame(msg))
        except OSError as error:
            raise can.CanOperationError(f"hil: {error}") from None

    def fileno(self) -> int:
        """Return the socket's descriptor."""
        return self._link.fileno()

    def shutdown(self) -> None:
        """Leave the bus."""
        super().shutdown()
        self._link.close()


def _changed(path: Path) -> float:
    try:
        return path.stat().st_mtime
    except OSError:
        return 0.0
