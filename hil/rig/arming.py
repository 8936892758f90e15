"""Arming a live rig: nothing moves unless a person says so, on purpose, for this rig.

An `Arming` is the only thing that lets a live rig fly, and `arm` is the only place that makes one; tests
and searches make none.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Literal

from hil.files import FileError
from hil.rig.model import Rig
from hil.signals import RigError
from hil.wire.enable import NO_LEAVE, Leave
from hil.wire.switch import Switch

__all__ = ["STOP_TESTED", "Arming", "Wish", "arm", "leave_for", "refuse_unarmed"]

STOP_TESTED: Final = "stop tested"
"""What the operator types once the hard-wired stop has been tried."""

Ask = Callable[[str], str | None]
"""Shows a question, returns what was typed; None where nobody can type."""


@dataclass(frozen=True)
class Wish:
    """What the command line asks for."""

    arm: bool = False
    cold: bool = False
    igniter: bool = False
    confirm: str | None = None
    """The rig's name, for a command without a terminal."""
    stop_tested: bool = False
    """The confirmation that the stop was tested, for a command without a terminal."""
    flights: int = 1


@dataclass(frozen=True)
class Arming:
    """Leave for one rig."""

    rig: str
    mode: Literal["COLD", "DRIVE"]
    igniter: bool


def refuse_unarmed(rig: Rig) -> RigError:
    """Return the error of a live rig that nobody has armed."""
    return RigError(
        f"rig {rig.name} is live and not armed: nothing moves; `hil run {rig.path} --cold` inhibits every "
        "drive, `--arm` asks for the rig's name and the tested stop (docs/BENCH.md)"
    )


def arm(rig: Rig, wish: Wish, ask: Ask) -> Arming | None:
    """Return the leave for a live rig, None for one that is not live.

    Raises RigError when it is not armed or an answer does not fit, FileError for wishes that contradict
    each other or the rig file.
    """
    _check_wish(rig, wish)
    if not rig.live:
        return None
    if wish.flights > 1 and not rig.interlock.many:
        raise RigError(
            f"rig {rig.name} is live: one flight for one arming; many need 'interlock.many = true'"
        )
    if wish.cold:
        return Arming(rig.name, "COLD", igniter=False)
    if not wish.arm:
        raise refuse_unarmed(rig)
    if rig.limits is None:
        raise FileError(
            f"{rig.path}: a live rig is armed only with [limits]: strokes, duty, energy (docs/BENCH.md)"
        )
    _ask_stop(rig, wish, ask)
    if rig.interlock.key is not None:
        _turn_key(rig)
    else:
        _ask_name(rig, wish, ask)
    return Arming(rig.name, "DRIVE", igniter=wish.igniter)


def _check_wish(rig: Rig, wish: Wish) -> None:
    if wish.igniter and not wish.arm:
        raise FileError("--arm-igniter: igniter power needs --arm as well")
    if wish.arm and wish.cold:
        raise FileError("--arm and --cold: one moves valves, the other moves none")
    if (wish.confirm is not None or wish.stop_tested) and not wish.arm:
        raise FileError("--confirm and --stop-tested answer the questions of --arm")
    if wish.cold and not rig.demands_enable:
        raise FileError(
            f"--cold: rig {rig.name} is not live and has no 'interlock.enable = true': nothing to inhibit"
        )


def _ask_stop(rig: Rig, wish: Wish, ask: Ask) -> None:
    if wish.stop_tested:
        return
    typed = ask(f"Has the hard-wired emergency stop been tried today? Type '{STOP_TESTED}': ")
    if typed is None:
        raise RigError(
            f"rig {rig.name}: not armed: no terminal to ask on; give --stop-tested and --confirm {rig.name}"
        )
    if typed.strip() != STOP_TESTED:
        raise RigError(f"rig {rig.name}: not armed: the hard-wired stop was not confirmed as tested")


def _ask_name(rig: Rig, wish: Wish, ask: Ask) -> None:
    typed = wish.confirm
    if typed is None:
        typed = ask(f"Rig {rig.name} is live: valves will move. Type its name to arm it: ")
    if typed is None:
        raise RigError(f"rig {rig.name}: not armed: no terminal to ask on; give --confirm {rig.name}")
    if typed.strip() != rig.name:
        raise RigError(f"rig {rig.name}: not armed: what was typed is not its name")


def _turn_key(rig: Rig) -> None:
    assert rig.interlock.key is not None
    key = Switch("interlock.key", rig.interlock.key.port, rig.interlock.key.line)
    try:
        if not key.read():
            raise RigError(f"rig {rig.name}: not armed: the key ({rig.interlock.key.port}) is off")
    finally:
        key.close()


def leave_for(rig: Rig, arming: Arming | None, *, cold: bool = False) -> Leave:
    """Return what the enable frames of a run may allow; raise RigError for a live rig that is not armed.

    A virtual rig that demands the frame gets it without arming: nothing there can move.
    """
    if not rig.demands_enable:
        return NO_LEAVE
    nonce = secrets.randbits(32)
    if not rig.live:
        return Leave(nonce, "COLD" if cold else "DRIVE", igniter=not cold)
    if arming is None or arming.rig != rig.name:
        raise refuse_unarmed(rig)
    return Leave(nonce, arming.mode, igniter=arming.igniter)
