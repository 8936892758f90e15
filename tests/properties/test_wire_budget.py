"""A wire fault that the protocol detects never changes the verdict within its budget (docs/WIRE.md).

The budget: of each message up to 4 frames in a row, with at least a second of good ones between.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

import pytest

from hil.faults.case import SHIPPED, FaultSpec
from hil.rig.plan import load_plan, message_ids
from hil.rig.run import Run, run_flight
from hil.search.relatives import FRAME_S, NOTICED, SPOILED_APART_S, SPOILED_FRAMES
from hil.sensors.streams import stream
from tests.faults.test_every_kind import BURN, flown

MAINSTAGE, SHUTDOWN = 3, 4
ONSET: Final = 120
"""Frame in which a fault strikes a short landing."""


def landed(case: str, faults: tuple[FaultSpec, ...] = ()) -> Run:
    """Fly a shipped case with further faults."""
    plan = load_plan(SHIPPED / "in_process.toml", case)
    both = (*plan.case.fault, *faults)
    plan = dataclasses.replace(plan, case=plan.case.model_copy(update={"fault": both}))
    with TemporaryDirectory() as folder:
        run = run_flight(plan, seed=0, pace="lockstep", run_dir=Path(folder))
    assert run.cause is None
    return run


@cache
def clean(case: str) -> Run:
    return landed(case)


def bursts(case: str, seed: int) -> Iterator[FaultSpec]:
    """Yield faults that use the budget up: of every message a burst every two seconds or so."""
    draws = stream(seed, case, "bursts")
    messages = message_ids(load_plan(SHIPPED / "in_process.toml", case).rig)
    for message in messages:
        at_s = draws.uniform(0.0, 1.0)
        while at_s < clean(case).result["sim_s"]:
            kind = NOTICED[draws.integers(len(NOTICED))]
            keys = {"message": message, "at_s": round(at_s, 2), "heals_after_s": SPOILED_FRAMES * FRAME_S}
            yield FaultSpec.model_validate(kind | keys)
            at_s += SPOILED_FRAMES * FRAME_S + SPOILED_APART_S + draws.exponential(1.0)


@pytest.mark.parametrize("seed", range(2))
@pytest.mark.parametrize("case", ["nominal", "zq3_y1"])
def test_the_verdict_does_not_change_within_the_budget(case: str, seed: int) -> None:
    run = landed(case, tuple(bursts(case, seed)))
    spoiled = run.details["wires"]
    for board in ("engine_1", "engine_2", "flight_computer", "bench"):
        assert sum(spoiled[board][reason] for reason in ("checksum", "repeated", "jumped")) > 0
    assert run.result["verdict"] == clean(case).result["verdict"] == "PASS"
    assert run.result["requirements"] == clean(case).result["requirements"]


@pytest.mark.parametrize("kind", NOTICED[:5], ids=lambda kind: kind["kind"])
def test_the_budget_is_what_the_watchdog_bears(kind: dict[str, Any]) -> None:
    """A valve board rides through 4 lost commands in a row and shuts its engine down at the fifth."""
    states = {}
    for lost in (SPOILED_FRAMES, SPOILED_FRAMES + 1):
        keys = {"message": "ENGINE_2_COMMAND", "at_s": ONSET * FRAME_S, "heals_after_s": lost * FRAME_S}
        frames, _ = flown("in_process", BURN, (FaultSpec.model_validate(kind | keys),))
        states[lost] = set(frames["status"]["state"][ONSET : ONSET + 10, 1].tolist())
    assert states == {SPOILED_FRAMES: {MAINSTAGE}, SPOILED_FRAMES + 1: {MAINSTAGE, SHUTDOWN}}
