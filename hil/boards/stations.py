"""Builds a rig's boards and wires: the one place that knows every form of a board."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, Literal, TypedDict

import numpy as np
import numpy.typing as npt

from hil.boards import _firmware
from hil.boards._firmware import lib
from hil.boards.can_bits import measure_frames
from hil.boards.child import ChildBoard
from hil.boards.config import flight_computer_config, kernel_config, valve_board_config
from hil.boards.direct import DirectFlightComputer, DirectValveBoard, DirectWires
from hil.boards.emulated import EmulatedBoard, emulation_tools, launch_emulated
from hil.boards.executables import (
    flight_computer_executable,
    flight_computer_image,
    valve_board_executable,
    valve_board_image,
)
from hil.boards.hardware import HardwareComputer, HardwareValveBoard
from hil.boards.in_process import FlightComputer, ValveBoard
from hil.boards.outputs import FinSeam, Seam, ValveSeam
from hil.boards.process import ProcessBoard, launch
from hil.files import FileError
from hil.kernel import Kernel, check_fits, load_library, load_sources, reference_kernel
from hil.kernel.native_build import firmware_sources
from hil.kernel.places import check_built, source_root
from hil.plant.vehicle import Vehicle
from hil.rig.model import Rig
from hil.signals import Board, Frame, Wires
from hil.wire.bus import Node, VirtualBus
from hil.wire.buslog import BusLog
from hil.wire.can_hardware import DirectNode, HardwareBus
from hil.wire.can_link import open_can_link
from hil.wire.codec import BenchDecoder
from hil.wire.enable import NO_LEAVE, EnableSender, Leave, ReportedDrives
from hil.wire.layout import accepted_ids, check_database
from hil.wire.medium import Medium, Streams
from hil.wire.navigation import NavEncoder, sent_over
from hil.wire.sensor_lines import SensorLines
from hil.wire.serial_line import SerialLine
from hil.wire.transport import PtyTransport, open_transport
from hil.wire.wire_set import CanBus, WireSet

__all__ = ["build_stations", "note_work", "rig_kernel"]

WALL_HOLD_FRAMES: Final = 3
"""On the wall clock a board's report counts for so many frames of the bench: the two clocks drift."""
HEARING: Final = ("in_process", "process", "emulated")
"""Forms of a flight computer that hear sensors' lines on a pty."""


def rig_kernel(rig: Rig) -> Kernel:
    """Return the kernel that a rig names, or the reference; raise FileError when it does not fit."""
    spec = rig.kernel
    if spec is None:
        return reference_kernel()
    folder = rig.path.parent
    if spec.library is not None:
        return load_library(spec.name, folder / spec.library)
    sources = tuple((folder / source).resolve() for source in spec.sources)
    return load_sources(spec.name, sources, tuple((folder / path).resolve() for path in spec.include))


@dataclass(frozen=True)
class Plan:
    """What every builder of boards needs to know."""

    frame: Frame
    rig: Rig
    kernel: Kernel
    nodes: tuple[int, ...]
    """Numbers of the engines in the burn, by slot."""
    configs: dict[str, bytes]
    """Configuration of each board by name."""
    pace: Literal["lockstep", "wall"]
    run_dir: Path | None
    closed_pos: float
    """Where a valve of this vehicle counts as closed."""
    leave: Leave
    """What the run may move, where the rig demands it."""
    lines: SensorLines
    """Sensors on lines of their own."""
    streams: Streams | None = None
    fleet: list[ChildBoard] = field(default_factory=list)

    def slot(self, board: str) -> int | None:
        """Return the slot of a valve board's engine, None when the engine is not in the burn."""
        node = self.rig.board[board].node
        return self.nodes.index(node) if node in self.nodes else None


