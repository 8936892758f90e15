"""Sensors on lines of their own, from the rig file to what the firmware has counted."""

from __future__ import annotations

import json
import socket
import struct
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from hil.cli import main
from hil.faults.case import SHIPPED
from hil.files import FileError
from hil.rig.build import BuiltFlight, build_flight
from hil.rig.model import load_rig
from hil.rig.plan import load_plan
from hil.rig.run import run_flight
from hil.wire import stim300
from hil.wire.sensor_format import FrameStream
from hil.wire.sensor_lines import LINE_NAMES, UnitFault
from hil.wire.serial_line import LineFault
from hil.wire.transport import PortTransport
from tests.emulation import emulated

RUNGS = ("in_process", "virtual")
FRAME_NS = 10_000_000
LINES = """
[serial.imu]
protocol = "stim300"
port = "pty"
[serial.gnss]
protocol = "ubx_nav_pvt"
port = "pty"
rate_hz = 25
[serial.altimeter]
protocol = "us_d1"
port = "pty"
"""
CASE = """
vehicle = "zq3_class"
description = "Low, so that the altimeter sees the ground; too short to land."
time_limit_s = 1.0
[initial]
pos_pad_m = [0.0, 0.0, 45.0]
vel_pad_mps = [0.0, 0.0, -1.0]
[navigation.gnss]
latency_ms = 0
"""


def write_rig(folder: Path, rung: str, lines: str = LINES) -> Path:
    (folder / "bus.dbc").write_bytes((SHIPPED / "bus.dbc").read_bytes())
    path = folder / "rig.toml"
    path.write_text((SHIPPED / f"{rung}.toml").read_text() + lines)
    return path


def write_case(folder: Path) -> Path:
    path = folder / "low.toml"
    path.write_text(CASE)
    return path


@contextmanager
def flight(folder: Path, rung: str) -> Iterator[BuiltFlight]:
    plan = load_plan(write_rig(folder, rung), str(write_case(folder)))
    built = build_flight(plan, seed=1, pace="lockstep", run_dir=folder)
    try:
        yield built
    finally:
        built.close()


def turn(built: BuiltFlight, frames: int) -> None:
    flight = built.flight
    for _ in range(frames):
        t_ns = flight.number * FRAME_NS
        flight.frame.array["t_ns"], flight.frame.array["frame"] = t_ns, flight.number
        flight.sensors.sample(t_ns)
        flight.crew.start_frame(t_ns)
        flight.crew.finish_frame()
        flight.wires.exchange(t_ns)
        flight.plant.advance(t_ns + FRAME_NS)
        flight.number += 1


def heard(built: BuiltFlight, line: str) -> dict[str, int]:
    """What the firmware has counted on a line, zeros left out."""
    return {reason: n for reason, n in built.flight.wires.counters()[f"flight_computer.{line}"].items() if n}


# ---- healthy


@pytest.mark.parametrize("rung", [*RUNGS, emulated("emulated")])
def test_every_frame_is_heard_and_the_flight_is_the_same(rung: str, tmp_path: Path) -> None:
    runs = []
    for lines in ("", LINES):
        plan = load_plan(write_rig(tmp_path, rung, lines), str(write_case(tmp_path)))
        out = tmp_path / f"out{len(lines)}"
        out.mkdir()
        runs.append(run_flight(plan, seed=1, pace="lockstep", run_dir=out))
    assert runs[0].result["signals_sha256"] == runs[1].result["signals_sha256"]
    wires, frames = runs[1].details["wires"], runs[1].result["timing"]["frames"]
    for line, rate_hz, latency_s in (("imu", 1000, 0.0), ("gnss", 25, 0.0), ("altimeter", 100, 0.02)):

        def due(frame: int, rate_hz: int = rate_hz, latency_s: float = latency_s) -> int:
            return int((frame / 100 - latency_s) * rate_hz + 1e-6) + 1

        assert wires[f"serial.{line}"]["frames"] == due(frames - 1)
        counts = wires[f"flight_computer.{line}"]
        assert counts["accepted"] == due(99), "then the time is over, and the valves close without it"
        assert sum(counts.values()) == counts["accepted"], "nothing else was counted"
    log = (tmp_path / f"out{len(LINES)}" / "serial.log").read_text().splitlines()
    said = b"".join(bytes.fromhex(entry.split()[2]) for entry in log if entry.split()[1] == "imu")
    assert len(FrameStream(stim300.FORMAT).take(said)) == wires["serial.imu"]["frames"]
    assert not (tmp_path / "out0" / "serial.log").exists()


