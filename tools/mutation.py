"""Mutation score of the kernel's C under its header-only tests.

    python tools/mutation.py [--sample 500] [--seed 0] [--jobs 2] [--files fk_nav.c] [--survivors] [--quick]

Each mutant (c_mutants.py) is compiled with -O1 and checked indices, and linked with the other objects as
they are; in a child process the battery of kernel_variant.py runs on it and stops at the first failure.
Only what passes all of that is given to the golden digests. So there are two scores: killed by what the
kernel has to do, and killed at all. `--quick` asks for the second one only: the digests, which notice most
within a flight or two, are then run first.

A mutant counts as equivalent, and is left out of both, where the compiler makes the same object of it, or
where mutants_equivalent.toml says why nothing in the public headers can show it. One that does not compile
is none. A mutant that runs away is ended by a limit of processor time; that, and a crash, is a kill. The
same seed draws the same sample, whatever the number of jobs."""

from __future__ import annotations

import argparse
import functools
import importlib
import importlib.util
import json
import multiprocessing
import os
import random
import resource
import sys
import tempfile
import time
import tomllib
import types
from collections import Counter
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import pytest
from c_mutants import Mutant, mutants
from kernel_variant import BATTERY, GOLDEN, NAME, ROOT, Workshop, run_pytest

__all__ = ["Verdict", "main"]

EQUIVALENT = Path(__file__).with_name("mutants_equivalent.toml")
LEFT_OUT = (
    "tests/oracle/test_descent.py::test_random_boosters_agree_with_clarabel",
    "tests/oracle/test_descent.py::test_free_final_time_beats_every_time_of_a_grid",
    "tests/oracle/test_descent.py::test_free_final_time_where_nothing_reaches_the_pad",
    "tests/kernel/test_descent.py::test_hostile_problems_end",
    "tests/kernel/test_descent.py::test_hostile_switches_and_drag_end",
    "tests/kernel/test_descent.py::test_thrust_keeps_to_the_bounds_on_either_side_of_the_switch[problem1-foh]",
    "tests/kernel/test_descent.py::test_thrust_keeps_to_the_bounds_on_either_side_of_the_switch[problem1-zoh]",
    "tests/kernel/test_hostile_input.py",
)
"""Tests that are not run on mutants: they spend their time in another solver, or on many frames or solves."""
OPTIMISER = {"fk_problem.c", "fk_cone.c", "fk_ldl.c", "fk_socp.c", "fk_descent.c"}
"""Files for which tests of descents come first."""
CPU_S = 60
"""Of one mutant: several times what all tests take."""
FLAGS = ("-O1", "-fsanitize=bounds-strict", "-fsanitize-undefined-trap-on-error")
"""An index beyond its array ends a mutant, as it would end the kernel under the sanitizers."""
PASSED, FAILED, CHANGED, BROKEN = 0, 1, 64, 65

KINDS = ("properties", "golden", "crash", "survived", "same object", "equivalent", "no compile")
KILLED = ("properties", "crash", "golden")


@dataclass(frozen=True, slots=True)
class Verdict:
    """What became of a mutant: one of KINDS."""

    mutant: Mutant
    kind: str


class StandIn(types.ModuleType):
    """`hil.kernel._kernel` before it is known which: what tests import of it looks for it when used."""

    chosen: types.ModuleType | None = None

    def __getattr__(self, name: str) -> Any:
        """Return a part of the chosen module, or something that will find it later."""
        return Later(self, name) if self.chosen is None else getattr(self.chosen, name)

    def choose(self, extension: Path) -> None:
        """Load an extension module and be it from now on."""
        spec = importlib.util.spec_from_file_location(NAME, extension)
        assert spec is not None
        assert spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        self.chosen = module


class Later:
    """A part of the module that is not chosen yet."""

    def __init__(self, module: StandIn, part: str) -> None:
        self._module, self._part = module, part

    def __getattr__(self, name: str) -> Any:
        """Return what the chosen module's part has."""
        return getattr(getattr(self._module, self._part), name)


