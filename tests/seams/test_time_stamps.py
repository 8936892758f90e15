"""One contract for the time stamps of every bus: offset and drift, and how well they are known."""

from __future__ import annotations

import socket
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import can
import pytest

from hil.boards.can_bits import measure_frames
from hil.signals import clocks
from hil.wire.bus import VirtualBus
from hil.wire.can_hardware import HardwareBus
from hil.wire.can_link import CanLink
from hil.wire.canframe import make_frame
from hil.wire.medium import Medium
from tests.vcan import on_vcan

BLOCK_S = 0.1
"""In place of a second, so that a test takes less than one."""
FRAMES = 60
PERIOD_S = 0.01


@dataclass
class Wire:
    """A bus with the bench on it and somebody else, and the truth about its stamps."""

    link: CanLink
    speak: Callable[[bytes], object]
    """The other end sends a frame."""
    live_on: Callable[[int], object]
    """Let the bus live through the frame with this number."""
    apart_s: Callable[[HardwareBus], float]
    """The bench's time less that of the stamps."""


def _apart_from_calendar(bench: HardwareBus) -> float:
    epoch_ns: Any = bench._clock._monotonic_ns
    return time.monotonic() - 1e-9 * epoch_ns - time.time()


@contextmanager
def guest_of_a_virtual_bus(echoes: bool) -> Iterator[Wire]:
    near, far = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    lab = VirtualBus("stamps", medium=Medium(500_000, measure=measure_frames))
    lab.attach("board").socket = near
    lab.go_live(lab.nodes[0])
    end = can.Bus(interface="hil", channel=str(lab.listen()), receive_own_messages=echoes)

    def live_on(number: int) -> None:
        lab.pump(0.001)
        lab.exchange(round(number * PERIOD_S * 1e9))

    def apart_s(bench: HardwareBus) -> float:
        theirs: Any = lab._epoch_ns
        ours: Any = bench._clock._monotonic_ns
        return 1e-9 * (theirs - ours)

    live_on(0)
    try:
        yield Wire(CanLink(end, "engine", "hil", "stamps", echoes=echoes), far.send, live_on, apart_s)
    finally:
        end.shutdown()
        lab.close()
        near.close()
        far.close()


@contextmanager
def _calendar(interface: str, channel: str, echoes: bool) -> Iterator[Wire]:
    end = can.Bus(interface=interface, channel=channel, receive_own_messages=echoes)
    other = can.Bus(interface=interface, channel=channel)

    def speak(frame: bytes) -> None:
        other.send(can.Message(arbitration_id=frame[0], data=frame[8:16], is_extended_id=False))

    try:
        yield Wire(
            CanLink(end, "engine", interface, channel, echoes=echoes),
            speak,
            lambda _: None,
            _apart_from_calendar,
        )
    finally:
        end.shutdown()
        other.shutdown()


def virtual(echoes: bool) -> Any:
    return _calendar("virtual", f"stamps {echoes}", echoes)


def vcan(echoes: bool) -> Any:
    return _calendar("socketcan", "vcan0", echoes)


BUSES = pytest.mark.parametrize("bus", [guest_of_a_virtual_bus, virtual, on_vcan(vcan)])


def _compared(wire: Wire, *, own: bool) -> tuple[HardwareBus, float]:
    """Fly a bench on the wall clock; return its bus and the least delay of readings in the worst block."""
    bench = HardwareBus(wire.link, pace="wall")
    board = bench.attach("board", frozenset())
    start, delays = time.monotonic(), [[0.0]]
    for number in range(1, FRAMES):
        time.sleep(max(0.0, start + number * PERIOD_S - time.monotonic()))
        if own:
            board.outbox = [make_frame(0x30, number.to_bytes(8, "big"))]
        sent_s = time.monotonic()
        wire.speak(make_frame(0x20, number.to_bytes(8, "big")))
        wire.live_on(number)
        wire.live_on(number)
        bench.exchange(round(number * PERIOD_S * 1e9))
        if number % round(BLOCK_S / PERIOD_S / 2) == 0:
            delays.append([])
        delays[-1].append(time.monotonic() - sent_s)
    return bench, max(min(some) for some in delays if some)


@BUSES
def test_what_the_bench_causes_bounds_the_stamps_from_both_sides(
    bus: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(clocks, "_BLOCK_S", BLOCK_S)
    with bus(True) as wire:
        bench, _ = _compared(wire, own=True)
        truth_s = wire.apart_s(bench)
        found: Any = bench.clock()
    assert abs(found["offset_s"] - truth_s) <= found["uncertainty_s"]
    assert abs(found["drift_ppm"]) <= found["drift_uncertainty_ppm"], "all clocks are this machine's"
    assert found["residual_s"] <= found["uncertainty_s"]


@BUSES
def test_readings_alone_hold_their_least_delay(bus: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(clocks, "_BLOCK_S", BLOCK_S)
    with bus(False) as wire:
        bench, least_s = _compared(wire, own=False)
        truth_s = wire.apart_s(bench)
        found: Any = bench.clock()
    assert found["uncertainty_s"] is None
    assert found["drift_uncertainty_ppm"] is None
    assert -least_s <= found["offset_s"] - truth_s <= 2.0 * least_s + found["residual_s"]


def test_the_benchs_own_bus_is_on_the_benchs_clock() -> None:
    bus = VirtualBus("own", medium=Medium(500_000, measure=measure_frames))
    assert set(bus.clock().values()) == {0.0}


def test_in_lockstep_and_without_stamps_nothing_is_compared() -> None:
    for pace, stamp_s in (("lockstep", 5.0), ("wall", 0.0)):

        class Silent:
            echoes = False

            def drain(self, stamp_s: float = stamp_s) -> list[tuple[float, bytes]]:
                return [(stamp_s, make_frame(1, b""))]

            def fileno(self) -> int:
                return -1

            def overflowed(self) -> int:
                return 0

        bench = HardwareBus(Silent(), pace=pace)  # type: ignore[arg-type]
        for number in range(3):
            bench.exchange(10_000_000 * number)
        assert set(bench.clock().values()) == {None}
