"""The wires: who sends when, what goes wrong, who notices, who goes off."""

from __future__ import annotations

from functools import partial

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from hil.boards.can_bits import measure_frames as measure_in_c
from hil.sensors.streams import stream
from hil.wire.bitstream import wire_bits
from hil.wire.canframe import (
    ERROR,
    ERROR_STATE,
    EXTENDED,
    frame_flags,
    frame_id,
    make_fd_frame,
    make_frame,
    make_remote_frame,
)
from hil.wire.controller import BUS_OFF_AT, PASSIVE_AT, RECOVERY_BITS, Controller, Disturbance
from hil.wire.medium import TX_QUEUE, Heard, Medium
from tests.wire import frames as drawn

BIT = 1000
"""Nanoseconds of a bit at 1 Mbit/s."""
EVER = 10**12


def wires(*names: str, bitrate: int = 1_000_000, data_bitrate: int | None = None) -> tuple[Medium, ...]:
    medium = Medium(bitrate, data_bitrate, streams=partial(stream, 1, "test"))
    return medium, *(medium.attach(name) for name in names)  # type: ignore[return-value]


def length(frame: bytes) -> int:
    """Return the bits of a frame without intermission."""
    [_], [slow], [fast] = measure_in_c([frame])
    return slow + fast


def ids(heard: list[Heard]) -> list[int]:
    return [frame_id(frame) for _, _, frame, _ in heard if not frame_id(frame) & ERROR]


def news(heard: list[Heard]) -> list[bytes]:
    return [frame for _, _, frame, _ in heard if frame_id(frame) & ERROR]


# ---- a healthy bus


def test_frames_go_by_urgency_one_after_the_other_and_end_when_they_end() -> None:
    medium, a, b = wires("a", "b")
    first, second, third = (make_frame(i, bytes([i])) for i in (1, 2, 3))
    medium.offer([a, a, b], [third, first, second], 0)
    heard = medium.run(EVER)
    assert ids(heard) == [1, 2, 3]
    ends, at = [], 0
    for frame in (first, second, third):
        ends.append((at + length(frame)) * BIT)
        at += length(frame) + 3
    assert [entry[0] for entry in heard] == ends
    assert medium.figures.busy_ns == at * BIT


def test_what_has_begun_is_not_interrupted_and_what_does_not_fit_goes_on() -> None:
    medium, a, b = wires("a", "b")
    slow, urgent = make_frame(0x700, bytes(8)), make_frame(1, b"")
    medium.offer([a], [slow], 0)
    half = length(slow) * BIT // 2
    assert medium.run(half) == []
    assert medium.busy_ns == half
    medium.offer([b], [urgent], half)
    assert ids(medium.run(length(slow) * BIT)) == [0x700]
    heard = medium.run(EVER)
    assert [entry[0] for entry in heard] == [(length(slow) + 3 + length(urgent)) * BIT]
    assert medium.busy_ns == medium.figures.busy_ns


@settings(max_examples=40)
@given(st.lists(st.tuples(st.integers(0, 2), drawn.frames), max_size=12), st.integers(1, 400_000))
@example([(0, make_frame(0x7FF, b"")), (1, make_frame(0, b"")), (0, make_frame(0, b"\0"))], 34_052)
def test_the_quick_way_and_the_way_bit_by_bit_are_one(sent: list[tuple[int, bytes]], step_ns: int) -> None:
    """A bus on which one controller sends in the order of a FIFO of one frame is looked at bit by bit.

    So is one on which somebody is cut off, and there only what is most urgent is looked at.
    """
    seen = []
    for careful in ("", "fifo", "cut"):
        medium = Medium(500_000, 2_000_000, measure=measure_in_c)
        controllers = [medium.attach(name) for name in "abcd"]
        if careful == "fifo":
            medium.configure(controllers[3], fifo=True)
        if careful == "cut":
            medium.disturb(medium.attach("e"), Disturbance(cut=True))
        medium.offer([controllers[n] for n, _ in sent], [frame for _, frame in sent], 0)
        heard: list[Heard] = []
        for t_ns in range(step_ns, 40 * step_ns, step_ns):
            heard += medium.run(t_ns)
        heard += medium.run(EVER)
        seen.append([(t_ns, sender.name, frame) for t_ns, sender, frame, _ in heard])
        seen.append([(c.tec, c.rec, c.off) for c in controllers])
    assert seen[:2] == seen[2:4] == seen[4:]


def test_bit_rates_that_are_no_whole_nanoseconds_are_rounded_once_a_frame() -> None:
    medium, a, _ = wires("a", "b", bitrate=83_333)
    frame = make_frame(5, bytes(8))
    medium.offer([a], [frame], 0)
    [(end_ns, *_)] = medium.run(EVER)
    assert end_ns == round(length(frame) * 1e9 / 83_333)


