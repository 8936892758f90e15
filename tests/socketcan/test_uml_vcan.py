"""tools/uml_vcan.py: a vcan for a command, on a machine whose kernel has none."""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
import time
from pathlib import Path

import pytest
import uml_vcan

ROOT = Path(__file__).resolve().parents[2]
TOOL = ROOT / "tools" / "uml_vcan.py"
MISSING = uml_vcan.lacking()
needs_uml = pytest.mark.skipif(
    bool(MISSING), reason=f"no User-Mode Linux: apt-get install {' '.join(MISSING)}"
)


def vcan(*command: str, limit_s: float = 120.0, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, str(TOOL), "--limit", str(limit_s), *command],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, **environment},
        timeout=limit_s + 60.0,
    )


def processes_with(mark: str) -> list[str]:
    found = []
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit():
            try:
                found.append((folder / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace"))
            except OSError:
                continue
    return [line for line in found if mark in line]


@needs_uml
def test_a_command_has_its_vcan_its_folder_its_environment_and_its_status(tmp_path: Path) -> None:
    script = tmp_path / "inside.sh"
    script.write_text(
        f"cd {shlex.quote(str(tmp_path))}; cat /sys/class/net/vcan0/operstate /sys/class/net/vcan1/mtu\n"
        'echo "$SAID to them"; echo quietly >&2; uname -v > kernel; pwd; exit 7\n'
    )
    done = vcan("sh", str(script), SAID='it\'s $HOME \\ "so"')
    assert done.returncode == 7, done.stderr
    assert done.stdout.split("\n")[:3] == ["unknown", "72", 'it\'s $HOME \\ "so" to them']
    assert "quietly" in done.stderr
    assert "quietly" not in done.stdout
    assert (tmp_path / "kernel").read_text() not in Path("/proc/version").read_text(), "another kernel"


@needs_uml
def test_a_command_that_takes_too_long_is_ended_with_all_it_began(tmp_path: Path) -> None:
    command = [sys.executable, str(TOOL), "--limit", "6", "sh", "-c", "sleep 600 & sleep 600"]
    mark = f"uml_run={tmp_path}/"
    with subprocess.Popen(
        command, stderr=subprocess.PIPE, text=True, env={**os.environ, "TMPDIR": str(tmp_path)}
    ) as tool:
        while not processes_with(mark):
            assert tool.poll() is None
            time.sleep(0.05)
        _, said = tool.communicate(timeout=120)
    assert tool.returncode == uml_vcan.OVERTIME
    assert "not done within 6 s" in said
    assert not processes_with(mark)
    assert not list(tmp_path.iterdir()), "no folder of its own stays behind"


def test_a_machine_that_lacks_something_is_told_what(tmp_path: Path) -> None:
    script = (
        f"import sys; sys.path.insert(0, {str(TOOL.parent)!r}); import uml_vcan; "
        "uml_vcan._SBIN = '/nowhere'; sys.argv = ['uml_vcan', 'true']; sys.exit(uml_vcan.main())"
    )
    done = subprocess.run(
        [sys.executable, "-c", script],
        capture_output=True,
        text=True,
        check=False,
        env={"PATH": str(tmp_path)},
    )
    assert done.returncode == uml_vcan.BROKEN
    assert done.stderr.startswith("uml_vcan: missing here: apt-get install user-mode-linux iproute2 kmod gcc")
    assert done.stderr.count("\n") == 1


def test_no_command_is_bad_usage() -> None:
    done = vcan()
    assert done.returncode == 2
    assert "no command" in done.stderr
