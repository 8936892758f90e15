"""Diagnostics of the machinery, recorded beside the signals: wall times, never part of a digest."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt

__all__ = ["BEGAN_LATE", "BUS_COLUMNS", "STAGES", "BusSheet", "bus_dtype", "timing_dtype"]

STAGES: Final = ("sensors", "boards", "wires", "tape", "plant")
"""The stages of a frame, in the order in which the loop runs them."""


BEGAN_LATE: Final = len(STAGES) + 1
"""Code of the cause of an overrun; the stages have 1 to len(STAGES), 0 is none."""


def timing_dtype() -> np.dtype[np.void]:
    """Return the layout of one frame's diagnostics.

    `lateness_s` is how late the frame began; `<stage>_s` is the wall time of that stage in the
    frame *before* (this one is not over when it is recorded). `step_instructions` is how many
    instructions the guidance kernel's step took in this frame, where its board counts them, else 0.
    `work_s` is what the frame before took in all, waiting not counted; `overrun` says why that one was
    not done in time: 0 it was, 1 to 5 the stage (in the order of STAGES) that took longest, 6 it began late.
    `answer_s` is for how long the board that lags most has not answered, on the wall clock; 0 in lockstep.
    """
    times = ["lateness_s"] + [f"{stage}_s" for stage in STAGES]
    fields = [("t_ns", "<i8"), ("frame", "<i8"), *((name, "<f8") for name in times)]
    return np.dtype(
        [*fields, ("step_instructions", "<i8"), ("work_s", "<f8"), ("overrun", "<i8"), ("answer_s", "<f8")]
    )


BUS_COLUMNS: Final = (
    ("load", "<f8", "1: share of the frame in which the CAN bus was not idle"),
    ("frames", "<i8", "1: frames that ended on the bus in the frame"),
    ("late", "<i8", "1: frames that have waited for the bus for a whole frame"),
    ("lost", "<i8", "1: frames that no transmit queue took, so far"),
    ("errors", "<i8", "1: error frames so far"),
)
"""Name, kind, unit and meaning of what is recorded of a CAN bus in each frame; counters of nodes follow."""


def bus_dtype(nodes: int) -> np.dtype[np.void]:
    """Return the layout of one frame's diagnostics of a CAN bus with so many nodes.

    `tec` and `rec` are the transmit and receive error counters of each node.
    """
    columns: list[Any] = [("t_ns", "<i8"), *((name, kind) for name, kind, _ in BUS_COLUMNS)]
    return np.dtype([*columns, ("tec", "<i8", (nodes,)), ("rec", "<i8", (nodes,))])


@dataclass(frozen=True)
class BusSheet:
    """Diagnostics of a CAN bus: its nodes by name, and the record (layout `bus_dtype`) of the frame."""

    nodes: tuple[str, ...]
    record: npt.NDArray[np.void]
