"""Rung `kernel`: the firmware's logic in process, records handed over, no wires."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from hil.boards._firmware import ffi, lib
from hil.boards.common import BoardFaults, Role, aligned, kernel_table, refuse
from hil.boards.view import frame_view
from hil.kernel import Kernel
from hil.signals import Frame, Reality

__all__ = ["DirectFlightComputer", "DirectValveBoard", "DirectWires"]


class DirectWires:
    """Hands over what was sent in one frame to the next, rounded as the wires would round it."""

    def __init__(self, frame: Frame, nodes: tuple[int, ...]) -> None:
        """`nodes` are the numbers of the engines in the burn, by slot."""
        self.view: Any = frame_view(frame)
        self.memory: Any = ffi.new("direct_wires_t *")
        self.fins = frame["actuator"]["fin_cmd_rad"]
        lib.direct_wires_init(self.memory, len(nodes), ffi.new("int32_t[]", list(nodes)))

    def exchange(self, t_ns: int) -> None:  # noqa: ARG002 - the hand-over does not look at the time
        """Hand over what was sent in this frame and show it in the frame's records."""
        lib.direct_exchange(self.memory, self.view)

    def pump(self, until_s: float) -> None:
        """Nothing moves between frames."""

    def mute(self, board: str) -> None:
        """Nothing to do: a board that is not turned hands nothing over."""

    def counters(self) -> dict[str, dict[str, int]]:
        """Return nothing: without wires nothing is rejected."""
        return {}

    def bus_sheet(self) -> None:
        """Return None: there is no bus."""

    def clocks(self) -> dict[str, dict[str, float | None]]:
        """Return nothing: there is no bus."""
        return {}

    def bus_figures(self) -> None:
        """Return None: there is no bus."""

    def close(self) -> None:
        """Nothing to close."""


class _Kept:
    """Records that were handed over while a board did not run: the newest waits until it does."""

    def __init__(self, kind: str, records: Any, slots: Iterable[int]) -> None:
        self._kind = kind
        self._records = records
        self._slots = tuple(slots)
        self._waiting: dict[int, Any] = {}

    def keep(self) -> None:
        """Keep what this frame has handed over."""
        for slot in self._slots:
            if self._records[slot].fresh:
                self._waiting[slot] = ffi.new(self._kind, self._records[slot])

    def give(self) -> None:
        """Hand over what waits where nothing newer has come."""
        if not self._waiting:
            return
        for slot, record in self._waiting.items():
            if not self._records[slot].fresh:
                self._records[slot] = record[0]
        self.forget()

    def forget(self) -> None:
        """Let go of what waits."""
        self._waiting.clear()


class DirectFlightComputer:
    """The flight computer's logic around a kernel."""

    role: Role = "flight_computer"
    backend = "kernel"
    reality: Reality = "virtual"
    safe = True

    def __init__(self, name: str, wires: DirectWires, kernel: Kernel, config: bytes) -> None:
        self.name = name
        self.faults = BoardFaults()
        self._wires = wires
        self._fins = wires.fins
        self._kept = _Kept("record_status_t *", wires.memory.status, range(wires.memory.engines))
        self._kernel = kernel
        self._memory, state = aligned(lib.fc_state_size(kernel_table(kernel)))
        self._state = ffi.cast("fc_t *", state)
        self._config = ffi.new("fc_config_t *")
        ffi.memmove(self._config, config, len(config))
        self._restart()

    def _restart(self) -> None:
        refuse(self.name, lib.fc_init(self._state, kernel_table(self._kernel), self._config))
        self.faults.restart = False

    def start_frame(self, t_ns: int) -> None:
        """Run the frame: navigation and statuses in, commands and fins out."""
        if self.faults.stopped:
            self._kept.forget()
            return
        if self.faults.restart:
            self._restart()
        self._kept.give()
        held = self._fins.copy() if self.faults.undriven else None
        lib.direct_flight_computer(self._state, self._wires.memory, self._wires.view, t_ns)
        if held is not None:
            self._fins[:] = held

    def skip_frame(self) -> None:
        """Let the frame pass without the board, whose clock is slow; what comes for it waits."""
        self._kept.keep()

    def finish_frame(self) -> None:
        """Nothing to wait for."""

    def close(self) -> None:
        """Nothing to close."""


class DirectValveBoard:
    """A valve board's logic; `slot` None is a board whose engine is not in the burn."""

    role: Role = "engine_valve"
    backend = "kernel"
    reality: Reality = "virtual"

    def __init__(self, name: str, wires: DirectWires, slot: int | None, config: bytes) -> None:
        self.name = name
        self.faults = BoardFaults()
        self._wires = wires
        self._slot = -1 if slot is None else slot
        self._state = ffi.new("ev_t *")
        self._kept = _Kept("record_command_t *", wires.memory.command, () if slot is None else (slot,))
        self._config = ffi.new("ev_config_t *")
        ffi.memmove(self._config, config, len(config))
        self._restart()

    def _restart(self) -> None:
        refuse(self.name, lib.ev_init(self._state, self._config))
        self.faults.restart = False

    def skip_frame(self) -> None:
        """Let the frame pass without the board, whose clock is slow; what comes for it waits."""
        self._kept.keep()

    def start_frame(self, t_ns: int) -> None:
        """Run the frame: command and sensors in, status and drives out."""
        wires, faults = self._wires, self.faults
        if faults.silent and self._slot >= 0:
            lib.direct_no_power(wires.view, self._slot)
        if faults.stopped:
            self._kept.forget()
            return
        if faults.restart:
            self._restart()
        self._kept.give()
        lib.direct_valve_board(self._state, wires.memory, wires.view, self._slot, t_ns)
        if faults.undriven and self._slot >= 0:
            lib.direct_no_power(wires.view, self._slot)

    def finish_frame(self) -> None:
        """Nothing to wait for."""

    @property
    def safe(self) -> bool:
        """True in SAFE with both valves on their stops (of a silent board: as it last knew)."""
        return bool(lib.ev_safe(self._state))

    def close(self) -> None:
        """Nothing to close."""
