"""Times a step of our plant and a flight of the closed loop beside other simulators, on one core.

    python benchmarks/plant_peers.py [--repetitions 9] [--case nominal]

All integrate the free body of `free_body` in steps of 1 ms; that they integrate the same motion is
checked first and printed.  Then each is timed in every repetition, in turn, after a warm-up that is
not counted, for about as long as the others and by the processor's time, so that a busy machine
does not favour the quick.  The closed loop is the kernel rung: sensors, boards, wires' delay, kernel,
plant, tape.  Its wall clock is scaled by the share of the core that the flight had; both are said.

Tables go to standard output; every sample, the machine and the versions to
benchmarks/results/plant_peers.json.  The exit status is 1 when something of ours does not
integrate the motion that it should; aims that are missed are said, and speeds never fail.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, Final

from free_body import (
    FALL,
    LIMITS,
    STEP_S,
    TUMBLE,
    Deviation,
    Flight,
    Motion,
    PlantFlight,
    burning,
    deviation,
    light_engines,
    reference,
)
from measuring import ROOT, clocked, hold_to_one_core, interleaved, machine, spread, write_figures
from peers import PEERS, Absent, Peer

from hil.files import FileError
from hil.rig.plan import load_plan
from hil.rig.run import run_flight
from hil.signals import RigError

__all__ = ["Contender", "Loop", "agreement", "aims", "main"]

AGREE_STEPS: Final = 10_000
IN_ONE_CALL: Final = 1000
IN_FRAMES: Final = 10
STEP_AIM: Final = 5.0
"""Our step is to be so many times as fast as that of the fastest peer."""
LOOP_AIM: Final = 300.0
"""The closed loop is to fly so many times real time."""
WARM_STEPS: Final = 1000
TIMED_STEPS: Final = 1000
LAST_STEP: Final = 6000
"""A flight ends here, well above the ground; another one begins."""
SAMPLE_S: Final = 0.03
"""Least time of one sample."""


@dataclass(frozen=True, slots=True)
class Contender:
    """Something that integrates the free body; `begin` puts it at the start of a motion."""

    name: str
    version: str
    scheme: str
    begin: Callable[[Motion], Flight]
    lit: bool = False
    """With the engines burning: not the motion that the others fly."""

    def time_us(self) -> float:
        """Return microseconds of processor time for each simulated millisecond, warm-up not counted."""
        taken, steps = 0.0, 0
        while taken < SAMPLE_S:
            flight = self.begin(FALL)
            flight.run(WARM_STEPS)
            for _ in range(WARM_STEPS, LAST_STEP, TIMED_STEPS):
                taken += clocked(partial(flight.run, TIMED_STEPS))[1]
                steps += TIMED_STEPS
                if taken >= SAMPLE_S:
                    break
            if self.lit and isinstance(flight, PlantFlight):
                burning(flight)
        return 1e6 * taken / (steps * STEP_S * 1e3)


@dataclass(slots=True)
class Loop:
    """The closed loop on the kernel rung; keeps what each flight took."""

    case: str
    seed: int = 0
    sim_s: list[float] = field(default_factory=list)
    loop_s: list[float] = field(default_factory=list)
    whole_s: list[float] = field(default_factory=list)
    shares: list[float] = field(default_factory=list)
    """How much of the core each flight was given, 0 to 1."""
    verdicts: set[str] = field(default_factory=set)

    def fly(self) -> float:
        """Fly the next seed; return microseconds of processor time for each simulated millisecond."""
        plan = load_plan(ROOT / "rigs" / "kernel.toml", self.case)
        with tempfile.TemporaryDirectory() as folder:
            runs = []
            whole_s, own_s = clocked(
                lambda: runs.append(run_flight(plan, seed=self.seed, pace="lockstep", run_dir=Path(folder)))
            )
        result = runs[0].result
        if runs[0].cause is not None:
            raise RuntimeError(f"closed loop, seed {self.seed}: {runs[0].cause}")
        self.seed += 1
        self.sim_s.append(result["sim_s"])
        self.loop_s.append(result["wall_s"])
        self.whole_s.append(whole_s)
        self.shares.append(min(own_s / whole_s, 1.0))
        self.verdicts.add(result["verdict"])
        return 1e3 * self.loop_s[-1] * self.shares[-1] / self.sim_s[-1]

    def forget(self) -> None:
        """Drop the flights so far: they were the warm-up."""
        for kept in (self.sim_s, self.loop_s, self.whole_s, self.shares):
            kept.clear()

    def times_real_time(self) -> tuple[float, float]:
        """Return medians over the flights: with the core to itself, and by the wall clock."""
        walls = [s / w for s, w in zip(self.sim_s, self.loop_s, strict=True)]
        own = [speed / share for speed, share in zip(walls, self.shares, strict=True)]
        return statistics.median(own), statistics.median(walls)

    def flights_per_s(self) -> tuple[float, float]:
        """Return flights a second of processor time: of the loop alone, and with set-up, tape and verdict."""
        alone = [w * share for w, share in zip(self.loop_s, self.shares, strict=True)]
        whole = [w * share for w, share in zip(self.whole_s, self.shares, strict=True)]
        return 1.0 / statistics.median(alone), 1.0 / statistics.median(whole)


def _lit(motion: Motion, call_steps: int) -> PlantFlight:
    """Return our plant with three engines burning; they are lit in frames, whatever comes after."""
    flight = PlantFlight(motion, IN_FRAMES)
    light_engines(flight)
    flight.call_steps = call_steps
    return flight


def ours(version: str) -> list[Contender]:
    """Return our plant, engines off and burning, in calls of a second and in frames as in the loop."""
    whole, frames = "Runge-Kutta 4; 1 s in a call", "Runge-Kutta 4; frames of 10 ms, as in the loop"
    return [
        Contender("plant, engines off", version, whole, lambda m: PlantFlight(m, IN_ONE_CALL)),
        Contender("plant, engines off, frames", version, frames, lambda m: PlantFlight(m, IN_FRAMES)),
        Contender("plant, 3 engines", version, whole, lambda m: _lit(m, IN_ONE_CALL), lit=True),
        Contender("plant, 3 engines, frames", version, frames, lambda m: _lit(m, IN_FRAMES), lit=True),
    ]


def present(peers: Sequence[Peer] = PEERS) -> tuple[list[Contender], dict[str, str]]:
    """Return the peers that can be flown here, and of the others why not."""
    found, missing = [], {}
    for peer in peers:
        try:
            peer.start(FALL).run(1)
            found.append(Contender(peer.name, peer.version(), peer.scheme, peer.start))
        except Absent as absent:
            missing[peer.name] = str(absent)
        except Exception as error:  # a foreign simulator may fail in any way; the table says how
            missing[peer.name] = f"does not run: {type(error).__name__}: {error}"
    return found, missing


def agreement(contenders: Sequence[Contender]) -> dict[str, dict[str, Deviation]]:
    """Return how far each is from the reference after AGREE_STEPS, for both motions."""
    found: dict[str, dict[str, Deviation]] = {}
    for contender in (c for c in contenders if not c.lit):
        found[contender.name] = {}
        for motion in (FALL, TUMBLE):
            flight = contender.begin(motion)
            flight.run(AGREE_STEPS)
            end = reference(motion, AGREE_STEPS * STEP_S)
            found[contender.name][motion.name] = deviation(flight.state(), end)
    return found


def aims(
    step_us: float, frames_us: float, peers_us: Mapping[str, float], times_real_time: float
) -> list[tuple[str, bool | None]]:
    """Return each aim in words with whether it is met; None when there is nothing to hold it against.

    `peers_us` holds the peers that fly the same motion.  The aim is for the step in one long call,
    as the peers are timed; what is left of it in the frames of the loop is said beside it.
    """
    said: list[tuple[str, bool | None]] = []
    if peers_us:
        name = min(peers_us, key=lambda peer: peers_us[peer])
        ratio, framed = peers_us[name] / step_us, peers_us[name] / frames_us
        words = (
            f"step {ratio:.1f} times as fast as that of {name} (aim {STEP_AIM:.0f}); {framed:.1f} in frames"
        )
        said.append((words, ratio >= STEP_AIM))
    else:
        said.append((f"step {STEP_AIM:.0f} times as fast as that of the fastest peer: there is none", None))
    words = f"closed loop at {times_real_time:.0f} times real time (aim {LOOP_AIM:.0f})"
    said.append((words, times_real_time >= LOOP_AIM))
    return said


def _same(agreed: dict[str, dict[str, Deviation]]) -> set[str]:
    """Return the names of those that fly both motions as they should."""
    return {name for name, motions in agreed.items() if all(d.within(LIMITS) for d in motions.values())}


def _held_against_aims(
    contenders: Sequence[Contender], same: set[str], samples: dict[str, list[float]], loop: Loop
) -> list[tuple[str, bool | None]]:
    """Return what `aims` says; the first two contenders are our plant with its engines off."""
    medians = {name: statistics.median(values) for name, values in samples.items()}
    peers = {peer.name for peer in PEERS}
    alike = {name: medians[name] for name in medians if name in peers & same}
    whole, frames = (c.name for c in contenders[:2])
    return aims(medians[whole], medians[frames], alike, loop.times_real_time()[0])


def _speed_table(
    contenders: Sequence[Contender], samples: dict[str, list[float]], missing: dict[str, str]
) -> str:
    first = statistics.median(samples[contenders[0].name])
    lines = [f"{'':<28}{'us/ms':>9}{'least':>9}{'most':>9}{'of ours':>9}  version, how"]
    for c in contenders:
        median, least, most = spread(samples[c.name])
        lines.append(
            f"{c.name:<28}{median:>9.3f}{least:>9.3f}{most:>9.3f}{median / first:>8.1f}x"
            f"  {c.version}, {c.scheme}"
        )
    lines += [f"{name:<28}{'-':>9}{'-':>9}{'-':>9}{'-':>9}  {why}" for name, why in missing.items()]
    return "\n".join(lines)


def _agreement_table(found: dict[str, dict[str, Deviation]]) -> str:
    lines = [f"{'':<28}{'motion':<9}{'m':>11}{'m/s':>11}{'rad':>11}{'rad/s':>11}"]

    def row(name: str, motion: str, d: Deviation, word: str) -> str:
        figures = (d.pos_m, d.vel_mps, d.attitude_rad, d.omega_radps)
        return f"{name:<28}{motion:<9}" + "".join(f"{x:>11.1e}" for x in figures) + f"  {word}"

    for name, motions in found.items():
        lines += [row(name, m, d, "same" if d.within(LIMITS) else "OTHER") for m, d in motions.items()]
    return "\n".join([*lines, row("limit", "", LIMITS, "")])


def _loop_lines(loop: Loop, samples: Sequence[float]) -> str:
    median, least, most = spread(samples)
    alone, whole = loop.flights_per_s()
    own, wall = loop.times_real_time()
    share = 100.0 * statistics.median(loop.shares)
    return (
        f"closed loop, kernel rung, case {loop.case}: {median:.3f} us/ms ({least:.3f} to {most:.3f}),"
        f" {own:.0f} times real time, tape on, {'/'.join(sorted(loop.verdicts))}\n"
        f"flights a second: {alone:.1f} in the loop, {whole:.1f} with set-up, tape on disk and verdict\n"
        f"(the flights had {share:.0f} % of the core; by the wall clock {wall:.0f} times real time)"
    )


def _problem() -> str:
    return (
        f"free rigid body, {FALL.mass_kg:.0f} kg, inertia {FALL.inertia_transverse_kgm2:.3g} and"
        f" {FALL.inertia_axial_kgm2:.3g} kg m^2, drag area {FALL.drag_area_m2:.1f} m^2, from"
        f" {FALL.height_m:.0f} m at {FALL.sink_mps:.0f} m/s down;\n"
        "gravity of a sphere, US Standard Atmosphere 1976, 1 ms steps; one core, processor time, medians"
    )


def main(arguments: Sequence[str] | None = None) -> int:
    """Check that all fly the same motion, time them, print the tables, write the JSON file."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--repetitions", type=int, default=9, help="of each (default 9)")
    parser.add_argument("--case", default="nominal", help="what the closed loop flies")
    options = parser.parse_args(arguments)
    core = hold_to_one_core()
    facts = machine()
    found, missing = present()
    contenders = [*ours(facts["lastbrake"]), *found]
    print(_problem())
    agreed = agreement(contenders)
    print(f"\nfrom the reference after {AGREE_STEPS * STEP_S:.0f} s, with drag and without")
    print(_agreement_table(agreed), end="\n\n")
    loop = Loop(options.case)
    runs = {c.name: c.time_us for c in contenders} | {"loop": loop.fly}
    try:
        interleaved(runs, 1)
        loop.forget()
        samples = interleaved(runs, options.repetitions)
    except (FileError, RigError, RuntimeError) as error:
        print(error, file=sys.stderr)
        return 1
    print(_speed_table(contenders, samples, missing))
    print(_loop_lines(loop, samples["loop"]), end="\n\n")
    same = _same(agreed)
    said = _held_against_aims(contenders, same, samples, loop)
    for words, met in said:
        print(f"{'-' if met is None else 'met' if met else 'MISSED'}: {words}")
    record = _record(facts | {"core": core}, contenders, missing, agreed, samples, loop)
    record["aims"] = [{"aim": words, "met": met} for words, met in said]
    print(f"written to {write_figures('plant_peers', record)}")
    return 0 if {c.name for c in contenders[:2]} <= same else 1


