"""Every kind of fault of the catalogue flies on every rung that it declares, and shows where it should.

Short landings, compared signal by signal with the same one without the fault: nothing differs before the
onset, and what differs first is what the fault strikes.
"""

from __future__ import annotations

import dataclasses
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import pytest

from hil.faults.case import SHIPPED, FaultSpec
from hil.faults.catalogue import CATALOGUE, Choice, Kind, Size
from hil.rig.plan import load_plan
from hil.rig.run import run_flight
from hil.tape import read_tape
from tests.emulation import emulated
from tests.vcan import ON_VCAN

BURN = """
vehicle = "zq3_class"
description = "Three engines brake 160 m above the pad, one goes on."
time_limit_s = 2.6
[initial]
pos_pad_m = [10.0, -5.0, 170.0]
vel_pad_mps = [0.5, 0.5, -45.0]
[ignition]
forced_at_s = 0.2
"""
SLIDE = """
vehicle = "zq3_class"
description = "The stage is put down on its feet, sliding."
time_limit_s = 1.5
[initial]
pos_pad_m = [0.0, 0.0, 0.5]
vel_pad_mps = [2.0, 0.0, -1.0]
q_pad_from_body = [1.0, 0.0, 0.0, 0.0]
"""
ONSETS_S = {
    "engine.late_ignition": 0.0, "engine.no_ignition": 0.0, "engine.hard_start": 0.0, "valve.leak": 0.0,
    "pad.slippery": 0.0, "nav.off.height": 2.3,
}  # fmt: skip
ONSET_S = 1.2
SHOWS: dict[str, tuple[str, ...]] = {
    "plant": ("truth",),
    "navigation": ("nav",),
    "nav_record": ("nav",),
    "engine_sensors": ("sensor",),
    "board": ("actuator", "status", "command", "telemetry"),
    "board_restart": ("actuator", "status", "command", "telemetry"),
    "board_clock": ("actuator", "status", "command", "telemetry"),
}
"""Records that show a fault first, by what it needs."""
PLAIN = [plain for kind in CATALOGUE.values() for plain in kind.variants() if kind.needs in SHOWS]
ON_EVERY_RUNG = [plain for plain in PLAIN if plain.needs != "nav_record"]
BOARDS = ("engine_1", "flight_computer")


def label(plain: Kind) -> str:
    """Return the name of a plain kind with its word of `what`."""
    what = next((s.words for s in plain.sizes if isinstance(s, Choice) and s.name == "what"), ())
    return ".".join((plain.name, *what))


def worst(size: Size) -> float:
    """Return the size in the ranges drawn that is furthest from the mildest."""
    ends = [end for span in size.drawn for end in span]
    return max(ends, key=lambda value: abs(value - size.mildest))


def fault_of(plain: Kind, board: str = "engine_1") -> FaultSpec:
    """Return a fault of this kind that strikes engine 1 (its board, its fin) in the middle of the flight."""
    keys: dict[str, Any] = {s.name: s.words[0] if isinstance(s, Choice) else worst(s) for s in plain.sizes}
    struck = {"engine": {"engine": 1}, "board": {"board": board}, "fin": {"fin": 1}}.get(plain.strikes, {})
    onset_s = ONSETS_S.get(label(plain), ONSET_S)
    return FaultSpec.model_validate({"kind": plain.name, "at_s": onset_s, **struck, **keys})


def flown(rig: str, case: str, faults: tuple[FaultSpec, ...]) -> tuple[Any, str]:
    """Fly a case with faults on a shipped rig; return the frames on the tape and their digest."""
    with TemporaryDirectory() as folder:
        path = Path(folder) / "short.toml"
        path.write_text(case)
        plan = load_plan(SHIPPED / f"{rig}.toml", str(path))
        plan = dataclasses.replace(plan, case=plan.case.model_copy(update={"fault": faults}))
        run = run_flight(plan, seed=0, pace="lockstep", run_dir=Path(folder))
        assert run.cause is None
        return read_tape(Path(folder) / "tape.mcap").frames, run.result["signals_sha256"]


@cache
def healthy(case: str) -> Any:
    """Return the frames of a case without faults; they are the same on every rung."""
    return flown("kernel", case, ())[0]


def first_difference(frames: Any, others: Any) -> tuple[int, set[str]]:
    """Return the number of the first frame that differs, and the records that do in it; -1 for none."""
    count = min(len(frames), len(others))
    first = {}
    for record in frames.dtype.names[2:]:
        for field in frames.dtype[record].names:
            a, b = frames[record][field][:count], others[record][field][:count]
            unequal = (a != b) & ~((a != a) & (b != b))
            rows = np.flatnonzero(unequal.reshape(count, -1).any(axis=1))
            if len(rows):
                first.setdefault(int(rows[0]), set()).add(record)
    return min(first.items(), default=(-1, set()))


