"""The virtual CAN bus: needs no kernel module, delivers in an order that does not depend on luck.

In lockstep, everything sent in a frame is sorted by id (the sender's place and order decide between
equals) and delivered to all other nodes in the next frame. On the wall clock, frames are passed on as
they come. Real buses and guests (other processes that listen in) are further members.
"""

from __future__ import annotations

import contextlib
import os
import select
import socket
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Final, Protocol

from hil.wire.canframe import FRAME_BYTES, frame_id

__all__ = ["BusLog", "Gateway", "Node", "VirtualBus", "guest_folder"]

_BURST: Final = 4096
"""Most frames taken from one member at a time."""
_FEW: Final = 4
"""Ids up to which a node is served by looking them up: a valve board has one."""
_UNPOLLED_S: Final = 1e-3
"""How often a real bus that cannot be polled is looked at, on the wall clock."""


def guest_folder() -> Path:
    """Return the folder of the sockets that guests connect to."""
    base = os.environ.get("XDG_RUNTIME_DIR") or tempfile.gettempdir()
    return Path(base) / f"lastbrake-{os.getuid()}"


class Node:
    """A board's place on a bus: what waits for it, what it has sent.

    A board in process uses the lists alone. A board that is a process has a `socket` that carries one
    frame a packet: in lockstep its driver moves frames between socket and lists, on the wall clock
    (`live`) the bus does.
    """

    def __init__(self, name: str, accepts: frozenset[int] | None = None) -> None:
        self.name = name
        self.accepts = accepts
        """Ids that its acceptance filter lets through, as the filter of a CAN controller; None: all."""
        few = accepts is not None and len(accepts) <= _FEW
        self.wanted = tuple(sorted(accepts)) if few and accepts is not None else None
        """The same in order, of a node that accepts few: quicker looked up than filtered."""
        self.inbox: list[bytes] = []
        self.outbox: list[bytes] = []
        self.socket: socket.socket | None = None
        self.live = False
        self.deaf = False
        """True while the board is dead: what it would hear is lost, what it sends is not heard."""
        self.muted = False
        """True once what the board's process sends by itself is thrown away."""
        self.lost = 0
        """Frames that did not fit into the socket."""

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

    def hand_over(self) -> int:
        """Lockstep: pass what waits to the board's process; return how many frames that are."""
        assert self.socket is not None
        for frame in self.inbox:
            self.socket.send(frame)
        return len(self.inbox)

    def collect(self, count: int) -> None:
        """Lockstep: take the `count` frames that the board's process has sent."""
        assert self.socket is not None
        self.outbox = [self.socket.recv(FRAME_BYTES, socket.MSG_DONTWAIT) for _ in range(count)]

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


_Sent = tuple[int, Node, bytes]
"""A frame that was sent: its id, who sent it, the frame."""


class Gateway(Protocol):
    """A real bus as a member of the virtual one."""

    def send(self, frame: bytes) -> None:
        """Put a frame on the real bus."""

    def drain(self) -> list[bytes]:
        """Return what has come from it, without waiting."""

    def fileno(self) -> int:
        """Return what to poll for incoming frames, -1 when it has none."""

    def close(self) -> None:
        """Close the real bus."""


class BusLog:
    """The traffic as candump writes it: readable line by line, however the run ends."""

    def __init__(self, path: Path, channel: str) -> None:
        self._file = path.open("wb", buffering=0)
        self._channel = channel

    def write(self, t_ns: int, frames: list[bytes]) -> None:
        """Append frames sent at `t_ns`."""
        if not frames:
            return
        head = f"({t_ns // 1_000_000_000:010d}.{t_ns // 1000 % 1_000_000:06d}) {self._channel} "
        lines = [f"\0{frame_id(f):03x}#{f[8 : 8 + min(f[4], 8)].hex()}\n" for f in frames]
        self._file.write("".join(lines).upper().replace("\0", head).encode())

    def close(self) -> None:
        """Close the file; safe to call twice."""
        self._file.close()


