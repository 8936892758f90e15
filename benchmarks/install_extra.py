"""Installs what the extra `bench` of pyproject.toml names, one by one: what cannot be had stops nothing.

    python benchmarks/install_extra.py

Versions that this environment has already are kept.  Reasons of failures go to the file that
`peers.INSTALL_LOG` names, for the tables; the exit status is 0 whatever could be installed.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
import tempfile
import tomllib
from collections.abc import Callable, Sequence
from pathlib import Path

from measuring import ROOT
from peers import INSTALL_LOG

__all__ = ["install_all", "main", "pip"]


def requirements() -> list[str]:
    """Return what the extra names."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    extra: list[str] = project["optional-dependencies"]["bench"]
    return extra


def pip(arguments: Sequence[str]) -> tuple[bool, str]:
    """Run pip; return whether it succeeded, and what it printed."""
    command = [sys.executable, "-m", "pip", "--disable-pip-version-check", *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return done.returncode == 0, done.stdout + done.stderr


def reason(output: str) -> str:
    """Return the first error of pip's output, in one line; what follows it are pip's summaries."""
    errors = re.findall(r"^ERROR: (.+)$", output, re.MULTILINE)
    lines = errors or [line for line in output.splitlines() if line.strip()] or ["pip says nothing"]
    return str(lines[0]).strip()[:200]


def install_all(
    wanted: Sequence[str], run: Callable[[Sequence[str]], tuple[bool, str]] = pip
) -> dict[str, str]:
    """Install each of `wanted`; return the reasons of those that failed, by distribution."""
    _, present = run(["freeze"])
    pinned = re.findall(r"^[\w.-]+==\S+$", present, re.MULTILINE)
    failed = {}
    with tempfile.TemporaryDirectory() as folder:
        kept = Path(folder) / "kept.txt"
        kept.write_text("\n".join(pinned), encoding="utf-8")
        for requirement in wanted:
            done, output = run(["install", "--quiet", "--constraint", str(kept), requirement])
            if not done:
                failed[re.split(r"[<>=!~\[ ;]", requirement)[0]] = reason(output)
    return failed


def main() -> int:
    """Install, say what could not be, leave the reasons in INSTALL_LOG."""
    failed = install_all(requirements())
    for name, why in failed.items():
        print(f"{name}: {why}", file=sys.stderr)
    INSTALL_LOG.write_text(json.dumps(failed, indent=2) + "\n", encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
