"""The bench's leave to move on the wires: the enable frame out, the boards' reported drives in."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal

import numpy as np
from cantools.database.can import Database

from hil.signals import Frame
from hil.wire.bus import Node
from hil.wire.codec import BenchDecoder, encode_frame

__all__ = ["MODES", "NO_LEAVE", "EnableSender", "Leave", "ReportedDrives"]

Mode = Literal["STOP", "COLD", "DRIVE"]
MODES: Final[tuple[Mode, ...]] = ("STOP", "COLD", "DRIVE")
"""What the bench allows, in the order of their numbers (records.h)."""

_DRIVES: Final = ("ox_drive", "fuel_drive", "gimbal_x_drive", "gimbal_y_drive", "igniter")
"""Signals of ENGINE_n_DRIVE, and fields of the actuator record of the same names."""


@dataclass(frozen=True)
class Leave:
    """What a run may move; `nonce` (32 bits) tells it from every other run."""

    nonce: int
    mode: Mode
    igniter: bool


NO_LEAVE: Final = Leave(0, "STOP", igniter=False)


class EnableSender:
    """Puts one enable frame on the bus in every frame of the bench, from the loop's own hand.

    It is no thread: a loop that stalls sends nothing, and the boards go safe by themselves.
    """

    def __init__(self, node: Node, database: Database, leave: Leave) -> None:
        self.leave = leave
        self._node = node
        self._message = database.get_message_by_name("BENCH_ENABLE")
        self._mode: Mode = leave.mode
        self._counter = 0

    @property
    def stopped(self) -> bool:
        """True once the leave has been withdrawn (or was never there)."""
        return self._mode == "STOP"

    def renew(self) -> None:
        """Say for one more frame what is allowed."""
        leave = self.leave
        values = {
            "mode": MODES.index(self._mode),
            "igniter": int(leave.igniter and not self.stopped),
            "nonce": leave.nonce,
        }
        self._node.outbox.append(encode_frame(self._message, values, self._counter))
        self._counter += 1

    def stop(self) -> None:
        """Withdraw the leave, for good."""
        self._mode = "STOP"


class ReportedDrives:
    """Lets the plant follow what the boards say that they drive, or would drive were they not inhibited."""

    def __init__(
        self, frame: Frame, nodes: Sequence[int], decoder: BenchDecoder, *, hold_frames: int
    ) -> None:
        """`nodes` are the engines of the burn, by slot; a report counts for `hold_frames` frames."""
        self.modes = [""] * len(nodes)
        """The leave that each board reports, "" before it has reported any."""
        self.nonces = [-1] * len(nodes)
        """Low 8 bits of the nonce that each board has heard last, -1 before."""
        self.reports = [0] * len(nodes)
        """How many reports of each board have come so far."""
        self.shown = {name: np.zeros(len(nodes)) for name in _DRIVES}
        """The actuator record of the last frame, as the plant followed it; each shape (engines,)."""
        self._fields = [frame["actuator"][name] for name in _DRIVES]
        self._values = [[0.0] * len(_DRIVES) for _ in nodes]
        self._age = [hold_frames] * len(nodes)
        self._hold = hold_frames
        for slot, node in enumerate(nodes):
            decoder.listen(f"ENGINE_{node}_DRIVE", self._taker(slot))

    def _taker(self, slot: int) -> Any:
        def take(signals: dict[str, float]) -> None:
            self._values[slot] = [signals[name] for name in _DRIVES]
            self.modes[slot] = MODES[int(signals["mode"])]
            self.nonces[slot] = int(signals["nonce_low"])
            self._age[slot] = 0
            self.reports[slot] += 1

        return take

    def show(self) -> None:
        """Put what was reported into the actuator record; what is too old is left as it is."""
        for slot, age in enumerate(self._age):
            if age < self._hold:
                for field, value in zip(self._fields, self._values[slot], strict=True):
                    field[slot] = value
            self._age[slot] = age + 1
        for shown, field in zip(self.shown.values(), self._fields, strict=True):
            shown[:] = field
