"""One contract for the boards of every rung: the same stimulus gives the same records."""

from __future__ import annotations

import os
import signal

import numpy as np
import pytest

from hil.boards.stations import build_stations
from hil.files import FileError
from hil.signals import BoardLost, Frame
from tests.seams.rigging import PROCESSES, RUNGS, VEHICLE, WIRED, Stations, make_rig

ENGINE = VEHICLE.engine
SAFE, ARMED, START, MAINSTAGE, SHUTDOWN, FAULT = range(6)


def engine_model(number: int, frame: Frame) -> None:
    """Valves, gimbals and chambers good enough to get an engine through its states."""
    sensor, drive = frame["sensor"], frame["actuator"]
    step = ENGINE.valve_slew_per_s * 0.01
    for valve in ("ox", "fuel"):
        pos = sensor[f"{valve}_valve_pos"]
        pos[:] = np.clip(pos + drive[f"{valve}_drive"] * step, 0.0, 1.0)
    for axis in "xy":
        angle = sensor[f"gimbal_{axis}_rad"]
        angle += drive[f"gimbal_{axis}_drive"] * np.radians(ENGINE.gimbal_rate_degps) * 0.01
    lit = np.minimum(sensor["ox_valve_pos"], sensor["fuel_valve_pos"])
    sensor["chamber_pa"][:] += 0.2 * (lit * ENGINE.chamber_pa - sensor["chamber_pa"])
    # the booster falls, so that the kernel has something to do
    nav = frame["nav"]
    nav["pos_pad_m"][:] += nav["vel_pad_mps"] * 0.01
    nav["height_m"][()] = nav["pos_pad_m"][2]
    nav["omega_body_radps"][:] = 0.01 * np.sin(0.1 * number)
    nav["force_body_mps2"][2] = 6.0 + 1e-3 * number


def flown(rung: str, frames: int = 250) -> Stations:
    stations = Stations(rung, ignition_forced_at_s=0.3)
    try:
        stations.turn(frames, engine_model)
    finally:
        stations.close()
    return stations


@pytest.fixture(scope="module")
def reference() -> list[bytes]:
    return [frame.tobytes() for frame in flown("kernel").history]


@pytest.mark.parametrize("rung", RUNGS)
def test_every_rung_gives_the_same_bytes(rung: str, reference: list[bytes]) -> None:
    stations = flown(rung)
    states = {int(s) for frame in stations.history for s in frame["status"]["state"]}
    assert {SAFE, ARMED, START, MAINSTAGE} <= states, "the stimulus must get the engines running"
    for number, (frame, wanted) in enumerate(zip(stations.history, reference, strict=True)):
        assert frame.tobytes() == wanted, f"frame {number} differs from the kernel rung's"


@pytest.mark.parametrize("rung", RUNGS)
def test_what_is_sent_in_a_frame_is_fresh_in_it_and_seen_in_the_next(rung: str) -> None:
    with Stations(rung) as stations:
        stations.turn(1)
        first = stations.history[0]
        assert first["command"]["fresh"].all()
        assert first["status"]["fresh"].all()
        assert first["telemetry"]["fresh"] == 1
        assert (first["status"]["state"] == SAFE).all()
        assert (first["command"]["request"] == 1).all(), "the kernel arms at once"
        stations.turn(1)
        assert (stations.history[1]["status"]["state"] == ARMED).all(), "the command took one frame"


@pytest.mark.parametrize("rung", RUNGS)
def test_a_silent_valve_board_drives_and_sends_nothing(rung: str) -> None:
    with Stations(rung, ignition_forced_at_s=0.1) as stations:
        stations.turn(100, engine_model)
        assert stations.history[-1]["status"]["state"][1] == MAINSTAGE
        stations.board("engine_2").faults.silent = True
        stations.turn(3, engine_model)
        now = stations.history[-1]
        assert list(now["status"]["fresh"]) == [1, 0, 1]
        assert now["actuator"]["ox_drive"][1] == 0.0
        assert now["actuator"]["igniter"][1] == 0.0
        assert list(now["actuator"]["unpowered"]) == [0.0, 1.0, 0.0], "its springs have the valves"
        stations.board("engine_2").faults.silent = False
        stations.turn(1, engine_model)
        assert not stations.history[-1]["actuator"]["unpowered"].any()
        assert stations.history[-1]["status"]["state"][1] == MAINSTAGE, "a command reached it in time"