def test_the_data_phase_is_as_fast_as_the_rig_says() -> None:
    medium, a, _ = wires("a", "b", data_bitrate=5_000_000)
    frame = make_fd_frame(5, bytes(range(64)))
    [_], [slow], [fast] = measure_in_c([frame])
    medium.offer([a], [frame], 0)
    assert [entry[0] for entry in medium.run(EVER)] == [slow * 1000 + fast * 200]


def test_a_fifo_makes_an_urgent_frame_wait_behind_its_own_slow_one() -> None:
    """Priority inversion: mailboxes send the urgent frame first, a FIFO does not."""
    for fifo, order in ((False, [1, 0x100, 0x200, 0x700]), (True, [0x100, 0x200, 0x700, 1])):
        medium, a, b = wires("a", "b")
        medium.configure(a, fifo=fifo)
        frames = [make_frame(0x700, b""), make_frame(1, b""), make_frame(0x100, b""), make_frame(0x200, b"")]
        medium.offer([a, a, b, b], frames, 0)
        assert ids(medium.run(EVER)) == order


def test_a_full_queue_loses_what_comes_and_counts_it() -> None:
    medium, a, _ = wires("a", "b")
    frames = [make_frame(number, b"") for number in range(TX_QUEUE + 5)]
    medium.offer([a] * len(frames), frames, 0)
    assert medium.waiting(a) == TX_QUEUE
    assert (a.lost, medium.figures.lost) == (5, 5)
    assert ids(medium.run(EVER)) == list(range(TX_QUEUE))


# ---- errors and their counters


def test_a_node_alone_on_its_bus_goes_passive_and_stays_there() -> None:
    """Nobody acknowledges: 16 times 8 make 128; a passive node does not count what stays unacknowledged."""
    medium, a = wires("a")
    medium.offer([a], [make_frame(1, b"x")], 0)
    tec = []
    t_ns = 0
    while len(tec) < 40:
        t_ns += 10_000
        found = news(medium.run(t_ns))
        tec += [frame[8 + 6] for frame in found]
        assert all(frame_id(frame) & 0x20 for frame in found), "the news is: not acknowledged"
    assert tec[:16] == list(range(8, PASSIVE_AT + 1, 8))
    assert set(tec[16:]) == {PASSIVE_AT}
    assert (a.state, a.times_off) == ("error passive", 0)
    medium.attach("b")
    assert ids(medium.run(EVER)) == [1], "as soon as somebody acknowledges it is through"
    assert a.tec == PASSIVE_AT - 1


def test_an_unacknowledged_frame_takes_as_long_as_the_standard_says() -> None:
    """To the ACK slot, then 6 bits of flag, 8 of delimiter, 3 of intermission; 8 more once passive."""
    medium, a = wires("a")
    frame = make_frame(1, b"x")
    medium.offer([a], [frame], 0)
    heard = medium.run(50_000_000)
    ends = np.array([entry[0] for entry in heard if frame_id(entry[2]) & ERROR])
    once = (wire_bits(frame).ack + 1 + 6 + 8) * BIT
    assert ends[0] == once
    assert set(np.diff(ends[:16])) == {once + 3 * BIT}
    assert set(np.diff(ends[16:])) == {once + (3 + 8) * BIT}


def test_bus_off_comes_with_the_32nd_error_in_a_row() -> None:
    medium, a, _, c = wires("a", "b", "c")
    medium.configure(a, recovers=False)
    medium.disturb(a, Disturbance(bit_error_rate=1.0))
    medium.offer([a], [make_frame(1, b"x")], 0)
    heard = medium.run(20_000_000)
    errors = news(heard)
    assert len(errors) == BUS_OFF_AT // 8 == a.errors
    assert [frame[14] for frame in errors] == [*range(8, 256, 8), 255], "one byte holds at most 255"
    assert a.state == "bus off"
    assert frame_id(errors[-1]) & 0x40
    assert medium.waiting(a) == 0
    assert a.lost == 1
    assert c.rec == 32, "each error frame costs a receiver 1"
    assert a.times_off == 1


def off_at(medium: Medium, a: Controller) -> int:
    """Drive `a` into bus-off; return when its error flag ended."""
    medium.disturb(a, Disturbance(bit_error_rate=1.0))
    medium.offer([a], [make_frame(1, b"x")], 0)
    heard: list[Heard] = []
    t_ns = 0
    while not a.off:
        t_ns += 1000
        heard += medium.run(t_ns)
    heard += medium.run(t_ns + 60_000)
    medium.disturb(a, Disturbance())
    return heard[-1][0] - 8 * BIT


