"""Dispersions: what a seed draws, and that the stage flies it while the kernel is told the data sheet."""

from __future__ import annotations

import json
import math
from pathlib import Path

import numpy as np
import pytest

from hil.cli import main
from hil.faults.case import SHIPPED, Case, Stage, load_case
from hil.faults.dispersion import Drawn, case_toml, disperse
from hil.files import FileError
from hil.plant.coast import fly_coast
from hil.plant.model import BoosterPlant
from hil.plant.vehicle import Vehicle, load_vehicle
from hil.rig import build
from hil.rig.plan import load_plan
from hil.signals import Frame
from hil.tape import read_tape

SEEDS = 2000
KERNEL = SHIPPED / "kernel.toml"


@pytest.fixture(scope="module")
def case() -> Case:
    return load_case(SHIPPED / "cases" / "dispersed.toml")


@pytest.fixture(scope="module")
def vehicle() -> Vehicle:
    return load_vehicle(SHIPPED / "vehicles" / "zq3_class.toml")


@pytest.fixture(scope="module")
def draws(case: Case) -> list[Drawn]:
    found = [disperse(case, seed, "dispersed")[1] for seed in range(SEEDS)]
    return [drawn for drawn in found if drawn is not None]


def units(case: Case, draws: list[Drawn]) -> np.ndarray:
    """Return every draw as a number from 0 to 1 that should be uniform, shape (seeds, 11)."""
    half = case.dispersion
    assert half is not None
    both = [
        (*(np.array(d.pos_m) / half.pos_m), *(np.array(d.vel_mps) / half.vel_mps), d.mass / half.mass,
         d.thrust / half.thrust) for d in draws
    ]  # fmt: skip
    one = [
        (d.wind_1km_mps / half.wind_1km_mps, d.wind_10m_mps / half.wind_10m_mps, d.wind_to_deg / 360.0)
        for d in draws
    ]
    return np.hstack([0.5 * (np.array(both) + 1.0), np.array(one)])


def test_the_shipped_half_ranges_are_the_design_s(case: Case) -> None:
    half = case.dispersion
    assert half is not None
    assert half.pos_m == (100.0,) * 3
    assert half.vel_mps == (10.0,) * 3
    assert (half.mass, half.thrust, half.wind_1km_mps, half.wind_10m_mps) == (0.02, 0.03, 15.0, 8.0)


def test_draws_are_uniform_within_their_ranges(case: Case, draws: list[Drawn]) -> None:
    """Kolmogorov's distance of each of the 11 is below what chance exceeds once in 10^5."""
    values = units(case, draws)
    assert values.shape == (SEEDS, 11)
    assert values.min() >= 0.0
    assert values.max() <= 1.0
    steps = np.arange(SEEDS + 1) / SEEDS
    for column in np.sort(values, axis=0).T:
        distance = max((steps[1:] - column).max(), (column - steps[:-1]).max())
        assert distance < math.sqrt(math.log(2e5) / (2.0 * SEEDS))


def test_draws_of_one_seed_are_independent(case: Case, draws: list[Drawn]) -> None:
    correlation = np.corrcoef(units(case, draws).T) - np.eye(11)
    assert np.abs(correlation).max() < 5.0 / math.sqrt(SEEDS)


def test_the_seed_alone_decides(case: Case, draws: list[Drawn]) -> None:
    assert disperse(case, 7, "dispersed") == disperse(case, 7, "dispersed")
    assert disperse(case, 7, "dispersed")[1] == draws[7]
    assert disperse(case, 7, "other")[1] != draws[7]
    assert len({drawn.wind_to_deg for drawn in draws}) == SEEDS


def test_one_half_range_does_not_shift_the_other_draws(case: Case, draws: list[Drawn]) -> None:
    assert case.dispersion is not None
    calm = case.dispersion.model_copy(update={"mass": 0.0, "wind_1km_mps": 0.0})
    _, drawn = disperse(case.model_copy(update={"dispersion": calm}), 7, "dispersed")
    assert drawn is not None
    assert drawn.mass == drawn.wind_1km_mps == 0.0
    assert (drawn.pos_m, drawn.thrust, drawn.wind_to_deg) == (
        draws[7].pos_m, draws[7].thrust, draws[7].wind_to_deg,
    )  # fmt: skip


