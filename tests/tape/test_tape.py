"""The tape: what is written comes back, however the writing ended."""

from __future__ import annotations

import contextlib
import hashlib
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from mcap.reader import make_reader

from hil.files import FileError
from hil.signals import RECORDS, Frame, RigError, frame_dtype
from hil.signals.timing import timing_dtype
from hil.tape import TAPE_VERSION, TapeWriter, read_tape
from hil.tape.schema import frame_definition


def record(path: Path, frames: int, *, engines: int = 3, block: int = 7, close: bool = True) -> TapeWriter:
    """Write a tape of `frames` distinct frames."""
    frame = Frame(engines)
    timing = np.zeros((), timing_dtype())
    tape = TapeWriter(path, frame, timing, {"case": "x", "seed": 7}, frames_per_block=block)
    rng = np.random.default_rng(1)
    for k in range(frames):
        frame.array["t_ns"] = k * 10_000_000
        frame.array["frame"] = k
        for part in RECORDS:
            frame.floats(part.name)[:] = rng.normal(size=frame.floats(part.name).size)
        timing["frame"] = k
        timing["lateness_s"] = k * 0.5
        tape.write(k * 10_000_000)
    if close:
        tape.annotate("outcome", {"cause": None})
        tape.close()
    return tape


def test_what_is_written_comes_back(tmp_path: Path) -> None:
    tape = record(tmp_path / "t.mcap", 25)
    back = read_tape(tmp_path / "t.mcap")
    assert back.complete
    assert len(back.frames) == 25
    assert list(back.frames["frame"]) == list(range(25))
    assert back.info["case"] == "x"
    assert back.info["seed"] == 7
    assert back.info["engines"] == 3
    assert back.notes["outcome"] == {"cause": None}
    assert back.timing["lateness_s"][24] == 12.0
    rng = np.random.default_rng(1)
    first = Frame(3)
    for part in RECORDS:
        first.floats(part.name)[:] = rng.normal(size=first.floats(part.name).size)
    assert back.frames[0].tobytes()[16:] == first.bytes[16:].tobytes()
    assert tape.signals_sha256 == hashlib.sha256(back.frames.tobytes()).hexdigest()


def test_digest_is_of_the_signals_alone(tmp_path: Path) -> None:
    one = record(tmp_path / "a.mcap", 20, block=7)
    two = record(tmp_path / "b.mcap", 20, block=3)
    other = record(tmp_path / "c.mcap", 19, block=7)
    assert one.signals_sha256 == two.signals_sha256 != other.signals_sha256


@pytest.mark.parametrize("engines", [1, 3, 40])
def test_frame_bytes_are_the_ros_message(engines: int) -> None:
    """The definition names every field of the layout, in its order and of its size."""
    top, *parts = frame_definition(engines).split("=" * 80 + "\n")
    size = {"int64": 8, "float64": 8}
    total = 16
    names = []
    for part in parts:
        for line in part.splitlines()[2:]:
            kind, name = line.split()[:2]
            base, _, count = kind.partition("[")
            total += size[base] * int(count.rstrip("]") or 1)
            names.append(name)
    assert total == frame_dtype(engines).itemsize
    assert names == [f.name for r in RECORDS for f in r.fields]
    assert [line.split()[1] for line in top.splitlines()[2:]] == [r.name for r in RECORDS]


def test_other_readers_agree(tmp_path: Path) -> None:
    """The reader of the mcap package sees the same messages, in order, by its indexes."""
    record(tmp_path / "t.mcap", 25)
    back = read_tape(tmp_path / "t.mcap")
    with (tmp_path / "t.mcap").open("rb") as stream:
        reader = make_reader(stream)
        summary = reader.get_summary()
        assert summary is not None
        assert summary.statistics is not None
        assert summary.statistics.message_count == 50
        assert [m.name for m in reader.iter_metadata()] == ["lastbrake", "outcome"]
        rows = list(reader.iter_messages(topics=["/frame"]))
        assert {channel.topic for _, channel, _ in reader.iter_messages()} == {"/frame", "/timing"}
    assert [m.log_time for _, _, m in rows] == list(back.frames["t_ns"])
    assert b"".join(m.data for _, _, m in rows) == back.frames.tobytes()
    assert rows[0][0] is not None
    assert rows[0][0].encoding == "ros1msg"


