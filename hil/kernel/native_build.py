"""Builds the C parts as cffi API-mode extension modules; what Python knows of them is their headers.

Run by setuptools (setup.py) before anything is installed, so it imports nothing but cffi.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Final

from cffi import FFI

__all__ = [
    "FLAGS",
    "build_defines",
    "declarations",
    "digest_of",
    "firmware",
    "firmware_build",
    "firmware_sources",
    "kernel",
    "kernel_sources",
]

FLAGS: Final = ("-std=c11", "-O3", "-fno-math-errno", "-fno-trapping-math", "-ffp-contract=off")
"""How every C file of the project is compiled; no contraction, so that all rungs give the same bits."""

_FIRMWARE_HEADERS: Final = (
    "firmware_stubs/common/port.h",
    "firmware_stubs/common/generated/bus_scaling.h",
    "firmware_stubs/common/records.h",
    "firmware_stubs/common/checks.h",
    "firmware_stubs/common/link.h",
    "firmware_stubs/common/identity.h",
    "firmware_stubs/engine_valve/ev_limits.h",
    "firmware_stubs/engine_valve/ev_enable.h",
    "firmware_stubs/engine_valve/ev_logic.h",
    "csrc/fk_interface.h",
    "firmware_stubs/flight_computer/fc_logic.h",
    "firmware_stubs/flight_computer/fc_sensors.h",
    "firmware_stubs/flight_computer/fc_node.h",
    "firmware_stubs/port_host/port_memory.h",
    "firmware_stubs/port_host/in_process.h",
    "firmware_stubs/port_host/direct.h",
    "firmware_stubs/port_host/can_bits.h",
)
INCLUDES: Final = (
    "csrc",
    "firmware_stubs/common",
    "firmware_stubs/common/generated",
    "firmware_stubs/engine_valve",
    "firmware_stubs/flight_computer",
    "firmware_stubs/port_host",
)


ROLES: Final = ("engine_valve", "flight_computer")


def declarations(header: str) -> str:
    """Return what cffi reads of a C header: no comments, no directives but numeric constants."""
    text = re.sub(r"/\*.*?\*/", "", header, flags=re.DOTALL)
    lines = []
    for line in text.splitlines():
        constant = re.match(r"\s*#\s*define\s+(\w+)\s+(0x[0-9a-fA-F]+|\d+)u?\s*$", line)
        if constant:
            lines.append(f"#define {constant[1]} {constant[2]}")
        elif not line.lstrip().startswith("#"):
            lines.append(line)
    text = "\n".join(lines)
    return re.sub(r"extern const firmware_t \w+;", "", text)


def kernel_sources(root: Path) -> list[str]:
    """Return the sources of the reference kernel, relative to `root`."""
    return sorted(str(p.relative_to(root)) for p in (root / "csrc").glob("*.c"))


def firmware_sources(root: Path) -> list[str]:
    """Return the sources of the firmware that runs in process, relative to `root`."""
    stubs = root / "firmware_stubs"
    folders = ("common", "common/generated", "engine_valve")
    found = [path for folder in folders for path in stubs.glob(f"{folder}/*.c")]
    found += [p for p in stubs.glob("flight_computer/*.c") if p.name != "fc_firmware.c"]
    on_the_bench = ("can_bits.c", "direct.c", "in_process.c", "port_memory.c")
    found += [stubs / "port_host" / name for name in on_the_bench]
    return sorted(str(p.relative_to(root)) for p in found)


def digest_of(root: Path, sources: list[str]) -> str:
    """Return a digest of C sources (relative to `root`) and of the headers that they may include."""
    digest = hashlib.sha256()
    headers = [str(p.relative_to(root)) for folder in INCLUDES for p in (root / folder).glob("*.h")]
    for name in sorted({*sources, *headers}):
        digest.update(name.encode() + b"\0" + (root / name).read_bytes() + b"\0")
    return digest.hexdigest()


def firmware_build(root: Path, role: str, kernel: Iterable[Path] = ()) -> int:
    """Return 24 bits of the digest of what the firmware `role` is built from, whatever it runs on.

    `kernel` are the files of the guidance kernel that is linked into a flight computer; a valve board has
    none.
    """
    stubs = root / "firmware_stubs"
    folders = ("common", "common/generated", role)
    files = [path for folder in folders for path in (stubs / folder).glob("*.[ch]")]
    if role == "flight_computer":
        files += {root / "csrc" / "fk_interface.h", *kernel}
    digest = hashlib.sha256()
    for path in sorted(files, key=lambda path: (path.name, path)):
        digest.update(path.name.encode() + b"\0" + path.read_bytes() + b"\0")
    return int.from_bytes(digest.digest()[:3], "big") or 1


def build_defines(root: Path, kernel: Iterable[Path] = ()) -> tuple[str, ...]:
    """Return the preprocessor's definitions by which a board knows what it was built from."""
    return tuple(f"FIRMWARE_BUILD_{role.upper()}={firmware_build(root, role, kernel)}" for role in ROLES)


