"""Stations that something is wrong with: one wrapper for each seam, with the seam's own Protocol."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any, Literal, Protocol

from hil.faults.case import Case, FaultSpec
from hil.faults.effects import PLANT_FAULTS, fire_order, plant_changes
from hil.faults.triggers import TriggerBook
from hil.files import FileError, NotSupported
from hil.signals import Board, Plant, Reality

__all__ = ["BoardFaults", "FaultyBoard", "FaultyPlant", "add_faults", "check_faults"]


class PlantWithEffects(Plant, Protocol):
    """A plant that faults can act on."""

    @property
    def effects(self) -> Any:
        """What faults may do to the plant: writable arrays, one value for each slot (fin, tank)."""


class BoardFaults(Protocol):
    """What a board lets faults do to it."""

    silent: bool


class BoardWithFaults(Board, Protocol):
    """A board that faults can act on."""

    faults: BoardFaults


class FaultyPlant:
    """A plant that the faults of a case act on."""

    def __init__(self, plant: PlantWithEffects, book: TriggerBook) -> None:
        self._plant = plant
        self._book = book
        self._t_ns = 0
        self._later: list[tuple[int, Callable[[], None]]] = []

    def strike_later(self, delay_s: float, strike: Callable[[], None]) -> None:
        """Do `strike` at the start of the first step at or after `delay_s` from now."""
        self._later.append((self._t_ns + round(delay_s * 1e9), strike))

    @property
    def at_rest(self) -> bool:
        """True when the flight has ended."""
        return self._plant.at_rest

    def advance(self, t_ns: int) -> None:
        """Integrate to `t_ns`, with everything struck that is due at the start of the step."""
        self._book.wires_done(self._t_ns)
        if self._later:
            for due_ns, strike in self._later:
                if due_ns <= self._t_ns:
                    strike()
            self._later = [entry for entry in self._later if entry[0] > self._t_ns]
        self._plant.advance(t_ns)
        self._t_ns = t_ns


class FaultyBoard:
    """A board that the faults of a case act on."""

    def __init__(self, board: BoardWithFaults, book: TriggerBook) -> None:
        self._board = board
        self._book = book
        self.name: str = board.name
        self.role: Literal["flight_computer", "engine_valve"] = board.role
        self.backend: str = board.backend
        self.reality: Reality = board.reality

    def start_frame(self, t_ns: int) -> None:
        """Let the board run its frame, with everything struck that is due at its start."""
        self._book.begin_frame(t_ns)
        self._board.start_frame(t_ns)

    def finish_frame(self) -> None:
        """Wait for the board's outputs."""
        self._board.finish_frame()

    @property
    def safe(self) -> bool:
        """True when the board is as safe as it will ever get; a dead one drives nothing, for good."""
        return self._board.faults.silent or self._board.safe

    def close(self) -> None:
        """End the board."""
        self._board.close()


def check_faults(case: Case, boards: Collection[str], engines: Collection[int]) -> None:
    """Raise NotSupported for a board that the rig lacks, FileError for an engine that does not land."""
    for index, fault in enumerate(case.fault):
        where = f"{case.path}: key 'fault.{index}"
        if fault.board is not None and fault.board not in boards:
            known = ", ".join(boards)
            raise NotSupported(
                f"{where}.board' = {fault.board!r}: the rig has no such board (it has: {known})"
            )
        if fault.engine is not None and fault.engine not in engines:
            known = ", ".join(str(number) for number in sorted(engines))
            raise FileError(
                f"{where}.engine' = {fault.engine}: does not take part in the landing (do: {known})"
            )


def add_faults(
    case: Case,
    book: TriggerBook,
    plant: PlantWithEffects,
    boards: Sequence[BoardWithFaults],
    slots: Mapping[int, int],
) -> tuple[Plant, list[Board]]:
    """Return plant and boards as the case (checked by check_faults) wants them.

    `slots` maps engine numbers to slots.  Stations that no fault strikes come back unwrapped.
    """
    if not case.fault:
        return plant, list(boards)
    by_name = {board.name: board for board in boards}
    struck = set()
    faulty = FaultyPlant(plant, book)
    for index, fault in enumerate(case.fault):
        if fault.board is not None:
            struck.add(fault.board)
            book.on(index, _silence(by_name[fault.board]))
        elif fault.kind == "bay.fire":
            book.on(index, _burn(faulty, plant.effects, _place(fault, slots), fault))
        else:
            changes = PLANT_FAULTS[fault.kind](fault)
            book.on(index, plant_changes(plant.effects, _place(fault, slots), changes))
    wrapped: list[Board] = [FaultyBoard(b, book) if b.name in struck else b for b in boards]
    return faulty, wrapped


def _place(fault: FaultSpec, slots: Mapping[int, int]) -> int:
    """Return where in the effects' arrays the fault strikes: slot, fin, or the one value of a tank."""
    if fault.engine is not None:
        return slots[fault.engine]
    return 0 if fault.fin is None else fault.fin - 1


def _burn(plant: FaultyPlant, effects: Any, slot: int, fault: FaultSpec) -> Callable[[], None]:
    def strike() -> None:
        for delay_s, name in fire_order(fault):
            plant.strike_later(delay_s, plant_changes(effects, slot, {name: 1.0}))

    return strike


def _silence(board: BoardWithFaults) -> Callable[[], None]:
    def strike() -> None:
        board.faults.silent = True

    return strike
