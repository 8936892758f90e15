"""What the kernel believes of the navigation it is told, seen in what it commands and reports."""

from __future__ import annotations

import math

import pytest

from tests.kernel.desk import Desk
from tests.kernel.flight import ABORT, COAST, DT, FRAME_NS, G0
from tools.loop_margins import constant

ROOMS = {
    "pos_pad_m": (constant("fk_nav.c", "POSITION_ROOM_M"), constant("fk_nav.c", "POSITION_ROOM_MPS")),
    "vel_pad_mps": (constant("fk_nav.c", "VELOCITY_ROOM_MPS"), constant("fk_nav.c", "VELOCITY_ROOM_MPS2")),
}
"""Component -> room about what the others lead to, and its growth a second while it is not believed."""


def gliding() -> Desk:
    """Return a stage that sinks steadily, held up by the air, known for a tenth of a second."""
    desk = Desk(ignition_forced=1, ignition_forced_t_s=1e6)
    desk.put(height_m=2500.0, vel=(0.0, 0.0, -100.0), force=(0.0, 0.0, G0))
    glide(desk, 10)
    return desk


def glide(desk: Desk, frames: int) -> None:
    """Let it sink on."""
    for _ in range(frames):
        desk.nav.pos_pad_m[2] += DT * desk.nav.vel_pad_mps[2]
        desk.nav.height_m = desk.nav.pos_pad_m[2]
        desk.step()


def followed(name: str, jump: float, frames: int, axis: int = 2) -> float:
    """Return by how much the ignition margin moves in that many frames after one component has jumped, m."""
    plain, jumped = gliding(), gliding()
    for _ in range(frames):
        for desk, off in ((plain, 0.0), (jumped, jump)):
            desk.nav.pos_pad_m[2] += DT * -100.0
            desk.nav.height_m = desk.nav.pos_pad_m[2]
            getattr(desk.nav, name)[axis] += off
            desk.step()
            getattr(desk.nav, name)[axis] -= off
    return float(jumped.telemetry.ignition_margin_m - plain.telemetry.ignition_margin_m)


@pytest.mark.parametrize("name", ROOMS)
@pytest.mark.parametrize("sign", [-1.0, 1.0])
def test_a_component_that_jumps_out_of_its_room_is_not_followed(name: str, sign: float) -> None:
    room, _ = ROOMS[name]
    assert followed(name, sign * 1.01 * room, 30) == 0.0
    assert followed(name, sign * 0.99 * room, 30) * (sign if name == "pos_pad_m" else 1.0) != 0.0


def test_a_jump_within_its_room_is_followed_all_the_way() -> None:
    assert followed("pos_pad_m", 2.9, 200) == pytest.approx(2.9, rel=0.01)


def test_what_is_believed_draws_no_faster_than_it_may() -> None:
    per_s = constant("fk_nav.c", "POSITION_DRAW_MPS")
    assert followed("pos_pad_m", 2.9, 50) == pytest.approx(0.5 * per_s, abs=1e-4)
    assert followed("pos_pad_m", -2.9, 50) == pytest.approx(-0.5 * per_s, abs=1e-4)


def test_a_velocity_that_stands_still_is_left_behind() -> None:
    """The stage brakes by 4 m/s2, the velocity stands for 3 s: then it is believed again, at once."""
    plain, stuck = gliding(), gliding()
    for k in range(350):
        for desk in (plain, stuck):
            true_mps = -100.0 + 4.0 * DT * (k + 1)
            desk.nav.pos_pad_m[2] += DT * (true_mps - 2.0 * DT)
            desk.nav.height_m = desk.nav.pos_pad_m[2]
            desk.nav.force_body_mps2[2] = G0 + 4.0
            desk.nav.vel_pad_mps[2] = -100.0 if desk is stuck and k < 300 else true_mps
            desk.step()
    assert stuck.telemetry.ignition_margin_m == pytest.approx(plain.telemetry.ignition_margin_m, abs=5.0)


@pytest.mark.parametrize("name", ROOMS)
def test_the_room_grows_while_a_component_is_not_believed(name: str) -> None:
    """It is believed again once the room has grown to where it is, and not before."""
    room, per_s = ROOMS[name]
    wait = round(1.0 / DT)
    jump = room + per_s
    assert followed(name, jump, wait - 1) == 0.0
    assert followed(name, jump, wait + 5) != 0.0


