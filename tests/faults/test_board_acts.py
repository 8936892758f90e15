"""What faults make of a board, frame by frame: when it runs, at what time of its own, and what it is told."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from hil.faults.board_acts import FaultyBoard
from hil.faults.case import FaultSpec
from hil.faults.triggers import TriggerBook
from hil.signals import Frame

FRAME_NS = 10_000_000


class Board:
    """A board that keeps a diary."""

    name, role, backend, reality = "engine_1", "engine_valve", "in_process", "virtual"

    def __init__(self) -> None:
        self.faults = SimpleNamespace(silent=False, frozen=False, undriven=False, restart=False)
        self.diary: list[str] = []
        self.times: list[int] = []
        self.safe = False

    def start_frame(self, t_ns: int) -> None:
        f = self.faults
        word = "dark" if f.silent else "hung" if f.frozen else "runs"
        self.diary.append(word + (" undriven" if f.undriven else "") + (" anew" if f.restart else ""))
        self.times.append(t_ns // FRAME_NS)
        if not f.silent and not f.frozen:
            f.restart = False

    def skip_frame(self) -> None:
        self.diary.append("skips")


def lived(*faults: dict[str, Any], frames: int = 12) -> tuple[Board, FaultyBoard]:
    """Turn a board with these faults; return it and its wrapper."""
    specs = [FaultSpec.model_validate({"board": "engine_1", "at_s": 0.03, **fault}) for fault in faults]
    book, board = TriggerBook(Frame(1), specs, FRAME_NS), Board()
    faulty = FaultyBoard(board, book)  # type: ignore[arg-type]
    for index, spec in enumerate(specs):
        faulty.take(index, spec)
    for k in range(frames):
        faulty.start_frame(k * FRAME_NS)
    return board, faulty


def test_a_board_that_is_reset_is_dark_while_it_boots_and_starts_anew_once() -> None:
    board, faulty = lived({"kind": "board.reset", "boot_s": 0.04})
    assert board.diary == ["runs"] * 3 + ["dark"] * 4 + ["runs anew"] + ["runs"] * 4
    assert not faulty.safe
    _, booting = lived({"kind": "board.reset", "boot_s": 0.04}, frames=5)
    assert not booting.safe, "it comes back, and is not safe for good"
    _, dead = lived({"kind": "board.silent"}, frames=5)
    assert dead.safe


def test_a_brown_out_takes_the_drives_first() -> None:
    board, _ = lived({"kind": "board.brown_out", "duration_s": 0.03, "boot_s": 0.03})
    assert board.diary == ["runs"] * 3 + ["runs undriven"] * 3 + ["dark"] * 3 + ["runs anew"] + ["runs"] * 2


def test_a_frozen_board_goes_on_when_it_heals() -> None:
    board, _ = lived({"kind": "board.freeze", "heals_after_s": 0.05})
    assert board.diary == ["runs"] * 3 + ["hung"] * 5 + ["runs"] * 4
    assert lived({"kind": "board.freeze"})[0].diary[-1] == "hung"


@pytest.mark.parametrize(("factor", "runs"), [(0.5, 10), (0.75, 15), (0.9, 18)])
def test_a_slow_clock_runs_fewer_frames_and_dates_them_early(factor: float, runs: int) -> None:
    board, _ = lived({"kind": "board.slow_clock", "factor": factor, "at_s": 0.0}, frames=20)
    assert board.diary.count("runs") == pytest.approx(runs, abs=1)
    assert board.times == list(range(board.times[0], board.times[0] + len(board.times))), (
        "its own clock has no gaps"
    )
    assert board.times[-1] <= 20 * factor + 1e-9


def test_a_slow_clock_that_heals_stays_behind() -> None:
    board, _ = lived(
        {"kind": "board.slow_clock", "factor": 0.5, "at_s": 0.0, "heals_after_s": 0.1}, frames=20
    )
    assert board.times[-1] == 19 - board.diary.count("skips") == 14
    assert board.diary[-10:] == ["runs"] * 10


def test_a_dead_board_stays_dead_whatever_else_ends() -> None:
    board, faulty = lived({"kind": "board.silent"}, {"kind": "board.reset", "boot_s": 0.03})
    assert board.diary == ["runs"] * 3 + ["dark"] * 3 + ["dark anew"] * 6
    assert faulty.safe
