"""Counting the verdicts of many flights, with the bound that the count supports."""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import dataclass, field
from typing import Final

__all__ = ["Tally", "success_bounds"]

WORST_FIRST: Final = (130, 3, 4, 1, 0)
"""Exit statuses, the worst first: interrupted, ERROR, INVALID, FAIL, PASS."""

_HALVINGS: Final = 60


def _at_most(successes: int, flights: int, rate: float) -> float:
    """Return the probability of at most `successes` in `flights` when each succeeds with `rate`."""
    if rate <= 0.0:
        return 1.0
    if rate >= 1.0:
        return 1.0 if successes >= flights else 0.0
    total = 0.0
    for k in range(successes + 1):
        ways = math.lgamma(flights + 1) - math.lgamma(k + 1) - math.lgamma(flights - k + 1)
        total += math.exp(ways + k * math.log(rate) + (flights - k) * math.log1p(-rate))
    return min(total, 1.0)


def success_bounds(successes: int, flights: int, confidence: float = 0.95) -> tuple[float, float]:
    """Return the two-sided Clopper-Pearson bounds of a rate of success.

    Clopper & Pearson, Biometrika 26 (1934): the rates at which a result as extreme as this one has
    the probability (1 - confidence) / 2.  Raises ValueError when the counts are no counts.
    """
    if not 0 <= successes <= flights or flights < 1 or not 0.0 < confidence < 1.0:
        raise ValueError(f"{successes} of {flights} flights at a confidence of {confidence}")
    tail = (1.0 - confidence) / 2.0

    def solve(count: int, probability: float) -> float:
        low, high = 0.0, 1.0
        for _ in range(_HALVINGS):
            middle = (low + high) / 2.0
            if _at_most(count, flights, middle) > probability:
                low = middle
            else:
                high = middle
        return (low + high) / 2.0

    lower = 0.0 if successes == 0 else solve(successes - 1, 1.0 - tail)
    upper = 1.0 if successes == flights else solve(successes, tail)
    return lower, upper


@dataclass
class Tally:
    """The verdicts and exit statuses of the flights of a campaign, and why some did not pass."""

    verdicts: Counter[str] = field(default_factory=Counter)
    statuses: set[int] = field(default_factory=set)
    others: list[str] = field(default_factory=list)
    """One line for each flight that did not pass."""

    def add(self, seed: int, verdict: str, status: int, why: str) -> None:
        """Count the flight of `seed`; `why` says in one line what kept it from passing ('' if nothing)."""
        self.verdicts[verdict] += 1
        self.statuses.add(status)
        if verdict != "PASS":
            self.others.append(f"seed {seed} {verdict}: {why}")

    @property
    def worst_status(self) -> int:
        """The worst exit status of all flights, in the order 130, 3, 4, 1, 0."""
        return next(status for status in WORST_FIRST if status in self.statuses)

    def sentence(self) -> str:
        """Say how many passed and what rate of success that supports."""
        flights = self.verdicts.total()
        passed = self.verdicts["PASS"]
        low, high = success_bounds(passed, flights)
        others = ", ".join(
            f"{n} {verdict}" for verdict, n in sorted(self.verdicts.items()) if verdict != "PASS"
        )
        rest = f" ({others})" if others else ""
        return (
            f"{passed} of {flights} flights PASS{rest}: "
            f"rate of success {100 * low:.2f} to {100 * high:.2f} % (95 %, Clopper-Pearson)"
        )
