"""Descents to compare solvers on: published ones, and boosters drawn at random."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from hil.kernel import DescentProblem
from hil.kernel.descent import G0_MPS2

Hold = Literal["zoh", "foh"]
MARS_DAY_S = 88_642.66
"""Sidereal day of Mars."""

LANDER = DescentProblem(
    mass_kg=1905.0,
    dry_mass_kg=1505.0,
    mass_flow_s_per_m=5.086e-4,
    thrust_min_n=4972.0,
    thrust_max_n=13260.0,
    gravity_mps2=3.7114,
    pos_m=(2000.0, 0.0, 1500.0),
    vel_mps=(100.0, 0.0, -75.0),
)
"""Acikmese & Ploen, J. Guid. Control Dyn. 30(5), 2007, section VI: six canted engines of 3100 N, 30-80 %."""

ROTATING = replace(
    LANDER,
    vel_mps=(80.0, 30.0, -75.0),
    pointing_deg=40.0,
    glide_slope_deg=86.0,
    speed_limit_mps=138.9,
    frame_rate_radps=(
        2 * math.pi / MARS_DAY_S * math.cos(math.radians(30)),
        0.0,
        2 * math.pi / MARS_DAY_S * math.sin(math.radians(30)),
    ),
)
"""Malyuta et al., Convex Optimization for Trajectory Generation, IEEE Control Systems 42(5), 2022."""

BOOSTER = DescentProblem(
    mass_kg=45_000.0,
    dry_mass_kg=38_000.0,
    isp_s=290.0,
    thrust_min_n=300e3,
    thrust_max_n=1000e3,
    gravity_mps2=(0.0, 0.0, -9.80665),
    pos_m=(200.0, 100.0, 3000.0),
    vel_mps=(10.0, -15.0, -250.0),
    pointing_deg=25.0,
    glide_slope_deg=80.0,
    speed_limit_mps=300.0,
)
BOOSTER_TIME_S = 22.0


@dataclass(frozen=True)
class Drawn:
    """One descent drawn at random, with how it is to be posed."""

    problem: DescentProblem
    nodes: int
    time_s: float
    hold: Hold


def draw(rng: np.random.Generator) -> Drawn:
    """Draw a booster; about two in five can be landed. Every second one loses a third of its thrust."""
    nodes = 30
    mass = rng.uniform(38e3, 48e3)
    most = np.full(nodes, rng.uniform(800e3, 1200e3))
    least = most * rng.uniform(0.2, 0.4)
    if rng.random() < 0.5:
        lost = rng.integers(4, 20)
        most[lost:] *= 2 / 3
        least[lost:] *= 2 / 3
    time = rng.uniform(14.0, 32.0)
    height = rng.uniform(1500.0, 4000.0)
    problem = DescentProblem(
        mass_kg=mass,
        dry_mass_kg=mass - rng.uniform(6e3, 11e3),
        isp_s=rng.uniform(270.0, 310.0),
        thrust_min_n=least,
        thrust_max_n=most,
        gravity_mps2=9.80665,
        pos_m=(*rng.normal(0.0, 250.0, 2), height),
        vel_mps=(*rng.normal(0.0, 15.0, 2), -rng.uniform(0.96, 2.24) * height / time),
        pointing_deg=rng.uniform(10.0, 40.0),
        glide_slope_deg=rng.uniform(45.0, 85.0),
        speed_limit_mps=rng.uniform(300.0, 400.0),
    )
    return Drawn(problem, nodes, time, "foh" if rng.random() < 0.7 else "zoh")


def draw_switch(rng: np.random.Generator) -> Drawn:
    """Draw a booster of several engines then one, or one then several; about half can be landed."""
    mass = rng.uniform(26e3, 34e3)
    one = mass * G0_MPS2 * rng.uniform(1.3, 2.2)
    engines = rng.uniform(2.0, 3.0)
    least = rng.uniform(0.35, 0.6)
    first, later = (1.0, engines) if rng.random() < 0.3 else (engines, 1.0)
    time = rng.uniform(12.0, 22.0)
    height = rng.uniform(1200.0, 3000.0)
    problem = DescentProblem(
        mass_kg=mass,
        dry_mass_kg=mass - rng.uniform(4e3, 7e3),
        isp_s=rng.uniform(270.0, 310.0),
        thrust_min_n=first * one * least,
        thrust_max_n=first * one,
        later_thrust_min_n=later * one * least,
        later_thrust_max_n=later * one,
        gravity_mps2=G0_MPS2,
        pos_m=(*rng.normal(0.0, 80.0, 2), height),
        vel_mps=(*rng.normal(0.0, 8.0, 2), -rng.uniform(1.3, 2.4) * height / time),
        pointing_deg=rng.uniform(10.0, 40.0),
        glide_slope_deg=rng.uniform(45.0, 85.0),
        speed_limit_mps=500.0,
    )
    return Drawn(problem, 30, time, "foh" if rng.random() < 0.7 else "zoh")
