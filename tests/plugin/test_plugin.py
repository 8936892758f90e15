"""The pytest plugin, used as a stranger would: a test file and a command line."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

RIGS = Path(__file__).parents[2] / "rigs"
USER_TEST = """
def test_lands_softly(fly):
    run = fly("nominal")
    assert run.result["verdict"] == "PASS"
    assert run.result["touchdown"]["vertical_speed_mps"] < 2.0
"""


def run_pytest(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run a user's test file in a process of its own."""
    (folder / "test_user.py").write_text(USER_TEST, encoding="utf-8")
    environment = {key: value for key, value in os.environ.items() if key != "HIL_RIG"}
    return subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-rs", "-p", "no:cacheprovider", *arguments, str(folder)],
        capture_output=True,
        text=True,
        env=environment,
        cwd=folder,
        timeout=120,
        check=False,
    )


def test_flies_on_the_rig_that_is_named(tmp_path: Path) -> None:
    done = run_pytest(tmp_path, "--hil-rig", str(RIGS / "kernel.toml"))
    assert done.returncode == 0, done.stdout
    assert "1 passed" in done.stdout


def test_skips_with_a_reason_without_a_rig(tmp_path: Path) -> None:
    done = run_pytest(tmp_path)
    assert done.returncode == 0, done.stdout
    assert "no rig: name one with --hil-rig" in done.stdout


def test_a_missing_rig_ends_the_session_with_its_cause(tmp_path: Path) -> None:
    done = run_pytest(tmp_path, "--hil-rig", "nowhere.toml")
    assert done.returncode == 3
    assert "nowhere.toml: no such file" in done.stdout
    assert "Traceback" not in done.stdout


def test_a_live_rig_is_never_flown_from_a_test(tmp_path: Path) -> None:
    done = run_pytest(tmp_path, "--hil-rig", str(RIGS / "bench_example.toml"))
    assert done.returncode == 3
    assert "rig bench_example is live and not armed" in done.stdout
