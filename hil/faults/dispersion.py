"""Dispersions: from a case with half-ranges to the one plain case that a seed flies."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from operator import add
from typing import Any, Final

from hil.faults.case import Case, Dispersion, Wind
from hil.sensors.streams import stream

__all__ = ["Drawn", "case_toml", "disperse"]

SOURCE: Final = "dispersion"
"""The random stream that everything below is drawn from."""
DRAWS: Final = 11
"""Numbers drawn in every flight, whatever is dispersed: one half-range does not shift the others' draws."""
LOW_M: Final = 10.0
HIGH_M: Final = 1000.0
"""Heights of the two winds that are drawn."""


@dataclass(frozen=True, slots=True)
class Drawn:
    """What was drawn: differences to the case's own values, and the wind."""

    pos_m: tuple[float, float, float]
    vel_mps: tuple[float, float, float]
    mass: float
    """Difference to the mass factor, 1."""
    thrust: float
    """Difference to the thrust factor, 1."""
    wind_1km_mps: float
    wind_10m_mps: float
    wind_to_deg: float
    """Where the wind blows to, degrees from north over east."""

    def as_dict(self) -> dict[str, Any]:
        """Return the draws as JSON values."""
        return asdict(self)


def disperse(case: Case, seed: int, run_id: str) -> tuple[Case, Drawn | None]:
    """Return the plain case that `seed` flies, and what was drawn; the case itself where nothing is.

    The draws depend on seed, run id and the case alone; the plain case carries the seed.
    """
    if case.dispersion is None:
        return case, None
    drawn = _draw(case.dispersion, stream(seed, run_id, SOURCE).uniform(-1.0, 1.0, DRAWS).tolist())
    initial, stage = case.initial, case.stage
    start = {
        "pos_pad_m": tuple(map(add, initial.pos_pad_m, drawn.pos_m)),
        "vel_pad_mps": tuple(map(add, initial.vel_pad_mps, drawn.vel_mps)),
    }
    factors = {
        "mass_factor": stage.mass_factor + drawn.mass,
        "thrust_factor": stage.thrust_factor + drawn.thrust,
    }
    changes: dict[str, Any] = {
        "initial": initial.model_copy(update=start),
        "stage": stage.model_copy(update=factors),
        "dispersion": None,
        "seed": seed,
    }
    if case.dispersion.draws_wind:
        changes["wind"] = _wind(drawn)
    return case.model_copy(update=changes), drawn


def _draw(half: Dispersion, units: list[float]) -> Drawn:
    """Scale numbers from -1 to 1 to the half-ranges; wind speeds come from 0 to theirs."""
    pos, vel = half.pos_m, half.vel_mps
    return Drawn(
        pos_m=(pos[0] * units[0], pos[1] * units[1], pos[2] * units[2]),
        vel_mps=(vel[0] * units[3], vel[1] * units[4], vel[2] * units[5]),
        mass=half.mass * units[6],
        thrust=half.thrust * units[7],
        wind_1km_mps=half.wind_1km_mps * 0.5 * (units[8] + 1.0),
        wind_10m_mps=half.wind_10m_mps * 0.5 * (units[9] + 1.0),
        wind_to_deg=180.0 * (units[10] + 1.0),
    )


def _wind(drawn: Drawn) -> Wind:
    """Return the drawn wind; that at 20 ft, which MIL-F-8785C scales gusts to, is the one at 10 m."""
    to_rad = math.radians(drawn.wind_to_deg)
    east, north = math.sin(to_rad), math.cos(to_rad)
    low, high = drawn.wind_10m_mps, drawn.wind_1km_mps
    return Wind(
        altitude_m=(LOW_M, HIGH_M),
        profile_mps=((low * east, low * north), (high * east, high * north)),
        gust_w20_mps=low,
    )


def case_toml(case: Case) -> str:
    """Return `case` as a case file; read again it is the same case, to the last bit."""
    values = case.model_dump(exclude_defaults=True)
    return "\n".join(_table("", values)).strip() + "\n"


def _table(path: str, values: dict[str, Any]) -> Iterator[str]:
    """Yield the lines of a table: its own keys first, then the tables below it."""
    below = {k: v for k, v in values.items() if isinstance(v, dict) or _is_tables(v)}
    yield from (f"{key} = {_value(value)}" for key, value in values.items() if key not in below)
    for key, value in below.items():
        heads = ("[[{}]]", value) if _is_tables(value) else ("[{}]", (value,))
        for table in heads[1]:
            yield f"\n{heads[0].format(path + key)}"
            yield from _table(f"{path}{key}.", table)


def _is_tables(value: Any) -> bool:
    return isinstance(value, tuple) and len(value) > 0 and isinstance(value[0], dict)


def _value(value: Any) -> str:
    """Return a value as TOML writes it; numbers keep every bit."""
    if isinstance(value, str):
        return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
    if isinstance(value, bool):
        return str(value).lower()
    return f"[{', '.join(map(_value, value))}]" if isinstance(value, tuple) else repr(value)
