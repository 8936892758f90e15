"""The requirements: the only home of their ids, texts and limits."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

__all__ = [
    "CLOSES_WITHIN_S",
    "DEGRADED_FRACTION",
    "DEGRADED_LATENESS_S",
    "DETECTED_WITHIN_S",
    "FAILED_FOR_S",
    "FAILED_FRACTION",
    "REALLOCATED_WITHIN_S",
    "REQUIREMENTS",
    "WATCHDOG_S",
    "Requirement",
]


@dataclass(frozen=True, slots=True)
class Requirement:
    """One requirement; `key` names the limit in the vehicle file that may tighten it."""

    id: str
    text: str
    key: str | None = None


FAILED_FRACTION: Final = 0.70
"""A running engine has failed when its true chamber pressure is below this fraction of the expected ..."""
FAILED_FOR_S: Final = 0.020
"""... for this long."""
DETECTED_WITHIN_S: Final = 0.100
REALLOCATED_WITHIN_S: Final = 0.100
"""From the detection to the plan without the engine."""
WATCHDOG_S: Final = 0.050
"""Without a valid command for this long, a valve board ..."""
CLOSES_WITHIN_S: Final = 0.060
"""... starts its shutdown sequence by itself within this time since the last command."""

DEGRADED_FRACTION: Final = 0.01
"""A flight on the wall clock proves nothing when more than this share of its frames was late ..."""
DEGRADED_LATENESS_S: Final = 0.050
"""... or one frame was this late: the valve boards' watchdogs would have acted."""

REQUIREMENTS: Final = (
    Requirement("TD-VERTICAL", "Vertical speed at touchdown at most 2 m/s", "vertical_speed_mps"),
    Requirement("TD-LATERAL", "Lateral speed at touchdown at most 1 m/s", "lateral_speed_mps"),
    Requirement("TD-TILT", "Tilt at touchdown at most 3 deg", "tilt_deg"),
    Requirement("TD-RATE", "Turn rate at touchdown at most 3 deg/s", "rate_degps"),
    Requirement("TD-MISS", "Touchdown at most 5 m from the pad's centre", "miss_m"),
    Requirement("TD-STANDS", "The stage stands at the end"),
    Requirement("CMD-FINITE", "Every command is finite, as the kernel gives it and as it is sent"),
    Requirement(
        "CMD-RANGE",
        "Every command is within the range of what it commands, as the kernel gives it and as it is sent",
    ),
    Requirement(
        "CMD-RATE",
        "Every command sent to a running engine or a fin is within its rate limit (which the flight computer "
        "enforces, whatever the kernel asks for)",
    ),
    Requirement(
        "ENG-DETECT",
        "A failed engine is detected within 0.1 s of its true chamber pressure having been below 70 % of "
        "what its valve positions should give for 20 ms",
    ),
    Requirement("ENG-FALSE", "No healthy engine whose sensors tell the truth is taken for failed"),
    Requirement("ENG-SHARE", "The share of a failed engine is re-allocated within 0.1 s of its detection"),
    Requirement("ENG-DEAD", "No command to open, start or run goes to an engine that is held for failed"),
    Requirement(
        "KEEP-OUT",
        "A stage that cannot land does not come down within the keep-out where clearing it was still "
        "possible at the fault",
    ),
    Requirement("VALVE-END", "Every valve is closed at the end"),
    Requirement(
        "VALVE-LOSS",
        "A valve board that hears no command for 50 ms starts its shutdown sequence within 60 ms and has "
        "closed its valves when that is through",
    ),
    Requirement("WORK-BOUND", "Every step of the kernel is within the work bound that the kernel states"),
)
"""Every requirement, in the order in which they are told."""
