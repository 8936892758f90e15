"""Boards as Cortex-M7 images: what breaks them, how much work a step is, and the optimiser's bits."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import descent
import numpy as np
import pytest

from hil.boards import emulated, stations
from hil.boards.emulated_descent import EmulatedOptimiser
from hil.boards.executables import flight_computer_image
from hil.files import FileError
from hil.kernel import DescentSolution, load_library, reference_kernel, solve_descent
from hil.kernel.toolchain import Product, build
from hil.rig.model import KernelSpec
from hil.signals import BoardLost, Frame
from tests.emulation import EMULATED
from tests.kernel_binding.test_trial import source
from tests.oracle.descents import BOOSTER, BOOSTER_TIME_S, LANDER, ROTATING, draw
from tests.seams.rigging import RIGS, Stations, make_rig
from tests.seams.test_seams import engine_model

pytestmark = EMULATED

BOUND = reference_kernel().step_instructions_max
MINIMAL = RIGS / "kernels" / "minimal" / "minimal.c"


# ---- what breaks them


@pytest.mark.parametrize(
    ("step", "says"),
    [
        ("*(volatile int *)0xf0000000 = 1", r"ended with exit status 30: its processor has faulted"),
        (
            "for (volatile int k = 0; k >= 0; k = 0) {}",
            r"ended with exit status 31: its watchdog has expired: 168 million instructions",
        ),
    ],
    ids=["faults", "hangs"],
)
def test_a_kernel_that_breaks_in_flight_is_a_lost_board(
    step: str, says: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(emulated, "ANSWER_S", 60.0)
    spec = KernelSpec(name="mine", sources=(str(source(tmp_path, STEP=f"if (in->t_ns > 0) {step}")),))
    with Stations("emulated", rig=make_rig("emulated", kernel=spec)) as turned:
        with pytest.raises(BoardLost, match=rf"board flight_computer: process \d+ {says}"):
            turned.turn(3)
        assert all(board.safe for board in turned.boards[1:])


def test_an_image_that_refuses_its_configuration_says_why(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stations, "flight_computer_config", lambda *_, **__: b"short")
    with Stations("emulated") as turned, pytest.raises(BoardLost, match="has another size than the firmware"):
        turned.turn(1)


def test_an_emulator_that_does_not_start_gives_its_own_reason(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "none").write_bytes(b"no image")
    monkeypatch.setattr(stations, "valve_board_image", lambda: tmp_path / "no such image")
    with (
        Stations("emulated") as turned,
        pytest.raises(BoardLost, match=r"exit status 1: qemu.*no such image"),
    ):
        turned.turn(1)


def test_a_library_of_this_machine_is_refused(tmp_path: Path) -> None:
    library = build(Product("mine", (MINIMAL,), (RIGS.parent / "csrc",), shared=True))
    with pytest.raises(FileError, match=r"which no Cortex-M7 can run: name its sources instead"):
        flight_computer_image(load_library("mine", library))


def test_a_kernel_that_needs_a_system_does_not_link(tmp_path: Path) -> None:
    spec = KernelSpec(name="mine", sources=(str(source(tmp_path, STEP="exit(1)")),))
    rig = make_rig("emulated", kernel=spec)
    kernel = stations.rig_kernel(rig)
    with pytest.raises(FileError, match=r"kernel mine: does not link into the Cortex-M7 image: .*_exit"):
        flight_computer_image(kernel)


# ---- mixed with other forms


def test_an_emulated_computer_flies_with_valve_boards_of_any_form() -> None:
    backends = ("emulated", "process", "in_process", "emulated")
    rig = make_rig("emulated")
    board = {
        name: spec.model_copy(update={"backend": backend})
        for (name, spec), backend in zip(rig.board.items(), backends, strict=True)
    }
    seen = []
    for rung, flown in (("kernel", make_rig("kernel")), ("mixed", rig.model_copy(update={"board": board}))):
        with Stations(rung, rig=flown, ignition_forced_at_s=0.1) as turned:
            turned.turn(80, engine_model)
            seen.append([frame.tobytes() for frame in turned.history])
    assert seen[0] == seen[1]


# ---- work


def work_of(frames: int, script: Callable[[int, Frame], None]) -> list[int]:
    """Turn frames with engines lit; return the instructions of the kernel's step in each."""
    counted = np.zeros((), np.int64)
    seen = []
    with Stations("emulated", ignition_forced_at_s=0.1) as turned:
        stations.note_work(turned.boards, counted)
        for _ in range(frames):
            turned.turn(1, script)
            seen.append(int(counted))
    return seen


def test_the_count_is_the_same_every_time_and_nothing_for_a_dead_computer() -> None:
    first = work_of(60, engine_model)
    assert min(first) > 1000
    assert work_of(60, engine_model) == first
    with Stations("emulated") as turned:
        counted = np.zeros((), np.int64)
        stations.note_work(turned.boards, counted)
        turned.turn(1)
        assert counted > 0
        turned.board("flight_computer").faults.silent = True
        turned.turn(1)
        assert counted == 0


