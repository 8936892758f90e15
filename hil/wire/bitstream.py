"""A CAN frame as the bits on the wire, there and back (ISO 11898-1:2015, sections 10.4 and 10.5).

Bit by bit and slow: the model of errors and the tests need every bit. How long a frame takes is counted
quickly by `hil.wire.framebits`. 0 is dominant, 1 recessive.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Literal

from hil.wire.canframe import (
    BIT_RATE_SWITCH,
    ERROR_STATE,
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

__all__ = ["EOF_BITS", "Fault", "FaultKind", "WireBits", "read_bits", "wire_bits"]

EOF_BITS: Final = 7
_STUFF_AFTER: Final = 5
_CRC15: Final = (15, 0x4599, 0)
_CRC17: Final = (17, 0x1685B, 1 << 16)
_CRC21: Final = (21, 0x102899, 1 << 20)
"""Length, polynomial without its highest power, initial value (ISO 11898-1:2015, 10.4.2.6)."""
_LONG_CRC_ABOVE: Final = 16
"""Data bytes of an FD frame above which the CRC has 21 bits."""

FaultKind = Literal["stuff", "form", "crc"]


@dataclass(frozen=True)
class Fault:
    """What a receiver found wrong, and the number of the bit in which it did."""

    kind: FaultKind
    bit: int


@dataclass(frozen=True)
class WireBits:
    """A frame on the wire, from start of frame to the last bit of end of frame.

    The bits from `fast_from` up to but not including `fast_to` go at the data bit rate (equal: none). The
    bit rate switches at sample points: within the bit before `fast_from` and within the CRC delimiter, the
    last fast bit. What the one gains the other loses, so both are counted whole, the first as slow, the
    second as fast.
    """

    bits: tuple[int, ...]
    arbitration: int
    """Bits up to the end of the arbitration field, stuff bits included."""
    ack: int
    """Number of the bit of the ACK slot."""
    fast_from: int
    fast_to: int
    stuff_bits: int
    """Dynamic stuff bits."""


def _crc(bits: Sequence[int], crc: tuple[int, int, int]) -> list[int]:
    length, polynomial, register = crc
    top, mask = length - 1, (1 << length) - 1
    for bit in bits:
        feedback = bit ^ (register >> top)
        register = (register << 1) & mask
        if feedback & 1:
            register ^= polynomial & mask
    return _number(register, length)


def _number(value: int, bits: int) -> list[int]:
    """Return a number, most significant bit first."""
    return [(value >> at) & 1 for at in range(bits - 1, -1, -1)]


def _value(bits: Sequence[int]) -> int:
    value = 0
    for bit in bits:
        value = value << 1 | bit
    return value


def _stuff(bits: Sequence[int], *, at_end: bool) -> list[int]:
    """Return the bits with one of the other level after five equal ones; `at_end`: also after the last."""
    out: list[int] = []
    run, level = 0, -1
    for number, bit in enumerate(bits):
        out.append(bit)
        run, level = (run + 1, level) if bit == level else (1, bit)
        if run == _STUFF_AFTER and (at_end or number + 1 < len(bits)):
            level = 1 - level
            out.append(level)
            run = 1
    return out


def _stuff_fixed(bits: Sequence[int], before: int) -> list[int]:
    """Return the bits of an FD frame's CRC field with its fixed stuff bits; `before` is the bit before it."""
    out: list[int] = []
    for number, bit in enumerate(bits):
        if number % 4 == 0:
            out.append(1 - (out[-1] if out else before))
        out.append(bit)
    return out


def _arbitration(can_id: int, *, fd: bool) -> list[int]:
    """Return start of frame and the arbitration field; the bit after an extended id's first half is 1."""
    remote = 1 if can_id & REMOTE and not fd else 0
    if can_id & EXTENDED:
        low = _number(can_id & 0x3FFFF, 18)
        return [0, *_number(can_id >> 18 & 0x7FF, 11), 1, 1, *low, remote]
    return [0, *_number(can_id & 0x7FF, 11), remote]


