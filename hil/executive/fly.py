"""A flight from its first frame to its safe end, whatever happens in between."""

from __future__ import annotations

import gc
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final, Literal

from hil.executive.loop import Flight, Interrupted, turn_crank
from hil.executive.pace import BOARDS, PLANT, SENSORS, TAPE, WIRES
from hil.signals import Board, RigError
from hil.signals.timing import STAGES

__all__ = ["SAFE_WITHIN_S", "Ending", "Latch", "fly"]

SAFE_WITHIN_S: Final = 2.0
"""Simulated time that the valve boards get to close everything after a flight was cut short."""

_PACE: Final = -1

Reason = Literal["at rest", "time limit", "interrupted", "rig error"]


@dataclass
class Latch:
    """The first failure, with its cause; what follows from it is kept apart and cannot mislead."""

    cause: str | None = None
    later: list[str] = field(default_factory=list)

    def note(self, failure: BaseException, what: str) -> None:
        """Keep `failure`, which came out of station `what`."""
        text = str(failure) if isinstance(failure, RigError) else f"{what}: {_one_line(failure)}"
        if self.cause is None:
            self.cause = text
        else:
            self.later.append(text)


def _one_line(failure: BaseException) -> str:
    text = " ".join(str(failure).split())
    return f"{type(failure).__name__}: {text}" if text else type(failure).__name__


@dataclass(frozen=True)
class Ending:
    """How a flight ended; `cause` is the first failure, in one line."""

    reason: Reason
    cause: str | None
    later: tuple[str, ...]
    frames: int
    sim_s: float
    wall_s: float
    safe: bool
    """True when every board that still answered reported safe at the end."""
    unsafe_boards: tuple[str, ...]


def fly(flight: Flight) -> Ending:
    """Turn the crank to the end of the flight; leave every valve closed however it ends.

    Never raises for a failure of the rig: the first one is in the result.
    """
    latch = Latch()
    reason: Reason
    collecting = gc.isenabled()
    gc.disable()  # a collection in the middle of a frame would be a deadline missed
    begin = time.perf_counter()
    try:
        try:
            reason = turn_crank(flight)
        except (Interrupted, KeyboardInterrupt) as stop:
            reason = "interrupted"
            latch.cause = f"interrupted ({stop})" if str(stop) else "interrupted"
        except Exception as failure:
            reason = "rig error"
            latch.note(failure, _stage_name(flight.pace.stage + 1))
        _make_safe(flight, latch, broken=reason == "rig error")
    finally:
        wall_s = time.perf_counter() - begin
        if collecting:
            gc.enable()
    unsafe = tuple(b.name for b in _valve_boards(flight) if not b.safe)
    frames = flight.number + 1
    return Ending(
        reason=reason,
        cause=latch.cause,
        later=tuple(latch.later),
        frames=frames,
        sim_s=frames * flight.rates.frame_ns * 1e-9,
        wall_s=wall_s,
        safe=not unsafe,
        unsafe_boards=unsafe,
    )


def _stage_name(stage: int) -> str:
    return STAGES[stage] if 0 <= stage < len(STAGES) else "pace"


def _valve_boards(flight: Flight) -> list[Board]:
    return [board for board in flight.crew.boards if board.role == "engine_valve"]


def _make_safe(flight: Flight, latch: Latch, *, broken: bool) -> None:
    """Fly on without the flight computer until every valve board reports safe, taping all of it.

    The bench's leave to move is withdrawn first, which also stops boards whose flight computer nobody
    can mute.  The valve boards hear no commands any more, so their own watchdogs close their valves; a flight
    computer on a clock of its own would go on commanding, so it is muted before anything else.  A
    station that fails is left out from then on; of the boards only the failing one.
    """
    crew, period = flight.crew, flight.rates.frame_ns
    flight.interlock.keep_stopped(flight.number * period)
    _mute_commanders(flight, latch)
    stages = _stages(flight)
    done = flight.pace.stage
    if broken and done + 1 != BOARDS:
        stages.pop(done + 1, None)
    for stage in range(done + 2, PLANT + 1):
        _guard(stages, stage, flight.number * period, latch)  # what is left of the broken frame
    crew.boards = _valve_boards(flight)
    last = flight.number + flight.rates.frames_in(SAFE_WITHIN_S)
    while flight.number < last and not all(board.safe for board in crew.boards):
        flight.number += 1
        t_ns = flight.number * period
        flight.frame.array["t_ns"] = t_ns
        flight.frame.array["frame"] = flight.number
        for stage in (_PACE, *range(PLANT + 1)):
            _guard(stages, stage, t_ns, latch)


def _mute_commanders(flight: Flight, latch: Latch) -> None:
    for board in (*flight.crew.boards, *flight.crew.lost):
        if board.role == "engine_valve":
            continue
        try:
            flight.wires.mute(board.name)
        except Exception as failure:
            latch.note(failure, "wires")


def _stages(flight: Flight) -> dict[int, Callable[[int], None]]:
    def boards(t_ns: int) -> None:
        flight.crew.start_frame(t_ns)
        flight.crew.finish_frame()

    def plant(t_ns: int) -> None:
        flight.plant.advance(t_ns + flight.rates.frame_ns)

    def wires(t_ns: int) -> None:
        flight.interlock.keep_stopped(t_ns)
        flight.wires.exchange(t_ns)

    return {
        _PACE: flight.pace.wait,
        SENSORS: flight.sensors.sample,
        BOARDS: boards,
        WIRES: wires,
        TAPE: flight.tape.write,
        PLANT: plant,
    }


def _guard(stages: dict[int, Callable[[int], None]], stage: int, t_ns: int, latch: Latch) -> None:
    """Run a stage; one that fails is latched and, but for the boards, never run again."""
    if stage not in stages:
        return
    try:
        stages[stage](t_ns)
    except Exception as failure:
        latch.note(failure, _stage_name(stage))
        if stage != BOARDS:
            del stages[stage]
