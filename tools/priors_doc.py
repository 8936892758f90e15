"""Write docs/PRIORS.md: from what off-nominal cases are drawn; `--check` only compares."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from hil.faults.catalogue import CATALOGUE, Size
from hil.search import priors

__all__ = ["main", "page"]

PAGE: Final = Path(__file__).resolve().parent.parent / "docs" / "PRIORS.md"

_COUNTS: Final = ", ".join(f"{100 * p:.0f} % of the cases have {n}" for n, p in enumerate(priors.COUNTS, 1))
_HEAD: Final = f"""\
# What is drawn, and how likely it is

`hil.search.priors` draws off-nominal cases: `draw_case(base, vehicle, seed, index)` is the same case for the
same arguments, whatever was drawn before it; `log_likelihood(case)` says how likely its faults are.
`tools/priors_doc.py` writes this page from the table that is drawn from. Few figures are public; what is not
marked *published* is assumed.

- **How many faults.** {_COUNTS}. A further fault has the cause of the first one in
  {100 * priors.COMMON:.0f} %: it is of its kind, somewhere else, at the same moment or up to
  {priors.COMMON_S:g} s later. Of several landing engines one at least is not struck by `engine.out`.
- **When.** *Latent* faults are there from the start. Those of the *burn* strike in the first
  {priors.START_S:g} s after ignition in {100 * priors.START_SHARE:.0f} % (published: start-up holds over 30 %
  of engine failures; latent kinds come on top), else at any moment while the engine burns:
  {priors.BURN_S:g} s for the one that lands, {priors.BRAKE_S:g} s for the others, which are shut down then.
  Those of the *flight* strike at any moment of the {priors.COAST_S:g} s before ignition or of the burn.
  The times are `zq3_class`'s. Of faults that may heal {100 * priors.HEAL:.0f} % do.
- **How badly.** Within the catalogue's ranges (`likely` there). *log*: even in the logarithm of the distance
  to no fault, so that mild ones are more frequent; *half-normal*: likeliest at the mild end, two sigma at
  the other; *uniform*; *whole* numbers, even. Words are drawn evenly.
- **Else.** Start, mass, thrust, wind and gusts as the case drawn about disperses them, all uniform.
- **How likely.** The logarithm of the product of all that: shares of number, kinds, causes and start-up, and
  of each size its density over that of a uniform draw over its range. Which of like units is struck
  does not count.
- **What is not drawn.** Faults that the rung `kernel` cannot fly; {" and ".join(f"`{name}`" for name in priors.NOT_DRAWN)}, which only searches draw, so that the
  cases of a scorecard stay those that earlier kernels flew. What takes the flight computer or its
  navigation for good is no question to guidance: a flight computer always comes back, and
  {", ".join(f"`{kind}` of {', '.join(what)}" for kind, what in priors.BLINDING.items())} always heal.

"""


def _sizes(name: str) -> str:
    """Say how the sizes of a kind are drawn, each way once."""
    told: dict[str, None] = {}
    for plain in CATALOGUE[name].variants():
        for size in plain.sizes:
            if isinstance(size, Size):
                ranges = [_range(span) for span in priors.spans(name, size)]
                told[f"{size.name} {' or '.join(ranges)} ({size.unit})"] = None
    return "; ".join(told)


def _range(span: priors.Span) -> str:
    if span.mild == span.severe:
        return f"{span.mild:g}"
    return f"{span.mild:g} to {span.severe:g} {span.law}"


def _rows() -> Iterator[str]:
    yield "| group | share of all faults | origin |\n|---|---|---|"
    for name, group in priors.GROUPS.items():
        yield f"| {name} | {100 * group.share:.0f} % | {group.origin} |"
    yield "\nA group of which nothing is drawn leaves its share to the others.\n"
    yield "| kind | weight in its group | onset | sizes, mild to severe |\n|---|---|---|---|"
    for name in CATALOGUE:
        prior = priors.PRIORS.get(name, priors.DEFAULT)
        drawn = "" if name in priors.drawn_kinds() else " (not drawn)"
        yield f"| `{name}`{drawn} | {prior.weight:g} | {prior.onset} | {_sizes(name)} |"


def page() -> str:
    """Return the page in Markdown."""
    return _HEAD + "\n".join(_rows()) + "\n"


def main() -> int:
    """Write the page, or compare it with `--check`; 1 when it is not in step."""
    if "--check" in sys.argv[1:]:
        if not PAGE.exists() or PAGE.read_text(encoding="utf-8") != page():
            print("docs/PRIORS.md is not in step with hil/search/priors.py: run tools/priors_doc.py")
            return 1
        return 0
    PAGE.write_text(page(), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
