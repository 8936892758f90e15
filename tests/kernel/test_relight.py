"""Engines that the finish does not use, and engines that do not do what they are asked: frame by frame."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tests.kernel.desk import Desk, brake
from tests.kernel.flight import (
    ARM,
    ARMED,
    BRAKING,
    CHAMBER_PA,
    CLUSTER,
    DT,
    FAULT,
    G0,
    MAINSTAGE,
    OFF,
    RUN,
    SHUTDOWN,
    START,
    STARTING,
    STOPPING,
    TERMINAL,
    TOUCHDOWN,
    make_config,
)
from tools.loop_margins import constant

STRONG: dict[str, Any] = {"thrust_sl_n": 1500e3, "thrust_vac_n": 1600e3}
"""An engine at its floor that stops the stage in a blink."""


def finishing(height_m: float = 60.0, sink: float = 20.0, **config: Any) -> Desk:
    """Return a stage that has just stepped down to its centre engine; the others are at rest, armed."""
    cluster = config.pop("cluster", CLUSTER)
    desk = brake(height_m=height_m, vel=(0.0, 0.0, -sink), cluster=cluster, config=config)
    desk.step()
    assert desk.telemetry.mode == TERMINAL
    rest(desk, ARMED, *range(1, len(desk.statuses)))
    desk.move()
    return desk


def rest(desk: Desk, state: int, *engines: int) -> None:
    """Let engines say that they do not burn."""
    for status in (desk.statuses[i] for i in engines):
        status.state, status.chamber_pa = state, 0.0
        status.ox_valve_pos = status.fuel_valve_pos = 0.0


def lose(desk: Desk, engine: int) -> None:
    """Let an engine die."""
    rest(desk, FAULT, engine)


def light(desk: Desk, *engines: int) -> None:
    """Let engines burn as they are told."""
    for status in (desk.statuses[i] for i in engines):
        status.state = MAINSTAGE
    desk.obey()


def until(desk: Desk, request: int, engine: int, most: int = 400) -> None:
    """Let the stage move until an engine is asked for something."""
    for _ in range(most):
        if desk.requests[engine] == request:
            return
        desk.move()
    raise AssertionError(f"engine {engine} was never asked for {request}")


# ---- engines that are kept


@pytest.mark.parametrize(
    ("state", "request_"), [(MAINSTAGE, SHUTDOWN), (STOPPING, SHUTDOWN), (OFF, ARM), (ARMED, ARM)]
)
def test_an_engine_that_was_stopped_is_armed_once_it_is_at_rest(state: int, request_: int) -> None:
    desk = finishing()
    desk.statuses[1].state = state
    desk.move(2)
    assert desk.requests == [RUN, request_, ARM]


def needed_later(desk: Desk) -> float:
    """Return the deceleration that stops the stage from where it falls until the engines' thrust comes."""
    t = constant("fk_modes.c", "LIGHT_PART") * desk.config.engine[0].start_s
    v = desk.sink_mps + G0 * t
    return v * v / 2.0 / (desk.nav.height_m - desk.sink_mps * t - 0.5 * G0 * t * t)


def planned_mass(desk: Desk) -> float:
    """Return the mass at the end of the finish: what is assumed at first, as hardly anything was learnt."""
    c = desk.config
    return float(c.dry_mass_kg + 0.3 * (c.mass_kg - c.dry_mass_kg))


def planned(desk: Desk, engines: int) -> float:
    """Return the deceleration of a finish on so many engines: gentle, but above their floor."""
    full, mass = engines * 800e3, planned_mass(desk)
    floor = (0.56 * 900e3 - 100e3) / 800e3 + constant("fk_guidance.c", "FLOOR_ROOM")
    gentle = mass * (G0 + constant("fk_guidance.c", "FINISH_DECEL_GENTLE")) / full
    return min(desk.config.land_throttle, max(gentle, floor)) * full / mass - G0


