"""Board firmware as executables of this machine, built on first use."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from hil.files import FileError
from hil.kernel import Kernel
from hil.kernel.native_build import build_defines
from hil.kernel.places import source_root
from hil.kernel.toolchain import CompileError, Product, build
from hil.signals import RigError

__all__ = ["flight_computer_executable", "valve_board_executable"]

_FOLDERS: Final = ("common", "common/generated", "port_host")


def _sources(own: str) -> tuple[list[Path], list[Path]]:
    """Return sources and include folders of firmware `own` with the process port."""
    stubs = source_root() / "firmware_stubs"
    folders = [stubs / folder for folder in ("common", "common/generated", own)]
    sources = [path for folder in folders for path in sorted(folder.glob("*.c"))]
    sources += [stubs / "port_host" / "host.c", stubs / "port_host" / f"main_{own}.c"]
    return sources, [stubs / folder for folder in (*_FOLDERS, own)]


def valve_board_executable() -> Path:
    """Return the valve board's executable; raise RigError when it cannot be built."""
    sources, includes = _sources("engine_valve")
    try:
        return build(
            Product("engine_valve", tuple(sources), tuple(includes), defines=build_defines(source_root()))
        )
    except CompileError as error:
        raise RigError(f"firmware engine_valve: does not compile: {error}") from None


def flight_computer_executable(kernel: Kernel) -> Path:
    """Return the flight computer's executable with `kernel` linked in.

    Raises FileError when the kernel does not link, RigError when there is no compiler.
    """
    sources, includes = _sources("flight_computer")
    includes.append(source_root() / "csrc")
    links: tuple[str, ...] = ()
    if kernel.library is not None:
        links = (str(kernel.library), f"-Wl,-rpath,{kernel.library.parent}")
    product = Product(
        "flight_computer",
        (*sources, *kernel.sources),
        (*includes, *kernel.includes),
        links=links,
        defines=build_defines(source_root()),
    )
    try:
        return build(product)
    except CompileError as error:
        raise FileError(f"kernel {kernel.name}: does not link into the flight computer: {error}") from None
