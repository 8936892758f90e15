"""Line and branch coverage of the kernel's C by tests that see its public headers only.

    python tools/kernel_coverage.py [--json FILE] [--missed]

Builds csrc/ with gcov's counters into a temporary folder, runs the battery of kernel_variant.py on it and
counts. Branches are gcov's: both ways of every condition, each operand of && and || by itself. Fails below
100 % of lines or 95 % of branches. A line that no input of the public headers can reach is listed in
UNREACHABLE with the reason, and then not counted; its branches are."""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from kernel_variant import BATTERY, GOLDEN, ROOT, Workshop

__all__ = ["LEAST_BRANCHES", "UNREACHABLE", "Coverage", "main"]

LEAST_LINES = 100.0
LEAST_BRANCHES = 95.0
UNREACHABLE: dict[tuple[str, str], str] = {}
"""(file, text of the line) -> why no input reaches it."""


@dataclass
class Coverage:
    """What ran of one file: line -> times, and line -> times that each way of its branches was taken."""

    lines: dict[int, int] = field(default_factory=dict)
    branches: dict[int, list[int]] = field(default_factory=dict)

    def add(self, line: dict[str, Any]) -> None:
        """Take one line of gcov's JSON; a header's function is seen once for each file that includes it."""
        number = int(line["line_number"])
        self.lines[number] = self.lines.get(number, 0) + int(line["count"])
        taken = [int(branch["count"]) for branch in line["branches"]]
        if taken:
            before = self.branches.get(number, [0] * len(taken))
            self.branches[number] = [a + b for a, b in zip(before, taken, strict=True)]


def run_battery(workshop: Workshop) -> None:
    """Run the tests on the instrumented kernel; end here where they fail."""
    extension = workshop.folder / "_kernel.so"
    workshop.link(workshop.objects(), extension)
    variant = str(Path(__file__).with_name("kernel_variant.py"))
    command = [sys.executable, variant, str(extension), *BATTERY, GOLDEN]
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "OPENBLAS_NUM_THREADS": "1"}
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise SystemExit(
            f"the tests fail on the instrumented kernel:\n{done.stdout[-4000:]}{done.stderr[-2000:]}"
        )


def measure(workshop: Workshop) -> dict[str, Coverage]:
    """Return what gcov counted, by file name."""
    found: dict[str, Coverage] = {}
    for source in workshop.sources:
        command = ["gcov", "--json-format", "--branch-probabilities", "--stdout", f"{source.stem}.gcda"]
        said = subprocess.run(command, cwd=workshop.folder, capture_output=True, text=True, check=True)
        for entry in json.loads(said.stdout)["files"]:
            path = Path(entry["file"])
            if path.parent.name == "csrc":
                for line in entry["lines"]:
                    found.setdefault(path.name, Coverage()).add(line)
    return found


def excused(name: str, found: Coverage) -> tuple[set[int], set[tuple[str, str]]]:
    """Return the numbers of a file's lines that are listed as unreachable, and the entries that apply."""
    text = (ROOT / "csrc" / name).read_text(encoding="utf-8").splitlines()
    numbers, used = set(), set()
    for number in {*found.lines}:
        key = (name, text[number - 1].strip())
        if key in UNREACHABLE and found.lines[number] == 0:
            numbers.add(number)
            used.add(key)
    return numbers, used


def share(taken: int, total: int) -> float:
    """Return a percentage; all of nothing is 100."""
    return 100.0 * taken / total if total else 100.0


def rows(found: dict[str, Coverage]) -> tuple[list[dict[str, Any]], set[tuple[str, str]]]:
    """Return one row of figures for each file, and the entries of UNREACHABLE that were needed."""
    table, needed = [], set()
    for name, coverage in sorted(found.items()):
        listed, used = excused(name, coverage)
        needed |= used
        lines = {n: c for n, c in coverage.lines.items() if n not in listed or c > 0}
        ways = [way for taken in coverage.branches.values() for way in taken]
        table.append(
            {
                "file": name,
                "lines": len(lines),
                "lines_run": sum(count > 0 for count in lines.values()),
                "branches": len(ways),
                "branches_taken": sum(way > 0 for way in ways),
                "missed_lines": sorted(n for n, c in lines.items() if c == 0),
                "missed_branches": sorted(n for n, taken in coverage.branches.items() if 0 in taken),
                "listed": sorted(listed),
            }
        )
    return table, needed


def total_of(table: list[dict[str, Any]]) -> dict[str, Any]:
    """Return the row of all files together."""
    names = ("lines", "lines_run", "branches", "branches_taken")
    return {"file": "all", **{name: sum(row[name] for row in table) for name in names}}


def show(table: list[dict[str, Any]], total: dict[str, Any], missed: bool) -> None:
    """Print the table, and with `missed` where something never ran."""
    print(f"{'file':16} {'lines':>12} {'branches':>14}")
    for row in (*table, total):
        lines = share(row["lines_run"], row["lines"])
        branches = share(row["branches_taken"], row["branches"])
        print(f"{row['file']:16} {lines:6.1f} % {row['lines']:4} {branches:6.1f} % {row['branches']:4}")
    for row in table if missed else ():
        for number in sorted({*row["missed_lines"], *row["missed_branches"]}):
            note = (
                "listed"
                if number in row["listed"]
                else ("line" if number in row["missed_lines"] else "branch")
            )
            text = (ROOT / "csrc" / row["file"]).read_text(encoding="utf-8").splitlines()[number - 1]
            print(f"csrc/{row['file']}:{number}: {note}: {text.strip()}")


def main() -> int:
    """Measure, print, judge; 0 when the kernel is covered as it has to be."""
    parser = argparse.ArgumentParser(description="Coverage of the kernel's C by its header-only tests.")
    parser.add_argument("--json", type=Path, help="write the figures here")
    parser.add_argument("--missed", action="store_true", help="list what never ran")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="kernel-coverage-") as folder:
        workshop = Workshop(Path(folder), ("-O0", "--coverage"))
        run_battery(workshop)
        table, needed = rows(measure(workshop))
    total = total_of(table)
    lines = share(total["lines_run"], total["lines"])
    branches = share(total["branches_taken"], total["branches"])
    failed = lines < LEAST_LINES or branches < LEAST_BRANCHES
    show(table, total, arguments.missed or failed)
    if arguments.json:
        arguments.json.write_text(
            json.dumps({"files": table, "total": total}, indent=1) + "\n", encoding="utf-8"
        )
    stale = sorted(set(UNREACHABLE) - needed)
    for name, text in stale:
        print(f"{name}: listed as unreachable, but gone or reached: {text}")
    print(f"{len(needed)} lines listed as unreachable, each with its reason, in tools/kernel_coverage.py")
    if failed:
        print(f"wanted: {LEAST_LINES:g} % of lines, {LEAST_BRANCHES:g} % of branches")
    return 1 if failed or stale else 0


if __name__ == "__main__":
    sys.exit(main())
