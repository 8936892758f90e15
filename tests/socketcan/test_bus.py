"""What a bus promises, on a real vcan with can-utils as peers: every kind of frame, order, loss, failure."""

from __future__ import annotations

import re
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Literal

import pytest

from hil.boards.executables import valve_board_executable
from hil.boards.process import launch
from hil.boards.stations import firmware_layouts
from hil.signals import BoardLost, Frame, RigError
from hil.wire import can_hardware
from hil.wire.buslog import BusLog
from hil.wire.can_config import LinkSettings
from hil.wire.can_hardware import HardwareBus
from hil.wire.can_link import open_can_link
from hil.wire.canframe import frame_id, make_frame
from hil.wire.codec import BenchDecoder
from hil.wire.layout import check_database
from tests.seams.rigging import RIGS, Stations, make_rig
from tests.vcan import ON_VCAN, dumping, ip, logged, sends, traffic

pytestmark = ON_VCAN

DATA = "1122334455667788" * 8
KINDS = {
    "no data": "123#",
    **{f"{n} bytes": f"123#{DATA[: 2 * n]}" for n in range(1, 9)},
    "lowest base id": "000#11",
    "highest base id": "7FD#11",
    "lowest extended id": "00000000#11",
    "highest extended id": "1FFFFFFF#1122334455667788",
    "extended id that fits 11 bits": "00000123#11",
    "remote": "123#R",
    "remote for 8 bytes": "123#R8",
    "extended remote": "12345678#R3",
    **{f"FD, {n} bytes": f"123##1{DATA[: 2 * n]}" for n in (0, 1, 8, 12, 16, 20, 24, 32, 48, 64)},
    "FD without rate switch": "123##01122",
    "FD of a passive sender": "1ABCDEF0##21122",
    "error, protocol": "20000088#0000040000000000",
    "error, no acknowledgement": "20000020#0000000000000000",
}


@contextmanager
def bus_on(
    device: str = "vcan0", pace: Literal["lockstep", "wall"] = "wall", log: Path | None = None
) -> Iterator[HardwareBus]:
    """Open a bus on a device."""
    link = open_can_link("engine", LinkSettings("socketcan", device, 1_000_000))
    bus = HardwareBus(link, pace=pace, log=None if log is None else BusLog(log, device))
    try:
        yield bus
    finally:
        bus.close()


def hear(bus: HardwareBus, count: int, within_s: float = 20.0) -> list[bytes]:
    """Turn the bus until it has heard so many classical data frames, and a little longer."""
    frames: list[bytes] = []
    deadline = time.monotonic() + within_s
    t_ns = 0
    while len(frames) < count and time.monotonic() < deadline:
        bus.pump(0.01)
        frames += bus.exchange(t_ns)
        t_ns += 10_000_000
    bus.pump(0.02)
    return frames + bus.exchange(t_ns)


def test_every_kind_of_frame_is_recorded_as_candump_records_it(tmp_path: Path) -> None:
    with dumping("vcan0", tmp_path / "peer.log"), bus_on(log=tmp_path / "can.log") as bus:
        node = bus.attach("board", frozenset({0x123}))
        sends("vcan0", *KINDS.values())
        classical = hear(
            bus, sum("##" not in text and not text.startswith("2000") for text in KINDS.values())
        )
        assert all(frame[4] <= 8 for frame in classical)
        assert [f[:5] for f in node.inbox] == [], "on the wall clock a frame waits for one turn only"
        assert bus.errors == {"protocol": 1, "bus error": 1, "not acknowledged": 1}
    assert traffic(tmp_path / "can.log") == traffic(tmp_path / "peer.log") == list(KINDS.values())


def test_boards_hear_their_own_ids_as_classical_data_frames_only() -> None:
    with bus_on(pace="lockstep") as bus:
        board, direct = (
            bus.attach("board", frozenset({0x123})),
            bus.attach_direct("direct", frozenset({0x123})),
        )
        sends("vcan0", *KINDS.values())
        deadline = time.monotonic() + 10.0
        heard: list[bytes] = []
        count = 0
        while len(heard) < 9 and time.monotonic() < deadline:
            bus.exchange(0)
            heard += board.inbox
            count += direct.hand_over()
        assert [(frame_id(frame), frame[4]) for frame in heard] == [(0x123, length) for length in range(9)]
        assert count == 9