def test_the_firmwares_records_are_what_the_sensors_said(tmp_path: Path) -> None:
    with flight(tmp_path, "in_process") as built:
        turn(built, 20)
        board: Any = next(board for board in built.boards if board.role == "flight_computer")
        read = board.sensors
        truth = built.flight.frame["truth"]
        assert read.altimeter.height_m == pytest.approx(truth["pos_pad_m"][2], abs=0.5)
        assert read.gnss.height_m == pytest.approx(truth["pos_pad_m"][2], abs=15.0)
        assert list(read.imu.force_body_mps2) == pytest.approx(list(truth["force_body_mps2"]), abs=0.5)
        assert (read.imu.usable, read.gnss.usable, read.altimeter.usable) == (1, 1, 1)


# ---- faults, as the firmware hears them


SEEN: dict[UnitFault, dict[str, tuple[str, ...]]] = {
    UnitFault.DROP: {"": ()},
    UnitFault.CORRUPT: {"": ("checksum",)},
    UnitFault.STUCK: {"": ("accepted",)},
    UnitFault.BIAS: {"": ("accepted",)},
    UnitFault.FREEZE: {"": ("repeated",), "altimeter": ("accepted",)},
    UnitFault.INVALID: {"": ("accepted",)},
}
"""What the firmware counts during a fault; of the altimeter's frames it cannot tell a frozen one."""
BIASES = {"imu": (0.1, 0.0, 0.0, 0.0, 0.0, 2.0), "gnss": (0.0, 0.0, -500.0), "altimeter": (3.0,)}


@pytest.mark.parametrize("rung", RUNGS)
@pytest.mark.parametrize("fault", UnitFault)
def test_a_sensors_fault_is_counted_under_its_reason_and_over_when_it_is(
    fault: UnitFault, rung: str, tmp_path: Path
) -> None:
    with flight(tmp_path, rung) as built:
        turn(built, 10)
        before = {line: heard(built, line) for line in LINE_NAMES}
        for line in LINE_NAMES:
            built.lines.by_name[line].set_fault(fault, *(BIASES[line] if fault is UnitFault.BIAS else ()))
        turn(built, 12)
        for line in LINE_NAMES:
            now = heard(built, line)
            rose = tuple(reason for reason, n in now.items() if n > before[line].get(reason, 0))
            assert rose == SEEN[fault].get(line, SEEN[fault][""]), line
            built.lines.by_name[line].clear_fault(fault)
            before[line] = now
        turn(built, 12)
        for line in LINE_NAMES:
            now = heard(built, line)
            rose = {reason for reason, n in now.items() if n > before[line].get(reason, 0)}
            assert rose - {"jumped"} == {"accepted"}, line
            assert now.get("jumped", 0) <= 1, line


def test_every_corrupt_frame_is_counted(tmp_path: Path) -> None:
    with flight(tmp_path, "in_process") as built:
        turn(built, 5)
        line = built.lines.by_name["imu"]
        line.set_fault(UnitFault.CORRUPT)
        sent = line.frames
        turn(built, 10)
        assert heard(built, "imu")["checksum"] == line.frames - sent == 100


def test_values_are_stuck_biased_or_disowned(tmp_path: Path) -> None:
    with flight(tmp_path, "in_process") as built:
        board: Any = next(board for board in built.boards if board.role == "flight_computer")
        read = board.sensors
        lines = built.lines.by_name
        for line in LINE_NAMES:
            lines[line].set_fault(UnitFault.STUCK)
        turn(built, 10)
        force, counter, height = list(read.imu.force_body_mps2), read.imu.counter, read.gnss.height_m
        turn(built, 10)
        assert list(read.imu.force_body_mps2) == force
        assert read.gnss.height_m == height
        assert read.imu.counter != counter, "it goes on counting"
        for line in LINE_NAMES:
            lines[line].set_fault(UnitFault.BIAS, *BIASES[line])
        turn(built, 5)
        assert read.imu.force_body_mps2[2] - force[2] == pytest.approx(2.0, abs=1e-4)
        assert read.gnss.height_m - height == pytest.approx(500.0, abs=2e-3)
        for line in LINE_NAMES:
            lines[line].set_fault(UnitFault.INVALID)
        turn(built, 5)
        assert (read.imu.usable, read.gnss.usable, read.altimeter.usable) == (0, 0, 0)
        assert read.imu.rate_status == read.imu.force_status == stim300.INTEGRITY