def _data_bits(data: bytes) -> list[int]:
    return [bit for byte in data for bit in _number(byte, 8)]


def wire_bits(frame: bytes) -> WireBits:
    """Return a frame as the bits on the wire, the ACK slot dominant as receivers make it."""
    can_id, data = split_frame(frame)
    fd = is_fd(frame)
    arbitration = _arbitration(can_id, fd=fd)
    stuffed_arbitration = len(_stuff(arbitration, at_end=True))
    if not fd:
        reserved = (0, 0)  # r1 and r0 of an extended frame, IDE and r0 of a base frame
        body = [*arbitration, *reserved, *_number(min(frame[4], 8), 4), *_data_bits(data)]
        stuffed = _stuff(body + _crc(body, _CRC15), at_end=True)
        bits = (*stuffed, 1, 0, 1, *(1,) * EOF_BITS)
        stuff_bits = len(stuffed) - len(body) - 15
        return WireBits(bits, stuffed_arbitration, len(stuffed) + 1, 0, 0, stuff_bits)
    return _fd_bits(frame, arbitration, data, stuffed_arbitration)


def _fd_bits(frame: bytes, arbitration: list[int], data: bytes, stuffed_arbitration: int) -> WireBits:
    flags = frame_flags(frame)
    switch, passive = int(bool(flags & BIT_RATE_SWITCH)), int(bool(flags & ERROR_STATE))
    ide = [] if frame_id(frame) & EXTENDED else [0]
    head = [*arbitration, *ide, 1, 0, switch]  # IDE of a base frame, FDF, res, BRS
    body = [*head, passive, *_number(FD_LENGTHS.index(len(data)), 4), *_data_bits(data)]
    stuffed = _stuff(body, at_end=False)
    stuff_bits = len(stuffed) - len(body)
    count = _stuff_count(stuff_bits)
    kind = _CRC21 if len(data) > _LONG_CRC_ABOVE else _CRC17
    tail = _stuff_fixed([*count, *_crc([*stuffed, *count], kind)], stuffed[-1])
    bits = (*stuffed, *tail, 1, 0, 1, *(1,) * EOF_BITS)
    ack = len(stuffed) + len(tail) + 1
    # a stuff bit that follows BRS is in the data phase, as the bit rate has switched before it
    before_fast = len(_stuff(head, at_end=False)) if switch else 0
    return WireBits(bits, stuffed_arbitration, ack, before_fast, ack if switch else 0, stuff_bits)


def _stuff_count(stuff_bits: int) -> list[int]:
    """Return the number of stuff bits modulo 8 in Gray code, and even parity (10.4.2.6)."""
    count = stuff_bits % 8
    gray = _number(count ^ count >> 1, 3)
    return [*gray, sum(gray) % 2]


class _Reader:
    """A receiver's way through the bits: takes stuff bits out, ends with a fault at the first wrong bit."""

    def __init__(self, bits: Sequence[int]) -> None:
        self._bits = bits
        self.at = 0
        self.stuffed: list[int] = []
        """All bits so far, stuff bits included."""
        self.stuff_bits = 0
        self._run, self._level = 0, -1

    def raw(self) -> int:
        """Return the next bit as it is; behind the last one the bus is recessive."""
        bit = self._bits[self.at] if self.at < len(self._bits) else 1
        self.at += 1
        return bit

    def _note(self, bit: int) -> None:
        self._run, self._level = (self._run + 1, self._level) if bit == self._level else (1, bit)
        self.stuffed.append(bit)

    def unstuff(self) -> None:
        """Take the stuff bit that is due, if one is."""
        if self._run == _STUFF_AFTER:
            bit = self.raw()
            if bit == self._level:
                raise _Wrong("stuff", self.at - 1)
            self._note(bit)
            self.stuff_bits += 1

    def take(self, count: int) -> list[int]:
        """Return the next bits without stuff bits."""
        taken = []
        for _ in range(count):
            self.unstuff()
            bit = self.raw()
            self._note(bit)
            taken.append(bit)
        return taken

    def take_fixed(self, count: int) -> list[int]:
        """Return the bits of an FD frame's CRC field without its fixed stuff bits."""
        taken: list[int] = []
        before = self.stuffed[-1]
        for number in range(count):
            if number % 4 == 0:
                bit = self.raw()
                if bit == before:
                    raise _Wrong("stuff", self.at - 1)
            before = self.raw()
            taken.append(before)
        return taken

    def must_be(self, level: int) -> None:
        """Take a bit whose level is fixed."""
        if self.raw() != level:
            raise _Wrong("form", self.at - 1)


