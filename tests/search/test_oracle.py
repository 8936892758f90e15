"""The clairvoyant oracle on cases whose answer is known, on both sides."""

from __future__ import annotations

import json
import math
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from hil.cli import main
from hil.faults.case import SHIPPED, Case, FaultSpec, load_case
from hil.plant.vehicle import Vehicle, load_vehicle
from hil.search.flying import Flyer
from hil.search.oracle import could_clear, judge, replay
from hil.search.oracle_air import Air
from hil.search.oracle_bound import Channel, cannot_stop, refute
from hil.search.oracle_flight import Subject
from hil.search.oracle_plan import Descent, solve
from hil.search.oracle_thrust import measure
from hil.search.priors import draw_case

G = 9.81
ROOT = Path(__file__).resolve().parent.parent.parent


def shipped(name: str) -> tuple[Case, Vehicle]:
    case = load_case(SHIPPED / "cases" / f"{name}.toml")
    return case, load_vehicle(SHIPPED / "vehicles" / f"{case.vehicle}.toml")


def engine_out(engine: int, **when: float) -> FaultSpec:
    return FaultSpec(kind="engine.out", engine=engine, tail_off_s=0.2, **when)


def with_faults(case: Case, *faults: FaultSpec) -> Case:
    return case.model_copy(update={"fault": faults})


def with_propellant(case: Case, propellant_kg: float) -> Case:
    initial = case.initial.model_copy(update={"propellant_kg": propellant_kg})
    return case.model_copy(update={"initial": initial})


# ---- a point mass under constant thrust, no air: v^2 = 2 (f - g) h decides


def point_mass(height_m: float, speed_mps: float, thrust_mps2: float, log_mass: float = 9.0) -> Channel:
    n = round(height_m / 5.0)
    fallen = height_m / n * np.arange(1, n + 1)
    left = np.maximum(height_m - fallen, 0.0)
    fastest = np.minimum(
        np.sqrt(speed_mps**2 + 2.0 * G * fallen), np.sqrt(2.0 * max(thrust_mps2 - G, 0.0) * left + 1.0)
    )
    nothing, same = np.zeros(n), np.ones(n)
    return Channel(
        height_m / n, speed_mps, G * same, thrust_mps2 * same, nothing, nothing, fastest, 3000.0 * same,
        log_mass, soft_mps=1.0,
    )  # fmt: skip


@pytest.mark.parametrize("speed", [60.0, 200.0, 330.0])
@pytest.mark.parametrize("thrust", [15.0, 25.0, 50.0])
def test_the_bound_refutes_a_suicide_burn_within_a_hundredth_of_its_closed_form(
    speed: float, thrust: float
) -> None:
    least_m = (speed**2 - 1.0) / (2.0 * (thrust - G))
    proof = cannot_stop(point_mass(0.99 * least_m, speed, thrust))
    assert proof is not None
    assert cannot_stop(point_mass(1.01 * least_m, speed, thrust)) is None


def test_the_bound_refutes_for_want_of_propellant() -> None:
    # an impulsive burn from 200 m/s takes ln(m0 / m) = 200 / 3000 at the least, whatever the thrust
    assert cannot_stop(point_mass(1000.0, 200.0, 400.0, log_mass=0.5 * 200.0 / 3000.0)) is not None
    assert cannot_stop(point_mass(1000.0, 200.0, 400.0, log_mass=0.2)) is None


@pytest.mark.parametrize(("share", "lands"), [(0.99, False), (1.01, True)])
def test_plans_land_a_suicide_burn_within_a_hundredth_of_its_closed_form(share: float, lands: bool) -> None:
    case, vehicle = shipped("nominal")
    aero = vehicle.aero.model_copy(update={"ref_area_m2": 1e-6, "crossflow_drag_area_m2": 0.0})
    air = Air(case, vehicle.model_copy(update={"aero": aero}))
    mass, speed, thrust, nodes = 40_000.0, 100.0, 800_000.0, 30
    up = np.array([0.0, 0.0, 1.0])
    least_m = speed**2 / (2.0 * (thrust / mass - 9.80665))
    height = share * least_m
    best = math.inf
    for final_s in 2.0 * height / speed * np.linspace(0.97, 1.06, 19):
        found = solve(
            Descent(
                height * up, -speed * up, up, mass, 0.0,
                float(final_s), np.zeros(nodes), np.full(nodes, thrust), np.zeros(3), np.zeros(3), isp_s=1e6,
            ),
            air,
        )  # fmt: skip
        best = min(best, found.miss_m + found.miss_mps)
    assert (best < 0.05) == lands


# ---- cases of the plant that nothing lands


def doomed() -> dict[str, Case]:
    case, _ = shipped("nominal")
    return {
        "dry tanks": with_propellant(case, 300.0),
        "every engine dead": with_faults(case, *(engine_out(n, at_s=0.0) for n in (1, 2, 3))),
        "two dead, too low": with_faults(
            case.model_copy(
                update={"initial": case.initial.model_copy(update={"pos_pad_m": (0.0, 0.0, 1200.0)})}
            ),
            engine_out(1, at_s=0.0),
            engine_out(2, at_s=0.0),
        ),
    }


@pytest.mark.parametrize("name", doomed())
def test_what_nothing_lands_is_unlandable_with_a_proof(name: str) -> None:
    _, vehicle = shipped("nominal")
    judged = judge(doomed()[name], vehicle, run_id="doomed")
    assert judged.verdict == "unlandable"
    assert judged.certificate is not None
    assert judged.certificate.dual.size > 0
    assert judged.history is None
    assert judged.flights == 0


