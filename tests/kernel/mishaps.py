"""More flights by name, each with something that no other flight has: see scripted.py.

Only + - * / and square roots are used here too, so that a flight has the same bits on every machine."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from hil.kernel import KernelRun, interface, reference_kernel
from tests.kernel.flight import (
    ABORT,
    CROSS,
    FRAME_NS,
    TERMINAL,
    Flight,
    make_config,
)

__all__ = ["MISHAPS", "fly_on"]

SIDE: dict[str, Any] = {"pos": (-45.0, 70.0, 2600.0), "vel": (5.0, -2.0, -280.0)}
RING: tuple[tuple[float, float, int], ...] = (
    (0.0, 0.0, 1),
    *((1.5 + 0.25 * (i % 3), 1.2 - 0.35 * (i % 8), 0) for i in range(39)),
)
"""As many engines as the interface has room for."""

Tamper = Callable[[Flight], None]


def strong_config(cluster: Any = None, **changes: Any) -> Any:
    """Return a configuration whose engines are far too strong for the finish."""
    config = make_config(**changes) if cluster is None else make_config(cluster, **changes)
    for engine in config.engine[0 : config.engine_count]:
        engine.thrust_sl_n, engine.thrust_vac_n = 1500e3, 1600e3
    return config


def uneven_config(**changes: Any) -> Any:
    """Return a configuration of three engines of which no two are alike."""
    config = make_config(**changes)
    for engine, part in zip(config.engine, (1.0, 1.06, 0.95), strict=False):
        engine.thrust_sl_n, engine.thrust_vac_n = 800e3 * part, 900e3 * part + 20e3 * (part - 1.0)
        engine.throttle_floor, engine.isp_vac_s = 0.56 * part, 310.0 / part
        engine.chamber_pa, engine.thrust_lag_s = 1e7, 0.13 * part * part
        engine.valve_slew_per_s, engine.start_s = 4.0 * part, 0.8 + 3.0 * (part - 1.0)
        engine.gimbal_limit_rad, engine.gimbal_rate_radps = 0.12 * part, 0.26 / part
    return config


def fly_on(flight: Flight, run: KernelRun) -> None:
    """Let another kernel fly on from here: the computer was reset."""
    interface().memmove(run.input, flight.run.input, interface().sizeof("fk_if_input_t"))
    flight.run, flight.out = run, run.output
    flight.view, flight.telemetry = interface().buffer(run.output), run.output.telemetry


def reset_at(t_s: float) -> Tamper:
    """Return what resets the flight computer at a time."""

    def tamper(flight: Flight) -> None:
        if t_s <= flight.now_s < t_s + 0.005:
            fly_on(flight, KernelRun(reference_kernel(), flight.config))

    return tamper


def in_finish_below(height_m: float, act: Tamper) -> Tamper:
    """Return what acts in every frame of the finish below a height."""

    def tamper(flight: Flight) -> None:
        if flight.telemetry.mode == TERMINAL and flight.pos[2] < height_m:
            act(flight)

    return tamper


def wave(t_s: float, period_s: float) -> float:
    """Return a triangular wave between -1 and 1."""
    part = t_s / period_s - float(int(t_s / period_s))
    return 4.0 * part - 1.0 if part < 0.5 else 3.0 - 4.0 * part


def gusts(flight: Flight) -> None:
    """Blow from changing sides."""
    t = flight.now_s
    flight.wind = (8.0 * wave(t, 3.7), 5.0 + 6.0 * wave(t, 1.3), 1.5 * wave(t, 0.7))


# ---- engines lost in the finish, and lit again


def relit_lost_one() -> Flight:
    """The pair is lit again for the centre engine, and one of it dies as well."""

    def tamper(flight: Flight) -> None:
        if flight.engines[1].starts == 2 and flight.engines[1].state == 3:
            flight.engines[1].dies_at_s = 0.0

    flight = Flight(make_config(brake_throttle=0.58), tamper=tamper)
    flight.engines[0].dies_at_s = 14.5
    return flight.land()


def relit_one_late() -> Flight:
    """The second start of one of the pair takes half a second longer, from beside the pad."""

    def tamper(flight: Flight) -> None:
        flight.engines[2].delay_s = 0.5 if flight.engines[2].starts == 2 else 0.0

    flight = Flight(make_config(brake_throttle=0.58), **SIDE, tamper=tamper)
    flight.engines[0].dies_at_s = 14.6
    return flight.land()


def relit_on_a_tail() -> Flight:
    """The thrust of the lost centre engine tails off for two seconds."""

    def tamper(flight: Flight) -> None:
        engine = flight.engines[0]
        if engine.dies_at_s < flight.now_s < engine.dies_at_s + 2.0:
            engine.chamber = max(engine.chamber, 0.45 - 0.2 * (flight.now_s - engine.dies_at_s))

    flight = Flight(make_config(brake_throttle=0.58), tamper=tamper)
    flight.engines[0].dies_at_s = 14.3
    return flight.land()


def relit_with_plans() -> Flight:
    """The finish loses its engine along optimised plans, in a wind."""
    flight = Flight(make_config(optimise=1, brake_throttle=0.6), **SIDE, wind=(-5.0, 4.0, 0.0))
    flight.tamper = in_finish_below(60.0, lambda f: setattr(f.engines[0], "dies_at_s", 0.0))
    return flight.land()


def single_start() -> Flight:
    """Engines with one start each: nothing is left when the finish loses its own."""
    config = make_config(brake_throttle=0.58)
    for engine in config.engine[0:3]:
        engine.starts = 1
    flight = Flight(config)
    flight.engines[0].dies_at_s = 14.4
    return flight.land()


def crossed_finish_lost() -> Flight:
    """Of five engines the centre one dies in the finish, and one of the four does not light again."""

    def tamper(flight: Flight) -> None:
        flight.engines[3].delay_s = 50.0 if flight.engines[3].starts == 2 else 0.0

    flight = Flight(make_config(CROSS, brake_throttle=0.55), pos=(30.0, 10.0, 2900.0), tamper=tamper)
    flight.tamper = both(tamper, in_finish_below(70.0, lambda f: setattr(f.engines[0], "dies_at_s", 0.0)))
    return flight.land()


def both(*tampers: Tamper) -> Tamper:
    """Return what does several things in a frame."""

    def tamper(flight: Flight) -> None:
        for each in tampers:
            each(flight)

    return tamper


# ---- engines too strong, too weak, too late


def strong_and_low() -> Flight:
    """A short burn from low down: the finish would stop far up, is paused, and lit again."""
    config = strong_config(ignition_forced=1, ignition_forced_t_s=0.05)
    return Flight(config, pos=(4.0, -3.0, 150.0), vel=(0.5, -0.3, -22.0)).land(30.0)


def strong_pair() -> Flight:
    """The same without a centre engine: the pair is paused."""
    config = strong_config(ignition_forced=1, ignition_forced_t_s=0.05)
    flight = Flight(config, pos=(-3.0, 2.0, 260.0), vel=(0.5, 0.3, -38.0))
    flight.engines[0].dies_at_s = 0.7
    return flight.land(30.0)


def strong_aside() -> Flight:
    """Too strong, with a wind, from beside the pad; tilted, it brakes for the leg that is first."""
    return Flight(strong_config(brake_throttle=0.56), **SIDE, wind=(5.0, 2.0, 0.0)).land()


def strong_and_once() -> Flight:
    """Too strong, with one start each: burnt through, and cut when it rises."""
    config = strong_config(ignition_forced=1, ignition_forced_t_s=0.05)
    for engine in config.engine[0:3]:
        engine.starts = 1
    return Flight(config, pos=(4.0, -3.0, 120.0), vel=(0.0, 0.0, -12.0)).land(30.0)


def weak_finish_low() -> Flight:
    """The finish is stuck at its floor, from far enough up to light the others."""

    def tamper(flight: Flight) -> None:
        if flight.telemetry.mode == TERMINAL and flight.engines[0].stuck_at_s > flight.now_s:
            flight.engines[0].stuck_at_s, flight.engines[0].strength = flight.now_s, 0.8

    return Flight(make_config(brake_throttle=0.6), **SIDE, tamper=tamper).land()


def weak_twice() -> Flight:
    """The finish gets too weak step by step, at last below what counts as burning."""

    def tamper(flight: Flight) -> None:
        if flight.telemetry.mode == TERMINAL:
            flight.engines[0].strength = max(flight.engines[0].strength - 0.004, 0.6)

    return Flight(make_config(brake_throttle=0.6), tamper=tamper).land()


def feeble_outer() -> Flight:
    """An outer engine gives a quarter less from the start, and less with time, along plans."""

    def tamper(flight: Flight) -> None:
        flight.engines[2].strength = max(0.6, 0.76 - 0.01 * max(flight.now_s - 9.0, 0.0))

    return Flight(make_config(optimise=1, brake_throttle=0.6), **SIDE, tamper=tamper).land()


def strong_engine_one() -> Flight:
    """An outer engine gives a tenth too much, another a tenth too little."""
    flight = Flight(make_config(brake_throttle=0.6), **SIDE)
    flight.engines[1].strength, flight.engines[2].strength = 1.1, 0.9
    return flight.land()


def overpressed() -> Flight:
    """An outer engine gives half too much from the middle of the burn: given up."""

    def tamper(flight: Flight) -> None:
        flight.engines[1].strength = 1.5 if flight.now_s > 8.5 else 1.0

    return Flight(make_config(brake_throttle=0.58), **SIDE, tamper=tamper).land()


def chugging() -> Flight:
    """The pressures of an outer engine and of the centre one swing."""

    def tamper(flight: Flight) -> None:
        for i, part in ((0, 0.25), (1, 0.4)):
            flight.engines[i].strength = 1.0 + part * wave(flight.now_s, 0.09 + 0.02 * i)

    return Flight(make_config(brake_throttle=0.6), **SIDE, tamper=tamper).land()


def centre_late() -> Flight:
    """The centre engine lights three seconds late: given up, or it joins the finish."""
    flight = Flight(make_config(brake_throttle=0.6), **SIDE)
    flight.engines[0].delay_s = 2.2
    return flight.land()


def centre_very_late() -> Flight:
    """A short burn from low down: the finish begins on the pair before the centre engine comes up."""
    config = make_config(ignition_forced=1, ignition_forced_t_s=0.05)
    flight = Flight(config, pos=(3.0, -2.0, 330.0), vel=(0.5, 0.0, -55.0))
    flight.engines[0].delay_s = 2.4
    return flight.land()


def joined(height_m: float) -> Flight:
    """Low down, the pair burns when the centre engine comes up."""
    flight = Flight(make_config(ignition_forced=1, ignition_forced_t_s=0.05), pos=(1.0, 0.5, height_m))
    flight.vel, flight.engines[0].delay_s = (0.1, 0.0, -19.2), 0.7
    return flight.land(20.0)


def joined_late() -> Flight:
    """From so low that the pair is paused before the centre engine is up; all light again."""
    return joined(70.0)


def joined_low() -> Flight:
    """From lower still: the pair brakes until the centre engine can do the rest alone."""
    return joined(50.0)


def all_late() -> Flight:
    """Ignition is forced too late: it comes down too fast, and is given up."""
    config = make_config(ignition_forced=1, ignition_forced_t_s=6.0)
    return Flight(config, pos=(40.0, 20.0, 2600.0)).land()


def far_too_early() -> Flight:
    """Ignition is forced from high up, slow: the engines brake at their floor."""
    config = make_config(ignition_forced=1, ignition_forced_t_s=0.2)
    return Flight(config, pos=(20.0, -60.0, 2400.0), vel=(0.0, 3.0, -150.0)).land()


# ---- engines that are not alike


def uneven() -> Flight:
    """Three different engines, in gusts."""
    return Flight(uneven_config(brake_throttle=0.6), **SIDE, tamper=gusts).land()


def uneven_lost() -> Flight:
    """The centre one dies in the finish."""
    flight = Flight(uneven_config(brake_throttle=0.6), **SIDE)
    flight.tamper = in_finish_below(75.0, lambda f: setattr(f.engines[0], "dies_at_s", 0.0))
    return flight.land()


def centre_weakens(flight: Flight) -> None:
    """Let the centre engine get weaker frame by frame."""
    flight.engines[0].strength = max(flight.engines[0].strength - 0.005, 0.715)


def uneven_weak() -> Flight:
    """It gets too weak in the finish, and is stopped for the others."""
    config = uneven_config(brake_throttle=0.6, soft_finish_height_m=110.0)
    return Flight(config, tamper=in_finish_below(150.0, centre_weakens)).land()


def uneven_start() -> Flight:
    """The same, and the second start of one of the others takes far longer than that of any."""
    config = uneven_config(brake_throttle=0.6, soft_finish_height_m=110.0)
    config.engine[1].start_s = 2.2
    return Flight(config, tamper=in_finish_below(150.0, centre_weakens)).land()


def uneven_slow() -> Flight:
    """Its gimbal is slow, along plans, and points aside."""
    flight = Flight(uneven_config(optimise=1, brake_throttle=0.6), **SIDE, wind=(9.0, -4.0, 0.0))
    flight.engines[0].agility, flight.engines[0].aslant = 0.08, (0.04, 0.05)
    return flight.land()


def uneven_given_up() -> Flight:
    """Two of them die at speed."""
    flight = Flight(uneven_config(optimise=1), pos=(60.0, 20.0, 2600.0))
    flight.engines[0].dies_at_s, flight.engines[2].dies_at_s = 7.3, 8.1
    return flight.land()


def uneven_low() -> Flight:
    """A short burn from low down, the centre one late."""
    config = uneven_config(ignition_forced=1, ignition_forced_t_s=0.05)
    flight = Flight(config, pos=(3.0, -2.0, 420.0), vel=(0.5, 0.0, -65.0))
    flight.engines[0].delay_s = 1.2
    return flight.land()


# ---- gimbals


def lame_centre() -> Flight:
    """The gimbal of the centre engine is slow, in gusts: the pair lands."""
    flight = Flight(make_config(brake_throttle=0.6), **SIDE, tamper=gusts)
    flight.engines[0].agility = 0.08
    return flight.land()


def lame_pair() -> Flight:
    """Those of the others are."""
    flight = Flight(make_config(brake_throttle=0.6), **SIDE, tamper=gusts)
    flight.engines[1].agility = flight.engines[2].agility = 0.1
    return flight.land()


def lame_with_plans() -> Flight:
    """That of the centre engine is, along plans."""
    flight = Flight(make_config(optimise=1, brake_throttle=0.6), **SIDE, wind=(9.0, -4.0, 0.0))
    flight.engines[0].agility = 0.08
    return flight.land()


def ran_aside() -> Flight:
    """The gimbal of an outer engine runs aside and stays there."""

    def tamper(flight: Flight) -> None:
        if flight.now_s >= 9.0:
            flight.engines[1].gimbal, flight.engines[1].agility = (-0.04, 0.045), 0.0

    return Flight(make_config(brake_throttle=0.6), **SIDE, tamper=tamper).land()


def hard_over() -> Flight:
    """That of an outer engine runs nearly to its stop: its engine is given up."""

    def tamper(flight: Flight) -> None:
        if flight.now_s >= 8.5:
            flight.engines[2].gimbal, flight.engines[2].agility = (0.02, -0.09), 0.0

    return Flight(make_config(brake_throttle=0.58), **SIDE, tamper=tamper).land()


def centre_hard_over() -> Flight:
    """That of the centre engine rests aside in the finish: the others are lit again for it."""

    def act(flight: Flight) -> None:
        flight.engines[0].gimbal, flight.engines[0].agility = (0.03, -0.03), 0.0

    return Flight(make_config(brake_throttle=0.6), tamper=in_finish_below(120.0, act)).land()


def centre_aslant() -> Flight:
    """Its thrust points aside unseen, by nearly all that it can be steered."""
    flight = Flight(make_config(brake_throttle=0.6), **SIDE)
    flight.engines[0].aslant = (0.08, -0.083)
    return flight.land()


def outer_aslant() -> Flight:
    """That of an outer engine does, across the row: it rolls the stage."""
    flight = Flight(make_config(brake_throttle=0.6), **SIDE)
    flight.engines[2].aslant = (0.0, -0.1)
    return flight.land()


def aslant_in_finish() -> Flight:
    """That of the centre engine does from the middle of the finish: given up for the others."""

    def act(flight: Flight) -> None:
        flight.engines[0].aslant = (-0.07, 0.095)

    return Flight(make_config(brake_throttle=0.6), tamper=in_finish_below(130.0, act)).land()


def crossed_aslant() -> Flight:
    """One of five points aside, another is slow, with plans and gusts."""
    config = make_config(CROSS, brake_throttle=0.55, optimise=1)
    flight = Flight(config, pos=(-100.0, 60.0, 3000.0), vel=(8.0, -5.0, -290.0), tamper=gusts)
    flight.engines[2].aslant, flight.engines[4].agility = (0.05, 0.04), 0.1
    return flight.land()


# ---- resets


def reset_in_coast() -> Flight:
    """The computer is reset in the coast."""
    return Flight(make_config(), **SIDE, tamper=reset_at(2.0)).land()


def reset_in_braking() -> Flight:
    """It is reset in the middle of the burn, with less mass than it then believes."""
    return Flight(make_config(brake_throttle=0.6), **SIDE, tamper=reset_at(9.0), mass_part=0.98).land()


def reset_in_finish() -> Flight:
    """It is reset in the finish."""
    return Flight(make_config(brake_throttle=0.6), tamper=reset_at(14.2)).land()


def reset_with_plans() -> Flight:
    """It is reset while it follows a plan, one engine lost before."""
    flight = Flight(make_config(optimise=1, brake_throttle=0.58), **SIDE, tamper=reset_at(8.0))
    flight.engines[2].dies_at_s = 7.0
    return flight.land()


# ---- winds, states, clocks, navigation


def gusty() -> Flight:
    """Gusts."""
    return Flight(make_config(brake_throttle=0.6), **SIDE, tamper=gusts).land()


def gusty_with_plans() -> Flight:
    """Gusts, plans, a stage lighter than believed."""
    return Flight(make_config(optimise=1), **SIDE, tamper=gusts, mass_part=0.97).land()


def storm() -> Flight:
    """A wind that is more than the limits of what is learnt, high up."""
    config = make_config(tilt_limit_rad=0.3)
    return Flight(
        config, pos=(-200.0, 0.0, 4200.0), vel=(30.0, -25.0, -320.0), wind=(-35.0, 30.0, 0.0)
    ).land()


def supersonic() -> Flight:
    """From six kilometres at twice the speed of sound, a long coast with plans."""
    return Flight(make_config(optimise=1), pos=(150.0, -90.0, 7500.0), vel=(-12.0, 9.0, -520.0)).land()


def rolling() -> Flight:
    """Rolling and swinging from the beginning."""
    return Flight(make_config(), **SIDE, omega=(0.08, -0.06, 0.5)).land()


def finless() -> Flight:
    """Without fins."""
    config = make_config(fin_limit_rad=0.0, brake_throttle=0.6)
    return Flight(config, **SIDE, omega=(0.0, 0.004, 0.05)).land()


def alone() -> Flight:
    """A single engine, from low down."""
    config = make_config(((0.0, 0.0, 1),), brake_throttle=0.75, mass_kg=45e3)
    return Flight(config, pos=(25.0, -10.0, 1500.0), vel=(-1.0, 1.0, -110.0)).land()


def no_centre() -> Flight:
    """Two engines, none of them on the axis; one is lost."""
    config = make_config(((1.2, 0.4, 0), (-1.2, -0.4, 0)), brake_throttle=0.7)
    flight = Flight(config, pos=(30.0, 10.0, 2000.0), vel=(0.0, 0.0, -160.0))
    flight.engines[1].dies_at_s = 11.0
    return flight.land()


def forty() -> Flight:
    """As many engines as there is room for, one lost, for a few seconds."""
    config = make_config(RING, mass_kg=600e3, dry_mass_kg=480e3, inertia_transverse_kgm2=9e7)
    config.ref_area_m2, config.ignition_forced = 90.0, 1
    flight = Flight(config, pos=(30.0, 20.0, 1100.0), vel=(2.0, 0.0, -190.0))
    flight.engines[39].dies_at_s = 3.0
    return flight.land(4.0)


def forty_with_plans() -> Flight:
    """The same along plans, the last one weak."""
    config = make_config(RING, mass_kg=600e3, dry_mass_kg=480e3, inertia_transverse_kgm2=9e7, optimise=1)
    config.ref_area_m2, config.ignition_forced = 90.0, 1
    flight = Flight(config, pos=(-30.0, 20.0, 1200.0), vel=(2.0, 0.0, -190.0))
    flight.engines[39].strength = 0.8
    return flight.land(2.5)


def turning_up() -> Flight:
    """It still climbs when the flight begins, then falls."""
    return Flight(make_config(), pos=(10.0, 5.0, 500.0), vel=(1.0, -2.0, 25.0)).land(25.0)


def jumping_clock() -> Flight:
    """The kernel's clock jumps on by half a second, and back by two, while plans are flown."""

    def tamper(flight: Flight) -> None:
        by_s = 0.5 if 8.0 < flight.now_s < 9.0 else -1.5 if 10.0 < flight.now_s < 11.0 else 0.0
        flight.run.input.t_ns += int(by_s * 1e9)
        flight.run.input.nav.valid_t_ns += int(by_s * 1e9)

    return Flight(make_config(optimise=1), **SIDE, tamper=tamper).land()


