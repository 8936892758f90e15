"""Signals as Plotly takes them: thinned without losing a peak, encoded as little as possible."""

from __future__ import annotations

import base64
from itertools import pairwise
from typing import Any, Final

import numpy as np
import numpy.typing as npt

__all__ = ["MOST_POINTS", "Floats", "encode", "line", "runs_of", "thin"]

Floats = npt.NDArray[np.float64]

MOST_POINTS: Final = 1200
"""Points of one line on a page; a screen shows fewer."""


def thin(values: Floats, most: int = MOST_POINTS) -> npt.NDArray[np.int64]:
    """Return the indices of at most `most` samples: the least and the greatest of each stretch, and the ends.

    No peak is lost, so a spike of one frame stays on the picture.
    """
    count = len(values)
    if count <= most:
        return np.arange(count)
    edges = np.linspace(0, count, max(2, most // 2 - 1) + 1).astype(np.int64)
    kept = {0, count - 1}
    for start, stop in pairwise(edges):
        stretch = values[start:stop]
        kept.add(int(start + np.argmin(stretch)))
        kept.add(int(start + np.argmax(stretch)))
    return np.array(sorted(kept), dtype=np.int64)


def encode(values: Floats) -> dict[str, str]:
    """Return numbers in Plotly's binary form, single precision: what a picture can show."""
    raw = np.ascontiguousarray(values, dtype="<f4").tobytes()
    return {"dtype": "f4", "bdata": base64.b64encode(raw).decode("ascii")}


def line(name: str, t_s: Floats, values: Floats, color: str, **options: Any) -> dict[str, Any]:
    """Return one line of a plot; `options` are dash, width, axis ("y2"), unit, shown and step."""
    finite = np.where(np.isfinite(values), values, 0.0)
    kept = thin(finite)
    unit = options.get("unit", "")
    return {
        "type": "scatter",
        "mode": "lines",
        "name": name,
        "x": encode(t_s[kept]),
        "y": encode(values[kept]),
        "yaxis": options.get("axis", "y"),
        "showlegend": options.get("shown", True),
        "hovertemplate": f"%{{y:.4g}} {unit}",
        "line": {
            "color": color,
            "width": options.get("width", 1.6),
            "dash": options.get("dash", "solid"),
            "shape": "hv" if options.get("step") else "linear",
        },
    }


def runs_of(values: npt.NDArray[np.int64]) -> list[tuple[int, int, int]]:
    """Return (value, first index, last index) of each stretch of equal values."""
    if len(values) == 0:
        return []
    changes = np.flatnonzero(np.diff(values)) + 1
    starts = [0, *(int(c) for c in changes)]
    ends = [*(int(c) for c in changes), len(values) - 1]
    return [(int(values[s]), s, e) for s, e in zip(starts, ends, strict=True)]
