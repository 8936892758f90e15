"""Wires of a live bench that go bad: what happens, the exit status, that every valve closes, nothing lost."""

from __future__ import annotations

import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from hil.boards._firmware import lib
from hil.wire.bus import VirtualBus
from hil.wire.canframe import make_frame
from hil.wire.controller import Controller, Disturbance
from hil.wire.message_faults import MessageFault, Renumber
from tests.live.test_dead_man import SAFE, SLACK_S, WINDOW_S
from tests.live.test_faults import CLOSED, ends_safe, nothing_lost
from tests.live.world import ARMED, World, bench, check, end_of

pytestmark = pytest.mark.xdist_group("wall")

ENABLE_ID, COMMAND_2_ID = 0x010, 0x042
BENCH = "guest"
"""How the bench is called on the laboratory's bus."""


def bus_of(world: World) -> VirtualBus:
    bus: VirtualBus = world.stations.wires.bus  # type: ignore[attr-defined]
    return bus


def controller(world: World, name: str) -> Controller:
    medium = bus_of(world).medium
    assert medium is not None
    return next(c for c in medium.controllers if c.name == name)


def go_off(world: World, name: str) -> None:
    """Let a node hear and send nothing but errors until it is bus-off, for good."""
    medium = bus_of(world).medium
    assert medium is not None
    medium.configure(controller(world, name), recovers=False)
    medium.disturb(controller(world, name), Disturbance(bit_error_rate=1.0))


def wrong_rate(world: World, name: str) -> None:
    """Give a node another bit rate; once bus-off it stays so (coming back disturbs everybody anew)."""
    medium = bus_of(world).medium
    assert medium is not None
    medium.configure(controller(world, name), recovers=False)
    medium.disturb(controller(world, name), Disturbance(bitrate=500_000))


def standing_still(can_id: int) -> MessageFault:
    """Return the fault of a message whose counter stands still from now on."""
    return Renumber(can_id, lambda: 0.0, step=0)


def dead_man_held(world: World, since_s: float) -> None:
    """See that every board shut down by itself within its window after the last enable frame it heard."""
    for engine in (1, 2, 3):
        said = [line for line in world.log(engine).splitlines() if "SHUTDOWN cause enable" in line]
        assert world.board_time_s(engine, said[0]) - since_s <= WINDOW_S + SLACK_S


@pytest.mark.parametrize("fault", [go_off, wrong_rate])
def test_a_node_that_goes_bus_off_or_has_a_wrong_bit_rate(
    fault: Callable[[World, str], None], tmp_path: Path
) -> None:
    with World(tmp_path / "lab") as world, bench(world, tmp_path, *ARMED, "--arm-igniter") as hil:
        world.light(hil)
        fault(world, "engine_2")
        ends_safe(world, hil, status=3, cause="board engine_2: silent on the bus for 100 ms", others=(0, 2))
        assert controller(world, "engine_2").times_off > 0
        assert world.modes[-1] == 0, "the others were told to stop"
        assert world.valves <= CLOSED, "the one that nobody hears has closed by its own watchdog"
        nothing_lost(tmp_path)


def test_a_node_that_babbles_takes_the_bus_and_every_board_goes_safe_by_itself(tmp_path: Path) -> None:
    with World(tmp_path / "lab") as world, bench(world, tmp_path, *ARMED, "--arm-igniter") as hil:
        world.light(hil)
        bus_of(world).disturb("engine_2", Disturbance(babbles=make_frame(0, bytes(8))))
        last_enable_s = world.enables_s[-1]
        status, err = end_of(hil, world)
        assert status == 3, err
        assert "silent on the bus for 100 ms" in err
        dead_man_held(world, last_enable_s)
        assert world.valves <= CLOSED
        nothing_lost(tmp_path)
        bus_of(world).disturb("engine_2", Disturbance())
        world.turn(50)
        assert world.states == [SAFE] * 3, "once the bus is free again, they say so"


def cut_off(world: World, name: str) -> None:
    bus_of(world).disturb(name, Disturbance(cut=True))


