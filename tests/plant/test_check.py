"""Check cases: within the tolerance of NASA's simulations, and every key of a case does what it says."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from hil.cli import main
from hil.files import FileError, parse_toml
from hil.plant import check as check_module
from hil.plant.check import FLOORS, check_shipped, compare, fly_check_case
from hil.plant.checkcase import CheckCase, find_check_case, load_check_case, shipped_check_cases
from hil.plant.earth import MU_M3PS2, TURN_RATE_RADPS

SPHERE = "[body]\nmass_kg = 10.0\ninertia_kgm2 = [1.0, 1.0, 1.0]\n"


def case(text: str, body: str = SPHERE) -> CheckCase:
    return parse_toml(f'name = "x"\ndescription = "x"\n{text}\n{body}', "x.toml", CheckCase)


def flown(text: str, body: str = SPHERE, every_s: float = 10.0) -> dict[str, Any]:
    return fly_check_case(case(text, body), every_s)


# ---- the reference


def test_all_five_cases_are_within_tolerance() -> None:
    results = check_shipped()
    assert {r.case.split("_")[1] for r in results} == {"01", "02", "03", "06", "09"}
    assert len(results) == 5 * 13
    assert [r for r in results if not r.passed] == []


def test_tolerances_are_twice_the_spread_with_the_stated_floors() -> None:
    assert (FLOORS["altitude_m"], FLOORS["vel_down_mps"], FLOORS["yaw_rate_degps"]) == (1.0, 0.01, 0.01)
    (down,) = (r for r in check_shipped() if r.case.startswith("Atmos_09") and r.signal == "vel_down_mps")
    known = json.loads((Path(find_check_case("nesc_09")).parent / "nesc_reference.json").read_text())["cases"]
    spread = known[down.case]["vel_down_mps"]["spread"][round(down.t_s / 2.5)]
    assert down.tolerance == max(2.0 * spread, 0.01)


@pytest.mark.parametrize("path", shipped_check_cases(), ids=lambda path: path.stem)
def test_a_finer_step_changes_nothing_that_counts(path: Path) -> None:
    shipped = load_check_case(path)
    fine = shipped.model_copy(update={"step_s": shipped.step_s / 5.0})
    ours, finer = fly_check_case(shipped), fly_check_case(fine)
    for signal, floor in FLOORS.items():
        assert np.abs(ours[signal] - finer[signal]).max() < 1e-3 * floor, signal


def test_a_case_out_of_tolerance_is_told_with_exit_1(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["plant", "check"]) == 0
    assert "5 of 5 check cases within tolerance" in capsys.readouterr().out
    monkeypatch.setattr(check_module, "J2", 1.1 * check_module.J2)
    assert main(["plant", "check", "--json"]) == 1
    told = json.loads(capsys.readouterr().out)
    assert told["passed"] is False
    assert {c["signal"] for c in told["checks"] if not c["passed"]} >= {"gravity_mps2"}


def test_history_as_json(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["plant", "fly", "nesc_06", "--every", "7.5", "--json"]) == 0
    history = json.loads(capsys.readouterr().out)
    assert history["t_s"] == [0.0, 7.5, 15.0, 22.5, 30.0]
    known = json.loads((Path(find_check_case("nesc_06")).parent / "nesc_reference.json").read_text())["cases"]
    reference = known["Atmos_06_DroppedSphereEllipsoidalNoWind"]
    assert set(reference) <= set(history)
    assert history["vel_down_mps"] == pytest.approx(reference["vel_down_mps"]["median"][::3], abs=0.01)
    assert {len(values) for values in history.values()} == {5}


def test_history_for_people(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["plant", "fly", "nesc_01"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].split()[:2] == ["t_s", "altitude_m"]
    assert len(lines) == 14


# ---- the Earth


def test_a_sphere_that_stands_still() -> None:
    """Without turning and bulge a dropped body falls straight, by the inverse square."""
    history = flown(
        "[earth]\nshape = 'sphere'\nradius_m = 6.4e6\nturning = false\ngravity = 'spherical'\n"
        "[initial]\naltitude_m = 9000.0\nlatitude_deg = 40.0\nlongitude_deg = 20.0",
        every_s=1.0,
    )
    assert history["gravity_mps2"][0] == pytest.approx(MU_M3PS2 / 6.409e6**2, rel=1e-12)
    assert history["vel_down_mps"][1] == pytest.approx(history["gravity_mps2"][0], rel=1e-5)
    for name in ("vel_north_mps", "vel_east_mps"):
        assert history[name] == pytest.approx(0.0, abs=1e-9)
    assert history["latitude_deg"] == pytest.approx(40.0, abs=1e-12)
    assert history["longitude_deg"] == pytest.approx(20.0, abs=1e-12)


def test_turning_deflects_a_fall_to_the_east() -> None:
    """Over a turning sphere: the deflection of a fall, omega g t^3 cos(latitude) / 3, to the east."""
    history = flown(
        "[earth]\nshape = 'sphere'\ngravity = 'spherical'\n"
        "[initial]\naltitude_m = 9000.0\nlatitude_deg = 40.0",
        every_s=5.0,
    )
    east = TURN_RATE_RADPS * 9.8 * 5.0**2 * math.cos(math.radians(40.0))
    assert history["vel_east_mps"][1] == pytest.approx(east, rel=0.01)
    centrifugal = TURN_RATE_RADPS**2 * 6.38e6 * math.sin(math.radians(40.0)) * math.cos(math.radians(40.0))
    assert history["vel_north_mps"][1] == pytest.approx(-5.0 * centrifugal, rel=0.01)


def test_constant_gravity_without_air_is_a_parabola() -> None:
    history = flown(
        "[earth]\ngravity = 'constant'\ngravity_mps2 = 5.0\nturning = false\n[atmosphere]\nmodel = 'none'\n"
        "[initial]\naltitude_m = 9000.0\nvel_ned_mps = [0.0, 0.0, -100.0]",
        SPHERE + "area_m2 = 1.0\ncd = 1.0\n",
    )
    assert history["altitude_m"][1] == pytest.approx(9000.0 + 1000.0 - 250.0, abs=1e-6)
    assert history["density_kgpm3"].tolist() == [0.0] * 4
    assert history["gravity_mps2"] == pytest.approx(5.0)


def test_at_rest_against_the_earth_or_the_stars() -> None:
    start = "[initial]\naltitude_m = 100.0\nlatitude_deg = 90.0\n"
    stars, earth = flown(start), flown(start + "rates_against = 'earth'\n")
    turn = math.degrees(TURN_RATE_RADPS)
    assert stars["yaw_rate_degps"][0] == 0.0
    assert earth["yaw_rate_degps"][0] == pytest.approx(-turn, rel=1e-9)


@pytest.mark.parametrize("angles", [(0.0, 0.0, 90.0), (30.0, -50.0, 170.0), (-120.0, 10.0, -60.0)])
def test_euler_angles_come_back(angles: tuple[float, float, float]) -> None:
    history = flown(
        "[initial]\naltitude_m = 100.0\nlatitude_deg = 50.0\nlongitude_deg = 7.0\n"
        f"attitude_deg = {list(angles)}"
    )
    got = [history[name][0] for name in ("roll_deg", "pitch_deg", "yaw_deg")]
    assert got == pytest.approx(angles, abs=1e-9)


# ---- air, wind and body


def test_a_body_drifts_with_a_steady_wind() -> None:
    """A light body soon moves over the ground as the air does."""
    light = "[body]\nmass_kg = 0.01\ninertia_kgm2 = [1.0, 1.0, 1.0]\narea_m2 = 1.0\ncd = 1.0\n"
    start = "[initial]\naltitude_m = 1000.0"
    ned = flown(f"[wind]\nsteady_mps = [6.0, -3.0, 0.0]\n{start}", light)
    enu = flown(f"[wind]\nframe = 'enu'\nsteady_mps = [-3.0, 6.0, 0.0]\n{start}", light)
    assert ned["vel_north_mps"][-1] == pytest.approx(6.0, abs=0.02)
    assert ned["vel_east_mps"][-1] == pytest.approx(-3.0, abs=0.02)
    assert {name: v.tolist() for name, v in ned.items()} == {name: v.tolist() for name, v in enu.items()}


def test_wind_by_altitude_is_linear_between_its_points() -> None:
    table = "[wind]\naltitude_m = [0.0, 1000.0]\ntable_mps = [[0.0, 10.0, 0.0], [0.0, 20.0, -1.0]]\n"
    for altitude, east, down in ((-100.0, 10.0, 0.0), (250.0, 12.5, -0.25), (1500.0, 20.0, -1.0)):
        history = flown(table + f"[initial]\naltitude_m = {altitude}")
        assert history["wind_east_mps"][0] == pytest.approx(east)
        assert history["wind_down_mps"][0] == pytest.approx(down)
        assert history["airspeed_mps"][0] == pytest.approx(math.hypot(east, down))


def test_drag_by_mach_and_density_factor() -> None:
    body = SPHERE + "area_m2 = 2.0\ncd_mach = [0.0, 1.0]\ncd_table = [0.2, 0.6]\n"
    start = "[initial]\naltitude_m = 0.0\nvel_ned_mps = [170.147, 0.0, 0.0]"
    full, half = (
        flown(f"[atmosphere]\ndensity_factor = {factor}\n{start}", body, 30.0) for factor in (1.0, 0.5)
    )
    assert full["mach"][0] == pytest.approx(0.5, abs=1e-5)
    assert full["drag_n"][0] == pytest.approx(0.5 * 1.225 * 170.147**2 * 2.0 * 0.4, rel=1e-4)
    assert half["drag_n"][0] == pytest.approx(0.5 * full["drag_n"][0], rel=1e-12)


def test_products_of_inertia_turn_the_principal_axes() -> None:
    """A body that spins about a principal axis keeps its rates; the axis lies where the tensor says."""
    angle = 0.3
    turn = np.array(
        [[math.cos(angle), -math.sin(angle), 0], [math.sin(angle), math.cos(angle), 0], [0, 0, 1]]
    )
    tensor = turn @ np.diag([1.0, 2.0, 2.5]) @ turn.T
    rates = (40.0 * turn[:, 0]).tolist()
    history = flown(
        f"[initial]\naltitude_m = 9000.0\nrates_degps = {rates}",
        f"[body]\nmass_kg = 1.0\ninertia_kgm2 = {np.diag(tensor).tolist()}\n"
        f"products_kgm2 = [{-tensor[0, 1]}, 0.0, 0.0]\n",
    )
    assert history["roll_rate_degps"] == pytest.approx(rates[0], abs=1e-9)
    assert history["pitch_rate_degps"] == pytest.approx(rates[1], abs=1e-9)


# ---- errors are one line

BAD_WIND = "[wind]\naltitude_m = [1.0, 0.0]\ntable_mps = [[0.0, 0.0, 0.0], [1.0, 0.0, 0.0]]\n"


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("[initial]\naltitude_m = 1e9", "initial.altitude_m"),
        ("[initial]\naltitude_m = 0.0\nspeed = 1.0", "unknown key 'initial.speed'"),
        ("[earth]\nradius_m = 6e6\n[initial]\naltitude_m = 0.0", "shape = 'sphere' only"),
        ("[earth]\ngravity = 'flat'\n[initial]\naltitude_m = 0.0", "earth.gravity"),
        ("[earth]\ngravity_mps2 = 9.0\n[initial]\naltitude_m = 0.0", "gravity = 'constant' only"),
        ("[wind]\naltitude_m = [0.0, 1.0]\n[initial]\naltitude_m = 0.0", "belong together"),
        (f"{BAD_WIND}[initial]\naltitude_m = 0.0", "wind.altitude_m must increase"),
        ("duration_s = 100000.0\nstep_s = 1e-5\n[initial]\naltitude_m = 0.0", "duration_s / step_s"),
    ],
)
def test_a_bad_case_is_told_in_one_line(text: str, says: str) -> None:
    with pytest.raises(FileError) as caught:
        case(text)
    assert says in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "body", ["inertia_kgm2 = [1.0, -1.0, 1.0]", "inertia_kgm2 = [1.0, 1.0, 1.0]\ncd_mach = [0.0, 1.0]"]
)
def test_a_bad_body_is_told_in_one_line(body: str) -> None:
    with pytest.raises(FileError, match=r"body\."):
        case("[initial]\naltitude_m = 0.0", f"[body]\nmass_kg = 1.0\n{body}\n")


def test_unknown_names_and_references_are_bad_usage(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["plant", "fly", "nesc_99"]) == 2
    assert "known: nesc_01" in capsys.readouterr().err
    assert main(["plant", "fly", "nesc_01", "--every", "0"]) == 2
    with pytest.raises(FileError, match="nothing to compare with"):
        compare(case("[initial]\naltitude_m = 0.0"))
    bad = case("reference = 'none.json'\n[initial]\naltitude_m = 0.0")
    with pytest.raises(FileError, match="no reference for 'x'"):
        compare(bad.model_copy(update={"path": tmp_path / "x.toml"}))


def test_the_example_of_the_documentation_flies() -> None:
    page = (Path(__file__).parents[2] / "docs" / "PLANT.md").read_text(encoding="utf-8")
    example = parse_toml(page.split("```toml\n")[1].split("```")[0], "docs/PLANT.md", CheckCase)
    history = fly_check_case(example)
    assert len(history["t_s"]) == 13
    assert history["vel_east_mps"][-1] > 1.0
    assert {name for name in history if f"`{name}`" in page} >= set(FLOORS)
