"""The virtual bus with its wires: what is late is counted, what is wrong is told, on every rung alike."""

from __future__ import annotations

import json
import socket
import time
from pathlib import Path

import pytest

from hil.files import FileError
from hil.rig.build import build_flight
from hil.rig.check import open_everything
from hil.rig.model import load_rig
from hil.rig.plan import load_plan
from hil.rig.run import run_flight
from hil.signals import RigError
from hil.tape import read_tape
from hil.wire.bus import VirtualBus
from hil.wire.canframe import FRAME_BYTES, frame_id, make_fd_frame, make_frame
from hil.wire.controller import Disturbance
from hil.wire.medium import TX_QUEUE, Medium
from tests.seams.rigging import RIGS, Stations, make_rig

FRAME_NS = 10_000_000


def bus_of(bitrate: int = 1_000_000, data_bitrate: int | None = None) -> VirtualBus:
    return VirtualBus("t", medium=Medium(bitrate, data_bitrate), frame_ns=FRAME_NS)


def test_what_does_not_fit_into_a_frame_is_delivered_later_and_counted() -> None:
    """At 20 kbit/s a frame of 8 bytes takes 5.55 to 6.75 ms: one of three gets through in 10 ms."""
    bus = bus_of(20_000)
    a, _ = bus.attach("a"), bus.attach("b")
    book = bus.book()
    assert book is not None
    a.outbox = [make_frame(i, bytes(8)) for i in (3, 1, 2)]
    heard = [[frame_id(frame) for frame in bus.exchange(k * FRAME_NS)] for k in range(3)]
    assert heard == [[1], [2, 3], []]
    assert book.sums()["late"] == 1, "the third waited one frame; the second had begun"
    assert 0.9 < book.sums()["load_mean"] * 3 / 2 < 1.0
    assert book.sums()["load_peak"] == 1.0


def test_a_bus_that_is_too_full_loses_what_no_queue_takes() -> None:
    bus = bus_of(10_000)
    a = bus.attach("a")
    bus.attach("b")
    for k in range(20):
        a.outbox = [make_frame(i, bytes(8)) for i in range(20)]
        bus.exchange(k * FRAME_NS)
    book = bus.book()
    assert book is not None
    sums = book.sums()
    assert sums["lost"] == a.controller.lost > 0  # type: ignore[union-attr]
    assert sums["frames"] + sums["lost"] + TX_QUEUE >= 20 * 20 - 1


def test_a_real_bus_is_nobodys_to_disturb() -> None:
    with pytest.raises(RigError, match="is a real bus"):
        VirtualBus("can0").disturb("bench", Disturbance())


def test_fd_frames_pass_by_boards_that_do_not_know_them() -> None:
    bus = bus_of(500_000, 2_000_000)
    a, b, c = bus.attach("a"), bus.attach("b"), bus.attach("c")
    a.fd = c.fd = True
    frame = make_fd_frame(0x41, bytes(64))
    a.outbox = [frame]
    assert bus.exchange(0) == [], "the bench's table has no FD frames"
    assert (b.inbox, c.inbox) == ([], [frame])


def test_a_board_without_power_acknowledges_nothing() -> None:
    bus = bus_of()
    a, b = bus.attach("a"), bus.attach("b")
    assert bus.medium is not None
    assert bus.bench is not None
    bus.medium.configure(bus.bench, listen_only=True)
    b.deaf = True
    a.outbox = [make_frame(1, b"")]
    bus.exchange(0)
    assert a.controller is not None
    assert a.controller.state == "error passive"
    b.deaf = False
    bus.exchange(FRAME_NS)
    bus.exchange(2 * FRAME_NS)
    assert b.inbox == []
    assert a.controller.sent == 1


def test_on_the_wall_clock_frames_arrive_when_they_have_ended() -> None:
    """At 10 kbit/s a frame of 8 bytes takes at least 11 ms, and the next one another 11 ms."""
    bus = bus_of(10_000)
    near, far = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    node = bus.attach("a")
    node.socket = near
    bus.go_live(node)
    other = bus.attach("b")
    bus.exchange(0)
    begin = time.monotonic()
    far.send(make_frame(5, bytes(8)))
    far.send(make_frame(6, bytes(8)))
    arrived: list[float] = []
    while len(arrived) < 2 and time.monotonic() < begin + 10.0:
        bus.pump(0.005)
        while len(arrived) < len(other.inbox):
            arrived.append(time.monotonic() - begin)
    assert [frame_id(frame) for frame in other.inbox] == [5, 6]
    assert arrived[0] >= 0.0111
    assert arrived[1] >= 0.0222
    assert [frame_id(frame) for frame in bus.exchange(FRAME_NS)] == [5, 6]
    far.close()
    bus.pump(0.01)
    assert bus.dead == {"a"}
    near.close()
    bus.close()


