"""The one table on both ends: cantools in Python, generated C in the firmware."""

from __future__ import annotations

import math
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import fastcrc
import numpy as np
import pytest
from cobs import cobs
from hypothesis import given
from hypothesis import strategies as st

from hil.boards._firmware import ffi, lib
from hil.signals import Frame
from hil.wire.canframe import make_frame, split_frame
from hil.wire.codec import BenchDecoder, checksum, encode_frame
from hil.wire.counting import REASONS, REJECTS
from hil.wire.layout import load_database
from hil.wire.navigation import NavEncoder
from tests.seams.rigging import RIGS

DATABASE = load_database(RIGS / "bus.dbc")
NODES = (1, 2, 3)
KINDS = ("COMMAND", "STATUS", "GIMBAL")
anything = st.floats(allow_nan=True, allow_infinity=True)


def message(name: str) -> Any:
    return DATABASE.get_message_by_name(name)


def packed(pack: Callable[..., None], record: Any, *extra: int) -> bytes:
    data = ffi.new("uint8_t[8]")
    pack(data, *extra, record)
    return bytes(data)


def clipped(name: str, signal: str, value: float) -> float:
    """What a value is once it has been on the wire: nearest count, in range, 0 for a NaN."""
    s = message(name).get_signal_by_name(signal)
    counts = 0.0 if math.isnan(value) else np.floor(value / float(s.scale) + 0.5)
    low, high = s.minimum / s.scale, s.maximum / s.scale
    return float(round(min(max(counts, math.ceil(low - 1e-6)), math.floor(high + 1e-6)))) * float(s.scale)


@given(st.integers(0, 4), anything, anything, anything, anything, st.integers(0, 39))
def test_c_packs_what_cantools_reads(
    request: int, ox: float, fuel: float, x: float, y: float, n: int
) -> None:
    record = ffi.new(
        "record_command_t *",
        {
            "request": request,
            "ox_valve_cmd": ox,
            "fuel_valve_cmd": fuel,
            "gimbal_x_cmd_rad": x,
            "gimbal_y_cmd_rad": y,
        },
    )
    name = f"ENGINE_{n + 1}_COMMAND"
    seen = message(name).decode(packed(lib.records_pack_command, record), decode_choices=False)
    assert seen["request"] == request
    for signal, value in (("ox_valve_cmd", ox), ("fuel_valve_cmd", fuel), ("gimbal_x_cmd_rad", x)):
        assert seen[signal] == clipped(name, signal, value)
    lib.records_round_command(record)
    assert record.gimbal_y_cmd_rad == seen["gimbal_y_cmd_rad"]


@given(
    st.integers(0, 5),
    st.integers(0, 255),
    st.lists(anything, min_size=5, max_size=5),
    st.integers(0, 2**31 - 1),
)
def test_status_and_gimbal_cross_alike(state: int, fault: int, values: list[float], rejected: int) -> None:
    names = ("ox_valve_pos", "fuel_valve_pos", "chamber_pa", "gimbal_x_rad", "gimbal_y_rad")
    data = dict(zip(names, values, strict=True)) | {"state": state, "fault": fault, "rejected": rejected}
    record = ffi.new("record_status_t *", data)
    status = message("ENGINE_1_STATUS").decode(packed(lib.records_pack_status, record), decode_choices=False)
    gimbal = message("ENGINE_1_GIMBAL").decode(packed(lib.records_pack_gimbal, record), decode_choices=False)
    lib.records_round_status(record)
    for name in ("state", "fault", "ox_valve_pos", "fuel_valve_pos", "chamber_pa"):
        assert status[name] == getattr(record, name)
    for name in ("gimbal_x_rad", "gimbal_y_rad", "rejected"):
        assert gimbal[name] == getattr(record, name)
    assert record.rejected == rejected & 0xFF


@given(st.lists(anything, min_size=10, max_size=10), st.integers(0, 2**40 - 1), st.integers(0, 6))
def test_telemetry_crosses_alike(values: list[float], mask: int, mode: int) -> None:
    names = ("time_to_go_s", "thrust_cmd_n", "mass_est_kg", "ignition_margin_m", "plan_age_s", "nav_age_s")
    names += ("ignition_margin_s",)
    data: dict[str, Any] = dict(zip(names, values[3:], strict=True))
    data |= {"accel_cmd_pad_mps2": values[:3], "engine_failed": mask, "mode": mode, "plan_source": 1}
    data |= {"kernel_not_finite": mask & 0xFF, "kernel_out_of_range": mask >> 32}
    data |= {"work": mask >> 22, "ignition_margin_known": mask & 1}
    record = ffi.new("record_telemetry_t *", data)
    parts = ("MODE", "FAILED", "SHARE", "ACCEL", "PLAN", "MASS", "KERNEL")
    frames = [packed(lib.records_pack_telemetry, record, i) for i in range(len(parts))]
    seen: dict[str, Any] = {}
    for part, frame in zip(parts, frames, strict=True):
        seen |= dict(message(f"TELEMETRY_{part}").decode(frame, decode_choices=False))  # type: ignore[arg-type]
    lib.records_round_telemetry(record)
    counted = ("engine_failed", "kernel_not_finite", "kernel_out_of_range", "work", "ignition_margin_known")
    for name in (*names, "mode", *counted):
        assert seen[name] == getattr(record, name)
    assert record.work == min(mask >> 22, 65535)
    axes = [seen[f"accel_cmd_{axis}_mps2"] for axis in ("east", "north", "up")]
    assert axes == list(record.accel_cmd_pad_mps2)


