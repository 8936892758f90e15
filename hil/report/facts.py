"""What the page says besides the plots, read from a run's `run.json`."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from hil.files import FileError
from hil.tape import Recording
from hil.verdict import judge
from hil.verdict.requirements import REQUIREMENTS

__all__ = ["Facts", "Figure", "Node", "Requirement", "facts_of_tape", "load_facts"]

_TOUCHDOWN: Final = (
    ("t_s", "time after ignition", "s"),
    ("miss_m", "miss", "m"),
    ("vertical_speed_mps", "vertical speed", "m/s"),
    ("lateral_speed_mps", "lateral speed", "m/s"),
    ("tilt_deg", "tilt", "deg"),
    ("rate_degps", "turn rate", "deg/s"),
    ("propellant_left_kg", "propellant left", "kg"),
)


@dataclass(frozen=True, slots=True)
class Figure:
    """A number of the touchdown; `limit` is None where there is none."""

    name: str
    value: float
    unit: str
    limit: float | None

    @property
    def within(self) -> bool | None:
        """True when the value keeps its limit, None without one."""
        return None if self.limit is None else abs(self.value) <= self.limit


@dataclass(frozen=True, slots=True)
class Requirement:
    """A requirement and how it fared: pass, fail or not exercised; `reason` says why, where that is known."""

    id: str
    text: str
    result: str
    reason: str


@dataclass(frozen=True, slots=True)
class Node:
    """A board of the rig, its rung, and whether it was real."""

    name: str
    rung: str
    real: bool


@dataclass(frozen=True, slots=True)
class Clock:
    """A clock against the bench's: offset and drift, how well the offset is known, how well it repeats."""

    name: str
    offset_s: float | None
    drift_ppm: float | None
    uncertainty_s: float | None
    residual_s: float | None


@dataclass(frozen=True, slots=True)
class Facts:
    """A run as its `run.json` tells it; `run` is that file's object."""

    run: dict[str, Any]

    def _word(self, key: str) -> str:
        value = self.run.get(key)
        return "" if value is None else str(value)

    def _table(self, key: str) -> dict[str, Any]:
        value = self.run.get(key)
        return value if isinstance(value, dict) else {}

    @property
    def verdict(self) -> str:
        """PASS, FAIL, ERROR or INVALID."""
        return self._word("verdict") or "UNKNOWN"

    @property
    def rig(self) -> str:
        """Name of the rig."""
        return self._word("rig")

    @property
    def case(self) -> str:
        """Name of the case."""
        return self._word("case")

    @property
    def description(self) -> str:
        """What the case says of itself."""
        return self._word("description")

    @property
    def cause(self) -> str:
        """The first failure of the rig in one line, empty without one."""
        return self._word("cause")

    @property
    def summary(self) -> str:
        """Seed, pace and duration in a few words."""
        words = [f"seed {self._word('seed')}"]
        if self.run.get("pace"):
            words.append(f"pace {self._word('pace')}")
        sim_s, wall_s = self.run.get("sim_s"), self.run.get("wall_s")
        if sim_s is not None:
            words.append(f"{sim_s:.2f} s of flight")
        if sim_s and wall_s:
            words.append(f"{wall_s:.2f} s of wall time ({sim_s / wall_s:.0f} times real time)")
        return " · ".join(words)

    @property
    def provenance(self) -> str:
        """Versions and digest: what this page was made from."""
        words = [f"{name} {value}" for name, value in self._table("versions").items()]
        digest = self._word("signals_sha256")
        return " · ".join([*words, f"signals sha256 {digest}"] if digest else words)

    @property
    def miss_limit_m(self) -> float:
        """Radius within which the stage has to touch down."""
        return float(self._table("limits").get("miss_m", 5.0))

    @property
    def keep_out_m(self) -> float:
        """Radius within which a stage that cannot land must not come down."""
        return float(self._table("limits").get("keep_out_m", 75.0))

    @property
    def touchdown(self) -> list[Figure]:
        """The numbers of the touchdown with their limits; empty for a flight without one."""
        values, limits = self._table("touchdown"), self._table("limits")
        return [
            Figure(name, float(values[key]), unit, limits.get(key))
            for key, name, unit in _TOUCHDOWN
            if values.get(key) is not None
        ]

    @property
    def requirements(self) -> list[Requirement]:
        """Every requirement with its text and how it fared."""
        texts = {r.id: r.text for r in REQUIREMENTS} | self._table("requirement_texts")
        reasons = self._table("requirement_reasons")
        return [
            Requirement(key, str(texts.get(key, "")), str(result), str(reasons.get(key) or ""))
            for key, result in self._table("requirements").items()
        ]

    @property
    def findings(self) -> list[str]:
        """What the verdict found, one sentence each."""
        value = self.run.get("findings")
        return [str(sentence) for sentence in value] if isinstance(value, list) else []

    @property
    def clocks(self) -> list[Clock]:
        """Clocks that were compared with the bench's and are not the bench's own."""
        found = []
        for name, told in self._table("clocks").items():
            if told.get("offset_s") is not None and any(told.values()):
                numbers = [told.get(key) for key in ("offset_s", "drift_ppm", "uncertainty_s", "residual_s")]
                found.append(Clock(name, *numbers))
        return found

    @property
    def nodes(self) -> list[Node]:
        """The boards of the rig."""
        reality = self._table("reality")
        return [
            Node(name, str(rung), reality.get(name) == "real" or rung == "hardware")
            for name, rung in self._table("rungs").items()
        ]

    def engines_of(self, tape: Recording) -> list[int]:
        """Return the number of the engine in each slot of the tape."""
        count = int(tape.info["engines"])
        numbers = self.run.get("landing_engines") or tape.info.get("landing_engines")
        if isinstance(numbers, list) and len(numbers) == count:
            return [int(number) for number in numbers]
        return list(range(1, count + 1))


def load_facts(path: Path) -> Facts:
    """Read a run's `run.json`; raise FileError with one line when it cannot be used."""
    try:
        run = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise FileError(f"{path}: {error.strerror}") from None
    except ValueError as error:
        raise FileError(f"{path}: broken JSON: {error}") from None
    if not isinstance(run, dict):
        raise FileError(f"{path}: not a JSON object")
    return Facts(run)


def facts_of_tape(tape: Recording) -> Facts:
    """Return what the tape alone tells of a run that left no `run.json`: one that was cut short.

    Raises FileError when the tape does not say what was flown.
    """
    lacks = sorted({"frame_ns", "time_limit_s", "vehicle_toml"} - tape.info.keys())
    if lacks:
        raise FileError(f"no run.json (No such file), and the tape does not say what was flown: {lacks[0]}")
    run: dict[str, Any] = {
        **tape.info,
        "verdict": "INVALID",
        "cause": f"The run was cut short and left no run.json: this is what its tape holds, {_told(tape)}.",
        "sim_s": _duration_s(tape),
        "signals_sha256": hashlib.sha256(tape.frames.tobytes()).hexdigest(),
    }
    if len(tape.frames):
        judgement = judge(tape)
        run["touchdown"] = judgement.touchdown
        run["requirements"] = judgement.requirements
        run["requirement_reasons"] = {name: r.reason for name, r in judgement.results.items()}
        run["limits"] = judgement.limits
        run["findings"] = judgement.findings
    return Facts(run)


def _duration_s(tape: Recording) -> float:
    return round(len(tape.frames) * int(tape.info["frame_ns"]) * 1e-9, 9)


def _told(tape: Recording) -> str:
    """Say how much of a flight the tape holds."""
    return f"{len(tape.frames)} frames ({_duration_s(tape):g} s)"