def _module(
    name: str,
    headers: tuple[str, ...],
    sources: list[str],
    absent: str = "",
    more: tuple[str, str] = ("", ""),
) -> Any:
    """Build a module from headers; functions whose name begins with `absent` are not in its sources.

    `more` are declarations and code of the binding's own.
    """
    ffi = FFI()
    for header in headers:
        text = declarations(Path(header).read_text(encoding="utf-8"))
        ffi.cdef(re.sub(rf"^\w+ {absent}\w+\([^;]*;", "", text, flags=re.MULTILINE) if absent else text)
    ffi.cdef("static char *const BUILT_FROM;")
    ffi.cdef(more[0])
    includes = "\n".join(f'#include "{Path(header).name}"' for header in headers) + more[1]
    digest, defines = digest_of(Path.cwd(), sources), build_defines(Path.cwd())
    ffi.set_source(
        name,
        # the definitions stand in the text too, so that setuptools builds anew when they change
        f'{includes}\n/* {" ".join(defines)} */\nstatic char *const BUILT_FROM = "{digest}";',
        sources=sources,
        include_dirs=list(INCLUDES),
        extra_compile_args=[
            *FLAGS,
            "-D_POSIX_C_SOURCE=200809L",
            *(f"-D{define}" for define in defines),
        ],
        libraries=["m"],
    )
    return ffi


_DESCENT: Final = """
#define FK_DESCENT_FIXED ...
#define FK_DESCENT_FREE ...
#define FK_DESCENT_SWITCH ...
#define FK_DESCENT_BOTH ...
#define FK_DESCENT_MOST ...
#define FK_DESCENT_PASSES ...
#define FK_STEP_INSTRUCTIONS_MAX ...
size_t descent_size(void);
void descent_init(void *memory, const fk_problem_t *problem, int32_t free_time);
int32_t descent_iterate(void *memory, int32_t iterations);
void descent_result(const void *memory, fk_answer_t *out);
double descent_timed(void *memory, const fk_problem_t *problem, int32_t free_time);
"""
_DESCENT_C: Final = """
#include "fk.h"
#include "fk_descent.h"
#include <time.h>
static size_t descent_size(void) { return sizeof(fk_descent_t); }
static void descent_init(void *memory, const fk_problem_t *problem, int32_t free_time)
{
    fk_descent_init(memory, problem, free_time);
}
static int32_t descent_iterate(void *memory, int32_t iterations)
{
    return fk_descent_iterate(memory, iterations);
}
static void descent_result(const void *memory, fk_answer_t *out) { fk_descent_result(memory, out); }
static double descent_timed(void *memory, const fk_problem_t *problem, int32_t free_time)
{
    struct timespec from, to;
    clock_gettime(CLOCK_MONOTONIC, &from);
    fk_descent_init(memory, problem, free_time);
    while (fk_descent_iterate(memory, FK_SOCP_ITERATIONS) == FK_DESCENT_RUNNING) {
    }
    clock_gettime(CLOCK_MONOTONIC, &to);
    return (double)(to.tv_sec - from.tv_sec) + 1e-9 * (double)(to.tv_nsec - from.tv_nsec);
}
"""
"""The clock is the host's: the kernel has none."""


def kernel() -> Any:
    """Return the builder of hil.kernel._kernel; the working directory is the project's."""
    headers = ("csrc/fk_interface.h", "csrc/fk_math.h", "csrc/fk_problem.h")
    return _module("hil.kernel._kernel", headers, kernel_sources(Path.cwd()), more=(_DESCENT, _DESCENT_C))


def firmware() -> Any:
    """Return the builder of hil.boards._firmware; the working directory is the project's."""
    return _module("hil.boards._firmware", _FIRMWARE_HEADERS, firmware_sources(Path.cwd()), absent="fk_if_")
