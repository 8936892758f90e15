"""Flying once, and flying many at once: a process for each job, results in the order of the seeds."""

from __future__ import annotations

import multiprocessing
import signal
from collections.abc import Callable, Generator, Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from multiprocessing import resource_tracker
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Final, Literal

from hil.executive import Stop
from hil.files import FileError
from hil.rig.plan import Plan
from hil.signals import RigError

if TYPE_CHECKING:
    from hil.rig.run import Run

__all__ = ["SIGNALS", "fly_in_jobs", "fly_once"]

SIGNALS: Final = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
"""What asks for a safe end."""
_LOOK_EVERY_S: Final = 0.1
"""How often the parent looks whether it has been asked to end."""


def fly_once(
    plan: Plan,
    seed: int,
    pace: Literal["lockstep", "wall"],
    run_dir: Path,
    stop: Stop,
    on_start: Callable[[], None] | None = None,
) -> Run:
    """Fly into `run_dir` as hil.rig.run.run_flight does; a bad file leaves no empty folder behind."""
    try:
        # imported late: compiling the plant takes a moment that a bad file should not cost
        from hil.rig.run import run_flight

        return run_flight(plan, seed=seed, pace=pace, run_dir=run_dir, stop=stop, on_start=on_start)
    except FileError:
        with suppress(OSError):
            run_dir.rmdir()
        raise


@dataclass
class _Job:
    """A process, and the seed that it flies (None: it waits)."""

    process: BaseProcess
    pipe: Connection
    seed: int | None = None

    def fly(self, seed: int, run_dir: Path) -> None:
        """Give the process a flight."""
        self.seed = seed
        with suppress(OSError):  # a process that died is found when its answer is read
            self.pipe.send((seed, run_dir))

    def answer(self) -> Run:
        """Return the run that is over; raise what it raised, RigError when the process is gone."""
        seed, self.seed = self.seed, None
        try:
            answer = self.pipe.recv()
        except (EOFError, OSError):
            self.process.join()
            status = self.process.exitcode
            raise RigError(f"seed {seed}: the process that flew it died (exit status {status})") from None
        if isinstance(answer, Exception):
            raise answer
        run: Run = answer
        return run


def fly_in_jobs(
    plan: Plan, seeds: range, jobs: int, run_dir: Callable[[int], Path], stop: Stop
) -> Generator[Run]:
    """Fly `seeds` in up to `jobs` processes, in lockstep; yield the runs in the order of `seeds`.

    `run_dir` makes the folder of a seed.  Once `stop` is asked, or a flight was interrupted, no other
    begins and those in the air end safely.  Raises what run_flight raises, RigError also for a process
    that died.  However it ends, no process is left: close the iterator when leaving it early.
    """
    crew: list[_Job] = []
    try:
        for _ in seeds[:jobs]:
            crew.append(_start(plan))  # noqa: PERF401 - what was started is ended when the next cannot be
        yield from _in_order(crew, seeds, run_dir, stop)
    finally:
        for job in crew:
            job.pipe.close()  # one that waits ends when it hears no more ...
            if job.seed is not None:
                job.process.terminate()  # ... and one that flies makes its flight safe first
        for job in crew:
            job.process.join()


def _in_order(crew: list[_Job], seeds: range, run_dir: Callable[[int], Path], stop: Stop) -> Iterator[Run]:
    """Keep the processes flying; yield each run once all earlier ones are over."""
    left, done = seeds, dict[int, "Run"]()
    for seed in seeds:
        while seed not in done:
            for job in crew:
                if job.seed is None and left and stop.by is None:
                    job.fly(left[0], run_dir(left[0]))
                    left = left[1:]
            if all(job.seed is None for job in crew):
                return
            _collect(crew, done, stop)
        yield done.pop(seed)


def _collect(crew: list[_Job], done: dict[int, Run], stop: Stop) -> None:
    """Wait a moment for runs that are over; pass a request to end on to those that fly."""
    flying = {job.pipe: job for job in crew if job.seed is not None}
    ready = wait(list(flying), _LOOK_EVERY_S)
    for pipe in ready:
        assert isinstance(pipe, Connection)
        run = flying[pipe].answer()
        done[run.result["seed"]] = run
        if run.exit_status == 130:
            stop.request("another flight was interrupted")
    if stop.by is not None:
        for job in flying.values():
            if job.seed is not None:
                job.process.terminate()


def _start(plan: Plan) -> _Job:
    """Start a process that flies what it is told; signals wait until it can be asked to end safely."""
    context = multiprocessing.get_context("spawn")  # shares nothing with this process
    resource_tracker.ensure_running()  # it would unblock the signals
    ours, theirs = context.Pipe()
    process = context.Process(target=_work, args=(theirs, plan), daemon=True)
    before = signal.pthread_sigmask(signal.SIG_BLOCK, SIGNALS)
    try:
        process.start()
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
    theirs.close()
    return _Job(process, ours)


def _work(pipe: Connection, plan: Plan) -> None:
    """Fly the seeds that come in, until no more can come."""
    stop = Stop()

    def ask(number: int, _: FrameType | None) -> None:
        stop.request(signal.Signals(number).name)

    for number in SIGNALS:
        signal.signal(number, ask)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, SIGNALS)
    with suppress(EOFError, OSError):
        while True:
            seed, run_dir = pipe.recv()
            pipe.send(_answer(plan, seed, run_dir, stop))


def _answer(plan: Plan, seed: int, run_dir: Path, stop: Stop) -> Run | Exception:
    try:
        return replace(fly_once(plan, seed, "lockstep", run_dir, stop), judgement=None)
    except (FileError, RigError) as error:
        return error
    except Exception as error:
        return RigError(f"seed {seed}: internal error: {type(error).__name__}: {error}")
