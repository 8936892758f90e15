"""Diagnostics of the machinery, recorded beside the signals: wall times, never part of a digest."""

from __future__ import annotations

from typing import Final

import numpy as np

__all__ = ["BEGAN_LATE", "STAGES", "timing_dtype"]

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
    """
    times = ["lateness_s"] + [f"{stage}_s" for stage in STAGES]
    fields = [("t_ns", "<i8"), ("frame", "<i8"), *((name, "<f8") for name in times)]
    return np.dtype([*fields, ("step_instructions", "<i8"), ("work_s", "<f8"), ("overrun", "<i8")])
