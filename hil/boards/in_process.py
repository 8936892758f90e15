"""Form `in_process`: the firmware with its node layer, stepped by the bench through a port in memory."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

from hil.boards._firmware import ffi, lib
from hil.boards.common import Backlog, BoardFaults, Role, aligned, kernel_table, refuse
from hil.boards.outputs import Seam
from hil.kernel import Kernel
from hil.signals import Reality
from hil.wire.bus import Node
from hil.wire.canframe import FRAME_BYTES
from hil.wire.counting import counts_by_reason
from hil.wire.sensor_lines import LINE_NAMES, SensorLine

__all__ = ["FlightComputer", "ValveBoard"]

_MOST_CAN: Final = int(lib.PORT_MEMORY_CAN)
_MOST_SERIAL: Final = int(lib.PORT_MEMORY_SERIAL)
_MOST_LINE: Final = int(lib.PORT_MEMORY_LINE)


class _InProcess:
    """What both firmwares share: the port in memory, and the way in and out of it."""

    role: Role
    backend = "in_process"
    reality: Reality = "virtual"

    def __init__(self, name: str, node: Node, seam: Seam, step: Callable[..., None]) -> None:
        self.name = name
        self.faults = BoardFaults()
        self._backlog = Backlog()
        self._node = node
        self._seam = seam
        self._step = step
        self._port = ffi.new("port_t *")
        self._memory = ffi.new("port_memory_t *")
        lib.port_memory_init(self._memory, self._port)
        self._actuator = self._memory.actuator
        self._outbox = ffi.buffer(self._memory.outbox)
        self._state: Any = None

    def _run(self, t_ns: int, serial: bytes) -> None:
        memory, node = self._memory, self._node
        node.deaf = self.faults.silent
        if self.faults.stopped:
            self._backlog = Backlog()
            if self.faults.silent:
                self._seam.no_power()
            return
        if self.faults.restart:
            self._restart()
            self.faults.restart = False
        frames, serial = self._backlog.with_new(node.inbox, serial)
        frames = frames[:_MOST_CAN]
        memory.can_in = len(frames)
        if frames:
            ffi.memmove(memory.inbox, b"".join(frames), FRAME_BYTES * len(frames))
        serial = serial[:_MOST_SERIAL]
        memory.serial_in = len(serial)
        if serial:
            ffi.memmove(memory.serial, serial, len(serial))
        memory.sensor_valid = self._seam.read_sensors(memory.sensor)
        self._step(self._state, memory, self._port, t_ns)
        sent = memory.can_out * FRAME_BYTES
        raw = self._outbox[:sent]
        node.outbox = [raw[at : at + FRAME_BYTES] for at in range(0, sent, FRAME_BYTES)]
        if self.faults.undriven:
            self._seam.no_power()
        else:
            self._seam.drive(self._actuator)

    def skip_frame(self) -> None:
        """Let the frame pass without the board, whose clock is slow; what the bus brings waits for it."""
        self._node.deaf = False
        self._backlog.keep(self._node.inbox, self._heard())

    def _heard(self) -> bytes:
        """Return what a serial link brings in this frame."""
        return b""

    def _restart(self) -> None:
        """Let the firmware start anew."""
        raise NotImplementedError

    def finish_frame(self) -> None:
        """Nothing to wait for."""

    def close(self) -> None:
        """Nothing to close."""


class FlightComputer(_InProcess):
    """The flight computer's firmware around a kernel.

    `nav` gives the navigation link's bytes of a frame, `lines` those of each sensor's line, by name.
    """

    role: Role = "flight_computer"
    safe = True

    def __init__(
        self,
        name: str,
        node: Node,
        seam: Seam,
        kernel: Kernel,
        config: bytes,
        nav: Callable[[], bytes],
        lines: Mapping[str, SensorLine] | None = None,
    ) -> None:
        super().__init__(name, node, seam, lib.in_process_flight_computer)
        self._kernel = kernel
        self._nav = nav
        self._lines = [(LINE_NAMES.index(name), line) for name, line in (lines or {}).items()]
        self._config = config
        self._owner, self._state = aligned(lib.fc_node_state_size(kernel_table(kernel)))
        self._restart()

    def _restart(self) -> None:
        refuse(
            self.name,
            lib.fc_node_init(self._state, kernel_table(self._kernel), self._config, len(self._config)),
        )

    def _heard(self) -> bytes:
        for _, line in self._lines:
            line.missed(len(line.take()))
        return self._nav()

    def start_frame(self, t_ns: int) -> None:
        """Run the frame: bus, navigation link and sensors' lines in, bus and fins out."""
        for number, line in self._lines:
            data = line.take()[:_MOST_LINE]
            self._memory.line_in[number] = len(data)
            if data:
                ffi.memmove(self._memory.line[number], data, len(data))
        self._run(t_ns, self._nav())

    def counters(self) -> dict[str, int]:
        """Return frames accepted and rejected by reason."""
        return counts_by_reason(list(lib.fc_node_counters(self._state).count))

    def line_counters(self, line: str) -> dict[str, int]:
        """Return frames accepted and rejected by reason on a sensor's line."""
        counted = lib.fc_node_line_counters(self._state, LINE_NAMES.index(line))
        return counts_by_reason(list(counted.count))

    @property
    def sensors(self) -> Any:
        """The firmware's newest record of each sensor (fc_sensors_t)."""
        return lib.fc_node_sensors(self._state)


class ValveBoard(_InProcess):
    """The valve board's firmware."""

    role: Role = "engine_valve"

    def __init__(self, name: str, node: Node, seam: Seam, config: bytes) -> None:
        super().__init__(name, node, seam, lib.in_process_valve_board)
        self._config = config
        self._owner, self._state = aligned(lib.in_process_valve_state_size())
        self._restart()

    def _restart(self) -> None:
        refuse(self.name, lib.in_process_valve_init(self._state, self._config, len(self._config)))

    def start_frame(self, t_ns: int) -> None:
        """Run the frame: bus and sensors in, bus and drives out."""
        self._run(t_ns, b"")

    @property
    def safe(self) -> bool:
        """True in SAFE with both valves on their stops (of a silent board: as it last knew)."""
        return bool(lib.in_process_valve_safe(self._state))

    def counters(self) -> dict[str, int]:
        """Return frames accepted and rejected by reason."""
        return counts_by_reason(list(lib.in_process_valve_counters(self._state).count))
