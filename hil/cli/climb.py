"""`hil climb`: one case on each rung, and where the rungs part."""

from __future__ import annotations

import argparse
import json
import sys
from dataclasses import dataclass, field, replace
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal

from hil.campaign.tally import WORST_FIRST
from hil.cli.jobs import fly_once
from hil.cli.output import tell
from hil.cli.run import INTERRUPTED, Progress, ask_person, claim_run_dir, signals_ask, wish_of
from hil.executive import Stop
from hil.files import FileError, NotSupported
from hil.rig.arming import Arming, Wish, arm
from hil.rig.model import load_rig
from hil.rig.plan import Plan, load_plan
from hil.tape import Divergence, first_divergence, read_tape

if TYPE_CHECKING:
    from hil.rig.run import Run

__all__ = ["climb_command"]

_SHOWN_DIGEST: Final = 12
"""Digits of a digest that people compare."""


@dataclass(frozen=True)
class _Rung:
    """A rig that is to be flown, with the leave that it has."""

    plan: Plan
    arming: Arming | None
    cold: bool

    @property
    def pace(self) -> Literal["lockstep", "wall"]:
        """A live rig flies on the wall clock, others in lockstep."""
        return "wall" if self.plan.rig.live else "lockstep"


@dataclass
class _Climb:
    """What was flown, and what was left out and why."""

    runs: list[Run] = field(default_factory=list)
    left_out: list[tuple[str, str]] = field(default_factory=list)
    parted: list[Divergence | str | None] = field(default_factory=list)
    """From the rung before: None where they are identical, a sentence where nobody can tell."""

    @property
    def verdict(self) -> str:
        """The verdict that all rungs agree on, else DISAGREE."""
        verdicts = {run.result["verdict"] for run in self.runs}
        return verdicts.pop() if len(verdicts) == 1 else "DISAGREE"

    @property
    def status(self) -> int:
        """The worst exit status of the flights; a disagreement of PASS and FAIL is 1 by that."""
        return min((run.exit_status for run in self.runs), key=WORST_FIRST.index)


def climb_command(arguments: argparse.Namespace) -> int:
    """Fly the case on every rig in the order given; return the exit status."""
    climb = _Climb()
    rungs = _rungs(arguments, climb)
    seed = rungs[0].plan.case.seed if arguments.seed is None else arguments.seed
    stop = Stop()
    with signals_ask(stop):
        for number, rung in enumerate(rungs, start=1):
            climb.runs.append(_fly(rung, seed, _folder(arguments.out, number, rung, seed), stop))
            if climb.runs[-1].exit_status == INTERRUPTED:
                break
    climb.parted = [_parted(*pair) for pair in pairwise(climb.runs)]
    text = "\n".join(_table(arguments.case, seed, climb))
    if arguments.json:
        tell(json.dumps(_object(arguments.case, seed, climb), allow_nan=False))
        print(text, file=sys.stderr)
    else:
        tell(text)
    return climb.status


def _rungs(arguments: argparse.Namespace, climb: _Climb) -> list[_Rung]:
    """Load every rig before one flies; leave out those that do not support the case's faults.

    Raises FileError for a bad file or when no rig is left, RigError for a live rig that is not armed.
    """
    plans: list[Plan] = []
    for path in arguments.rigs:
        try:
            plans.append(load_plan(path, arguments.case))
        except NotSupported as error:
            climb.left_out.append((load_rig(path).name, f"not supported: {error}"))
    if not plans:
        told = "; ".join(f"{rig}: {reason}" for rig, reason in climb.left_out)
        raise FileError(f"no rig supports the case: {told}")
    wish = wish_of(arguments, 1)
    if wish.arm and sum(plan.rig.live for plan in plans) > 1:
        raise FileError("--arm: one arming is for one live rig; climb to each by itself")
    if wish.cold and not any(plan.rig.demands_enable for plan in plans):
        raise FileError("--cold: no rig of this climb demands the enable frame: nothing to inhibit")
    return [_rung(plan, wish) for plan in plans]


def _rung(plan: Plan, wish: Wish) -> _Rung:
    """Return a rig with the leave that the interlock's rules give it."""
    wish = replace(wish, cold=wish.cold and plan.rig.demands_enable)
    return _Rung(plan, arm(plan.rig, wish, ask_person), wish.cold)


