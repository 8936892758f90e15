"""`hil scorecard`: how the kernel does on many drawn cases."""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Callable, Generator
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from hil.cli.jobs import signals_ask, work_in_jobs
from hil.cli.output import tell
from hil.cli.scorecard_text import card_lines
from hil.executive import Stop
from hil.faults.case import SHIPPED
from hil.files import FileError
from hil.rig.plan import load_plan

if TYPE_CHECKING:
    from hil.search.scorecard import Judge, Scored, Scorer

__all__ = ["add_scorecard", "scorecard_command"]

_INTERRUPTED: Final = 130
_PROGRESS_EVERY_S: Final = 10.0
_EPILOG: Final = """\
exit status: 0 the targets hold, 1 they do not, 2 bad usage or bad file, 3 ERROR (the rig broke),
130 interrupted"""


def add_scorecard(commands: Any, **reads: Callable[[str], Any]) -> None:
    """Add the command's arguments; `reads` turn words into values."""
    card = commands.add_parser(
        "scorecard",
        help="fly drawn off-nominal cases: of those that can be landed, how many are",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    card.add_argument("--cases", type=reads["count"], default=2000, metavar="N", help="(default: 2000)")
    card.add_argument("--seed", type=reads["seed"], default=0, metavar="N", help="of the draws (default: 0)")
    card.add_argument("--jobs", type=reads["jobs"], default=1, metavar="N", help="at once (default: 1)")
    card.add_argument("--json", action="store_true", help="print one JSON object on standard output")
    card.add_argument(
        "--out",
        type=reads["folder"],
        metavar="DIR",
        help="folder of scorecard.json and the losses as case files (default: runs/scorecard-<seed>)",
    )
    card.add_argument(
        "--rig",
        type=Path,
        default=SHIPPED / "kernel.toml",
        help="rig file, say with your own kernel (default: kernel)",
    )
    card.add_argument("--case", default="dispersed", help="case that is drawn about (default: dispersed)")
    card.add_argument(
        "--no-oracle",
        action="store_true",
        help="quick look: what is not landed counts as undecided",
    )
    card.add_argument(
        "--write",
        type=int,
        metavar="INDEX",
        help="only write case INDEX into --out (default: .)",
    )


def scorecard_command(arguments: argparse.Namespace) -> int:
    """Fly, judge, count, and say how it went; return the exit status."""
    plan = load_plan(arguments.rig, arguments.case)
    if plan.rig.live:
        raise FileError(f"rig {plan.rig.name} is live: a scorecard flies unattended")
    from hil.search.scorecard import Scorer, scorecard

    scorer = Scorer(plan, arguments.seed, None if arguments.no_oracle else _oracle())
    if arguments.write is not None:
        return _write_one(scorer, arguments)
    folder = _folder(arguments)
    scored = _all(scorer, arguments)
    if len(scored) < arguments.cases:
        print("hil: interrupted: not every case was flown", file=sys.stderr)
        return _INTERRUPTED
    card = scorecard(scored, plan, arguments.seed, judged=scorer.judge is not None)
    _keep(scorer, card, folder)
    text = "\n".join(card_lines(card, str(folder), _rig_word(arguments.rig)))
    if arguments.json:
        tell(json.dumps({**card, "run_dir": str(folder)}, allow_nan=False))
        print(text, file=sys.stderr)
    else:
        tell(text)
    return 0 if card["verdict"] == "PASS" else 1


def _oracle() -> Judge | None:
    from hil.search.rulings import ask_oracle

    return ask_oracle


def _rig_word(path: Path) -> str:
    return "rigs/kernel.toml" if path == SHIPPED / "kernel.toml" else str(path)


def _all(scorer: Scorer, arguments: argparse.Namespace) -> list[Scored]:
    """Return every case that was flown, in order; fewer than asked for when interrupted."""
    stop, scored = Stop(), list[Any]()
    numbers = range(arguments.cases)
    results = (
        work_in_jobs(scorer, numbers, arguments.jobs, stop, noun="case")
        if arguments.jobs > 1
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


def _in_a_row(scorer: Scorer, numbers: range, stop: Stop) -> Generator[Any]:
    for number in numbers:
        if stop.by is not None:
            return
        yield scorer(number, None, stop)


def _folder(arguments: argparse.Namespace) -> Path:
    """Make and return the folder; an earlier scorecard is never overwritten."""
    try:
        if arguments.out is not None:
            out = Path(arguments.out)
            if (out / "scorecard.json").exists():
                raise FileError(f"--out {out}: holds a scorecard already; name another folder")
            out.mkdir(parents=True, exist_ok=True)
            return out
        count = 1
        while True:
            name = f"scorecard-{arguments.seed}"
            folder = Path("runs") / (name if count == 1 else f"{name}.{count}")
            try:
                folder.mkdir(parents=True)
            except FileExistsError:
                count += 1
            else:
                return folder
    except OSError as error:
        raise FileError(f"--out {error.filename}: {error.strerror}") from None


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
