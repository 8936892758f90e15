"""A kernel with a vehicle's data, fed by hand."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from hil.boards.config import kernel_config
from hil.kernel import KernelRun, reference_kernel
from hil.plant.vehicle import load_vehicle

FRAME_NS = 10_000_000
G0_MPS2 = 9.80665
RIGS = Path(__file__).parents[2] / "rigs"


class Bench:
    """Feeds the reference kernel: a falling booster, engines that do as they are told."""

    def __init__(self, vehicle: str = "zq3_class", **config: Any) -> None:
        self.vehicle = load_vehicle(RIGS / "vehicles" / f"{vehicle}.toml")
        propellant = self.vehicle.body.propellant_kg
        self.run = KernelRun(
            reference_kernel(),
            kernel_config(self.vehicle, 0.01, initial_propellant_kg=propellant, **config),
        )
        self.config = self.run.config
        self.frame = 0
        self.place(height_m=4000.0, sink_mps=300.0)
        for engine in self.engines:
            engine.fresh = 1

    @property
    def engines(self) -> list[Any]:
        """The statuses of the landing engines."""
        return [self.run.input.engine[i] for i in range(self.config.engine_count)]

    @property
    def commands(self) -> list[Any]:
        """The commands to the landing engines."""
        return [self.run.output.engine[i] for i in range(self.config.engine_count)]

    @property
    def telemetry(self) -> Any:
        """What the kernel reports of itself."""
        return self.run.output.telemetry

    def place(self, height_m: float, sink_mps: float) -> None:
        """Put the booster upright above the pad's centre, sinking; the kernel believes no jump in flight."""
        nav = self.run.input.nav
        nav.pos_pad_m[2] = nav.height_m = height_m
        nav.vel_pad_mps[2] = -sink_mps
        nav.q_pad_from_body[0] = 1.0
        nav.fresh = nav.valid = 1

    def step(self) -> None:
        """Run one frame."""
        self.frame += 1
        self.run.input.t_ns = self.frame * FRAME_NS
        self.run.input.nav.valid_t_ns = self.run.input.t_ns
        self._fall()
        self.run.step()

    def _fall(self) -> None:
        """Move the booster on, as the chamber pressures and gravity have it."""
        nav, dt = self.run.input.nav, FRAME_NS * 1e-9
        fractions = [engine.chamber_pa / self.vehicle.engine.chamber_pa for engine in self.engines]
        vacuum_n = self.config.engine[0].thrust_vac_n
        nav.force_body_mps2[2] = sum(fractions) * vacuum_n / self.config.mass_kg
        nav.vel_pad_mps[2] += dt * (nav.force_body_mps2[2] - G0_MPS2)
        nav.pos_pad_m[2] += dt * nav.vel_pad_mps[2]
        nav.height_m = nav.pos_pad_m[2]

    def burn(self, throttle: float = 0.7, frames: int = 60) -> None:
        """Report all engines in MAINSTAGE at `throttle` for some frames."""
        for engine in self.engines:
            engine.state = 3
            engine.ox_valve_pos = engine.fuel_valve_pos = throttle
            engine.chamber_pa = throttle * self.vehicle.engine.chamber_pa
        for _ in range(frames):
            self.step()


@pytest.fixture
def bench() -> Bench:
    """A zq3_class booster in its fall."""
    return Bench()


def braking(height_m: float = 4000.0, sink_mps: float = 300.0) -> Bench:
    """Return a zq3_class booster that has braked for 0.6 s on all three engines from there on."""
    bench = Bench(ignition_forced_at_s=0.0)
    bench.place(height_m, sink_mps)
    for engine in bench.engines:
        engine.state = 1
    bench.step()
    bench.burn()
    return bench


@pytest.fixture
def burning() -> Bench:
    """A zq3_class booster that brakes, high up."""
    return braking()
