"""The most stack that one fk_step can use, against FK_STACK_BYTES_MAX in csrc/fk.h.

The compiler says how much each function takes and which functions it calls, after inlining
(-fcallgraph-info=su); the worst path from fk_step is summed.  That is exact as long as there is no
recursion, no call through a pointer and no array of variable size: each of these is an error here.  Not
counted are the functions of the C library (memset, memcpy, sqrt, floor), which are leaves.
"""

from __future__ import annotations

import re
import subprocess
import sys
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

__all__ = ["Calls", "compiled", "main", "read_calls", "worst_path"]

ROOT: Final = Path(__file__).resolve().parent.parent
ROOT_FUNCTION: Final = "fk_step"
LIMIT: Final = re.compile(r"#define FK_STACK_BYTES_MAX (\d+)")
LEVELS: Final = ("-O0", "-O2", "-O3")
"""Every one is looked at: what is inlined where decides whose frames add up."""
FLAGS: Final = ("-std=c11", "-fno-math-errno", "-fno-trapping-math", "-ffp-contract=off")
NODE: Final = re.compile(r'node: \{ title: "([^"]+)" label: "([^"]*)"')
EDGE: Final = re.compile(r'edge: \{ sourcename: "([^"]+)" targetname: "([^"]+)"')
BYTES: Final = re.compile(r"(\d+) bytes \(([\w,]+)\)")


@dataclass
class Calls:
    """Stack of each function in bytes, and whom it calls, by the compiler's names."""

    stack: dict[str, int] = field(default_factory=dict)
    calls: dict[str, set[str]] = field(default_factory=dict)
    unbounded: list[str] = field(default_factory=list)
    """Functions whose stack depends on data."""


def read_calls(texts: list[str]) -> Calls:
    """Return what the .ci files of one compilation say."""
    found = Calls()
    for text in texts:
        for name, label in NODE.findall(text):
            size = BYTES.search(label)
            if size is not None:
                found.stack[name] = int(size[1])
                if size[2] == "dynamic":  # "dynamic,bounded" has its bound in the number
                    found.unbounded.append(name)
        for caller, called in EDGE.findall(text):
            found.calls.setdefault(caller, set()).add(called)
    return found


def worst_path(calls: Calls, start: str) -> tuple[int, list[str]]:
    """Return the most stack from `start` down, and the functions on that path.

    Raises ValueError for recursion, a call through a pointer and a stack that depends on data.
    """
    known: dict[str, tuple[int, list[str]]] = {}

    def follow(name: str, above: tuple[str, ...]) -> tuple[int, list[str]]:
        if name in above:
            raise ValueError(f"recursion: {' -> '.join((*above, name))}")
        if name == "__indirect_call":
            raise ValueError(f"{above[-1]} calls through a pointer")
        if name in calls.unbounded:
            raise ValueError(f"the stack of {name} depends on data")
        if name not in known:
            below = [follow(called, (*above, name)) for called in sorted(calls.calls.get(name, ()))]
            deepest, path = max(below, default=(0, []))
            known[name] = calls.stack.get(name, 0) + deepest, [name, *path]
        return known[name]

    if start not in calls.stack:
        raise ValueError(f"no function is called {start}")
    return follow(start, ())


def compiled(level: str, sources: list[Path]) -> Calls:
    """Compile C files at an optimisation level; return their calls."""
    with tempfile.TemporaryDirectory() as folder:
        texts = []
        for source in sources:
            out = Path(folder) / f"{source.stem}.o"
            command = ["gcc", level, *FLAGS, "-fcallgraph-info=su", f"-I{ROOT / 'csrc'}"]
            subprocess.run([*command, "-c", str(source), "-o", str(out)], check=True)
            texts.append(out.with_suffix(".ci").read_text(encoding="utf-8"))
        return read_calls(texts)


def _short(name: str) -> str:
    return name.rsplit(":", 1)[-1]


def main() -> int:
    """Print the worst path at each level; 0 when all are within the bound."""
    stated = LIMIT.search((ROOT / "csrc" / "fk.h").read_text(encoding="utf-8"))
    if stated is None:
        print("csrc/fk.h: no FK_STACK_BYTES_MAX")
        return 1
    limit, over = int(stated[1]), False
    sources = sorted((ROOT / "csrc").glob("*.c"))
    for level in LEVELS:
        try:
            most, path = worst_path(compiled(level, sources), ROOT_FUNCTION)
        except ValueError as error:
            print(f"{level}: {error}")
            return 1
        print(f"{level}: {most} of {limit} bytes: {' -> '.join(map(_short, path))}")
        over = over or most > limit
    return 1 if over else 0


if __name__ == "__main__":
    sys.exit(main())
