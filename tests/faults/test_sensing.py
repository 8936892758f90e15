"""Sensors that something is wrong with: what is said, frame by frame, in numbers."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from hil.faults.case import Case, FaultSpec, Initial
from hil.faults.sensing import add_sensor_faults
from hil.faults.triggers import TriggerBook
from hil.sensors.streams import stream
from hil.signals import Frame

FRAME_NS = 10_000_000
FULL_PA = 10e6
SLOTS = {1: 0, 5: 1}
ONSET = 10


class Ramps:
    """Sensors that say something else in every frame: the frame's number, in each field's own unit."""

    def __init__(self, frame: Frame) -> None:
        self.frame = frame

    def sample(self, t_ns: int) -> None:
        k = t_ns // FRAME_NS
        nav, sensor = self.frame["nav"], self.frame["sensor"]
        nav["valid_t_ns"], nav["valid"] = t_ns, 1
        nav["pos_pad_m"] = (k, 2 * k, 3 * k)
        nav["vel_pad_mps"], nav["omega_body_radps"] = -float(k), 0.01 * k
        nav["q_pad_from_body"], nav["height_m"] = (1.0, 0.0, 0.0, 0.0), 100.0 + k
        for name in sensor.dtype.names or ():
            sensor[name] = FULL_PA if name == "chamber_pa" else 0.001 * k


def said(*faults: dict[str, Any], frames: int = 40, seed: int = 0) -> Any:
    """Return what is said in each frame with these faults, which strike in frame ONSET."""
    frame = Frame(2)
    specs = tuple(FaultSpec.model_validate({"at_s": ONSET * 0.01, **fault}) for fault in faults)
    start = Initial(pos_pad_m=(0, 0, 1), vel_pad_mps=(0, 0, 0))
    case = Case(vehicle="x", description="x", initial=start, fault=specs, path=Path("case.toml"))
    book = TriggerBook(frame, case.fault, FRAME_NS)
    sensors = add_sensor_faults(
        case, book, Ramps(frame), frame,
        slots=SLOTS, chamber_pa=FULL_PA, streams=lambda name: stream(seed, "x", name),
    )  # fmt: skip
    out = []
    for k in range(frames):
        sensors.sample(k * FRAME_NS)
        out.append(frame.array.copy())
    return np.array(out)


HEALTHY = said()
K = np.arange(40)


def changed(frames: Any, record: str) -> set[str]:
    """Return the fields of a record that differ from what healthy sensors say."""
    names = HEALTHY.dtype[record].names
    return {n for n in names if not np.array_equal(frames[record][n], HEALTHY[record][n])}


@pytest.mark.parametrize(
    ("fault", "field", "at", "values"),
    [
        ({"kind": "nav.bias", "what": "position", "axis": "up", "bias": 7.0}, "pos_pad_m", 2, 3.0 * K + 7.0),
        ({"kind": "nav.bias", "what": "velocity", "axis": "all", "bias": -1.0}, "vel_pad_mps", 0, -K - 1.0),
        (
            {"kind": "nav.bias", "what": "rate", "axis": "y", "bias": 10.0},
            "omega_body_radps", 1, 0.01 * K + math.radians(10.0),
        ),
        ({"kind": "nav.scale", "what": "position", "axis": "north", "scale": 0.9}, "pos_pad_m", 1, 1.8 * K),
        ({"kind": "nav.scale", "what": "height", "scale": 1.1}, "height_m", None, 1.1 * (100.0 + K)),
        ({"kind": "nav.wrong", "what": "height", "value": 5.0}, "height_m", None, 5.0 + 0.0 * K),
        ({"kind": "nav.off", "what": "height"}, "height_m", None, 3.0 * K),
        ({"kind": "nav.stuck", "what": "position", "axis": "east"}, "pos_pad_m", 0, ONSET + 0.0 * K),
        (
            {"kind": "nav.latency", "what": "position", "axis": "up", "late_s": 0.05},
            "pos_pad_m", 2, 3.0 * (K - 5),
        ),
        ({"kind": "nav.off", "what": "solution"}, "valid", None, 0.0 * K),
        ({"kind": "nav.no_number", "what": "height"}, "height_m", None, math.nan * K),
    ],
)  # fmt: skip
def test_navigation_says(fault: dict[str, Any], field: str, at: int | None, values: Any) -> None:
    frames = said(fault)
    got = frames["nav"][field] if at is None else frames["nav"][field][:, at]
    healthy = HEALTHY["nav"][field] if at is None else HEALTHY["nav"][field][:, at]
    assert got[:ONSET] == pytest.approx(healthy[:ONSET])
    assert got[ONSET:] == pytest.approx(values[ONSET:], nan_ok=True)
    assert changed(frames, "nav") == {field}
    assert changed(frames, "sensor") == set()
    if at is not None and fault["axis"] != "all":
        others = [i for i in range(3) if i != at]
        assert np.array_equal(frames["nav"][field][:, others], HEALTHY["nav"][field][:, others])


@pytest.mark.parametrize(
    ("fault", "field", "values"),
    [
        ({"kind": "sensor.bias", "what": "chamber", "bias": -0.2}, "chamber_pa", 0.8 * FULL_PA + 0.0 * K),
        ({"kind": "sensor.scale", "what": "oxidiser_valve", "scale": 1.3}, "ox_valve_pos", 0.0013 * K),
        (
            {"kind": "sensor.wrong", "what": "gimbal_x", "value": -4.0},
            "gimbal_x_rad", math.radians(-4.0) + 0.0 * K,
        ),
        ({"kind": "sensor.wrong", "what": "chamber", "value": 0.5}, "chamber_pa", 0.5 * FULL_PA + 0.0 * K),
        ({"kind": "sensor.stuck", "what": "fuel_valve"}, "fuel_valve_pos", 0.001 * ONSET + 0.0 * K),
        ({"kind": "sensor.off", "what": "gimbal_y"}, "gimbal_y_rad", math.nan + 0.0 * K),
        ({"kind": "sensor.latency", "what": "gimbal_y", "late_s": 0.1}, "gimbal_y_rad", 0.001 * (K - 10)),
    ],
)  # fmt: skip
def test_an_engine_sensor_says(fault: dict[str, Any], field: str, values: Any) -> None:
    frames = said({**fault, "engine": 5})
    got = frames["sensor"][field][:, 1]
    assert got[:ONSET] == pytest.approx(HEALTHY["sensor"][field][:ONSET, 1])
    assert got[ONSET:] == pytest.approx(values[ONSET:], nan_ok=True)
    assert changed(frames, "sensor") == {field}
    assert changed(frames, "nav") == set()
    assert np.array_equal(frames["sensor"][field][:, 0], HEALTHY["sensor"][field][:, 0]), "engine 1 is well"


def test_a_stale_solution_tells_its_age() -> None:
    frames = said({"kind": "nav.stale", "late_s": 0.05})
    assert frames["nav"]["valid_t_ns"][ONSET:].tolist() == ((K[ONSET:] - 5) * FRAME_NS).tolist()
    assert frames["nav"]["pos_pad_m"][ONSET:, 2] == pytest.approx(3.0 * (K[ONSET:] - 5))


def test_a_frozen_unit_says_its_last_solution_again_and_its_time() -> None:
    frames = said({"kind": "nav.frozen"})
    assert (frames["nav"][ONSET:] == HEALTHY["nav"][ONSET]).all()
    assert frames["nav"]["valid_t_ns"][-1] == ONSET * FRAME_NS


def test_before_there_is_a_past_the_oldest_is_said() -> None:
    frames = said({"kind": "nav.latency", "what": "height", "late_s": 0.2, "at_s": 0.0})
    assert frames["nav"]["height_m"][:21] == pytest.approx(100.0)
    assert frames["nav"]["height_m"][21:] == pytest.approx(100.0 + K[21:] - 20)


def test_what_heals_says_the_truth_again() -> None:
    frames = said({"kind": "nav.bias", "what": "height", "bias": 9.0, "heals_after_s": 0.1})
    off = frames["nav"]["height_m"] - HEALTHY["nav"]["height_m"]
    assert np.flatnonzero(off).tolist() == list(range(ONSET, ONSET + 10))


def test_an_attitude_is_turned_about_its_own_axis() -> None:
    q = said({"kind": "nav.bias", "what": "attitude", "axis": "y", "bias": 20.0})["nav"]["q_pad_from_body"][
        -1
    ]
    assert q == pytest.approx([math.cos(math.radians(10.0)), 0.0, math.sin(math.radians(10.0)), 0.0])


def test_noise_has_its_size_and_a_stream_of_its_own() -> None:
    faults = [
        {"kind": "nav.noise", "what": "position", "axis": "all", "sigma": 3.0},
        {"kind": "sensor.noise", "engine": 1, "what": "chamber", "sigma": 0.05},
        {"kind": "nav.noise", "what": "attitude", "axis": "all", "sigma": 2.0},
    ]
    frames = said(*faults, frames=2000)
    k = np.arange(2000)[ONSET:, None]
    off = frames["nav"]["pos_pad_m"][ONSET:] - k * np.array([1.0, 2.0, 3.0])
    assert off.std(axis=0) == pytest.approx(3.0, rel=0.1)
    assert abs(np.corrcoef(off.T) - np.eye(3)).max() < 0.1
    pressure = frames["sensor"]["chamber_pa"][ONSET:, 0] / FULL_PA - 1.0
    assert pressure.std() == pytest.approx(0.05, rel=0.1)
    turned = 2.0 * np.degrees(frames["nav"]["q_pad_from_body"][ONSET:, 1:])
    assert turned.std(axis=0) == pytest.approx(2.0, rel=0.1)
    assert np.linalg.norm(frames["nav"]["q_pad_from_body"], axis=1) == pytest.approx(1.0)
    assert said(*faults).tobytes() == said(*faults).tobytes()
    assert said(*faults, seed=1).tobytes() != said(*faults).tobytes()
    for other in (said(*faults[:1]), said(*faults[::-1])):
        assert np.array_equal(other["nav"]["pos_pad_m"], said(*faults)["nav"]["pos_pad_m"]), (
            "draws do not shift"
        )
    twice = said(faults[0], faults[0])["nav"]["pos_pad_m"] - HEALTHY["nav"]["pos_pad_m"]
    once = said(faults[0])["nav"]["pos_pad_m"] - HEALTHY["nav"]["pos_pad_m"]
    assert not np.allclose(twice, 2.0 * once), "two faults of a kind draw apart"


def test_a_fire_takes_sensors_one_by_one() -> None:
    fire = {"kind": "bay.fire", "engine": 5, "first_s": 0.02, "spread_s": 0.05}
    sensor = said(fire)["sensor"]
    lost = {
        name: int(np.flatnonzero(np.isnan(sensor[name][:, 1]))[0]) for name in changed(said(fire), "sensor")
    }
    assert lost == {"chamber_pa": ONSET + 2, "fuel_valve_pos": ONSET + 12, "ox_valve_pos": ONSET + 22}
    assert not any(np.isnan(sensor[name][:, 0]).any() for name in lost)


def test_sensors_that_nothing_is_wrong_with_are_not_wrapped() -> None:
    frame = Frame(2)
    start = Initial(pos_pad_m=(0, 0, 1), vel_pad_mps=(0, 0, 0))
    stuck = FaultSpec(kind="gimbal.stuck", engine=1, at_s=0.0)
    case = Case(vehicle="x", description="x", initial=start, fault=(stuck,))
    sensors = Ramps(frame)
    book = TriggerBook(frame, case.fault, FRAME_NS)
    wrapped = add_sensor_faults(
        case, book, sensors, frame, slots=SLOTS, chamber_pa=FULL_PA, streams=lambda name: stream(0, "x", name)
    )
    assert wrapped is sensors
