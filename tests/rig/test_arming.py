"""Arming: nothing moves on a live rig unless a person says so, on purpose, for this rig."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from hil.cli import main
from hil.faults.case import SHIPPED
from hil.files import FileError
from hil.rig.arming import STOP_TESTED, Arming, Wish, arm, leave_for
from hil.rig.model import Rig, load_rig
from hil.rig.plan import load_plan
from hil.rig.run import run_flight
from hil.signals import RigError
from tests.live.world import LIMITS, live_rig

EXAMPLE = SHIPPED / "bench_example.toml"
GIVEN = Wish(arm=True, confirm="lab", stop_tested=True)


def lab(tmp_path: Path, more: str = LIMITS) -> Rig:
    """Return a live rig; nothing of it is there."""
    path = live_rig(tmp_path, "/dev/nowhere", "/dev/serial/by-path/nowhere", more)
    path.write_text(path.read_text().replace('"lab"\nchannel', '"slcan"\nchannel'))
    return load_rig(path)


class Person:
    """Types these answers, one after the other."""

    def __init__(self, *answers: str | None) -> None:
        self.answers = list(answers)
        self.asked: list[str] = []

    def __call__(self, question: str) -> str | None:
        self.asked.append(question)
        return self.answers.pop(0)


NOBODY = Person()


def test_a_live_rig_that_is_not_armed_does_nothing(tmp_path: Path) -> None:
    rig = lab(tmp_path)
    with pytest.raises(RigError, match=r"rig lab is live and not armed.*--cold.*--arm"):
        arm(rig, Wish(), NOBODY)
    with pytest.raises(RigError, match="not armed"):
        leave_for(rig, None)
    with pytest.raises(RigError, match="not armed"):
        leave_for(rig, Arming("another", "DRIVE", igniter=True))


def test_the_person_types_the_tested_stop_and_the_name(tmp_path: Path) -> None:
    rig = lab(tmp_path)
    person = Person(f"{STOP_TESTED}\n", "lab\n")
    assert arm(rig, Wish(arm=True), person) == Arming("lab", "DRIVE", igniter=False)
    assert "emergency stop" in person.asked[0]
    assert "Type its name" in person.asked[1]
    assert arm(rig, GIVEN, NOBODY) == Arming("lab", "DRIVE", igniter=False)
    igniter = Wish(arm=True, igniter=True, confirm="lab", stop_tested=True)
    assert arm(rig, igniter, NOBODY) == Arming("lab", "DRIVE", igniter=True)


@pytest.mark.parametrize(
    "answers",
    [("yes", "lab"), (STOP_TESTED, "bench"), ("", "lab"), (STOP_TESTED, ""), (None,), (STOP_TESTED, None)],
)
def test_anything_else_arms_nothing(answers: tuple[str | None, ...], tmp_path: Path) -> None:
    with pytest.raises(RigError, match="not armed"):
        arm(lab(tmp_path), Wish(arm=True), Person(*answers))


@pytest.mark.parametrize(
    ("wish", "error"),
    [
        (Wish(igniter=True), "--arm-igniter"),
        (Wish(arm=True, cold=True), "--arm and --cold"),
        (Wish(confirm="lab"), "--confirm"),
        (Wish(stop_tested=True), "--stop-tested"),
    ],
)
def test_wishes_that_contradict_each_other_are_bad_usage(wish: Wish, error: str, tmp_path: Path) -> None:
    with pytest.raises(FileError, match=error):
        arm(lab(tmp_path), wish, NOBODY)


def test_limits_come_first(tmp_path: Path) -> None:
    with pytest.raises(FileError, match=r"only with \[limits\]"):
        arm(lab(tmp_path, ""), GIVEN, NOBODY)


def test_one_arming_is_one_flight_unless_the_rig_says_otherwise(tmp_path: Path) -> None:
    many = Wish(arm=True, confirm="lab", stop_tested=True, flights=2)
    with pytest.raises(RigError, match="one flight for one arming"):
        arm(lab(tmp_path), many, NOBODY)
    with pytest.raises(RigError, match="one flight for one arming"):
        arm(lab(tmp_path), Wish(cold=True, flights=2), NOBODY)
    assert arm(lab(tmp_path, f"[interlock]\nmany = true\n{LIMITS}"), many, NOBODY) is not None


@pytest.mark.parametrize(("line", "on"), [("cts", True), ("ri", False)])
def test_a_key_stands_for_the_name(line: str, on: bool, tmp_path: Path) -> None:
    """pyserial's loop:// asserts CTS (its own RTS) and never RI."""
    rig = lab(tmp_path, f'[interlock]\nkey = {{port = "loop://", line = "{line}"}}\n{LIMITS}')
    wish = Wish(arm=True, stop_tested=True)
    if on:
        assert arm(rig, wish, NOBODY) == Arming("lab", "DRIVE", igniter=False)
    else:
        with pytest.raises(RigError, match=r"the key .* is off"):
            arm(rig, wish, NOBODY)


def test_a_key_that_is_not_there_arms_nothing(tmp_path: Path) -> None:
    rig = lab(tmp_path, f'[interlock]\nkey = {{port = "/dev/nowhere", line = "cts"}}\n{LIMITS}')
    with pytest.raises(RigError, match=r"interlock.key: /dev/nowhere cts: .*No such file"):
        arm(rig, Wish(arm=True, stop_tested=True), NOBODY)


def test_virtual_rigs_need_no_arming() -> None:
    for name in ("kernel", "in_process", "virtual"):
        rig = load_rig(SHIPPED / f"{name}.toml")
        assert arm(rig, Wish(), NOBODY) is None
        assert leave_for(rig, None).mode == "STOP", "they demand no leave"
        with pytest.raises(FileError, match="nothing to inhibit"):
            arm(rig, Wish(cold=True), NOBODY)


# ---- through the front door


@pytest.mark.parametrize(
    ("arguments", "status"),
    [
        ((), 3),
        (("--seeds", "0:3"), 3),
        (("--arm",), 3),
        (("--pace", "lockstep"), 2),
        (("--arm", "--cold"), 2),
    ],
)
def test_hil_run_refuses_in_one_line(
    arguments: tuple[str, ...],
    status: int,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["run", str(EXAMPLE), *arguments]) == status
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("hil: ")
    assert err.count("\n") == 1
    assert not list(tmp_path.iterdir()), "nothing was begun"


def test_calling_the_library_arms_nothing(tmp_path: Path) -> None:
    """Searches, campaigns and tests get an ERROR for a live rig, and nothing is opened."""
    plan = load_plan(EXAMPLE, "nominal")
    run = run_flight(plan, seed=0, pace="wall", run_dir=tmp_path)
    assert (run.result["verdict"], run.exit_status) == ("ERROR", 3)
    assert "not armed" in (run.cause or "")
    assert json.loads((tmp_path / "run.json").read_text())["cause"] == run.cause
    with pytest.raises(FileError, match="wall clock"):
        run_flight(plan, seed=0, pace="lockstep", run_dir=tmp_path / "other")
