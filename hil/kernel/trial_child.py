"""The child process of a kernel's trial (hil.kernel.trial): loads it, describes, starts and steps it once.

A script by itself, so that it starts in a moment.  Arguments: the library, the descriptor of the report, the
sizes of fk_if_info_t, fk_if_config_t and fk_if_output_t.  Standard input: a configuration and an input, or
nothing for a trial that ends after the description.
"""

from __future__ import annotations

import ctypes
import os
import resource
import sys

__all__ = ["main"]

_MOST_STATE = 64 * 1024 * 1024


def _block(data: bytes, size: int) -> tuple[object, ctypes.c_void_p]:
    """Return (owner, pointer): `size` bytes aligned to 16 that begin with `data`, and what keeps them."""
    owner = ctypes.create_string_buffer(size + 16)
    at = (ctypes.addressof(owner) + 15) & ~15
    ctypes.memmove(at, data, len(data))
    return owner, ctypes.c_void_p(at)


def main(library: str, report: int, info_size: int, config_size: int, output_size: int) -> None:
    """Tell the name of each step before it is taken, and `done` at the end; what cannot fit is not tried."""

    def tell(step: str) -> None:
        os.write(report, step.encode() + b"\n")

    given = sys.stdin.buffer.read()
    tell("its loading")
    try:
        lib = ctypes.CDLL(library, mode=os.RTLD_NOW | os.RTLD_LOCAL)
        describe, init, step = lib.fk_if_describe, lib.fk_if_init, lib.fk_if_step
    except (OSError, AttributeError):
        return tell("done")  # the bench sees the same and says what it is
    kept, info = _block(b"", info_size)
    tell("fk_if_describe")
    describe(info)
    assert info.value is not None
    state_size = ctypes.cast(info, ctypes.POINTER(ctypes.c_uint32))[1]
    if given and 0 < state_size <= _MOST_STATE:
        memory, state = _block(b"", state_size)
        config_kept, config = _block(given[:config_size], config_size)
        input_kept, inputs = _block(given[config_size:], len(given) - config_size)
        output_kept, output = _block(b"", output_size)
        tell("fk_if_init")
        init.restype = ctypes.c_int32
        refused = init(state, config)
        if refused:
            return tell(f"refused {refused}")
        tell("fk_if_step")
        step(state, inputs, output)
        del memory, config_kept, input_kept, output_kept
    del kept
    return tell("done")


if __name__ == "__main__":
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    main(sys.argv[1], *map(int, sys.argv[2:]))
    os._exit(0)  # nothing of the kernel runs after its trial
