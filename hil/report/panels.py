"""The plots over time, top to bottom in the order in which an engineer looks at them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from hil.report.series import Floats, line, runs_of
from hil.report.story import Event
from hil.signals import ENGINE_STATES, FIN_COUNT, FLIGHT_MODES
from hil.signals.timing import STAGES

__all__ = ["ENGINE_COLORS", "EVENT_COLORS", "Panel", "time_panels"]

ENGINE_COLORS: Final = (
    "#2f7ed8", "#e08a1e", "#1fa187", "#c0504d", "#8e63c7", "#17a2b8", "#b8860b", "#d6569b", "#6b8e23",
)  # fmt: skip
"""Colours of the engines by slot; they read on light and on dark ground."""

EVENT_COLORS: Final = {
    "flight": "#7f8c9b",
    "fault": "#d6453d",
    "noticed": "#e08a1e",
    "action": "#2f7ed8",
    "ground": "#1fa187",
}
_BLUE, _ORANGE, _GREEN, _RED, _VIOLET = ENGINE_COLORS[:5]
_MODE_COLORS: Final = ("#8a97a6", "#e0b11e", "#d9713c", "#2f7ed8", "#1fa187", "#5f6b78", "#d6453d")
_STATE_COLORS: Final = ("#8a97a6", "#b7a54a", "#e0b11e", "#2f7ed8", "#8e63c7", "#d6453d")
_DEG: Final = 180.0 / np.pi
_TOOLBAR: Final = 32
"""Height of the plots' toolbar, which names above a plot must stay clear of, px."""
_FLOW_PA: Final = 300.0
"""Below this dynamic pressure the angle of attack means nothing and is not drawn."""


@dataclass(frozen=True, slots=True)
class Panel:
    """One plot: `figure` is Plotly's data and layout; `half` panels stand two in a row."""

    key: str
    title: str
    figure: dict[str, Any]
    height: int = 250
    half: bool = False
    linked: bool = True


@dataclass(frozen=True, slots=True)
class Flight:
    """What the panels draw from: frames, timing, time in seconds, engine numbers, events."""

    frames: npt.NDArray[np.void]
    timing: npt.NDArray[np.void]
    t_s: Floats
    engines: list[int]
    events: list[Event]


def _markers(flight: Flight, *, named: bool) -> dict[str, Any]:
    """Return the vertical lines at the events, with their names where asked."""
    shapes = [
        {
            "type": "line",
            "x0": e.t_s,
            "x1": e.t_s,
            "y0": 0,
            "y1": 1,
            "yref": "paper",
            "layer": "below",
            "line": {"color": EVENT_COLORS[e.kind], "width": 1, "dash": "dot"},
        }
        for e in flight.events
    ]
    return {"shapes": shapes, "annotations": _names(flight.events) if named else []}


def _names(events: list[Event]) -> list[dict[str, Any]]:
    """Write the events' short names above the plot, on as many levels as keep them apart."""
    free: list[float] = []
    span = max((e.t_s for e in events), default=1.0) or 1.0
    notes = []
    for event in events:
        width = 0.011 * span * (len(event.short) + 2)
        level = next((i for i, end in enumerate(free) if end <= event.t_s), len(free))
        free[level : level + 1] = [event.t_s + width]
        notes.append(
            {
                "x": event.t_s,
                "y": 1.0,
                "yref": "paper",
                "yanchor": "bottom",
                "xanchor": "left",
                "yshift": 2 + 13 * level,
                "text": event.short,
                "showarrow": False,
                "font": {"size": 10, "color": EVENT_COLORS[event.kind]},
            }
        )
    return notes


