"""What benchmarks/deadlines.py makes of a flight and of cyclictest; and that a late flight is INVALID."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import deadlines
import pytest

from hil.rig.model import load_rig

HISTOGRAM = """# /dev/cpu_dma_latency set to 0us
# Histogram
000001 004990
000999 000005
001000 000003
024000 000002
# Total: 000005000
"""
MACHINE = {"wakes": 5000, "missed_share": 0.001, "worst_us": 24000}


def result(missed: int, verdict: str) -> dict[str, Any]:
    counted = {"missed": missed, "worst_lateness_s": 0.002, "causes": {}}
    timing = {"frames": 10_000, "deadlines": counted, "real_time": {}}
    return {"timing": timing, "verdict": verdict}


def test_a_histogram_of_cyclictest_is_read() -> None:
    assert deadlines.lateness_of(HISTOGRAM) == MACHINE


@pytest.mark.parametrize(
    ("missed", "verdict", "within", "judged"),
    [
        (10, "FAIL", True, True),
        (20, "INVALID", True, True),  # what the machine missed and 0.1 % more
        (20, "FAIL", True, False),
        (21, "INVALID", False, True),
        (21, "PASS", False, False),
    ],
)
def test_the_bench_may_miss_what_the_machine_does_and_a_little_more(
    missed: int, verdict: str, within: bool, judged: bool
) -> None:
    found = deadlines.compare(result(missed, verdict), MACHINE)
    assert (found["within"], found["judged"]) == (within, judged)


def test_the_rig_that_is_measured_allows_no_more(tmp_path: Path) -> None:
    text = (deadlines.ROOT / "rigs" / "kernel.toml").read_text().replace("frame_ms = 10", deadlines.FAST)
    (tmp_path / "rig.toml").write_text(text)
    timing = load_rig(tmp_path / "rig.toml").timing
    assert (timing.frame_ms, timing.missed_share) == (1, deadlines.ALLOWED_MORE)
