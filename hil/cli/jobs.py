"""Flying once, and doing many things at once: a process for each job, results in the order asked for."""

from __future__ import annotations

import multiprocessing
import signal
import threading
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from multiprocessing import resource_tracker
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Any, Final, Literal

from hil.executive import Stop
from hil.files import FileError
from hil.rig.arming import Arming
from hil.rig.plan import Plan
from hil.signals import RigError

if TYPE_CHECKING:
    from hil.rig.run import Run

__all__ = ["fly_in_jobs", "fly_once", "signals_ask", "work_in_jobs"]

SIGNALS: Final = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
"""What asks for a safe end."""
_INTERRUPTED: Final = 130
Work = Callable[[int, Any, Stop], Any]
"""What a job does: with a number, what the parent gives with it, and who may ask it to end early.  It is sent
to processes of their own, and so is what it returns."""
_LOOK_EVERY_S: Final = 0.1
"""How often the parent looks whether it has been asked to end."""


@contextmanager
def signals_ask(stop: Stop) -> Iterator[None]:
    """Let Ctrl-C and its like ask for a safe end instead of breaking into the middle of a frame.

    Asking again changes nothing: making safe is bounded, and must not be cut short.
    """

    def ask(number: int, _: FrameType | None) -> None:
        stop.request(signal.Signals(number).name)

    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {number: signal.signal(number, ask) for number in SIGNALS}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def fly_once(
    plan: Plan,
    seed: int,
    pace: Literal["lockstep", "wall"],
    run_dir: Path,
    stop: Stop,
    on_start: Callable[[], None] | None = None,
    *,
    arming: Arming | None = None,
    cold: bool = False,
) -> Run:
    """Fly into `run_dir` as hil.rig.run.run_flight does; a bad file leaves no empty folder behind."""
    try:
        # imported late: compiling the plant takes a moment that a bad file should not cost
        from hil.rig.run import run_flight

        return run_flight(
            plan,
            seed=seed,
            pace=pace,
            run_dir=run_dir,
            stop=stop,
            on_start=on_start,
            arming=arming,
            cold=cold,
        )
    except FileError:
        with suppress(OSError):
            run_dir.rmdir()
        raise


@dataclass
class _Job:
    """A process, and the number that it works at (None: it waits)."""

    process: BaseProcess
    pipe: Connection
    number: int | None = None

    def begin(self, number: int, given: Any) -> None:
        """Give the process something to do."""
        self.number = number
        with suppress(OSError):  # a process that died is found when its answer is read
            self.pipe.send((number, given))

    def answer(self, noun: str) -> tuple[int, Any]:
        """Return number and result; raise what was raised there, RigError when the process is gone."""
        number, self.number = self.number, None
        assert number is not None
        try:
            answer = self.pipe.recv()
        except (EOFError, OSError):
            self.process.join()
            status = self.process.exitcode
            raise RigError(f"{noun} {number}: the process that flew it died (exit status {status})") from None
        if isinstance(answer, Exception):
            raise answer
        return number, answer


def fly_in_jobs(
    plan: Plan, seeds: range, jobs: int, run_dir: Callable[[int], Path], stop: Stop
) -> Generator[Run]:
    """Fly `seeds` in up to `jobs` processes, in lockstep; yield the runs in the order of `seeds`.

    `run_dir` makes the folder of a seed.  As work_in_jobs, and a flight that was interrupted keeps others
    from beginning.
    """
    return work_in_jobs(_Flights(plan), seeds, jobs, stop, give=run_dir)


@dataclass(frozen=True)
class _Flights:
    """Flies a plan by seed and run folder."""

    plan: Plan

    def __call__(self, seed: int, run_dir: Path, stop: Stop) -> Run:
        return replace(fly_once(self.plan, seed, "lockstep", run_dir, stop), judgement=None)


def work_in_jobs(
    work: Work,
    numbers: Sequence[int],
    jobs: int,
    stop: Stop,
    *,
    give: Callable[[int], Any] = lambda _: None,
    noun: str = "seed",
) -> Generator[Any]:
    """Do `work` for each number in up to `jobs` processes; yield what it returns in the order of `numbers`.

    `give` makes here what a number is handed over with; `noun` says what a number is.  Once `stop` is
    asked, or a flight was interrupted, nothing else begins and what is in the air ends safely.  Raises
    what `work` raises, RigError also for a process that died.  However it ends, no process is left:
    close the iterator when leaving it early.
    """
    crew: list[_Job] = []
    try:
        for _ in numbers[:jobs]:
            crew.append(_start(work, noun))  # noqa: PERF401 - what was started is ended when the next cannot be
        yield from _in_order(crew, numbers, give, stop, noun)
    finally:
        for job in crew:
            job.pipe.close()  # one that waits ends when it hears no more ...
            if job.number is not None:
                job.process.terminate()  # ... and one that flies makes its flight safe first
        for job in crew:
            job.process.join()


def _in_order(
    crew: list[_Job], numbers: Sequence[int], give: Callable[[int], Any], stop: Stop, noun: str
) -> Iterator[Any]:
    """Keep the processes busy; yield each result once all earlier ones are there."""
    left, done = iter(numbers), dict[int, Any]()
    for number in numbers:
        while number not in done:
            for job in crew:
                if job.number is None and stop.by is None and (following := next(left, None)) is not None:
                    job.begin(following, give(following))
            if all(job.number is None for job in crew):
                return
            _collect(crew, done, stop, noun)
        yield done.pop(number)


def _collect(crew: list[_Job], done: dict[int, Any], stop: Stop, noun: str) -> None:
    """Wait a moment for results; pass a request to end on to those that work."""
    busy = {job.pipe: job for job in crew if job.number is not None}
    for pipe in wait(list(busy), _LOOK_EVERY_S):
        assert isinstance(pipe, Connection)
        number, answer = busy[pipe].answer(noun)
        done[number] = answer
        if getattr(answer, "exit_status", None) == _INTERRUPTED:
            stop.request("another flight was interrupted")
    if stop.by is not None:
        for job in busy.values():
            if job.number is not None:
                job.process.terminate()


def _start(work: Work, noun: str) -> _Job:
    """Start a process that does what it is told; signals wait until it can be asked to end safely."""
    context = multiprocessing.get_context("spawn")  # shares nothing with this process
    resource_tracker.ensure_running()  # it would unblock the signals
    ours, theirs = context.Pipe()
    process = context.Process(target=_serve, args=(theirs, work, noun), daemon=True)
    before = signal.pthread_sigmask(signal.SIG_BLOCK, SIGNALS)
    try:
        process.start()
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
    theirs.close()
    return _Job(process, ours)


def _serve(pipe: Connection, work: Work, noun: str) -> None:
    """Work at the numbers that come in, until no more can come."""
    stop = Stop()

    def ask(number: int, _: FrameType | None) -> None:
        stop.request(signal.Signals(number).name)

    for number in SIGNALS:
        signal.signal(number, ask)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, SIGNALS)
    with suppress(EOFError, OSError):
        while True:
            number, given = pipe.recv()
            pipe.send(_answer(work, number, given, stop, noun))


def _answer(work: Work, number: int, given: Any, stop: Stop, noun: str) -> Any:
    try:
        return work(number, given, stop)
    except (FileError, RigError) as error:
        return error
    except Exception as error:
        return RigError(f"{noun} {number}: internal error: {type(error).__name__}: {error}")
