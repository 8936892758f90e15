"""Building flights from files, and what is left when that fails."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from hil.faults.case import SHIPPED
from hil.files import FileError
from hil.rig import build
from hil.rig.model import load_rig
from hil.rig.plan import load_plan
from hil.signals import RigError

RIGS = ("kernel", "in_process", "virtual")


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
        ('port = "pty"', 'port = "/dev/ttyUSB0"'),
        ('port = "pty"', 'port = "socket://10.0.0.1:4001"'),
        ('backend = "process"', 'backend = "hardware"'),
    ],
)
def test_a_rig_that_can_reach_hardware_is_live(old: str, new: str, tmp_path: Path) -> None:
    text = (SHIPPED / "virtual.toml").read_text()
    assert old in text
    (tmp_path / "rig.toml").write_text(text.replace(old, new, 1))
    (tmp_path / "bus.dbc").write_text("")
    assert load_rig(tmp_path / "rig.toml").live


@pytest.mark.parametrize(
    ("old", "new"),
    [('interface = "hil"\nchannel = "engine"', 'interface = "socketcan"\nchannel = "vcan0"')]
    + [('port = "pty"', f'port = "{port}"') for port in ("socket://127.0.0.1:4001", "loop://")],
)
def test_virtual_buses_and_loopback_are_not_live(old: str, new: str, tmp_path: Path) -> None:
    text = (SHIPPED / "virtual.toml").read_text().replace("                      # the virtual bus", " # the")
    text = "\n".join(line.split("#")[0].rstrip() for line in text.splitlines())
    assert old in text
    (tmp_path / "rig.toml").write_text(text.replace(old, new, 1))
    (tmp_path / "bus.dbc").write_text("")
    assert not load_rig(tmp_path / "rig.toml").live


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
