"""Case files: every way to write one wrongly gives one line that says what and where."""

from __future__ import annotations

from pathlib import Path

import pytest

from hil.faults.case import SHIPPED, find_case, load_case, vehicle_path
from hil.faults.catalogue import CATALOGUE, HEALS, Choice, Kind
from hil.files import FileError

GOOD = """
vehicle = "zq3_class"
description = "x"
[initial]
pos_pad_m = [120.0, -60.0, 4500.0]
vel_pad_mps = [-6.0, 3.0, -330.0]
[[fault]]
kind = "engine.out"
engine = 2
after_ignition_s = 3.0
tail_off_s = 0.2
"""


def load(tmp_path: Path, text: str) -> str:
    """Return the error of loading a case with this text ('' when it is fine)."""
    path = tmp_path / "case.toml"
    path.write_text(text)
    message = ""
    try:
        load_case(path)
    except FileError as error:
        message = str(error)
    assert "\n" not in message
    assert message == "" or str(path) in message
    return message


def test_the_design_example_loads(tmp_path: Path) -> None:
    assert load(tmp_path, GOOD) == ""


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ('kind = "engine.out"', 'kind = "engine.gone"', "'engine.gone' is not in the catalogue (engine.out,"),
        ("tail_off_s = 0.2", "", "needs the key 'tail_off_s' (allowed: 0 to 5 s)"),
        ("tail_off_s = 0.2", "tail_off_s = 50.0", "'tail_off_s' = 50.0 is out of range (allowed: 0 to 5 s)"),
        ("tail_off_s = 0.2", "tail_off_s = 0.2\ndelay_s = 1.0", "engine.out does not take the key 'delay_s'"),
        ("engine = 2", "", "needs the key 'engine'"),
        ("engine = 2", 'board = "engine_2"', "needs the key 'engine'"),
        ("engine = 2", 'engine = 2\nboard = "engine_2"', "does not take the key 'board'"),
        ("after_ignition_s = 3.0", "", "exactly one trigger"),
        ("after_ignition_s = 3.0", "after_ignition_s = 3.0\nat_s = 1.0", "exactly one trigger"),
        ("after_ignition_s = 3.0", "after_ignition_s = 6000.0", "(allowed: 0 to 600 s)"),
        ("after_ignition_s = 3.0", "below_alt_m = -1.0", "(allowed: 0 to 20000 m)"),
        ("tail_off_s = 0.2", "tail_of_s = 0.2", "unknown key 'fault.0.tail_of_s'"),
        ("[initial]", "[intial]", "unknown key 'intial'"),
        ("pos_pad_m = [120.0, -60.0, 4500.0]", "", "'initial.pos_pad_m' is missing"),
        ("[initial]", "[initial]\nq_pad_from_body = [1.0, 1.0, 0.0, 0.0]", "unit quaternion"),
        ("[initial]", "time_limit_s = 0.0\n[initial]", "(allowed: 1 to 600 s)"),
        ("[initial]", "[initial", "broken TOML"),
    ],
)
def test_wrong_cases_say_what_is_wrong(tmp_path: Path, old: str, new: str, says: str) -> None:
    assert old in GOOD
    message = load(tmp_path, GOOD.replace(old, new))
    if "pos_pad_m" in old:
        assert "initial.pos_pad_m" in message
        assert "missing" in message
    else:
        assert says in message


TARGETS = {
    "engine": "engine = 1", "board": 'board = "engine_1"', "fin": "fin = 1",
    "message": 'message = "ENGINE_1_COMMAND"', "line": 'line = "navigation"',
}  # fmt: skip
PLAIN = [plain for kind in CATALOGUE.values() for plain in kind.variants()]
"""Every kind, once for each word of its key `what`."""


@pytest.mark.parametrize("spec", PLAIN, ids=lambda s: ".".join([s.name, *_what(s)]))
def test_every_kind_can_be_written_and_every_size_is_bounded(tmp_path: Path, spec: Kind) -> None:
    target = TARGETS.get(spec.strikes, "")
    heals = {HEALS.name: repr(HEALS.high)} if spec.heals else {}
    keys = heals | {
        size.name: f'"{size.words[0]}"' if isinstance(size, Choice) else repr(float(size.low))
        for size in spec.sizes
    }
    head = GOOD[: GOOD.index("[[fault]]")]

    def fault(values: dict[str, str]) -> str:
        body = "".join(f"{name} = {value}\n" for name, value in values.items())
        return f'{head}[[fault]]\nkind = "{spec.name}"\n{target}\nat_s = 0.0\n{body}'

    assert load(tmp_path, fault(keys)) == ""
    wrong_end = load(tmp_path, fault({**keys, HEALS.name: "1e3"}))
    assert (HEALS.allowed if spec.heals else f"does not take the key '{HEALS.name}'") in wrong_end
    for size in spec.sizes:
        assert size.name in load(tmp_path, fault({k: v for k, v in keys.items() if k != size.name}))
        wrong = '"none"' if isinstance(size, Choice) else repr(size.high + 1.0)
        assert size.allowed in load(tmp_path, fault({**keys, size.name: wrong}))


def _what(kind: Kind) -> tuple[str, ...]:
    return next((size.words for size in kind.sizes if size.name == "what" and isinstance(size, Choice)), ())


@pytest.mark.parametrize("spec", PLAIN, ids=lambda s: ".".join([s.name, *_what(s)]))
def test_what_is_drawn_is_allowed_and_the_mildest_is_a_value(spec: Kind) -> None:
    for size in spec.sizes:
        if isinstance(size, Choice):
            assert size.words
            continue
        assert size.low < size.high
        assert size.low <= size.mildest <= size.high
        for low, high in size.drawn:
            assert size.low <= low <= high <= size.high
            assert size.takes(low)


def test_a_number_of_things_is_whole(tmp_path: Path) -> None:
    fault = 'kind = "engine.no_ignition"\nengine = 2\nat_s = 0.0\nstarts = 1.5\n'
    text = GOOD[: GOOD.index("[[fault]]")] + "[[fault]]\n" + fault
    assert "'starts' = 1.5 is out of range (allowed: 0 to 3 starts, whole)" in load(tmp_path, text)


def test_cases_and_vehicles_are_found(tmp_path: Path) -> None:
    assert find_case("a/b.toml", tmp_path / "rig.toml") == Path("a/b.toml")
    assert find_case("nominal", tmp_path / "rig.toml") == SHIPPED / "cases" / "nominal.toml"
    (tmp_path / "cases").mkdir()
    (tmp_path / "cases" / "nominal.toml").write_text(GOOD)
    own = find_case("nominal", tmp_path / "rig.toml")
    assert own == tmp_path / "cases" / "nominal.toml"
    assert find_case("none", tmp_path / "rig.toml") == tmp_path / "cases" / "none.toml"
    case = load_case(own)
    assert vehicle_path(case, tmp_path / "rig.toml") == SHIPPED / "vehicles" / "zq3_class.toml"
    (tmp_path / "vehicles").mkdir()
    (tmp_path / "vehicles" / "zq3_class.toml").write_text("")
    assert vehicle_path(case, tmp_path / "rig.toml") == tmp_path / "vehicles" / "zq3_class.toml"


def test_an_unknown_vehicle_is_named_with_those_there_are(tmp_path: Path) -> None:
    path = tmp_path / "case.toml"
    path.write_text(GOOD.replace("zq3_class", "zq9"))
    with pytest.raises(FileError, match=r"'vehicle' = 'zq9': no such vehicle \(known: .*zq3_class"):
        vehicle_path(load_case(path), tmp_path / "rig.toml")
