"""What the pages name exists: commands, files, rigs, cases, make targets."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_somewhere(page: Path) -> None:
    targets = re.findall(r"\]\((?!https?:|#)([^)#]+)", page.read_text())
    missing = [target for target in targets if not (page.parent / target).exists()]
    assert missing == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_files_in_code_exist(page: Path) -> None:
    """Paths of the tree that a page names in code, patterns and made-up names aside."""
    words = re.findall(
        r"`((?:hil|csrc|rigs|tools|tests|docs|firmware_stubs|benchmarks)/[\w./-]+)", page.read_text()
    )
    missing = [word for word in words if not (ROOT / word.split("::")[0]).exists()]
    assert missing == []


def test_the_readme_tells_every_rig_and_case() -> None:
    text = (ROOT / "README.md").read_text()
    rigs = [path.stem for path in (ROOT / "rigs").glob("*.toml")]
    cases = [path.stem for path in (ROOT / "rigs/cases").glob("*.toml")]
    assert [name for name in rigs + cases if f"| `{name}` |" not in text] == []


def test_commands_of_the_readme_name_rigs_and_cases_that_exist() -> None:
    text = (ROOT / "README.md").read_text()
    for rig, case in re.findall(r"hil run (rigs/\S+\.toml)(?: --case (\w+))?", text):
        assert (ROOT / rig).is_file()
        assert not case or (ROOT / "rigs/cases" / f"{case}.toml").is_file()


def test_make_help_lists_every_target_that_the_pages_name() -> None:
    listed = subprocess.run(["make", "help"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    targets = set(re.findall(r"^  make (\w+)", listed, re.MULTILINE))
    named = {name for page in PAGES for name in re.findall(r"`make (\w+)", page.read_text())}
    assert {"run", "test", "check", "bench"} <= targets
    assert named <= targets
