"""What goes wrong with single messages between their sender's firmware and the bus.

The wires themselves repair what happens on them: a frame with a wrong bit is destroyed by an error flag and
sent again. What is left for counters and checksums is what drivers, queues and gateways do to frames, so
that is where these faults strike: a message is lost, doubled, late or changed for all who would hear it.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Final, Generic, TypeVar

from hil.wire.canframe import FRAME_BYTES, frame_id, make_frame, split_frame
from hil.wire.codec import checksum

__all__ = [
    "Corrupt",
    "Delay",
    "Drop",
    "Duplicate",
    "Falsify",
    "MessageFault",
    "MessageFaults",
    "Renumber",
    "Reorder",
    "WrongChecksum",
]

_DATA_BYTES: Final = 8
_BITS: Final = 8 * _DATA_BYTES
_PAYLOAD_BITS: Final = 52
"""Bits of the signals; counter (4) and checksum (8) follow."""
_COUNTER_AT: Final = 52
_COUNTS: Final = 16

Draw = Callable[[], float]
"""A random stream: numbers from 0 up to but not 1."""
Sender = TypeVar("Sender")
Late = tuple[int, bytes]
"""A frame, and how long (ns) it is held back."""


@dataclass
class MessageFault(ABC):
    """A fault of the message `can_id`; `share` of its frames are struck, drawn one by one."""

    can_id: int
    draw: Draw
    share: float = 1.0

    def through(self, frame: bytes) -> list[Late]:
        """Return what becomes of a frame of the message, in order."""
        if self.share < 1.0 and self.draw() >= self.share:
            return self._spare(frame)
        return self._strike(frame)

    def _spare(self, frame: bytes) -> list[Late]:
        """Return what becomes of a frame that is not struck."""
        return [(0, frame)]

    @abstractmethod
    def _strike(self, frame: bytes) -> list[Late]:
        """Return what becomes of a frame that is struck."""

    def end(self) -> list[bytes]:
        """Return what the fault has kept back and lets go when it ends."""
        return []


@dataclass
class Drop(MessageFault):
    """Frames are lost."""

    def _strike(self, frame: bytes) -> list[Late]:  # noqa: ARG002 - it is gone
        return []


@dataclass
class Duplicate(MessageFault):
    """Frames are sent `copies` times more."""

    copies: int = 1

    def _strike(self, frame: bytes) -> list[Late]:
        return [(0, frame)] * (1 + self.copies)


@dataclass
class Delay(MessageFault):
    """Frames are held back for `delay_ns`."""

    delay_ns: int = 0

    def _strike(self, frame: bytes) -> list[Late]:
        return [(self.delay_ns, frame)]


@dataclass
class Reorder(MessageFault):
    """A frame is overtaken by the next one of its message."""

    _held: list[bytes] = field(default_factory=list)

    def _spare(self, frame: bytes) -> list[Late]:
        return [(0, frame), *((0, late) for late in self.end())]

    def _strike(self, frame: bytes) -> list[Late]:
        if self._held:
            return self._spare(frame)
        self._held.append(frame)
        return []

    def end(self) -> list[bytes]:
        """Return the frame that nothing has overtaken yet."""
        held, self._held = self._held, []
        return held


@dataclass
class Corrupt(MessageFault):
    """`bits` of a frame's 64 are turned after its checksum was made."""

    bits: int = 1

    def _strike(self, frame: bytes) -> list[Late]:
        return [(0, _turned(frame, _some(self.bits, _BITS, self.draw)))]


@dataclass
class Falsify(MessageFault):
    """`bits` of a frame's signals are turned before its checksum is made: it is good, and not true."""

    bits: int = 1

    def _strike(self, frame: bytes) -> list[Late]:
        return [(0, _protected(_turned(frame, _some(self.bits, _PAYLOAD_BITS, self.draw))))]


@dataclass
class WrongChecksum(MessageFault):
    """The checksum is any other than the right one."""

    def _strike(self, frame: bytes) -> list[Late]:
        can_id, data = split_frame(frame)
        other = (data[-1] + 1 + int(self.draw() * 255)) & 0xFF
        return [(0, make_frame(can_id, data[:-1] + bytes([other])))]


