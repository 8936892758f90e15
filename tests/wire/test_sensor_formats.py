"""STIM300, UBX-NAV-PVT and US-D1, byte by byte: a real unit, pyubx2 and the firmware agree with us."""

from __future__ import annotations

import dataclasses
import math
import struct
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pyubx2 import UBXMessage, UBXReader

from hil.boards._firmware import ffi, lib
from hil.signals.samples import GnssFix, HeightSample, ImuSample
from hil.wire import stim300, ubx, us_d1
from hil.wire.counting import REASONS, counts_by_reason
from hil.wire.sensor_format import FrameStream
from hil.wire.sensor_lines import FORMATS, LINE_NAMES

DEGREE = math.radians(1.0)
GRAVITY = 9.80665

HAND_STIM300 = bytes.fromhex(
    "91"
    "004000 FFC000 640000 00"  # 1, -1 and 400 deg/s in 2^-14 deg/s: 0x4000, its complement, 400 * 0x4000
    "080000 FC0000 FFFFFF 11"  # 1 and -1/2 g in 2^-19 g: 0x80000, -0x40000; one step down; x overloaded
    "E1 01FA"  # 225; 506 us
    "4464DCC0"
)
HAND = stim300.Stim300(
    rate_body_radps=(DEGREE, -DEGREE, 400 * DEGREE),
    force_body_mps2=(GRAVITY, -GRAVITY / 2, -GRAVITY / 2**19),
    rate_status=0,
    force_status=0x11,
    counter=225,
    latency_us=506,
)


def long_division(data: bytes) -> int:
    """CRC-32 as the remainder of a polynomial: the textbook way, bit by bit, without table or register."""
    bits = int.from_bytes(data + bytes(4), "big") ^ (0xFFFFFFFF << (8 * len(data)))
    for place in range(8 * len(data) + 31, 31, -1):
        if bits >> place & 1:
            bits ^= 0x1_04C1_1DB7 << (place - 32)
    return bits


# ---- STIM300


def test_a_stim300_datagram_worked_by_hand() -> None:
    assert long_division(HAND_STIM300[:-4]) == int.from_bytes(HAND_STIM300[-4:], "big")
    assert stim300.encode_stim300(HAND) == HAND_STIM300
    read = stim300.read_stim300(HAND_STIM300)
    assert read.rate_body_radps == pytest.approx(HAND.rate_body_radps, rel=1e-15)
    assert read.force_body_mps2 == pytest.approx(HAND.force_body_mps2, rel=1e-15)
    assert (read.rate_status, read.force_status, read.counter, read.latency_us) == (0, 0x11, 225, 506)
    assert not read.usable, "a channel is overloaded"


def test_checksum_and_scalings_are_those_of_a_real_unit() -> None:
    """A datagram that a unit sent, as the README of github.com/geirhovland/stim300 prints it: id 0xAF, deg/s,
    g and deg C, counter 225, latency 506 us, CRC 3326689990.  Its 59 bytes need one byte of padding."""
    rates = (0.017822265625, -0.0806884765625, 0.05242919921875)
    forces = (-0.011890411376953125, -0.016986846923828125, 1.0138282775878906)
    tilts = (-0.007907867431640625, -0.01989459991455078, 0.999640703201294)
    heats = (
        (35.625, 35.75, 35.625),
        (35.09765625, 35.0390625, 35.109375),
        (35.58203125, 35.7109375, 35.58203125),
    )

    def counts(values: tuple[float, ...], per_unit: int, size: int) -> bytes:
        return b"".join(int(value * per_unit).to_bytes(size, "big", signed=True) for value in values) + b"\0"

    sent = b"\xaf" + counts(rates, 2**14, 3) + counts(forces, 2**19, 3) + counts(tilts, 2**22, 3)
    sent += (
        b"".join(counts(heat, 2**8, 2) for heat in heats)
        + bytes([255, 239, 2, 0, 225])
        + struct.pack(">H", 506)
    )
    assert len(sent) == 59
    assert stim300.crc32_of(sent) == 3326689990
    assert long_division(sent + b"\0") == 3326689990
    ours = stim300.encode_stim300(
        stim300.Stim300(
            rate_body_radps=(rates[0] * DEGREE, rates[1] * DEGREE, rates[2] * DEGREE),
            force_body_mps2=(forces[0] * GRAVITY, forces[1] * GRAVITY, forces[2] * GRAVITY),
            rate_status=0,
            force_status=0,
            counter=225,
            latency_us=506,
        )
    )
    assert ours[1:21] == sent[1:21], "rates and accelerations are the unit's own bytes"


