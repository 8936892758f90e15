"""The story of a flight is read from its signals."""

from __future__ import annotations

import numpy as np
import pytest

from hil.report.story import events, ignition_t_s
from hil.signals import Frame
from hil.tape import Recording, read_tape
from tests.report.flights import CONTACT, ENGINES, FAILS, IGNITION, NOTICED, STEP, write_flight


@pytest.fixture(scope="module")
def tape(tmp_path_factory: pytest.TempPathFactory) -> Recording:
    return read_tape(write_flight(tmp_path_factory.mktemp("flight")) / "tape.mcap")


def told(tape: Recording) -> list[tuple[float, str]]:
    return [(round(event.t_s, 2), event.text) for event in events(tape.frames, ENGINES)]


def test_the_failure_its_notice_and_the_answer_are_told_in_order(tape: Recording) -> None:
    about = [entry for entry in told(tape) if (FAILS - 1) * 0.01 <= entry[0] <= NOTICED * 0.01]
    low_t_s = round((FAILS + 1) * 0.01, 2)  # low for 20 ms: in the second frame
    assert about == [
        (low_t_s, "engine 4: chamber pressure below 70% of what its valves should give"),
        (NOTICED * 0.01, "engine 4 is held for failed, 0.040 s after its pressure fell"),
        (NOTICED * 0.01, "engine 4 is commanded to shut down"),
        (NOTICED * 0.01, "the plan goes on with engines 1, 7"),
    ]


def test_a_board_that_falls_silent_is_told_from_its_last_word(tape: Recording) -> None:
    assert ((NOTICED + 30) * 0.01, "the board of engine 4 falls silent") in told(tape)


def test_the_flight_itself_is_told(tape: Recording) -> None:
    story = told(tape)
    assert (IGNITION * 0.01, "engines 1, 4, 7 are commanded to start") in story
    assert (STEP * 0.01, "engine 7 is commanded to shut down") in story
    assert (CONTACT * 0.01, "the first leg touches the ground") in story
    assert story[-1][1] == "the stage stands on the pad's ground"
    assert ignition_t_s(tape.frames) == pytest.approx(IGNITION * 0.01)


def test_one_low_frame_is_no_failure(tape: Recording) -> None:
    frames = tape.frames[: FAILS - 100].copy()
    frames["truth"]["chamber_pa"][-20, 0] = 0.0
    assert not [event for event in events(frames, ENGINES) if event.kind == "fault"]
    frames["truth"]["chamber_pa"][-19, 0] = 0.0
    assert [event.kind for event in events(frames, ENGINES) if event.kind == "fault"] == ["fault"]


def test_an_empty_flight_has_no_story() -> None:
    nothing = np.zeros(0, Frame(3).array.dtype)
    assert events(nothing, ENGINES) == []
    assert ignition_t_s(nothing) is None
