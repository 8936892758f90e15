"""Flights by name: what goes wrong in each, ready to be flown. The golden digests pin them to the bit."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from tests.kernel.flight import CLUSTER, CROSS, FAULT, SAFE, TERMINAL, Flight, make_config
from tests.kernel.mishaps import MISHAPS

__all__ = ["FLIGHTS"]

ASIDE: dict[str, Any] = {"pos": (60.0, -40.0, 2600.0), "vel": (-4.0, 3.0, -280.0)}


def plain() -> Flight:
    """Straight down."""
    return Flight(make_config()).land()


def aside() -> Flight:
    """From beside the pad, drifting, turning about all axes."""
    return Flight(make_config(), **ASIDE, omega=(0.01, -0.02, 0.03)).land()


def windy() -> Flight:
    """A steady wind, a stage that is heavier than believed, no latency."""
    wind = (6.0, -3.0, 0.0)
    return Flight(make_config(), **ASIDE, wind=wind, mass_part=1.02, latency=0).land()


def optimised() -> Flight:
    """Along optimised plans."""
    return Flight(make_config(optimise=1), **ASIDE).land()


def optimised_loss() -> Flight:
    """Along optimised plans, an outer engine lost on the way."""
    flight = Flight(make_config(optimise=1, brake_throttle=0.6), **ASIDE)
    flight.engines[1].dies_at_s = 8.0
    return flight.land()


def outer_out() -> Flight:
    """An outer engine dies 3 s after ignition."""
    flight = Flight(make_config(brake_throttle=0.58), **ASIDE)
    flight.engines[2].dies_at_s = 7.0
    return flight.land()


def centre_out() -> Flight:
    """The centre engine dies while braking: the pair lands."""
    flight = Flight(make_config(brake_throttle=0.58))
    flight.engines[0].dies_at_s = 7.0
    return flight.land()


def silent() -> Flight:
    """A board is never heard again; its engine burns on for a moment."""
    flight = Flight(make_config(brake_throttle=0.58))
    flight.engines[1].silent_at_s = 6.0
    flight.engines[1].dies_at_s = 6.3
    return flight.land()


def weak_and_late() -> Flight:
    """One engine weak, one a second late."""
    flight = Flight(make_config(brake_throttle=0.6), **ASIDE)
    flight.engines[1].strength = 0.85
    flight.engines[2].delay_s = 1.0
    return flight.land()


def never_lights() -> Flight:
    """An outer engine never lights."""
    flight = Flight(make_config(brake_throttle=0.58))
    flight.engines[2].delay_s = 100.0
    return flight.land()


def deaf() -> Flight:
    """No navigation for 1.5 s in the middle of the burn."""
    return Flight(make_config(), **ASIDE, deaf_s=(9.0, 10.5)).land()


def lost() -> Flight:
    """No navigation for longer than the kernel flies on."""
    return Flight(make_config(), **ASIDE, deaf_s=(9.0, 12.0)).land()


def crossed() -> Flight:
    """Five engines, an early forced ignition from high up and sideways."""
    config = make_config(
        CROSS, brake_throttle=0.55, ignition_forced=1, ignition_forced_t_s=1.0, tilt_limit_rad=0.3
    )
    return Flight(config, pos=(-150.0, 90.0, 2900.0), vel=(25.0, -10.0, -290.0)).land()


def crossed_optimised() -> Flight:
    """The same along optimised plans, with wind."""
    config = make_config(CROSS, brake_throttle=0.55, optimise=1)
    start = {"pos": (-150.0, 90.0, 3200.0), "vel": (15.0, -8.0, -290.0)}
    return Flight(config, **start, wind=(4.0, 6.0, 0.0)).land()


def hover_class() -> Flight:
    """Engines weak enough to hover: the finish aims at the ground itself."""
    config = make_config(CLUSTER)
    for engine in config.engine[0:3]:
        engine.thrust_sl_n, engine.thrust_vac_n = 700e3, 800e3
        engine.throttle_floor = 0.45
    return Flight(config, pos=(10.0, 5.0, 2600.0), vel=(0.0, 0.0, -250.0)).land()


def all_out() -> Flight:
    """Every engine dies while braking: nothing is left but lift."""
    flight = Flight(make_config(), pos=(100.0, 30.0, 3600.0))
    for engine in flight.engines:
        engine.dies_at_s = 8.5
    return flight.land()


def two_out_early() -> Flight:
    """Both outer engines die at full speed: lift reaches further without the last one."""
    flight = Flight(make_config(), pos=(60.0, 20.0, 2600.0))
    flight.engines[1].dies_at_s = flight.engines[2].dies_at_s = 7.0
    return flight.land()


def two_out() -> Flight:
    """Both outer engines die later: the last one brakes on, beside the keep-out."""
    flight = Flight(make_config(), pos=(70.0, 25.0, 2600.0))
    flight.engines[1].dies_at_s = flight.engines[2].dies_at_s = 8.0
    return flight.land()


def turned_over() -> Flight:
    """Tilted beyond use: the kernel gives up."""
    return Flight(make_config(), q=(0.7, 0.7141428, 0.0, 0.0)).land(2.0)


def stands() -> Flight:
    """A landing, and what comes after it."""
    flight = Flight(make_config()).land()
    flight.pos, flight.vel, flight.force = (0.0, 0.0, 0.0), (0.0, 0.0, 0.0), (0.0, 0.0, 9.8)
    for _ in range(300):
        flight.frame += 1
        flight.sense()
        flight.run.step()
        flight.digest.update(flight.view)
        flight.modes.append(flight.telemetry.mode)
    return flight


def faulty_boards() -> Flight:
    """A board that cannot be armed, one in FAULT from the beginning."""

    def tamper(flight: Flight) -> None:
        flight.run.input.engine[1].state = SAFE
        flight.run.input.engine[2].state = FAULT

    return Flight(make_config(), tamper=tamper).land(7.0)


def noisy() -> Flight:
    """Navigation with noise, repeated and impossible solutions among it."""

    def tamper(flight: Flight) -> None:
        nav, n = flight.run.input.nav, flight.frame
        noise = ((n * 7919) % 1000) / 1000.0 - 0.5
        for i in range(3):
            nav.pos_pad_m[i] += 2.0 * noise * (i + 1)
            nav.vel_pad_mps[i] -= 0.4 * noise
            nav.omega_body_radps[i] += 0.004 * noise
        if n % 50 == 7:
            nav.vel_pad_mps[n % 3] = 1e9
        if n % 50 == 9:
            nav.q_pad_from_body[n % 4] = 1.2
        if n % 20 == 3:
            nav.valid_t_ns -= 20_000_000
        if n % 3 == 0:  # the same attitude
            nav.q_pad_from_body = [-x for x in nav.q_pad_from_body]

    return Flight(make_config(), **ASIDE, tamper=tamper).land()


def centre_out_late() -> Flight:
    """The centre engine dies in the finish: the pair is lit again."""
    flight = Flight(make_config(brake_throttle=0.58))
    flight.engines[0].dies_at_s = 14.58
    return flight.land()


def weak_finish() -> Flight:
    """The centre engine loses a third of its thrust in the finish, not enough to be held for failed."""

    def tamper(flight: Flight) -> None:
        if flight.telemetry.mode == TERMINAL:
            flight.engines[0].strength = 0.72

    return Flight(make_config(brake_throttle=0.58), tamper=tamper).land()


def stuck() -> Flight:
    """Valves and gimbals of an outer engine stay where they are, from the middle of the burn."""
    flight = Flight(make_config(brake_throttle=0.58), **ASIDE)
    flight.engines[2].stuck_at_s = 8.0
    return flight.land()


def unvouched() -> Flight:
    """From the middle of the burn the unit vouches for nothing, and its position jumps."""

    def tamper(flight: Flight) -> None:
        nav = flight.run.input.nav
        nav.valid = flight.now_s < 8.0
        nav.pos_pad_m[0] += 40.0 if flight.now_s > 9.0 else 0.0

    return Flight(make_config(), **ASIDE, tamper=tamper).land()


def strong_finish() -> Flight:
    """An engine that is far too strong for the finish is paused."""
    config = make_config(brake_throttle=0.58)
    for engine in config.engine[0:3]:
        engine.thrust_sl_n, engine.thrust_vac_n = 1100e3, 1200e3
    return Flight(config).land()


FLIGHTS: dict[str, Callable[[], Flight]] = {
    flight.__name__: flight
    for flight in (
        *(plain, aside, windy, optimised, optimised_loss, outer_out, centre_out, silent, weak_and_late),
        *(
            never_lights,
            deaf,
            lost,
            crossed,
            crossed_optimised,
            hover_class,
            all_out,
            two_out_early,
            two_out,
            turned_over,
            stands,
        ),
        *(faulty_boards, noisy),
        *(centre_out_late, weak_finish, stuck, unvouched, strong_finish),
    )
} | MISHAPS
