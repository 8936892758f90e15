"""Several hunters at once: processes with seeds of their own, findings in the order of the hunters."""

from __future__ import annotations

import multiprocessing
import tempfile
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor, wait
from dataclasses import dataclass
from typing import Final

from hil.rig.plan import Plan
from hil.search.hunt import Finding, Hunt, hunt

__all__ = ["Catch", "Task", "search"]

_LOOK_EVERY_S: Final = 2.0
_ROUNDS: Final = 1_000
"""Seeds of a hunter's rounds are this far apart from the next hunter's."""


@dataclass(frozen=True)
class Task:
    """What is looked for: at most `most` findings of different kinds for each hunter."""

    plan: Plan
    name: str
    examples: int
    seed: int
    most: int = 1
    kinds: tuple[str, ...] | None = None


@dataclass(frozen=True)
class Catch:
    """What a round of a hunter brings home."""

    examples: int
    flights: int
    least: float
    """The smallest margin met; infinite when the property was never exercised."""
    finding: Finding | None


Told = Callable[[Hunt | None], None]


def search(task: Task, jobs: int, told: Told = lambda _: None) -> Iterator[Catch]:
    """Share the examples among `jobs` hunters and yield what they bring home, in their order.

    The same task and number of jobs give the same findings.  `told` is called now and then while they hunt,
    with the hunt of the only hunter, or None.  Raises what flying raises.
    """
    if jobs == 1:
        yield from _rounds(task, task.examples, task.seed * _ROUNDS, told)
        return
    shares = [task.examples // jobs + (number < task.examples % jobs) for number in range(jobs)]
    with ProcessPoolExecutor(jobs, multiprocessing.get_context("spawn")) as pool:
        hunters = [
            pool.submit(_hunt_on, task, share, (task.seed * jobs + number) * _ROUNDS)
            for number, share in enumerate(shares)
            if share
        ]
        try:
            for hunter in hunters:
                while not wait([hunter], _LOOK_EVERY_S).done:
                    told(None)
                yield from hunter.result()
        finally:
            pool.shutdown(cancel_futures=True)


def _hunt_on(task: Task, examples: int, seed: int) -> list[Catch]:
    """Hunt in a process of its own."""
    return list(_rounds(task, examples, seed, lambda _: None))


def _rounds(task: Task, examples: int, seed: int, told: Told) -> Iterator[Catch]:
    """Hunt until the examples are used up or enough was found; kinds that were found are left alone.

    What hypothesis wants to store meanwhile goes to a folder of its own, not into the user's.
    """
    from hypothesis.configuration import set_hypothesis_home_dir

    with tempfile.TemporaryDirectory() as folder:
        set_hypothesis_home_dir(folder)
        try:
            yield from _until_enough(task, examples, seed, told)
        finally:
            set_hypothesis_home_dir(None)


def _until_enough(task: Task, examples: int, seed: int, told: Told) -> Iterator[Catch]:
    known = set[frozenset[str]]()
    while examples > 0 and len(known) < task.most:
        done = hunt(
            task.plan,
            task.name,
            examples=examples,
            seed=seed + len(known),
            known=frozenset(known),
            kinds=task.kinds,
            told=told,
        )
        examples -= max(done.examples, 1)
        yield Catch(done.examples, done.flights, done.least, done.finding)
        if done.finding is None:
            return
        known.add(frozenset(fault.kind for fault in done.finding.case.fault))
