"""The virtual bus: order, delivery, log, guests, real buses."""

from __future__ import annotations

import os
import time
from pathlib import Path

import can
import pytest
from can.io import CanutilsLogReader

from hil.files import FileError
from hil.signals import RigError
from hil.wire.bus import VirtualBus
from hil.wire.buslog import BusLog
from hil.wire.canframe import frame_id, make_frame
from hil.wire.layout import check_database, fingerprint, load_database
from hil.wire.python_can import HilBus
from hil.wire.transport import PtyTransport, open_transport
from tests.seams.rigging import RIGS, Stations, make_rig


def test_frames_are_delivered_by_id_then_by_sender_to_all_others() -> None:
    bus = VirtualBus("t")
    a, b, c = bus.attach("a"), bus.attach("b"), bus.attach("c")
    a.outbox = [make_frame(0x300, b"a1"), make_frame(0x100, b"a2")]
    b.outbox = [make_frame(0x300, b"b1"), make_frame(0x050, b"b2")]
    sent = [(frame_id(f), f[8:10]) for f in bus.exchange(0)]
    assert sent == [(0x050, b"b2"), (0x100, b"a2"), (0x300, b"a1"), (0x300, b"b1")]
    assert [f[8:10] for f in a.inbox] == [b"b2", b"b1"]
    assert [f[8:10] for f in b.inbox] == [b"a2", b"a1"]
    assert [f[8:10] for f in c.inbox] == [b"b2", b"a2", b"a1", b"b1"]
    assert bus.exchange(1) == []
    assert c.inbox == []


def test_a_dead_node_is_not_heard() -> None:
    bus = VirtualBus("t")
    a, b = bus.attach("a"), bus.attach("b")
    a.deaf = True
    a.outbox = [make_frame(1, b"")]
    assert bus.exchange(0) == []
    assert b.inbox == []


def test_the_log_is_readable_at_any_moment(tmp_path: Path) -> None:
    log = BusLog(tmp_path / "can.log", "engine")
    log.write(
        [(12_340_000_000, make_frame(0x41, bytes(range(8)))), (12_340_000_000, make_frame(0x205, b"\xff"))]
    )
    log.write([])
    messages = list(CanutilsLogReader(tmp_path / "can.log"))
    assert [(m.arbitration_id, bytes(m.data), m.channel) for m in messages] == [
        (0x41, bytes(range(8)), "engine"),
        (0x205, b"\xff", "engine"),
    ]
    assert messages[0].timestamp == pytest.approx(12.34)
    log.close()
    log.close()


def test_a_guest_hears_and_speaks() -> None:
    bus = VirtualBus("guests")
    path = bus.listen()
    node = bus.attach("a")
    guest = can.Bus(interface="hil", channel=str(path)) if _entry_point() else HilBus(channel=str(path))
    try:
        bus.exchange(0)
        node.outbox = [make_frame(0x123, b"hello")]
        bus.exchange(1)
        heard = guest.recv(1.0)
        assert heard is not None
        assert (heard.arbitration_id, bytes(heard.data)) == (0x123, b"hello")
        guest.send(can.Message(arbitration_id=0x055, data=b"hi", is_extended_id=False))
        frames = bus.exchange(2)
        assert [(frame_id(f), f[8:10]) for f in frames] == [(0x055, b"hi")]
        assert node.inbox == frames
        assert guest.recv(0) is None
    finally:
        guest.shutdown()
    bus.exchange(3)
    bus.close()
    bus.close()
    assert not path.exists()


def _entry_point() -> bool:
    return "hil" in can.interfaces.BACKENDS


def test_a_guest_is_told_that_no_flight_is_on() -> None:
    with pytest.raises(can.CanInitializationError, match="no flight has a bus 'nobody' now"):
        HilBus(channel="nobody")


@pytest.mark.parametrize(
    "message",
    [
        can.Message(arbitration_id=0x123, is_extended_id=False, is_fd=True, data=bytes(12)),
        can.Message(arbitration_id=0x123, is_extended_id=False, is_fd=True, data=bytes(4)),
        can.Message(arbitration_id=0x123, is_extended_id=False, data=bytes(12), dlc=12),
    ],
    ids=["FD of 12 bytes", "FD of 4 bytes", "12 bytes"],
)
def test_a_guest_cannot_send_what_classical_can_does_not_carry(message: can.Message) -> None:
    bus = VirtualBus("guests")
    try:
        guest = HilBus(channel=str(bus.listen()))
        with pytest.raises(can.CanOperationError, match="classical CAN"):
            guest.send(message)
        bus.pump(0.05)
        assert bus.exchange(0) == [], "nothing of it was on the bus"
        guest.shutdown()
    finally:
        bus.close()


