"""What the formats of sensors have in common, and the receiver that finds their frames in a stream."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final, Generic, Literal, NamedTuple, TypeVar

from hil.wire.counting import no_counts

__all__ = ["BITS_PER_BYTE", "FrameStream", "Look", "SensorFormat", "counts_of"]

BITS_PER_BYTE: Final = 10
"""8N1: start bit, eight data bits, stop bit."""

Message = TypeVar("Message")


def counts_of(value: float, lsb: float, low: int, high: int) -> int:
    """Return `value` in counts of `lsb`: nearest, halves up, kept within low to high; 0 for a NaN."""
    if value != value:
        return 0
    scaled = min(max(value / lsb, float(low)), float(high))
    return min(max(int((scaled + 0.5) // 1.0), low), high)


class Look(NamedTuple):
    """What the beginning of a buffer is.

    `more`: too little to tell; `bad`: no good frame begins here, `reason` says why, `size` where a damaged
    one would end (0: nobody knows); `skip`: `size` bytes that are
    somebody else's; `frame`: a whole and undamaged frame of `size` bytes.
    """

    kind: Literal["more", "bad", "skip", "frame"]
    size: int = 0
    reason: str = ""


@dataclass(frozen=True)
class SensorFormat(Generic[Message]):
    """A format as a line carries it."""

    name: str
    frame_bytes: int
    baudrate: int
    """Usual for the sensor."""
    rate_hz: int
    """Usual for the sensor."""
    rates_hz: Sequence[int]
    """Rates that the sensor can be set to."""
    look: Callable[[bytes], Look]
    """Pure: takes at least one byte, never raises."""
    read: Callable[[bytes], Message | str]
    """Pure: takes a frame that `look` found; gives the message, or the reason of rejecting it."""
    tick: Callable[[Message], int] | None = None
    """What goes up from message to message, None where nothing does."""
    wrap: int = 1
    """Where it starts again."""

    def baud_needed(self, rate_hz: int) -> int:
        """Return the bits per second that frames at `rate_hz` take."""
        return rate_hz * self.frame_bytes * BITS_PER_BYTE


class FrameStream(Generic[Message]):
    """A receiver of one format: takes bytes as they come, gives messages, counts by reason, never raises.

    Damage is counted once, under the reason that broke the step; the bytes up to where the damaged frame
    would end, or else up to the next good frame, are searched silently, and a good frame among them is not
    lost.  `jumped` counts steps of the tick that are
    greater than the smallest step seen, since its size depends on the rate that the sensor is set to.
    """

    def __init__(self, kind: SensorFormat[Message]) -> None:
        self.counts = no_counts()
        self._format = kind
        self._buffer = bytearray()
        self._in_step = True
        self._until_step = 0
        """Bytes left to where a damaged frame would end; 0: nobody knows."""
        self._skip = 0
        self._last: int | None = None
        self._step = 0

    def take(self, data: bytes) -> list[Message]:
        """Return the messages that `data` completes."""
        messages: list[Message] = []
        skipped = min(self._skip, len(data))
        self._skip -= skipped
        self._buffer += data[skipped:]
        while self._buffer:
            look = self._format.look(bytes(self._buffer))
            if look.kind == "more":
                break
            if look.kind == "frame":
                self._in_step = True
                message = self._accepted(bytes(self._buffer[: look.size]))
                if message is not None:
                    messages.append(message)
            self._drop(look)
        return messages

    def _drop(self, look: Look) -> None:
        count = look.size
        if look.kind == "bad" or (look.kind == "skip" and not self._in_step):
            count = 1
            self._fall_out_of_step(look)
        elif look.kind == "skip":
            self.counts["unknown_id"] += 1
            self._skip = max(count - len(self._buffer), 0)
        del self._buffer[:count]

    def _fall_out_of_step(self, look: Look) -> None:
        """Count what broke the step, and pass one byte."""
        if self._in_step:
            self.counts[look.reason] += 1
            self._in_step = False
            self._until_step = look.size
        if self._until_step > 0:
            self._until_step -= 1
            self._in_step = self._until_step == 0

    def _accepted(self, frame: bytes) -> Message | None:
        message: Any = self._format.read(frame)
        if isinstance(message, str):
            self.counts[message] += 1
            return None
        if not self._goes_on(message):
            self.counts["repeated"] += 1
            return None
        self.counts["accepted"] += 1
        accepted: Message = message
        return accepted

    def _goes_on(self, message: Message) -> bool:
        """Compare the message's tick with the last; False when it stands still."""
        if self._format.tick is None:
            return True
        tick = self._format.tick(message)
        if self._last is not None:
            step = (tick - self._last) % self._format.wrap
            if step == 0:
                return False
            if self._step and step > self._step:
                self.counts["jumped"] += 1
            else:
                self._step = step
        self._last = tick
        return True
