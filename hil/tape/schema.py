"""What a tape holds: topics, layouts, and the ROS 1 message definitions that describe them.

A frame has 8-byte fields only and no padding, so its bytes are a valid ROS 1 message as they stand
(fixed-size arrays carry no length there).  Any MCAP tool that reads `ros1msg` can plot a tape.
"""

from __future__ import annotations

from typing import Final

from hil.signals import PER_ENGINE, RECORDS, Record
from hil.signals.timing import BUS_COLUMNS, STAGES

__all__ = [
    "BUS_MESSAGE",
    "BUS_TOPIC",
    "FRAME_MESSAGE",
    "FRAME_TOPIC",
    "TAPE_VERSION",
    "TIMING_MESSAGE",
    "TIMING_TOPIC",
    "bus_definition",
    "frame_definition",
    "timing_definition",
]

TAPE_VERSION: Final = 3
"""Raised whenever a record, field or metadata key changes its meaning."""

FRAME_TOPIC: Final = "/frame"
TIMING_TOPIC: Final = "/timing"
BUS_TOPIC: Final = "/bus"
FRAME_MESSAGE: Final = "lastbrake/Frame"
TIMING_MESSAGE: Final = "lastbrake/Timing"
BUS_MESSAGE: Final = "lastbrake/Bus"

_KINDS: Final = {"f8": "float64", "i8": "int64"}
_RULE: Final = "=" * 80


def _type_name(record: Record) -> str:
    return "lastbrake/" + record.name.capitalize()


def _record_definition(record: Record, engines: int) -> str:
    lines = [f"# {record.text}"]
    for field in record.fields:
        count = 1
        for axis in field.shape:
            count *= engines if axis == PER_ENGINE else axis
        array = f"[{count}]" if field.shape else ""
        lines.append(f"{_KINDS[field.kind]}{array} {field.name}  # {field.unit}: {field.text}")
    return "\n".join(lines)


def frame_definition(engines: int) -> str:
    """Return the message definition of a frame for a burn of `engines` engines."""
    head = ["int64 t_ns  # ns since the start of the flight", "int64 frame  # number of the frame"]
    head += [f"{_type_name(record)} {record.name}" for record in RECORDS]
    parts = ["\n".join(head)]
    parts += [f"{_RULE}\nMSG: {_type_name(r)}\n{_record_definition(r, engines)}" for r in RECORDS]
    return "\n".join(parts) + "\n"


def timing_definition() -> str:
    """Return the message definition of the diagnostics of one frame."""
    lines = [
        "int64 t_ns  # ns since the start of the flight",
        "int64 frame  # number of the frame",
        "float64 lateness_s  # s: how late this frame began on the wall clock, 0 in lockstep",
    ]
    lines += [f"float64 {stage}_s  # s: wall time of this stage in the frame before" for stage in STAGES]
    lines.append("int64 step_instructions  # 1: of the kernel's step in this frame, 0 where nobody counts")
    lines.append("float64 work_s  # s: what the frame before took in all, waiting not counted")
    lines.append(
        "int64 overrun  # 1: why that was too long: 0 it was not, 1 to 5 its longest stage, 6 late start"
    )
    lines.append(
        "float64 answer_s  # s: age of the oldest board's newest answer on the wall clock, 0 in lockstep"
    )
    return "\n".join(lines) + "\n"


def bus_definition(nodes: tuple[str, ...]) -> str:
    """Return the message definition of the diagnostics of a CAN bus with these nodes."""
    lines = ["int64 t_ns  # ns since the start of the flight"]
    lines += [f"{_KINDS[kind[1:]]} {name}  # {text}" for name, kind, text in BUS_COLUMNS]
    who = ", ".join(nodes)
    lines += [f"int64[{len(nodes)}] tec  # 1: transmit error counters of {who}"]
    lines += [f"int64[{len(nodes)}] rec  # 1: receive error counters of {who}"]
    return "\n".join(lines) + "\n"
