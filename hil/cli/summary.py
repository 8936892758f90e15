"""What people read when a flight is over."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from hil.campaign import Tally
    from hil.rig.run import Run

__all__ = ["nodes", "progress_line", "summary", "tally_lines", "why_not_passed"]

_MOST_LISTED: Final = 50
"""Flights that did not pass, of those that are named one by one."""

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


def drawn_line(drawn: dict[str, Any]) -> str:
    """Return what a seed drew, in one line."""
    east, north, up = drawn["pos_m"]
    v_east, v_north, v_up = drawn["vel_mps"]
    return (
        f"position {east:+.1f} {north:+.1f} {up:+.1f} m, "
        f"velocity {v_east:+.1f} {v_north:+.1f} {v_up:+.1f} m/s, mass {100 * drawn['mass']:+.2f} %, "
        f"thrust {100 * drawn['thrust']:+.2f} %, "
        f"wind {drawn['wind_1km_mps']:.1f} m/s at 1 km and {drawn['wind_10m_mps']:.1f} m/s at 10 m "
        f"towards {drawn['wind_to_deg']:.0f} deg"
    )


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
    failed = _failed(run)
    if failed:
        lines += ["", "  requirements that failed"]
        lines += [f"    {name:<12} {reason}" for name, reason in failed.items()]
    if run.details["findings"]:
        lines += ["", "  what happened", *(f"    {finding}" for finding in run.details["findings"])]
    lines += ["", f"  nodes    {nodes(result['rungs'])}"]
    if run.details["dispersion"] is not None:
        lines.append(f"  drawn    {drawn_line(run.details['dispersion'])}")
    if result["wall_s"] > 0.0:
        sim_s, wall_s = result["sim_s"], result["wall_s"]
        lines.append(f"  flown    {sim_s:.2f} s in {wall_s:.2f} s ({sim_s / wall_s:.0f} times real time)")
    lines += _machinery(result["timing"])
    lines += _bus(result["timing"].get("bus"))
    lines.append(f"  run      {run.run_dir}")
    if page is not None:
        lines.append(f"  report   {page}")
    return "\n".join(lines)


def _machinery(timing: dict[str, Any]) -> list[str]:
    """Return the lines on the kernel's work, where it was counted, and on deadlines that were missed."""
    lines = []
    work = timing.get("step_instructions")
    if work is not None:
        bound = "" if work["bound"] is None else f" (bound {work['bound']:,})"
        most, mean = f"{work['max']:,}", f"{work['mean']:,.0f}"
        lines.append(f"  work     {most} instructions in a step at most{bound}, {mean} on average")
    missed = timing.get("deadlines", {}).get("missed", 0)
    if missed:
        lines.append(f"  timing   {missed} deadlines missed")
    return lines


def _bus(bus: dict[str, Any] | None) -> list[str]:
    """Say how full the CAN bus was, and what went wrong on it."""
    if bus is None:
        return []
    text = f"{bus['frames']} frames"
    if "load_mean" in bus:  # a real bus does not tell it
        text = f"load {100 * bus['load_mean']:.0f} %, at most {100 * bus['load_peak']:.0f} %"
    wrong = (("late", "late by a frame"), ("lost", "lost for want of room"), ("errors", "error frames"))
    return ["  bus      " + "; ".join([text, *(f"{bus[key]} {what}" for key, what in wrong if bus.get(key))])]


def _failed(run: Run) -> dict[str, str]:
    """Return the requirements that a run broke, each with its reason."""
    reasons = run.details["requirement_reasons"]
    return {
        name: reasons.get(name, "") for name, status in run.result["requirements"].items() if status == "fail"
    }


def why_not_passed(run: Run) -> str:
    """Return in one line what kept a run from passing, its cause or the broken requirements; else ''."""
    if run.result["verdict"] == "PASS":
        return ""
    told = [f"{name} ({reason})" if reason else name for name, reason in _failed(run).items()]
    return run.cause or ", ".join(told) or "nothing is proven"


def tally_lines(tally: Tally) -> str:
    """Return the summary of many flights: those that did not pass, then the count and its bounds."""
    lines = tally.others[:_MOST_LISTED]
    if len(tally.others) > _MOST_LISTED:
        lines.append(f"... and {len(tally.others) - _MOST_LISTED} more that did not pass")
    return "\n".join(f"hil: {line}" for line in (*lines, tally.sentence()))
