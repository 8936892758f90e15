"""`hil oracle`: could a case have been landed at all?"""

from __future__ import annotations

import argparse
import json
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hil.cli.output import tell
from hil.files import FileError

if TYPE_CHECKING:
    from hil.rig.plan import Plan
    from hil.search.oracle import Judgement

__all__ = ["add_oracle", "oracle_command"]


def add_oracle(commands: Any, read_seed: Any) -> None:
    """Add `hil oracle` to the command's parsers; `read_seed` reads the text of --seed."""
    oracle = commands.add_parser(
        "oracle", help="say whether a case could have been landed by anyone (docs/ORACLE.md)"
    )
    oracle.add_argument("case", metavar="CASE", help="a name under cases/, or a path")
    oracle.add_argument(
        "--rig", type=Path, default=Path("rigs/kernel.toml"), metavar="RIG", help="default: rigs/kernel.toml"
    )
    oracle.add_argument("--seed", type=read_seed, metavar="N", help="master seed (default: the case's)")
    oracle.add_argument("--out", type=Path, metavar="FILE", help="write the commands that land (.npz)")
    oracle.add_argument("--json", action="store_true", help="print one JSON object on standard output")


def oracle_command(arguments: argparse.Namespace) -> int:
    """Judge a case and say why; return the exit status."""
    from hil.rig.plan import load_plan

    plan = load_plan(arguments.rig, arguments.case)
    try:
        from hil.search.oracle import judge

        judged = judge(plan.case, plan.vehicle, seed=arguments.seed, run_id=_run_id(plan))
    except ImportError as error:
        raise FileError(f"hil oracle needs {error.name}: pip install 'lastbrake[oracle]'") from None
    if arguments.out is not None:
        _write(arguments.out, judged)
    facts = _facts(plan, judged)
    tell(json.dumps(facts, allow_nan=False) if arguments.json else _text(facts))
    return 0


def _run_id(plan: Plan) -> str:
    return plan.case.run_id or plan.case_name


def _facts(plan: Plan, judged: Judgement) -> dict[str, Any]:
    """Return the judgement as JSON values, without commands and proofs."""
    certificate = judged.certificate
    return {
        "case": plan.case_name,
        "vehicle": plan.vehicle.name,
        "verdict": judged.verdict,
        "reason": judged.reason,
        "margin": judged.margin,
        "propellant_kg": judged.propellant_kg,
        "ignition_s": judged.ignition_s,
        "touchdown": None if judged.touchdown is None else asdict(judged.touchdown),
        "certificate": None
        if certificate is None
        else {"kind": certificate.kind, "over": certificate.over, "cells": certificate.cells},
        "clearing": None
        if judged.verdict != "unlandable"
        else judged.clearing(plan.case, plan.vehicle, run_id=_run_id(plan)),
        "flights": judged.flights,
        "work_s": judged.work_s,
    }


def _text(facts: dict[str, Any]) -> str:
    lines = [f"{facts['verdict'].upper()}  {facts['case']} ({facts['vehicle']})", f"  {facts['reason']}"]
    if facts["verdict"] == "landable":
        touch, margin = facts["touchdown"], facts["margin"]
        speeds = f"{touch['vertical_speed_mps']:8.2f} m/s down, {touch['lateral_speed_mps']:.2f} m/s across"
        lines += [
            f"  ignition    {facts['ignition_s']:8.2f} s, {margin['delay_s']:.2f} s before the latest",
            f"  propellant  {facts['propellant_kg']:8.0f} kg, {margin['propellant_left_kg']:.0f} kg left",
            f"  touchdown   {speeds}, {touch['tilt_deg']:.2f} deg, {touch['miss_m']:.2f} m off",
        ]
    if facts["clearing"] is not None:
        lines.append(f"  keep-out    coming down outside it after the last fault: {facts['clearing']}")
    lines.append(f"  work        {facts['flights']} flights, {facts['work_s']:.1f} s")
    return "\n".join(lines)


def _write(path: Path, judged: Judgement) -> None:
    if judged.history is None:
        raise FileError(f"--out {path}: there are no commands that land ({judged.verdict})")
    import numpy as np

    try:
        np.savez_compressed(path, actuator=judged.history.actuator, request=judged.history.request)
    except OSError as error:
        raise FileError(f"--out {path}: {error.strerror}") from None
