"""The pytest plugin, used as a stranger would: a test file and a command line."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest

from hil.search.profiles import PROFILES

ROOT = Path(__file__).parents[2]
RIGS = ROOT / "rigs"
KERNEL = ("--hil-rig", str(RIGS / "kernel.toml"))
SHORT = """
vehicle = "zq3_class"
description = "One tenth of a second."
time_limit_s = 1.0
[initial]
pos_pad_m = [0.0, 0.0, 3000.0]
vel_pad_mps = [0.0, 0.0, -300.0]
"""
USER_TEST = """
def test_lands_softly(fly):
    run = fly("nominal")
    assert run.result["verdict"] == "PASS"
    assert run.result["touchdown"]["vertical_speed_mps"] < 2.0
"""


def run_pytest(folder: Path, *arguments: str, test: str = USER_TEST) -> subprocess.CompletedProcess[str]:
    """Run a user's test file in a process of its own, beside a case `short.toml`."""
    (folder / "test_user.py").write_text(test, encoding="utf-8")
    (folder / "short.toml").write_text(SHORT, encoding="utf-8")
    environment = {key: value for key, value in os.environ.items() if key not in ("HIL_RIG", "CI")}
    return subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-rs", "-p", "no:cacheprovider", *arguments, str(folder)],
        capture_output=True,
        text=True,
        env=environment,
        cwd=folder,
        timeout=120,
        check=False,
    )


def test_the_test_in_the_readme_passes(tmp_path: Path) -> None:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    found = re.findall(r"<!-- a user's test -->\n```python\n(.*?)```", text, re.DOTALL)
    assert len(found) == 1
    assert len(found[0].strip().splitlines()) <= 10
    done = run_pytest(tmp_path, *KERNEL, "--junitxml", "told.xml", test=found[0])
    assert done.returncode == 0, done.stdout
    assert "2 passed" in done.stdout
    told = ET.parse(tmp_path / "told.xml").getroot()
    for case in told.iter("testcase"):
        properties = [(p.get("name"), p.get("value")) for p in case.iter("property")]
        assert properties == [("requirement", "TD-VERTICAL"), ("requirement", "TD-MISS")]


def test_flies_on_the_rig_that_is_named(tmp_path: Path) -> None:
    done = run_pytest(tmp_path, *KERNEL)
    assert done.returncode == 0, done.stdout
    assert "1 passed" in done.stdout


def test_skips_with_a_reason_without_a_rig(tmp_path: Path) -> None:
    done = run_pytest(tmp_path)
    assert done.returncode == 0, done.stdout
    assert "no rig: name one with --hil-rig" in done.stdout


MARKED = """
import pytest

@pytest.mark.hil_rung("kernel", "virtual")
def test_here(rig):
    assert rig.name == "kernel"

@pytest.mark.hil_rung("emulated")
def test_elsewhere(fly):
    raise AssertionError("must not run")

@pytest.mark.hil_hardware
def test_on_hardware():
    raise AssertionError("must not run")

@pytest.mark.hil_rung("kernel")
@pytest.mark.hil_rung("bench")
def test_on_both_at_once():
    raise AssertionError("must not run")
"""


def test_markers_skip_with_a_reason_what_the_rig_is_not(tmp_path: Path) -> None:
    done = run_pytest(tmp_path, *KERNEL, "--strict-markers", test=MARKED)
    assert done.returncode == 0, done.stdout
    assert "1 passed, 3 skipped" in done.stdout
    assert "needs a board on emulated; rig kernel has kernel" in done.stdout
    assert "needs a board on bench; rig kernel has kernel" in done.stdout
    assert "needs hardware; nothing in rig kernel can reach any" in done.stdout


def test_marked_tests_are_skipped_without_a_rig(tmp_path: Path) -> None:
    done = run_pytest(tmp_path, test=MARKED)
    assert done.returncode == 0, done.stdout
    assert "4 skipped" in done.stdout


def test_hardware_tests_run_on_a_rig_that_can_reach_hardware(tmp_path: Path) -> None:
    test = MARKED.replace('raise AssertionError("must not run")', "pass")
    done = run_pytest(tmp_path, "--hil-rig", str(RIGS / "bench_example.toml"), "-k", "hardware", test=test)
    assert done.returncode == 0, done.stdout
    assert "1 passed" in done.stdout


