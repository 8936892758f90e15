"""What a user asks to be flown: rig, case and vehicle, loaded and fitting each other."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from hil.faults.case import Case, find_case, load_case, vehicle_path
from hil.faults.wire_acts import check_wire_faults
from hil.faults.wrappers import check_faults
from hil.files import FileError
from hil.plant.vehicle import Vehicle, load_vehicle
from hil.rig.abilities import check_supported
from hil.rig.model import Rig, load_rig
from hil.wire.layout import load_database
from hil.wire.schedule import sent_messages

__all__ = ["Plan", "load_plan", "message_ids"]


@dataclass(frozen=True)
class Plan:
    """A rig, a case and the case's vehicle."""

    rig: Rig
    case: Case
    vehicle: Vehicle

    @property
    def case_name(self) -> str:
        """The case as it is called: its file's name."""
        return self.case.path.stem

    @property
    def run_id(self) -> str:
        """What the random streams are named by."""
        return self.case.run_id or self.case_name


def message_ids(rig: Rig) -> dict[str, int]:
    """Return the ids of the messages that are on a rig's bus in a flight, by name; none without a bus."""
    engines = [board.node for board in rig.board.values() if board.node is not None]
    return {
        message.name: message.frame_id
        for can in rig.can.values()
        for message in sent_messages(
            load_database(rig.path.parent / can.database), engines, enabled=rig.demands_enable
        )
    }


def load_plan(rig_path: Path, case: str) -> Plan:
    """Load a rig and a case (a name or a path); raise FileError with one line for what does not fit."""
    rig = load_rig(rig_path)
    loaded = load_case(find_case(case, rig_path))
    vehicle = load_vehicle(vehicle_path(loaded, rig_path))
    if rig.timing.frame_ms * 1000 % rig.timing.plant_step_us != 0:
        raise FileError(
            f"{rig.path}: key 'timing.plant_step_us' = {rig.timing.plant_step_us}: "
            f"the frame of {rig.timing.frame_ms} ms is not a whole number of such steps"
        )
    check_faults(loaded, list(rig.board), vehicle.landing_engines)
    check_supported(rig, loaded, "lockstep")
    check_wire_faults(loaded, message_ids(rig), rig.serial)
    return Plan(rig, loaded, vehicle)