def test_frames_as_bytes() -> None:
    """Literals: a change of the table or of the protection shows here first."""
    values = {"request": 3, "ox_valve_cmd": 0.5, "fuel_valve_cmd": 0.75}
    values |= {"gimbal_x_cmd_rad": 0.1, "gimbal_y_cmd_rad": -0.1}
    frame = encode_frame(message("ENGINE_2_COMMAND"), values, counter=5)
    assert frame.hex() == "42000000" + "08000000" + "833edc451f0c56f7"
    frame = encode_frame(message("ENGINE_40_STATUS"), dict.fromkeys(SIGNALS, 0), counter=15)
    assert split_frame(frame) == (
        0x128,
        bytes.fromhex("000000000000f0") + bytes([checksum(0x128, b"\0" * 6 + b"\xf0")]),
    )


SIGNALS = ("state", "fault", "ox_valve_pos", "fuel_valve_pos", "chamber_pa")


@given(st.integers(0, 0x7FF), st.binary(min_size=7, max_size=7))
def test_crc8_agrees_with_a_library(can_id: int, data: bytes) -> None:
    assert lib.checks_crc8(can_id, data, 7) == fastcrc.crc8.autosar(can_id.to_bytes(2, "little") + data)


@given(st.binary(max_size=600))
def test_crc16_and_cobs_agree_with_libraries(data: bytes) -> None:
    assert lib.checks_crc16(data, len(data)) == fastcrc.crc16.ibm_3740(data)
    out = ffi.new("uint8_t[]", len(data) + len(data) // 254 + 1)
    used = lib.checks_cobs_encode(out, data, len(data))
    encoded = bytes(ffi.buffer(out, used))
    assert cobs.decode(encoded) == data
    back = ffi.new("uint8_t[]", len(data) + 1)
    assert lib.checks_cobs_decode(back, len(data), encoded, used) == len(data)
    assert bytes(ffi.buffer(back, len(data))) == data
    theirs = bytes(cobs.encode(data))
    assert lib.checks_cobs_decode(back, len(data), theirs, len(theirs)) == len(data)


@given(st.binary(max_size=100))
def test_cobs_of_garbage_is_refused_as_the_library_refuses_it(data: bytes) -> None:
    out = ffi.new("uint8_t[]", 100)
    count = lib.checks_cobs_decode(out, 100, data, len(data))
    try:
        wanted: bytes | None = cobs.decode(data)
    except cobs.DecodeError:
        wanted = None
    assert (None if count < 0 else bytes(ffi.buffer(out, count))) == wanted


nav_value = st.one_of(anything, st.floats(-1e4, 1e4))


@given(st.lists(nav_value, min_size=17, max_size=17), st.integers(0, 10**15), st.booleans())
def test_navigation_crosses_the_link_alike(values: list[float], t_ns: int, valid: bool) -> None:
    frame = Frame(1)
    frame.floats("nav")[1:18] = values
    frame["nav"]["valid_t_ns"][()] = t_ns
    frame["nav"]["valid"][()] = valid
    encoder = NavEncoder(frame, DATABASE)
    payload = encoder.payload()
    record = ffi.new("record_nav_t *")
    record.valid_t_ns, record.valid = t_ns, valid
    names = ("pos_pad_m", "vel_pad_mps", "q_pad_from_body", "omega_body_radps", "force_body_mps2")
    for name in names:
        setattr(record, name, [float(v) for v in frame["nav"][name]])
    record.height_m = float(frame["nav"]["height_m"])
    own = ffi.new("uint8_t[64]")
    lib.records_pack_nav(own, 0, record)
    assert bytes(own) == payload
    stream, counters = ffi.new("link_stream_t *"), ffi.new("link_counters_t *")
    heard = ffi.new("record_nav_t *")
    accepted = [lib.link_nav_byte(counters, stream, byte, heard) for byte in encoder.frame()]
    assert accepted == [0] * (len(accepted) - 1) + [1]
    lib.records_round_nav(record)
    assert all(list(getattr(heard, name)) == list(getattr(record, name)) for name in names)
    assert heard.valid_t_ns == record.valid_t_ns


# ---- the bench's ear


def heard(*frames: bytes) -> tuple[BenchDecoder, Frame]:
    frame = Frame(3)
    decoder = BenchDecoder(frame, NODES, DATABASE)
    for one in frames:
        decoder.take([one])
    return decoder, frame


def status(counter: int, **changes: float) -> bytes:
    return encode_frame(message("ENGINE_2_STATUS"), dict.fromkeys(SIGNALS, 0) | changes, counter)


def with_data(frame: bytes, at: int, value: int) -> bytes:
    can_id, data = split_frame(frame)
    changed = bytearray(data)
    changed[at] = value
    changed[7] = checksum(can_id, bytes(changed))
    return make_frame(can_id, bytes(changed))


FIRST = status(1, state=3, ox_valve_pos=0.5)
BAD = {
    "unknown_id": make_frame(0x7FF, bytes(8)),
    "length": make_frame(0x102, bytes(7)),
    "checksum": status(2)[:-1] + b"\xff",
    "repeated": status(1, state=4),
    "jumped": status(3, state=4),
    "range": with_data(status(2), 0, 7),
}


@pytest.mark.parametrize("reason", BAD)
def test_the_bench_counts_by_reason(reason: str) -> None:
    decoder, frame = heard(FIRST, BAD[reason])
    rest = {name: n for name, n in decoder.counts.items() if n and name not in ("accepted", reason)}
    assert decoder.counts[reason] == 1
    assert not rest
    accepted = reason == "jumped"
    assert decoder.counts["accepted"] == 1 + accepted
    assert frame["status"]["fresh"][1] == accepted
    assert frame["status"]["state"][1] == (4 if accepted else 3), "a rejected frame leaves the record alone"
    assert frame["status"]["ox_valve_pos"][1] == (0.0 if accepted else 0.5)


@given(st.lists(st.tuples(st.integers(0, 0x1FFFFFFF), st.binary(max_size=8)), max_size=30))
def test_garbage_never_raises(frames: list[tuple[int, bytes]]) -> None:
    decoder, _ = heard(*(make_frame(can_id, data) for can_id, data in frames))
    assert sum(decoder.counts[name] for name in (*REJECTS, "accepted", "unknown_id")) == len(frames)


HEARD = [
    m
    for m in DATABASE.messages
    if m.name.startswith("TELEMETRY") or m.name in {f"ENGINE_{n}_{k}" for n in NODES for k in KINDS}
]
AXES = {"accel_cmd_east_mps2": 0, "accel_cmd_north_mps2": 1, "accel_cmd_up_mps2": 2}


def shown(frame: Frame, name: str, signal: str) -> float:
    """Return where the bench shows a signal."""
    if not name.startswith("ENGINE"):
        telemetry = frame["telemetry"]
        return float(telemetry["accel_cmd_pad_mps2"][AXES[signal]] if signal in AXES else telemetry[signal])
    record = "command" if name.endswith("COMMAND") else "status"
    return float(frame[record][signal][NODES.index(int(name.split("_")[1]))])


@given(st.sampled_from(HEARD), st.binary(min_size=7, max_size=7))
def test_the_bench_reads_what_cantools_reads(which: Any, bits: bytes) -> None:
    data = bits + bytes([checksum(which.frame_id, bits)])
    wanted: Any = which.decode(data, decode_choices=False)
    good = all(s.minimum - 1e-9 <= wanted[s.name] <= s.maximum + 1e-9 for s in which.signals)
    decoder, frame = heard(make_frame(which.frame_id, data))
    assert decoder.counts["accepted" if good else "range"] == 1
    for signal in set(wanted) - {"COUNTER", "CHECKSUM"} if good else ():
        if signal in ("engine_failed", "engine_share"):
            assert list(frame["telemetry"][signal]) == [wanted[signal] >> node - 1 & 1 for node in NODES]
        else:
            assert shown(frame, which.name, signal) == wanted[signal]


def test_a_foreign_message_that_is_short_is_not_the_benchs(tmp_path: Path) -> None:
    own = tmp_path / "bus.dbc"
    text = (RIGS / "bus.dbc").read_text(encoding="utf-8")
    foreign = 'BO_ 1000 FOREIGN: 2 BENCH\n SG_ x : 0|8@1+ (1,0) [0|255] "" BENCH\n\n'
    own.write_text(text.replace("BO_ 512 ", foreign + "BO_ 512 ", 1), encoding="utf-8")
    decoder = BenchDecoder(Frame(3), NODES, load_database(own))
    decoder.take([make_frame(1000, b"\1\2")])
    assert decoder.counts["unknown_id"] == 1


def test_both_ends_count_the_same_reasons() -> None:
    assert len(REASONS) == lib.LINK_COUNTERS
    for index, name in enumerate(REASONS):
        assert getattr(lib, f"LINK_{name.upper()}") == index


@pytest.mark.parametrize("tool", ["bus_dbc.py", "bus_c.py"])
def test_dbc_and_c_are_in_step(tool: str) -> None:
    command = [sys.executable, str(RIGS.parent / "tools" / tool), "--check"]
    said = subprocess.run(command, capture_output=True, text=True, check=False)
    assert said.returncode == 0, said.stderr
