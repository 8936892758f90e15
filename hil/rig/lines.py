"""Sensors on lines of their own: what a rig names, built and turned."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from hil.rig.model import Rig
from hil.sensors.lines import LineSensors
from hil.signals import Sensors
from hil.signals.samples import SensorSamples
from hil.wire.sensor_lines import SensorLine, SensorLines, SensorLog
from hil.wire.serial_line import SerialLine
from hil.wire.transport import PortTransport

__all__ = ["SpeakingSensors", "open_lines"]


def open_lines(rig: Rig, samples: SensorSamples, run_dir: Path | None) -> SensorLines:
    """Open the sensor lines of a rig; raise RigError, naming the line, when a port is not there.

    A line on a pseudo-terminal is heard by the rig's flight computer; one on a real port or a socket goes
    there instead. `run_dir` takes the log of what was on the lines (None, or a rig without: no log).
    """
    lines = SensorLines([])
    try:
        for name in rig.sensor_rates_hz:
            spec = rig.serial[name]
            source: list[Any] = getattr(samples, name)
            wire = SerialLine(spec.baudrate, rig.timing.frame_ms * 1_000_000)
            port = None if spec.port == "pty" else PortTransport(spec.port, spec.baudrate, name)
            lines.add(SensorLine(name, source, wire, port))
        if lines.by_name and run_dir is not None:
            lines.log = SensorLog(run_dir / "serial.log")
    except BaseException:
        lines.close()
        raise
    return lines


class SpeakingSensors:
    """The sensors of a flight, those on lines of their own included: samples first, then the lines."""

    def __init__(self, sensors: Sensors, speaking: LineSensors, lines: SensorLines) -> None:
        self._sensors = sensors
        self._speaking = speaking
        self._lines = lines

    def sample(self, t_ns: int) -> None:
        """Sample at frame time `t_ns` and put what is due on the lines."""
        self._sensors.sample(t_ns)
        self._speaking.sample(t_ns)
        self._lines.turn(t_ns)
