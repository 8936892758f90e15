"""What the interface promises whatever flies: sizes, refusals, and nothing left over from before."""

from __future__ import annotations

import math
from typing import Any

import pytest

from hil.kernel import KernelRun, interface, reference_kernel
from tests.kernel.flight import CLUSTER, COAST, CROSS, Flight, make_config

ffi = interface()


def refusal(config: Any) -> int:
    """Return what the kernel's start says of a configuration, 0 when it takes it."""
    kernel = reference_kernel()
    memory = ffi.new("double[]", kernel.state_size // 8 + 2)
    start = ffi.cast("int32_t (*)(void *, const fk_if_config_t *)", kernel.init)
    return int(start(memory, config))


def test_it_says_who_it_is_and_what_it_needs() -> None:
    kernel = reference_kernel()
    info = ffi.new("fk_if_info_t *")
    ffi.cast("void (*)(fk_if_info_t *)", kernel.describe)(info)
    assert info.version == ffi.dlopen(None).FK_IF_VERSION
    assert 0 < info.state_size <= 262_144
    assert info.input_size == ffi.sizeof("fk_if_input_t")
    assert info.output_size == ffi.sizeof("fk_if_output_t")
    assert info.config_size == ffi.sizeof("fk_if_config_t")
    assert 0 < info.work_bound <= ffi.dlopen(None).FK_IF_MOST_WORK
    assert ffi.string(info.name).startswith(b"lastbrake")


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"version": 0}, 1),
        ({"version": 99}, 1),
        ({"size": 0}, 2),
        *[({"engine_count": n}, 3) for n in (-1, 0, 41)],
        *[({"aero_points": n}, 3) for n in (-1, 0, 13)],
        *[
            ({name: value}, 3)
            for name in (
                *(
                    "frame_s",
                    "dry_mass_kg",
                    "inertia_transverse_kgm2",
                    "inertia_axial_kgm2",
                    "tilt_limit_rad",
                ),
                *(
                    "touchdown_speed_mps",
                    "soft_finish_height_m",
                    "brake_throttle",
                    "land_throttle",
                    "ref_area_m2",
                ),
            )
            for value in (0.0, -1.0, math.nan, math.inf, 1.1e12)
        ],
        *[({"mass_kg": value}, 3) for value in (39_999.0, math.nan)],
        ({"tilt_limit_rad": 1.6}, 3),
        *[({"aero_axial": (0.8, value)}, 3) for value in (math.nan, math.inf)],
        *[({"aero_normal_slope": (2.0, 2.0, 2.0, value)}, 3) for value in (math.nan, -math.inf)],
    ],
    ids=str,
)
def test_a_configuration_out_of_range_is_refused(changes: dict[str, Any], code: int) -> None:
    assert refusal(make_config(**changes)) == code


@pytest.mark.parametrize(
    "changes",
    [
        {"aero_mach": (0.3, 0.3)},
        {"aero_mach": (0.3, 0.2)},
        {"aero_mach": (-0.1,)},
        {"aero_mach": (0.3, 0.8, 1.2, math.nan)},
        {"aero_mach": (0.3, 0.8, 1.2, 101.0)},
        {"aero_axial": (1001.0,)},
        {"aero_normal_slope": (0.0, -1001.0)},
    ],
    ids=str,
)
def test_tables_out_of_order_or_range_are_refused(changes: dict[str, Any]) -> None:
    """They are read by growing Mach number."""
    assert refusal(make_config(**changes)) == 3


@pytest.mark.parametrize("engine", [0, 2])
@pytest.mark.parametrize(
    ("name", "value"),
    [
        *[
            (name, value)
            for name in ("thrust_sl_n", "isp_vac_s", "chamber_pa", "thrust_lag_s")
            for value in (0.0, -1.0, math.nan, math.inf, 1e12)
        ],
        *[("thrust_vac_n", value) for value in (799e3, math.nan)],
        *[("throttle_floor", value) for value in (0.0, -0.1, 1.01, math.nan)],
        *[("gimbal_limit_rad", value) for value in (-0.01, 1.01, math.nan)],
        *[("start_s", value) for value in (-0.01, math.nan)],
        *[("pos_body_m", value) for value in ((math.nan, 0.0), (0.0, math.inf))],
    ],
)
def test_an_engine_out_of_range_is_refused(name: str, value: Any, engine: int) -> None:
    config = make_config()
    setattr(config.engine[engine], name, value)
    assert refusal(config) == 3


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"mass_kg": 40e3},
        {"tilt_limit_rad": 1.5},
        {"aero_points": 1},
        {"aero_points": 12, "aero_mach": tuple(0.3 * i for i in range(12))},
        {"fin_limit_rad": 0.0},
        {"aero_axial": (0.8, 0.9, 1.2, 1.1, math.nan)},
    ],
    ids=str,
)
def test_what_is_just_in_range_is_taken(changes: dict[str, Any]) -> None:
    """Table entries beyond aero_points are nobody's."""
    assert refusal(make_config(**changes)) == 0


