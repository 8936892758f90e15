"""The records of every seam, and the frame that carries them.

A flight is a sequence of frames; a frame is one fixed block of memory in which every seam has its
record.  Stations write their own record and read those of others through NumPy views, so nothing
is copied on the way from C or numba to the tape.  All fields are 8 bytes wide (float64 or int64):
the packed layout is also the aligned one, and the bytes of a frame are at once a valid ROS 1
message, which is what the tape stores.

Frames of reference: *pad* = east, north, up, origin at the pad's centre; *body* = z towards the
nose, origin at the centre of the leg-foot plane.  Quaternions are scalar first and turn body
vectors into pad vectors.  SI units; the unit of each field is in its name and in the table.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

import numpy as np
import numpy.typing as npt

__all__ = [
    "ENGINE_STATES",
    "FIN_COUNT",
    "FLIGHT_MODES",
    "MAX_ENGINES",
    "RECORDS",
    "REQUESTS",
    "Field",
    "Frame",
    "Record",
    "frame_dtype",
]

MAX_ENGINES: Final = 40
"""Most engines a vehicle may have (a Super-Heavy class has 33); the C side has the same bound."""

FIN_COUNT: Final = 4

FLIGHT_MODES: Final = ("COAST", "IGNITION", "BRAKING", "TERMINAL", "TOUCHDOWN", "SHUTDOWN", "ABORT")
"""Modes of the guidance kernel, in the order of their numbers (COAST = 0)."""

ENGINE_STATES: Final = ("SAFE", "ARMED", "START", "MAINSTAGE", "SHUTDOWN", "FAULT")
"""States of a valve board, in the order of their numbers (SAFE = 0)."""

REQUESTS: Final = ("SAFE", "ARM", "START", "RUN", "SHUTDOWN")
"""What a flight computer may ask of a valve board, in the order of their numbers (SAFE = 0)."""

PER_ENGINE: Final = -1
"""Stands for the number of engines of the burn in the shape of a field."""


@dataclass(frozen=True, slots=True)
class Field:
    """One signal: `shape` () is a scalar, (3,) a vector, (PER_ENGINE,) one value for each engine."""

    name: str
    shape: tuple[int, ...]
    unit: str
    text: str
    kind: Literal["f8", "i8"] = "f8"


@dataclass(frozen=True, slots=True)
class Record:
    """All signals that cross one seam in one frame."""

    name: str
    text: str
    fields: tuple[Field, ...]


_N = (PER_ENGINE,)

TRUTH: Final = Record(
    "truth",
    "The state of the booster at the frame's time, as the plant knows it. Boards never see it.",
    (
        Field("pos_pad_m", (3,), "m", "body origin (centre of the foot plane)"),
        Field("vel_pad_mps", (3,), "m/s", "velocity of the body origin"),
        Field("q_pad_from_body", (4,), "1", "attitude, scalar first"),
        Field("omega_body_radps", (3,), "rad/s", "turn rate of the body, in body axes"),
        Field("force_body_mps2", (3,), "m/s^2", "specific force at the centre of mass, body axes"),
        Field("mass_kg", (), "kg", "mass with propellant"),
        Field("propellant_kg", (), "kg", "usable propellant left"),
        Field("cm_z_m", (), "m", "height of the centre of mass above the body origin"),
        Field("mach", (), "1", "Mach number against the moving air"),
        Field("dynamic_pressure_pa", (), "Pa", "dynamic pressure"),
        Field("angle_of_attack_rad", (), "rad", "angle between the flow and the body's axis"),
        Field("wind_pad_mps", (3,), "m/s", "wind at the booster"),
        Field("ox_valve_pos", _N, "1", "oxidiser valve, 0 shut to 1 open"),
        Field("fuel_valve_pos", _N, "1", "fuel valve, 0 shut to 1 open"),
        Field("ox_flow_kgps", _N, "kg/s", "oxidiser flow into the chamber"),
        Field("fuel_flow_kgps", _N, "kg/s", "fuel flow into the chamber"),
        Field("chamber_pa", _N, "Pa", "chamber pressure"),
        Field("chamber_expected_pa", _N, "Pa", "what a healthy engine would give at these valve positions"),
        Field("thrust_n", _N, "N", "thrust at the ambient pressure"),
        Field("gimbal_x_rad", _N, "rad", "thrust deflected towards body x"),
        Field("gimbal_y_rad", _N, "rad", "thrust deflected towards body y"),
        Field("lit", _N, "1", "1 while the chamber burns", "i8"),
        Field("starts_left", _N, "1", "igniter starts left", "i8"),
        Field("fin_rad", (FIN_COUNT,), "rad", "grid-fin deflections"),
        Field("legs_down", (), "1", "number of legs that touch the ground", "i8"),
        Field("contact", (), "1", "1 from the first touch of a leg", "i8"),
        Field("contact_t_ns", (), "ns", "time of the first touch, 0 before", "i8"),
        Field("contact_pos_pad_m", (3,), "m", "body origin at the first touch"),
        Field("contact_vel_pad_mps", (3,), "m/s", "velocity of the body origin at the first touch"),
        Field("contact_tilt_rad", (), "rad", "angle of the body axis to the vertical at the first touch"),
        Field("contact_rate_radps", (), "rad/s", "turn rate at the first touch"),
        Field(
            "at_rest",
            (),
            "1",
            "0 moving, 1 landed, 2 tipped over, 3 crashed, 4 stands on crushed legs, 5 stands off the pad",
            "i8",
        ),
    ),
)

NAV: Final = Record(
    "nav",
    "The navigation solution as the navigation unit sends it (after noise and latency).",
    (
        Field("valid_t_ns", (), "ns", "time for which the solution holds", "i8"),
        Field("pos_pad_m", (3,), "m", "body origin"),
        Field("vel_pad_mps", (3,), "m/s", "velocity of the body origin"),
        Field("q_pad_from_body", (4,), "1", "attitude, scalar first"),
        Field("omega_body_radps", (3,), "rad/s", "turn rate, body axes"),
        Field("force_body_mps2", (3,), "m/s^2", "specific force, body axes"),
        Field("height_m", (), "m", "height of the body origin above the ground (radar below 100 m)"),
        Field("valid", (), "1", "1 when the unit vouches for the solution", "i8"),
    ),
)

SENSOR: Final = Record(
    "sensor",
    "What the sensors wired to the valve boards say.",
    (
        Field("ox_valve_pos", _N, "1", "oxidiser valve position"),
        Field("fuel_valve_pos", _N, "1", "fuel valve position"),
        Field("chamber_pa", _N, "Pa", "chamber pressure"),
        Field("gimbal_x_rad", _N, "rad", "gimbal actuator x"),
        Field("gimbal_y_rad", _N, "rad", "gimbal actuator y"),
    ),
)

COMMAND: Final = Record(
    "command",
    "What the flight computer commands, as it stands on the wire.",
    (
        Field("request", _N, "1", "number in REQUESTS", "i8"),
        Field("ox_valve_cmd", _N, "1", "oxidiser valve demand, 0 to 1"),
        Field("fuel_valve_cmd", _N, "1", "fuel valve demand, 0 to 1"),
        Field("gimbal_x_cmd_rad", _N, "rad", "gimbal demand x"),
        Field("gimbal_y_cmd_rad", _N, "rad", "gimbal demand y"),
        Field("fresh", _N, "1", "1 when a command was sent in this frame", "i8"),
    ),
)

ACTUATOR: Final = Record(
    "actuator",
    "What the boards drive: held by the plant from this frame to the next.",
    (
        Field("ox_drive", _N, "1", "oxidiser valve drive, -1 to 1 of the full slew rate"),
        Field("fuel_drive", _N, "1", "fuel valve drive, -1 to 1 of the full slew rate"),
        Field("gimbal_x_drive", _N, "1", "gimbal drive x, -1 to 1 of the full slew rate"),
        Field("gimbal_y_drive", _N, "1", "gimbal drive y, -1 to 1 of the full slew rate"),
        Field("igniter", _N, "1", "1 while the igniter is driven"),
        Field("unpowered", _N, "1", "1 while the drives have no supply: the valves' springs close them"),
        Field("fin_cmd_rad", (FIN_COUNT,), "rad", "grid-fin servo demands, from the flight computer"),
    ),
)

STATUS: Final = Record(
    "status",
    "What the valve boards report, as it stands on the wire.",
    (
        Field("state", _N, "1", "number in ENGINE_STATES", "i8"),
        Field("fault", _N, "1", "bits of the board's fault word", "i8"),
        Field("ox_valve_pos", _N, "1", "oxidiser valve position"),
        Field("fuel_valve_pos", _N, "1", "fuel valve position"),
        Field("chamber_pa", _N, "Pa", "chamber pressure"),
        Field("gimbal_x_rad", _N, "rad", "gimbal actuator x"),
        Field("gimbal_y_rad", _N, "rad", "gimbal actuator y"),
        Field("rejected", _N, "1", "frames rejected by the board so far (low 8 bits)", "i8"),
        Field("fresh", _N, "1", "1 when a status was sent in this frame", "i8"),
    ),
)

TELEMETRY: Final = Record(
    "telemetry",
    "What the flight computer reports of its own thinking, as it stands on the wire.",
    (
        Field("mode", (), "1", "number in FLIGHT_MODES", "i8"),
        Field("engine_failed", _N, "1", "1 when the kernel holds the engine for failed", "i8"),
        Field("engine_share", _N, "1", "1 when the engine takes part in the plan", "i8"),
        Field("accel_cmd_pad_mps2", (3,), "m/s^2", "commanded thrust acceleration"),
        Field("time_to_go_s", (), "s", "time to touchdown in the plan"),
        Field("thrust_cmd_n", (), "N", "commanded thrust of the stage"),
        Field("mass_est_kg", (), "kg", "mass as the kernel believes it"),
        Field("ignition_margin_m", (), "m", "height left before the landing burn has to start"),
        Field("ignition_margin_s", (), "s", "the landing burn could begin so much later and still land"),
        Field("ignition_margin_known", (), "1", "1 when the kernel knows that margin", "i8"),
        Field("work", (), "1", "work of the kernel in this frame, in its own unit", "i8"),
        Field(
            "plan_source", (), "1", "0 none, 1 closed-form law, 2 optimiser, 3 aside of the keep-out", "i8"
        ),
        Field("plan_age_s", (), "s", "age of the plan that is flown"),
        Field("rejected", (), "1", "frames rejected by the flight computer so far (low 8 bits)", "i8"),
        Field("nav_age_s", (), "s", "age of the navigation solution in use"),
        Field("kernel_not_finite", (), "1", "frames with kernel output not finite so far, to 255", "i8"),
        Field("kernel_out_of_range", (), "1", "frames with kernel output out of range so far, to 255", "i8"),
        Field("fresh", (), "1", "1 when telemetry was sent in this frame", "i8"),
    ),
)

RECORDS: Final = (TRUTH, NAV, SENSOR, COMMAND, ACTUATOR, STATUS, TELEMETRY)
"""Every seam, in the order in which the frame holds them."""


def _record_dtype(record: Record, engines: int) -> np.dtype[np.void]:
    def shape(field: Field) -> tuple[int, ...]:
        return tuple(engines if axis == PER_ENGINE else axis for axis in field.shape)

    return np.dtype([(f.name, "<" + f.kind, shape(f)) for f in record.fields])


def frame_dtype(engines: int) -> np.dtype[np.void]:
    """Return the layout of a frame for a burn of `engines` engines (1 to MAX_ENGINES)."""
    if not 1 <= engines <= MAX_ENGINES:
        raise ValueError(f"engines = {engines}: a burn has 1 to {MAX_ENGINES} engines")
    head = [("t_ns", "<i8"), ("frame", "<i8")]
    return np.dtype(head + [(r.name, _record_dtype(r, engines)) for r in RECORDS])


class Frame:
    """The one block of memory that all stations share; `array` is its zero-dimensional view.

    `frame["truth"]["pos_pad_m"]` is a view of shape (3,), `frame["truth"]["mass_kg"]` one of shape
    () that is written by `view[()] = value`.  `floats(name)` and `ints(name)` show a whole record
    as a flat array; `offset(name, field)` is the index of a field in it.
    """

    def __init__(self, engines: int) -> None:
        self.engines = engines
        self.array: npt.NDArray[np.void] = np.zeros((), frame_dtype(engines))
        self.bytes = self.array.reshape(1).view(np.uint8).data
        """The frame as it goes to the tape: a view, so copy it before the next frame."""

    def __getitem__(self, record: str) -> npt.NDArray[np.void]:
        view: npt.NDArray[np.void] = self.array[record]
        return view

    def _flat(self, record: str, kind: type[np.generic]) -> npt.NDArray[np.generic]:
        field = self.array.dtype.fields
        assert field is not None
        layout, start = field[record][0], field[record][1]
        raw = self.array.reshape(1).view(np.uint8)
        return raw[start : start + layout.itemsize].view(kind)

    def floats(self, record: str) -> npt.NDArray[np.float64]:
        """Return the record's memory as float64, shape (size of the record / 8,)."""
        return self._flat(record, np.float64)  # type: ignore[return-value]

    def ints(self, record: str) -> npt.NDArray[np.int64]:
        """Return the record's memory as int64, shape (size of the record / 8,)."""
        return self._flat(record, np.int64)  # type: ignore[return-value]

    def offset(self, record: str, field: str) -> int:
        """Return where `field` starts in `floats(record)` and `ints(record)`."""
        fields = self.array.dtype[record].fields
        assert fields is not None
        return int(fields[field][1]) // 8
