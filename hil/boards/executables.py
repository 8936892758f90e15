"""Board firmware as executables of this machine and as images of a Cortex-M7, built on first use."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Final

from hil.files import FileError
from hil.kernel import Kernel
from hil.kernel.native_build import build_defines
from hil.kernel.places import source_root
from hil.kernel.toolchain import CORTEX_M7, CompileError, Product, build
from hil.signals import RigError

__all__ = [
    "descent_image",
    "flight_computer_executable",
    "flight_computer_image",
    "valve_board_executable",
    "valve_board_image",
]

_FOLDERS: Final = ("common", "common/generated", "port_host")


def _sources(own: str) -> tuple[list[Path], list[Path]]:
    """Return sources and include folders of firmware `own` with the process port."""
    stubs = source_root() / "firmware_stubs"
    folders = [stubs / folder for folder in ("common", "common/generated", own)]
    sources = [path for folder in folders for path in sorted(folder.glob("*.c"))]
    port = stubs / "port_host"
    sources += [port / "host.c", port / "socketcan.c", port / f"main_{own}.c"]
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
        defines=build_defines(source_root(), kernel.files),
    )
    try:
        return build(product)
    except CompileError as error:
        raise FileError(f"kernel {kernel.name}: does not link into the flight computer: {error}") from None


# ---- images: the same sources on the port of the mps2-an500


def _image(
    name: str,
    own: str,
    sources: tuple[Path, ...],
    includes: tuple[Path, ...] = (),
    kernel: Sequence[Path] = (),
) -> Path:
    """Build the image of main_<own>.c with a kernel of these files; raise CompileError or RigError."""
    stubs = source_root() / "firmware_stubs"
    port = stubs / "port_mps2_an500"
    parts = ("board", "machine", "semihosting", "startup", f"main_{own}")
    system = tuple(port / f"{part}.c" for part in parts)
    folders = (*(stubs / folder for folder in _FOLDERS), port)
    links = ("-T", str(port / "link.ld"))
    every = (*system, stubs / "port_host" / "port_memory.c", *sources)
    return build(
        Product(
            name,
            every,
            (*folders, *includes),
            links=links,
            target=CORTEX_M7,
            defines=build_defines(source_root(), kernel),
        )
    )


def _node_sources(own: str) -> tuple[Path, ...]:
    """Return the sources of firmware `own` without port, nor binding to a kernel."""
    stubs = source_root() / "firmware_stubs"
    folders = [stubs / folder for folder in ("common", "common/generated", own)]
    return tuple(p for folder in folders for p in sorted(folder.glob("*.c")) if p.name != "fc_firmware.c")


def valve_board_image() -> Path:
    """Return the valve board's Cortex-M7 image; raise RigError when it cannot be built."""
    own = source_root() / "firmware_stubs" / "engine_valve"
    try:
        return _image("engine_valve.m7", "engine_valve", _node_sources("engine_valve"), (own,))
    except CompileError as error:
        raise RigError(f"firmware engine_valve: does not compile for the Cortex-M7: {error}") from None


def flight_computer_image(kernel: Kernel) -> Path:
    """Return the flight computer's Cortex-M7 image with `kernel` linked in.

    Raises FileError when the kernel does not link, RigError when there is no compiler.
    """
    if kernel.library is not None:
        raise FileError(
            f"kernel {kernel.name}: {kernel.library.name} is a library of this machine, which no Cortex-M7 "
            "can run: name its sources instead"
        )
    root = source_root()
    own = (root / "firmware_stubs" / "flight_computer", root / "csrc", *kernel.includes)
    try:
        return _image(
            "flight_computer.m7",
            "flight_computer",
            (*_node_sources("flight_computer"), *kernel.sources),
            own,
            kernel.files,
        )
    except CompileError as error:
        raise FileError(f"kernel {kernel.name}: does not link into the Cortex-M7 image: {error}") from None


def descent_image() -> Path:
    """Return the Cortex-M7 image that solves descents; raise RigError when it cannot be built."""
    kernel = source_root() / "csrc"
    try:
        return _image("descent.m7", "descent", tuple(sorted(kernel.glob("*.c"))), (kernel,))
    except CompileError as error:
        raise RigError(f"the optimiser: does not compile for the Cortex-M7: {error}") from None
