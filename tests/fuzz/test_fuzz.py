"""The fuzz targets: their corpus under the sanitizers in every run, millions of new inputs at night."""

from __future__ import annotations

import functools
import shutil
from pathlib import Path
from typing import Any

import pytest

from tools import fuzz

pytestmark = pytest.mark.xdist_group("fuzz")  # they build the same programs
needs_clang = pytest.mark.skipif(shutil.which("clang") is None, reason="apt-get install clang")
NIGHTLY = [
    ("fk_step", 10_000_000, False),
    ("fk_step", 1_000_000, True),
    ("descent", 10_000_000, False),
    ("descent", 1_000_000, True),
    ("wire", 100_000_000, False),
    ("wire", 10_000_000, True),
]


@functools.cache
def replayed(target: str) -> tuple[int, dict[str, Any], str]:
    return fuzz.replay(target)


@pytest.mark.parametrize("target", fuzz.TARGETS)
def test_the_corpus_holds_under_the_sanitizers(target: str) -> None:
    status, figures, said = replayed(target)
    assert status == 0, said
    assert figures["calls"] > 0


def test_the_corpus_flies_every_mode_on_plans_and_without() -> None:
    _, figures, _ = replayed("fk_step")
    modes = ("coast", "ignition", "braking", "terminal", "touchdown", "done", "abort")
    assert all(figures.get(mode, 0) > 0 for mode in modes), figures
    assert figures["lit_again"] > 0
    assert 0 < figures["on_an_optimised_plan"] < figures["braking"] + figures["terminal"]


def test_a_target_tells_what_it_finds(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A kernel that asks for more than full throttle is found at once."""
    changed = tmp_path / "fk_alloc.c"
    source = (fuzz.ROOT / "csrc" / "fk_alloc.c").read_text(encoding="utf-8")
    assert source.count("e->throttle_floor, 1.0);") == 1
    changed.write_text(source.replace("e->throttle_floor, 1.0);", "e->throttle_floor, 9.0) + 1.0;"))
    real = fuzz.kernel_sources
    monkeypatch.setattr(fuzz, "BUILD", tmp_path)
    monkeypatch.setattr(
        fuzz,
        "kernel_sources",
        lambda root: [str(changed) if name.endswith("fk_alloc.c") else name for name in real(root)],
    )
    status, _, said = fuzz.replay("fk_step")
    assert status != 0
    assert "does not hold: fuzz_in(e->ox_valve_cmd" in said


@pytest.mark.nightly
@needs_clang
@pytest.mark.parametrize(("target", "calls", "sanitize"), NIGHTLY)
def test_new_inputs_find_nothing(target: str, calls: int, sanitize: bool) -> None:
    status, figures, said = fuzz.run(target, calls=calls, sanitize=sanitize, driver=False, seed=1)
    assert status == 0, said[-4000:]
    assert figures["calls"] >= calls
