"""Frames drawn at random, whatever flies: the golden digests pin what the kernel says to them.

A tape is one kernel with a drawn configuration, put anywhere between coast and ground; now and then its
motion changes, and what its engines say, whether it was asked for or not. So it comes to corners that no
flight that makes sense comes to. The numbers come from a generator of their own, to have the same bits
everywhere."""

from __future__ import annotations

import hashlib
import math
from typing import Any

from hil.kernel import interface
from tests.kernel.desk import Desk
from tests.kernel.flight import CHAMBER_PA, CLUSTER, CROSS, DT, G0, MAINSTAGE, Vector, rotate

__all__ = ["SHELVES", "digest_of"]

SHELVES = 12
"""So many digests, each of TAPES tapes."""
TAPES = 8
FRAMES = 160
CLUSTERS = (
    CLUSTER,
    CROSS,
    ((0.0, 0.0, 1),),
    ((1.2, 0.4, 0), (-1.0, -0.5, 0)),
    ((0.3, 0.0, 1), (-0.3, 0.0, 1), (0.0, 1.6, 0), (0.4, -1.6, 0)),
)


class Draw:
    """A linear congruential generator (Knuth, TAOCP 2, 3.3.4, line 26): the same numbers everywhere."""

    def __init__(self, seed: int) -> None:
        self.state = seed
        for _ in range(8):
            self.part()

    def part(self) -> float:
        """Return a number from 0 to 1."""
        self.state = (self.state * 6364136223846793005 + 1442695040888963407) % 2**64
        return float(self.state >> 11) / 2.0**53

    def between(self, low: float, high: float) -> float:
        """Return a number from low to high."""
        return low + (high - low) * self.part()

    def chance(self, part: float) -> bool:
        """Return true in so many of the cases."""
        return self.part() < part

    def one_of(self, *choices: Any) -> Any:
        """Return one of several things."""
        return choices[int(self.part() * len(choices))]

    def vector(self, size: float) -> Vector:
        """Return three numbers between minus and plus a size."""
        return self.between(-size, size), self.between(-size, size), self.between(-size, size)


def desk_of(draw: Draw) -> Desk:
    """Return a kernel with a drawn configuration."""
    forced = draw.chance(0.7)
    desk = Desk(
        cluster=draw.one_of(*CLUSTERS),
        optimise=int(draw.chance(0.4)),
        ignition_forced=int(forced),
        ignition_forced_t_s=draw.between(-0.1, 0.3),
        brake_throttle=draw.between(0.5, 0.95),
        land_throttle=draw.between(0.4, 0.95),
        mass_kg=draw.between(41e3, 60e3),
        tilt_limit_rad=draw.between(0.05, 0.5),
        plume_factor=draw.one_of(0.0, 0.6, 1.0, 1.2),
        fin_limit_rad=draw.one_of(0.0, 0.2, 0.35),
        touchdown_speed_mps=draw.between(0.3, 2.0),
        soft_finish_height_m=draw.between(10.0, 120.0),
        aero_points=draw.one_of(1, 2, 4),
        thrust_sl_n=draw.one_of(500e3, 800e3, 1500e3),
        thrust_vac_n=draw.between(1500e3, 1700e3) if draw.chance(0.2) else 1500e3,
        starts=draw.one_of(1, 2, 3),
        gimbal_plane_z_m=draw.one_of(2.5, 2.5, 2.5, 16.8),
        fin_z_m=draw.one_of(43.0, 43.0, 18.0),
    )
    for engine in desk.config.engine[0 : desk.config.engine_count]:
        engine.throttle_floor = draw.between(0.3, 0.7)
        engine.start_s = draw.between(0.1, 1.2)
        engine.gimbal_limit_rad = draw.between(0.04, 0.2)
        engine.thrust_lag_s = draw.between(0.05, 0.3)
    return desk.anew()


def turn(desk: Desk, draw: Draw) -> None:
    """Let the stage lean and turn otherwise than before."""
    x, y, z = draw.vector(draw.one_of(0.01, 0.1, 0.4))
    desk.nav.q_pad_from_body = (math.sqrt(1.0 - x * x - y * y - z * z), x, y, z)
    desk.nav.omega_body_radps = draw.vector(draw.one_of(0.003, 0.05, 0.6))


