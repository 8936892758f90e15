"""Air, wind, gusts and the turning Earth about the booster."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from hil.faults.case import Atmosphere, Case, Pad, Wind
from hil.files import FileError, parse_toml
from hil.plant.atmosphere import atmosphere
from hil.plant.earth import (
    EQUATOR_M,
    FIRST_ECCENTRICITY_SQUARED,
    J2,
    MU_M3PS2,
    TURN_RATE_RADPS,
    pad_place,
)
from hil.plant.wind import dryden

Make = Callable[..., Any]

PROFILE = Wind(altitude_m=(0.0, 1000.0, 3000.0), profile_mps=((2.0, 0.0), (12.0, -4.0), (20.0, 0.0)))


TWO_POINTS = "altitude_m = [0.0, 1.0]\nprofile_mps = [[0.0, 0.0], [1.0, 0.0]]"


def kind_of(text: str) -> Case:
    start = "[initial]\npos_pad_m = [0.0, 0.0, 100.0]\nvel_pad_mps = [0.0, 0.0, 0.0]\n"
    return parse_toml(f'vehicle = "x"\ndescription = "x"\n{start}{text}', "x.toml", Case)


# ---- air and wind


def test_density_factor(bench: Make) -> None:
    thin, thick = (
        bench(atmosphere=Atmosphere(density_factor=f)).value("dynamic_pressure_pa") for f in (1.0, 1.1)
    )
    assert thin == pytest.approx(0.5 * atmosphere(3000.0)[2] * 250.0**2, rel=2e-3)
    assert thick == pytest.approx(1.1 * thin, rel=1e-12)


@pytest.mark.parametrize(
    ("height", "wind"), [(500.0, (7.0, -2.0)), (2000.0, (16.0, -2.0)), (4000.0, (20.0, 0.0))]
)
def test_wind_by_altitude(bench: Make, height: float, wind: tuple[float, float]) -> None:
    b = bench(pos=(0.0, 0.0, height - 17.5), wind=PROFILE)
    assert b.truth["wind_pad_mps"][:2] == pytest.approx(wind, abs=0.01)
    assert PROFILE.steady_mps(height) == pytest.approx(wind)
    before = b.value("wind_pad_mps")
    b.tick(50)  # some 125 m further down
    slope = {500.0: 10.0 / 1000.0, 2000.0: 8.0 / 2000.0, 4000.0: 0.0}[height]
    assert (b.truth["wind_pad_mps"] - before)[0] == pytest.approx(-125.0 * slope, rel=0.05, abs=1e-12)


def test_wind_without_profile_is_steady(bench: Make) -> None:
    b = bench(wind=(8.0, -3.0))
    b.tick(100)
    assert b.truth["wind_pad_mps"].tolist() == [8.0, -3.0, 0.0]


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("[wind]\naltitude_m = [0.0, 1.0]", "belong together"),
        ("[wind]\naltitude_m = [1.0, 0.0]\nprofile_mps = [[0.0, 0.0], [1.0, 0.0]]", "must increase"),
        (f"[wind]\nmean_mps = [1.0, 0.0]\n{TWO_POINTS}", "not both"),
        ("[wind]\ngust_w20_mps = -1.0", "wind.gust_w20_mps"),
        ("[atmosphere]\ndensity_factor = 0.0", "atmosphere.density_factor"),
        ("[pad]\nlatitude_deg = 91.0", "pad.latitude_deg"),
    ],
)  # fmt: skip
def test_bad_surroundings_are_told_in_one_line(text: str, says: str) -> None:
    with pytest.raises(FileError) as caught:
        kind_of(text)
    assert says in str(caught.value)
    assert "\n" not in str(caught.value)


def test_the_example_of_the_documentation_is_a_case() -> None:
    page = (Path(__file__).parents[2] / "docs" / "PLANT.md").read_text(encoding="utf-8")
    example = kind_of(page.split("```toml\n")[2].split("```")[0])
    assert example.pad.latitude_deg == 28.5
    assert example.wind.gust_w20_mps == 8.0


# ---- gusts


def test_dryden_figures_of_the_specification() -> None:
    """MIL-F-8785C, 3.7.3.4: at 1,000 ft intensities are a tenth of the wind at 20 ft, lengths the height."""
    across, down, long_across, long_down = dryden(304.8)
    assert (across, down) == pytest.approx((0.1, 0.1), rel=1e-3)
    assert (long_across, long_down) == pytest.approx((304.8, 304.8), rel=1e-3)
    across, down, long_across, long_down = dryden(100.0 * 0.3048)
    base = 0.177 + 0.0823
    assert across == pytest.approx(0.1 / base**0.4)
    assert long_across == pytest.approx(100.0 / base**1.2 * 0.3048)
    assert (down, long_down) == pytest.approx((0.1, 30.48))
    assert dryden(5000.0)[2:] == pytest.approx((533.4, 533.4))


def hovering(bench: Make, seconds: float, speed: float = 30.0, seed: int = 3) -> Any:
    """Return the wind (frame, axis) past a booster that is carried along at a height with a side speed."""
    b = bench(
        pos=(0.0, 0.0, 282.5), vel=(speed, 0.0, 0.0), wind=Wind(gust_w20_mps=10.0), seed=seed, run_id="x"
    )
    kept = b.plant._body["x"].copy()
    winds = []
    for _ in range(round(seconds * 100)):
        b.tick()
        b.plant._body["x"][:] = kept
        winds.append(b.value("wind_pad_mps"))
    return np.array(winds)


@pytest.mark.nightly
def test_gusts_have_the_stated_size_and_length(bench: Make) -> None:
    winds = np.concatenate([hovering(bench, 300.0, seed=seed) for seed in range(12)])
    across, down, length, _ = dryden(300.0)
    assert winds.std(axis=0) == pytest.approx([10.0 * across, 10.0 * across, 10.0 * down], rel=0.08)
    lag = round(0.5 * length / 30.0 * 100.0)  # half a length further
    vertical = winds[:, 2]
    correlation = float(np.corrcoef(vertical[:-lag], vertical[lag:])[0, 1])
    assert correlation == pytest.approx(math.exp(-0.5), abs=0.06)
    east = winds[:, 0]
    correlation = float(np.corrcoef(east[:-lag], east[lag:])[0, 1])
    assert correlation == pytest.approx(math.exp(-0.5) * (1.0 - 0.25), abs=0.06)  # the transverse form


def test_gusts_are_drawn_from_their_own_stream(bench: Make) -> None:
    one, same, other = (hovering(bench, 3.0, seed=seed) for seed in (1, 1, 2))
    assert (one == same).all()
    assert np.abs(one - other).max() > 0.1
    assert np.abs(np.diff(one, axis=0)).max() < 0.5  # they are continuous
    assert 0.2 < one.std() < 3.0


def test_steps_do_not_change_the_gusts(bench: Make) -> None:
    def fall(step_ns: int) -> Any:
        b = bench(wind=Wind(gust_w20_mps=8.0), seed=5, run_id="x", step_ns=step_ns)
        b.tick(200)
        return b.value("pos_pad_m")

    assert fall(1_000_000) == pytest.approx(fall(500_000), abs=1e-3)


# ---- the turning Earth


@pytest.mark.parametrize("latitude", [0.0, 28.5, -41.0, 90.0])
def test_pad_gravity_is_straight_down_at_the_pad(bench: Make, latitude: float) -> None:
    """A pad on the ellipsoid: at rest, gravity is normal to it, with Somigliana's size (TR8350.2, 4-1)."""
    b = bench(pos=(0.0, 0.0, 1000.0), vel=(0.0, 0.0, 0.0), pad=Pad(latitude_deg=latitude))
    b.tick(1)
    change = b.truth["vel_pad_mps"] / 0.01
    sine = math.sin(math.radians(latitude))
    normal = (
        9.7803253359
        * (1.0 + 0.00193185265241 * sine**2)
        / math.sqrt(1.0 - FIRST_ECCENTRICITY_SQUARED * sine**2)
    )
    assert -change[2] == pytest.approx(normal - 3.086e-6 * 1017.5, abs=5e-4)
    assert change[:2] == pytest.approx([0.0, 0.0], abs=1e-4)


