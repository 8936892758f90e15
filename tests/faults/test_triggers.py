"""When faults strike, and that they strike the right thing."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from hil.faults.case import Case, FaultSpec, Initial
from hil.faults.triggers import TriggerBook
from hil.faults.wrappers import FaultyBoard, add_faults, check_faults
from hil.files import FileError
from hil.signals import Frame

FRAME_NS = 10_000_000


class Plant:
    """A plant that only shows what was done to it, and when."""

    def __init__(self, frame: Frame, engines: int = 3) -> None:
        names = "out tail_off_s ignition_delay_s thrust_factor thrust_factor_tau_s"
        names += " ox_stuck fuel_stuck gimbal_stuck"
        self.effects = SimpleNamespace(**{name: np.zeros(engines) for name in names.split()})
        self.seen: list[tuple[int, Any]] = []
        self.at_rest = False
        self.frame = frame
        self.altitude = 100.0

    def advance(self, t_ns: int) -> None:
        self.seen.append((t_ns, {name: value.copy() for name, value in vars(self.effects).items()}))
        self.altitude -= 1.0
        self.frame["truth"]["pos_pad_m"][2] = self.altitude


class Board:
    """A valve board that only shows in which frames it was silent."""

    role, backend, reality = "engine_valve", "in_process", "virtual"

    def __init__(self, name: str) -> None:
        self.name = name
        self.faults = SimpleNamespace(silent=False)
        self.silent_in: list[int] = []
        self.safe = True
        self.closed = 0

    def start_frame(self, t_ns: int) -> None:
        if self.faults.silent:
            self.silent_in.append(t_ns // FRAME_NS)

    def finish_frame(self) -> None:
        """Nothing to wait for."""

    def close(self) -> None:
        self.closed += 1


def fly(*faults: FaultSpec, frames: int = 60, ignite: int = 20) -> tuple[Plant, list[Board], TriggerBook]:
    """Fly test stations with these faults; a START request stands on the wire from frame `ignite`."""
    frame = Frame(3)
    frame["truth"]["pos_pad_m"][2] = 100.0
    case = Case(
        vehicle="x",
        description="x",
        initial=Initial(pos_pad_m=(0, 0, 1), vel_pad_mps=(0, 0, 0)),
        fault=faults,
        path=Path("case.toml"),
    )
    book = TriggerBook(frame, case.fault, FRAME_NS)
    bare, boards = Plant(frame), [Board("flight_computer"), Board("engine_7")]
    check_faults(case, [b.name for b in boards], [1, 5, 7])
    plant, crew = add_faults(case, book, bare, boards, {1: 0, 5: 1, 7: 2}, {"engine_7": 7})  # type: ignore[arg-type]
    for number in range(frames):
        for board in crew:
            board.start_frame(number * FRAME_NS)
        if number >= ignite:
            frame["command"]["request"][1] = 2
        plant.advance((number + 1) * FRAME_NS)
    return bare, boards, book


def first(plant: Plant, name: str, slot: int, value: float) -> int:
    """Return the number of the frame over which the effect first acted."""
    return next(t // FRAME_NS - 1 for t, effects in plant.seen if effects[name][slot] == value)


@pytest.mark.parametrize(
    ("trigger", "frame"),
    [
        ({"at_s": 0.0}, 0),
        ({"at_s": 0.05}, 5),
        ({"at_s": 0.051}, 6),
        ({"after_ignition_s": 0.0}, 20),
        ({"after_ignition_s": 0.3}, 50),
        ({"below_alt_m": 89.5}, 11),
    ],
)
def test_plant_faults_act_from_their_frame_on(trigger: dict[str, float], frame: int) -> None:
    plant, _, book = fly(FaultSpec(kind="engine.out", engine=7, tail_off_s=0.25, **trigger))
    assert first(plant, "out", 2, 1.0) == frame
    assert first(plant, "tail_off_s", 2, 0.25) == frame
    assert not plant.effects.out[:2].any()
    assert book.onsets()[0]["onset_s"] == pytest.approx(frame * 0.01)


@pytest.mark.parametrize(
    ("trigger", "frame"),
    [
        ({"at_s": 0.0}, 0),
        ({"at_s": 0.05}, 5),
        ({"after_ignition_s": 0.0}, 21),
        ({"after_ignition_s": 0.1}, 30),
        ({"below_alt_m": 89.5}, 11),
    ],
)
def test_board_faults_act_from_their_frame_on(trigger: dict[str, float], frame: int) -> None:
    """A board has run the frame in which the ignition shows on the wire, so 0 s after is the next one."""
    _, boards, _ = fly(FaultSpec(kind="board.silent", board="engine_7", **trigger))
    assert boards[1].silent_in == list(range(frame, 60))
    assert boards[0].silent_in == []


def test_a_fire_takes_actuators_one_by_one() -> None:
    """Between them it takes sensors (tests/faults/test_sensing.py); the board is last."""
    fire = FaultSpec(kind="bay.fire", engine=7, at_s=0.05, first_s=0.1, spread_s=0.06)
    plant, boards, _ = fly(fire)
    order = [first(plant, name, 2, 1.0) for name in ("gimbal_stuck", "fuel_stuck", "ox_stuck")]
    assert order == [21, 33, 45]
    assert boards[1].silent_in == list(range(51, 60))
    assert not plant.effects.gimbal_stuck[:2].any()


def test_what_never_triggers_never_strikes() -> None:
    plant, _, book = fly(
        FaultSpec(kind="gimbal.stuck", engine=1, after_ignition_s=0.1),
        FaultSpec(kind="gimbal.stuck", engine=1, at_s=10.0),
        FaultSpec(kind="gimbal.stuck", engine=1, below_alt_m=1.0),
        ignite=1000,
    )
    assert not plant.effects.gimbal_stuck.any()
    assert [entry["onset_s"] for entry in book.onsets()] == [None, None, None]


def test_every_kind_does_what_it_says() -> None:
    plant, _, _ = fly(
        FaultSpec(kind="engine.late_ignition", engine=1, at_s=0.0, delay_s=1.5),
        FaultSpec(kind="engine.thrust_shortfall", engine=5, at_s=0.0, factor=0.8, tau_s=0.5),
        FaultSpec(kind="valve.stuck", engine=1, at_s=0.0, valve="oxidiser"),
        FaultSpec(kind="valve.stuck", engine=5, at_s=0.0, valve="fuel"),
        FaultSpec(kind="gimbal.stuck", engine=7, at_s=0.0),
    )
    e = plant.effects
    assert e.ignition_delay_s.tolist() == [1.5, 0, 0]
    assert e.thrust_factor.tolist() == [0, 0.8, 0]
    assert e.thrust_factor_tau_s.tolist() == [0, 0.5, 0]
    assert e.ox_stuck.tolist() == [1, 0, 0]
    assert e.fuel_stuck.tolist() == [0, 1, 0]
    assert e.gimbal_stuck.tolist() == [0, 0, 1]


@pytest.mark.parametrize(
    ("fault", "says"),
    [
        (FaultSpec(kind="gimbal.stuck", engine=2, at_s=0.0), r"'fault.0.engine' = 2: .* \(do: 1, 5, 7\)"),
        (
            FaultSpec(kind="board.silent", board="engine_9", at_s=0.0),
            r"'fault.0.board' = 'engine_9'.*engine_7",
        ),
    ],
)
def test_unknown_engines_and_boards_are_file_errors(fault: FaultSpec, says: str) -> None:
    with pytest.raises(FileError, match=says):
        fly(fault)


def test_a_case_without_faults_wraps_nothing_and_wrappers_pass_everything_on() -> None:
    _, boards, book = fly()
    board = FaultyBoard(boards[0], book)  # type: ignore[arg-type]
    assert (board.name, board.role, board.backend, board.reality, board.safe) == (
        "flight_computer",
        "engine_valve",
        "in_process",
        "virtual",
        True,
    )
    boards[0].safe = False
    assert not board.safe
    boards[0].faults.silent = True
    assert board.safe, "a dead board drives nothing; nobody need wait for it"
    board.finish_frame()
    board.close()
    assert boards[0].closed == 1
