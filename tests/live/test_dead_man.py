"""Boards go safe within 60 ms of the bench's end, although a real flight computer keeps commanding."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest

from tests.live.world import ARMED, World, bench, end_of

pytestmark = pytest.mark.xdist_group("wall")

SAFE, SHUTDOWN = 0, 4
WINDOW_S = 0.060
SLACK_S = 0.010
"""A frame: enable frames are timed when the laboratory has turned one."""


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGSTOP])
def test_dead_man(number: signal.Signals, tmp_path: Path) -> None:
    with World(tmp_path / "lab") as world, bench(world, tmp_path, *ARMED, "--arm-igniter") as hil:
        world.light(hil)
        os.kill(hil.pid, number)
        before = world.commands_heard()
        world.turn_until(lambda: world.states == [SHUTDOWN] * 3, 2.0)
        last_enable = world.enables_s[-1]
        for engine in (1, 2, 3):
            said = [line for line in world.log(engine).splitlines() if "SHUTDOWN cause enable" in line]
            assert world.board_time_s(engine, said[0]) - last_enable <= WINDOW_S + SLACK_S
        world.turn_until(lambda: world.states == [SAFE] * 3, 5.0)
        world.turn(100)
        assert world.commands_heard() - before > 100, "the flight computer never stopped commanding"
        assert world.valves <= 0.01
        if number == signal.SIGSTOP:
            os.kill(hil.pid, signal.SIGCONT)
            status, err = end_of(hil, world)
            assert status == 3, err
            assert "enable frame" in err
            assert world.valves <= 0.01
