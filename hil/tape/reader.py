"""Reading a tape back: all frames of a recording as one structured array, however it ended."""

from __future__ import annotations

import json
import struct
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt
from mcap.opcode import Opcode

from hil.files import FileError
from hil.signals import frame_dtype
from hil.signals.timing import bus_dtype, timing_dtype
from hil.tape.schema import TAPE_VERSION

__all__ = ["Recording", "read_tape"]

_MAGIC: Final = b"\x89MCAP0\r\n"
_FRAME_CHANNEL: Final = 1
_TIMING_CHANNEL: Final = 2
_BUS_CHANNEL: Final = 3


@dataclass(frozen=True)
class Recording:
    """A flight as the tape holds it.

    `frames` has the layout of hil.signals.frame_dtype, one entry for each frame in order; `timing`
    holds the diagnostics (hil.signals.timing.timing_dtype), `bus` those of the CAN bus (bus_dtype;
    empty where there is none; its nodes are `info["bus_nodes"]`).  `info` says what was flown, `notes`
    holds what was added later (by name), `complete` is False for a tape that was cut off.
    """

    frames: npt.NDArray[np.void]
    timing: npt.NDArray[np.void]
    bus: npt.NDArray[np.void]
    info: dict[str, Any]
    notes: dict[str, dict[str, Any]]
    complete: bool


@dataclass
class _Parts:
    frames: list[bytes] = field(default_factory=list)
    timings: list[bytes] = field(default_factory=list)
    buses: list[bytes] = field(default_factory=list)
    metadata: dict[str, dict[str, Any]] = field(default_factory=dict)
    complete: bool = False


def read_tape(path: Path) -> Recording:
    """Read the tape at `path`; a tape that was cut off gives what was on the disk.

    Raises FileError when the file is missing, is no tape, is of another version, or ends before
    its description (which is written before the flight starts).
    """
    try:
        data = path.read_bytes()
    except OSError as error:
        raise FileError(f"{path}: {error.strerror}") from None
    if data[: len(_MAGIC)] != _MAGIC:
        raise FileError(f"{path}: not a tape (no MCAP magic at its start)")
    parts = _Parts()
    _records(data, len(_MAGIC), len(data), parts)
    info = parts.metadata.pop("lastbrake", None)
    if info is None:
        raise FileError(f"{path}: not a readable tape (its description is missing or cut off)")
    if info.get("tape_version") != TAPE_VERSION:
        raise FileError(
            f"{path}: tape version {info.get('tape_version')} (this program reads version {TAPE_VERSION})"
        )
    layout = frame_dtype(int(info["engines"]))
    return Recording(
        frames=_gather(parts.frames, layout),
        timing=_gather(parts.timings, timing_dtype()),
        bus=_gather(parts.buses, bus_dtype(len(info.get("bus_nodes", [])))),
        info=info,
        notes=parts.metadata,
        complete=parts.complete,
    )


def _gather(payloads: list[bytes], layout: np.dtype[np.void]) -> npt.NDArray[np.void]:
    whole = [p for p in payloads if len(p) == layout.itemsize]
    return np.frombuffer(b"".join(whole), layout)


def _records(data: bytes, start: int, end: int, parts: _Parts) -> None:
    """Walk the records in `data[start:end]`; stop quietly where the file was cut off."""
    at = start
    while at + 9 <= end and not parts.complete:
        opcode, length = struct.unpack_from("<BQ", data, at)
        at += 9
        stop = at + length
        if opcode == Opcode.CHUNK:
            _chunk(data, at, min(stop, end), parts)
        elif stop > end:
            return
        elif opcode == Opcode.MESSAGE:
            _message(data, at, stop, parts)
        elif opcode == Opcode.METADATA:
            _metadata(data[at:stop], parts)
        elif opcode == Opcode.DATA_END:
            parts.complete = True
        at = stop


def _chunk(data: bytes, start: int, end: int, parts: _Parts) -> None:
    """Read the messages of a chunk; a chunk that was cut off still holds whole messages."""
    head = 8 + 8 + 8 + 4
    if start + head + 4 > end:
        return
    (name_length,) = struct.unpack_from("<I", data, start + head)
    if name_length != 0:
        return  # compressed: not one of ours
    _records(data, start + head + 4 + 8, end, parts)


def _message(data: bytes, start: int, stop: int, parts: _Parts) -> None:
    (channel,) = struct.unpack_from("<H", data, start)
    payload = data[start + 22 : stop]
    if channel == _FRAME_CHANNEL:
        parts.frames.append(payload)
    elif channel == _TIMING_CHANNEL:
        parts.timings.append(payload)
    elif channel == _BUS_CHANNEL:
        parts.buses.append(payload)


def _metadata(record: bytes, parts: _Parts) -> None:
    def text(at: int) -> tuple[str, int]:
        (size,) = struct.unpack_from("<I", record, at)
        return record[at + 4 : at + 4 + size].decode(), at + 4 + size

    name, at = text(0)
    at += 4
    values = {}
    while at < len(record):
        key, at = text(at)
        value, at = text(at)
        values[key] = json.loads(value)
    parts.metadata[name] = values
