"""Certificates that a case cannot be landed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from hil.search.oracle_flight import Subject

__all__ = ["Certificate", "clearing", "refute"]


@dataclass(frozen=True)
class Certificate:
    """Why no flight lands."""

    kind: str
    text: str
    over: float


def refute(subject: Subject) -> Certificate | None:
    """Return a certificate that the subject cannot be landed; None where none was found."""
    return None


def clearing(subject: Subject) -> Literal["clear", "not clear", "undecided"]:
    """Tell whether the keep-out could be cleared."""
    return "undecided"
