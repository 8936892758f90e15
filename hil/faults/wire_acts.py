"""Wires that something is wrong with: faults of a case, begun and ended on the rig's own wires."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, Final

import numpy as np

from hil.faults.case import Case, FaultSpec
from hil.faults.catalogue import CATALOGUE
from hil.faults.triggers import TriggerBook
from hil.files import FileError
from hil.signals import Sensors
from hil.wire.bus import VirtualBus
from hil.wire.canframe import make_frame
from hil.wire.controller import Disturbance
from hil.wire.message_faults import (
    Corrupt,
    Delay,
    Draw,
    Drop,
    Duplicate,
    Falsify,
    MessageFault,
    Renumber,
    Reorder,
    WrongChecksum,
)
from hil.wire.serial_line import LineFault, SerialLine
from hil.wire.wire_set import WireSet

__all__ = ["PunctualSensors", "add_wire_faults", "check_wire_faults"]

Streams = Callable[[str], np.random.Generator]
Act = tuple[Callable[[], object], Callable[[], object]]
"""What begins a fault, and what ends it."""

STEPS: Final = {"repeated": 0, "skipped": 2, "backwards": -1}
"""How a counter goes on, by the catalogue's word."""
LINE_FAULTS: Final = {
    "serial.break": LineFault.BREAK,
    "serial.unplug": LineFault.UNPLUGGED,
    "serial.framing": LineFault.FRAMING,
    "serial.slow": LineFault.SLOW,
}


class PunctualSensors:
    """Sensors before whose sample everything strikes that is due: lines and boards come after it."""

    def __init__(self, sensors: Sensors, book: TriggerBook) -> None:
        self._sensors = sensors
        self._book = book

    def sample(self, t_ns: int) -> None:
        """Sample at frame time `t_ns`."""
        self._book.begin_frame(t_ns)
        self._sensors.sample(t_ns)


def check_wire_faults(case: Case, messages: Mapping[str, int], lines: Mapping[str, object]) -> None:
    """Raise FileError for a fault of a message that nobody sends on the rig, or of a line that it lacks."""
    for index, fault in enumerate(case.fault):
        where = f"{case.path}: key 'fault.{index}"
        if fault.message is not None and fault.message not in messages:
            known = ", ".join(messages)
            raise FileError(
                f"{where}.message' = {fault.message!r}: nobody sends that on this rig (sent are: {known})"
            )
        if fault.line is not None and fault.line not in lines:
            known = ", ".join(lines)
            raise FileError(f"{where}.line' = {fault.line!r}: the rig has no such line (it has: {known})")


def add_wire_faults(
    case: Case,
    book: TriggerBook,
    sensors: Sensors,
    wires: object,
    *,
    messages: Mapping[str, int],
    streams: Streams,
) -> Sensors:
    """Have the faults of wires of a case (checked before) strike in time; return the sensors that see to it.

    `messages` are the ids of messages by name, `streams` gives the random stream of a name.
    """
    mine = [(i, f) for i, f in enumerate(case.fault) if CATALOGUE[f.kind].needs in ("bus", "line")]
    if not mine:
        return sensors
    assert isinstance(wires, WireSet), "checked by hil.rig.abilities"
    for index, fault in mine:
        book.on(index, *_act(fault, wires, messages, streams(f"fault.{index}").random))
    return PunctualSensors(sensors, book)


def _act(fault: FaultSpec, wires: WireSet, messages: Mapping[str, int], draw: Draw) -> Act:
    if fault.line is not None:
        return _on_line(fault, wires.serial[fault.line])
    bus = wires.bus
    assert isinstance(bus, VirtualBus), "checked by hil.rig.abilities"
    if fault.message is not None:
        struck = _on_message(fault, messages[fault.message], draw)
        return partial(bus.begin_fault, struck), partial(bus.end_fault, struck)
    assert fault.board is not None, "checked when the case was read"
    if fault.kind == "wire.silence":
        return partial(bus.silence, fault.board), partial(bus.silence, fault.board, on=False)
    what, value = _disturbance(fault)
    healthy = getattr(Disturbance(), what)
    return (
        partial(bus.alter, fault.board, **{what: value}),
        partial(bus.alter, fault.board, **{what: healthy}),
    )


def _on_line(fault: FaultSpec, line: SerialLine) -> Act:
    which = LINE_FAULTS[fault.kind]
    size = {LineFault.FRAMING: fault.every, LineFault.SLOW: fault.baudrate}.get(which)
    return partial(line.set_fault, which, size or 0.0), partial(line.clear_fault, which)


def _on_message(fault: FaultSpec, can_id: int, draw: Draw) -> MessageFault:
    """Return what happens to the frames of a message."""
    share, bits = fault.share or 1.0, int(fault.bits or 0)
    makers: dict[str, Callable[[], MessageFault]] = {
        "wire.drop": lambda: Drop(can_id, draw, share),
        "wire.duplicate": lambda: Duplicate(can_id, draw, share, int(fault.copies or 0)),
        "wire.delay": lambda: Delay(can_id, draw, share, round(1e9 * (fault.delay_s or 0.0))),
        "wire.reorder": lambda: Reorder(can_id, draw, share),
        "wire.corrupt": lambda: Corrupt(can_id, draw, share, bits),
        "wire.falsify": lambda: Falsify(can_id, draw, share, bits),
        "wire.counter": lambda: Renumber(can_id, draw, step=STEPS[fault.count or ""]),
        "wire.checksum": lambda: WrongChecksum(can_id, draw, share),
    }
    return makers[fault.kind]()


def _disturbance(fault: FaultSpec) -> tuple[str, Any]:
    """Return what is wrong with a board's controller or its stub: a field of Disturbance, and its value."""
    if fault.kind == "wire.babble":
        return "babbles", make_frame(int(fault.identifier or 0), bytes(8))
    if fault.kind == "wire.bit_errors":
        return "bit_error_rate", fault.bit_error_rate
    if fault.kind == "wire.bit_rate":
        return "bitrate", int(fault.bitrate or 0)
    assert fault.kind == "wire.cut", fault.kind
    return "cut", True
