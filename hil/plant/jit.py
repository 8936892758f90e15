"""The one way in which the plant compiles its core.

Numba's cache notices a change of the file of a function, but not of the files of the functions
that it calls.  So the caches of this package are dropped as soon as any of its sources is newer.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar, cast

import numba

__all__ = ["compiled"]

Function = TypeVar("Function", bound=Callable[..., Any])


def _drop_stale_caches(package: Path) -> None:
    """Remove the cache indices in `package` that are older than its newest source file."""
    try:
        newest = max(source.stat().st_mtime for source in package.glob("*.py"))
        for index in (package / "__pycache__").glob("*.nbi"):
            if index.stat().st_mtime <= newest:
                index.unlink(missing_ok=True)
    except OSError:
        return  # a read-only or vanishing cache is numba's business


_drop_stale_caches(Path(__file__).parent)


def compiled(function: Function) -> Function:
    """Compile `function` on first use and keep it on disk; IEEE arithmetic, no fast-math."""
    return cast(Function, numba.njit(cache=True, error_model="numpy")(function))
