"""Recordings of flights: one MCAP message for each frame."""

from hil.tape.reader import Recording, read_tape
from hil.tape.schema import STAGES, TAPE_VERSION, timing_dtype
from hil.tape.writer import TapeWriter

__all__ = ["STAGES", "TAPE_VERSION", "Recording", "TapeWriter", "read_tape", "timing_dtype"]
