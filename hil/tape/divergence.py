"""Where two recordings of one flight part: the first signal whose bits differ."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from hil.signals import PER_ENGINE, RECORDS, Field
from hil.tape.reader import Recording

__all__ = ["Divergence", "first_divergence"]

_BLOCK: Final = 1024
"""Frames compared at once: what has parted is found without a copy of both flights."""


@dataclass(frozen=True, slots=True)
class Divergence:
    """The first difference between two recordings.

    `signal` is the record and field, with the engine or the axis where it has several values; `size` is
    the difference of the two values in `unit`, nan where either is not finite.  Signals of one frame
    are told in the order of cause: truth, navigation, sensors, commands, drives, statuses, telemetry.
    """

    signal: str
    unit: str
    frame: int
    t_s: float
    values: tuple[float, float]
    others: int
    """Signals (each engine and axis by itself) that differ in that frame besides."""

    @property
    def size(self) -> float:
        """The size of the difference, in `unit`; nan where there is none to tell."""
        one, two = self.values
        return abs(two - one) if math.isfinite(one) and math.isfinite(two) else math.nan

    def as_dict(self) -> dict[str, Any]:
        """Return it as JSON values: None for what is not finite."""

        def told(value: float) -> float | None:
            return value if math.isfinite(value) else None

        return {
            "signal": self.signal,
            "unit": self.unit,
            "frame": self.frame,
            "t_s": self.t_s,
            "size": told(self.size),
            "values": [told(value) for value in self.values],
            "others": self.others,
        }

    def __str__(self) -> str:
        """Say it in one line."""
        unit = "" if self.unit == "1" else f" {self.unit}"
        one, two = self.values
        where = f"{self.signal} at t = {self.t_s:.2f} s (frame {self.frame}): off by {self.size:.3g}{unit}"
        more = f"; {self.others} more in that frame" if self.others else ""
        return f"{where} ({one:.9g} and {two:.9g}{more})"


def first_divergence(one: Recording, two: Recording) -> Divergence | None:
    """Return the first difference of all signals of all frames, bit by bit; None where there is none.

    A recording that ends before the other parts from it where it ends: that is told as the signal
    `frames`.  Raises ValueError for flights of different numbers of engines.
    """
    if one.frames.dtype != two.frames.dtype:
        raise ValueError(
            f"recordings of {one.info['engines']} and of {two.info['engines']} engines hold different signals"
        )
    shared = min(len(one.frames), len(two.frames))
    for start in range(0, shared, _BLOCK):
        block = slice(start, min(start + _BLOCK, shared))
        differs = _bits(one.frames[block]) != _bits(two.frames[block])
        rows = differs.any(axis=1)
        if rows.any():
            row = int(np.argmax(rows))
            return _describe(one, two, start + row, differs[row])
    if len(one.frames) == len(two.frames):
        return None
    longer = one if len(one.frames) > shared else two
    t_s = float(longer.frames["t_ns"][shared]) * 1e-9
    return Divergence("frames", "frames", shared, t_s, (float(len(one.frames)), float(len(two.frames))), 0)


def _bits(frames: np.ndarray[Any, np.dtype[np.void]]) -> np.ndarray[Any, np.dtype[np.int64]]:
    """Return frames as rows of 8-byte words."""
    return np.ascontiguousarray(frames).view(np.int64).reshape(len(frames), -1)


def _describe(
    one: Recording, two: Recording, index: int, differs: np.ndarray[Any, np.dtype[np.bool_]]
) -> Divergence:
    word = int(np.argmax(differs))
    names = _words(one.info)
    record, field, place, name = names[word]
    values = tuple(float(_value(tape, index, record, field, place)) for tape in (one, two))
    frame, t_s = int(one.frames["frame"][index]), float(one.frames["t_ns"][index]) * 1e-9
    others = int(np.count_nonzero(differs)) - 1
    return Divergence(name, field.unit, frame, t_s, (values[0], values[1]), others)


def _value(tape: Recording, index: int, record: str, field: Field, place: int) -> Any:
    part = tape.frames[field.name] if record == "" else tape.frames[record][field.name]
    return np.atleast_1d(part[index])[place]


def _words(info: dict[str, Any]) -> list[tuple[str, Field, int, str]]:
    """Return (record, field, place in it, what it is called) for each 8-byte word of a frame."""
    engines = int(info["engines"])
    numbers = info.get("landing_engines") or list(range(1, engines + 1))
    words = [("", Field(n, (), unit, "", "i8"), 0, n) for n, unit in (("t_ns", "ns"), ("frame", "1"))]
    for record in RECORDS:
        for field in record.fields:
            name = f"{record.name}.{field.name}"
            if field.shape == ():
                words.append((record.name, field, 0, name))
            elif field.shape == (PER_ENGINE,):
                words += [(record.name, field, k, f"{name}[engine {n}]") for k, n in enumerate(numbers)]
            else:
                words += [(record.name, field, k, f"{name}[{k}]") for k in range(field.shape[0])]
    return words