def build_stations(
    frame: Frame,
    rig: Rig,
    vehicle: Vehicle,
    *,
    ignition_forced_at_s: float | None,
    initial_propellant_kg: float,
    pace: Literal["lockstep", "wall"],
    run_dir: Path | None,
    streams: Streams | None = None,
    lines: SensorLines | None = None,
    leave: Leave = NO_LEAVE,
    partial: bool = False,
) -> tuple[list[Board], Wires]:
    """Return the boards of a rig, in the order of its file, and its wires.

    `lines` are the lines of single sensors, which whoever turns the sensors turns as well. `run_dir` takes
    the CAN log and the logs of board processes (None: no logs).
    `streams` gives the random stream of a name, for bit errors on the bus. `leave` is what may be moved where
    the rig demands the enable frame: nothing, unless somebody says so. `partial`: some of the boards alone,
    not those of a flight. Raises FileError for what the files get wrong (a landing engine without board, a
    kernel that does not fit), RigError for what the machine lacks; what was opened is closed again.
    """
    if not partial:
        _check_boards(rig, vehicle)
    _check_firmware()
    flight: _FlightData = {
        "initial_propellant_kg": initial_propellant_kg,
        "ignition_forced_at_s": ignition_forced_at_s,
    }
    kernel = rig_kernel(rig)
    check_fits(kernel, kernel_config(vehicle, rig.timing.frame_ms * 1e-3, **flight))
    plan = Plan(
        frame,
        rig,
        kernel,
        vehicle.landing_engines,
        _configs(rig, vehicle, flight),
        pace,
        run_dir,
        vehicle.valve_board.closed_pos,
        leave,
        SensorLines([]) if lines is None else lines,
        streams,
    )
    return _wired(plan) if rig.has_wires else _direct(plan)


class _FlightData(TypedDict):
    """What the flight computer is told of a flight."""

    initial_propellant_kg: float
    ignition_forced_at_s: float | None


def _configs(rig: Rig, vehicle: Vehicle, flight: _FlightData) -> dict[str, bytes]:
    """Return the configuration of each board by name."""
    frame_s = rig.timing.frame_ms * 1e-3
    return {
        name: flight_computer_config(vehicle, frame_s, **flight)
        if spec.node is None
        else valve_board_config(
            vehicle, spec.node, frame_s, enable_demanded=rig.demands_enable, limits=rig.limits
        )
        for name, spec in rig.board.items()
    }


def note_work(boards: Sequence[Board], instructions: npt.NDArray[np.int64]) -> None:
    """Let the flight computer that counts its kernel's instructions put each step's into `instructions`."""
    for board in boards:
        if isinstance(board, EmulatedBoard) and board.role == "flight_computer":
            board.note_work(instructions)


def note_lag(boards: Sequence[Board], answer_s: npt.NDArray[np.float64]) -> None:
    """Let the boards that are processes keep in `answer_s`, shape (), how long one has not answered."""
    for board in boards:
        if isinstance(board, ProcessBoard):
            board.note_lag(answer_s)


@functools.cache
def _check_firmware() -> None:
    check_built("the firmware in process", _firmware, firmware_sources(source_root()))


def _check_boards(rig: Rig, vehicle: Vehicle) -> None:
    nodes = {spec.node for spec in rig.board.values()}
    for number in vehicle.landing_engines:
        if number not in nodes:
            raise FileError(
                f"{rig.path}: engine {number} of {vehicle.name} lands but has no board: "
                f"add [board.engine_{number}] with node = {number}"
            )
    for name, spec in rig.board.items():
        if spec.node is not None and spec.node > len(vehicle.engine_position):
            count = len(vehicle.engine_position)
            raise FileError(
                f"{rig.path}: key 'board.{name}.node' = {spec.node}: {vehicle.name} has engines 1 to {count}"
            )


def _direct(plan: Plan) -> tuple[list[Board], Wires]:
    wires = DirectWires(plan.frame, plan.nodes)
    boards: list[Board] = []
    for name, spec in plan.rig.board.items():
        config = plan.configs[name]
        if spec.firmware == "flight_computer":
            boards.append(DirectFlightComputer(name, wires, plan.kernel, config))
        else:
            boards.append(DirectValveBoard(name, wires, plan.slot(name), config))
    return boards, wires


