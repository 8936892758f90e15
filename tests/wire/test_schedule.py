"""Response times on the simulated bus against the standard schedulability analysis, to the nanosecond.

The analysis as its authors state it (Davis, Burns, Bril, Lukkien, Real-Time Systems 35, 2007, section 3), for
a message m with transmission time C, period T, jitter J, blocking B (the longest less urgent frame), hp(m)
the more urgent messages and one bit time tau:

- busy period   t = B + sum over hp(m) and m of ceil((t + J_k) / T_k) C_k, instances Q = ceil((t + J) / T)
- instance q    w = B + q C + sum over hp(m) of ceil((w + J_k + tau) / T_k) C_k
- response      R = max over q of J + w(q) - q T + C

The times are those of the frames' very bits, so the simulated worst case has to meet R, not to
stay below it only. It is one nanosecond less: what blocks has to have begun before the others are
queued. C holds the intermission; a time stamp is of the end of the frame, 3 bits earlier.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import pytest

from hil.boards.can_bits import measure_frames
from hil.wire.canframe import frame_id, make_frame
from hil.wire.framebits import INTERMISSION_BITS
from hil.wire.layout import load_database
from hil.wire.medium import Medium
from hil.wire.schedule import Stream, forecast, worst_responses
from tests.seams.rigging import RIGS

BITRATE = 125_000
BIT = 8000
"""Nanoseconds of a bit."""


@dataclass(frozen=True)
class Message:
    """A periodic message: its frame, its period in ns."""

    frame: bytes
    period: int

    @property
    def time(self) -> int:
        """C, in ns."""
        [_], [bits], [_] = measure_frames([self.frame])
        return (bits + INTERMISSION_BITS) * BIT


def analysed(messages: list[Message], m: int) -> int:
    """Return R of message number m, the list being in the order of urgency."""
    urgent, own = messages[:m], messages[m]
    blocking = max((other.time for other in messages[m + 1 :]), default=0)
    t = own.time
    while True:
        longer = blocking + sum(math.ceil(t / k.period) * k.time for k in (*urgent, own))
        if longer == t:
            break
        t = longer
    worst = 0
    for q in range(math.ceil(t / own.period)):
        w = blocking + q * own.time
        while True:
            longer = blocking + q * own.time + sum(math.ceil((w + BIT) / k.period) * k.time for k in urgent)
            if longer == w:
                break
            w = longer
        worst = max(worst, w - q * own.period + own.time)
    return worst


def simulated(messages: list[Message], m: int, span: int) -> int:
    """Return the longest response of message m when all begin together, just after what blocks longest."""
    medium = Medium(BITRATE, measure=measure_frames)
    nodes = [medium.attach(f"node {number}") for number in range(len(messages) + 1)]
    lower = messages[m + 1 :]
    first = 0
    if lower:
        blocker = max(lower, key=lambda message: message.time)
        medium.offer([nodes[-1]], [blocker.frame], 0)
        first = 1
    queued: dict[int, list[int]] = {}
    for message, node in zip(messages[: m + 1], nodes, strict=False):
        times = list(range(first, span, message.period))
        queued[frame_id(message.frame)] = times
        for t_ns in times:
            medium.offer([node], [message.frame], t_ns)
    own = frame_id(messages[m].frame)
    ends = [end for end, _, frame, _ in medium.run(10 * span) if frame_id(frame) == own]
    gap = INTERMISSION_BITS * BIT
    return max(end + gap - begin for end, begin in zip(ends, queued[own], strict=True))


def frame_of_bits(can_id: int, bits: int) -> bytes:
    """Return a frame of 7 bytes with exactly so many bits, intermission included."""
    for number in range(5000):
        frame = make_frame(can_id, (number * 2_654_435_761).to_bytes(7, "big"))
        if Message(frame, 1).time == bits * BIT:
            return frame
    raise AssertionError("no such frame found")


MS = 1_000_000


def textbook() -> list[Message]:
    """The example of the paper (its table 2): three messages of 125 bits at 125 kbit/s, 1 ms each.

    125 bits of 7 bytes are the worst stuffing to the last bit; the frames here have fewer bits, and
    periods in the same proportion.
    """
    bits = 110
    unit = bits * BIT
    ratios = ((0x100, 2.5), (0x200, 3.5), (0x300, 3.5))
    return [Message(frame_of_bits(can_id, bits), round(ratio * unit)) for can_id, ratio in ratios]


def test_the_textbook_example_is_met_its_second_instance_being_the_worst() -> None:
    """R = 2, 3 and 3.5 transmission times; before 2007 the last was thought to be 3."""
    messages = textbook()
    unit = messages[0].time
    assert [analysed(messages, m) for m in range(3)] == [2 * unit, 3 * unit, 3.5 * unit]
    for m, blocked in ((0, 1), (1, 1), (2, 0)):
        assert simulated(messages, m, 40 * unit) == analysed(messages, m) - blocked


def test_priority_inversion_lasts_for_one_frame_at_most() -> None:
    """The most urgent message waits for the longest frame that has just begun, and for nothing else."""
    messages = [
        Message(make_frame(0x010, b"\x01"), 10 * MS),
        Message(make_frame(0x100, bytes(4)), 20 * MS),
        Message(make_frame(0x700, bytes(8)), 50 * MS),
    ]
    assert analysed(messages, 0) == messages[2].time + messages[0].time
    assert simulated(messages, 0, 100 * MS) == analysed(messages, 0) - 1


@pytest.mark.parametrize("m", range(5))
def test_a_bus_loaded_to_the_last_bit_still_serves_everybody_in_the_analysed_time(m: int) -> None:
    """Load 100 %: the periods are those of a schedule without a gap."""
    frames = [make_frame(0x100 * (n + 1), bytes([17 * n] * 8)) for n in range(5)]
    times = [Message(frame, 1).time for frame in frames]
    period = sum(times)
    messages = [Message(frame, period) for frame in frames]
    load = sum(message.time / message.period for message in messages)
    assert load == pytest.approx(1.0, abs=1e-12)
    if m == 4:  # nothing blocks the least urgent one, so its busy period ends
        assert simulated(messages, m, 10 * period) == analysed(messages, m) == period
    else:
        assert simulated(messages, m, 10 * period) == analysed(messages, m) - 1


def test_the_forecast_uses_the_same_analysis() -> None:
    for messages in (textbook(), textbook()[:2]):
        streams = [Stream(str(m), frame_id(x.frame), x.time, x.period) for m, x in enumerate(messages)]
        wanted = {str(m): analysed(messages, m) for m in range(len(messages))}
        assert worst_responses(streams, BIT) == wanted


def test_a_bus_that_is_asked_too_much_has_no_bound() -> None:
    streams = [Stream("a", 1, 600, 1000), Stream("b", 2, 500, 1000)]
    assert worst_responses(streams, 1) == {"a": 600 + 500, "b": None}


def test_jitter_of_others_and_of_ones_own_is_in_the_response() -> None:
    streams = [Stream("a", 1, 100, 1000, jitter_ns=950), Stream("b", 2, 100, 1000, jitter_ns=7)]
    assert worst_responses(streams, 1) == {"a": 950 + 100 + 100, "b": 7 + 200 + 100}


def test_three_engines_load_the_bus_as_the_documentation_says() -> None:
    """16 frames of 135 bits every 10 ms are 216 kbit/s; all have been sent after 2.16 ms."""
    told = forecast(load_database(RIGS / "bus.dbc"), (1, 2, 3), 1_000_000, 10 * MS)
    assert told.frames == 16
    assert told.load == pytest.approx(16 * 135 / 10_000)
    assert told.response_ns == 16 * 135 * 1000
    assert told.slowest == "TELEMETRY_KERNEL"
    full = forecast(load_database(RIGS / "bus.dbc"), range(1, 41), 1_000_000, 10 * MS)
    assert full.load > 1.0
    assert full.response_ns is None
