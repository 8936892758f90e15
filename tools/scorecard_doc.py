"""Write docs/SCORECARD.md from what `hil scorecard --json` said: the card, and a row of its history.

python tools/scorecard_doc.py CARD.json    write the page
python tools/scorecard_doc.py --check      see that the page is of the kernel that lies here
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from hil.cli.scorecard_text import kind_rows, loss_lines, rate_rows, row_of
from hil.kernel.places import reference_sha256

__all__ = ["main", "page"]

PAGE: Final = Path(__file__).resolve().parent.parent / "docs" / "SCORECARD.md"
SHORT: Final = 12
"""Digits of a digest that people are told."""

_HEAD: Final = """\
# Scorecard

`make scorecard` flies cases that are drawn from the fault catalogue as [PRIORS](PRIORS.md) says, and writes
this page. A case that the kernel lands (every TD requirement holds) is landable by that very flight. Each
other one is put to the clairvoyant oracle, which knows the whole case in advance: landable, unlandable or
undecided, and undecided counts as landable. A stage that cannot land has to stay off the keep-out about the
pad where the oracle shows that clearing it was possible at the fault; the others are counted apart. In
brackets: Clopper-Pearson bounds at 95 %. "Landable" means in this model.

`hil scorecard --seed S --write N` writes case number N of seed S as a case file, for `hil run` on any rung.
"""
_HISTORY: Final = "## History\n"
_COLUMNS: Final = (
    "kernel",
    "draws",
    "cases, seed",
    "landed of the landable",
    "undecided",
    "kept off",
    "detection, most",
)


def _table(head: tuple[str, ...], rows: Iterator[tuple[str, ...]]) -> str:
    return "\n".join([row_of(head), "|---" * len(head) + "|", *map(row_of, rows)]) + "\n"


def _card(card: dict[str, Any]) -> Iterator[str]:
    judged = "" if card["oracle"] else " Nobody judged: every case that is not landed counts as undecided."
    yield (
        f"{card['cases']} cases of seed {card['seed']} about `{card['about']}` on `{card['rig']}`: "
        f"**{card['verdict']}**.{judged}\n"
    )
    yield f"<!-- kernel {card['kernel_sha256']} -->"
    yield _table(("", "", "target"), rate_rows(card))
    yield _table(("kind of fault", "cases", "not landed", "lost", "lost by it alone"), kind_rows(card))
    yield "## The likeliest losses\n"
    replay = (
        f"hil scorecard --seed {card['seed']} --write {{index}} && hil run rigs/kernel.toml --case drawn-"
    )
    yield "```"
    yield from loss_lines(card, replay + f"{card['seed']}-{{index}}.toml")
    yield "```\n"


def _row(card: dict[str, Any]) -> str:
    def rate(name: str) -> str:
        return f"{card[name]['good']} of {card[name]['cases']}"

    most = card["detection"]["max_s"]
    return row_of(
        (
            f"`{card['kernel_sha256'][:SHORT]}`",
            f"`{card['cases_sha256'][:SHORT]}`",
            f"{card['cases']}, {card['seed']}",
            rate("landable"),
            str(card["undecided"]["cases"]) if card["oracle"] else "not judged",
            rate("clearable"),
            "-" if most is None else f"{1e3 * most:.0f} ms",
        )
    )


def page(card: dict[str, Any], before: str) -> str:
    """Return the page; the rows of `before` stay, but for that of the same kernel, draws and number."""
    row = _row(card)
    kept = before.split(_HISTORY)[1].splitlines() if _HISTORY in before else []
    same = row.split("|")[1:4]
    rows = [line for line in kept if line.startswith("| `") and line.split("|")[1:4] != same]
    history = "\n".join([row_of(_COLUMNS), "|---" * len(_COLUMNS) + "|", *rows, row])
    return "\n".join([_HEAD, *_card(card), _HISTORY, history]) + "\n"


def _check() -> int:
    text = PAGE.read_text(encoding="utf-8") if PAGE.exists() else ""
    scored = re.search(r"<!-- kernel ([0-9a-f]{64}) -->", text)
    if scored is None or scored[1] != reference_sha256():
        print("docs/SCORECARD.md is not of the kernel in csrc/: run make scorecard")
        return 1
    return 0


def main() -> int:
    """Write the page, or see with `--check` whether it is of this kernel; 1 when it is not."""
    if sys.argv[1:] == ["--check"]:
        return _check()
    card = json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))
    before = PAGE.read_text(encoding="utf-8") if PAGE.exists() else ""
    PAGE.write_text(page(card, before), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
