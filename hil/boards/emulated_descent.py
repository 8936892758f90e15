"""The optimiser on a Cortex-M7: the same answers to the bit, and how many instructions each took."""

from __future__ import annotations

import struct
import time
from types import TracebackType
from typing import Final, Self

from hil.boards.emulated import START_S, emulate, emulation_tools
from hil.boards.executables import descent_image
from hil.kernel.descent import DescentProblem, DescentSolution, Hold, raw_problem, solution_of
from hil.signals import RigError

__all__ = ["EmulatedOptimiser"]

_FREE_TIME: Final = struct.Struct("=iI")
_WORK: Final = struct.Struct("=II")
SOLVE_S: Final = 120.0
"""Wall time that the longest search may take."""


class EmulatedOptimiser:
    """An emulated board that does nothing but solve descents; a context manager.

    Raises RigError when emulator or compiler are missing.
    """

    def __init__(self) -> None:
        emulation_tools()
        self._emulation = emulate(descent_image())
        self._allowed_s = START_S + SOLVE_S

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def solve(
        self,
        problem: DescentProblem,
        *,
        nodes: int,
        final_time_s: float | None = None,
        hold: Hold = "foh",
    ) -> tuple[DescentSolution, int]:
        """Return the solution, as hil.kernel.solve_descent does, and the instructions that it took.

        Its `solve_time_s` is the wall time here. Raises ValueError for data of the wrong shape or out of
        range, RigError when the emulator dies or does not answer.
        """
        from hil.kernel._kernel import ffi

        raw = raw_problem(problem, nodes, final_time_s, hold)
        size = ffi.sizeof("fk_answer_t")
        begin = time.perf_counter()
        try:
            self._emulation.send(bytes(ffi.buffer(raw)) + _FREE_TIME.pack(final_time_s is None, 0))
            reply = self._receive(size + _WORK.size)
        except (OSError, TimeoutError) as error:
            raise RigError(f"the emulated optimiser does not answer: {type(error).__name__}") from None
        took_s = time.perf_counter() - begin
        (instructions, _) = _WORK.unpack_from(reply, size)
        return solution_of(reply[:size], nodes, took_s, hold), instructions

    def _receive(self, count: int) -> bytes:
        reply = b""
        while len(reply) < count:
            piece = self._emulation.receive(count - len(reply), self._allowed_s)
            if not piece:
                raise RigError("the emulated optimiser has ended")
            reply += piece
        return reply

    def close(self) -> None:
        """End the board; safe to call twice."""
        self._emulation.hang_up()
        process = self._emulation.process
        if process.poll() is None:
            process.kill()  # it has no valves to close
        process.wait()