def test_recovery_takes_1408_bits_on_an_idle_bus_to_the_nanosecond() -> None:
    medium, a, _ = wires("a", "b")
    end_ns = off_at(medium, a)
    medium.run(end_ns + RECOVERY_BITS * BIT - 1)
    assert a.off
    medium.run(end_ns + RECOVERY_BITS * BIT)
    assert not a.off
    assert RECOVERY_BITS == 128 * 11


def test_on_a_busy_bus_each_frame_counts_once_towards_recovery() -> None:
    """Between two frames that follow each other there are 11 recessive bits: 1 + 7 + 3."""
    medium, a, b, _ = wires("a", "b", "c")
    end_ns = off_at(medium, a)
    frame = make_frame(2, bytes(8))
    sent = 0
    t_ns = end_ns + 60 * BIT
    while a.off:
        medium.offer([b] * 10, [frame] * 10, t_ns)
        sent += 10
        t_ns += 10 * (length(frame) + 3) * BIT
        medium.run(t_ns)
    seen_before = 60 // 11
    assert sent - 10 <= 128 - seen_before <= sent


def test_a_controller_told_so_never_recovers() -> None:
    medium, a, _ = wires("a", "b")
    medium.configure(a, recovers=False)
    off_at(medium, a)
    medium.offer([a], [make_frame(3, b"")], 50_000_000)
    assert medium.run(EVER) == []
    assert (a.off, a.lost) == (True, 2)


def test_a_receiver_that_hears_badly_destroys_frames_until_it_is_passive() -> None:
    """Each costs it 1 + 8, as its flag comes first: 15 make 135. Then it alone misses them."""
    medium, a, b, c = wires("a", "b", "c")
    medium.disturb(b, Disturbance(bit_error_rate=1.0))
    frames = [make_frame(i, bytes(8)) for i in range(20)]
    medium.offer([a] * 20, frames, 0)
    heard = medium.run(EVER)
    assert len(news(heard)) == 15
    assert b.state == "error passive"
    assert ids(heard) == list(range(20)), "they are sent again until they are through"
    good = [entry for entry in heard if not frame_id(entry[2]) & ERROR]
    assert all(entry[3] == {b} for entry in good)
    assert a.tec == 15 * 8 - 20
    assert c.rec == 0, "15 errors and 20 good frames"


def test_a_wrong_bit_rate_ends_bus_off_and_the_others_go_on() -> None:
    medium, a, b, c = wires("a", "b", "c")
    medium.disturb(c, Disturbance(bitrate=500_000))
    medium.configure(c, recovers=False)
    medium.offer([c], [make_frame(0x10, b"")], 0)
    medium.run(10_000_000)
    assert (c.state, c.errors) == ("bus off", 32)
    medium.offer([a, b], [make_frame(1, b""), make_frame(2, b"")], 20_000_000)
    assert ids(medium.run(EVER)) == [1, 2]


def test_a_node_that_only_listens_at_a_wrong_bit_rate_is_passive_after_15_frames() -> None:
    medium, a, _, c = wires("a", "b", "c")
    medium.disturb(c, Disturbance(bitrate=500_000))
    medium.offer([a], [make_frame(0x10, b"")], 0)
    heard = medium.run(EVER)
    assert len(news(heard)) == 15
    assert ids(heard) == [0x10]
    assert a.tec == 119


def test_a_babbling_node_takes_the_bus_and_leaves_it() -> None:
    medium, a, b = wires("a", "b")
    babble = make_frame(0, bytes(8))
    medium.disturb(b, Disturbance(babbles=babble))
    medium.offer([a], [make_frame(1, b"")], 0)
    until = 10_000_000
    heard = medium.run(until)
    assert set(ids(heard)) == {0}
    assert len(heard) == until // ((length(babble) + 3) * BIT)
    assert medium.busy_ns == until
    medium.disturb(b, Disturbance())
    assert ids(medium.run(EVER))[-1] == 1


def test_equal_ids_from_two_nodes_clash_until_one_is_passive_and_gives_way() -> None:
    """Arbitration cannot tell them apart: 16 errors make both passive; then the dominant bit goes on."""
    medium, a, b, _ = wires("a", "b", "c")
    medium.offer([a, b], [make_frame(5, b"\x00"), make_frame(5, b"\xff")], 0)
    heard = medium.run(EVER)
    assert len(news(heard)) == 16
    good = [(sender.name, frame[8]) for _, sender, frame, _ in heard if not frame_id(frame) & ERROR]
    assert good == [("a", 0x00), ("b", 0xFF)]
    assert (a.errors, b.errors) == (16, 17)


