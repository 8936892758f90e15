"""`hil scorecard`: how the kernel does on many drawn cases."""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Generator, Sequence
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from hil.cli.jobs import signals_ask, work_in_jobs
from hil.cli.output import claim_folder, tell
from hil.cli.scorecard_text import card_lines
from hil.executive import Stop
from hil.faults.case import SHIPPED
from hil.files import FileError
from hil.rig.plan import load_plan

if TYPE_CHECKING:
    from hil.search.scorecard import Judge, Scored, Scorer

__all__ = ["scorecard_command"]

_INTERRUPTED: Final = 130
_PROGRESS_EVERY_S: Final = 10.0


def scorecard_command(arguments: argparse.Namespace) -> int:
    """Fly, judge, count, and say how it went; return the exit status."""
    rig = arguments.rig or _shipped_rig()
    plan = load_plan(rig, arguments.case)
    if plan.rig.live:
        raise FileError(f"rig {plan.rig.name} is live: a scorecard flies unattended")
    from hil.search.scorecard import Scorer, scorecard

    seed, numbers = _which(arguments)
    quick = arguments.no_oracle or arguments.write is not None
    scorer = Scorer(plan, seed, None if quick else _oracle())
    if arguments.write is not None:
        return _write_one(scorer, arguments)
    folder = claim_folder(arguments.out, f"scorecard-{seed}", ("scorecard.json",), "scorecard")
    scored = _all(scorer, numbers, arguments.jobs)
    if len(scored) < len(numbers):
        print("hil: interrupted: not every case was flown", file=sys.stderr)
        return _INTERRUPTED
    card = scorecard(scored, plan, seed, judged=scorer.judge is not None)
    _keep(scorer, card, folder)
    text = "\n".join(card_lines(card, str(folder), str(rig)))
    if arguments.json:
        tell(json.dumps({**card, "run_dir": str(folder)}, allow_nan=False))
        print(text, file=sys.stderr)
    else:
        tell(text)
    return 0 if card["verdict"] == "PASS" else 1


def _shipped_rig() -> Path:
    """Return the lowest rung, by the short path where there is one."""
    here = Path("rigs/kernel.toml")
    return here if here.is_file() else SHIPPED / "kernel.toml"


def _oracle() -> Judge:
    from hil.search.rulings import ask_oracle, check_oracle

    check_oracle()
    return ask_oracle


def _which(arguments: argparse.Namespace) -> tuple[int, Sequence[int]]:
    """Return the seed and the numbers of the cases that are flown."""
    if arguments.again is None:
        return arguments.seed, range(arguments.cases)
    try:
        card = json.loads(arguments.again.read_text(encoding="utf-8"))
        seed, numbers = int(card["seed"]), sorted({*card["lost"], *card["unlandable_inside"]})
    except OSError as error:
        raise FileError(f"--again {arguments.again}: {error.strerror}") from None
    except (ValueError, KeyError, TypeError):
        raise FileError(f"--again {arguments.again}: not a scorecard.json") from None
    if not numbers:
        raise FileError(f"--again {arguments.again}: nothing was lost there")
    return seed, numbers


def _all(scorer: Scorer, numbers: Sequence[int], jobs: int) -> list[Scored]:
    """Return every case that was flown, in order; fewer than asked for when interrupted."""
    stop, scored = Stop(), list[Any]()
    results = (
        work_in_jobs(scorer, numbers, jobs, stop, noun="case")
        if jobs > 1
        else _in_a_row(scorer, numbers, stop)
    )
    told = time.monotonic()
    with signals_ask(stop), closing(results):
        for one in results:
            scored.append(one)
            if time.monotonic() - told > _PROGRESS_EVERY_S:
                told = time.monotonic()
                landed = sum(each.landed for each in scored)
                print(f"hil: {len(scored)} of {len(numbers)} cases, {landed} landed", file=sys.stderr)
    return scored


def _in_a_row(scorer: Scorer, numbers: Sequence[int], stop: Stop) -> Generator[Any]:
    for number in numbers:
        if stop.by is not None:
            return
        yield scorer(number, None, stop)


def _keep(scorer: Scorer, card: dict[str, Any], folder: Path) -> None:
    from hil.search.scorecard import write_case

    try:
        (folder / "scorecard.json").write_text(json.dumps(card, indent=1, allow_nan=False) + "\n", "utf-8")
        for index in {*card["lost"], *card["unlandable_inside"]}:
            write_case(scorer.draw(index), folder)
    except OSError as error:
        raise FileError(f"--out {error.filename}: {error.strerror}") from None


def _write_one(scorer: Scorer, arguments: argparse.Namespace) -> int:
    from hil.search.scorecard import write_case

    folder = Path() if arguments.out is None else Path(arguments.out)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        path = write_case(scorer.draw(arguments.write), folder)
    except OSError as error:
        raise FileError(f"--out {error.filename}: {error.strerror}") from None
    tell(str(path))
    return 0