def test_the_others_are_followed_while_one_is_not_believed() -> None:
    """Height is led on by the speed that is still believed: a wrong one alone does not spoil the rest."""
    plain, jumped = gliding(), gliding()
    jumped.nav.pos_pad_m[0] = 50.0
    glide(plain, 100)
    glide(jumped, 100)
    assert jumped.telemetry.ignition_margin_m == plain.telemetry.ignition_margin_m
    assert jumped.telemetry.nav_age_s == 0.0
    assert list(jumped.out.fin_cmd_rad) == list(plain.out.fin_cmd_rad)


def test_small_steps_are_followed_wherever_they_lead() -> None:
    """What no room can see: a position that walks away a little in every frame."""
    plain, led = gliding(), gliding()
    for k in range(300):
        glide(plain, 1)
        led.nav.pos_pad_m[2] = plain.nav.pos_pad_m[2] + 0.02 * k
        led.nav.height_m = led.nav.pos_pad_m[2]
        led.step()
    moved = led.telemetry.ignition_margin_m - plain.telemetry.ignition_margin_m
    assert moved > 5.0


@pytest.mark.parametrize(("turn_deg", "turned"), [(2.9, True), (3.5, False)])
def test_an_attitude_is_believed_within_its_room(turn_deg: float, turned: bool) -> None:
    """Half an angle whose cosine the room is: 3.2 deg."""
    edge_deg = math.degrees(2.0 * math.acos(constant("fk_nav.c", "ATTITUDE_ROOM")))
    assert (turn_deg < edge_deg) == turned
    half = math.radians(turn_deg / 2.0)
    plain, leaned = gliding(), gliding()
    leaned.nav.q_pad_from_body = (math.cos(half), 0.0, math.sin(half), 0.0)
    plain.step()
    leaned.step()
    assert (list(leaned.out.fin_cmd_rad) != list(plain.out.fin_cmd_rad)) == turned


def test_data_that_the_unit_does_not_vouch_for_is_followed() -> None:
    vouched, unvouched = gliding(), gliding()
    unvouched.nav.valid = 0
    for _ in range(100):
        for desk in (vouched, unvouched):
            glide(desk, 1)
        assert unvouched.telemetry.ignition_margin_m == vouched.telemetry.ignition_margin_m
    assert unvouched.telemetry.nav_age_s == 0.0


def test_flight_is_given_up_after_thirty_seconds_that_nobody_vouched_for() -> None:
    desk = gliding()
    desk.put(height_m=2490.0, vel=(0.0, 0.0, -100.0), force=(0.0, 0.0, G0))
    most = round(constant("fk_nav.c", "INERTIAL_MOST_S") / DT)
    desk.nav.valid = 0
    hover(desk, most - 1)
    assert desk.telemetry.mode == COAST
    hover(desk, 3)
    assert desk.telemetry.mode == ABORT


def test_one_word_of_the_unit_begins_the_thirty_seconds_anew() -> None:
    desk = gliding()
    most = round(constant("fk_nav.c", "INERTIAL_MOST_S") / DT)
    desk.nav.valid = 0
    hover(desk, most - 10)
    desk.nav.valid = 1
    hover(desk, 1)
    desk.nav.valid = 0
    hover(desk, most - 10)
    assert desk.telemetry.mode == COAST


@pytest.mark.parametrize("slow_by", [0.06, 0.08])
def test_a_clock_that_is_slow_keeps_navigation(slow_by: float) -> None:
    """After 20 s the unit's times are more than a second ahead: they are now all the same."""
    plain, slow = gliding(), gliding()
    glide(plain, round(20.0 * (1.0 + slow_by) / DT))
    for _ in range(round(20.0 / DT)):
        slow.late_ns += round(slow_by * FRAME_NS)
        slow.nav.pos_pad_m[2] -= 100.0 * slow_by * DT
        glide(slow, 1)
        assert slow.telemetry.nav_age_s == 0.0
    assert slow.telemetry.mode == COAST
    assert slow.telemetry.ignition_margin_m == pytest.approx(plain.telemetry.ignition_margin_m, abs=1e-6)


def test_a_clock_that_loses_more_than_a_tenth_is_lost_in_the_end() -> None:
    desk = gliding()
    for _ in range(round(15.0 / DT)):
        desk.late_ns += round(0.25 * FRAME_NS)
        glide(desk, 1)
    assert desk.telemetry.mode == ABORT


