"""Where a board's sensors come from and its outputs go to: its columns of the sensor and actuator records."""

from __future__ import annotations

from typing import Any, Final

from hil.signals import FIN_COUNT, Frame

__all__ = ["ALL_VALID", "VALVE_SENSORS", "FinSeam", "Seam", "ValveSeam"]

VALVE_SENSORS: Final = ("ox_valve_pos", "fuel_valve_pos", "gimbal_x_rad", "gimbal_y_rad", "chamber_pa")
"""Fields of the sensor record in the order of a valve board's sensor channels (port.h)."""
VALVE_DRIVES: Final = ("ox_drive", "fuel_drive", "gimbal_x_drive", "gimbal_y_drive", "igniter")
"""Fields of the actuator record in the order of its actuator channels."""
ALL_VALID: Final = (1 << len(VALVE_SENSORS)) - 1


class Seam:
    """The sensors and actuators of a board that has none."""

    def read_sensors(self, channels: Any) -> int:  # noqa: ARG002 - what there is to read differs
        """Put the sensors' readings into `channels`; return the bits of the valid ones."""
        return ALL_VALID

    def drive(self, channels: Any) -> None:
        """Put a board's outputs, by channel, into the actuator record."""

    def no_drive(self) -> None:
        """Put into the actuator record that nothing is driven."""

    def no_power(self) -> None:
        """Put into the actuator record what a board without power drives."""


class ValveSeam(Seam):
    """A valve board's sensors and drives: column `slot` of the records."""

    def __init__(self, frame: Frame, slot: int) -> None:
        self._sensors = [(i, frame["sensor"][name]) for i, name in enumerate(VALVE_SENSORS)]
        self._drives = [(i, frame["actuator"][name]) for i, name in enumerate(VALVE_DRIVES)]
        self._unpowered = frame["actuator"]["unpowered"]
        self._slot = slot

    def read_sensors(self, channels: Any) -> int:
        """Put the sensors' readings into `channels`; return the bits of the valid ones."""
        slot = self._slot
        for channel, array in self._sensors:
            channels[channel] = array[slot]
        return ALL_VALID

    def drive(self, channels: Any) -> None:
        """Put drives and igniter into the actuator record."""
        slot = self._slot
        for channel, array in self._drives:
            array[slot] = channels[channel]
        self._unpowered[slot] = 0.0

    def no_drive(self) -> None:
        """Drive nothing: valves and gimbals stay where they are, the igniter is off."""
        for _, array in self._drives:
            array[self._slot] = 0.0

    def no_power(self) -> None:
        """Drive nothing and hold nothing: springs close the valves."""
        self.no_drive()
        self._unpowered[self._slot] = 1.0


class FinSeam(Seam):
    """The flight computer's fins; without power the servos keep their last demand."""

    def __init__(self, frame: Frame) -> None:
        self._fins = frame["actuator"]["fin_cmd_rad"]

    def drive(self, channels: Any) -> None:
        """Put the fin demands into the actuator record."""
        for channel in range(FIN_COUNT):
            self._fins[channel] = channels[channel]