class VirtualBus:
    """One bus: boards, guests, real buses."""

    def __init__(self, channel: str, log: BusLog | None = None) -> None:
        self.channel = channel
        self.nodes: list[Node] = []
        self.gateways: list[Gateway] = []
        self.dead: set[str] = set()
        """Names of nodes whose process has closed its end."""
        self._log = log
        self._heard: list[bytes] = []
        self._guests: list[socket.socket] = []
        self._listener: socket.socket | None = None
        self._poll = select.poll()
        self._sources: dict[int, Callable[[], None]] = {}

    def attach(self, name: str, accepts: frozenset[int] | None = None) -> Node:
        """Return a new node that hears `accepts`; the order of attaching decides between equal ids."""
        node = Node(name, accepts)
        self.nodes.append(node)
        return node

    def add_gateway(self, gateway: Gateway) -> None:
        """Make a real bus a member; it is served at once on the wall clock, once a frame in lockstep."""
        self.gateways.append(gateway)
        if gateway.fileno() >= 0:
            self._watch(gateway.fileno(), lambda: self._forward(gateway.drain(), gateway))

    def go_live(self, node: Node) -> None:
        """Let the bus serve a node's socket by itself (wall clock)."""
        assert node.socket is not None
        node.live = True
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
        """Open the door for guests; return the path of its socket."""
        folder = guest_folder()
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        _sweep(folder)
        path = folder / f"{self.channel.replace('/', '_')}.{os.getpid()}.{id(self):x}.sock"
        listener = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        listener.setblocking(False)
        listener.bind(str(path))
        listener.listen()
        self._listener = listener
        self._path = path
        self._watch(listener.fileno(), self._accept)
        return path

    def _accept(self) -> None:
        assert self._listener is not None
        with contextlib.suppress(OSError):
            guest, _ = self._listener.accept()
            guest.setblocking(False)
            self._guests.append(guest)
            self._watch(guest.fileno(), lambda: self._serve_guest(guest))

    def _serve_guest(self, guest: socket.socket) -> None:
        frames = _drain(guest)
        if frames:
            self._forward(frames, guest)
        else:
            self._unwatch(guest.fileno())
            self._guests.remove(guest)
            guest.close()

    # ---- moving frames

    def _serve(self, node: Node) -> None:
        frames = node.drain_socket()
        if not frames:
            self._unwatch(node.socket.fileno() if node.socket is not None else -1)
            self.dead.add(node.name)
        elif not node.deaf and not node.muted:
            self._forward(frames, node)

    def _forward(self, frames: list[bytes], sender: object) -> None:
        """Pass frames on at once to whoever is served at once; keep them for the rest of the frame."""
        self._heard += frames
        for node in self.nodes:
            if node is not sender:
                self._deliver(node, frames)
        self._to_outsiders(frames, sender)

    @staticmethod
    def _deliver(node: Node, frames: list[bytes]) -> None:
        """Give a node the frames it accepts; those for a live node whose board is dead are lost."""
        if node.accepts is not None:
            frames = [frame for frame in frames if frame_id(frame) in node.accepts]
        VirtualBus._give(node, frames)

    @staticmethod
    def _give(node: Node, frames: list[bytes]) -> None:
        if not node.live:
            node.inbox += frames
        elif not node.deaf:
            for frame in frames:
                node.send_socket(frame)

    def _hand_over(self, sent: list[_Sent]) -> None:
        """Give every node what others have sent and it accepts; `sent` is in the order of ids."""
        by_id: dict[int, list[_Sent]] = {}
        for entry in sent:
            by_id.setdefault(entry[0], []).append(entry)
        for node in self.nodes:
            node.outbox = []
            accepts = node.accepts
            if node.wanted is not None:
                frames = [f for i in node.wanted for _, sender, f in by_id.get(i, ()) if sender is not node]
            elif accepts is not None:
                frames = [f for can_id, sender, f in sent if can_id in accepts and sender is not node]
            else:
                frames = [f for _, sender, f in sent if sender is not node]
            self._give(node, frames)

    def _to_outsiders(self, frames: list[bytes], sender: object) -> None:
        for guest in self._guests:
            if guest is not sender:
                with contextlib.suppress(OSError):
                    for frame in frames:
                        guest.send(frame)
        for gateway in self.gateways:
            if gateway is not sender:
                for frame in frames:
                    gateway.send(frame)

    def _serve_ready(self, timeout_ms: float) -> None:
        for descriptor, _ in self._poll.poll(timeout_ms):
            serve = self._sources.get(descriptor)
            if serve is not None:
                serve()

    def pump(self, timeout_s: float) -> None:
        """Serve live nodes, guests and real buses until something has been served or time is up."""
        if self._serve_unpolled():
            timeout_s = min(timeout_s, _UNPOLLED_S)
        self._serve_ready(max(timeout_s, 0.0) * 1e3)

    def _serve_unpolled(self) -> bool:
        """Serve real buses that have nothing to poll; True when there are any."""
        unpolled = [gateway for gateway in self.gateways if gateway.fileno() < 0]
        for gateway in unpolled:
            frames = gateway.drain()
            if frames:
                self._forward(frames, gateway)
        return bool(unpolled)

    def exchange(self, t_ns: int) -> list[bytes]:
        """Deliver what was sent in this frame; return it in the order in which it was on the bus."""
        for node in self.nodes:
            node.inbox = node.inbox if node.live else []
        if self._sources:
            self._serve_ready(0)
        self._serve_unpolled()
        sent = [(frame_id(f), node, f) for node in self.nodes if not node.deaf for f in node.outbox]
        sent.sort(key=_by_id)
        self._hand_over(sent)
        frames = [f for _, _, f in sent]
        if self._guests or self.gateways:
            self._to_outsiders(frames, None)
        heard = self._heard + frames
        self._heard = []
        if self._log is not None:
            self._log.write(t_ns, heard)
        return heard

    def close(self) -> None:
        """Close guests, real buses and the log; safe to call twice."""
        for guest in self._guests:
            guest.close()
        self._guests.clear()
        if self._listener is not None:
            self._listener.close()
            self._listener = None
            self._path.unlink(missing_ok=True)
        for gateway in self.gateways:
            gateway.close()
        self.gateways.clear()
        if self._log is not None:
            self._log.close()


def _sweep(folder: Path) -> None:
    """Remove the sockets of flights that were killed."""
    for path in folder.glob("*.sock"):
        pid = path.name.split(".")[-3]
        if pid.isdigit() and not Path(f"/proc/{pid}").exists():
            path.unlink(missing_ok=True)


def _by_id(entry: _Sent) -> int:
    return entry[0]