def _wired(plan: Plan) -> tuple[list[Board], Wires]:
    spec = plan.rig.can["engine"]
    database = check_database(plan.rig.path.parent / spec.database, firmware_layouts())
    bus = _virtual_bus(plan) if spec.interface == "hil" else _real_bus(plan)
    wires = WireSet(bus, BenchDecoder(plan.frame, plan.nodes, database))
    boards: list[Board] = []
    try:
        _check_links(plan)
        link = _navigation_line(plan, wires)
        nav = sent_over(link, plan.frame, NavEncoder(plan.frame, database))
        if plan.rig.demands_enable:
            hold = 1 if plan.pace == "lockstep" else WALL_HOLD_FRAMES
            wires.enable = EnableSender(bus.attach("bench", frozenset()), database, plan.leave)
            wires.drives = ReportedDrives(plan.frame, plan.nodes, wires.decoder, hold_frames=hold)
        for name in plan.rig.board:
            accepts = accepted_ids(plan.rig.board[name].node, database)
            if isinstance(bus, HardwareBus) and _is_on_the_bus(plan, name):
                place: Node = bus.attach_direct(name, accepts)
            else:
                place = bus.attach(name, accepts)
            boards.append(_board(plan, name, place, wires, nav))
    except BaseException:
        for board in boards:
            board.close()
        wires.close()
        raise
    return boards, wires


def _virtual_bus(plan: Plan) -> VirtualBus:
    spec = plan.rig.can["engine"]
    log = None if plan.run_dir is None else BusLog(plan.run_dir / "can.log", spec.channel)
    medium = Medium(spec.bitrate, spec.data_bitrate, measure=measure_frames, streams=plan.streams)
    bus = VirtualBus(spec.channel, log, medium=medium, frame_ns=plan.rig.timing.frame_ms * 1_000_000)
    bus.listen()
    return bus


def _real_bus(plan: Plan) -> HardwareBus:
    spec = plan.rig.can["engine"]
    link = open_can_link("engine", spec.link)
    try:
        log = None if plan.run_dir is None else BusLog(plan.run_dir / "can.log", spec.channel)
    except OSError:
        link.close()
        raise
    return HardwareBus(link, pace=plan.pace, log=log)


def _is_on_the_bus(plan: Plan, name: str) -> bool:
    """Tell whether a board is a process that opens the rig's SocketCAN interface by itself."""
    return plan.rig.board[name].backend == "process" and plan.rig.can["engine"].interface == "socketcan"


def _check_links(plan: Plan) -> None:
    """See that links and lines reach the flight computer; raise RigError when a port is missing."""
    link = plan.rig.serial["navigation"]
    computers = [spec for spec in plan.rig.board.values() if spec.firmware == "flight_computer"]
    computer = computers[0] if computers else None
    if computer is None:
        return
    if computer.backend != "hardware" and link.port != "pty":
        raise FileError(
            f"{plan.rig.path}: key 'serial.navigation.port' = {link.port!r}: "
            f'a flight computer with backend {computer.backend!r} is reached by "pty"'
        )
    for name in plan.lines.heard():
        if computer.backend not in HEARING:
            raise FileError(
                f"{plan.rig.path}: key 'serial.{name}.port' = 'pty': a flight computer with backend "
                f"{computer.backend!r} hears no pty (name a port or a socket, or leave the line out)"
            )


def _navigation_line(plan: Plan, wires: WireSet) -> SerialLine:
    """Return the navigation link as a wire; say what it and the sensors' lines count."""
    spec = plan.rig.serial["navigation"]
    line = SerialLine(spec.baudrate, plan.rig.timing.frame_ms * 1_000_000)
    wires.serial["navigation"] = line
    for name, sensor in plan.lines.by_name.items():
        wires.serial[name] = sensor.line
        wires.count_for(f"serial.{name}", sensor.counts)
    return line


def firmware_layouts() -> dict[str, int]:
    """Return the fingerprint of each message of the table that the firmware was generated from."""
    names = [name for name in dir(lib) if name.startswith("BUS_") and name.endswith("_LAYOUT")]
    return {name[len("BUS_") : -len("_LAYOUT")]: int(getattr(lib, name)) for name in names}


