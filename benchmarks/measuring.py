"""What the benchmarks share: one core, the machine's facts, interleaved repetitions, the file of figures."""

from __future__ import annotations

import json
import os
import platform
import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from importlib import metadata
from pathlib import Path
from typing import Any, Final

__all__ = [
    "ROOT",
    "clocked",
    "held_to",
    "hold_to_one_core",
    "interleaved",
    "machine",
    "spread",
    "write_figures",
]

ROOT: Final = Path(__file__).resolve().parent.parent
RESULTS: Final = ROOT / "benchmarks" / "results"

Samples = dict[str, list[float]]


def held_to(cores: int) -> list[str]:
    """Return the words that hold a command to the first `cores` cores of those that we may use."""
    mine = sorted(os.sched_getaffinity(0))[:cores]
    return ["taskset", "-c", ",".join(str(core) for core in mine)]


def hold_to_one_core() -> int:
    """Hold this process and what it starts to one core; return which."""
    core = min(os.sched_getaffinity(0))
    os.sched_setaffinity(0, {core})
    return core


def machine(*distributions: str) -> dict[str, Any]:
    """Return processor, system and versions: ours, those of what we compute with, and of `distributions`."""
    model = next(
        (
            line.split(":")[1].strip()
            for line in Path("/proc/cpuinfo").read_text().splitlines()
            if "model name" in line
        ),
        platform.processor(),
    )
    names = ("lastbrake", "numpy", "numba", "cffi", *distributions)
    return {
        "cpu": model,
        "cores": os.cpu_count(),
        "system": platform.platform(),
        "python": platform.python_version(),
        **{name: metadata.version(name) for name in names},
    }


def interleaved(runs: Mapping[str, Callable[[], float]], repetitions: int) -> Samples:
    """Call every run once in each repetition, in turn; return what they measured.

    So a machine that is slow for a while is slow for all.
    """
    samples: Samples = {name: [] for name in runs}
    for _ in range(repetitions):
        for name, run in runs.items():
            samples[name].append(run())
    return samples


def clocked(work: Callable[[], object]) -> tuple[float, float]:
    """Return how long `work` takes, s: by the wall clock, and of the processor's time.

    The two are alike while nothing else wants the core.
    """
    wall, own = time.perf_counter(), time.process_time()
    work()
    return time.perf_counter() - wall, time.process_time() - own


def spread(samples: Sequence[float]) -> tuple[float, float, float]:
    """Return median, least and most."""
    return statistics.median(samples), min(samples), max(samples)


def write_figures(name: str, record: Mapping[str, Any]) -> Path:
    """Write the figures of a benchmark; return the file, relative to the project."""
    path = RESULTS / f"{name}.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(record, indent=2) + "\n", encoding="utf-8")
    return path.relative_to(ROOT)
