"""A booster to play with: the plant on a frame of its own, and a valve board's loops in a few lines."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from hil.faults.case import Initial, Wind
from hil.plant.model import BoosterPlant
from hil.plant.vehicle import Vehicle, load_vehicle
from hil.signals import Frame

VEHICLES = Path(__file__).parents[2] / "rigs" / "vehicles"
FRAME_NS = 10_000_000


class Bench:
    """A plant on its frame; `run` holds valve and gimbal positions by rate drives, frame by frame."""

    def __init__(
        self, vehicle: Vehicle, initial: Initial, wind: Wind, step_ns: int, **surroundings: Any
    ) -> None:
        self.vehicle = vehicle
        self.frame = Frame(len(vehicle.landing_engines))
        self.plant = BoosterPlant(self.frame, vehicle, initial, wind, step_ns, **surroundings)
        self.truth = self.frame["truth"]
        self.act = self.frame["actuator"]
        self.t_ns = 0

    def value(self, name: str) -> Any:
        return self.truth[name].copy()

    def hold(self, ox: Any, fuel: Any, gimbal_x: float = 0.0, gimbal_y: float = 0.0) -> None:
        """Drive valves and gimbals towards these positions for the next frame."""
        engine, board = self.vehicle.engine, self.vehicle.valve_board
        rate = np.radians(engine.gimbal_rate_degps)
        for name, target, gain, full in (
            ("ox_valve_pos", ox, board.valve_gain_per_s, engine.valve_slew_per_s),
            ("fuel_valve_pos", fuel, board.valve_gain_per_s, engine.valve_slew_per_s),
            ("gimbal_x_rad", gimbal_x, board.gimbal_gain_per_s, rate),
            ("gimbal_y_rad", gimbal_y, board.gimbal_gain_per_s, rate),
        ):
            drive = name.replace("_valve_pos", "_drive").replace("_rad", "_drive")
            self.act[drive][:] = np.clip(gain * (target - self.truth[name]) / full, -1.0, 1.0)

    def tick(self, frames: int = 1) -> None:
        """Advance with the actuators as they are."""
        for _ in range(frames):
            self.t_ns += FRAME_NS
            self.plant.advance(self.t_ns)

    def run(self, seconds: float, ox: float, fuel: float | None = None, igniter: float = 0.0) -> None:
        """Hold both valves of every engine for so long."""
        self.act["igniter"][:] = igniter
        for _ in range(round(seconds * 1e9 / FRAME_NS)):
            self.hold(ox, ox if fuel is None else fuel)
            self.tick()

    def light(self) -> None:
        """Start all engines and bring them to 70 %."""
        self.run(1.2, 0.7, igniter=1.0)
        self.run(0.8, 0.7)


@pytest.fixture(scope="session")
def zq3() -> Vehicle:
    return load_vehicle(VEHICLES / "zq3_class.toml")


@pytest.fixture(scope="session")
def falcon9() -> Vehicle:
    return load_vehicle(VEHICLES / "falcon9_class.toml")


@pytest.fixture
def bench(zq3: Vehicle) -> Callable[..., Bench]:
    """Return a maker of benches; the state defaults to a fall of zq3_class at 3 km."""

    def make(
        vehicle: Vehicle | None = None,
        pos: tuple[float, float, float] = (0.0, 0.0, 3000.0),
        vel: tuple[float, float, float] = (0.0, 0.0, -250.0),
        wind: tuple[float, float] | Wind = (0.0, 0.0),
        step_ns: int = 1_000_000,
        **initial: Any,
    ) -> Bench:
        names = ("atmosphere", "pad", "seed", "run_id")
        surroundings = {name: initial.pop(name) for name in names if name in initial}
        start = Initial(pos_pad_m=pos, vel_pad_mps=(0.0, 0.0, 0.0), **initial)
        start = start.model_copy(update={"vel_pad_mps": vel})  # past the file's ranges: the plant has its own
        air = wind if isinstance(wind, Wind) else Wind(mean_mps=wind)
        return Bench(zq3 if vehicle is None else vehicle, start, air, step_ns, **surroundings)

    return make
