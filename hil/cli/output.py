"""The command's standard streams: what is asked for is printed, or its loss is told."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from hil.files import FileError
from hil.signals import RigError

__all__ = ["claim_folder", "open_streams", "tell"]


def open_streams() -> bool:
    """Open the null device where a standard stream is closed; tell whether standard output was.

    Without this the next file that is opened, say a tape, would take the place of a standard stream
    and be written to by whoever prints.
    """
    lost = sys.stdout is None
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # takes the lowest free number, which is this one
    if sys.stdout is None:
        sys.stdout = Path(os.devnull).open("w", encoding="utf-8")  # noqa: SIM115 - open until the process ends
    if sys.stderr is None:
        sys.stderr = Path(os.devnull).open("w", encoding="utf-8")  # noqa: SIM115 - open until the process ends
    return lost


def tell(text: str) -> None:
    """Print `text` on standard output now; raise RigError when nobody can have read it."""
    try:
        print(text, flush=True)
    except OSError as error:
        # what is still in the buffer must not fail again when the process ends
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        raise RigError(f"standard output: {error.strerror}") from None


def claim_folder(out: Path | None, name: str, holds: tuple[str, ...], what: str) -> Path:
    """Make and return `out`, or a new folder called `name` under runs/; raise FileError.

    Nothing is overwritten: `out` may not hold any of the files `holds`, of an earlier `what`.
    """
    try:
        if out is not None:
            if any((out / each).exists() for each in holds):
                raise FileError(f"--out {out}: holds a {what} already; name another folder")
            out.mkdir(parents=True, exist_ok=True)
            return out
        count = 1
        while True:
            folder = Path("runs") / (name if count == 1 else f"{name}.{count}")
            try:
                folder.mkdir(parents=True)
            except FileExistsError:
                count += 1
            else:
                return folder
    except OSError as error:
        raise FileError(f"{what} folder {error.filename}: {error.strerror}") from None
