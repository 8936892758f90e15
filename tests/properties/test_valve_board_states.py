"""The valve board's states under commands, silences, leave, resets and dead sensors in whatever order.

A model beside the board counts what it may have heard. Real firmware, through its wires; the valves move as
they are driven."""

from __future__ import annotations

import math
from typing import Final

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule

from hil.boards.config import valve_board_config
from hil.boards.in_process import ValveBoard
from hil.boards.outputs import ValveSeam
from hil.wire.bus import Node
from tests.boards.valve import Enable, ValveBench, command_frame
from tests.seams.rigging import VEHICLE

BOARD: Final = VEHICLE.valve_board
NEXT: Final = {
    "SAFE": {"ARMED"},
    "ARMED": {"START", "SAFE", "SHUTDOWN", "MAINSTAGE"},
    "START": {"MAINSTAGE", "FAULT", "SHUTDOWN"},
    "MAINSTAGE": {"SHUTDOWN"},
    "SHUTDOWN": {"SAFE"},
    "FAULT": {"SHUTDOWN"},
}
"""What may follow a state from one frame to the next (ARMED to MAINSTAGE: a chamber that burns already)."""
ACTIVE: Final = ("ARMED", "START", "MAINSTAGE")
OPENING: Final = ("START", "MAINSTAGE")
CLOSING: Final = ("SHUTDOWN", "FAULT")
SILENT_FRAMES: Final = 5
"""50 ms: the watchdog's, in frames."""
GAP_FRAMES: Final = round(BOARD.shutdown_gap_s / 0.01)
FIRST: Final = "ox" if BOARD.shutdown_first == "oxidiser" else "fuel"
SECOND: Final = "fuel" if FIRST == "ox" else "ox"
DRIVES: Final = ("ox_drive", "fuel_drive", "gimbal_x_drive", "gimbal_y_drive", "igniter")


class ValveBoardStates(RuleBasedStateMachine):
    """Rules are what happens on the wires and in the bay; `_frame` runs the board and checks it."""

    @initialize(demanded=st.booleans())
    def begin(self, demanded: bool) -> None:
        """Switch a board on, with or without the need for the bench's leave."""
        self.demanded = demanded
        self.bench = ValveBench(enable_demanded=demanded)
        self.nonce = 1
        self._forget()

    def _forget(self) -> None:
        self.state, self.silent, self.deaf, self.closing = "SAFE", 0, 0, 0
        self.igniter_leave = False

    # ---- what happens

    @rule(
        request=st.sampled_from(["SAFE", "ARM", "START", "RUN", "SHUTDOWN"]),
        count=st.sampled_from([1, 3, 30]),
    )
    def is_commanded(self, request: str, count: int) -> None:
        """Commands come in every frame."""
        for _ in range(count):
            self._frame(request)

    @rule(count=st.sampled_from([1, 2, 4, 5, 6, 40]))
    def hears_nothing(self, count: int) -> None:
        """No command comes."""
        for _ in range(count):
            self._frame(None)

    @rule(count=st.sampled_from([1, 4, 8]))
    def hears_garbage(self, count: int) -> None:
        """Commands come whose counter stands still: not one of them counts."""
        for _ in range(count):
            self._frame("RUN", stale=True)

    @rule()
    def is_brought_up(self) -> None:
        """The engine is armed and started."""
        self.bench.chamber_lights = True
        if self.demanded and self.bench.enable is None:
            self.gets_leave(igniter=True)
        for request, count in (("ARM", 3), ("START", 140), ("RUN", 5)):
            for _ in range(count):
                self._frame(request)

    @rule(igniter=st.booleans())
    def gets_leave(self, igniter: bool) -> None:
        """A bench enables the board, with a run of its own."""
        self.nonce += 1
        self.bench.enable = Enable(self.nonce, igniter=int(igniter))

    @rule()
    def loses_leave(self) -> None:
        """The bench dies."""
        self.bench.enable = None

    @rule(lights=st.booleans())
    def chamber(self, lights: bool) -> None:
        """The chamber burns, or goes out."""
        self.bench.chamber_lights = lights

    @rule()
    def is_reset(self) -> None:
        """The board starts anew; valves and gimbals stay where they are."""
        self.bench.node = Node("engine_2")
        self.bench.board = ValveBoard(
            "engine_2",
            self.bench.node,
            ValveSeam(self.bench.frame, 0),
            valve_board_config(VEHICLE, 2, 0.01, enable_demanded=self.demanded, limits=None),
        )
        self._forget()

    # ---- one frame, and what has to hold in it

    def _frame(self, request: str | None, *, stale: bool = False) -> None:
        bench = self.bench
        frames = [] if bench.enable is None else [bench.enable.frame()]
        if stale:
            frames.append(command_frame("RUN", bench.counter - 1))
        elif request is not None:
            frames.append(command_frame(request, bench.counter))
            bench.counter += 1
        before = {name: getattr(bench, name) for name in ("ox", "fuel")}
        status = bench.step_frames(frames)
        heard = request is not None and not stale
        self.silent = 0 if heard else self.silent + 1
        self.deaf = self.deaf + 1 if self.demanded and bench.enable is None else 0
        self._check(str(status["state"]), before)

    def _check(self, state: str, before: dict[str, float]) -> None:
        was, self.state = self.state, state
        assert state == was or state in NEXT[was], f"{was} -> {state}"
        drive = {name: self.bench.drive(name) for name in DRIVES}
        assert all(math.isfinite(value) and abs(value) <= 1.0 for value in drive.values())
        if max(self.silent, self.deaf) >= SILENT_FRAMES:
            assert state not in ACTIVE, f"{state} after {max(self.silent, self.deaf)} frames of silence"
        if was in OPENING and state == "SHUTDOWN" and self.silent and not self.demanded:
            assert max(self.silent, self.deaf) >= SILENT_FRAMES, "shut down before the watchdog's time"
        if state not in OPENING:
            assert drive["ox_drive"] <= 0.0
            assert drive["fuel_drive"] <= 0.0
        if state != "START":
            assert drive["igniter"] == 0.0, f"igniter in {state}"
        if self.demanded:
            self._check_leave(was, state, drive)
        self._check_closing(was, state, drive, before)

    def _check_closing(self, was: str, state: str, drive: dict[str, float], before: dict[str, float]) -> None:
        self.closing = self.closing + 1 if state in CLOSING else 0
        if 0 < self.closing <= GAP_FRAMES:
            assert drive[f"{SECOND}_drive"] == 0.0, "the second valve does not wait for its turn"
            assert drive[f"{FIRST}_drive"] < 0.0 or before[FIRST] <= BOARD.closed_pos
        if state == "SAFE" and was == "SHUTDOWN":
            assert max(before.values()) <= BOARD.closed_pos, "SAFE with a valve open"

    def _check_leave(self, was: str, state: str, drive: dict[str, float]) -> None:
        enable = self.bench.enable
        if was == "SAFE" and state == "ARMED":
            assert enable is not None, "armed without leave"
        if drive["igniter"] > 0.0:
            assert enable is None or enable.igniter, "the igniter is driven without leave for it"


TestValveBoardStates = ValveBoardStates.TestCase
TestValveBoardStates.settings = settings(
    max_examples=40, stateful_step_count=25, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
