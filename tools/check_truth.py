"""The wires, boards and kernel never see truth: not by its record, and not by an import made of strings.

import-linter watches the import statements; this looks for what it cannot see: the name of the truth record
in a subscript, attribute or string, and modules of the plant named in a string (importlib, __import__).
"""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator
from pathlib import Path

__all__ = ["main", "violations"]

ROOT = Path(__file__).resolve().parent.parent
BLIND_ROOMS = ("hil/wire", "hil/boards", "hil/kernel")
HIDDEN_RECORD = "truth"
HIDDEN_MODULES = ("hil.plant", "hil.sensors")
ALLOWED_MODULE = "hil.plant.vehicle"


def _docstrings(tree: ast.Module) -> set[int]:
    """Return the ids of the constants that are docstrings or stand alone as text."""
    alone = (node.value for node in ast.walk(tree) if isinstance(node, ast.Expr))
    return {id(value) for value in alone if isinstance(value, ast.Constant)}


def _seen(node: ast.AST) -> str | None:
    """Say what is wrong with one node, None when nothing is."""
    if isinstance(node, ast.Attribute) and node.attr.lower() == HIDDEN_RECORD:
        return "attribute .truth"
    if isinstance(node, ast.Name) and node.id == HIDDEN_RECORD.upper():
        return "the TRUTH record"
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        if node.value == HIDDEN_RECORD:
            return "the record 'truth'"
        if node.value.startswith(HIDDEN_MODULES) and node.value != ALLOWED_MODULE:
            return f"the module {node.value!r} by its name"
    return None


def violations(path: Path) -> Iterator[str]:
    """Yield one line for each place in the file that reaches for truth."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    texts = _docstrings(tree)
    for node in ast.walk(tree):
        what = _seen(node)
        if what is not None and id(node) not in texts:
            line = getattr(node, "lineno", 0)
            yield f"{path.relative_to(ROOT)}:{line}: uses {what}; only plant, sensors and verdict know truth"


def main() -> int:
    """Print every violation; 0 when there is none."""
    files = [path for room in BLIND_ROOMS for path in sorted((ROOT / room).rglob("*.py"))]
    found = [line for path in files for line in violations(path)]
    for line in found:
        print(line)
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