def test_sizes_that_a_fault_does_not_take_are_refused(tmp_path: Path) -> None:
    with flight(tmp_path, "in_process") as built:
        for size in ((), (1.0, 2.0), (float("nan"),)):
            with pytest.raises(ValueError, match="BIAS of altimeter takes 1 finite numbers"):
                built.lines.by_name["altimeter"].set_fault(UnitFault.BIAS, *size)


@pytest.mark.parametrize("rung", RUNGS)
def test_the_faults_of_a_line_reach_the_firmware(rung: str, tmp_path: Path) -> None:
    with flight(tmp_path, rung) as built:
        line = built.lines.by_name["imu"]
        turn(built, 5)
        line.set_fault(LineFault.FRAMING, 280)
        turn(built, 10)
        damaged = heard(built, "imu")
        assert damaged["checksum"] + damaged.get("framing", 0) == line.line.counts["framing"] == 10
        line.clear_fault(LineFault.FRAMING)
        line.set_fault(LineFault.BREAK)
        turn(built, 5)
        broken = heard(built, "imu")
        assert broken["accepted"] == damaged["accepted"]
        assert broken.get("framing", 0) == damaged.get("framing", 0) + 1, "the break's zero"
        line.clear_fault(LineFault.BREAK)
        line.set_fault(LineFault.SLOW, 140_000)  # half of what 1,000 frames a second take
        turn(built, 10)
        slow = heard(built, "imu")["accepted"] - broken["accepted"]
        assert slow == pytest.approx(50, abs=1)
        assert line.line.counts["late"] > 0


@pytest.mark.parametrize("rung", RUNGS)
def test_the_navigation_link_is_a_line_too(rung: str, tmp_path: Path) -> None:
    with flight(tmp_path, rung) as built:
        wires: Any = built.flight.wires
        turn(built, 5)
        wires.serial["navigation"].set_fault(LineFault.UNPLUGGED)
        turn(built, 6)
        telemetry = built.flight.frame["telemetry"]
        assert telemetry["nav_age_s"] == pytest.approx(0.06 + 0.05, abs=0.011), (
            "silence, and old data is known"
        )
        wires.serial["navigation"].clear_fault(LineFault.UNPLUGGED)
        wires.serial["navigation"].set_fault(LineFault.FRAMING, 50)
        turn(built, 5)
        counts = wires.counters()["flight_computer"]
        assert counts["checksum"] + counts["framing"] + counts["length"] > 0


# ---- real ports and sockets


class Listener:
    """A flight computer elsewhere: takes what comes on a socket, hangs up after `most` bytes."""

    def __init__(self, most: int | None = None) -> None:
        self.server = socket.create_server(("127.0.0.1", 0))
        self.port = self.server.getsockname()[1]
        self.got = b""
        self.most = most
        self.thread = threading.Thread(target=self._listen)
        self.thread.start()

    def _listen(self) -> None:
        with self.server, self.server.accept()[0] as link:
            while self.most is None or len(self.got) < self.most:
                data = link.recv(65536)
                if not data:
                    return
                self.got += data

    def lines(self) -> str:
        """The rig's lines, the IMU's on this socket."""
        return LINES.replace('port = "pty"', f'port = "socket://127.0.0.1:{self.port}"', 1)