def test_where_the_finish_loses_its_engine_the_others_light_as_late_as_they_can() -> None:
    desk = finishing(height_m=100.0)
    lose(desk, 0)
    desk.move(2)
    assert desk.requests == [SHUTDOWN, ARM, ARM]
    while desk.requests[1] == ARM:
        before = needed_later(desk)
        desk.move()
    assert desk.requests == [SHUTDOWN, START, START]
    assert before < planned(desk, 2) * 1.02
    assert needed_later(desk) > planned(desk, 2) * 0.98
    assert [c.share for c in desk.commands] == [0, 1, 1]
    rest(desk, STARTING, 1, 2)
    desk.move(20)
    assert desk.requests == [SHUTDOWN, START, START]
    light(desk, 1, 2)
    desk.move()
    assert desk.requests == [SHUTDOWN, RUN, RUN]
    assert desk.telemetry.mode == TERMINAL
    assert desk.telemetry.thrust_cmd_n > desk.telemetry.mass_est_kg * G0


def test_what_is_left_of_a_lost_engines_push_delays_the_start_of_the_others() -> None:
    """Its thrust tails off: as long as it is felt, the stage falls slower than freely."""
    started = []
    for push in (0.0, 8.0):
        desk = finishing(height_m=100.0)
        lose(desk, 0)
        desk.move(2)
        while desk.requests[1] == ARM:
            desk.move()
            desk.nav.force_body_mps2[2] = push  # felt, and already in the motion that is told
            desk.step()
        started.append(desk.frame)
    assert started[1] > started[0] + 3


def test_a_push_that_lasts_delays_the_start_further_than_one_that_ends() -> None:
    """An engine whose thrust tails off for seconds still slows the stage when the others burn."""
    started = []
    for ends in (20, 400):
        desk = finishing(height_m=100.0)
        lose(desk, 0)
        desk.move(2)
        for frame in range(300):
            if desk.requests[1] == START:
                break
            desk.move()
            desk.nav.force_body_mps2[2] = 6.0 if frame < ends else 0.0
            desk.step()
        started.append(desk.frame)
    assert started[1] > started[0] + 3


def test_engines_are_lit_again_once_and_no_third_time() -> None:
    """Two starts each: after the second loss nothing is left."""
    desk = finishing(height_m=100.0)
    lose(desk, 0)
    until(desk, START, 1)
    light(desk, 1, 2)
    desk.move(5)
    lose(desk, 1)
    lose(desk, 2)
    desk.move(2)
    assert [c.failed for c in desk.commands] == [1, 1, 1]
    for state in (OFF, ARMED):
        rest(desk, state, 0, 1, 2)
        desk.move(5)
        assert desk.requests == [SHUTDOWN] * 3


def test_an_engine_with_one_start_in_all_is_not_kept_for_a_second() -> None:
    desk = brake(height_m=100.0, vel=(0.0, 0.0, -20.0), config={"starts": 1})
    desk.step()
    rest(desk, ARMED, 1, 2)
    lose(desk, 0)
    for _ in range(100):
        desk.move()
        assert START not in desk.requests


@pytest.mark.parametrize("why", ["silent", "never armed"])
def test_an_engine_that_cannot_be_lit_is_not_asked(why: str) -> None:
    desk = finishing(height_m=100.0)
    lose(desk, 0)
    if why == "silent":
        desk.statuses[1].fresh = 0
        desk.move(6)
    else:
        rest(desk, OFF, 1)
    until(desk, START, 2)
    assert desk.requests[1] != START


def test_nothing_is_lit_again_while_the_finish_burns() -> None:
    desk = finishing()
    for _ in range(150):
        desk.obey()
        desk.move()
        assert desk.requests in ([RUN, ARM, ARM], [SHUTDOWN] * 3)
        assert (desk.telemetry.mode == TOUCHDOWN) == (desk.requests[0] == SHUTDOWN)


def test_after_touchdown_nothing_is_kept() -> None:
    desk = finishing(height_m=5.0, sink=5.0)
    while desk.telemetry.mode == TERMINAL:
        desk.move()
    assert desk.requests == [SHUTDOWN] * 3


# ---- the end


def sink_on(desk: Desk, frames: int = 1) -> None:
    """Run frames in which the stage goes on sinking as fast as it does."""
    for _ in range(frames):
        desk.nav.pos_pad_m[2] -= desk.sink_mps * DT
        desk.nav.height_m = desk.nav.pos_pad_m[2]
        desk.nav.force_body_mps2[2] = G0
        desk.step()