def unsteady_latency() -> Flight:
    """Navigation comes late, later, and not in every frame; at times it is from the next moment."""

    def tamper(flight: Flight) -> None:
        nav, n = flight.run.input.nav, flight.frame
        flight.latency = 3 + n % 7
        nav.fresh = n % 4 != 1
        if n % 31 == 5:
            nav.valid_t_ns += 12 * FRAME_NS

    return Flight(make_config(brake_throttle=0.6), **SIDE, tamper=tamper).land()


def often_deaf() -> Flight:
    """No navigation for a second and a half, three times, the last time in the finish."""

    def tamper(flight: Flight) -> None:
        if any(begin <= flight.now_s < begin + 1.5 for begin in (3.0, 8.0, 12.0)) or (
            flight.telemetry.mode == TERMINAL and flight.frame % 200 < 90
        ):
            flight.run.input.nav.fresh = 0

    return Flight(make_config(brake_throttle=0.6), **SIDE, wind=(4.0, 0.0, 0.0), tamper=tamper).land()


def wrong_height() -> Flight:
    """The radar is off by a metre and a half near the ground: the ground is lower than believed."""

    def tamper(flight: Flight) -> None:
        flight.run.input.nav.height_m -= 1.5 if flight.pos[2] < 300.0 else 0.0

    return Flight(make_config(), tamper=tamper).land(25.0)


