"""Stations that something is wrong with: one wrapper for each seam, with the seam's own Protocol."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from functools import partial
from typing import Any, Final, Protocol

from hil.faults.air import RisingWind
from hil.faults.board_acts import BoardFaults, BoardWithFaults, FaultyBoard
from hil.faults.case import Case, FaultSpec
from hil.faults.catalogue import CATALOGUE
from hil.faults.effects import PLANT_FAULTS, HeldEffects, fire_order
from hil.faults.triggers import TriggerBook
from hil.files import FileError, NotSupported
from hil.signals import Board, Plant

__all__ = [
    "BoardFaults",
    "BoardWithFaults",
    "FaultyBoard",
    "FaultyPlant",
    "add_faults",
    "check_faults",
]

WINDS: Final = ("wind.gust", "wind.shift")


class PlantWithEffects(Plant, Protocol):
    """A plant that faults can act on."""

    @property
    def effects(self) -> Any:
        """What faults may do to the plant: writable arrays, one value for each slot (fin, tank)."""


class FaultyPlant:
    """A plant that the faults of a case act on."""

    def __init__(self, plant: PlantWithEffects, book: TriggerBook) -> None:
        self._plant = plant
        self._book = book
        self._t_ns = 0
        self._later: list[tuple[int, Callable[[], None]]] = []
        self._held = HeldEffects(plant.effects)
        self._wind: RisingWind | None = None

    def take(self, index: int, fault: FaultSpec, place: int) -> None:
        """Have fault number `index` of the case act on engine slot, fin or tank number `place`."""
        changes = PLANT_FAULTS[fault.kind](fault)
        self._book.on(index, lambda: self._held.hold(index, place, changes), lambda: self._held.lift(index))

    def burn(self, index: int, fault: FaultSpec, slot: int) -> None:
        """Have a fire take the actuators of the engine in `slot`, one by one."""

        def strike() -> None:
            for delay_s, name in fire_order(fault):
                due_ns = self._t_ns + round(delay_s * 1e9)
                self._later.append((due_ns, partial(self._held.hold, index, slot, {name: 1.0})))

        self._book.on(index, strike)

    def rise(self, index: int, fault: FaultSpec) -> None:
        """Have a gust or a shift of the wind rise in its time."""
        wind = self._wind = self._wind or RisingWind(self._plant.effects)
        self._book.on(index, lambda: wind.rise(fault, 1e-9 * self._t_ns))

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
        if self._wind is not None:
            self._wind.blow(0.5e-9 * (self._t_ns + t_ns))  # of the middle of the step, for all of it
        self._plant.advance(t_ns)
        self._t_ns = t_ns


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
    engines: Mapping[str, int] | None = None,
) -> tuple[Plant, list[Board]]:
    """Return plant and boards as the case (checked by check_faults) wants them.

    `slots` maps engine numbers to slots, `engines` boards to the numbers of theirs.  Stations that no fault
    strikes come back unwrapped, but for the plant.
    """
    if not case.fault:
        return plant, list(boards)
    taken: dict[str, FaultyBoard] = {board.name: FaultyBoard(board, book) for board in boards}
    by_engine = {engine: name for name, engine in (engines or {}).items()}
    struck = set()
    faulty = FaultyPlant(plant, book)
    for index, fault in enumerate(case.fault):
        board = None if CATALOGUE[fault.kind].needs == "bus" else fault.board  # hil.faults.wire_acts
        if fault.kind == "bay.fire" and fault.engine is not None:
            faulty.burn(index, fault, slots[fault.engine])
            board = by_engine.get(fault.engine)
        elif fault.kind in WINDS:
            faulty.rise(index, fault)
        elif fault.kind in PLANT_FAULTS:
            faulty.take(index, fault, _place(fault, slots))
        if board is not None:
            struck.add(board)
            taken[board].take(index, fault)
    return faulty, [taken[b.name] if b.name in struck else b for b in boards]


def _place(fault: FaultSpec, slots: Mapping[int, int]) -> int:
    """Return where in the effects' arrays the fault strikes: slot, fin, or the one value there is."""
    if fault.engine is not None:
        return slots[fault.engine]
    return 0 if fault.fin is None else fault.fin - 1
