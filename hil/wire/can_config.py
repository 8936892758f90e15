"""What a CAN interface is opened with, and python-can's own configuration for rigs that ask for it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

__all__ = ["PYTHON_CAN", "LinkSettings", "configured"]

PYTHON_CAN: Final = "python-can"
"""The interface of a bus whose rig leaves the choice to python-can's configuration."""


@dataclass(frozen=True)
class LinkSettings:
    """A CAN interface as a rig names it."""

    interface: str
    channel: str
    bitrate: int
    options: Mapping[str, str | int | float | bool] = field(default_factory=dict)
    """Further settings, handed to python-can as they are."""
    by_python_can: bool = False
    """True when python-can's configuration may add further ones."""


def configured(name: str) -> dict[str, Any]:
    """Return interface, channel and, where it is set, bitrate of bus `name` in python-can's configuration.

    Looked at, the first that has a key decides: CAN_INTERFACE_name, CAN_CHANNEL_name, CAN_BITRATE_name and
    CAN_CONFIG_name, the same without _name, section [name] of can.conf, its section [default]. Raises
    ValueError when interface or channel is nowhere, or a file cannot be read.
    """
    import can  # here: it takes long, and most rigs name their interface

    try:
        found = can.util.load_config(context=name)
    except can.CanInterfaceNotImplementedError as error:
        unset = "None" in str(error)
        raise ValueError("it names no interface" if unset else _line(error)) from None
    except Exception as error:  # broken JSON or INI text fails in many ways
        raise ValueError(_line(error)) from None
    if found.get("channel") is None:
        raise ValueError("it names no channel")
    kept = {"interface": found["interface"], "channel": str(found["channel"])}
    return kept | ({"bitrate": found["bitrate"]} if found.get("bitrate") is not None else {})


def _line(error: BaseException) -> str:
    return " ".join(str(error).split()) or type(error).__name__
