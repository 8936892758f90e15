"""Real interfaces, as far as python-can's own `virtual` can stand for them; tests/socketcan has the rest."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import can
import pytest

from hil.cli import main
from hil.faults.case import SHIPPED
from hil.files import FileError
from hil.rig.model import Rig, load_rig
from hil.signals import RigError
from hil.wire.buslog import BusLog
from hil.wire.can_config import LinkSettings
from hil.wire.can_hardware import HardwareBus
from hil.wire.can_link import open_can_link
from hil.wire.can_message import frame_of, message_of
from hil.wire.canframe import EXTENDED, make_fd_frame, make_frame, make_remote_frame
from tests.cases import TOO_SHORT
from tests.seams.rigging import Stations, make_rig


@pytest.fixture(autouse=True)
def _nothing_configured(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Keep what python-can finds on this machine out of the tests."""
    for key in ("INTERFACE", "CHANNEL", "BITRATE", "CONFIG"):
        for suffix in ("", "_engine"):
            monkeypatch.delenv(f"CAN_{key}{suffix}", raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setattr(can.util, "CONFIG_FILES", ["~/can.conf", "~/.canrc"])


@pytest.fixture
def tester() -> Iterator[can.BusABC]:
    with can.Bus(interface="virtual", channel="here", receive_own_messages=False) as bus:
        yield bus


VIRTUAL = LinkSettings("virtual", "here", 1_000_000)

# ---- frames


@pytest.mark.parametrize(
    "frame",
    [make_frame(0x123, bytes(range(n))) for n in range(9)]
    + [make_frame(can_id, b"x") for can_id in (0, 0x7FF, EXTENDED, EXTENDED | 0x1FFF_FFFF, EXTENDED | 5)]
    + [make_remote_frame(0x123, n) for n in (0, 8)]
    + [make_fd_frame(0x123, bytes(n)) for n in (0, 1, 8, 12, 16, 20, 24, 32, 48, 64)]
    + [make_fd_frame(EXTENDED | 9, b"", bit_rate_switch=False), make_fd_frame(9, b"", error_state=True)],
    ids=lambda frame: frame[:8].hex(),
)
def test_every_kind_of_frame_survives_python_can(frame: bytes) -> None:
    assert frame_of(message_of(frame)) == frame


def test_on_an_interface_without_echo_a_frame_is_heard_when_it_is_sent(
    tester: can.BusABC, tmp_path: Path
) -> None:
    bus = HardwareBus(
        open_can_link("engine", VIRTUAL), pace="lockstep", log=BusLog(tmp_path / "can.log", "here")
    )
    a, b = bus.attach("a", frozenset({5})), bus.attach("b", frozenset({5, 6}))
    a.outbox = [make_frame(6, b"a6"), make_frame(5, b"a5")]
    tester.send(can.Message(arbitration_id=5, data=b"t5", is_extended_id=False))
    tester.send(can.Message(arbitration_id=5, data=b"t9", is_extended_id=True))
    assert [f[8:10] for f in bus.exchange(10_000_000)] == [b"t5", b"a5", b"a6", b"t9"]
    assert [f[8:10] for f in a.inbox] == [b"t5"]
    assert [f[8:10] for f in b.inbox] == [b"t5", b"a5", b"a6"]
    assert [(m.arbitration_id, bytes(m.data)) for m in iter(lambda: tester.recv(0), None)] == [
        (5, b"a5"),
        (6, b"a6"),
    ]
    assert bus.exchange(20_000_000) == []
    assert a.inbox == []
    bus.close()
    bus.close()
    lines = (tmp_path / "can.log").read_text().splitlines()
    assert lines == [
        "(0000000000.010000) here 005#7435",
        "(0000000000.010000) here 005#6135",
        "(0000000000.010000) here 006#6136",
        "(0000000000.010000) here 00000005#7439",
    ]


def test_an_error_frame_is_counted_and_no_board_hears_it(tester: can.BusABC) -> None:
    bus = HardwareBus(open_can_link("engine", VIRTUAL), pace="lockstep")
    node = bus.attach("a", frozenset(range(0x800)))
    tester.send(can.Message(arbitration_id=0x88, is_error_frame=True, data=bytes(8), is_extended_id=False))
    assert bus.exchange(0) == []
    assert node.inbox == []
    assert bus.errors == {"protocol": 1, "bus error": 1}
    tester.send(can.Message(arbitration_id=0x40, is_error_frame=True, data=bytes(8), is_extended_id=False))
    with pytest.raises(RigError, match=r"^can\.engine: virtual here: went bus-off"):
        bus.exchange(1)
    bus.close()


# ---- which interface: the rig's file, or python-can's configuration


def write_rig(folder: Path, can_engine: str) -> Path:
    text = (SHIPPED / "in_process.toml").read_text()
    old = text[text.index("interface = ") : text.index("bitrate = ")]
    path = folder / "rig.toml"
    path.write_text(text.replace(old, can_engine + "\n").replace("bitrate = 1_000_000\n", ""))
    (folder / "bus.dbc").write_bytes((SHIPPED / "bus.dbc").read_bytes())
    return path


BY_PYTHON_CAN = 'interface = "python-can"'


def link_of(path: Path) -> LinkSettings:
    return load_rig(path).can["engine"].link


def test_python_cans_environment_chooses(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write_rig(tmp_path, BY_PYTHON_CAN)
    monkeypatch.setenv("CAN_INTERFACE", "virtual")
    monkeypatch.setenv("CAN_CHANNEL", "7")
    monkeypatch.setenv("CAN_BITRATE", "500000")
    assert link_of(path) == LinkSettings("virtual", "7", 500_000, {}, by_python_can=True)
    assert not load_rig(path).live
    monkeypatch.setenv("CAN_INTERFACE_engine", "socketcan")
    assert link_of(path).interface == "socketcan", "what is set for this bus comes first"
    assert load_rig(path).live, "what python-can chooses counts, not what the file says"


def test_python_cans_file_chooses_and_the_rigs_own_keys_stand(tmp_path: Path) -> None:
    (tmp_path / ".canrc").write_text(
        "[default]\ninterface = kvaser\nchannel = 3\nbitrate = 250000\n[engine]\ninterface = virtual\n"
    )
    assert link_of(write_rig(tmp_path, BY_PYTHON_CAN)) == LinkSettings(
        "virtual", "3", 250_000, {}, by_python_can=True
    )
    named = write_rig(tmp_path, BY_PYTHON_CAN + '\nchannel = "mine"\nbitrate = 125_000')
    assert link_of(named) == LinkSettings("virtual", "mine", 125_000, {}, by_python_can=True)


def test_a_rig_that_names_its_interface_is_not_touched_by_the_configuration(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, tester: can.BusABC
) -> None:
    monkeypatch.setenv("CAN_INTERFACE", "kvaser")
    monkeypatch.setenv("CAN_CONFIG", '{"channel": "elsewhere", "nonsense": 1, "receive_own_messages": true}')
    path = write_rig(tmp_path, 'interface = "virtual"\nchannel = "here"')
    assert link_of(path) == VIRTUAL
    link = open_can_link("engine", link_of(path))
    assert link.send(make_frame(1, b"x"))
    assert link.drain() == [], "receive_own_messages of the configuration does not count"
    assert tester.recv(1.0) is not None
    link.close()


@pytest.mark.parametrize(
    ("environment", "told"),
    [
        ({}, "it names no interface"),
        ({"CAN_INTERFACE": "virtual"}, "it names no channel"),
        ({"CAN_INTERFACE": "nonsense", "CAN_CHANNEL": "1"}, 'Unknown interface type "nonsense"'),
        ({"CAN_CONFIG": "{broken"}, "Expecting property name"),
        ({"CAN_CONFIG": "[1]"}, "'list' object has no attribute"),
    ],
)
def test_a_configuration_that_does_not_do_is_a_bad_file(
    environment: dict[str, str], told: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for key, value in environment.items():
        monkeypatch.setenv(key, value)
    with pytest.raises(FileError, match=rf"key 'can\.engine\.interface' = 'python-can' .*: {told}") as caught:
        load_rig(write_rig(tmp_path, BY_PYTHON_CAN))
    assert str(caught.value).endswith(
        "(set CAN_INTERFACE and CAN_CHANNEL, or write both under [engine] or [default] into ~/.canrc)"
    )
    assert "\n" not in str(caught.value)


def test_a_bad_value_of_the_configuration_is_named_by_its_key(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CAN_INTERFACE", "virtual")
    monkeypatch.setenv("CAN_CHANNEL", "1")
    monkeypatch.setenv("CAN_BITRATE", "7")
    with pytest.raises(FileError, match=r"key 'can\.engine\.bitrate' = 7: .*allowed: 10000 to 1e\+06 bit/s"):
        load_rig(write_rig(tmp_path, BY_PYTHON_CAN))


def test_options_go_to_the_interface_word_for_word(tmp_path: Path) -> None:
    path = write_rig(
        tmp_path, 'interface = "virtual"\nchannel = "here"\noptions = { receive_own_messages = true }'
    )
    link = open_can_link("engine", link_of(path))
    link.send(make_frame(1, b"x"))
    assert [frame for _, frame in link.drain()] == [make_frame(1, b"x")]
    link.close()


@pytest.mark.parametrize(
    ("lines", "told"),
    [
        ('interface = "virtual"\nchannel = "x"\noptions = { bitrate = 5 }', "bitrate stands beside options"),
        ('channel = "x"\noptions = { fd = true }', "the virtual bus has none"),
        ('interface = "virtual"\nchannel = "x"\noptions = { a = [1] }', r"options"),
    ],
)
def test_options_that_cannot_be_are_told(lines: str, told: str, tmp_path: Path) -> None:
    with pytest.raises(FileError, match=told):
        load_rig(write_rig(tmp_path, lines))


@pytest.mark.parametrize(
    "settings",
    [
        LinkSettings("nonsense", "x", 1_000_000),
        LinkSettings("socketcan", "no_such_device", 1_000_000),
        LinkSettings("slcan", "/dev/no-such-port", 1_000_000),
        LinkSettings("kvaser", "0", 1_000_000),
    ],
    ids=lambda settings: settings.interface,
)
def test_an_interface_that_does_not_open_is_named(settings: LinkSettings) -> None:
    named = rf"^can\.engine: {settings.interface} {settings.channel}: does not open: "
    with pytest.raises(RigError, match=named) as caught:
        open_can_link("engine", settings)
    assert "\n" not in str(caught.value)


def test_a_rig_flies_on_what_python_can_chooses(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "case.toml").write_text(TOO_SHORT)
    monkeypatch.setenv("CAN_INTERFACE", "virtual")
    monkeypatch.setenv("CAN_CHANNEL", "somewhere")
    command = ["run", str(write_rig(tmp_path, BY_PYTHON_CAN)), "--case", str(tmp_path / "case.toml")]
    with can.Bus(interface="virtual", channel="somewhere") as peer:
        assert main([*command, "--json", "--out", str(tmp_path / "out")]) == 1
        assert peer.recv(0) is not None, "the flight was on that bus"
    told: dict[str, Any] = json.loads((tmp_path / "out" / "run.json").read_text())
    assert told["can"] == {"engine": {"interface": "virtual", "channel": "somewhere", "bitrate": 1_000_000}}


def test_real_and_virtual_wires_give_the_same_records() -> None:
    rig: Rig = make_rig("in_process", can={"engine": {"interface": "virtual", "channel": "same"}})
    with Stations("in_process", rig=rig) as real, Stations("in_process") as virtual:
        real.turn(30)
        virtual.turn(30)
        assert [f.tobytes() for f in real.history] == [f.tobytes() for f in virtual.history]
