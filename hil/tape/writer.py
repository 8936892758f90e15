"""Writing a tape: every frame goes to the disk as one MCAP message, a block at a time.

The block is laid out once as a chunk of MCAP message records with empty payloads; a frame costs
two copies into it.  A full block is one unbuffered write, so a process that is killed leaves every
block before that moment readable.  The small records around the blocks are those of the `mcap`
package.
"""

from __future__ import annotations

import errno
import hashlib
import json
import os
import struct
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt
from mcap.data_stream import RecordBuilder
from mcap.opcode import Opcode
from mcap.records import (
    Channel,
    ChunkIndex,
    DataEnd,
    Footer,
    Header,
    McapRecord,
    Metadata,
    MetadataIndex,
    Schema,
    Statistics,
)

from hil.files import FileError
from hil.signals import Frame, RigError
from hil.signals.timing import BusSheet
from hil.tape.schema import (
    BUS_MESSAGE,
    BUS_TOPIC,
    FRAME_MESSAGE,
    FRAME_TOPIC,
    TAPE_VERSION,
    TIMING_MESSAGE,
    TIMING_TOPIC,
    bus_definition,
    frame_definition,
    timing_definition,
)

__all__ = ["TapeWriter", "claim_tape"]

_MAGIC: Final = b"\x89MCAP0\r\n"
_MESSAGE_HEAD: Final = 22
"""Bytes of a message record between its length and its payload."""
_RECORD_HEAD: Final = 9
"""Opcode and length of any record."""


def claim_tape(path: Path) -> None:
    """Make the empty file of a tape, so that nobody else writes it.

    Raises FileError when there is one already, RigError when the disk fails.
    """
    try:
        os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o644))
    except FileExistsError:
        raise FileError(f"{path.parent}: holds a run already; name another folder") from None
    except OSError as error:
        raise RigError(f"tape {path}: {error.strerror}") from None


class _Block:
    """Message records of one channel, laid out in place; each takes the bytes of `sheet` as it stands."""

    def __init__(self, channel: int, sheet: npt.NDArray[np.void], capacity: int) -> None:
        self.source: npt.NDArray[np.uint8] = sheet.reshape(1).view(np.uint8)
        payload = sheet.dtype.itemsize
        layout = np.dtype(
            [
                ("opcode", "u1"),
                ("length", "<u8"),
                ("channel", "<u2"),
                ("sequence", "<u4"),
                ("log_ns", "<u8"),
                ("publish_ns", "<u8"),
                ("payload", "u1", (payload,)),
            ]
        )
        self.rows: npt.NDArray[np.void] = np.zeros(capacity, layout)
        self.rows["opcode"] = Opcode.MESSAGE
        self.rows["length"] = _MESSAGE_HEAD + payload
        self.rows["channel"] = channel
        self.payload: npt.NDArray[np.uint8] = self.rows["payload"]

    def stamp(self, count: int, first: int, t_ns: npt.NDArray[np.int64]) -> bytes:
        """Number and time the first `count` rows and return their bytes."""
        rows = self.rows[:count]
        rows["sequence"] = np.arange(first, first + count)
        rows["log_ns"] = t_ns[:count]
        rows["publish_ns"] = t_ns[:count]
        return rows.tobytes()


