"""Form `emulated`: the firmware as an image of a Cortex-M7 with double precision, run by QEMU (mps2-an500).

Image and bench exchange one packet each way a frame (firmware_stubs/port_mps2_an500/board.h). Between an
answer and the next frame the emulator stands still, so a board depends on no clock, whatever the pace.
"""

from __future__ import annotations

import contextlib
import functools
import os
import select
import shutil
import struct
import subprocess
import tempfile
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import IO, Final

import numpy as np
import numpy.typing as npt

from hil.boards._firmware import lib
from hil.boards.child import ANSWER_S, FLAG_RESTART, LINES, TICK, TICK_MAGIC, TOCK, TOCK_MAGIC, ChildBoard
from hil.boards.common import Backlog, Role
from hil.boards.outputs import ALL_VALID, Seam
from hil.kernel.toolchain import CORTEX_M7, compiler_of
from hil.signals import RigError
from hil.wire.bus import Node
from hil.wire.canframe import FRAME_BYTES
from hil.wire.sensor_lines import LINE_NAMES, SensorLine

__all__ = ["EmulatedBoard", "Emulation", "emulate", "emulation_lacks", "emulation_tools", "launch_emulated"]

QEMU: Final = "qemu-system-arm"
_SPECS: Final = "nano.specs"
_MACHINE: Final = (
    *("-M", "mps2-an500", "-nodefaults", "-nic", "none", "-display", "none", "-monitor", "none"),
    *("-serial", "none", "-icount", "shift=10,sleep=off"),
)
"""1024 ns of the board's time an instruction, from which machine.c counts them."""
_DESCRIPTOR: Final = "/proc/self/fd/"
_START: Final = struct.Struct("=IIII")
_START_MAGIC: Final = 0x54524154
_WORK: Final = struct.Struct("=II")
_MOST_CAN: Final = int(lib.PORT_MEMORY_CAN)
_MOST_SERIAL: Final = int(lib.PORT_MEMORY_SERIAL)
_MOST_LINE: Final = int(lib.PORT_MEMORY_LINE)
"""What a frame brings a board at most."""
_MOST_READ: Final = 65536

START_S: Final = 20.0
"""Wall time until the first answer: the emulator's start and its first translation of the image."""
_ENDED: Final = {
    20: "could not make sense of what the bench said",
    30: "its processor has faulted",
    31: "its watchdog has expired: 168 million instructions without an answer",
}
"""Exit statuses of an image (board.h), in words."""


def _qemu() -> str:
    path = shutil.which(QEMU)
    if path is None:
        raise RigError(f"no emulator: {QEMU!r} is not on the path (apt-get install qemu-system-arm)")
    return path


@functools.cache
def emulation_tools() -> str:
    """Say which emulator and compiler there are; raise RigError, with how to get it, for one that is not."""
    said = subprocess.run([_qemu(), "--version"], capture_output=True, text=True, check=False).stdout
    compiler, version = compiler_of(CORTEX_M7)
    library = subprocess.run(
        [compiler, f"-print-file-name={_SPECS}"], capture_output=True, text=True, check=False
    )
    if library.stdout.strip() == _SPECS:  # a name that the compiler does not find comes back as it is
        raise RigError(f"no C library for the Cortex-M7: {CORTEX_M7.compiler} lacks newlib ({CORTEX_M7.get})")
    return "; ".join(text.splitlines()[0] for text in (said, version) if text)


def emulation_lacks() -> str | None:
    """Say what this machine lacks to emulate boards, and how to get it; None when nothing."""
    try:
        emulation_tools()
    except RigError as lacking:
        return str(lacking)
    return None


class Emulation:
    """A started emulator: its process with both pipes, and what it says of itself."""

    def __init__(self, process: subprocess.Popen[bytes], complaints: IO[bytes]) -> None:
        """`complaints` takes the process's standard error."""
        assert process.stdin is not None
        assert process.stdout is not None
        self.process = process
        self._complaints = complaints
        self._into = process.stdin
        self._out_of = process.stdout
        self._poll = select.poll()
        self._poll.register(self._out_of, select.POLLIN)

    def send(self, packet: bytes) -> None:
        """Send all of `packet`; raise OSError when the emulator is gone."""
        rest = memoryview(packet)
        while rest:
            rest = rest[self._into.write(rest) :]

    def receive(self, room: int, wait_s: float) -> bytes:
        """Return what comes within `wait_s`, at most `room` bytes, b"" when the emulator is gone.

        Raises TimeoutError.
        """
        if not self._poll.poll(wait_s * 1e3):
            raise TimeoutError
        return os.read(self._out_of.fileno(), room)

    def hang_up(self) -> None:
        """Close both pipes; the image ends by itself; safe to call twice."""
        self._into.close()
        self._out_of.close()
        self._complaints.close()

    def last_complaint(self) -> str:
        """Return the last line that the emulator has written on standard error, warnings aside."""
        self._complaints.seek(0)
        said = self._complaints.read().decode(errors="replace").splitlines()
        return next((line for line in reversed(said) if line.strip() and "warning:" not in line), "")


