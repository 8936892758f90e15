"""The booster by itself: a case flown without commands, engines shut, fins straight."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Final

import numpy as np
import numpy.typing as npt

from hil.faults.case import Case
from hil.faults.dispersion import disperse
from hil.plant.model import BoosterPlant
from hil.plant.vehicle import Vehicle
from hil.signals import Frame

__all__ = ["COAST_COLUMNS", "fly_booster", "fly_coast"]

COAST_COLUMNS: Final = (
    "t_s", "altitude_m", "speed_mps", "vel_east_mps", "vel_north_mps", "vel_up_mps", "east_m", "north_m",
    "mach", "dynamic_pressure_pa", "angle_of_attack_deg", "mass_kg", "thrust_n", "chamber_fraction",
)  # fmt: skip

STEP_NS: Final = 1_000_000

History = dict[str, npt.NDArray[np.float64]]
Steer = Callable[[float, Frame], None]
"""Called with the time (s) and the frame before each stretch of flight; it may write `actuator`."""


def fly_coast(vehicle: Vehicle, case: Case, seconds: float, every_s: float) -> History:
    """Fly `case` for `seconds` without any command; return its history, a row every `every_s`."""
    return fly_booster(vehicle, case, seconds, every_s)


def fly_booster(
    vehicle: Vehicle, case: Case, seconds: float, every_s: float, steer: Steer | None = None
) -> History:
    """Fly `case` with `steer` at the actuators; return COAST_COLUMNS by name, a row every `every_s`.

    The faults of the case are left out, its dispersions drawn by its own seed.  Ends early, with the
    last row, once the booster is at rest.
    """
    case, _ = disperse(case, case.seed, case.path.stem)
    frame = Frame(len(vehicle.landing_engines))
    plant = BoosterPlant(
        frame,
        vehicle,
        case.initial,
        case.wind,
        STEP_NS,
        atmosphere=case.atmosphere,
        pad=case.pad,
        stage=case.stage,
        seed=case.seed,
        run_id=case.path.stem,
    )
    rows = [_row(0.0, frame, vehicle)]
    for k in range(math.floor(seconds / every_s * (1.0 + 1e-12))):
        if steer is not None:
            steer(k * every_s, frame)
        t_s = (k + 1) * every_s
        plant.advance(round(t_s * 1e9))
        rows.append(_row(t_s, frame, vehicle))
        if plant.at_rest:
            break
    table = np.array(rows)
    return {name: table[:, i] for i, name in enumerate(COAST_COLUMNS)}


def _row(t_s: float, frame: Frame, vehicle: Vehicle) -> tuple[float, ...]:
    truth = frame["truth"]
    east_m, north_m, up_m = truth["pos_pad_m"].tolist()
    velocity = truth["vel_pad_mps"].tolist()
    return (
        t_s,
        up_m,
        math.hypot(*velocity),
        *velocity,
        east_m,
        north_m,
        float(truth["mach"]),
        float(truth["dynamic_pressure_pa"]),
        math.degrees(float(truth["angle_of_attack_rad"])),
        float(truth["mass_kg"]),
        float(truth["thrust_n"].sum()),
        float(truth["chamber_pa"].mean()) / vehicle.engine.chamber_pa,
    )
