"""The bench's frame as the C side sees it: pointers to the fields of its records."""

from __future__ import annotations

from typing import Any

from hil.boards._firmware import ffi
from hil.signals import Frame

__all__ = ["frame_view"]

_RECORDS = ("nav", "sensor", "command", "actuator", "status", "telemetry")


def frame_view(frame: Frame) -> Any:
    """Return a `frame_view_t *` on `frame`; the frame must outlive it."""
    view = ffi.new("frame_view_t *")
    names = {name: field.type for name, field in ffi.typeof("frame_view_t").fields}
    for record in _RECORDS:
        for field in frame[record].dtype.names or ():
            name = f"{record}_{field}"
            if name in names:
                array = frame[record][field]
                setattr(view, name, ffi.cast(names.pop(name), array.__array_interface__["data"][0]))
    if names:
        raise TypeError(f"frame_view_t has fields that no record has: {', '.join(names)}")
    return view
