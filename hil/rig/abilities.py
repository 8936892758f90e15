"""Which faults a rig can fly: what it is able to do for each board, held against what a fault needs."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

from hil.faults.case import Case, FaultSpec
from hil.faults.catalogue import ABILITIES, CATALOGUE, Ability, Kind
from hil.files import NotSupported
from hil.rig.model import Rig

__all__ = ["check_supported", "refusals"]

Pace = Literal["lockstep", "wall"]


def _lacks(rig: Rig, ability: Ability, board: str | None, pace: Pace) -> str | None:
    """Say what keeps a rig from an ability with `board` (None: with none in particular); None when able."""
    if ability in ("plant", "navigation"):
        return None
    if ability == "nav_record":
        return "its navigation link sends whole counts" if rig.has_wires else None
    if ability == "line":
        return None if rig.has_wires else "it has no wires"
    if ability == "bus":
        if not rig.has_wires:
            return "it has no wires"
        interface = rig.can["engine"].interface
        return None if interface == "hil" else f"its bus is {interface}"
    if board is not None and rig.board[board].backend == "hardware":
        return "the board is hardware"
    if ability == "board_restart" and rig.demands_enable:
        return "it demands the enable frame"
    if ability == "board_clock" and pace == "wall":
        return "its boards keep their own clocks (pace wall)"
    return None


def _board_of(rig: Rig, fault: FaultSpec) -> str | None:
    """Return the board that a fault is about: its own, or that of its engine."""
    if fault.board is not None:
        return fault.board
    numbers = {spec.node: name for name, spec in rig.board.items() if spec.node is not None}
    return numbers.get(fault.engine) if fault.engine is not None else None


def check_supported(rig: Rig, case: Case, pace: Pace) -> None:
    """Raise NotSupported for the first fault of a case that the rig cannot fly at this pace."""
    for index, fault in enumerate(case.fault):
        kind = CATALOGUE[fault.kind]
        board = _board_of(rig, fault)
        lacking = _lacks(rig, kind.needs, board, pace)
        if lacking is not None:
            need, on = ABILITIES[kind.needs], "" if board is None else f" on {board}"
            rungs = ", ".join(need.rungs)
            raise NotSupported(
                f"{case.path}: key 'fault.{index}.kind' = {fault.kind!r}: "
                f"rig {rig.name} cannot{on}: {lacking} (it takes a rig where {need.text}; rungs: {rungs})"
            )


def refusals(rig: Rig, kind: Kind, pace: Pace) -> dict[str, str]:
    """Return why a rig cannot fly a kind of fault: for each board that it cannot fly it on, or for "rig"."""
    told = {board or "rig": _lacks(rig, kind.needs, board, pace) for board in _struck(rig, kind)}
    return {name: why for name, why in told.items() if why is not None}


def _struck(rig: Rig, kind: Kind) -> Iterator[str | None]:
    """Yield the boards that a kind may be about, None where it is about none."""
    for name, spec in rig.board.items():
        if kind.strikes == "board" or (kind.strikes == "engine" and spec.node is not None):
            yield name
    if kind.strikes not in ("board", "engine"):
        yield None
