"""Several hunters at once: processes with seeds of their own, findings in the order of the hunters."""

from __future__ import annotations

import multiprocessing
import tempfile
from collections.abc import Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from dataclasses import dataclass, field
from typing import Final

from hil.rig.plan import Plan
from hil.search.hunt import Finding, hunt

__all__ = ["Catch", "Task", "search"]

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


@dataclass
class Catch:
    """What one hunter brings home."""

    seed: int
    examples: int = 0
    flights: int = 0
    least: float | None = None
    findings: list[Finding] = field(default_factory=list)


def search(task: Task, jobs: int) -> Iterator[Catch]:
    """Share the examples among `jobs` hunters and yield what they bring, in their order.

    The same task and number of jobs give the same findings.  Raises what flying raises.
    """
    shares = [task.examples // jobs + (number < task.examples % jobs) for number in range(jobs)]
    if jobs == 1:
        yield _hunt_on(task, task.examples, task.seed * _ROUNDS)
        return
    with ProcessPoolExecutor(jobs, multiprocessing.get_context("spawn")) as pool:
        caught: list[Future[Catch]] = [
            pool.submit(_hunt_on, task, share, (task.seed * jobs + number) * _ROUNDS)
            for number, share in enumerate(shares)
            if share
        ]
        try:
            for future in caught:
                yield future.result()
        finally:
            pool.shutdown(cancel_futures=True)


def _hunt_on(task: Task, examples: int, seed: int) -> Catch:
    """Hunt until the examples are used up or enough was found; kinds that were found are left alone."""
    from hypothesis.configuration import set_hypothesis_home_dir

    catch, known = Catch(seed), set[frozenset[str]]()
    with tempfile.TemporaryDirectory() as folder:
        set_hypothesis_home_dir(folder)
        while catch.examples < examples and len(catch.findings) < task.most:
            done = hunt(
                task.plan,
                task.name,
                examples=examples - catch.examples,
                seed=seed + len(catch.findings),
                known=frozenset(known),
                kinds=task.kinds,
            )
            catch.examples += done.examples
            catch.flights += done.flights
            catch.least = done.least if catch.least is None else min(catch.least, done.least)
            if done.finding is None:
                break
            catch.findings.append(done.finding)
            known.add(frozenset(fault.kind for fault in done.finding.case.fault))
    return catch
