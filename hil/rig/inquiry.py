"""Does every board of a rig answer, and is it the board that the rig file means?"""

from __future__ import annotations

import statistics
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from typing import Final

from hil.boards._firmware import lib
from hil.boards.stations import build_stations, firmware_layouts, rig_kernel
from hil.executive import Crew
from hil.faults.case import SHIPPED
from hil.kernel.native_build import firmware_build
from hil.kernel.places import source_root
from hil.plant.vehicle import load_vehicle
from hil.rig.model import BoardSpec, Rig
from hil.signals import Frame, RigError
from hil.signals.clocks import ClockMatch
from hil.wire.bus import VirtualBus
from hil.wire.can_link import open_can_link
from hil.wire.codec import BenchDecoder
from hil.wire.inquiry import QUESTIONS, Identity, Inquiry
from hil.wire.layout import fingerprint, load_database, table_hash
from hil.wire.wire_set import WireSet

__all__ = ["ask_real_boards", "ask_virtual_boards"]

_LOST_ALLOWED: Final = 1
"""Questions of QUESTIONS that may stay unanswered: the first may come while a board starts."""
_SAME_CLOCK_S: Final = 1.0
"""Time stamps nearer to this machine's clock than this are of it."""
_REJECTS: Final = ("length", "checksum", "repeated", "jumped", "range")


def ask_real_boards(rig: Rig, *, questions: int = QUESTIONS) -> Iterator[str]:
    """Ask the boards outside over the rig's own bus; yield one line for each.

    Sends BENCH_QUERY and nothing else.  Raises RigError for the first board that does not answer, answers
    twice, or is not what the rig means.
    """
    real = {name: board for name, board in rig.board.items() if board.backend == "hardware"}
    if not real:
        return
    spec = rig.can["engine"]
    inquiry = Inquiry(load_database(rig.path.parent / spec.database), [b.node for b in real.values()])
    bus = open_can_link("engine", spec.link)
    try:
        inquiry.ask_on(bus.send, bus.drain, questions)
    finally:
        bus.close()
    for name, board in real.items():
        said = _heard(rig, name, board, inquiry, questions)
        yield f"{_who(rig, name, said)}; {_round_trip(said)}"
    _check_counters(inquiry.decoder)
    yield f"can.engine: {inquiry.decoder.counts['accepted']} frames heard, every counter and checksum good"
    yield f"can.engine: {_time_stamps(inquiry.clock)}"


def _time_stamps(match: ClockMatch) -> str:
    """Say how the bus's time stamps lie to this machine's clocks, and how well that is known."""
    found = match.as_dict()
    offset_s, known_s = found["offset_s"], found["uncertainty_s"]
    if offset_s is None:
        return "the interface gives no time stamps"
    known = f"known to {1e3 * known_s:.2f} ms" if known_s is not None else "their delay included"
    behind_s = offset_s + (time.time() - time.monotonic())
    if abs(behind_s) < _SAME_CLOCK_S:
        return f"time stamps are {1e3 * behind_s:.2f} ms behind this machine's clock, {known}"
    return f"time stamps are of a clock of their own: + {offset_s:.6f} s is the bench's, {known}"


def _round_trip(said: Identity) -> str:
    """Say how long questions took, in ms of the wall clock."""
    times = sorted(1e3 * trip for trip in said.round_trips)
    return f"round trip {statistics.median(times):.1f} ms, jitter {times[-1] - times[0]:.1f} ms"


def ask_virtual_boards(rig: Rig) -> Iterator[str]:
    """Start the virtual boards of a rig on a bus of their own and ask them; yield one line for each.

    Flight computer and valve boards are asked apart, so that no board hears a command.  Raises as
    ask_real_boards does.
    """
    for role in ("flight_computer", "engine_valve"):
        boards = {
            name: board
            for name, board in rig.board.items()
            if board.backend != "hardware" and board.firmware == role
        }
        if boards:
            yield from _ask_apart(rig, boards)


