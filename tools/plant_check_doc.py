"""Write the README's table of the plant's check cases; `--check` only compares.

Each cell is the worst of its signals: how far off ours is, and what is allowed at that moment.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from hil.plant.check import Comparison, check_shipped

__all__ = ["main", "table"]

README: Final = Path(__file__).resolve().parent.parent / "README.md"
BEGIN: Final = "<!-- hil plant check -->\n"
END: Final = "<!-- end -->\n"
NOTHING: Final = 1e-4
"""Below this a difference is the rounding of the reference."""
GROUPS: Final = {
    "altitude, m": ("altitude_m",),
    "velocity, m/s": ("vel_north_mps", "vel_east_mps", "vel_down_mps"),
    "body rates, deg/s": ("roll_rate_degps", "pitch_rate_degps", "yaw_rate_degps"),
}


def _cell(checks: list[Comparison], signals: tuple[str, ...]) -> str:
    worst = max((c for c in checks if c.signal in signals), key=lambda c: c.off / c.tolerance)
    off = f"{worst.off:.1g}" if worst.off >= NOTHING else f"< {NOTHING:g}"
    return f"{off} of {worst.tolerance:.2g}"


def _rows(checks: list[Comparison]) -> Iterator[str]:
    yield "| case | " + " | ".join(GROUPS) + " |"
    yield "|---" * (len(GROUPS) + 1) + "|"
    for case in dict.fromkeys(check.case for check in checks):
        mine = [check for check in checks if check.case == case]
        yield f"| {case} | " + " | ".join(_cell(mine, signals) for signals in GROUPS.values()) + " |"


def table() -> str:
    """Return the table in Markdown."""
    return "\n".join(_rows(list(check_shipped()))) + "\n"


def main() -> int:
    """Write the table, or compare it with `--check`; 1 when it is not in step."""
    text = README.read_text(encoding="utf-8")
    head, rest = text.split(BEGIN)
    _, tail = rest.split(END)
    wanted = head + BEGIN + table() + END + tail
    if "--check" in sys.argv[1:]:
        if text != wanted:
            print("README.md: the table of check cases is not in step: run tools/plant_check_doc.py")
            return 1
        return 0
    README.write_text(wanted, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
