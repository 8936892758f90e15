"""Building flights from files, and what is left when that fails."""

from __future__ import annotations

import struct
from pathlib import Path
from typing import Any

import pytest

from hil.cli import main
from hil.faults.case import SHIPPED
from hil.files import FileError
from hil.rig import build, reach
from hil.rig.model import load_rig
from hil.rig.plan import load_plan
from hil.signals import RigError

HIL_BUS = 'interface = "hil"\nchannel = "engine"'
RIGS = ("kernel", "in_process", "virtual")


def _virtual_without_comments() -> str:
    text = (SHIPPED / "virtual.toml").read_text()
    return "\n".join(line.split("#")[0].rstrip() for line in text.splitlines())


@pytest.mark.parametrize("rig", RIGS)
def test_shipped_rigs_build_and_close(rig: str, tmp_path: Path) -> None:
    plan = load_plan(SHIPPED / f"{rig}.toml", "zq3_y1")
    built = build.build_flight(plan, seed=1, pace="lockstep", run_dir=tmp_path)
    assert [board.name for board in built.boards] == list(plan.rig.board)
    assert built.flight.rates.frame_ns == 10_000_000
    assert built.flight.frame["truth"]["pos_pad_m"].tolist() == [120.0, -60.0, 4500.0]
    assert [f["onset_s"] for f in built.book.onsets()] == [None, None]
    built.close()
    built.close()


def test_what_is_not_shipped_to_fly_says_why() -> None:
    assert load_rig(SHIPPED / "bench_example.toml").live
    assert not any(load_rig(SHIPPED / f"{rig}.toml").live for rig in RIGS)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ('interface = "hil"', 'interface = "socketcan"'),
        (HIL_BUS, 'interface = "slcan"\nchannel = "vcanport"'),
        (HIL_BUS, 'interface = "udp_multicast"\nchannel = "vcan0"'),
        (HIL_BUS, 'interface = "socketcan"\nchannel = "lo"'),
        (HIL_BUS, 'interface = "socketcan"\nchannel = "vcan_is_not_here"'),
        ('port = "pty"', 'port = "/dev/ttyUSB0"'),
        ('port = "pty"', 'port = "socket://10.0.0.1:4001"'),
        ('port = "pty"', 'port = "socket://127.0.0.1.example:4001"'),
        ('port = "pty"', 'port = "socket://localhost:80@10.0.0.1:4001"'),
        ('port = "pty"', 'port = "socket://[::1"'),
        ('port = "pty"', 'port = "spy:///dev/ttyUSB0"'),
        ('backend = "process"', 'backend = "hardware"'),
    ],
)
def test_a_rig_that_can_reach_hardware_is_live(old: str, new: str, tmp_path: Path) -> None:
    text = _virtual_without_comments()
    assert old in text
    (tmp_path / "rig.toml").write_text(text.replace(old, new, 1))
    (tmp_path / "bus.dbc").write_text("")
    assert load_rig(tmp_path / "rig.toml").live


@pytest.mark.parametrize(
    ("old", "new"),
    [(HIL_BUS, 'interface = "virtual"\nchannel = "can0"'), (HIL_BUS, HIL_BUS)]
    + [
        ('port = "pty"', f'port = "{port}"')
        for port in ("socket://127.0.0.1:4001", "socket://localhost:4001", "loop://")
    ],
)
def test_virtual_buses_and_loopback_are_not_live(old: str, new: str, tmp_path: Path) -> None:
    text = _virtual_without_comments()
    assert old in text
    (tmp_path / "rig.toml").write_text(text.replace(old, new, 1))
    (tmp_path / "bus.dbc").write_text("")
    assert not load_rig(tmp_path / "rig.toml").live


@pytest.mark.parametrize(("kind", "live"), [("vcan", False), ("slcan", True), ("vxcan", True), (None, True)])
def test_a_socketcan_device_is_virtual_by_its_driver_not_by_its_name(
    kind: str | None, live: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reach, "link_kind", {"vcan0": kind}.get)
    assert reach.can_reaches_out("socketcan", "vcan0") is live
    assert reach.can_reaches_out("slcan", "vcan0")