def push(desk: Desk, draw: Draw) -> None:
    """Let the stage feel another force."""
    x, y, z = draw.vector(draw.one_of(0.1, 1.0, 8.0))
    desk.nav.force_body_mps2 = (x, y, z + draw.one_of(0.0, G0, 15.0, 30.0))


def report(desk: Desk, draw: Draw) -> None:
    """Let the engines say something else: mostly that they obey, at times anything."""
    for status, command in zip(desk.statuses, desk.commands, strict=True):
        status.fresh = not draw.chance(0.03)
        if draw.chance(0.6):
            status.state = draw.one_of(1, 1, 3, 3, 3, 3, 4)
            level = command.ox_valve_cmd if draw.chance(0.6) else draw.between(0.0, 1.1)
            status.ox_valve_pos = level
            status.fuel_valve_pos = level if draw.chance(0.8) else draw.between(0.0, 1.0)
            status.chamber_pa = level * draw.one_of(1.0, 1.0, 0.9, 0.75, 0.5, 1.3) * CHAMBER_PA
            status.gimbal_x_rad = command.gimbal_x_cmd_rad + draw.one_of(0.0, 0.0, 0.005, 0.02, -0.08)
            status.gimbal_y_rad = command.gimbal_y_cmd_rad + draw.one_of(0.0, 0.0, -0.02, 0.06)
        elif status.state == MAINSTAGE:
            status.ox_valve_pos = status.fuel_valve_pos = command.ox_valve_cmd
            status.chamber_pa = command.ox_valve_cmd * CHAMBER_PA
        if draw.chance(0.01):
            status.state = 5


def drift(desk: Desk, off_m: float) -> None:
    """Move the stage on by one frame, by what it feels; the radar is off by a little."""
    force = rotate(tuple(desk.nav.q_pad_from_body), tuple(desk.nav.force_body_mps2))
    for i, accel in enumerate((force[0], force[1], force[2] - G0)):
        desk.nav.pos_pad_m[i] += DT * (desk.nav.vel_pad_mps[i] + 0.5 * DT * accel)
        desk.nav.vel_pad_mps[i] += DT * accel
    desk.nav.height_m = desk.nav.pos_pad_m[2] + off_m


def play(seed: int, into: Any) -> None:
    """Run one tape and add every output to a digest."""
    draw = Draw(seed)
    desk = desk_of(draw)
    into.update(str(desk.config.engine_count).encode())
    height_m = draw.one_of(draw.between(-1.0, 60.0), draw.between(40.0, 600.0), draw.between(500.0, 9000.0))
    sink = draw.between(0.3, 1.2) * math.sqrt(2.0 * draw.one_of(1.0, 5.0, 12.0) * max(height_m, 1.0))
    x, y, _ = draw.vector(0.1 * height_m + 5.0)
    side_x, side_y, _ = draw.vector(draw.one_of(0.5, 5.0, 40.0))
    off_m = draw.one_of(0.0, 0.0, -1.5, 2.0)
    desk.put(height_m=height_m, vel=(side_x, side_y, -sink), across_m=(x, y))
    for frame in range(FRAMES):
        if frame % 40 == 0:
            turn(desk, draw)
        if frame % 25 == 0:
            push(desk, draw)
        if frame == 3:
            desk.burn(*[draw.between(0.4, 1.0)] * desk.config.engine_count)
        elif frame % 12 == 7:
            report(desk, draw)
        desk.nav.fresh = not draw.chance(0.1)
        desk.step(age_frames=draw.one_of(0, 1, 5))
        into.update(interface().buffer(desk.out))
        drift(desk, off_m)


def digest_of(shelf: int) -> str:
    """Return the digest of every output of a shelf of tapes."""
    digest = hashlib.sha256()
    for tape in range(TAPES):
        play(1000 * shelf + tape, digest)
    return digest.hexdigest()[:16]
