"""Write docs/REQUIREMENTS.md: every requirement with the tests that name its id; `--check` only compares.

A requirement that no test names is an error either way.
"""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from hil.verdict import REQUIREMENTS

__all__ = ["main", "page", "untested"]

ROOT: Final = Path(__file__).resolve().parent.parent
PAGE: Final = ROOT / "docs" / "REQUIREMENTS.md"
LEFT_OUT: Final = ("tests/report", "tests/architecture")
"""Here ids are mere text."""

HEAD: Final = """\
# Requirements

What a flight has to keep. The table is written by `tools/requirements_doc.py` from
`hil/verdict/requirements.py`, the only home of ids, texts and limits, and from the tests that name an id;
`make check` fails when it is not in step or a requirement has no test. A vehicle file may tighten a limit
(`[requirements]`), never loosen it.

A requirement *passes*, *fails*, or was *not exercised* by a flight. A flight passes when none fails.

| id | requirement | tests |
|---|---|---|
"""


def _functions(path: Path) -> Iterator[tuple[str, str]]:
    """Yield (name, source with decorators) of each test function of a file."""
    text = path.read_text(encoding="utf-8")
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.FunctionDef) and node.name.startswith("test"):
            first = min([node.lineno, *(d.lineno for d in node.decorator_list)])
            yield node.name, "\n".join(text.splitlines()[first - 1 : node.end_lineno])


def _tests_of(requirement: str) -> list[str]:
    """Return the tests that name a requirement; the file alone where only its tables do."""
    found = []
    for path in sorted((ROOT / "tests").rglob("test_*.py")):
        name = str(path.relative_to(ROOT))
        if name.startswith(LEFT_OUT) or f'"{requirement}"' not in path.read_text(encoding="utf-8"):
            continue
        functions = [f"{name}::{test}" for test, source in _functions(path) if f'"{requirement}"' in source]
        found += functions or [name]
    return found


def untested() -> list[str]:
    """Return the ids that no test names."""
    return [requirement.id for requirement in REQUIREMENTS if not _tests_of(requirement.id)]


def page() -> str:
    """Return the page as it should be."""
    rows = []
    for requirement in REQUIREMENTS:
        tests = "<br>".join(f"`{test}`" for test in _tests_of(requirement.id))
        rows.append(f"| {requirement.id} | {requirement.text} | {tests} |\n")
    return HEAD + "".join(rows)


def main(arguments: list[str]) -> int:
    """Rewrite the page, or with --check compare; 1 when it is not in step or a requirement has no test."""
    wanted = page()
    for requirement in untested():
        print(f"requirement {requirement}: no test names it")
    if "--check" not in arguments:
        PAGE.write_text(wanted, encoding="utf-8")
    elif not PAGE.exists() or PAGE.read_text(encoding="utf-8") != wanted:
        print("docs/REQUIREMENTS.md is not in step: run tools/requirements_doc.py")
        return 1
    return 1 if untested() else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
