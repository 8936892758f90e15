"""A real CAN bus: it does the timing and the arbitration, the bench sends, listens and records.

A board that is a process on a SocketCAN interface is on the bus by itself; every other board speaks through
the bench. On the wall clock frames are passed on as they come. In lockstep a frame of the flight ends when
all that was sent in it has been heard; it is recorded and counted in the order of ids. So a flight on a vcan
that nobody else speaks on is the same to the bit, whatever order the processes ran in.
"""

from __future__ import annotations

import select
import time
from collections import Counter
from collections.abc import Callable
from typing import Any, Final, Literal

from hil.signals import RigError
from hil.signals.clocks import ClockMatch
from hil.wire.bus import Node, take_outboxes
from hil.wire.buslog import BusLog
from hil.wire.can_link import CanLink
from hil.wire.canframe import ERROR, FRAME_BYTES, frame_id, is_fd

__all__ = ["DirectNode", "HardwareBus"]

_UNPOLLED_S: Final = 1e-3
"""How often an interface that cannot be polled is looked at, on the wall clock."""
ALL_HEARD_S: Final = 2.0
"""Wall time in which a frame that was sent has to be heard, in lockstep."""
_STAMP_NS: Final = 10_000_000_000
"""A time stamp further than this from now is not of this machine's clock."""
_CLOCK_SET_S: Final = 1e-3
"""A step of this machine's clock against the monotonic one."""
_BUS_OFF: Final = 0x40
_ERRORS: Final = {
    0x001: "transmit timeout",
    0x002: "arbitration lost",
    0x004: "controller",
    0x008: "protocol",
    0x010: "transceiver",
    0x020: "not acknowledged",
    _BUS_OFF: "bus off",
    0x080: "bus error",
    0x100: "restarted",
}
"""Classes of errors in the id of an error frame (linux/can/error.h)."""


class DirectNode(Node):
    """The place of a board that is on the bus by itself: the bench counts, and carries nothing."""

    def __init__(self, name: str, accepts: frozenset[int]) -> None:
        super().__init__(name, accepts)
        self.accepts: frozenset[int] = accepts
        self.waiting = 0
        """Frames that the board has not been told of."""
        self.sent = 0
        """Frames that it says it has sent in this frame."""
        self.silence: Callable[[], None] = _nothing
        """Ends what the board says by itself."""

    def hand_over(self) -> int:
        """Return how many frames wait for the board on its own socket."""
        waiting, self.waiting = self.waiting, 0
        return waiting

    def collect(self, count: int) -> None:
        """Take down how many frames the board has sent."""
        self.sent = count


def _nothing() -> None:
    """Nothing to end."""


_Heard = tuple[int, bytes, Node | None]
"""A frame that was on the bus: when (ns of the flight), the frame, which board behind the bench sent it."""


