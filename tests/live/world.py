"""A laboratory: flight computer and valve boards that run by themselves, and `hil run` as the bench.

The boards are processes on a bus of the laboratory's own.  The bench joins that bus by an interface that
python-can knows by another name than the bench's own bus, so for the bench the rig is live; when the bench
dies, nothing else does.
"""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import time
import tty
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType

from hil.boards.config import valve_board_config
from hil.boards.in_process import ValveBoard
from hil.boards.outputs import Seam
from hil.signals import Frame
from hil.wire.layout import accepted_ids, load_database
from tests.seams.rigging import RIGS, VEHICLE, Stations, make_rig
from tests.seams.test_seams import engine_model

__all__ = ["ARMED", "LIMITS", "OBEYED", "ROOT", "World", "bench", "end_of", "environment", "live_rig"]

ROOT = RIGS.parent
OBEYED = {0x010, *range(0x041, 0x069)}
"""Ids that a valve board obeys."""
HIGH_M, LOW_M = 30_000.0, 1_500.0
"""Where the kernel coasts, and where it lights its engines at once."""
NAV_LATENCY_NS = 50_000_000
"""As in every shipped case; a board whose clock started late takes no solution from its future."""


def _real_time(policy: int) -> None:
    with contextlib.suppress(OSError):
        os.sched_setscheduler(0, policy, os.sched_param(60 if policy != os.SCHED_OTHER else 0))


