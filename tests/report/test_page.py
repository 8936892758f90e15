"""The page of a run: whole, without a network, safe against what names contain, drawn without an error."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from html.parser import HTMLParser
from pathlib import Path

import pytest

from hil.files import FileError
from hil.report import write_report
from tests.report.flights import ENGINES, write_flight

NASTY = "</script><script>alert('x')</script>&\"<b>"


class Page(HTMLParser):
    """Gathers what a browser would load, and the text outside of scripts."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.loaded: list[str] = []
        self.ids: list[str] = []
        self.tags: list[str] = []
        self.text = ""
        self._inside = ""
        self.feed(path.read_text(encoding="utf-8"))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._inside = tag
        self.tags.append(tag)
        values = dict(attrs)
        self.loaded += [value or "" for key, value in attrs if key in {"src", "href", "data", "action"}]
        if values.get("id"):
            self.ids.append(str(values["id"]))

    def handle_endtag(self, tag: str) -> None:
        self._inside = ""

    def handle_data(self, data: str) -> None:
        if self._inside not in {"script", "style"}:
            self.text += data + " "


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_report(write_flight(tmp_path_factory.mktemp("run")))


@pytest.fixture(scope="module")
def page(report: Path) -> Page:
    return Page(report)


def test_the_report_lies_in_the_run_folder(report: Path) -> None:
    assert report.name == "report.html"
    assert (report.parent / "tape.mcap").exists()


def test_it_loads_nothing(report: Path, page: Page) -> None:
    assert page.loaded == []
    style = re.search(r"<style>(.*?)</style>", report.read_text(), re.DOTALL)
    assert style is not None
    assert "url(" not in style.group(1)
    assert "@import" not in style.group(1)


def test_it_stays_small_apart_from_the_plotting_library(report: Path) -> None:
    assert report.stat().st_size < 8_000_000


def test_verdict_numbers_requirements_and_nodes_are_told(page: Page) -> None:
    for word in (
        "PASS",
        "one_out on virtual",
        "seed 7",
        "2.50 m/s",
        "exceeded",
        "TD-VERTICAL",
        "not exercised",
    ):
        assert word in page.text
    assert "engine_1" in page.text
    assert page.text.count("hardware") == 1
    assert "engine 4 is held for failed" in page.text


def test_every_plot_an_engineer_looks_at_has_its_place(page: Page) -> None:
    keys = [
        "modes",
        "height",
        "track",
        "pad",
        "side",
        "attitude",
        "gimbal",
        "fins",
        "guidance",
        "stage",
        "timing",
    ]
    keys += [f"{kind}-{number}" for kind in ("valves", "chamber") for number in ENGINES]
    assert {f"plot-{key}" for key in keys} == {name for name in page.ids if name.startswith("plot-")}


def test_text_from_files_cannot_become_markup(tmp_path: Path) -> None:
    changes = {"case": NASTY, "description": NASTY, "cause": NASTY, "rungs": {NASTY: NASTY}, "seed": NASTY}
    path = write_report(write_flight(tmp_path, frames=50, **changes, requirements={NASTY: NASTY}))
    page = Page(path)
    assert page.tags.count("script") == 3
    assert "b" not in page.tags
    assert page.text.count(NASTY) >= 5


def test_a_cut_tape_and_a_rig_error_still_give_a_page(tmp_path: Path) -> None:
    run = write_flight(tmp_path, verdict="ERROR", cause="board engine_4: died", touchdown=None)
    data = (run / "tape.mcap").read_bytes()
    (run / "tape.mcap").write_bytes(data[: len(data) // 2])
    text = Page(write_report(run)).text
    assert "The tape was cut off" in text
    assert "board engine_4: died" in text
    assert "did not touch down" in text


@pytest.mark.parametrize("verdict", ["PASS", "ERROR"])
def test_the_description_is_the_cases_not_the_outcome(tmp_path: Path, verdict: str) -> None:
    page = Page(
        write_report(write_flight(tmp_path, frames=50, verdict=verdict, description="Everything works"))
    )
    assert "Case: Everything works" in page.text


def test_names_of_events_stay_clear_of_the_toolbar(report: Path) -> None:
    source = report.read_text(encoding="utf-8").split('id="figures">')[1].split("</script>")[0]
    modes = next(figure for figure in json.loads(source) if figure["key"] == "modes")
    highest = max(note["yshift"] for note in modes["layout"]["annotations"])
    assert modes["layout"]["margin"]["t"] - highest >= 13 + 28  # a line of text, and Plotly's toolbar


def test_a_tape_without_frames_still_gives_a_page(tmp_path: Path) -> None:
    assert "holds no frames" in Page(write_report(write_flight(tmp_path, frames=0, touchdown=None))).text


@pytest.mark.parametrize(
    ("content", "word"), [(None, "No such file"), ("{", "broken JSON"), ("[]", "object")]
)
def test_a_run_folder_that_cannot_be_read_is_one_line(tmp_path: Path, content: str | None, word: str) -> None:
    write_flight(tmp_path, frames=1)
    (tmp_path / "run.json").unlink()
    if content is not None:
        (tmp_path / "run.json").write_text(content)
    with pytest.raises(FileError) as error:
        write_report(tmp_path)
    assert word in str(error.value)
    assert "\n" not in str(error.value)


CHROMIUM = next((p for p in map(shutil.which, ("chromium", "chromium-browser", "google-chrome")) if p), None)


@pytest.mark.skipif(
    CHROMIUM is None and not os.environ.get("CI"), reason="no browser here: apt-get install chromium"
)
@pytest.mark.parametrize("frames", [1, 3000])
def test_a_browser_draws_every_plot_without_an_error(tmp_path: Path, frames: int) -> None:
    """The page's script marks the document once all plots are drawn; names are no markup there either."""
    assert CHROMIUM is not None, "chromium is missing; with CI set that is an error"
    report = write_report(write_flight(tmp_path, frames=frames, case=NASTY))
    flags = (
        "--headless --no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking "
        "--disable-component-update --disable-sync --virtual-time-budget=20000 --dump-dom"
    )
    command = [CHROMIUM, *flags.split(), f"--user-data-dir={tmp_path / 'browser'}", report.as_uri()]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=True)
    opening = done.stdout[:400]
    places = len([name for name in Page(report).ids if name.startswith("plot-")])
    assert "data-failed" not in opening, opening
    assert f'data-drawn="{places}"' in opening
    assert done.stdout.count('class="main-svg"') >= places


def test_the_figures_are_json_that_browsers_read(report: Path) -> None:
    found = re.search(r'id="figures">(.*?)</script>', report.read_text(), re.DOTALL)
    assert found is not None
    figures = json.loads(found.group(1))
    assert all({"key", "data", "layout", "height"} <= set(figure) for figure in figures)
