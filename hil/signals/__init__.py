"""The records of each seam and the Protocols of the stations."""

from hil.signals.records import (
    ENGINE_STATES,
    FIN_COUNT,
    FLIGHT_MODES,
    MAX_ENGINES,
    PER_ENGINE,
    RECORDS,
    REQUESTS,
    Field,
    Frame,
    Record,
    frame_dtype,
)
from hil.signals.stations import Board, BoardLost, Interlock, Plant, Reality, RigError, Sensors, Tape, Wires

__all__ = [
    "ENGINE_STATES",
    "FIN_COUNT",
    "FLIGHT_MODES",
    "MAX_ENGINES",
    "PER_ENGINE",
    "RECORDS",
    "REQUESTS",
    "Board",
    "BoardLost",
    "Field",
    "Frame",
    "Interlock",
    "Plant",
    "Reality",
    "Record",
    "RigError",
    "Sensors",
    "Tape",
    "Wires",
    "frame_dtype",
]
