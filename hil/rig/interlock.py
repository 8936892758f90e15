"""The interlock as the executive turns it: leave renewed by the loop, withdrawn with the first doubt."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Protocol

from hil.executive import Flight
from hil.files import FileError
from hil.rig.limits import LimitWatch
from hil.rig.model import InputSpec
from hil.rig.plan import Plan
from hil.signals import Frame, RigError
from hil.wire.enable import EnableSender, ReportedDrives
from hil.wire.switch import Switch
from hil.wire.wire_set import WireSet

__all__ = ["Interlock", "Watched", "build_interlock"]

SILENT_S: Final = 0.1
"""A board of a live rig that has said nothing for so long is lost, unless the case asked for that."""
LEAVE_TAKEN_S: Final = 0.5
"""From the first frame: by then every board reports the leave of this run."""
TWIN_FRAMES: Final = 30
TWIN_PART: Final = 1.5
"""Who reports so many times a frame, over so many frames, is two; who catches up after SILENT_S is not."""
_NOT_TAKEN: Final = (
    "has not taken the bench's leave: a valve is open, its sensors are silent, or its firmware knows no "
    "enable frame"
)
_REFUSALS: Final = {
    16: "has heard two benches and has shut down",
    8: "has lost the bench's enable frame and has shut down",
    32: "has reached the limit of an actuator and has shut down",
}
"""Bits of a board's fault word that end a flight (records.h)."""
_UNCOMMANDED: Final = 1
"""The bit of a board that has heard no valid command in time and has shut down."""


class _Silenced(Protocol):
    @property
    def stopped(self) -> bool:
        """True while a fault of the case keeps the board from running."""


@dataclass
class Watched:
    """A valve board of the burn as the interlock sees it; `asked` tells whether the case silenced it."""

    name: str
    slot: int
    faults: _Silenced
    quiet_frames: int = 0
    uncommanded_frames: int = 0
    reports: int = 0
    """Those that had come when they were counted last."""
    has_leave: bool = False
    """True once it has reported the leave of this run."""


