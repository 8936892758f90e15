"""What can reach hardware, asked of a real kernel: its own data decide, never a device's name."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from hil.cli import main
from hil.faults.case import SHIPPED
from hil.rig.model import load_rig
from hil.rig.reach import can_reaches_out, link_kind
from tests.vcan import ON_VCAN, ip

pytestmark = ON_VCAN


@contextmanager
def device(name: str, *kind: str) -> Iterator[str]:
    """Add a network device."""
    ip("add", "dev", name, "type", *kind)
    try:
        yield name
    finally:
        ip("del", name)


def test_a_vcan_is_virtual_under_any_name() -> None:
    with device("can7", "vcan") as name:
        assert link_kind(name) == "vcan"
        assert not can_reaches_out("socketcan", name)
    assert can_reaches_out("socketcan", "can7"), "what is not there cannot be proven virtual"


def test_other_devices_are_live_whatever_they_are_called() -> None:
    with device("vcan8", "vxcan", "peer", "name", "vcan9") as name:
        assert link_kind(name) == "vxcan"
        assert can_reaches_out("socketcan", name)
    with device("vcan8", "dummy") as name:
        assert can_reaches_out("socketcan", name)


def test_the_shipped_rig_is_not_live_where_vcan0_is_a_vcan(capsys: pytest.CaptureFixture[str]) -> None:
    assert not load_rig(SHIPPED / "socketcan.toml").live
    assert main(["check", str(SHIPPED / "socketcan.toml")]) == 0
    out = capsys.readouterr().out
    assert out.startswith("rig socketcan\n")
    assert "  can.engine: socketcan vcan0: opens\n" in out


@pytest.mark.parametrize("command", ["check", "run"])
def test_an_interface_that_is_down_or_missing_is_3_and_named(
    command: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    text = (SHIPPED / "socketcan.toml").read_text()
    (tmp_path / "bus.dbc").write_bytes((SHIPPED / "bus.dbc").read_bytes())
    (tmp_path / "down.toml").write_text(text.replace('"vcan0"', '"vcan7"'))
    with device("vcan7", "vcan"):
        assert main([command, str(tmp_path / "down.toml")]) == 3
    assert capsys.readouterr().err == (
        "hil: can.engine: socketcan vcan7: does not open: Network is down (ip link set vcan7 up)\n"
    )
    assert main([command, str(tmp_path / "down.toml")]) == 3
    err = capsys.readouterr().err
    if command == "run":  # an interface that is not there cannot be told from hardware
        assert err.startswith("hil: rig socketcan is live and not armed: nothing moves;")
    else:
        assert err == (
            "hil: can.engine: socketcan vcan7: does not open: No such device "
            "(ip -brief link tells what there is)\n"
        )
