"""Any guidance kernel that implements csrc/fk_interface.h, reached through cffi."""

from __future__ import annotations

import functools
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from cffi import FFI

from hil.files import FileError
from hil.kernel.native_build import declarations, kernel_sources
from hil.kernel.places import check_built, source_root
from hil.kernel.toolchain import CompileError, Product, build
from hil.kernel.trial import KernelRefused, try_out

__all__ = [
    "Kernel",
    "KernelRun",
    "check_fits",
    "interface",
    "load_library",
    "load_sources",
    "reference_kernel",
]

MOST_STATE: Final = 64 * 1024 * 1024
"""Bytes of state that the flight computer has at most (fc_logic.c)."""
FUNCTIONS: Final = ("fk_if_describe", "fk_if_init", "fk_if_step")


@dataclass(frozen=True, eq=False)
class Kernel:
    """A kernel ready to fly: its three functions by address, and what a firmware build links.

    `name` is what the rig calls it, `label` what the kernel calls itself; `state_size` in bytes.
    """

    name: str
    label: str
    state_size: int
    work_bound: int
    """Most work that the kernel says it does in a step, in its own unit; 0: it does not say."""
    describe: int
    init: int
    step: int
    sources: tuple[Path, ...]
    includes: tuple[Path, ...]
    library: Path | None
    image: Path | None
    """The file that was loaded; None for the kernel that is built into the package."""
    keep: Any
    """Holds the loaded library, which must outlive the addresses."""
    step_instructions_max: int | None = None
    """Instructions of a step on a Cortex-M7, at most; None for a kernel that states no bound."""

    @property
    def files(self) -> list[Path]:
        """What goes into a flight computer: sources and the headers that they may include, or a library."""
        if self.library is not None:
            return [self.library]
        folders = {*self.includes, *(path.parent for path in self.sources)}
        return [*self.sources, *(header for folder in folders for header in folder.glob("*.h"))]


@functools.cache
def interface() -> Any:
    """Return the cffi view of fk_interface.h: its structs and constants."""
    ffi = FFI()
    ffi.cdef(declarations((source_root() / "csrc" / "fk_interface.h").read_text(encoding="utf-8")))
    return ffi


def _describe(name: str, address: int) -> tuple[str, int, int]:
    """Return the kernel's label, state size and work bound; raise FileError when it does not fit."""
    ffi = interface()
    info = ffi.new("fk_if_info_t *")
    ffi.cast("void (*)(fk_if_info_t *)", address)(info)
    version = ffi.dlopen(None).FK_IF_VERSION
    if info.version != version:
        raise FileError(f"kernel {name}: interface version {info.version}, this bench speaks {version}")
    for what, size in (
        ("fk_if_input_t", info.input_size),
        ("fk_if_output_t", info.output_size),
        ("fk_if_config_t", info.config_size),
    ):
        if size != ffi.sizeof(what):
            raise FileError(f"kernel {name}: its {what} has {size} bytes, this bench's {ffi.sizeof(what)}")
    if not 0 < info.state_size <= MOST_STATE:
        raise FileError(
            f"kernel {name}: its state_size is {info.state_size} bytes (allowed: 1 to {MOST_STATE})"
        )
    most_work = ffi.dlopen(None).FK_IF_MOST_WORK
    if info.work_bound > most_work:
        raise FileError(
            f"kernel {name}: its work_bound is {info.work_bound} (allowed: 0 to {most_work}): "
            "count in larger units"
        )
    label = ffi.string(info.name).decode(errors="replace") if info.name != ffi.NULL else name
    return label, int(info.state_size), int(info.work_bound)


