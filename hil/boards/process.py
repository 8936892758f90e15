"""Form `process`: the firmware as a process of its own, on sockets and a pseudo-terminal.

The bench never kills a board that still answers: it hangs up, and the board closes its valves by
itself (firmware_stubs/port_host/host.h), at the latest two seconds later.
"""

from __future__ import annotations

import contextlib
import os
import socket
import struct
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

import numpy as np
import numpy.typing as npt

from hil.boards.child import (
    ANSWER_S,
    FLAG_DEAD,
    FLAG_RESTART,
    LINES,
    TICK,
    TICK_MAGIC,
    TOCK,
    TOCK_MAGIC,
    ChildBoard,
    obituary,
)
from hil.boards.common import Backlog, Role
from hil.boards.outputs import ALL_VALID, Seam
from hil.signals import BoardLost, RigError
from hil.signals.clocks import ClockMatch
from hil.wire.bus import Node
from hil.wire.can_hardware import DirectNode
from hil.wire.canframe import FRAME_BYTES
from hil.wire.sensor_lines import LINE_NAMES, SensorLine
from hil.wire.transport import LinkLost, PtyTransport
from hil.wire.wire_set import CanBus

__all__ = ["ANSWER_S", "WALL_ANSWER_S", "Launch", "ProcessBoard", "launch"]

_MOST_CAN: Final = 1024
"""Most frames that go with a tick or a tock (host.h)."""
READY_S: Final = 10.0
"""Wall time that a board on a bus of its own has to open its interface."""
WALL_ANSWER_S: Final = 1.0
"""Time without an answer, both simulated and real, after which a board on the wall clock is frozen.

Long enough for a machine that starves a healthy process: that makes the flight INVALID, not the rig broken.
"""
_MOST_TOCK: Final = TOCK.size + _MOST_CAN * FRAME_BYTES
PRIORITY: Final = 60
"""Of a board's process on the wall clock, below the bench that looks after it."""
BEHIND_S: Final = 0.1
"""Wall time without an answer after which nothing more is written to a board's serial link."""


def _timeval(duration_s: float) -> bytes:
    """Return a duration as socket options take it (struct timeval)."""
    return struct.pack("@ll", int(duration_s), int(duration_s % 1.0 * 1e6))


@dataclass
class Launch:
    """A started board process and the bench's ends of its control socket and bus.

    `can` is None in lockstep, where frames go with ticks and tocks, and for a board that opens a SocketCAN
    interface by itself.
    """

    process: subprocess.Popen[bytes]
    control: socket.socket
    can: socket.socket | None


def _config_pipe(config: bytes) -> int:
    """Return the reading end of a pipe that holds the configuration."""
    read_end, write_end = os.pipe()
    try:
        os.write(write_end, config)
    finally:
        os.close(write_end)
    return read_end


def launch(
    name: str,
    executable: Path,
    config: bytes,
    *,
    frame_us: int,
    pace: Literal["lockstep", "wall"],
    serial: Mapping[str, int],
    log: Path | None,
    bus: tuple[str, frozenset[int]] | None = None,
) -> Launch:
    """Start a board; raise RigError when the system does not let it start.

    `serial` holds the descriptors of pseudo-terminals' masters, which the board inherits: "serial" is the
    navigation link's, the others are called as the sensors' lines. `bus` is the SocketCAN interface that
    it opens by itself and the ids that it lets in (then this returns once it hears its bus); without, it
    speaks through the bench.
    """
    control, board_control = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    inherited = {"--control": board_control.detach(), "--config": _config_pipe(config)}
    can = None
    if bus is None and pace == "wall":
        can, board_can = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        inherited["--can"] = board_can.detach()
    if log is not None:
        inherited["--log"] = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_APPEND, 0o644)
    passed = inherited | {f"--{line}": master for line, master in serial.items()}
    arguments = [text for option, number in passed.items() for text in (option, str(number))]
    if bus is not None:
        ids = ",".join(f"{can_id:03x}" for can_id in sorted(bus[1]))
        arguments += ["--can-interface", bus[0], "--accept", ids]
    try:
        process = subprocess.Popen(
            [str(executable), "--frame-us", str(frame_us), "--mode", pace, *arguments],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            pass_fds=tuple(passed.values()),
            start_new_session=True,  # Ctrl-C is for the bench alone
        )
    except OSError as error:
        control.close()
        if can is not None:
            can.close()
        raise RigError(f"board {name}: {executable}: cannot be started: {error.strerror}") from None
    finally:
        for descriptor in inherited.values():
            os.close(descriptor)
    start = Launch(process, control, can)
    if bus is not None:
        _await_ready(name, start)
    return start


