"""The most that the air can hold a stage up: drag and lift at every attack that can be held and is borne."""

from __future__ import annotations

import math
from typing import Final

import numpy as np
import numpy.typing as npt

from hil.plant.atmosphere import G0_MPS2
from hil.search.oracle_air import Air
from hil.search.oracle_flight import Subject

__all__ = ["BORNE_G", "SPEEDS", "attack_held", "gimbal_reach", "most_upward"]

Array = npt.NDArray[np.float64]

BORNE_G: Final = 1.0
"""Flights are considered whose air load across the body is at most the full stage's weight, times this."""
LEAST_SOUND_MPS: Final = 330.0
"""Mach numbers are taken with this: none is too small, and the axial coefficient grows with them."""
SPEEDS: Final = np.linspace(0.0, 1.0, 19)
"""Speeds downwards of a table of forces, over the largest at that height."""
LEVELS: Final = (0.0, 1.0 / 3.0, 2.0 / 3.0, 1.0)
"""Shares of the largest thrust: less of it holds less attack, and costs less."""
_ANGLES: Final = np.linspace(0.0, 0.5 * math.pi, 91)
_PARTS: Final = np.linspace(0.0, 1.0, 19)


def most_upward(subject: Subject, height: Array, thrust: Array, fastest: Array, across: float) -> Array:
    """Return the largest upward air force at heights (n) and speeds (m shares of `fastest`), N.

    What the attack costs of the thrust's direction is taken off.  Drag and lift add to each other as the
    flow leans, which the largest speed `across` (m/s) bounds.
    """
    air = Air(subject.case, subject.vehicle)
    thicker = [max(f.factor or 1.0, 1.0) for f in subject.case.fault if f.kind == "air.density"]
    density = air.density(height) * math.prod(thicker)
    speed = fastest[:, None] * SPEEDS
    through = np.hypot(speed, across)
    pressure = 0.5 * density[:, None] * through**2
    net = np.zeros(speed.shape)
    for level in LEVELS:
        push_n = np.broadcast_to(level * thrust[:, None], speed.shape)
        net = np.maximum(net, _net(subject, air, pressure, through, push_n, across))
    return net


def _net(subject: Subject, air: Air, pressure: Array, through: Array, push_n: Array, across: float) -> Array:
    aero = subject.vehicle.aero
    plume = air.plume(push_n)
    most = np.minimum(attack_held(subject, pressure, push_n), _borne(subject, pressure, plume))
    angle = most[..., None] * _PARTS
    sine, cosine = np.sin(angle), np.cos(angle)
    axial = np.interp(through / LEAST_SOUND_MPS, aero.mach, aero.axial)[..., None]
    along = aero.ref_area_m2 * plume[..., None] * axial * cosine
    side = aero.ref_area_m2 * plume[..., None] * max(aero.normal_slope) * cosine * sine
    side = side + aero.crossflow_drag_area_m2 * sine**2
    drag, lift = along * cosine + side * sine, side * cosine - along * sine
    flow = np.arcsin(np.minimum(across / np.maximum(through, 1.0), 1.0))[..., None]
    leant = np.minimum(flow, np.arctan2(np.maximum(lift, 0.0), drag))
    upward = drag * np.cos(leant) + np.maximum(lift, 0.0) * np.sin(leant)
    lost = push_n[..., None] * (1.0 - np.cos(np.maximum(angle - flow - gimbal_reach(subject), 0.0)))
    result: Array = np.max(pressure[..., None] * upward - lost, axis=-1)
    return result


def gimbal_reach(subject: Subject) -> float:
    """Return how far gimbals point the thrust off the axis at the most, rad: on both stops, faults on top."""
    beyond = [abs(f.angle_deg or 0.0) for f in subject.case.fault if f.kind.startswith("gimbal.")]
    return math.radians(math.sqrt(2.0) * subject.vehicle.engine.gimbal_limit_deg + sum(beyond))


def attack_held(subject: Subject, pressure: Array, thrust: Array) -> Array:
    """Return the largest attack that fins and gimbals on their stops can hold, rad.

    Levers are those of the loaded stage, which are the longest; what the air turns back is that of the dry
    one, which is the least.
    """
    vehicle = subject.vehicle
    body, aero, fins = vehicle.body, vehicle.aero, vehicle.fins
    centre = (body.dry_kg * body.dry_cm_z_m + body.propellant_kg * body.propellant_cm_z_m) / (
        body.dry_kg + body.propellant_kg
    )
    fin_area = 2.0 * math.sqrt(2.0) * fins.slope_m2_per_rad * math.radians(fins.limit_deg)
    held = fin_area * (fins.z_m - centre) * pressure
    held = held + thrust * math.sin(gimbal_reach(subject)) * (centre - body.gimbal_plane_z_m)
    sine, cosine = np.sin(_ANGLES), np.cos(_ANGLES)
    normal = aero.ref_area_m2 * aero.plume_factor * min(aero.normal_slope) * sine * cosine
    turned = normal * (aero.cp_z_m - body.dry_cm_z_m)
    turned = turned + aero.crossflow_drag_area_m2 * sine**2 * (0.5 * body.length_m - body.dry_cm_z_m)
    return _first(turned > (held / np.maximum(pressure, 1e-6))[..., None])


def _borne(subject: Subject, pressure: Array, plume: Array) -> Array:
    """Return the largest attack at which the load across the body is borne, rad."""
    body, aero = subject.vehicle.body, subject.vehicle.aero
    full_kg = (body.dry_kg + body.propellant_kg) * subject.case.stage.mass_factor
    borne = BORNE_G * G0_MPS2 * full_kg / np.maximum(pressure, 1e-6)
    sine, cosine = np.sin(_ANGLES), np.cos(_ANGLES)
    side = aero.ref_area_m2 * min(aero.normal_slope) * plume[..., None] * sine * cosine
    side = side + aero.crossflow_drag_area_m2 * sine**2
    return _first(np.maximum.accumulate(side, axis=-1) > borne[..., None])


def _first(beyond: npt.NDArray[np.bool_]) -> Array:
    """Return the first of the angles that is beyond a limit; a right angle where none is."""
    first = np.argmax(beyond, axis=-1)
    result: Array = np.where(beyond.any(axis=-1), _ANGLES[first], 0.5 * math.pi)
    return result
