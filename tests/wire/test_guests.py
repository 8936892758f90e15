"""Guests of the virtual bus: python-can in this and in other processes, and hostile ones."""

from __future__ import annotations

import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import can
import pytest
from can.io import CanutilsLogReader
from hypothesis import given
from hypothesis import strategies as st

from hil.wire.bus import VirtualBus
from hil.wire.buslog import BusLog
from hil.wire.canframe import (
    EXTENDED,
    FD_FRAME_BYTES,
    FRAME_BYTES,
    error_frame,
    make_fd_frame,
    make_frame,
    make_remote_frame,
)
from hil.wire.controller import Disturbance
from hil.wire.guest import GuestState, Settings, read_packet, read_settings, settings_packet
from hil.wire.medium import Medium
from hil.wire.python_can import HilBus
from tests.seams.can_backends import FRAME_NS, HilLine, hil_line


def told(*frames: int) -> can.Message:
    return can.Message(arbitration_id=frames[0], is_extended_id=False, data=bytes(frames[1:]))


def test_two_buses_of_one_flight_are_two_buses() -> None:
    one, other = (VirtualBus(name, medium=Medium(500_000)) for name in ("left", "right"))
    lines = [HilLine(bus, str(bus.listen())) for bus in (one, other)]
    try:
        ends = [can.Bus(interface="hil", channel=name) for name in ("left", "right")]
        for line in lines:
            line.turn()
        ends[0].send(told(1), timeout=1.0)
        for line in lines:
            line.turn()
        assert ends[0].recv(0.01) is None
        assert ends[1].recv(0.01) is None, "nothing crosses from one to the other"
        assert {c["channel"] for c in can.detect_available_configs("hil")} >= {"left", "right"}
        for end in ends:
            end.shutdown()
    finally:
        for bus in (one, other):
            bus.close()


def test_a_guest_that_joins_with_another_bit_rate_is_told_so() -> None:
    with hil_line() as line:
        with pytest.raises(can.CanInitializationError, match=r"bitrate = 250000: .* runs at 500000 bit/s"):
            HilBus(channel=line.path, bitrate=250_000)
        line.join(fd=True, bitrate=500_000, data_bitrate=2_000_000)


def test_fd_needs_a_bus_with_a_data_bit_rate() -> None:
    bus = VirtualBus("classical", medium=Medium(500_000))
    try:
        path = str(bus.listen())
        with pytest.raises(can.CanInitializationError, match="its rig gives it no data_bitrate"):
            HilBus(channel=path, fd=True)
        guest = HilBus(channel=path)
        assert guest.protocol is can.CanProtocol.CAN_20
        guest.shutdown()
    finally:
        bus.close()


def test_a_bus_that_ends_is_told_and_not_waited_for() -> None:
    with hil_line() as line:
        guest = line.join()
        line.bus.close()
        with pytest.raises(can.CanOperationError, match="the flight has ended"):
            list(iter(lambda: guest.recv(1.0), None))
        with pytest.raises(can.CanOperationError):
            guest.send(told(1), timeout=0.1)


def test_the_state_is_that_of_its_controller() -> None:
    with hil_line() as line:
        guest, _ = line.join(), line.join()
        assert isinstance(guest, HilBus)
        line.turn()
        assert guest.state is can.BusState.ACTIVE
        medium = line.bus.medium
        assert medium is not None
        controller = next(c for c in medium.controllers if c.name == "guest")
        medium.configure(controller, recovers=False)
        medium.disturb(controller, Disturbance(bit_error_rate=1.0))
        guest.send(told(1), timeout=1.0)
        line.turn(3)
        assert guest.state is can.BusState.ERROR
        status = guest.status
        assert status is not None
        assert (status.state, status.lost, status.bitrate) == ("bus off", 1, 500_000)


def test_a_guest_is_told_that_another_goes_bus_off_as_errors_that_it_saw() -> None:
    """Nobody on a bus knows what has become of another's controller; its own counters it knows."""
    with hil_line() as line:
        sick, well = line.join(), line.join()
        line.turn()
        medium = line.bus.medium
        assert medium is not None
        first, second = (c for c in medium.controllers if c.name == "guest")
        medium.configure(first, recovers=False)
        medium.disturb(first, Disturbance(bit_error_rate=1.0))
        sick.send(told(1), timeout=1.0)
        line.turn(3)
        assert (first.state, second.off) == ("bus off", False)
        told_sick, told_well = (
            [m for m in iter(lambda bus=bus: bus.recv(0.01), None) if m.is_error_frame]
            for bus in (sick, well)
        )
        assert len(told_sick) == len(told_well) == 32
        assert told_sick[-1].arbitration_id & BUS_OFF
        assert not any(message.arbitration_id & BUS_OFF for message in told_well)
        assert {message.data[6] for message in told_well} == {0}, "it has sent nothing"


def test_a_guest_that_is_set_passive_acknowledges_nothing_and_sends_nothing() -> None:
    with hil_line() as line:
        a, b = line.join(), line.join()
        medium = line.bus.medium
        assert medium is not None
        assert line.bus.bench is not None
        medium.configure(line.bus.bench, listen_only=True)
        b.state = can.BusState.PASSIVE
        assert b.state is can.BusState.PASSIVE
        line.turn()
        with pytest.raises(can.CanOperationError, match="only listens"):
            b.send(told(1))
        a.send(told(2), timeout=1.0)
        line.turn(2)
        assert [got for got in iter(lambda: b.recv(0.01), None) if not got.is_error_frame] == []
        b.state = can.BusState.ACTIVE
        line.turn(2)
        got = next(got for got in iter(lambda: b.recv(0.01), None) if not got.is_error_frame)
        assert got.arbitration_id == 2
        with pytest.raises(ValueError, match="ACTIVE or PASSIVE"):
            b.state = can.BusState.ERROR


