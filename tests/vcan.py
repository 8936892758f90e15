"""What tests share that need a real SocketCAN vcan: their marks, and can-utils as an independent peer."""

from __future__ import annotations

import contextlib
import re
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from hil.rig.reach import link_kind

__all__ = ["ON_VCAN", "dumping", "ip", "logged", "on_vcan", "sends", "traffic"]

ON_VCAN = [
    pytest.mark.socketcan,
    pytest.mark.xdist_group("vcan"),
    pytest.mark.skipif(link_kind("vcan0") != "vcan", reason="no vcan0 here: make socketcan brings one up"),
]
"""Marks of a test that plays on vcan0."""


_FD = re.compile("##(.)")


def on_vcan(*values: object) -> object:
    """Return a set of a test's parameters that plays on vcan0."""
    return pytest.param(*values, marks=ON_VCAN)


def ip(*arguments: str) -> None:
    """Change a network device (`ip link ...`)."""
    subprocess.run(["ip", "link", *arguments], check=True, capture_output=True, text=True)


def sends(device: str, *frames: str) -> None:
    """Send frames, written as cansend has them."""
    script = 'set -e; device=$1; shift; for frame; do cansend "$device" "$frame"; done'
    subprocess.run(["sh", "-c", script, "sh", device, *frames], check=True, capture_output=True)


@contextlib.contextmanager
def dumping(device: str, log: Path) -> Iterator[None]:
    """Have candump log a device, error frames too; at the end all that was sent until then is there."""
    command = ["candump", "-L", f"{device},0:0,#FFFFFFFF"]
    with log.open("wb") as out, subprocess.Popen(command, stdout=out) as candump:
        try:
            _wait_for(log, device, "7FE#5354415254")  # START
            yield
            _wait_for(log, device, "7FE#454E44")  # END
        finally:
            candump.terminate()


def _wait_for(log: Path, device: str, mark: str) -> None:
    """Send a mark until it stands in the log: candump writes when it likes, and begins when it likes."""
    deadline = time.monotonic() + 30.0
    while mark not in log.read_text():
        assert time.monotonic() < deadline, "candump logs nothing"
        sends(device, mark)
        time.sleep(0.05)


def traffic(log: Path) -> list[str]:
    """Return the frames of a candump log in their order; marks left out, FD flags without the one of FD."""
    frames = [line.split()[2] for line in log.read_text().splitlines()]
    told = (_FD.sub(lambda found: f"##{int(found[1], 16) & 3:X}", frame) for frame in frames)
    return [frame for frame in told if not frame.startswith("7FE#")]


def logged(log: Path) -> list[float]:
    """Return the times of a candump log, s; marks left out."""
    return [float(t) for t in re.findall(r"^\((\d+\.\d+)\) \S+ (?!7FE#)", log.read_text(), re.MULTILINE)]
