"""Property-based search for cases that break a landing.

The strategies are what users compose in tests of their own; they need hypothesis, which is imported when
the first of them is asked for.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from hil.search.strategies import (
        combustion_faults,
        engine_faults,
        faults,
        initial_states,
        off_nominal_cases,
        stages,
        winds,
    )

__all__ = [
    "combustion_faults",
    "engine_faults",
    "faults",
    "initial_states",
    "off_nominal_cases",
    "stages",
    "winds",
]


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module("hil.search.strategies"), name)
