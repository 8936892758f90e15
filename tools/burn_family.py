"""What a landing burn on three engines survives: print the table of docs/FOUND.md.

Faults of one kind at a time on the case `nominal`, flown by the reference kernel on the rung `kernel`:
python tools/burn_family.py
"""

from __future__ import annotations

import dataclasses
import tempfile
from collections.abc import Callable
from pathlib import Path

from hil.faults.case import SHIPPED, FaultSpec
from hil.rig.plan import Plan, load_plan
from hil.rig.run import run_flight

CENTRE, OUTER, OTHER = 1, 2, 3


def out(engine: int, after_ignition_s: float) -> FaultSpec:
    """An engine goes out."""
    return FaultSpec(kind="engine.out", engine=engine, after_ignition_s=after_ignition_s, tail_off_s=0.2)


def unlit(engine: int) -> FaultSpec:
    """An engine never lights."""
    return FaultSpec(kind="engine.out", engine=engine, at_s=0.0, tail_off_s=0.2)


def late(engine: int, delay_s: float) -> FaultSpec:
    """An engine lights late."""
    return FaultSpec(kind="engine.late_ignition", engine=engine, at_s=0.0, delay_s=delay_s)


def weak(engine: int, factor: float) -> FaultSpec:
    """An engine gives less pressure than it should, from half a second after ignition on."""
    return FaultSpec(
        kind="engine.thrust_shortfall", engine=engine, after_ignition_s=0.5, factor=factor, tau_s=0.5
    )


ALL = (CENTRE, OUTER, OTHER)
LOST_S = (0.5, 1.0, 2.0, 3.0, 5.0, 8.0, 10.5)
FAMILY: tuple[tuple[str, tuple[float, ...], Callable[[float], tuple[FaultSpec, ...]]], ...] = (
    ("one never lights (1 the centre, 2 an outer one)", (1, 2), lambda n: (unlit(int(n)),)),
    ("the centre one lost, s after ignition", (*LOST_S, 12, 15, 17, 18, 19), lambda t: (out(CENTRE, t),)),
    ("an outer one lost, s", LOST_S, lambda t: (out(OUTER, t),)),
    ("both outer ones lost, s", LOST_S, lambda t: (out(OUTER, t), out(OTHER, t))),
    ("an outer one lost at 3 s, then the centre one, s", (5, 8, 10), lambda t: (out(2, 3.0), out(1, t))),
    ("engine 2 never lights, nor does engine", (1, 3), lambda n: (unlit(OUTER), unlit(int(n)))),
    ("all three light late, s", (0.3, 0.6, 0.9, 1.2, 1.5, 2.0), lambda s: tuple(late(n, s) for n in ALL)),
    ("two light late, s", (0.5, 1.0, 1.5, 2.0), lambda s: (late(1, s), late(2, s))),
    ("all three weak, of full pressure", (0.9, 0.85, 0.8, 0.75), lambda f: tuple(weak(n, f) for n in ALL)),
)  # fmt: skip


def fly(plan: Plan, faults: tuple[FaultSpec, ...]) -> str:
    """Fly `nominal` with these faults; return how the stage came down."""
    case = plan.case.model_copy(update={"fault": faults})
    with tempfile.TemporaryDirectory() as folder:
        flown = dataclasses.replace(plan, case=case)
        result = run_flight(flown, seed=case.seed, pace="lockstep", run_dir=Path(folder)).result
    touchdown = result["touchdown"]
    broken = any(told == "fail" and name.startswith("TD-") for name, told in result["requirements"].items())
    if not broken:
        return "lands"
    return f"{touchdown['vertical_speed_mps']:.0f} m/s, {touchdown['miss_m']:.0f} m off"


def main() -> None:
    """Print the family as a table."""
    plan = load_plan(SHIPPED / "kernel.toml", "nominal")
    print("| what | and what comes of it |\n|---|---|")
    for what, values, faults in FAMILY:
        told = "; ".join(f"{value:g}: {fly(plan, faults(value))}" for value in values)
        print(f"| {what} | {told} |")


if __name__ == "__main__":
    main()
