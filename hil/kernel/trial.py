"""A foreign kernel's first run, in a child process: one that crashes or hangs must not take the bench along.

What has passed is remembered by content, so that a trial costs nothing in later flights.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any, Final

from hil.files import FileError
from hil.kernel.toolchain import cache_folder
from hil.signals import RigError

__all__ = ["TRIAL_S", "KernelRefused", "try_out"]

TRIAL_S: Final = 5.0
"""Wall time that a kernel has for its description, its start and one step together."""

_CHILD: Final = Path(__file__).with_name("trial_child.py")


class KernelRefused(FileError):
    """The kernel works, but refuses the configuration it was given."""


def try_out(name: str, library: Path, ffi: Any, config: bytes | None = None) -> None:
    """Load and describe kernel `name` in a child; with a configuration, start it and step it once too.

    `ffi` is the cffi view of fk_interface.h, `config` an fk_if_config_t.  Raises FileError when the kernel
    crashes, hangs or ends its process, KernelRefused when it refuses the configuration.
    """
    given = b"" if config is None else config + _first_input(ffi)
    passed = cache_folder() / f"tried-{_key(library, given)}"
    if passed.is_file():
        return
    sizes = [ffi.sizeof(f"fk_if_{part}_t") for part in ("info", "config", "output")]
    steps, status = _run(name, library, sizes, given)
    last = steps[-1]
    if last.startswith("refused "):
        raise KernelRefused(f"kernel {name}: refused its configuration ({last.split()[1]})")
    if last != "done":
        raise FileError(f"kernel {name}: {_how_it_ended(last, status)}")
    with contextlib.suppress(OSError):  # without a cache it is tried again
        passed.parent.mkdir(parents=True, exist_ok=True)
        passed.touch()


def _first_input(ffi: Any) -> bytes:
    """Return the input of a first frame: upright, falling, 4 km above the pad."""
    first = ffi.new("fk_if_input_t *")
    nav = first.nav
    nav.fresh = nav.valid = 1
    nav.q_pad_from_body[0] = 1.0
    nav.pos_pad_m[2] = nav.height_m = 4000.0
    nav.vel_pad_mps[2] = -320.0
    return bytes(ffi.buffer(first))


def _key(library: Path, given: bytes) -> str:
    digest = hashlib.sha256(_CHILD.read_bytes())
    digest.update(hashlib.sha256(library.read_bytes()).digest())
    digest.update(given)
    return digest.hexdigest()[:24]


def _run(name: str, library: Path, sizes: list[int], given: bytes) -> tuple[list[str], int | None]:
    """Return the steps that the child began, and its exit status (None: it had to be stopped)."""
    report, child_report = os.pipe()
    try:
        process = subprocess.Popen(
            [
                sys.executable,
                "-I",
                "-S",
                str(_CHILD),
                str(library.resolve()),
                *map(str, (child_report, *sizes)),
            ],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            pass_fds=(child_report,),
            start_new_session=True,
        )
        status = _wait(process, given)
        os.set_blocking(report, False)  # whatever the kernel has started may still hold the other end
        steps = os.read(report, 4096).decode().split("\n")[:-1]
    except (OSError, ValueError) as error:
        raise RigError(f"kernel {name}: cannot be tried out: {error}") from None
    finally:
        os.close(report)
        os.close(child_report)
    return steps, status


def _wait(process: subprocess.Popen[bytes], given: bytes) -> int | None:
    """Wait for the end of the child; stop it and all it has started when its time is over."""
    try:
        process.communicate(given, timeout=TRIAL_S)
        return process.returncode
    except subprocess.TimeoutExpired:
        return None
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def _how_it_ended(step: str, status: int | None) -> str:
    if status is None:
        return f"{step} does not return within {TRIAL_S:g} s"
    if status < 0:
        known = {s.value for s in signal.Signals}
        return (
            f"crashes in {step} ({signal.Signals(-status).name if -status in known else f'signal {-status}'})"
        )
    return f"ends its process in {step} (exit status {status})"
