"""Say what this machine lacks to build and run, with the way to get it; needs nothing but Python."""

import os
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


def lacking_to_emulate() -> list[str]:
    """Return one line for each thing that is missing for boards in QEMU."""
    found = []
    if shutil.which("qemu-system-arm") is None:
        found.append("QEMU for Arm: apt-get install qemu-system-arm")
    if shutil.which("arm-none-eabi-gcc") is None:
        found.append(
            "a compiler for the Cortex-M7: apt-get install gcc-arm-none-eabi libnewlib-arm-none-eabi"
        )
    return found


def main() -> int:
    """Print what is missing; 0 when nothing is.

    With --emulated look for what boards in QEMU need; 3 when it lacks, 1 where `CI` is set and it may not.
    """
    may_not_lack = bool(os.environ.get("CI"))
    if "--emulated" in sys.argv[1:]:
        for line in lacking_to_emulate():
            print(f"{'missing' if may_not_lack else 'skipped, for want of'}: {line}", file=sys.stderr)
        return (1 if may_not_lack else 3) if lacking_to_emulate() else 0
    for line in lacking():
        print(f"missing: {line}", file=sys.stderr)
    return 1 if lacking() else 0


if __name__ == "__main__":
    sys.exit(main())
