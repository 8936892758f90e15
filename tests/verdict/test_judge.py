"""Every requirement on made-up recordings: the good flight passes, and each can fail."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from hil.faults.case import SHIPPED
from hil.signals import ENGINE_STATES, FLIGHT_MODES, REQUESTS, frame_dtype
from hil.signals.timing import bus_dtype, timing_dtype
from hil.tape import Recording
from hil.verdict import GUIDANCE_KEYS, REQUIREMENTS, TOUCHDOWN_KEYS, judge
from hil.verdict.checks import CHECKS

DT = 0.01
IGNITION, MAINSTAGE, FAILURE, CONTACT, REST, END = 100, 180, 400, 800, 850, 1060
FULL_PA = 10e6
VEHICLE = (SHIPPED / "vehicles" / "zq3_class.toml").read_text()

Change = Callable[[Any], None]


def good_flight() -> Any:
    """Return the frames of a flight in which everything is as it should be."""
    f = np.zeros(END, frame_dtype(3))
    k = np.arange(END)
    f["t_ns"], f["frame"] = k * 10_000_000, k
    truth, command, status = f["truth"], f["command"], f["status"]
    truth["pos_pad_m"][:, 2] = np.maximum(0.0, (CONTACT - k) * 0.5)
    truth["propellant_kg"] = 5000.0 - k
    command["fresh"], status["fresh"], f["telemetry"]["fresh"] = 1, 1, 1
    f["telemetry"]["engine_share"] = 1
    f["telemetry"]["work"] = 20 + k % 7
    f["telemetry"]["mode"] = np.select([k < IGNITION, k < MAINSTAGE], [0, 1], 2)
    on = (k >= MAINSTAGE) & (k < CONTACT)
    valve = np.interp(k, [MAINSTAGE, MAINSTAGE + 100, CONTACT - 1], [0.5, 0.7, 0.5]) * on
    command["request"] = np.select(
        [k < IGNITION, k < MAINSTAGE, k < CONTACT],
        [REQUESTS.index("ARM"), REQUESTS.index("START"), REQUESTS.index("RUN")],
        REQUESTS.index("SHUTDOWN"),
    )[:, None]
    status["state"] = np.select(
        [k < IGNITION, k < MAINSTAGE, k < CONTACT, k < CONTACT + 40],
        [ENGINE_STATES.index(name) for name in ("ARMED", "START", "MAINSTAGE", "SHUTDOWN")],
        ENGINE_STATES.index("SAFE"),
    )[:, None]
    for name in ("ox", "fuel"):
        command[f"{name}_valve_cmd"] = np.where((k >= IGNITION) & (k < MAINSTAGE), 0.5, valve)[:, None]
        truth[f"{name}_valve_pos"] = valve[:, None]
    truth["chamber_pa"] = truth["chamber_expected_pa"] = valve[:, None] * FULL_PA
    truth["lit"] = on[:, None]
    for name in f["sensor"].dtype.names:
        f["sensor"][name] = truth[name]
    after = slice(CONTACT, END)
    truth["contact"][after] = 1
    truth["contact_t_ns"][after] = CONTACT * 10_000_000
    truth["contact_pos_pad_m"][after] = (3.0, 4.0, 0.0)
    truth["contact_vel_pad_mps"][after] = (0.3, 0.4, -1.5)
    truth["contact_tilt_rad"][after] = math.radians(1.0)
    truth["contact_rate_radps"][after] = math.radians(2.0)
    truth["at_rest"][REST:] = 1
    return f


def engine_lost(f: Any, *, detected: int | None = FAILURE + 6, dead_request: str = "SHUTDOWN") -> None:
    """Let engine 2 fail in FAILURE and be given up in frame `detected`."""
    slot = 1
    f["truth"]["chamber_pa"][FAILURE:, slot] = 0.0
    f["truth"]["lit"][FAILURE:, slot] = 0
    if detected is None:
        return
    f["telemetry"]["engine_failed"][detected:, slot] = 1
    f["telemetry"]["engine_share"][detected:, slot] = 0
    f["command"]["request"][detected:, slot] = REQUESTS.index(dead_request)
    f["command"]["ox_valve_cmd"][detected:, slot] = 0.0
    f["command"]["fuel_valve_cmd"][detected:, slot] = 0.0
    # the valves close; what they should give goes with them
    for name in ("ox_valve_pos", "fuel_valve_pos", "chamber_expected_pa"):
        f["truth"][name][detected + 30 :, slot] = 0.0


def recording(
    f: Any,
    *,
    vehicle: str = VEHICLE,
    lateness_s: Any = 0.0,
    answer_s: Any = 0.0,
    limit: float = 60.0,
    pace: str = "lockstep",
    instructions: Any = 0,
    most: int | None = 1000,
    work_bound: int = 100,
) -> Recording:
    """Wrap frames into what a tape gives."""
    timing = np.zeros(len(f), timing_dtype())
    timing["lateness_s"] = lateness_s
    timing["answer_s"] = answer_s
    timing["step_instructions"] = instructions
    info = {
        "engines": 3,
        "vehicle_toml": vehicle,
        "frame_ns": 10_000_000,
        "time_limit_s": limit,
        "pace": pace,
        "step_instructions_max": most,
        "work_bound": work_bound,
    }
    return Recording(f, timing, np.zeros(0, bus_dtype(0)), info, {}, True)


def judged(*changes: Change, **kwargs: Any) -> Any:
    """Judge the good flight with changes."""
    f = good_flight()
    for change in changes:
        change(f)
    return judge(recording(f, **kwargs))


def failed(judgement: Any) -> set[str]:
    """Return the ids of the requirements that failed."""
    return {name for name, status in judgement.requirements.items() if status == "fail"}


def test_the_good_flight_passes() -> None:
    result = judged()
    assert result.verdict == "PASS"
    assert failed(result) == set()
    assert result.touchdown == {
        "t_s": 7.0,
        "miss_m": 5.0,
        "vertical_speed_mps": 1.5,
        "lateral_speed_mps": 0.5,
        "tilt_deg": pytest.approx(1.0),
        "rate_degps": pytest.approx(2.0),
        "propellant_left_kg": 5000.0 - CONTACT,
    }
    assert tuple(result.touchdown) == TOUCHDOWN_KEYS


def test_every_requirement_has_a_check_and_a_reason() -> None:
    assert list(CHECKS) != []
    assert set(CHECKS) == {r.id for r in REQUIREMENTS}
    result = judged()
    assert list(result.requirements) == [r.id for r in REQUIREMENTS]
    assert all(r.reason for r in result.results.values())


def put(record: str, field: str, where: Any, value: Any) -> Change:
    """Return a change that writes one signal."""

    def change(f: Any) -> None:
        f[record][field][where] = value

    return change


AFTER = slice(CONTACT, END)

FAILS: list[tuple[str, str, tuple[Change, ...]]] = [
    ("TD-VERTICAL", "", (put("truth", "contact_vel_pad_mps", AFTER, (0, 0, -2.01)),)),
    ("TD-LATERAL", "", (put("truth", "contact_vel_pad_mps", AFTER, (0.8, 0.8, -1)),)),
    ("TD-TILT", "", (put("truth", "contact_tilt_rad", AFTER, math.radians(3.1)),)),
    ("TD-RATE", "", (put("truth", "contact_rate_radps", AFTER, math.radians(3.1)),)),
    ("TD-MISS", "", (put("truth", "contact_pos_pad_m", AFTER, (3.1, 4.1, 0)),)),
    ("TD-STANDS", "tipped over", (put("truth", "at_rest", slice(REST, END), 2),)),
    ("CMD-FINITE", "ox_valve_cmd", (put("command", "ox_valve_cmd", (500, 0), math.nan),)),
    ("CMD-FINITE", "fin_cmd_rad", (put("actuator", "fin_cmd_rad", (500, 3), math.inf),)),
    ("CMD-RANGE", "unknown request", (put("command", "request", (50, 0), 7),)),
    ("CMD-RANGE", "gimbal_x", (put("command", "gimbal_x_cmd_rad", (slice(150, 170), 2), -0.5),)),
    (
        "CMD-FINITE",
        "in 2 frames, first at t = 5.00 s",
        (put("telemetry", "kernel_not_finite", slice(500, END), 2),),
    ),
    ("CMD-RANGE", "in at least 255 frames", (put("telemetry", "kernel_out_of_range", slice(500, END), 255),)),
    ("CMD-RATE", "fuel_valve_cmd", (put("command", "fuel_valve_cmd", (slice(500, END), 1), 0.2),)),
    ("CMD-RATE", "gimbal_y", (put("command", "gimbal_y_cmd_rad", (500, 1), 0.02),)),
    ("CMD-RATE", "fin_cmd_rad", (put("actuator", "fin_cmd_rad", (slice(500, END), 1), 0.1),)),
    ("ENG-DETECT", "never detected", (lambda f: engine_lost(f, detected=None),)),
    ("ENG-DETECT", "130 ms later", (lambda f: engine_lost(f, detected=FAILURE + 2 + 13),)),
    ("ENG-FALSE", "engine 1", (put("telemetry", "engine_failed", (slice(500, END), 0), 1),)),
    (
        "ENG-SHARE",
        "not re-allocated",
        (engine_lost, put("telemetry", "engine_share", (slice(FAILURE, END), 1), 1)),
    ),
    (
        "ENG-SHARE",
        "not re-allocated",
        (engine_lost, put("telemetry", "engine_share", (slice(FAILURE, END), slice(None)), 0)),
    ),
    ("ENG-DEAD", "engine 2", (lambda f: engine_lost(f, dead_request="RUN"),)),
    ("VALVE-END", "oxidiser valve of engine 3", (put("truth", "ox_valve_pos", (END - 1, 2), 0.5),)),
    ("VALVE-LOSS", "did not start to close", (put("command", "fresh", (slice(500, 600), 0), 0),)),
    (
        "WORK-BOUND",
        "work above its bound of 100 in 3 frames, most at t = 5.02 s: 300",
        (put("telemetry", "work", slice(500, 503), [101, 101, 300]),),
    ),
]


@pytest.mark.parametrize(("name", "says", "changes"), FAILS, ids=[name for name, *_ in FAILS])
def test_each_requirement_can_fail(name: str, says: str, changes: tuple[Change, ...]) -> None:
    result = judged(*changes)
    assert name in failed(result)
    assert result.verdict == "FAIL"
    assert says in result.results[name].reason


@pytest.mark.parametrize("index", [i for i in range(len(FAILS)) if i not in (17, 20)])
def test_and_nothing_else_fails_with_it(index: int) -> None:
    name, _, changes = FAILS[index]
    assert failed(judged(*changes)) - {name} == set() or name in ("CMD-FINITE", "CMD-RANGE")


def test_the_last_engine_leaves_its_share_to_nobody() -> None:
    def last_engine_lost(f: Any) -> None:
        engine_lost(f)
        for other in (0, 2):
            f["command"]["request"][FAILURE - 50 :, other] = REQUESTS.index("SHUTDOWN")
            f["telemetry"]["engine_share"][FAILURE - 50 :, other] = 0

    result = judged(last_engine_lost).results["ENG-SHARE"]
    assert (result.status, "no other engine was left" in result.reason) == ("pass", True)


def test_on_the_wall_clock_a_step_may_span_two_frames_of_the_computer() -> None:
    two_frames = put("command", "gimbal_y_cmd_rad", (500, 1), 0.005)
    assert "CMD-RATE" in failed(judged(two_frames))
    assert "CMD-RATE" not in failed(judged(two_frames, pace="wall"))
    assert "CMD-RATE" in failed(judged(put("command", "gimbal_y_cmd_rad", (500, 1), 0.02), pace="wall"))


def test_what_cannot_fail_yet_says_so() -> None:
    """KEEP-OUT is not judged to the end: it must never claim a pass for that."""
    inside = judged(put("truth", "contact_pos_pad_m", AFTER, (30, 0, 0)))
    assert inside.requirements["KEEP-OUT"] == "not exercised"
    assert "not judged yet" in inside.results["KEEP-OUT"].reason
    outside = judged(put("truth", "contact_pos_pad_m", AFTER, (100, 0, 0)))
    assert outside.requirements["KEEP-OUT"] == "pass"


def test_work_is_judged_where_the_kernel_states_a_bound() -> None:
    inside = judged(work_bound=26).results["WORK-BOUND"]
    assert (inside.status, inside.reason) == ("pass", "at most 26 of 26 in a step, at t = 0.06 s")
    assert judged(work_bound=25).requirements["WORK-BOUND"] == "fail"
    assert judged(work_bound=0).requirements["WORK-BOUND"] == "not exercised"
    silent = put("telemetry", "fresh", slice(None), 0)
    assert judged(silent).requirements["WORK-BOUND"] == "not exercised"
    stale = (put("telemetry", "work", 500, 300), put("telemetry", "fresh", 500, 0))
    assert judged(*stale).requirements["WORK-BOUND"] == "pass"


@pytest.mark.parametrize(
    ("instructions", "most", "status"), [(1000, 1000, "pass"), (1001, 1000, "fail"), (1001, None, "pass")]
)
def test_so_are_instructions_where_a_board_counts_them(
    instructions: int, most: int | None, status: str
) -> None:
    counted = np.where(np.arange(END) == FAILURE, instructions, 1)
    result = judged(instructions=counted, most=most, work_bound=26)
    assert result.requirements["WORK-BOUND"] == status


def test_a_lost_engine_that_is_handled_passes() -> None:
    result = judged(engine_lost)
    assert failed(result) == set()
    for name in ("ENG-DETECT", "ENG-FALSE", "ENG-SHARE", "ENG-DEAD"):
        assert result.requirements[name] == "pass"
    assert "40 ms later" in result.results["ENG-DETECT"].reason
    text = "\n".join(result.findings)
    assert "t = 4.00 s: engine 2 fails" in text
    assert "t = 4.06 s: the flight computer holds engine 2 for failed, 40 ms after" in text
    assert "goes to engine 1, engine 3" in text


@pytest.mark.parametrize(
    "trouble",
    [
        put("status", "fresh", (slice(490, 500), 0), 0),
        put("status", "state", (slice(490, END), 0), ENGINE_STATES.index("FAULT")),
        put("truth", "chamber_pa", (slice(495, 500), 0), 0.0),
        put("truth", "ox_valve_pos", (slice(480, END - 200), 0), 0.3),
        put("truth", "lit", (500, 0), 0),
        put("sensor", "chamber_pa", (slice(490, END), 0), 0.0),
        put("sensor", "fuel_valve_pos", (slice(490, END), 0), math.nan),
        put("sensor", "gimbal_x_rad", (495, 0), 0.02),
    ],
)
def test_giving_up_an_engine_with_a_visible_trouble_is_not_false(trouble: Change) -> None:
    held = put("telemetry", "engine_failed", (slice(500, END), 0), 1)
    assert judged(trouble, held).requirements["ENG-FALSE"] == "pass"


def swing(f: Any) -> None:
    """Let the pressure of engine 1 swing high above what its valves give, and back."""
    k = np.arange(440, 500)
    f["truth"]["chamber_pa"][k, 0] *= np.where(k % 8 < 6, 1.4, 1.1)


def obey_late(f: Any) -> None:
    """Let engine 1 be told something else in the frame in which it is given up, after it had not obeyed."""
    f["truth"]["gimbal_x_rad"][480:500, 0] = f["sensor"]["gimbal_x_rad"][480:500, 0] = 0.02


def push_aslant(*burning: int, angle_rad: float) -> Change:
    """Let what pushes the stage turn off the axis along which its gimbals point."""

    def change(f: Any) -> None:
        f["truth"]["thrust_n"][400:, list(burning)] = 500e3
        f["truth"]["force_body_mps2"][400:] = (0.0, 13.0 * math.tan(angle_rad), 13.0)

    return change


@pytest.mark.parametrize(
    ("trouble", "status"),
    [
        (swing, "pass"),
        (obey_late, "pass"),
        (push_aslant(0, angle_rad=-0.05), "pass"),
        (push_aslant(0, angle_rad=0.02), "fail"),
        (push_aslant(1, angle_rad=-0.05), "fail"),
        (push_aslant(0, 1, angle_rad=-0.05), "fail"),
    ],
)
def test_what_shows_in_the_truth_alone_is_no_healthy_engine_either(trouble: Change, status: str) -> None:
    held = put("telemetry", "engine_failed", (slice(500, END), 0), 1)
    assert judged(trouble, held).requirements["ENG-FALSE"] == status


def taken_back(at: int, again: int = END, request: str = "START") -> Change:
    """Let engine 2 be taken back in a frame, and be given up once more later."""

    def change(f: Any) -> None:
        f["telemetry"]["engine_failed"][at:again, 1] = 0
        f["telemetry"]["engine_share"][at:again, 1] = 1
        f["command"]["request"][at:, 1] = REQUESTS.index(request)

    return change


def test_an_engine_that_is_taken_back_may_be_commanded() -> None:
    result = judged(engine_lost, taken_back(600))
    assert result.requirements["ENG-DEAD"] == "pass"
    assert "t = 6.00 s: the flight computer takes engine 2 back" in "\n".join(result.findings)


def test_each_time_an_engine_is_given_up_is_judged() -> None:
    again = judged(engine_lost, taken_back(600, again=700))
    assert again.requirements["ENG-DEAD"] == "fail"

    def well(f: Any) -> None:
        f["truth"]["lit"][600:, 1] = 1
        for name in f["sensor"].dtype.names:
            f["sensor"][name] = f["truth"][name]

    assert judged(engine_lost, well, taken_back(600, again=700)).requirements["ENG-FALSE"] == "fail"
    keeps = put("telemetry", "engine_share", (slice(600, END), 1), 1)
    assert judged(engine_lost, taken_back(600, again=700), keeps).requirements["ENG-SHARE"] == "fail"


def test_a_sensor_within_its_noise_excuses_nothing_and_those_of_others_neither() -> None:
    held = put("telemetry", "engine_failed", (slice(500, END), 0), 1)
    noisy = put("sensor", "gimbal_x_rad", (slice(490, END), 0), 0.002)
    other = put("sensor", "chamber_pa", (slice(490, END), 1), 0.0)
    assert judged(noisy, other, held).requirements["ENG-FALSE"] == "fail"


def test_a_sensor_changes_nothing_about_what_failed() -> None:
    """Pressure is judged by truth: a sensor that hides a failure hides it from the kernel alone."""
    hidden = put("sensor", "chamber_pa", (slice(FAILURE, END), 1), 0.7 * FULL_PA)
    assert judged(lambda f: engine_lost(f, detected=None), hidden).requirements["ENG-DETECT"] == "fail"
    low = put("sensor", "chamber_pa", (slice(FAILURE, END), 1), 0.0)
    assert judged(low).requirements["ENG-DETECT"] == "not exercised"


def test_a_flight_computer_that_starts_anew_may_step_its_fins() -> None:
    """Within its rate limit it goes on from where it stands; after a shorter gap it knows where it was."""

    def step(away: int) -> Change:
        def change(f: Any) -> None:
            f["command"]["fresh"][500 - away : 500] = 0
            f["actuator"]["fin_cmd_rad"][500:] = 0.3

        return change

    assert judged(step(5)).requirements["CMD-RATE"] == "pass"
    assert judged(step(2)).requirements["CMD-RATE"] == "fail"
    assert judged(step(0)).requirements["CMD-RATE"] == "fail"


def test_a_short_dip_is_no_failure() -> None:
    dip = put("truth", "chamber_pa", (slice(500, 502), 0), 0.0)
    assert judged(dip).requirements["ENG-DETECT"] == "not exercised"
    longer = put("truth", "chamber_pa", (slice(500, 503), 0), 0.0)
    assert judged(longer).requirements["ENG-DETECT"] == "fail"


def test_boards_that_close_by_themselves_pass() -> None:
    def lost(f: Any) -> None:
        f["command"]["fresh"][500:] = 0
        f["status"]["state"][506:] = ENGINE_STATES.index("SHUTDOWN")
        for name in ("ox", "fuel"):
            f["actuator"][f"{name}_drive"][506:] = -1.0
            f["truth"][f"{name}_valve_pos"][506:540] = np.linspace(0.6, 0.0, 34)[:, None]
            f["truth"][f"{name}_valve_pos"][540:] = 0.0

    result = judged(lost)
    assert result.requirements["VALVE-LOSS"] == "pass"
    assert any("flight computer is stopped or silent" in finding for finding in result.findings)

    def late(f: Any) -> None:
        lost(f)
        f["status"]["state"][506:] = ENGINE_STATES.index("MAINSTAGE")
        for name in ("ox", "fuel"):
            f["actuator"][f"{name}_drive"][500:520] = 0.0

    assert judged(late).requirements["VALVE-LOSS"] == "fail"
    dead = put("status", "fresh", slice(490, END), 0)
    assert judged(late, dead).requirements["VALVE-LOSS"] == "not exercised"

    def hangs(f: Any) -> None:
        lost(f)
        f["truth"]["ox_valve_pos"][540:, 0] = 0.2

    result = judged(hangs)
    assert result.requirements["VALVE-LOSS"] == "fail"
    assert "not closed after its sequence" in result.results["VALVE-LOSS"].reason


def test_help_from_the_bench_does_not_hide_open_valves() -> None:
    """Valves that only closed when the flight computer was stopped after the landing count as open."""

    def change(f: Any) -> None:
        f["truth"]["ox_valve_pos"][CONTACT : END - 10] = 0.5
        f["command"]["fresh"][END - 30 :] = 0

    assert judged(change).requirements["VALVE-END"] == "fail"


def test_a_vehicle_may_tighten_a_limit() -> None:
    assert "miss_m" not in VEHICLE
    tight = VEHICLE + "\n[requirements]\nmiss_m = 4.0\n"
    result = judged(vehicle=tight)
    assert failed(result) == {"TD-MISS"}
    assert result.limits["miss_m"] == 4.0


def test_a_flight_that_never_comes_down_fails_by_its_time_limit() -> None:
    def never(f: Any) -> None:
        f["truth"]["contact"] = 0
        f["truth"]["at_rest"] = 0

    result = judged(never, limit=END * DT)
    assert result.touchdown == dict.fromkeys(TOUCHDOWN_KEYS)
    assert {"TD-VERTICAL", "TD-STANDS"} <= failed(result)
    cut = judged(never, limit=60.0)
    assert cut.requirements["TD-VERTICAL"] == "not exercised"
    assert cut.verdict == "INVALID"


def test_without_ignition_there_is_no_touchdown_time() -> None:
    result = judged(put("command", "request", slice(None), 0))
    assert result.touchdown["t_s"] is None
    assert result.touchdown["miss_m"] == 5.0


def test_poor_timing_proves_nothing() -> None:
    late = np.zeros(END)
    late[:11] = 0.011
    result = judged(lateness_s=late)
    assert result.verdict == "INVALID"
    assert "nothing is proven" in result.findings[-1]
    late[5:] = 0.0
    assert judged(lateness_s=late).verdict == "PASS"
    late[5] = 0.051
    assert judged(lateness_s=late).verdict == "INVALID"


def test_a_starved_board_proves_nothing() -> None:
    lag = np.full(END, 0.010)
    lag[5] = 0.059
    assert judged(answer_s=lag).verdict == "PASS"
    lag[5] = 0.061
    result = judged(answer_s=lag)
    assert result.verdict == "INVALID"
    assert "a board did not answer for 61 ms; nothing is proven" in result.findings[-1]


def test_findings_tell_of_weak_late_and_silent() -> None:
    def change(f: Any) -> None:
        f["truth"]["chamber_pa"][300:CONTACT, 0] *= 0.8
        f["truth"]["lit"][: MAINSTAGE + 100, 2] = 0
        f["status"]["fresh"][600:, 1] = 0

    text = "\n".join(judged(change).findings)
    assert "t = 3.00 s: engine 1 is weak: its chamber gives about 80 %" in text
    assert "engine 3 lights 1.00 s later than a healthy engine" in text
    assert "t = 6.00 s: the valve board of engine 2 is silent from here on" in text
    assert f"mode {FLIGHT_MODES[0]} -> {FLIGHT_MODES[1]}" in text
    assert "t = 8.00 s: touchdown 5.0 m" in text


def test_an_empty_recording_is_judged_without_fuss() -> None:
    result = judge(recording(good_flight()[:0]))
    assert result.verdict == "INVALID"
    assert set(result.requirements.values()) == {"not exercised"}


def test_requirements_are_documented() -> None:
    page = Path(__file__).parents[2] / "docs" / "REQUIREMENTS.md"
    if not page.exists():
        pytest.skip("docs/REQUIREMENTS.md is not written yet")
    text = page.read_text()
    assert [r.id for r in REQUIREMENTS if r.id not in text] == []


# ---- guidance


def guided(*changes: Change) -> dict[str, float | None]:
    """Return the shares of a flight with a plan every 0.4 s, known 0.2 s after the state it starts from."""
    f = good_flight()
    k = np.arange(END)
    telemetry = f["telemetry"]
    telemetry["plan_source"] = np.where(k < MAINSTAGE, 1, 2)
    telemetry["plan_age_s"] = np.where(k < MAINSTAGE, 0.0, 0.2 + (k - MAINSTAGE) % 40 * DT)
    for change in changes:
        change(f)
    result = judge(recording(f)).guidance
    assert tuple(result) == GUIDANCE_KEYS
    return result


LOOKED_AT = CONTACT - 300 - IGNITION
"""Powered frames up to 3 s before touchdown."""


def test_shares_are_those_of_the_powered_frames_before_the_last_seconds() -> None:
    assert guided() == {
        "powered_s": LOOKED_AT * DT,
        "optimised_share": (CONTACT - 300 - MAINSTAGE) / LOOKED_AT,
        "replans_per_s": 8 / (LOOKED_AT * DT),
        "oldest_plan_s": pytest.approx(0.59),
        "ignition_margin_s": None,
    }


def test_what_lies_outside_the_powered_frames_does_not_count() -> None:
    def elsewhere(f: Any) -> None:
        for frames in (slice(0, IGNITION), slice(CONTACT - 300, END)):
            f["telemetry"]["plan_source"][frames] = 1
            f["telemetry"]["plan_age_s"][frames] = 9.0

    assert guided(elsewhere) == guided()


def test_old_plans_and_the_closed_form_lower_the_share() -> None:
    def held(f: Any) -> None:  # the plan of frame 300 is flown until frame 460
        f["telemetry"]["plan_age_s"][300:460] = 0.2 + np.arange(160) * DT

    share = guided()["optimised_share"]
    assert share is not None
    old = guided(held)
    assert old["oldest_plan_s"] == pytest.approx(1.79)
    assert old["optimised_share"] == pytest.approx(share - 80 / LOOKED_AT, abs=1.1 / LOOKED_AT)
    assert old["replans_per_s"] == pytest.approx(5 / (LOOKED_AT * DT))
    closed = guided(put("telemetry", "plan_source", slice(300, 320), 1))
    assert closed["optimised_share"] == pytest.approx(share - 20 / LOOKED_AT)
    assert closed["replans_per_s"] == guided()["replans_per_s"], "the plan that comes back is not a new one"


def test_frames_without_telemetry_are_left_out() -> None:
    lost = guided(put("telemetry", "fresh", slice(300, 340), 0))
    assert lost["powered_s"] == pytest.approx((LOOKED_AT - 40) * DT)
    silent = guided(put("telemetry", "fresh", slice(None), 0))
    assert silent == {**dict.fromkeys(GUIDANCE_KEYS), "powered_s": 0.0}


def test_without_a_touchdown_all_powered_frames_count() -> None:
    def never(f: Any) -> None:
        f["truth"]["contact"] = 0
        f["telemetry"]["mode"][700:] = FLIGHT_MODES.index("SHUTDOWN")

    assert guided(never)["powered_s"] == pytest.approx((700 - IGNITION) * DT)


def test_the_margin_is_the_last_one_told_before_powered_flight() -> None:
    def margins(f: Any) -> None:
        f["telemetry"]["ignition_margin_known"][50:] = 1
        f["telemetry"]["ignition_margin_s"] = 3.0 - np.arange(END) * DT

    assert guided(margins)["ignition_margin_s"] == pytest.approx(3.0 - (IGNITION - 1) * DT)
    assert (
        guided(margins, put("telemetry", "ignition_margin_known", slice(None), 0))["ignition_margin_s"]
        is None
    )


def test_an_engine_that_is_shut_down_at_once_need_not_be_detected() -> None:
    def shut(after: int) -> Change:
        return put("command", "request", (slice(FAILURE + 2 + after, END), 1), REQUESTS.index("SHUTDOWN"))

    def lost(f: Any) -> None:
        engine_lost(f, detected=None)

    assert judged(lost, shut(8)).requirements["ENG-DETECT"] == "not exercised"
    assert judged(lost, shut(12)).requirements["ENG-DETECT"] == "fail"
