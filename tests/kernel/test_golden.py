"""To the bit what the kernel did when the digests were taken: a change of behaviour is seen, then looked at.

    python -m tests.kernel.test_golden

takes them anew; `git diff tests/kernel/golden.json` then names the flights and solves that have changed.
No digest says that a behaviour is right: that is what the other tests are for. The kernel uses nothing but
+ - * / and square roots, so that the bits are the same with every compiler and machine that follows IEEE
754."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from hil.kernel import DescentProblem
from hil.kernel._kernel import ffi, lib
from hil.kernel.descent import raw_problem
from tests.kernel import tapes
from tests.kernel.flown import flown
from tests.kernel.scripted import FLIGHTS
from tests.oracle.descents import BOOSTER, BOOSTER_TIME_S, LANDER, ROTATING, Hold

GOLDEN = Path(__file__).with_name("golden.json")
WEAK = replace(BOOSTER, thrust_max_n=800e3)
STEPPED = replace(BOOSTER, thrust_max_n=[1000e3] * 15 + [667e3] * 15, vel_mps=(10.0, -15.0, -150.0))
TURNING = replace(ROTATING, frame_rate_radps=(0.001, -0.002, 0.003), final_pos_m=(30.0, -20.0, 5.0))
DRAGGED = replace(BOOSTER, drag_area_m2=15.0)
SWITCHED = replace(
    BOOSTER, mass_kg=42_000.0, later_thrust_min_n=200e3, later_thrust_max_n=560e3, pos_m=(80.0, -40.0, 2400.0)
)
PLAIN = replace(BOOSTER, pointing_deg=None, glide_slope_deg=None, speed_limit_mps=None)
SOLVES: dict[str, tuple[DescentProblem, int, float | None, Hold]] = {
    "booster": (BOOSTER, 30, BOOSTER_TIME_S, "foh"),
    "booster, held": (BOOSTER, 30, BOOSTER_TIME_S, "zoh"),
    "booster, least nodes": (BOOSTER, 4, BOOSTER_TIME_S, "foh"),
    "booster, free": (BOOSTER, 12, None, "foh"),
    "booster, thrust lost": (STEPPED, 30, 30.0, "foh"),
    "too weak": (WEAK, 15, BOOSTER_TIME_S, "foh"),
    "too weak, free": (WEAK, 8, None, "zoh"),
    "too far": (replace(BOOSTER, pos_m=(3000.0, 500.0, 3000.0)), 20, BOOSTER_TIME_S, "foh"),
    "too far, turning": (replace(TURNING, pos_m=(9000.0, 3000.0, 1500.0)), 15, 70.0, "foh"),
    "lander": (LANDER, 60, 72.0, "zoh"),
    "rotating": (ROTATING, 60, 75.0, "foh"),
    "turning, held": (TURNING, 20, 75.0, "zoh"),
    "turning": (TURNING, 20, 75.0, "foh"),
    "turning, free": (TURNING, 10, None, "foh"),
    "dragged": (DRAGGED, 12, BOOSTER_TIME_S, "foh"),
    "dragged, held": (DRAGGED, 12, BOOSTER_TIME_S, "zoh"),
    "dragged, free": (DRAGGED, 7, None, "foh"),
    "dragged, too far": (replace(DRAGGED, pos_m=(2500.0, 0.0, 2500.0)), 9, 20.0, "zoh"),
    "switched": (SWITCHED, 9, 20.0, "foh"),
    "switched, held": (SWITCHED, 9, 20.0, "zoh"),
    "switched, free": (SWITCHED, 5, None, "foh"),
    "switched, dragged": (replace(SWITCHED, drag_area_m2=12.0), 6, 20.0, "zoh"),
    "switched, too fast": (replace(SWITCHED, vel_mps=(0.0, 40.0, -330.0)), 6, 12.0, "foh"),
    "no limits": (PLAIN, 14, BOOSTER_TIME_S, "foh"),
    "no limits, held": (PLAIN, 14, BOOSTER_TIME_S, "zoh"),
    "moving end": (
        replace(PLAIN, final_pos_m=(20.0, -30.0, 40.0), final_vel_mps=(3.0, 2.0, -9.0)),
        11,
        24.0,
        "foh",
    ),
    "many nodes": (BOOSTER, 50, BOOSTER_TIME_S, "foh"),
    "too little propellant": (replace(BOOSTER, dry_mass_kg=44_000.0), 10, BOOSTER_TIME_S, "foh"),
    "too short": (BOOSTER, 12, 10.0, "zoh"),
    "too long": (BOOSTER, 12, 80.0, "foh"),
}


def fly(name: str) -> str:
    """Return the digest of every output of a flight."""
    return str(flown(name).digest.hexdigest()[:16])


def solve(name: str) -> str:
    """Return the digest of a solve's answer."""
    problem, nodes, time_s, hold = SOLVES[name]
    memory = ffi.new("double[]", lib.descent_size() // 8 + 1)
    lib.descent_timed(memory, raw_problem(problem, nodes, time_s, hold), time_s is None)
    answer = ffi.new("fk_answer_t *")
    lib.descent_result(memory, answer)
    return hashlib.sha256(ffi.buffer(answer)).hexdigest()[:16]


def play(name: str) -> str:
    """Return the digest of what is said to a shelf of tapes."""
    return tapes.digest_of(int(name))


TAKEN: dict[str, tuple[tuple[str, ...], Callable[[str], str]]] = {
    "flights": (tuple(FLIGHTS), fly),
    "solves": (tuple(SOLVES), solve),
    "tapes": (tuple(str(shelf) for shelf in range(tapes.SHELVES)), play),
}


@pytest.mark.parametrize(
    ("kind", "name"), [(kind, name) for kind, (names, _) in TAKEN.items() for name in names]
)
def test_nothing_has_changed(kind: str, name: str) -> None:
    golden = json.loads(GOLDEN.read_text(encoding="utf-8"))
    assert TAKEN[kind][1](name) == golden[kind][name], (
        "the kernel's outputs have changed; if they had to: python -m tests.kernel.test_golden"
    )


if __name__ == "__main__":
    taken = {kind: {name: take(name) for name in names} for kind, (names, take) in TAKEN.items()}
    GOLDEN.write_text(json.dumps(taken, indent=1) + "\n", encoding="utf-8")
