"""`hil search`: finds a loss that is there, shrinks it, keeps it as a case, and says so in one line."""

from __future__ import annotations

import dataclasses
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from hil.cli import main
from hil.faults.case import SHIPPED, FaultSpec, Wind, load_case
from hil.faults.dispersion import case_toml
from hil.rig.plan import Plan, load_plan
from hil.rig.run import run_flight
from hil.search.found import MARGINAL, found_files, keep, replay
from hil.search.hunt import KEPT_MARGIN, Finding, hunt
from hil.search.properties import PROPERTIES, Outcome
from hil.verdict import REQUIREMENTS

KERNEL = SHIPPED / "kernel.toml"
HIL = "import sys; from hil.cli import main; sys.exit(main())"
LOSS = ("--property", "lands", "--only", "tank.load_error", "--examples", "40")
"""A stage that has too little propellant cannot land, whatever guidance does."""


@pytest.fixture(scope="module")
def searched(tmp_path_factory: pytest.TempPathFactory) -> tuple[dict[str, Any], Path]:
    """What `hil search --json` says of a loss that is there, and the folder that it was run in."""
    folder = tmp_path_factory.mktemp("search")
    done = subprocess.run(
        [sys.executable, "-c", HIL, "search", str(KERNEL), *LOSS, "--found", "found", "--json"],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(SHIPPED.parent)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1, done.stderr
    result: dict[str, Any] = json.loads(done.stdout)
    return result, folder


def test_a_loss_is_found_shrunk_and_told_in_one_line(searched: tuple[dict[str, Any], Path]) -> None:
    result, folder = searched
    (one,) = result["found"]
    assert one["faults"] == ["tank.load_error"]
    assert "\n" not in one["line"]
    assert " kg of " in one["line"]
    assert " missing" in one["line"]
    assert one["margin"] <= KEPT_MARGIN
    case = load_case(folder / one["file"])
    assert case.initial == load_case(SHIPPED / "cases" / "nominal.toml").initial
    assert case.wind.mean_mps == (0.0, 0.0)
    assert case.found is not None
    assert case.found.reason == one["line"]


def test_the_case_is_whole_and_flies_to_the_same_end(
    searched: tuple[dict[str, Any], Path], tmp_path: Path
) -> None:
    result, folder = searched
    (one,) = result["found"]
    plan = load_plan(KERNEL, str(folder / one["file"]))
    run = run_flight(plan, seed=plan.case.seed, pace="lockstep", run_dir=tmp_path)
    assert run.result["verdict"] == "FAIL"
    broken = [name for name, status in run.result["requirements"].items() if status == "fail"]
    assert sorted(one["requirements"]) == sorted(broken)
    assert replay(plan).outcome.margin == pytest.approx(one["margin"], abs=1e-6)
    assert plan.case.found is not None
    assert plan.case.found.onsets_s == (0.0,)


def test_the_search_leaves_nothing_else_behind(searched: tuple[dict[str, Any], Path]) -> None:
    _, folder = searched
    assert [path.name for path in folder.iterdir()] == ["found"]
    assert len(list(found_files(folder / "found"))) == 1


def test_the_same_search_finds_the_same(searched: tuple[dict[str, Any], Path], tmp_path: Path) -> None:
    result, folder = searched
    plan = load_plan(KERNEL, "nominal")
    again = hunt(plan, "lands", examples=40, seed=0, kinds=["tank.load_error"])
    assert again.finding is not None
    kept = keep(plan, "lands", again.finding, seed=0, folder=tmp_path)
    assert kept.path.read_text() == (folder / result["found"][0]["file"]).read_text()
    assert kept.is_new
    assert not keep(plan, "lands", again.finding, seed=0, folder=tmp_path).is_new


def test_a_recheck_tells_what_has_changed_and_updates_what_is_expected(
    searched: tuple[dict[str, Any], Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    result, folder = searched
    path = tmp_path / Path(result["found"][0]["file"]).name
    text = (folder / result["found"][0]["file"]).read_text()
    recheck = ["search", str(KERNEL), "--recheck", "--found", str(tmp_path)]
    path.write_text(text)
    assert main(recheck) == 0
    path.write_text(text.replace('expect = "FAIL"', 'expect = "PASS"'))
    assert main(recheck) == 1
    assert f"{path.stem}: FAIL, expected PASS" in capsys.readouterr().out
    assert main([*recheck, "--update"]) == 0
    assert path.read_text() == text
    assert main(recheck) == 0


def test_nothing_found_is_success(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    arguments = ["search", str(KERNEL), "--property", "cmd-finite", "--examples", "3", "--jobs", "2"]
    assert main([*arguments, "--found", str(tmp_path), "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["found"] == told["marginal"] == []
    assert told["examples"] == 3
    assert list(tmp_path.iterdir()) == []


def test_what_another_rung_judges_otherwise_is_kept_apart(tmp_path: Path) -> None:
    """A case that does not break the property at all stands for one that flips."""
    plan = load_plan(KERNEL, "nominal")
    kept = keep(
        plan, "lands", Finding(plan.case, Outcome(-0.1, "flipped", "TD-MISS")), seed=0, folder=tmp_path
    )
    assert kept.marginal
    assert kept.path.parent == tmp_path / MARGINAL
    assert list(found_files(tmp_path)) == []


def test_kinds_that_were_found_are_left_alone() -> None:
    plan = load_plan(KERNEL, "nominal")
    known = frozenset({frozenset({"tank.load_error"})})
    assert hunt(plan, "lands", examples=20, seed=0, kinds=["tank.load_error"], known=known).finding is None


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ((), "name a rig"),
        ((str(KERNEL), "--property", "flies"), "no such property (known: lands,"),
        ((str(KERNEL), "--only", "engine.on"), "no such kind"),
        (("no.toml",), "no such file"),
        ((str(KERNEL), "--examples", "0"), "whole number from 1"),
        ((str(KERNEL), "--update"), "goes with --recheck"),
        ((str(SHIPPED / "bench_example.toml"),), "is live"),
    ],
)
def test_bad_usage_is_one_line(
    arguments: tuple[str, ...], told: str, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    assert main(["search", *arguments, "--found", str(tmp_path)]) == 2
    assert told in capsys.readouterr().err


def test_the_list_names_every_requirement(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["search", "--list"]) == 0
    told = capsys.readouterr().out
    for requirement in REQUIREMENTS:
        assert f"{requirement.id.lower()} " in told
    assert len(told.splitlines()) == len(PROPERTIES)


def test_a_fault_in_memory_is_the_flight_on_the_disk(tmp_path: Path) -> None:
    plan = load_plan(KERNEL, "nominal")
    fault = FaultSpec(kind="engine.out", after_ignition_s=3.0, engine=2, tail_off_s=0.2)
    plan = dataclasses.replace(
        plan, case=plan.case.model_copy(update={"fault": (fault,), "time_limit_s": 60.0})
    )
    run = run_flight(plan, seed=4, pace="lockstep", run_dir=tmp_path)
    assert _in_memory(plan, 4, tmp_path) == run.result["signals_sha256"]


@pytest.mark.parametrize("rig", ["kernel", "in_process"])
def test_a_case_that_names_its_random_streams_may_be_renamed(rig: str, tmp_path: Path) -> None:
    """Noise of sensors, gusts, and the noise and losses that faults draw."""
    keys = {"at_s": 0.0, "what": "position", "axis": "all", "sigma": 2.0}
    faults = [FaultSpec.model_validate({"kind": "nav.noise", **keys})]
    if rig == "in_process":
        lost = {"kind": "wire.drop", "at_s": 0.0, "message": "ENGINE_1_COMMAND", "share": 0.2}
        faults.append(FaultSpec.model_validate(lost))
    case = load_case(SHIPPED / "cases" / "nominal.toml")
    wind = Wind(gust_w20_mps=5.0)
    short = {"fault": tuple(faults), "wind": wind, "time_limit_s": 3.0}
    digests = {}
    for name, run_id in (("one", "drawn"), ("two", "drawn"), ("three", None)):
        path = tmp_path / f"{name}.toml"
        path.write_text(case_toml(case.model_copy(update={**short, "run_id": run_id})))
        digests[name] = _in_memory(load_plan(SHIPPED / f"{rig}.toml", str(path)), 3, tmp_path)
    assert digests["one"] == digests["two"] != digests["three"]


def _in_memory(plan: Plan, seed: int, folder: Path) -> str:
    from hil.executive import fly
    from hil.rig.build import build_flight

    built = build_flight(plan, seed=seed, pace="lockstep", run_dir=folder, in_memory=True)
    fly(built.flight)
    built.close()
    return built.tape.signals_sha256
