"""When a frame may begin, and what each stage of it cost on the wall clock."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import Any, Final, Protocol

import numpy as np
import numpy.typing as npt

from hil.signals import Wires
from hil.signals.timing import STAGES, timing_dtype

__all__ = ["BOARDS", "PLANT", "SENSORS", "TAPE", "WIRES", "Deadlines", "Lockstep", "Pace", "WallClock"]

SENSORS, BOARDS, WIRES, TAPE, PLANT = range(len(STAGES))
"""Numbers of the stages of a frame, in their order."""

_KEPT: Final = 20
"""Missed deadlines that are listed one by one; all are counted."""


@dataclass
class Deadlines:
    """Frames whose work was not done when the next frame was due, with lateness and cause."""

    missed: int = 0
    worst_s: float = 0.0
    causes: dict[str, int] = field(default_factory=dict)
    first: list[dict[str, Any]] = field(default_factory=list)

    def miss(self, frame: int, lateness_s: float, cause: str) -> None:
        """Count frame number `frame`, which was done `lateness_s` too late because of `cause`."""
        self.missed += 1
        self.worst_s = max(self.worst_s, lateness_s)
        self.causes[cause] = self.causes.get(cause, 0) + 1
        if len(self.first) < _KEPT:
            self.first.append({"frame": frame, "lateness_s": lateness_s, "cause": cause})

    def as_dict(self) -> dict[str, Any]:
        """Return the counts as JSON values."""
        return {
            "missed": self.missed,
            "worst_lateness_s": self.worst_s,
            "causes": dict(self.causes),
            "first": list(self.first),
        }


class Pace(Protocol):
    """Says when a frame may begin; is told when each of its stages is done."""

    stage: int
    """The last stage of the frame that is done; -1 before the first."""
    timing: npt.NDArray[np.void]
    """The diagnostics of the frame, layout hil.signals.timing.timing_dtype."""
    deadlines: Deadlines

    def wait(self, t_ns: int) -> None:
        """Return when the frame at `t_ns` may begin."""

    def lap(self, stage: int) -> None:
        """Note that `stage` is done."""

    def mean_s(self) -> dict[str, float]:
        """Return the mean wall time of each stage in a frame."""


class _StageTimes:
    """Wall time of each stage, in the diagnostics record that goes to the tape beside the frame."""

    def __init__(self) -> None:
        self.timing: npt.NDArray[np.void] = np.zeros((), timing_dtype())
        flat = self.timing.reshape(1).view(np.uint8)
        self._ints = flat.view(np.int64)
        self._floats = flat.view(np.float64)
        self._spent = [0.0] * len(STAGES)
        self._total = [0.0] * len(STAGES)
        self._frames = 0
        self._last = 0.0
        self.stage = -1

    def begin(self, t_ns: int, lateness_s: float, now_s: float) -> None:
        """Open a frame; the record then holds the stage times of the frame before."""
        self._ints[0] = t_ns
        self._ints[1] = self._frames
        self._floats[2] = lateness_s
        self._floats[3 : 3 + len(STAGES)] = self._spent
        self._frames += 1
        self._last = now_s
        self.stage = -1

    def lap(self, stage: int) -> None:
        """Note that `stage` is done."""
        now = time.perf_counter()
        spent = now - self._last
        self._spent[stage] = spent
        self._total[stage] += spent
        self._last = now
        self.stage = stage

    def mean_s(self) -> dict[str, float]:
        """Return the mean wall time of each stage in a frame."""
        frames = max(self._frames, 1)
        return {name: total / frames for name, total in zip(STAGES, self._total, strict=True)}

    def longest(self) -> tuple[str, float]:
        """Return the stage of the last frame that took longest, and its wall time."""
        longest = max(range(len(STAGES)), key=self._spent.__getitem__)
        return STAGES[longest], self._spent[longest]


class Lockstep(_StageTimes):
    """As fast as it goes: simulated time waits for everybody, so nobody is ever late."""

    def __init__(self) -> None:
        super().__init__()
        self.deadlines = Deadlines()

    def wait(self, t_ns: int) -> None:
        """Begin the frame at `t_ns` at once."""
        self.begin(t_ns, 0.0, time.perf_counter())


class WallClock(_StageTimes):
    """Real time: frame t begins at start + t on the monotonic clock, never earlier.

    Deadlines are absolute, so a late frame does not shift those after it.  The wires are served
    while waiting.
    """

    def __init__(self, frame_ns: int, wires: Wires) -> None:
        super().__init__()
        self.deadlines = Deadlines()
        self._period_s = frame_ns * 1e-9
        self._wires = wires
        self._start_s: float | None = None
        self._late_start_s = 0.0

    def wait(self, t_ns: int) -> None:
        """Serve the wires until the frame at `t_ns` is due; count it when that has passed already."""
        now = time.monotonic()
        if self._start_s is None:
            self._start_s = now - t_ns * 1e-9
        due = self._start_s + t_ns * 1e-9
        if now > due and self._frames > 0:
            self.deadlines.miss(self._frames - 1, now - due, self._cause())
        self._wires.pump(due)
        now = time.monotonic()
        while now < due:  # a pump that has nothing to serve may return early
            time.sleep(due - now)
            now = time.monotonic()
        self._late_start_s = now - due
        self.begin(t_ns, self._late_start_s, time.perf_counter())

    def _cause(self) -> str:
        """Say why the last frame was late: the stage that took longest, or that it began late."""
        name, spent = self.longest()
        return "late start" if self._late_start_s > spent else name
