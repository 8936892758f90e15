"""A made-up flight on a real tape: enough of every signal to draw a page from. It obeys no physics."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np

from hil.signals import FLIGHT_MODES, REQUESTS, Frame
from hil.signals.timing import timing_dtype
from hil.tape import TapeWriter

ENGINES = [1, 4, 7]
"""Numbers of the engines in the slots."""
FRAMES = 3000
IGNITION, LIT, FAILS, NOTICED, STEP, CONTACT = 400, 460, 900, 905, 2000, 2700
"""Frames at which things happen; engine 4 fails."""


def run_object(**changes: Any) -> dict[str, Any]:
    """Return what a `run.json` holds, with `changes`."""
    return {
        "verdict": "PASS",
        "rig": "virtual",
        "case": "one_out",
        "description": "An outer engine fails 5 s after ignition.",
        "seed": 7,
        "pace": "lockstep",
        "rungs": {"flight_computer": "process", "engine_1": "hardware", "engine_4": "process"},
        "sim_s": FRAMES * 0.01,
        "wall_s": 1.5,
        "landing_engines": ENGINES,
        "limits": {"miss_m": 5.0, "vertical_speed_mps": 2.0, "lateral_speed_mps": 1.0, "tilt_deg": 3.0},
        "touchdown": {"t_s": 23.0, "miss_m": 1.25, "vertical_speed_mps": 2.5, "lateral_speed_mps": 0.1},
        "requirements": {"TD-MISS": "pass", "TD-VERTICAL": "fail", "KEEP-OUT": "not exercised"},
        "requirement_texts": {"TD-MISS": "miss at most 5 m", "TD-VERTICAL": "at most 2 m/s"},
        "requirement_reasons": {"TD-VERTICAL": "2.50 m/s"},
        "findings": ["t = 9.01 s: engine 4 fails"],
        "versions": {"lastbrake": "0.1.0"},
        "signals_sha256": "ab" * 32,
        **changes,
    }


def _state(frame: Frame, k: int) -> None:
    """Fill what moves smoothly."""
    truth, left = frame["truth"], max(0.0, 1.0 - k / CONTACT)
    truth["pos_pad_m"][:] = (1.2 + 120.0 * left, -0.4 - 60.0 * left**2, 4500.0 * left**1.6)
    truth["vel_pad_mps"][:] = (-4.0 * left, 2.0 * left, -330.0 * left**0.6)
    tilt = 0.1 * left * np.sin(k / 80.0)
    truth["q_pad_from_body"][:] = (np.cos(tilt / 2), np.sin(tilt / 2), 0.0, 0.0)
    truth["omega_body_radps"][:] = (0.02 * np.sin(k / 30.0), 0.01 * np.cos(k / 40.0), 0.0)
    truth["mass_kg"][()] = 38_000.0 + 4_000.0 * left
    truth["propellant_kg"][()] = 1_000.0 + 4_000.0 * left
    truth["dynamic_pressure_pa"][()] = 4.0e4 * left
    truth["fin_rad"][:] = 0.1 * np.sin(k / 50.0 + np.arange(4))
    frame["actuator"]["fin_cmd_rad"][:] = 0.1 * np.sin(k / 50.0 + 0.05 + np.arange(4))
    frame["nav"]["pos_pad_m"][:] = truth["pos_pad_m"] + 0.2
    frame["telemetry"]["accel_cmd_pad_mps2"][2] = 18.0 if k > IGNITION else 0.0
    frame["telemetry"]["time_to_go_s"][()] = 23.0 * left
    frame["telemetry"]["mass_est_kg"][()] = truth["mass_kg"] * 1.01


def _commands(frame: Frame, k: int, slot: int) -> bool:
    """Fill what is commanded to one engine: engine 4 (slot 1) is stopped at NOTICED, 7 at STEP."""
    end = (CONTACT, NOTICED, STEP)[slot]
    on, command = IGNITION <= k < end, frame["command"]
    request = "ARM" if k < IGNITION else "START" if k < LIT else "RUN" if on else "SHUTDOWN"
    command["request"][slot] = REQUESTS.index(request)
    command["ox_valve_cmd"][slot] = on * (0.6 + 0.1 * np.sin(k / 90.0))
    command["fuel_valve_cmd"][slot] = on * 0.6
    command["gimbal_x_cmd_rad"][slot] = 0.03 * np.sin(k / 25.0)
    return on


def _engine(frame: Frame, k: int, slot: int) -> None:
    """Fill one engine: its chamber burns from LIT on; that of engine 4 until FAILS."""
    truth, status, telemetry = frame["truth"], frame["status"], frame["telemetry"]
    on = _commands(frame, k, slot)
    burns = on and k >= LIT and not (slot == 1 and k >= FAILS)
    truth["gimbal_x_rad"][slot] = 0.03 * np.sin(k / 25.0 - 0.2)
    truth["ox_valve_pos"][slot] = 0.98 * frame["command"]["ox_valve_cmd"][slot]
    truth["fuel_valve_pos"][slot] = frame["command"]["fuel_valve_cmd"][slot]
    truth["chamber_expected_pa"][slot] = 7.0e6 * truth["ox_valve_pos"][slot]
    truth["chamber_pa"][slot] = burns * 6.9e6 * truth["ox_valve_pos"][slot]
    truth["thrust_n"][slot] = burns * 6.0e5
    truth["lit"][slot] = burns
    status["chamber_pa"][slot] = truth["chamber_pa"][slot]
    status["state"][slot] = 1 if k < IGNITION else 2 if k < LIT else 3 if on else 4
    status["fresh"][slot] = slot != 1 or k < NOTICED + 30
    telemetry["engine_share"][slot] = on
    telemetry["engine_failed"][slot] = slot == 1 and k >= NOTICED


def _mode(frame: Frame, k: int) -> None:
    names = (
        (CONTACT, "TOUCHDOWN"),
        (STEP, "TERMINAL"),
        (LIT, "BRAKING"),
        (IGNITION, "IGNITION"),
        (-1, "COAST"),
    )
    name = next(name for begin, name in names if k >= begin)
    frame["telemetry"]["mode"][()] = FLIGHT_MODES.index(name)
    if k >= CONTACT:
        frame["truth"]["contact"][()] = 1
        frame["truth"]["contact_t_ns"][()] = CONTACT * 10_000_000
        frame["truth"]["contact_pos_pad_m"][:] = (1.2, -0.4, 0.0)
        frame["truth"]["at_rest"][()] = k >= CONTACT + 100


def write_flight(run_dir: Path, frames: int = FRAMES, **changes: Any) -> Path:
    """Put a run folder's `run.json` and tape into `run_dir`; return it."""
    frame, timing = Frame(len(ENGINES)), np.zeros((), timing_dtype())
    writer = TapeWriter(run_dir / "tape.mcap", frame, timing, {"rig": "virtual"})
    for k in range(frames):
        t_ns = k * 10_000_000
        frame.array["t_ns"], frame.array["frame"] = t_ns, k
        timing["t_ns"], timing["plant_s"], timing["boards_s"] = t_ns, 8e-6 + 1e-6 * (k % 7), 3e-4
        _state(frame, k)
        for slot in range(len(ENGINES)):
            _engine(frame, k, slot)
        _mode(frame, k)
        writer.write(t_ns)
    writer.close()
    (run_dir / "run.json").write_text(json.dumps(run_object(**changes)))
    return run_dir
