"""The faults that can be flown: enumerated, each with its sizes, units and ranges."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

__all__ = ["CATALOGUE", "SIZES", "Choice", "Kind", "Size"]


@dataclass(frozen=True, slots=True)
class Size:
    """A number that a fault takes, from `low` to `high` (both allowed)."""

    name: str
    low: float
    high: float
    unit: str
    text: str

    @property
    def allowed(self) -> str:
        """The range as it is said to people."""
        return f"{self.low:g} to {self.high:g} {self.unit}"


@dataclass(frozen=True, slots=True)
class Choice:
    """A word that a fault takes."""

    name: str
    words: tuple[str, ...]
    text: str

    @property
    def allowed(self) -> str:
        """The words as they are said to people."""
        return " | ".join(self.words)


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind of fault: what it strikes, what it takes, and whether anything reports it."""

    name: str
    strikes: Literal["engine", "board"]
    sizes: tuple[Size | Choice, ...]
    silent: bool
    """True when nothing on the bench announces the fault: it has to be inferred."""
    text: str


_KINDS: Final = (
    Kind(
        "engine.out",
        "engine",
        (Size("tail_off_s", 0.0, 5.0, "s", "time constant with which the chamber pressure decays"),),
        silent=True,
        text="The chamber goes out and cannot be lit again; propellants flow on while the valves are open.",
    ),
    Kind(
        "engine.late_ignition",
        "engine",
        (Size("delay_s", 0.0, 10.0, "s", "on top of the healthy engine's ignition delay"),),
        silent=True,
        text="The chamber lights late.",
    ),
    Kind(
        "engine.thrust_shortfall",
        "engine",
        (
            Size("factor", 0.0, 1.2, "1", "chamber pressure over that of the healthy engine"),
            Size("tau_s", 0.0, 10.0, "s", "time constant with which it sets in; 0 at once"),
        ),
        silent=True,
        text="The engine gives less (or more) chamber pressure than its valves call for.",
    ),
    Kind(
        "valve.stuck",
        "engine",
        (Choice("valve", ("oxidiser", "fuel"), "which propellant valve"),),
        silent=True,
        text="A propellant valve stays where it stands, whatever drives it.",
    ),
    Kind("gimbal.stuck", "engine", (), silent=True, text="Both gimbal axes stay where they stand."),
    Kind(
        "board.silent",
        "board",
        (),
        silent=True,
        text="The board dies: it sends nothing and drives nothing; its valves stay where they stand.",
    ),
)

CATALOGUE: Final = {kind.name: kind for kind in _KINDS}
"""Every kind by its name."""

SIZES: Final = frozenset(size.name for kind in _KINDS for size in kind.sizes)
"""Every key that some kind takes besides its trigger and what it strikes."""