class World:
    """The laboratory, turned by the test on the wall clock, 10 ms a frame."""

    def __init__(self, folder: Path, in_process: tuple[str, ...] = ()) -> None:
        """`in_process` are the boards that the test wants in its own hands."""
        rig = make_rig("process", interlock={"enable": True})
        mixed = {name: rig.board[name].model_copy(update={"backend": "in_process"}) for name in in_process}
        rig = rig.model_copy(update={"board": {**rig.board, **mixed}})
        _real_time(os.SCHED_FIFO)  # a laboratory and its boards do not wait for other work of this machine
        self.folder = folder
        folder.mkdir(exist_ok=True)
        self.stations = Stations("process", rig=rig, pace="wall", run_dir=folder)
        _real_time(os.SCHED_FIFO | os.SCHED_RESET_ON_FORK)  # a bench looks after itself
        self.channel = str(self.stations.wires.bus._path)  # type: ignore[attr-defined]
        self.stations.wires.drives = None  # type: ignore[attr-defined]  # what is really driven counts
        self.enables_s: list[float] = []
        """When the bench's enable frames were heard, on this machine's monotonic clock."""
        self.modes: list[int] = []
        self.stations.wires.decoder.listen("BENCH_ENABLE", self._hear_enable)  # type: ignore[attr-defined]
        self.nav_master, slave = os.openpty()
        tty.setraw(slave)
        self.nav_port = os.ttyname(slave)
        self._nav_slave = slave
        os.set_blocking(self.nav_master, False)
        self.altitude(HIGH_M)
        self._start = time.monotonic()
        self._frames = 0
        self.stuck_open = False
        """Whether the sensor of a valve says that it is open, whatever is driven."""

    def altitude(self, up_m: float) -> None:
        """Put the booster of the flight computer at a height, from which it falls.

        Up at HIGH_M it is held, and its navigation vouches for nothing yet: a kernel that knows where it is
        takes no leap for true.
        """
        self._held = up_m >= HIGH_M
        nav = self.stations.frame["nav"]
        nav["pos_pad_m"][:] = (0.0, 0.0, up_m)
        nav["vel_pad_mps"][:] = (0.0, 0.0, -300.0)
        nav["height_m"][()] = up_m
        nav["valid"][()] = not self._held

    def turn(self, frames: int = 1) -> None:
        """Live on for some frames of 10 ms."""
        for _ in range(frames):
            self.stations.wires.pump(self._start + self._frames * 0.01)
            self._frames += 1
            with contextlib.suppress(OSError):
                if self.nav_master >= 0:
                    os.read(self.nav_master, 65536)
            self.stations.turn(1, self._physics)
            if self._held:
                self.altitude(HIGH_M)

    def _physics(self, number: int, frame: Frame) -> None:
        engine_model(number, frame)
        frame["nav"]["valid_t_ns"][()] = number * 10_000_000 - NAV_LATENCY_NS
        if self.stuck_open:
            frame["sensor"]["ox_valve_pos"][0] = 0.7

    def unplug_navigation(self) -> None:
        """Pull out the flight computer's serial line."""
        os.close(self.nav_master)
        self.nav_master = -1

    @staticmethod
    def config_of(engine: int) -> bytes:
        """Return the configuration of a valve board of the laboratory."""
        return valve_board_config(VEHICLE, engine, 0.01, enable_demanded=True)

    def turn_until(self, wanted: Callable[[], bool], limit_s: float = 60.0) -> None:
        """Live on until something holds; fail when it never does."""
        end = time.monotonic() + limit_s
        while not wanted():
            assert time.monotonic() < end, f"it never happened: {self.states} {self.faults}"
            self.turn()

    @property
    def states(self) -> list[int]:
        """State of each valve board, as it last said."""
        return [int(state) for state in self.stations.frame["status"]["state"]]

    @property
    def faults(self) -> list[int]:
        """Fault word of each valve board."""
        return [int(word) for word in self.stations.frame["status"]["fault"]]

    def drives(self, name: str) -> list[float]:
        """What the boards really drive."""
        return [float(value) for value in self.stations.frame["actuator"][name]]

    @property
    def valves(self) -> float:
        """How far the widest valve is open."""
        sensor = self.stations.frame["sensor"]
        return float(max(sensor["ox_valve_pos"].max(), sensor["fuel_valve_pos"].max()))

    def log(self, engine: int) -> str:
        """What a valve board has written down."""
        return (self.folder / f"engine_{engine}.log").read_text()

    def board_time_s(self, engine: int, line: str) -> float:
        """When a board wrote a line of its log, on this machine's monotonic clock."""
        board = self.stations.board(f"engine_{engine}")
        return float(
            board._epoch_ns * 1e-9 + 0.005 + float(line.split()[0])
        )  # half a frame after the bench's

    def _hear_enable(self, signals: dict[str, float]) -> None:
        self.enables_s.append(time.monotonic())
        self.modes.append(int(signals["mode"]))

    def commands_heard(self) -> int:
        """How many commands the boards have heard from the flight computer so far."""
        counted = self.stations.wires.counters()
        return counted["engine_1"]["accepted"]

    def add_board(self, engine: int) -> None:
        """Put one more valve board with the number of an engine on the bus."""
        bus = self.stations.wires.bus  # type: ignore[attr-defined]
        node = bus.attach("intruder", accepted_ids(engine, load_database(RIGS / "bus.dbc")))
        self.stations.crew.boards.append(ValveBoard("intruder", node, Seam(), self.config_of(engine)))

    def wait_for_leave(self, hil: subprocess.Popen[str]) -> None:
        """Live on until the bench has given the boards leave for a while."""
        self.turn_until(lambda: len(self.enables_s) > 60 or hil.poll() is not None)
        assert hil.poll() is None, hil.communicate()[1]

    def light(self, hil: subprocess.Popen[str]) -> None:
        """Have the flight computer light the engines once the bench allows it; return when they burn."""
        self.wait_for_leave(hil)
        self.altitude(LOW_M)
        self.turn_until(lambda: self.states == [3, 3, 3] or hil.poll() is not None)
        assert hil.poll() is None, hil.communicate()[1]
        self.turn(30)

    def quiet(self, name: str) -> None:
        """Turn a board no more: something is about to happen to it."""
        boards = self.stations.crew.boards
        boards[:] = [board for board in boards if board.name != name]

    def __enter__(self) -> World:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stations.close()
        _real_time(os.SCHED_OTHER)
        for descriptor in (self.nav_master, self._nav_slave):
            with contextlib.suppress(OSError):
                os.close(descriptor)


