"""Looking at a rig before anything flies: is everything there that its file names?"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

from hil.boards.config import kernel_config
from hil.boards.emulated import emulation_tools
from hil.boards.stations import firmware_layouts, rig_kernel
from hil.executive.realtime import what_is_permitted
from hil.faults.case import SHIPPED
from hil.kernel import KernelRefused, check_fits
from hil.plant.vehicle import load_vehicle
from hil.rig.inquiry import ask_real_boards, ask_virtual_boards
from hil.rig.model import Rig
from hil.wire.layout import check_database
from hil.wire.probe import loop_back, probe_can, probe_serial

__all__ = ["check_rig", "open_everything"]


def open_everything(rig: Rig) -> Iterator[str]:
    """Open and close what the rig names, telling one line for each part that is there.

    Raises RigError naming the first part that is missing, FileError for a bus table or a kernel
    that does not fit.
    """
    for name, can in rig.can.items():
        table = rig.path.parent / can.database
        check_database(table, firmware_layouts())
        yield f"can.{name}: {can.database}: agrees with the firmware"
    yield _kernel(rig)
    emulated = [name for name, board in rig.board.items() if board.backend == "emulated"]
    if emulated:
        yield f"boards {', '.join(emulated)}: {emulation_tools()}"
    for name, can in rig.can.items():
        probe_can(f"can.{name}", can.interface, can.channel, can.bitrate)
        yield f"can.{name}: {can.interface} {can.channel}: opens"
    for name, link in rig.serial.items():
        probe_serial(f"serial.{name}", link.port, link.baudrate)
        yield f"serial.{name}: {link.port}: opens"


def _kernel(rig: Rig) -> str:
    """Try the rig's kernel with a shipped vehicle; whether it takes the case's own is seen when it flies."""
    kernel = rig_kernel(rig)
    vehicle = load_vehicle(SHIPPED / "vehicles" / "zq3_class.toml")
    with contextlib.suppress(KernelRefused):
        check_fits(
            kernel,
            kernel_config(
                vehicle,
                rig.timing.frame_ms * 1e-3,
                initial_propellant_kg=vehicle.body.propellant_kg,
            ),
        )
    return f"kernel: {kernel.label}: fits"


def check_rig(rig: Rig) -> Iterator[str]:
    """Look at everything that a rig names, one line for each part; nothing moves.

    Raises RigError for the first part that is missing or not what the rig means, FileError for a file
    that does not fit.
    """
    yield from open_everything(rig)
    if rig.has_wires:
        yield from ask_virtual_boards(rig)
        yield from ask_real_boards(rig)
    for name, link in rig.serial.items():
        yield f"serial.{name}: {link.port}: {loop_back(link.port, link.baudrate, name)}"
    yield "clock: " + ", ".join(f"{what} {how}" for what, how in what_is_permitted().items())