def _folder(out: Path | None, number: int, rung: _Rung, seed: int) -> Path:
    return claim_run_dir(rung.plan, seed, None if out is None else out / f"{number}-{rung.plan.rig.name}")


def _fly(rung: _Rung, seed: int, folder: Path, stop: Stop) -> Run:
    progress = Progress(rung.plan, seed)
    try:
        return fly_once(
            rung.plan, seed, rung.pace, folder, stop, progress.start, arming=rung.arming, cold=rung.cold
        )
    finally:
        progress.end()


def _parted(one: Run, two: Run) -> Divergence | str | None:
    """Return the first divergence of two runs, None where there is none; equal digests need no tapes."""
    digest = one.result["signals_sha256"]
    if digest is not None and digest == two.result["signals_sha256"]:
        return None
    try:
        return first_divergence(read_tape(one.run_dir / "tape.mcap"), read_tape(two.run_dir / "tape.mcap"))
    except (FileError, ValueError) as error:
        return f"not comparable: {error}"


# ---- what people and machines read


def _table(case: str, seed: int, climb: _Climb) -> list[str]:
    """Return the table, line by line."""
    head = ("rig", "verdict", "miss, m", "vertical, m/s", "digest", "nodes")
    rows: list[tuple[str, ...]] = [head, *(_row(run) for run in climb.runs)]
    widths = [max(len(row[k]) for row in rows) for k in range(len(rows[0]) - 1)]
    lines = ["", f"{climb.verdict}  {case} climbed with seed {seed}", ""]
    for row in rows:
        cells = (cell.ljust(width) for cell, width in zip(row, widths, strict=False))
        lines.append("  " + "  ".join([*cells, row[-1]]))
    lines += [f"  {rig}  {reason}" for rig, reason in climb.left_out]
    if climb.parted:
        lines += ["", "  first divergence from rung to rung"]
    for (one, two), parted in zip(_pairs(climb), climb.parted, strict=True):
        lines.append(f"    {one} -> {two}  {'identical' if parted is None else parted}")
    lines += ["", *(f"  {run.result['rig']}: {run.cause}" for run in climb.runs if run.cause)]
    if climb.verdict == "DISAGREE":
        told = ", ".join(f"{run.result['rig']} {run.result['verdict']}" for run in climb.runs)
        lines.append(f"DISAGREE: the rungs do not give the same verdict: {told}")
    return lines


def _pairs(climb: _Climb) -> list[tuple[str, str]]:
    names = [run.result["rig"] for run in climb.runs]
    return list(pairwise(names))


def _row(run: Run) -> tuple[str, ...]:
    result, down = run.result, run.result["touchdown"]
    miss, speed = (
        "-" if down[key] is None else f"{down[key]:.2f}" for key in ("miss_m", "vertical_speed_mps")
    )
    digest = (result["signals_sha256"] or "-")[:_SHOWN_DIGEST]
    return (result["rig"], result["verdict"], miss, speed, digest, _short_nodes(result["rungs"]))


def _short_nodes(rungs: dict[str, str]) -> str:
    """Say which nodes are real and which virtual, those of one rung together."""
    real = [name for name, rung in rungs.items() if rung == "hardware"]
    virtual: dict[str, list[str]] = {}
    for name, rung in rungs.items():
        if rung != "hardware":
            virtual.setdefault(rung, []).append(name)
    told = [f"{' '.join(names)} ({rung})" for rung, names in virtual.items()]
    return f"real: {' '.join(real) or 'none'}; virtual: {', '.join(told) or 'none'}"


def _object(case: str, seed: int, climb: _Climb) -> dict[str, Any]:
    """Return what `--json` prints; each rung's object is that of `hil run`."""
    parted = [
        {"identical": p is None}
        | (p.as_dict() if isinstance(p, Divergence) else {} if p is None else {"reason": p})
        for p in climb.parted
    ]
    return {
        "verdict": climb.verdict,
        "case": case,
        "seed": seed,
        "flown": [run.result for run in climb.runs],
        "divergence": [
            {"from": one, "to": two, **told} for (one, two), told in zip(_pairs(climb), parted, strict=True)
        ],
        "left_out": [{"rig": rig, "reason": reason} for rig, reason in climb.left_out],
    }
