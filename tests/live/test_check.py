"""`hil check` on boards that are really outside: what it finds, and that nothing obeys what it sends."""

from __future__ import annotations

import dataclasses
import os
import re
import shutil
import signal
from pathlib import Path

import can
import pytest

from hil.boards import executables, stations
from hil.kernel import reference_kernel
from hil.kernel.places import source_root
from tests.live.world import OBEYED, World, check

pytestmark = pytest.mark.xdist_group("wall")


def test_it_tells_everything_and_sends_nothing_that_moves(tmp_path: Path) -> None:
    with World(tmp_path / "lab") as world:
        world.turn(5)
        world.stations.wires.mute("flight_computer")  # what an actuator obeys now came from the bench
        world.turn(5)
        already = len((tmp_path / "lab" / "can.log").read_text().splitlines())
        status, out, err = check(world, tmp_path)
        sent = (tmp_path / "lab" / "can.log").read_text().splitlines()[already:]
    assert status == 3, "its flight computer is mute"
    assert "board flight_computer: does not answer" in err
    ids = {int(line.split()[2].split("#")[0], 16) for line in sent}
    assert 0x700 in ids, "it has asked"
    assert not ids & OBEYED
    assert "rig lab: live" in out


def test_boards_that_are_what_the_rig_means(tmp_path: Path) -> None:
    with World(tmp_path / "lab") as world:
        world.turn(10)
        status, out, err = check(world, tmp_path)
    assert status == 0, err
    for name, role in (("flight_computer", "flight_computer"), ("engine_2", "engine_valve")):
        assert re.search(
            rf"{name}: real, answers: {role}, version \d+, build [0-9a-f]{{6}}, table [0-9a-f]{{4}}; "
            r"round trip \d+\.\d ms, jitter \d+\.\d ms",
            out,
        )
    assert re.search(r"can.engine: \d+ frames heard, every counter and checksum good", out)
    assert "clock: scheduling" in out


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGSTOP])
def test_a_dead_or_frozen_board(number: signal.Signals, tmp_path: Path) -> None:
    with World(tmp_path / "lab") as world:
        world.turn(5)
        victim = world.stations.board("engine_2")
        world.stations.crew.boards.remove(victim)
        os.kill(victim.pid, number)
        status, _, err = check(world, tmp_path)
        if number == signal.SIGSTOP:
            os.kill(victim.pid, signal.SIGCONT)
    assert status == 3
    assert err.startswith("hil: board engine_2: does not answer: is it powered")
    assert err.count("\n") == 1


def test_two_boards_with_one_number(tmp_path: Path) -> None:
    with World(tmp_path / "lab") as world:
        world.add_board(3)
        status, _, err = check(world, tmp_path)
    assert status == 3
    assert err.startswith("hil: board engine_3: answers twice: two boards have node number 3")


def test_a_board_that_is_out_of_date(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    old = tuple(f"FIRMWARE_BUILD_{role}=0x123456" for role in ("ENGINE_VALVE", "FLIGHT_COMPUTER"))
    monkeypatch.setattr(executables, "build_defines", lambda *_: old)
    with World(tmp_path / "lab") as world:
        status, _, err = check(world, tmp_path)
        assert status == 3
        assert re.match(r"hil: board flight_computer: out of date: .* 123456, not [0-9a-f]{6}", err)


def test_a_flight_computer_with_an_older_kernel(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The board was built before somebody changed a line of the kernel's sources."""
    kernel = reference_kernel()
    older = tmp_path / "older"
    shutil.copytree(source_root() / "csrc", older)
    with (older / "fk.c").open("a") as changed:
        changed.write("/* as it was */\n")
    sources = tuple(older / path.name for path in kernel.sources)
    monkeypatch.setattr(
        stations, "rig_kernel", lambda _: dataclasses.replace(kernel, sources=sources, includes=(older,))
    )
    with World(tmp_path / "lab") as world:
        status, _, err = check(world, tmp_path)
    assert status == 3
    assert err.startswith("hil: board flight_computer: out of date: its firmware was built from ")


def test_counters_that_do_not_count(tmp_path: Path) -> None:
    with World(tmp_path / "lab") as world, can.Bus(interface="hil", channel=world.channel) as guest:
        world.turn(5)
        inner = world.turn

        def echo(frames: int = 1) -> None:
            for _ in range(frames):
                inner()
                heard = guest.recv(0)
                while heard is not None:
                    if heard.arbitration_id == 0x102:
                        guest.send(heard)  # the status of engine 2 once more, as it was
                    heard = guest.recv(0)

        world.turn = echo  # type: ignore[method-assign]
        status, _, err = check(world, tmp_path)
    assert status == 3
    assert "frames are damaged or lost: " in err
    assert re.search(r"\d+ (repeated|jumped)", err), "an echo that comes late is a jump backwards"