@pytest.mark.parametrize("size", range(1, 13))
def test_the_checksum_pads_to_a_multiple_of_four(size: int) -> None:
    data = bytes(range(0x90, 0x90 + size))
    assert stim300.crc32_of(data) == long_division(data + bytes(-size % 4))


def test_values_beyond_24_bits_saturate_and_not_a_number_is_zero() -> None:
    wild = dataclasses.replace(HAND, rate_body_radps=(1e9, -math.inf, math.nan), latency_us=10**9)
    sent = stim300.encode_stim300(wild)
    assert sent[1:10] == bytes.fromhex("7FFFFF 800000 000000")
    assert sent[22:24] == b"\xff\xff"


@pytest.mark.parametrize(("rate_hz", "step"), [(2000, 1), (1000, 2), (500, 4), (250, 8), (125, 16)])
def test_the_counter_counts_the_units_own_measurements(rate_hz: int, step: int) -> None:
    def counter(number: int) -> int:
        sample = ImuSample(number * 10**9 // rate_hz, (0.0, 0.0, 0.0), (0.0, 0.0, 0.0))
        return stim300.datagram_of(sample, sample.t_ns).counter

    assert [counter(n) for n in range(300)] == [n * step % 256 for n in range(300)]


def test_status_bits_say_what_is_wrong() -> None:
    still = (0.0, 0.0, 0.0)
    sick = stim300.datagram_of(ImuSample(0, still, still, healthy=False), 0)
    assert (sick.rate_status, sick.force_status) == (0x80, 0x80)
    fast = stim300.datagram_of(ImuSample(0, still, still, rate_overload=(False, True, True)), 1_234_999)
    assert (fast.rate_status, fast.force_status, fast.latency_us) == (0x10 | 0x06, 0, 1234)


# ---- UBX


FIX = GnssFix(
    t_ns=86_399_900_000_000,
    latitude_deg=-40.9581234,
    longitude_deg=100.2912345,
    height_m=-12.345,
    vel_ned_mps=(3.0, -4.0, 330.125),
    horizontal_m=1.118,
    vertical_m=1.677,
    speed_mps=0.05,
)


def test_the_checksum_is_that_of_the_specification() -> None:
    """Poll of UBX-MON-VER: B5 62 0A 04 00 00 0E 34."""
    assert ubx.ubx_sum(bytes.fromhex("0A040000")) == bytes.fromhex("0E34")


def test_pyubx2_reads_what_we_send() -> None:
    sent = ubx.encode_nav_pvt(ubx.pvt_of(FIX))
    assert len(sent) == 100
    assert sent[:6] == bytes.fromhex("B562 0107 5C00")
    read: Any = UBXReader.parse(sent)
    assert read.identity == "NAV-PVT"
    # 1 January 2026, 23:59:59.9 UTC is a Thursday: four days since Sunday, and GPS is 18 s ahead
    assert struct.unpack_from("<I", sent, 6)[0] == ((4 * 24 + 24) * 3600 + 18) * 1000 - 100
    assert (read.year, read.month, read.day, read.hour, read.min, read.second) == (2026, 1, 1, 23, 59, 59)
    assert (read.nano, read.validDate, read.validTime) == (900_000_000, 1, 1)
    assert (read.fixType, read.gnssFixOk, read.numSV) == (3, 1, 14)
    assert (read.lat, read.lon, read.height, read.hMSL) == (-40.9581234, 100.2912345, -12345, -12345)
    assert (read.velN, read.velE, read.velD, read.gSpeed) == (3000, -4000, 330125, 5000)
    assert (read.hAcc, read.vAcc, read.sAcc) == (1118, 1677, 50)
    assert read.headMot == pytest.approx(306.86990, abs=1e-5)


def test_we_read_what_pyubx2_sends() -> None:
    built = UBXMessage(
        "NAV", "NAV-PVT", 0, iTOW=345_600_000, year=2026, month=7, day=9, hour=1, min=2, second=3, nano=-5,
        fixType=3, gnssFixOk=1, numSV=9, lon=-179.9999999, lat=89.9999999, height=123_456, hMSL=100_000,
        hAcc=11, vAcc=22, velN=-1, velE=2, velD=-3, sAcc=44,
    ).serialize()  # fmt: skip
    (read,) = FrameStream(ubx.FORMAT).take(built)
    assert (read.itow_ms, read.utc, read.nano) == (345_600_000, (2026, 7, 9, 1, 2, 3), -5)
    assert (read.fix_type, read.fix_ok, read.satellites, read.usable) == (3, True, 9, True)
    assert (read.longitude_deg, read.latitude_deg) == pytest.approx((-179.9999999, 89.9999999), abs=1e-12)
    assert (read.height_m, read.height_msl_m) == pytest.approx((123.456, 100.0))
    assert (read.horizontal_m, read.vertical_m, read.speed_accuracy_mps) == pytest.approx(
        (0.011, 0.022, 0.044)
    )
    assert read.vel_ned_mps == pytest.approx((-0.001, 0.002, -0.003))


def test_a_lost_fix_is_told_by_the_flags() -> None:
    sent = ubx.encode_nav_pvt(ubx.pvt_of(dataclasses.replace(FIX, valid=False)))
    read: Any = UBXReader.parse(sent)
    assert (read.fixType, read.gnssFixOk, read.numSV) == (0, 0, 0)
    assert not FrameStream(ubx.FORMAT).take(sent)[0].usable


# ---- US-D1


def test_a_us_d1_frame_worked_by_hand() -> None:
    """12.34 m is 1234 cm, 0x04D2; 0x02 + 0xD2 + 0x04 + 0x30 = 0x108."""
    frame = bytes.fromhex("FE 02 D2 04 30 08")
    assert us_d1.encode_us_d1(us_d1.UsD1(12.34, 0x30)) == frame
    assert us_d1.read_us_d1(frame) == us_d1.UsD1(12.34, 0x30)
    none = us_d1.encode_us_d1(us_d1.reading_of(HeightSample(0, 77.0, valid=False)))
    assert none == bytes.fromhex("FE 02 0000 00 02")
    assert not us_d1.read_us_d1(none).usable
    assert us_d1.encode_us_d1(us_d1.UsD1(-3.0, 1))[2:4] == bytes(2)
    assert us_d1.encode_us_d1(us_d1.UsD1(1e6, 1))[2:4] == b"\xff\xff"


# ---- streams, in Python and in the firmware


class Firmware:
    """The flight computer's receivers."""

    def __init__(self) -> None:
        self.state = ffi.new("fc_sensors_t *")

    def take(self, line: str, data: bytes) -> int:
        """Take bytes; return how many messages they completed."""
        number = LINE_NAMES.index(line)
        return sum(lib.fc_sensors_byte(self.state, number, byte) for byte in data)

    def counts(self, line: str) -> dict[str, int]:
        """Return what a line has counted."""
        return counts_by_reason(list(self.state.line[LINE_NAMES.index(line)].counters.count))

    def newest(self, line: str) -> Any:
        """Return the newest record."""
        return getattr(self.state, line)


def good(line: str, number: int) -> bytes:
    """The frame of message `number`, at the sensor's usual rate."""
    t_ns = number * 10**9 // FORMATS[line].rate_hz
    if line == "imu":
        sample = ImuSample(t_ns, (0.1 * number, -0.2, 0.3), (1.0, 2.0, -0.1 * number))
        return stim300.encode_stim300(stim300.datagram_of(sample, t_ns + 5_000_000))
    if line == "gnss":
        return ubx.encode_nav_pvt(ubx.pvt_of(dataclasses.replace(FIX, t_ns=t_ns, height_m=number * 0.5)))
    return us_d1.encode_us_d1(us_d1.UsD1(0.01 * number, 40))


def damaged(line: str, number: int) -> bytes:
    frame = bytearray(good(line, number))
    frame[len(frame) // 2] ^= 0x04
    return bytes(frame)


def foreign(line: str) -> bytes:
    if line == "gnss":
        body = bytes([0x0A, 0x04, 3, 0, 1, 2, 3])
        return b"\xb5\x62" + body + ubx.ubx_sum(body)
    return bytes.fromhex("FE 00 0100 00 01") if line == "altimeter" else b""


Case = tuple[Callable[[str], bytes], dict[str, dict[str, int]]]
CASES: dict[str, Case] = {
    "good": (lambda s: good(s, 1) + good(s, 2), {"": {"accepted": 2}}),
    "damaged": (
        lambda s: good(s, 0) + good(s, 1) + damaged(s, 2) + good(s, 3),
        {"": {"accepted": 3, "checksum": 1, "jumped": 1}, "altimeter": {"accepted": 3, "checksum": 1}},
    ),
    "noise before": (lambda s: b"\x01\x02\x03" + good(s, 1), {"": {"accepted": 1, "framing": 1}}),
    "a head before": (
        lambda s: good(s, 1)[:1] + good(s, 1) + good(s, 2),
        {"": {"accepted": 2, "checksum": 1}, "gnss": {"accepted": 2, "framing": 1}},
    ),
    "frozen": (
        lambda s: good(s, 1) * 3,
        {"": {"accepted": 1, "repeated": 2}, "altimeter": {"accepted": 3}},
    ),
    "somebody else's": (
        lambda s: good(s, 1) + foreign(s) + good(s, 2),
        {"": {"accepted": 2, "unknown_id": 1}, "imu": {"accepted": 2}},
    ),
    "cut off": (
        lambda s: good(s, 1)[:-2] + good(s, 2) + good(s, 3),
        {"": {"accepted": 2, "checksum": 1}},
    ),
}


@pytest.mark.parametrize("line", LINE_NAMES)
@pytest.mark.parametrize("name", CASES)
def test_streams_count_by_reason(line: str, name: str) -> None:
    make, wanted = CASES[name]
    data = make(line)
    stream, firmware = FrameStream(FORMATS[line]), Firmware()
    messages = stream.take(data)
    assert firmware.take(line, data) == len(messages)
    expected = dict.fromkeys(REASONS, 0) | wanted.get(line, wanted[""])
    assert stream.counts == expected
    assert firmware.counts(line) == expected


def test_a_length_that_no_message_has_is_counted() -> None:
    data = bytes.fromhex("B562 0107 5D00") + bytes(40) + good("gnss", 1)
    stream, firmware = FrameStream(ubx.FORMAT), Firmware()
    assert len(stream.take(data)) == firmware.take("gnss", data) == 1
    assert stream.counts == firmware.counts("gnss")
    assert (stream.counts["length"], stream.counts["accepted"]) == (1, 1)


def test_a_place_that_is_none_on_earth_is_out_of_range() -> None:
    frame = bytearray(good("gnss", 1))
    struct.pack_into("<i", frame, 6 + 28, 900_000_001)
    frame[98:] = ubx.ubx_sum(bytes(frame[2:98]))
    stream, firmware = FrameStream(ubx.FORMAT), Firmware()
    assert len(stream.take(bytes(frame))) == firmware.take("gnss", bytes(frame)) == 0
    assert stream.counts == firmware.counts("gnss")
    assert stream.counts["range"] == 1


def test_the_firmware_reads_the_same_numbers() -> None:
    firmware = Firmware()
    for line in LINE_NAMES:
        assert firmware.take(line, HAND_STIM300 if line == "imu" else good(line, 77)) == 1
    imu, gnss, altimeter = (firmware.newest(line) for line in LINE_NAMES)
    read = stim300.read_stim300(HAND_STIM300)
    assert tuple(imu.rate_body_radps) == read.rate_body_radps
    assert tuple(imu.force_body_mps2) == read.force_body_mps2
    assert (imu.rate_status, imu.force_status, imu.counter, imu.latency_us) == (0, 0x11, 225, 506)
    assert imu.usable == 0
    pvt = ubx.read_nav_pvt(good("gnss", 77))
    assert isinstance(pvt, ubx.NavPvt)
    assert (gnss.latitude_deg, gnss.longitude_deg, gnss.height_m) == (
        pvt.latitude_deg, pvt.longitude_deg, pvt.height_m,
    )  # fmt: skip
    assert tuple(gnss.vel_ned_mps) == pvt.vel_ned_mps
    assert (gnss.horizontal_m, gnss.vertical_m, gnss.speed_mps) == (
        pvt.horizontal_m, pvt.vertical_m, pvt.speed_accuracy_mps,
    )  # fmt: skip
    assert (gnss.itow_ms, gnss.fix_type, gnss.satellites, gnss.usable) == (pvt.itow_ms, 3, 14, 1)
    assert (altimeter.height_m, altimeter.snr, altimeter.usable) == (
        us_d1.read_us_d1(good("altimeter", 77)).height_m,
        40,
        1,
    )


@st.composite
def streams(draw: st.DrawFn) -> tuple[str, list[bytes]]:
    """A line, and pieces of a stream on it: frames, damage, noise, cut anywhere."""
    line = draw(st.sampled_from(LINE_NAMES))
    parts, number = [], 0
    for kind in draw(
        st.lists(st.sampled_from(("good", "bad", "cut", "noise", "foreign", "heads")), max_size=12)
    ):
        number += draw(st.integers(0, 3))
        parts.append(
            {
                "good": good(line, number),
                "bad": damaged(line, number),
                "cut": good(line, number)[: draw(st.integers(0, 99))],
                "noise": draw(st.binary(max_size=60)),
                "foreign": foreign(line),
                "heads": draw(
                    st.sampled_from((b"\x91", b"\xb5", b"\xb5\x62\x01\x07", b"\xb5\x62\x02", b"\xfe"))
                )
                * 3,
            }[kind]
        )
    whole = b"".join(parts)
    cuts = sorted(draw(st.lists(st.integers(0, len(whole)), max_size=6)))
    return line, [whole[a:b] for a, b in zip([0, *cuts], [*cuts, len(whole)], strict=True)]


@settings(max_examples=300, deadline=None)
@given(streams())
def test_python_and_firmware_agree_on_any_stream(case: tuple[str, list[bytes]]) -> None:
    line, pieces = case
    stream, firmware = FrameStream(FORMATS[line]), Firmware()
    for piece in pieces:
        assert len(stream.take(piece)) == firmware.take(line, piece)
    assert stream.counts == firmware.counts(line)


@settings(max_examples=200, deadline=None)
@given(st.sampled_from(LINE_NAMES), st.binary(max_size=400), st.integers(0, 1000))
def test_no_good_frame_behind_noise_is_lost(line: str, noise: bytes, number: int) -> None:
    """Frames go on coming: whatever the noise looked like, the receiver is in step again soon."""
    stream = FrameStream(FORMATS[line])
    stream.take(noise)
    behind = [good(line, number + i) for i in range(20)]
    seen = stream.take(b"".join(behind))
    most_skipped = 1024 + 8 if line == "gnss" else 2 * FORMATS[line].frame_bytes
    assert len(seen) >= 20 - math.ceil(most_skipped / FORMATS[line].frame_bytes) - 1


ANGLES = st.floats(-6.9, 6.9)
FORCES = st.floats(-100.0, 100.0)


@given(st.tuples(ANGLES, ANGLES, ANGLES), st.tuples(FORCES, FORCES, FORCES))
def test_stim300_keeps_values_to_half_a_count(
    rates: tuple[float, float, float], forces: tuple[float, float, float]
) -> None:
    (read,) = FrameStream(stim300.FORMAT).take(
        stim300.encode_stim300(dataclasses.replace(HAND, rate_body_radps=rates, force_body_mps2=forces))
    )
    assert read.rate_body_radps == pytest.approx(rates, rel=0.0, abs=0.5001 * stim300.RATE_LSB_RADPS)
    assert read.force_body_mps2 == pytest.approx(forces, rel=0.0, abs=0.5001 * stim300.FORCE_LSB_MPS2)
