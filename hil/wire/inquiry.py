"""Asking the boards on a bus who they are; nothing that is sent here is obeyed by an actuator."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Final

from cantools.database.can import Database

from hil.signals import Frame
from hil.signals.clocks import ClockMatch
from hil.wire.canframe import frame_id
from hil.wire.codec import BenchDecoder, encode_frame

__all__ = ["ASK_EVERY_S", "QUESTIONS", "Identity", "Inquiry", "message_of"]

QUESTIONS: Final = 20
ASK_EVERY_S: Final = 0.05
_ROLES: Final = ("engine_valve", "flight_computer")
_ECHOES: Final = 4
_NOBODY: Final = -1


@dataclass
class Identity:
    """What a board has answered: who it is, and how it answers."""

    role: str
    version: int
    build: int
    table: int
    round_trips: list[float] = field(default_factory=list)
    """From each question to its answer, in the unit of the clock that asked."""


def message_of(engine: int | None) -> str:
    """Return the message by which the board of an engine, or the flight computer, answers."""
    return "COMPUTER_IDENTITY" if engine is None else f"ENGINE_{engine}_IDENTITY"


class Inquiry:
    """Questions out, answers in, by the table; and whether what the boards send by themselves is good."""

    def __init__(self, database: Database, engines: Sequence[int | None]) -> None:
        """`engines` are the boards to hear: numbers of engines, None for the flight computer."""
        self.answers: dict[int | None, Identity] = {}
        self._frame = Frame(max(1, len([e for e in engines if e is not None])))
        nodes = tuple(engine for engine in engines if engine is not None) or (1,)
        self.decoder = BenchDecoder(self._frame, nodes, database)
        self._query = database.get_message_by_name("BENCH_QUERY")
        self._asked = 0
        self._asked_at = 0.0
        self._answered: set[int | None] = set()
        self._now = 0.0
        self._heard: dict[int | None, int] = {}
        self.clock = ClockMatch()
        """The time stamps of a real bus against this machine's monotonic clock."""
        self._answers_as: dict[int, int | None] = {
            database.get_message_by_name(message_of(engine)).frame_id: engine for engine in engines
        }
        for engine in engines:
            self.decoder.listen(message_of(engine), self._taker(engine))

    def question(self, now: float) -> bytes:
        """Return the next question, asked at `now` (any clock)."""
        self._asked += 1
        self._asked_at = now
        self._answered.clear()
        return encode_frame(self._query, {"echo": self._asked % _ECHOES}, self._asked)

    def take(self, frames: Iterable[bytes], now: float) -> None:
        """Look at what was heard up to `now`."""
        self._now = now
        kept = list(frames)
        for frame in kept:
            engine = self._answers_as.get(frame_id(frame), _NOBODY)
            if engine != _NOBODY:
                self._heard[engine] = self._heard.get(engine, 0) + 1
        self.decoder.take(kept)

    def answers_twice(self, engine: int | None) -> bool:
        """Tell whether more answers came than questions were asked, good or not: two boards answer as one."""
        return self._heard.get(engine, 0) > self._asked

    def _taker(self, engine: int | None) -> Callable[[dict[str, float]], None]:
        def take(signals: dict[str, float]) -> None:
            if int(signals["echo"]) != self._asked % _ECHOES:
                return
            said = self.answers.setdefault(
                engine,
                Identity(
                    _ROLES[int(signals["role"])],
                    int(signals["version"]),
                    int(signals["build"]),
                    int(signals["table"]),
                ),
            )
            if engine in self._answered:
                return
            self._answered.add(engine)
            said.round_trips.append(self._now - self._asked_at)

        return take

    def ask_on(
        self,
        send: Callable[[bytes], object],
        drain: Callable[[], list[tuple[float, bytes]]],
        questions: int = QUESTIONS,
    ) -> None:
        """Ask on a real bus, on the wall clock, about a second long; `drain` gives frames with their stamps.

        An answer was on the bus after its question had been asked: so the stamps are known from both sides.
        """
        drain()  # what has waited since the bus was opened says nothing
        due = time.monotonic()
        for _ in range(questions):
            send(self.question(time.monotonic()))
            due += ASK_EVERY_S
            while (now := time.monotonic()) < due:
                stamped = drain()
                for stamp_s, frame in stamped:
                    answered = len(self._answered)
                    self.take([frame], time.monotonic())
                    self._compare(stamp_s, is_answer=len(self._answered) > answered)
                if not stamped:
                    time.sleep(min(0.0005, due - now))

    def _compare(self, stamp_s: float, *, is_answer: bool) -> None:
        if stamp_s <= 0.0:
            return  # an interface without a clock
        self.clock.note(self._now, stamp_s)
        if is_answer:
            self.clock.note_cause(self._asked_at, stamp_s)
