"""Where the C sources lie: beside the package in a checkout, inside it in a wheel."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from hil.signals import RigError

__all__ = ["source_root"]

_PACKAGE: Final = Path(__file__).resolve().parent.parent


def source_root() -> Path:
    """Return the folder that holds csrc/ and firmware_stubs/; raise RigError when there is none."""
    for root in (_PACKAGE.parent, _PACKAGE / "_native"):
        if (root / "csrc" / "fk_interface.h").is_file() and (root / "firmware_stubs").is_dir():
            return root
    raise RigError(f"the C sources (csrc/, firmware_stubs/) are not beside the package in {_PACKAGE.parent}")
