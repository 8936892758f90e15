"""The problem of `free_body` in other simulators, each set up in the way that is fastest for it.

Each is loaded when it is first flown; one that is not there raises Absent with the reason.
"""

from __future__ import annotations

import importlib
import json
import math
import os
import sys
import tempfile
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Any, Final

import numpy as np
from free_body import (
    EARTH_RADIUS_M,
    G0_MPS2,
    STEP_S,
    Flight,
    Motion,
    State,
    product,
    standard_density,
)

__all__ = ["INSTALL_LOG", "PEERS", "Absent", "Peer"]

INSTALL_LOG: Final = Path(sys.prefix) / ".bench-extra.json"
"""Why what the extra `bench` names could not be installed, by distribution; written by install_extra.py."""

FOOT_M: Final = 0.3048
ADAMS_BASHFORTH_3: Final = 4
"""The number of that integrator in JSBSim's properties."""


class Absent(Exception):
    """A peer that cannot be flown here; the text says why."""


@dataclass(frozen=True, slots=True)
class Peer:
    """A simulator that integrates the same problem."""

    name: str
    distribution: str
    scheme: str
    """How it integrates, and how it is driven."""
    begin: Callable[[Motion], Flight]

    def start(self, motion: Motion) -> Flight:
        """Return a flight at its start; raise Absent when the simulator is not there."""
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # what its own dependencies warn of
                return self.begin(motion)
        except ImportError as error:
            raise Absent(_why_absent(self.distribution, error)) from None

    def version(self) -> str:
        """Return the version that is installed."""
        return metadata.version(self.distribution)


