"""Write the tables of docs/FAULTS.md from the catalogue of faults; `--check` only compares."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from hil.faults.catalogue import ABILITIES, CATALOGUE, HEALS, RUNGS, Choice, Kind, Size

__all__ = ["main", "with_tables"]

ROOT: Final = Path(__file__).resolve().parent.parent
PAGE: Final = ROOT / "docs" / "FAULTS.md"
BEGIN: Final = "<!-- tables: written by tools/faults_doc.py from hil/faults/catalogue.py -->"
END: Final = "<!-- end of tables -->"


def _span(low: float, high: float) -> str:
    return f"{low:g}" if low == high else f"{low:g} to {high:g}"


def _key(size: Size | Choice) -> str:
    """Return a key with its range, and what generated cases draw where that is less."""
    if isinstance(size, Choice):
        return f"`{size.name}` {', '.join(size.words)}"
    drawn = f" ({', '.join(_span(*span) for span in size.likely)})" if size.likely else ""
    return f"`{size.name}` {size.allowed}{drawn}"


def _keys(kind: Kind) -> str:
    told = [_key(size) for size in kind.sizes]
    told += [
        f"`what` {word}{': ' if sizes else ''}{', '.join(map(_key, sizes))}" for word, sizes in kind.what
    ]
    if kind.heals:
        told.append(f"`{HEALS.name}`")
    return "<br>".join(told)


def _rows(family: str) -> Iterator[str]:
    for kind in CATALOGUE.values():
        if kind.name.partition(".")[0] == family:
            silent = "" if kind.silent else "announced"
            last = f"{kind.strikes} | {silent} | {kind.needs}"
            yield f"| `{kind.name}` | {kind.text} | {_keys(kind)} | {last} |"


def _tables() -> Iterator[str]:
    """Yield the lines between the marks."""
    yield "| needs | means that | rungs |"
    yield "|---|---|---|"
    for name, need in ABILITIES.items():
        rungs = "all" if need.rungs == RUNGS else ", ".join(need.rungs)
        yield f"| {name} | {need.text} | {rungs} |"
    for family in dict.fromkeys(name.partition(".")[0] for name in CATALOGUE):
        yield ""
        yield f"### {family}"
        yield ""
        yield "| kind | what happens | keys | strikes | | needs |"
        yield "|---|---|---|---|---|---|"
        yield from _rows(family)


def with_tables(page: str) -> str:
    """Return the page with its tables as the catalogue has them."""
    tables = "\n".join(_tables())
    head, rest = page.split(BEGIN)
    return f"{head}{BEGIN}\n\n{tables}\n\n{END}{rest.split(END)[1]}"


def main(arguments: list[str]) -> int:
    """Rewrite the page, or with --check compare; 1 when it is not in step."""
    page = PAGE.read_text(encoding="utf-8")
    wanted = with_tables(page)
    if "--check" not in arguments:
        PAGE.write_text(wanted, encoding="utf-8")
    elif page != wanted:
        print(f"{PAGE.relative_to(ROOT)} is not in step with the catalogue: run tools/faults_doc.py")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
