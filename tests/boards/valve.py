"""A valve board alone in a test's hands: commands as frames, sensors as numbers."""

from __future__ import annotations

from typing import Any

from hil.boards.config import valve_board_config
from hil.boards.in_process import ValveBoard
from hil.boards.outputs import ValveSeam
from hil.rig.model import LimitsSpec
from hil.signals import REQUESTS, Frame
from hil.wire.bus import Node
from hil.wire.canframe import frame_id
from hil.wire.codec import encode_frame
from hil.wire.layout import load_database
from tests.seams.rigging import FRAME_NS, RIGS, VEHICLE

__all__ = ["DATABASE", "Enable", "ValveBench", "command_frame"]

DATABASE = load_database(RIGS / "bus.dbc")
COMMAND = DATABASE.get_message_by_name("ENGINE_2_COMMAND")
ENABLE = DATABASE.get_message_by_name("BENCH_ENABLE")
DRIVE = DATABASE.get_message_by_name("ENGINE_2_DRIVE")
MODES = ("STOP", "COLD", "DRIVE")
STATUS = DATABASE.get_message_by_name("ENGINE_2_STATUS")


def command_frame(request: str, counter: int, *, valve: float = 0.8, gimbal: float = 0.05) -> bytes:
    """Return a command for engine 2."""
    values = {
        "request": REQUESTS.index(request),
        "ox_valve_cmd": valve,
        "fuel_valve_cmd": valve,
        "gimbal_x_cmd_rad": gimbal,
        "gimbal_y_cmd_rad": -gimbal,
    }
    return encode_frame(COMMAND, values, counter)


class Enable:
    """A bench's enable frames, one counter value after the other."""

    def __init__(self, nonce: int = 7, mode: str = "DRIVE", igniter: int = 1) -> None:
        self.nonce, self.mode, self.igniter = nonce, mode, igniter
        self.counter = 0

    def frame(self) -> bytes:
        """Return the next frame."""
        values = {"mode": MODES.index(self.mode), "igniter": self.igniter, "nonce": self.nonce}
        self.counter += 1
        return encode_frame(ENABLE, values, self.counter)


class ValveBench:
    """Engine 2's board with perfect actuators: valves move at the full slew rate times drive."""

    def __init__(
        self, *, enable_demanded: bool = False, limits: LimitsSpec | None = None, **config: Any
    ) -> None:
        self.frame = Frame(1)
        self.node = Node("engine_2")
        vehicle = VEHICLE.model_copy(update={"valve_board": VEHICLE.valve_board.model_copy(update=config)})
        self.board = ValveBoard(
            "engine_2",
            self.node,
            ValveSeam(self.frame, 0),
            valve_board_config(vehicle, 2, 0.01, enable_demanded=enable_demanded, limits=limits),
        )
        self.enable: Enable | None = None
        """What enables the board in every frame; None: nothing does."""
        self.number = 0
        self.counter = 0
        self.chamber_lights = True

    def step(self, request: str | None = None, **values: float) -> dict[str, Any]:
        """Run one frame with a command (None: none); return the status that it sent."""
        frames = [] if self.enable is None else [self.enable.frame()]
        if request is not None:
            frames.append(command_frame(request, self.counter, **values))
            self.counter += 1
        return self.step_frames(frames)

    def step_frames(self, frames: list[bytes]) -> dict[str, Any]:
        """Run one frame with these frames waiting; return the status that the board sent."""
        self.node.inbox = frames
        self.board.start_frame(self.number * FRAME_NS)
        self.number += 1
        self._move()
        status: dict[str, Any] = STATUS.decode(self.node.outbox[0][8:16], decode_choices=True)  # type: ignore[assignment]
        return {**status, "state": str(status["state"])}

    def _move(self) -> None:
        sensor, drive = self.frame["sensor"], self.frame["actuator"]
        for valve in ("ox", "fuel"):
            moved = drive[f"{valve}_drive"][0] * VEHICLE.engine.valve_slew_per_s * 0.01
            sensor[f"{valve}_valve_pos"][0] = min(max(sensor[f"{valve}_valve_pos"][0] + moved, 0.0), 1.0)
        flowing = min(self.ox, self.fuel) if self.chamber_lights else 0.0
        sensor["chamber_pa"][0] = flowing * VEHICLE.engine.chamber_pa

    @property
    def ox(self) -> float:
        """Position of the oxidiser valve."""
        return float(self.frame["sensor"]["ox_valve_pos"][0])

    @property
    def fuel(self) -> float:
        """Position of the fuel valve."""
        return float(self.frame["sensor"]["fuel_valve_pos"][0])

    def drive(self, name: str) -> float:
        """What the board drives now."""
        return float(self.frame["actuator"][name][0])

    def reported(self) -> dict[str, Any]:
        """What the board says that it drives or would drive."""
        sent = [f for f in self.node.outbox if frame_id(f) == DRIVE.frame_id]
        said: dict[str, Any] = DRIVE.decode(sent[0][8:16], decode_choices=True)  # type: ignore[assignment]
        return {**said, "mode": str(said["mode"])}

    def run(self, request: str | None, frames: int, **values: float) -> list[str]:
        """Run several frames; return the states."""
        return [self.step(request, **values)["state"] for _ in range(frames)]

    def to_mainstage(self) -> None:
        """Bring the engine up."""
        self.run("ARM", 2)
        states = self.run("START", 300)
        assert "MAINSTAGE" in states, "the engine did not start"
