"""TOML files: types are TOML's own, every error is one short line with key, range and unit."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from hil.faults.case import SHIPPED, Case, load_case
from hil.files import FileError, FileModel, parse_toml
from hil.plant.vehicle import Vehicle, load_vehicle
from hil.rig.model import Rig, load_rig

CASE = """
vehicle = "zq3_class"
description = "x"
seed = 7
[initial]
pos_pad_m = [120, -60.0, 4500.0]
vel_pad_mps = [-6.0, 3.0, -330.0]
propellant_kg = 5.0
omega_body_radps = [0.0, 0.0, 0.1]
[wind]
mean_mps = [8.0, -3.0]
[[fault]]
kind = "engine.out"
engine = 2
at_s = 3.0
tail_off_s = 0.2
"""
VIRTUAL = (SHIPPED / "virtual.toml").read_text()
ZQ3 = (SHIPPED / "vehicles" / "zq3_class.toml").read_text()


def refusal(text: str, model: type[FileModel]) -> str:
    """Return why a text is refused; fails when it is not, or not in one short line."""
    with pytest.raises(FileError) as caught:
        parse_toml(text, "x.toml", model)
    message = str(caught.value)
    assert "\n" not in message
    assert len(message) < 400
    return message


def edited(text: str, old: str, new: str) -> str:
    assert old in text
    return text.replace(old, new, 1)


def test_whole_numbers_stand_for_numbers() -> None:
    case = parse_toml(CASE, "x.toml", Case)
    assert case.initial.pos_pad_m == (120.0, -60.0, 4500.0)
    assert isinstance(case.initial.pos_pad_m[0], float)


def test_what_is_shipped_is_accepted() -> None:
    for path in sorted(SHIPPED.glob("*.toml")):
        load_rig(path)
    for path in sorted((SHIPPED / "cases").glob("*.toml")):
        load_case(path)
    for path in sorted((SHIPPED / "vehicles").glob("*.toml")):
        load_vehicle(path)


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ("4500.0", '"4500"', "'initial.pos_pad_m.2' = '4500': input should be a valid number (allowed: 0 to"),
        ("4500.0", "true", "'initial.pos_pad_m.2' = True"),
        ("propellant_kg = 5.0", 'propellant_kg = "5"', "'5': input should be a valid number (allowed: 0 to"),
        ("seed = 7", 'seed = "7"', "'seed' = '7'"),
        ("seed = 7", "seed = true", "'seed' = True"),
        ("seed = 7", "seed = 7.0", "'seed' = 7.0"),
        ("engine = 2", 'engine = "2"', "'fault.0.engine' = '2'"),
        ("engine = 2", "engine = true", "'fault.0.engine' = True"),
        ("tail_off_s = 0.2", "tail_off_s = true", "'fault.0.tail_off_s' = True"),
        ("tail_off_s = 0.2", 'tail_off_s = "0.2"', "'fault.0.tail_off_s' = '0.2'"),
        (
            "at_s = 3.0",
            "at_s = false",
            "'fault.0.at_s' = False: input should be a valid number (allowed: 0 to",
        ),
        ('description = "x"', "description = 1", "'description' = 1"),
    ],
)
def test_no_truth_value_and_no_string_is_a_number(old: str, new: str, says: str) -> None:
    assert says in refusal(edited(CASE, old, new), Case)


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ("4500.0", "1e308", "(allowed: 0 to 100000 m above the pad)"),
        ("4500.0", "-1e9", "(allowed: 0 to 100000 m above the pad)"),
        ("4500.0", "nan", "(allowed: 0 to 100000 m above the pad)"),
        ("-60.0", "20001.0", "(allowed: -20000 to 20000 m, east and north of the pad)"),
        ("-330.0", "3e8", "(allowed: -3000 to 3000 m/s)"),
        ("0.1]", "1e300]", "(allowed: -10 to 10 rad/s)"),
        ("8.0, -3.0]", "1e308, 0.0]", "(allowed: -100 to 100 m/s)"),
        (
            "mean_mps = [8.0, -3.0]",
            "altitude_m = [0, 1]\nprofile_mps = [[0, 0], [0, 101]]",
            "profile_mps.1.1",
        ),
        ("mean_mps = [8.0, -3.0]", "altitude_m = [0, 1e9]\nprofile_mps = [[0, 0], [0, 1]]", "altitude_m.1"),
        ("[wind]", "q_pad_from_body = [1e308, 1e308, 0.0, 0.0]\n[wind]", "(allowed: -1.01 to 1.01 1)"),
        ("[wind]", "q_pad_from_body = [0.7, 0.0, 0.0, 0.0]\n[wind]", "unit quaternion"),
        ("tail_off_s = 0.2", "tail_off_s = nan", "'tail_off_s' = nan is out of range (allowed: 0 to 5 s)"),
        ("tail_off_s = 0.2", "tail_off_s = inf", "'tail_off_s' = inf is out of range (allowed: 0 to 5 s)"),
    ],
)
@pytest.mark.filterwarnings("error")
def test_a_case_is_within_its_ranges(old: str, new: str, says: str) -> None:
    assert says in refusal(edited(CASE, old, new), Case)


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ("frame_ms = 10", "frame_ms = true", "(allowed: 1 to 20 ms)"),
        ("frame_ms = 10", "frame_ms = 21", "(allowed: 1 to 20 ms)"),
        ("node = 1", "node = true", "'board.engine_1.node' = True"),
        ("node = 1", "node = 99", "(allowed: 1 to 40 engine number)"),
        ('name = "virtual"', 'name = ""', "'name'"),
        ('name = "virtual"', 'name = "a/b"', "'a/b' is not a name (1 to 64 letters, digits, _ and -)"),
        ('name = "virtual"', 'name = "a\\nb"', "is not a name"),
        ("[board.engine_1]", '[board."../x/y"]', "'../x/y' is not a name"),
        ("[board.engine_1]", f"[board.{'n' * 5000}]", "is not a name"),
        ('channel = "engine"', f'channel = "{"n" * 5000}"', "1 to 255 printable characters"),
        ('channel = "engine"', 'channel = "../x"', "virtual bus is 1 to 64 letters"),
        ('name = "virtual"', f"{'n' * 5000} = 1", "unknown key 'nnn"),
    ],
)
def test_a_rig_says_what_is_wrong(old: str, new: str, says: str) -> None:
    assert says in refusal(edited(VIRTUAL, old, new), Rig)


def test_an_interface_that_python_can_does_not_know(tmp_path: Path) -> None:
    rig = tmp_path / "rig.toml"
    rig.write_text(edited(VIRTUAL, 'interface = "hil"', 'interface = "nonsense"'))
    with pytest.raises(FileError, match=r"'can.engine.interface' = 'nonsense'.*known: .*socketcan"):
        load_rig(rig)


@pytest.mark.parametrize(
    "text",
    ["x = " + "[" * 5000 + "]" * 5000, "x = " + "9" * 5000, "x = " + "{a=" * 5000 + "1" + "}" * 5000],
    ids=["arrays", "digits", "tables"],
)
def test_nonsense_without_end_is_one_line(text: str) -> None:
    assert "broken TOML" in refusal(text, Case)


def test_a_vehicle_of_thousands_of_letters_is_one_line() -> None:
    assert "is not a name" in refusal(edited(CASE, "zq3_class", "n" * 5000), Case)


def figure(key: str, value: str) -> str:
    """Return the text of the zq3 class with another value of a figure."""
    text, count = re.subn(rf"(?m)^({key} = {{ value = )[^,]*", rf"\g<1>{value}", ZQ3)
    assert count == 1
    return text


@pytest.mark.parametrize(
    ("key", "value", "says"),
    [
        ("throttle_plan_low", "0.95", "throttle_plan_low = 0.95 must be below throttle_plan_high = 0.9"),
        ("stroke_time_s", "0.2", "'valve_board.stroke_time_s' = 0.2: a full stroke takes 0.25 s"),
        (
            "dry_kg",
            "true",
            "'body.dry_kg' = True: input should be a valid number (allowed: 1000 to 1e+06 kg)",
        ),
        ("starts", "true", ""),
    ],
)
def test_a_vehicle_fits_itself(key: str, value: str, says: str) -> None:
    if key == "starts":
        text, says = edited(ZQ3, "starts = ", "starts = true #"), "'engine.starts' = True"
    else:
        text = figure(key, value)
    assert says in refusal(text, Vehicle)
