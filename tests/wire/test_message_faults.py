"""What goes wrong with single messages: each fault does what it says, to its own message, in its time."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hil.wire.bus import VirtualBus
from hil.wire.canframe import frame_id, make_fd_frame, make_frame, split_frame
from hil.wire.codec import checksum
from hil.wire.controller import Disturbance
from hil.wire.medium import Medium
from hil.wire.message_faults import (
    Corrupt,
    Delay,
    Drop,
    Duplicate,
    Falsify,
    MessageFault,
    MessageFaults,
    Renumber,
    Reorder,
    WrongChecksum,
)

ID, OTHER = 0x41, 0x42
FRAME_NS = 10_000_000
SENDER = "flight_computer"


def protected(number: int, can_id: int = ID, payload: int = 0x1234_5678_9A) -> bytes:
    """Return frame `number` of a message, with its counter and checksum."""
    data = (payload | (number & 0xF) << 52).to_bytes(8, "little")[:7]
    return make_frame(can_id, data + bytes([checksum(can_id, data + b"\0")]))


def counter(frame: bytes) -> int:
    return split_frame(frame)[1][6] >> 4


def is_good(frame: bytes) -> bool:
    can_id, data = split_frame(frame)
    return data[7] == checksum(can_id, data)


def draws(seed: int = 0) -> Callable[[], float]:
    return np.random.default_rng(seed).random


def sent(fault: MessageFault, count: int = 6) -> list[list[bytes]]:
    """Return what gets through of `count` frames of a message, one a frame of the bench."""
    faults: MessageFaults[str] = MessageFaults()
    faults.begin(fault)
    return [faults.through([SENDER], [protected(k)], k * FRAME_NS)[1] for k in range(count)]


def test_dropped_and_doubled() -> None:
    assert sent(Drop(ID, draws())) == [[]] * 6
    assert sent(Duplicate(ID, draws(), copies=2)) == [[protected(k)] * 3 for k in range(6)]


def test_a_share_of_the_frames_is_struck() -> None:
    through = sum(map(len, sent(Drop(ID, draws(), share=0.25), 4000)))
    assert 0.72 < through / 4000 < 0.78, "six sigma of a binomial draw are 0.04"


def test_late_frames_come_in_their_time_before_what_is_sent_then() -> None:
    late = sent(Delay(ID, draws(), delay_ns=25_000_000))
    assert late == [[], [], [], [protected(0)], [protected(1)], [protected(2)]]


def test_a_frame_is_overtaken_by_the_next() -> None:
    swapped = [[protected(1), protected(0)], [protected(3), protected(2)], [protected(5), protected(4)]]
    assert sent(Reorder(ID, draws())) == [[], swapped[0], [], swapped[1], [], swapped[2]]


def test_what_is_held_back_when_a_fault_ends_is_sent_then() -> None:
    faults: MessageFaults[str] = MessageFaults()
    fault = Reorder(ID, draws())
    faults.begin(fault)
    assert faults.through([SENDER], [protected(0)], 0) == ([], [])
    faults.end(fault)
    assert faults.through([], [], FRAME_NS) == ([SENDER], [protected(0)])
    assert faults.idle


@given(st.integers(1, 3), st.integers(0, 2**32), st.integers(0, 2**52 - 1), st.integers(0, 0x7FF))
def test_up_to_three_turned_bits_never_go_unnoticed(bits: int, seed: int, payload: int, can_id: int) -> None:
    whole = protected(5, can_id, payload)
    [[(late, frame)]] = [Corrupt(can_id, draws(seed), bits=bits).through(whole)]
    turned = int.from_bytes(split_frame(frame)[1], "little") ^ int.from_bytes(split_frame(whole)[1], "little")
    assert (late, frame_id(frame), turned.bit_count()) == (0, can_id, bits)
    assert not is_good(frame)


@given(st.integers(1, 52), st.integers(0, 2**32))
def test_a_falsified_frame_is_good_and_not_what_was_sent(bits: int, seed: int) -> None:
    [[(_, frame)]] = [Falsify(ID, draws(seed), bits=bits).through(protected(5))]
    assert is_good(frame)
    assert frame != protected(5)
    assert counter(frame) == 5


@given(st.integers(0, 2**32))
def test_a_wrong_checksum_is_never_the_right_one(seed: int) -> None:
    [[(_, frame)]] = [WrongChecksum(ID, draws(seed)).through(protected(5))]
    assert frame[:15] == protected(5)[:15]
    assert not is_good(frame)


@pytest.mark.parametrize(("step", "counts"), [(0, [14] * 5), (2, [0, 2, 4, 6, 8]), (-1, [13, 12, 11, 10, 9])])
def test_counters_go_on_from_the_last_good_frame(step: int, counts: list[int]) -> None:
    fault = Renumber(ID, draws(), step=step)
    frames = [frame for number in range(15, 20) for _, frame in fault.through(protected(number))]
    assert [counter(frame) for frame in frames] == counts
    assert all(map(is_good, frames))


def test_other_messages_and_what_the_table_does_not_know_pass() -> None:
    faults: MessageFaults[str] = MessageFaults()
    faults.begin(Drop(ID, draws()))
    others = [protected(0, OTHER), make_frame(ID, b"short"), make_fd_frame(ID, bytes(64))]
    assert faults.through([SENDER] * 3, others, 0) == ([SENDER] * 3, others)


# ---- on the bus


def bus_of(*names: str) -> VirtualBus:
    bus = VirtualBus("t", medium=Medium(1_000_000), frame_ns=FRAME_NS)
    for name in names:
        bus.attach(name)
    return bus


def test_a_silenced_node_hears_and_says_nothing() -> None:
    bus = bus_of("a", "b")
    a, b = bus.nodes
    bus.silence("a")
    a.outbox, b.outbox = [protected(0)], [protected(0, OTHER)]
    assert [frame_id(frame) for frame in bus.exchange(0)] == [OTHER]
    assert a.inbox == [protected(0, OTHER)]
    bus.silence("a", on=False)
    a.outbox = [protected(1)]
    assert bus.exchange(FRAME_NS) == [protected(1)]


def test_a_node_that_is_cut_off_is_alone_and_comes_back() -> None:
    bus = bus_of("a", "b", "c")
    a, b, c = bus.nodes
    bus.alter("a", cut=True)
    a.outbox, b.outbox = [protected(0)], [protected(0, OTHER)]
    assert [frame_id(frame) for frame in bus.exchange(0)] == [OTHER]
    assert (a.inbox, c.inbox) == ([], [protected(0, OTHER)])
    assert a.controller is not None
    assert a.controller.state == "error passive", "nobody acknowledges"
    bus.alter("a", cut=False)
    assert bus.exchange(FRAME_NS) == [protected(0)], "what it went on trying to send gets out"


def test_a_node_that_is_bus_off_hears_nothing() -> None:
    bus = bus_of("a", "b", "c")
    a, b, c = bus.nodes
    assert bus.medium is not None
    assert b.controller is not None
    bus.medium.configure(b.controller, recovers=False)
    bus.alter("b", bitrate=500_000)
    b.outbox = [protected(0)]
    bus.exchange(0)
    assert b.controller.off
    a.outbox = [protected(0, OTHER)]
    bus.exchange(FRAME_NS)
    assert (b.inbox, c.inbox) == ([], [protected(0, OTHER)])


def test_what_is_wrong_with_a_node_adds_up() -> None:
    bus = bus_of("a", "b")
    bus.alter("a", cut=True)
    bus.alter("a", bitrate=500_000)
    bus.alter("a", cut=False)
    controller = bus.nodes[0].controller
    assert controller is not None
    assert controller.disturbance == Disturbance(bitrate=500_000)
