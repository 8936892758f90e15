"""Frames as python-can has them, and back."""

from __future__ import annotations

import can

from hil.wire.canframe import (
    BIT_RATE_SWITCH,
    ERROR,
    ERROR_STATE,
    EXTENDED,
    REMOTE,
    frame_flags,
    is_fd,
    make_fd_frame,
    make_frame,
    make_remote_frame,
    split_frame,
)

__all__ = ["frame_of", "message_of"]


def message_of(frame: bytes, *, channel: str | None = None, t_s: float = 0.0) -> can.Message:
    """Return a frame, or news of an error, as python-can has it; `t_s` is its time stamp."""
    can_id, data = split_frame(frame)
    flags = frame_flags(frame)
    return can.Message(
        timestamp=t_s,
        arbitration_id=can_id & 0x1FFF_FFFF,
        is_extended_id=bool(can_id & EXTENDED),
        is_remote_frame=bool(can_id & REMOTE),
        is_error_frame=bool(can_id & ERROR),
        is_fd=is_fd(frame),
        bitrate_switch=bool(flags & BIT_RATE_SWITCH),
        error_state_indicator=bool(flags & ERROR_STATE),
        dlc=frame[4] if can_id & REMOTE else len(data),
        data=data,
        channel=channel,
    )


def frame_of(message: can.Message) -> bytes:
    """Return a message of python-can's as a frame; news of an error keep their classes and data."""
    data = bytes(message.data or b"")
    can_id = message.arbitration_id | (EXTENDED if message.is_extended_id else 0)
    if message.is_error_frame:
        return make_frame(message.arbitration_id & 0x1FFF_FFFF | ERROR, data[:8])
    if message.is_remote_frame:
        return make_remote_frame(can_id, message.dlc)
    if message.is_fd:
        passive = message.error_state_indicator
        return make_fd_frame(can_id, data, bit_rate_switch=message.bitrate_switch, error_state=passive)
    return make_frame(can_id, data)
