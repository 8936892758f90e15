"""Builds the kernel's extension module from other objects, and runs the kernel's tests on it.

    python tools/kernel_variant.py EXTENSION [pytest arguments]

The tests import `hil.kernel._kernel`; here that name is a module built elsewhere from the same binding: with
coverage counters in it (kernel_coverage.py) or with one token of the C changed (mutation.py). Nothing in the
checkout is touched, and the tests cannot tell.
"""

from __future__ import annotations

import importlib.abc
import importlib.util
import os
import subprocess
import sys
import sysconfig
from importlib.machinery import ModuleSpec
from pathlib import Path

__all__ = ["BATTERY", "GOLDEN", "NAME", "ROOT", "Workshop", "run_pytest"]

ROOT = Path(__file__).resolve().parent.parent
NAME = "hil.kernel._kernel"
BATTERY = (
    "tests/kernel/test_kernel.py",
    "tests/kernel/test_interface.py",
    "tests/kernel/test_maths.py",
    "tests/kernel/test_laws.py",
    "tests/kernel/test_plans.py",
    "tests/kernel/test_navigation.py",
    "tests/kernel/test_relight.py",
    "tests/kernel/test_restart.py",
    "tests/kernel/test_landings.py",
    "tests/oracle/test_descent.py",
    "tests/kernel/test_descent_limits.py",
    "tests/kernel/test_descent.py",
    "tests/kernel/test_hostile_input.py",
)
"""What the kernel has to do, by tests that see its public headers only, as the binding exposes them."""
GOLDEN = "tests/kernel/test_golden.py"
"""The same, but: that it still does to the bit what it did."""


class Workshop:
    """Compiles the kernel's sources and the binding one by one into a folder, and links them."""

    def __init__(self, folder: Path, flags: tuple[str, ...]) -> None:
        from hil.kernel.native_build import FLAGS, kernel, kernel_sources

        self.folder = folder
        self.flags = [*(flag for flag in FLAGS if not flag.startswith("-O")), *flags, "-fPIC"]
        self.flags += [
            "-D_POSIX_C_SOURCE=200809L",
            f"-I{ROOT / 'csrc'}",
            f"-I{sysconfig.get_path('include')}",
        ]
        self.sources = [ROOT / name for name in kernel_sources(ROOT)]
        self.binding = folder / "_kernel.c"
        before = Path.cwd()
        os.chdir(ROOT)  # the binding's builder names headers from there
        try:
            kernel().emit_c_code(str(self.binding))
        finally:
            os.chdir(before)

    def compile(self, source: Path, target: Path) -> bool:
        """Compile one file into an object; False when the compiler refuses it."""
        command = ["gcc", *self.flags, "-w", "-c", str(source), "-o", str(target)]
        return subprocess.run(command, capture_output=True, check=False).returncode == 0

    def objects(self) -> dict[str, Path]:
        """Compile everything; return the object of each file by its name."""
        made = {}
        for source in (*self.sources, self.binding):
            made[source.name] = self.folder / f"{source.stem}.o"
            if not self.compile(source, made[source.name]):
                raise SystemExit(f"{source.name} does not compile")
        return made

    def link(self, objects: dict[str, Path], target: Path) -> None:
        """Link objects into an extension module."""
        coverage = [flag for flag in self.flags if flag == "--coverage"]
        command = ["gcc", "-shared", *coverage, *map(str, objects.values()), "-lm", "-o", str(target)]
        subprocess.run(command, check=True)


class Redirect(importlib.abc.MetaPathFinder):
    """Lets `hil.kernel._kernel` be an extension module that lies elsewhere."""

    def __init__(self, extension: Path) -> None:
        self.extension = extension

    def find_spec(self, fullname: str, *_: object) -> ModuleSpec | None:
        """Return where the kernel is; of anything else nothing is known here."""
        return importlib.util.spec_from_file_location(NAME, self.extension) if fullname == NAME else None


def run_pytest(arguments: list[str], plugins: list[object]) -> int:
    """Run pytest without installed plugins, drawing the same examples each time; return its status."""
    import pytest
    from hypothesis import Phase, settings

    os.environ["PYTEST_DISABLE_PLUGIN_AUTOLOAD"] = "1"
    phases = (Phase.explicit, Phase.generate)
    settings.register_profile(
        "variant", derandomize=True, database=None, deadline=None, phases=phases, max_examples=25
    )
    settings.load_profile("variant")
    options = ["-q", "--no-header", "-p", "no:faulthandler", "-p", "no:cacheprovider", "-m", "not nightly"]
    return int(pytest.main([*options, *arguments], plugins))


def main() -> int:
    """Run pytest on an extension module; its exit status."""
    if len(sys.argv) < 2:
        raise SystemExit("usage: python tools/kernel_variant.py EXTENSION [pytest arguments]")
    sys.meta_path.insert(0, Redirect(Path(sys.argv[1])))
    return run_pytest(sys.argv[2:], [])


if __name__ == "__main__":
    sys.exit(main())