def test_the_plain_case_holds_what_was_drawn(case: Case) -> None:
    plain, drawn = disperse(case, 7, "dispersed")
    assert drawn is not None
    assert plain.dispersion is None
    assert plain.seed == 7
    assert np.subtract(plain.initial.pos_pad_m, case.initial.pos_pad_m) == pytest.approx(drawn.pos_m)
    assert np.subtract(plain.initial.vel_pad_mps, case.initial.vel_pad_mps) == pytest.approx(drawn.vel_mps)
    assert plain.stage == Stage(mass_factor=1.0 + drawn.mass, thrust_factor=1.0 + drawn.thrust)
    for altitude_m, speed_mps in ((0.0, drawn.wind_10m_mps), (10.0, drawn.wind_10m_mps),
                                  (1000.0, drawn.wind_1km_mps), (9e3, drawn.wind_1km_mps),
                                  (505.0, 0.5 * (drawn.wind_1km_mps + drawn.wind_10m_mps))):  # fmt: skip
        east, north = plain.wind.steady_mps(altitude_m)
        assert math.hypot(east, north) == pytest.approx(speed_mps)
        assert math.degrees(math.atan2(east, north)) % 360.0 == pytest.approx(drawn.wind_to_deg)
    assert plain.wind.gust_w20_mps == drawn.wind_10m_mps


def test_a_case_without_dispersion_is_flown_as_it_is() -> None:
    nominal = load_case(SHIPPED / "cases" / "nominal.toml")
    same, drawn = disperse(nominal, 7, "nominal")
    assert same is nominal
    assert drawn is None


CASES = sorted(path.stem for path in (SHIPPED / "cases").glob("*.toml"))
RICH = """
vehicle = "zq3_class"
description = 'quotes " and \\, a tab\tand \u00e9'
time_limit_s = 30.0
[initial]
pos_pad_m = [0.0, 0.0, 3e3]
vel_pad_mps = [0, 0.1, -300.0]
[navigation.gnss]
dropouts_s = [[1.0, 2.0], [5.0, 0.3]]
[navigation.radar]
[[fault]]
kind = "engine.no_ignition"
engine = 1
at_s = 0.0
starts = 0.0
[[fault]]
kind = "board.silent"
board = "engine_2"
below_alt_m = 1e-3
"""


@pytest.mark.parametrize("name", [*CASES, "rich"])
def test_a_case_that_is_written_is_read_back_to_the_last_bit(name: str, tmp_path: Path) -> None:
    if name == "rich":
        (tmp_path / "rich.toml").write_text(RICH)
    path = tmp_path / "rich.toml" if name == "rich" else SHIPPED / "cases" / f"{name}.toml"
    plain, _ = disperse(load_case(path), 2**63 - 1, name)
    written = tmp_path / "written.toml"
    written.write_text(case_toml(plain))
    assert load_case(written).model_dump() == plain.model_dump()