def test_coriolis_deflects_to_the_east_and_turns_east_up(bench: Make) -> None:
    latitude = math.radians(28.5)
    still, turning = (bench(vel=(100.0, 0.0, -250.0), pad=pad) for pad in (Pad(), Pad(latitude_deg=28.5)))
    for b in (still, turning):
        b.tick(100)
    change = turning.truth["vel_pad_mps"] - still.truth["vel_pad_mps"]
    twice = 2.0 * TURN_RATE_RADPS
    assert change[0] == pytest.approx(twice * math.cos(latitude) * 250.0, rel=0.06)
    assert change[1] == pytest.approx(-twice * math.sin(latitude) * 100.0, rel=0.1)


def test_energy_over_the_turning_earth_is_kept(bench: Make, zq3: Any) -> None:
    """Without air the energy in the turning axes (Jacobi's integral) drifts less than 1e-9 in a minute."""
    none = (0.0,) * len(zq3.aero.mach)
    aero = zq3.aero.model_copy(
        update={"axial": none, "normal_slope": none, "crossflow_drag_area_m2": 0.0, "rate_damping": 0.0}
    )
    fins = zq3.fins.model_copy(update={"slope_m2_per_rad": 0.0})
    b = bench(
        vehicle=zq3.model_copy(update={"aero": aero, "fins": fins, "tank": ()}),
        pos=(0.0, 0.0, 5000.0),
        vel=(150.0, -80.0, 300.0),
        pad=Pad(latitude_deg=28.5),
    )
    north, up = pad_place(math.radians(28.5))
    axis = np.array([0.0, math.cos(math.radians(28.5)), math.sin(math.radians(28.5))])

    def energy() -> float:
        x = b.plant._body[0].x
        place = x[:3] + np.array([0.0, north, up])
        radius, along = float(np.linalg.norm(place)), float(place @ axis)
        bulge = J2 * (EQUATOR_M / radius) ** 2 * 0.5 * (3.0 * (along / radius) ** 2 - 1.0)
        spin = 0.5 * TURN_RATE_RADPS**2 * (radius**2 - along**2)
        return 0.5 * float(x[3:6] @ x[3:6]) - MU_M3PS2 / radius * (1.0 - bulge) - spin

    before, moving = energy(), 0.5 * float(b.plant._body[0].x[3:6] @ b.plant._body[0].x[3:6])
    b.tick(6000)
    assert abs(energy() - before) < 1e-9 * abs(before)
    assert abs(energy() - before) < 1e-6 * moving
