"""`hil run`: fly, and say how it went."""

from __future__ import annotations

import argparse
import json
import sys
import threading
from collections.abc import Callable, Generator
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from hil.campaign import Tally
from hil.cli.jobs import fly_in_jobs, fly_once, signals_ask
from hil.cli.output import claim_folder, tell
from hil.cli.summary import progress_line, summary, tally_lines, why_not_passed
from hil.executive import Stop
from hil.files import FileError
from hil.rig.arming import Wish, arm
from hil.rig.plan import Plan, load_plan

if TYPE_CHECKING:
    from hil.rig.run import Run

__all__ = ["INTERRUPTED", "Progress", "ask_person", "claim_run_dir", "run_command", "signals_ask", "wish_of"]

_PROGRESS_EVERY_S: Final = 2.0
INTERRUPTED: Final = 130


def run_command(arguments: argparse.Namespace) -> int:
    """Fly what the arguments ask for; return the exit status."""
    plan = load_plan(arguments.rig, arguments.case)
    _settle_pace(plan, arguments)
    flights = 1 if arguments.seeds is None else len(arguments.seeds)
    arguments.arming = arm(plan.rig, wish_of(arguments, flights), ask_person)
    if arguments.seeds is not None:
        return _many(plan, arguments)
    seed = plan.case.seed if arguments.seed is None else arguments.seed
    run = _one(plan, seed, arguments, claim_run_dir(plan, seed, arguments.out))
    page = _report(run)
    if arguments.json:
        _print_object(run.result)
        print(summary(run, page), file=sys.stderr)
    else:
        tell(summary(run, page))
    return _status(run)


def _settle_pace(plan: Plan, arguments: argparse.Namespace) -> None:
    """Fly a live rig on the wall clock, others in lockstep where nothing else was asked for."""
    if plan.rig.live and arguments.pace == "lockstep":
        raise FileError(f"--pace lockstep: rig {plan.rig.name} is live: it flies on the wall clock")
    arguments.pace = arguments.pace or ("wall" if plan.rig.live else "lockstep")


def wish_of(arguments: argparse.Namespace, flights: int) -> Wish:
    """Return what the arguments ask of a live rig, for so many flights."""
    return Wish(
        arm=arguments.arm,
        cold=arguments.cold,
        igniter=arguments.arm_igniter,
        confirm=arguments.confirm,
        stop_tested=arguments.stop_tested,
        flights=flights,
    )


def ask_person(question: str) -> str | None:
    """Ask the person at the terminal; None where there is none."""
    if not (sys.stdin.isatty() and sys.stderr.isatty()):
        return None
    print(question, end="", file=sys.stderr, flush=True)
    return sys.stdin.readline()


def _many(plan: Plan, arguments: argparse.Namespace) -> int:
    """Fly every seed, one JSON object a line in their order; return the worst status."""
    jobs = arguments.jobs
    if jobs > 1 and (arguments.pace != "lockstep" or not plan.rig.is_virtual):
        raise FileError(f"--jobs {jobs}: flights at once need virtual wires and --pace lockstep")

    def run_dir(seed: int) -> Path:
        return claim_run_dir(plan, seed, None if arguments.out is None else arguments.out / f"seed-{seed}")

    stop, tally = Stop(), Tally()
    if jobs > 1:
        runs = fly_in_jobs(plan, arguments.seeds, jobs, run_dir, stop)
    else:
        runs = _in_a_row(plan, arguments, run_dir, stop)
    with signals_ask(stop), closing(runs):
        for run in runs:
            _print_object(run.result)
            tally.add(run.result["seed"], run.result["verdict"], run.exit_status, why_not_passed(run))
    if tally.statuses:
        print(tally_lines(tally), file=sys.stderr)
    if stop.by is not None and tally.verdicts.total() != arguments.seeds.stop - arguments.seeds.start:
        print(f"hil: interrupted ({stop.by}): not every seed was flown", file=sys.stderr)
        return INTERRUPTED
    return tally.worst_status


def _in_a_row(
    plan: Plan, arguments: argparse.Namespace, run_dir: Callable[[int], Path], stop: Stop
) -> Generator[Run]:
    """Fly the seeds one after the other, up to one that was interrupted."""
    for seed in arguments.seeds:
        run = fly_once(
            plan, seed, arguments.pace, run_dir(seed), stop, arming=arguments.arming, cold=arguments.cold
        )
        yield run
        if run.exit_status == INTERRUPTED:
            return


def _one(plan: Plan, seed: int, arguments: argparse.Namespace, run_dir: Path) -> Run:
    stop, progress = Stop(), Progress(plan, seed)
    try:
        with signals_ask(stop):
            return fly_once(
                plan,
                seed,
                arguments.pace,
                run_dir,
                stop,
                progress.start,
                arming=arguments.arming,
                cold=arguments.cold,
            )
    finally:
        progress.end()


def _status(run: Run) -> int:
    """Return the exit status; say on standard error why a rig broke."""
    if run.exit_status in (3, 130):
        print(f"hil: {run.cause}", file=sys.stderr)
    return run.exit_status


def _print_object(result: dict[str, Any]) -> None:
    tell(json.dumps(result, allow_nan=False))


def _report(run: Run) -> Path | None:
    """Write the page of a run; a page that cannot be written does not change the verdict."""
    if run.judgement is None:
        return None
    from hil.report import write_report

    try:
        return write_report(run.run_dir)
    except (FileError, OSError) as error:
        print(f"hil: no report: {error}", file=sys.stderr)
        return None


def claim_run_dir(plan: Plan, seed: int, out: Path | None) -> Path:
    """Make and return the run folder; an earlier run is never overwritten."""
    name = f"{plan.rig.name}-{plan.case_name}-{seed}"
    return claim_folder(out, name, ("run.json", "tape.mcap"), "run")


class Progress:
    """Tells on standard error now and then that a flight goes on, from its start to its end."""

    def __init__(self, plan: Plan, seed: int) -> None:
        self._what = f"{plan.case_name} on {plan.rig.name}, seed {seed}"
        self._done = threading.Event()
        self._teller = threading.Thread(target=self._tell, daemon=True)

    def start(self) -> None:
        """Say that the flight begins."""
        print(f"hil: flying {self._what}", file=sys.stderr)
        self._teller.start()

    def end(self) -> None:
        """Say no more; harmless when nothing began."""
        self._done.set()
        if self._teller.is_alive():
            self._teller.join()

    def _tell(self) -> None:
        waited = 0.0
        while not self._done.wait(_PROGRESS_EVERY_S):
            waited += _PROGRESS_EVERY_S
            print(progress_line(waited), file=sys.stderr)