@dataclass
class Interlock:
    """Looks once a frame at switches, limits and boards; sends the leave of the next frame."""

    sender: EnableSender
    drives: ReportedDrives
    frame: Frame
    boards: Sequence[Watched]
    flight: Flight
    live: bool
    limits: LimitWatch | None = None
    key: Switch | None = None
    abort: Switch | None = None
    computer: _Silenced | None = None
    """The flight computer's faults, where its silence on the bus matters."""
    _frames: int = 0
    _computer_quiet: int = 0

    def __post_init__(self) -> None:
        self._frame_s = self.flight.rates.frame_ns * 1e-9

    def look(self, t_ns: int) -> None:  # noqa: ARG002 - counts frames, not time
        """Renew the leave for this frame; raise RigError when something has to end at once."""
        self._frames += 1
        self._read_switches()
        if self.limits is not None:
            self.limits.look()
        self._look_at_boards()
        self.sender.renew()

    def keep_stopped(self, t_ns: int) -> None:  # noqa: ARG002 - see look
        """Withdraw the leave, in this frame and in every later one."""
        self.sender.stop()
        self.sender.renew()

    def _read_switches(self) -> None:
        if self.key is not None and not self.key.read():
            self.flight.stop.request("the key was turned off")
        if self.abort is not None and self.abort.read():
            self.flight.stop.request("the abort switch")

    def _look_at_boards(self) -> None:
        status = self.frame["status"]
        for board in self.boards:
            fresh = bool(status["fresh"][board.slot]) or board.faults.stopped
            board.quiet_frames = 0 if fresh else board.quiet_frames + 1
            if self.live and board.quiet_frames * self._frame_s > SILENT_S and self._started:
                raise RigError(f"board {board.name}: silent on the bus for {1e3 * SILENT_S:.0f} ms, unasked")
            if not board.faults.stopped:
                self._look_at_leave(board, int(status["fault"][board.slot]))
                self._look_at_commands(board, int(status["fault"][board.slot]))
        if self.live and self._frames % TWIN_FRAMES == 0:
            self._look_for_twins()
        self._look_at_computer()

    def _look_for_twins(self) -> None:
        """Raise RigError for a board that reports too often: a second one has its number, even the leave."""
        for board in self.boards:
            came = self.drives.reports[board.slot] - board.reports
            board.reports += came
            settled = (self._frames - TWIN_FRAMES) * self._frame_s > LEAVE_TAKEN_S
            if settled and came > TWIN_PART * TWIN_FRAMES:
                raise RigError(
                    f"board {board.name}: {came} reports in {TWIN_FRAMES} frames: "
                    "another board has its node number"
                )

    @property
    def _started(self) -> bool:
        return self._frames * self._frame_s > LEAVE_TAKEN_S

    def _look_at_leave(self, board: Watched, fault: int) -> None:
        """Raise RigError for a board that does not take this run's leave in time, or loses it."""
        leave = self.sender.leave
        same = self.drives.modes[board.slot] == leave.mode
        board.has_leave |= same and self.drives.nonces[board.slot] == leave.nonce & 0xFF
        if not board.has_leave:
            if self._started:
                raise RigError(f"board {board.name}: {_NOT_TAKEN}")
            return
        refused = next((what for bit, what in _REFUSALS.items() if fault & bit), None)
        if refused is not None or not same:
            raise RigError(f"board {board.name}: {refused or 'has lost the leave of this run'}")

    def _look_at_commands(self, board: Watched, fault: int) -> None:
        """Raise RigError for a board of a live rig that its commands do not reach, unasked.

        A computer that is silent altogether is told first.
        """
        asked = self.computer is not None and self.computer.stopped
        lacking = self.live and not asked and bool(fault & _UNCOMMANDED)
        board.uncommanded_frames = board.uncommanded_frames + 1 if lacking else 0
        if board.uncommanded_frames * self._frame_s > SILENT_S:
            raise RigError(
                f"board {board.name}: heard no valid command and has shut down: frames are lost or damaged, "
                "or the flight computer leaves it out"
            )

    def _look_at_computer(self) -> None:
        if self.computer is None or not self.live or self.computer.stopped:
            return
        fresh = bool(self.frame["telemetry"]["fresh"][()])
        self._computer_quiet = 0 if fresh else self._computer_quiet + 1
        if self._computer_quiet * self._frame_s > SILENT_S and self._started:
            raise RigError(f"the flight computer: silent on the bus for {1e3 * SILENT_S:.0f} ms, unasked")

    def close(self) -> None:
        """Close the switches; safe to call twice."""
        for switch in (self.key, self.abort):
            if switch is not None:
                with contextlib.suppress(OSError):
                    switch.close()


def build_interlock(
    plan: Plan, wires: WireSet, flight: Flight, boards: Sequence[Any], slots: Mapping[int, int]
) -> Interlock:
    """Return the interlock of a rig that demands the enable frame.

    `boards` are the rig's, as they are without faults; `slots` maps engine numbers to slots.  Raises
    RigError when a switch cannot be read, FileError for a fault that a real board cannot be given.
    """
    rig = plan.rig
    assert wires.enable is not None, "the rig demands the enable frame"
    assert wires.drives is not None
    for index, fault in enumerate(plan.case.fault):
        if fault.board is not None and rig.board[fault.board].backend == "hardware":
            raise FileError(
                f"{plan.case.path}: key 'fault.{index}.board' = {fault.board!r}: it is real: pull its plug"
            )
    watched, computer = [], None
    for board in boards:
        node = rig.board[board.name].node
        if node is None:
            computer = board.faults
        elif node in slots:
            watched.append(Watched(board.name, slots[node], board.faults))
    limits = None
    if rig.limits is not None:
        limits = LimitWatch(wires.drives.shown, plan.vehicle, rig.limits, flight.rates.frame_ns * 1e-9)
    interlock = Interlock(
        wires.enable, wires.drives, flight.frame, watched, flight, rig.live, limits, computer=computer
    )
    try:
        interlock.key = _switch("interlock.key", rig.interlock.key)
        interlock.abort = _switch("interlock.abort", rig.interlock.abort)
    except RigError:
        interlock.close()
        raise
    return interlock


def _switch(name: str, spec: InputSpec | None) -> Switch | None:
    return None if spec is None else Switch(name, spec.port, spec.line)
