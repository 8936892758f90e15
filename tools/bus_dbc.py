"""Replicate the frames of engine 1 in rigs/bus.dbc for engines 2 to 40; `--check` only compares."""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import Final

__all__ = ["main", "replicated"]

ENGINES: Final = 40
DBC: Final = Path(__file__).resolve().parent.parent / "rigs" / "bus.dbc"
_COPY: Final = re.compile(r"ENGINE_(?!1_)\d+_")


def _frames(text: str) -> list[str]:
    """Split the file into blocks; a frame with its signals is one block."""
    return re.split(r"\n\n(?=\S)", text.strip())


def _frame_id(block: str) -> int:
    return int(block.split()[1])


def _copy(block: str, number: int) -> str:
    """Return engine 1's block for engine `number`."""
    old = _frame_id(block)
    text = block.replace(f"BO_ {old} ENGINE_1_", f"BO_ {old + number - 1} ENGINE_{number}_")
    return re.sub(r"\bENGINE_1\b", f"ENGINE_{number}", text)


def _copied_lines(block: str, originals: dict[int, str]) -> list[str]:
    """Return the VAL_ and BA_ lines with those of engine 1's frames repeated for the copies."""
    lines = []
    kept = set(originals)
    copies = {k + n for k in kept for n in range(1, ENGINES)}
    for line in block.splitlines():
        head = re.match(r'(VAL_|BA_ "\w+" BO_) (\d+) ', line)
        if head and int(head[2]) in copies:
            continue
        lines.append(line)
        if head and int(head[2]) in kept:
            first, rest = int(head[2]), line[head.end() :]
            lines += [f"{head[1]} {first + n} {rest}" for n in range(1, ENGINES)]
    return lines


def _nodes(block: str) -> str:
    """Return the list of nodes with all engines in it."""
    names = [name for name in block.split()[1:] if not name.startswith("ENGINE_")]
    return "BU_: " + " ".join(names + [f"ENGINE_{n}" for n in range(1, ENGINES + 1)])


def replicated(text: str) -> str:
    """Return the DBC `text` with every ENGINE_1 frame present for all engines."""
    blocks = [b for b in _frames(text) if not (b.startswith("BO_ ") and _COPY.match(b.split()[2]))]
    originals = {
        _frame_id(b): b for b in blocks if b.startswith("BO_ ") and b.split()[2].startswith("ENGINE_1_")
    }
    out: list[str] = []
    for block in blocks:
        if block.startswith("BU_:"):
            block = _nodes(block)
        if block.startswith(("VAL_", "BA_")):
            block = "\n".join(_copied_lines(block, originals))
        out.append(block)
        if block.startswith("BO_ ") and _frame_id(block) in originals:
            out += [_copy(block, n) for n in range(2, ENGINES + 1)]
    return "\n\n".join(out) + "\n"


def main(arguments: list[str]) -> int:
    """Rewrite the file, or with --check return 1 when it is not as this tool would write it."""
    text = DBC.read_text(encoding="utf-8")
    wanted = replicated(text)
    if "--check" in arguments:
        if text != wanted:
            sys.stderr.write(
                f"{DBC.name}: engines 2 to {ENGINES} differ from engine 1: run tools/bus_dbc.py\n"
            )
            return 1
        return 0
    DBC.write_text(wanted, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
