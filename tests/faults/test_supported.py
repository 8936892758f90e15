"""Which rig can fly which fault: listed by `hil faults`, refused aloud by `hil run` and `hil check`."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from hil.cli.main import main
from hil.faults.case import SHIPPED, load_case
from hil.faults.catalogue import ABILITIES, CATALOGUE, RUNGS, Choice, Kind
from hil.files import FileError
from hil.rig.abilities import check_supported, refusals
from hil.rig.model import Rig, load_rig

HEAD = """
vehicle = "zq3_class"
description = "x"
[initial]
pos_pad_m = [120.0, -60.0, 4500.0]
vel_pad_mps = [-6.0, 3.0, -330.0]
"""
STRUCK = {
    "engine": "engine = 2", "board": 'board = "engine_2"', "fin": "fin = 1",
    "message": 'message = "ENGINE_2_COMMAND"', "line": 'line = "navigation"',
}  # fmt: skip
RIGS = {
    "kernel": "kernel", "in_process": "in_process", "virtual": "process", "emulated": "emulated",
    "bench_example": "hardware",
}  # fmt: skip
"""Rigs, each of one rung."""


def rig(name: str, **changes: Any) -> Rig:
    return load_rig(SHIPPED / f"{name}.toml").model_copy(update=changes)


def case_of(tmp_path: Path, kind: Kind) -> Path:
    """Write a case with one fault of this kind, about engine 2 or its board."""
    plain = next(kind.variants())
    struck = STRUCK.get(kind.strikes, "")
    keys = [
        f"{s.name} = " + (json.dumps(s.words[0]) if isinstance(s, Choice) else repr(float(s.mildest)))
        for s in plain.sizes
    ]
    path = tmp_path / "case.toml"
    path.write_text("\n".join([HEAD, "[[fault]]", f'kind = "{kind.name}"', struck, "at_s = 0.0", *keys, ""]))
    return path


@pytest.mark.parametrize("kind", CATALOGUE.values(), ids=list(CATALOGUE))
@pytest.mark.parametrize("name", RIGS)
def test_a_rig_of_one_rung_flies_what_is_declared_for_it_and_refuses_the_rest(
    name: str, kind: Kind, tmp_path: Path
) -> None:
    case, plugged = load_case(case_of(tmp_path, kind)), rig(name)
    pace = "wall" if plugged.live else "lockstep"
    if RIGS[name] in ABILITIES[kind.needs].rungs:
        check_supported(plugged, case, pace)
        assert refusals(plugged, kind, pace) == {}
        return
    with pytest.raises(FileError) as refused:
        check_supported(plugged, case, pace)
    text = str(refused.value)
    assert text.startswith(f"{case.path}: key 'fault.0.kind' = '{kind.name}': rig {plugged.name} cannot")
    assert all(rung in text for rung in ABILITIES[kind.needs].rungs)
    assert "\n" not in text
    assert refusals(plugged, kind, pace)


def test_what_one_board_lacks_the_others_may_have(tmp_path: Path) -> None:
    mixed = rig("virtual")
    boards = {**mixed.board, "engine_2": rig("bench_example").board["engine_2"]}
    mixed = mixed.model_copy(update={"board": boards})
    assert refusals(mixed, CATALOGUE["board.freeze"], "wall") == {"engine_2": "the board is hardware"}
    assert refusals(mixed, CATALOGUE["sensor.off"], "wall") == {"engine_2": "the board is hardware"}
    other = case_of(tmp_path, CATALOGUE["board.freeze"])
    with pytest.raises(FileError, match="cannot on engine_2: the board is hardware"):
        check_supported(mixed, load_case(other), "wall")
    other.write_text(other.read_text().replace("engine_2", "engine_3"))
    check_supported(mixed, load_case(other), "wall")


def test_a_clock_of_its_own_and_an_enable_frame_stand_in_the_way() -> None:
    slow, reset = CATALOGUE["board.slow_clock"], CATALOGUE["board.reset"]
    assert set(refusals(rig("virtual"), slow, "wall")) == set(rig("virtual").board)
    demanding = rig("virtual", interlock=rig("virtual").interlock.model_copy(update={"enable": True}))
    assert "enable frame" in refusals(demanding, reset, "lockstep")["engine_1"]
    assert refusals(demanding, CATALOGUE["board.freeze"], "lockstep") == {}


def test_abilities_name_rungs_from_the_bottom_up() -> None:
    for need in ABILITIES.values():
        assert list(need.rungs) == [rung for rung in RUNGS if rung in need.rungs]


@pytest.mark.parametrize("command", [["run"], ["check"]])
def test_the_commands_refuse_in_one_line(
    command: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = case_of(tmp_path, CATALOGUE["board.freeze"])
    bench = str(SHIPPED / "bench_example.toml")
    assert main([*command, bench, "--case", str(path)]) == 2
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err.count("\n") == 1
    assert "'board.freeze': rig bench_example cannot on engine_2" in said.err
    assert "kernel, in_process, process, emulated" in said.err


def test_a_slow_clock_is_refused_on_the_wall_clock(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = case_of(tmp_path, CATALOGUE["board.slow_clock"])
    out = tmp_path / "run"
    virtual = str(SHIPPED / "virtual.toml")
    assert main(["run", virtual, "--case", str(path), "--pace", "wall", "--out", str(out)]) == 2
    assert "its boards keep their own clocks (pace wall)" in capsys.readouterr().err


def test_the_listing_names_every_kind_with_keys_units_and_ranges(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["faults"]) == 0
    text = capsys.readouterr().out
    for kind in CATALOGUE.values():
        assert re.search(rf"^{re.escape(kind.name)}  \(strikes {kind.strikes}, ", text, re.MULTILINE)
        for plain in kind.variants():
            for size in plain.sizes:
                assert size.name == "what" or f"{size.name} = {size.allowed}" in text
    assert "NOT on" not in text
    assert main(["faults", str(SHIPPED / "bench_example.toml")]) == 0
    assert "NOT on engine_1, engine_2, engine_3: the board is hardware" in capsys.readouterr().out


def test_the_listing_as_json(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["faults", str(SHIPPED / "bench_example.toml"), "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["rig"] == "bench_example"
    kinds = {kind["name"]: kind for kind in told["kinds"]}
    assert list(kinds) == list(CATALOGUE)
    assert kinds["engine.out"]["supported"]
    assert not kinds["board.freeze"]["supported"]
    assert set(kinds["board.freeze"]["refused"]) == {"flight_computer", "engine_1", "engine_2", "engine_3"}
    (tail,) = kinds["engine.out"]["keys"]
    assert (tail["unit"], tail["low"], tail["high"], tail["drawn"]) == ("s", 0.0, 5.0, [[0.1, 0.5]])
    assert {key["name"] for key in kinds["nav.bias"]["what"]["position"]} == {"axis", "bias"}
    assert kinds["nav.bias"]["heals"]["high"] == 600.0
    assert main(["faults", "--json"]) == 0
    assert "supported" not in json.loads(capsys.readouterr().out)["kinds"][0]


def test_a_rig_that_can_fly_a_case_is_told_so(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = case_of(tmp_path, CATALOGUE["board.freeze"])
    assert main(["check", str(SHIPPED / "kernel.toml"), "--case", str(path)]) == 0
    assert "every fault of it can be flown here" in capsys.readouterr().out