def test_where_engines_can_hover_the_finish_goes_on_until_the_stage_stops() -> None:
    """Navigation may believe in a ground that is too high; it is not believed for ever."""
    desk = finishing(height_m=1.0, sink=0.8)
    below = 0
    while desk.telemetry.mode == TERMINAL:
        sink_on(desk)
        below += desk.nav.height_m < constant("fk_modes.c", "TOUCH_HEIGHT_M")
    assert abs(below - constant("fk_modes.c", "LOW_FRAMES")) < 10
    desk = finishing(height_m=1.0, sink=0.8)
    sink_on(desk, 180)
    assert desk.telemetry.mode == TERMINAL
    for _ in range(10):  # the legs take it up
        desk.nav.vel_pad_mps[2] += 0.08
        desk.nav.force_body_mps2[2] = G0 + 8.0
        desk.step()
    desk.step(5)
    assert desk.telemetry.mode == TOUCHDOWN


def test_where_engines_cannot_hover_the_ground_that_navigation_believes_in_ends_the_finish() -> None:
    desk = finishing(height_m=1.0, sink=0.8, **STRONG)
    while desk.telemetry.mode == TERMINAL:
        sink_on(desk)
    assert 0.0 < desk.nav.height_m < 0.15


# ---- engines that are too strong


def test_engines_that_would_stop_the_stage_far_up_are_paused_and_lit_again() -> None:
    desk = finishing(height_m=90.0, sink=20.0, **STRONG)
    desk.move(round(constant("fk_modes.c", "SETTLED_FRAMES")) + 3)
    assert desk.requests == [SHUTDOWN, ARM, ARM]
    assert not any(c.failed for c in desk.commands)
    rest(desk, ARMED, 0)
    until(desk, START, 0)
    assert desk.requests == [START] * 3
    light(desk, 0, 1, 2)
    desk.move(2)
    assert desk.requests == [RUN] * 3
    for _ in range(60):  # no third start, so no second pause
        desk.obey()
        desk.move()
        assert desk.requests[0] == RUN or desk.telemetry.mode != TERMINAL


@pytest.mark.parametrize(("part", "paused"), [(0.85, True), (1.15, False)])
def test_engines_are_paused_as_soon_as_their_floor_would_stop_the_stage_too_high(
    part: float, paused: bool
) -> None:
    """By so little that it would stop some metres up: a pause costs little where the stage is fast."""
    config = make_config(CLUSTER)
    floor_n = 0.56 * STRONG["thrust_vac_n"] - (STRONG["thrust_vac_n"] - STRONG["thrust_sl_n"])
    least = floor_n / (config.dry_mass_kg + 0.3 * (config.mass_kg - config.dry_mass_kg)) - G0
    desk = finishing(height_m=60.0**2 / (2.0 * part * least), sink=60.0, **STRONG)
    for _ in range(round(constant("fk_modes.c", "SETTLED_FRAMES")) + 3):
        desk.step()
    assert (desk.requests == [SHUTDOWN, ARM, ARM]) == paused


def test_engines_that_fit_are_not_paused() -> None:
    desk = finishing(height_m=90.0, sink=20.0)
    desk.move(60)
    assert desk.requests == [RUN, ARM, ARM]


def test_a_centre_engine_that_comes_up_late_lands_the_stage_once_it_can_do_so_alone() -> None:
    """The finish begins on the outer pair; the centre engine is a second late."""
    desk = Desk(ignition_forced=1)
    desk.nav.valid = 0
    desk.step()
    desk.burn(0.7, 0.7, 0.7)
    rest(desk, STARTING, 0)
    desk.put(height_m=40.0, vel=(0.0, 0.0, -27.0))
    desk.step(2)
    assert desk.telemetry.mode == TERMINAL
    desk.move(3)
    assert desk.requests == [START, RUN, RUN]
    light(desk, 0)
    desk.move()
    assert desk.requests == [RUN] * 3
    while desk.requests[1] == RUN:
        before = desk.sink_mps**2 / (2.0 * desk.nav.height_m)
        desk.obey()
        desk.move()
    full = constant("fk_guidance.c", "FINISH_THROTTLE_MAX") * 800e3
    assert desk.sink_mps**2 / (2.0 * desk.nav.height_m) < full / desk.config.dry_mass_kg - G0
    assert before > full / planned_mass(desk) - G0
    assert desk.requests == [RUN, SHUTDOWN, SHUTDOWN]


# ---- a flight that is resumed


