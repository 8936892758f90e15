"""Where the C sources lie: beside the package in a checkout, inside it in a wheel."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any, Final

from hil.kernel.native_build import digest_of
from hil.signals import RigError

__all__ = ["check_built", "reference_sha256", "source_root"]

_PACKAGE: Final = Path(__file__).resolve().parent.parent


def source_root() -> Path:
    """Return the folder that holds csrc/ and firmware_stubs/; raise RigError when there is none."""
    for root in (_PACKAGE.parent, _PACKAGE / "_native"):
        if (root / "csrc" / "fk_interface.h").is_file() and (root / "firmware_stubs").is_dir():
            return root
    raise RigError(f"the C sources (csrc/, firmware_stubs/) are not beside the package in {_PACKAGE.parent}")


def reference_sha256() -> str:
    """Return the digest of the reference kernel: its C sources and headers."""
    digest = hashlib.sha256()
    for path in sorted((source_root() / "csrc").glob("*.[ch]")):
        digest.update(path.name.encode() + b"\0" + path.read_bytes() + b"\0")
    return digest.hexdigest()


def check_built(what: str, module: Any, sources: list[str]) -> None:
    """Raise RigError when an extension module was built from other C than lies there now.

    Processes are compiled when they are needed, extension modules when the package is installed: without
    this check a changed kernel would fly on some rungs and the old one on the others.
    """
    built_from = module.ffi.string(module.lib.BUILT_FROM).decode()
    if built_from != digest_of(source_root(), sources):
        raise RigError(
            f"{what} was built from other C sources than lie there now: pip install -e . (or make run)"
        )