class Bench:
    """The unchanged objects, the tests as collected, and the way to try a mutant against them."""

    def __init__(self, folder: Path, quick: bool) -> None:
        self.quick = quick
        self.workshop = Workshop(folder, FLAGS)
        self.objects = self.workshop.objects()
        self.sources = {source.name: source for source in self.workshop.sources}
        self.known = known_equivalents()
        self.module = StandIn(NAME)

    def try_tests(self, session: pytest.Session, extension: Path, file: str) -> int:
        """Run the tests in a child; return PASSED, FAILED, CHANGED (golden ones only), or what ended it."""
        child = os.fork()
        if child == 0:
            status = BROKEN
            try:
                resource.setrlimit(resource.RLIMIT_CPU, (CPU_S, CPU_S))
                resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
                nowhere = os.open(os.devnull, os.O_WRONLY)
                os.dup2(nowhere, 1)
                os.dup2(nowhere, 2)
                self.module.choose(extension)
                status = run_items(session, ordered(session.items, file, self.quick))
            finally:
                os._exit(status)
        _, ended = os.waitpid(child, 0)
        return os.waitstatus_to_exitcode(ended)

    def judge(self, session: pytest.Session, mutant: Mutant) -> Verdict:
        """Compile, link and try one mutant."""
        if (mutant.file, mutant.before, mutant.after) in self.known:
            return Verdict(mutant, "equivalent")
        with tempfile.TemporaryDirectory(dir=self.workshop.folder) as name:
            source, made = Path(name, mutant.file), Path(name, "mutant.o")
            text = self.sources[mutant.file].read_text(encoding="utf-8")
            source.write_text(mutant.apply(text), encoding="utf-8")
            if not self.workshop.compile(source, made):
                return Verdict(mutant, "no compile")
            if made.read_bytes() == self.objects[mutant.file].read_bytes():
                return Verdict(mutant, "same object")
            extension = Path(name, "_kernel.so")
            self.workshop.link({**self.objects, mutant.file: made}, extension)
            status = self.try_tests(session, extension, mutant.file)
        return Verdict(
            mutant, {PASSED: "survived", FAILED: "properties", CHANGED: "golden"}.get(status, "crash")
        )


def ordered(items: list[pytest.Item], file: str, quick: bool) -> list[pytest.Item]:
    """Return the tests, those first that are about a file, and the golden ones last, or before all others."""
    of_descents = file in OPTIMISER
    about, pinned = ("descent", "solves-") if of_descents else ("kernel/test_laws", "flights-")
    return sorted(
        items,
        key=lambda item: (
            (GOLDEN in item.nodeid) != quick,
            about not in item.nodeid and pinned not in item.nodeid,
        ),
    )


def run_items(session: pytest.Session, items: list[pytest.Item]) -> int:
    """Run tests up to the first that fails."""
    for item, following in zip(items, [*items[1:], None], strict=True):
        item.config.hook.pytest_runtest_protocol(item=item, nextitem=following)
        if session.testsfailed:
            return CHANGED if GOLDEN in item.nodeid else FAILED
    return PASSED


class Plugin:
    """Takes the place of pytest's loop over the tests: once they are collected, every mutant runs them."""

    def __init__(self, bench: Bench, chosen: list[Mutant], jobs: int) -> None:
        self.bench, self.chosen, self.jobs = bench, chosen, jobs
        self.verdicts: list[Verdict] = []
        self.broken = False

    def pytest_runtestloop(self, session: pytest.Session) -> bool:
        """Try the kernel as it is, then all mutants, several at a time; tell how far it is."""
        extension = self.bench.workshop.folder / "_kernel.so"
        self.bench.workshop.link(self.bench.objects, extension)
        if self.bench.try_tests(session, extension, "") != PASSED:
            self.broken = True
            return True
        began = time.monotonic()
        global judge  # what a worker runs has to have a name
        judge = functools.partial(self.bench.judge, session)
        with multiprocessing.get_context("fork").Pool(self.jobs) as pool:
            for done, verdict in enumerate(pool.imap_unordered(call_judge, self.chosen), start=1):
                self.verdicts.append(verdict)
                if done % 50 == 0:
                    spent = time.monotonic() - began
                    print(f"{done} of {len(self.chosen)} mutants, {spent:.0f} s", file=sys.stderr, flush=True)
        return True


judge: Callable[[Mutant], Verdict]


def call_judge(mutant: Mutant) -> Verdict:
    """Judge a mutant in a worker, which was forked with everything in place."""
    return judge(mutant)


def judge_all(bench: Bench, chosen: list[Mutant], jobs: int) -> list[Verdict]:
    """Collect the tests and try all mutants on them."""
    sys.modules[NAME] = bench.module
    importlib.import_module("hil.kernel").__dict__["_kernel"] = bench.module
    left_out = [f"--deselect={name}" for name in LEFT_OUT]
    plugin = Plugin(bench, chosen, jobs)
    files = [name for name in BATTERY if name not in LEFT_OUT]
    status = run_pytest(["-s", *left_out, *files, GOLDEN], [plugin])
    if status != PASSED or plugin.broken:
        raise SystemExit("the tests fail on the kernel as it is: make test ARGS=tests/kernel")
    return sorted(plugin.verdicts, key=lambda verdict: verdict.mutant)


