"""Faults of wires in cases: what they strike, the same on every rung, refused where nobody can do them."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from hil.cli import main
from hil.faults.case import SHIPPED, FaultSpec
from hil.faults.catalogue import CATALOGUE, Choice, Kind
from hil.rig.plan import load_plan, message_ids
from hil.rig.run import run_flight
from tests.emulation import emulated
from tests.faults.test_every_kind import BURN, first_difference, flown, healthy, worst

ONSET, OVER = 120, 130
"""Frames of the bench."""
KINDS = [kind for kind in CATALOGUE.values() if kind.needs in ("bus", "line")]
STRUCK = {"message": "ENGINE_1_COMMAND", "board": "engine_1", "line": "navigation"}
SHOWS = {"message": {"command"}, "board": {"status"}, "line": {"command", "telemetry"}}
SHOWS_ELSE = {"wire.duplicate": {"status"}, "wire.bit_errors": {"actuator", "status"}}
"""Records that show a fault first: the bench hears a message as the boards do."""


def fault_of(kind: Kind, at_s: float = 1.2, heals_after_s: float | None = 0.1, **keys: Any) -> FaultSpec:
    sizes = {s.name: s.words[0] if isinstance(s, Choice) else worst(s) for s in kind.sizes}
    struck = {kind.strikes: STRUCK[kind.strikes]}
    over = {} if heals_after_s is None else {"heals_after_s": heals_after_s}
    return FaultSpec.model_validate({"kind": kind.name, "at_s": at_s, **struck, **sizes, **over, **keys})


@cache
def in_process(kind: Kind) -> tuple[Any, str]:
    return flown("in_process", BURN, (fault_of(kind),))


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)
def test_every_kind_shows_from_its_onset_on(kind: Kind) -> None:
    number, records = first_difference(in_process(kind)[0], healthy(BURN))
    assert ONSET <= number < OVER
    assert records & SHOWS_ELSE.get(kind.name, SHOWS[kind.strikes])
    assert "truth" not in records
    assert "nav" not in records


@pytest.mark.parametrize("name", ["wire.corrupt", "wire.bit_errors", "wire.babble", "serial.framing"])
def test_one_kind_alone_is_the_same_with_boards_that_are_processes(name: str) -> None:
    kind = CATALOGUE[name]
    assert flown("virtual", BURN, (fault_of(kind),))[1] == in_process(kind)[1]


def everything() -> tuple[FaultSpec, ...]:
    """Return one short fault of each kind, one after the other, half of the frames where it takes a share."""
    faults = []
    for number, kind in enumerate(KINDS):
        share = {"share": 0.5} if any(size.name == "share" for size in kind.sizes) else {}
        faults.append(fault_of(kind, 1.0 + 0.06 * number, 0.03, **share))
    return tuple(faults)


@cache
def all_in_process() -> str:
    return flown("in_process", BURN, everything())[1]


@pytest.mark.parametrize("rig", ["in_process", "virtual", emulated("emulated")])
def test_all_of_them_in_one_flight_are_the_same_on_every_rung(rig: str) -> None:
    assert flown(rig, BURN, everything())[1] == all_in_process()
    assert all_in_process() != flown("kernel", BURN, ())[1]


def test_what_is_drawn_depends_on_the_seed(tmp_path: Path) -> None:
    path = tmp_path / "half.toml"
    path.write_text(BURN + fault_text('kind = "wire.drop"\nmessage = "ENGINE_1_COMMAND"\nshare = 0.5'))
    plan = load_plan(SHIPPED / "in_process.toml", str(path))
    lost = []
    for number, seed in enumerate((1, 1, 2)):
        folder = tmp_path / str(number)
        folder.mkdir()
        run = run_flight(plan, seed=seed, pace="lockstep", run_dir=folder)
        lost.append((run.details["wires"]["engine_1"]["accepted"], run.result["signals_sha256"]))
    assert lost[0] == lost[1]
    assert lost[0][0] != lost[2][0]


def test_receivers_count_what_they_reject(tmp_path: Path) -> None:
    """Four frames of a command are damaged, ten of a status misnumbered; who hears them says so."""
    path = tmp_path / "damaged.toml"
    damaged = 'kind = "wire.checksum"\nmessage = "ENGINE_1_COMMAND"\nshare = 1.0\nheals_after_s = 0.04'
    misnumbered = 'kind = "wire.counter"\nmessage = "ENGINE_2_STATUS"\ncount = "skipped"\nheals_after_s = 0.1'
    path.write_text(BURN + fault_text(damaged) + fault_text(misnumbered))
    plan = load_plan(SHIPPED / "in_process.toml", str(path))
    run = run_flight(plan, seed=0, pace="lockstep", run_dir=tmp_path)
    wires = run.details["wires"]
    assert (wires["engine_1"]["checksum"], wires["engine_1"]["jumped"]) == (4, 1)
    assert wires["bench"]["checksum"] == 4
    assert wires["flight_computer"]["jumped"] == wires["bench"]["jumped"] - 1 == 11, "ten skips and one back"
    assert [fault["onset_s"] for fault in run.details["faults"]] == pytest.approx([1.2, 1.2])


# ---- what is refused


def fault_text(lines: str) -> str:
    return f"[[fault]]\nat_s = 1.2\n{lines}\n"


def refused(rig: Path, fault: str, folder: Path, capsys: pytest.CaptureFixture[str]) -> str:
    """Return the one line with which `hil run` refuses a fault on a rig, exit status 2."""
    path = folder / "case.toml"
    path.write_text(BURN + fault_text(fault))
    assert main(["run", str(rig), "--case", str(path), "--out", str(folder / "out")]) == 2
    told = capsys.readouterr().err
    assert told.count("\n") == 1
    assert not (folder / "out" / "tape.mcap").exists()
    return told


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)
def test_the_kernel_rung_has_no_wires(kind: Kind, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    fault = fault_of(kind).model_dump(exclude_none=True)
    del fault["at_s"]
    lines = "\n".join(f"{key} = {json.dumps(value)}" for key, value in fault.items())
    told = refused(SHIPPED / "kernel.toml", lines, tmp_path, capsys)
    assert f"'{kind.name}': rig kernel cannot" in told
    assert "it has no wires" in told
    assert "rungs: in_process, process, emulated" in told


def test_a_real_bus_cannot(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    drop = 'kind = "wire.drop"\nmessage = "ENGINE_1_COMMAND"\nshare = 1.0'
    told = refused(SHIPPED / "socketcan.toml", drop, tmp_path, capsys)
    assert "its bus is socketcan" in told
    assert "interface hil" in told


@pytest.mark.parametrize(
    ("fault", "says"),
    [
        (
            'kind = "wire.drop"\nmessage = "ENGINE_1_CMD"\nshare = 1.0',
            "'ENGINE_1_CMD': nobody sends that on this rig (sent are: ENGINE_1_COMMAND, ",
        ),
        (
            'kind = "wire.drop"\nmessage = "BENCH_ENABLE"\nshare = 1.0',
            "key 'fault.0.message' = 'BENCH_ENABLE': nobody sends that on this rig",
        ),
        ('kind = "serial.break"\nline = "imu"', "the rig has no such line (it has: navigation)"),
        ('kind = "wire.cut"\nboard = "engine_9"', "the rig has no such board"),
        ('kind = "wire.drop"\nshare = 1.0', "wire.drop needs the key 'message'"),
        ('kind = "wire.drop"\nmessage = "ENGINE_1_COMMAND"\nshare = 0.0', "(allowed: 0.01 to 1)"),
        (
            'kind = "wire.corrupt"\nmessage = "ENGINE_1_COMMAND"\nshare = 1.0\nbits = 1.5',
            "(allowed: 1 to 64 bits, whole)",
        ),
        (
            'kind = "wire.counter"\nmessage = "ENGINE_1_COMMAND"\ncount = "up"',
            "repeated | skipped | backwards",
        ),
        ('kind = "serial.slow"\nline = "navigation"\nbaudrate = 5', "(allowed: 1200 to 4e+06 baud"),
    ],
)
def test_a_fault_written_wrongly_is_one_line(
    fault: str, says: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert says in refused(SHIPPED / "in_process.toml", fault, tmp_path, capsys)


def test_messages_are_those_of_the_rigs_own_boards() -> None:
    rig = load_plan(SHIPPED / "virtual.toml", "nominal").rig
    assert [name for name in message_ids(rig) if name.endswith("COMMAND")] == [
        f"ENGINE_{number}_COMMAND" for number in (1, 2, 3)
    ]
    assert message_ids(rig)["ENGINE_2_STATUS"] == 0x102
    assert message_ids(load_plan(SHIPPED / "kernel.toml", "nominal").rig) == {}
