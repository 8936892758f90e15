"""A CAN controller's fault confinement: error counters, error states, bus-off (ISO 11898-1:2015, 12.1.4)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Final, Literal

import numpy as np

from hil.wire.framebits import IDLE_BITS

__all__ = ["BUS_OFF_AT", "PASSIVE_AT", "RECOVERY_BITS", "Controller", "Disturbance", "ErrorState"]

WARNING_AT: Final = 96
PASSIVE_AT: Final = 128
BUS_OFF_AT: Final = 256
RECOVERY_BITS: Final = 128 * IDLE_BITS
"""Bits after which a bus-off controller is back, on a bus that stays idle."""
_TX_ERROR: Final = 8
_FIRST_TO_SEE: Final = 8
_REC_MOST: Final = 255
_REC_AFTER_GOOD: Final = 127
"""Receive error counter of a passive receiver after a good frame: the standard allows 119 to 127."""

ErrorState = Literal["error active", "error passive", "bus off"]


@dataclass(frozen=True)
class Disturbance:
    """What is wrong with a controller or its stub; the same for every kind of bus fault."""

    bit_error_rate: float = 0.0
    """Chance (0 to 1) that this controller samples a bit wrongly: ringing on its stub."""
    bitrate: int | None = None
    """Its own nominal bit rate in bit/s when that is not the bus's."""
    babbles: bytes | None = None
    """A frame that it sends whenever the bus is idle, over and over again."""
    cut: bool = False
    """Its stub is off the bus: it hears nobody, and nobody hears or acknowledges it."""


@dataclass(eq=False, slots=True)
class Controller:
    """One node's CAN controller."""

    name: str
    fifo: bool = False
    """True: it sends in the order in which it was told, False: the frame that wins arbitration first."""
    recovers: bool = True
    """True: back from bus-off after 128 times 11 recessive bits, False: never."""
    listen_only: bool = False
    """True: acknowledges nothing and never sends a dominant bit."""
    powered: bool = True
    disturbance: Disturbance = Disturbance()
    tec: int = 0
    """Transmit error counter."""
    rec: int = 0
    """Receive error counter."""
    off: bool = False
    sent: int = 0
    """Frames that were acknowledged."""
    errors: int = 0
    """Error frames that cut off a frame of its own."""
    lost: int = 0
    """Frames that it could not take: its transmit queue was full, or it was bus-off."""
    times_off: int = 0
    suspended_ns: int = 0
    """Until then a passive transmitter lets others go first."""
    idle_seen: int = 0
    """Since bus-off: how often 11 recessive bits have been seen before the last start of frame."""
    draw: Callable[[], float] | None = field(default=None, repr=False)
    """The random stream of its bit errors: numbers from 0 to 1."""

    @property
    def state(self) -> ErrorState:
        """How far its errors have taken it."""
        if self.off:
            return "bus off"
        return "error passive" if self.passive else "error active"

    @property
    def passive(self) -> bool:
        """True when its error flags are recessive."""
        return self.tec >= PASSIVE_AT or self.rec >= PASSIVE_AT

    @property
    def on_bus(self) -> bool:
        """True when it takes part."""
        return self.powered and not self.off and not self.disturbance.cut

    @property
    def unharmed(self) -> bool:
        """True when nothing is, or has lately been, out of the ordinary."""
        counted = self.tec or self.rec or self.off
        return not (counted or self.fifo or self.listen_only) and self.disturbance == _NONE

    def as_dict(self) -> dict[str, Any]:
        """Return state and counters as JSON values."""
        names = ("tec", "rec", "sent", "errors", "lost", "times_off")
        return {"state": self.state, **{name: getattr(self, name) for name in names}}

    def sent_well(self) -> None:
        """Count a frame of its own that went through (rule g)."""
        self.sent += 1
        self.tec = max(self.tec - 1, 0)

    def heard_well(self) -> None:
        """Count a frame that it received (rule h)."""
        if not self.listen_only:
            self.rec = _REC_AFTER_GOOD if self.rec >= PASSIVE_AT else max(self.rec - 1, 0)

    def failed_to_send(self, *, unacknowledged: bool) -> None:
        """Count an error in a frame of its own (rule c).

        A passive transmitter that only misses the acknowledgement does not count it (exception 1), so that
        a node alone on its bus stays error passive.
        """
        self.errors += 1
        if not (unacknowledged and self.passive):
            self.tec += _TX_ERROR
        if self.tec >= BUS_OFF_AT:
            self.off = True
            self.times_off += 1
            self.idle_seen = 0

    def failed_to_hear(self, *, first: bool) -> None:
        """Count an error in a frame of somebody else's (rule a), `first` when its flag led (rule b)."""
        if not self.listen_only:
            self.rec = min(self.rec + 1 + (_FIRST_TO_SEE if first else 0), _REC_MOST)

    def recover(self) -> None:
        """Come back from bus-off."""
        self.off = False
        self.tec = self.rec = 0

    def power(self, on: bool) -> None:
        """Switch it on or off; a controller begins with counters at 0."""
        self.powered = on
        self.recover()

    def flips(self, bits: int) -> list[int]:
        """Return which of the next `bits` bits it samples wrongly."""
        rate = self.disturbance.bit_error_rate
        if rate <= 0.0 or self.draw is None:
            return []
        wrong: list[int] = []
        at = -1
        while True:
            # the distance from one wrong bit to the next is geometric: drawn by inverting its distribution
            gap = 0.0 if rate >= 1.0 else np.log1p(-self.draw()) / np.log1p(-rate)
            at += 1 + int(min(gap, bits))
            if at >= bits:
                return wrong
            wrong.append(at)


_NONE: Final = Disturbance()