@pytest.mark.parametrize("rung", RUNGS)
def test_a_silent_flight_computer_makes_every_valve_close(rung: str) -> None:
    with Stations(rung, ignition_forced_at_s=0.1) as stations:
        stations.turn(100, engine_model)
        stations.board("flight_computer").faults.silent = True
        last_command = stations.number - 1
        stations.turn(150, engine_model)
        states = np.array([frame["status"]["state"] for frame in stations.history])
        began = [int(np.argmax(states[last_command:, slot] == SHUTDOWN)) for slot in range(3)]
        assert all(0 < frames <= 6 for frames in began), f"60 ms after the last command: {began}"
        assert (states[-1] == SAFE).all()
        assert (stations.frame["sensor"]["ox_valve_pos"] <= VEHICLE.valve_board.closed_pos).all()
        assert all(board.safe for board in stations.boards)
        assert stations.history[-1]["telemetry"]["fresh"] == 0


@pytest.mark.parametrize("rung", RUNGS)
def test_navigation_out_of_range_saturates_alike(rung: str) -> None:
    def wild(_: int, frame: Frame) -> None:
        frame["nav"]["omega_body_radps"][:] = (1e9, -1e9, np.nan)
        frame["nav"]["vel_pad_mps"][:] = (np.inf, -np.inf, -300.0)

    with Stations(rung) as stations, Stations("kernel") as reference:
        stations.turn(20, wild)
        reference.turn(20, wild)
        for record in ("command", "telemetry", "actuator"):
            assert stations.history[-1][record].tobytes() == reference.history[-1][record].tobytes()
        finite = stations.history[-1]["command"]["ox_valve_cmd"]
        assert np.isfinite(finite).all()


@pytest.mark.parametrize("rung", WIRED)
def test_nothing_is_rejected_on_healthy_wires(rung: str) -> None:
    with Stations(rung) as stations:
        stations.turn(30)
        for node, counts in stations.wires.counters().items():
            rejects = {name: n for name, n in counts.items() if name not in ("accepted", "unknown_id")}
            assert not any(rejects.values()), f"{node}: {rejects}"
            assert counts["accepted"] > 0
        assert stations.wires.counters()["bench"]["accepted"] == 30 * 16


@pytest.mark.parametrize("rung", WIRED)
def test_a_board_whose_engine_does_not_land_idles_in_safe(rung: str) -> None:
    seen = []
    for name in ("kernel", rung):
        rig = make_rig(name)
        extra = rig.board["engine_1"].model_copy(update={"node": 7})
        rig = rig.model_copy(update={"board": {**rig.board, "engine_7": extra}})
        with Stations(name, rig=rig) as stations:
            stations.turn(20)
            assert stations.board("engine_7").safe
            seen.append(stations.history[-1].tobytes())
    assert seen[0] == seen[1]


def test_a_landing_engine_without_board_is_a_bad_file() -> None:
    rig = make_rig("kernel")
    boards = {name: spec for name, spec in rig.board.items() if name != "engine_3"}
    with pytest.raises(FileError, match=r"engine 3 of zq3_class lands but has no board"):
        build_stations(
            Frame(3),
            rig.model_copy(update={"board": boards}),
            VEHICLE,
            ignition_forced_at_s=None,
            initial_propellant_kg=1.0,
            pace="lockstep",
            run_dir=None,
        )


@pytest.mark.parametrize("rung", PROCESSES)
def test_the_first_lost_board_is_named_and_the_others_fly_on(rung: str) -> None:
    with Stations(rung) as stations:
        stations.turn(5)
        victim = stations.board("engine_2")
        os.kill(victim.pid, signal.SIGKILL)
        with pytest.raises(BoardLost, match=rf"board engine_2: process {victim.pid} was killed by signal 9"):
            stations.turn(3)
        stations.number += 1
        stations.turn(3)
        assert list(stations.frame["status"]["fresh"]) == [1, 0, 1]
