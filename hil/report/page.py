"""The page of a run: verdict, numbers, requirements, what happened, plots; one file that needs no network."""

from __future__ import annotations

import html
import json
from importlib import resources
from pathlib import Path
from typing import Final

from hil.report.facts import Facts, Requirement, facts_of_tape, load_facts
from hil.report.panels import EVENT_COLORS, Panel, time_panels
from hil.report.story import Event, events, ignition_t_s
from hil.report.track import track_panels
from hil.tape import Recording, read_tape

__all__ = ["write_report"]

_RESULTS: Final = {"pass": "ok", "fail": "bad"}
_NOTICE: Final = (
    "These results describe a model built on public and assumed figures. They qualify no flight software and "
    "reconstruct no accident; “landable” means in this model."
)


def write_report(run_dir: Path) -> Path:
    """Write `report.html` into a run folder from its `run.json` and tape; return where it lies.

    A run that was killed has no `run.json`: then the readable part of its tape is judged, and the
    verdict is INVALID.  Raises hil.files.FileError when what is there cannot be read.
    """
    whole = (run_dir / "run.json").exists()
    facts = load_facts(run_dir / "run.json") if whole else None
    tape = read_tape(run_dir / "tape.mcap")
    facts = facts or facts_of_tape(tape)
    story = events(tape.frames, facts.engines_of(tape))
    path = run_dir / "report.html"
    path.write_text(_page(facts, tape, story), encoding="utf-8")
    return path


def _page(facts: Facts, tape: Recording, story: list[Event]) -> str:
    panels = _panels(facts, tape, story)
    title = f"{facts.verdict}: {facts.case} on {facts.rig}"
    parts = [
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">',
        '<meta name="viewport" content="width=device-width, initial-scale=1">',
        f"<title>{_text(title)}</title>",
        f"<style>{_asset('page.css')}</style>",
        "</head>\n<body>",
        _header(facts, tape),
        '<div class="cards">',
        f"<div>{_touchdown(facts)}{_findings(facts)}{_nodes(facts)}{_clocks(facts)}</div>",
        _requirements(facts),
        "</div>",
        _happenings(story, ignition_t_s(tape.frames), opened=not facts.findings),
        '<p class="hint">Drag to zoom: all plots over time follow. Double-click to see the whole flight.</p>',
        _places(panels),
        f"<footer>{_text(_NOTICE)}<br>{_text(facts.provenance)}</footer>",
        f'<script type="application/json" id="figures">{_figures(panels)}</script>',
        f"<script>{_plotly()}</script>",
        f"<script>{_asset('page.js')}</script>",
        "</body>\n</html>\n",
    ]
    return "\n".join(parts)


def _panels(facts: Facts, tape: Recording, story: list[Event]) -> list[Panel]:
    if len(tape.frames) == 0:
        return []
    panels = time_panels(tape.frames, tape.timing, facts.engines_of(tape), story)
    return [*panels[:2], *track_panels(tape.frames, story, facts.miss_limit_m, facts.keep_out_m), *panels[2:]]


# ---- pieces of text


def _text(value: object) -> str:
    return html.escape(str(value))


def _header(facts: Facts, tape: Recording) -> str:
    cut = "" if tape.complete else "<p class='cause'>The tape was cut off; this is what was on the disk.</p>"
    cause = f"<p class='cause'>{_text(facts.cause)}</p>" if facts.cause else ""
    lead = f'<p class="lead">Case: {_text(facts.description)}</p>' if facts.description else ""
    return (
        f'<header><span class="badge {_text(facts.verdict.lower())}">{_text(facts.verdict)}</span>'
        f"<h1>{_text(facts.case)} on {_text(facts.rig)}</h1>"
        f"<span>{_text(facts.summary)}</span></header>{lead}{cause}{cut}"
    )


def _card(title: str, body: str) -> str:
    return f'<section class="card"><h2>{_text(title)}</h2>{body}</section>'


def _touchdown(facts: Facts) -> str:
    if not facts.touchdown:
        return _card("Touchdown", "<p>The stage did not touch down.</p>")
    rows = []
    for figure in facts.touchdown:
        limit = "" if figure.limit is None else f"≤ {figure.limit:g}"
        mark = ""
        if figure.within is not None:
            mark = '<span class="ok">within</span>' if figure.within else '<span class="bad">exceeded</span>'
        rows.append(
            f'<tr><td>{_text(figure.name)}</td><td class="n">{figure.value:.2f} {_text(figure.unit)}</td>'
            f'<td class="n">{limit}</td><td>{mark}</td></tr>'
        )
    head = '<tr><th></th><th class="n">value</th><th class="n">limit</th><th></th></tr>'
    return _card("Touchdown", f"<table>{head}{''.join(rows)}</table>")