def resume(felt: float = 0.0) -> Desk:
    """Return a finish whose computer was reset: ignition is due as soon as its flight begins.

    It feels so much more than its engines should give.
    """
    desk = Desk()
    desk.put(height_m=90.0, vel=(0.0, 0.0, -25.0))
    rest(desk, ARMED, 0, 1, 2)
    desk.step(15)
    assert desk.requests == [START] * 3
    desk.move()
    light(desk, 0, 1, 2)
    for _ in range(60):
        desk.obey()
        desk.move()
        desk.nav.force_body_mps2[2] *= 1.0 + felt
        desk.step()
    return desk


def test_a_flight_that_is_resumed_has_no_start_left() -> None:
    """Its engines have burnt before: those that are shut down are not lit once more."""
    desk = resume()
    assert desk.telemetry.mode == TERMINAL
    assert desk.requests[0] == RUN
    rest(desk, ARMED, 1, 2)
    lose(desk, 0)
    for _ in range(100):
        desk.move()
        assert START not in desk.requests


def test_a_flight_that_is_resumed_takes_its_mass_from_what_is_felt() -> None:
    assert resume(felt=0.2).telemetry.mass_est_kg < 0.95 * resume().telemetry.mass_est_kg


# ---- engines that are too weak, and those that do not obey


def weaken(desk: Desk, part: float, frames: int) -> None:
    """Let the centre engine give so much of what its valves should, and do all else as it is told."""
    for _ in range(frames):
        desk.obey()
        desk.statuses[0].chamber_pa *= part
        desk.move()
        if desk.requests[0] != RUN:
            return


@pytest.mark.parametrize(("height_m", "sink", "stopped"), [(60.0, 20.0, True), (17.0, 10.0, False)])
def test_a_weak_finish_is_stopped_but_not_held_for_failed_while_the_others_can_stop_the_fall(
    height_m: float, sink: float, stopped: bool
) -> None:
    desk = finishing(height_m=height_m, sink=sink)
    weaken(desk, 0.71, 80)
    assert (desk.requests[0] == SHUTDOWN) == stopped
    assert desk.commands[0].failed == 0
    if stopped:
        rest(desk, ARMED, 0)
        until(desk, START, 1)
        assert desk.requests == [SHUTDOWN, START, START]  # it is not lit again itself


@pytest.mark.parametrize(("height_m", "given_up"), [(60.0, True), (30.0, False)])
def test_a_finish_that_is_too_weak_is_given_up_while_there_is_height_to_light_the_others(
    height_m: float, given_up: bool
) -> None:
    """The engine burns at its floor only, whatever it is asked."""
    desk = finishing(height_m=height_m, sink=13.0 if height_m < 40.0 else 20.0)
    desk.statuses[0].ox_valve_pos = desk.statuses[0].fuel_valve_pos = 0.56
    desk.statuses[0].chamber_pa = 0.5 * CHAMBER_PA
    for _ in range(300):
        desk.move()
        if desk.telemetry.mode != TERMINAL or desk.commands[0].failed:
            break
    assert bool(desk.commands[0].failed) == given_up
    base = constant("fk_modes.c", "RELIGHT_BASE_M")
    if given_up:
        assert desk.nav.height_m > constant("fk_modes.c", "RELIGHT_S") * desk.sink_mps + base


def test_a_chugging_engine_is_not_held_for_a_weak_one() -> None:
    """Its pressure swings about what its valves should give: they are told what they would be without."""
    asked = []
    for swing in (0.0, 0.5):
        desk = brake(height_m=2900.0, vel=(0.0, 0.0, -200.0), force=(0.0, 0.0, G0))
        for frame in range(150):
            desk.obey()
            desk.statuses[1].chamber_pa *= 1.0 + (swing if frame % 4 < 2 else -swing)
            desk.nav.force_body_mps2[2] = G0
            desk.step()
        assert not desk.commands[1].failed
        asked.append(desk.commands[1].ox_valve_cmd)
    assert asked[1] == pytest.approx(asked[0], rel=0.02)


def stick(name: str, value: float) -> Callable[[Any, Any, int], None]:
    """Return what holds one reading so far from its command."""

    def hold(status: Any, command: Any, _: int) -> None:
        asked = {"ox_valve_pos": "ox_valve_cmd", "fuel_valve_pos": "fuel_valve_cmd"}.get(
            name, name.replace("_rad", "_cmd_rad")
        )
        setattr(status, name, getattr(command, asked) + value)

    return hold


