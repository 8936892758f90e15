"""Form `in_process`: the firmware with its node layer, stepped by the bench through a port in memory."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

from hil.boards._firmware import ffi, lib
from hil.boards.common import BoardFaults, Role, aligned, kernel_table, refuse
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
        if self.faults.silent:
            node.deaf = True
            self._seam.no_drive()
            return
        node.deaf = False
        frames = node.inbox[:_MOST_CAN]
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
        self._seam.drive(self._actuator)

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
        table = kernel_table(kernel)
        self._owner, self._state = aligned(lib.fc_node_state_size(table))
        refuse(name, lib.fc_node_init(self._state, table, config, len(config)))

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
        self._owner, self._state = aligned(lib.in_process_valve_state_size())
        refuse(name, lib.in_process_valve_init(self._state, config, len(config)))

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
