"""A kernel fed by hand, frame by frame."""

from __future__ import annotations

from typing import Any

from hil.kernel import KernelRun, reference_kernel
from tests.kernel.flight import (
    BRAKING,
    CHAMBER_PA,
    CLUSTER,
    DT,
    FRAME_NS,
    G0,
    MAINSTAGE,
    Vector,
    make_config,
)

UPRIGHT = (1.0, 0.0, 0.0, 0.0)


class Desk:
    """A kernel fed by hand: nothing moves unless it is told to."""

    def __init__(self, **config: Any) -> None:
        every = {key: config.pop(key) for key in ("thrust_sl_n", "thrust_vac_n", "starts") if key in config}
        self.config = make_config(config.pop("cluster", CLUSTER), **config)
        for engine in self.config.engine[0 : self.config.engine_count]:
            for key, value in every.items():
                setattr(engine, key, value)
        self.frame = 0
        self.late_ns = 0
        """By how much the kernel's clock is behind that of navigation."""
        self.anew()

    def anew(self) -> Desk:
        """Start a kernel on the configuration as it is by now, and return this desk."""
        self.run = KernelRun(reference_kernel(), self.config)
        self.out, self.telemetry, self.nav = self.run.output, self.run.output.telemetry, self.run.input.nav
        for status in self.statuses:
            status.state, status.fresh = 1, 1
        self.put()
        return self

    @property
    def statuses(self) -> list[Any]:
        """What the boards say."""
        return [self.run.input.engine[i] for i in range(self.config.engine_count)]

    @property
    def commands(self) -> list[Any]:
        """What they are told."""
        return [self.out.engine[i] for i in range(self.config.engine_count)]

    def put(
        self,
        height_m: float = 2000.0,
        vel: Vector = (0.0, 0.0, -200.0),
        q: tuple[float, ...] = UPRIGHT,
        omega: Vector = (0.0, 0.0, 0.0),
        across_m: tuple[float, float] = (0.0, 0.0),
        force: Vector = (0.0, 0.0, 0.0),
    ) -> None:
        """Put the stage somewhere; once it has been there, no jump is believed: `move` it."""
        self.nav.pos_pad_m = (*across_m, height_m)
        self.nav.height_m, self.nav.vel_pad_mps = height_m, vel
        self.nav.q_pad_from_body, self.nav.omega_body_radps, self.nav.force_body_mps2 = q, omega, force
        self.nav.fresh = self.nav.valid = 1

    def burn(self, *throttles: float, state: int = MAINSTAGE) -> None:
        """Let the engines say that they burn so."""
        for status, throttle in zip(self.statuses, throttles, strict=True):
            status.ox_valve_pos = status.fuel_valve_pos = throttle
            status.chamber_pa, status.state = throttle * CHAMBER_PA, state

    def step(self, frames: int = 1, age_frames: int = 0) -> None:
        """Run frames; navigation is so many frames old."""
        for _ in range(frames):
            self.frame += 1
            self.run.input.t_ns = self.frame * FRAME_NS
            self.nav.valid_t_ns = (self.frame - age_frames) * FRAME_NS + self.late_ns
            self.run.step()

    def move(self, frames: int = 1) -> None:
        """Run frames in which the stage moves upright as gravity and the chamber pressures have it."""
        for _ in range(frames):
            force = 0.0
            for e, status in zip(self.config.engine, self.statuses, strict=False):
                thrust = status.chamber_pa / CHAMBER_PA * e.thrust_vac_n - (e.thrust_vac_n - e.thrust_sl_n)
                force += max(thrust, 0.0) / self.config.mass_kg
            self.nav.force_body_mps2[2] = force
            self.nav.pos_pad_m[2] += DT * (self.nav.vel_pad_mps[2] + 0.5 * DT * (force - G0))
            self.nav.vel_pad_mps[2] += DT * (force - G0)
            self.nav.height_m = self.nav.pos_pad_m[2]
            self.step()

    def obey(self) -> None:
        """Let every engine that burns stand where it was told to, valves, gimbals and pressure."""
        for status, command in zip(self.statuses, self.commands, strict=True):
            if status.state == MAINSTAGE:
                status.ox_valve_pos, status.fuel_valve_pos = command.ox_valve_cmd, command.fuel_valve_cmd
                status.gimbal_x_rad, status.gimbal_y_rad = command.gimbal_x_cmd_rad, command.gimbal_y_cmd_rad
                status.chamber_pa = command.ox_valve_cmd * CHAMBER_PA

    @property
    def requests(self) -> list[int]:
        """What the engines are asked to be."""
        return [command.request for command in self.commands]

    @property
    def sink_mps(self) -> float:
        """How fast the stage falls."""
        return float(-self.nav.vel_pad_mps[2])


def brake(throttle: float = 0.7, frames: int = 1, cluster: Any = CLUSTER, **put: Any) -> Desk:
    """Return a stage that brakes; its first navigation solution comes with the last frame but `frames`."""
    put_config = put.pop("config", {})
    desk = Desk(cluster=cluster, ignition_forced=1, **put_config)
    desk.nav.valid = 0
    desk.step()
    desk.burn(*[throttle] * len(cluster))
    desk.put(**put)
    desk.step(frames)
    assert desk.telemetry.mode == BRAKING
    return desk
