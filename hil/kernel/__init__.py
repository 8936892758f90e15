"""The guidance kernel: the project's own, or anyone's that implements csrc/fk_interface.h."""

from hil.kernel.binding import Kernel, KernelRun, interface, load_library, load_sources, reference_kernel

__all__ = ["Kernel", "KernelRun", "interface", "load_library", "load_sources", "reference_kernel"]
