"""When faults strike: one book of triggers for a flight, kept beside the loop and never in it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final

from hil.faults.case import FaultSpec
from hil.signals import REQUESTS, Frame

__all__ = ["TriggerBook"]

_START: Final = REQUESTS.index("START")


@dataclass
class _Entry:
    spec: FaultSpec
    strike: Callable[[], None] | None = None
    onset_ns: int | None = None
    struck: bool = False


class TriggerBook:
    """Strikes each fault of a case once, at the first frame boundary at or after its trigger.

    Times are those of the flight: a fault that strikes at t acts on everything from t on.  The
    landing ignition is the first frame with a START request on the wire.
    """

    def __init__(self, frame: Frame, faults: Sequence[FaultSpec], frame_ns: int) -> None:
        self.ignition_ns: int | None = None
        self._entries = [_Entry(spec) for spec in faults]
        self._pending = list(self._entries)
        self._frame_ns = frame_ns
        self._request = frame["command"]["request"]
        self._position = frame["truth"]["pos_pad_m"]

    def on(self, index: int, strike: Callable[[], None]) -> None:
        """Let fault number `index` of the case do `strike` when its time has come."""
        self._entries[index].strike = strike

    def begin_frame(self, t_ns: int) -> None:
        """Strike what is due at the start of the frame at `t_ns` (before the boards run it)."""
        if not self._pending:
            return
        for entry in self._pending:
            if entry.onset_ns is None:
                entry.onset_ns = self._onset(entry.spec, t_ns)
        self._strike(t_ns)

    def wires_done(self, t_ns: int) -> None:
        """Look for the ignition on the wires of the frame at `t_ns`, and strike what it triggers."""
        if not self._pending:
            return
        if self.ignition_ns is None and (self._request == _START).any():
            self.ignition_ns = t_ns
        self.begin_frame(t_ns)

    def onsets(self) -> list[dict[str, Any]]:
        """Return for each fault what it is and when it struck (absolute; None: not yet)."""
        return [
            {
                **entry.spec.model_dump(exclude_none=True),
                "onset_s": entry.onset_ns * 1e-9 if entry.struck and entry.onset_ns is not None else None,
            }
            for entry in self._entries
        ]

    def _onset(self, spec: FaultSpec, t_ns: int) -> int | None:
        if spec.at_s is not None:
            return self._boundary(spec.at_s)
        if spec.after_ignition_s is not None:
            if self.ignition_ns is None:
                return None
            return self.ignition_ns + self._boundary(spec.after_ignition_s)
        below = spec.below_alt_m is not None and float(self._position[2]) < spec.below_alt_m
        return t_ns if below else None

    def _boundary(self, seconds: float) -> int:
        """Return the first frame boundary at or after `seconds`, in ns."""
        return -(-round(seconds * 1e9) // self._frame_ns) * self._frame_ns

    def _strike(self, t_ns: int) -> None:
        due = [e for e in self._pending if e.onset_ns is not None and e.onset_ns <= t_ns]
        for entry in due:
            entry.struck = True
            self._pending.remove(entry)
            if entry.strike is not None:
                entry.strike()
