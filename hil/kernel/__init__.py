"""The guidance kernel: the project's own, or anyone's that implements csrc/fk_interface.h."""

from hil.kernel.binding import (
    Kernel,
    KernelRun,
    check_fits,
    interface,
    load_library,
    load_sources,
    reference_kernel,
)
from hil.kernel.descent import DescentProblem, DescentSolution, solve_descent
from hil.kernel.trial import KernelRefused

__all__ = [
    "DescentProblem",
    "DescentSolution",
    "Kernel",
    "KernelRefused",
    "KernelRun",
    "check_fits",
    "interface",
    "load_library",
    "load_sources",
    "reference_kernel",
    "solve_descent",
]
