"""The walls of the house hold: a violation planted in a copy of the tree fails the check and is named."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
COPIED = ("hil", "csrc", "firmware_stubs", "tools", "pyproject.toml", ".clang-format")
LEFT_OUT = shutil.ignore_patterns("__pycache__", "*.so", "*.o", "build")


@dataclass(frozen=True)
class Plant:
    """A violation: what is written where, which check has to see it, and what it must say."""

    check: str
    path: str
    text: str
    says: str


LONG_C = (
    '#include "fk.h"\ndouble fk_planted(double x);\ndouble fk_planted(double x)\n{\n'
    + "    x += 1.0;\n" * 60
    + "    return x;\n}\n"
)
LONG_PYTHON = "def planted(x: int) -> int:\n" + "    x += 1\n" * 60 + "    return x\n"
BRANCHED = "def planted(x: int) -> int:\n" + "".join(
    f"    if x == {n}:\n        return {n}\n" for n in range(16)
)

VIOLATIONS = {
    "wire imports the plant": Plant(
        "imports", "hil/wire/planted.py", "from hil.plant import {model}\n", "hil.wire.planted -> hil.plant"
    ),
    "boards import the plant": Plant(
        "imports", "hil/boards/planted.py", "import hil.plant.{model}\n", "hil.boards.planted -> hil.plant"
    ),
    "kernel imports the plant": Plant(
        "imports",
        "hil/kernel/planted.py",
        "def f() -> object:\n    import hil.plant.{model}\n\n    return hil.plant.{model}\n",
        "hil.kernel.planted -> hil.plant",
    ),
    "executive imports a station": Plant(
        "imports",
        "hil/executive/planted.py",
        "import hil.plant.vehicle\n",
        "hil.executive.planted -> hil.plant",
    ),
    "report imports the rig": Plant(
        "imports", "hil/report/planted.py", "import hil.rig.model\n", "hil.report.planted -> hil.rig"
    ),
    "numba outside the plant": Plant(
        "imports", "hil/rig/planted.py", "import numba\n", "hil.rig.planted -> numba"
    ),
    "cffi outside the kernel": Plant(
        "imports", "hil/rig/planted.py", "import cffi\n", "hil.rig.planted -> cffi"
    ),
    "python-can outside the wire": Plant(
        "imports", "hil/rig/planted.py", "import can\n", "hil.rig.planted -> can"
    ),
    "pyserial outside the wire": Plant(
        "imports", "hil/boards/planted.py", "import serial\n", "hil.boards.planted -> serial"
    ),
    "plotting outside the report": Plant(
        "imports", "hil/verdict/planted.py", "import plotly\n", "hil.verdict.planted -> plotly"
    ),
    "wire reads the truth record": Plant(
        "truth",
        "hil/wire/planted.py",
        'def f(frame: dict[str, int]) -> int:\n    return frame["truth"]\n',
        "hil/wire/planted.py:2: uses the record 'truth'",
    ),
    "board imports the plant by name": Plant(
        "truth",
        "hil/boards/planted.py",
        'import importlib\n\nmodel = importlib.import_module("hil.plant.{model}")\n',
        "hil/boards/planted.py:3: uses the module 'hil.plant.",
    ),
    "print outside the command line": Plant("lint", "hil/tape/planted.py", 'print("x")\n', "T201"),
    "part includes a part": Plant(
        "c", "csrc/fk_planted.c", '#include "fk_guidance.h"\n', 'fk_planted.c:1: includes "fk_guidance.h"'
    ),
    "part calls a part": Plant(
        "c",
        "csrc/fk_planted.c",
        '#include "fk_parts.h"\nvoid fk_planted_go(fk_nav_t *n);\n'
        "void fk_planted_go(fk_nav_t *n)\n{\n    fk_nav_init(n);\n}\n",
        "fk_planted_go calls fk_nav_init of fk_nav.c",
    ),
    "kernel includes the system": Plant(
        "c", "csrc/fk_planted.c", "#include <stdio.h>\n", "fk_planted.c:1: includes <stdio.h>"
    ),
    "heap in the kernel": Plant(
        "c",
        "csrc/fk_planted.c",
        "void *fk_planted(void);\nvoid *fk_planted(void)\n{\n    return malloc(8);\n}\n",
        "fk_planted.c:4: malloc",
    ),
    "clock in the firmware": Plant(
        "c",
        "firmware_stubs/engine_valve/planted.c",
        "long f(void)\n{\n    return time(0);\n}\n",
        "planted.c:3: time",
    ),
    "a function that differs between C libraries": Plant(
        "c",
        "firmware_stubs/engine_valve/planted.c",
        "double f(double x)\n{\n    return fmin(x, 0.0);\n}\n",
        "planted.c:3: fmin: differs",
    ),
    "mutable global in the firmware": Plant(
        "c",
        "firmware_stubs/engine_valve/planted.c",
        "static const int fine = 1;\nstatic int counter = 0;\n",
        "planted.c:2: mutable global 'counter'",
    ),
    "static variable in a function": Plant(
        "c",
        "csrc/fk_planted.c",
        "int fk_planted(void)\n{\n    static int calls = 0;\n    return ++calls;\n}\n",
        "fk_planted.c:3: static variable",
    ),
    "recursion": Plant(
        "c",
        "csrc/fk_planted.c",
        "int fk_a(int n)\n{\n    return fk_b(n);\n}\nint fk_b(int n)\n{\n    return fk_a(n - 1);\n}\n",
        "recursion: fk_a -> fk_b -> fk_a",
    ),
    "recursion of static functions": Plant(
        "c",
        "csrc/fk_planted.c",
        "static int go(int n);\nstatic int go(int n)\n{\n    return n > 0 ? go(n - 1) : 0;\n}\n",
        "recursion: fk_planted:go -> fk_planted:go",
    ),
    "endless loop": Plant(
        "c",
        "csrc/fk_planted.c",
        "void fk_a(void)\n{\n    for (;;) {\n    }\n}\n",
        "fk_planted.c:3: endless loop",
    ),
    "C warning": Plant(
        "compile",
        "csrc/fk_planted.c",
        "float fk_a(double x);\nfloat fk_a(double x)\n{\n    return x;\n}\n",
        "-Werror=float-conversion",
    ),
    "long C function": Plant("size", "csrc/fk_planted.c", LONG_C, "fk_planted: 64 lines"),
    "long Python function": Plant("size", "hil/tape/planted.py", LONG_PYTHON, "planted: 62 lines"),
    "branched Python function": Plant("size", "hil/tape/planted.py", BRANCHED, "complexity 17"),
    "untidy C": Plant("c-format", "csrc/fk_planted.c", "int   fk_planted ;\n", "fk_planted.c"),
}


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A copy of what the checks look at."""
    copy = tmp_path_factory.mktemp("tree")
    for name in COPIED:
        source = ROOT / name
        if source.is_dir():
            shutil.copytree(source, copy / name, ignore=LEFT_OUT)
        else:
            shutil.copy(source, copy / name)
    yield copy
    shutil.rmtree(copy)


