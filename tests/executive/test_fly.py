"""The loop and the safe end of a flight, with small declared stations instead of a rig."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pytest

from hil.executive import Crew, Flight, Lockstep, RateTable, Stop, WallClock, fly
from hil.signals import Board, BoardLost, Frame, RigError

FRAME_NS = 10_000_000
CLOSING_FRAMES = 30


@dataclass
class Rig:
    """What the stations of a test share: one log of calls, and when to go wrong."""

    log: list[tuple[str, int]] = field(default_factory=list)
    frame: Frame = field(default_factory=lambda: Frame(1))

    def calls(self, name: str) -> list[int]:
        return [t // FRAME_NS for n, t in self.log if n == name]


class Station:
    """Sensors, wires, tape and plant in one; `at` maps a stage to what happens in a frame."""

    def __init__(self, rig: Rig, name: str, trouble: dict[int, BaseException] | None = None) -> None:
        self.rig, self.name, self.trouble = rig, name, trouble or {}
        self.rest_at: int | None = None
        self.served: list[float] = []
        self.t_ns = 0
        self.muted: list[str] = []

    def _call(self, t_ns: int) -> None:
        self.rig.log.append((self.name, t_ns))
        self.t_ns = t_ns
        if t_ns // FRAME_NS in self.trouble:
            raise self.trouble[t_ns // FRAME_NS]

    sample = exchange = write = advance = _call

    @property
    def at_rest(self) -> bool:
        return self.rest_at is not None and self.t_ns >= self.rest_at * FRAME_NS

    def pump(self, until_s: float) -> None:
        self.served.append(until_s)
        time.sleep(max(0.0, until_s - time.monotonic()))

    def mute(self, board: str) -> None:
        self.muted.append(board)
        self.rig.log.append((f"mute {board}", self.t_ns))

    def counters(self) -> dict[str, dict[str, int]]:
        return {}

    def close(self) -> None:
        """Nothing to close."""


class TestBoard:
    """A valve board that closes CLOSING_FRAMES after the flight computer was last turned."""

    __test__ = False
    backend = "in_process"
    reality = "virtual"

    def __init__(self, rig: Rig, name: str, role: str, dies: dict[int, BaseException] | None = None) -> None:
        self.rig, self.name, self.role, self.dies = rig, name, role, dies or {}
        self.silence = 0
        self.open = True
        self.turning = False

    def start_frame(self, t_ns: int) -> None:
        assert not self.turning, f"{self.name} was left half-way"
        self.turning = True
        self.rig.log.append((self.name, t_ns))
        self.t_ns = t_ns

    def finish_frame(self) -> None:
        assert self.turning
        self.turning = False
        number = self.t_ns // FRAME_NS
        if number in self.dies:
            raise self.dies[number]
        computer = self.rig.calls("flight_computer")
        self.silence = number - computer[-1] if computer else number + 1
        self.open = self.silence < CLOSING_FRAMES

    @property
    def safe(self) -> bool:
        return not self.open

    def close(self) -> None:
        """Nothing to close."""


def build(**kwargs: Any) -> tuple[Rig, Flight, dict[str, Any]]:
    """Build a flight of test stations; `<station>=` gives its troubles, `rest_at` ends it."""
    rig = Rig()
    stations = {n: Station(rig, n, kwargs.get(n)) for n in ("sensors", "wires", "tape", "plant")}
    stations["plant"].rest_at = kwargs.get("rest_at")
    names = ("flight_computer", "engine_1", "engine_2")
    boards: list[Board] = [
        TestBoard(rig, n, "flight_computer" if n == "flight_computer" else "engine_valve", kwargs.get(n))  # type: ignore[misc]
        for n in names
    ]
    pace = WallClock(FRAME_NS, stations["wires"]) if kwargs.get("wall") else Lockstep()
    flight = Flight(
        frame=rig.frame,
        rates=RateTable(FRAME_NS, 1_000_000),
        pace=pace,
        sensors=stations["sensors"],
        crew=Crew(boards),
        wires=stations["wires"],
        tape=stations["tape"],
        plant=stations["plant"],
        time_limit_s=kwargs.get("limit", 1.0),
    )
    return rig, flight, {**stations, **{b.name: b for b in boards}}


def test_one_frame_in_its_order() -> None:
    rig, flight, _ = build(limit=0.01)
    flight.crew.boards[1].open = flight.crew.boards[2].open = False  # type: ignore[attr-defined]
    fly(flight)
    assert [name for name, _ in rig.log[:7]] == [
        "sensors",
        "flight_computer",
        "engine_1",
        "engine_2",
        "wires",
        "tape",
        "plant",
    ]
    assert rig.log[6] == ("plant", FRAME_NS)
    assert {t for _, t in rig.log[:6]} == {0}


def test_it_ends_two_seconds_after_rest_with_the_computer_still_flying() -> None:
    rig, flight, _ = build(rest_at=50, limit=60.0)
    ending = fly(flight)
    assert ending.reason == "at rest"
    assert rig.calls("flight_computer")[-1] == 49 + 200
    assert ending.cause is None


def test_the_time_limit_also_ends_safely() -> None:
    rig, flight, _ = build(limit=0.5)
    ending = fly(flight)
    assert ending.reason == "time limit"
    assert rig.calls("flight_computer") == list(range(50))
    assert rig.calls("tape") == list(range(50 + CLOSING_FRAMES))
    assert ending.safe
    assert ending.frames == len(rig.calls("tape"))
    assert ending.sim_s == pytest.approx(ending.frames * 0.01)


@pytest.mark.parametrize("board", ["flight_computer", "engine_1", "engine_2"])
def test_a_lost_board_makes_the_others_safe(board: str) -> None:
    rig, flight, _ = build(**{board: {20: BoardLost(board, "killed by signal 9")}})
    ending = fly(flight)
    assert ending.reason == "rig error"
    assert ending.cause == f"board {board}: killed by signal 9"
    assert ending.safe
    assert rig.calls(board)[-1] == 20
    assert rig.calls("flight_computer")[-1] == 20, "a dead flight computer is not fed"
    others = {"engine_1", "engine_2"} - {board}
    for other in others:
        assert rig.calls(other) == list(range(21 + CLOSING_FRAMES))
    assert rig.calls("tape") == list(range(21 + CLOSING_FRAMES)), "every frame is taped, the broken one too"
    assert rig.calls("plant")[-1] == 21 + CLOSING_FRAMES


@pytest.mark.parametrize("lost", ["flight_computer", "engine_1"])
def test_the_flight_computer_is_muted_before_anything_else(lost: str) -> None:
    rig, flight, stations = build(**{lost: {20: BoardLost(lost, "killed")}})
    fly(flight)
    assert stations["wires"].muted == ["flight_computer"], "valve boards go on telling their state"
    names = [name for name, _ in rig.log]
    after = names[names.index("mute flight_computer") + 1 :]
    assert "flight_computer" not in after
    assert after[:3] == ["wires", "tape", "plant"], "then the broken frame is finished"


@pytest.mark.parametrize("stage", ["sensors", "wires", "tape", "plant"])
def test_a_failing_station_makes_the_boards_safe_and_is_named(stage: str) -> None:
    rig, flight, _ = build(**{stage: {20: ZeroDivisionError("oh\nno")}})
    ending = fly(flight)
    assert ending.reason == "rig error"
    assert ending.cause == f"{stage}: ZeroDivisionError: oh no"
    assert ending.safe
    last = rig.calls(stage)[-1]
    assert last == 20, "a station that failed is left alone"
    assert rig.calls("engine_1")[-1] >= 19 + CLOSING_FRAMES


class Doubter:
    """An interlock that ends the flight in frame 20 and notes when it stops the boards."""

    def __init__(self) -> None:
        self.stopped: list[int] = []

    def look(self, t_ns: int) -> None:
        if t_ns == 20 * FRAME_NS:
            raise RigError("board engine_1: silent")

    def keep_stopped(self, t_ns: int) -> None:
        self.stopped.append(t_ns // FRAME_NS)


def test_boards_are_stopped_in_the_frame_in_which_the_interlock_ends_the_flight() -> None:
    rig, flight, _ = build()
    flight.interlock = Doubter()
    ending = fly(flight)
    assert ending.cause == "board engine_1: silent"
    assert flight.interlock.stopped[0] == 20
    assert rig.calls("wires") == list(range(21 + CLOSING_FRAMES)), "what says so gets out, in that frame"
    assert ending.safe


def test_a_rig_error_speaks_for_itself() -> None:
    _, flight, _ = build(tape={3: RigError("tape x: the disk is full")})
    assert fly(flight).cause == "tape x: the disk is full"


def test_the_first_failure_latches() -> None:
    _, flight, _ = build(
        engine_1={20: BoardLost("engine_1", "killed")},
        engine_2={22: BoardLost("engine_2", "out of step")},
        tape={22: RigError("tape x: the disk is full")},
    )
    ending = fly(flight)
    assert ending.cause == "board engine_1: killed"
    assert ending.later == ("board engine_2: out of step", "tape x: the disk is full")


def test_boards_that_never_close_are_named_after_two_seconds() -> None:
    rig, flight, stations = build(engine_1={20: BoardLost("engine_1", "killed")})
    type(stations["engine_2"]).safe = property(lambda self: self.name != "engine_2")  # type: ignore[assignment]
    try:
        ending = fly(flight)
    finally:
        type(stations["engine_2"]).safe = property(lambda self: not self.open)  # type: ignore[assignment]
    assert not ending.safe
    assert ending.unsafe_boards == ("engine_2",)
    assert rig.calls("engine_2")[-1] == 20 + 200


@pytest.mark.parametrize("how", ["stop", "keyboard"])
def test_an_interrupt_makes_safe(how: str) -> None:
    trouble: dict[str, Any] = {"plant": {20: KeyboardInterrupt()}} if how == "keyboard" else {}
    rig, flight, stations = build(**trouble)
    if how == "stop":
        stop: Callable[[int], None] = lambda t: flight.stop.request("SIGINT") if t == 19 * FRAME_NS else None  # noqa: E731
        flight.tape.write = lambda t: (stop(t), stations["tape"]._call(t))[1]  # type: ignore[method-assign]
    ending = fly(flight)
    assert ending.reason == "interrupted"
    assert ending.cause is not None
    assert ending.cause.startswith("interrupted")
    assert ending.safe
    assert rig.calls("flight_computer")[-1] == 19
    assert rig.calls("tape") == list(range(20 + CLOSING_FRAMES))


def test_a_stop_is_asked_for_once() -> None:
    stop = Stop()
    stop.request("SIGINT")
    stop.request("SIGTERM")
    assert stop.by == "SIGINT"


def test_the_wall_clock_keeps_absolute_deadlines() -> None:
    rig, flight, stations = build(wall=True, limit=0.2)
    begin = time.monotonic()
    fly(flight)
    assert time.monotonic() - begin >= (len(rig.calls("tape")) - 1) * 0.01
    served = np.array(stations["wires"].served)
    assert np.diff(served) == pytest.approx(0.01, abs=1e-9), "deadlines do not drift"


def test_missed_deadlines_are_counted_with_their_cause() -> None:
    _, flight, stations = build(wall=True, limit=0.1)
    inner = stations["plant"]._call

    def slow(t_ns: int) -> None:
        inner(t_ns)
        if t_ns == 5 * FRAME_NS:
            time.sleep(0.035)

    flight.plant.advance = slow  # type: ignore[method-assign]
    fly(flight)
    deadlines = flight.pace.deadlines
    assert deadlines.missed >= 1
    assert deadlines.causes["plant"] >= 1
    assert deadlines.worst_s >= 0.025
    assert deadlines.first[0]["cause"]
    assert 4 in {entry["frame"] for entry in deadlines.first}


def test_lockstep_is_never_late() -> None:
    _, flight, _ = build(limit=0.1, plant=None)
    fly(flight)
    assert flight.pace.deadlines.missed == 0
    assert set(flight.pace.mean_s()) == {"sensors", "boards", "wires", "tape", "plant"}


def test_rates_must_divide() -> None:
    with pytest.raises(ValueError, match="not a whole number of plant steps"):
        RateTable(FRAME_NS, 3_000_000)
    with pytest.raises(ValueError, match="positive"):
        RateTable(0, 1)
    table = RateTable(FRAME_NS, 1_000_000)
    assert table.frames_in(1.0) == 100
    assert table.frames_in(1.001) == 101
    assert dict(table.rows())["plant"] == 1_000_000


def test_the_executive_costs_microseconds() -> None:
    """A loose bound: the loop's own share with stations that do next to nothing."""
    _, flight, _ = build(limit=30.0)
    nothing = lambda t: None  # noqa: E731
    for station in (flight.sensors, flight.wires, flight.tape, flight.plant):
        for call in ("sample", "exchange", "write", "advance"):
            setattr(station, call, nothing)
    flight.crew = Crew([])
    begin = time.process_time()
    fly(flight)
    assert (time.process_time() - begin) / 3000 < 100e-6
