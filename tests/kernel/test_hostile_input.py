"""Whatever comes in, every command is finite and in range."""

from __future__ import annotations

import math
import struct
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from hil.kernel import interface
from tests.kernel.conftest import Bench

anything = (
    st.floats(allow_nan=True, allow_infinity=True) | st.floats(-1e4, 1e4) | st.sampled_from([0.0, 1e-310])
)
status = st.tuples(st.tuples(*[anything] * 5), st.integers(-2, 9), st.integers(0, 255), st.booleans())
frame = st.tuples(
    st.tuples(*[anything] * 17), st.booleans(), st.integers(-3, 3), st.lists(status, min_size=3, max_size=3)
)


def assert_in_range(bench: Bench) -> None:
    """Check every output against the interface's promise."""
    out = bench.run.output
    for i, command in enumerate(bench.commands):
        limit = bench.config.engine[i].gimbal_limit_rad
        assert 0 <= command.request <= 4
        assert 0.0 <= command.ox_valve_cmd <= 1.0
        assert 0.0 <= command.fuel_valve_cmd <= 1.0
        assert abs(command.gimbal_x_cmd_rad) <= limit
        assert abs(command.gimbal_y_cmd_rad) <= limit
        if command.failed:
            assert command.request == 4
            assert command.ox_valve_cmd == 0.0
    assert all(abs(out.fin_cmd_rad[i]) <= bench.config.fin_limit_rad for i in range(4))
    size = interface().sizeof("fk_if_telemetry_t") - 8
    numbers = struct.unpack(
        f"<{size // 8}d", bytes(interface().buffer(interface().addressof(out.telemetry)))[:size]
    )
    assert all(map(math.isfinite, numbers))
    assert 0 <= out.telemetry.mode <= 6


def feed(bench: Bench, values: tuple[float, ...], fresh: bool, early: int, engines: list[Any]) -> None:
    """Put drawn values where sensors would."""
    nav = bench.run.input.nav
    nav.pos_pad_m, nav.vel_pad_mps = values[0:3], values[3:6]
    nav.q_pad_from_body, nav.omega_body_radps = values[6:10], values[10:13]
    nav.force_body_mps2, nav.height_m = values[13:16], values[16]
    nav.fresh = fresh
    for engine, (readings, state, fault, heard) in zip(bench.engines, engines, strict=True):
        engine.ox_valve_pos, engine.fuel_valve_pos, engine.chamber_pa = readings[:3]
        engine.gimbal_x_rad, engine.gimbal_y_rad = readings[3:]
        engine.state, engine.fault, engine.fresh = state, fault, heard
    bench.frame += early


@settings(max_examples=150, deadline=None)
@given(st.lists(frame, min_size=1, max_size=8), st.booleans())
def test_commands_stay_finite_and_in_range(frames: list[tuple[Any, ...]], burning: bool) -> None:
    bench = Bench(ignition_forced_at_s=0.0 if burning else None)
    for engine in bench.engines:
        engine.state = 1
    bench.step()
    if burning:
        bench.burn(frames=40)
    for drawn in frames:
        feed(bench, *drawn)
        bench.step()
        assert_in_range(bench)
    bench.place(height_m=1000.0, sink_mps=200.0)
    bench.burn(frames=20)
    assert_in_range(bench)
