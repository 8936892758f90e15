"""Arguments and exit statuses of the command `hil`."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from hil import __version__
from hil.cli.oracle import add_oracle
from hil.cli.output import open_streams
from hil.cli.plant import add_plant, plant_command
from hil.cli.search import add_search, search_command
from hil.files import FileError
from hil.signals import RigError

__all__ = ["main"]

_STATUSES: Final = """\
exit status: 0 PASS, 1 FAIL (a requirement broken), 2 bad usage or bad file, 3 ERROR (the rig broke),
4 INVALID (timing degraded, so nothing is proven), 130 interrupted after the rig was made safe"""

_SCORECARD_STATUSES: Final = """\
exit status: 0 the targets hold, 1 they do not, 2 bad usage or bad file, 3 ERROR (the rig broke),
130 interrupted"""

_SEEDS: Final = 2**63
"""Number of seeds: they are 0 to this, excluded."""
_MOST_JOBS: Final = 256
_MOST_CASES: Final = 1_000_000
_BAD_FILE: Final = 2
_RIG_ERROR: Final = 3
_INTERRUPTED: Final = 130


def _seeds(text: str) -> range:
    """Read `A:B`, B excluded."""
    first, _, end = text.partition(":")
    if not (_is_count(first) and _is_count(end) and int(first) < int(end) <= _SEEDS):
        raise argparse.ArgumentTypeError(f"{text[:80]!r} is not A:B with 0 <= A < B <= 2^63 (B is excluded)")
    return range(int(first), int(end))


def _is_count(text: str) -> bool:
    return text.isdecimal() and len(text) <= 19


def _seed(text: str) -> int:
    if not _is_count(text) or int(text) >= _SEEDS:
        raise argparse.ArgumentTypeError(f"{text[:80]!r} is not a whole number from 0 to 2^63 - 1")
    return int(text)


def _jobs(text: str) -> int:
    if not _is_count(text) or not 1 <= int(text) <= _MOST_JOBS:
        raise argparse.ArgumentTypeError(f"{text[:80]!r} is not a whole number from 1 to {_MOST_JOBS}")
    return int(text)


def _count(text: str) -> int:
    if not _is_count(text) or not 1 <= int(text) <= _MOST_CASES:
        raise argparse.ArgumentTypeError(f"{text[:80]!r} is not a whole number from 1 to {_MOST_CASES:,}")
    return int(text)


def _folder(text: str) -> Path:
    if not text:
        raise argparse.ArgumentTypeError("a folder has a name")
    return Path(text)


def _add_arming(run: argparse.ArgumentParser) -> None:
    live = run.add_argument_group("live rigs", "a rig that can reach hardware moves nothing without these")
    live.add_argument("--cold", action="store_true", help="run everything with every drive inhibited")
    live.add_argument(
        "--arm", action="store_true", help="let valves move: asks for the tested stop and the rig's name"
    )
    live.add_argument("--arm-igniter", action="store_true", help="with --arm: allow igniter power as well")
    live.add_argument("--confirm", metavar="NAME", help="with --arm, without a terminal: the rig's name")
    live.add_argument(
        "--stop-tested",
        action="store_true",
        help="with --arm, without a terminal: the hard-wired stop was tried today",
    )


def _add_climb(commands: Any) -> None:
    climb = commands.add_parser(
        "climb",
        help="fly one case on each rung; tell where the rungs part",
        epilog="exit status: 0 every rung says PASS; 1 every rung says FAIL, or some say PASS and some FAIL "
        "(a line tells so that begins with DISAGREE); 2 bad usage, a bad file, or no rig supports the case; "
        "3 a rig broke, or a live rig is not armed; 4 INVALID; 130 interrupted",
    )
    climb.add_argument("case", metavar="CASE", help="a name under cases/, or a path")
    climb.add_argument("rigs", type=Path, nargs="+", metavar="RIG", help="rig files, the lowest rung first")
    climb.add_argument("--seed", type=_seed, metavar="N", help="master seed (default: the case's)")
    climb.add_argument(
        "--out", type=_folder, metavar="DIR", help="folder for the run folders 1-RIG, 2-RIG, ..."
    )
    climb.add_argument("--json", action="store_true", help="print one JSON object on standard output")
    _add_arming(climb)


def _add_scorecard(commands: Any) -> None:
    card = commands.add_parser(
        "scorecard",
        help="fly drawn off-nominal cases: of those that can be landed, how many are",
        epilog=_SCORECARD_STATUSES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    card.add_argument("--cases", type=_count, default=2000, metavar="N", help="(default: 2000)")
    card.add_argument("--seed", type=_seed, default=0, metavar="N", help="of the draws (default: 0)")
    card.add_argument("--jobs", type=_jobs, default=1, metavar="N", help="at once (default: 1)")
    card.add_argument("--json", action="store_true", help="print one JSON object on standard output")
    card.add_argument(
        "--out",
        type=_folder,
        metavar="DIR",
        help="folder of scorecard.json and the losses as case files (default: runs/scorecard-<seed>)",
    )
    card.add_argument(
        "--again",
        type=Path,
        metavar="CARD",
        help="fly only what was lost in this scorecard.json, of its seed",
    )
    card.add_argument(
        "--rig", type=Path, help="rig file, say with your own kernel (default: the shipped kernel)"
    )
    card.add_argument("--case", default="dispersed", help="case that is drawn about (default: dispersed)")
    card.add_argument(
        "--no-oracle",
        action="store_true",
        help="quick look: what is not landed counts as undecided",
    )
    card.add_argument(
        "--write",
        type=_seed,
        metavar="INDEX",
        help="only write case INDEX into --out (default: .)",
    )


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="hil",
        description="Fly booster landings on a bench of simulated or real boards.",
        epilog=_STATUSES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=f"lastbrake {__version__}")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")

    run = commands.add_parser("run", help="fly a case on a rig", epilog=_STATUSES)
    run.add_argument("rig", type=Path, metavar="RIG", help="rig file, say rigs/virtual.toml")
    run.add_argument("--case", default="nominal", help="a name under cases/, or a path (default: nominal)")
    seeds = run.add_mutually_exclusive_group()
    seeds.add_argument("--seed", type=_seed, metavar="N", help="master seed (default: the case's)")
    seeds.add_argument(
        "--seeds", type=_seeds, metavar="A:B", help="fly seeds A to B - 1, one JSON object a line"
    )
    run.add_argument(
        "--jobs", type=_jobs, default=1, metavar="N", help="with --seeds: fly so many at once (default: 1)"
    )
    run.add_argument(
        "--pace",
        choices=("lockstep", "wall"),
        help="as fast as it goes, or real time (default: lockstep; a live rig always flies in real time)",
    )
    run.add_argument(
        "--out",
        type=_folder,
        metavar="DIR",
        help="run folder (default: runs/<rig>-<case>-<seed>, never overwritten)",
    )
    run.add_argument("--json", action="store_true", help="print one JSON object on standard output")
    _add_arming(run)

    check = commands.add_parser("check", help="open what a rig names; tell the first thing missing")
    check.add_argument("rig", type=Path, metavar="RIG")
    check.add_argument("--case", help="see too whether the rig can fly this case: a name or a path")

    faults = commands.add_parser("faults", help="list the faults that can be flown")
    faults.add_argument("rig", type=Path, nargs="?", metavar="RIG", help="say what this rig supports")
    faults.add_argument("--json", action="store_true", help="print one JSON object on standard output")

    report = commands.add_parser("report", help="write the report of a run again")
    report.add_argument("run", type=Path, metavar="RUN", help="run folder")

    _add_climb(commands)
    add_plant(commands)
    add_oracle(commands, _seed)
    add_search(commands)
    _add_scorecard(commands)
    return parser


def _dispatch(arguments: argparse.Namespace) -> int:
    # imported where needed: `hil --help` and bad arguments answer at once
    if arguments.command == "run":
        from hil.cli.run import run_command

        return run_command(arguments)
    if arguments.command == "check":
        from hil.cli.check import check_command

        return check_command(arguments.rig, arguments.case)
    if arguments.command == "scorecard":
        from hil.cli.scorecard import scorecard_command

        return scorecard_command(arguments)
    if arguments.command == "faults":
        from hil.cli.faults import faults_command

        return faults_command(arguments.rig, as_json=arguments.json)
    if arguments.command == "plant":
        return plant_command(arguments)
    if arguments.command == "oracle":
        from hil.cli.oracle import oracle_command

        return oracle_command(arguments)
    if arguments.command == "search":
        return search_command(arguments)
    if arguments.command == "climb":
        from hil.cli.climb import climb_command

        return climb_command(arguments)
    from hil.cli.report import report_command

    return report_command(arguments.run)


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; return its exit status. Never shows a traceback (unless HIL_DEBUG is set)."""
    output_lost = open_streams()
    try:
        arguments = _parser().parse_args(argv)
    except SystemExit as leave:
        return int(leave.code or 0)
    try:
        if arguments.command == "run" and arguments.jobs > 1 and arguments.seeds is None:
            raise FileError("--jobs: several flights need --seeds A:B")
        if output_lost and (getattr(arguments, "json", False) or getattr(arguments, "seeds", None)):
            raise RigError("standard output is closed: nobody could read the JSON object")
        return _dispatch(arguments)
    except FileError as error:
        status, text = _BAD_FILE, str(error)
    except RigError as error:
        status, text = _RIG_ERROR, str(error)
    except KeyboardInterrupt:
        status, text = _INTERRUPTED, "interrupted"
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)  # nobody reads any more: leave quietly
        status, text = _RIG_ERROR, "standard output was closed"
    except Exception as error:
        if os.environ.get("HIL_DEBUG"):
            raise
        status, text = _RIG_ERROR, f"internal error: {type(error).__name__}: {error}"
    print(f"hil: {' '.join(text.split())}", file=sys.stderr)
    return status
