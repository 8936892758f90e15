"""Rig files: what is plugged in. One TOML file swaps simulated boards for real ones."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, Field, model_validator

from hil.files import FileError, FileModel, Name, bounded, load_toml
from hil.rig.reach import can_reaches_out, serial_reaches_out
from hil.signals import MAX_ENGINES
from hil.wire.probe import can_interfaces

__all__ = ["BoardSpec", "CanSpec", "KernelSpec", "Rig", "SerialSpec", "TimingSpec", "load_rig"]


class TimingSpec(FileModel):
    """Periods: the minor frame of every board, and the step of the plant."""

    frame_ms: int = bounded(1, 20, "ms", default=10)
    """Two frames and more fit into the 50 ms after which the valve boards' watchdogs act."""
    plant_step_us: int = bounded(50, 1000, "us", default=1000)


def _one_line(text: str) -> str:
    """Refuse what no interface is called by."""
    if not 1 <= len(text) <= 255 or not text.isprintable():
        raise ValueError("is not 1 to 255 printable characters")
    return text


Line = Annotated[str, AfterValidator(_one_line)]


class CanSpec(FileModel):
    """A CAN bus: anything python-can takes, or `hil`, the virtual bus that needs no kernel module."""

    interface: Name = "hil"
    channel: Line
    bitrate: int = bounded(10_000, 1_000_000, "bit/s", default=1_000_000)
    database: Line = "bus.dbc"

    @model_validator(mode="after")
    def _virtual_channel_is_a_name(self) -> Self:
        if self.interface == "hil" and re.fullmatch(r"[A-Za-z0-9_-]{1,64}", self.channel) is None:
            raise ValueError("the channel of a virtual bus is 1 to 64 letters, digits, _ and -")
        return self


class SerialSpec(FileModel):
    """A serial link: `pty` (virtual), a device by stable name, or `socket://127.0.0.1:port`."""

    port: Line
    baudrate: int = bounded(9_600, 4_000_000, "baud", default=921_600)


class BoardSpec(FileModel):
    """A board: which firmware it runs and in what form."""

    firmware: Literal["flight_computer", "engine_valve"]
    backend: Literal["in_process", "process", "emulated", "hardware"]
    node: int | None = bounded(1, MAX_ENGINES, "engine number", default=None)

    @model_validator(mode="after")
    def _node_fits(self) -> Self:
        if self.firmware == "engine_valve" and self.node is None:
            raise ValueError("an engine_valve board needs node = the number of its engine")
        if self.firmware == "flight_computer" and self.node is not None:
            raise ValueError("a flight_computer board has no node")
        return self


class KernelSpec(FileModel):
    """A guidance kernel of one's own: C sources or a shared library that implement fk_interface.h."""

    name: Line
    sources: tuple[Line, ...] = ()
    include: tuple[Line, ...] = ()
    library: Line | None = None

    @model_validator(mode="after")
    def _one_origin(self) -> Self:
        if bool(self.sources) == (self.library is not None):
            raise ValueError('name either sources = [...] or library = "..."')
        return self


class Rig(FileModel):
    """A rig as its file describes it. Paths in it are relative to the file."""

    name: Name
    description: str = ""
    timing: TimingSpec = TimingSpec()
    can: dict[Name, CanSpec] = Field(default_factory=dict)
    serial: dict[Name, SerialSpec] = Field(default_factory=dict)
    board: dict[Name, BoardSpec]
    kernel: KernelSpec | None = None
    path: Annotated[Path, Field(exclude=True)] = Path()
    """Where the rig was read from; filled in by load_rig."""

    @model_validator(mode="after")
    def _is_a_rig(self) -> Self:
        computers = [n for n, b in self.board.items() if b.firmware == "flight_computer"]
        if len(computers) != 1:
            raise ValueError(f"board: a rig has exactly one flight_computer, this one has {len(computers)}")
        nodes = [b.node for b in self.board.values() if b.node is not None]
        if len(set(nodes)) != len(nodes):
            raise ValueError("board: two engine_valve boards have the same node")
        if bool(self.can) != bool(self.serial):
            raise ValueError("a rig has both [can.engine] and [serial.navigation], or neither (kernel rung)")
        if self.can and (set(self.can) != {"engine"} or set(self.serial) != {"navigation"}):
            raise ValueError("the bus is named [can.engine] and the link [serial.navigation]")
        if not self.can and any(b.backend != "in_process" for b in self.board.values()):
            raise ValueError("a rig without wires has in_process boards only (kernel rung)")
        return self

    @property
    def has_wires(self) -> bool:
        """False on the kernel rung, where records are handed over."""
        return bool(self.can)

    @property
    def rungs(self) -> dict[str, str]:
        """For each board its rung: kernel, in_process, process, emulated or hardware."""
        return {name: b.backend if self.has_wires else "kernel" for name, b in self.board.items()}

    @property
    def is_virtual(self) -> bool:
        """True when no flight of the rig can meet another one on its wires."""
        return all(c.interface == "hil" for c in self.can.values()) and all(
            s.port == "pty" for s in self.serial.values()
        )

    @property
    def live(self) -> bool:
        """True unless every part is proven unable to reach hardware; nobody can declare a rig not live."""
        can_reach = any(can_reaches_out(c.interface, c.channel) for c in self.can.values())
        serial_reach = any(serial_reaches_out(s.port) for s in self.serial.values())
        return can_reach or serial_reach or any(b.backend == "hardware" for b in self.board.values())


def load_rig(path: Path) -> Rig:
    """Read a rig file; raise FileError with one line when it cannot be used."""
    rig = load_toml(path, Rig)
    for name, can in rig.can.items():
        if can.interface != "hil" and can.interface not in can_interfaces():
            raise FileError(
                f"{path}: key 'can.{name}.interface' = {can.interface!r}: no such interface "
                f"(known: {', '.join(sorted(can_interfaces()))})"
            )
        database = path.parent / can.database
        if not database.is_file():
            raise FileError(f"{path}: key 'can.{name}.database': {database}: no such file")
    return rig.model_copy(update={"path": path})
