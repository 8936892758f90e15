"""`hil search`: look for a case that breaks a property, shrink it, keep it."""

from __future__ import annotations

import argparse
import json
import math
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from hil.cli.output import tell
from hil.faults.catalogue import CATALOGUE
from hil.files import FileError

if TYPE_CHECKING:
    from hil.search.hunt import Hunt

__all__ = ["add_search", "search_command"]

_PROGRESS_EVERY_S: Final = 5.0
_EPILOG = """\
exit status: 0 nothing found, 1 found (each finding is a case file), 2 bad usage or bad file, 3 the rig broke,
130 interrupted"""


def add_search(commands: Any) -> None:
    """Add the command's arguments."""
    search = commands.add_parser(
        "search",
        help="look for a case that breaks a property, shrink it and keep it",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    search.add_argument("rig", type=Path, metavar="RIG", nargs="?", help="rig file, say rigs/kernel.toml")
    search.add_argument("--list", action="store_true", help="list the properties and do nothing else")
    search.add_argument("--recheck", action="store_true", help="fly the found cases again instead")
    search.add_argument(
        "--update", action="store_true", help="with --recheck: expect from now on what they do now"
    )
    search.add_argument("--property", metavar="P", default="lands", help="what to break (default: lands)")
    search.add_argument("--case", default="nominal", help="the case to search about (default: nominal)")
    search.add_argument(
        "--examples", type=_count, default=200, metavar="N", help="cases to draw (default: 200)"
    )
    search.add_argument("--jobs", type=_count, default=1, metavar="N", help="hunters at once (default: 1)")
    search.add_argument(
        "--seed", type=_number, default=0, metavar="N", help="seed of the search (default: 0)"
    )
    search.add_argument(
        "--most",
        type=_count,
        default=1,
        metavar="N",
        help="findings for each hunter, of different kinds (default: 1)",
    )
    search.add_argument("--only", metavar="KINDS", help="faults to draw, by kind or beginning, with commas")
    search.add_argument("--without", metavar="KINDS", help="faults not to draw, likewise")
    search.add_argument(
        "--found", type=Path, metavar="DIR", help="where findings go (default: cases/found beside the rig)"
    )
    search.add_argument("--json", action="store_true", help="print one JSON object on standard output")


def _number(text: str) -> int:
    if not (text.isdecimal() and len(text) <= 12):
        raise argparse.ArgumentTypeError(f"{text[:80]!r} is not a whole number from 0 to 10^12 - 1")
    return int(text)


def _count(text: str) -> int:
    if not (text.isdecimal() and len(text) <= 9 and int(text) >= 1):
        raise argparse.ArgumentTypeError(f"{text[:80]!r} is not a whole number from 1 to 10^9 - 1")
    return int(text)


def _named(kinds: str, option: str) -> set[str]:
    """Return the kinds that a list names, each in full or by its beginning."""
    chosen = set()
    for beginning in kinds.split(","):
        named = {kind for kind in CATALOGUE if kind == beginning or kind.startswith(f"{beginning}.")}
        if not named:
            raise FileError(
                f"{option} {beginning[:80]}: no such kind of fault (known: {', '.join(CATALOGUE)})"
            )
        chosen |= named
    return chosen


def _kinds(arguments: argparse.Namespace) -> tuple[str, ...] | None:
    if arguments.only is None and arguments.without is None:
        return None
    only = set(CATALOGUE) if arguments.only is None else _named(arguments.only, "--only")
    without = set() if arguments.without is None else _named(arguments.without, "--without")
    return tuple(kind for kind in CATALOGUE if kind in only - without)


def search_command(arguments: argparse.Namespace) -> int:
    """Search as the arguments ask for; return the exit status."""
    from hil.search.properties import PROPERTIES

    if arguments.list:
        return _list()
    if arguments.rig is None:
        raise FileError("hil search: name a rig, say rigs/kernel.toml (or --list)")
    if arguments.property not in PROPERTIES:
        known = ", ".join(PROPERTIES)
        raise FileError(f"--property {arguments.property[:80]}: no such property (known: {known})")
    if arguments.update and not arguments.recheck:
        raise FileError("--update: goes with --recheck")
    return _recheck(arguments) if arguments.recheck else _search(arguments)


def _folder(arguments: argparse.Namespace) -> Path:
    folder: Path | None = arguments.found
    return arguments.rig.parent / "cases" / "found" if folder is None else folder


def _recheck(arguments: argparse.Namespace) -> int:
    """Fly every found case again; tell what it does, and whether that is what its file expects."""
    from hil.rig.plan import load_plan
    from hil.search.found import expect, found_files, replay

    changed = 0
    for path in found_files(_folder(arguments)):
        again = replay(load_plan(arguments.rig, str(path)))
        assert again.case.found is not None
        as_expected = again.verdict == again.case.found.expect
        note = "as expected" if as_expected else f"expected {again.case.found.expect}"
        tell(f"{path.stem}: {again.verdict}, {note} ({again.case.found.property}: {again.outcome.reason})")
        if not as_expected and arguments.update:
            expect(path, again.verdict)
        changed += not as_expected
    return 1 if changed and not arguments.update else 0


def _list() -> int:
    from hil.search.properties import PROPERTIES

    width = max(map(len, PROPERTIES))
    for prop in PROPERTIES.values():
        tell(f"{prop.name:{width}}  {prop.text}  [{', '.join(prop.requirements) or '-'}]")
    return 0


def _search(arguments: argparse.Namespace) -> int:
    from hil.rig.plan import load_plan
    from hil.search.flying import Flyer
    from hil.search.found import keep
    from hil.search.teams import Task, search

    plan = load_plan(arguments.rig, arguments.case)
    Flyer(plan)  # refuses a live rig before anything is started
    folder = _folder(arguments)
    task = Task(
        plan, arguments.property, arguments.examples, arguments.seed, arguments.most, _kinds(arguments)
    )
    progress = _Progress()
    examples = flights = 0
    least, told = math.inf, list[dict[str, Any]]()
    for catch in search(task, arguments.jobs, progress.tell):
        examples, flights = examples + catch.examples, flights + catch.flights
        least = min(least, catch.least)
        if catch.finding is not None:
            kept = keep(plan, arguments.property, catch.finding, seed=arguments.seed, folder=folder)
            assert kept.case.found is not None
            told.append(
                {
                    "file": str(kept.path),
                    "line": kept.case.found.reason,
                    "requirements": list(kept.case.found.requirements),
                    "margin": kept.case.found.margin,
                    "log_likelihood": kept.case.found.log_likelihood,
                    "faults": [fault.kind for fault in kept.case.fault],
                    "marginal": kept.marginal,
                    "new": kept.is_new,
                }
            )
            if not arguments.json:
                _tell_finding(told[-1])
    result = {
        "rig": plan.rig.name,
        "property": arguments.property,
        "case": plan.case_name,
        "seed": arguments.seed,
        "jobs": arguments.jobs,
        "examples": examples,
        "flights": flights,
        "least_margin": least if math.isfinite(least) else None,
        "wall_s": progress.wall_s,
        "found": [one for one in told if not one["marginal"]],
        "marginal": [one for one in told if one["marginal"]],
    }
    _tell_end(result, as_json=arguments.json)
    return 1 if told else 0


class _Progress:
    """Tells on standard error now and then that a search goes on."""

    def __init__(self) -> None:
        self._begin = time.perf_counter()
        self._next_s = _PROGRESS_EVERY_S

    @property
    def wall_s(self) -> float:
        """How long it has taken so far, s."""
        return time.perf_counter() - self._begin

    def tell(self, so_far: Hunt | None) -> None:
        """Say how far it is, where the last word is some time ago."""
        if self.wall_s < self._next_s:
            return
        self._next_s = self.wall_s + _PROGRESS_EVERY_S
        what = ""
        if so_far is not None:
            doing = "shrinking" if so_far.finding is not None else f"{so_far.examples} cases drawn"
            what = f", {doing}, {so_far.flights} flights, least margin {so_far.least:+.3f}"
        print(f"hil: searching, {self.wall_s:.0f} s{what}", file=sys.stderr)


def _tell_finding(one: dict[str, Any]) -> None:
    tell(one["line"])
    notes = "; marginal: another rung judges otherwise" if one["marginal"] else ""
    notes += "" if one["new"] else "; found before"
    tell(f"  {one['file']} (margin {one['margin']:+.3f}, log-likelihood {one['log_likelihood']:.1f}{notes})")


def _tell_end(result: dict[str, Any], *, as_json: bool) -> None:
    least = result["least_margin"]
    nearest = "" if least is None or result["found"] else f", least margin {least:+.3f}"
    print(
        f"hil: {result['property']}: {result['examples']} cases drawn, {result['flights']} flights in "
        f"{result['wall_s']:.0f} s{nearest}; found {len(result['found'])}, "
        f"marginal {len(result['marginal'])}",
        file=sys.stderr,
    )
    if as_json:
        tell(json.dumps(result))
