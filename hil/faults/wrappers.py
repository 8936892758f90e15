"""Stations that something is wrong with: one wrapper for each seam, with the seam's own Protocol."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any, Literal, Protocol

from hil.faults.case import Case, FaultSpec
from hil.faults.triggers import TriggerBook
from hil.files import FileError
from hil.signals import Board, Plant, Reality

__all__ = ["BoardFaults", "FaultyBoard", "FaultyPlant", "add_faults", "check_faults"]


class EngineEffects(Protocol):
    """What the plant lets faults do to its engines: arrays with one value for each slot."""

    @property
    def out(self) -> Any: ...

    @property
    def tail_off_s(self) -> Any: ...

    @property
    def ignition_delay_s(self) -> Any: ...

    @property
    def thrust_factor(self) -> Any: ...

    @property
    def thrust_factor_tau_s(self) -> Any: ...

    @property
    def ox_stuck(self) -> Any: ...

    @property
    def fuel_stuck(self) -> Any: ...

    @property
    def gimbal_stuck(self) -> Any: ...


class PlantWithEffects(Plant, Protocol):
    """A plant that faults can act on."""

    @property
    def effects(self) -> EngineEffects:
        """The effects, writable."""


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

    @property
    def at_rest(self) -> bool:
        """True when the flight has ended."""
        return self._plant.at_rest

    def advance(self, t_ns: int) -> None:
        """Integrate to `t_ns`, with everything struck that is due at the start of the step."""
        self._book.wires_done(self._t_ns)
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
    """Raise FileError for a fault of a board that the rig lacks, or of an engine that does not land."""
    for index, fault in enumerate(case.fault):
        where = f"{case.path}: key 'fault.{index}"
        if fault.board is not None and fault.board not in boards:
            known = ", ".join(boards)
            raise FileError(f"{where}.board' = {fault.board!r}: the rig has no such board (it has: {known})")
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
    for index, fault in enumerate(case.fault):
        if fault.board is not None:
            struck.add(fault.board)
            book.on(index, _silence(by_name[fault.board]))
        elif fault.engine is not None:
            book.on(index, _strike_engine(plant.effects, slots[fault.engine], fault))
    wrapped: list[Board] = [FaultyBoard(b, book) if b.name in struck else b for b in boards]
    return FaultyPlant(plant, book), wrapped


def _silence(board: BoardWithFaults) -> Callable[[], None]:
    def strike() -> None:
        board.faults.silent = True

    return strike


def _strike_engine(effects: EngineEffects, slot: int, fault: FaultSpec) -> Callable[[], None]:
    """Return what fault `fault` does to the engine in `slot`: (array, value) pairs, written at its onset."""
    changes: dict[str, tuple[tuple[Any, float | None], ...]] = {
        "engine.out": ((effects.tail_off_s, fault.tail_off_s), (effects.out, 1.0)),
        "engine.late_ignition": ((effects.ignition_delay_s, fault.delay_s),),
        "engine.thrust_shortfall": (
            (effects.thrust_factor_tau_s, fault.tau_s),
            (effects.thrust_factor, fault.factor),
        ),
        "valve.stuck": ((effects.ox_stuck if fault.valve == "oxidiser" else effects.fuel_stuck, 1.0),),
        "gimbal.stuck": ((effects.gimbal_stuck, 1.0),),
    }

    def strike() -> None:
        for array, value in changes[fault.kind]:
            array[slot] = value

    return strike
