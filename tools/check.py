"""Every check of `make check`, one line each.

    python tools/check.py             run them all
    python tools/check.py types c     run these only
    python tools/check.py --fix       format Python and C in place instead

A tool that the machine lacks is named with the way to get it; that fails the check only where `CI` is set.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

from check_c import CROSS, sources

__all__ = ["CHECKS", "Check", "main"]

ROOT = Path(__file__).resolve().parent.parent
PYTHON_ROOMS = ("hil", "tools", "tests", "benchmarks", "setup.py")
MOST_LINES = 80
"""What one check may say on the terminal."""


@dataclass(frozen=True, slots=True)
class Check:
    """One check: `tool` is the program it needs, `get` how to come by it."""

    name: str
    text: str
    tool: str
    get: str
    command: Callable[[], list[str]]


def _present(rooms: Iterable[str]) -> list[str]:
    return [room for room in rooms if (ROOT / room).exists()]


def c_files(pattern: str = "*.[ch]") -> list[str]:
    """Return the C files that people write, relative to the root."""
    return [str(path.relative_to(ROOT)) for path in sources(pattern)]


def _tool(name: str) -> str | None:
    """Return where a program is: beside this Python first, then on the path."""
    beside = Path(sys.executable).parent / name
    return str(beside) if beside.exists() else shutil.which(name)


def _run_tool(name: str, *arguments: str) -> list[str]:
    return [_tool(name) or name, *arguments]


def _cppcheck() -> list[str]:
    options = "--enable=warning,style,performance,portability --inline-suppr --error-exitcode=1 --std=c11 -q"
    quiet = (
        "missingIncludeSystem",
        "unusedStructMember",
        "unmatchedSuppression",
        "normalCheckLevelMaxBranches",
    )
    includes = sorted({f"-I{Path(name).parent}" for name in c_files("*.h")})
    suppressed = [f"--suppress={name}" for name in quiet]
    return _run_tool("cppcheck", *options.split(), *suppressed, *includes, *c_files("*.c"))


def _clang_tidy() -> list[str]:
    """Return the command for what flies; the fuzz targets compare bits and call the system on purpose."""
    folders = {Path(name).parent for name in c_files("*.h")} | {Path("firmware_stubs/common/generated")}
    includes = sorted(f"-I{folder}" for folder in folders)
    flown = [name for name in c_files("*.c") if not name.startswith(("tests/", CROSS))]
    return _run_tool("clang-tidy", "--quiet", *flown, "--", "-std=c11", *includes)


def _own(script: str, *arguments: str) -> list[str]:
    return [sys.executable, str(Path(__file__).resolve().parent / script), *arguments]


DEV = "make check installs it; or: pip install --editable '.[dev]'"
CHECKS = (
    Check(
        "lint",
        "ruff check",
        "ruff",
        DEV,
        lambda: _run_tool("ruff", "check", "--quiet", "--output-format=concise", "."),
    ),
    Check(
        "format", "ruff format", "ruff", DEV, lambda: _run_tool("ruff", "format", "--check", "--quiet", ".")
    ),
    Check(
        "types",
        "mypy --strict",
        "mypy",
        DEV,
        lambda: _run_tool("mypy", *_present(("hil", "tools", "benchmarks"))),
    ),
    Check("imports", "import-linter", "lint-imports", DEV, lambda: _run_tool("lint-imports", "--no-cache")),
    Check("truth", "no truth on the boards' side", "python3", "", lambda: _own("check_truth.py")),
    Check("c", "C rules", "python3", "", lambda: _own("check_c.py")),
    Check("compile", "C warnings", "gcc", "apt-get install gcc", lambda: _own("check_c.py", "--compile")),
    Check(
        "cross",
        "C warnings for the Cortex-M7",
        "arm-none-eabi-gcc",
        "apt-get install gcc-arm-none-eabi libnewlib-arm-none-eabi",
        lambda: _own("check_c.py", "--cross"),
    ),
    Check("stack", "stack of fk_step", "gcc", "apt-get install gcc", lambda: _own("check_stack.py")),
    Check("bus", "engines 2 to 40 as engine 1", "python3", "", lambda: _own("bus_dbc.py", "--check")),
    Check("bus-c", "generated C in step with the DBC", "python3", "", lambda: _own("bus_c.py", "--check")),
    Check(
        "bus-doc", "docs/WIRE.md in step with the DBC", "python3", "", lambda: _own("wire_doc.py", "--check")
    ),
    Check(
        "req-doc",
        "every requirement has a test",
        "python3",
        "",
        lambda: _own("requirements_doc.py", "--check"),
    ),
    Check(
        "fault-doc",
        "docs/FAULTS.md in step with the catalogue",
        "python3",
        "",
        lambda: _own("faults_doc.py", "--check"),
    ),
    Check(
        "plant-doc",
        "the README's check cases in step",
        "python3",
        "",
        lambda: _own("plant_check_doc.py", "--check"),
    ),
    Check(
        "loop-doc",
        "docs/KERNEL.md's margins in step",
        "python3",
        "",
        lambda: _own("loop_margins.py", "--check"),
    ),
    Check(
        "prior-doc",
        "docs/PRIORS.md in step with what is drawn",
        "python3",
        "",
        lambda: _own("priors_doc.py", "--check"),
    ),
    Check(
        "scorecard",
        "docs/SCORECARD.md of this kernel",
        "python3",
        "",
        lambda: _own("scorecard_doc.py", "--check"),
    ),
    Check(
        "c-format",
        "clang-format",
        "clang-format",
        DEV,
        lambda: _run_tool("clang-format", "--dry-run", "-Werror", *c_files()),
    ),
    Check("cppcheck", "cppcheck", "cppcheck", "apt-get install cppcheck", _cppcheck),
    Check("tidy", "clang-tidy", "clang-tidy", "apt-get install clang-tidy", _clang_tidy),
    Check("size", "function size", "lizard", DEV, lambda: _own("check_size.py")),
)


def _environment() -> dict[str, str]:
    """Let the tools import this checkout before any other that may be installed."""
    return {**os.environ, "PYTHONPATH": str(ROOT), "NO_COLOR": "1"}


def _run(check: Check) -> bool:
    """Run one check, print its line, and on failure what it said; return True when it holds."""
    label = f"{check.name:9} {check.text}"
    if _tool(check.tool) is None:
        print(f"missing  {label}: {check.tool} is not on this machine: {check.get}")
        return not os.environ.get("CI")
    begin = time.monotonic()
    done = subprocess.run(
        check.command(), cwd=ROOT, env=_environment(), capture_output=True, text=True, check=False
    )
    print(
        f"{'ok' if done.returncode == 0 else 'FAILED':8} {label} ({time.monotonic() - begin:.1f} s)",
        flush=True,
    )
    if done.returncode != 0:
        _print_some((done.stdout + done.stderr).splitlines())
    return done.returncode == 0


def _print_some(lines: list[str]) -> None:
    for line in lines[:MOST_LINES]:
        print(f"    {line}")
    if len(lines) > MOST_LINES:
        print(f"    ... and {len(lines) - MOST_LINES} lines more")
    sys.stdout.flush()


def _fix() -> int:
    commands = (
        _run_tool("ruff", "check", "--fix", "--exit-zero", "."),
        _run_tool("ruff", "format", "."),
        _run_tool("clang-format", "-i", *c_files()),
    )
    return max(subprocess.run(command, cwd=ROOT, check=False).returncode for command in commands)


def main() -> int:
    """Run the checks named on the command line, all of them when none is; 0 when all hold."""
    parser = argparse.ArgumentParser(description="Run the project's checks.")
    parser.add_argument("names", nargs="*", help=f"which: {', '.join(c.name for c in CHECKS)}")
    parser.add_argument("--fix", action="store_true", help="format Python and C in place instead")
    arguments = parser.parse_args()
    if arguments.fix:
        return _fix()
    unknown = set(arguments.names) - {check.name for check in CHECKS}
    if unknown:
        parser.error(f"no check is called {sorted(unknown)[0]!r}")
    wanted = [check for check in CHECKS if not arguments.names or check.name in arguments.names]
    failed = [check.name for check in wanted if not _run(check)]
    if failed:
        print(f"failed: {', '.join(failed)}")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
