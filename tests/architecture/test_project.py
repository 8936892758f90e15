"""The project file says what the code needs."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
DISTRIBUTIONS = {"can": "python-can", "serial": "pyserial"}
"""Modules that are called otherwise than what is installed for them."""


def imported_modules() -> set[str]:
    """Return the top-level modules that hil imports, wherever in a file; pytest loads its plugin itself."""
    found: set[str] = set()
    for path in (ROOT / "hil").rglob("*.py"):
        if path.name == "pytest_plugin.py":
            continue
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Import):
                found |= {alias.name.split(".")[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
                found.add(node.module.split(".")[0])
    return found - set(sys.stdlib_module_names) - {"hil"}


def test_every_imported_module_is_a_dependency() -> None:
    texts = [*PROJECT["project"]["dependencies"], *PROJECT["project"]["optional-dependencies"]["oracle"]]
    declared = {re.split(r"[<>=\[ ]", text)[0] for text in texts}
    needed = {DISTRIBUTIONS.get(name, name) for name in imported_modules()}
    assert needed <= declared, f"not declared: {sorted(needed - declared)}"


def test_every_room_is_a_package() -> None:
    rooms = {path.parent for path in (ROOT / "hil").rglob("*.py")}
    assert not [str(room) for room in rooms if not (room / "__init__.py").exists()]


def test_every_module_says_what_it_offers() -> None:
    files = [p for p in (ROOT / "hil").rglob("*.py") if len(ast.parse(p.read_text()).body) > 1]
    silent = [str(p.relative_to(ROOT)) for p in files if "__all__" not in p.read_text()]
    assert silent == []


def test_the_changelog_names_the_version() -> None:
    from hil import __version__

    assert f"## [{__version__}]" in (ROOT / "CHANGELOG.md").read_text()


def test_a_machine_that_lacks_something_is_told_how_to_get_it(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-I", str(ROOT / "tools/machine.py")],
        env={"PATH": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert done.stderr.splitlines() == ["missing: a C compiler: apt-get install gcc libc6-dev"]


@pytest.mark.parametrize(("ci", "status"), [("", 3), ("true", 1)])
def test_a_machine_without_emulator_skips_but_never_in_ci(ci: str, status: int, tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-I", str(ROOT / "tools/machine.py"), "--emulated"],
        env={"PATH": str(tmp_path), "CI": ci},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == status
    assert "apt-get install qemu-system-arm" in done.stderr
    assert "apt-get install gcc-arm-none-eabi libnewlib-arm-none-eabi" in done.stderr
