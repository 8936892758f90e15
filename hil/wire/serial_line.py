"""A serial line as a wire: bytes take their time at the baud rate, and arrive damaged, late or not at all."""

from __future__ import annotations

from enum import Enum
from typing import Final

from hil.wire.sensor_format import BITS_PER_BYTE

__all__ = ["MOST_WAITING", "LineFault", "SerialLine"]

MOST_WAITING: Final = 2048
"""Bytes that wait for the line; what a sender has beyond them is lost, as from a full buffer."""
_NS_PER_S: Final = 1_000_000_000
_DAMAGE: Final = 0x55
"""Bits that a framing error turns: always another byte than was sent."""


class LineFault(Enum):
    """What can go wrong with a line; `size` is what SerialLine.set_fault takes with it."""

    FRAMING = "framing"
    """One byte in `size` arrives damaged."""
    BREAK = "break"
    """The line is held low: one zero byte at its beginning, then nothing."""
    UNPLUGGED = "unplugged"
    """Nothing arrives."""
    SLOW = "slow"
    """Bytes go at `size` baud instead of the line's own rate."""


class SerialLine:
    """One direction of a line, 8N1, between a sender and a receiver that are turned once a frame.

    What is sent at the beginning of a frame and has gone through within it arrives in that frame, the rest in
    those after it. `counts` says what the wire did: bytes delivered, late (in a later frame than they were
    sent), damaged, breaks, lost (unplugged or broken) and overrun (no room to wait).
    """

    def __init__(self, baudrate: int, frame_ns: int) -> None:
        self.counts = dict.fromkeys(("delivered", "late", "framing", "break", "lost", "overrun"), 0)
        self._own_baudrate = baudrate
        self._baudrate = baudrate
        self._frame_ns = frame_ns
        self._waiting = bytearray()
        self._free = 0
        """When the line is free again, in ns times baud: exact."""
        self._faults: dict[LineFault, float] = {}
        self._until_damage = 0
        self._break_begins = False

    # ---- faults

    def set_fault(self, fault: LineFault, size: float = 0.0) -> None:
        """Begin a fault; raise ValueError for a size that it cannot have."""
        if fault in (LineFault.FRAMING, LineFault.SLOW) and not 1.0 <= size < float("inf"):
            raise ValueError(f"size = {size}: {fault.name} takes a number of 1 or more")
        self._faults[fault] = size
        if fault is LineFault.FRAMING:
            self._until_damage = int(size)
        elif fault is LineFault.BREAK:
            self._break_begins = True
        elif fault is LineFault.SLOW:
            self._set_baudrate(int(size))

    def clear_fault(self, fault: LineFault) -> None:
        """End a fault; nothing where there is none."""
        if self._faults.pop(fault, None) is not None and fault is LineFault.SLOW:
            self._set_baudrate(self._own_baudrate)

    def has(self, fault: LineFault) -> bool:
        """Tell whether a fault is on."""
        return fault in self._faults

    def _set_baudrate(self, baudrate: int) -> None:
        self._free = self._free * baudrate // self._baudrate
        self._baudrate = baudrate

    # ---- bytes

    def carry(self, t_ns: int, data: bytes) -> bytes:
        """Send `data` at the beginning of the frame at `t_ns`; return what arrives within the frame."""
        late = len(self._waiting)
        room = MOST_WAITING - late
        if len(data) > room:
            self.counts["overrun"] += len(data) - room
        self._waiting += data[:room]
        through = self._through(t_ns, busy=late > 0)
        arrived = bytes(self._waiting[:through])
        del self._waiting[:through]
        if self._faults:
            arrived = self._suffer(arrived)
        self.counts["delivered"] += len(arrived)
        self.counts["late"] += min(late, through)
        return arrived

    def _through(self, t_ns: int, *, busy: bool) -> int:
        """Return how many of the waiting bytes go through in this frame, and move the line's time on.

        A line that was busy is in the middle of a byte.
        """
        byte = BITS_PER_BYTE * _NS_PER_S
        begin = self._free if busy else max(t_ns * self._baudrate, self._free)
        fit = max((t_ns + self._frame_ns) * self._baudrate - begin, 0) // byte
        through = min(fit, len(self._waiting))
        self._free = begin + through * byte
        return through

    def _suffer(self, arrived: bytes) -> bytes:
        """Return what the line's faults leave of bytes that would arrive."""
        if LineFault.UNPLUGGED in self._faults:
            self.counts["lost"] += len(arrived)
            return b""
        if LineFault.BREAK in self._faults:
            self.counts["lost"] += len(arrived)
            if self._break_begins:
                self._break_begins = False
                self.counts["break"] += 1
                return b"\0"
            return b""
        if LineFault.FRAMING in self._faults:
            return self._damage(arrived)
        return arrived

    def _damage(self, arrived: bytes) -> bytes:
        """Damage the bytes whose turn it is."""
        damaged, every = bytearray(arrived), int(self._faults[LineFault.FRAMING])
        at = self._until_damage - 1
        while at < len(damaged):
            damaged[at] ^= _DAMAGE
            self.counts["framing"] += 1
            at += every
        self._until_damage = at + 1 - len(damaged)
        return bytes(damaged)
