"""The flight in space: the ground track, the pad from above with the miss, the descent from the side."""

from __future__ import annotations

from typing import Any, Final

import numpy as np
import numpy.typing as npt

from hil.report.panels import EVENT_COLORS, Panel
from hil.report.series import Floats, encode, thin
from hil.report.story import Event

__all__ = ["track_panels"]

_TRACK: Final = "#2f7ed8"
_GROUND: Final = "#1fa187"
_LIMIT: Final = "#d6453d"
_CLOSE_M: Final = 150.0
"""The pad from above shows the track below this altitude."""


def _circle(radius_m: float, color: str, dash: str, fill: str | None = None) -> dict[str, Any]:
    return {
        "type": "circle",
        "x0": -radius_m,
        "x1": radius_m,
        "y0": -radius_m,
        "y1": radius_m,
        "layer": "below",
        "line": {"color": color, "width": 1.2, "dash": dash},
        "fillcolor": fill or "rgba(0,0,0,0)",
    }


def _square(
    title: str, traces: list[dict[str, Any]], reach_m: float, shapes: list[dict[str, Any]]
) -> dict[str, Any]:
    """Return a plot of east and north with equal scales, `reach_m` to each side of the pad's centre."""
    layout = {
        "shapes": shapes,
        "xaxis": {"title": {"text": f"east, m ({title})"}, "range": [-reach_m, reach_m], "zeroline": True},
        "yaxis": {
            "title": {"text": "north, m"},
            "range": [-reach_m, reach_m],
            "scaleanchor": "x",
            "zeroline": True,
        },
        "hovermode": "closest",
    }
    return {"data": traces, "layout": layout}


def _path(name: str, x: Floats, y: Floats, what: str) -> dict[str, Any]:
    kept = np.union1d(thin(x), thin(y))
    return {
        "type": "scatter",
        "mode": "lines",
        "name": name,
        "x": encode(x[kept]),
        "y": encode(y[kept]),
        "line": {"color": _TRACK, "width": 2},
        "hovertemplate": what,
    }


def _dots(frames: npt.NDArray[np.void], events: list[Event], x: Floats, y: Floats) -> list[dict[str, Any]]:
    """Mark the events on a track."""
    t_s = frames["t_ns"] * 1e-9
    at = [int(np.clip(np.searchsorted(t_s, event.t_s), 0, len(t_s) - 1)) for event in events]
    return [
        {
            "type": "scatter",
            "mode": "markers",
            "x": [float(x[i]) for i in at],
            "y": [float(y[i]) for i in at],
            "text": [f"{event.t_s:.2f} s: {event.short}" for event in events],
            "marker": {"size": 7, "color": [EVENT_COLORS[event.kind] for event in events]},
            "hovertemplate": "%{text}<extra></extra>",
            "showlegend": False,
        }
    ]


def _touchdown(frames: npt.NDArray[np.void]) -> tuple[float, float] | None:
    """Return where the first leg touched (body origin, east and north in m), None in a flight without."""
    truth = frames["truth"][-1]
    if truth["contact"] != 1:
        return None
    return float(truth["contact_pos_pad_m"][0]), float(truth["contact_pos_pad_m"][1])


def _cross(point: tuple[float, float]) -> dict[str, Any]:
    miss = float(np.hypot(*point))
    return {
        "type": "scatter",
        "mode": "markers+text",
        "name": "touchdown",
        "x": [point[0]],
        "y": [point[1]],
        "text": [f" {miss:.2f} m"],
        "textposition": "middle right",
        "marker": {"symbol": "x", "size": 10, "color": _GROUND},
        "hovertemplate": "touchdown: %{x:.2f} m east, %{y:.2f} m north<extra></extra>",
    }


def _from_above(frames: npt.NDArray[np.void], events: list[Event], keep_out_m: float) -> Panel:
    east, north = (frames["truth"]["pos_pad_m"][:, i] for i in (0, 1))
    reach = 1.1 * max(keep_out_m, float(np.abs(east).max()), float(np.abs(north).max()))
    traces = [_path("ground track", east, north, "%{x:.1f} m east, %{y:.1f} m north<extra></extra>")]
    shapes = [_circle(keep_out_m, _LIMIT, "dash", "rgba(214,69,61,0.08)")]
    figure = _square(
        f"red: keep-out, {keep_out_m:g} m", traces + _dots(frames, events, east, north), reach, shapes
    )
    figure["layout"]["showlegend"] = False
    return Panel("track", "Ground track from above", figure, 420, half=True, linked=False)


def _pad(frames: npt.NDArray[np.void], miss_limit_m: float) -> Panel:
    low = frames[frames["truth"]["pos_pad_m"][:, 2] < _CLOSE_M]
    point = _touchdown(frames)
    traces, reach = [], 1.6 * miss_limit_m
    if len(low):
        east, north = (low["truth"]["pos_pad_m"][:, i] for i in (0, 1))
        traces.append(_path(f"track below {_CLOSE_M:g} m", east, north, "%{x:.2f} m east, %{y:.2f} m north"))
    if point is not None:
        traces.append(_cross(point))
        reach = max(reach, 1.3 * abs(point[0]), 1.3 * abs(point[1]))
    shapes = [_circle(miss_limit_m, _LIMIT, "dash", "rgba(31,161,135,0.08)")]
    figure = _square(f"red: miss limit, {miss_limit_m:g} m", traces, reach, shapes)
    title = "The pad from above" + ("" if point else ": no touchdown")
    return Panel("pad", title, figure, 420, half=True, linked=False)


def _from_the_side(frames: npt.NDArray[np.void], events: list[Event]) -> Panel:
    position = frames["truth"]["pos_pad_m"]
    away = np.hypot(position[:, 0], position[:, 1])
    traces = [_path("path", away, position[:, 2], "%{x:.1f} m away, %{y:.1f} m up<extra></extra>")]
    layout = {
        "xaxis": {"title": {"text": "distance from the pad's centre, m"}, "rangemode": "tozero"},
        "yaxis": {"title": {"text": "altitude, m"}},
        "showlegend": False,
        "hovermode": "closest",
    }
    figure = {"data": traces + _dots(frames, events, away, position[:, 2]), "layout": layout}
    return Panel("side", "Descent from the side", figure, 300, linked=False)


def track_panels(
    frames: npt.NDArray[np.void], events: list[Event], miss_limit_m: float, keep_out_m: float
) -> list[Panel]:
    """Return the plots in space of a flight of one frame or more."""
    return [
        _from_above(frames, events, keep_out_m),
        _pad(frames, miss_limit_m),
        _from_the_side(frames, events),
    ]
