"""`hil report`: write a run's page again."""

from __future__ import annotations

import sys
from pathlib import Path

from hil.cli.output import tell
from hil.files import FileError

__all__ = ["report_command"]


def report_command(run_dir: Path) -> int:
    """Write the report of a run and say where it lies; raise FileError for what is not a run."""
    if not run_dir.is_dir():
        raise FileError(f"{run_dir}: no such run folder")
    from hil.report import write_report

    whole = (run_dir / "run.json").exists()
    path = write_report(run_dir)
    if not whole:
        print(
            f"hil: {run_dir}: no run.json, the run was cut short: its tape was judged alone", file=sys.stderr
        )
    tell(str(path))
    return 0