def check_shows(plain: Kind, fault: FaultSpec, frames: Any) -> None:
    """Look that the fault shows first in what it strikes, not before its onset, and in good time."""
    case = SLIDE if plain.strikes == "pad" else BURN
    number, records = first_difference(frames, healthy(case))
    assert fault.at_s is not None
    onset = round(fault.at_s * 100)
    assert number >= onset, f"{label(plain)}: first difference in frame {number}, onset {onset}"
    assert records & set(SHOWS[plain.needs]), records
    assert ("truth" in records) == (plain.needs == "plant"), "sensors and boards leave the truth alone"


@pytest.mark.parametrize("plain", PLAIN, ids=label)
def test_every_kind_shows_on_the_kernel_rung(plain: Kind) -> None:
    for board in BOARDS if plain.strikes == "board" else BOARDS[:1]:
        fault = fault_of(plain, board)
        check_shows(plain, fault, flown("kernel", SLIDE if plain.strikes == "pad" else BURN, (fault,))[0])


# ---- the rungs

WITH_BOARDS = [plain for plain in PLAIN if plain.strikes == "board"]


@pytest.mark.parametrize("rig", ["in_process", "virtual", emulated("emulated")])
def test_the_same_bits_on_every_rung_with_faults_of_plant_and_sensors(rig: str) -> None:
    """One flight with one fault of each such kind, one after the other, each over before long."""
    assert flown(rig, BURN, everything())[1] == flown("kernel", BURN, everything())[1]


def everything() -> tuple[FaultSpec, ...]:
    """Return a fault of each plain kind but those of boards and pad, 10 ms apart; those that may heal do."""
    faults = []
    for number, plain in enumerate(p for p in ON_EVERY_RUNG if p.strikes not in ("board", "pad")):
        onset_s = ONSETS_S.get(label(plain), ONSET_S + 0.01 * number)
        ends = {"heals_after_s": 0.05} if plain.heals else {}
        engine = {"engine": 1 + number % 3} if plain.strikes == "engine" else {}
        one = fault_of(plain).model_dump(exclude_none=True)
        faults.append(FaultSpec.model_validate({**one, "at_s": onset_s, **ends, **engine}))
    return tuple(faults)


@pytest.mark.nightly
@pytest.mark.parametrize("rig", ["in_process", "virtual", emulated("emulated")])
@pytest.mark.parametrize("plain", ON_EVERY_RUNG, ids=label)
def test_each_kind_by_itself_is_the_same_on_every_rung(rig: str, plain: Kind) -> None:
    fault, case = fault_of(plain), SLIDE if plain.strikes == "pad" else BURN
    frames, digest = flown(rig, case, (fault,))
    check_shows(plain, fault, frames)
    assert digest == flown("kernel", case, (fault,))[1]


@pytest.mark.parametrize("board", BOARDS)
@pytest.mark.parametrize("plain", WITH_BOARDS, ids=label)
@pytest.mark.parametrize("rig", ["in_process", "virtual", emulated("emulated")])
def test_boards_go_wrong_alike_on_every_rung(rig: str, plain: Kind, board: str) -> None:
    fault = fault_of(plain, board)
    frames, digest = flown(rig, BURN, (fault,))
    check_shows(plain, fault, frames)
    assert digest == flown("kernel", BURN, (fault,))[1]


@pytest.mark.parametrize(
    "plain", [pytest.param(plain, marks=ON_VCAN, id=label(plain)) for plain in WITH_BOARDS]
)
def test_boards_that_are_on_socketcan_by_themselves_go_wrong_alike(plain: Kind) -> None:
    fault = fault_of(plain)
    assert flown("socketcan", BURN, (fault,))[1] == flown("kernel", BURN, (fault,))[1]


@pytest.mark.xdist_group("wall")
def test_on_the_wall_clock_boards_start_anew_and_hang_too(tmp_path: Path) -> None:
    """Whatever a loaded machine makes of the timing: what the boards' own logs say."""
    path = tmp_path / "short.toml"
    path.write_text(BURN)
    plan = load_plan(SHIPPED / "virtual.toml", str(path))
    faults = (
        FaultSpec(kind="board.reset", board="engine_3", at_s=1.2, boot_s=0.1),
        FaultSpec(kind="board.brown_out", board="engine_1", at_s=1.2, duration_s=0.1, boot_s=0.1),
        FaultSpec(kind="board.freeze", board="engine_2", at_s=1.2, heals_after_s=0.3),
    )
    plan = dataclasses.replace(plan, case=plan.case.model_copy(update={"fault": faults}))
    run = run_flight(plan, seed=0, pace="wall", run_dir=tmp_path)
    logs = {n: (tmp_path / f"engine_{n}.log").read_text() for n in (1, 2, 3)}
    assert {n: log.count("bench restarts the board") for n, log in logs.items()} == {1: 1, 2: 0, 3: 1}
    frames = read_tape(tmp_path / "tape.mcap").frames
    spoken = frames["status"]["fresh"][:, 1] != 0
    assert not spoken[125:145].any(), "hung, whatever its process did before and after"
    assert spoken[160:].any() or run.cause is not None