class _Wrong(Exception):
    def __init__(self, kind: FaultKind, bit: int) -> None:
        super().__init__(kind, bit)
        self.fault = Fault(kind, bit)


def read_bits(bits: Sequence[int]) -> bytes | Fault:
    """Return the frame that a receiver makes of bits, or the first fault that it finds in them.

    A CRC that does not fit is told in the bit after the ACK delimiter, as the standard has it. Never raises.
    """
    reader = _Reader(bits)
    try:
        return _read(reader)
    except _Wrong as wrong:
        return wrong.fault


def _read(reader: _Reader) -> bytes:
    if reader.take(1) != [0]:
        raise _Wrong("form", 0)
    can_id = _value(reader.take(11))
    remote = reader.take(1)[0]
    fd_bit = reader.take(1)[0]  # IDE
    if fd_bit:
        can_id = EXTENDED | can_id << 18 | _value(reader.take(18))
        remote = reader.take(1)[0]
    if reader.take(1)[0]:  # FDF; r1 of a classical extended frame, r0 of a base one
        return _read_fd(reader, can_id)
    if can_id & EXTENDED:
        reader.take(1)  # r0: a receiver takes either level
    length = min(_value(reader.take(4)), 8)
    data = bytes(_value(reader.take(8)) for _ in range(0 if remote else length))
    frame = make_remote_frame(can_id, length) if remote else make_frame(can_id, data)
    unstuffed = _without_stuff(reader.stuffed)
    good = reader.take(15) == _crc(unstuffed, _CRC15)
    reader.unstuff()
    _tail(reader, good=good)
    return frame


def _without_stuff(stuffed: Sequence[int]) -> list[int]:
    again = _Reader(stuffed)
    out = []
    while again.at < len(stuffed):
        again.unstuff()
        if again.at < len(stuffed):
            out += again.take(1)
    return out


def _read_fd(reader: _Reader, can_id: int) -> bytes:
    if reader.take(1)[0]:  # res
        raise _Wrong("form", reader.at - 1)
    switch, passive = reader.take(2)
    length = FD_LENGTHS[_value(reader.take(4))]
    data = bytes(_value(reader.take(8)) for _ in range(length))
    kind = _CRC21 if length > _LONG_CRC_ABOVE else _CRC17
    field = reader.take_fixed(4 + kind[0])
    good = field[:4] == _stuff_count(reader.stuff_bits)
    good = good and field[4:] == _crc([*reader.stuffed, *field[:4]], kind)
    _tail(reader, good=good)
    return make_fd_frame(can_id, data, bit_rate_switch=bool(switch), error_state=bool(passive))


def _tail(reader: _Reader, *, good: bool) -> None:
    """Take CRC delimiter, ACK slot, ACK delimiter and end of frame.

    A receiver does not mind a dominant last bit of the end of frame (10.9.2: an overload, not an error).
    """
    reader.must_be(1)
    reader.raw()
    reader.must_be(1)
    if not good:
        raise _Wrong("crc", reader.at)
    for _ in range(EOF_BITS - 1):
        reader.must_be(1)
