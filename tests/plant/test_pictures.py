"""Every fault of the plant has its picture in docs/plant/, and the page shows it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from plant_pictures import pictured

from hil.faults.catalogue import CATALOGUE

ROOT = Path(__file__).parents[2]


def test_every_plant_fault_has_a_picture() -> None:
    done = subprocess.run(
        [sys.executable, "tools/plant_pictures.py", "--check"],
        capture_output=True, text=True, cwd=ROOT, timeout=120, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout


def test_the_page_shows_every_picture() -> None:
    page = (ROOT / "docs" / "plant_propulsion.md").read_text(encoding="utf-8")
    for name in pictured():
        assert f"plant/{name}.svg" in page, name
    for picture in (ROOT / "docs" / "plant").glob("*.svg"):
        assert picture.stem in CATALOGUE or not picture.stem.count("."), picture.name