def test_nothing_of_a_flood_is_lost_and_the_order_is_the_buss(tmp_path: Path) -> None:
    with dumping("vcan0", tmp_path / "peer.log"), bus_on(log=tmp_path / "can.log") as bus:
        flood = ["cangen", "vcan0", "-g", "0", "-n", "1500", "-I", "i", "-L", "i", "-D", "r"]
        with subprocess.Popen(flood) as peer:
            assert len(hear(bus, 1500)) == 1500
        assert peer.returncode == 0
    ours, theirs = traffic(tmp_path / "can.log"), traffic(tmp_path / "peer.log")
    assert len(ours) == 1500
    assert ours == theirs


def test_the_record_has_the_kernels_time_stamps(tmp_path: Path) -> None:
    with dumping("vcan0", tmp_path / "peer.log"), bus_on(log=tmp_path / "can.log") as bus:
        hear(bus, 0)
        with subprocess.Popen(["cangen", "vcan0", "-g", "3", "-n", "60"]):
            hear(bus, 60)
    ours, theirs = logged(tmp_path / "can.log"), logged(tmp_path / "peer.log")
    offsets = sorted(their - our for our, their in zip(ours, theirs, strict=True))
    assert len(offsets) == 60
    assert offsets[45] - offsets[15] <= 2e-6, "both have the same stamps but for their rounding to 1 us"


@pytest.mark.parametrize("pace", ["lockstep", "wall"])
def test_what_boards_behind_the_bench_send_is_on_the_bus_by_id(
    pace: Literal["lockstep", "wall"], tmp_path: Path
) -> None:
    with dumping("vcan0", tmp_path / "peer.log"), bus_on(pace=pace, log=tmp_path / "can.log") as bus:
        every = frozenset(range(0x800))
        a, b, c = (bus.attach(name, every) for name in "abc")
        a.outbox = [make_frame(0x300, b"a1"), make_frame(0x100, b"a2")]
        b.outbox = [make_frame(0x301, b"b1"), make_frame(0x050, b"b2")]
        heard = bus.exchange(0) or hear(bus, 4)
        assert [f[8:10] for f in heard] == [b"b2", b"a2", b"a1", b"b1"]
        if pace == "lockstep":
            assert [f[8:10] for f in a.inbox] == [b"b2", b"b1"]
            assert [f[8:10] for f in b.inbox] == [b"a2", b"a1"]
            assert [f[8:10] for f in c.inbox] == [b"b2", b"a2", b"a1", b"b1"]
    assert [frame[:3] for frame in traffic(tmp_path / "peer.log")] == ["050", "100", "300", "301"]
    assert traffic(tmp_path / "can.log") == traffic(tmp_path / "peer.log")


# ---- loss and back-pressure


@contextmanager
def queue_of_ten_frames(device: str) -> Iterator[None]:
    """Give a device a transmit queue that takes ten frames and lets out next to none."""
    queue = ["root", "tbf", "rate", "1kbit", "burst", "16", "limit", "160"]
    subprocess.run(["tc", "qdisc", "add", "dev", device, *queue], check=True)
    try:
        yield
    finally:
        subprocess.run(["tc", "qdisc", "del", "dev", device, "root"], check=True)


@pytest.mark.parametrize("pace", ["lockstep", "wall"])
def test_a_full_transmit_queue_loses_frames_and_counts_them(pace: Literal["lockstep", "wall"]) -> None:
    with bus_on(pace=pace) as bus:
        node = bus.attach("board", frozenset())
        with queue_of_ten_frames("vcan0"):
            node.outbox = [make_frame(k, b"") for k in range(100)]
            heard = bus.exchange(0)
            bus.pump(0.05)
            heard += bus.exchange(1)
            assert 10 <= len(heard) < 100
            assert bus.unsent == 100 - len(heard)
        node.outbox = [make_frame(0x7F, b"")]
        assert [frame_id(f) for f in bus.exchange(2) + hear(bus, 0)] == [0x7F], (
            "it goes on when there is room"
        )


