"""Engines under prescribed commands: the valve board's sequences, and what thrust a case leaves of them.

The sequences are those of the valve board's firmware (igniter lead, fuel lead, light timeout, shutdown
order), so that a clairvoyant cannot start an engine in a way that no flight computer could ask for.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

import numpy as np
import numpy.typing as npt

from hil.plant.vehicle import Vehicle
from hil.search.oracle_world import FRAME_S, State, World

__all__ = ["OFF", "RUN", "SHUT", "START", "Sequencer"]

OFF: Final = 0
START: Final = 1
RUN: Final = 2
SHUT: Final = 3

Array = npt.NDArray[np.float64]


AGAIN_S: Final = 0.1
"""An engine that its board shut is asked to start again so long after board and valves are ready for it:
the board wants to hear ARM first."""


@dataclass
class _Engine:
    state: int = OFF
    since_s: float = 0.0
    killed: bool = False
    """Shut by a watchdog or a board's restart while it was wanted: it is lit again."""
    ready_s: float | None = None
    """Since when it could be started again."""


@dataclass
class Sequencer:
    """Drives the valves, igniters and gimbals of all engines of a world as their boards would."""

    world: World
    engine: list[_Engine] = field(init=False)

    def __post_init__(self) -> None:
        vehicle: Vehicle = self.world.vehicle
        self.engine = [_Engine() for _ in range(self.world.engines)]
        board, engine = vehicle.valve_board, vehicle.engine
        self._board = board
        self._lit_pa = board.mainstage_chamber_fraction * engine.chamber_pa
        self._valve_gain = board.valve_gain_per_s / engine.valve_slew_per_s
        self._gimbal_gain = board.gimbal_gain_per_s / np.radians(engine.gimbal_rate_degps)
        self._gimbal_limit = float(np.radians(engine.gimbal_limit_deg))
        self._floor = engine.throttle_floor
        self._first = board.shutdown_first
        self._unheard_s = 0.0

    def start(self, slot: int, t_s: float) -> None:
        """Start an engine that was never started; others are left alone, and boards that hear nothing."""
        world = self.world
        deaf = world.is_dead(slot) or world.is_hung(slot) or world.computer_stopped
        if self.engine[slot].state == OFF and not deaf:
            self.engine[slot] = _Engine(START, t_s)

    def shut(self, slot: int, t_s: float) -> None:
        """Shut an engine down, for good."""
        if self.engine[slot].state != SHUT:
            self.engine[slot] = _Engine(SHUT, t_s)
        self.engine[slot].killed = False

    def _kill(self, slot: int, t_s: float) -> None:
        """Let a board shut its engine; one that was wanted is lit again when that is possible."""
        if self.engine[slot].state in (START, RUN):
            self.engine[slot] = _Engine(SHUT, t_s, killed=True)

    def _revive(self, slot: int, state: State) -> None:
        """Start an engine again that its board has shut, once board and valves are ready."""
        engine, world = self.engine[slot], self.world
        if engine.state != SHUT or not engine.killed:
            return
        deaf = world.is_dead(slot) or world.is_hung(slot) or world.computer_stopped
        closed = max(state.ox_pos[slot], state.fuel_pos[slot]) <= self._board.closed_pos
        if deaf or not closed:
            engine.ready_s = None
        elif engine.ready_s is None:
            engine.ready_s = state.t_s
        elif state.t_s - engine.ready_s >= AGAIN_S:
            self.engine[slot] = _Engine(START, state.t_s)

    def running(self, slot: int) -> bool:
        """Tell whether the engine follows its throttle."""
        return (
            self.engine[slot].state == RUN and not self.world.is_dead(slot) and not self.world.is_hung(slot)
        )

    def drive(self, state: State, valve: list[float], gimbal_x: list[float], gimbal_y: list[float]) -> None:
        """Write the drives for these demands: valve openings (0 to 1) and gimbal angles (rad)."""
        world = self.world
        self._unheard_s = self._unheard_s + FRAME_S if world.computer_stopped else 0.0
        for slot in range(world.engines):
            self._follow(slot, state)
            if world.restarts(slot) or self._unheard_s > self._board.watchdog_s:
                self._kill(slot, state.t_s)
            self._revive(slot, state)
            engine = self.engine[slot]
            ox, fuel = self._valves(slot, engine, state, valve[slot])
            world.ox_drive[slot], world.fuel_drive[slot] = ox, fuel
            world.igniter[slot] = 1.0 if engine.state == START else 0.0
            if engine.state in (START, RUN):
                limit = self._gimbal_limit
                x, y = _held(gimbal_x[slot], limit), _held(gimbal_y[slot], limit)
                world.gimbal_x_drive[slot] = _held(self._gimbal_gain * (x - state.gimbal_x[slot]), 1.0)
                world.gimbal_y_drive[slot] = _held(self._gimbal_gain * (y - state.gimbal_y[slot]), 1.0)
                world.ask(slot, starting=engine.state == START)
            else:
                world.gimbal_x_drive[slot] = world.gimbal_y_drive[slot] = 0.0

    def _follow(self, slot: int, state: State) -> None:
        """Go from START to RUN once the chamber burns; give the engine up where it does not in time."""
        engine = self.engine[slot]
        if engine.state != START:
            return
        if state.chamber_pa[slot] >= self._lit_pa:
            self.engine[slot].state = RUN
        elif state.t_s - engine.since_s >= self._board.start_light_timeout_s:
            self.engine[slot] = _Engine(SHUT, state.t_s)

    def _valves(self, slot: int, engine: _Engine, state: State, demand: float) -> tuple[float, float]:
        ox_pos, fuel_pos = state.ox_pos[slot], state.fuel_pos[slot]
        since = state.t_s - engine.since_s
        board, gain = self._board, self._valve_gain
        if engine.state == START:
            lead = board.start_igniter_lead_s - 1e-9
            fuel = board.start_valve_pos if since >= lead else 0.0
            ox = board.start_valve_pos if since >= lead + board.start_fuel_lead_s else 0.0
            return _held(gain * (ox - ox_pos), 1.0), _held(gain * (fuel - fuel_pos), 1.0)
        if engine.state == RUN:
            demand = min(max(demand, self._floor), 1.0)
            return _held(gain * (demand - ox_pos), 1.0), _held(gain * (demand - fuel_pos), 1.0)
        if engine.state == SHUT:
            second = -1.0 if since >= board.shutdown_gap_s - 1e-9 else 0.0
            return (-1.0, second) if self._first == "oxidiser" else (second, -1.0)
        return 0.0, 0.0


def _held(value: float, limit: float) -> float:
    return min(max(value, -limit), limit)
