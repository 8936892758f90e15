"""The two C extension modules, and the C sources and rigs that a wheel carries."""

from __future__ import annotations

import shutil
from pathlib import Path

from setuptools import setup
from setuptools.command.build_py import build_py

CARRIED = ("csrc", "firmware_stubs", "rigs")


class BuildPy(build_py):
    """Puts what lies beside the package in a checkout inside it in a wheel (hil.kernel.places finds both)."""

    def run(self) -> None:
        """Build the package; an editable install needs no copies."""
        super().run()
        if not self.editable_mode:
            for name in CARRIED:
                target = Path(self.build_lib, "hil", "_native", name)
                shutil.copytree(
                    name, target, dirs_exist_ok=True, ignore=shutil.ignore_patterns("__pycache__", "*.o")
                )


setup(
    cffi_modules=["hil/kernel/native_build.py:kernel", "hil/kernel/native_build.py:firmware"],
    cmdclass={"build_py": BuildPy},
)