def test_cut_anywhere_it_is_readable(tmp_path: Path) -> None:
    record(tmp_path / "t.mcap", 4, engines=1, block=2)
    whole = (tmp_path / "t.mcap").read_bytes()
    full = read_tape(tmp_path / "t.mcap")
    cut_tape = tmp_path / "cut.mcap"
    described, last = False, 0
    for cut in range(0, len(whole), 3):
        cut_tape.write_bytes(whole[:cut])
        if not described:
            with contextlib.suppress(FileError):
                read_tape(cut_tape)
                described = True
            continue
        back = read_tape(cut_tape)
        assert last <= len(back.frames) <= 4
        last = len(back.frames)
        assert back.frames.tobytes() == full.frames[:last].tobytes()
    assert described
    assert last == 4


def test_a_killed_writer_leaves_its_blocks(tmp_path: Path) -> None:
    code = f"""
import sys, time
sys.path.insert(0, {str(Path(__file__).parent)!r})
from pathlib import Path
from test_tape import record
record(Path({str(tmp_path / "t.mcap")!r}), 25, block=10, close=False)
print("written", flush=True)
time.sleep(60)
"""
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True) as writer:
        assert writer.stdout is not None
        assert writer.stdout.readline() == "written\n"
        writer.send_signal(signal.SIGKILL)
        writer.wait(10)
    back = read_tape(tmp_path / "t.mcap")
    assert not back.complete
    assert list(back.frames["frame"]) == list(range(20))


def test_a_full_disk_is_a_rig_error_in_one_line() -> None:
    with pytest.raises(RigError, match=r"tape /dev/full: the disk is full$"):
        record(Path("/dev/full"), 1)


def test_a_disk_that_fills_up_fails_once_and_closes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tape = record(tmp_path / "t.mcap", 20, block=10, close=False)
    real, left = os.write, [3000]

    def full(fd: int, data: bytes) -> int:
        if left[0] == 0:
            raise OSError(28, "No space left on device")
        done = real(fd, data[: left[0]])
        left[0] -= done
        return done

    monkeypatch.setattr(os, "write", full)
    for k in range(9):
        tape.write(k)
    with pytest.raises(RigError, match="the disk is full"):
        tape.write(9)
    tape.write(0)
    tape.close()
    tape.close()
    monkeypatch.undo()
    assert len(read_tape(tmp_path / "t.mcap").frames) >= 20


def test_unwritable_and_unreadable_are_one_line(tmp_path: Path) -> None:
    with pytest.raises(RigError, match=r"No such file or directory$"):
        record(tmp_path / "none" / "t.mcap", 1)
    with pytest.raises(FileError, match="No such file"):
        read_tape(tmp_path / "t.mcap")
    (tmp_path / "x.mcap").write_bytes(b"hello")
    with pytest.raises(FileError, match="not a tape"):
        read_tape(tmp_path / "x.mcap")


def test_another_version_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    record(tmp_path / "t.mcap", 1)
    monkeypatch.setattr("hil.tape.reader.TAPE_VERSION", 99)
    with pytest.raises(FileError, match=rf"tape version {TAPE_VERSION} \(this program reads version 99\)"):
        read_tape(tmp_path / "t.mcap")


def test_a_frame_costs_microseconds(tmp_path: Path) -> None:
    """Not a benchmark: a loose bound that a per-field conversion would break."""
    frame, timing = Frame(3), np.zeros((), timing_dtype())
    tape = TapeWriter(tmp_path / "t.mcap", frame, timing, {})
    begin = time.process_time()
    for k in range(5000):
        tape.write(k)
    assert (time.process_time() - begin) / 5000 < 200e-6
    tape.close()
