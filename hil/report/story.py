"""What happened, read from the recorded signals: when it began, when it was noticed, what was done."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

import numpy as np
import numpy.typing as npt

from hil.signals import ENGINE_STATES, FLIGHT_MODES, REQUESTS

__all__ = ["Event", "Kind", "events", "ignition_t_s"]

Kind = Literal["flight", "fault", "noticed", "action", "ground"]
Flags = npt.NDArray[np.bool_]

_START: Final = REQUESTS.index("START")
_RUN: Final = REQUESTS.index("RUN")
_SHUTDOWN: Final = REQUESTS.index("SHUTDOWN")
_FAULT: Final = ENGINE_STATES.index("FAULT")
_ABORT: Final = FLIGHT_MODES.index("ABORT")
_LOW: Final = 0.7
"""Share of the expected chamber pressure below which an engine counts as failed (requirement)."""
_LOW_FRAMES: Final = 2
_SILENT_FRAMES: Final = 5
_ORDER: Final = ("fault", "ground", "noticed", "flight", "action")
"""Which comes first of two events in one frame: the cause."""
_REST: Final = {
    1: "stands on the pad's ground",
    2: "has tipped over",
    3: "has crashed",
    4: "stands on crushed legs",
    5: "stands off the pad",
}


@dataclass(frozen=True, slots=True)
class Event:
    """Something that happened at `t_s` (seconds since the start); `short` fits beside a line in a plot."""

    t_s: float
    kind: Kind
    text: str
    short: str


def _first(flags: Flags) -> int | None:
    """Return the index of the first True, None without one."""
    found = np.flatnonzero(flags)
    return int(found[0]) if len(found) else None


def _rises(flags: Flags) -> list[int]:
    """Return the indices at which the flag becomes True, index 0 included."""
    before = np.concatenate(([False], flags[:-1]))
    return [int(i) for i in np.flatnonzero(flags & ~before)]


def _lasting(flags: Flags, frames: int) -> Flags:
    """Return flags that are True once the flag has been True for `frames` frames."""
    lasting = flags.copy()
    for shift in range(1, frames):
        lasting[shift:] &= flags[:-shift]
        lasting[:shift] = False
    return lasting


def ignition_t_s(frames: npt.NDArray[np.void]) -> float | None:
    """Return the time of the first START command, None for a flight without one."""
    first = _first((frames["command"]["request"] == _START).any(axis=1))
    return None if first is None else float(frames["t_ns"][first]) * 1e-9


def events(frames: npt.NDArray[np.void], engines: list[int]) -> list[Event]:
    """Return what happened in a flight, in order; `engines` holds the number of the engine in each slot."""
    if len(frames) == 0:
        return []
    found = [*_flight(frames), *_commands(frames, engines), *_ground(frames)]
    for slot, number in enumerate(engines):
        found += _engine_failure(frames, slot, number, engines)
        found += _board(frames, slot, number)
    return sorted(set(found), key=lambda event: (round(event.t_s, 6), _ORDER.index(event.kind), event.text))


def _time(frames: npt.NDArray[np.void], index: int) -> float:
    return float(frames["t_ns"][index]) * 1e-9


def _flight(frames: npt.NDArray[np.void]) -> list[Event]:
    mode = frames["telemetry"]["mode"]
    changes = [int(i) + 1 for i in np.flatnonzero(np.diff(mode))]
    found = []
    for index in changes:
        name = FLIGHT_MODES[int(mode[index])]
        kind: Kind = "action" if mode[index] == _ABORT else "flight"
        found.append(Event(_time(frames, index), kind, f"the flight computer enters {name}", name.lower()))
    return found


def _ground(frames: npt.NDArray[np.void]) -> list[Event]:
    truth = frames["truth"]
    found = []
    contact = _first(truth["contact"] == 1)
    if contact is not None:
        t_s = float(truth["contact_t_ns"][contact]) * 1e-9
        found.append(Event(t_s, "ground", "the first leg touches the ground", "contact"))
    rest = _first(truth["at_rest"] > 0)
    if rest is not None:
        what = _REST.get(int(truth["at_rest"][rest]), "is at rest")
        found.append(Event(_time(frames, rest), "ground", f"the stage {what}", what.split()[-1]))
    return found


def _commands(frames: npt.NDArray[np.void], engines: list[int]) -> list[Event]:
    """Tell of starts and shutdowns; engines that are commanded in the same frame share an event."""
    asked: dict[tuple[int, Kind, str], list[int]] = {}
    for slot, number in enumerate(engines):
        request = frames["command"]["request"][:, slot]
        before = np.concatenate(([0], request[:-1]))
        for index in _rises(request == _START)[:1]:
            asked.setdefault((index, "flight", "start"), []).append(number)
        for index in _rises((request == _SHUTDOWN) & (before >= _START)):
            asked.setdefault((index, "action", "shut down"), []).append(number)
    return [
        Event(
            _time(frames, index),
            kind,
            f"{_engines(numbers)} commanded to {what}",
            f"{what.split()[0]} {_list(numbers)}",
        )
        for (index, kind, what), numbers in asked.items()
    ]


def _list(numbers: list[int]) -> str:
    return ", ".join(str(number) for number in numbers)


def _engines(numbers: list[int]) -> str:
    return f"engine {numbers[0]} is" if len(numbers) == 1 else f"engines {_list(numbers)} are"


def _engine_failure(frames: npt.NDArray[np.void], slot: int, number: int, engines: list[int]) -> list[Event]:
    """Tell of a lost chamber, of the moment the kernel held the engine for failed, and of who carries on."""
    truth, telemetry = frames["truth"], frames["telemetry"]
    running = frames["command"]["request"][:, slot] == _RUN
    expected = truth["chamber_expected_pa"][:, slot]
    low = running & (expected > 0.0) & (truth["chamber_pa"][:, slot] < _LOW * expected)
    found = []
    begin = _first(_lasting(low, _LOW_FRAMES))
    if begin is not None:
        text = f"engine {number}: chamber pressure below {_LOW:.0%} of what its valves should give"
        found.append(Event(_time(frames, begin), "fault", text, f"low {number}"))
    for index in _rises(telemetry["engine_failed"][:, slot] == 1):
        delay = ""
        if begin is not None and index >= begin:
            delay = f", {_time(frames, index) - _time(frames, begin):.3f} s after its pressure fell"
        found.append(
            Event(
                _time(frames, index),
                "noticed",
                f"engine {number} is held for failed{delay}",
                f"failed {number}",
            )
        )
        found.append(_reallocation(frames, index, engines))
    return found


def _reallocation(frames: npt.NDArray[np.void], index: int, engines: list[int]) -> Event:
    """Say which engines share the thrust from frame `index` on."""
    share = frames["telemetry"]["engine_share"][index]
    carry = [number for slot, number in enumerate(engines) if share[slot]]
    text = f"the plan goes on with {_carrying(carry)}"
    return Event(_time(frames, index), "action", text, "re-allocated")


def _carrying(numbers: list[int]) -> str:
    if not numbers:
        return "no engine"
    return f"engine {numbers[0]}" if len(numbers) == 1 else f"engines {_list(numbers)}"


def _board(frames: npt.NDArray[np.void], slot: int, number: int) -> list[Event]:
    status = frames["status"]
    found = []
    for index in _rises(status["state"][:, slot] == _FAULT):
        word = int(status["fault"][index, slot])
        text = f"the board of engine {number} reports FAULT (fault word 0x{word:02x})"
        found.append(Event(_time(frames, index), "fault", text, f"fault {number}"))
    heard = np.cumsum(status["fresh"][:, slot]) > 0
    quiet = _lasting((status["fresh"][:, slot] == 0) & heard, _SILENT_FRAMES)
    for index in _rises(quiet):
        begin = max(0, index - _SILENT_FRAMES + 1)
        found.append(
            Event(
                _time(frames, begin),
                "fault",
                f"the board of engine {number} falls silent",
                f"silent {number}",
            )
        )
    return found
