"""Frame lengths on the wire: exact, against the published formulas, best and worst stuffing included.

Formulas, with the intermission of 3 bits, for s data bytes and one bit time as the unit:

- Classical CAN, Davis, Burns, Bril, Lukkien, Real-Time Systems 35 (2007), equation 1: the bits exposed to
  stuffing are g + 8 s, g = 34 for base and 54 for extended ids; 13 more are not; at best there is no stuff
  bit, at worst floor((g + 8 s - 1) / 4).
- CAN FD, ISO 11898-1:2015, 10.4.2 and 10.5 (the counts are also in Linux's can/length.h): a base frame has
  1 + 11 + 1 + 1 + 1 + 1 + 1 = 17 bits up to BRS, an extended one 36; then ESI and DLC, 5; the data, 8 s;
  the CRC field, 4 + 17 + 6 fixed stuff bits up to 16 bytes and 4 + 21 + 7 above; CRC delimiter, ACK slot and
  its delimiter, end of frame and intermission, 13. Dynamic stuffing ends with the data.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings

from hil.boards.can_bits import measure_frames as measure_in_c
from hil.wire.bitstream import Fault, read_bits, wire_bits
from hil.wire.canframe import (
    BIT_RATE_SWITCH,
    EXTENDED,
    FD_LENGTHS,
    REMOTE,
    frame_flags,
    frame_id,
    is_fd,
    make_fd_frame,
    make_frame,
    make_remote_frame,
    split_frame,
)
from hil.wire.framebits import INTERMISSION_BITS, measure_frames, worst_bits
from tests.wire import frames as drawn

FREE = -1
"""A bit whose level is anybody's choice."""


def total(frame: bytes) -> int:
    """Return the bits of a frame with its intermission."""
    [_], [slow], [fast] = measure_in_c([frame])
    return slow + fast + INTERMISSION_BITS


def unstuffed(frame: bytes) -> int:
    """Return the length of a frame without dynamic stuff bits, by the formulas above."""
    extended = bool(frame_id(frame) & EXTENDED)
    size = len(split_frame(frame)[1])
    if not is_fd(frame):
        return (54 if extended else 34) + 8 * size + 13
    crc_field = 4 + 17 + 6 if size <= 16 else 4 + 21 + 7
    return (36 if extended else 17) + 5 + 8 * size + crc_field + 13


# ---- one length, told three ways


@given(drawn.frames)
def test_counted_in_c_as_bit_by_bit(frame: bytes) -> None:
    assert measure_in_c([frame]) == measure_frames([frame])
    wire = wire_bits(frame)
    assert total(frame) == len(wire.bits) + INTERMISSION_BITS == unstuffed(frame) + wire.stuff_bits


@given(drawn.frames)
def test_a_receiver_reads_from_the_bits_what_was_sent(frame: bytes) -> None:
    assert read_bits(wire_bits(frame).bits) == frame


def test_many_frames_are_measured_at_once() -> None:
    draw = random.Random(1)
    some = [make_frame(draw.getrandbits(11), draw.randbytes(8)) for _ in range(40)]
    assert measure_in_c(some) == measure_frames(some)
    mixed = [*some[:3], make_fd_frame(5, bytes(20)), make_remote_frame(7, 3)]
    assert measure_in_c(mixed) == measure_frames(mixed)
    assert measure_in_c(some * 10) == measure_frames(some * 10)
    assert measure_in_c([]) == ([], [], [])


@given(drawn.frames)
def test_stuffing_keeps_six_equal_bits_from_the_stuffed_part(frame: bytes) -> None:
    wire = wire_bits(frame)
    text = "".join(map(str, wire.bits[: wire.ack - 1]))
    assert "000000" not in text
    assert "111111" not in text


# ---- best and worst stuffing


def pattern_classical(size: int, *, extended: bool) -> list[int]:
    """Return the bits exposed to stuffing: what the format fixes, and the rest free (the CRC too)."""
    rest_of_id = [1, 1, *[FREE] * 18] if extended else []
    head = [0, *[FREE] * 11, *rest_of_id, 0, 0, 0]
    return [*head, *_number(size, 4), *[FREE] * (8 * size + 15)]


def pattern_fd(size: int, *, extended: bool) -> list[int]:
    if extended:
        head = [0, *[FREE] * 11, 1, 1, *[FREE] * 18, 0, 1, 0, FREE]
    else:
        head = [0, *[FREE] * 11, 0, 0, 1, 0, FREE]
    return [*head, FREE, *_number(FD_LENGTHS.index(size), 4), *[FREE] * (8 * size)]


def _number(value: int, bits: int) -> list[int]:
    return [value >> at & 1 for at in range(bits - 1, -1, -1)]


