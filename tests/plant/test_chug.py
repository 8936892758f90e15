"""Chug: the plant against the linear theory of feed-coupled instability, in frequency and growth."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from itertools import pairwise
from typing import Any

import numpy as np
import pytest

from hil.plant.propulsion import begin_short, short_step
from hil.plant.propulsion_data import PropulsionMemory, chug_at
from hil.plant.stability import Mode, Side, chug_mode
from hil.plant.vehicle import Vehicle

Make = Callable[..., Any]
STEP_S = 1e-4


def steady(memory: PropulsionMemory, x: float) -> Any:
    """Put the first chain into its steady state at opening `x`, burning."""
    h, k = memory.chains[0], memory.constants[0]
    h["lit"] = 1
    h["pressure"] = h["burning"] = h["throttle"] = x
    h["speed"] = math.sqrt(k["speed_0"] + k["speed_1"] * x + k["speed_2"] * x * x)
    for side in range(2):
        memory.flows["line"][side] = memory.flows["injected"][side] = x
    begin_short(memory.lines, memory.chains.view(np.recarray)[0], memory.flows.view(np.recarray), 0)
    return h


def oscillation(memory: PropulsionMemory, x: float, seconds: float, step_s: float = STEP_S) -> Any:
    """Disturb the steady state at opening `x` a little; return the chamber pressure's deviations."""
    steady(memory, x)
    k, e = memory.constants.view(np.recarray)[0], memory.engines.view(np.recarray)[0]
    h, f = memory.chains.view(np.recarray)[0], memory.feeds.view(np.recarray)
    flows = memory.flows.view(np.recarray)
    h.pressure *= 1.0 + 1e-5
    out = []
    for _ in range(round(seconds / step_s)):
        short_step(k, memory.lines, e, h, f[0], f[1], flows, 0, x, x, 0.0, 0.0, False, step_s)
        out.append(h.pressure / x - 1.0)
    return np.array(out)


def measured(deviations: Any, step_s: float = STEP_S) -> Mode:
    """Return growth and frequency of an oscillation from its upward zero crossings and peaks."""
    wave = deviations - deviations.mean()
    up = np.flatnonzero((wave[:-1] < 0.0) & (wave[1:] >= 0.0))
    at = up + wave[up] / (wave[up] - wave[up + 1])
    frequency = (len(at) - 1) / ((at[-1] - at[0]) * step_s)
    peaks = [wave[a:b].max() - wave[a:b].min() for a, b in pairwise(up)]
    growth = np.polyfit(at[:-1] * step_s, np.log(peaks), 1)[0]
    return Mode(float(growth), float(frequency))