def test_a_line_on_a_socket_is_written_each_frame(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    listener = Listener()
    rig, out = write_rig(tmp_path, "in_process", listener.lines()), tmp_path / "out"
    main(["run", str(rig), "--case", str(write_case(tmp_path)), "--json", "--out", str(out)])
    listener.thread.join(10.0)
    wires = json.loads((out / "run.json").read_text())["wires"]
    stream = FrameStream(stim300.FORMAT)
    assert len(stream.take(listener.got)) == wires["serial.imu"]["frames"] > 0
    assert sum(stream.counts.values()) == stream.counts["accepted"]
    assert "flight_computer.imu" not in wires, "the virtual flight computer does not hear it"
    assert wires["flight_computer.gnss"]["accepted"] > 0


@pytest.mark.parametrize("rung", RUNGS)
def test_a_link_that_is_unplugged_is_a_rig_error_and_valves_close(
    rung: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    listener = Listener(most=2800)
    rig, out = write_rig(tmp_path, rung, listener.lines()), tmp_path / "out"
    status = main(["run", str(rig), "--case", str(write_case(tmp_path)), "--json", "--out", str(out)])
    listener.thread.join(10.0)
    kept = json.loads((out / "run.json").read_text())
    assert status == 3
    assert kept["verdict"] == "ERROR"
    assert kept["cause"].startswith(f"serial.imu: socket://127.0.0.1:{listener.port}: lost: ")
    assert kept["boards_not_safe"] == []
    assert kept["later_failures"] == []


def test_a_socket_whose_other_end_hung_up_is_closed_all_the_same() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        line = PortTransport(f"socket://127.0.0.1:{server.getsockname()[1]}", 115200, "imu")
        link = line._port._socket
        other = server.accept()[0]
        other.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        other.close()  # with a reset: a shutdown from this end fails
    line.close()
    assert link.fileno() == -1


def test_a_socket_that_is_not_there_is_exit_3(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    listener = Listener(most=0)
    with socket.create_connection(("127.0.0.1", listener.port)):
        listener.thread.join(10.0)
    rig = write_rig(tmp_path, "in_process", listener.lines())
    assert main(["run", str(rig), "--case", str(write_case(tmp_path)), "--out", str(tmp_path / "out")]) == 3
    assert "serial.imu: cannot open socket://127.0.0.1:" in capsys.readouterr().err


# ---- rig files


BAD = {
    'protocol = "stim300"': ('protocol = "stim301"', "serial.imu.protocol"),
    'protocol = "us_d1"': ("", 'serial.altimeter: needs protocol = "us_d1"'),
    "rate_hz = 25": ("rate_hz = 7", "rate_hz = 7: ubx_nav_pvt has 5, 8, 10, 20 or 25 Hz"),
    "[serial.gnss]": ("[serial.gps]", "serial.gps: lines are called navigation, imu, gnss, altimeter"),
    "[serial.altimeter]": ("[serial.altimeter]\nrate_hz = 101", "rate_hz = 101: us_d1 has 1 to 100 Hz"),
    "[serial.imu]": (
        "[serial.imu]\nbaudrate = 460800\nrate_hz = 2000",
        "rate_hz = 2000: frames of 28 bytes take 560000 baud, the line has 460800",
    ),
}


@pytest.mark.parametrize("old", BAD)
def test_a_line_that_cannot_work_is_one_line(old: str, tmp_path: Path) -> None:
    new, says = BAD[old]
    path = write_rig(tmp_path, "in_process", LINES.replace(old, new, 1))
    with pytest.raises(FileError) as refused:
        load_rig(path)
    assert says in str(refused.value)
    assert str(refused.value).startswith(str(path))
    assert "\n" not in str(refused.value)


def test_a_navigation_link_too_slow_for_its_frames_is_refused(tmp_path: Path) -> None:
    path = write_rig(tmp_path, "in_process")
    path.write_text(path.read_text().replace("baudrate = 921_600", "baudrate = 57_600"))
    with pytest.raises(
        FileError, match=r"serial\.navigation: baudrate = 57600: one solution .* takes 68000 baud"
    ):
        load_rig(path)


def test_lines_have_the_sensors_usual_rates(tmp_path: Path) -> None:
    rig = load_rig(write_rig(tmp_path, "in_process"))
    assert rig.sensor_rates_hz == {"imu": 1000, "gnss": 25, "altimeter": 100}
    assert [rig.serial[name].baudrate for name in LINE_NAMES] == [921_600, 115_200, 115_200]
    assert not rig.live


@pytest.mark.parametrize("port", ["/dev/serial/by-path/pci-0", "socket://10.0.0.1:4001"])
def test_a_sensors_line_can_make_a_rig_live(port: str, tmp_path: Path) -> None:
    assert load_rig(write_rig(tmp_path, "in_process", LINES.replace('"pty"', f'"{port}"', 1))).live