def extreme_stuffing(
    pattern: list[int], best: Callable[[int, int], int], *, at_end: bool
) -> tuple[int, list[int]]:
    """Return the least or most (`best`) stuff bits that any choice of the free bits gives, and such a choice.

    Dynamic programming from the end over the level of the last bit and the length of its run, by the rule
    itself: after five equal bits comes one of the other level; `at_end` also after the last bit.
    """
    states = [(level, run) for level in (0, 1) for run in range(6)]
    table = {state: (int(state[1] == 5 and at_end), ()) for state in states}
    for fixed in reversed(pattern):
        before: dict[tuple[int, int], tuple[int, Any]] = {}
        for state in states:
            due = state[1] == 5
            level, run = (1 - state[0], 1) if due else state
            found = []
            for bit in (0, 1) if fixed == FREE else (fixed,):
                count, rest = table[bit, run + 1 if bit == level else 1]
                found.append((count + due, (bit, rest)))
            count = found[0][0] if len(found) == 1 else best(found[0][0], found[1][0])
            before[state] = next(entry for entry in found if entry[0] == count)
        table = before
    count, chain = table[1, 0]
    choice = []
    while chain:
        bit, chain = chain
        choice.append(bit)
    return count, choice


@pytest.mark.parametrize("extended", [False, True], ids=["base", "extended"])
@pytest.mark.parametrize("size", range(9))
def test_classical_frames_stay_within_the_formula_and_reach_what_can_be_reached(
    size: int, extended: bool
) -> None:
    """The formula is exact for bits that are all free; fixed bits and the CRC leave a little less."""
    exposed = (54 if extended else 34) + 8 * size
    most = (exposed - 1) // 4
    assert worst_bits(size, extended=extended) == exposed + 13 + most
    assert extreme_stuffing([0] + [FREE] * (exposed - 1), max, at_end=True)[0] == most
    pattern = pattern_classical(size, extended=extended)
    assert len(pattern) == exposed
    with_any_crc = extreme_stuffing(pattern, max, at_end=True)[0]
    without_crc = extreme_stuffing(pattern[:-15], max, at_end=False)[0]
    stuffed = total(longest_classical(size, extended=extended)) - exposed - 13
    assert without_crc <= stuffed <= with_any_crc <= most


def longest_classical(size: int, *, extended: bool) -> bytes:
    """Return a frame with worst stuffing up to its CRC, the longest of some."""
    pattern = pattern_classical(size, extended=extended)[:-15]
    found = []
    for tail in range(64):  # other choices of the last bits of data give other CRCs
        fixed = list(pattern)
        for at in range(min(6, 8 * size)):
            fixed[-1 - at] = tail >> at & 1
        found.append(frame_of(extreme_stuffing(fixed, max, at_end=False)[1], size, extended=extended))
    return max(found, key=total)


def frame_of(bits: list[int], size: int, *, extended: bool, fd: bool = False) -> bytes:
    """Return the frame whose bits, from start of frame to the end of the data, these are."""
    text = "".join(map(str, bits))
    can_id = int(text[1:12] + text[14:32], 2) | EXTENDED if extended else int(text[1:12], 2)
    data = int(text[len(text) - 8 * size :] or "0", 2).to_bytes(size, "big")
    if not fd:
        return make_frame(can_id, data)
    switch, passive = (int(b) for b in (text[35:37] if extended else text[16:18]))
    return make_fd_frame(can_id, data, bit_rate_switch=bool(switch), error_state=bool(passive))


@pytest.mark.parametrize("size", [4, 8])
def test_some_classical_frame_has_no_stuff_bit_at_all(size: int) -> None:
    """Of 4 bytes and more: the length of shorter ones puts six dominant bits in a row."""
    draw = random.Random(3)
    candidates = (
        make_frame(0x2AA, bytes(draw.choice((0x55, 0xAA)) for _ in range(size))) for _ in range(400)
    )
    others = (make_frame(0x555, draw.randbytes(size)) for _ in range(4000))
    shortest = min(total(frame) for frame in (*candidates, *others))
    assert shortest == 34 + 8 * size + 13


def test_the_well_known_135_bits() -> None:
    """8 bytes, base id: 111 bits at best and 135 at worst, the figures of every textbook."""
    assert worst_bits(8) == 135
    assert worst_bits(8, extended=True) == 160
    assert worst_bits(0) == 34 + 13 + 8
    assert unstuffed(make_frame(1, bytes(8))) == 111


@pytest.mark.parametrize("extended", [False, True], ids=["base", "extended"])
@pytest.mark.parametrize("size", FD_LENGTHS)
@pytest.mark.parametrize("best", [min, max], ids=["best", "worst"])
def test_fd_frames_reach_their_best_and_worst_length(
    best: Callable[[int, int], int], size: int, extended: bool
) -> None:
    """The CRC of an FD frame has fixed stuff bits: both ends of the range are met, to the bit."""
    count, bits = extreme_stuffing(pattern_fd(size, extended=extended), best, at_end=False)
    frame = frame_of(bits, size, extended=extended, fd=True)
    assert total(frame) == unstuffed(frame) + count
    exposed = len(bits)
    assert count <= (exposed - 1) // 4, "one stuff bit for every four bits after the first, at most"


