"""`hil faults`: the catalogue of faults, and which of them a rig can fly."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Literal

from hil.cli.output import tell
from hil.faults.catalogue import ABILITIES, CATALOGUE, HEALS, Choice, Kind, Size
from hil.rig.abilities import refusals
from hil.rig.model import Rig, load_rig

__all__ = ["faults_command"]


def faults_command(path: Path | None, *, as_json: bool) -> int:
    """List every kind of fault; with a rig say whether it supports each, and why not."""
    rig = None if path is None else load_rig(path)
    if as_json:
        kinds = [_described(kind, rig) for kind in CATALOGUE.values()]
        tell(json.dumps({"rig": None if rig is None else rig.name, "kinds": kinds}))
        return 0
    for kind in CATALOGUE.values():
        tell("\n".join(_lines(kind, rig)))
    tell("\nEvery fault has one trigger (at_s, after_ignition_s or below_alt_m); see docs/FAULTS.md.")
    return 0


def _lines(kind: Kind, rig: Rig | None) -> list[str]:
    """Return a kind as people read it."""
    marks = [f"strikes {kind.strikes}", "silent" if kind.silent else "announced"]
    lines = [f"\n{kind.name}  ({', '.join(marks)})", f"    {kind.text}"]
    lines += [f"    {_key(size)}" for size in kind.sizes]
    for word, sizes in kind.what:
        keys = "; ".join(_key(size) for size in sizes)
        lines.append(f"    what = {word}{': ' if keys else ''}{keys}")
    if kind.heals:
        lines.append(f"    {_key(HEALS)} (optional)")
    if rig is None:
        lines.append(f"    rungs: {', '.join(ABILITIES[kind.needs].rungs)}")
    else:
        refused = refusals(rig, kind, _pace(rig))
        for why in dict.fromkeys(refused.values()):
            lines.append(f"    NOT on {', '.join(n for n, said in refused.items() if said == why)}: {why}")
    return lines


def _pace(rig: Rig) -> Literal["lockstep", "wall"]:
    """Return the pace that `hil run` takes by itself."""
    return "wall" if rig.live else "lockstep"


def _key(size: Size | Choice) -> str:
    return f"{size.name} = {size.allowed}: {size.text}"


def _described(kind: Kind, rig: Rig | None) -> dict[str, Any]:
    """Return a kind as JSON values."""
    told: dict[str, Any] = {
        "name": kind.name,
        "text": kind.text,
        "strikes": kind.strikes,
        "silent": kind.silent,
        "needs": ABILITIES[kind.needs].text,
        "rungs": list(ABILITIES[kind.needs].rungs),
        "keys": [_described_key(size) for size in kind.sizes],
        "what": {word: [_described_key(size) for size in sizes] for word, sizes in kind.what},
        "heals": _described_key(HEALS) if kind.heals else None,
    }
    if rig is not None:
        refused = refusals(rig, kind, _pace(rig))
        told |= {"supported": not refused, "refused": refused}
    return told


def _described_key(size: Size | Choice) -> dict[str, Any]:
    if isinstance(size, Choice):
        return {"name": size.name, "words": list(size.words), "text": size.text}
    return {
        "name": size.name,
        "unit": size.unit,
        "low": size.low,
        "high": size.high,
        "whole": size.whole,
        "mildest": size.mildest,
        "drawn": [list(span) for span in size.drawn],
        "text": size.text,
    }
