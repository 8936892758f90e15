"""Building a flight from its files: everything that the loop turns."""

from __future__ import annotations

import platform
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from importlib import metadata
from pathlib import Path
from typing import Any, Literal, cast

import numpy as np

from hil import __version__
from hil.boards.stations import build_stations, note_lag, note_work, rig_kernel
from hil.executive import Crew, Flight, Lockstep, Pace, RateTable, WallClock
from hil.faults.case import Case, vehicle_path
from hil.faults.dispersion import disperse
from hil.faults.sensing import add_sensor_faults
from hil.faults.triggers import TriggerBook
from hil.faults.wire_acts import add_wire_faults
from hil.faults.wrappers import BoardWithFaults, add_faults
from hil.plant.model import BoosterPlant
from hil.rig.interlock import build_interlock
from hil.rig.lines import SpeakingSensors, open_lines
from hil.rig.model import Rig
from hil.rig.plan import Plan, message_ids
from hil.sensors.lines import LineSensors
from hil.sensors.model import BoosterSensors
from hil.sensors.streams import stream
from hil.signals import Board, Frame, Sensors, Wires
from hil.tape import MemoryTape, TapeWriter
from hil.wire.enable import NO_LEAVE, Leave
from hil.wire.sensor_lines import SensorLines
from hil.wire.wire_set import WireSet

__all__ = ["BuiltFlight", "PaceName", "build_flight", "describe"]

PaceName = Literal["lockstep", "wall"]


@dataclass
class BuiltFlight:
    """A flight ready to be turned; `close` ends every board and closes wires and tape."""

    flight: Flight
    tape: TapeWriter | MemoryTape
    book: TriggerBook
    boards: list[Board]
    bare: list[Board]
    """The boards as they are without faults."""
    lines: SensorLines
    """Sensors on lines of their own, for what can go wrong with them."""
    info: dict[str, Any]
    _stack: ExitStack

    def close(self) -> None:
        """End every board and close wires and tape; safe to call twice."""
        self._stack.close()


def _rates(rig: Rig) -> RateTable:
    return RateTable(rig.timing.frame_ms * 1_000_000, rig.timing.plant_step_us * 1_000)


def build_flight(
    plan: Plan,
    *,
    seed: int,
    pace: PaceName,
    run_dir: Path,
    leave: Leave = NO_LEAVE,
    in_memory: bool = False,
) -> BuiltFlight:
    """Build every station of a flight and open its tape in `run_dir`, or `in_memory`.

    Random streams and dispersions depend on the seed and the case's run id alone, so that every rung
    flies the same flight; boards and kernel are told the undispersed case.  `leave` is what may move
    where the rig demands the enable frame.

    Raises FileError for what the files get wrong and RigError for what the machine lacks; what was
    opened until then is closed again.
    """
    rig, vehicle = plan.rig, plan.vehicle
    case, _ = disperse(plan.case, seed, plan.run_id)
    rates, streams = _rates(rig), partial(stream, seed, plan.run_id)
    frame = Frame(len(vehicle.landing_engines))
    _warm_up(plan)
    with ExitStack() as stack:
        plant = _plant(frame, plan, case, seed)
        sensors, lines = _sensors(frame, plan, case, seed, run_dir)
        stack.callback(lines.close)
        bare, wires = build_stations(
            frame,
            rig,
            vehicle,
            ignition_forced_at_s=case.ignition.forced_at_s,
            initial_propellant_kg=_propellant_kg(plan, case),
            pace=pace,
            run_dir=run_dir,
            leave=leave,
            streams=streams,
            lines=lines,
        )
        stack.callback(wires.close)
        for board in bare:
            stack.callback(board.close)
        book = TriggerBook(frame, case.fault, rates.frame_ns)
        mortal = cast("list[BoardWithFaults]", bare)
        acted_on, boards = add_faults(case, book, plant, mortal, _slots(plan), _engines(rig))
        sensors = _faulty_sensors(sensors, wires, frame, plan, case, book, seed)
        clock: Pace = Lockstep() if pace == "lockstep" else WallClock(rates.frame_ns, wires)
        note_work(bare, clock.timing["step_instructions"])
        note_lag(bare, clock.timing["answer_s"])
        info = describe(plan, seed=seed, pace=pace)
        tape = _tape(run_dir, frame, clock, info, wires, in_memory=in_memory)
        stack.callback(tape.close)
        crew, limit_s = Crew(boards), case.time_limit_s
        flight = Flight(frame, rates, clock, sensors, crew, wires, tape, acted_on, limit_s)
        _add_interlock(plan, wires, flight, bare, stack)
        return BuiltFlight(flight, tape, book, boards, bare, lines, info, stack.pop_all())
    raise AssertionError("unreachable")


def _tape(
    run_dir: Path, frame: Frame, clock: Pace, info: dict[str, Any], wires: Wires, *, in_memory: bool
) -> TapeWriter | MemoryTape:
    if in_memory:
        return MemoryTape(frame, clock.timing, info, bus=wires.bus_sheet())
    return TapeWriter(run_dir / "tape.mcap", frame, clock.timing, info, bus=wires.bus_sheet())


