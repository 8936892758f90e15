"""Boards that something is wrong with: dead, hung, restarted, slow, or without a supply for their drives."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal, Protocol

from hil.faults.case import FaultSpec
from hil.faults.effects import fire_board_s
from hil.faults.triggers import TriggerBook
from hil.signals import Board, Reality

__all__ = ["BoardFaults", "BoardWithFaults", "FaultyBoard"]


class BoardFaults(Protocol):
    """What a board lets faults do to it (hil.boards.common says what each means)."""

    silent: bool
    frozen: bool
    undriven: bool
    restart: bool


class BoardWithFaults(Board, Protocol):
    """A board that faults can act on."""

    faults: BoardFaults

    def skip_frame(self) -> None:
        """Let the frame pass without the board; what comes for it waits."""


class FaultyBoard:
    """A board that the faults of a case act on."""

    def __init__(self, board: BoardWithFaults, book: TriggerBook) -> None:
        self._board = board
        self._book = book
        self.name: str = board.name
        self.role: Literal["flight_computer", "engine_valve"] = board.role
        self.backend: str = board.backend
        self.reality: Reality = board.reality
        self._t_ns = 0
        self._later: list[tuple[int, Callable[[], object]]] = []
        self._dark: set[int] = set()
        self._hung: set[int] = set()
        self._undriven: set[int] = set()
        self._slow: dict[int, float] = {}
        """Numbers of the faults that act now, and how slow the clock is by each."""
        self._part = 0.0
        """Of a frame of its own that has gone by, where the clock is slow."""
        self._behind_ns = 0

    # ---- what faults do

    def take(self, index: int, fault: FaultSpec) -> None:
        """Have fault number `index` of the case strike this board when its time has come."""
        strike, heal = {
            "board.silent": (lambda: self._dark.add(index), None),
            "board.freeze": (lambda: self._hung.add(index), lambda: self._hung.discard(index)),
            "board.slow_clock": (lambda: self._slow_down(index, fault), lambda: self._slow.pop(index)),
            "board.reset": (lambda: self._restart(index, fault), None),
            "board.brown_out": (lambda: self._brown_out(index, fault), None),
            "bay.fire": (
                lambda: self._strike_later(fire_board_s(fault), lambda: self._dark.add(index)),
                None,
            ),
        }[fault.kind]
        self._book.on(index, strike, heal)

    def _strike_later(self, delay_s: float, strike: Callable[[], object]) -> None:
        self._later.append((self._book.now_ns + round(delay_s * 1e9), strike))

    def _slow_down(self, index: int, fault: FaultSpec) -> None:
        assert fault.factor is not None, "checked when the case was read"
        self._slow[index] = fault.factor

    def _restart(self, index: int, fault: FaultSpec) -> None:
        assert fault.boot_s is not None, "checked when the case was read"

        def run_again() -> None:
            self._dark.discard(index)
            self._board.faults.restart = True

        self._dark.add(index)
        self._strike_later(fault.boot_s, run_again)

    def _brown_out(self, index: int, fault: FaultSpec) -> None:
        assert fault.duration_s is not None, "checked when the case was read"

        def collapse() -> None:
            self._undriven.discard(index)
            self._restart(index, fault)

        self._undriven.add(index)
        self._strike_later(fault.duration_s, collapse)

    # ---- a frame

    def start_frame(self, t_ns: int) -> None:
        """Let the board run its frame, with everything struck that is due at its start."""
        self._book.begin_frame(t_ns)
        due = [act for due_ns, act in self._later if due_ns <= t_ns]
        self._later = [entry for entry in self._later if entry[0] > t_ns]
        for act in due:
            act()
        faults = self._board.faults
        faults.silent, faults.frozen = bool(self._dark), bool(self._hung)
        faults.undriven = bool(self._undriven)
        if self._frame_is_skipped():
            self._behind_ns += self._book.frame_ns
            self._board.skip_frame()
        else:
            self._board.start_frame(t_ns - self._behind_ns)

    def _frame_is_skipped(self) -> bool:
        """Tell whether no frame of the board's own slow clock begins in this frame of the bench."""
        if not self._slow or self._dark or self._hung:
            return False
        self._part += min(self._slow.values())
        if self._part < 1.0 - 1e-9:
            return True
        self._part -= 1.0
        return False

    def finish_frame(self) -> None:
        """Wait for the board's outputs."""
        self._board.finish_frame()

    @property
    def safe(self) -> bool:
        """True when the board is as safe as it will ever get; one that is dead for good drives nothing."""
        return (self._board.faults.silent and not self._later) or self._board.safe

    def close(self) -> None:
        """End the board."""
        self._board.close()
