"""The kernel's modes under whatever happens in whatever order: navigation comes, goes stale, lies and ends;
engines die, fall silent and weaken; the stage is anywhere.  A model beside it knows what has to hold.

The booster here rises and sinks with its thrust and turns with nothing: rules put it where they want. What
is checked in each frame is what the kernel may never do, and what it has to tell of itself: how old its
navigation is, how much propellant its engines burnt, how old the plan is that it follows."""

from __future__ import annotations

import math
from typing import Any, Final

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from hil.kernel import Kernel, KernelRun, reference_kernel
from tests.kernel.flight import (
    ABORT,
    ARM,
    ARMED,
    BRAKING,
    CHAMBER_PA,
    COAST,
    DONE,
    DT,
    FAULT,
    FRAME_NS,
    G0,
    IGNITION,
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

NEXT: Final = {
    COAST: {IGNITION, ABORT},
    IGNITION: {BRAKING, TOUCHDOWN, ABORT},
    BRAKING: {TERMINAL, TOUCHDOWN, ABORT},
    TERMINAL: {TOUCHDOWN, ABORT},
    TOUCHDOWN: {DONE, ABORT},
    DONE: {ABORT},
    ABORT: set(),
}
"""Every mode and what may come after it: there is no way back."""
POWERED: Final = (IGNITION, BRAKING, TERMINAL)
LOST_AFTER_S, STALE_S, PLAN_FRESH_S = 2.0, 1.0, 1.0
NOTICED_FRAMES: Final = 12
"""20 ms of low pressure and the 0.1 s in which it has to be noticed."""
SETTLED_FRAMES: Final = 100
"""After MAINSTAGE an engine follows its valves."""
LIT: Final = 0.03
frames = st.sampled_from([1, 5, 20, 60, 220])
slots = st.integers(0, 2)


class Engine:
    """One engine: what its board says and its chamber does."""

    def __init__(self) -> None:
        self.state, self.valve, self.chamber = OFF, 0.0, 0.0
        self.gimbal = (0.0, 0.0)
        self.expected = 0.0
        """Chamber pressure that the valve should give."""
        self.started = self.main_frames = self.low_frames = self.silent_frames = 0
        self.strength, self.silent, self.garbled, self.touched = 1.0, False, False, False

    def point(self, asked: tuple[float, float]) -> None:
        """Turn the gimbal towards what is asked, at its rate."""
        most = 0.26 * DT
        x, y = (g + min(max(a - g, -most), most) for g, a in zip(self.gimbal, asked, strict=True))
        self.gimbal = x, y

    def obey(self, request: int, valve: float, start_s: float) -> None:
        """Take the next state, move the valve, build up pressure."""
        if request == ARM and self.state == OFF:
            self.state = ARMED
        elif request in (START, RUN) and self.state == ARMED:
            self.state = STARTING
        elif request == SHUTDOWN and self.state in (STARTING, MAINSTAGE):
            self.state = STOPPING
        elif self.state == STOPPING and self.valve == 0.0 and self.chamber < LIT:
            self.state = OFF
        self.started = self.started + 1 if self.state == STARTING else 0
        if self.started * DT >= start_s and self.strength > 0.5:
            self.state = MAINSTAGE
        self.main_frames = self.main_frames + 1 if self.state == MAINSTAGE else 0
        lit = self.state in (STARTING, MAINSTAGE)
        self.valve += min(max((valve if lit else 0.0) - self.valve, -4.0 * DT), 4.0 * DT)
        self.chamber += DT / (0.13 + DT) * (self.valve * self.strength * lit - self.chamber)
        self.expected += DT / (0.13 + DT) * (self.valve - self.expected)


class Modes(RuleBasedStateMachine):
    """Rules are what happens, `_frame` what the kernel does of it, `_check` what has to hold."""

    kernel: Kernel = reference_kernel()

    @initialize(
        forced=st.one_of(st.none(), st.sampled_from([0, 25, 250])),
        optimise=st.sampled_from([1, 1, 0]),
        before=st.sampled_from([0, 150, 700, 1000, 2600]),
        starts=st.sampled_from([2, 1]),
    )
    def begin(self, forced: int | None, optimise: int, before: int, starts: int) -> None:
        """Start the kernel; `forced`: the frame in which to light, `before`: frames flown undisturbed,
        `starts`: of each igniter."""
        changes: dict[str, Any] = {"optimise": optimise}
        if forced is not None:
            changes |= {"ignition_forced": 1, "ignition_forced_t_s": forced * DT}
        self.config = make_config(**changes)
        for engine in self.config.engine:
            engine.starts = starts
        self.run = KernelRun(self.kernel, self.config)
        self.out, self.telemetry = self.run.output, self.run.output.telemetry
        self.engines = [Engine() for _ in range(3)]
        self.frame, self.height, self.sink = 0, 2600.0, 250.0
        self.wander = [0.0, 0.0]
        self.tilt, self.turn_radps = (1.0, 0.0), 0.0
        self.heard_ns: int | None = None
        self.mode, self.aborted = COAST, False
        self.failed, self.asked, self.starts = [False] * 3, [False] * 3, [0] * 3
        self.gone_s = -math.inf
        self.mass = self.config.mass_kg
        self.flies(before)

    # ---- what happens

    @rule(count=frames)
    def flies(self, count: int) -> None:
        """Navigation is good, engines do what they are told."""
        for _ in range(count):
            self._move()
            self._frame()

    @rule(
        count=frames, how=st.sampled_from(["none", "repeated", "old", "invalid", "future", "nan", "absurd"])
    )
    def hears_no_good_navigation(self, count: int, how: str) -> None:
        """Nothing comes, or nothing that may be used."""
        for _ in range(count):
            self._move()
            self._frame(how)

    @rule(slot=slots, strength=st.sampled_from([0.0, 0.3, 0.6]))
    def loses_an_engine(self, slot: int, strength: float) -> None:
        """The chamber gives so much of what its valves should give."""
        self.engines[slot].strength = strength

    @rule(slot=slots)
    def weakens_an_engine(self, slot: int) -> None:
        """Less thrust, but no failure."""
        self.engines[slot].strength = min(self.engines[slot].strength, 0.85)

    @rule(slot=slots, silent=st.booleans())
    def a_board_falls_silent(self, slot: int, silent: bool) -> None:
        """No status comes any more, or again."""
        self.engines[slot].silent, self.engines[slot].touched = silent, True

    @rule(slot=slots, garbled=st.booleans())
    def a_sensor_is_no_number(self, slot: int, garbled: bool) -> None:
        """The chamber pressure is NaN."""
        self.engines[slot].garbled, self.engines[slot].touched = garbled, True

    @rule(slot=slots)
    def a_board_is_in_fault(self, slot: int) -> None:
        """The board gives up."""
        self.engines[slot].state, self.engines[slot].touched = FAULT, True

    @rule(
        height=st.sampled_from([0.01, 0.5, 30.0, 300.0, 1500.0]),
        sink=st.sampled_from([0.0, 2.0, 60.0, 250.0]),
    )
    def is_somewhere_else(self, height: float, sink: float) -> None:
        """The stage is lower and slower, or faster."""
        self.height, self.sink = min(self.height, height), sink

    @rule(across=st.floats(-80.0, 80.0), drift=st.floats(-10.0, 10.0))
    def is_off_to_the_side(self, across: float, drift: float) -> None:
        """The stage is beside the pad."""
        self.wander = [across, drift]

    @rule(half_angle=st.sampled_from([0.0, 0.1, -0.2]))
    def leans(self, half_angle: float) -> None:
        """The stage is tilted, not upset."""
        self.tilt = math.cos(half_angle), math.sin(half_angle)

    @precondition(lambda self: self.height < 30.0)
    @rule()
    def touches_down(self) -> None:
        """Feet on the ground, long enough to be through."""
        self.height, self.sink = 0.0, 0.0
        for _ in range(210):
            self._frame()

    @precondition(lambda self: self.mode in (*POWERED, DONE))
    @rule(upset=st.booleans())
    def is_aborted(self, upset: bool) -> None:
        """The abort line, or the stage on its side."""
        if upset:
            self.turn_radps = 1.0
            for k in range(150):
                self.tilt = math.cos(0.5 * k * DT), math.sin(0.5 * k * DT)
                self._frame()
            self.turn_radps = 0.0
            assert self.mode == ABORT, "a stage on its side burns on"
        self.aborted = not upset
        self._frame()
        self.aborted = False

    # ---- one frame

    def _move(self) -> None:
        if self.height > 0.0:
            self.sink += DT * (G0 - sum(e.chamber * 900e3 for e in self.engines) / self.mass)
        else:
            self.sink = 0.0
        self.height = max(self.height - self.sink * DT, 0.0)
        self.wander[0] += self.wander[1] * DT

    def _feed_navigation(self, how: str | None, t_ns: int) -> None:
        nav = self.run.input.nav
        nav.pos_pad_m, nav.vel_pad_mps = (self.wander[0], 0.0, self.height), (self.wander[1], 0.0, -self.sink)
        nav.q_pad_from_body, nav.height_m = (self.tilt[0], 0.0, self.tilt[1], 0.0), self.height
        nav.omega_body_radps = (0.0, self.turn_radps, 0.0)
        thrust = sum(e.chamber * 900e3 for e in self.engines)
        nav.force_body_mps2 = (0.0, 0.0, thrust / self.mass)
        nav.fresh, nav.valid = how != "none", how != "invalid"
        nav.valid_t_ns = t_ns
        if how == "repeated":
            nav.valid_t_ns = -1 if self.heard_ns is None else self.heard_ns
            nav.fresh = self.heard_ns is not None
        elif how == "old":
            nav.valid_t_ns = t_ns - round((STALE_S + 0.01) * 1e9)
        elif how == "future":
            nav.valid_t_ns = t_ns + round((STALE_S + 0.01) * 1e9)
        elif how == "nan":
            nav.vel_pad_mps[1] = math.nan
        elif how == "absurd":
            nav.pos_pad_m[2] = 1e9
        # one that nobody vouches for still tells how the stage moves, once there is a place to start from
        used = how is None or (how == "invalid" and self.heard_ns is not None)
        if used and (self.heard_ns is None or t_ns > self.heard_ns):
            self.heard_ns = t_ns

    def _frame(self, how: str | None = None) -> None:
        t_ns = self.frame * FRAME_NS
        self.run.input.t_ns, self.run.input.abort = t_ns, int(self.aborted)
        self._feed_navigation(how, t_ns)
        flow = 0.0
        for slot, engine in enumerate(self.engines):
            said = self.run.input.engine[slot]
            said.fresh, said.state = int(not engine.silent), engine.state
            said.ox_valve_pos = said.fuel_valve_pos = engine.valve
            said.gimbal_x_rad, said.gimbal_y_rad = engine.gimbal
            said.chamber_pa = math.nan if engine.garbled else engine.chamber * CHAMBER_PA
            if not engine.silent and not engine.garbled and engine.chamber > LIT:
                flow += engine.chamber * 900e3 / (310.0 * G0)
        was = self.mode
        self.run.step()
        self.mode = self.telemetry.mode
        if self.heard_ns is not None:
            self.mass = max(self.mass - flow * DT, self.config.dry_mass_kg)
        self._check(was, t_ns)
        for slot, engine in enumerate(self.engines):
            command = self.out.engine[slot]
            engine.point((command.gimbal_x_cmd_rad, command.gimbal_y_cmd_rad))
            engine.obey(command.request, command.ox_valve_cmd, self.config.engine[slot].start_s)
        self.frame += 1

    # ---- what has to hold in each

    def _check(self, was: int, t_ns: int) -> None:
        assert self.mode == was or self.mode in NEXT[was], f"mode {was} -> {self.mode}"
        for slot, engine in enumerate(self.engines):
            self._check_command(slot)
            self._check_health(slot, engine)
        self._check_navigation(t_ns)
        self._check_plan(t_ns * 1e-9)
        if self.aborted:
            assert self.mode == ABORT
        assert abs(self.telemetry.mass_est_kg - self.mass) < 1.0, "propellant that burns is not counted"
        assert self.telemetry.work <= self.kernel.work_bound

    def _check_command(self, slot: int) -> None:
        command, limits = self.out.engine[slot], self.config.engine[slot]
        values = (
            command.ox_valve_cmd,
            command.fuel_valve_cmd,
            command.gimbal_x_cmd_rad,
            command.gimbal_y_cmd_rad,
        )
        assert all(map(math.isfinite, values))
        assert max(map(abs, values[2:])) <= limits.gimbal_limit_rad
        running = command.request in (START, RUN)
        if running:
            assert self.mode in POWERED, f"mode {self.mode} runs engines"
            assert not self.failed[slot], "an engine that was given up is asked for again"
            self.starts[slot] += not self.asked[slot]
            assert self.starts[slot] <= limits.starts, "more starts than the igniter has"
            assert limits.throttle_floor <= min(values[:2]) <= max(values[:2]) <= 1.0
        else:
            assert values[:2] == (0.0, 0.0), "a valve is opened of an engine that is not to burn"
        assert command.request == ARM or self.mode != COAST
        self.asked[slot] = running
        assert command.failed or not self.failed[slot], "a failure is forgotten"
        if command.failed:
            assert not command.share
            assert not running
        if command.failed and not self.failed[slot]:
            self.gone_s = self.frame * DT
        self.failed[slot] = bool(command.failed)

    def _check_health(self, slot: int, engine: Engine) -> None:
        asked = self.asked[slot]
        good = not engine.silent and not engine.garbled
        weak = good and engine.main_frames > SETTLED_FRAMES and engine.chamber < 0.69 * engine.expected
        engine.low_frames = engine.low_frames + 1 if asked and weak and engine.expected > 0.3 else 0
        engine.silent_frames = engine.silent_frames + 1 if asked and not good else 0
        assert engine.low_frames <= NOTICED_FRAMES, f"engine {slot} is dead and nobody notices"
        assert engine.silent_frames <= NOTICED_FRAMES, f"board {slot} is silent and nobody notices"
        if self.out.engine[slot].failed and engine.strength == 1.0 and not engine.touched:
            raise AssertionError(f"engine {slot}, healthy, is given up")

    def _check_navigation(self, t_ns: int) -> None:
        if self.heard_ns is None:
            return
        age_s = (t_ns - self.heard_ns) * 1e-9
        assert abs(self.telemetry.nav_age_s - age_s) < 1e-6, f"{self.telemetry.nav_age_s} told, {age_s} true"
        if age_s > LOST_AFTER_S + 1e-6:
            assert self.mode == ABORT, "flies on without navigation"

    def _check_plan(self, now_s: float) -> None:
        if self.telemetry.plan_source != 2:
            return
        assert self.mode in POWERED
        assert self.telemetry.plan_age_s <= PLAN_FRESH_S + 1e-6, "an old plan is followed"
        made_s = now_s - self.telemetry.plan_age_s
        if self.mode == TERMINAL:
            return  # the step-down ends engines on purpose: a plan made before it is flown to its age
        assert made_s >= self.gone_s - 1e-6, "a plan is followed that counts on an engine that is gone"

    @invariant()
    def fins_and_telemetry_are_in_range(self) -> None:
        """What the frames' checks do not look at."""
        if not hasattr(self, "out"):
            return
        limit = self.config.fin_limit_rad
        assert all(abs(angle) <= limit for angle in self.out.fin_cmd_rad)
        told = self.telemetry
        numbers = (*told.accel_cmd_pad_mps2, told.time_to_go_s, told.thrust_cmd_n, told.ignition_margin_m)
        assert all(map(math.isfinite, (*numbers, told.ignition_margin_s)))


TestModes = Modes.TestCase
TestModes.settings = settings(
    max_examples=60, stateful_step_count=30, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