def _requirements(facts: Facts) -> str:
    rows = [
        f"<tr><td>{_text(r.id)}</td><td>{_text(r.text)}{_why(r)}</td>"
        f'<td class="n {_RESULTS.get(r.result, "none")}">{_text(r.result)}</td></tr>'
        for r in facts.requirements
    ]
    return _card("Requirements", f"<table>{''.join(rows)}</table>" if rows else "<p>None were judged.</p>")


def _why(requirement: Requirement) -> str:
    return f'<div class="none">{_text(requirement.reason)}</div>' if requirement.reason else ""


def _nodes(facts: Facts) -> str:
    rows = [
        f"<tr><td>{_text(node.name)}</td><td>{_text(node.rung)}</td>"
        f'<td class="{"bad" if node.real else "none"}">{"real" if node.real else "virtual"}</td></tr>'
        for node in facts.nodes
    ]
    head = "<tr><th>node</th><th>rung</th><th>reality</th></tr>"
    return _card("Nodes of the rig", f"<table>{head}{''.join(rows)}</table>")


def _clocks(facts: Facts) -> str:
    """Return the clocks of boards and buses against the bench's; nothing where none was compared."""

    def ms(value: float | None) -> str:
        return "not known" if value is None else f"{1e3 * value:.3f} ms"

    rows = [
        f'<tr><td>{_text(clock.name)}</td><td class="n">{ms(clock.offset_s)}</td>'
        f'<td class="n">{"" if clock.drift_ppm is None else f"{clock.drift_ppm:.1f}"}</td>'
        f'<td class="n">{ms(clock.uncertainty_s)}</td><td class="n">{ms(clock.residual_s)}</td></tr>'
        for clock in facts.clocks
    ]
    head = (
        '<tr><th>clock</th><th class="n">offset</th><th class="n">drift, ppm</th>'
        '<th class="n">known to</th><th class="n">repeats to</th></tr>'
    )
    return _card("Clocks against the bench's", f"<table>{head}{''.join(rows)}</table>") if rows else ""


def _happenings(story: list[Event], ignition_s: float | None, *, opened: bool) -> str:
    """List the events: since the start, since the ignition command, and what happened."""
    rows = []
    for event in story:
        after = "" if ignition_s is None else f"{event.t_s - ignition_s:+.2f}"
        style = "font-weight:650" if event.kind in {"fault", "noticed"} else ""
        rows.append(
            f'<tr><td class="n">{event.t_s:.2f}</td><td class="n">{after}</td>'
            f'<td style="{style}"><span class="dot" style="background:{EVENT_COLORS[event.kind]}"></span>'
            f"{_text(event.text)}</td></tr>"
        )
    head = '<tr><th class="n">t, s</th><th class="n">after ignition, s</th><th>what happened</th></tr>'
    summary = f"<summary>Events on the tape ({len(rows)})</summary>"
    state = " open" if opened else ""
    return f'<details class="card"{state}>{summary}<table>{head}{"".join(rows)}</table></details>'


def _findings(facts: Facts) -> str:
    """List what the verdict found: what failed, when it was noticed, what was done."""
    if not facts.findings:
        return ""
    rows = "".join(f"<li>{_text(sentence)}</li>" for sentence in facts.findings)
    return _card("Findings", f'<ol class="findings">{rows}</ol>')


# ---- plots


def _places(panels: list[Panel]) -> str:
    """Return the boxes that the script draws into."""
    boxes = [
        f'<section class="plot{"" if panel.half else " full"}"><h2>{_text(panel.title)}</h2>'
        f'<div id="plot-{_text(panel.key)}" style="height:{panel.height}px"></div></section>'
        for panel in panels
    ]
    return f'<div class="plots">{"".join(boxes)}</div>' if boxes else "<p>The tape holds no frames.</p>"


def _figures(panels: list[Panel]) -> str:
    """Return the figures as JSON that cannot end its script element."""
    data = [
        {"key": p.key, "height": p.height, "half": p.half, "linked": p.linked, **p.figure} for p in panels
    ]
    return json.dumps(data, allow_nan=False, separators=(",", ":")).replace("<", "\\u003c")


def _asset(name: str) -> str:
    return resources.files("hil.report").joinpath(name).read_text(encoding="utf-8")


def _plotly() -> str:
    """Return the plotting library itself, so that the page needs no network."""
    source = resources.files("plotly").joinpath("package_data/plotly.min.js").read_text(encoding="utf-8")
    return source.replace("</script", "<\\/script")
