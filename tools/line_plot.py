"""Line plots as plain SVG, so that the pictures of the documentation need nothing to be drawn."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt

__all__ = ["Line", "Panel", "draw_panels"]

Array = npt.NDArray[np.float64]

WIDTH: Final = 760
TALL: Final = 190
LEFT: Final = 60
TOP: Final = 30
GAP: Final = 45
WIDE: Final = WIDTH - LEFT - 20


@dataclass(frozen=True, slots=True)
class Line:
    """One line: its name ('' is not shown), colour, and points."""

    name: str
    colour: str
    x: Any
    y: Any


@dataclass(frozen=True, slots=True)
class Panel:
    """One panel: its title, its range of values and its lines."""

    title: str
    low: float
    high: float
    lines: tuple[Line, ...]


def _text(x: float, y: float, text: str, anchor: str = "start", colour: str = "#222") -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" fill="{colour}">{text}</text>'


def _stroke(line: Line, panel: Panel, top: int, span: tuple[float, float]) -> str:
    x = LEFT + WIDE * (np.asarray(line.x, dtype=float) - span[0]) / (span[1] - span[0])
    y = top + TALL * (1.0 - (np.asarray(line.y, dtype=float) - panel.low) / (panel.high - panel.low))
    points = " ".join(f"{a:.1f},{b:.1f}" for a, b in zip(x.tolist(), y.tolist(), strict=True))
    return f'<polyline points="{points}" fill="none" stroke="{line.colour}" stroke-width="1.6"/>'


def _panel(panel: Panel, top: int, span: tuple[float, float], ticks: Array) -> list[str]:
    out = [_text(LEFT, top - 8, panel.title)]
    out.append(f'<rect x="{LEFT}" y="{top}" width="{WIDE}" height="{TALL}" fill="none" stroke="#888"/>')
    for part in (0.0, 0.25, 0.5, 0.75, 1.0):
        y = top + TALL * (1.0 - part)
        value = panel.low + part * (panel.high - panel.low)
        out.append(_text(LEFT - 6, y + 4.0, f"{value:.4g}", "end"))
        out.append(f'<line x1="{LEFT}" x2="{LEFT + WIDE}" y1="{y:.1f}" y2="{y:.1f}" stroke="#ddd"/>')
    scale = WIDE / (span[1] - span[0])
    out += [
        _text(LEFT + scale * (tick - span[0]), top + TALL + 16, f"{tick:g} s", "middle")
        for tick in ticks.tolist()
    ]
    named = [line for line in panel.lines if line.name]
    for i, line in enumerate(named):
        out.append(_text(LEFT + WIDE - 8, top + 16 + 15 * i, line.name, "end", line.colour))
    return out + [_stroke(line, panel, top, span) for line in panel.lines]


def draw_panels(path: Path, panels: tuple[Panel, ...], span: tuple[float, float], tick: float) -> None:
    """Write the panels, one under the other over the same times, to `path`; a tick every `tick` s."""
    total = TOP + len(panels) * (TALL + GAP)
    ticks = np.arange(span[0], span[1] + 1e-9, tick)
    head = f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{total}"'
    out = [f'{head} font-family="sans-serif" font-size="12">']
    out.append(f'<rect width="{WIDTH}" height="{total}" fill="white"/>')
    for i, panel in enumerate(panels):
        out += _panel(panel, TOP + i * (TALL + GAP), span, ticks)
    path.write_text("\n".join([*out, "</svg>", ""]), encoding="utf-8")
