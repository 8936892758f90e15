"""What the boards reject, and that they count it: hostile bytes on the bus and on the serial link."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hil.boards.config import flight_computer_config
from hil.boards.in_process import FlightComputer
from hil.boards.outputs import FinSeam
from hil.kernel import reference_kernel
from hil.signals import Frame
from hil.wire.bus import Node
from hil.wire.canframe import make_frame, split_frame
from hil.wire.codec import checksum, encode_frame
from hil.wire.layout import load_database
from hil.wire.navigation import NavEncoder
from tests.boards.valve import ValveBench, command_frame
from tests.seams.rigging import FRAME_NS, RIGS, VEHICLE

DATABASE = load_database(RIGS / "bus.dbc")
FRAMES = st.lists(st.builds(make_frame, st.integers(0, 0xFFFFFFFF), st.binary(max_size=8)), max_size=20)


def patched(frame: bytes, at: int, value: int) -> bytes:
    can_id, data = split_frame(frame)
    changed = bytearray(data)
    changed[at] = value
    changed[7] = checksum(can_id, bytes(changed))
    return make_frame(can_id, bytes(changed))


COMMANDS = {
    "unknown_id": make_frame(0x041, bytes(8)),
    "length": make_frame(0x042, bytes(3)),
    "checksum": command_frame("START", 1)[:-1] + b"\x00",
    "repeated": command_frame("START", 0),
    "range": patched(command_frame("START", 1), 0, 0xFF),
}


@pytest.mark.parametrize("reason", COMMANDS)
def test_a_valve_board_ignores_and_counts(reason: str) -> None:
    bench = ValveBench()
    bench.step("ARM")
    bench.step_frames([])
    before = bench.board.counters()
    status = bench.step_frames([COMMANDS[reason]])
    after = bench.board.counters()
    assert status["state"] == "ARMED", "the START in it is not obeyed"
    assert after == before | {reason: before[reason] + 1}
    bench.counter = 2
    assert bench.step("START")["state"] == "START", "a good frame is"


def test_a_lost_command_is_counted_and_the_next_one_obeyed() -> None:
    bench = ValveBench()
    bench.step("ARM")
    bench.counter += 3
    assert bench.step("START")["state"] == "START"
    assert bench.board.counters()["jumped"] == 1


def test_the_rejects_stand_in_the_gimbal_frame() -> None:
    bench = ValveBench()
    for _ in range(300):
        bench.step_frames([COMMANDS["length"]])
    gimbal = DATABASE.get_message_by_name("ENGINE_2_GIMBAL")
    assert gimbal.decode(bench.node.outbox[1][8:16])["rejected"] == 300 & 0xFF


class Computer:
    """The flight computer alone: statuses as frames, navigation as bytes."""

    def __init__(self) -> None:
        self.frame = Frame(3)
        self.frame["nav"]["q_pad_from_body"][0] = 1.0
        self.frame["nav"]["valid"][()] = 1
        self.encoder = NavEncoder(self.frame, DATABASE)
        self.node = Node("flight_computer")
        self.bytes = b""
        config = flight_computer_config(
            VEHICLE, 0.01, initial_propellant_kg=9000.0, ignition_forced_at_s=None
        )
        self.board = FlightComputer(
            "fc", self.node, FinSeam(self.frame), reference_kernel(), config, lambda: self.bytes
        )
        self.number = 0

    def step(self, serial: bytes = b"", frames: list[bytes] | None = None) -> dict[str, int]:
        self.bytes = serial
        self.node.inbox = frames or []
        self.board.start_frame(self.number * FRAME_NS)
        self.number += 1
        return {name: n for name, n in self.board.counters().items() if n}


def good(computer: Computer) -> bytes:
    return computer.encoder.frame()


def repeated(computer: Computer) -> bytes:
    frame = computer.encoder.frame()
    return frame + frame


def damaged(computer: Computer) -> bytes:
    frame = bytearray(computer.encoder.frame())
    frame[20] ^= 0x01 if frame[20] not in (1,) else 0x02
    return bytes(frame)


LINKS: dict[str, tuple[Callable[[Computer], bytes], dict[str, int]]] = {
    "good": (good, {"accepted": 1}),
    "twice": (repeated, {"accepted": 1, "repeated": 1}),
    "short": (lambda c: b"\x03ab\x00", {"length": 1}),
    "no frame": (lambda c: b"\x09ab\x00", {"framing": 1}),
    "overlong": (lambda c: b"\x01" * 200 + b"\x00", {"framing": 1}),
    "nothing": (lambda c: b"\x00\x00\x00", {}),
    "damaged": (damaged, {"checksum": 1}),
}


@pytest.mark.parametrize("name", LINKS)
def test_the_navigation_link_counts_by_reason(name: str) -> None:
    computer = Computer()
    make, wanted = LINKS[name]
    assert computer.step(make(computer)) == wanted
    assert computer.step(b"\x00" + good(computer)).get("accepted", 0) == wanted.get("accepted", 0) + 1


def test_navigation_in_pieces_is_put_together() -> None:
    computer = Computer()
    frame = good(computer)
    assert computer.step(frame[:30]) == {}
    assert computer.step(frame[30:-1]) == {}
    assert computer.step(frame[-1:]) == {"accepted": 1}


def test_the_flight_computer_checks_statuses() -> None:
    computer = Computer()
    values = dict.fromkeys(("state", "fault", "ox_valve_pos", "fuel_valve_pos", "chamber_pa"), 0)
    message = DATABASE.get_message_by_name("ENGINE_2_STATUS")
    frame = encode_frame(message, values, 4)
    out_of_range = patched(encode_frame(message, values, 5), 0, 0x07)
    foreign = encode_frame(DATABASE.get_message_by_name("ENGINE_9_STATUS"), values, 0)
    seen = computer.step(frames=[frame, frame, frame[:-1] + b"\x00", out_of_range, foreign])
    wanted = {"accepted": 1, "repeated": 1, "checksum": 1, "range": 1, "unknown_id": 1}
    assert seen == wanted


@settings(max_examples=50, deadline=None)
@given(st.lists(st.tuples(st.binary(max_size=300), FRAMES), max_size=8))
def test_garbage_never_raises_and_never_opens_a_valve(noise: list[tuple[bytes, list[bytes]]]) -> None:
    computer, bench = Computer(), ValveBench()
    for serial, frames in noise:
        computer.step(serial, frames)
        bench.step_frames(frames)
        assert bench.ox == 0.0
        assert len(computer.node.outbox) == 9, "the flight computer goes on"