@pytest.mark.parametrize("bitrate", [1_000_000, 150_000])
def test_boards_in_process_and_as_processes_see_the_same_on_a_full_bus(bitrate: int) -> None:
    """At 150 kbit/s the 16 frames of a minor frame do not fit into it."""
    can = {"engine": {"channel": "test", "bitrate": bitrate}}
    seen = []
    for rung in ("in_process", "process"):
        with Stations(rung, rig=make_rig(rung, can=can)) as stations:
            stations.wires.bus_sheet()
            stations.turn(40)
            figures = stations.wires.bus_figures()
            assert figures is not None
            seen.append(([frame.tobytes() for frame in stations.history], figures))
    assert seen[0] == seen[1]
    assert (seen[0][1]["late"] > 0) == (bitrate == 150_000)


def test_a_flight_has_its_bus_on_the_tape_and_in_run_json(tmp_path: Path) -> None:
    case = (RIGS / "cases" / "nominal.toml").read_text()
    (tmp_path / "short.toml").write_text("time_limit_s = 1.0\n" + case)
    plan = load_plan(RIGS / "in_process.toml", str(tmp_path / "short.toml"))
    out = tmp_path / "out"
    out.mkdir()
    run = run_flight(plan, seed=0, pace="lockstep", run_dir=out)
    told = json.loads((out / "run.json").read_text())
    assert set(told["bus"]["nodes"]) == {"bench", *plan.rig.board}
    assert run.result["timing"]["bus"]["frames"] == told["bus"]["frames"] > 0
    assert "nodes" not in run.result["timing"]["bus"]
    tape = read_tape(out / "tape.mcap")
    assert tape.info["bus_nodes"] == ["bench", *plan.rig.board]
    assert len(tape.bus) == len(tape.frames)
    assert tape.bus["t_ns"].tolist() == tape.frames["t_ns"].tolist()
    assert tape.bus["frames"].sum() == told["bus"]["frames"]
    assert tape.bus["load"].mean() == pytest.approx(told["bus"]["load_mean"])
    assert tape.bus["load"].max() == told["bus"]["load_peak"]
    assert not tape.bus["tec"].any()


def test_error_counters_are_on_the_tape_frame_by_frame(tmp_path: Path) -> None:
    plan = load_plan(RIGS / "in_process.toml", "nominal")
    built = build_flight(plan, seed=0, pace="lockstep", run_dir=tmp_path)
    sheet = built.flight.wires.bus_sheet()
    assert sheet is not None
    bus: VirtualBus = built.flight.wires.bus  # type: ignore[attr-defined]
    ringing = next(node for node in bus.nodes if node.name == "engine_2").controller
    assert ringing is not None
    bus.disturb("engine_2", Disturbance(bit_error_rate=1e-3))
    for k in range(50):
        built.flight.crew.start_frame(k * FRAME_NS)
        built.flight.crew.finish_frame()
        built.flight.wires.exchange(k * FRAME_NS)
        built.flight.tape.write(k * FRAME_NS)
    built.close()
    tape = read_tape(tmp_path / "tape.mcap")
    column = tape.info["bus_nodes"].index("engine_2")
    assert tape.bus["rec"][:, column].max() > 0
    assert tape.bus["errors"][-1] > 0
    assert (tape.bus["rec"][-1, column], tape.bus["tec"][-1, column]) == (ringing.rec, ringing.tec)


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("data_bitrate = 9_000_000", r"'can\.engine\.data_bitrate'.*8000000.*bit/s"),
        ("data_bitrate = 500_000", r"data_bitrate = 500000 is below bitrate = 1000000"),
    ],
)
def test_a_data_bit_rate_out_of_range_is_one_line(line: str, told: str, tmp_path: Path) -> None:
    text = (
        (RIGS / "in_process.toml").read_text().replace("bitrate = 1_000_000", f"bitrate = 1_000_000\n{line}")
    )
    (tmp_path / "rig.toml").write_text(text)
    (tmp_path / "bus.dbc").write_text("")
    with pytest.raises(FileError, match=told) as caught:
        load_rig(tmp_path / "rig.toml")
    assert "\n" not in str(caught.value)


def test_check_tells_the_load_and_refuses_what_the_bus_cannot_carry(tmp_path: Path) -> None:
    lines = list(open_everything(load_rig(RIGS / "in_process.toml")))
    assert any("16 frames every 10 ms load it to at most 21.6 %" in line for line in lines)
    text = (RIGS / "in_process.toml").read_text().replace("bitrate = 1_000_000", "bitrate = 200_000")
    (tmp_path / "rig.toml").write_text(text)
    (tmp_path / "bus.dbc").write_bytes((RIGS / "bus.dbc").read_bytes())
    with pytest.raises(RigError, match=r"can\.engine: 16 frames every 10 ms load it to at most 108 %"):
        list(open_everything(load_rig(tmp_path / "rig.toml")))


def test_frames_of_a_node_are_the_bytes_that_it_sent() -> None:
    bus = bus_of()
    a, b = bus.attach("a"), bus.attach("b", frozenset({0x41}))
    sent = [make_frame(0x41, b"x"), make_frame(0x42, b"y")]
    a.outbox = list(sent)
    assert bus.exchange(0) == sent
    assert b.inbox == sent[:1], "its filter lets through what it accepts"
    assert len(b.inbox[0]) == FRAME_BYTES