def test_frames_that_the_bench_was_too_slow_for_are_never_lost_in_silence() -> None:
    with bus_on() as bus:
        assert bus._link._socket is not None
        bus._link._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        subprocess.run(["cangen", "vcan0", "-g", "0", "-n", "200"], check=True)
        with pytest.raises(
            RigError, match=r"^can\.engine: socketcan vcan0: \d+ frames did not fit into the rec"
        ):
            bus.exchange(0)


def test_lost_frames_are_counted_by_their_counters(tmp_path: Path) -> None:
    """A recorded flight is replayed by canplayer with every tenth status of engine 1 left out."""
    with Stations("socketcan", run_dir=tmp_path) as stations:
        stations.turn(100)
    lines = (tmp_path / "can.log").read_text().splitlines(keepends=True)
    statuses = [line for line in lines if " 101#" in line]
    assert len(statuses) >= 100, "boards that end speak on until they are safe"
    lost = set(statuses[5::10])
    (tmp_path / "lossy.log").write_text("".join(line for line in lines if line not in lost))
    frame = Frame(3)
    decoder = BenchDecoder(frame, (1, 2, 3), check_database(RIGS / "bus.dbc", firmware_layouts()))
    with bus_on("vcan1") as bus:
        replay = ["canplayer", "-t", "-I", str(tmp_path / "lossy.log"), "vcan1=vcan0"]
        with subprocess.Popen(replay):
            heard = hear(bus, len(lines) - len(lost))
    decoder.take(heard)
    assert decoder.counts["accepted"] == len(lines) - len(lost)
    assert decoder.counts["jumped"] == len(lost)


# ---- failures


@pytest.mark.parametrize("pace", ["lockstep", "wall"])
def test_an_interface_that_goes_down_is_told_and_can_be_opened_again(
    pace: Literal["lockstep", "wall"],
) -> None:
    for _ in range(2):
        with bus_on("vcan1", pace) as bus:
            bus.exchange(0)
            ip("set", "vcan1", "down")
            try:
                with pytest.raises(
                    RigError, match=r"^can\.engine: socketcan vcan1: .*Network is down \(ip link"
                ):
                    bus.exchange(1)
                bus.pump(0.01)
                with pytest.raises(RigError, match="Network is down"):
                    bus.exchange(2)
                with (
                    pytest.raises(RigError, match=r"socketcan vcan1: does not open: Network is down"),
                    bus_on("vcan1"),
                ):
                    pass
            finally:
                ip("set", "vcan1", "up")
        with bus_on("vcan1") as bus:
            sends("vcan1", "123#11")
            assert len(hear(bus, 1)) == 1


def test_an_interface_that_is_taken_away_is_told() -> None:
    ip("add", "dev", "vcan7", "type", "vcan")
    ip("set", "vcan7", "up")
    with bus_on("vcan7") as bus:
        node = bus.attach("board", frozenset())
        ip("del", "vcan7")
        node.outbox = [make_frame(1, b"")]
        with pytest.raises(RigError, match=r"^can\.engine: socketcan vcan7: .*: No such device"):
            bus.exchange(0)


def test_bus_off_ends_the_flight_and_says_where_to_look() -> None:
    with bus_on() as bus:
        sends("vcan0", "20000040#0000000000000000")
        with pytest.raises(RigError, match=r"vcan0: went bus-off: see bit rate, termination and wiring"):
            hear(bus, 1)
        assert bus.errors == {"bus off": 1}


def test_a_frame_that_never_comes_back_is_not_waited_for_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(can_hardware, "ALL_HEARD_S", 0.1)
    with bus_on(pace="lockstep") as bus:
        bus.attach_direct("board", frozenset()).collect(3)
        sends("vcan0", "123#")
        with pytest.raises(RigError, match=r"vcan0: only 1 of 3 frames were heard within 0\.1 s"):
            bus.exchange(0)