def _propellant_kg(plan: Plan, case: Case) -> float:
    """Return the landing propellant that the flight computer is told of, kg."""
    told = case.initial.propellant_kg
    return plan.vehicle.body.propellant_kg if told is None else told


def _slots(plan: Plan) -> dict[int, int]:
    """Return the slot of each engine of the burn by its number."""
    return {number: slot for slot, number in enumerate(plan.vehicle.landing_engines)}


def _engines(rig: Rig) -> dict[str, int]:
    """Return the number of the engine of each valve board by the board's name."""
    return {name: spec.node for name, spec in rig.board.items() if spec.node is not None}


def _add_interlock(plan: Plan, wires: Wires, flight: Flight, bare: list[Board], stack: ExitStack) -> None:
    """Give the flight its interlock, where the rig demands the enable frame."""
    if isinstance(wires, WireSet) and wires.enable is not None:
        interlock = build_interlock(plan, wires, flight, bare, _slots(plan))
        stack.callback(interlock.close)
        flight.interlock = interlock


def _plant(frame: Frame, plan: Plan, case: Case, seed: int) -> BoosterPlant:
    """Return the booster of the plain case that is flown."""
    return BoosterPlant(
        frame,
        plan.vehicle,
        case.initial,
        case.wind,
        _rates(plan.rig).plant_step_ns,
        atmosphere=case.atmosphere,
        pad=case.pad,
        stage=case.stage,
        seed=seed,
        run_id=plan.run_id,
    )


def _sensors(frame: Frame, plan: Plan, case: Case, seed: int, run_dir: Path) -> tuple[Sensors, SensorLines]:
    """Return the sensors of the plain case that is flown, and the lines of those that have one."""
    sensors = BoosterSensors(frame, plan.vehicle, case.navigation, seed, plan.run_id)
    rates_hz = plan.rig.sensor_rates_hz
    speaking = LineSensors(frame, rates_hz, case.navigation, case.pad, seed, plan.run_id)
    lines = open_lines(plan.rig, speaking.samples, run_dir)
    return (SpeakingSensors(sensors, speaking, lines) if rates_hz else sensors), lines


def _faulty_sensors(
    sensors: Sensors, wires: Wires, frame: Frame, plan: Plan, case: Case, book: TriggerBook, seed: int
) -> Sensors:
    """Return the sensors with what the case has go wrong with them, and on time with wires."""
    streams = partial(stream, seed, plan.run_id)
    full_pa = plan.vehicle.engine.chamber_pa
    slots = _slots(plan)
    faulty = add_sensor_faults(case, book, sensors, frame, slots=slots, chamber_pa=full_pa, streams=streams)
    return add_wire_faults(case, book, faulty, wires, messages=message_ids(plan.rig), streams=streams)


def _warm_up(plan: Plan) -> None:
    """Have the compiled cores of plant and sensors ready before the first frame is due."""
    frame = Frame(len(plan.vehicle.landing_engines))
    scratch = BoosterPlant(frame, plan.vehicle, plan.case.initial, plan.case.wind, 1_000_000)
    BoosterSensors(frame, plan.vehicle, plan.case.navigation, 0, "").sample(0)
    LineSensors(frame, plan.rig.sensor_rates_hz, plan.case.navigation, plan.case.pad, 0, "").sample(0)
    scratch.advance(1_000_000)


def describe(plan: Plan, *, seed: int, pace: PaceName) -> dict[str, Any]:
    """Return what is flown, as JSON values: the inputs word for word, and the versions."""
    rig, case, vehicle = plan.rig, plan.case, plan.vehicle
    _, drawn = disperse(case, seed, plan.run_id)
    kernel = rig_kernel(rig)
    return {
        "rig": rig.name,
        "case": plan.case_name,
        "description": case.description,
        "vehicle": vehicle.name,
        "seed": seed,
        "dispersion": None if drawn is None else drawn.as_dict(),
        "pace": pace,
        "live": rig.live,
        "rungs": rig.rungs,
        "can": {
            name: {"interface": bus.interface, "channel": bus.channel, "bitrate": bus.bitrate}
            for name, bus in rig.can.items()
        },
        "landing_engines": list(vehicle.landing_engines),
        "frame_ns": rig.timing.frame_ms * 1_000_000,
        "time_limit_s": case.time_limit_s,
        "timing_limits": {
            "missed_share": rig.timing.missed_share,
            "lateness_s": rig.timing.lateness_ms * 1e-3,
        },
        "step_instructions_max": kernel.step_instructions_max,
        "work_bound": kernel.work_bound,
        "versions": {
            "lastbrake": __version__,
            "kernel": kernel.label,
            "python": platform.python_version(),
            "numpy": np.__version__,
            "numba": metadata.version("numba"),
        },
        "rig_toml": rig.path.read_text(encoding="utf-8"),
        "case_toml": case.path.read_text(encoding="utf-8"),
        "vehicle_toml": vehicle_path(case, rig.path).read_text(encoding="utf-8"),
    }