@pytest.mark.parametrize("names", ['"kernal"', ""])
def test_a_rung_that_there_is_not_is_no_silent_skip(names: str, tmp_path: Path) -> None:
    done = run_pytest(
        tmp_path, *KERNEL, test=f"import pytest\n@pytest.mark.hil_rung({names})\ndef test_x(): pass\n"
    )
    assert done.returncode != 0
    assert "hil_rung: " in done.stdout + done.stderr
    assert "there are: kernel, in_process, virtual" in done.stdout + done.stderr


def test_a_missing_rig_ends_the_session_with_its_cause(tmp_path: Path) -> None:
    done = run_pytest(tmp_path, "--hil-rig", "nowhere.toml")
    assert done.returncode == 3
    assert "nowhere.toml: no such file" in done.stdout
    assert "Traceback" not in done.stdout


def test_a_live_rig_is_never_moved_from_a_test(tmp_path: Path) -> None:
    done = run_pytest(tmp_path, "--hil-rig", str(RIGS / "bench_example.toml"))
    assert done.returncode == 3
    assert "rig bench_example is live and not armed" in done.stdout


def test_a_live_rig_flown_cold_breaks_for_want_of_its_boards_and_not_of_leave(tmp_path: Path) -> None:
    done = run_pytest(tmp_path, "--hil-rig", str(RIGS / "bench_example.toml"), "--hil-cold")
    assert done.returncode == 3
    assert "not armed" not in done.stdout
    assert "hil: the rig broke: " in done.stdout


BREAKS = """
def test_first(fly):
    fly("nominal")

def test_second(fly):
    raise AssertionError("must not run")
"""


@pytest.mark.parametrize("workers", [(), ("-n", "1")], ids=["alone", "xdist"])
def test_a_rig_that_breaks_ends_the_session_with_its_first_cause(
    workers: tuple[str, ...], tmp_path: Path
) -> None:
    rig = tmp_path / "rig.toml"
    kernel = tmp_path / "crash.c"
    source = (RIGS / "kernels" / "minimal" / "minimal.c").read_text(encoding="utf-8")
    last = "    out->telemetry.plan_source = burning;\n"
    assert source.count(last) == 1
    kernel.write_text(source.replace(last, last + "    if (in->t_ns > 500000000) __builtin_trap();\n"))
    text = (RIGS / "virtual.toml").read_text(encoding="utf-8")
    text = text.replace('"bus.dbc"', f'"{RIGS / "bus.dbc"}"')
    rig.write_text(f'{text}\n[kernel]\nname = "crash"\nsources = ["{kernel}"]\n', encoding="utf-8")
    done = run_pytest(tmp_path, "--hil-rig", str(rig), *workers, test=BREAKS)
    assert done.returncode == 3, done.stdout
    assert "INTERNALERROR" not in done.stdout
    assert "hil: the rig broke: board flight_computer" in done.stdout
    assert "must not run" not in done.stdout


CASES = """
from pathlib import Path
import pytest
from hypothesis import given, settings, strategies as st
from hil.faults.case import load_case, FaultSpec

SHORT = Path(__file__).with_name("short.toml")
CASE = load_case(SHORT)

def test_by_path(fly):
    assert fly(SHORT).result["case"] == "short"

@given(st.integers(0, 3))
@settings(max_examples=3)
def test_what_a_strategy_made(fly, seed):
    assert fly(CASE.model_copy(update={"seed": seed})).result["seed"] == seed

def test_profile():
    assert settings.default.max_examples == 10

def test_not_supported(fly):
    fault = FaultSpec(kind="board.silent", board="engine_9", at_s=1.0)
    fly(CASE.model_copy(update={"fault": (fault,)}))

def test_bad_case(fly):
    fly("nowhere")
"""


def test_cases_of_every_kind_and_a_profile(tmp_path: Path) -> None:
    done = run_pytest(tmp_path, *KERNEL, "--hypothesis-profile", "bench", test=CASES)
    assert done.returncode == 1, done.stdout
    assert "1 failed, 3 passed, 1 skipped" in done.stdout
    assert "not supported: " in done.stdout
    assert "the rig has no such board" in done.stdout
    assert "nowhere.toml: no such file" in done.stdout
    assert "Traceback" not in done.stdout


@pytest.mark.parametrize("profile", PROFILES)
def test_the_profiles_are_known_by_their_names(profile: str, tmp_path: Path) -> None:
    most = PROFILES[profile].max_examples
    test = f"from hypothesis import settings\ndef test_x(): assert settings.default.max_examples == {most}\n"
    done = run_pytest(tmp_path, "--hypothesis-profile", profile, test=test)
    assert done.returncode == 0, done.stdout
