"""What people read of a scorecard: the same lines on the terminal and in docs/SCORECARD.md."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

__all__ = ["card_lines", "kind_rows", "loss_lines", "rate_rows", "row_of"]

_NOT_JUDGED: Final = "not judged (--no-oracle): every case that is not landed counts as undecided"


def _percent(rate: dict[str, Any]) -> str:
    if rate["rate"] is None:
        return "-"
    low, high = rate["bounds"]
    return f"{100 * rate['rate']:.1f} % ({100 * low:.1f} to {100 * high:.1f} %)"


def _holds(value: dict[str, Any]) -> str:
    return "holds" if value["holds"] else "MISSED"


def rate_rows(card: dict[str, Any]) -> Iterator[tuple[str, str, str]]:
    """Yield what is counted, the count, and the target with whether it holds."""
    landable, undecided, clear = card["landable"], card["undecided"], card["clearable"]
    yield (
        "landed, of the landable (undecided ones included)",
        f"{landable['good']} of {landable['cases']}, {_percent(landable)}",
        f"at least {100 * landable['least']:g} %: {_holds(landable)}",
    )
    yield (
        "undecided, of all",
        f"{undecided['cases']} of {card['cases']}, {100 * undecided['rate']:.1f} %",
        f"at most {100 * undecided['most']:g} %: {_holds(undecided)}",
    )
    yield (
        "kept off the keep-out, of the unlandable that could clear it",
        f"{clear['good']} of {clear['cases']}, {_percent(clear)}",
        f"at least {100 * clear['least']:g} %: {_holds(clear)}",
    )
    for name, words in (
        ("not_clearable", "kept off, of the unlandable that could not clear it"),
        ("clearing_undecided", "kept off, of the unlandable where that is undecided"),
    ):
        yield words, f"{card[name]['good']} of {card[name]['cases']}", ""
    yield (
        "lost (not landed, not unlandable) within the keep-out",
        f"{card['lost_inside']} of {len(card['lost'])}",
        "",
    )
    yield "engine failures: noticed after", _times(card["detection"]), ""
    yield "healthy engine taken for failed", f"in {card['detection']['false']} flights", ""
    broken = ", ".join(f"{name} {count}" for name, count in card["requirements"].items())
    yield "flights that break a requirement", broken or "none", ""


def _times(detection: dict[str, Any]) -> str:
    if detection["median_s"] is None:
        return f"none noticed of {detection['failures']}"
    ms = [f"{1e3 * detection[key]:.0f}" for key in ("median_s", "p95_s", "max_s")]
    return (
        f"{ms[0]} ms (median), {ms[1]} ms (95 %), {ms[2]} ms (most) of {detection['failures']}; "
        f"{detection['late']} late, {detection['never']} never"
    )


def kind_rows(card: dict[str, Any]) -> Iterator[tuple[str, ...]]:
    """Yield each kind of fault with the cases that have it, not landed, lost, lost by it alone."""
    for kind, row in card["kinds"].items():
        yield kind, *(str(row[key]) for key in ("cases", "not_landed", "lost", "lost_alone"))


def loss_lines(card: dict[str, Any], replay: str) -> Iterator[str]:
    """Yield the likeliest losses; `replay` is a command with {index} in it."""
    for one in card["likeliest_losses"]:
        yield f"{one['index']}: {one['faults']}"
        yield f"    {one['standing']}; {one['outcome']}; log-likelihood {one['log_likelihood']:.1f}"
        yield f"    {replay.format(index=one['index'])}"


def row_of(cells: tuple[str, ...]) -> str:
    """Return a row of a Markdown table."""
    return f"| {' | '.join(cells)} |"


def card_lines(card: dict[str, Any], folder: str, rig: str) -> list[str]:
    """Return the scorecard as it is told on a terminal."""
    what = f"{card['cases']} cases of seed {card['seed']} about {card['about']} on {card['rig']}"
    lines = [
        f"{card['verdict']}  {what}, kernel {card['kernel_sha256'][:12]}",
        *([] if card["oracle"] else [f"  {_NOT_JUDGED}"]),
        "",
    ]
    for name, value, target in rate_rows(card):
        lines.append(f"  {name:<60} {value}{f'; {target}' if target else ''}")
    lines += ["", f"  {'kind':<26} {'cases':>7} {'not landed':>11} {'lost':>6} {'lost by it alone':>17}"]
    lines += [f"  {k:<26} {a:>7} {b:>11} {c:>6} {d:>17}" for k, a, b, c, d in kind_rows(card)]
    replay = f"hil run {rig} --case {folder}/drawn-{card['seed']}-{{index}}.toml"
    lines += ["", "  the likeliest losses", *(f"  {line}" for line in loss_lines(card, replay))]
    return [*lines, "", f"  every loss lies as a case file in {folder}/"]
