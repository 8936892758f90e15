"""When faults strike: one book of triggers for a flight, kept beside the loop and never in it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from hil.faults.case import FaultSpec
from hil.signals import REQUESTS, Frame

__all__ = ["TriggerBook"]

_START: Final = REQUESTS.index("START")


@dataclass
class _Entry:
    spec: FaultSpec
    strikes: list[Callable[[], object]] = field(default_factory=list)
    heals: list[Callable[[], object]] = field(default_factory=list)
    onset_ns: int | None = None
    struck: bool = False


class TriggerBook:
    """Strikes each fault of a case once, at the first frame boundary at or after its trigger, and ends it.

    Times are those of the flight: a fault that strikes at t acts on everything from t on.  The
    landing ignition is the first frame with a START request on the wire.
    """

    def __init__(self, frame: Frame, faults: Sequence[FaultSpec], frame_ns: int) -> None:
        self.ignition_ns: int | None = None
        self.now_ns = 0
        """Start of the frame that was looked at last."""
        self._entries = [_Entry(spec) for spec in faults]
        self._pending = list(self._entries)
        self._healing: list[_Entry] = []
        self.frame_ns = frame_ns
        self._request = frame["command"]["request"]
        self._position = frame["truth"]["pos_pad_m"]

    def on(self, index: int, strike: Callable[[], object], heal: Callable[[], object] | None = None) -> None:
        """Let fault number `index` of the case do `strike` too in its time, and `heal` when it is over."""
        self._entries[index].strikes.append(strike)
        if heal is not None:
            self._entries[index].heals.append(heal)

    def begin_frame(self, t_ns: int) -> None:
        """Strike and end what is due at the start of the frame at `t_ns` (before the boards run it)."""
        self.now_ns = t_ns
        if self._healing:
            self._heal(t_ns)
        if not self._pending:
            return
        for entry in self._pending:
            if entry.onset_ns is None:
                entry.onset_ns = self._onset(entry.spec, t_ns)
        self._strike(t_ns)

    def wires_done(self, t_ns: int) -> None:
        """Look for the ignition on the wires of the frame at `t_ns`, and strike what it triggers."""
        if not self._pending and not self._healing:
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
        return -(-round(seconds * 1e9) // self.frame_ns) * self.frame_ns

    def _strike(self, t_ns: int) -> None:
        due = [e for e in self._pending if e.onset_ns is not None and e.onset_ns <= t_ns]
        for entry in due:
            entry.struck = True
            self._pending.remove(entry)
            for strike in entry.strikes:
                strike()
            if entry.spec.heals_after_s is not None:
                self._healing.append(entry)

    def _heal(self, t_ns: int) -> None:
        """End what is over at the start of the frame at `t_ns`."""
        for entry in list(self._healing):
            assert entry.onset_ns is not None, "it has struck"
            assert entry.spec.heals_after_s is not None, "it heals"
            if entry.onset_ns + self._boundary(entry.spec.heals_after_s) <= t_ns:
                self._healing.remove(entry)
                for heal in entry.heals:
                    heal()
