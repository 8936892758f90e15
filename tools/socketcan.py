"""Run a command, `make socketcan` the tests that want one, on a machine with vcan0 and vcan1.

Where this machine's kernel has vcan, they come up in a network namespace of its own, so that nothing of this
machine is touched; else in User-Mode Linux (uml_vcan.py). Where neither is there it says how to get one and
is content, unless `CI` is set.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from typing import Final

import uml_vcan

__all__ = ["lacking", "main", "natively"]

PEERS: Final = {"candump": "can-utils", "ip": "iproute2", "tc": "iproute2"}
"""What the tests play with, by the Debian package that has it."""
_BRING_UP: Final = """
set -e
ip link set lo up
for number in 0 1; do
    ip link add dev vcan$number type vcan
    ip link set vcan$number mtu 72 up
done
exec "$@"
"""
LIMIT_S: Final = 600.0


def natively(command: list[str]) -> list[str] | None:
    """Return the command that has vcan on this machine's kernel; None where that has none."""
    if shutil.which("modprobe", path=uml_vcan.search_path()):
        wanted = ["vcan", "can-raw", "vxcan", "dummy", "sch_tbf"]
        subprocess.run(["modprobe", "-a", *wanted], capture_output=True, check=False)
    apart = ["unshare", "--net"] if os.geteuid() == 0 else ["unshare", "--user", "--map-root-user", "--net"]
    bring_up = [*apart, "sh", "-c", _BRING_UP, "sh"]
    try:
        tried = subprocess.run([*bring_up, "true"], capture_output=True, check=False)
    except OSError:
        return None
    return [*bring_up, *command] if tried.returncode == 0 else None


def lacking() -> list[str]:
    """Return the Debian packages that are missing here."""
    path = uml_vcan.search_path()
    return sorted({package for tool, package in PEERS.items() if shutil.which(tool, path=path) is None})


def main() -> int:
    """Run the command line's command where there is a vcan; return its exit status."""
    command = sys.argv[1:]
    if not command:
        print(__doc__, file=sys.stderr)
        return 2
    native = natively(command)
    missing = lacking() + ([] if native else uml_vcan.lacking())
    if missing:
        print(f"skipped: no SocketCAN here: apt-get install {' '.join(dict.fromkeys(missing))}")
        return 1 if os.environ.get("CI") else 0
    if native is not None:
        print("vcan0 and vcan1: on this kernel, in a network namespace", flush=True)
        return subprocess.run(native, check=False).returncode
    print("vcan0 and vcan1: in User-Mode Linux, because this kernel has no vcan", flush=True)
    return uml_vcan.run(command, LIMIT_S)


if __name__ == "__main__":
    sys.exit(main())
