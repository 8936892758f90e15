"""The virtual CAN bus: needs no kernel module, and behaves like a bus (`hil.wire.medium`).

In lockstep, what the boards hand in at a frame's start is arbitrated and takes its time on the wires; what
has ended there within the frame is delivered to all other nodes in the next, the rest goes on. On the wall
clock the same happens as time goes by. Guests (other processes that listen in or take part) are further
members. Without a medium frames are passed on as they come. A real bus is hil.wire.can_hardware's.
"""

from __future__ import annotations

import contextlib
import os
import select
import socket
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

from hil.signals import RigError
from hil.signals.clocks import EXACT
from hil.wire.busbook import BusBook
from hil.wire.buslog import BusLog
from hil.wire.canframe import ERROR, FRAME_BYTES, error_as_heard, frame_id, is_fd, is_sound
from hil.wire.controller import Controller, Disturbance
from hil.wire.guest import Guest, Settings
from hil.wire.medium import TX_QUEUE, Heard, Medium
from hil.wire.message_faults import MessageFault, MessageFaults

__all__ = ["Node", "VirtualBus", "guest_folder", "take_outboxes"]

_BURST: Final = 4096
"""Most frames taken from one member at a time."""
_HEAD: Final = 6
"""Bytes of a frame that decide who hears it: id, length, whether it is an FD frame."""
_MOST_ROUTES: Final = 4096
_ERROR_BYTE: Final = ERROR >> 24
"""The flag ERROR in the last byte of an id."""


def guest_folder() -> Path:
    """Return the folder of the sockets that guests connect to."""
    base = os.environ.get("XDG_RUNTIME_DIR") or tempfile.gettempdir()
    return Path(base) / f"lastbrake-{os.getuid()}"


class Node:
    """A board's place on a bus: what waits for it, what it has sent.

    In lockstep a board's driver uses the lists alone. On the wall clock (`live`) a board that is a process
    has a `socket` that carries one frame a packet, which the bus serves.
    """

    def __init__(self, name: str, accepts: frozenset[int] | None = None) -> None:
        self.name = name
        self.accepts = accepts
        """Ids that its acceptance filter lets through, as the filter of a CAN controller; None: all."""
        self.fd = False
        """True when its firmware takes FD frames; else its controller lets them pass by."""
        self.controller: Controller | None = None
        """Its place on the wires of a virtual bus; None where there are none."""
        self.inbox: list[bytes] = []
        self.outbox: list[bytes] = []
        self.socket: socket.socket | None = None
        self.live = False
        self.deaf = False
        """True while the board is dead: what it would hear is lost, what it sends is not heard."""
        self.muted = False
        """True once what the board's process sends by itself is thrown away."""
        self.silenced = False
        """True while its transmitter is dead: it hears and acknowledges, and what it sends goes nowhere."""
        self.lost = 0
        """Frames that did not fit into the socket."""

    def take(self, frame: bytes) -> None:
        """Take a frame from the bus; one for a live node whose board is dead is lost."""
        if not self.live:
            self.inbox.append(frame)
        elif not self.deaf:
            self.send_socket(frame)

    def send_socket(self, frame: bytes) -> bool:
        """Pass a frame to the board's process; False when its end is closed."""
        assert self.socket is not None
        try:
            self.socket.send(frame)
        except BlockingIOError:
            self.lost += 1
        except OSError:
            return False
        return True

    def drain_socket(self) -> list[bytes]:
        """Return what the board's process has sent, without waiting."""
        assert self.socket is not None
        return _drain(self.socket)


def _drain(link: socket.socket) -> list[bytes]:
    frames: list[bytes] = []
    with contextlib.suppress(OSError):
        while len(frames) < _BURST:
            frame = link.recv(FRAME_BYTES, socket.MSG_DONTWAIT)
            if not frame:
                break
            if len(frame) == FRAME_BYTES:
                frames.append(frame)
    return frames


def take_outboxes(nodes: Sequence[Node]) -> list[tuple[Node, bytes]]:
    """Return what the nodes have handed in, by id; what dead ones have is gone."""
    sent = [(node, frame) for node in nodes if not node.deaf for frame in node.outbox]
    for node in nodes:
        node.outbox = []
    return sorted(sent, key=lambda entry: frame_id(entry[1]))


