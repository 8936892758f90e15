"""Stations of any rung in a test's hands: frames turned by a script instead of by plant and sensors."""

from __future__ import annotations

import copy
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, Literal, Self

import numpy as np
import numpy.typing as npt

from hil.boards.stations import build_stations
from hil.executive.loop import Crew
from hil.plant.vehicle import load_vehicle
from hil.rig.model import Rig
from hil.sensors.streams import stream
from hil.signals import Board, Frame
from tests.emulation import emulated
from tests.vcan import on_vcan

__all__ = ["FRAME_NS", "PROCESSES", "RIGS", "RUNGS", "WIRED", "Stations", "make_rig"]

RIGS = Path(__file__).resolve().parents[2] / "rigs"
FRAME_NS = 10_000_000
PROCESSES = ("process", emulated("emulated"), on_vcan("socketcan"))
"""Rungs whose boards are processes of their own, as a test's parameters."""
WIRED = ("in_process", *PROCESSES)
RUNGS = ("kernel", *WIRED)
VEHICLE = load_vehicle(RIGS / "vehicles" / "zq3_class.toml")

Script = Callable[[int, Frame], None]


def make_rig(rung: str, **changes: Any) -> Rig:
    """Return the rig of a rung with all landing engines of zq3_class; `changes` go over its data."""
    backend = {"kernel": "in_process", "socketcan": "process"}.get(rung, rung)
    board: dict[str, Any] = {"flight_computer": {"firmware": "flight_computer", "backend": backend}}
    for node in VEHICLE.landing_engines:
        board[f"engine_{node}"] = {"firmware": "engine_valve", "backend": backend, "node": node}
    data: dict[str, Any] = {"name": rung, "board": board}
    if rung != "kernel":
        virtual, real = {"channel": "test"}, {"interface": "socketcan", "channel": "vcan0"}
        data["can"] = {"engine": real if rung == "socketcan" else virtual}
        data["serial"] = {"navigation": {"port": "pty"}}
    rig = Rig.model_validate(data | changes)
    return rig.model_copy(update={"path": RIGS / f"{rung}.toml"})


class Stations:
    """Boards and wires of a rig, turned frame by frame; `history` holds the frames as they stood."""

    def __init__(
        self,
        rung: str,
        *,
        rig: Rig | None = None,
        run_dir: Path | None = None,
        pace: Literal["lockstep", "wall"] = "lockstep",
        ignition_forced_at_s: float | None = None,
    ) -> None:
        self.frame = Frame(len(VEHICLE.landing_engines))
        self.boards, self.wires = build_stations(
            self.frame,
            rig or make_rig(rung),
            VEHICLE,
            ignition_forced_at_s=ignition_forced_at_s,
            initial_propellant_kg=9000.0,
            pace=pace,
            run_dir=run_dir,
            streams=partial(stream, 0, "stations"),
        )
        self.crew = Crew(self.boards)
        self.number = 0
        self.history: list[npt.NDArray[np.void]] = []
        nav = self.frame["nav"]
        nav["q_pad_from_body"][:] = (1.0, 0.0, 0.0, 0.0)
        nav["pos_pad_m"][:] = (120.0, -60.0, 4500.0)
        nav["vel_pad_mps"][:] = (-6.0, 3.0, -330.0)
        nav["height_m"][()] = 4500.0
        nav["valid"][()] = 1

    def board(self, name: str) -> Any:
        """Return a board by name."""
        return next(board for board in self.boards if board.name == name)

    def turn(self, frames: int, script: Script | None = None) -> None:
        """Turn `frames` frames; `script` sets the inputs of each."""
        for _ in range(frames):
            t_ns = self.number * FRAME_NS
            self.frame.array["t_ns"], self.frame.array["frame"] = t_ns, self.number
            self.frame["nav"]["valid_t_ns"][()] = t_ns
            if script is not None:
                script(self.number, self.frame)
            self.crew.start_frame(t_ns)
            self.crew.finish_frame()
            self.wires.exchange(t_ns)
            self.history.append(copy.deepcopy(self.frame.array))
            self.number += 1

    def close(self) -> None:
        """Close everything."""
        close_all(self.boards)
        self.wires.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def close_all(boards: list[Board]) -> None:
    """Close boards."""
    for board in boards:
        board.close()