def test_two_nodes_that_send_the_very_same_frame_send_it_at_once() -> None:
    medium, a, b, c = wires("a", "b", "c")
    medium.offer([a, b], [make_frame(5, b"same")] * 2, 0)
    heard = medium.run(EVER)
    assert len(heard) == 1
    assert (a.sent, b.sent) == (1, 1)
    assert heard[0][3] == {b}, "a sender does not hear itself"
    assert c.rec == 0


def test_a_listener_acknowledges_nothing_and_disturbs_nothing() -> None:
    medium, a, b = wires("a", "b")
    medium.configure(b, listen_only=True)
    medium.offer([a], [make_frame(1, b"")], 0)
    assert ids(medium.run(20_000_000)) == []
    assert (a.state, b.rec) == ("error passive", 0)


def test_a_controller_without_power_is_not_there() -> None:
    medium, a, b, c = wires("a", "b", "c")
    medium.offer([b], [make_frame(7, b"")], 0)
    medium.power(b, False)
    medium.offer([a], [make_frame(1, b"")], 0)
    assert ids(medium.run(1_000_000)) == [1]
    medium.power(c, False)
    medium.offer([a], [make_frame(1, b"")], 1_000_000)
    assert ids(medium.run(20_000_000)) == []
    medium.power(c, True)
    assert ids(medium.run(EVER)) == [1]


def test_a_passive_sender_waits_eight_bits_longer_and_says_so_in_fd_frames() -> None:
    medium, a, b = wires("a", "b", data_bitrate=1_000_000)
    a.tec = PASSIVE_AT + 2
    medium.offer([a, a, b], [make_fd_frame(1, b""), make_fd_frame(2, b""), make_frame(0x300, b"")], 0)
    heard = medium.run(EVER)
    assert ids(heard) == [1, 0x300, 2], "the other node's frame goes first: suspended transmission"
    assert [frame_flags(frame) & ERROR_STATE for _, _, frame, _ in heard] == [ERROR_STATE, 0, ERROR_STATE]


def run_noisy(seed: int) -> list[tuple[int, str, bytes]]:
    medium = Medium(500_000, streams=partial(stream, seed, "noise"))
    a, b, _ = (medium.attach(name) for name in "abc")
    medium.disturb(a, Disturbance(bit_error_rate=2e-3))
    medium.disturb(b, Disturbance(bit_error_rate=1e-3))
    heard: list[Heard] = []
    for k in range(30):
        t_ns = 10_000_000 * k
        medium.offer([a, b], [make_frame(1, bytes([k] * 8)), make_frame(2, bytes([k] * 4))], t_ns)
        heard += medium.run(t_ns + 10_000_000)
    return [(t_ns, sender.name, frame) for t_ns, sender, frame, _ in heard]


def test_ringing_is_drawn_from_its_own_stream_and_the_same_each_time() -> None:
    assert run_noisy(1) == run_noisy(1)
    assert run_noisy(1) != run_noisy(2)
    frames = [frame for _, _, frame in run_noisy(1)]
    assert any(frame_id(frame) & ERROR for frame in frames)
    good = [frame for frame in frames if not frame_id(frame) & ERROR]
    assert len(good) == 60, "every frame got through in the end, once"


def test_bit_errors_come_as_often_as_they_should() -> None:
    controller = Controller("a", disturbance=Disturbance(bit_error_rate=0.02))
    controller.draw = np.random.default_rng(5).random
    hits = np.array([at for _ in range(4000) for at in controller.flips(100)])
    expected = 4000 * 100 * 0.02
    assert abs(len(hits) - expected) < 5 * np.sqrt(expected), "within five sigma of a Poisson count"
    assert abs(hits.mean() - 49.5) < 5 * 28.9 / np.sqrt(len(hits)), "and evenly over the bits"


def test_bit_errors_without_streams_are_refused() -> None:
    medium = Medium(1_000_000)
    a = medium.attach("a")
    with pytest.raises(ValueError, match="random streams"):
        medium.disturb(a, Disturbance(bit_error_rate=0.1))


def test_kinds_of_frames_compete_as_on_the_wire() -> None:
    medium, a, b, c, d = wires("a", "b", "c", "d")
    frames = [
        make_frame(EXTENDED | 0x100 << 18, b""),
        make_remote_frame(0x100, 2),
        make_frame(0x100, b"zz"),
        make_frame(0x0FF, b""),
    ]
    medium.offer([a, b, c, d], frames, 0)
    assert [frame for _, _, frame, _ in medium.run(EVER)] == [frames[3], frames[2], frames[1], frames[0]]