def _await_ready(name: str, start: Launch) -> None:
    """Return when a board hears its own bus; raise BoardLost, with nothing left behind, when it does not."""
    start.control.settimeout(READY_S)
    try:
        ready = len(start.control.recv(TOCK.size + 1)) == TOCK.size
    except OSError:
        ready = False
    if ready:
        return
    start.control.close()
    try:
        told = obituary(start.process)
    finally:
        start.process.kill()
        start.process.wait()
    raise BoardLost(name, told)


class ProcessBoard(ChildBoard):
    """A board whose firmware runs as a process."""

    backend = "process"

    def __init__(
        self,
        name: str,
        role: Role,
        start: Launch,
        node: Node,
        seam: Seam,
        *,
        pace: Literal["lockstep", "wall"],
        bus: CanBus,
        fleet: list[ChildBoard],
        nav: Callable[[], bytes] | None = None,
        link: PtyTransport | None = None,
        lines: Sequence[tuple[SensorLine, PtyTransport | None]] = (),
    ) -> None:
        """`fleet` collects the boards of a flight, which end together.

        `nav` gives the navigation link's bytes of a frame, `link` is where they go; `lines` is the same for
        each sensor's line (None: its bytes go elsewhere).
        """
        super().__init__(name, role, start.process, node, seam, fleet)
        self._control = start.control
        self._nav = nav
        self._link = link
        self._lines = lines
        self._tock = memoryview(bytearray(_MOST_TOCK + 1))
        self._live = pace == "wall"
        self._epoch_ns = 0
        self._answered_s = time.monotonic()
        self._answered_t_ns = 0
        self._lag_s: npt.NDArray[np.float64] = np.zeros(())
        self.clock = ClockMatch()
        """The board's clock against the bench's, on the wall clock."""
        node.socket = start.can
        self._direct = node if isinstance(node, DirectNode) else None
        """The place of a board that is on the bus by itself: dead or alive, it is told of every frame."""
        if self._direct is not None:
            self._direct.silence = self.hang_up
        if self._live:
            with contextlib.suppress(OSError):  # where it is permitted: a board's clock waits for nobody
                os.sched_setscheduler(start.process.pid, os.SCHED_FIFO, os.sched_param(PRIORITY))
            if start.can is not None:
                start.can.setblocking(False)
            self._control.setblocking(False)
            bus.go_live(node)
        else:
            self._control.setblocking(True)
            for option in (socket.SO_SNDTIMEO, socket.SO_RCVTIMEO):
                # a timeout of Python's own polls before each call; half the system calls
                self._control.setsockopt(socket.SOL_SOCKET, option, _timeval(ANSWER_S))
            with contextlib.suppress(OSError):
                # a board that is told of its frame lets the bench tell the others first: fewer hand-overs
                os.sched_setscheduler(start.process.pid, os.SCHED_BATCH, os.sched_param(0))

    def note_lag(self, answer_s: npt.NDArray[np.float64]) -> None:
        """From now on raise `answer_s`, shape (), to this board's lag where that is more."""
        self._lag_s = answer_s

    # ---- a frame

    def start_frame(self, t_ns: int) -> None:
        """Hand over bus, link, time and sensors; the board runs while the bench goes on."""
        self._t_ns = t_ns
        if self._live:
            self._lag_s[()] = 0.0  # every board starts its frame before one of them finishes it
        self._waiting = False
        serial = b"" if self._nav is None else self._nav()
        spoken = [line.take() for line, _ in self._lines]
        announced = [0] * LINES
        node = self._node
        node.deaf = self.faults.silent or self.lost is not None
        stopped = node.deaf or self.faults.frozen
        if stopped and not self._stays_stopped():
            return
        if not stopped:
            node.inbox, serial = self._backlog.with_new(node.inbox, serial)
        try:
            if not stopped and self._unanswered_s() <= BEHIND_S:
                if self._link is not None:
                    self._link.write(serial)
                self._speak(spoken, announced)
            self._send_tick(t_ns, 0 if stopped else len(serial), announced)
            self._waiting = True
        except BlockingIOError:
            self._waiting = True  # the board is behind: it will take a later tick
        except (OSError, LinkLost):
            self._lose(self._obituary())

    def _stays_stopped(self) -> bool:
        """Pass over a frame that the board does not run; tell whether its process is to be told of it."""
        self._backlog = Backlog()
        self._answered_s, self._answered_t_ns = (
            time.monotonic(),
            self._t_ns,
        )  # when it runs again it has its time
        if self._node.deaf:
            self._seam.no_power()
        return self.lost is None and (self._live or self._direct is not None)

    def skip_frame(self) -> None:
        """Let the frame pass without the board, whose clock is slow; what the bus brings waits for it."""
        self._waiting = False
        self._node.deaf = self.lost is not None
        for line, _ in self._lines:
            line.missed(len(line.take()))
        self._backlog.keep(self._node.inbox, b"" if self._nav is None else self._nav())

    def _speak(self, spoken: list[bytes], announced: list[int]) -> None:
        """Put the bytes of the sensors' lines on their way; a board that does not read misses them."""
        for (line, link), data in zip(self._lines, spoken, strict=True):
            if link is not None:
                taken = link.offer(data)
                line.missed(len(data) - taken)
                announced[LINE_NAMES.index(line.name)] = taken

    def _send_tick(self, t_ns: int, serial: int, announced: list[int]) -> None:
        if self._live and self._epoch_ns == 0:
            self._epoch_ns = time.monotonic_ns() - t_ns
            self._answered_s = time.monotonic()
        valid = self._seam.read_sensors(self._sensors)
        restart = self.faults.restart and not self.faults.stopped
        flags = (FLAG_DEAD if self.faults.stopped else 0) | (FLAG_RESTART if restart else 0)
        count, carried = (0, b"") if self._live else self._frames_for_board()
        inputs = (valid & ALL_VALID, count, serial, *announced, *self._sensors)
        self._control.send(TICK.pack(TICK_MAGIC, flags, t_ns, self._epoch_ns, *inputs) + carried)
        self.faults.restart = self.faults.restart and not restart

    def _frames_for_board(self) -> tuple[int, bytes]:
        """Lockstep: return how many frames wait for the board, and those that go with the tick."""
        if self._direct is not None:
            return self._direct.hand_over(), b""
        frames = self._node.inbox[:_MOST_CAN]
        self._node.lost += len(self._node.inbox) - len(frames)
        return len(frames), b"".join(frames)

    def finish_frame(self) -> None:
        """Take the board's outputs; raise BoardLost when it has died or does not answer.

        On the wall clock the newest outputs that have come are taken, and nothing is waited for.
        """
        if not self._waiting:
            return
        self._waiting = False
        if self._live:
            self._take_newest()
            return
        tock = self._tock[: self._receive()]
        if not tock:
            self._lose(self._obituary())
        fields = TOCK.unpack_from(tock) if len(tock) >= TOCK.size else (0,)
        if fields[0] != TOCK_MAGIC or len(tock) != TOCK.size + self._carried(fields[1]):
            self._lose("spoke nonsense on its control socket")
        if fields[2] != self._t_ns:
            self._lose(f"is out of step: answered frame {fields[2]} ns, asked for {self._t_ns} ns")
        if self._direct is not None:
            self._direct.collect(fields[1])
        else:
            carried = bytes(tock[TOCK.size :])
            self._node.outbox = [carried[at : at + FRAME_BYTES] for at in range(0, len(carried), FRAME_BYTES)]
        if not self.faults.stopped:
            self._take(fields)

    def _carried(self, frames: int) -> int:
        """Return how many bytes follow a tock that says that so many frames were sent."""
        return 0 if self._direct is not None else FRAME_BYTES * frames

    def _receive(self) -> int:
        """Wait for the board's answer; return how many bytes it has, 0 when the board has closed its end."""
        try:
            return self._control.recv_into(self._tock)
        except BlockingIOError:
            self._lose(self._frozen(ANSWER_S))
        except OSError:
            return 0
        raise AssertionError("unreachable")

    def _take_newest(self) -> None:
        newest = None
        try:
            while tock := self._control.recv(TOCK.size + 1):
                newest = tock
        except BlockingIOError:
            tock = b"more to come"
        except OSError:
            tock = b""
        if newest is not None and len(newest) == TOCK.size:
            self._answered_s = time.monotonic()
            self._answered_t_ns = self._t_ns
            self.clock.note(self._answered_s - 1e-9 * self._epoch_ns, 1e-9 * TOCK.unpack(newest)[2])
            if not self.faults.stopped:
                self._take(TOCK.unpack(newest))
        if not tock:
            self._lose(self._obituary())
        lag_s = self._unanswered_s()
        self._lag_s[()] = max(float(self._lag_s), lag_s)
        if lag_s > WALL_ANSWER_S:
            self._lose(self._frozen(WALL_ANSWER_S))

    def _unanswered_s(self) -> float:
        """Return for how long a board on the wall clock has not answered; 0 where nobody expects it to.

        Both clocks have to say so: a bench that catches up after a stall has asked often in no time.
        """
        if self.faults.stopped or not self._live:
            return 0.0
        return min(time.monotonic() - self._answered_s, 1e-9 * (self._t_ns - self._answered_t_ns))

    def _close_ends(self) -> None:
        self._control.close()
        if self._node.socket is not None:
            self._node.socket.close()
            self._node.socket = None
        for link in (self._link, *(link for _, link in self._lines)):
            if link is not None:
                link.close()
