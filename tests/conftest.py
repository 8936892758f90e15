"""Tests of the group "wall" fly on the wall clock: they get one more try where the machine was late."""

from __future__ import annotations

import inspect
import sys
from pathlib import Path

import pytest

from tests.machine import once_more_if_late


def _on_the_wall_clock(item: pytest.Item) -> bool:
    return any("wall" in (*mark.args, *mark.kwargs.values()) for mark in item.iter_markers("xdist_group"))


@pytest.hookimpl(tryfirst=True)
def pytest_pyfunc_call(pyfuncitem: pytest.Function) -> bool | None:
    """Call a test of the wall clock by hand, once more if need be; all others as ever."""
    if not _on_the_wall_clock(pyfuncitem):
        return None
    given = {name: pyfuncitem.funcargs[name] for name in inspect.signature(pyfuncitem.obj).parameters}
    tries = 0

    def attempt() -> None:
        nonlocal tries
        tries += 1
        if tries > 1 and "tmp_path" in given:
            again: Path = pyfuncitem.funcargs["tmp_path"] / "again"
            again.mkdir()
            given["tmp_path"] = again
        pyfuncitem.obj(**given)

    def tell(text: str) -> None:
        sys.stderr.write(f"{pyfuncitem.nodeid}: {text}\n")
        pyfuncitem.add_report_section("call", "once more", text)

    once_more_if_late(attempt, tell)
    return True