def swell(factor: float) -> Callable[[Any, Any, int], None]:
    """Return what has the chamber pressure above what the valves give."""

    def hold(status: Any, _: Any, __: int) -> None:
        status.chamber_pa *= factor

    return hold


def creep(status: Any, command: Any, frame: int) -> None:
    """A valve that is slow, but moves."""
    status.ox_valve_pos = command.ox_valve_cmd + 0.2 - 0.0015 * (frame % 60)


VALVE_OFF, GIMBAL_OFF = constant("fk_health.c", "VALVE_OFF"), constant("fk_health.c", "GIMBAL_OFF_RAD")
HIGH = constant("fk_health.c", "HIGH_PRESSURE")
ODD: dict[str, tuple[Callable[[Any, Any, int], None], bool]] = {
    "oxidiser valve off": (stick("ox_valve_pos", 1.5 * VALVE_OFF), True),
    "oxidiser valve a little off": (stick("ox_valve_pos", 0.8 * VALVE_OFF), False),
    "fuel valve off": (stick("fuel_valve_pos", 1.5 * VALVE_OFF), True),
    "gimbal off": (stick("gimbal_x_rad", 1.5 * GIMBAL_OFF), False),
    "gimbal run away": (stick("gimbal_x_rad", 1.2 * constant("fk_health.c", "HARD_OVER") * 0.12), True),
    "pressure high": (swell(1.1 * HIGH), True),
    "pressure a little high": (swell(0.9 * HIGH), False),
    "valve slow": (creep, False),
}
"""What an engine does besides what it is asked, and whether that makes it one to give up."""


def burn_on(desk: Desk, odd: Callable[[Any, Any, int], None], seconds: float, engine: int = 1) -> None:
    """Let all engines do as they are told, and one besides what is odd with it."""
    for frame in range(round(seconds / DT)):
        desk.obey()
        if desk.statuses[engine].state == MAINSTAGE:
            odd(desk.statuses[engine], desk.commands[engine], frame)
        desk.nav.force_body_mps2[2] = G0  # in still fall: the commands change slowly
        desk.nav.pos_pad_m[2] += DT * desk.nav.vel_pad_mps[2]
        desk.nav.height_m = desk.nav.pos_pad_m[2]
        desk.step()


@pytest.mark.parametrize("what", ODD)
def test_a_wild_engine_is_given_up_once_the_others_can_do_without_it(what: str) -> None:
    odd, wild = ODD[what]
    desk = brake(height_m=2900.0, vel=(0.0, 0.0, -200.0), force=(0.0, 0.0, G0))
    burn_on(desk, odd, constant("fk.h", "FK_ENGINE_OUT_S") - 0.1)
    assert not any(c.failed for c in desk.commands)
    burn_on(desk, odd, 0.6)
    assert [c.failed for c in desk.commands] == [0, int(wild), 0]
    assert desk.telemetry.mode == BRAKING


def test_a_lame_gimbal_is_told_to_stand_straight_until_it_follows_again() -> None:
    """The others steer meanwhile, with the whole torque."""
    desk = brake(height_m=2900.0, vel=(0.0, 0.0, -200.0), force=(0.0, 0.0, G0), omega=(0.0, 0.01, 0.0))
    sound = desk.commands[2].gimbal_x_cmd_rad
    assert desk.commands[1].gimbal_x_cmd_rad == sound != 0.0
    burn_on(desk, ODD["gimbal off"][0], constant("fk_health.c", "LAME_S") + 0.2)
    assert desk.commands[1].gimbal_x_cmd_rad == 0.0 != desk.commands[2].gimbal_x_cmd_rad
    burn_on(
        desk,
        lambda *_: None,
        1.5 * constant("fk_health.c", "LAME_MOST_S") / constant("fk_health.c", "LAME_FORGOTTEN"),
    )
    assert desk.commands[1].gimbal_x_cmd_rad == desk.commands[2].gimbal_x_cmd_rad != 0.0


