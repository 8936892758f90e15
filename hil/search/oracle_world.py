"""The plant of a case under prescribed commands: what a clairvoyant flight is flown in, and replayed in.

Everything the case does to the plant happens here as in any flight (the same trigger book, the same
effects).  Navigation, wires and the flight computer's sensors do not exist: the commands are known.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final, Literal

import numpy as np
import numpy.typing as npt

from hil.faults.case import Case, FaultSpec
from hil.faults.catalogue import CATALOGUE
from hil.faults.effects import PLANT_FAULTS
from hil.faults.triggers import TriggerBook
from hil.faults.wrappers import add_faults
from hil.plant.model import BoosterPlant, Effects
from hil.plant.vehicle import Vehicle
from hil.signals import REQUESTS, Frame

__all__ = ["COMPUTER", "FRAME_NS", "FRAME_S", "History", "State", "Touchdown", "World", "physical_faults"]

FRAME_NS: Final = 10_000_000
FRAME_S: Final = FRAME_NS * 1e-9
STEP_NS: Final = 1_000_000
"""Frame and plant step of the shipped rigs: a history is one for these."""
COMPUTER: Final = "flight_computer"

_START: Final = REQUESTS.index("START")
_RUN: Final = REQUESTS.index("RUN")

Array = npt.NDArray[np.float64]


@dataclass(frozen=True)
class History:
    """Commands of a whole flight, one row for each frame of 10 ms, held over it."""

    actuator: Array
    """Shape (frames, size of the frame's `actuator` record): drives of valves and gimbals, igniters, fins."""
    request: npt.NDArray[np.int64]
    """Shape (frames, engines): what each engine is asked for (REQUESTS), for triggers that look at it."""

    @property
    def seconds(self) -> float:
        """How long the history is, s."""
        return len(self.actuator) * FRAME_S


@dataclass(frozen=True, slots=True)
class Touchdown:
    """The first touch of a flight and what became of it; all in SI units but for the angles in degrees."""

    t_s: float
    miss_m: float
    vertical_speed_mps: float
    lateral_speed_mps: float
    tilt_deg: float
    rate_degps: float
    propellant_left_kg: float
    at_rest: int
    """Number of `truth.at_rest` (0: still moving at the end)."""

    def within(self, vehicle: Vehicle) -> bool:
        """Tell whether this is a landing by the vehicle's requirements."""
        return self.excess(vehicle) <= 1.0 and self.at_rest in (1, 4, 5)

    def excess(self, vehicle: Vehicle) -> float:
        """Return the largest ratio of a touchdown figure to its limit."""
        limits = vehicle.requirements
        return max(
            float(getattr(self, name)) / float(getattr(limits, name))
            for name in ("miss_m", "vertical_speed_mps", "lateral_speed_mps", "tilt_deg", "rate_degps")
        )


@dataclass
class _Struck:
    """What faults set of a board (hil.boards.common.BoardFaults says what each means)."""

    silent: bool = False
    frozen: bool = False
    undriven: bool = False
    restart: bool = False

    @property
    def stopped(self) -> bool:
        """True while the board does not run."""
        return self.silent or self.frozen


class _Station:
    """Stands for a board where faults strike it: nothing but its name and what struck it.

    A slow clock does not matter: commands are held from one frame to the next.
    """

    role: Literal["flight_computer", "engine_valve"] = "engine_valve"
    backend = "oracle"
    reality: Literal["virtual"] = "virtual"
    safe = True

    def __init__(self, name: str) -> None:
        self.name = name
        self.faults = _Struck()

    def start_frame(self, t_ns: int) -> None:
        """Nothing to run."""

    def skip_frame(self) -> None:
        """Nothing to run."""

    def finish_frame(self) -> None:
        """Nothing to wait for."""

    def close(self) -> None:
        """Nothing to close."""


def physical_faults(case: Case) -> tuple[FaultSpec, ...]:
    """Return the faults that act on the plant, and the boards that die: all that a clairvoyant suffers."""
    return tuple(
        fault
        for fault in case.fault
        if fault.kind in PLANT_FAULTS
        or CATALOGUE[fault.kind].strikes in ("board", "air")
        or fault.kind == "bay.fire"
    )


@dataclass(slots=True)
class State:
    """The truth of a moment as plain floats; pad axes (east, north, up), body axes z to the nose."""

    t_s: float
    pos: tuple[float, float, float]
    """Centre of mass, m."""
    vel: tuple[float, float, float]
    """Of the centre of mass, m/s."""
    rot: tuple[float, ...]
    """Body to pad, row by row."""
    omega: tuple[float, float, float]
    mass_kg: float
    propellant_kg: float
    cm_z_m: float
    wind: tuple[float, float, float]
    thrust: list[float]
    gimbal_x: list[float]
    gimbal_y: list[float]
    ox_pos: list[float]
    fuel_pos: list[float]
    chamber_pa: list[float]
    fin: list[float]
    contact: bool
    height_m: float
    """Of the body origin above the pad."""


class World:
    """One flight of the case's stage; advance it frame by frame with the commands written before."""

    def __init__(self, case: Case, vehicle: Vehicle, seed: int, run_id: str) -> None:
        self.vehicle = vehicle
        self.engines = len(vehicle.landing_engines)
        self.frame = Frame(self.engines)
        self._plant = BoosterPlant(
            self.frame, vehicle, case.initial, case.wind, STEP_NS, atmosphere=case.atmosphere, pad=case.pad,
            stage=case.stage, seed=seed, run_id=run_id,
        )  # fmt: skip
        self.effects: Effects = self._plant.effects
        faults = physical_faults(case)
        self.book = TriggerBook(self.frame, faults, FRAME_NS)
        names = [COMPUTER, *(f"engine_{number}" for number in vehicle.landing_engines)]
        self._boards = [_Station(name) for name in names]
        slots = {number: slot for slot, number in enumerate(vehicle.landing_engines)}
        struck = case.model_copy(update={"fault": faults})
        numbers = dict(zip(names[1:], vehicle.landing_engines, strict=True))
        boards: Any = self._boards
        self._world, self._turned = add_faults(struck, self.book, self._plant, boards, slots, numbers)
        self.t_ns = 0
        self.lowest_m = math.inf
        """Least height of the body origin above the pad so far."""
        self._actuator = self.frame.floats("actuator")
        self._request = self.frame["command"]["request"]
        actuator = self.frame["actuator"]
        self.ox_drive, self.fuel_drive = actuator["ox_drive"], actuator["fuel_drive"]
        self.gimbal_x_drive, self.gimbal_y_drive = actuator["gimbal_x_drive"], actuator["gimbal_y_drive"]
        self._unpowered = actuator["unpowered"]
        self.igniter, self.fin_cmd = actuator["igniter"], actuator["fin_cmd_rad"]
        self._truth = self.frame.floats("truth")
        self._truth_int = self.frame.ints("truth")
        self._at = {name: self.frame.offset("truth", name) for name in _FIELDS}
        self._held = [[0.0] * 5 for _ in range(self.engines)]
        self._rows: list[Array] = []
        self._asked: list[npt.NDArray[np.int64]] = []

    @property
    def t_s(self) -> float:
        """Time of the frame that comes next, s."""
        return self.t_ns * 1e-9

    @property
    def at_rest(self) -> int:
        """Number of `truth.at_rest`."""
        return int(self._truth_int[self._at["at_rest"]])

    def is_dead(self, slot: int) -> bool:
        """Tell whether nothing drives the valves of an engine now: its board is dark or without a supply."""
        faults = self._boards[1 + slot].faults
        return faults.silent or faults.undriven

    def is_hung(self, slot: int) -> bool:
        """Tell whether the board of an engine hangs: its drives stay as they are."""
        return self._boards[1 + slot].faults.frozen

    def restarts(self, slot: int) -> bool:
        """Tell whether the board of an engine starts anew (once); it shuts its engine."""
        faults = self._boards[1 + slot].faults
        again, faults.restart = faults.restart and not faults.silent, faults.restart and faults.silent
        return again

    @property
    def computer_stopped(self) -> bool:
        """True while no command leaves the flight computer: boards' watchdogs then shut the engines."""
        return self._boards[0].faults.stopped

    def ask(self, slot: int, *, starting: bool) -> None:
        """Note that an engine is asked to start or to run: the first is the landing ignition."""
        self._request[slot] = _START if starting else _RUN

    def advance(self) -> None:
        """Fly one frame with the commands as they stand; dead boards drive nothing, hung ones the same."""
        for board in self._turned:
            board.start_frame(self.t_ns)
        for slot in range(self.engines):
            drives = (
                self.ox_drive, self.fuel_drive, self.gimbal_x_drive, self.gimbal_y_drive, self.igniter,
            )  # fmt: skip
            self._unpowered[slot] = float(self.is_dead(slot))
            for held, drive in zip(self._held[slot], drives, strict=True):
                if self.is_dead(slot):
                    drive[slot] = 0.0
                elif self.is_hung(slot):
                    drive[slot] = held
            self._held[slot] = [float(drive[slot]) for drive in drives]
        self._rows.append(self._actuator.copy())
        self._asked.append(self._request.copy())
        self.t_ns += FRAME_NS
        self._world.advance(self.t_ns)
        self.lowest_m = min(self.lowest_m, float(self._truth[self._at["pos_pad_m"] + 2]))

    def history(self) -> History:
        """Return the commands flown so far."""
        return History(np.array(self._rows), np.array(self._asked))

    def replay(self, history: History, until: Callable[[], bool] | None = None) -> None:
        """Fly a history open loop to its end, or until `until`, asked before each frame, says so."""
        for row, asked in zip(history.actuator, history.request, strict=True):
            if until is not None and until():
                return
            self._actuator[:] = row
            self._request[:] = asked
            self.advance()

    def state(self) -> State:
        """Return the truth of now."""
        values = self._truth.tolist()
        at, n = self._at, self.engines

        def several(name: str, count: int) -> list[float]:
            return list(values[at[name] : at[name] + count])

        w, i, j, k = several("q_pad_from_body", 4)
        rot = (
            1.0 - 2.0 * (j * j + k * k), 2.0 * (i * j - w * k), 2.0 * (i * k + w * j),
            2.0 * (i * j + w * k), 1.0 - 2.0 * (i * i + k * k), 2.0 * (j * k - w * i),
            2.0 * (i * k - w * j), 2.0 * (j * k + w * i), 1.0 - 2.0 * (i * i + j * j),
        )  # fmt: skip
        px, py, pz = several("pos_pad_m", 3)
        vx, vy, vz = several("vel_pad_mps", 3)
        ox, oy, oz = several("omega_body_radps", 3)
        cm = values[at["cm_z_m"]]
        bx, by = oy * cm, -ox * cm  # omega x (0, 0, cm)
        wx, wy, wz = several("wind_pad_mps", 3)
        return State(
            self.t_s,
            (px + rot[2] * cm, py + rot[5] * cm, pz + rot[8] * cm),
            (
                vx + rot[0] * bx + rot[1] * by,
                vy + rot[3] * bx + rot[4] * by,
                vz + rot[6] * bx + rot[7] * by,
            ),
            rot, (ox, oy, oz), values[at["mass_kg"]], values[at["propellant_kg"]], cm, (wx, wy, wz),
            several("thrust_n", n), several("gimbal_x_rad", n), several("gimbal_y_rad", n),
            several("ox_valve_pos", n), several("fuel_valve_pos", n), several("chamber_pa", n),
            several("fin_rad", 4), bool(self._truth_int[at["contact"]]), pz,
        )  # fmt: skip

    def touch_across_mps(self) -> tuple[float, float]:
        """Return the velocity across at the first touch, towards east and north; zero before."""
        truth: Any = self.frame["truth"]
        east, north, _ = truth["contact_vel_pad_mps"] if truth["contact"] else (0.0, 0.0, 0.0)
        return float(east), float(north)

    def touch_at_m(self) -> tuple[float, float]:
        """Return where the first touch was, towards east and north; zero before."""
        truth: Any = self.frame["truth"]
        east, north, _ = truth["contact_pos_pad_m"] if truth["contact"] else (0.0, 0.0, 0.0)
        return float(east), float(north)

    def touchdown(self) -> Touchdown | None:
        """Return the first touch; None before."""
        truth: Any = self.frame["truth"]
        if not truth["contact"]:
            return None
        position, velocity = truth["contact_pos_pad_m"], truth["contact_vel_pad_mps"]
        return Touchdown(
            t_s=float(truth["contact_t_ns"]) * 1e-9,
            miss_m=math.hypot(position[0], position[1]),
            vertical_speed_mps=abs(float(velocity[2])),
            lateral_speed_mps=math.hypot(velocity[0], velocity[1]),
            tilt_deg=math.degrees(truth["contact_tilt_rad"]),
            rate_degps=math.degrees(truth["contact_rate_radps"]),
            propellant_left_kg=float(truth["propellant_kg"]),
            at_rest=self.at_rest,
        )


_FIELDS: Final = (
    "pos_pad_m", "vel_pad_mps", "q_pad_from_body", "omega_body_radps", "mass_kg", "propellant_kg", "cm_z_m",
    "wind_pad_mps", "ox_valve_pos", "fuel_valve_pos", "chamber_pa", "thrust_n", "gimbal_x_rad",
    "gimbal_y_rad", "fin_rad", "contact", "at_rest",
)  # fmt: skip
