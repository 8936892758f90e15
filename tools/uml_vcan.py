"""Run a command on a machine with a real SocketCAN vcan, where this machine's kernel has none.

    python tools/uml_vcan.py [--limit S] COMMAND...

boots User-Mode Linux (Debian: user-mode-linux) as an ordinary process on this machine's own root file
system, as root or not, brings vcan0 and vcan1 up and runs the command in this directory with this
environment. Its output is the command's, its exit status too; 124 when the time limit is over, 125 when
User-Mode Linux itself failed. It has one CPU; files are this machine's own; /dev/shm and TMPDIR are
private to it.
"""

from __future__ import annotations

import argparse
import os
import shlex
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Final

__all__ = ["lacking", "main", "run", "search_path"]

TOOLS: Final = Path(__file__).resolve().parent
OVERTIME: Final = 124
BROKEN: Final = 125
NEEDS: Final = {
    "linux.uml": "user-mode-linux",
    "ip": "iproute2",
    "insmod": "kmod",
    "gcc": "gcc",
}
"""What this needs, by the Debian package that has it."""
_SBIN: Final = "/usr/local/sbin:/usr/sbin:/sbin"


def search_path() -> str:
    """Return where programs lie, those for administrators included."""
    return f"{os.environ.get('PATH', os.defpath)}:{_SBIN}"


def _where(tool: str) -> str | None:
    return shutil.which(tool, path=search_path())


def lacking() -> list[str]:
    """Return the Debian packages that are missing here."""
    return [package for tool, package in NEEDS.items() if _where(tool) is None]


def _shim(folder: Path) -> Path:
    """Build what User-Mode Linux needs on CPUs with large registers (uml_xstate.c)."""
    shim = folder / "uml_xstate.so"
    build = ["gcc", "-std=gnu11", "-O2", "-shared", "-fPIC", "-o", str(shim), str(TOOLS / "uml_xstate.c")]
    subprocess.run(build, check=True)
    return shim


def _write_command(folder: Path, command: list[str]) -> None:
    """Leave the command as a shell script with this environment and directory."""
    private = {"TMPDIR": "/dev/shm", "XDG_RUNTIME_DIR": "/dev/shm"}
    kept = {key: value for key, value in os.environ.items() if key.isidentifier()} | private
    lines = [f"export {key}={shlex.quote(value)}" for key, value in kept.items()]
    lines += [f"cd {shlex.quote(str(Path.cwd()))} || exit 125", f"exec {shlex.join(command)}"]
    (folder / "command").write_text("\n".join(lines) + "\n", encoding="utf-8")


def _end_session(leader: int) -> None:
    """End every process of the session that `leader` began: those that stand for processes inside, too."""
    for _ in range(100):
        left = [pid for pid in _processes() if _session(pid) == leader]
        if not left:
            return
        for pid in left:
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                continue
        time.sleep(0.02)


def _processes() -> list[int]:
    return [int(path.name) for path in Path("/proc").iterdir() if path.name.isdigit()]


def _session(pid: int) -> int:
    try:
        state, *_, session = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[:4]
    except (OSError, ValueError):
        return -1
    return -1 if state == "Z" else int(session)


def run(command: list[str], limit_s: float) -> int:
    """Run a command inside; return its exit status, OVERTIME or BROKEN."""
    with tempfile.TemporaryDirectory(prefix="uml_vcan.") as name:
        folder = Path(name)
        _write_command(folder, command)
        arguments = [
            "mem=1024M",
            "root=none",
            "rootfstype=hostfs",
            "rootflags=/",
            "rw",
            f"init={TOOLS / 'uml_init.sh'}",
        ]
        arguments += [
            f"uml_run={folder}",
            "con=null",
            "con0=null",
            "ssl=null",
            "ssl0=null,fd:1",
            "ssl1=null,fd:2",
        ]
        machine = subprocess.Popen(
            [_where("linux.uml") or "linux.uml", *arguments, "quiet", "loglevel=1"],
            stdin=subprocess.DEVNULL,
            env={**os.environ, "LD_PRELOAD": str(_shim(folder))},
            start_new_session=True,
        )
        try:
            machine.wait(timeout=limit_s)
        except subprocess.TimeoutExpired:
            print(f"uml_vcan: not done within {limit_s:g} s", file=sys.stderr)
            return OVERTIME
        finally:
            _end_session(machine.pid)
            machine.wait()
        try:
            return int((folder / "status").read_text())
        except (OSError, ValueError):
            print("uml_vcan: User-Mode Linux itself failed", file=sys.stderr)
            return BROKEN


def _stop(number: int, _: object) -> None:
    """Turn a signal into an exception, so that nothing stays behind."""
    raise SystemExit(128 + number)


def main() -> int:
    """Run what the command line says."""
    parser = argparse.ArgumentParser(description="Run a command where there is a vcan, in User-Mode Linux.")
    parser.add_argument("--limit", type=float, default=300.0, metavar="S", help="most seconds it may take")
    parser.add_argument("command", nargs=argparse.REMAINDER)
    arguments = parser.parse_args()
    if not arguments.command:
        parser.error("no command")
    signal.signal(signal.SIGTERM, _stop)
    missing = lacking()
    if missing:
        print(f"uml_vcan: missing here: apt-get install {' '.join(missing)}", file=sys.stderr)
        return BROKEN
    return run(arguments.command, arguments.limit)


if __name__ == "__main__":
    sys.exit(main())