def broken_off() -> Flight:
    """An abort in the middle of the burn, ended again: nothing is lit any more."""

    def tamper(flight: Flight) -> None:
        flight.run.input.abort = 8.0 < flight.now_s < 8.1
        if flight.telemetry.mode == ABORT:
            flight.run.input.abort = 0

    return Flight(make_config(), **SIDE, tamper=tamper).land(12.0)


# ---- what cannot land


def two_of_five_left() -> Flight:
    """Three of five engines die one after the other while braking."""
    flight = Flight(make_config(CROSS, brake_throttle=0.6), pos=(-80.0, 50.0, 2900.0), vel=(6.0, 0.0, -290.0))
    for i, t_s in ((1, 6.0), (3, 7.5), (4, 8.0)):
        flight.engines[i].dies_at_s = t_s
    return flight.land()


def given_up_with_plans() -> Flight:
    """Both outer engines die while plans are flown, in a wind: steered aside."""
    flight = Flight(make_config(optimise=1), pos=(-70.0, 40.0, 2600.0), wind=(5.0, -6.0, 0.0))
    flight.engines[1].dies_at_s, flight.engines[2].dies_at_s = 7.5, 8.5
    return flight.land()


def given_up_straight() -> Flight:
    """All engines die right above the pad, drifting nowhere: it goes aside all the same."""
    flight = Flight(make_config(), pos=(0.0, 0.0, 3600.0))
    for engine in flight.engines:
        engine.dies_at_s = 8.0
    return flight.land()


