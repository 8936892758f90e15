"""The command `hil`: the one room that prints."""

from hil.cli.main import main

__all__ = ["main"]
