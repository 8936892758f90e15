"""One bench, one user: the lock of a live rig's interfaces."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from hil.faults.case import SHIPPED
from hil.rig.lock import held, shared_interfaces
from hil.rig.model import Rig, load_rig
from hil.signals import RigError
from tests.live.world import ROOT

HOLDER = """
import sys, time
from pathlib import Path
from hil.rig.lock import held
from hil.rig.model import load_rig
with held(load_rig(Path(sys.argv[1]))):
    print("held", flush=True)
    time.sleep(60)
"""


@pytest.fixture(autouse=True)
def _own_locks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HIL_LOCK_DIR", str(tmp_path))


def rig_on(folder: Path, name: str, channel: str, port: str) -> Rig:
    """Return a live rig on these interfaces."""
    text = (SHIPPED / "bench_example.toml").read_text()
    text = text.replace('name = "bench_example"', f'name = "{name}"').replace('"can0"', f'"{channel}"')
    text = re.sub(r'port = "/dev/serial.*"', f'port = "{port}"', text)
    text = text.replace('"bus.dbc"', f'"{SHIPPED}/bus.dbc"')
    (folder / f"{name}.toml").write_text(text)
    return load_rig(folder / f"{name}.toml")


@contextmanager
def another_user(rig: Rig) -> Iterator[subprocess.Popen[str]]:
    """Hold a rig's lock in another process."""
    with subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(rig.path)],
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "held\n"
        try:
            yield process
        finally:
            process.kill()


def test_the_second_user_is_told_who_has_it_and_since_when(tmp_path: Path) -> None:
    rig = rig_on(tmp_path, "first", "can0", "/dev/ttyUSB0")
    other = rig_on(tmp_path, "second", "can0", "/dev/ttyUSB7")
    with another_user(rig) as process:
        with pytest.raises(RigError) as refused, held(other):
            pass
        assert re.fullmatch(
            rf"can.engine socketcan can0: in use by pid {process.pid}, user \S+, rig first, "
            r"since \d{4}-\d\d-\d\d \d\d:\d\d:\d\d: one bench, one user",
            str(refused.value),
        )


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_a_crash_wedges_nobody(number: signal.Signals, tmp_path: Path) -> None:
    rig = rig_on(tmp_path, "first", "can0", "/dev/ttyUSB0")
    with another_user(rig) as process:
        process.send_signal(number)
        process.wait(10)
        with held(rig):
            pass
        with held(rig), pytest.raises(RigError, match=f"pid {os.getpid()}"), held(rig):
            pass


def test_a_device_has_one_name(tmp_path: Path) -> None:
    device, link = tmp_path / "ttyUSB0", tmp_path / "by-path"
    device.touch()
    link.symlink_to(device)
    with (
        held(rig_on(tmp_path, "first", "can0", str(device))),
        pytest.raises(RigError, match=r"serial\.navigation"),
        held(rig_on(tmp_path, "second", "can1", str(link))),
    ):
        pass


def test_what_the_lock_says_is_never_believed(tmp_path: Path) -> None:
    rig = rig_on(tmp_path, "first", "can0", "/dev/ttyUSB0")
    with held(rig):
        pass
    for path in tmp_path.glob("*.lock"):
        path.write_bytes(b"\x1b[2J\xff" * 50)
    with held(rig), pytest.raises(RigError, match="in use by pid"), held(rig):
        pass


def test_a_link_in_the_place_of_a_lock_is_refused(tmp_path: Path) -> None:
    rig = rig_on(tmp_path, "first", "can0", "/dev/ttyUSB0")
    with held(rig):
        locks = list(tmp_path.glob("*.lock"))
    victim = tmp_path / "victim"
    victim.write_text("precious")
    for path in locks:
        path.unlink()
        path.symlink_to(victim)
    with pytest.raises(RigError, match="cannot be locked"), held(rig):
        pass
    assert victim.read_text() == "precious"


def test_virtual_rigs_share_nothing() -> None:
    for name in ("kernel", "in_process", "virtual"):
        assert shared_interfaces(load_rig(SHIPPED / f"{name}.toml")) == {}
