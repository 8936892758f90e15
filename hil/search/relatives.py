"""Relatives of a case: what else is flown where a property compares flights."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, Final, Literal

from hil.faults.case import Case, FaultSpec, Navigation
from hil.faults.catalogue import CATALOGUE, HEALS, Size
from hil.plant.vehicle import Vehicle
from hil.sensors.streams import stream

__all__ = [
    "FRAME_S", "NOTICED", "SPOILED_APART_S", "SPOILED_FRAMES",
    "in_the_mirror", "milder", "quiet", "spoiled", "swap",
]  # fmt: skip

Axis = Literal["x", "y"]
"""The axis that changes its sign in the mirror, of the body and of the pad (east, north) alike."""

_FINS: Final = {"x": {1: 3, 3: 1}, "y": {2: 4, 4: 2}}
"""The fins stand at +x, +y, -x, -y (hil.plant.aero)."""
_HEARD: Final = ("nav.", "sensor.")
"""Beginnings of the kinds that are about what is measured: no mirror image, or noise of their own."""
_PLACE_M: Final = 0.01


FRAME_S: Final = 0.01
SPOILED_FRAMES: Final = 4
SPOILED_APART_S: Final = 1.0
"""The budget of frames that may be lost of each message."""
NOTICED: Final[tuple[dict[str, Any], ...]] = (
    {"kind": "wire.drop", "share": 1.0},
    {"kind": "wire.corrupt", "share": 1.0, "bits": 1},
    {"kind": "wire.corrupt", "share": 1.0, "bits": 3},
    {"kind": "wire.checksum", "share": 1.0},
    {"kind": "wire.counter", "count": "repeated"},
    {"kind": "wire.counter", "count": "skipped"},
    {"kind": "wire.duplicate", "share": 1.0, "copies": 3},
)
"""Faults of wires that the protocol notices, each spoiling every frame while it lasts."""


def quiet(case: Case) -> Case:
    """Return the case without noise, gusts, a turning Earth, and faults of what is measured."""
    exact = Navigation(
        pos_m=0.0, vel_mps=0.0, attitude_deg=0.0, height_m=0.0, latency_ms=case.navigation.latency_ms
    )
    changes = {
        "navigation": exact,
        "wind": case.wind.model_copy(update={"gust_w20_mps": 0.0}),
        "pad": case.pad.model_copy(update={"latitude_deg": None}),
        "fault": tuple(fault for fault in case.fault if not fault.kind.startswith(_HEARD)),
    }
    return case.model_copy(update=changes)


def spoiled(case: Case, messages: Sequence[str], until_s: float) -> Case:
    """Return the case with frames of every message spoiled, in ways that the protocol notices.

    As its budget has it: SPOILED_FRAMES in a row of each message, then good ones for SPOILED_APART_S.
    """
    draws = stream(case.seed, case.run_id or "", "spoiled frames")
    faults = list(case.fault)
    for message in messages:
        at_s = float(draws.uniform(0.0, 1.0))
        while at_s < until_s:
            kind = NOTICED[int(draws.integers(len(NOTICED)))]
            keys = {"message": message, "at_s": round(at_s, 2), HEALS.name: SPOILED_FRAMES * FRAME_S}
            faults.append(FaultSpec.model_validate(kind | keys))
            at_s += SPOILED_FRAMES * FRAME_S + SPOILED_APART_S + float(draws.exponential(1.0))
    return case.model_copy(update={"fault": tuple(faults)})


def swap(vehicle: Vehicle, axis: Axis) -> dict[int, int] | None:
    """Return which landing engine stands where another does in the mirror; None where one stands alone."""
    places = {number: vehicle.engine_position[number - 1] for number in vehicle.landing_engines}
    swapped = {}
    for number, place in places.items():
        x, y = (-place.x_m, place.y_m) if axis == "x" else (place.x_m, -place.y_m)
        there = [other for other, at in places.items() if math.hypot(at.x_m - x, at.y_m - y) < _PLACE_M]
        if not there:
            return None
        swapped[number] = there[0]
    return swapped


def in_the_mirror(case: Case, vehicle: Vehicle, axis: Axis) -> Case | None:
    """Return the mirror image of a quiet case; None where the vehicle has none in this mirror."""
    engines = swap(vehicle, axis)
    if engines is None:
        return None
    sign = (-1.0, 1.0) if axis == "x" else (1.0, -1.0)
    initial = case.initial
    start: dict[str, Any] = {
        name: (sign[0] * value[0], sign[1] * value[1], value[2])
        for name, value in (("pos_pad_m", initial.pos_pad_m), ("vel_pad_mps", initial.vel_pad_mps))
    }
    # turns are axial vectors: the mirror changes the sign of the parts along its plane
    turn = (sign[1], sign[0], -1.0)
    rate = initial.omega_body_radps
    start["omega_body_radps"] = (turn[0] * rate[0], turn[1] * rate[1], turn[2] * rate[2])
    q = initial.q_pad_from_body
    if q is not None:
        start["q_pad_from_body"] = (q[0], turn[0] * q[1], turn[1] * q[2], turn[2] * q[3])
    wind = case.wind
    blown: dict[str, Any] = {"mean_mps": (sign[0] * wind.mean_mps[0], sign[1] * wind.mean_mps[1])}
    if wind.profile_mps is not None:
        blown["profile_mps"] = tuple((sign[0] * east, sign[1] * north) for east, north in wind.profile_mps)
    return case.model_copy(
        update={
            "initial": initial.model_copy(update=start),
            "wind": wind.model_copy(update=blown),
            "fault": tuple(_mirrored(fault, engines, axis) for fault in case.fault),
        }
    )


def _mirrored(fault: FaultSpec, engines: dict[int, int], axis: Axis) -> FaultSpec:
    changes: dict[str, Any] = {}
    if fault.engine is not None:
        changes["engine"] = engines[fault.engine]
    if fault.board is not None:
        number = next((n for n in engines if fault.board == f"engine_{n}"), None)
        changes["board"] = fault.board if number is None else f"engine_{engines[number]}"
    if fault.fin is not None:
        changes["fin"] = _FINS[axis].get(fault.fin, fault.fin)
    if fault.angle_deg is not None and fault.axis == axis:
        changes["angle_deg"] = -fault.angle_deg
    if fault.towards_deg is not None:
        changes["towards_deg"] = ((360.0 if axis == "x" else 180.0) - fault.towards_deg) % 360.0
    return fault.model_copy(update=changes)


def milder(fault: FaultSpec) -> FaultSpec:
    """Return a fault with every size half-way to its mildest value, and healed in half the time."""
    kind = CATALOGUE[fault.kind]
    changes: dict[str, Any] = {}
    for size in kind.sizes_for(fault.what):
        if isinstance(size, Size):
            value = float(getattr(fault, size.name))
            half = size.mildest + 0.5 * (value - size.mildest)
            changes[size.name] = float(round(half)) if size.whole else float(f"{half:.6g}")
    if fault.heals_after_s is not None:
        changes[HEALS.name] = max(HEALS.low, round(0.5 * fault.heals_after_s, 6))
    return fault.model_copy(update=changes)
