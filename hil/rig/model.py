"""Rig files: what is plugged in. One TOML file swaps simulated boards for real ones."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any, Final, Literal, Self

from pydantic import AfterValidator, Field, model_validator

from hil.files import FileError, FileModel, Name, bounded, load_toml
from hil.rig.reach import can_reaches_out, serial_reaches_out
from hil.signals import MAX_ENGINES
from hil.wire.can_config import PYTHON_CAN, LinkSettings, configured
from hil.wire.navigation import MOST_FRAME_BYTES
from hil.wire.probe import can_interfaces
from hil.wire.sensor_format import BITS_PER_BYTE
from hil.wire.sensor_lines import FORMATS

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
    """A CAN bus: anything python-can takes, or `hil`, the virtual bus that needs no kernel module.

    With interface = "python-can" its configuration chooses (hil.wire.can_config): then interface and channel
    are what it says.
    """

    interface: Name = "hil"
    channel: Line
    bitrate: int = bounded(10_000, 1_000_000, "bit/s", default=1_000_000)
    data_bitrate: int | None = bounded(10_000, 8_000_000, "bit/s", default=None)
    """Of the data phase of CAN FD frames; a bus without it carries classical frames only."""
    database: Line = "bus.dbc"
    options: dict[str, str | int | float | bool] = Field(default_factory=dict)
    """What else python-can's interface is told, word for word."""
    settings: Literal["rig", "python-can"] = "rig"
    """Who says what the options do not: nobody, or python-can's configuration."""

    @property
    def link(self) -> LinkSettings:
        """What the interface is opened with."""
        by_python_can = self.settings == PYTHON_CAN
        return LinkSettings(self.interface, self.channel, self.bitrate, self.options, by_python_can)

    @model_validator(mode="after")
    def _options_are_further_ones(self) -> Self:
        for key in ("interface", "channel", "bitrate"):
            if key in self.options:
                raise ValueError(f"options: {key} stands beside options, not among them")
        if self.interface == "hil" and self.options:
            raise ValueError("options: the virtual bus has none")
        return self

    @model_validator(mode="after")
    def _data_phase_is_not_slower(self) -> Self:
        if self.data_bitrate is not None and self.data_bitrate < self.bitrate:
            raise ValueError(
                f"data_bitrate = {self.data_bitrate} is below bitrate = {self.bitrate} (bit/s): "
                "the data phase is never the slower one"
            )
        return self

    @model_validator(mode="after")
    def _virtual_channel_is_a_name(self) -> Self:
        if self.interface == "hil" and re.fullmatch(r"[A-Za-z0-9_-]{1,64}", self.channel) is None:
            raise ValueError("the channel of a virtual bus is 1 to 64 letters, digits, _ and -")
        return self


_PROTOCOLS: Final = {kind.name: kind for kind in FORMATS.values()}


class SerialSpec(FileModel):
    """A serial link: `pty` (virtual), a device by stable name, or `socket://127.0.0.1:port`.

    With a protocol it is the line of a single sensor; baud rate and rate are then the sensor's usual ones.
    """

    port: Line
    baudrate: int = bounded(9_600, 4_000_000, "baud", default=921_600)
    protocol: Literal["stim300", "ubx_nav_pvt", "us_d1"] | None = None
    rate_hz: int | None = bounded(1, 2000, "Hz", default=None)

    @model_validator(mode="before")
    @classmethod
    def _usual_rates(cls, data: Any) -> Any:
        protocol = data.get("protocol") if isinstance(data, dict) else None
        kind = _PROTOCOLS.get(protocol) if isinstance(protocol, str) else None
        if kind is None:
            return data
        return {"baudrate": kind.baudrate, "rate_hz": kind.rate_hz} | data

    @model_validator(mode="after")
    def _carries_its_frames(self) -> Self:
        if self.protocol is None or self.rate_hz is None:
            if self.rate_hz is not None:
                raise ValueError("rate_hz is for the line of a sensor: name its protocol")
            return self
        kind = _PROTOCOLS[self.protocol]
        if self.rate_hz not in kind.rates_hz:
            rates = kind.rates_hz
            allowed = f"{rates[0]} to {rates[-1]}" if isinstance(rates, range) else _listed(rates)
            raise ValueError(f"rate_hz = {self.rate_hz}: {self.protocol} has {allowed} Hz")
        needed = kind.baud_needed(self.rate_hz)
        if needed > self.baudrate:
            raise ValueError(
                f"rate_hz = {self.rate_hz}: frames of {kind.frame_bytes} bytes take {needed} baud, "
                f"the line has {self.baudrate} (raise baudrate or lower rate_hz)"
            )
        return self


def _listed(values: Sequence[int]) -> str:
    return f"{', '.join(str(value) for value in values[:-1])} or {values[-1]}"


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


def _chosen(name: str, bus: Any) -> Any:
    """Return a bus with python-can's choice where its rig leaves it to it; the rig's own keys stand."""
    if not isinstance(bus, dict) or bus.get("interface") != PYTHON_CAN:
        return bus
    try:
        found = configured(name)
    except ValueError as error:
        raise ValueError(
            f"key 'can.{name}.interface' = '{PYTHON_CAN}' leaves the choice to python-can's configuration: "
            f"{error} (set CAN_INTERFACE and CAN_CHANNEL, or write both under [{name}] or [default] into "
            "~/.canrc)"
        ) from None
    return {**found, "settings": PYTHON_CAN, **bus, "interface": found["interface"]}


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

    @model_validator(mode="before")
    @classmethod
    def _python_can_chooses(cls, data: Any) -> Any:
        """Put what python-can's configuration says where a rig leaves the choice to it."""
        buses = data.get("can") if isinstance(data, dict) else None
        if not isinstance(buses, dict):
            return data
        chosen = {name: _chosen(name, bus) for name, bus in buses.items()}
        return {**data, "can": chosen}

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
        if self.can and (set(self.can) != {"engine"} or "navigation" not in self.serial):
            raise ValueError("the bus is named [can.engine] and the link [serial.navigation]")
        self._check_serial()
        if not self.can and any(b.backend != "in_process" for b in self.board.values()):
            raise ValueError("a rig without wires has in_process boards only (kernel rung)")
        return self

    def _check_serial(self) -> None:
        for name, link in self.serial.items():
            wanted = FORMATS[name].name if name in FORMATS else None
            if wanted is None and name != "navigation":
                raise ValueError(f"serial.{name}: lines are called navigation, {', '.join(FORMATS)}")
            if link.protocol != wanted:
                said = "has no protocol" if wanted is None else f'needs protocol = "{wanted}"'
                raise ValueError(f"serial.{name}: {said}")
        link_baud = MOST_FRAME_BYTES * BITS_PER_BYTE * 1000 // self.timing.frame_ms
        if "navigation" in self.serial and self.serial["navigation"].baudrate < link_baud:
            raise ValueError(
                f"serial.navigation: baudrate = {self.serial['navigation'].baudrate}: one solution in each "
                f"frame of {self.timing.frame_ms} ms takes {link_baud} baud"
            )

    @property
    def sensor_rates_hz(self) -> dict[str, int]:
        """Rates of the sensors that have lines of their own, by the name of the line."""
        return {name: link.rate_hz for name, link in self.serial.items() if link.rate_hz is not None}

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
