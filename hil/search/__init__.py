"""Property-based search for cases that break a landing."""

from hil.search.strategies import engine_faults, initial_states, off_nominal_cases, winds

__all__ = ["engine_faults", "initial_states", "off_nominal_cases", "winds"]
