"""Write the tables of docs/WIRE.md from rigs/bus.dbc; `--check` only compares."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import cantools

__all__ = ["main", "with_tables"]

ROOT: Final = Path(__file__).resolve().parent.parent
PAGE: Final = ROOT / "docs" / "WIRE.md"
BEGIN: Final = "<!-- tables: written by tools/wire_doc.py from rigs/bus.dbc -->"
END: Final = "<!-- end of tables -->"


def _identifier(message: Any) -> str:
    if message.name.startswith("ENGINE_1_"):
        return f"0x{message.frame_id - 1:03X} + n"
    return f"0x{message.frame_id:03X}"


def _values(signal: Any) -> str:
    if signal.choices:
        return ", ".join(f"{value} {name}" for value, name in signal.choices.items())
    return f"{signal.minimum:g} to {signal.maximum:g}"


def _table(message: Any) -> Iterator[str]:
    """Yield the section of one message."""
    name = message.name.replace("ENGINE_1_", "ENGINE_n_")
    cycle = f", every {message.cycle_time} ms" if message.cycle_time else ""
    yield f"### {name}: {_identifier(message)}, {message.length} bytes{cycle}"
    yield ""
    if message.comment:
        yield message.comment
        yield ""
    yield "| signal | start bit | bits | one count | unit | values |"
    yield "|---|---|---|---|---|---|"
    for s in message.signals:
        kind = "signed" if s.is_signed else "unsigned"
        unit = s.unit or ""
        yield f"| `{s.name}` | {s.start} | {s.length} {kind} | {s.scale:g} | {unit} | {_values(s)} |"
    yield ""


def with_tables(page: str) -> str:
    """Return the page with its tables as the DBC has them; engines 2 to 40 repeat engine 1."""
    database: Any = cantools.database.load_file(str(ROOT / "rigs" / "bus.dbc"))
    shown = [
        m for m in database.messages if not m.name.startswith("ENGINE_") or m.name.startswith("ENGINE_1_")
    ]
    tables = "\n".join(line for message in shown for line in _table(message))
    head, rest = page.split(BEGIN)
    tail = rest.split(END)[1]
    return f"{head}{BEGIN}\n\n{tables}\n{END}{tail}"


def main(arguments: list[str]) -> int:
    """Rewrite the page, or with --check return 1 when it is not in step with the DBC."""
    page = PAGE.read_text(encoding="utf-8")
    wanted = with_tables(page)
    if "--check" in arguments:
        if page != wanted:
            print("docs/WIRE.md is not in step with rigs/bus.dbc: run tools/wire_doc.py")
        return int(page != wanted)
    PAGE.write_text(wanted, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