def test_the_kernels_answer_about_a_device_is_read() -> None:
    def attribute(kind: int, value: bytes) -> bytes:
        return struct.pack("=HH", 4 + len(value), kind) + value + b"\0" * (-len(value) % 4)

    def answer(message: int, *attributes: bytes) -> bytes:
        body = struct.pack("=BxHiII", 0, 280, 7, 0, 0) + b"".join(attributes)
        return struct.pack("=IHHII", 16 + len(body), message, 0, 1, 0) + body

    info = attribute(18, attribute(1, b"vcan\0") + attribute(2, b"data"))
    assert reach.link_kind_of(answer(16, attribute(3, b"can0\0"), info)) == "vcan"
    assert reach.link_kind_of(answer(16, attribute(3, b"vcan\0"))) is None
    assert reach.link_kind_of(answer(2, info)) is None
    for cut in range(len(answer(16, info)) - 8):
        assert reach.link_kind_of(answer(16, info)[:cut]) in (None, "vcan", "v", "vc", "vca")
    assert reach.link_kind("lo") is None, "the real thing answers too"
    assert reach.link_kind("no_such_device") is None


@pytest.mark.parametrize("command", ["check", "run"])
def test_the_command_says_that_a_rig_is_live(
    command: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    text = _virtual_without_comments().replace(HIL_BUS, 'interface = "slcan"\nchannel = "vcanport"')
    (tmp_path / "rig.toml").write_text(text)
    (tmp_path / "bus.dbc").write_bytes((SHIPPED / "bus.dbc").read_bytes())
    assert main([command, str(tmp_path / "rig.toml")]) == 3
    out, err = capsys.readouterr()
    told = {"check": "can.engine: slcan vcanport: ", "run": "rig virtual is live and not armed: "}
    assert err.startswith(f"hil: {told[command]}")
    if command == "check":
        assert out.startswith("rig virtual: live, can reach hardware\n")


def test_what_was_opened_is_closed_when_building_fails(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened: list[Any] = []
    real = build.build_stations

    def building(*args: Any, **kwargs: Any) -> Any:
        boards, wires = real(*args, **kwargs)
        opened.extend(boards)
        return boards, wires

    monkeypatch.setattr(build, "build_stations", building)
    plan = load_plan(SHIPPED / "virtual.toml", "nominal")
    (tmp_path / "tape.mcap").mkdir()
    with pytest.raises(RigError, match="tape"):
        build.build_flight(plan, seed=0, pace="lockstep", run_dir=tmp_path)
    assert len(opened) == 4
    for board in opened:
        assert not Path(f"/proc/{board.pid}").exists()


def test_streams_depend_on_seed_and_case_alone(tmp_path: Path) -> None:
    """The rig and the run folder draw no random numbers; the seed does."""

    def first_nav(rig: str, case: str, seed: int) -> bytes:
        out = tmp_path / f"{rig}-{case}-{seed}"
        out.mkdir()
        built = build.build_flight(
            load_plan(SHIPPED / f"{rig}.toml", case), seed=seed, pace="lockstep", run_dir=out
        )
        built.flight.sensors.sample(0)
        built.close()
        return built.flight.frame["nav"].tobytes()

    reference = first_nav("kernel", "nominal", 7)
    assert first_nav("in_process", "nominal", 7) == reference
    assert first_nav("kernel", "nominal", 8) != reference
    assert first_nav("kernel", "centre_out", 7) != reference


def test_engines_without_boards_and_unknown_cases_are_file_errors(tmp_path: Path) -> None:
    text = (SHIPPED / "kernel.toml").read_text()
    (tmp_path / "rig.toml").write_text(text[: text.index("[board.engine_3]")])
    with pytest.raises(FileError, match="engine 3 of zq3_class lands but has no board"):
        build.build_flight(
            load_plan(tmp_path / "rig.toml", "nominal"), seed=0, pace="lockstep", run_dir=tmp_path
        )
    with pytest.raises(FileError, match="no such file"):
        load_plan(tmp_path / "rig.toml", "unheard_of")
