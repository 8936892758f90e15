"""One contract for every CAN bus that boards and guests may share."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Iterator

import can
import pytest

from hil.wire.canframe import FD_LENGTHS
from tests.seams.can_backends import BACKENDS, Backend, Line


def on(backends: Iterable[Backend]) -> pytest.MarkDecorator:
    """Try a test on these backends."""
    tried = [pytest.param(backend, marks=backend.marks, id=backend.name) for backend in backends]
    return pytest.mark.parametrize("backend", tried)


ALL = on(BACKENDS)
MOST = 2000
"""Frames that no bus takes without anybody reading them."""


def those_that(feature: str) -> pytest.MarkDecorator:
    """Try only what a backend can be held to; why others cannot stands in `Backend.cannot`."""
    return on(backend for backend in BACKENDS if feature not in backend.cannot)


@pytest.fixture
def line(backend: Backend) -> Iterator[Line]:
    with backend.open() as opened:
        yield opened


def message(can_id: int, data: bytes = b"", **more: bool) -> can.Message:
    extended = more.pop("is_extended_id", False)
    return can.Message(arbitration_id=can_id, data=data, is_extended_id=extended, **more)  # type: ignore[arg-type]


def heard_by(end: can.BusABC) -> list[can.Message]:
    """Return what waits for an end."""
    found = []
    while (one := end.recv(0.01)) is not None:
        found.append(one)
    return found


def same(a: can.Message, b: can.Message) -> bool:
    return a.equals(b, timestamp_delta=None, check_channel=False, check_direction=False)


@ALL
def test_every_id_and_every_length_gets_through_unchanged(line: Line) -> None:
    a, b = line.join(), line.join()
    sent = [message(can_id, bytes(range(n))) for can_id in (0, 1, 0x400, 0x7FF) for n in range(9)]
    for can_id in (0, 0x7FF, 0x800, 0x1555_5555, 0x1FFF_FFFF):
        sent += [message(can_id, bytes(range(n)), is_extended_id=True) for n in range(9)]
    for one in sent:
        a.send(one, timeout=1.0)
        line.turn()
        [got] = heard_by(b)
        assert same(got, one), f"{got} is not {one}"


@ALL
def test_remote_frames_ask_for_a_length_and_carry_nothing(line: Line) -> None:
    a, b = line.join(), line.join()
    for length in range(9):
        asked = can.Message(arbitration_id=0x123, is_extended_id=False, is_remote_frame=True, dlc=length)
        a.send(asked, timeout=1.0)
        line.turn()
        [got] = heard_by(b)
        assert (got.is_remote_frame, got.dlc, bytes(got.data)) == (True, length, b"")


@ALL
@pytest.mark.parametrize("extended", [False, True], ids=["base", "extended"])
def test_fd_frames_of_every_length_with_their_flags(line: Line, extended: bool) -> None:
    a, b = line.join(fd=True), line.join(fd=True)
    for number, length in enumerate(FD_LENGTHS):
        one = message(
            0x321,
            bytes(length),
            is_fd=True,
            is_extended_id=extended,
            bitrate_switch=number % 2 == 0,
            error_state_indicator=number % 3 == 0,
        )
        a.send(one, timeout=1.0)
        line.turn()
        [got] = heard_by(b)
        assert same(got, one)


@ALL
def test_frames_of_one_id_keep_their_order(line: Line) -> None:
    a, b = line.join(), line.join()
    for number in range(100):
        a.send(message(0x55, bytes([number])), timeout=1.0)
        if number % 20 == 19:
            line.turn()
    line.turn(2)
    assert [got.data[0] for got in heard_by(b)] == list(range(100))


@ALL
def test_nobody_hears_himself_but_who_asks_for_it(line: Line) -> None:
    a, b = line.join(), line.join(receive_own_messages=True)
    a.send(message(1), timeout=1.0)
    b.send(message(2), timeout=1.0)
    line.turn()
    assert [got.arbitration_id for got in heard_by(a)] == [2]
    assert sorted(got.arbitration_id for got in heard_by(b)) == [1, 2]


@ALL
def test_filters_let_through_what_they_say(line: Line) -> None:
    a = line.join()
    b = line.join(can_filters=[{"can_id": 0x100, "can_mask": 0x700, "extended": False}])
    for can_id in (0x0FF, 0x100, 0x1FF, 0x200):
        a.send(message(can_id), timeout=1.0)
    line.turn()
    assert sorted(got.arbitration_id for got in heard_by(b)) == [0x100, 0x1FF]
    b.set_filters(None)
    a.send(message(0x0FF), timeout=1.0)
    line.turn()
    assert [got.arbitration_id for got in heard_by(b)] == [0x0FF]


@ALL
def test_an_end_that_is_closed_hears_nothing_and_opens_again_empty(line: Line) -> None:
    a, b = line.join(), line.join()
    b.shutdown()
    b.shutdown()
    line.turn()
    line.join()  # somebody who acknowledges
    a.send(message(1), timeout=1.0)
    line.turn()
    again = line.join()
    assert heard_by(again) == []
    a.send(message(2), timeout=1.0)
    line.turn()
    assert [got.arbitration_id for got in heard_by(again)] == [2]


@those_that("arbitrate")
def test_the_most_urgent_goes_first_whoever_sends_it(line: Line) -> None:
    a, b, c = line.join(), line.join(), line.join()
    for can_id in (0x500, 0x300, 0x100):
        a.send(message(can_id), timeout=1.0)
    for can_id in (0x400, 0x200):
        b.send(message(can_id), timeout=1.0)
    line.turn()
    assert [got.arbitration_id for got in heard_by(c)] == [0x100, 0x200, 0x300, 0x400, 0x500]


@those_that("stamp")
def test_time_stamps_are_those_of_the_bus_and_the_same_for_all(line: Line) -> None:
    a, b, c = line.join(receive_own_messages=True), line.join(), line.join()
    for number in range(5):
        a.send(message(number, bytes(8)), timeout=1.0)
    line.turn()
    stamps = [[got.timestamp for got in heard_by(end)] for end in (a, b, c)]
    assert stamps[0] == stamps[1] == stamps[2]
    gaps = [later - sooner for sooner, later in zip(stamps[0], stamps[0][1:], strict=False)]
    assert all(111 / 500_000 <= gap <= 135 / 500_000 for gap in gaps), "8 bytes are 111 to 135 bits"


@those_that("tell errors")
def test_an_error_is_news_to_those_who_want_it_and_no_frame_to_anybody(line: Line) -> None:
    a, b = line.join(), line.join()
    deaf = line.join(receive_error_frames=False)
    line.trouble(a, b)
    news = heard_by(b)
    assert news
    assert all(got.is_error_frame for got in news)
    assert not any(got.is_error_frame for got in heard_by(deaf))
    a.shutdown()
    b.send(message(0x11), timeout=1.0)
    line.turn(2)
    assert 0x11 in [got.arbitration_id for got in heard_by(deaf)], "the bus goes on"


@those_that("ring")
def test_errors_are_told_to_all_and_counted(line: Line) -> None:
    a, b = line.join(), line.join()
    deaf = line.join(receive_error_frames=False)
    line.ring(a)
    b.send(message(0x10), timeout=1.0)
    line.turn(5)
    assert [got.is_error_frame for got in heard_by(b)] == [True] * 15
    assert [got.arbitration_id for got in heard_by(deaf)] == [0x10], "it gets through when the end is passive"


@those_that("push back")
def test_a_full_bus_pushes_back_and_loses_nothing(line: Line) -> None:
    a, b = line.join(), line.join()
    sent = 0
    with contextlib.suppress(can.CanTimeoutError):
        while sent < MOST:
            a.send(message(0x10, sent.to_bytes(8, "big")), timeout=0.01)
            sent += 1
    assert sent < MOST, "at some point it must say that the bus is full"
    got: list[int] = []
    for _ in range(200):
        line.turn()
        got += [int.from_bytes(one.data, "big") for one in heard_by(b)]
    assert got == list(range(sent))
    a.send(message(0x11), timeout=1.0)
    line.turn()
    assert [one.arbitration_id for one in heard_by(b)] == [0x11]