def _board(plan: Plan, name: str, node: Node, wires: WireSet, nav: Callable[[], bytes]) -> Board:
    spec = plan.rig.board[name]
    slot = plan.slot(name)
    seam: Seam = FinSeam(plan.frame)
    if spec.firmware == "engine_valve":
        seam = Seam() if slot is None else ValveSeam(plan.frame, slot)
    board: FlightComputer | ValveBoard | ProcessBoard | EmulatedBoard
    if spec.backend == "process":
        board = _process(plan, name, node, seam, wires.bus, nav)
    elif spec.backend == "emulated":
        board = _emulated(plan, name, node, seam, nav)
    elif spec.backend == "in_process" and spec.firmware == "flight_computer":
        lines = plan.lines.by_name
        board = FlightComputer(name, node, seam, plan.kernel, plan.configs[name], nav, lines)
    elif spec.backend == "in_process":
        board = ValveBoard(name, node, seam, plan.configs[name])
    else:
        return _hardware(plan, name, seam, wires, nav)
    wires.count_for(name, board.counters)
    if not isinstance(board, ValveBoard) and board.role == "flight_computer":
        for line in plan.lines.heard():
            wires.count_for(f"{name}.{line}", functools.partial(board.line_counters, line))
    return board


def _hardware(plan: Plan, name: str, seam: Seam, wires: WireSet, nav: Callable[[], bytes]) -> Board:
    """Return a board outside; raise RigError when the flight computer's serial port is not there."""
    spec = plan.rig.board[name]
    if spec.node is not None:
        return HardwareValveBoard(
            name, spec.node, seam, wires.decoder, plan.closed_pos, plan.rig.timing.frame_ms * 1e-3
        )
    link = plan.rig.serial["navigation"]
    port = open_transport(link.port, link.baudrate, "navigation")
    wires.on_close(port.close)
    return HardwareComputer(name, nav, port.write)


def _process(
    plan: Plan, name: str, node: Node, seam: Seam, bus: CanBus, nav: Callable[[], bytes]
) -> ProcessBoard:
    computer = plan.rig.board[name].firmware == "flight_computer"
    executable = flight_computer_executable(plan.kernel) if computer else valve_board_executable()
    with ExitStack() as opened:
        links = _ptys(plan, opened) if computer else {}
        start = launch(
            name,
            executable,
            plan.configs[name],
            frame_us=plan.rig.timing.frame_ms * 1000,
            pace=plan.pace,
            serial={link: pty.master for link, pty in links.items()},
            log=None if plan.run_dir is None else plan.run_dir / f"{name}.log",
            bus=(plan.rig.can["engine"].channel, node.accepts) if isinstance(node, DirectNode) else None,
        )
        opened.pop_all()
    for pty in links.values():
        pty.hand_over()
    lines = plan.lines.by_name if computer else {}
    return ProcessBoard(
        name,
        "flight_computer" if computer else "engine_valve",
        start,
        node,
        seam,
        pace=plan.pace,
        bus=bus,
        fleet=plan.fleet,
        nav=nav if computer else None,
        link=links.get("serial"),
        lines=[(line, links.get(line.name)) for line in lines.values()],
    )


def _ptys(plan: Plan, opened: ExitStack) -> dict[str, PtyTransport]:
    """Open the pseudo-terminals of a flight computer's process; `opened` closes them when that goes wrong."""
    links = {"serial": PtyTransport(plan.rig.serial["navigation"].baudrate, "navigation")}
    opened.callback(links["serial"].close)
    for line in plan.lines.heard():
        links[line] = PtyTransport(plan.rig.serial[line].baudrate, line)
        opened.callback(links[line].close)
    return links


def _emulated(plan: Plan, name: str, node: Node, seam: Seam, nav: Callable[[], bytes]) -> EmulatedBoard:
    computer = plan.rig.board[name].firmware == "flight_computer"
    emulation_tools()
    emulation = launch_emulated(
        name,
        flight_computer_image(plan.kernel) if computer else valve_board_image(),
        plan.configs[name],
        frame_us=plan.rig.timing.frame_ms * 1000,
        log=None if plan.run_dir is None else plan.run_dir / f"{name}.log",
    )
    return EmulatedBoard(
        name,
        "flight_computer" if computer else "engine_valve",
        emulation,
        node,
        seam,
        fleet=plan.fleet,
        nav=nav if computer else None,
        lines=plan.lines.by_name.values() if computer else (),
    )