def _why_absent(distribution: str, error: ImportError) -> str:
    """Return the installer's reason where there is one, else that of the import."""
    try:
        reasons = json.loads(INSTALL_LOG.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        reasons = {}
    reason = reasons.get(distribution)
    if reason is not None:
        return f"not installed: {reason}"
    try:
        metadata.version(distribution)
    except metadata.PackageNotFoundError:
        return "not installed: `make bench` does, as does pip install 'lastbrake[bench]'"
    return f"cannot be imported: {error}"


# ---------------------------------------------------------------- JSBSim

PLANET: Final = """<?xml version="1.0"?>
<planet name="sphere">
  <semimajor_axis unit="M">{radius}</semimajor_axis>
  <semiminor_axis unit="M">{radius}</semiminor_axis>
  <rotation_rate unit="RAD/SEC">0.0</rotation_rate>
  <GM unit="M3/SEC2">{gm}</GM>
  <J2>0.0</J2>
</planet>
"""

AIRCRAFT: Final = """<?xml version="1.0"?>
<fdm_config name="body" version="2.0" release="ALPHA">
  <fileheader><description>A free rigid body with drag</description></fileheader>
  <metrics>
    <wingarea unit="M2">{drag_area}</wingarea>
    <wingspan unit="M">1</wingspan>
    <chord unit="M">1</chord>
    <location name="AERORP" unit="M"><x>0</x><y>0</y><z>0</z></location>
    <location name="EYEPOINT" unit="M"><x>0</x><y>0</y><z>0</z></location>
    <location name="VRP" unit="M"><x>0</x><y>0</y><z>0</z></location>
  </metrics>
  <mass_balance>
    <ixx unit="KG*M2">{across}</ixx>
    <iyy unit="KG*M2">{across}</iyy>
    <izz unit="KG*M2">{along}</izz>
    <emptywt unit="KG">{mass}</emptywt>
    <location name="CG" unit="M"><x>0</x><y>0</y><z>0</z></location>
  </mass_balance>
  <ground_reactions/>
  <propulsion/>
  <flight_control name="none"/>
  <aerodynamics>
    <axis name="DRAG">
      <function name="aero/drag">
        <product><property>aero/qbar-psf</property><property>metrics/Sw-sqft</property></product>
      </function>
    </axis>
  </aerodynamics>
</fdm_config>
"""


class JsbsimFlight(Flight):
    """JSBSim with an aircraft of its own that has mass, inertia and drag, over a sphere that does not turn.

    Its body and local axes are (y, x, -z) of ours: so the body starts level, away from the
    singularity of its Euler angles.
    """

    def __init__(self, motion: Motion) -> None:
        jsbsim = importlib.import_module("jsbsim")
        jsbsim.set_logger(jsbsim.DefaultLogger(jsbsim.LogLevel.ERROR))
        with tempfile.TemporaryDirectory() as root:
            fdm = jsbsim.FGFDMExec(root)
            fdm.set_debug_level(0)
            _write_jsbsim(Path(root), motion)
            if not (fdm.load_planet(f"{root}/planet.xml", False) and fdm.load_model("body")):
                raise RuntimeError("JSBSim does not take the body")
        fdm.disable_output()
        fdm.disable_input()
        fdm.set_dt(STEP_S)
        fdm["simulation/gravity-model"] = 0  # spherical: the cheaper one, and the one of the problem
        for part in ("rate", "position"):
            fdm[f"simulation/integrator/{part}/rotational"] = ADAMS_BASHFORTH_3  # Euler would be too coarse
        wx, wy, wz = motion.omega_body_radps
        start = {
            "h-sl-ft": motion.height_m / FOOT_M,
            "vd-fps": motion.sink_mps / FOOT_M,
            "p-rad_sec": wy,
            "q-rad_sec": wx,
            "r-rad_sec": -wz,
        }
        for name in (
            "lat-geod-deg",
            "long-gc-deg",
            "phi-deg",
            "theta-deg",
            "psi-true-deg",
            "vn-fps",
            "ve-fps",
        ):
            fdm[f"ic/{name}"] = 0.0
        for name, value in start.items():
            fdm[f"ic/{name}"] = value
        if not fdm.run_ic():
            raise RuntimeError("JSBSim does not take the initial state")
        self._fdm = fdm

    def run(self, steps: int) -> None:
        """Go on; each step is a call from Python, for there is no call that does several."""
        run = self._fdm.run
        for _ in range(steps):
            run()

    def state(self) -> State:
        """Return the state, from its properties."""
        fdm = self._fdm
        phi, theta, psi = (fdm[f"attitude/{angle}-rad"] for angle in ("phi", "theta", "psi"))
        w, x, y, z = _from_euler(phi, theta, psi)
        north, east, down = (fdm[f"velocities/v-{axis}-fps"] * FOOT_M for axis in ("north", "east", "down"))
        p, q, r = (fdm[f"velocities/{rate}-rad_sec"] for rate in ("p", "q", "r"))
        return State(
            pos_m=np.array(
                [
                    fdm["position/long-gc-rad"] * EARTH_RADIUS_M,
                    fdm["position/lat-gc-rad"] * EARTH_RADIUS_M,
                    fdm["position/h-sl-meters"],
                ]
            ),
            vel_mps=np.array([east, north, -down]),
            q=np.array([w, y, x, -z]),
            omega_radps=np.array([q, p, -r]),
        )


def _write_jsbsim(root: Path, motion: Motion) -> None:
    """Write the planet and the aircraft where JSBSim looks for them."""
    # a body without drag keeps the function, so that both motions cost the same
    aircraft = AIRCRAFT.format(
        drag_area=motion.drag_area_m2,
        mass=motion.mass_kg,
        across=motion.inertia_transverse_kgm2,
        along=motion.inertia_axial_kgm2,
    )
    gm = G0_MPS2 * EARTH_RADIUS_M**2
    (root / "planet.xml").write_text(PLANET.format(radius=EARTH_RADIUS_M, gm=gm), encoding="utf-8")
    (root / "aircraft" / "body").mkdir(parents=True)
    (root / "aircraft" / "body" / "body.xml").write_text(aircraft, encoding="utf-8")


def _from_euler(phi: float, theta: float, psi: float) -> tuple[float, float, float, float]:
    """Return the quaternion, scalar first, of yaw, pitch and roll in that order (rad)."""
    cr, sr = math.cos(0.5 * phi), math.sin(0.5 * phi)
    cp, sp = math.cos(0.5 * theta), math.sin(0.5 * theta)
    cy, sy = math.cos(0.5 * psi), math.sin(0.5 * psi)
    return (
        cy * cp * cr + sy * sp * sr,
        cy * cp * sr - sy * sp * cr,
        sy * cp * sr + cy * sp * cr,
        sy * cp * cr - cy * sp * sr,
    )


# ---------------------------------------------------------------- Basilisk

TABLE_STEP_M: Final = 100.0
TABLE_TOP_M: Final = 5000.0


class BasiliskFlight(Flight):
    """Basilisk's spacecraft above the pole of a sphere, with its tabulated air and its cannonball drag."""

    def __init__(self, motion: Motion) -> None:
        self._macros = importlib.import_module("Basilisk.utilities.macros")
        base = importlib.import_module("Basilisk.utilities.SimulationBaseClass")
        self._sim = sim = base.SimBaseClass()
        process = sim.CreateNewProcess("process")
        process.addTask(sim.CreateNewTask("task", self._macros.sec2nano(STEP_S)))
        self._craft = craft = _basilisk_craft(motion)
        models = [craft]
        if motion.drag_area_m2 > 0.0:
            models = [*_basilisk_drag(motion, craft), craft]
        for order, model in enumerate(models):
            sim.AddModelToTask("task", model, len(models) - order)
        self._models = models  # the simulation itself does not keep them
        sim.InitializeSimulation()
        self._steps = 0

    def run(self, steps: int) -> None:
        """Go on, all steps in one call."""
        self._steps += steps
        # whole steps: seconds as a float might be cut to a nanosecond before the end of the last
        self._sim.ConfigureStopTime(self._steps * self._macros.sec2nano(STEP_S))
        self._sim.ExecuteSimulation()

    def state(self) -> State:
        """Return the state; its attitude is in modified Rodrigues parameters."""
        message = self._craft.scStateOutMsg.read()
        sigma = np.array(message.sigma_BN)
        square = float(sigma @ sigma)
        return State(
            pos_m=np.array(message.r_CN_N) - [0.0, 0.0, EARTH_RADIUS_M],
            vel_mps=np.array(message.v_CN_N),
            q=np.array([1.0 - square, *(2.0 * sigma)]) / (1.0 + square),
            omega_radps=np.array(message.omega_BN_B),
        )


def _basilisk_craft(motion: Motion) -> Any:
    """Return the rigid body in its initial state, in the field of gravity of a point mass."""
    spacecraft = importlib.import_module("Basilisk.simulation.spacecraft")
    gravity = importlib.import_module("Basilisk.simulation.gravityEffector")
    craft = spacecraft.Spacecraft()
    craft.ModelTag = "body"
    across, along = motion.inertia_transverse_kgm2, motion.inertia_axial_kgm2
    craft.hub.mHub = motion.mass_kg
    craft.hub.r_BcB_B = [[0.0], [0.0], [0.0]]
    craft.hub.IHubPntBc_B = [[across, 0.0, 0.0], [0.0, across, 0.0], [0.0, 0.0, along]]
    craft.hub.r_CN_NInit = [[0.0], [0.0], [EARTH_RADIUS_M + motion.height_m]]
    craft.hub.v_CN_NInit = [[0.0], [0.0], [-motion.sink_mps]]
    craft.hub.sigma_BNInit = [[0.0], [0.0], [0.0]]
    craft.hub.omega_BN_BInit = [[rate] for rate in motion.omega_body_radps]
    body = gravity.GravBodyData()
    body.planetName = "sphere"
    body.mu = G0_MPS2 * EARTH_RADIUS_M**2
    body.radEquator = EARTH_RADIUS_M
    body.isCentralBody = True
    craft.gravField.gravBodies = spacecraft.GravBodyVector([body])
    return craft


def _basilisk_drag(motion: Motion, craft: Any) -> list[Any]:
    """Return the air and the drag, in the order in which they are to be worked out."""
    tabular = importlib.import_module("Basilisk.simulation.tabularAtmosphere")
    drag_module = importlib.import_module("Basilisk.simulation.dragDynamicEffector")
    heights = [float(height) for height in np.arange(0.0, TABLE_TOP_M + 1.0, TABLE_STEP_M)]
    air = tabular.TabularAtmosphere()
    air.altList = tabular.DoubleVector(heights)
    air.rhoList = tabular.DoubleVector([standard_density(height) for height in heights])
    air.tempList = tabular.DoubleVector([288.15] * len(heights))  # drag does not ask for it
    air.planetRadius = EARTH_RADIUS_M
    air.addSpacecraftToModel(craft.scStateOutMsg)
    drag = drag_module.DragDynamicEffector()
    drag.coreParams.projectedArea = motion.drag_area_m2
    drag.coreParams.dragCoeff = 1.0
    drag.coreParams.comOffset = [0.0, 0.0, 0.0]
    drag.atmoDensInMsg.subscribeTo(air.envOutMsgs[0])
    craft.addDynamicEffector(drag)
    return [air, drag]


# ---------------------------------------------------------------- RocketPy


class RocketpyFlight(Flight):
    """RocketPy's rocket without a motor, nose down: its z axis is against ours, and so is its y axis.

    Its standard atmosphere is its own; a table of its gravity is made of the problem's.
    """

    def __init__(self, motion: Motion) -> None:
        rocketpy = importlib.import_module("rocketpy")
        self._flight = rocketpy.Flight
        self._air = rocketpy.Environment(
            latitude=0.0,
            longitude=0.0,
            elevation=0.0,
            gravity=lambda height: G0_MPS2 * (EARTH_RADIUS_M / (EARTH_RADIUS_M + height)) ** 2,
        )
        self._air.earth_rotation_vector = [0.0, 0.0, 0.0]
        area = max(motion.drag_area_m2, 1.0)
        drag = motion.drag_area_m2 / area
        across, along = motion.inertia_transverse_kgm2, motion.inertia_axial_kgm2
        self._rocket = rocketpy.Rocket(
            radius=math.sqrt(area / math.pi),
            mass=motion.mass_kg,
            inertia=(across, across, along),
            power_off_drag=drag,
            power_on_drag=drag,
            center_of_mass_without_motor=0.0,
        )
        wx, wy, wz = motion.omega_body_radps
        position, velocity = (0.0, 0.0, motion.height_m), (0.0, 0.0, -motion.sink_mps)
        self._solution = [0.0, *position, *velocity, 0.0, 1.0, 0.0, 0.0, wx, -wy, -wz]
        self._steps = 0

    def run(self, steps: int) -> None:
        """Go on from the last state; its solver (LSODA, its default) may take no step above STEP_S."""
        self._steps += steps
        flight = self._flight(
            rocket=self._rocket,
            environment=self._air,
            rail_length=1.0,  # not used: the flight starts in the air
            initial_solution=self._solution,
            max_time=self._steps * STEP_S,
            max_time_step=STEP_S,
        )
        self._solution = [float(value) for value in flight.solution[-1]]

    def state(self) -> State:
        """Return the state."""
        values = np.array(self._solution[1:])
        return State(
            pos_m=values[0:3],
            vel_mps=values[3:6],
            q=product(values[6:10], np.array([0.0, -1.0, 0.0, 0.0])),
            omega_radps=values[10:13] * [1.0, -1.0, -1.0],
        )


def _rocketpy(motion: Motion) -> Flight:
    # no window is opened by its plotting library
    os.environ.setdefault("MPLBACKEND", "Agg")
    return RocketpyFlight(motion)


PEERS: Final = (
    Peer("JSBSim", "jsbsim", "Adams-Bashforth 2 and 3; FGFDMExec.run() for each step", JsbsimFlight),
    Peer("Basilisk", "bsk", "Runge-Kutta 4; ExecuteSimulation() over all steps", BasiliskFlight),
    Peer("RocketPy", "rocketpy", "LSODA, steps of at most 1 ms; Flight over all steps", _rocketpy),
)
