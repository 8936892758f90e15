"""A serial line as a wire: bytes take their time, and what its faults leave of them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hil.wire.serial_line import MOST_WAITING, LineFault, SerialLine

FRAME_NS = 10_000_000


def carried(line: SerialLine, *sent: bytes) -> list[bytes]:
    """Return what arrives in each frame."""
    return [line.carry(k * FRAME_NS, data) for k, data in enumerate(sent)]


def test_what_fits_the_frame_arrives_in_it() -> None:
    line = SerialLine(9_600, FRAME_NS)  # 9.6 bytes a frame
    assert carried(line, b"012345678") == [b"012345678"]
    assert line.counts["late"] == 0


def test_what_does_not_fit_arrives_in_the_next_frames() -> None:
    line = SerialLine(9_600, FRAME_NS)
    sent = bytes(range(48))
    arrived = carried(line, sent, b"", b"", b"", b"", b"")
    assert [len(part) for part in arrived] == [9, 10, 9, 10, 10, 0], "9.6 bytes a frame, none lost or gained"
    assert b"".join(arrived) == sent
    assert line.counts["late"] == 39


@given(
    st.integers(1_200, 4_000_000),
    st.integers(1, 20),
    st.lists(st.integers(0, 300), min_size=1, max_size=30),
)
def test_bytes_keep_their_order_and_never_outrun_the_baud_rate(
    baudrate: int, frame_ms: int, sizes: list[int]
) -> None:
    line = SerialLine(baudrate, frame_ms * 1_000_000)
    sent = arrived = b""
    for k, size in enumerate(sizes):
        data = bytes((len(sent) + i) % 251 for i in range(size))
        waiting = len(sent) - len(arrived)
        sent += data[: MOST_WAITING - waiting]
        part = line.carry(k * frame_ms * 1_000_000, data)
        arrived += part
        assert len(arrived) * 10 * 1000 <= baudrate * frame_ms * (k + 1)
        assert sent.startswith(arrived)
    assert line.counts["delivered"] == len(arrived)
    assert line.counts["overrun"] == sum(sizes) - len(sent)


def test_a_sender_that_never_stops_overruns() -> None:
    line = SerialLine(9_600, FRAME_NS)
    for k in range(100):
        line.carry(k * FRAME_NS, bytes(100))
    assert line.counts["delivered"] == 960
    for k in range(100, 400):
        line.carry(k * FRAME_NS, b"")
    assert line.counts["delivered"] == 100 * 100 - line.counts["overrun"], "what was not lost arrives at last"
    assert line.counts["delivered"] == MOST_WAITING + 950, (
        "a full queue, and what went in the 99 frames before"
    )


def test_framing_errors_damage_every_nth_byte_and_count() -> None:
    line = SerialLine(921_600, FRAME_NS)
    line.set_fault(LineFault.FRAMING, 4)
    arrived = carried(line, bytes(6), bytes(1), bytes(5))
    assert [i for i, byte in enumerate(b"".join(arrived)) if byte != 0] == [3, 7, 11]
    assert line.counts["framing"] == 3
    line.clear_fault(LineFault.FRAMING)
    assert line.carry(3 * FRAME_NS, bytes(8)) == bytes(8)


def test_a_break_is_one_zero_and_then_silence() -> None:
    line = SerialLine(921_600, FRAME_NS)
    line.set_fault(LineFault.BREAK)
    assert carried(line, b"abc", b"def") == [b"\0", b""]
    line.clear_fault(LineFault.BREAK)
    assert line.carry(2 * FRAME_NS, b"ghi") == b"ghi"
    assert (line.counts["break"], line.counts["lost"]) == (1, 6)


def test_an_unplugged_line_is_silent_and_what_was_on_it_is_gone() -> None:
    line = SerialLine(921_600, FRAME_NS)
    line.set_fault(LineFault.UNPLUGGED)
    assert carried(line, b"abc", b"def") == [b"", b""]
    line.clear_fault(LineFault.UNPLUGGED)
    assert line.carry(2 * FRAME_NS, b"ghi") == b"ghi"
    assert line.counts["lost"] == 6


def test_a_slow_line_delivers_at_its_rate_until_it_is_repaired() -> None:
    line = SerialLine(921_600, FRAME_NS)
    line.set_fault(LineFault.SLOW, 9_600)
    slow = carried(line, bytes(60), bytes(60), bytes(60))
    assert sum(len(part) for part in slow) == 28, "9.6 bytes a frame"
    line.clear_fault(LineFault.SLOW)
    assert len(line.carry(3 * FRAME_NS, b"")) == 180 - 28


@pytest.mark.parametrize("size", [0.0, -1.0, float("inf"), float("nan")])
@pytest.mark.parametrize("fault", [LineFault.FRAMING, LineFault.SLOW])
def test_sizes_that_mean_nothing_are_refused(fault: LineFault, size: float) -> None:
    with pytest.raises(ValueError, match=f"{fault.name} takes a number of 1 or more"):
        SerialLine(9_600, FRAME_NS).set_fault(fault, size)
