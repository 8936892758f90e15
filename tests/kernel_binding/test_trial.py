"""Kernels that crash, hang or leave: told in one line with exit status 2, and the bench lives on."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from hil.boards import stations as building
from hil.boards.config import kernel_config
from hil.boards.process import ProcessBoard
from hil.files import FileError
from hil.kernel import KernelRefused, check_fits, load_sources, reference_kernel, trial
from hil.rig.model import KernelSpec
from hil.signals import BoardLost
from tests.seams.rigging import RIGS, VEHICLE, Stations, make_rig

CONFIG = kernel_config(VEHICLE, 0.01, initial_propellant_kg=9000.0)
KERNEL = """
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "fk_interface.h"
LOADING
void fk_if_describe(fk_if_info_t *info) {
    const fk_if_info_t mine = {FK_IF_VERSION, STATE, sizeof(fk_if_input_t), sizeof(fk_if_output_t),
                               sizeof(fk_if_config_t), 0, "mine"};
    DESCRIBE;
    *info = mine;
}
int32_t fk_if_init(void *state, const fk_if_config_t *config) {
    (void)state;
    INIT;
    return config->version != FK_IF_VERSION;
}
void fk_if_step(void *state, const fk_if_input_t *in, fk_if_output_t *out) {
    (void)state; (void)in;
    memset(out, 0, sizeof *out);
    STEP;
}
"""
CRASH = "*(volatile int *)8 = 1"
HANG = "for (;;) pause()"
WRONGS = [
    ({"DESCRIBE": CRASH}, "crashes in fk_if_describe (SIGSEGV)"),
    ({"INIT": "abort()"}, "crashes in fk_if_init (SIGABRT)"),
    ({"STEP": "raise(SIGFPE)"}, "crashes in fk_if_step (SIGFPE)"),
    ({"STEP": "exit(0)"}, "ends its process in fk_if_step (exit status 0)"),
    ({"DESCRIBE": "_exit(3)"}, "ends its process in fk_if_describe (exit status 3)"),
    (
        {"LOADING": f"__attribute__((constructor)) static void at(void) {{ {CRASH}; }}"},
        "crashes in its loading (SIGSEGV)",
    ),
    ({"STATE": "0"}, "its state_size is 0 bytes (allowed: 1 to 67108864)"),
    ({"STATE": "0xffffffffu"}, "its state_size is 4294967295 bytes (allowed: 1 to 67108864)"),
]


def source(folder: Path, **parts: str) -> Path:
    """Write a kernel with C statements in its functions; return its path."""
    text = KERNEL
    for part, value in (
        {"STATE": "16", "LOADING": "", "DESCRIBE": "", "INIT": "", "STEP": ""} | parts
    ).items():
        text = text.replace(part, value)
    path = folder / "mine.c"
    path.write_text(text)
    return path


def try_it(path: Path) -> None:
    check_fits(load_sources("mine", (path,)), CONFIG)


@pytest.fixture(autouse=True)
def _own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


@pytest.mark.parametrize(("parts", "says"), WRONGS, ids=[says for _, says in WRONGS])
def test_a_kernel_that_crashes_or_leaves_is_told_in_one_line(
    parts: dict[str, str], says: str, tmp_path: Path
) -> None:
    with pytest.raises(FileError) as caught:
        try_it(source(tmp_path, **parts))
    assert str(caught.value) == f"kernel mine: {says}"


@pytest.mark.parametrize("function", ["describe", "init", "step"])
def test_a_kernel_that_hangs_is_stopped_with_all_it_started(
    function: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(trial, "TRIAL_S", 1.0)
    note = tmp_path / "pids"
    fork = f'fork(); {{ char t[64]; strcpy(t, "echo $PPID >> {note}"); if (system(t)) {{}} }} {HANG}'
    with pytest.raises(FileError) as caught:
        try_it(source(tmp_path, **{function.upper(): fork.replace("char t[64]", "char t[400]")}))
    assert str(caught.value) == f"kernel mine: fk_if_{function} does not return within 1 s"
    time.sleep(0.1)
    pids = note.read_text().split()
    assert len(pids) == 2
    for pid in pids:
        stat = Path(f"/proc/{pid}/stat")
        assert not stat.exists() or ") Z" in stat.read_text()


def test_what_has_passed_is_not_tried_again_until_it_changes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    count = tmp_path / "count"
    started = f'char t[400]; strcpy(t, "echo >> {count}"); if (system(t)) {{}}'
    kernel = load_sources("mine", (source(tmp_path, STEP=started),))
    for _ in range(3):
        check_fits(kernel, CONFIG)
    assert count.read_text() == "\n", "one step of one trial"
    check_fits(kernel, kernel_config(VEHICLE, 0.02, initial_propellant_kg=9000.0))
    assert count.read_text() == "\n\n", "another configuration is another trial"
    try_it(source(tmp_path, STEP="out->telemetry.mode = 1; " + started))
    assert count.read_text() == "\n\n\n", "so is another kernel"
    monkeypatch.setattr(trial, "cache_folder", lambda: Path("/proc/none"))
    check_fits(kernel, CONFIG)
    assert count.read_text() == "\n\n\n\n", "without a cache it is tried every time"


def test_the_built_in_kernel_is_asked_too() -> None:
    check_fits(reference_kernel(), CONFIG)
    with pytest.raises(KernelRefused, match="refused its configuration"):
        check_fits(reference_kernel(), bytes(len(CONFIG)))


@pytest.mark.parametrize("rig", ["kernel", "in_process", "virtual"])
@pytest.mark.parametrize("command", ["run", "check"])
def test_the_command_says_it_with_exit_status_2(rig: str, command: str, tmp_path: Path) -> None:
    source(tmp_path, STEP=CRASH)
    text = (RIGS / f"{rig}.toml").read_text() + '\n[kernel]\nname = "mine"\nsources = ["mine.c"]\n'
    (tmp_path / "rig.toml").write_text(text)
    (tmp_path / "bus.dbc").write_bytes((RIGS / "bus.dbc").read_bytes())
    done = subprocess.run(
        [sys.executable, "-c", "import sys; from hil.cli import main; sys.exit(main())", command, "rig.toml"],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(RIGS.parent)},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 2, done.stderr
    assert done.stderr.splitlines()[-1] == "hil: kernel mine: crashes in fk_if_step (SIGSEGV)"


def test_a_kernel_that_crashes_in_flight_is_contained_where_boards_are_processes(tmp_path: Path) -> None:
    spec = KernelSpec(name="mine", sources=(str(source(tmp_path, STEP=f"if (in->t_ns > 0) {CRASH}")),))
    with Stations("process", rig=make_rig("process", kernel=spec)) as stations:
        with pytest.raises(BoardLost, match=rf"killed by signal {signal.SIGSEGV.value} \(SIGSEGV\)"):
            stations.turn(3)
        assert all(board.safe for board in stations.boards[1:])


def test_a_process_that_refused_to_start_says_why_in_words(monkeypatch: pytest.MonkeyPatch) -> None:
    """Only a board of other sources than the bench's can get there; here its configuration is cut off."""
    monkeypatch.setattr(building, "flight_computer_config", lambda *_, **__: b"short")
    with Stations("process") as stations:
        assert isinstance(stations.boards[0], ProcessBoard)
        with pytest.raises(
            BoardLost, match=r"refused to start: its configuration has another size than the firmware's"
        ):
            stations.turn(2)