BUS_OFF = 0x40
"""Of the classes of an error frame (linux/can/error.h)."""


@pytest.mark.parametrize(
    "message",
    [
        can.Message(is_error_frame=True),
        can.Message(arbitration_id=1, is_fd=False, data=bytes(12), dlc=12, check=False),
    ],
    ids=["an error frame", "12 bytes without FD"],
)
def test_what_no_controller_can_send_is_refused(message: can.Message) -> None:
    with hil_line() as line:
        guest = line.join()
        with pytest.raises(can.CanOperationError, match=r"cannot be sent|longer than CAN has"):
            guest.send(message)


def test_a_slow_reader_misses_frames_and_is_told_how_many() -> None:
    with hil_line() as line:
        slow = line.join()
        node = line.bus.attach("a")
        sent = 0
        for _ in range(3000):
            node.outbox = [make_frame(1, sent.to_bytes(8, "big"))]
            sent += 1
            line.turn()
        assert isinstance(slow, HilBus)
        got = [int.from_bytes(one.data, "big") for one in iter(lambda: slow.recv(0.01), None)]
        assert got == list(range(len(got))), "what there is room for is in order and without a gap"
        line.turn()
        status = slow.status
        assert status is not None
        assert status.missed == sent - len(got) > 0


def test_frames_of_a_guest_that_has_gone_are_still_sent() -> None:
    with hil_line() as line:
        a, b = line.join(), line.join()
        a.send(told(7), timeout=1.0)
        a.shutdown()
        line.turn()
        assert [got.arbitration_id for got in iter(lambda: b.recv(0.01), None)] == [7]
        line.turn()
        medium = line.bus.medium
        assert medium is not None
        assert [c.name for c in medium.controllers] == ["bench", "guest"]


def test_nonsense_on_a_guests_socket_is_counted_and_harms_nobody() -> None:
    with hil_line() as line, socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as wild:
        other = line.join()
        wild.connect(line.path)
        line.turn()
        bad_fd = bytearray(make_fd_frame(1, bytes(8)))
        bad_fd[4] = 9
        for packet in (b"x", bytes(17), bytes(200), error_frame("bit", 0, 0, bus_off=False), bytes(bad_fd)):
            wild.send(packet)
            line.turn()
        wild.send(make_frame(0x99, b"good"))
        line.turn()
        assert [got.arbitration_id for got in iter(lambda: other.recv(0.01), None)] == [0x99]
        medium = line.bus.medium
        assert medium is not None
        assert [c.lost for c in medium.controllers if c.name == "guest"] == [0, 2]


@given(st.binary(max_size=200))
def test_reading_packets_never_raises(packet: bytes) -> None:
    assert isinstance(read_packet(packet), (GuestState, list))
    assert isinstance(read_packet(b"F" + packet), list)
    assert isinstance(read_settings(packet), (Settings, type(None)))


@given(st.builds(Settings, st.booleans(), st.booleans(), st.booleans(), st.booleans()))
def test_settings_come_back(settings: Settings) -> None:
    packet = settings_packet(settings)
    assert read_settings(packet) == settings
    assert len(packet) not in (FRAME_BYTES, FD_FRAME_BYTES)


def test_the_log_is_read_by_python_can_frame_kinds_and_all(tmp_path: Path) -> None:
    log = BusLog(tmp_path / "can.log", "engine")
    frames = [
        make_frame(0x7FF, b""),
        make_frame(EXTENDED | 0x12345, b"\xab"),
        make_remote_frame(0x42, 3),
        make_fd_frame(0x43, bytes(12)),
        error_frame("ack", 8, 0, bus_off=False),
    ]
    log.write([(1_999_999_999 + n * 1000, frame) for n, frame in enumerate(frames)])
    log.close()
    read = list(CanutilsLogReader(tmp_path / "can.log"))
    assert [m.arbitration_id for m in read[:4]] == [0x7FF, 0x12345, 0x42, 0x43]
    assert [m.is_extended_id for m in read[:4]] == [False, True, False, False]
    assert (read[2].is_remote_frame, read[2].dlc) == (True, 3)
    assert (read[3].is_fd, read[3].bitrate_switch, bytes(read[3].data)) == (True, True, bytes(12))
    assert read[4].is_error_frame
    assert [m.timestamp for m in read] == pytest.approx([1.999999, 2.0, 2.000001, 2.000002, 2.000003])


LOGGER = """
import runpy, signal
signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background jobs start without
runpy.run_module("can.logger", run_name="__main__")
"""


def test_can_logger_joins_from_another_process(tmp_path: Path) -> None:
    """python-can's own logger, told nothing but interface and channel."""
    with hil_line() as line:
        node = line.bus.attach("a")
        out = tmp_path / "heard.log"
        command = [sys.executable, "-c", LOGGER, "-i", "hil", "-c", line.path, "-f", str(out)]
        logger = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            deadline = time.monotonic() + 60.0
            number = 0
            while time.monotonic() < deadline and (not out.exists() or out.stat().st_size < 500):
                node.outbox = [make_frame(0x123, number.to_bytes(8, "big"))]
                number += 1
                line.turn()
                time.sleep(0.005)
            logger.send_signal(signal.SIGINT)
            logger.wait(timeout=20.0)
        finally:
            logger.kill()
            logger.wait()
        heard = list(CanutilsLogReader(out))
        numbers = [int.from_bytes(message.data, "big") for message in heard]
        assert numbers == list(range(numbers[0], numbers[0] + len(numbers)))
        begins = [round(message.timestamp * 1e9) % FRAME_NS for message in heard]
        assert all(111 * 2000 - 1000 <= t_ns <= 132 * 2000 for t_ns in begins), "when its last bit ended"