@pytest.mark.parametrize("seed", range(2))
def test_a_step_stays_within_its_bound_whatever_it_is_told(seed: int) -> None:
    rng = np.random.default_rng(seed)
    worst = (0.0, -0.0, 1e-300, 1e300, np.inf, -np.inf, np.nan)

    held: dict[tuple[str, str], Any] = {}

    def wild(number: int, frame: Frame) -> None:
        for (record, name), value in held.items():
            frame[record][name][...] = value  # a wild value lasts for one frame
        held.clear()
        engine_model(number, frame)
        for record in ("nav", "sensor"):
            for name in frame[record].dtype.names or ():
                if rng.random() < 0.02 and name not in ("valid", "valid_t_ns"):
                    held[record, name] = frame[record][name].copy()
                    flat = frame[record][name].reshape(-1)
                    flat[rng.integers(flat.size)] = rng.choice(worst)

    seen = work_of(400, wild)
    assert BOUND is not None
    assert max(seen) <= BOUND


# ---- the optimiser's bits


def same(a: DescentSolution, b: DescentSolution) -> bool:
    """Tell whether two solutions are equal to the bit."""
    numbers = ("propellant_kg", "miss_m", "iterations", "status")
    arrays = ("t_s", "pos_m", "vel_mps", "mass_kg", "thrust_n")
    return all(getattr(a, name) == getattr(b, name) for name in numbers) and all(
        getattr(a, name).tobytes() == getattr(b, name).tobytes() for name in arrays
    )


def test_the_optimiser_gives_the_same_bits_on_both_processors() -> None:
    rng = np.random.default_rng(7)
    posed = [(BOOSTER, nodes, BOOSTER_TIME_S, "foh") for nodes in (20, 30, 50)]
    posed += [(LANDER, 60, 72.0, "zoh"), (ROTATING, 60, 75.0, "foh"), (BOOSTER, 30, None, "foh")]
    posed += [(d.problem, d.nodes, d.time_s, d.hold) for d in (draw(rng) for _ in range(10))]
    statuses = set()
    with EmulatedOptimiser() as board:
        for problem, nodes, time_s, hold in posed:
            here = solve_descent(problem, nodes=nodes, final_time_s=time_s, hold=hold)  # type: ignore[arg-type]
            there, instructions = board.solve(problem, nodes=nodes, final_time_s=time_s, hold=hold)  # type: ignore[arg-type]
            assert same(here, there)
            assert instructions > 10_000 * here.iterations
            statuses.add(here.status)
    assert {"optimal", "infeasible"} <= statuses


def test_the_benchmark_counts_what_the_board_does_and_compares_its_answer() -> None:
    ours = solve_descent(BOOSTER, nodes=20, final_time_s=BOOSTER_TIME_S)
    standing = descent.Standing("lastbrake", 20, ours.iterations, ours.propellant_kg)
    descent.add_cortex_m7([standing], [20])
    with EmulatedOptimiser() as board:
        assert (
            standing.cortex_m7_instructions == board.solve(BOOSTER, nodes=20, final_time_s=BOOSTER_TIME_S)[1]
        )
    other = descent.Standing("lastbrake", 20, ours.iterations, np.nextafter(ours.propellant_kg, 0.0))
    with pytest.raises(RuntimeError, match="Cortex-M7"):
        descent.add_cortex_m7([other], [20])


# ---- whole flights are in tests/flights; what is missing is told


def only(tools: tuple[str, ...], folder: Path) -> Path:
    """Make a folder of programs that holds `tools` alone."""
    folder.mkdir()
    for tool in tools:
        (folder / tool).symlink_to(str(shutil.which(tool)))
    return folder


def command(path: Path, folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run `hil` in `folder` where of all programs only those in `path` can be found."""
    code = "import sys; from hil.cli import main; sys.exit(main())"
    return subprocess.run(
        [sys.executable, "-c", code, *arguments],
        cwd=folder,
        env={"PATH": str(path), "PYTHONPATH": str(RIGS.parent), "HOME": str(folder)},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.parametrize(
    ("tools", "says"),
    [
        ((), "no emulator: 'qemu-system-arm' is not on the path (apt-get install qemu-system-arm)"),
        (
            ("qemu-system-arm",),
            (
                "no C compiler: 'arm-none-eabi-gcc' is not on the path "
                "(apt-get install gcc-arm-none-eabi libnewlib-arm-none-eabi)"
            ),
        ),
    ],
    ids=["emulator", "compiler"],
)
def test_a_missing_tool_is_3_with_the_way_to_get_it(
    tools: tuple[str, ...], says: str, tmp_path: Path
) -> None:
    rig = str(RIGS / "emulated.toml")
    path = only(tools, tmp_path / "bin")
    flown = command(path, tmp_path, "run", rig, "--json", "--out", str(tmp_path / "run"))
    assert flown.returncode == 3
    assert flown.stderr.splitlines()[-1] == f"hil: {says}"
    assert json.loads(flown.stdout)["verdict"] == "ERROR"
    looked = command(path, tmp_path, "check", rig)
    assert looked.returncode == 3
    assert looked.stderr.splitlines()[-1] == f"hil: {says}"
