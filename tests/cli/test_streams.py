"""Standard streams, disks and folders that are not as they should be: one object, one line, the status."""

from __future__ import annotations

import errno
import json
import os
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from hil.cli import main
from hil.faults.case import SHIPPED
from hil.tape import claim_tape, read_tape
from tests.cases import TOO_SHORT

ROOT = Path(__file__).parents[2]
KERNEL = SHIPPED / "kernel.toml"


@pytest.fixture(autouse=True)
def case(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A case of one second, beside which the test works."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("HIL_DEBUG", raising=False)
    path = tmp_path / "short.toml"
    path.write_text(TOO_SHORT)
    return path


def shell(arguments: str) -> subprocess.CompletedProcess[str]:
    """Run `hil` with arguments and redirections as a shell has them."""
    program = f'{shlex.quote(sys.executable)} -c "import sys; from hil.cli import main; sys.exit(main())"'
    return subprocess.run(
        ["sh", "-c", f"{program} {arguments}"],
        capture_output=True,
        text=True,
        timeout=120,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )


def one_error(capsys: pytest.CaptureFixture[str]) -> tuple[dict[str, Any], str]:
    """Return the one object that was printed, which is an ERROR, and standard error."""
    out, err = capsys.readouterr()
    assert out.count("\n") == 1
    result = json.loads(out)
    assert result["verdict"] == "ERROR"
    assert "Traceback" not in err
    return result, err


# ---- disks


def test_a_tape_that_cannot_be_made_is_an_object_and_3(
    case: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    inner = os.open

    def read_only(path: Any, flags: int, *rest: Any, **more: Any) -> int:
        if str(path).endswith("tape.mcap") and flags & os.O_CREAT:
            raise OSError(errno.EROFS, "Read-only file system", str(path))
        return inner(path, flags, *rest, **more)

    def no_text(path: Path, *_: Any, **__: Any) -> int:
        raise OSError(errno.EROFS, "Read-only file system", str(path))

    monkeypatch.setattr(os, "open", read_only)
    monkeypatch.setattr(Path, "write_text", no_text)
    assert main(["run", str(KERNEL), "--case", str(case), "--out", "here", "--json"]) == 3
    _, err = one_error(capsys)
    assert "hil: tape here/tape.mcap: Read-only file system" in err
    assert not list(Path("here").iterdir())


def test_a_run_json_that_cannot_be_written_is_an_object_and_3(
    case: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    inner = Path.write_text

    def full(path: Path, text: str, **more: Any) -> int:
        if path.name == "run.json":
            inner(path, text[:100], **more)
            raise OSError(errno.ENOSPC, "No space left on device", str(path))
        return inner(path, text, **more)

    monkeypatch.setattr(Path, "write_text", full)
    assert main(["run", str(KERNEL), "--case", str(case), "--out", "here", "--json"]) == 3
    _, err = one_error(capsys)
    assert "hil: here/run.json: No space left on device" in err
    assert Path("here/tape.mcap").stat().st_size > 0
    assert not Path("here/run.json").exists()


# ---- standard streams


def test_the_object_is_printed_without_standard_error(case: Path) -> None:
    done = shell(f"run {KERNEL} --case {case} --json 2>&-")
    assert done.returncode == 1
    assert json.loads(done.stdout)["verdict"] == "FAIL"


@pytest.mark.parametrize("flag", ["--json", "--seeds 0:2"])
def test_an_object_that_nobody_can_read_is_3(case: Path, flag: str) -> None:
    done = shell(f"run {KERNEL} --case {case} {flag} >&-")
    assert done.returncode == 3
    assert done.stderr == "hil: standard output is closed: nobody could read the JSON object\n"
    assert not Path("runs").exists()


def test_standard_output_on_a_full_disk_is_3(case: Path) -> None:
    if not Path("/dev/full").exists():
        pytest.skip("this machine has no /dev/full")
    done = shell(f"run {KERNEL} --case {case} --json >/dev/full")
    assert done.returncode == 3
    assert "hil: standard output: No space left on device" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_flight_without_any_stream_keeps_its_tape_clean(case: Path) -> None:
    assert shell(f"run {KERNEL} --case {case} --out here <&- >&- 2>&-").returncode == 1
    assert main(["report", "here"]) == 0


# ---- runs that were killed


@pytest.mark.parametrize("part", [1.0, 0.6, 0.2])
def test_a_killed_run_is_reported_from_its_tape(
    case: Path, part: float, capsys: pytest.CaptureFixture[str]
) -> None:
    main(["run", str(KERNEL), "--case", str(case), "--out", "here"])
    tape = Path("here/tape.mcap")
    tape.write_bytes(tape.read_bytes()[: int(part * tape.stat().st_size)])
    for name in ("run.json", "report.html"):
        Path("here", name).unlink()
    capsys.readouterr()
    assert main(["report", "here"]) == 0
    out, err = capsys.readouterr()
    assert out == "here/report.html\n"
    assert err.count("\n") == 1
    assert "no run.json, the run was cut short" in err
    page = Path("here/report.html").read_text()
    count = len(read_tape(tape).frames)
    assert (count < 50) == (part < 0.5)
    assert "<title>INVALID: short on kernel</title>" in page
    assert f"this is what its tape holds, {count} frames" in page
    assert ("TD-MISS" in page) == (count > 0)


def test_a_folder_without_anything_to_read_is_2(capsys: pytest.CaptureFixture[str]) -> None:
    Path("here").mkdir()
    assert main(["report", "here"]) == 2
    assert capsys.readouterr().err == "hil: here/tape.mcap: No such file or directory\n"


# ---- folders and numbers


def test_two_flights_do_not_share_a_folder(case: Path, capsys: pytest.CaptureFixture[str]) -> None:
    Path("same").mkdir()
    claim_tape(Path("same/tape.mcap"))
    assert main(["run", str(KERNEL), "--case", str(case), "--out", "same"]) == 2
    assert capsys.readouterr().err == "hil: --out same: holds a run already; name another folder\n"


def test_of_two_flights_at_once_the_second_is_2(
    case: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def too_late(plan: object, seed: int, out: Path) -> Path:
        out.mkdir()
        claim_tape(out / "tape.mcap")  # the other one, between this one's look and its own tape
        return out

    monkeypatch.setattr("hil.cli.run.claim_run_dir", too_late)
    assert main(["run", str(KERNEL), "--case", str(case), "--out", "same", "--json"]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.endswith("hil: same: holds a run already; name another folder\n")
    assert [path.name for path in Path("same").iterdir()] == ["tape.mcap"]


@pytest.mark.parametrize(
    "arguments",
    [
        ["--seeds", "0:99999999999999999999999"],
        ["--seeds", f"{2**63 - 1}:{2**63 + 1}"],
        ["--seeds", f"{2**63}:{2**63 + 1}"],
        ["--seeds", "0:" + "9" * 5000],
        ["--seed", str(2**63)],
        ["--seed", "9" * 5000],
        ["--out", ""],
    ],
    ids=["many", "beyond", "all beyond", "long seeds", "seed", "long seed", "no folder"],
)
def test_numbers_and_folders_beyond_sense_are_2(
    arguments: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["run", str(KERNEL), *arguments]) == 2
    last = capsys.readouterr().err.splitlines()[-1]
    assert last.startswith("hil run: error: argument ")
    assert len(last) < 200


def test_a_case_of_thousands_of_letters_is_2(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["run", str(KERNEL), "--case", "n" * 5000]) == 2
    assert capsys.readouterr().err.count("\n") == 1