@pytest.mark.parametrize(
    ("fault", "cause", "state"),
    [(wrong_rate, "went bus-off", "bus off"), (cut_off, "silent on the bus for 100 ms", "error passive")],
)
def test_the_benchs_own_plug(
    fault: Callable[[World, str], None], cause: str, state: str, tmp_path: Path
) -> None:
    """At a wrong bit rate it goes bus-off; pulled out, it gets no acknowledgement and hears nothing."""
    with World(tmp_path / "lab") as world, bench(world, tmp_path, *ARMED, "--arm-igniter") as hil:
        world.light(hil)
        fault(world, BENCH)
        seen = controller(world, BENCH)
        last_enable_s = world.enables_s[-1]
        ends_safe(world, hil, status=3, cause=cause)
        dead_man_held(world, last_enable_s)
        assert seen.times_off > 0 if state == "bus off" else seen.state == state
        nothing_lost(tmp_path)


@pytest.mark.parametrize(
    ("can_id", "cause"),
    [
        (COMMAND_2_ID, "board engine_2: heard no valid command and has shut down"),
        (ENABLE_ID, "has lost the bench's enable frame and has shut down"),
    ],
)
def test_counters_that_are_corrupted_in_flight(can_id: int, cause: str, tmp_path: Path) -> None:
    with World(tmp_path / "lab") as world, bench(world, tmp_path, *ARMED, "--arm-igniter") as hil:
        world.light(hil)
        bus_of(world).begin_fault(standing_still(can_id))
        ends_safe(world, hil, status=3, cause=cause)
        assert world.modes[-1] == 0 or can_id == ENABLE_ID, "the leave was withdrawn"
        rejected = world.stations.wires.counters()["engine_2"]
        assert rejected["repeated"] > 0
        nothing_lost(tmp_path)


def test_what_a_flight_bears(tmp_path: Path) -> None:
    """Ringing that costs a frame now and then, a babbler that lets others go first, counters that skip."""
    with World(tmp_path / "lab") as world, bench(world, tmp_path, *ARMED, "--arm-igniter") as hil:
        world.light(hil)
        bus = bus_of(world)
        errors = _errors(bus)
        bus.disturb("engine_2", Disturbance(bit_error_rate=2e-4))
        world.turn(100)
        assert _errors(bus) > errors, "frames were destroyed, and sent again"
        bus.disturb("engine_2", Disturbance(babbles=make_frame(0x7FF, bytes(8))))
        world.turn(50)
        bus.disturb("engine_2", Disturbance())
        bus.begin_fault(Renumber(ENABLE_ID, lambda: 0.0, step=2))
        world.turn(50)
        assert hil.poll() is None
        assert (world.states, world.faults) == ([3, 3, 3], [0, 0, 0])
        assert world.stations.wires.counters()["engine_2"]["jumped"] > 0, "noticed, and told"
        hil.send_signal(signal.SIGTERM)
        ends_safe(world, hil, status=130, cause="interrupted (SIGTERM)")
        nothing_lost(tmp_path)


def _errors(bus: VirtualBus) -> int:
    figures: dict[str, Any] | None = bus.figures()
    assert figures is not None
    return int(figures["errors"])


# ---- numbers of nodes


def test_a_second_board_of_one_number_that_joins_in_flight(tmp_path: Path) -> None:
    with World(tmp_path / "lab") as world, bench(world, tmp_path, *ARMED, "--arm-igniter") as hil:
        world.light(hil)
        world.add_board(3)
        ends_safe(world, hil, status=3, cause="board engine_3: ")
        assert world.valves <= CLOSED
        nothing_lost(tmp_path)


def test_check_tells_a_board_at_a_wrong_bit_rate(tmp_path: Path) -> None:
    with World(tmp_path / "lab") as world:
        wrong_rate(world, "engine_2")
        world.turn(10)
        status, _, err = check(world, tmp_path)
    assert status == 3
    assert err.startswith("hil: board engine_2: does not answer: ")
    assert "is the bit rate of its bus 1000000" in err


def test_check_tells_a_board_that_has_the_number_of_another_engine(tmp_path: Path) -> None:
    with World(tmp_path / "lab", in_process=("engine_2",)) as world:
        config = world.config_of(7)
        lib.in_process_valve_init(world.stations.board("engine_2")._state, config, len(config))
        status, _, err = check(world, tmp_path)
    assert status == 3
    assert err.startswith("hil: board engine_2: does not answer: ")
    assert "is its node number 2" in err


def test_boards_on_each_others_valves_look_right(tmp_path: Path) -> None:
    """What the bus cannot show: each board answers properly. docs/BENCH.md demands a trial by hand."""
    with World(tmp_path / "lab", in_process=("engine_2", "engine_3")) as world:
        two, three = world.stations.board("engine_2"), world.stations.board("engine_3")
        two._seam, three._seam = three._seam, two._seam
        status, _, err = check(world, tmp_path)
    assert status == 0, err