class HardwareBus:
    """One real bus, with the boards on it and those behind the bench."""

    def __init__(
        self, link: CanLink, *, pace: Literal["lockstep", "wall"], log: BusLog | None = None
    ) -> None:
        self.nodes: list[Node] = []
        self.errors: Counter[str] = Counter()
        """Error frames by class."""
        self.unsent = 0
        """Frames from behind the bench that the transmit queue had no room for."""
        self._frames = 0
        self._error_frames = 0
        self._link = link
        self._log = log
        self._live = pace == "wall"
        self._failure: RigError | None = None
        self._closed = False
        self._on_their_way: list[tuple[bytes, Node, float]] = []
        """Frames that will come back, and when (s of the flight) they were handed over."""
        self._heard: list[_Heard] = []
        self._clock = _FlightClock(live=self._live)
        self._poll = select.poll()
        self._sources: dict[int, Callable[[], None]] = {}
        if link.fileno() >= 0:
            self._watch(link.fileno(), self._listen)

    # ---- members

    def attach(self, name: str, accepts: frozenset[int]) -> Node:
        """Return the place of a board behind the bench."""
        self.nodes.append(Node(name, accepts))
        return self.nodes[-1]

    def attach_direct(self, name: str, accepts: frozenset[int]) -> DirectNode:
        """Return the place of a board that is on the bus by itself."""
        node = DirectNode(name, accepts)
        self.nodes.append(node)
        return node

    def go_live(self, node: Node) -> None:
        """Serve a node's socket (wall clock); one that is on the bus by itself has none."""
        node.live = True
        if node.socket is not None:
            self._watch(node.socket.fileno(), lambda: self._serve(node))

    def mute(self, name: str) -> None:
        """Let nothing that the board sends from now on reach the bus."""
        for node in self.nodes:
            if node.name == name:
                node.muted = True
                if isinstance(node, DirectNode):
                    node.silence()

    def _watch(self, descriptor: int, serve: Callable[[], None]) -> None:
        self._sources[descriptor] = serve
        self._poll.register(descriptor, select.POLLIN)

    def _unwatch(self, descriptor: int) -> None:
        if self._sources.pop(descriptor, None) is not None:
            self._poll.unregister(descriptor)

    # ---- from behind the bench to the bus

    def _serve(self, node: Node) -> None:
        """Send what the process of a board behind the bench has handed in."""
        assert node.socket is not None
        frames = node.drain_socket()
        if not frames:
            self._unwatch(node.socket.fileno())
        elif not node.deaf and not node.muted:
            for frame in frames:
                self._send(frame, node)

    def _send(self, frame: bytes, node: Node) -> bool:
        """Put a frame on the bus; False when it does not get there."""
        if self._failure is not None:
            return False
        handed_over_s = self._clock.now_s()
        try:
            there_was_room = self._link.send(frame)
        except RigError as failure:
            self._fail(failure)
            return False
        if not there_was_room:
            self.unsent += 1
        elif self._link.echoes:
            self._on_their_way.append((frame, node, handed_over_s))
        else:
            self._take(self._clock.now_ns(), frame, node)
        return there_was_room

    def _send_outboxes(self) -> int:
        """Send what boards behind the bench have handed in, by id; return how many frames got away."""
        return sum(self._send(frame, node) for node, frame in take_outboxes(self.nodes))

    # ---- from the bus

    def _listen(self) -> None:
        """Take in what the interface has received; its failure ends all traffic, `exchange` tells it."""
        if self._failure is not None:
            return
        try:
            for stamp_s, frame in self._link.drain():
                self._clock.compare(stamp_s)
                self._take(self._clock.at_ns(stamp_s), frame, self._sender_of(frame, stamp_s))
        except RigError as failure:
            self._fail(failure)

    def _fail(self, failure: RigError) -> None:
        self._failure = self._failure or failure
        self._unwatch(self._link.fileno())

    def _sender_of(self, frame: bytes, stamp_s: float) -> Node | None:
        """Return the node behind the bench whose frame has come back, None for all others."""
        for place, (sent, node, handed_over_s) in enumerate(self._on_their_way):
            if sent == frame:
                del self._on_their_way[place]
                self._clock.compare(stamp_s, caused_s=handed_over_s)
                return node
        return None

    def _take(self, t_ns: int, frame: bytes, sender: Node | None) -> None:
        """Keep a frame for the record; on the wall clock pass it on at once."""
        heard = (t_ns, frame, sender)
        self._heard.append(heard)
        if frame_id(frame) & ERROR:
            self._note_error(frame_id(frame))
            return
        self._frames += 1
        if self._live:
            self._deliver(heard)

    def _note_error(self, classes: int) -> None:
        self._error_frames += 1
        self.errors.update(name for bit, name in _ERRORS.items() if classes & bit)
        if classes & _BUS_OFF:
            self._fail(self._link.failure("went bus-off: see bit rate, termination and wiring"))

    def _deliver(self, heard: _Heard) -> None:
        """Give a frame to every board behind the bench that accepts it; count it for the others."""
        _, frame, sender = heard
        can_id = frame_id(frame)
        if is_fd(frame) or can_id & ERROR:
            return  # the boards' controllers are classical, and keep news of errors to themselves
        for node in self.nodes:
            if node is sender or (node.accepts is not None and can_id not in node.accepts):
                continue
            if isinstance(node, DirectNode):
                node.waiting += 1
            elif not node.live:
                node.inbox.append(frame)
            elif not node.deaf:
                node.send_socket(frame)

    # ---- the frame

    def pump(self, timeout_s: float) -> None:
        """Serve boards and bus until something has been served or time is up."""
        if self._link.fileno() < 0:
            self._listen()
            timeout_s = min(timeout_s, _UNPOLLED_S)
        self._serve_ready(timeout_s)

    def _serve_ready(self, timeout_s: float) -> None:
        for descriptor, _ in self._poll.poll(max(timeout_s, 0.0) * 1e3):
            serve = self._sources.get(descriptor)
            if serve is not None:
                serve()

    def exchange(self, t_ns: int) -> list[bytes]:
        """Send what was handed in, take in what was on the bus; return the classical frames among it.

        Raises the first failure of the interface, once what it brought before is recorded.
        """
        self._clock.turn(t_ns)
        for node in self.nodes:
            if not node.live:
                node.inbox = []
        self.pump(0.0)
        sent = self._send_outboxes()
        if self._live:
            self._listen()
        else:
            self._hear_all(sent + self._sent_directly())
        lost = self._link.overflowed()
        if lost:
            self._fail(
                self._link.failure(
                    f"{lost} frames did not fit into the receive queue: raise net.core.rmem_max"
                )
            )
        heard = self._record()
        if self._failure is not None:
            raise self._failure
        return [frame for _, frame, _ in heard if len(frame) == FRAME_BYTES and not frame_id(frame) & ERROR]

    def _record(self) -> list[_Heard]:
        """Write down what was heard since the last time; return it."""
        heard, self._heard = self._heard, []
        if self._log is not None:
            self._log.write([(at_ns, frame) for at_ns, frame, _ in heard])
        return heard

    def _sent_directly(self) -> int:
        count = 0
        for node in self.nodes:
            if isinstance(node, DirectNode):
                count, node.sent = count + node.sent, 0
        return count

    def _hear_all(self, sent: int) -> None:
        """Listen until as many frames were heard as were sent; then deliver them by id."""
        end_s = time.monotonic() + ALL_HEARD_S
        self._listen()
        while self._failure is None and (heard := self._frames_heard()) < sent:
            left_s = end_s - time.monotonic()
            if left_s <= 0.0:
                self._fail(
                    self._link.failure(f"only {heard} of {sent} frames were heard within {ALL_HEARD_S:g} s")
                )
            self.pump(left_s)
        self._heard.sort(key=lambda entry: frame_id(entry[1]))
        for entry in self._heard:
            self._deliver(entry)

    def _frames_heard(self) -> int:
        return sum(not frame_id(frame) & ERROR for _, frame, _ in self._heard)

    def book(self) -> None:
        """Nothing frame by frame: the load of a real bus, and its error counters, are not the bench's."""

    def clock(self) -> dict[str, float | None]:
        """Return the interface's time stamps against the bench's clock; nothing in lockstep."""
        return self._clock.match.as_dict()

    def figures(self) -> dict[str, Any]:
        """Return what has happened on the bus so far, as JSON values; `lost` found the queue full."""
        errors = dict(self.errors)
        return {"frames": self._frames, "errors": self._error_frames, "lost": self.unsent, "classes": errors}

    def close(self) -> None:
        """Record what was still on the bus, then close the interface and the log; safe to call twice."""
        if self._log is not None and not self._closed:
            self._listen()
            self._record()
            self._log.close()
        self._closed = True
        self._link.close()


