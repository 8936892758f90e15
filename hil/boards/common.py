"""What all forms of a board share."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Final, Literal

from hil.boards._firmware import ffi, lib
from hil.files import FileError
from hil.kernel import Kernel
from hil.signals import RigError

__all__ = ["REFUSALS", "Backlog", "BoardFaults", "Role", "aligned", "kernel_table", "refuse"]

Role = Literal["flight_computer", "engine_valve"]

REFUSALS: Final = {
    1: "its configuration has another size than the firmware's",
    2: "its configuration has another version than the firmware's",
    3: "a value of its configuration is out of range",
    4: "the kernel does not fit the interface",
    5: "the kernel refused the configuration",
}
"""What a firmware's init returns, in words (firmware.h)."""
OF_THE_KERNEL: Final = (4, 5)
"""Refusals that are the kernel's: the file that names it is to blame, not the rig."""


@dataclass
class BoardFaults:
    """What can go wrong with a board, set from outside before a frame; the same on every rung.

    `silent`: the board is dead as if without power. It does not run, sends nothing and drives nothing
    (springs close the valves, gimbals stay, igniter off, fins keep their last demand); what the bus brings
    it is lost. Cleared again, it goes on with the state it had.
    `frozen`: its program hangs. It does not run and sends nothing, its outputs stay as they are, and what the
    bus brings is lost in its controller.
    `undriven`: what it drives has no supply, as where it is silent, but it runs and speaks.
    `restart`: before it runs again it forgets everything and starts anew; then this is cleared. Its clock
    goes on: boards keep the bench's time.
    """

    silent: bool = False
    frozen: bool = False
    undriven: bool = False
    restart: bool = False

    @property
    def stopped(self) -> bool:
        """True while the board does not run."""
        return self.silent or self.frozen


@dataclass
class Backlog:
    """What has come for a board that was not run in a frame because its clock is slow."""

    frames: list[bytes] = field(default_factory=list)
    serial: bytes = b""

    def keep(self, frames: list[bytes], serial: bytes) -> None:
        """Keep what one frame brought."""
        self.frames += frames
        self.serial += serial

    def with_new(self, frames: list[bytes], serial: bytes) -> tuple[list[bytes], bytes]:
        """Return all that waits, oldest first; afterwards nothing does."""
        if not self.frames and not self.serial:
            return frames, serial
        waiting = (self.frames + frames, self.serial + serial)
        self.frames, self.serial = [], b""
        return waiting


def aligned(size: int) -> tuple[Any, Any]:
    """Return (owner, pointer): `size` zeroed bytes aligned to 16, and what keeps them alive."""
    owner = ffi.new("unsigned char[]", size + 16)
    at = int(ffi.cast("uintptr_t", owner))
    return owner, ffi.cast("void *", (at + 15) & ~15)


def kernel_table(kernel: Kernel) -> Any:
    """Return the `fc_kernel_t *` of a kernel."""
    table = ffi.new("fc_kernel_t *")
    table.describe = ffi.cast("void (*)(fk_if_info_t *)", kernel.describe)
    table.init = ffi.cast("int32_t (*)(void *, const fk_if_config_t *)", kernel.init)
    table.step = ffi.cast("void (*)(void *, const fk_if_input_t *, fk_if_output_t *)", kernel.step)
    return table


def refuse(board: str, code: int) -> None:
    """Raise when a firmware's init did not return ready: FileError when the kernel is why, else RigError."""
    if code == 0:
        return
    text = f"board {board}: {REFUSALS.get(code, f'init failed with {code}')}"
    raise FileError(text) if code in OF_THE_KERNEL else RigError(text)


assert lib.FK_IF_MAX_ENGINES == lib.RECORDS_MAX_ENGINES
