"""No function is longer than 60 lines or has a cyclomatic complexity above 15, in C or Python.

Exceptions are listed here by name, each with its reason; one that is no longer needed is an error too.
"""

from __future__ import annotations

import sys
from pathlib import Path

import lizard
from check_c import sources

__all__ = ["EXCEPTIONS", "main"]

ROOT = Path(__file__).resolve().parent.parent
PYTHON_ROOMS = ("hil", "tools", "tests", "benchmarks")
MOST_LINES = 60
MOST_COMPLEX = 15
EXCEPTIONS: dict[str, str] = {}
"""`path:function` -> why it may be larger."""


def _files() -> list[str]:
    python = (path for room in PYTHON_ROOMS for path in (ROOT / room).rglob("*.py"))
    return sorted(str(path.relative_to(ROOT)) for path in [*python, *sources("*.[ch]")])


def _too_large() -> dict[str, str]:
    """Return `path:function` -> its size, for every function above a limit."""
    found = {}
    for name in _files():
        for function in lizard.analyze_file(str(ROOT / name)).function_list:
            lines = function.end_line - function.start_line + 1
            if lines > MOST_LINES or function.cyclomatic_complexity > MOST_COMPLEX:
                size = f"{lines} lines, complexity {function.cyclomatic_complexity}"
                found[f"{name}:{function.name}"] = f"{name}:{function.start_line}: {function.name}: {size}"
    return found


def main() -> int:
    """Print every function that is too large and every exception that is none; 0 when there is none."""
    large = _too_large()
    wrong = [text for key, text in large.items() if key not in EXCEPTIONS]
    wrong += [f"{key}: listed as an exception, but small enough" for key in EXCEPTIONS if key not in large]
    for line in wrong:
        print(line)
    if wrong:
        print(f"at most {MOST_LINES} lines and complexity {MOST_COMPLEX}: name the steps")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