def _plot(
    flight: Flight, traces: list[dict[str, Any]], left: str, right: str | None = None, *, named: bool = False
) -> dict[str, Any]:
    """Return data and layout of one plot over time with its axis titles."""
    marks = _markers(flight, named=named)
    levels = max((n["yshift"] // 13 for n in marks["annotations"]), default=-1) + 1
    layout: dict[str, Any] = {
        **marks,
        "xaxis": {"range": [float(flight.t_s[0]), float(flight.t_s[-1])], "ticksuffix": " s"},
        "yaxis": {"title": {"text": left}},
        "margin": {"t": (_TOOLBAR if levels else 14) + 13 * levels},
    }
    if right is not None:
        layout["yaxis2"] = {
            "title": {"text": right},
            "overlaying": "y",
            "side": "right",
            "showgrid": False,
            "tickmode": "auto",
        }
    return {"data": traces, "layout": layout}


def _ribbon(flight: Flight) -> Panel:
    rows: list[tuple[str, tuple[str, ...], tuple[str, ...], npt.NDArray[np.int64]]]
    rows = [("flight computer", FLIGHT_MODES, _MODE_COLORS, flight.frames["telemetry"]["mode"])]
    for slot, number in enumerate(flight.engines):
        rows.append(
            (f"engine {number}", ENGINE_STATES, _STATE_COLORS, flight.frames["status"]["state"][:, slot])
        )
    traces = [
        trace for row, values in enumerate(rows) for trace in _ribbon_row(flight, len(rows) - row, *values)
    ]
    figure = _plot(flight, traces, "", named=True)
    figure["layout"]["yaxis"] |= {
        "tickvals": list(range(len(rows), 0, -1)),
        "ticktext": [row[0] for row in rows],
        "range": [0.4, len(rows) + 0.6],
        "showgrid": False,
        "fixedrange": True,
    }
    figure["layout"]["showlegend"] = False
    return Panel(
        "modes", "Modes and events", figure, height=120 + 26 * len(rows) + figure["layout"]["margin"]["t"]
    )


def _ribbon_row(
    flight: Flight, y: int, title: str, names: tuple[str, ...], colors: tuple[str, ...], values: Any
) -> list[dict[str, Any]]:
    """Return thick bars, one for each stretch in one mode, with its name inside where it fits."""
    span = max(float(flight.t_s[-1] - flight.t_s[0]), 1e-9)
    bars = []
    for value, first, last in runs_of(np.asarray(values, dtype=np.int64)):
        begin, end = float(flight.t_s[first]), float(flight.t_s[last])
        name = names[value] if 0 <= value < len(names) else str(value)
        fits = (end - begin) / span > 0.011 * len(name)
        middle = 0.5 * (begin + end)
        bars.append(
            {
                "type": "scatter",
                "mode": "lines+text",
                "x": [begin, middle, end],
                "y": [y, y, y],
                "text": ["", name if fits else "", ""],
                "textfont": {"size": 10, "color": "#ffffff"},
                "line": {"color": colors[value % len(colors)], "width": 18},
                "hovertemplate": f"{title}: {name}, {begin:.2f} to {end:.2f} s<extra></extra>",
            }
        )
    return bars


def _height_and_speed(flight: Flight) -> Panel:
    truth, nav = flight.frames["truth"], flight.frames["nav"]
    speed = np.linalg.norm(truth["vel_pad_mps"], axis=1)
    traces = [
        line("altitude", flight.t_s, truth["pos_pad_m"][:, 2], _BLUE, unit="m", width=2),
        line(
            "altitude, navigation", flight.t_s, nav["pos_pad_m"][:, 2], _BLUE, unit="m", dash="dot", width=1
        ),
        line("speed", flight.t_s, speed, _ORANGE, unit="m/s", axis="y2", width=2),
        line("vertical speed", flight.t_s, truth["vel_pad_mps"][:, 2], _GREEN, unit="m/s", axis="y2"),
    ]
    return Panel("height", "Altitude and speed", _plot(flight, traces, "m", "m/s"), height=300)


def _valves(flight: Flight, slot: int, number: int) -> Panel:
    command, truth, color = flight.frames["command"], flight.frames["truth"], ENGINE_COLORS[slot % 9]
    t_s = flight.t_s
    traces = [
        line(
            "ox command", t_s, 100 * command["ox_valve_cmd"][:, slot], color, unit="%", dash="dash", width=1.2
        ),
        line("ox position", t_s, 100 * truth["ox_valve_pos"][:, slot], color, unit="%", width=2),
        line(
            "fuel command",
            t_s,
            100 * command["fuel_valve_cmd"][:, slot],
            "#7f8c9b",
            unit="%",
            dash="dash",
            width=1,
        ),
        line("fuel position", t_s, 100 * truth["fuel_valve_pos"][:, slot], "#7f8c9b", unit="%"),
    ]
    figure = _plot(flight, traces, "% open")
    figure["layout"]["yaxis"]["range"] = [-4, 104]
    return Panel(
        f"valves-{number}", f"Engine {number}: valve command against position", figure, 220, half=True
    )


def _chamber(flight: Flight, slot: int, number: int) -> Panel:
    truth, status, color = flight.frames["truth"], flight.frames["status"], ENGINE_COLORS[slot % 9]
    t_s = flight.t_s
    traces = [
        line(
            "expected", t_s, 1e-6 * truth["chamber_expected_pa"][:, slot], "#7f8c9b", unit="MPa", dash="dot"
        ),
        line("reported by the board", t_s, 1e-6 * status["chamber_pa"][:, slot], _RED, unit="MPa", width=1),
        line("chamber pressure", t_s, 1e-6 * truth["chamber_pa"][:, slot], color, unit="MPa", width=2),
        line("thrust", t_s, 1e-3 * truth["thrust_n"][:, slot], _VIOLET, unit="kN", axis="y2", width=1),
    ]
    figure = _plot(flight, traces, "MPa", "kN")
    return Panel(f"chamber-{number}", f"Engine {number}: chamber pressure and thrust", figure, 220, half=True)


def _attitude(flight: Flight) -> Panel:
    truth = flight.frames["truth"]
    q = truth["q_pad_from_body"]
    cosine = np.clip(1.0 - 2.0 * (q[:, 1] ** 2 + q[:, 2] ** 2), -1.0, 1.0)
    rates = _DEG * truth["omega_body_radps"]
    incidence = np.where(truth["dynamic_pressure_pa"] > _FLOW_PA, _DEG * truth["angle_of_attack_rad"], np.nan)
    traces = [
        line("tilt", flight.t_s, _DEG * np.arccos(cosine), _BLUE, unit="deg", width=2),
        line(
            "angle of attack",
            flight.t_s,
            incidence,
            "#7f8c9b",
            unit="deg",
            dash="dot",
        ),
        *(
            line(
                f"rate {axis}",
                flight.t_s,
                rates[:, i],
                (_ORANGE, _GREEN, _VIOLET)[i],
                unit="deg/s",
                axis="y2",
                width=1,
            )
            for i, axis in enumerate("xyz")
        ),
    ]
    return Panel("attitude", "Attitude and turn rates", _plot(flight, traces, "deg", "deg/s"))


def _gimbals(flight: Flight) -> Panel:
    command, truth = flight.frames["command"], flight.frames["truth"]
    traces = []
    for slot, number in enumerate(flight.engines):
        color = ENGINE_COLORS[slot % 9]
        for axis, dash in (("x", "solid"), ("y", "dot")):
            angle = _DEG * truth[f"gimbal_{axis}_rad"][:, slot]
            asked = _DEG * command[f"gimbal_{axis}_cmd_rad"][:, slot]
            traces.append(line(f"{number} {axis}", flight.t_s, angle, color, unit="deg", dash=dash))
            traces.append(
                line(f"{number} {axis} command", flight.t_s, asked, color, unit="deg", width=0.7, shown=False)
            )
    return Panel(
        "gimbal", "Gimbals: position (thick) and command (thin)", _plot(flight, traces, "deg"), half=True
    )


def _fins(flight: Flight) -> Panel:
    truth, actuator = flight.frames["truth"], flight.frames["actuator"]
    traces = []
    for fin, name in zip(range(FIN_COUNT), ("+x", "+y", "-x", "-y"), strict=True):
        color = ENGINE_COLORS[fin]
        asked = _DEG * actuator["fin_cmd_rad"][:, fin]
        traces.append(line(f"fin {name}", flight.t_s, _DEG * truth["fin_rad"][:, fin], color, unit="deg"))
        traces.append(
            line(f"fin {name} command", flight.t_s, asked, color, unit="deg", width=0.7, shown=False)
        )
    return Panel(
        "fins", "Grid fins: position (thick) and command (thin)", _plot(flight, traces, "deg"), half=True
    )


def _guidance(flight: Flight) -> Panel:
    told, truth = flight.frames["telemetry"], flight.frames["truth"]
    asked = np.linalg.norm(told["accel_cmd_pad_mps2"], axis=1)
    thrust = truth["thrust_n"].sum(axis=1) / np.maximum(truth["mass_kg"], 1.0)
    traces = [
        line("thrust acceleration commanded", flight.t_s, asked, _BLUE, unit="m/s²", width=1.2, dash="dash"),
        line("thrust acceleration", flight.t_s, thrust, _BLUE, unit="m/s²", width=2),
        line("time to go", flight.t_s, told["time_to_go_s"], _ORANGE, unit="s", axis="y2"),
    ]
    return Panel("guidance", "Guidance", _plot(flight, traces, "m/s²", "s"), half=True)


def _stage(flight: Flight) -> Panel:
    truth, told = flight.frames["truth"], flight.frames["telemetry"]
    traces = [
        line("propellant", flight.t_s, 1e-3 * truth["propellant_kg"], _BLUE, unit="t", width=2),
        line(
            "mass error of the kernel",
            flight.t_s,
            1e-3 * (told["mass_est_kg"] - truth["mass_kg"]),
            _GREEN,
            unit="t",
        ),
        line(
            "dynamic pressure",
            flight.t_s,
            1e-3 * truth["dynamic_pressure_pa"],
            _ORANGE,
            unit="kPa",
            axis="y2",
        ),
    ]
    return Panel("stage", "Propellant and dynamic pressure", _plot(flight, traces, "t", "kPa"), half=True)


def _timing(flight: Flight) -> Panel | None:
    """Draw how late frames began and how long their stages took on the wall clock."""
    if len(flight.timing) == 0:
        return None
    t_s = flight.timing["t_ns"] * 1e-9
    traces = [
        line(stage, t_s, 1e6 * flight.timing[f"{stage}_s"], ENGINE_COLORS[i], unit="µs", width=1)
        for i, stage in enumerate(STAGES)
    ]
    if np.any(flight.timing["lateness_s"] != 0.0):
        traces.append(line("lateness", t_s, 1e6 * flight.timing["lateness_s"], _RED, unit="µs", width=2))
    figure = _plot(flight, traces, "µs")
    figure["layout"]["yaxis"]["type"] = "log"
    return Panel("timing", "Wall time of each stage of a frame, and lateness (diagnostics)", figure, 220)


def time_panels(
    frames: npt.NDArray[np.void], timing: npt.NDArray[np.void], engines: list[int], events: list[Event]
) -> list[Panel]:
    """Return every plot over time of a flight of one frame or more."""
    flight = Flight(frames, timing, frames["t_ns"] * 1e-9, engines, events)
    panels: list[Panel | None] = [_ribbon(flight), _height_and_speed(flight)]
    for slot, number in enumerate(engines):
        panels += [_valves(flight, slot, number), _chamber(flight, slot, number)]
    panels += [_attitude(flight), _gimbals(flight), _fins(flight), _guidance(flight), _stage(flight)]
    panels.append(_timing(flight))
    return [panel for panel in panels if panel is not None]
