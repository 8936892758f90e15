"""Hypothesis profiles of property tests that fly: how many examples, and what a rung can bear.

`pytest --hypothesis-profile NAME` picks one; the pytest plugin registers them.
"""

from __future__ import annotations

from hypothesis import HealthCheck, Phase, settings

__all__ = ["PROFILES", "register_profiles"]

_SLOW = (HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.function_scoped_fixture)
"""A flight takes longer than what Hypothesis expects of an example, and shares its rig."""

_PHASES = (Phase.explicit, Phase.reuse, Phase.generate, Phase.target, Phase.shrink)
"""Phase.explain is left out: it takes hundreds of flights to say what a case's file says."""

_SEARCHING = settings(
    deadline=None, phases=_PHASES, print_blob=True, report_multiple_bugs=False, suppress_health_check=_SLOW
)

PROFILES = {
    "ci": settings(_SEARCHING, max_examples=30, derandomize=True),
    "nightly": settings(_SEARCHING, max_examples=300),
    "bench": settings(
        max_examples=10,
        derandomize=True,
        database=None,
        deadline=None,
        phases=(Phase.explicit, Phase.generate),
        suppress_health_check=_SLOW,
    ),
}
"""`ci`: the same examples every time.  `nightly`: many, others every night.  `bench`: a few flights in real
time; a failure is not shrunk there (each attempt would be a flight), but on a lower rung."""


def register_profiles() -> None:
    """Make the profiles known to Hypothesis by their names; which one is used does not change."""
    for name, profile in PROFILES.items():
        settings.register_profile(name, profile)