def known_equivalents() -> set[tuple[str, str, str]]:
    """Return (file, line as it is, line as changed) of the mutants that are listed with a reason."""
    entries = tomllib.loads(EQUIVALENT.read_text(encoding="utf-8")).get("mutant", [])
    return {(entry["file"], entry["before"], entry["after"]) for entry in entries if entry["reason"]}


def all_mutants(names: list[str]) -> list[Mutant]:
    """Return every mutant of the kernel, or of the files named."""
    paths = sorted((ROOT / "csrc").glob("*.c"))
    unknown = set(names) - {path.name for path in paths}
    if unknown:
        raise SystemExit(f"csrc/{sorted(unknown)[0]}: no such file")
    chosen = [path for path in paths if not names or path.name in names]
    return [m for path in chosen for m in mutants(path.name, path.read_text(encoding="utf-8"))]


def scores(count: Counter[str]) -> tuple[float, float]:
    """Return the percentage killed by properties and crashes, and killed at all."""
    total = sum(count[kind] for kind in (*KILLED, "survived"))
    if total == 0:
        return 100.0, 100.0
    return (
        100.0 * (count["properties"] + count["crash"]) / total,
        100.0 * sum(count[kind] for kind in KILLED) / total,
    )


def report(verdicts: list[Verdict], quick: bool) -> dict[str, Any]:
    """Return the figures, by file and in all; a quick look has no score of the properties alone."""
    files: dict[str, Counter[str]] = {}
    for verdict in verdicts:
        files.setdefault(verdict.mutant.file, Counter())[verdict.kind] += 1
    rows = []
    for name, count in (*sorted(files.items()), ("all", sum(files.values(), Counter()))):
        without, with_golden = scores(count)
        row = {"file": name, **{kind: count[kind] for kind in KINDS}}
        alone = None if quick else round(without, 1)
        rows.append({**row, "score_properties": alone, "score": round(with_golden, 1)})
    alive = [asdict(v.mutant) for v in verdicts if v.kind == "survived"]
    return {"files": rows, "survivors": alive}


def show(figures: dict[str, Any], survivors: bool) -> None:
    """Print the table, and with `survivors` each mutant that nothing noticed."""
    print(f"\n{'file':15} {'mutants':>7} {'properties':>11} {'all tests':>10} {'survived':>9} {'equal':>6}")
    for row in figures["files"]:
        tried = sum(row[kind] for kind in (*KILLED, "survived"))
        alone = "-" if row["score_properties"] is None else f"{row['score_properties']:.1f} %"
        print(
            f"{row['file']:15} {tried:7} {alone:>11} {row['score']:8.1f} % "
            f"{row['survived']:9} {row['same object'] + row['equivalent']:6}"
        )
    for m in figures["survivors"] if survivors else ():
        print(f"csrc/{m['file']}:{m['line']}: {m['operator']}: {m['before']}  ->  {m['after']}")


def main() -> int:
    """Draw, try, print; 0 when the score is what it has to be."""
    parser = argparse.ArgumentParser(description="Mutation score of the kernel's C.")
    parser.add_argument("--sample", type=int, help="so many mutants, drawn at random (default: all)")
    parser.add_argument("--seed", type=int, default=0, help="of the draw")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1, help="mutants at a time")
    parser.add_argument("--files", nargs="*", default=[], help="of these files of csrc/ only")
    parser.add_argument("--json", type=Path, help="write figures and survivors here")
    parser.add_argument("--least", type=float, default=0.0, help="fail below this score, percent")
    parser.add_argument("--quick", action="store_true", help="golden digests first, one score only")
    parser.add_argument("--survivors", action="store_true", help="list the mutants that nothing noticed")
    arguments = parser.parse_args()
    os.environ.update(PYTHONPATH=str(ROOT), OPENBLAS_NUM_THREADS="1")
    os.chdir(ROOT)
    sys.path.insert(0, str(ROOT))
    chosen = all_mutants(arguments.files)
    if arguments.sample is not None and arguments.sample < len(chosen):
        random.Random(arguments.seed).shuffle(chosen)  # a larger sample holds the smaller one
        chosen = chosen[: arguments.sample]
    with tempfile.TemporaryDirectory(prefix="kernel-mutants-") as folder:
        figures = report(
            judge_all(Bench(Path(folder), arguments.quick), chosen, arguments.jobs), arguments.quick
        )
    show(figures, arguments.survivors)
    if arguments.json:
        arguments.json.write_text(json.dumps(figures, indent=1) + "\n", encoding="utf-8")
    reached = figures["files"][-1]["score"]
    if reached < arguments.least:
        print(f"wanted: {arguments.least:g} % killed")
    return 1 if reached < arguments.least else 0


if __name__ == "__main__":
    sys.exit(main())
