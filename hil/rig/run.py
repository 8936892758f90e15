"""One run: build, fly, judge, and leave a run folder that says everything."""

from __future__ import annotations

import contextlib
import json
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from hil.executive import Ending, Stop, fly
from hil.executive.realtime import real_time
from hil.faults.dispersion import case_toml, disperse
from hil.files import FileError
from hil.rig.abilities import check_supported
from hil.rig.arming import Arming, leave_for
from hil.rig.build import BuiltFlight, PaceName, build_flight, describe
from hil.rig.lock import held
from hil.rig.plan import Plan
from hil.signals import RigError
from hil.tape import Recording, claim_tape, read_tape
from hil.verdict import GUIDANCE_KEYS, REQUIREMENTS, TOUCHDOWN_KEYS, Judgement, judge

__all__ = ["EXIT_STATUS", "INTERRUPTED", "Run", "run_flight"]

EXIT_STATUS: Final = {"PASS": 0, "FAIL": 1, "ERROR": 3, "INVALID": 4}
INTERRUPTED: Final = 130
PREFLIGHT_QUESTIONS: Final = 6


@dataclass(frozen=True)
class Run:
    """A run that is over.

    `result` is the object that `--json` prints; `details` is what run.json holds besides it.
    """

    result: dict[str, Any]
    details: dict[str, Any]
    exit_status: int
    run_dir: Path
    judgement: Judgement | None = None

    @property
    def cause(self) -> str | None:
        """The first failure of the rig, in one line; None without one."""
        cause: str | None = self.details["cause"]
        return cause


@dataclass
class _Outcome:
    """What is known of a flight before it is judged."""

    cause: str | None = None
    interrupted: bool = False
    ending: Ending | None = None
    setup_s: float = 0.0
    sha256: str | None = None
    notes: dict[str, Any] = field(default_factory=dict)
    timing: dict[str, Any] = field(default_factory=dict)


def run_flight(
    plan: Plan,
    *,
    seed: int,
    pace: PaceName,
    run_dir: Path,
    stop: Stop | None = None,
    on_start: Callable[[], None] | None = None,
    arming: Arming | None = None,
    cold: bool = False,
) -> Run:
    """Fly a plan once into `run_dir`, which exists and holds no run; `stop` lets others end it early.

    `on_start` is called when everything is set up and the first frame is due.  A live rig flies only
    with its `arming`; `cold` inhibits every drive of a virtual rig that demands the enable frame.

    A rig that breaks is a result (verdict ERROR), not an exception; raises FileError for what the
    files get wrong and for a folder that holds a run.  However it ends, every board is ended and,
    where the disk takes it, run.json is written.
    """
    if plan.rig.live and pace != "wall":
        raise FileError(f"rig {plan.rig.name} is live: it flies on the wall clock")
    check_supported(plan.rig, plan.case, pace)
    outcome = _Outcome()
    begin = time.perf_counter()
    with contextlib.ExitStack() as stack:
        try:
            leave = leave_for(plan.rig, arming, cold=cold)
            stack.enter_context(held(plan.rig))
            _look_at_real_boards(plan)
            with _claimed(run_dir / "tape.mcap"):
                _keep_drawn_case(plan, seed, run_dir)
                built = build_flight(plan, seed=seed, pace=pace, run_dir=run_dir, leave=leave)
        except (RigError, OSError) as error:  # OSError: a log beside the tape
            outcome.cause = " ".join(str(error).split())
        else:
            if on_start is not None:
                on_start()
            _fly(built, outcome, stop, begin)
    return _judged(plan, outcome, seed=seed, pace=pace, run_dir=run_dir)


def _look_at_real_boards(plan: Plan) -> None:
    """Raise RigError unless every board outside is the one that the rig means."""
    from hil.rig.inquiry import ask_real_boards

    for _ in ask_real_boards(plan.rig, questions=PREFLIGHT_QUESTIONS):
        pass


@contextlib.contextmanager
def _claimed(tape: Path) -> Iterator[None]:
    """Keep others from flying into the same folder; leave no empty tape behind."""
    claim_tape(tape)
    try:
        yield
    except BaseException:
        with contextlib.suppress(OSError):
            if tape.stat().st_size == 0:
                tape.unlink()
        raise


def _keep_drawn_case(plan: Plan, seed: int, run_dir: Path) -> None:
    """Leave a dispersed flight's plain case in its folder: flown by itself it is the same flight again.

    It keeps the name of the case, which the random streams are named by.  Raises FileError where that
    would overwrite a file.
    """
    case, drawn = disperse(plan.case, seed, plan.run_id)
    if drawn is None:
        return
    path = run_dir / f"{plan.case_name}.toml"
    try:
        with path.open("x", encoding="utf-8") as file:
            file.write(case_toml(case))
    except FileExistsError:
        raise FileError(f"--out {run_dir}: holds {path.name} already; name another folder") from None


def _fly(built: BuiltFlight, outcome: _Outcome, stop: Stop | None, begin: float) -> None:
    flight = built.flight
    if stop is not None:
        flight.stop = stop
    try:
        outcome.setup_s = time.perf_counter() - begin
        granted: dict[str, Any] = {}
        with contextlib.ExitStack() as stack:
            if built.info["pace"] == "wall":
                granted = {"real_time": stack.enter_context(real_time())}
            ending = fly(flight)
        outcome.ending = ending
        outcome.cause = ending.cause
        outcome.interrupted = ending.reason == "interrupted"
        outcome.timing = _timing(built, ending) | granted
        outcome.notes = {
            "reason": ending.reason,
            "cause": ending.cause,
            "later_failures": list(ending.later),
            "boards_not_safe": list(ending.unsafe_boards),
            "wires": flight.wires.counters(),
            "bus": flight.wires.bus_figures(),
            "faults": built.book.onsets(),
            "clocks": {board.name: board.clock.as_dict() for board in built.bare if hasattr(board, "clock")}
            | flight.wires.clocks(),
        }
        with contextlib.suppress(RigError):  # a full disk has been latched as the cause already
            built.tape.annotate("outcome", outcome.notes)
    finally:
        try:
            built.close()
        except (RigError, OSError) as error:  # OSError: a log beside the tape
            outcome.cause = outcome.cause or " ".join(str(error).split())
        outcome.sha256 = built.tape.signals_sha256