def test_engines_that_die_late_are_no_proof_of_anything() -> None:
    case, vehicle = shipped("nominal")
    late = with_faults(case, engine_out(1, at_s=20.0), engine_out(2, at_s=20.0))
    assert refute(Subject(late, vehicle, 0, "late")) is None


def test_a_stage_without_engines_clears_the_pad_from_high_up_but_not_from_close_above() -> None:
    case, vehicle = shipped("nominal")
    dead = with_faults(case, *(engine_out(n, at_s=0.0) for n in (1, 2, 3)))
    assert could_clear(dead, vehicle) == "clear"
    low = dead.initial.model_copy(update={"pos_pad_m": (0.0, 0.0, 90.0), "vel_pad_mps": (0.0, 0.0, -200.0)})
    assert could_clear(dead.model_copy(update={"initial": low}), vehicle) == "not clear"


# ---- cases that can be landed

LANDED = ("nominal", "zq3_y1")
"""In `make test`; the others take a little longer."""
LANDED_LONG = ("crs12", "centre_out", "engine_late", "thrust_low")


def check_landed(name: str) -> None:
    case, vehicle = shipped(name)
    judged = judge(case, vehicle, run_id=name)
    assert judged.verdict == "landable", judged.reason
    assert judged.history is not None
    touch = replay(case, vehicle, judged.history, seed=case.seed, run_id=name)
    assert touch == judged.touchdown
    assert touch is not None
    assert touch.within(vehicle)
    assert judged.propellant_kg is not None
    assert 0.0 < judged.propellant_kg < vehicle.body.propellant_kg
    assert judged.ignition_s is not None
    assert 0.0 <= judged.ignition_s < touch.t_s


@pytest.mark.parametrize("name", LANDED)
def test_commands_of_the_oracle_land_open_loop_in_the_plant(name: str) -> None:
    check_landed(name)


@pytest.mark.nightly
@pytest.mark.parametrize("name", LANDED_LONG)
def test_commands_of_the_oracle_land_every_shipped_case(name: str) -> None:
    check_landed(name)


def test_other_commands_do_not_land() -> None:
    case, vehicle = shipped("nominal")
    judged = judge(case, vehicle, run_id="nominal")
    assert judged.history is not None
    late = np.roll(judged.history.actuator, 30, axis=0)
    touch = replay(case, vehicle, replace(judged.history, actuator=late), seed=case.seed, run_id="nominal")
    assert touch is None or not touch.within(vehicle)


def test_an_engine_that_lights_later_than_its_board_waits_for_is_no_engine() -> None:
    case, vehicle = shipped("nominal")

    def most_n(delay_s: float) -> float:
        fault = FaultSpec(kind="engine.late_ignition", engine=1, at_s=0.0, delay_s=delay_s)
        return float(measure(with_faults(case, fault), vehicle, (0, 1, 2), 2.0, 8.0).high_n[0].max())

    assert most_n(1.0) > vehicle.engine.thrust_sl_n
    assert most_n(3.0) == 0.0


# ---- never unlandable where the reference kernel lands


def check_drawn(indices: range) -> int:
    from hil.rig.plan import load_plan

    plan = load_plan(SHIPPED / "kernel.toml", "dispersed")
    landed = 0
    for index in indices:
        case = draw_case(plan.case, plan.vehicle, 11, index)
        flown = Flyer(plan).fly(case)
        if not any(name.startswith("TD-") for name in flown.broken):
            landed += 1
            assert refute(Subject(case, plan.vehicle, case.seed, case.run_id or "")) is None, case.description
    return landed


def test_what_the_kernel_lands_is_never_unlandable() -> None:
    assert check_drawn(range(12)) >= 4


@pytest.mark.nightly
def test_what_the_kernel_lands_is_never_unlandable_in_many_cases() -> None:
    assert check_drawn(range(12, 212)) >= 80


# ---- the command


def run_oracle(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str, str]:
    status = main(["oracle", *arguments])
    told = capsys.readouterr()
    return status, told.out, told.err


def write_case(path: Path, case: Case) -> str:
    from hil.faults.dispersion import case_toml

    path.write_text(case_toml(case), encoding="utf-8")
    return str(path)


def test_the_command_tells_why_and_whether_the_pad_could_be_cleared(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    path = write_case(tmp_path / "dead.toml", doomed()["every engine dead"])
    rig = str(SHIPPED / "kernel.toml")
    status, out, _ = run_oracle(capsys, path, "--rig", rig, "--json")
    facts: dict[str, Any] = json.loads(out)
    assert status == 0
    assert facts["verdict"] == "unlandable"
    assert facts["certificate"]["kind"] == "braking"
    assert facts["clearing"] == "clear"
    assert "m/s" in facts["reason"]


def test_commands_are_written_only_where_they_land(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    path = write_case(tmp_path / "dry.toml", doomed()["dry tanks"])
    out = str(tmp_path / "commands.npz")
    status, _, told = run_oracle(capsys, path, "--rig", str(SHIPPED / "kernel.toml"), "--out", out)
    assert status == 2
    assert "no commands that land" in told


def test_without_its_solver_the_command_says_what_to_install() -> None:
    code = (
        "import sys; sys.modules['clarabel'] = None\n"
        "from hil.cli import main; sys.exit(main(['oracle', 'nominal', '--rig', 'rigs/kernel.toml']))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT, check=False)
    assert done.returncode == 2
    assert "pip install 'lastbrake[oracle]'" in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1