LIMITS = """
[limits.valve]
strokes = 200
[limits.gimbal]
strokes = 500
[limits.igniter]
strokes = 5
"""
CASE = """
vehicle = "zq3_class"
description = "Long enough for anything to happen."
time_limit_s = 300.0
[initial]
pos_pad_m = [0.0, 0.0, 30000.0]
vel_pad_mps = [0.0, 0.0, 100.0]
"""


def live_rig(folder: Path, channel: str, nav_port: str, more: str = LIMITS) -> Path:
    """Write the rig of a laboratory whose boards are all real, as the bench sees it."""
    text = f"""
name = "lab"
[can.engine]
interface = "lab"
channel = "{channel}"
database = "{RIGS}/bus.dbc"
[serial.navigation]
port = "{nav_port}"
[board.flight_computer]
firmware = "flight_computer"
backend = "hardware"
"""
    for node in (1, 2, 3):
        text += f'[board.engine_{node}]\nfirmware = "engine_valve"\nbackend = "hardware"\nnode = {node}\n'
    plugin = folder / "lab-1.0.dist-info"
    plugin.mkdir(exist_ok=True)
    (plugin / "METADATA").write_text("Metadata-Version: 2.1\nName: lab\nVersion: 1.0\n")
    (plugin / "entry_points.txt").write_text("[can.interface]\nlab = hil.wire.python_can:HilBus\n")
    path = folder / "lab.toml"
    path.write_text(text + more)
    (folder / "case.toml").write_text(CASE)
    return path


def environment(folder: Path) -> dict[str, str]:
    """Return what a bench of the laboratory needs: the interface `lab`, and locks of the test's own."""
    return {**os.environ, "PYTHONPATH": f"{ROOT}:{folder}", "HIL_LOCK_DIR": str(folder)}


HIL = (sys.executable, "-c", "import sys; from hil.cli import main; sys.exit(main())")
ARMED = ("--arm", "--confirm", "lab", "--stop-tested")


@contextmanager
def bench(
    world: World, folder: Path, *arguments: str, more: str = LIMITS, out: str = "out"
) -> Iterator[subprocess.Popen[str]]:
    """Start `hil run` on the laboratory; it is ended with the test."""
    rig = live_rig(folder, world.channel, world.nav_port, more)
    command = [
        sys.executable,
        "-c",
        "import sys; from hil.cli import main; sys.exit(main())",
        "run",
        str(rig),
    ]
    command += ["--case", str(folder / "case.toml"), "--out", str(folder / out), *arguments]
    with start(command, folder) as hil:
        try:
            yield hil
        finally:
            if hil.poll() is None:
                hil.kill()


def check(world: World, folder: Path, more: str = LIMITS) -> tuple[int, str, str]:
    """Let `hil check` look at the laboratory; return its exit status, output and errors."""
    rig = live_rig(folder, world.channel, world.nav_port, more)
    with start([*HIL, "check", str(rig)], folder) as hil:
        world.turn_until(lambda: hil.poll() is not None)
        out, err = hil.communicate()
    return int(hil.returncode), out, err


def start(command: Sequence[str], folder: Path) -> subprocess.Popen[str]:
    """Start a bench."""
    return subprocess.Popen(
        command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=environment(folder),
        cwd=folder,
    )


def end_of(hil: subprocess.Popen[str], world: World, limit_s: float = 60.0) -> tuple[int, str]:
    """Live on until the bench has ended; return its exit status and what it said."""
    try:
        world.turn_until(lambda: hil.poll() is not None, limit_s)
    except AssertionError as never:
        hil.kill()
        raise AssertionError(f"{never}; it said: {hil.communicate()[1]}") from None
    _, err = hil.communicate()
    return int(hil.returncode), err
