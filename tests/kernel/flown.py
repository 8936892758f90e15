"""The flights by name as they were flown: each once, its commands looked at in every frame."""

from __future__ import annotations

import functools

import pytest

from hil.kernel import interface, reference_kernel
from tests.kernel.flight import ABORT, BRAKING, COAST, RUN, SHUTDOWN, TERMINAL, Flight, norm
from tests.kernel.scripted import FLIGHTS

__all__ = ["GIVEN_UP", "flown"]

GIVEN_UP = 3
"""The source of the commands of a stage that cannot land."""


@functools.cache
def work_bound() -> int:
    """Return the most work of one step, as the kernel states it."""
    info = interface().new("fk_if_info_t *")
    interface().cast("void (*)(fk_if_info_t *)", reference_kernel().describe)(info)
    return int(info.work_bound)


def check_engines(flight: Flight, shut: set[int]) -> None:
    """See that every command is in range, and that what is shut down for good stays so.

    For good is: held for failed, or shut down at any time but in a finish that can still land.
    """
    landing = flight.telemetry.mode == TERMINAL and flight.telemetry.plan_source != GIVEN_UP
    for i, command in enumerate(flight.commands):
        limits = flight.config.engine[i]
        assert 0.0 <= command.ox_valve_cmd <= 1.0
        assert command.fuel_valve_cmd == command.ox_valve_cmd
        assert abs(command.gimbal_x_cmd_rad) <= limits.gimbal_limit_rad
        assert abs(command.gimbal_y_cmd_rad) <= limits.gimbal_limit_rad
        assert command.request == SHUTDOWN or i not in shut
        assert flight.engines[i].starts <= 2
        if command.request == SHUTDOWN and (command.failed or not landing):
            shut.add(i)
        if command.request == SHUTDOWN:
            assert command.ox_valve_cmd == command.gimbal_x_cmd_rad == command.gimbal_y_cmd_rad == 0.0
            assert not command.share
        assert command.request == SHUTDOWN or not command.failed
        assert command.request == RUN or command.gimbal_x_cmd_rad == command.gimbal_y_cmd_rad == 0.0
        assert command.request != RUN or command.ox_valve_cmd >= limits.throttle_floor


def check_telemetry(flight: Flight) -> None:
    """See that what is told of a frame fits together."""
    said, c = flight.telemetry, flight.config
    accel = norm(tuple(said.accel_cmd_pad_mps2))
    assert accel == pytest.approx(said.thrust_cmd_n / said.mass_est_kg, rel=1e-9)
    assert said.mode in (BRAKING, TERMINAL) or said.thrust_cmd_n == 0.0
    assert c.dry_mass_kg <= said.mass_est_kg <= c.mass_kg
    assert said.time_to_go_s >= 0.0
    assert said.nav_age_s <= 2.0 or said.mode == ABORT
    assert said.mode == COAST or said.ignition_margin_m == 0.0 or said.thrust_cmd_n == 0.0
    assert said.plan_source == 2 or said.plan_age_s == 0.0
    assert 0 <= said.work <= work_bound()


@functools.cache
def flown(name: str) -> Flight:
    """Return a flight at its end."""
    plain_step, shut = Flight.step, set[int]()

    def step(flight: Flight, frames: int = 1) -> None:
        for _ in range(frames):
            run = flight.run
            plain_step(flight)
            if flight.run is not run:  # a computer that was reset knows nothing of before
                shut.clear()
            check_engines(flight, shut)
            check_telemetry(flight)
            assert max(abs(x) for x in flight.out.fin_cmd_rad) <= flight.config.fin_limit_rad

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Flight, "step", step)
        return FLIGHTS[name]()
