"""The one more try of tests on the wall clock: who gets it, and that nobody passes by it who should not."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests import machine
from tests.machine import LATE_S, Metronome, once_more_if_late


def failing(times: int, tried: list[int]) -> Callable[[], None]:
    def attempt() -> None:
        tried.append(1)
        assert len(tried) > times, "it did not hold"

    return attempt


class Told(Metronome):
    """A metronome that was told what it measures."""

    lateness_s = 0.0

    def __enter__(self) -> Told:
        return self

    def __exit__(self, *_: object) -> None:
        self.worst_s = self.lateness_s


def test_a_metronome_sees_how_late_it_was() -> None:
    with Metronome() as metronome:
        pid = metronome.process.pid
        os.kill(pid, signal.SIGSTOP)
        while ") T" not in Path(f"/proc/{pid}/stat").read_text():
            time.sleep(0.001)
        began = time.monotonic()
        time.sleep(10 * LATE_S)
        stopped_s = time.monotonic() - began
        os.kill(pid, signal.SIGCONT)
    assert metronome.worst_s >= stopped_s - 0.005, "at most one beat may have been left"


@pytest.mark.parametrize(("late_s", "tries"), [(0.5 * LATE_S, 1), (2.0 * LATE_S, 2)])
def test_only_a_late_machine_gives_one_more_try(
    late_s: float, tries: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Told, "lateness_s", late_s)
    monkeypatch.setattr(machine, "Metronome", Told)
    tried: list[int] = []
    told: list[str] = []
    if tries == 1:
        with pytest.raises(AssertionError, match="it did not hold"):
            once_more_if_late(failing(1, tried), told.append)
        assert told == []
    else:
        once_more_if_late(failing(1, tried), told.append)
        assert told[0].startswith(
            "once more, for this machine woke a process 40 ms late meanwhile: it did not hold"
        )
    assert len(tried) == tries


def test_what_fails_twice_fails_on_any_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Told, "lateness_s", 1.0)
    monkeypatch.setattr(machine, "Metronome", Told)
    tried: list[int] = []
    with pytest.raises(AssertionError, match="it did not hold"):
        once_more_if_late(failing(2, tried), lambda _: None)
    assert len(tried) == 2
