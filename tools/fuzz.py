"""Build and run the fuzz targets of tests/fuzz, or replay their corpus.

    python tools/fuzz.py --target fk_step --calls 1000000 [--sanitize]   libFuzzer (needs clang)
    python tools/fuzz.py --target fk_step --calls 100000 --driver        inputs of the plain driver (gcc)
    python tools/fuzz.py --replay [FILE ...] [--target wire]             the corpus, or these files, sanitized

Prints one JSON object a target: calls, calls a second and how often what was reached. A finding ends it with
status 1; the input that shows it is kept under build/fuzz/found/TARGET and belongs into
tests/fuzz/corpus/TARGET once it is mended. What counts as one call is said at the head of each target.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from hil.boards.config import kernel_config
from hil.kernel.native_build import INCLUDES, firmware_sources, kernel_sources
from hil.plant.vehicle import load_vehicle

__all__ = ["TARGETS", "FuzzError", "build", "main", "replay", "run"]

ROOT = Path(__file__).resolve().parent.parent
HOME = ROOT / "tests" / "fuzz"
BUILD = ROOT / "build" / "fuzz"
TARGETS = ("fk_step", "descent", "wire")
VEHICLES = ("zq3_class", "falcon9_class")
FRAME_S = 0.01
MOST_BYTES = 1024
"""Of one input: long enough for a landing from ignition to touchdown."""

FLAGS = ("-std=c11", "-g", "-O2", "-ffp-contract=off", "-Wall", "-Wextra", "-Werror")
SANITIZERS = "address,undefined,float-divide-by-zero,float-cast-overflow"


class FuzzError(Exception):
    """The tools are not there, or the sources do not compile; the message is one line or the compiler's."""


def _vehicles_source() -> str:
    """Return C with the guidance data of the shipped vehicles, as the flight computer hands them over."""
    rows = []
    for name in VEHICLES:
        vehicle = load_vehicle(ROOT / "rigs" / "vehicles" / f"{name}.toml")
        data = kernel_config(vehicle, FRAME_S, initial_propellant_kg=vehicle.body.propellant_kg)
        rows.append("    {" + ",".join(map(str, data)) + "},")
    head = "const unsigned char fuzz_vehicle[FUZZ_VEHICLES][sizeof(fk_if_config_t)] = {"
    return "\n".join(['#include "fuzz.h"', head, *rows, "};", ""])


def _sources(target: str, driver: bool) -> list[str]:
    product = kernel_sources(ROOT) if target != "wire" else firmware_sources(ROOT)
    own = [f"{target}.c", "fuzz.c", *(["driver.c"] if driver else [])]
    return [str(ROOT / name) for name in product] + [str(HOME / name) for name in own]


def build(target: str, *, sanitize: bool, driver: bool) -> Path:
    """Return the program of a target: on libFuzzer with clang, or on the plain driver with gcc.

    Raises FuzzError.
    """
    compiler = "gcc" if driver else "clang"
    if shutil.which(compiler) is None:
        raise FuzzError(f"{compiler} is not on this machine: apt-get install {compiler}")
    BUILD.mkdir(parents=True, exist_ok=True)
    vehicles = BUILD / "vehicles.c"
    vehicles.write_text(_vehicles_source(), encoding="utf-8")
    program = BUILD / "-".join([target, compiler, *(["sanitized"] if sanitize else [])])
    wanted = [*([SANITIZERS] if sanitize else []), *([] if driver else ["fuzzer"])]
    flags = [*FLAGS, *([f"-fsanitize={','.join(wanted)}"] if wanted else [])]
    flags += ["-fno-sanitize-recover=all"] if sanitize else []
    includes = [f"-I{ROOT / folder}" for folder in (*INCLUDES, "tests/fuzz")]
    sources = [*_sources(target, driver), str(vehicles)]
    command = [compiler, *flags, *includes, *sources, "-lm", "-o", str(program)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise FuzzError(done.stderr.strip())
    return program


def _corpus(target: str) -> Path:
    return HOME / "corpus" / target


def _execute(command: Sequence[str], calls: int | None) -> tuple[int, dict[str, Any], str]:
    """Run a target; return its status, the figures that it told, and what it said besides."""
    environment = {**os.environ, "UBSAN_OPTIONS": "print_stacktrace=1"}
    if calls is not None:
        environment["FUZZ_CALLS"] = str(calls)
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment, cwd=ROOT)
    told = [line for line in done.stdout.splitlines() if line.startswith("{")]
    return done.returncode, json.loads(told[-1]) if told else {}, done.stderr


def run(
    target: str, *, calls: int, sanitize: bool, driver: bool, seed: int
) -> tuple[int, dict[str, Any], str]:
    """Fuzz a target until it has made so many calls; return status, figures and what was said.

    Raises FuzzError.
    """
    program = str(build(target, sanitize=sanitize, driver=driver))
    if driver:
        return _execute([program, "--random", str(seed)], calls)
    found = BUILD / "found" / target
    grown = BUILD / "grown" / target
    for folder in (found, grown):
        folder.mkdir(parents=True, exist_ok=True)
    options = (
        f"-artifact_prefix={found}/",
        f"-seed={seed}",
        f"-max_len={MOST_BYTES}",
        "-len_control=0",
        "-timeout=60",
    )
    return _execute([program, *options, str(grown), str(_corpus(target))], calls)


def replay(target: str, files: Iterable[Path] = ()) -> tuple[int, dict[str, Any], str]:
    """Run a target on files, its whole corpus by default, under the sanitizers; as `run` returns.

    Raises FuzzError.
    """
    program = str(build(target, sanitize=True, driver=True))
    inputs = list(files) or sorted(_corpus(target).iterdir())
    return _execute([program, *map(str, inputs)], None)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Fuzz the kernel, the optimiser and the wires.")
    parser.add_argument(
        "--target", choices=TARGETS, action="append", help="which; all of them when none is named"
    )
    parser.add_argument(
        "--calls", type=int, default=100_000, help="end after so many calls (default: %(default)s)"
    )
    parser.add_argument("--sanitize", action="store_true", help=f"with {SANITIZERS}")
    parser.add_argument(
        "--driver", action="store_true", help="gcc and the plain driver in place of libFuzzer"
    )
    parser.add_argument("--seed", type=int, default=1, help="of the inputs (default: %(default)s)")
    parser.add_argument(
        "--replay", nargs="*", type=Path, metavar="FILE", help="run these files, or the whole corpus"
    )
    return parser.parse_args()


def main() -> int:
    """Run what the command line asks for; 0 when nothing was found, 1 on a finding, 2 when it cannot run."""
    asked = _arguments()
    worst = 0
    for target in asked.target or TARGETS:
        try:
            if asked.replay is not None:
                status, figures, said = replay(target, asked.replay)
            else:
                status, figures, said = run(
                    target, calls=asked.calls, sanitize=asked.sanitize, driver=asked.driver, seed=asked.seed
                )
        except FuzzError as error:
            print(error, file=sys.stderr)
            return 2
        print(json.dumps({"target": target, **figures, "found": status != 0}), flush=True)
        if status != 0:
            print(said[-6000:], file=sys.stderr)
            worst = 1
    return worst


if __name__ == "__main__":
    sys.exit(main())
