"""Looking at a rig before anything flies: is everything there that its file names?"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

from cantools.database.can import Database

from hil.boards.config import kernel_config
from hil.boards.emulated import emulation_tools
from hil.boards.stations import firmware_layouts, rig_kernel
from hil.executive.realtime import what_is_permitted
from hil.faults.case import SHIPPED
from hil.kernel import KernelRefused, check_fits
from hil.plant.vehicle import load_vehicle
from hil.rig.inquiry import ask_real_boards, ask_virtual_boards
from hil.rig.model import Rig
from hil.signals import RigError
from hil.wire.layout import check_database
from hil.wire.probe import loop_back, probe_can, probe_serial
from hil.wire.schedule import forecast

__all__ = ["check_rig", "open_everything"]


def open_everything(rig: Rig) -> Iterator[str]:
    """Open and close what the rig names, telling one line for each part that is there.

    Raises RigError naming the first part that is missing, FileError for a bus table or a kernel
    that does not fit.
    """
    for name, can in rig.can.items():
        table = rig.path.parent / can.database
        database = check_database(table, firmware_layouts())
        yield f"can.{name}: {can.database}: agrees with the firmware"
        yield _bus_load(rig, name, database)
    yield _kernel(rig)
    emulated = [name for name, board in rig.board.items() if board.backend == "emulated"]
    if emulated:
        yield f"boards {', '.join(emulated)}: {emulation_tools()}"
    for name, can in rig.can.items():
        probe_can(name, can.link)
        yield f"can.{name}: {can.interface} {can.channel}: opens"
    for name, link in rig.serial.items():
        probe_serial(f"serial.{name}", link.port, link.baudrate)
        yield f"serial.{name}: {link.port}: opens"


def _bus_load(rig: Rig, name: str, database: Database) -> str:
    """Say how full a bus will be at worst; raise RigError when that is more than it can carry."""
    engines = [board.node for board in rig.board.values() if board.node is not None]
    frame_ns = rig.timing.frame_ms * 1_000_000
    told = forecast(database, engines, rig.can[name].bitrate, frame_ns, enabled=rig.demands_enable)
    what = f"can.{name}: {told.frames} frames every {rig.timing.frame_ms} ms load it to at most "
    if told.response_ns is None:
        raise RigError(f"{what}{100 * told.load:.0f} %: more than it can carry (raise bitrate or frame_ms)")
    return f"{what}{100 * told.load:.1f} %, {told.slowest} within {1e-6 * told.response_ns:.2f} ms"


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
