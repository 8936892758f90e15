"""The benchmark's problem is the same for all: our plant and whatever peer is there fly what is known."""

from __future__ import annotations

import dataclasses
import json
import re
import time
from collections.abc import Sequence
from pathlib import Path

import free_body
import install_extra
import measuring
import numpy as np
import peers
import plant_peers
import pytest
from free_body import FALL, LIMITS, TUMBLE, Deviation, Motion, PlantFlight, State, deviation, reference

ROOT = Path(__file__).resolve().parents[2]
MOTIONS = pytest.mark.parametrize("motion", [FALL, TUMBLE], ids=lambda motion: motion.name)
STEPS = 10_000


@MOTIONS
@pytest.mark.parametrize("call_steps", [10, 1000])
def test_our_plant_flies_the_problem(motion: Motion, call_steps: int) -> None:
    """Its gravity is that at the body's origin, 20 m below; what turns is known in closed form."""
    flight = PlantFlight(motion, call_steps)
    flight.run(STEPS)
    off = deviation(flight.state(), reference(motion, 10.0))
    assert off.within(Deviation(pos_m=0.01, vel_mps=0.002, attitude_rad=1e-9, omega_radps=1e-12))


@MOTIONS
@pytest.mark.parametrize("peer", peers.PEERS, ids=lambda peer: peer.name)
@pytest.mark.filterwarnings("ignore")  # theirs
def test_peers_fly_the_problem(motion: Motion, peer: peers.Peer) -> None:
    try:
        flight = peer.start(motion)
    except peers.Absent as absent:
        pytest.skip(f"{peer.name}: {absent}")
    flight.run(STEPS)
    assert deviation(flight.state(), reference(motion, 10.0)).within(LIMITS)


def test_another_drag_is_another_motion() -> None:
    """The limits tell bodies apart whose drag differs by a thousandth."""
    flight = PlantFlight(dataclasses.replace(FALL, drag_area_m2=1.001 * FALL.drag_area_m2), 1000)
    flight.run(STEPS)
    assert not deviation(flight.state(), reference(FALL, 10.0)).within(LIMITS)


def test_another_spin_is_another_motion() -> None:
    flight = PlantFlight(dataclasses.replace(TUMBLE, omega_body_radps=(0.1, 0.2, 0.5001)), 1000)
    flight.run(STEPS)
    assert not deviation(flight.state(), reference(TUMBLE, 10.0)).within(LIMITS)


def test_the_reference_keeps_the_angular_momentum() -> None:
    """In space it is the same at all times, though attitude and turn rate change."""
    inertia = np.array([TUMBLE.inertia_transverse_kgm2] * 2 + [TUMBLE.inertia_axial_kgm2])
    start, end = reference(TUMBLE, 0.0), reference(TUMBLE, 7.3)
    before = free_body.rotation(start.q) @ (inertia * start.omega_radps)
    after = free_body.rotation(end.q) @ (inertia * end.omega_radps)
    assert after == pytest.approx(before, rel=1e-12)
    assert deviation(start, end).attitude_rad > 1.0


def test_the_reference_falls_through_the_standard_air() -> None:
    """Densities of the U.S. Standard Atmosphere 1976, table I, at 0, 1000 and 5000 m."""
    for height_m, density in ((0.0, 1.2250), (1000.0, 1.1117), (5000.0, 0.73643)):
        assert free_body.standard_density(height_m) == pytest.approx(density, abs=5e-5)


def test_deviation_sees_each_part() -> None:
    still = State(np.zeros(3), np.zeros(3), np.array([1.0, 0.0, 0.0, 0.0]), np.zeros(3))
    half = np.array([np.cos(0.05), np.sin(0.05), 0.0, 0.0])
    x = np.array([3.0, 0.0, 4.0])
    assert deviation(still, dataclasses.replace(still, pos_m=x)).pos_m == 5.0
    assert deviation(still, dataclasses.replace(still, vel_mps=x)).vel_mps == 5.0
    assert deviation(still, dataclasses.replace(still, omega_radps=x)).omega_radps == 5.0
    assert deviation(still, dataclasses.replace(still, q=half)).attitude_rad == pytest.approx(0.1)
    assert deviation(still, dataclasses.replace(still, q=-half)).attitude_rad == pytest.approx(0.1)
    assert not deviation(still, dataclasses.replace(still, pos_m=x * np.nan)).within(LIMITS)


def test_engines_burn_when_they_are_timed() -> None:
    flight = PlantFlight(FALL, 10)
    with pytest.raises(RuntimeError, match="engines lit"):
        free_body.burning(flight)
    free_body.light_engines(flight)
    free_body.burning(flight)
    before = flight.state().vel_mps[2]
    flight.run(1000)
    assert flight.state().vel_mps[2] > before + 10.0