def test_a_board_that_cannot_open_the_interface_is_lost_at_once(tmp_path: Path) -> None:
    with pytest.raises(BoardLost, match=r"board x: process \d+ ended: its CAN interface does not open"):
        launch(
            "x",
            valve_board_executable(),
            b"",
            frame_us=10_000,
            pace="lockstep",
            serial={},
            log=tmp_path / "x.log",
            bus=("vcan_none", frozenset({1})),
        )
    assert "CAN interface does not open: No such device" in (tmp_path / "x.log").read_text()


# ---- boards on the bus by themselves


def test_boards_on_the_bus_by_themselves_hear_strangers_and_reject_them() -> None:
    with Stations("socketcan") as stations:
        stations.turn(3)
        sends("vcan0", "041#0000000000000000", "7EE#11")
        stations.turn(3)
        counts = stations.wires.counters()
        assert counts["engine_1"]["checksum"] == 1
        assert counts["engine_2"]["checksum"] == 0, "its acceptance filter lets only its own commands through"
        assert counts["bench"]["unknown_id"] == 1
        assert counts["bench"]["checksum"] == 1


def test_in_lockstep_the_record_is_what_candump_heard_put_in_order(tmp_path: Path) -> None:
    with dumping("vcan0", tmp_path / "peer.log"), Stations("socketcan", run_dir=tmp_path) as stations:
        stations.turn(50)
    ours, theirs = traffic(tmp_path / "can.log"), traffic(tmp_path / "peer.log")
    flown = 50 * 16
    assert len(ours) >= flown
    for at in range(0, flown, 16):
        assert ours[at : at + 16] == sorted(theirs[at : at + 16])
    assert ours[flown:] == theirs[flown:], "what the boards said on their own at the end is recorded, too"


def test_an_interface_that_goes_down_in_lockstep_leaves_no_board_behind() -> None:
    rig = make_rig("socketcan", can={"engine": {"interface": "socketcan", "channel": "vcan1"}})
    stations = Stations("socketcan", rig=rig)
    try:
        stations.turn(3)
        ip("set", "vcan1", "down")
        with pytest.raises(RigError, match="Network is down"):
            stations.turn(1)
    finally:
        ip("set", "vcan1", "up")
        stations.close()
    for board in stations.boards:
        assert not Path(f"/proc/{board.pid}").exists()


# ---- another interface of python-can: slcan, with can-utils as the adapter


@contextmanager
def slcan_adapter(device: str, folder: Path) -> Iterator[str]:
    """Have slcanpty be a serial adapter to a device; yield its port."""
    told = folder / "slcanpty.txt"
    with (
        told.open("wb") as out,
        subprocess.Popen(
            ["stdbuf", "-oL", "slcanpty", "/dev/ptmx", device], stdout=out, stderr=out
        ) as adapter,
    ):
        try:
            _until(lambda: "/dev/pts/" in told.read_text())
            yield re.findall(r"/dev/pts/\d+", told.read_text())[0]
        finally:
            adapter.terminate()


def _until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 20.0
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_boards_behind_the_bench_fly_over_slcan(tmp_path: Path) -> None:
    with slcan_adapter("vcan1", tmp_path) as port, dumping("vcan1", tmp_path / "peer.log"):
        spec = {"interface": "slcan", "channel": port, "options": {"sleep_after_open": 0.05}}
        with Stations("process", rig=make_rig("process", can={"engine": spec}), run_dir=tmp_path) as stations:
            stations.turn(5)
            wanted = traffic(tmp_path / "can.log")
            assert len(wanted) == 5 * (16 + 3)  # slcan is live: boards tell their drives too
            _until(lambda: len(traffic(tmp_path / "peer.log")) >= len(wanted))
            before = stations.wires.counters()["bench"]["unknown_id"]
            sends("vcan1", "7EE#11")
            _until(lambda: stations.turn(1) or stations.wires.counters()["bench"]["unknown_id"] > before)
    assert traffic(tmp_path / "peer.log")[: len(wanted)] == wanted
