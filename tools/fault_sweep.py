"""How often single faults lose the stage: every fault of a grid, flown over seeds of the dispersed case.

    python tools/fault_sweep.py GRID [--seeds 4] [--jobs 2] [--each]

A scorecard draws what is likely; a grid asks of one kind at a time, at set moments and sizes, and so shows
a mechanism that single draws leave to chance. `--each` lists the faults that lost any flight."""

from __future__ import annotations

import argparse
import itertools
import json
import multiprocessing
import os
import tempfile
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from hil.rig.plan import load_plan
from hil.rig.run import run_flight

__all__ = ["GRIDS", "main"]

ROOT = Path(__file__).resolve().parent.parent
Fault = dict[str, Any]


def gimbals_aside() -> Iterator[tuple[str, Fault]]:
    """Thrust that points elsewhere than the gimbal says, early on any engine, later on the one that lands."""
    for engine, at in [
        *itertools.product((2, 3), (0.5, 5.0, 9.0)),
        *((1, at) for at in (0.5, 5.0, 9.0, 14.0)),
    ]:
        for axis, angle in itertools.product("xy", (-6.0, 6.0)):
            fault = {"after_ignition_s": at, "engine": engine, "axis": axis, "angle_deg": angle}
            yield f"engine {engine}, {at:g} s", {"kind": "gimbal.bias", **fault}


def gimbals_misread() -> Iterator[tuple[str, Fault]]:
    """Readings of gimbals that stand still, wherever the gimbal goes on them."""
    for engine, at, axis in itertools.product((1, 2, 3), (0.5, 5.0, 9.0), "xy"):
        fault = {"after_ignition_s": at, "engine": engine, "what": f"gimbal_{axis}", "value": 3.0}
        yield f"engine {engine}", {"kind": "sensor.wrong", **fault}


def turn_rates() -> Iterator[tuple[str, Fault]]:
    """Turn rates with a bias, deg/s."""
    for at, (axis, bias) in itertools.product(
        (3.0, 10.0, 16.0, 21.0, 25.0), (("x", 2.0), ("y", -2.0), ("z", 4.0), ("all", 1.5))
    ):
        yield f"{at:g} s", {"kind": "nav.bias", "at_s": at, "what": "rate", "axis": axis, "bias": bias}


def old_solutions() -> Iterator[tuple[str, Fault]]:
    """Navigation that comes late, with its true time on it."""
    for at, late in itertools.product((3.0, 10.0, 16.0, 21.0, 25.0), (0.1, 0.15, 0.2, 0.25, 0.3, 0.4, 0.5)):
        yield f"{late:g} s late", {"kind": "nav.stale", "at_s": at, "late_s": late}


GRIDS = {grid.__name__: grid for grid in (gimbals_aside, gimbals_misread, turn_rates, old_solutions)}
"""Name on the command line -> (group, fault) for each fault."""


def fly(job: tuple[str, Fault, int]) -> tuple[str, str, int]:
    """Return group, fault and how many of the first seeds were lost with it."""
    group, fault, seeds = job
    lines = "\n".join(f"{key} = {json.dumps(value)}" for key, value in fault.items())
    lost = 0
    with tempfile.TemporaryDirectory() as name:
        case = Path(name, "sweep.toml")
        base = (ROOT / "rigs" / "cases" / "dispersed.toml").read_text(encoding="utf-8")
        case.write_text(f"{base}\n[[fault]]\n{lines}\n", encoding="utf-8")
        plan = load_plan(ROOT / "rigs" / "kernel.toml", str(case))
        for seed in range(seeds):
            folder = Path(name, str(seed))
            folder.mkdir()
            run = run_flight(plan, seed=seed, pace="lockstep", run_dir=folder)
            judged = run.result["requirements"]
            if run.result["verdict"] == "ERROR":
                raise SystemExit(f"{case}: the rig broke: {run.result.get('cause')}")
            lost += any(key.startswith("TD") and verdict == "fail" for key, verdict in judged.items())
    return group, ", ".join(str(value) for value in fault.values()), lost


def main() -> None:
    """Fly a grid and print how many flights each group lost."""
    parser = argparse.ArgumentParser(description="How often single faults lose the stage.")
    parser.add_argument("grid", choices=GRIDS)
    parser.add_argument("--seeds", type=int, default=4, help="of the dispersed case, from 0 on")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1, help="at once")
    parser.add_argument("--each", action="store_true", help="list every fault that lost a flight")
    arguments = parser.parse_args()
    jobs = [(group, fault, arguments.seeds) for group, fault in GRIDS[arguments.grid]()]
    lost, flown = Counter[str](), Counter[str]()
    with multiprocessing.Pool(arguments.jobs) as pool:
        for group, fault, count in pool.imap(fly, jobs):
            lost[group] += count
            flown[group] += arguments.seeds
            if arguments.each and count:
                print(f"{count} of {arguments.seeds} lost: {fault}", flush=True)
    for group in flown:
        print(f"{lost[group]:4} of {flown[group]:4} lost: {group}")
    print(f"{lost.total():4} of {flown.total():4} lost")


if __name__ == "__main__":
    main()