@pytest.mark.parametrize(
    ("name", "x", "dp", "lag_s"),
    [
        ("zq3", 0.6, 0.1, 2e-3),
        ("zq3", 0.6, 0.15, 3e-3),
        ("zq3", 0.24, 0.0, 0.0),
        ("falcon9", 0.45, 0.12, 4e-3),
    ],
)
def test_frequency_and_growth(name: str, x: float, dp: float, lag_s: float, request: Any) -> None:
    vehicle: Vehicle = request.getfixturevalue(name)
    memory = PropulsionMemory(vehicle)
    # what the fault engine.chug does, put into the constants so that the theory sees it too
    if dp > 0.0:
        for line in memory.lines:
            line["upstream"] += line["injector"] - dp
            line["injector"] = dp
        memory.constants["time_lag_s"] = lag_s
    theory = chug_at(memory.constants, memory.lines, x)
    assert theory is not None
    assert theory.growth_per_s > 10.0
    wave = oscillation(memory, x, min(5.0 / theory.growth_per_s, 0.3))
    plant = measured(wave[len(wave) // 3 :])
    assert plant.frequency_hz == pytest.approx(theory.frequency_hz, rel=0.1)
    assert plant.growth_per_s == pytest.approx(theory.growth_per_s, rel=0.1)
    assert np.abs(wave).max() < 0.05  # still linear


def growth_in_plant(vehicle: Vehicle, x: float) -> float:
    wave = oscillation(PropulsionMemory(vehicle), x, 0.1)
    return measured(wave[300:]).growth_per_s


def test_the_boundary_lies_where_theory_has_it(zq3: Vehicle) -> None:
    """A healthy engine throttled deeper and deeper begins to chug within 5 % of the linear boundary."""
    memory = PropulsionMemory(zq3)
    low, high = 0.1, 0.6
    for _ in range(20):
        middle = 0.5 * (low + high)
        mode = chug_at(memory.constants, memory.lines, middle)
        low, high = (middle, high) if mode is not None and mode.growth_per_s > 0.0 else (low, middle)
    assert 0.05 < zq3.propulsion.injector_drop_ox * high < 0.2  # stiffness there: the rule is 15 to 20 %
    assert high < 0.8 * zq3.engine.throttle_floor
    assert growth_in_plant(zq3, 0.95 * high) > 0.0
    assert growth_in_plant(zq3, 1.05 * high) < 0.0


@pytest.mark.parametrize(("gain", "residence_s"), [(1.5, 2e-3), (2.0, 1e-3), (4.0, 3e-3)])
def test_theory_has_the_closed_form_of_a_stiff_feed(gain: float, residence_s: float) -> None:
    """Without inertance and capacity the neutral lag is (pi - atan(theta w)) / w, (theta w)^2 = g^2 - 1."""
    tangent = math.sqrt(gain * gain - 1.0)
    omega = tangent / residence_s
    lag_s = (math.pi - math.atan(tangent)) / omega
    side = Side(gain=1.0, injector=1.0 / gain, upstream=1e-9, inertance_s=0.0, capacity_s=0.0)
    mode = chug_mode([side], residence_s, lag_s, most_hz=1000.0)
    assert mode is not None
    assert mode.frequency_hz == pytest.approx(omega / (2.0 * math.pi), rel=1e-3)
    assert mode.growth_per_s == pytest.approx(0.0, abs=1.0)
    late = chug_mode([side], residence_s, 1.1 * lag_s, most_hz=1000.0)
    assert late is not None
    assert late.growth_per_s > 5.0


def test_theory_has_summerfields_condition() -> None:
    """An injector drop above half the chamber pressure is stable whatever the lag (L = C = 0)."""
    for lag_s in (1e-3, 3e-3, 1e-2):
        # at 0.45, theta w = 0.48 and the neutral lag is 5.55 ms
        for drop, stable in ((0.55, True), (0.45, lag_s < 5.55e-3)):
            side = Side(gain=1.0, injector=2.0 * drop, upstream=1e-9, inertance_s=0.0, capacity_s=0.0)
            mode = chug_mode([side], 1e-3, lag_s)
            assert mode is None or (mode.growth_per_s < 0.0) is stable


def test_capacity_without_size_is_summerfields_line(zq3: Vehicle) -> None:
    """The plant with tiny manifolds: inertance and all resistance in series; two equal propellants."""
    x, step_s, lag_s = 0.6, 1e-5, 2e-3
    memory = PropulsionMemory(zq3)
    k, lines = memory.constants, memory.lines
    for name in ("contour_0", "contour_1", "contour_2"):
        lines[name] = 0.0
    for name in ("head", "shutoff", "inlet"):
        lines[name] = lines[name][0]
    lines["upstream"], lines["injector"] = 0.05, 0.1
    lines["inertance_s"], lines["capacity_s"] = 1e-3, 1e-4
    k["time_lag_s"], k["spool_s"], k["ratio_loss"], k["ratio_norm"] = lag_s, 1e6, 0.0, 1.0
    # the pump's speed for this flow
    k["speed_0"] = (x + 0.15 * x * x - lines["inlet"][0]) / lines["shutoff"][0]
    k["speed_1"] = k["speed_2"] = 0.0
    line = Side(1.0, 2.0 * 0.1 * x, 2.0 * 0.05 * x, 1e-3, capacity_s=0.0)
    summerfield = chug_mode([line], float(k["residence_s"][0]), lag_s)
    theory = chug_mode([replace(line, capacity_s=1e-4)], float(k["residence_s"][0]), lag_s)
    assert summerfield is not None
    assert theory is not None
    assert theory.growth_per_s > 10.0
    plant = measured(oscillation(memory, x, 3.0 / theory.growth_per_s, step_s)[2000:], step_s)
    assert plant.frequency_hz == pytest.approx(summerfield.frequency_hz, rel=0.02)
    assert plant.growth_per_s == pytest.approx(theory.growth_per_s, rel=0.1)