class _FlightClock:
    """The flight's time of what happens on the bus: in lockstep that of the frame."""

    def __init__(self, *, live: bool) -> None:
        self._live = live
        self._t_ns = 0
        self._monotonic_ns: int | None = None
        """The monotonic clock at the start of the flight."""
        self._last_ns = 0
        """What was last told of a stamp: the record never goes back."""
        self._clock_s = 0.0
        """This machine's clock at the start of the flight."""
        self.match = ClockMatch()
        """The interface's time stamps against the flight's time, on the wall clock."""

    def turn(self, t_ns: int) -> None:
        """Begin the frame at `t_ns`; follow this machine's clock when somebody has set it."""
        self._t_ns = t_ns
        if not self._live:
            return
        if self._monotonic_ns is None:
            self._monotonic_ns = time.monotonic_ns() - t_ns
        clock_s = time.time() - 1e-9 * self.now_ns()
        if abs(clock_s - self._clock_s) > _CLOCK_SET_S:
            self._clock_s = clock_s

    def now_ns(self) -> int:
        """Return the time of the flight."""
        return self._t_ns if self._monotonic_ns is None else time.monotonic_ns() - self._monotonic_ns

    def now_s(self) -> float:
        """Return the time of the flight in seconds."""
        return 1e-9 * self.now_ns()

    def compare(self, stamp_s: float, *, caused_s: float | None = None) -> None:
        """Compare a stamp with now, or with the moment at which the bench caused what it is of."""
        if self._monotonic_ns is None or stamp_s <= 0.0:
            return  # in lockstep time stands still; an interface without a clock stamps nothing
        if caused_s is None:
            self.match.note(self.now_s(), stamp_s)
        else:
            self.match.note_cause(caused_s, stamp_s)

    def at_ns(self, stamp_s: float) -> int:
        """Return the time of an interface's stamp; that of now where it is not of this machine's clock."""
        now_ns = self.now_ns()
        if self._monotonic_ns is None:
            return now_ns
        at_ns = round((stamp_s - self._clock_s) * 1e9)
        self._last_ns = max(at_ns if abs(at_ns - now_ns) < _STAMP_NS else now_ns, self._last_ns)
        return self._last_ns