def test_a_drawn_flight_flies_again_as_a_plain_case(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The case file in the run folder is the same flight, to the last bit of every signal."""
    monkeypatch.chdir(tmp_path)
    text = (SHIPPED / "cases" / "dispersed.toml").read_text()
    Path("own.toml").write_text(f"time_limit_s = 2.0\n{text}")
    digests = []
    for arguments in (["own.toml", "--seed", "5", "--out", "one"], ["one/own.toml"]):
        main(["run", str(KERNEL), "--json", "--case", *arguments])
        out, err = capsys.readouterr()
        digests.append(json.loads(out)["signals_sha256"])
        assert ("drawn    position" in err) is (len(digests) == 1)
    assert digests[0] == digests[1]
    kept = json.loads(Path("one/run.json").read_text())
    _, drawn = disperse(load_case(Path("own.toml")), 5, "own")
    assert drawn is not None
    assert kept["dispersion"] == json.loads(json.dumps(drawn.as_dict()))
    assert read_tape(Path("one/tape.mcap")).info["dispersion"] == kept["dispersion"]
    assert main(["run", str(KERNEL), "--case", "own.toml", "--out", "."]) == 2
    assert capsys.readouterr().err == "hil: --out .: holds own.toml already; name another folder\n"
    assert Path("own.toml").read_text().endswith(text)


def test_the_stage_flies_the_draw_and_the_kernel_is_told_the_data_sheet(tmp_path: Path) -> None:
    told = []
    for seed in (1, 2):
        plan = load_plan(KERNEL, "dispersed")
        plain, _ = disperse(plan.case, seed, "dispersed")
        folder = tmp_path / str(seed)
        folder.mkdir()
        built = build.build_flight(plan, seed=seed, pace="lockstep", run_dir=folder)
        truth = built.flight.frame["truth"]
        body = plan.vehicle.body
        assert truth["pos_pad_m"].tolist() == pytest.approx(plain.initial.pos_pad_m)
        assert truth["vel_pad_mps"].tolist() == pytest.approx(plain.initial.vel_pad_mps)
        mass_kg = (body.dry_kg + body.propellant_kg) * plain.stage.mass_factor
        assert float(truth["mass_kg"]) == pytest.approx(mass_kg)
        for number in range(3):
            built.flight.sensors.sample(number)
            built.flight.crew.start_frame(number * 10_000_000)
            built.flight.crew.finish_frame()
            built.flight.wires.exchange(number * 10_000_000)
        told.append(float(built.flight.frame["telemetry"]["mass_est_kg"]))
        built.close()
    assert told[0] == told[1]
    assert told[0] == pytest.approx(body.dry_kg + body.propellant_kg, rel=1e-3)


def burn(vehicle: Vehicle, stage: Stage) -> tuple[float, float, float]:
    """Return thrust (N), flow (kg/s) and chamber pressure (Pa) of an engine, 3 s after its start."""
    frame = Frame(len(vehicle.landing_engines))
    start = load_case(SHIPPED / "cases" / "nominal.toml")
    plant = BoosterPlant(frame, vehicle, start.initial, start.wind, 1_000_000, stage=stage)
    drives = frame["actuator"]
    drives["igniter"][0] = 1.0
    for name in ("ox_drive", "fuel_drive"):
        drives[name][0] = 1.0
    plant.advance(3_000_000_000)
    truth = frame["truth"]
    flow = float(truth["ox_flow_kgps"][0] + truth["fuel_flow_kgps"][0])
    return float(truth["thrust_n"][0]), flow, float(truth["chamber_pa"][0])


def test_larger_engines_give_and_take_more_at_the_same_pressure(vehicle: Vehicle) -> None:
    plain, large = burn(vehicle, Stage()), burn(vehicle, Stage(thrust_factor=1.03))
    assert plain[0] > 0.5 * vehicle.engine.thrust_sl_n
    # the heavier braking changes height and so the ambient pressure by a little
    assert large[0] == pytest.approx(1.03 * plain[0], rel=1e-3)
    assert large[1] == pytest.approx(1.03 * plain[1], rel=1e-3)
    assert large[2] == pytest.approx(plain[2], rel=1e-3)


def test_a_heavier_stage_falls_alike_but_is_braked_less(vehicle: Vehicle) -> None:
    nominal = load_case(SHIPPED / "cases" / "nominal.toml")
    heavy = nominal.model_copy(update={"stage": Stage(mass_factor=1.1)})
    histories = [fly_coast(vehicle, case, 3.0, 1.0) for case in (nominal, heavy)]
    assert (histories[1]["mass_kg"] / histories[0]["mass_kg"]).tolist() == pytest.approx([1.1] * 4)
    start, later = (tuple(float(h["speed_mps"][i]) for h in histories) for i in (0, -1))
    assert start[0] == start[1]
    assert later[1] > later[0] + 0.5


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ("mass = 0.02", "mass = 2.0", "'dispersion.mass' = 2.0: input should be less than or equal to 0.3 "),
        ("mass = 0.02", "mass = 2.0", "(allowed: 0 to 0.3 1, of dry mass and propellant alike)"),
        ("thrust = 0.03", "thrust = -0.1", "(allowed: 0 to 0.3 1, of every engine alike)"),
        ("thrust = 0.03", 'thrust = "3 %"', "'dispersion.thrust' = '3 %'"),
        ("thrust = 0.03", "trust = 0.03", "unknown key 'dispersion.trust'"),
        ("pos_m = [100.0, 100.0, 100.0]", "pos_m = [100.0, 100.0]", "'dispersion.pos_m"),
        ("pos_m = [100.0, 100.0, 100.0]", "pos_m = [100.0, 100.0, 4600.0]",
         "'dispersion.pos_m' = 4600 about initial.pos_pad_m = 4500 leaves its range (allowed: 0 to 1"),
        ("vel_mps = [10.0,", "vel_mps = [-1.0,", "(allowed: 0 to 500 m/s)"),
        ("wind_1km_mps = 15.0", "wind_1km_mps = 150.0", "(allowed: 0 to 100 m/s, most wind at 1 km)"),
        ("[dispersion]", "[stage]\nmass_factor = 1.5\n[dispersion]",
         "'dispersion.mass' = 0.02 about stage.mass_factor = 1.5 leaves its range (allowed: 0.5 to 1.5 1)"),
        ("[dispersion]", "[stage]\nmass_factor = 2.0\n[dispersion]", "'stage.mass_factor' = 2.0"),
        ("[dispersion]", "[wind]\nmean_mps = [1.0, 0.0]\n[dispersion]", "leave out [wind]"),
    ],
)  # fmt: skip
def test_a_wrong_dispersion_says_so_in_one_line(tmp_path: Path, old: str, new: str, says: str) -> None:
    text = (SHIPPED / "cases" / "dispersed.toml").read_text()
    assert old in text
    path = tmp_path / "own.toml"
    path.write_text(text.replace(old, new, 1))
    with pytest.raises(FileError) as caught:
        load_case(path)
    assert says in str(caught.value)
    assert "\n" not in str(caught.value)
    assert str(path) in str(caught.value)
