"""Builds a rig's boards and wires: the one place that knows every form of a board."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from hil.boards.config import flight_computer_config, valve_board_config
from hil.boards.direct import DirectFlightComputer, DirectValveBoard, DirectWires
from hil.files import FileError
from hil.kernel import Kernel, load_library, load_sources, reference_kernel
from hil.plant.vehicle import Vehicle
from hil.rig.model import Rig
from hil.signals import Board, Frame, Wires

__all__ = ["build_stations", "rig_kernel"]


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
) -> tuple[list[Board], Wires]:
    """Return the boards of a rig, in the order of its file, and its wires.

    `run_dir` takes the CAN log and the logs of board processes (None: no logs). Raises FileError for what the
    files get wrong (a landing engine without board, a kernel that does not fit), RigError for what the
    machine lacks; what was opened until then is closed again.
    """
    _check_boards(rig, vehicle)
    frame_s = rig.timing.frame_ms * 1e-3
    configs = {}
    for name, spec in rig.board.items():
        if spec.node is not None:
            configs[name] = valve_board_config(vehicle, spec.node, frame_s)
        else:
            configs[name] = flight_computer_config(
                vehicle,
                frame_s,
                initial_propellant_kg=initial_propellant_kg,
                ignition_forced_at_s=ignition_forced_at_s,
            )
    plan = Plan(frame, rig, rig_kernel(rig), vehicle.landing_engines, configs, pace, run_dir)
    return _direct(plan)


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