@pytest.mark.parametrize(
    ("name", "value"),
    [("thrust_vac_n", 800e3), ("throttle_floor", 1.0), ("gimbal_limit_rad", 0.0), ("start_s", 0.0)],
)
def test_an_engine_just_in_range_is_taken(name: str, value: float) -> None:
    config = make_config()
    for engine in config.engine[0:3]:
        setattr(engine, name, value)
    assert refusal(config) == 0


def test_an_engine_that_takes_no_part_may_be_anything() -> None:
    config = make_config()
    config.engine[3].thrust_sl_n = math.nan
    assert refusal(config) == 0


BEYOND: dict[str, dict[str, Any]] = {
    "none": {},
    "outer lost, plans": {"optimise": 1, "dead": (1, 8.0)},
    "finish lost": {"dead": (0, 14.6)},
    "both outer lost": {"dead": (1, 7.5), "second": (2, 8.0)},
    "centre slow": {"slow": 0, "wind": (12.0, 0.0, 0.0)},
    "two left": {"cluster": ((1.2, 0.4, 0), (-1.2, -0.4, 0)), "dead": (1, 9.0)},
}


def beyond(what: str) -> tuple[Flight, Flight]:
    """Return a flight, and the same with data of engines that are not there."""

    def tamper(flight: Flight) -> None:
        for i, status in enumerate(flight.run.input.engine[flight.config.engine_count : 40]):
            status.state, status.fresh, status.chamber_pa = 3, 1, 0.8e7
            status.ox_valve_pos = status.fuel_valve_pos = 0.9
            status.gimbal_x_rad, status.gimbal_y_rad = 0.05, -0.04 * (i % 2)

    flights = []
    for filled in (False, True):
        given = dict(BEYOND[what])
        dead, second, slow, wind = (given.pop(key, None) for key in ("dead", "second", "slow", "wind"))
        config = make_config(given.pop("cluster", CLUSTER), brake_throttle=0.6, **given)
        for i in range(config.engine_count, 40) if filled else ():
            config.engine[i] = config.engine[i % 2]
            config.engine[i].pos_body_m, config.engine[i].centre = (1.0, 0.5), i % 2
            config.engine[i].thrust_sl_n, config.engine[i].thrust_vac_n = 2e6, 3e6
        flight = Flight(config, pos=(60.0, -40.0, 2600.0), vel=(-4.0, 3.0, -280.0), wind=wind or (0.0,) * 3)
        for engine, t_s in filter(None, (dead, second)):
            flight.engines[engine].dies_at_s = t_s
        if slow is not None:
            flight.engines[slow].agility = 0.1
        flight.tamper = tamper if filled else None
        flights.append(flight)
    return flights[0], flights[1]


@pytest.mark.parametrize("what", BEYOND)
def test_data_of_engines_that_are_not_there_change_nothing(what: str) -> None:
    """Neither what is said of them in the configuration nor what boards would say that answer for them."""
    alone, filled = beyond(what)
    while alone.pos[2] > 0.0:
        alone.step()
        filled.step()
        assert bytes(alone.view) == bytes(filled.view)


def test_one_engine_flies() -> None:
    flight = Flight(make_config(((0.0, 0.0, 1),)), vel=(0.0, 0.0, -80.0))
    flight.step(5)
    assert flight.telemetry.mode == COAST
    assert flight.commands[0].share


def test_forty_engines_fly() -> None:
    ring = tuple((1.0 + 0.1 * i, 0.0, 1 if i == 0 else 0) for i in range(40))
    config = make_config(ring)
    for engine in config.engine:
        engine.thrust_sl_n, engine.thrust_vac_n = 60e3, 67e3
    flight = Flight(config)
    flight.step(5)
    assert flight.telemetry.mode == COAST
    assert [c.request for c in flight.commands] == [1] * 40


def test_starting_again_forgets_the_flight_before() -> None:
    used, new = Flight(make_config(CROSS, optimise=1)), Flight(make_config())
    used.step(900)
    run = used.run
    start = ffi.cast("int32_t (*)(void *, const fk_if_config_t *)", reference_kernel().init)
    assert start(run._state, make_config()) == 0
    for _ in range(300):
        new.step()
        ffi.memmove(run.input, new.run.input, ffi.sizeof("fk_if_input_t"))
        run.step()
        assert bytes(ffi.buffer(run.output)) == bytes(ffi.buffer(new.run.output))


def test_what_was_in_the_output_does_not_matter() -> None:
    one, other = KernelRun(reference_kernel(), make_config()), KernelRun(reference_kernel(), make_config())
    ffi.buffer(other.output)[:] = b"\xff" * ffi.sizeof("fk_if_output_t")
    one.step()
    other.step()
    assert bytes(ffi.buffer(one.output)) == bytes(ffi.buffer(other.output))
