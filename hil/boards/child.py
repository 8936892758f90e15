"""What boards share whose firmware runs in a process of its own: what is said, and how they end."""

from __future__ import annotations

import contextlib
import signal
import struct
import subprocess
from abc import ABC, abstractmethod
from typing import Any, Final

from hil.boards.common import REFUSALS, Backlog, BoardFaults, Role
from hil.boards.outputs import Seam
from hil.signals import BoardLost, Reality
from hil.wire.bus import Node
from hil.wire.counting import REASONS, counts_by_reason
from hil.wire.sensor_lines import LINE_NAMES

__all__ = [
    "ANSWER_S",
    "CHANNELS",
    "FLAG_DEAD",
    "FLAG_RESTART",
    "LINES",
    "TICK",
    "TICK_MAGIC",
    "TOCK",
    "TOCK_MAGIC",
    "ChildBoard",
    "obituary",
]

LINES: Final = len(LINE_NAMES)
TICK: Final = struct.Struct(f"=IIqqIII{LINES}I8d")
TOCK: Final = struct.Struct(f"=IIqiI8d{(1 + LINES) * len(REASONS)}I")
"""host_tick_t and host_tock_t of firmware_stubs/port_host/host.h."""
TICK_MAGIC: Final = 0x4B434954
TOCK_MAGIC: Final = 0x4B434F54
FLAG_DEAD: Final = 1
FLAG_RESTART: Final = 2
"""HOST_FLAG_... of the same file."""
CHANNELS: Final = 8
"""Most actuator outputs, and most sensor inputs, of a board (port.h)."""
ANSWER_S: Final = 2.0
"""Wall time that a board has for its frame in lockstep; then it counts as frozen."""
END_S: Final = 2.5
"""Wall time that a board has to close its valves and end once the bench has hung up."""
_REFUSED: Final = 10
"""Exit status of a board that refused to start, less the reason's number (host.c)."""
_NO_BUS: Final = 21
"""Exit status of a board whose CAN interface does not open (host.c)."""


def obituary(process: subprocess.Popen[bytes]) -> str:
    """Say how a board's process has ended."""
    try:
        status = process.wait(timeout=0.5)
    except subprocess.TimeoutExpired:
        return f"process {process.pid} has closed its end"
    if status < 0:
        name = signal.Signals(-status).name if -status in {s.value for s in signal.Signals} else "unknown"
        return f"process {process.pid} was killed by signal {-status} ({name})"
    if status - _REFUSED in REFUSALS:
        return f"process {process.pid} refused to start: {REFUSALS[status - _REFUSED]}"
    if status == _NO_BUS:
        return f"process {process.pid} ended: its CAN interface does not open (its log says why)"
    return f"process {process.pid} ended with exit status {status}"


class ChildBoard(ABC):
    """A board that is a process: hung up on it closes its valves by itself, then ends."""

    backend: str
    reality: Reality = "virtual"

    def __init__(
        self,
        name: str,
        role: Role,
        process: subprocess.Popen[bytes],
        node: Node,
        seam: Seam,
        fleet: list[ChildBoard],
    ) -> None:
        """`fleet` collects the boards of a flight, which end together."""
        self.name = name
        self.role = role
        self.faults = BoardFaults()
        self.lost: BoardLost | None = None
        """The first failure; afterwards the board drives nothing and is not spoken to."""
        self._process = process
        self._node = node
        self._seam = seam
        self._waiting = False
        self._sensors = [0.0] * CHANNELS
        self._backlog = Backlog()
        self._safe = role == "flight_computer"
        self._counts: tuple[int, ...] = (0,) * ((1 + LINES) * len(REASONS))
        self._t_ns = 0
        self._hung_up = False
        self._reaped = False
        self._fleet = fleet
        fleet.append(self)

    @property
    def pid(self) -> int:
        """Number of the board's process."""
        return self._process.pid

    def _take(self, fields: tuple[Any, ...]) -> None:
        """Take what a board has answered: the fields of TOCK."""
        self._safe = bool(fields[3])
        if self.faults.undriven:
            self._seam.no_power()
        else:
            self._seam.drive(fields[5 : 5 + CHANNELS])
        self._counts = fields[5 + CHANNELS :]

    # ---- the end

    def _frozen(self, allowed_s: float) -> str:
        return f"does not answer: process {self.pid} has been silent for {allowed_s:g} s"

    def _obituary(self) -> str:
        """Say how the process has ended."""
        return obituary(self._process)

    def _lose(self, text: str) -> None:
        """Latch the first failure and raise it."""
        self._seam.no_power()
        self._node.deaf = True
        self._node.outbox = []
        self.lost = BoardLost(self.name, text)
        raise self.lost

    @property
    def safe(self) -> bool:
        """True when the board last said that it drives nothing and its valves are on their stops."""
        return self._safe and self.lost is None

    def counters(self) -> dict[str, int]:
        """Return frames accepted and rejected by reason, as the board last reported."""
        return counts_by_reason(self._counts[: len(REASONS)])

    def line_counters(self, line: str) -> dict[str, int]:
        """Return frames accepted and rejected by reason on a sensor's line, as the board last reported."""
        at = len(REASONS) * (1 + LINE_NAMES.index(line))
        return counts_by_reason(self._counts[at : at + len(REASONS)])

    def close(self) -> None:
        """Hang up on the whole fleet, let this board make itself safe, and reap it; safe to call twice.

        The fleet hears it at once, so that all boards close their valves side by side.
        """
        for board in self._fleet:
            board.hang_up()
        if self._reaped:
            return
        self._reaped = True
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(timeout=END_S)
        if self._process.returncode is None:
            self._process.kill()
            self._process.wait()

    def hang_up(self) -> None:
        """Close the bench's ends: the board closes its valves by itself and ends; safe to call twice."""
        if not self._hung_up:
            self._hung_up = True
            self._close_ends()

    @abstractmethod
    def _close_ends(self) -> None:
        """Close what the bench speaks and listens through."""