def emulate(image: Path, log: Path | None = None) -> Emulation:
    """Start an image; `log` is where it logs. Raises RigError when that cannot be."""
    qemu = _qemu()
    opened = None if log is None else os.open(log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_APPEND, 0o644)
    # an argument even where there is no log: without one QEMU gives the image its own path
    files = f"enable=on,target=native,arg={'none' if opened is None else f'{_DESCRIPTOR}{opened}'}"
    complaints = tempfile.TemporaryFile()  # noqa: SIM115 - lives as long as the board
    try:
        process = subprocess.Popen(
            [qemu, *_MACHINE, *("-semihosting-config", files), *("-kernel", str(image))],
            bufsize=0,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=complaints,
            pass_fds=() if opened is None else (opened,),
            start_new_session=True,  # Ctrl-C is for the bench alone
        )
    except OSError as error:
        complaints.close()
        raise RigError(f"{qemu}: cannot be started: {error.strerror}") from None
    finally:
        if opened is not None:
            os.close(opened)
    return Emulation(process, complaints)


def launch_emulated(name: str, image: Path, config: bytes, *, frame_us: int, log: Path | None) -> Emulation:
    """Start a board and hand it its configuration; raise RigError when the system does not let it start."""
    try:
        emulation = emulate(image, log)
    except (RigError, OSError) as error:
        raise RigError(f"board {name}: {error}") from None
    with contextlib.suppress(OSError):  # one that has ended already is told when its first frame is due
        emulation.send(_START.pack(_START_MAGIC, frame_us, len(config), 0) + config)
    return emulation


class EmulatedBoard(ChildBoard):
    """A board whose firmware runs as a Cortex-M7 image."""

    backend = "emulated"

    def __init__(
        self,
        name: str,
        role: Role,
        emulation: Emulation,
        node: Node,
        seam: Seam,
        *,
        fleet: list[ChildBoard],
        nav: Callable[[], bytes] | None = None,
        lines: Iterable[SensorLine] = (),
    ) -> None:
        """`fleet` collects the boards of a flight; `nav` gives the navigation link's bytes of a frame,
        `lines` those of sensors on lines of their own."""
        super().__init__(name, role, emulation.process, node, seam, fleet)
        self._emulation = emulation
        self._nav = nav
        self._lines = [(LINE_NAMES.index(line.name), line) for line in lines]
        self._allowed_s = START_S
        self._work: npt.NDArray[np.int64] = np.zeros((), np.int64)

    def note_work(self, instructions: npt.NDArray[np.int64]) -> None:
        """From now on put the instructions of each step of the kernel into `instructions`, of shape ()."""
        self._work = instructions

    def start_frame(self, t_ns: int) -> None:
        """Hand over bus, link, time and sensors; the board runs while the bench goes on."""
        self._t_ns = t_ns
        self._waiting = False
        self._work[()] = 0
        serial = b"" if self._nav is None else self._nav()
        spoken = [b""] * LINES
        for number, line in self._lines:
            spoken[number] = line.take()[:_MOST_LINE]
        node = self._node
        node.deaf = self.faults.silent or self.lost is not None
        if node.deaf or self.faults.frozen:
            self._backlog = Backlog()
            if node.deaf:
                self._seam.no_power()
            return
        frames, serial = self._backlog.with_new(node.inbox, serial)
        frames, serial = frames[:_MOST_CAN], serial[:_MOST_SERIAL]
        flags = FLAG_RESTART if self.faults.restart else 0
        self.faults.restart = False
        valid = self._seam.read_sensors(self._sensors) & ALL_VALID
        sizes = (len(frames), len(serial), *map(len, spoken))
        tick = TICK.pack(TICK_MAGIC, flags, t_ns, 0, valid, *sizes, *self._sensors)
        try:
            self._emulation.send(b"".join((tick, *frames, serial, *spoken)))
        except OSError:
            self._lose(self._obituary())
        self._waiting = True

    def skip_frame(self) -> None:
        """Let the frame pass without the board, whose clock is slow; what the bus brings waits for it."""
        self._waiting = False
        self._work[()] = 0
        self._node.deaf = self.lost is not None
        for _, line in self._lines:
            line.missed(len(line.take()))
        self._backlog.keep(self._node.inbox, b"" if self._nav is None else self._nav())

    def finish_frame(self) -> None:
        """Take the board's outputs; raise BoardLost when it has died or does not answer."""
        if not self._waiting:
            return
        self._waiting = False
        head = TOCK.size + _WORK.size
        packet = self._receive(b"", head)
        fields = TOCK.unpack_from(packet)
        if fields[0] != TOCK_MAGIC or fields[1] > _MOST_CAN:
            self._lose("spoke nonsense")
        if fields[2] != self._t_ns:
            self._lose(f"is out of step: answered frame {fields[2]} ns, asked for {self._t_ns} ns")
        end = head + fields[1] * FRAME_BYTES
        packet = self._receive(packet, end)
        self._allowed_s = ANSWER_S
        self._node.outbox = [packet[at : at + FRAME_BYTES] for at in range(head, end, FRAME_BYTES)]
        self._work[()] = _WORK.unpack_from(packet, TOCK.size)[0]
        self._take(fields)

    def _receive(self, packet: bytes, count: int) -> bytes:
        """Return `packet` with what follows, until it has at least `count` bytes."""
        while len(packet) < count:
            try:
                piece = self._emulation.receive(_MOST_READ, self._allowed_s)
            except TimeoutError:
                self._lose(self._frozen(self._allowed_s))
            if not piece:
                self._lose(self._obituary())
            packet += piece
        return packet

    def _obituary(self) -> str:
        told = super()._obituary()
        status = self._process.returncode
        reason = self._emulation.last_complaint() if status == 1 else _ENDED.get(status or 0, "")
        return f"{told}: {reason}" if reason else told

    def _close_ends(self) -> None:
        self._emulation.hang_up()
