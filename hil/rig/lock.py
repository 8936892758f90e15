"""One bench, one user: a lock for each interface that others could use too.

A lock is an flock on a file, so it dies with its process: nothing is left over to wedge the next user.
What stands in the file only tells who holds it.
"""

from __future__ import annotations

import contextlib
import fcntl
import getpass
import hashlib
import os
import re
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Final

from hil.rig.model import Rig
from hil.signals import RigError

__all__ = ["held", "lock_folder", "shared_interfaces"]

_PLACES: Final = (Path("/run/lock"), Path("/tmp"))
_ANYBODY: Final = 0o666


def lock_folder() -> Path:
    """Return where the locks of all users of this machine lie."""
    named = os.environ.get("HIL_LOCK_DIR")
    if named:
        return Path(named)
    usable = (place for place in _PLACES if os.access(place, os.W_OK))
    return next(usable, Path(tempfile.gettempdir()))


def shared_interfaces(rig: Rig) -> dict[str, str]:
    """Return the interfaces of a rig that somebody else could open: how they are shown -> what they are.

    Two names of one device are one: links are followed.
    """
    found = {}
    for name, can in rig.can.items():
        if can.interface not in ("hil", "virtual"):
            channel = _device(can.channel)
            found[f"can.{name} {can.interface} {can.channel}"] = (
                f"can {can.interface} {channel}" if channel == can.channel else channel
            )
    ports = {f"serial.{name}": link.port for name, link in rig.serial.items()}
    for name, switch in (("key", rig.interlock.key), ("abort", rig.interlock.abort)):
        if switch is not None:
            ports[f"interlock.{name}"] = switch.port
    for name, port in ports.items():
        if port != "pty" and not port.startswith("loop://"):
            found[f"{name} {port}"] = _device(port)
    return found


def _device(name: str) -> str:
    """Return a device's own name, whatever link it was named by."""
    return os.path.realpath(name) if name.startswith("/") else name


@contextmanager
def held(rig: Rig) -> Iterator[None]:
    """Hold every shared interface of a rig; raise RigError that names who has one of them."""
    with ExitStack() as stack:
        for shown, identity in sorted(shared_interfaces(rig).items(), key=lambda entry: entry[1]):
            stack.callback(os.close, _lock(shown, identity, rig.name))
        yield


def _lock(shown: str, identity: str, rig_name: str) -> int:
    readable = re.sub(r"[^A-Za-z0-9]+", "-", identity).strip("-")[-40:]
    path = lock_folder() / f"lastbrake-{readable}-{hashlib.sha256(identity.encode()).hexdigest()[:12]}.lock"
    descriptor = _open(path)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        holder = _holder(descriptor)
        os.close(descriptor)
        raise RigError(f"{shown}: in use by {holder}: one bench, one user") from None
    since = time.strftime("%Y-%m-%d %H:%M:%S")
    text = f"pid {os.getpid()}, user {_user()}, rig {rig_name}, since {since}\n"
    with contextlib.suppress(OSError):  # a full disk does not matter to the lock
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, text.encode(), 0)
    return descriptor


def _open(path: Path) -> int:
    """Open a lock's file, which may be another user's; raise RigError when that cannot be done."""
    try:
        with contextlib.suppress(FileNotFoundError):
            return os.open(path, os.O_RDWR | os.O_NOFOLLOW)
        before = os.umask(0)
        try:
            return os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, _ANYBODY)
        except FileExistsError:
            return os.open(path, os.O_RDWR | os.O_NOFOLLOW)
        finally:
            os.umask(before)
    except OSError as error:
        raise RigError(f"{path}: cannot be locked: {error.strerror}") from None


def _holder(descriptor: int) -> str:
    try:
        text = os.pread(descriptor, 400, 0).decode("utf-8", "replace").strip()
    except OSError:
        text = ""
    return text if text.isprintable() and text else "somebody who has not said who"


def _user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return str(os.getuid())
