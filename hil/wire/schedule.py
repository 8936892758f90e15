"""How full a CAN bus will be and how late a frame can get: the standard schedulability analysis.

R. I. Davis, A. Burns, R. J. Bril, J. J. Lukkien: Controller Area Network (CAN) schedulability analysis:
refuted, revisited and revised, Real-Time Systems 35 (2007), equations 3 to 14.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from cantools.database.can import Database, Message

from hil.wire.framebits import worst_bits

__all__ = ["Forecast", "Stream", "forecast", "load_of", "sent_messages", "worst_responses"]

_NS: Final = 1_000_000_000


@dataclass(frozen=True)
class Stream:
    """Frames of one id: the lower `key` wins; `length_ns` is the longest such a frame can be, intermission
    included; at least `period_ns` lie between two, each queued up to `jitter_ns` late."""

    name: str
    key: int
    length_ns: int
    period_ns: int
    jitter_ns: int = 0


@dataclass(frozen=True)
class Forecast:
    """What a rig's traffic will do to its bus at worst."""

    frames: int
    """In every frame of the bench."""
    load: float
    """Share of time in which the bus is busy; above 1 it cannot carry the traffic."""
    slowest: str
    """Name of the message that may be on the bus last."""
    response_ns: int | None
    """How long it may take from its queue to its end; None when there is no bound."""


def load_of(streams: Sequence[Stream]) -> float:
    """Return the share of time that the streams take at worst."""
    return sum(stream.length_ns / stream.period_ns for stream in streams)


def worst_responses(streams: Sequence[Stream], bit_ns: int) -> dict[str, int | None]:
    """Return for each stream the longest time (ns) from queueing a frame to its end, intermission included.

    None where there is no bound: its own and the more urgent streams ask for more than the bus has.
    """
    return {stream.name: _worst_response(stream, streams, bit_ns) for stream in streams}


def _worst_response(stream: Stream, streams: Sequence[Stream], bit_ns: int) -> int | None:
    urgent = [other for other in streams if other.key < stream.key]
    blocking_ns = max((other.length_ns for other in streams if other.key > stream.key), default=0)
    if load_of([*urgent, stream]) > 1.0 + 1e-12:
        return None
    busy_ns = _busy_period(stream, urgent, blocking_ns)
    if busy_ns is None:
        return None
    instances = _count(busy_ns + stream.jitter_ns, stream.period_ns)
    return max(_response(stream, urgent, blocking_ns, bit_ns, q) for q in range(instances))


def _busy_period(stream: Stream, urgent: Sequence[Stream], blocking_ns: int) -> int | None:
    """Return the longest time in which only this and more urgent streams are sent (equation 12)."""
    t_ns = stream.length_ns
    most_ns = _MOST_PERIODS * max(other.period_ns for other in (*urgent, stream))
    while t_ns <= most_ns:
        longer = blocking_ns + sum(
            _count(t_ns + other.jitter_ns, other.period_ns) * other.length_ns for other in (*urgent, stream)
        )
        if longer == t_ns:
            return t_ns
        t_ns = longer
    return None


_MOST_PERIODS: Final = 1000
"""Periods after which a busy period that goes on counts as endless: its load is 1 but for nothing."""


def _response(stream: Stream, urgent: Sequence[Stream], blocking_ns: int, bit_ns: int, instance: int) -> int:
    """Return the worst response of one frame of the busy period (equations 10 and 11)."""
    own_ns = blocking_ns + instance * stream.length_ns
    wait_ns = own_ns
    while True:
        longer = own_ns + sum(
            _count(wait_ns + other.jitter_ns + bit_ns, other.period_ns) * other.length_ns for other in urgent
        )
        if longer == wait_ns:
            return stream.jitter_ns + wait_ns - instance * stream.period_ns + stream.length_ns
        wait_ns = longer


def _count(span_ns: int, period_ns: int) -> int:
    """Return how many frames a stream queues in a span that begins with one."""
    return -(-span_ns // period_ns)


def forecast(
    database: Database, engines: Sequence[int], bitrate: int, frame_ns: int, *, enabled: bool = False
) -> Forecast:
    """Return what the boards of `engines` and the flight computer do to a bus, at worst stuffing.

    Every message of theirs is sent once a frame, as classical frames.  `enabled`: with the bench's own, on a
    rig that demands its enable frame.
    """
    sent = sent_messages(database, engines, enabled=enabled)
    streams = [Stream(m.name, m.frame_id, -(-worst_bits(m.length) * _NS // bitrate), frame_ns) for m in sent]
    load = load_of(streams)
    if not streams:
        return Forecast(0, 0.0, "", 0)
    last = max(streams, key=lambda stream: stream.key)
    response = worst_responses(streams, -(-_NS // bitrate))[last.name] if load <= 1.0 else None
    return Forecast(len(streams), load, last.name, response)


def sent_messages(database: Database, engines: Sequence[int], *, enabled: bool = False) -> list[Message]:
    """Return the messages that are on a bus once a frame; `engines` and `enabled` as in `forecast`."""
    return [
        m for m in database.messages if not m.is_fd and m.length <= 8 and _is_sent(m.name, engines, enabled)
    ]


def _is_sent(message: str, engines: Sequence[int], enabled: bool) -> bool:
    parts = message.split("_")
    if not enabled and (parts[0] == "BENCH" or parts[-1] in ("DRIVE", "IDENTITY")):
        return False
    return parts[0] != "ENGINE" or (parts[1].isdigit() and int(parts[1]) in engines)