GIMBAL: dict[str, tuple[Callable[[Any, Any, int], None], bool]] = {
    "off in x": (stick("gimbal_x_rad", 1.5 * GIMBAL_OFF), True),
    "off in y": (stick("gimbal_y_rad", -1.5 * GIMBAL_OFF), True),
    "a little off": (stick("gimbal_y_rad", 0.8 * GIMBAL_OFF), False),
}
"""How a gimbal stands where it was not told to, and whether its engine is no longer to land on."""


@pytest.mark.parametrize("what", GIMBAL)
def test_a_finish_whose_gimbal_rests_elsewhere_is_given_up_for_the_others(what: str) -> None:
    odd, given_up = GIMBAL[what]
    desk = finishing(height_m=100.0)
    for frame in range(round((constant("fk_health.c", "WILD_AFTER_S") + 0.5) / DT)):
        desk.obey()
        if not desk.commands[0].failed:
            odd(desk.statuses[0], desk.commands[0], frame)
        desk.move()
    assert bool(desk.commands[0].failed) == given_up


def test_the_last_engine_is_kept_however_wild() -> None:
    desk = brake(height_m=2900.0, vel=(0.0, 0.0, -200.0), force=(0.0, 0.0, G0), cluster=CLUSTER[:1])
    burn_on(desk, ODD["oxidiser valve off"][0], 4.0, engine=0)
    assert not desk.commands[0].failed


# ---- late engines, and shut valves


def lit_after(seconds: float) -> list[int]:
    """Return which engines are given up when the second one lights so late, its pump spooling up from 0.3
    to 0.7 of the full pressure with a lag of 0.3 s."""
    desk = Desk(ignition_forced=1)
    desk.put(height_m=4000.0)
    desk.move()
    desk.burn(0.7, 0.0, 0.7)
    desk.statuses[1].state = STARTING
    desk.statuses[1].ox_valve_pos = desk.statuses[1].fuel_valve_pos = 0.7
    desk.move(round(seconds / DT))
    pressure, desk.statuses[1].state = 0.3, MAINSTAGE
    for _ in range(150):
        pressure += DT / 0.3 * (0.7 - pressure)
        desk.statuses[1].chamber_pa = pressure * CHAMBER_PA
        desk.move()
    return [c.failed for c in desk.commands]


def test_an_engine_that_lights_late_may_spool_up_and_one_in_time_may_not() -> None:
    start_s = Desk().config.engine[0].start_s
    part = constant("fk_health.c", "LATE_PART")
    assert lit_after(1.5 * start_s) == [0, 0, 0]
    assert lit_after((part + 0.1) * start_s) == [0, 0, 0]
    assert lit_after((part - 0.1) * start_s) == [0, 1, 0]


def test_pressure_behind_shut_valves_is_no_thrust() -> None:
    """A frozen reading: what leaves the tanks follows the valves, after the tail of the thrust."""
    desk = brake(height_m=2500.0)
    desk.move(50)
    for status in desk.statuses:
        status.ox_valve_pos = status.fuel_valve_pos = 0.0
    desk.move(60)
    mass = desk.telemetry.mass_est_kg
    desk.move(20)
    assert desk.telemetry.mass_est_kg == mass
    desk.statuses[1].ox_valve_pos = desk.statuses[1].fuel_valve_pos = 0.7
    desk.move(20)
    assert desk.telemetry.mass_est_kg < mass


# ---- the legs


@pytest.mark.parametrize("strong", [True, False])
def test_a_tilted_stage_on_strong_engines_brakes_for_the_leg_that_is_first(strong: bool) -> None:
    """Twice the root of its cross-section away from the axis: the speed is that of a lower stage."""
    config = STRONG if strong else {}
    lean = 0.02
    asked = []
    for tilt, lower in ((0.0, 0.0), (lean, 0.0), (0.0, 2.0 * 4.0 * 2.0 * lean)):
        q = ((1.0 - tilt * tilt) ** 0.5, tilt, 0.0, 0.0)
        desk = brake(height_m=30.0 - lower, vel=(0.0, 0.0, -12.0), q=q, force=(0.0, 0.0, G0), config=config)
        desk.step()
        assert desk.telemetry.mode == TERMINAL
        asked.append(desk.telemetry.thrust_cmd_n)
    level, tilted, lower_down = asked
    if strong:
        assert tilted / level == pytest.approx(lower_down / level, rel=2e-3)
        assert tilted > 1.003 * level
    else:
        assert tilted == pytest.approx(level, rel=2e-3)
