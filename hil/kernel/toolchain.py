"""Compiles C on first use, into a cache that is addressed by content.

The key of a product is a digest of everything that goes into it: sources, headers, flags, compiler.
Two flights that start together may both compile; the finished file is renamed into place, so that
nobody ever sees half of it.
"""

from __future__ import annotations

import functools
import hashlib
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from hil.kernel.native_build import FLAGS
from hil.signals import RigError

__all__ = ["CORTEX_M7", "HOST", "CompileError", "Product", "Target", "build", "cache_folder", "compiler_of"]


class CompileError(Exception):
    """The compiler refused the sources; the message is its first complaint, in one line."""


@dataclass(frozen=True)
class Target:
    """What is compiled for: the compiler, what it is asked for besides FLAGS, and how to get it.

    `variable` is the environment variable that may name another compiler.
    """

    compiler: str
    get: str
    flags: tuple[str, ...] = ()
    variable: str | None = None


HOST: Final = Target("cc", "apt-get install gcc, or set CC", variable="CC")
CORTEX_M7: Final = Target(
    "arm-none-eabi-gcc",
    "apt-get install gcc-arm-none-eabi libnewlib-arm-none-eabi",
    (
        *("-mcpu=cortex-m7", "-mthumb", "-mfpu=fpv5-d16", "-mfloat-abi=hard", "-nostartfiles"),
        *("-ffunction-sections", "-fdata-sections", "-Wl,--gc-sections", "--specs=nano.specs"),
    ),
)
"""Double precision in hardware, no start files but our own, newlib's smallest C library."""


@dataclass(frozen=True)
class Product:
    """What is to be built: a name for people, sources, include folders, further linker arguments."""

    name: str
    sources: tuple[Path, ...]
    includes: tuple[Path, ...]
    shared: bool = False
    links: tuple[str, ...] = ()
    target: Target = HOST


def cache_folder() -> Path:
    """Return the folder of finished products: $XDG_CACHE_HOME/lastbrake or ~/.cache/lastbrake."""
    base = os.environ.get("XDG_CACHE_HOME")
    return (Path(base) if base else Path.home() / ".cache") / "lastbrake"


@functools.cache
def _compiler(name: str, get: str) -> tuple[str, str]:
    """Return the compiler's path and what it says of its version."""
    path = shutil.which(name)
    if path is None:
        raise RigError(f"no C compiler: {name!r} is not on the path ({get})")
    said = subprocess.run([path, "--version"], capture_output=True, text=True, check=False)
    return path, said.stdout


def compiler_of(target: Target) -> tuple[str, str]:
    """Return (path, version in its own words) of a target's compiler; raise RigError when it is not there."""
    named = None if target.variable is None else os.environ.get(target.variable)
    return _compiler(named or target.compiler, target.get)


def _headers(folders: Iterable[Path]) -> list[Path]:
    return sorted(path for folder in folders for path in folder.rglob("*.h"))


def _key(product: Product, flags: list[str], version: str) -> str:
    digest = hashlib.sha256()
    for text in (version, " ".join(flags), " ".join(product.links), str(product.shared)):
        digest.update(text.encode() + b"\0")
    folders = dict.fromkeys((*product.includes, *(s.parent for s in product.sources)))
    for path in (*product.sources, *_headers(folders)):
        digest.update(path.name.encode() + b"\0")
        digest.update(path.read_bytes() + b"\0")
    for link in product.links:
        if Path(link).is_file():
            digest.update(Path(link).read_bytes())
    return digest.hexdigest()[:24]


def build(product: Product) -> Path:
    """Return the built file, from the cache or compiled now.

    Raises CompileError when the compiler refuses the sources, RigError when there is no compiler or
    no place for the result.
    """
    compiler, version = compiler_of(product.target)
    flags = [*FLAGS, *product.target.flags, *(("-shared", "-fPIC", "-Wl,-z,defs") if product.shared else ())]
    folder = cache_folder()
    target = folder / f"{product.name}-{_key(product, flags, version)}{'.so' if product.shared else ''}"
    if target.is_file():
        return target
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=folder) as scratch:
            fresh = Path(scratch) / target.name
            _compile(compiler, flags, product, fresh)
            fresh.replace(target)
    except OSError as error:
        raise RigError(f"{folder}: cannot keep the compiled {product.name}: {error.strerror}") from None
    return target


def _compile(compiler: str, flags: list[str], product: Product, target: Path) -> None:
    includes = [f"-I{folder}" for folder in product.includes]
    sources = [str(source) for source in product.sources]
    command = [compiler, *flags, *includes, "-o", str(target), *sources, *product.links, "-lm"]
    said = subprocess.run(command, capture_output=True, text=True, check=False)
    if said.returncode != 0:
        complaints = [line.strip() for line in said.stderr.splitlines() if line.strip()]
        telling = [c for c in complaints if "error" in c or "undefined reference" in c]
        raise CompileError((telling or complaints or [f"exit status {said.returncode}"])[0])