def _record(
    facts: dict[str, Any],
    contenders: Sequence[Contender],
    missing: dict[str, str],
    agreed: dict[str, dict[str, Deviation]],
    samples: dict[str, list[float]],
    loop: Loop,
) -> dict[str, Any]:
    """Return everything for the JSON file."""
    alone, whole = loop.flights_per_s()
    own, wall = loop.times_real_time()
    return {
        "machine": facts,
        "problem": {"step_s": STEP_S, "fall": asdict(FALL), "tumble": asdict(TUMBLE)},
        "limits": asdict(LIMITS),
        "integrators": [
            {
                "name": c.name,
                "version": c.version,
                "how": c.scheme,
                "us_per_ms": statistics.median(samples[c.name]),
                "samples_us_per_ms": samples[c.name],
                "deviation": {m: asdict(d) for m, d in agreed.get(c.name, {}).items()},
            }
            for c in contenders
        ],
        "missing": missing,
        "closed_loop": {
            "case": loop.case,
            "us_per_ms": statistics.median(samples["loop"]),
            "samples_us_per_ms": samples["loop"],
            "times_real_time": own,
            "times_real_time_wall": wall,
            "flights_per_s_loop": alone,
            "flights_per_s_all_in": whole,
            "share_of_core": statistics.median(loop.shares),
            "verdicts": sorted(loop.verdicts),
        },
    }


if __name__ == "__main__":
    sys.exit(main())