class VirtualBus:
    """One bus: boards and guests."""

    def __init__(
        self,
        channel: str,
        log: BusLog | None = None,
        *,
        medium: Medium | None = None,
        frame_ns: int = 10_000_000,
    ) -> None:
        """`medium` are its wires; without, a frame takes no time and nothing arbitrates."""
        self.channel = channel
        self.medium = medium
        self.nodes: list[Node] = []
        self.dead: set[str] = set()
        """Names of nodes whose process has closed its end."""
        self.bench = None if medium is None else medium.attach("bench")
        """The bench's own ear on a virtual bus: it acknowledges, as an analyser does."""
        self._frame_ns = frame_ns
        self._log = log
        self._t_ns = 0
        self._epoch_ns: int | None = None
        """On the wall clock: monotonic time at the start of the flight."""
        self._live = False
        self._heard: list[tuple[int, bytes]] = []
        self._for_bench: list[bytes] = []
        self._guests: list[Guest] = []
        self._leaving: list[Controller] = []
        """Controllers of guests that have gone, until what they had sent is out."""
        self._book: BusBook | None = None
        self._listener: socket.socket | None = None
        self._poll = select.poll()
        self._sources: dict[int, Callable[[], None]] = {}
        self._routes: dict[bytes, tuple[Node, ...]] = {}
        """Who hears a frame, by its first bytes."""
        self._message_faults: MessageFaults[Controller] = MessageFaults()

    def attach(self, name: str, accepts: frozenset[int] | None = None) -> Node:
        """Return a new node that hears `accepts`; the order of attaching decides where ids do not."""
        node = Node(name, accepts)
        if self.medium is not None:
            node.controller = self.medium.attach(name)
        self.nodes.append(node)
        self._routes.clear()
        return node

    def disturb(self, name: str, disturbance: Disturbance) -> None:
        """Let something be wrong with the controller of node `name` (or "bench"); Disturbance() ends it.

        Raises RigError on a real bus, whose controllers are nobody's to disturb.
        """
        medium = self._own_wires()
        controller = next(c for c in medium.controllers if c.name == name)
        medium.disturb(controller, disturbance)

    def alter(self, name: str, **changes: Any) -> None:
        """Change some of what is wrong with the controller of node `name`, and leave the rest."""
        controller = next(c for c in self._own_wires().controllers if c.name == name)
        self.disturb(name, replace(controller.disturbance, **changes))

    def silence(self, name: str, *, on: bool = True) -> None:
        """Let nothing that node `name` sends get out while `on`; it hears and acknowledges as before."""
        next(node for node in self.nodes if node.name == name).silenced = on

    def begin_fault(self, fault: MessageFault) -> None:
        """Let a fault act on its message, whoever sends it; raise RigError on a real bus."""
        self._own_wires()
        self._message_faults.begin(fault)

    def end_fault(self, fault: MessageFault) -> None:
        """End a fault of a message."""
        self._message_faults.end(fault)

    def _own_wires(self) -> Medium:
        if self.medium is None:
            raise RigError(f"can: {self.channel} is a real bus: what goes wrong on it cannot be chosen")
        return self.medium

    def go_live(self, node: Node) -> None:
        """Let the bus serve a node's socket by itself (wall clock)."""
        assert node.socket is not None
        node.live = self._live = True
        self._watch(node.socket.fileno(), lambda: self._serve(node))

    def mute(self, name: str) -> None:
        """Throw away what the node `name` sends from now on; what it sent before is still heard."""
        for node in self.nodes:
            node.muted = node.muted or node.name == name

    def _watch(self, descriptor: int, serve: Callable[[], None]) -> None:
        self._sources[descriptor] = serve
        self._poll.register(descriptor, select.POLLIN)

    def _unwatch(self, descriptor: int) -> None:
        if self._sources.pop(descriptor, None) is not None:
            self._poll.unregister(descriptor)

    # ---- guests: can.Bus(interface="hil") in other processes

    def listen(self) -> Path:
        """Open the door for guests; return the path of its socket, whose name tells the bit rates."""
        folder = guest_folder()
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        _sweep(folder)
        bitrate, data_bitrate = self._bitrates()
        name = f"{self.channel.replace('/', '_')}.{bitrate}.{data_bitrate}.{os.getpid()}.{id(self):x}.sock"
        path = folder / name
        listener = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        listener.setblocking(False)
        listener.bind(str(path))
        listener.listen()
        self._listener = listener
        self._path = path
        self._watch(listener.fileno(), self._accept)
        return path

    def _bitrates(self) -> tuple[int, int]:
        return (0, 0) if self.medium is None else (self.medium.bitrate, self.medium.data_bitrate or 0)

    def _accept(self) -> None:
        assert self._listener is not None
        with contextlib.suppress(OSError):
            link, _ = self._listener.accept()
            controller = None if self.medium is None else self.medium.attach("guest")
            guest = Guest(link, controller)
            self._guests.append(guest)
            guest.tell_state(*self._bitrates())
            self._watch_guest(guest)
            self._serve_guest(guest)  # what it has sent already

    def _serve_guest(self, guest: Guest) -> None:
        before = guest.settings
        frames, there = guest.drain(self._room(guest))
        if guest.settings != before:
            self._settle(guest)
        if frames and guest.controller is not None:
            self._take(guest.controller, frames)
        elif frames:
            self._forward(frames, guest)
        if not there:
            self._dismiss(guest)
        elif self._room(guest) == 0:
            self._unwatch(guest.link.fileno())  # what it goes on to send waits in its socket

    def _room(self, guest: Guest) -> int:
        if self.medium is None or guest.controller is None:
            return _BURST
        return TX_QUEUE - self.medium.waiting(guest.controller)

    def _settle(self, guest: Guest) -> None:
        if self.medium is not None and guest.controller is not None:
            self.medium.configure(guest.controller, listen_only=guest.settings.listen_only)

    def _take(self, controller: Controller, frames: list[bytes]) -> None:
        """Put a guest's frames into its transmit queue; what this bus cannot carry is lost."""
        assert self.medium is not None
        fd = self.medium.data_bitrate is not None
        sound = [frame for frame in frames if is_sound(frame) and (fd or not is_fd(frame))]
        controller.lost += len(frames) - len(sound)
        self._offer(self.medium, [controller] * len(sound), sound)

    def _dismiss(self, guest: Guest) -> None:
        """Let a guest go; what it has sent is still heard."""
        self._unwatch(guest.link.fileno())
        self._guests.remove(guest)
        if self.medium is not None and guest.controller is not None:
            self._leaving.append(guest.controller)
        guest.close()

    # ---- moving frames

    def _now_ns(self) -> int:
        """Return the time of the flight: in lockstep that of the frame, else that of the clock."""
        if not self._live or self._epoch_ns is None:
            return self._t_ns
        return time.monotonic_ns() - self._epoch_ns

    def _serve(self, node: Node) -> None:
        frames = node.drain_socket()
        if not frames:
            self._unwatch(node.socket.fileno() if node.socket is not None else -1)
            self.dead.add(node.name)
        elif node.deaf or node.muted or node.silenced:
            pass
        elif self.medium is not None and node.controller is not None:
            self._offer(self.medium, [node.controller] * len(frames), frames)
        else:
            self._forward(frames, node)

    def _offer(self, medium: Medium, senders: list[Controller], frames: list[bytes]) -> None:
        """Put frames into their senders' transmit queues, less or more what faults make of them."""
        now_ns = self._now_ns()
        if not self._message_faults.idle:
            senders, frames = self._message_faults.through(senders, frames, now_ns)
        if frames:
            medium.offer(senders, frames, now_ns)

    def _go_on(self, until_ns: int) -> None:
        """Let the wires go on until then, and deliver what has ended on them."""
        assert self.medium is not None
        heard = self.medium.run(until_ns)
        if heard:
            self._deliver(heard)
        if self._guests or self._leaving:
            self._look_after_guests(self.medium)

    def _look_after_guests(self, medium: Medium) -> None:
        """Tell guests how they are, read on from those with room again, take off those who have gone."""
        for guest in self._guests:
            guest.tell_state(*self._bitrates())
            descriptor = guest.link.fileno()
            if descriptor not in self._sources and self._room(guest) > 0:
                self._watch_guest(guest)
        for controller in [c for c in self._leaving if not medium.waiting(c)]:
            medium.detach(controller)
            self._leaving.remove(controller)

    def _watch_guest(self, guest: Guest) -> None:
        self._watch(guest.link.fileno(), lambda: self._serve_guest(guest))

    def _deliver(self, heard: list[Heard]) -> None:
        """Give every node, the bench and guests what others have sent and they accept."""
        routes, bench, for_bench, log = self._routes, self.bench, self._for_bench, self._heard
        for end_ns, sender, frame, missed in heard:
            log.append((end_ns, frame))
            route = routes.get(frame[:_HEAD])
            if route is None:
                route = self._route(frame)
            for node in route:
                if node.controller is not sender and (not missed or node.controller not in missed):
                    node.take(frame)
            if len(frame) == FRAME_BYTES and not frame[3] & _ERROR_BYTE and bench not in missed:
                for_bench.append(frame)
        for guest in self._guests:
            guest.tell([_as_heard(entry, guest) for entry in heard if _concerns(entry, guest)])

    def _route(self, frame: bytes) -> tuple[Node, ...]:
        """Return the nodes whose filter lets a frame through, and keep that for all that begin alike."""
        if len(self._routes) >= _MOST_ROUTES:
            self._routes.clear()
        route = tuple(node for node in self.nodes if _passes(node, frame))
        self._routes[frame[:_HEAD]] = route
        return route

    def _forward(self, frames: list[bytes], sender: object) -> None:
        """Pass frames on at once."""
        t_ns = self._now_ns()
        self._heard += [(t_ns, frame) for frame in frames]
        self._for_bench += [frame for frame in frames if len(frame) == FRAME_BYTES]
        for node in self.nodes:
            for frame in frames if node is not sender else ():
                if _passes(node, frame):
                    node.take(frame)
        for guest in self._guests:
            if guest is not sender:
                guest.tell([(t_ns, frame) for frame in frames])

    def _serve_ready(self, timeout_ms: float) -> None:
        for descriptor, _ in self._poll.poll(timeout_ms):
            serve = self._sources.get(descriptor)
            if serve is not None:
                serve()

    def pump(self, timeout_s: float) -> None:
        """Serve live nodes and guests until something has been served or time is up."""
        medium = self.medium if self._live else None
        if medium is not None and medium.next_end_ns is not None:
            timeout_s = min(timeout_s, 1e-9 * (medium.next_end_ns - self._now_ns()))
        held_ns = self._message_faults.next_ns
        if held_ns is not None:
            timeout_s = min(timeout_s, 1e-9 * (held_ns - self._now_ns()))
        self._serve_ready(max(timeout_s, 0.0) * 1e3)
        if medium is not None:
            self._offer(medium, [], [])  # what a fault has held back until now
            self._go_on(self._now_ns())

    def exchange(self, t_ns: int) -> list[bytes]:
        """Let the frame at `t_ns` go by on the bus; return the classical frames that the bench has heard."""
        self._t_ns = t_ns
        if self._live and self._epoch_ns is None:
            self._epoch_ns = time.monotonic_ns() - t_ns
        for node in self.nodes:
            if not node.live:
                node.inbox = []
        if self._sources:
            self._serve_ready(0)
        if self.medium is None:
            self._pass_on()
        else:
            self._take_and_go_on(self.medium)
        heard, self._heard = self._heard, []
        if self._book is not None:
            self._book.note(t_ns, len(heard))
        if self._log is not None:
            self._log.write(heard)
        frames, self._for_bench = self._for_bench, []
        return frames

    def _pass_on(self) -> None:
        """Pass on what was sent in this frame, by id."""
        for node, frame in take_outboxes(self.nodes):
            self._forward([frame], node)

    def _take_and_go_on(self, medium: Medium) -> None:
        senders: list[Controller] = []
        frames: list[bytes] = []
        for node in self.nodes:
            controller = node.controller
            assert controller is not None
            if controller.powered is node.deaf:
                medium.power(controller, not node.deaf)
            if node.outbox and not node.deaf and not node.silenced:
                senders += [controller] * len(node.outbox)
                frames += node.outbox
            node.outbox = []
        self._offer(medium, senders, frames)
        self._go_on(self._now_ns() if self._live else self._t_ns + self._frame_ns)

    def book(self) -> BusBook | None:
        """Return the diagnostics, of all who are on the bus when first asked; None on a real bus."""
        if self.medium is not None and self._book is None:
            self._book = BusBook(self.medium, self._frame_ns)
        return self._book

    def clock(self) -> dict[str, float | None]:
        """Return its time stamps against the bench's clock: they are the time of the flight."""
        return dict(EXACT)

    def figures(self) -> dict[str, Any] | None:
        """Return what has happened on the bus so far, as JSON values; None without a medium."""
        book = self.book()
        return None if book is None else book.sums()

    def close(self) -> None:
        """Close guests and the log; safe to call twice."""
        for guest in self._guests:
            guest.close()
        self._guests.clear()
        if self._listener is not None:
            self._listener.close()
            self._listener = None
            self._path.unlink(missing_ok=True)
        if self._log is not None:
            self._log.close()


