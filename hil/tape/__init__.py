"""Recordings of flights: one MCAP message for each frame."""

from hil.tape.divergence import Divergence, first_divergence
from hil.tape.memory import MemoryTape
from hil.tape.reader import Recording, read_tape
from hil.tape.schema import TAPE_VERSION
from hil.tape.writer import TapeWriter, claim_tape

__all__ = [
    "TAPE_VERSION",
    "Divergence",
    "MemoryTape",
    "Recording",
    "TapeWriter",
    "claim_tape",
    "first_divergence",
    "read_tape",
]
