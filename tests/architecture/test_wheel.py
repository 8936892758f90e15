"""A wheel carries all that a run needs: the extension modules, the C sources, the rigs, the page's style."""

from __future__ import annotations

import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
COPIED = ("hil", "csrc", "firmware_stubs", "rigs", "pyproject.toml", "setup.py", "README.md", "LICENSE")


@pytest.fixture(scope="module")
def names(tmp_path_factory: pytest.TempPathFactory) -> set[str]:
    """Names of the files in a wheel that was built from a copy of the tree."""
    copy = tmp_path_factory.mktemp("source")
    for name in COPIED:
        if (ROOT / name).is_dir():
            shutil.copytree(
                ROOT / name, copy / name, ignore=shutil.ignore_patterns("__pycache__", "*.so", "*.o")
            )
        else:
            shutil.copy(ROOT / name, copy / name)
    command = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--no-build-isolation", "."]
    done = subprocess.run(command, cwd=copy, capture_output=True, text=True, check=False, timeout=300)
    assert done.returncode == 0, done.stdout + done.stderr
    (wheel,) = copy.glob("*.whl")
    with zipfile.ZipFile(wheel) as content:
        return set(content.namelist())


def test_extension_modules_are_built(names: set[str]) -> None:
    built = {name.split(".")[0] for name in names if name.endswith(".so")}
    assert built == {"hil/kernel/_kernel", "hil/boards/_firmware"}


@pytest.mark.parametrize(
    ("room", "pattern"), [("csrc", "*.[ch]"), ("firmware_stubs", "*.*"), ("rigs", "*.*")]
)
def test_every_file_beside_the_package_is_carried(names: set[str], room: str, pattern: str) -> None:
    files = {str(path.relative_to(ROOT)) for path in (ROOT / room).rglob(pattern) if path.is_file()}
    assert files
    assert {f"hil/_native/{name}" for name in files} <= names


def test_what_pages_are_made_of_is_carried(names: set[str]) -> None:
    assert {"hil/report/page.css", "hil/report/page.js"} <= names