def _passes(node: Node, frame: bytes) -> bool:
    """Tell whether a node's filter lets a frame through to its firmware."""
    accepted = node.accepts is None or frame_id(frame) in node.accepts
    return accepted and (node.fd or not is_fd(frame)) and not frame[3] & _ERROR_BYTE


def _concerns(entry: Heard, guest: Guest) -> bool:
    """Tell whether a guest hears something: not its own frames, unless it wants to, nor what it missed."""
    settings: Settings = guest.settings
    _, sender, frame, missed = entry
    if frame_id(frame) & ERROR:
        return settings.errors
    return guest.controller not in missed and (settings.own or sender is not guest.controller)


def _as_heard(entry: Heard, guest: Guest) -> tuple[int, bytes]:
    """Return when something ended and what a guest hears: of errors it knows its own controller's state."""
    end_ns, sender, frame, _ = entry
    own = guest.controller
    if frame_id(frame) & ERROR and own is not None and sender is not own:
        return end_ns, error_as_heard(frame, own.tec, own.rec)
    return end_ns, frame


def _sweep(folder: Path) -> None:
    """Remove the sockets of flights that were killed."""
    for path in folder.glob("*.sock"):
        pid = path.name.split(".")[-3]
        if pid.isdigit() and not Path(f"/proc/{pid}").exists():
            path.unlink(missing_ok=True)
