"""What people read when a flight is over."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from hil.rig.run import Run

__all__ = ["nodes", "progress_line", "summary"]

_ROWS: Final = (
    ("miss_m", "miss", "m"),
    ("vertical_speed_mps", "vertical speed", "m/s"),
    ("lateral_speed_mps", "lateral speed", "m/s"),
    ("tilt_deg", "tilt", "deg"),
    ("rate_degps", "turn rate", "deg/s"),
    ("propellant_left_kg", "propellant left", "kg"),
    ("t_s", "time after ignition", "s"),
)


def progress_line(waited_s: float) -> str:
    """Return the line that says that a flight goes on."""
    return f"hil: still flying after {waited_s:.0f} s"


def nodes(rungs: dict[str, str]) -> str:
    """Say which nodes are real and which virtual."""
    real = [name for name, rung in rungs.items() if rung == "hardware"]
    virtual = [f"{name} ({rung})" for name, rung in rungs.items() if rung != "hardware"]
    return f"real: {', '.join(real) or 'none'}; virtual: {', '.join(virtual) or 'none'}"


def summary(run: Run, page: Path | None) -> str:
    """Return the summary of a run: verdict, touchdown against limits, what failed, what happened."""
    result = run.result
    lines = ["", f"{result['verdict']}  {result['case']} on {result['rig']}, seed {result['seed']}"]
    if run.cause:
        lines.append(f"  {run.cause}")
    if result["touchdown"]["miss_m"] is not None:
        lines += ["", "  touchdown"]
        for key, name, unit in _ROWS:
            value, limit = result["touchdown"][key], run.details["limits"].get(key)
            if value is not None:
                bound = "" if limit is None else f"  (limit {limit:g})"
                lines.append(f"    {name:<20}{value:9.2f} {unit}{bound}")
    reasons = run.details["requirement_reasons"]
    failed = [name for name, status in result["requirements"].items() if status == "fail"]
    if failed:
        lines += ["", "  requirements that failed"]
        lines += [f"    {name:<12} {reasons.get(name, '')}" for name in failed]
    if run.details["findings"]:
        lines += ["", "  what happened", *(f"    {finding}" for finding in run.details["findings"])]
    lines += ["", f"  nodes    {nodes(result['rungs'])}"]
    if result["wall_s"] > 0.0:
        sim_s, wall_s = result["sim_s"], result["wall_s"]
        lines.append(f"  flown    {sim_s:.2f} s in {wall_s:.2f} s ({sim_s / wall_s:.0f} times real time)")
    missed = result["timing"].get("deadlines", {}).get("missed", 0)
    if missed:
        lines.append(f"  timing   {missed} deadlines missed")
    lines += _bus(result["timing"].get("bus"))
    lines.append(f"  run      {run.run_dir}")
    if page is not None:
        lines.append(f"  report   {page}")
    return "\n".join(lines)


def _bus(bus: dict[str, Any] | None) -> list[str]:
    """Say how full the CAN bus was, and what went wrong on it."""
    if bus is None:
        return []
    text = f"load {100 * bus['load_mean']:.0f} %, at most {100 * bus['load_peak']:.0f} %"
    wrong = (("late", "late by a frame"), ("lost", "lost for want of room"), ("errors", "error frames"))
    return ["  bus      " + "; ".join([text, *(f"{bus[key]} {what}" for key, what in wrong if bus[key])])]
