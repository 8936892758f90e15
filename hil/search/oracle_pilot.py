"""Follows a plan in the plant with the true state in hand: what turns a planned thrust into commands.

This is no guidance that could fly: it knows the truth without delay, every fault's size and each engine's
thrust.  Its only use is to find the commands that are then flown open loop.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from hil.plant.vehicle import Vehicle
from hil.search.oracle_air import Air
from hil.search.oracle_engines import Sequencer
from hil.search.oracle_world import FRAME_S, State, World

__all__ = ["Demand", "Pilot"]

Vector = tuple[float, float, float]

ANGLE_GAIN: Final = 1.1
RATE_GAIN: Final = 4.5
TURN_LIMIT: Final = math.radians(12.0)
REST_S: Final = 3.0
"""Over this time the moment that the model does not know is averaged."""
TRIM_S: Final = 0.3
"""Over this time the side force of gimbals that hold off-centre thrust is averaged."""
ROLL_GAIN: Final = 2.0
ROLL_LIMIT: Final = 0.03
"""Most deflection for roll, rad a metre off the axis."""
FIN_LEAST: Final = 1e4
"""Moment a radian below which the fins are left alone, N m."""


@dataclass(slots=True)
class Demand:
    """What the stage shall do in a frame."""

    axis: Vector
    """Where the thrust shall point, pad axes."""
    turn: Vector
    """How fast that turns, pad axes, rad/s."""
    thrust_n: float
    """Of all engines that run."""


class Pilot:
    """Attitude, throttle and allocation over the engines that run."""

    def __init__(self, world: World, sequencer: Sequencer, air: Air, mass_factor: float) -> None:
        self._world, self._sequencer, self._air = world, sequencer, air
        vehicle: Vehicle = world.vehicle
        self._vehicle = vehicle
        self._mass_factor = mass_factor
        self._at = [vehicle.engine_position[n - 1] for n in vehicle.landing_engines]
        self._gimbal_limit = math.radians(vehicle.engine.gimbal_limit_deg)
        self._fin_limit = math.radians(vehicle.fins.limit_deg)
        self._rest = [0.0, 0.0]
        self._last_omega: Vector | None = None
        self._applied = [0.0, 0.0]
        self._side = [0.0, 0.0]

    def fly(self, state: State, demand: Demand, valves: list[float]) -> None:
        """Write the commands of a frame: valve openings as given, gimbals and fins for the attitude."""
        torque, inertia = self._torque(state, demand)
        torque_x, torque_y = torque[0] - self._rest[0], torque[1] - self._rest[1]
        lever = state.cm_z_m - self._vehicle.body.gimbal_plane_z_m
        free, fixed = self._engines(state, lever)
        power = sum(state.thrust[i] for i in free) * lever
        pressure = self._pressure(state)
        share = self._fins(state, pressure, power, torque_x, torque_y, torque[2])
        gx, gy = self._gimbals(state, free, fixed, lever, (1.0 - share) * torque_x, (1.0 - share) * torque_y)
        gx, gy, roll = self._with_roll(state, free, gx, gy, torque[2])
        effects = self._world.effects
        at = self._at
        x_cmd = self._shared(state, free, {i: gx - roll * at[i].y_m for i in free}, effects.gimbal_bias_x_rad)
        y_cmd = self._shared(state, free, {i: gy + roll * at[i].x_m for i in free}, effects.gimbal_bias_y_rad)
        self._sequencer.drive(state, valves, x_cmd, y_cmd)
        self._trim(state, free, fixed, lever)
        self._note(state, fixed, lever, inertia, pressure)

    def tilted_by_side_force(self, axis: Vector, state: State) -> Vector:
        """Return the body axis for which the thrust, off-centre as it stands, points along `axis`."""
        r = state.rot
        sx, sy = self._side
        x = axis[0] - (r[0] * sx + r[1] * sy)
        y = axis[1] - (r[3] * sx + r[4] * sy)
        z = axis[2] - (r[6] * sx + r[7] * sy)
        size = math.sqrt(x * x + y * y + z * z)
        return x / size, y / size, z / size

    def side_pad(self, state: State) -> tuple[float, float]:
        """Return how far the thrust points off the body's axis, rad towards east and north."""
        r, (sx, sy) = state.rot, self._side
        return r[0] * sx + r[1] * sy, r[3] * sx + r[4] * sy

    def _torque(self, state: State, demand: Demand) -> tuple[tuple[float, float, float], float]:
        """Return the torque that the attitude needs (body axes), aerodynamics taken out, and the inertia."""
        r = state.rot
        axis = self.tilted_by_side_force(demand.axis, state)
        bx = r[0] * axis[0] + r[3] * axis[1] + r[6] * axis[2]
        by = r[1] * axis[0] + r[4] * axis[1] + r[7] * axis[2]
        t = demand.turn
        tx = r[0] * t[0] + r[3] * t[1] + r[6] * t[2]
        ty = r[1] * t[0] + r[4] * t[1] + r[7] * t[2]
        inertia = self._inertia(state)
        ox, oy, oz = state.omega
        rate_x = min(max(-ANGLE_GAIN * by + tx, -TURN_LIMIT), TURN_LIMIT)
        rate_y = min(max(ANGLE_GAIN * bx + ty, -TURN_LIMIT), TURN_LIMIT)
        mx, my = self._aerodynamic(state)
        roll = -self._vehicle.body.inertia_axial_kgm2 * ROLL_GAIN * min(max(oz, -1.0), 1.0)
        return (
            (inertia * RATE_GAIN * (rate_x - ox) - mx, inertia * RATE_GAIN * (rate_y - oy) - my, roll),
            inertia,
        )

    def _inertia(self, state: State) -> float:
        body = self._vehicle.body
        dry = body.dry_kg * self._mass_factor
        dry_arm = body.dry_cm_z_m - state.cm_z_m
        arm = body.propellant_cm_z_m - state.cm_z_m
        own = body.inertia_transverse_kgm2 * self._mass_factor
        return own + dry * dry_arm * dry_arm + state.propellant_kg * arm * arm

    def _through_air(self, state: State) -> tuple[float, float, float, float]:
        """Return the velocity through the air in body axes, and its size."""
        r = state.rot
        ax, ay, az = (v - w for v, w in zip(state.vel, state.wind, strict=True))
        x = r[0] * ax + r[3] * ay + r[6] * az
        y = r[1] * ax + r[4] * ay + r[7] * az
        z = r[2] * ax + r[5] * ay + r[8] * az
        return x, y, z, math.sqrt(x * x + y * y + z * z)

    def _pressure(self, state: State) -> float:
        """Return the dynamic pressure along the axis, positive engines first, Pa."""
        _, _, z, speed = self._through_air(state)
        return -0.5 * self._density(state) * speed * z

    def _density(self, state: State) -> float:
        return float(self._air.density(np.float64(state.pos[2])))  # type: ignore[arg-type]

    def _aerodynamic(self, state: State) -> tuple[float, float]:
        """Return the air's moment about the centre of mass, body x and y, N m."""
        x, y, z, _ = self._through_air(state)
        aero, body = self._vehicle.aero, self._vehicle.body
        half = 0.5 * self._density(state)
        part = min(max(sum(state.thrust) / self._air.full_thrust_n, 0.0), 1.0)
        plume = 1.0 - (1.0 - aero.plume_factor) * part
        normal = half * aero.ref_area_m2 * plume * aero.normal_slope[0] * abs(z)
        cross = half * aero.crossflow_drag_area_m2 * math.hypot(x, y)
        arm = normal * (aero.cp_z_m - state.cm_z_m) + cross * (0.5 * body.length_m - state.cm_z_m)
        return arm * y, -arm * x

    def _engines(self, state: State, lever: float) -> tuple[list[int], tuple[float, float]]:
        """Return the engines whose gimbals obey, and the moment of all but those gimbals, N m."""
        effects = self._world.effects
        free = []
        mx = my = 0.0
        for i, thrust in enumerate(state.thrust):
            place = self._at[i]
            mx += thrust * place.y_m
            my -= thrust * place.x_m
            obeys = self._sequencer.running(i) and effects.gimbal_stuck[i] == 0.0 and thrust > 1e4
            if obeys:
                free.append(i)
            else:
                mx += lever * thrust * math.sin(state.gimbal_y[i] + effects.gimbal_bias_y_rad[i])
                my -= lever * thrust * math.sin(state.gimbal_x[i] + effects.gimbal_bias_x_rad[i])
        return free, (mx, my)

    def _gimbals(
        self, state: State, free: list[int], fixed: tuple[float, float], lever: float, tx: float, ty: float
    ) -> tuple[float, float]:
        """Return the gimbal angles (of the thrust) that all free engines take for a torque."""
        power = max(sum(state.thrust[i] for i in free) * lever, 1e3)
        limit = self._gimbal_limit
        x = min(max(-(ty - fixed[1]) / power, -limit), limit)
        y = min(max((tx - fixed[0]) / power, -limit), limit)
        return x, y

    def _shared(
        self, state: State, free: list[int], wanted: dict[int, float], bias: npt.NDArray[np.float64]
    ) -> list[float]:
        """Return commands (one axis) for these angles of the thrust; what one gimbal cannot do, others do."""
        limit = self._gimbal_limit
        commands = [0.0] * self._world.engines
        able, missing = list(free), 0.0
        for i in free:
            commands[i] = wanted[i] - float(bias[i])
            held = min(max(commands[i], -limit), limit)
            if held != commands[i]:
                missing += state.thrust[i] * (commands[i] - held)
                commands[i] = held
                able.remove(i)
        power = sum(state.thrust[i] for i in able)
        for i in able:
            commands[i] += missing / power
        return commands

    def _trim(self, state: State, free: list[int], fixed: tuple[float, float], lever: float) -> None:
        """Learn how far the thrust points off the axis where gimbals hold the other moments of engines."""
        effects = self._world.effects
        total = sum(state.thrust)
        if total < 1e5:
            return
        x, y = self._gimbals(state, free, fixed, lever, 0.0, 0.0)
        held = sum(state.thrust[i] for i in free)
        sx, sy = held * x, held * y
        for i, thrust in enumerate(state.thrust):
            if i not in free:
                sx += thrust * math.sin(state.gimbal_x[i] + effects.gimbal_bias_x_rad[i])
                sy += thrust * math.sin(state.gimbal_y[i] + effects.gimbal_bias_y_rad[i])
        part = FRAME_S / TRIM_S
        self._side[0] += part * (sx / total - self._side[0])
        self._side[1] += part * (sy / total - self._side[1])

    def _with_roll(
        self, state: State, free: list[int], gx: float, gy: float, torque: float
    ) -> tuple[float, float, float]:
        """Return common gimbal angles and the turn about the axis (rad/m) that give a roll torque as well.

        Engine i is deflected by (gx - r y_i, gy + r x_i).
        """
        total = sum(state.thrust[i] for i in free)
        if total < 1e5:
            return gx, gy, 0.0
        sx = sum(state.thrust[i] * self._at[i].x_m for i in free)
        sy = sum(state.thrust[i] * self._at[i].y_m for i in free)
        arms = sum(state.thrust[i] * (self._at[i].x_m ** 2 + self._at[i].y_m ** 2) for i in free)
        spread = arms - (sx * sx + sy * sy) / total
        if spread < 1e5:
            return gx, gy, 0.0
        roll = min(max((torque - (gy * sx - gx * sy)) / spread, -ROLL_LIMIT), ROLL_LIMIT)
        return gx + roll * sy / total, gy - roll * sx / total, roll

    def _fins(self, state: State, pressure: float, power: float, tx: float, ty: float, roll: float) -> float:
        """Write the fins' demands; return their share of the torque."""
        fins, limit = self._vehicle.fins, self._fin_limit
        per_rad = pressure * fins.slope_m2_per_rad
        authority = 2.0 * per_rad * (fins.z_m - state.cm_z_m)
        if limit <= 0.0 or authority < FIN_LEAST:
            self._world.fin_cmd[:] = 0.0
            return 0.0
        f, g = authority * limit, power * self._gimbal_limit
        share = f * f / (f * f + g * g)
        x, y = share * ty / authority, -share * tx / authority
        turn = roll / max(4.0 * per_rad * fins.arm_m, FIN_LEAST)
        for i, angle in enumerate((y + turn, -x + turn, -y + turn, x + turn)):
            self._world.fin_cmd[i] = min(max(angle, -limit), limit)
        return share

    def _note(
        self, state: State, fixed: tuple[float, float], lever: float, inertia: float, pressure: float
    ) -> None:
        """Learn the moment that the model does not know, and how far the thrust points off the axis."""
        effects, fins = self._world.effects, self._vehicle.fins
        mx, my = fixed
        for i, thrust in enumerate(state.thrust):
            x = math.sin(state.gimbal_x[i] + effects.gimbal_bias_x_rad[i])
            y = math.sin(state.gimbal_y[i] + effects.gimbal_bias_y_rad[i])
            if self._sequencer.running(i) and effects.gimbal_stuck[i] == 0.0 and thrust > 1e4:
                mx += lever * thrust * y
                my -= lever * thrust * x
        ax, ay = self._aerodynamic(state)
        push = pressure * fins.slope_m2_per_rad * (fins.z_m - state.cm_z_m)
        mx += ax - push * (state.fin[0] - state.fin[2])
        my += ay + push * (state.fin[3] - state.fin[1])
        if self._last_omega is not None:
            part = FRAME_S / REST_S
            for axis, known in ((0, self._applied[0]), (1, self._applied[1])):
                turned = inertia * (state.omega[axis] - self._last_omega[axis]) / FRAME_S
                self._rest[axis] += part * (turned - known - self._rest[axis])
        self._last_omega = state.omega
        self._applied = [mx, my]
