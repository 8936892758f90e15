"""The same bits on every form of the boards, over whole flights, and the work of every step of the kernel."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import pytest

from hil.faults.case import SHIPPED
from hil.rig.plan import load_plan
from hil.rig.run import run_flight
from hil.tape import read_tape
from tests.emulation import EMULATED

pytestmark = EMULATED

OPTIMISER = 2
"""Plan source in telemetry."""
RIGS = ("in_process", "virtual", "emulated")


def fly(rig: str, case: str, out: Path, *, optimise: bool) -> dict[str, Any]:
    """Fly a shipped rig and case with optimised plans or without; return what `--json` would print."""
    plan = load_plan(SHIPPED / f"{rig}.toml", case)
    guidance = plan.vehicle.guidance.model_copy(update={"optimise": optimise})
    plan = dataclasses.replace(plan, vehicle=plan.vehicle.model_copy(update={"guidance": guidance}))
    out.mkdir()
    return run_flight(plan, seed=0, pace="lockstep", run_dir=out).result


@pytest.mark.parametrize("optimise", [False, True], ids=["closed form", "optimised"])
@pytest.mark.parametrize("case", ["nominal", "zq3_y1"])
def test_in_process_as_processes_and_as_images_the_signals_are_the_same(
    case: str, optimise: bool, tmp_path: Path
) -> None:
    flown = {rig: fly(rig, case, tmp_path / rig, optimise=optimise) for rig in RIGS}
    assert {result["verdict"] for result in flown.values()} <= {"PASS", "FAIL"}
    assert len({result["signals_sha256"] for result in flown.values()}) == 1
    image = flown["emulated"]
    assert set(image["rungs"].values()) == {"emulated"}
    assert image["requirements"]["WORK-BOUND"] == "pass"

    tape = read_tape(tmp_path / "emulated" / "tape.mcap")
    counted = tape.timing["step_instructions"]
    work = image["timing"]["step_instructions"]
    assert counted.min() > 0, "every step of the flight is counted"
    assert work["max"] == counted.max() <= work["bound"]
    assert work["mean"] == pytest.approx(counted.mean())
    assert (tape.frames["telemetry"]["plan_source"] == OPTIMISER).any() == optimise