def _ask_apart(rig: Rig, boards: Mapping[str, BoardSpec]) -> Iterator[str]:
    can = {"engine": rig.can["engine"].model_copy(update={"interface": "hil", "channel": "check"})}
    serial = {name: link.model_copy(update={"port": "pty"}) for name, link in rig.serial.items()}
    private = rig.model_copy(update={"can": can, "serial": serial, "board": dict(boards)})
    vehicle = load_vehicle(SHIPPED / "vehicles" / "zq3_class.toml")
    inquiry = Inquiry(
        load_database(rig.path.parent / can["engine"].database), [b.node for b in boards.values()]
    )
    with ExitStack() as stack:
        stations, wires = build_stations(
            Frame(len(vehicle.landing_engines)),
            private,
            vehicle,
            ignition_forced_at_s=None,
            initial_propellant_kg=vehicle.body.propellant_kg,
            pace="lockstep",
            run_dir=None,
            partial=True,
        )
        stack.callback(wires.close)
        for station in stations:
            stack.callback(station.close)
        assert isinstance(wires, WireSet)
        _ask_in_lockstep(wires, Crew(stations), inquiry, rig.timing.frame_ms * 1_000_000)
    for name, board in boards.items():
        said = _heard(rig, name, board, inquiry, QUESTIONS)
        yield f"{_who(rig, name, said)}; answers after {max(said.round_trips):.0f} frames"
    _check_counters(inquiry.decoder)


def _ask_in_lockstep(wires: WireSet, crew: Crew, inquiry: Inquiry, frame_ns: int) -> None:
    """Ask once every four frames; the clock is the number of the frame."""
    assert isinstance(wires.bus, VirtualBus)
    bench = wires.bus.attach("bench", frozenset())
    wires.tap(lambda frames, number: inquiry.take(frames, float(number)))
    for number in range(4 * QUESTIONS + 4):
        if number % 4 == 0 and number < 4 * QUESTIONS:
            bench.outbox.append(inquiry.question(float(number)))
        crew.start_frame(number * frame_ns)
        crew.finish_frame()
        wires.exchange(number * frame_ns)


def _heard(rig: Rig, name: str, board: BoardSpec, inquiry: Inquiry, questions: int) -> Identity:
    """Return what a board has answered, having seen that it is the one that is meant."""
    said = inquiry.answers.get(board.node)
    if said is None:
        raise RigError(
            f"board {name}: does not answer: is it powered, is the bit rate of its bus "
            f"{rig.can['engine'].bitrate}, is its node number {board.node or 'none'}?"
        )
    if inquiry.answers_twice(board.node):
        raise RigError(f"board {name}: answers twice: two boards have node number {board.node or 'none'}")
    if len(said.round_trips) < questions - max(_LOST_ALLOWED, questions // 10):
        raise RigError(
            f"board {name}: answered only {len(said.round_trips)} of {questions} questions: it restarts, or "
            "frames get lost"
        )
    if said.role != board.firmware:
        raise RigError(f"board {name}: is a {said.role}, the rig file says {board.firmware}")
    _check_build(rig, name, board, said)
    return said


def _check_build(rig: Rig, name: str, board: BoardSpec, said: Identity) -> None:
    database = load_database(rig.path.parent / rig.can["engine"].database)
    table = table_hash({m.name: fingerprint(m) for m in database.messages if m.name in firmware_layouts()})
    if said.table != table:
        raise RigError(
            f"board {name}: was built from another bus table: {said.table:04x}, "
            f"{rig.can['engine'].database} is {table:04x}"
        )
    if said.version != lib.FIRMWARE_VERSION:
        raise RigError(
            f"board {name}: its firmware has version {said.version}, this bench speaks "
            f"{lib.FIRMWARE_VERSION}: flash it"
        )
    wanted = _wanted_build(rig, board) if board.build is None else int(board.build, 16)
    if said.build != wanted:
        raise RigError(
            f"board {name}: out of date: its firmware was built from {said.build:06x}, not {wanted:06x}: "
            f"flash it, or name its build in the rig (board.{name}.build)"
        )


def _wanted_build(rig: Rig, board: BoardSpec) -> int:
    """Return what a board of these sources is built from; in process the kernel is beside its firmware."""
    linked = board.firmware == "flight_computer" and board.backend != "in_process"
    return firmware_build(source_root(), board.firmware, rig_kernel(rig).files if linked else ())


def _who(rig: Rig, name: str, said: Identity) -> str:
    reality = "real" if rig.board[name].backend == "hardware" else "virtual"
    return (
        f"{name}: {reality}, answers: {said.role}, version {said.version}, build {said.build:06x}, "
        f"table {said.table:04x}"
    )


def _check_counters(decoder: BenchDecoder) -> None:
    """Raise RigError when frames were heard that are damaged, lost or repeated."""
    bad = {reason: decoder.counts[reason] for reason in _REJECTS if decoder.counts[reason]}
    if bad:
        told = ", ".join(f"{count} {reason}" for reason, count in bad.items())
        raise RigError(
            f"can.engine: frames are damaged or lost: {told} (wiring, termination, two boards of one number)"
        )