def test_an_absent_peer_is_named_with_the_reason(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def gone(motion: Motion) -> free_body.Flight:
        raise ImportError("no module of that name")

    log = tmp_path / "log.json"
    monkeypatch.setattr(peers, "INSTALL_LOG", log)
    here = peers.Peer("Here", "numpy", "", gone)
    absent = peers.Peer("Absent", "no-such-distribution", "", gone)
    broken = peers.Peer("Broken", "numpy", "", lambda motion: 1 // 0)
    _, missing = plant_peers.present([here, absent, broken])
    assert missing["Here"] == "cannot be imported: no module of that name"
    assert missing["Absent"].startswith("not installed")
    assert missing["Broken"].startswith("does not run: ZeroDivisionError")
    log.write_text(json.dumps({"no-such-distribution": "no wheel for this Python"}))
    _, missing = plant_peers.present([absent])
    assert missing == {"Absent": "not installed: no wheel for this Python"}


def test_what_cannot_be_installed_stops_nothing() -> None:
    asked = []

    def pip(arguments: Sequence[str]) -> tuple[bool, str]:
        asked.append(arguments[-1])
        if arguments[0] == "freeze":
            return True, "WARNING: a word of pip's\nnumpy==2.0.0\n-e git+somewhere\n"
        kept = Path(arguments[arguments.index("--constraint") + 1])
        assert kept.read_text() == "numpy==2.0.0"
        return arguments[
            -1
        ] != "one>=2", "Looking\nERROR: no one here\nERROR: see above\nhint: look elsewhere\n"

    assert install_extra.install_all(["one>=2", "two"], pip) == {"one": "no one here"}
    assert asked[1:] == ["one>=2", "two"]


def test_the_extra_names_every_peer() -> None:
    named = {re.split("[<>=]", text)[0] for text in install_extra.requirements()}
    assert {peer.distribution for peer in peers.PEERS} <= named


def test_aims_are_told_from_the_figures() -> None:
    met = plant_peers.aims(1.0, 2.0, {"slow": 9.0, "fast": 6.0}, 301.0)
    assert [ok for _, ok in met] == [True, True]
    assert "6.0 times as fast as that of fast" in met[0][0]
    assert "3.0 in frames" in met[0][0]
    assert [ok for _, ok in plant_peers.aims(1.0, 2.0, {"fast": 4.0}, 299.0)] == [False, False]
    assert plant_peers.aims(1.0, 2.0, {}, 299.0)[0][1] is None


def test_waiting_is_no_processor_time() -> None:
    wall_s, own_s = measuring.clocked(lambda: time.sleep(0.05))
    assert wall_s >= 0.05
    assert own_s < 0.02


def test_a_sample_ends_and_is_of_a_step() -> None:
    """A step that takes a tenth of a millisecond and more is measured as such."""

    class Slow(free_body.Flight):
        def run(self, steps: int) -> None:
            end = time.process_time() + 1e-4 * steps
            while time.process_time() < end:
                pass

    slow = plant_peers.Contender("slow", "", "", lambda motion: Slow())
    assert 100.0 <= slow.time_us() < 120.0


def test_the_closed_loop_is_flown_and_counted() -> None:
    loop = plant_peers.Loop("nominal")
    own_us = [loop.fly(), loop.fly()]
    own, wall = loop.times_real_time()
    assert (loop.seed, loop.verdicts) == (2, {"PASS"})
    assert own == pytest.approx(np.median([1e3 / us for us in own_us]))
    assert own >= wall > 0.0
    alone, whole = loop.flights_per_s()
    assert alone > whole > 0.0
    loop.forget()
    assert (loop.seed, loop.sim_s, loop.shares) == (2, [], [])


def test_repetitions_are_interleaved() -> None:
    order: list[str] = []
    runs = {name: lambda name=name: float(order.append(name) or len(order)) for name in "ab"}
    assert measuring.interleaved(runs, 3) == {"a": [1.0, 3.0, 5.0], "b": [2.0, 4.0, 6.0]}
    assert order == list("ababab")


def test_make_bench_runs_scripts_that_exist() -> None:
    (names,) = re.findall(r"^BENCH \?= (.+)$", (ROOT / "Makefile").read_text(), re.MULTILINE)
    assert {"rungs", "plant_peers"} <= set(names.split())
    assert [name for name in names.split() if not (ROOT / "benchmarks" / f"{name}.py").is_file()] == []