def _timing(built: BuiltFlight, ending: Ending) -> dict[str, Any]:
    """Return what the machinery cost; `executive_us` is the loop's own share of a mean frame."""
    pace = built.flight.pace
    stages = pace.mean_s()
    frames = max(ending.frames, 1)
    waited = built.info["pace"] == "wall"
    own = None if waited else 1e6 * (ending.wall_s / frames - sum(stages.values()))
    return {
        "pace": built.info["pace"],
        "frames": ending.frames,
        "frame_ms": built.info["frame_ns"] / 1e6,
        "times_real_time": ending.sim_s / ending.wall_s if ending.wall_s > 0.0 else None,
        "stages_us": {name: 1e6 * value for name, value in stages.items()},
        "executive_us": own,
        "deadlines": pace.deadlines.as_dict(),
        "bus": _bus(built.flight.wires.bus_figures()),
    }


def _bus(figures: dict[str, Any] | None) -> dict[str, Any] | None:
    """Return the figures of the bus but for its nodes, which are in run.json."""
    return None if figures is None else {key: value for key, value in figures.items() if key != "nodes"}


def _judged(plan: Plan, outcome: _Outcome, *, seed: int, pace: PaceName, run_dir: Path) -> Run:
    """Judge what is on the tape, put everything into run.json, and return it."""
    judgement = None
    if outcome.ending is not None:
        try:
            tape = read_tape(run_dir / "tape.mcap")
            judgement = judge(tape)
            outcome.timing["step_instructions"] = _work(tape)
        except FileError as error:
            outcome.cause = outcome.cause or str(error)
    run = _run(plan, outcome, judgement, seed=seed, pace=pace, run_dir=run_dir)
    try:
        _write_json(run_dir / "run.json", {**run.details, **run.result})
    except RigError as error:
        outcome.cause = outcome.cause or str(error)
        run = _run(plan, outcome, judgement, seed=seed, pace=pace, run_dir=run_dir)
    return run


def _work(tape: Recording) -> dict[str, Any] | None:
    """Return how many instructions the kernel's steps took, None where no board counted them."""
    counted = tape.timing["step_instructions"]
    counted = counted[counted > 0]
    if len(counted) == 0:
        return None
    return {
        "max": int(counted.max()),
        "mean": float(counted.mean()),
        "bound": tape.info.get("step_instructions_max"),
    }


def _run(
    plan: Plan, outcome: _Outcome, judgement: Judgement | None, *, seed: int, pace: PaceName, run_dir: Path
) -> Run:
    """Say how a flight went."""
    if outcome.interrupted:
        verdict = "INVALID"
    elif outcome.cause is not None or judgement is None:
        verdict = "ERROR"
    else:
        verdict = judgement.verdict
    ending = outcome.ending
    result = {
        "verdict": verdict,
        "rig": plan.rig.name,
        "case": plan.case_name,
        "seed": seed,
        "rungs": plan.rig.rungs,
        "sim_s": round(ending.sim_s, 9) if ending else 0.0,
        "wall_s": ending.wall_s if ending else 0.0,
        "touchdown": judgement.touchdown if judgement else dict.fromkeys(TOUCHDOWN_KEYS),
        "guidance": judgement.guidance if judgement else dict.fromkeys(GUIDANCE_KEYS),
        "requirements": (
            judgement.requirements if judgement else {r.id: "not exercised" for r in REQUIREMENTS}
        ),
        "timing": {"setup_s": outcome.setup_s, **outcome.timing},
        "signals_sha256": outcome.sha256,
        "run_dir": str(run_dir),
    }
    details = {
        **_details(plan, judgement, seed=seed, pace=pace),
        "cause": outcome.cause,
        **{key: value for key, value in outcome.notes.items() if key != "cause"},
    }
    status = INTERRUPTED if outcome.interrupted else EXIT_STATUS[verdict]
    return Run(result, details, status, run_dir, judgement)


def _details(plan: Plan, judgement: Judgement | None, *, seed: int, pace: PaceName) -> dict[str, Any]:
    reality = {
        name: "real" if board.backend == "hardware" else "virtual" for name, board in plan.rig.board.items()
    }
    details = {
        **describe(plan, seed=seed, pace=pace),
        "reality": reality,
        "requirement_texts": {r.id: r.text for r in REQUIREMENTS},
        "limits": {},
        "requirement_reasons": {},
        "findings": [],
    }
    if judgement is not None:
        details["limits"] = judgement.limits
        details["requirement_reasons"] = {name: r.reason for name, r in judgement.results.items()}
        details["findings"] = judgement.findings
    return details


def _write_json(path: Path, values: dict[str, Any]) -> None:
    """Write `values`, all of them or no file; raise RigError when the disk does not take them."""
    text = json.dumps(values, indent=1, allow_nan=False, default=str) + "\n"
    try:
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        with contextlib.suppress(OSError):
            path.unlink()
        raise RigError(f"{path}: {error.strerror}") from None