def load_library(
    name: str, library: Path, *, sources: tuple[Path, ...] = (), includes: tuple[Path, ...] = ()
) -> Kernel:
    """Load a shared library as kernel `name`; raise FileError when it does not fit.

    It is loaded and described in a child process first: what crashes there never gets into this one.
    """
    ffi = interface()
    if not library.is_file():
        raise FileError(f"kernel {name}: {library}: no such file")
    try_out(name, library, ffi)
    try:
        lib = ffi.dlopen(str(library.resolve()), ffi.RTLD_NOW | ffi.RTLD_LOCAL)
    except OSError as error:
        raise FileError(f"kernel {name}: cannot be loaded: {error}") from None

    def address(function: str) -> int:
        try:
            return int(ffi.cast("uintptr_t", getattr(lib, function)))
        except AttributeError:
            raise FileError(f"kernel {name}: does not define {function}") from None

    describe, init, step = (address(function) for function in FUNCTIONS)
    label, size, work = _describe(name, describe)
    used = None if sources else library.resolve()
    return Kernel(name, label, size, work, describe, init, step, sources, includes, used, library, lib)


def load_sources(name: str, sources: tuple[Path, ...], includes: tuple[Path, ...] = ()) -> Kernel:
    """Compile C sources as kernel `name` and load them; raise FileError when they do not fit."""
    for path in sources:
        if not path.is_file():
            raise FileError(f"kernel {name}: {path}: no such file")
    for path in includes:
        if not path.is_dir():
            raise FileError(f"kernel {name}: {path}: no such folder")
    everything = (*includes, source_root() / "csrc")
    try:
        library = build(Product("kernel", sources, everything, shared=True))
    except CompileError as error:
        raise FileError(f"kernel {name}: does not compile: {error}") from None
    return load_library(name, library, sources=sources, includes=includes)


@functools.cache
def reference_kernel() -> Kernel:
    """Return the project's own kernel, built with the package."""
    from hil.kernel import _kernel  # built by setup.py: absent until then

    check_built("the reference kernel", _kernel, kernel_sources(source_root()))
    ffi, lib = _kernel.ffi, _kernel.lib
    describe, init, step = (int(ffi.cast("uintptr_t", ffi.addressof(lib, name))) for name in FUNCTIONS)
    label, size, work = _describe("reference", describe)
    sources = tuple(sorted((source_root() / "csrc").glob("*.c")))
    most = int(lib.FK_STEP_INSTRUCTIONS_MAX)
    return Kernel("reference", label, size, work, describe, init, step, sources, (), None, None, lib, most)


def check_fits(kernel: Kernel, config: bytes) -> None:
    """See that a kernel starts with a configuration (an fk_if_config_t) and takes a step.

    A kernel from outside does so in a child process; see hil.kernel.trial.  Raises KernelRefused when it
    refuses the configuration, FileError when it crashes or hangs.
    """
    if kernel.image is not None:
        try_out(kernel.name, kernel.image, interface(), config)
        return
    try:
        KernelRun(kernel, config)
    except ValueError as refused:
        raise KernelRefused(str(refused)) from None


class KernelRun:
    """A kernel by itself, without boards: for tests of its laws.

    Fill `input`, call `step()`, read `output`; both are cffi structs of fk_interface.h.  `config` is
    a cffi `fk_if_config_t *` or its bytes.  Raises ValueError when the kernel refuses it.
    """

    def __init__(self, kernel: Kernel, config: Any) -> None:
        ffi = interface()
        self._kernel = kernel
        self._memory = ffi.new("unsigned char[]", kernel.state_size + 16)
        at = int(ffi.cast("uintptr_t", self._memory))
        self._state = ffi.cast("void *", (at + 15) & ~15)
        self.config = ffi.new("fk_if_config_t *")
        raw = config if isinstance(config, bytes) else bytes(ffi.buffer(config))
        ffi.memmove(self.config, raw, ffi.sizeof("fk_if_config_t"))
        self.input = ffi.new("fk_if_input_t *")
        self.output = ffi.new("fk_if_output_t *")
        self._step = ffi.cast("void (*)(void *, const fk_if_input_t *, fk_if_output_t *)", kernel.step)
        start = ffi.cast("int32_t (*)(void *, const fk_if_config_t *)", kernel.init)
        refused = start(self._state, self.config)
        if refused:
            raise ValueError(f"kernel {kernel.name}: refused its configuration ({refused})")

    def step(self) -> None:
        """Run one minor frame."""
        self._step(self._state, self.input, self.output)
