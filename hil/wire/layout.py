"""The bus table as Python reads it, and a fingerprint of each message's layout.

The firmware carries the fingerprints of the table that its C was generated from; a rig whose table
differs is found out before anything is flown.
"""

from __future__ import annotations

import functools
import math
import re
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import cantools
from cantools.database.can import Database, Message

from hil.files import FileError
from hil.signals import MAX_ENGINES

__all__ = [
    "accepted_ids",
    "check_database",
    "fingerprint",
    "load_database",
    "raw_range",
    "signal_bits",
    "table_hash",
]

_NUMBERED: Final = re.compile(r"ENGINE_(\d+)_(\w+)")
_COPY: Final = re.compile(r"ENGINE_(?!1_)\d+_")


def raw_range(signal: Any) -> tuple[int, int]:
    """Return the least and greatest count of a signal, from its physical range in the table."""
    return math.ceil(signal.minimum / signal.scale - 1e-6), math.floor(signal.maximum / signal.scale + 1e-6)


def signal_bits(message: Message, name: str) -> tuple[int, int, int]:
    """Return (shift, mask, sign) of a signal: its counts are ((data >> shift & mask) ^ sign) - sign.

    `data` is the message's bytes as one number: little-endian, as every signal of the table. `sign` is the
    weight of the sign bit, 0 for an unsigned signal.
    """
    signal = message.get_signal_by_name(name)
    sign = 1 << (signal.length - 1) if signal.is_signed else 0
    return signal.start, (1 << signal.length) - 1, sign


def fingerprint(message: Message) -> int:
    """Return 31 bits that change when a message's length or any signal's place or scaling does."""
    engine = _NUMBERED.fullmatch(message.name)
    base = message.frame_id - (int(engine[1]) - 1 if engine else 0)
    signals = [
        (s.name, s.start, s.length, s.byte_order, s.is_signed, float(s.scale), float(s.offset), *raw_range(s))
        for s in message.signals
    ]
    return zlib.crc32(repr((base, message.length, sorted(signals))).encode()) & 0x7FFFFFFF


def table_hash(layouts: Mapping[str, int]) -> int:
    """Return 16 bits that change when any of a table's messages does; `layouts`: fingerprints by name.

    Only engine 1's messages count of those that exist once for each engine.
    """
    named = sorted((name, mark) for name, mark in layouts.items() if not _COPY.match(name))
    return zlib.crc32(repr(named).encode()) & 0xFFFF


@functools.lru_cache(maxsize=8)
def _load(path: Path, _changed_ns: int, _size: int) -> Database:
    try:
        database = cantools.database.load_file(str(path), strict=True)
    except Exception as error:
        raise FileError(f"{path}: no bus table: {' '.join(str(error).split())[:200]}") from None
    if not isinstance(database, Database):
        raise FileError(f"{path}: no CAN bus table")
    return database


def load_database(path: Path) -> Database:
    """Read a DBC file; raise FileError with one line when it cannot be used."""
    try:
        stat = path.stat()
    except OSError as error:
        raise FileError(f"{path}: {error.strerror}") from None
    return _load(path, stat.st_mtime_ns, stat.st_size)


def check_database(path: Path, layouts: Mapping[str, int]) -> Database:
    """Read a DBC file that must agree with the firmware; raise FileError naming the message that does not.

    `layouts` maps the names of engine 1's and the flight computer's messages to their fingerprints.
    """
    database = load_database(path)
    by_name = {message.name: message for message in database.messages}
    engines = range(1, MAX_ENGINES + 1)
    wanted = {name.replace("ENGINE_1_", f"ENGINE_{number}_") for name in layouts for number in engines}
    for name in sorted(wanted):
        if name not in by_name:
            raise FileError(f"{path}: does not match the firmware: message {name} is missing")
    for message in database.messages:
        original = _NUMBERED.sub(r"ENGINE_1_\2", message.name)
        if original in layouts and fingerprint(message) != layouts[original]:
            raise FileError(
                f"{path}: does not match the firmware: message {message.name} has another id or signal "
                "(run tools/bus_dbc.py and tools/bus_c.py, then build again)"
            )
    return database


def accepted_ids(engine: int | None, database: Database) -> frozenset[int]:
    """Return what a board listens to.

    A valve board hears its own commands and the bench's enable frame, the computer all valve boards, and
    both the question who they are.
    """
    if engine is not None:
        wanted = {f"ENGINE_{engine}_COMMAND", "BENCH_ENABLE", "BENCH_QUERY"}
        return frozenset(database.get_message_by_name(name).frame_id for name in wanted)
    heard = ("_STATUS", "_GIMBAL", "BENCH_QUERY")
    return frozenset(m.frame_id for m in database.messages if m.name.endswith(heard))
