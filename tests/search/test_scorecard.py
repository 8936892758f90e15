"""The scorecard: the same for seed and number whatever flies it, counted by the stated rules, replayable."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import scorecard_doc

from hil.cli import main
from hil.executive import Stop
from hil.faults.case import FaultSpec
from hil.rig.plan import load_plan
from hil.search import scorecard as module
from hil.search.rulings import ask_oracle
from hil.search.scorecard import Ruling, Scored, Scorer, scorecard

RIGS = Path(__file__).parents[2] / "rigs"
PLAN = load_plan(RIGS / "kernel.toml", "dispersed")
FEW = 4


def run(*words: object) -> int:
    return main(["scorecard", *map(str, words)])


def one(index: int, **changes: Any) -> Scored:
    """A case that was landed; `changes` say otherwise."""
    kind = "engine.out"
    landed = Scored(index, f"{index:064x}", -float(index), (kind,), kind, "", True, True, (), (), 0, None)
    return replace(landed, **changes)


def lost(index: int, ruling: Ruling | None, *, inside: bool = True) -> Scored:
    return one(index, landed=False, ruling=ruling, inside=inside, broken=("TD-VERTICAL",))


def card(*scored: Scored) -> dict[str, Any]:
    return scorecard(scored, PLAN, 0, judged=True)


LANDABLE = Ruling("landable", "undecided")
CLEARABLE = Ruling("unlandable", "possible")


@pytest.fixture
def minimal(tmp_path: Path) -> Path:
    """A rig with a kernel that survives little, however good the reference one becomes."""
    path, source = tmp_path / "minimal.toml", RIGS / "kernels" / "minimal" / "minimal.c"
    kernel = f'[kernel]\nname = "minimal"\nsources = ["{source}"]\n'
    path.write_text(f"{(RIGS / 'kernel.toml').read_text()}\n{kernel}")
    return path


def test_jobs_change_nothing_and_every_loss_flies_again(
    minimal: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    cards = []
    some = ("--seed", 3, "--no-oracle", "--json", "--rig", minimal)
    for jobs in (1, 2):
        out = tmp_path / f"by-{jobs}"
        status = run("--cases", FEW, *some, "--jobs", jobs, "--out", out)
        found = json.loads(capsys.readouterr().out)
        assert status == (found["verdict"] != "PASS")
        assert found.pop("run_dir") == str(out)
        assert found == json.loads((out / "scorecard.json").read_text())
        cards.append(found)
    assert cards[0] == cards[1]
    assert cards[0]["cases"] == FEW
    assert cards[0]["lost"]
    again = tmp_path / "again"
    assert run("--again", tmp_path / "by-1" / "scorecard.json", *some, "--out", again) == 1
    found = json.loads(capsys.readouterr().out)
    assert (found["seed"], found["cases"], found["lost"]) == (3, len(cards[0]["lost"]), cards[0]["lost"])
    index = cards[0]["lost"][0]
    case = tmp_path / "by-1" / f"drawn-3-{index}.toml"
    assert main(["run", str(minimal), "--case", str(case), "--out", str(tmp_path / "run")]) == 1
    flown = json.loads((tmp_path / "run" / "run.json").read_text())
    failed = sorted(name for name, status in flown["requirements"].items() if status == "fail")
    told = next(loss for loss in cards[0]["likeliest_losses"] if loss["index"] == index)
    assert failed == told["broken"]


def test_a_case_is_written_as_it_is_flown(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("--seed", 5, "--write", 17, "--out", tmp_path) == 0
    path = tmp_path / "drawn-5-17.toml"
    assert capsys.readouterr().out.strip() == str(path)
    plan = load_plan(RIGS / "kernel.toml", str(path))
    assert plan.case == Scorer(PLAN, 5, None).draw(17).model_copy(update={"path": path})


def test_the_judge_is_asked_about_what_is_not_landed_and_about_nothing_else(minimal: Path) -> None:
    asked: list[str] = []

    def judge(case: Any, _: Any) -> Ruling:
        asked.append(case.run_id)
        return CLEARABLE

    scorer = Scorer(load_plan(minimal, "dispersed"), 3, judge)
    scored = [scorer(index, None, Stop()) for index in range(FEW)]
    assert asked
    assert asked == [f"drawn-3-{s.index}" for s in scored if not s.landed]
    assert all(s.standing == ("landable" if s.landed else "unlandable") for s in scored)


def test_what_is_landed_is_landable_and_undecided_counts_as_landable() -> None:
    undecided = Ruling("undecided", "possible")
    found = card(one(0), one(1), lost(2, LANDABLE), lost(3, undecided), lost(4, CLEARABLE, inside=False))
    assert (found["landable"]["good"], found["landable"]["cases"]) == (2, 4)
    assert found["undecided"]["cases"] == 1
    assert found["unlandable"] == found["clearable"]["cases"] == 1
    assert (found["lost"], found["lost_inside"]) == ([2, 3], 2)


def test_the_unlandable_are_counted_apart_by_whether_they_could_clear_the_pad() -> None:
    rulings = [Ruling("unlandable", word) for word in ("possible", "possible", "not", "undecided")]
    scored = [lost(index, ruling, inside=index in (1, 2)) for index, ruling in enumerate(rulings)]
    found = card(*scored)
    assert (found["clearable"]["good"], found["clearable"]["cases"]) == (1, 2)
    assert (found["not_clearable"]["good"], found["not_clearable"]["cases"]) == (0, 1)
    assert (found["clearing_undecided"]["good"], found["clearing_undecided"]["cases"]) == (1, 1)
    assert found["unlandable_inside"] == [1, 2]


@pytest.mark.parametrize(
    ("scored", "verdict"),
    [
        ([one(i) for i in range(19)] + [lost(19, LANDABLE)], "PASS"),
        ([one(i) for i in range(18)] + [lost(18, LANDABLE)], "FAIL"),
        ([one(i) for i in range(94)] + [lost(i, None) for i in range(94, 100)], "FAIL"),
        ([one(0)] + [lost(i, CLEARABLE, inside=i == 1) for i in range(1, 101)], "PASS"),
        ([one(0)] + [lost(i, CLEARABLE, inside=i == 1) for i in range(1, 100)], "FAIL"),
    ],
)
def test_the_targets(scored: list[Scored], verdict: str) -> None:
    assert card(*scored)["verdict"] == verdict


def test_likeliest_losses_come_first_and_not_all_are_told() -> None:
    found = card(*(lost(index, LANDABLE) for index in reversed(range(2 * module.LISTED))))
    assert [loss["index"] for loss in found["likeliest_losses"]] == list(range(module.LISTED))


def test_detections() -> None:
    noticed = one(0, detected_s=(0.02, 0.03)), one(1, detected_s=(0.17,))
    found = card(*noticed, one(2, missed=1), one(3, broken=("ENG-FALSE",)))["detection"]
    assert found == {
        "failures": 4, "median_s": 0.03, "p95_s": 0.17, "max_s": 0.17, "late": 1, "never": 1, "false": 1,
    }  # fmt: skip
    assert card(one(0))["detection"]["median_s"] is None


def test_kinds_are_counted_once_a_case_and_losses_by_one_fault_apart() -> None:
    pair = lost(0, LANDABLE)
    pair = replace(pair, kinds=("engine.out", "engine.out"))
    found = card(pair, lost(1, LANDABLE), one(2), lost(3, CLEARABLE))["kinds"]["engine.out"]
    assert found == {"cases": 4, "not_landed": 3, "lost": 2, "lost_alone": 1}


def test_a_scorecard_is_never_overwritten(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "scorecard.json").write_text("{}")
    assert run("--cases", 1, "--no-oracle", "--out", tmp_path) == 2
    assert "holds a scorecard already" in capsys.readouterr().err
    assert run("--again", tmp_path / "scorecard.json", "--no-oracle") == 2
    assert "not a scorecard.json" in capsys.readouterr().err
    assert run("--cases", 0) == 2
    assert "is not a whole number from 1 to" in capsys.readouterr().err


def test_the_page_keeps_a_row_for_each_kernel_and_draws() -> None:
    first = card(one(0), lost(1, LANDABLE))
    text = scorecard_doc.page(first, "")
    assert first["kernel_sha256"] in text
    again = scorecard_doc.page(first, text)
    assert again == text
    later = scorecard_doc.page({**first, "kernel_sha256": "f" * 64}, text)
    rows = [line for line in later.split(scorecard_doc._HISTORY)[1].splitlines() if line.startswith("| `")]
    assert [row.split("`")[1] for row in rows] == [first["kernel_sha256"][:12], "f" * 12]


def test_a_page_of_another_kernel_is_noticed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(scorecard_doc, "PAGE", tmp_path / "SCORECARD.md")
    monkeypatch.setattr("sys.argv", ["scorecard_doc.py", "--check"])
    assert scorecard_doc.main() == 1
    mine = card(one(0))
    scorecard_doc.PAGE.write_text(scorecard_doc.page(mine, ""))
    assert scorecard_doc.main() == 0
    scorecard_doc.PAGE.write_text(scorecard_doc.page({**mine, "kernel_sha256": "f" * 64}, ""))
    assert scorecard_doc.main() == 1
    assert "is not of the kernel in csrc/" in capsys.readouterr().out


def test_the_oracle_rules_on_a_stage_without_engines() -> None:
    out = [FaultSpec(kind="engine.out", at_s=0.0, engine=engine, tail_off_s=0.2) for engine in (1, 2, 3)]
    plan = load_plan(RIGS / "kernel.toml", "nominal")
    case = plan.case.model_copy(update={"fault": tuple(out)})
    assert ask_oracle(case, plan) == Ruling("unlandable", "possible")
