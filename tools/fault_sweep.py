"""How often single faults lose the stage: every fault of a grid, flown over seeds of the dispersed case.

    python tools/fault_sweep.py GRID [--seeds 4] [--jobs 2] [--each]

A scorecard draws what is likely; a grid asks of one kind at a time, at set moments and sizes, and so shows
a mechanism that single draws leave to chance. `--each` lists the faults that lost any flight."""

from __future__ import annotations

import argparse
import itertools
import multiprocessing
import os
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from hil.faults.case import FaultSpec
from hil.rig.plan import load_plan
from hil.search.flying import Flyer
from hil.search.properties import TOUCHDOWN
from hil.search.wording import fault_words

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


def wrong_turn_rates() -> Iterator[tuple[str, Fault]]:
    """Turn rates that are another number for a while, deg/s."""
    for at, value, lasts in itertools.product((3.0, 8.0, 13.0, 18.0, 23.0), (12.0, -50.0), (0.5, 1.0, 2.5)):
        fault = {"at_s": at, "what": "rate", "axis": "all", "value": value, "heals_after_s": lasts}
        yield f"{at:g} s", {"kind": "nav.wrong", **fault}


def attitudes() -> Iterator[tuple[str, Fault]]:
    """Attitudes with a bias, deg."""
    for at, axis, bias in itertools.product((4.0, 8.0, 12.0, 16.0, 20.0, 24.0), "xy", (-3.0, -2.0, 2.0, 3.0)):
        yield f"{at:g} s", {"kind": "nav.bias", "at_s": at, "what": "attitude", "axis": axis, "bias": bias}


def heights() -> Iterator[tuple[str, Fault]]:
    """Heights with a bias, and climb rates with one."""
    for bias in (-1.5, -0.9, -0.3, 0.3, 0.5, 0.65, 0.8, 2.0):
        yield f"height, {bias:g} m", {"kind": "nav.bias", "at_s": 9.0, "what": "height", "bias": bias}
    for bias in (-0.6, -0.4, 0.4, 0.6):
        fault = {"at_s": 9.0, "what": "velocity", "axis": "up", "bias": bias}
        yield f"climb rate, {bias:g} m/s", {"kind": "nav.bias", **fault}


def old_solutions() -> Iterator[tuple[str, Fault]]:
    """Navigation that comes late, with its true time on it."""
    for at, late in itertools.product((3.0, 10.0, 16.0, 21.0, 25.0), (0.1, 0.15, 0.2, 0.25, 0.3, 0.4, 0.5)):
        yield f"{late:g} s late", {"kind": "nav.stale", "at_s": at, "late_s": late}


GRIDS = {
    grid.__name__: grid
    for grid in (
        *(gimbals_aside, gimbals_misread, turn_rates, wrong_turn_rates),
        *(attitudes, heights, old_solutions),
    )
}
"""Name on the command line -> (group, fault) for each fault."""


def fly(job: tuple[str, Fault, int]) -> tuple[str, str, int]:
    """Return group, fault and how many of the first seeds were lost with it."""
    group, fault, seeds = job
    plan = load_plan(ROOT / "rigs" / "kernel.toml", "dispersed")
    flyer = Flyer(plan)
    faults = (FaultSpec.model_validate(fault),)
    lost = 0
    for seed in range(seeds):
        flown = flyer.fly(plan.case.model_copy(update={"fault": faults, "seed": seed, "run_id": "sweep"}))
        lost += any(name in TOUCHDOWN for name in flown.broken)
    return group, fault_words(faults[0]), lost


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