def test_a_guest_finds_the_bus_by_its_name() -> None:
    with Stations("in_process") as stations:
        guest = HilBus(channel="test")
        stations.turn(2)
        heard = guest.recv(1.0)
        assert heard is not None
        assert heard.arbitration_id == 0x041
        guest.shutdown()
        stations.turn(1)


def test_a_real_bus_sees_all_traffic_and_reaches_the_boards() -> None:
    rig = make_rig("in_process", can={"engine": {"interface": "virtual", "channel": "real bus"}})
    with (
        can.Bus(interface="virtual", channel="real bus") as tester,
        Stations("in_process", rig=rig) as stations,
    ):
        stations.turn(2)
        ids = []
        while (heard := tester.recv(0)) is not None:
            ids.append(heard.arbitration_id)
        assert len(ids) == 32
        assert ids[:16] == sorted(ids[:16])
        tester.send(can.Message(arbitration_id=0x7EE, data=b"x", is_extended_id=False))
        tester.send(can.Message(arbitration_id=0x041, data=bytes(8), is_extended_id=False))
        stations.turn(2)
        counts = stations.wires.counters()
        assert counts["bench"]["unknown_id"] == 1
        assert counts["engine_1"]["checksum"] == 1
        assert counts["engine_2"]["checksum"] == 0, "its acceptance filter lets only its own commands through"
        assert counts["engine_1"]["unknown_id"] == 0


def test_a_serial_port_that_is_not_there_is_named() -> None:
    with pytest.raises(RigError, match=r"serial\.navigation: cannot open /dev/no-such-port"):
        open_transport("/dev/no-such-port", 921_600, "navigation")


def test_a_pty_carries_every_byte() -> None:
    link = PtyTransport(921_600, "navigation")
    try:
        link.write(bytes(range(256)))
        got = b""
        end = time.monotonic() + 2.0
        while len(got) < 256 and time.monotonic() < end:
            got += os.read(link.master, 256)
        assert got == bytes(range(256)), "no byte is taken for a control character"
    finally:
        link.close()
        link.close()


# ---- tables that do not match


def broken(tmp_path: Path, old: str, new: str) -> Path:
    text = (RIGS / "bus.dbc").read_text()
    assert old in text
    path = tmp_path / "bus.dbc"
    path.write_text(text.replace(old, new))
    return path


LAYOUTS = {
    m.name: fingerprint(m)
    for m in load_database(RIGS / "bus.dbc").messages
    if m.name.startswith(("ENGINE_1_", "TELEMETRY", "NAV"))
}


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("ox_valve_cmd : 3|12@1+ (0.00025,0)", "ox_valve_cmd : 3|12@1+ (0.0005,0)", "ENGINE_1_COMMAND"),
        ("BO_ 516 TELEMETRY_PLAN", "BO_ 599 TELEMETRY_PLAN", "TELEMETRY_PLAN"),
    ],
)
def test_a_table_that_does_not_match_the_firmware_is_told(
    tmp_path: Path, old: str, new: str, message: str
) -> None:
    path = broken(tmp_path, old, new)
    with pytest.raises(
        FileError, match=rf"bus\.dbc: does not match the firmware: message {message} "
    ) as caught:
        check_database(path, LAYOUTS)
    assert "\n" not in str(caught.value)


def test_a_missing_message_is_told(tmp_path: Path) -> None:
    path = broken(tmp_path, "TELEMETRY_SHARE: 8", "TELEMETRY_OTHER: 8")
    with pytest.raises(FileError, match="message TELEMETRY_SHARE is missing"):
        check_database(path, LAYOUTS)


def test_a_file_that_is_no_table_is_told(tmp_path: Path) -> None:
    (tmp_path / "a.dbc").write_text("this is no table\n{")
    with pytest.raises(FileError, match=r"a\.dbc: no bus table: ") as caught:
        load_database(tmp_path / "a.dbc")
    assert "\n" not in str(caught.value)
    with pytest.raises(FileError, match="No such file"):
        load_database(tmp_path / "b.dbc")