def never_lit() -> Flight:
    """No engine lights at all, from beside the pad."""
    flight = Flight(make_config(), pos=(20.0, 40.0, 2600.0), vel=(-6.0, -9.0, -280.0))
    for engine in flight.engines:
        engine.delay_s = 100.0
    return flight.land()


def silent_one_by_one() -> Flight:
    """One board after the other is never heard again; the engines burn on, then stop."""
    flight = Flight(make_config(brake_throttle=0.6), **SIDE)
    for i, t_s in ((2, 8.0), (1, 11.0), (0, 13.5)):
        flight.engines[i].silent_at_s, flight.engines[i].dies_at_s = t_s, t_s + 0.4
    return flight.land()


MISHAPS: dict[str, Callable[[], Flight]] = {
    flight.__name__: flight
    for flight in (
        *(
            relit_lost_one,
            relit_one_late,
            relit_on_a_tail,
            relit_with_plans,
            single_start,
            crossed_finish_lost,
        ),
        *(
            strong_and_low,
            strong_pair,
            strong_aside,
            strong_and_once,
            weak_finish_low,
            weak_twice,
            feeble_outer,
        ),
        *(
            strong_engine_one,
            overpressed,
            chugging,
            centre_late,
            centre_very_late,
            joined_late,
            joined_low,
            all_late,
            far_too_early,
        ),
        *(uneven, uneven_lost, uneven_weak, uneven_start, uneven_slow, uneven_given_up, uneven_low),
        *(lame_centre, lame_pair, lame_with_plans, ran_aside, hard_over, centre_hard_over),
        *(centre_aslant, outer_aslant, aslant_in_finish, crossed_aslant),
        *(reset_in_coast, reset_in_braking, reset_in_finish, reset_with_plans),
        *(gusty, gusty_with_plans, storm, supersonic, rolling, finless, alone, no_centre),
        *(forty, forty_with_plans, turning_up, jumping_clock, unsteady_latency, often_deaf, wrong_height),
        *(broken_off, two_of_five_left, given_up_with_plans, given_up_straight, never_lit, silent_one_by_one),
    )
}