def test_one_time_from_the_future_says_little() -> None:
    """The clock is set by a thousandth of a second: what comes next is so much old, not half a second."""
    desk = gliding()
    desk.late_ns = 500_000_000
    glide(desk, 1)
    desk.late_ns = 0
    glide(desk, 51)
    assert desk.telemetry.nav_age_s == pytest.approx(constant("fk_nav.c", "CATCH_UP_NS") * 1e-9)


def test_a_clock_is_caught_up_with_by_a_minute_at_most_and_never_beyond_the_end_of_time() -> None:
    desk = gliding()
    desk.put(height_m=2500.0, vel=(0.0, 0.0, -0.01), force=(0.0, 0.0, G0))
    most = round(constant("fk_nav.c", "BEHIND_MOST_NS") / constant("fk_nav.c", "CATCH_UP_NS"))
    for _ in range(most):
        desk.late_ns += 1_000_000
        desk.step()
    assert desk.telemetry.nav_age_s == 0.0
    desk.late_ns += 500_000_000
    desk.step()
    desk.late_ns -= 500_000_000
    desk.step(51)
    assert desk.telemetry.nav_age_s == 0.0, "that one was no longer caught up with"
    desk.run.input.t_ns = 2**63 - 1
    desk.run.step()
    assert desk.telemetry.nav_age_s == 1e3


def hover(desk: Desk, frames: int) -> None:
    """Run frames in which the stage is where it was: slow down first, within belief."""
    speed = desk.nav.vel_pad_mps[2]
    for _ in range(frames):
        speed = min(speed + 0.2, -0.1)
        desk.nav.vel_pad_mps[2] = speed
        desk.nav.force_body_mps2[2] = G0 + (0.2 / DT if speed < -0.1 else 0.0)
        desk.nav.pos_pad_m[2] += DT * speed
        desk.nav.height_m = desk.nav.pos_pad_m[2]
        desk.step()


def test_after_a_gap_the_first_solution_is_taken_as_it_is() -> None:
    """Engines step down while nothing is heard: what the held force led to is wrong by more than any room."""
    plain, gone = gliding(), gliding()
    for k in range(80):
        for desk in (plain, gone):
            force = 2.0 * G0 if k < 20 else 0.5 * G0
            desk.nav.pos_pad_m[2] += DT * desk.nav.vel_pad_mps[2]
            desk.nav.height_m = desk.nav.pos_pad_m[2]
            desk.nav.vel_pad_mps[2] += DT * (force - G0)
            desk.nav.force_body_mps2[2] = force
            desk.nav.fresh = 0 if desk is gone and 20 <= k < 70 else 1
            desk.step()
    assert gone.telemetry.ignition_margin_m == pytest.approx(plain.telemetry.ignition_margin_m, abs=2.0)


def test_after_a_gap_what_no_engine_can_have_done_is_not_taken() -> None:
    kept, jumped = gliding(), gliding()
    for desk in (kept, jumped):
        desk.nav.fresh = 0
        glide(desk, 50)
        desk.nav.fresh = 1
    room_mps = ROOMS["vel_pad_mps"][0] + constant("fk_nav.c", "GAP_ROOM_MPS2") * 0.51
    jumped.nav.vel_pad_mps[2] += 1.01 * room_mps
    jumped.nav.pos_pad_m[2] += 1.01 * (ROOMS["pos_pad_m"][0] + room_mps * 0.51)
    for desk in (kept, jumped):
        glide(desk, 1)
    assert jumped.telemetry.ignition_margin_m == pytest.approx(kept.telemetry.ignition_margin_m, abs=1e-6)


def upright(error: float, frames: int, tilt: float = 0.0) -> Desk:
    """Return a stage that keeps its attitude but for noise and is told a turn rate about x all the same."""
    desk = gliding()
    for k in range(frames):
        noise = 1e-9 * (k % 2)
        desk.nav.q_pad_from_body = (math.cos(0.5 * tilt), math.sin(0.5 * tilt), 0.0, noise)
        desk.nav.omega_body_radps = (error, 0.0, 0.0)
        glide(desk, 1)
    return desk


@pytest.mark.parametrize("error", [-0.05, 0.03])
def test_the_error_of_a_turn_rate_is_learnt_from_the_attitude(error: float) -> None:
    """After a while fins are told the same as with a rate that is right."""
    still = upright(0.0, 2400).out.fin_cmd_rad[0]
    at_first, later = (upright(error, frames).out.fin_cmd_rad[0] - still for frames in (1, 2400))
    assert abs(later) < 0.1 * abs(at_first)


