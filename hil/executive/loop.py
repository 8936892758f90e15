"""THE loop. Read `fly` and you have seen the product."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final, Literal

from hil.executive.pace import BOARDS, PLANT, SENSORS, TAPE, WIRES, Pace
from hil.executive.rates import RateTable
from hil.signals import Board, Frame, Interlock, Plant, Sensors, Tape, Wires

__all__ = ["SETTLE_S", "Crew", "Flight", "Interrupted", "NoInterlock", "Stop", "turn_crank"]

SETTLE_S: Final = 2.0
"""How long a flight goes on after the booster has come to rest, so that valves close on the tape."""

Reason = Literal["at rest", "time limit"]


class Interrupted(Exception):
    """Somebody asked for the flight to end (Ctrl-C, SIGTERM)."""


class Stop:
    """A request to end the flight, looked at once a frame, so that no frame is left half done."""

    def __init__(self) -> None:
        self.by: str | None = None

    def request(self, by: str) -> None:
        """Ask for the end; `by` says who asks."""
        self.by = self.by or by


class NoInterlock:
    """The interlock of a rig that can move nothing real and demands no leave."""

    def look(self, t_ns: int) -> None:
        """Nothing to hold."""

    def keep_stopped(self, t_ns: int) -> None:
        """Nothing to withdraw."""


class Crew:
    """All boards of a rig, turned together: a failing one never leaves the others half-way.

    `lost` holds the boards that failed; they are not turned again.
    """

    def __init__(self, boards: Sequence[Board]) -> None:
        self.boards = list(boards)
        self.lost: list[Board] = []
        self._started: list[Board] = []
        self._failure: BaseException | None = None

    def start_frame(self, t_ns: int) -> None:
        """Start every board; failures are raised by finish_frame, when all others are done."""
        self._failure = None
        self._started.clear()
        for board in self.boards:
            try:
                board.start_frame(t_ns)
            except Exception as failure:
                self._drop(board, failure)
            else:
                self._started.append(board)

    def finish_frame(self) -> None:
        """Finish every started board; then raise the first failure of the frame, if any."""
        for board in self._started:
            try:
                board.finish_frame()
            except Exception as failure:
                self._drop(board, failure)
        if self._failure is not None:
            self.boards = [board for board in self.boards if board not in self.lost]
            raise self._failure

    def _drop(self, board: Board, failure: BaseException) -> None:
        self.lost.append(board)
        self._failure = self._failure or failure


@dataclass
class Flight:
    """Everything that the loop turns."""

    frame: Frame
    rates: RateTable
    pace: Pace
    sensors: Sensors
    crew: Crew
    wires: Wires
    tape: Tape
    plant: Plant
    time_limit_s: float
    stop: Stop = field(default_factory=Stop)
    interlock: Interlock = field(default_factory=NoInterlock)
    number: int = 0
    """Number of the frame that is being turned."""


def turn_crank(flight: Flight) -> Reason:
    """Fly until the booster has rested for SETTLE_S, or the time limit is over; say which."""
    frame, pace, period = flight.frame, flight.pace, flight.rates.frame_ns
    sensors, crew, wires = flight.sensors, flight.crew, flight.wires
    tape, plant, interlock = flight.tape, flight.plant, flight.interlock
    stamp_t, stamp_number = frame.array["t_ns"], frame.array["frame"]
    settle, rest_ns = round(SETTLE_S * 1e9), None

    for number in range(flight.rates.frames_in(flight.time_limit_s)):
        flight.number, t_ns = number, number * period
        pace.wait(t_ns)
        stamp_t[()], stamp_number[()] = t_ns, number
        sensors.sample(t_ns)
        pace.lap(SENSORS)
        crew.start_frame(t_ns)
        crew.finish_frame()
        interlock.look(t_ns)
        pace.lap(BOARDS)
        wires.exchange(t_ns)
        pace.lap(WIRES)
        tape.write(t_ns)
        pace.lap(TAPE)
        plant.advance(t_ns + period)
        pace.lap(PLANT)

        if rest_ns is None and plant.at_rest:
            rest_ns = t_ns
        if rest_ns is not None and t_ns - rest_ns >= settle:
            return "at rest"
        if flight.stop.by is not None:
            raise Interrupted(flight.stop.by)
    return "time limit"
