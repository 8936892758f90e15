"""One contract for a board's place on its bus, whatever the board is: forms of frames, order, loss, floods.

Somebody else on the bus speaks; what he says must not move a board, and every board has to count it alike.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from hil.wire.canframe import (
    EXTENDED,
    FD_LENGTHS,
    REMOTE,
    frame_id,
    make_fd_frame,
    make_frame,
    make_remote_frame,
)
from hil.wire.codec import encode_frame
from hil.wire.inquiry import message_of
from hil.wire.layout import load_database
from tests.seams.rigging import RIGS, WIRED, Stations, make_rig
from tests.seams.test_seams import engine_model

DATABASE = load_database(RIGS / "bus.dbc")
QUERY = DATABASE.get_message_by_name("BENCH_QUERY")
COMMAND = DATABASE.get_message_by_name("ENGINE_1_COMMAND").frame_id
BOARDS: dict[str, int | None] = {"flight_computer": None, "engine_1": 1, "engine_2": 2, "engine_3": 3}
LAST = 0x7FF
"""The least urgent id: whoever sends it keeps nobody waiting."""
FLOOD = 300
"""More frames than a transmit queue holds, and than a frame of the bench has time for."""
Void = npt.NDArray[np.void]
ON_EVERY_WIRE = pytest.mark.parametrize("rung", WIRED)


class Company(Stations):
    """Stations with a stranger on their bus, which also carries FD frames."""

    def __init__(self, rung: str) -> None:
        bus = {"channel": "test"} if rung != "socketcan" else {"interface": "socketcan", "channel": "vcan0"}
        engine: dict[str, Any] = {**bus, "data_bitrate": 2_000_000}
        super().__init__(rung, rig=make_rig(rung, can={"engine": engine}), ignition_forced_at_s=0.1)
        self.stranger: Any = self.wires.bus.attach("stranger", frozenset())  # type: ignore[attr-defined]
        self.heard: list[bytes] = []
        """What the bench heard, in the order in which the bus brought it."""
        self.wires.tap(lambda frames, _: self.heard.extend(frames))  # type: ignore[attr-defined]

    def say(self, frames: Iterable[bytes], *, turns: int = 1) -> None:
        """Let the stranger send frames in this frame of the bench, and turn it and those after it."""
        self.stranger.outbox = list(frames)
        self.turn(turns, engine_model)

    def counts(self, board: str) -> dict[str, int]:
        """Return what a board has counted."""
        return self.wires.counters()[board]  # type: ignore[attr-defined, no-any-return]

    def echoes(self, engine: int | None) -> list[int]:
        """Return what a board has answered to questions so far."""
        answer = DATABASE.get_message_by_name(message_of(engine))
        answers = [frame[8:16] for frame in self.heard if frame_id(frame) == answer.frame_id]
        return [int(answer.decode(data)["echo"]) for data in answers]  # type: ignore[index, call-overload, arg-type]


def question(number: int) -> bytes:
    return encode_frame(QUERY, {"echo": number % 4}, number)


def every_form() -> list[bytes]:
    """Frames of every length and id length, remote and FD; some differ from a command by their form alone."""
    ids = (LAST, EXTENDED | 0x800, EXTENDED | 0x1FFF_FFFF, EXTENDED | COMMAND)
    forms = [make_frame(can_id, bytes(range(n))) for can_id in ids for n in range(9)]
    forms += [make_remote_frame(can_id | REMOTE, n) for can_id in (COMMAND, LAST) for n in range(9)]
    return forms + [make_fd_frame(can_id, bytes(n)) for can_id in (COMMAND, LAST) for n in FD_LENGTHS]


def pieces(frames: list[bytes], size: int) -> list[list[bytes]]:
    return [frames[at : at + size] for at in range(0, len(frames), size)]


@pytest.fixture(scope="module")
def undisturbed() -> list[Void]:
    """The frames of a flight that nobody disturbs."""
    with Stations("kernel", ignition_forced_at_s=0.1) as stations:
        stations.turn(40, engine_model)
        return stations.history


@ON_EVERY_WIRE
def test_frames_of_every_form_pass_boards_by(rung: str, undisturbed: list[Void]) -> None:
    with Company(rung) as company:
        for some in pieces(every_form(), 8):
            company.say(some)
        for number, frame in enumerate(company.history):
            assert frame.tobytes() == undisturbed[number].tobytes(), (
                f"frame {number} differs from an undisturbed one"
            )
        for board in BOARDS:
            assert not any(company.counts(board)[reason] for reason in ("length", "checksum", "range"))


@ON_EVERY_WIRE
def test_questions_of_one_frame_are_taken_in_their_order(rung: str) -> None:
    with Company(rung) as company:
        company.say([question(1), question(2)], turns=2)
        company.say([question(3)], turns=2)
        company.say([question(4), question(5), question(6)], turns=3)
        for engine in BOARDS.values():
            assert company.echoes(engine) == [2, 3, 6 % 4], "the last of a frame is the one that is answered"
        assert company.counts("engine_1")["jumped"] == 0


@ON_EVERY_WIRE
def test_frames_that_are_lost_or_come_twice_are_counted(rung: str) -> None:
    with Company(rung) as company:
        for number in (1, 2, 5, 5, 6):  # 3 and 4 are lost, 5 comes twice
            company.say([question(number)])
        company.turn(2, engine_model)
        for board, engine in BOARDS.items():
            counts = company.counts(board)
            assert (counts["jumped"], counts["repeated"]) == (1, 1), board
            assert company.echoes(engine) == [1, 2, 1, 2]


@ON_EVERY_WIRE
def test_a_burst_of_damaged_frames_is_counted_to_the_last(rung: str, undisturbed: list[Void]) -> None:
    damaged = make_frame(QUERY.frame_id, question(1)[8:15] + bytes([question(1)[15] ^ 0xFF]))
    with Company(rung) as company:
        company.say([damaged] * 50, turns=3)
        company.say([question(1)], turns=3)
        for board, engine in BOARDS.items():
            assert company.counts(board)["checksum"] == 50, board
            assert company.echoes(engine) == [1]
        assert company.counts("bench")["checksum"] == 50
        for flown, wanted in zip(company.history, undisturbed, strict=False):
            assert flown["actuator"].tobytes() == wanted["actuator"].tobytes()


@ON_EVERY_WIRE
def test_a_flood_of_the_least_urgent_delays_nobody(rung: str, undisturbed: list[Void]) -> None:
    with Company(rung) as company:
        company.turn(2, engine_model)
        company.say([make_frame(LAST, number.to_bytes(8, "big")) for number in range(FLOOD)], turns=20)
        for number, frame in enumerate(company.history):
            assert frame.tobytes() == undisturbed[number].tobytes(), (
                f"frame {number} differs from an undisturbed one"
            )
        told = [int.from_bytes(f[8:16], "big") for f in company.heard if frame_id(f) == LAST]
        figures: Any = company.wires.bus_figures()  # type: ignore[attr-defined]
        assert told == list(range(len(told))), "what gets through comes in order, and from the first on"
        assert len(told) + figures["lost"] == FLOOD, "what did not get through is counted"
        company.say([make_frame(LAST, bytes(8))], turns=2)
        assert len([f for f in company.heard if frame_id(f) == LAST]) == len(told) + 1, (
            "the bus takes frames again"
        )


def _open_files() -> int:
    return sum(1 for _ in Path("/proc/self/fd").iterdir())


@ON_EVERY_WIRE
def test_stations_close_and_open_again_as_if_for_the_first_time(rung: str) -> None:
    flown = []
    before = _open_files()
    for _ in range(3):
        with Company(rung) as company:
            company.say([question(1)], turns=4)
            flown.append([frame.tobytes() for frame in company.history])
            assert company.echoes(1) == [1]
        assert _open_files() == before, "nothing stays open"
    assert flown[0] == flown[1] == flown[2]
