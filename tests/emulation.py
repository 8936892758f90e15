"""What tests of the emulated boards need; where it lacks they are skipped, but never where `CI` is set."""

from __future__ import annotations

import os
import shutil
from typing import Final

import pytest

__all__ = ["EMULATED", "emulated"]

_NEEDED: Final = {
    "qemu-system-arm": "qemu-system-arm",
    "arm-none-eabi-gcc": "gcc-arm-none-eabi libnewlib-arm-none-eabi",
}
_MISSING: Final = [package for tool, package in _NEEDED.items() if shutil.which(tool) is None]

EMULATED: Final = [
    pytest.mark.emulated,
    pytest.mark.skipif(
        bool(_MISSING) and not os.environ.get("CI"), reason=f"apt-get install {' '.join(_MISSING)}"
    ),
]
"""Marks of a test that runs Cortex-M7 images."""


def emulated(*values: object) -> object:
    """Return a set of a test's parameters that runs Cortex-M7 images."""
    return pytest.param(*values, marks=EMULATED)
