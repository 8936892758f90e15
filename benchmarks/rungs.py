"""Measures how fast each rung flies: frames a second and times real time, with the full tape on.

    python benchmarks/rungs.py [--case nominal] [--flights 5] [--cores 1] [RUNG ...]

Each rung is one `hil run` that flies several seeds in one process, held to the given number of cores. The
table goes to standard output; figures of every flight, the machine and the versions go to
benchmarks/results/rungs.json.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
import time
import tomllib
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final

from measuring import ROOT, held_to, machine, write_figures

from hil.boards.emulated import emulation_lacks

__all__ = ["Rung", "main", "measure"]

RUNGS: Final = ("kernel", "in_process", "virtual", "emulated")


@dataclass(frozen=True, slots=True)
class Rung:
    """What one rung did: medians over the flights, and the wall time of the whole command for each flight."""

    name: str
    verdicts: list[str]
    flights: int
    sim_s: float
    wall_s: float
    frames_per_s: float
    times_real_time: float
    command_s_per_flight: float
    flights_wall_s: list[float]


def measure(name: str, case: str, flights: int, cores: int) -> Rung:
    """Fly `flights` seeds of a case on a rung; raise RuntimeError when the rig breaks."""
    rig = ROOT / "rigs" / f"{name}.toml"
    frame_s = tomllib.loads(rig.read_text(encoding="utf-8"))["timing"]["frame_ms"] * 1e-3
    with tempfile.TemporaryDirectory() as out:
        command = [
            str(Path(sys.executable).with_name("hil")),
            "run",
            str(rig),
            "--case",
            case,
            "--json",
            "--out",
            out,
        ]
        begin = time.perf_counter()
        done = subprocess.run(
            [*held_to(cores), *command, "--seeds", f"0:{flights}"],
            cwd=ROOT,
            capture_output=True,
            text=True,
            check=False,
        )
        whole_s = time.perf_counter() - begin
    if done.returncode not in (0, 1):
        raise RuntimeError(f"{name}: exit status {done.returncode}: {done.stderr.strip()[-300:]}")
    runs = [json.loads(line) for line in done.stdout.splitlines()]
    walls = [float(run["wall_s"]) for run in runs]
    speeds = [run["sim_s"] / run["wall_s"] for run in runs]
    return Rung(
        name=name,
        verdicts=sorted({run["verdict"] for run in runs}),
        flights=len(runs),
        sim_s=statistics.median(run["sim_s"] for run in runs),
        wall_s=statistics.median(walls),
        frames_per_s=statistics.median(speeds) / frame_s,
        times_real_time=statistics.median(speeds),
        command_s_per_flight=whole_s / len(runs),
        flights_wall_s=walls,
    )


def _table(rungs: Sequence[Rung]) -> str:
    titles = ("flights", "flight s", "wall s", "frames/s", "x real time", "s/flight, all in")
    widths = (8, 10, 9, 11, 13, 18)
    head = "rung".ljust(12) + "".join(f"{t:>{w}}" for t, w in zip(titles, widths, strict=True))
    rows = [
        f"{r.name:<12}{r.flights:>8}{r.sim_s:>10.2f}{r.wall_s:>9.3f}{r.frames_per_s:>11.0f}{r.times_real_time:>13.1f}"
        f"{r.command_s_per_flight:>18.2f}"
        for r in rungs
    ]
    return "\n".join([head, *rows])


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, print the table, write the JSON file; 1 when a rung could not be flown."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("rungs", nargs="*", default=list(RUNGS), help=f"default: {' '.join(RUNGS)}")
    parser.add_argument("--case", default="nominal")
    parser.add_argument("--flights", type=int, default=5, help="flights of each rung (default 5)")
    parser.add_argument("--cores", type=int, default=1, help="cores that a rung may use (default 1)")
    options = parser.parse_args(arguments)
    measured = []
    for name in options.rungs:
        if name == "emulated" and (lacking := emulation_lacks()):
            print(f"emulated: not measured: {lacking}")
            continue
        try:
            measured.append(measure(name, options.case, options.flights, options.cores))
        except RuntimeError as error:
            print(error, file=sys.stderr)
            return 1
    print(f"case {options.case}, {options.cores} core(s), medians over the flights, full tape on")
    print(_table(measured))
    record = {
        "machine": machine(),
        "case": options.case,
        "cores": options.cores,
        "rungs": [asdict(r) for r in measured],
    }
    print(f"written to {write_figures('rungs', record)}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
