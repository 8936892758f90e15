"""What tests on the wall clock share: how late this machine was meanwhile, and one more try when it was late.

A flight on the wall clock proves nothing on a machine that did not run it in time; the product says INVALID
then. So does a test: one that fails while the machine was late is done once more, and says so. A second
failure is a failure, late or not.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from types import TracebackType
from typing import Final

__all__ = ["LATE_S", "Metronome", "once_more_if_late"]

LATE_S: Final = 0.02
"""Lateness of the machine above which a failed test may be done once more: two frames of the bench."""
_BEATS: Final = """
import sys, threading, time
worst, last, end = 0.0, time.monotonic(), threading.Event()
threading.Thread(target=lambda: (sys.stdin.read(), end.set()), daemon=True).start()
print(flush=True)
while True:
    time.sleep(0.005)
    now = time.monotonic()
    worst, last = max(worst, now - last - 0.005), now
    if end.is_set():  # asked after the beat: whoever was stopped before the first has missed it
        break
print(worst)
"""
"""A process of its own, of common priority, that wants to wake every 5 ms."""


class Metronome:
    """Measures, while it is entered, how late this machine wakes a process at the worst."""

    def __init__(self) -> None:
        self.worst_s = 0.0
        """Known once it has been left."""

    def __enter__(self) -> Metronome:
        command = [sys.executable, "-S", "-E", "-c", _BEATS]
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        assert self.process.stdout is not None
        self.process.stdout.readline()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: object, trace: TracebackType | None) -> None:
        said, _ = self.process.communicate()
        self.worst_s = float(said)


def once_more_if_late(attempt: Callable[[], None], tell: Callable[[str], object]) -> None:
    """Do `attempt`; when it fails while the machine was late, say so and do it once more."""
    metronome = Metronome()
    try:
        with metronome:
            attempt()
    except Exception as failure:
        if metronome.worst_s <= LATE_S:
            raise
        why = " ".join(str(failure).split())[:200] or type(failure).__name__
        late_ms = 1e3 * metronome.worst_s
        tell(f"once more, for this machine woke a process {late_ms:.0f} ms late meanwhile: {why}")
        attempt()