@given(drawn.fd)
def test_fd_frames_are_never_longer_or_shorter_than_that(frame: bytes) -> None:
    extended, size = bool(frame_id(frame) & EXTENDED), len(split_frame(frame)[1])
    pattern = pattern_fd(size, extended=extended)
    least, most = (extreme_stuffing(pattern, best, at_end=False)[0] for best in (min, max))
    assert unstuffed(frame) + least <= total(frame) <= unstuffed(frame) + most


@given(drawn.classical_data)
def test_classical_frames_are_never_longer_than_the_bound(frame: bytes) -> None:
    extended = bool(frame_id(frame) & EXTENDED)
    assert total(frame) <= worst_bits(len(split_frame(frame)[1]), extended=extended)


@given(drawn.fd)
def test_only_the_data_phase_goes_at_the_data_bit_rate(frame: bytes) -> None:
    [_], [slow], [fast] = measure_in_c([frame])
    size = len(split_frame(frame)[1])
    if not frame_flags(frame) & BIT_RATE_SWITCH:
        assert fast == 0
        return
    crc_field = 4 + 17 + 6 if size <= 16 else 4 + 21 + 7
    plain = 5 + 8 * size + crc_field + 1  # ESI and DLC, data, CRC field, CRC delimiter
    head = 36 if frame_id(frame) & EXTENDED else 17
    assert slow - (head + 9) >= 0
    assert (slow - (head + 9)) + (fast - plain) == wire_bits(frame).stuff_bits
    assert fast >= plain


# ---- arbitration


@given(drawn.frames, drawn.frames)
def test_the_frame_with_the_first_dominant_bit_where_they_differ_wins(a: bytes, b: bytes) -> None:
    keys, _, _ = measure_in_c([a, b])
    bits = (wire_bits(a), wire_bits(b))
    field = max(bits[0].arbitration, bits[1].arbitration) + 4  # IDE and FDF lie behind it
    pairs = zip(bits[0].bits[:field], bits[1].bits[:field], strict=True)
    first = next(((x, y) for x, y in pairs if x != y), None)
    if keys[0] != keys[1]:
        assert first is not None
        assert (keys[0] < keys[1]) == (first[0] < first[1])
    else:
        assert frame_id(a) & ~REMOTE == frame_id(b) & ~REMOTE or is_fd(a)


def test_base_before_extended_data_before_remote_classical_before_fd() -> None:
    order = [
        make_frame(0x100, b""),
        make_fd_frame(0x100, b""),
        make_remote_frame(0x100, 0),
        make_frame(EXTENDED | 0x100 << 18, b""),
        make_fd_frame(EXTENDED | 0x100 << 18, b""),
        make_remote_frame(EXTENDED | 0x100 << 18, 0),
        make_frame(0x101, b""),
    ]
    keys, _, _ = measure_in_c(order)
    assert keys == sorted(keys)
    assert len(set(keys)) == len(keys)


# ---- receivers


@settings(max_examples=60)
@given(drawn.frames)
def test_no_single_wrong_bit_goes_unseen(frame: bytes) -> None:
    """But for bits that carry nothing: the ACK slot, and the last of end of frame."""
    wire = wire_bits(frame)
    draw = random.Random(frame)
    for at in draw.sample(range(len(wire.bits) - 1), 12):
        bits = list(wire.bits)
        bits[at] ^= 1
        read = read_bits(bits)
        if at == wire.ack:
            assert read == frame
        else:
            assert isinstance(read, Fault) or _don_t_care(frame, read), f"bit {at}"


def _don_t_care(frame: bytes, read: bytes) -> bool:
    """Tell whether a receiver read the same in spite of a reserved bit of the other level."""
    return read == frame


def test_known_bits() -> None:
    """A frame worked by hand: id 0x555 without data alternates; its CRC-15 is that of the bits before it."""
    wire = wire_bits(make_frame(0x555, b""))
    text = "".join(map(str, wire.bits))
    assert text[:12] == "010101010101"
    register = 0
    for bit in (int(b) for b in "0" + "10101010101" + "000" + "0000"):
        high = register >> 14 & 1
        register = register << 1 & 0x7FFF
        register ^= 0x4599 if bit ^ high else 0
    body = "0" + "10101010101" + "000" + "0000" + f"{register:015b}"
    stuffed, run = "", ""
    for bit in body:
        run = run + bit if run[-1:] == bit else bit
        stuffed += bit
        if len(run) == 5:
            run = "1" if bit == "0" else "0"
            stuffed += run
    assert text == stuffed + "1" + "0" + "1" + "1" * 7