@dataclass
class Renumber(MessageFault):
    """The counter advances by `step` from frame to frame in place of 1; the checksum is that of the frame.

    0: it stands still; 2: it skips; -1: it counts backwards. The first frame that is struck counts on from
    the last one that was not.
    """

    step: int = 0
    _counter: int | None = None

    def _strike(self, frame: bytes) -> list[Late]:
        can_id, data = split_frame(frame)
        number = int.from_bytes(data, "little")
        before = (number >> _COUNTER_AT) - 1 if self._counter is None else self._counter
        self._counter = (before + self.step) % _COUNTS
        number = number & ~(0xF << _COUNTER_AT) | self._counter << _COUNTER_AT
        return [(0, _protected(make_frame(can_id, number.to_bytes(_DATA_BYTES, "little"))))]


def _some(count: int, among: int, draw: Draw) -> list[int]:
    """Return `count` different numbers below `among`, every choice as likely as any other."""
    left = list(range(among))
    return [left.pop(int(draw() * len(left))) for _ in range(min(count, among))]


def _turned(frame: bytes, bits: Sequence[int]) -> bytes:
    """Return a frame with some bits of its data turned."""
    can_id, data = split_frame(frame)
    number = int.from_bytes(data, "little")
    for bit in bits:
        number ^= 1 << bit
    return make_frame(can_id, number.to_bytes(_DATA_BYTES, "little"))


def _protected(frame: bytes) -> bytes:
    """Return a frame with the checksum that its id and data have."""
    can_id, data = split_frame(frame)
    return make_frame(can_id, data[:-1] + bytes([checksum(can_id, data)]))


@dataclass
class MessageFaults(Generic[Sender]):
    """All faults of messages that are on now, and what they hold back; `Sender` is whom a bus knows."""

    _faults: list[MessageFault] = field(default_factory=list)
    _held: list[tuple[int, Sender, bytes]] = field(default_factory=list)
    _senders: dict[int, Sender] = field(default_factory=dict)
    """Who sent the last frame of a message with a fault."""

    def begin(self, fault: MessageFault) -> None:
        """Let a fault act on every frame of its message from now on."""
        self._faults.append(fault)

    def end(self, fault: MessageFault) -> None:
        """End a fault; what it holds back is sent with the next frames."""
        self._faults.remove(fault)
        if fault.can_id in self._senders:
            sender = self._senders[fault.can_id]
            self._held += [(0, sender, frame) for frame in fault.end()]

    @property
    def idle(self) -> bool:
        """True when frames go through as they are."""
        return not self._faults and not self._held

    @property
    def next_ns(self) -> int | None:
        """When the next frame that is held back is due; None without one."""
        return min((due_ns for due_ns, _, _ in self._held), default=None)

    def through(
        self, senders: Sequence[Sender], frames: Sequence[bytes], t_ns: int
    ) -> tuple[list[Sender], list[bytes]]:
        """Return what gets to the bus at `t_ns`, and from whom: what was held back first, then the frames."""
        out = [(sender, frame) for due_ns, sender, frame in self._held if due_ns <= t_ns]
        self._held = [entry for entry in self._held if entry[0] > t_ns]
        for sender, frame in zip(senders, frames, strict=True):
            for delay_ns, changed in self._struck(sender, frame):
                if delay_ns > 0:
                    self._held.append((t_ns + delay_ns, sender, changed))
                else:
                    out.append((sender, changed))
        return [sender for sender, _ in out], [frame for _, frame in out]

    def _struck(self, sender: Sender, frame: bytes) -> list[Late]:
        """Return what the faults of its message make of a frame, one after the other."""
        found: list[Late] = [(0, frame)]
        if len(frame) != FRAME_BYTES or frame[4] != _DATA_BYTES:
            return found  # not one of the table's
        can_id = frame_id(frame)
        for fault in self._faults:
            if fault.can_id == can_id:
                self._senders[can_id] = sender
                found = [(late + more, f) for late, g in found for more, f in fault.through(g)]
        return found