def run_check(tree: Path, *names: str) -> subprocess.CompletedProcess[str]:
    """Run the very script that `make check` runs, in the copy."""
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    return subprocess.run(
        [sys.executable, "tools/check.py", *names],
        cwd=tree,
        env={**os.environ, "PATH": path, "PYTHONDONTWRITEBYTECODE": "1"},
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )


def a_module_of_the_plant() -> str:
    """Name a module that holds truth, whatever it is called."""
    found = sorted(p.stem for p in (ROOT / "hil/plant").glob("*.py") if p.stem not in {"__init__", "vehicle"})
    assert found, "the plant has no module besides the vehicle file"
    return found[0]


@pytest.mark.xdist_group("walls")
@pytest.mark.parametrize("name", VIOLATIONS)
def test_planted_violation_fails_the_check(tree: Path, name: str) -> None:
    violation = VIOLATIONS[name]
    planted = tree / violation.path
    text = violation.text
    planted.write_text(text.replace("{model}", a_module_of_the_plant()) if "{model}" in text else text)
    try:
        done = run_check(tree, violation.check)
    finally:
        planted.unlink()
    assert done.returncode == 1, done.stdout + done.stderr
    assert violation.says in done.stdout


@pytest.mark.xdist_group("walls")
def test_the_same_checks_pass_without_it(tree: Path) -> None:
    done = run_check(tree, "imports", "truth", "c", "compile", "size")
    assert done.returncode == 0, done.stdout + done.stderr


def test_a_check_that_does_not_exist_is_bad_usage() -> None:
    done = run_check(ROOT, "nonsense")
    assert done.returncode == 2
    assert "nonsense" in done.stderr


def test_a_missing_tool_is_named_with_the_way_to_get_it(tree: Path, tmp_path: Path) -> None:
    """Without cppcheck the line says how to come by it; where CI is set that fails."""
    environment = {"PATH": str(tmp_path), "HOME": str(tmp_path)}
    for ci, status in (("", 0), ("true", 1)):
        done = subprocess.run(
            [sys.executable, "tools/check.py", "cppcheck"],
            cwd=tree,
            env={**environment, "CI": ci},
            capture_output=True,
            text=True,
            check=False,
        )
        assert "missing" in done.stdout
        assert "apt-get install cppcheck" in done.stdout
        assert done.returncode == status
