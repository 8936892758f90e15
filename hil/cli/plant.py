"""`hil plant`: the plant by itself, against what others have computed or recorded."""

from __future__ import annotations

import argparse
import json
import math
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from hil.plant.check import Comparison

__all__ = ["add_plant", "plant_command"]

_SHOWN: Final = (
    "t_s", "altitude_m", "vel_north_mps", "vel_east_mps", "vel_down_mps", "latitude_deg", "longitude_deg",
    "roll_rate_degps", "pitch_rate_degps", "yaw_rate_degps", "mach",
)  # fmt: skip
"""What people see of a history; --json gives all of it."""
_COAST_SHOWN: Final = (
    "t_s", "altitude_m", "speed_mps", "vel_up_mps", "east_m", "north_m", "mach", "dynamic_pressure_pa",
    "angle_of_attack_deg",
)  # fmt: skip


def _positive(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not 1e-3 <= value <= 1e4:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number of seconds from 0.001 to 10000")
    return value


def add_plant(commands: Any) -> None:
    """Add `hil plant` and its verbs to the command's parsers."""
    plant = commands.add_parser("plant", help="the plant by itself: check cases")
    verbs = plant.add_subparsers(dest="verb", required=True, metavar="VERB")
    check = verbs.add_parser("check", help="fly the check cases and hold them against their reference")
    check.add_argument("--json", action="store_true", help="print one JSON object on standard output")
    fly = verbs.add_parser("fly", help="fly a check case and print its history")
    fly.add_argument("case", metavar="CASE", help="a name under rigs/plant, or a path")
    fly.add_argument(
        "--every", type=_positive, metavar="S", help="time between rows, s (default: the case's)"
    )
    fly.add_argument("--json", action="store_true", help="print the history as one JSON object of arrays")
    coast = verbs.add_parser(
        "coast", help="fly a booster's case without commands: engines off, fins straight"
    )
    coast.add_argument("case", metavar="CASE", help="a name under rigs/cases, or a path")
    coast.add_argument(
        "--for", type=_positive, default=20.0, metavar="S", dest="seconds", help="how long, s (default: 20)"
    )
    coast.add_argument(
        "--every", type=_positive, default=1.0, metavar="S", help="time between rows (default: 1)"
    )
    coast.add_argument("--json", action="store_true", help="print the history as one JSON object of arrays")


def plant_command(arguments: argparse.Namespace) -> int:
    """Do what the arguments ask for; return the exit status (1: a check case is out of tolerance)."""
    if arguments.verb == "check":
        return _check(as_json=arguments.json)
    return _coast(arguments) if arguments.verb == "coast" else _fly(arguments)


def _coast(arguments: argparse.Namespace) -> int:
    # imported late: compiling the plant takes a moment that a bad argument should not cost
    from hil.faults.case import SHIPPED, find_case, load_case, vehicle_path
    from hil.plant.coast import fly_coast
    from hil.plant.vehicle import load_vehicle

    nowhere = SHIPPED / "none.toml"
    case = load_case(find_case(arguments.case, nowhere))
    vehicle = load_vehicle(vehicle_path(case, nowhere))
    history = fly_coast(vehicle, case, arguments.seconds, arguments.every)
    _print_history(history, _COAST_SHOWN, as_json=arguments.json)
    return 0


def _fly(arguments: argparse.Namespace) -> int:
    # imported late: compiling the plant takes a moment that a bad argument should not cost
    from hil.plant.check import fly_check_case
    from hil.plant.checkcase import find_check_case, load_check_case

    case = load_check_case(find_check_case(arguments.case))
    _print_history(fly_check_case(case, arguments.every), _SHOWN, as_json=arguments.json)
    return 0


def _print_history(history: dict[str, Any], shown: tuple[str, ...], *, as_json: bool) -> None:
    """Print a history: all of it as one JSON object of arrays, or what people look at as a table."""
    if as_json:
        print(json.dumps({name: values.tolist() for name, values in history.items()}, allow_nan=False))
        return
    widths = [max(len(name), 12) for name in shown]
    print("  ".join(name.rjust(width) for name, width in zip(shown, widths, strict=True)))
    for row in zip(*(history[name] for name in shown), strict=True):
        cells = (f"{value:.7g}".rjust(width) for value, width in zip(row, widths, strict=True))
        print("  ".join(cells))


def _check(*, as_json: bool) -> int:
    from hil.plant.check import check_shipped

    results = check_shipped()
    passed = bool(results) and all(result.passed for result in results)
    if as_json:
        print(json.dumps({"passed": passed, "checks": [_as_dict(result) for result in results]}))
    else:
        for line in _table(results):
            print(line)
    return 0 if passed else 1


def _as_dict(result: Comparison) -> dict[str, Any]:
    names = ("case", "signal", "t_s", "ours", "reference", "off", "tolerance", "passed")
    return {name: getattr(result, name) for name in names}


def _table(results: list[Comparison]) -> list[str]:
    """Return the table: each signal of each case at the moment where it fits worst."""
    lines = []
    case = ""
    head = f"  {'signal':<20}{'at s':>6}{'ours':>17}{'reference':>17}{'off':>11}{'tolerance':>11}"
    for result in results:
        if result.case != case:
            case = result.case
            lines += ["", case, head]
        verdict = "" if result.passed else "  OUT OF TOLERANCE"
        lines.append(
            f"  {result.signal:<20}{result.t_s:6.1f}{result.ours:17.9g}{result.reference:17.9g}"
            f"{result.off:11.2g}{result.tolerance:11.2g}{verdict}"
        )
    cases = {r.case for r in results}
    failed = {r.case for r in results if not r.passed}
    lines += ["", f"{len(cases) - len(failed)} of {len(cases)} check cases within tolerance"]
    return lines