@pytest.mark.parametrize("tilt_deg", [2.0, -1.5])
def test_an_attitude_that_steps_is_learnt_as_an_error(tilt_deg: float) -> None:
    """What is felt would push a tilted stage aside; it does not: the attitude is wrong, no turn rate is."""
    tilt = math.radians(tilt_deg)
    soon, late = (upright(0.0, frames, tilt).out.fin_cmd_rad[0] for frames in (100, 2400))
    assert abs(late) < 0.03 * abs(soon)


def test_an_attitude_that_stands_still_to_the_last_bit_is_no_news() -> None:
    """Its unit has stopped: the turn rate goes on to be believed, and turns the stage on."""
    moving, stuck = gliding(), gliding()
    for k in range(200):
        for desk in (moving, stuck):
            turned = 0.5 * 0.01 * DT * k if desk is moving else 0.0
            desk.nav.q_pad_from_body = (math.cos(turned), math.sin(turned), 0.0, 0.0)
            desk.nav.omega_body_radps = (0.01, 0.0, 0.0)
            glide(desk, 1)
    assert stuck.out.fin_cmd_rad[0] == pytest.approx(moving.out.fin_cmd_rad[0], rel=0.02)


@pytest.mark.parametrize("wrong_radps", [-1.2, 0.7])
def test_a_turn_rate_that_steps_is_not_believed(wrong_radps: float) -> None:
    """While it is wrong, and after it, fins are told what they are told without it."""
    for frames in (50, 100):
        plain, fooled = gliding(), gliding()
        for k in range(frames):
            for desk in (plain, fooled):
                desk.nav.q_pad_from_body = (1.0, 0.0, 0.0, 1e-9 * (k % 2))
                desk.nav.omega_body_radps = (wrong_radps if desk is fooled and k < 50 else 0.0, 0.0, 0.0)
                glide(desk, 1)
        assert fooled.out.fin_cmd_rad[0] == pytest.approx(plain.out.fin_cmd_rad[0], abs=1e-6)


def test_where_a_turn_rate_is_not_believed_the_attitude_tells_it() -> None:
    """The stage begins to turn at a tenth of a radian a second: fins hold against it."""
    seen, gyro = gliding(), gliding()
    for k in range(60):
        for desk in (seen, gyro):
            turned = 0.5 * 0.1 * DT * k
            desk.nav.q_pad_from_body = (math.cos(turned), math.sin(turned), 0.0, 0.0)
            desk.nav.omega_body_radps = (5.0 if desk is seen else 0.1, 0.0, 0.0)
            glide(desk, 1)
    assert seen.out.fin_cmd_rad[0] == pytest.approx(gyro.out.fin_cmd_rad[0], rel=0.25)


@pytest.mark.parametrize("gap_frames", [0, 30])
def test_an_attitude_out_of_its_room_is_taken_after_a_gap_only(gap_frames: int) -> None:
    plain, turned = gliding(), gliding()
    for desk in (plain, turned):
        desk.nav.fresh = 0
        glide(desk, gap_frames)
        desk.nav.fresh = 1
    turned.nav.q_pad_from_body = (math.cos(math.radians(2.5)), math.sin(math.radians(2.5)), 0.0, 0.0)
    for desk in (plain, turned):
        glide(desk, 1)
    moved = abs(turned.out.fin_cmd_rad[0] - plain.out.fin_cmd_rad[0])
    assert moved > 0.01 if gap_frames else moved < 1e-9


def test_what_a_doubted_velocity_is_wrong_by_shows_in_the_position() -> None:
    """It is told to stand still, and sinks slower than before: believed is what its height does."""
    told, doubted = gliding(), gliding()
    for _ in range(300):
        for desk in (told, doubted):
            desk.nav.vel_pad_mps[2] = -98.6
            desk.nav.pos_pad_m[2] += DT * desk.nav.vel_pad_mps[2]
            desk.nav.height_m = desk.nav.pos_pad_m[2]
            if desk is doubted:
                desk.nav.vel_pad_mps[2] = 0.0
            desk.step()
    margins = [desk.telemetry.ignition_margin_m for desk in (told, doubted)]
    assert margins[1] == pytest.approx(margins[0], abs=2.0)