class TapeWriter:
    """Appends frames to `path`; `info` (JSON values) says what was flown.

    `timing` is the shared diagnostics record (layout `timing_dtype`), `bus` that of the CAN bus where there
    is one; they are written beside each frame.
    Raises RigError when the disk fails.
    """

    def __init__(
        self,
        path: Path,
        frame: Frame,
        timing: npt.NDArray[np.void],
        info: dict[str, Any],
        *,
        bus: BusSheet | None = None,
        frames_per_block: int = 100,
    ) -> None:
        self.path = path
        sheets = [frame.array, timing, *([] if bus is None else [bus.record])]
        self._blocks = [_Block(n, sheet, frames_per_block) for n, sheet in enumerate(sheets, start=1)]
        self._frames = self._blocks[0]
        self._t_ns = np.zeros(frames_per_block, np.int64)
        self._capacity = frames_per_block
        self._count = 0
        self._written = 0
        self._digest = hashlib.sha256()
        self._offset = 0
        self._end_ns = 0
        self._chunks: list[ChunkIndex] = []
        self._metadata: list[MetadataIndex] = []
        self._failed = False
        try:
            self._fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o644)
        except OSError as error:
            raise RigError(f"tape {path}: {error.strerror}") from None
        self._head(frame.engines, info, () if bus is None else bus.nodes)

    # ---- the flight

    def write(self, t_ns: int) -> None:
        """Append the shared frame as it stands; raise RigError when the disk fails."""
        index = self._count
        for block in self._blocks:
            block.payload[index] = block.source
        self._t_ns[index] = t_ns
        self._count = index + 1
        if self._count == self._capacity:
            self.flush()

    def flush(self) -> None:
        """Put the frames that are still in memory on the disk."""
        count, self._count = self._count, 0
        if count == 0 or self._failed:
            return
        messages = [block.stamp(count, self._written, self._t_ns) for block in self._blocks]
        self._digest.update(self._frames.payload[:count].tobytes())
        self._written += count
        self._end_ns = int(self._t_ns[count - 1])
        self._write_chunk(messages, count)

    def annotate(self, name: str, values: dict[str, Any]) -> None:
        """Add a metadata record after the frames so far; its values are JSON."""
        self.flush()
        self._put_metadata(name, values)

    @property
    def frames(self) -> int:
        """Number of frames written so far."""
        return self._written + self._count

    @property
    def signals_sha256(self) -> str:
        """Digest of the bytes of all frames on the disk, in order."""
        return self._digest.hexdigest()

    def close(self) -> None:
        """Finish the recording; safe to call twice; raise RigError when the disk fails."""
        if self._fd < 0:
            return
        try:
            self.flush()
            self._tail()
        finally:
            os.close(self._fd)
            self._fd = -1

    # ---- the file

    def _head(self, engines: int, info: dict[str, Any], nodes: tuple[str, ...]) -> None:
        self._put(_MAGIC)
        self._put_records(Header(profile="", library="lastbrake"))
        self._put_metadata(
            "lastbrake",
            {"tape_version": TAPE_VERSION, "engines": engines, "bus_nodes": list(nodes), **info},
        )
        kinds = [
            (FRAME_TOPIC, FRAME_MESSAGE, frame_definition(engines)),
            (TIMING_TOPIC, TIMING_MESSAGE, timing_definition()),
            (BUS_TOPIC, BUS_MESSAGE, bus_definition(nodes)),
        ][: len(self._blocks)]
        self._schemas = tuple(
            Schema(n, text.encode(), "ros1msg", message)
            for n, (_, message, text) in enumerate(kinds, start=1)
        )
        self._channels = tuple(
            Channel(n, topic, "ros1", {}, n) for n, (topic, _, _) in enumerate(kinds, start=1)
        )
        self._put_records(*self._schemas, *self._channels)

    def _write_chunk(self, messages: list[bytes], count: int) -> None:
        """Write a chunk record (MCAP specification, Chunk, op 0x06) and its message indexes."""
        start, end = int(self._t_ns[0]), self._end_ns
        size = sum(len(part) for part in messages)
        # No checksum: 0 means "not given", and the digest of the signals guards them already.
        head = struct.pack("<QQQIIQ", start, end, size, 0, 0, size)
        record = struct.pack("<BQ", Opcode.CHUNK, len(head) + size)
        chunk_start = self._offset
        self._put(b"".join((record, head, *messages)))
        indexes, base = {}, 0
        for channel, part in enumerate(messages, start=1):
            indexes[channel] = self._offset
            self._put_index(channel, base, len(part) // count, count)
            base += len(part)
        self._chunks.append(
            ChunkIndex(
                chunk_length=_RECORD_HEAD + len(head) + size,
                chunk_start_offset=chunk_start,
                compression="",
                compressed_size=size,
                message_end_time=end,
                message_index_length=self._offset - indexes[1],
                message_index_offsets=indexes,
                message_start_time=start,
                uncompressed_size=size,
            )
        )

    def _put_index(self, channel: int, base: int, step: int, count: int) -> None:
        """Write a message index (op 0x07): time and offset in the chunk of each message."""
        entries = np.empty((count, 2), "<u8")
        entries[:, 0] = self._t_ns[:count]
        entries[:, 1] = base + step * np.arange(count)
        head = struct.pack("<BQHI", Opcode.MESSAGE_INDEX, 2 + 4 + entries.nbytes, channel, entries.nbytes)
        self._put(head + entries.tobytes())

    def _tail(self) -> None:
        if self._failed:
            return
        self._put_records(DataEnd(0))
        summary_start = self._offset
        statistics = Statistics(
            attachment_count=0,
            channel_count=len(self._channels),
            channel_message_counts={channel.id: self._written for channel in self._channels},
            chunk_count=len(self._chunks),
            message_count=len(self._channels) * self._written,
            message_end_time=self._end_ns,
            message_start_time=0,
            metadata_count=len(self._metadata),
            schema_count=len(self._schemas),
        )
        self._put_records(*self._schemas, *self._channels, statistics, *self._chunks, *self._metadata)
        self._put_records(Footer(summary_start=summary_start, summary_offset_start=0, summary_crc=0))
        self._put(_MAGIC)

    def _put_metadata(self, name: str, values: dict[str, Any]) -> None:
        offset = self._offset
        self._put_records(Metadata(name, {key: json.dumps(value) for key, value in values.items()}))
        self._metadata.append(MetadataIndex(offset, self._offset - offset, name))

    def _put_records(self, *records: McapRecord) -> None:
        builder = RecordBuilder()
        for record in records:
            record.write(builder)
        self._put(builder.end())  # type: ignore[no-untyped-call]

    def _put(self, data: bytes) -> None:
        """Write all of `data`, or fail once and for all: what follows a hole is worth nothing."""
        if self._failed:
            return
        rest = memoryview(data)
        try:
            while rest:
                done = os.write(self._fd, rest)
                rest = rest[done:]
        except OSError as error:
            self._failed = True
            what = "the disk is full" if error.errno == errno.ENOSPC else error.strerror
            raise RigError(f"tape {self.path}: {what}") from None
        self._offset += len(data)
