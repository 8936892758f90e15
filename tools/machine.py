"""Say what this machine lacks to build and run, with the way to get it; needs nothing but Python."""

import shutil
import sys
import sysconfig
from importlib.util import find_spec
from pathlib import Path

__all__ = ["lacking", "main"]


def lacking() -> list[str]:
    """Return one line for each thing that is missing."""
    found = []
    if not (3, 11) <= sys.version_info < (3, 14):
        version = sys.version.split()[0]
        found.append(f"Python 3.11 to 3.13 (this is {version}): name one, say make PYTHON=python3.12")
    if find_spec("ensurepip") is None or find_spec("venv") is None:
        found.append("Python's venv: apt-get install python3-venv")
    if not Path(sysconfig.get_path("include"), "Python.h").exists():
        found.append("Python's C headers: apt-get install python3-dev")
    if shutil.which("cc") is None and shutil.which("gcc") is None:
        found.append("a C compiler: apt-get install gcc libc6-dev")
    return found


def main() -> int:
    """Print what is missing; 0 when nothing is."""
    for line in lacking():
        print(f"missing: {line}", file=sys.stderr)
    return 1 if lacking() else 0


if __name__ == "__main__":
    sys.exit(main())
