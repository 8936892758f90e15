"""What a flight on the wall clock takes of the system: real-time priority, locked memory, no collector."""

from __future__ import annotations

import ctypes
import gc
import os
import resource
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

__all__ = ["PRIORITY", "real_time", "what_is_permitted"]

PRIORITY: Final = 70
"""Of SCHED_FIFO: above other work, below the kernel's own interrupt threads."""
_MCL_CURRENT: Final = 1


@contextmanager
def real_time() -> Iterator[dict[str, str]]:
    """Take what is permitted, give it back at the end; yields what was taken, or in words why not."""
    granted = {"scheduling": _take_priority(), "memory": _lock_memory(), "collector": "frozen"}
    gc.freeze()
    try:
        yield granted
    finally:
        gc.unfreeze()
        if granted["memory"] == "locked":
            _libc().munlockall()
        if granted["scheduling"] == _fifo():
            os.sched_setscheduler(0, os.SCHED_OTHER, os.sched_param(0))


def what_is_permitted() -> dict[str, str]:
    """Return what real_time would take, having given it back."""
    with real_time() as granted:
        return dict(granted)


def _fifo() -> str:
    return f"SCHED_FIFO {PRIORITY}"


def _take_priority() -> str:
    if os.sched_getscheduler(0) != os.SCHED_OTHER:
        return "as started"  # somebody has chosen it already (chrt)
    try:
        # children start without it: a board's priority is its own business
        os.sched_setscheduler(0, os.SCHED_FIFO | os.SCHED_RESET_ON_FORK, os.sched_param(PRIORITY))
    except (OSError, AttributeError):
        return "ordinary: SCHED_FIFO is not permitted (ulimit -r, or CAP_SYS_NICE)"
    return _fifo()


def _lock_memory() -> str:
    """Lock what is mapped now; what comes later is small and must not fail for lack of locked memory."""
    soft, _ = resource.getrlimit(resource.RLIMIT_MEMLOCK)
    try:
        if _libc().mlockall(_MCL_CURRENT) == 0:
            return "locked"
    except (OSError, AttributeError):
        pass
    return f"not locked: mlockall is not permitted (ulimit -l is {soft // 1024} KiB, or CAP_IPC_LOCK)"


def _libc() -> ctypes.CDLL:
    return ctypes.CDLL(None, use_errno=True)
