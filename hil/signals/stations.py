"""What the executive knows of the stations it turns: their Protocols, and nothing else."""

from __future__ import annotations

from typing import Any, Literal, Protocol

from hil.signals.timing import BusSheet

__all__ = ["Board", "BoardLost", "Interlock", "Plant", "Reality", "RigError", "Sensors", "Tape", "Wires"]

Reality = Literal["virtual", "real"]


class RigError(Exception):
    """The rig broke (a dead board, a lost wire): verdict ERROR, exit status 3.

    The message is one line for the user: which part, what happened, what to do.
    """


class BoardLost(RigError):
    """A board died or fell out of step; `board` names it."""

    def __init__(self, board: str, text: str) -> None:
        super().__init__(f"board {board}: {text}")
        self.board = board


class Plant(Protocol):
    """The booster and its surroundings; writes the `truth` record."""

    @property
    def at_rest(self) -> bool:
        """True when the flight has ended: the booster stands, lies or is destroyed."""

    def advance(self, t_ns: int) -> None:
        """Integrate to time `t_ns` with the `actuator` record held."""


class Sensors(Protocol):
    """Turns truth into what sensors say; writes the `nav` and `sensor` records."""

    def sample(self, t_ns: int) -> None:
        """Sample at frame time `t_ns`."""


class Board(Protocol):
    """One node of the rig: a flight computer or a valve board, in whatever form.

    A frame is two calls on each board, so that boards that are processes run side by side:
    `start_frame` hands over time and sensor inputs, `finish_frame` returns once the board's
    actuator outputs stand in the `actuator` record.  A board sees in frame k the bus traffic that
    was sent in frame k - 1.
    """

    name: str
    role: Literal["flight_computer", "engine_valve"]
    backend: str
    reality: Reality

    def start_frame(self, t_ns: int) -> None:
        """Let the board run the frame that begins at `t_ns`."""

    def finish_frame(self) -> None:
        """Wait for the board's outputs; raise BoardLost when it has died or does not answer."""

    @property
    def safe(self) -> bool:
        """True when the board drives nothing and its valves are on their closed stops."""

    def close(self) -> None:
        """End the board (a process is ended and reaped); safe to call twice."""


class Wires(Protocol):
    """All buses and serial links of the rig, or the hand-over that stands for them."""

    def exchange(self, t_ns: int) -> None:
        """Move what was sent in this frame to where the next frame reads it, and record it."""

    def pump(self, until_s: float) -> None:
        """On the wall clock: serve the wires until the monotonic time `until_s`."""

    def mute(self, board: str) -> None:
        """From now on nothing that the board named `board` sends reaches anybody.

        What it had handed over for the frame that is being turned still goes out.
        """

    def counters(self) -> dict[str, dict[str, int]]:
        """Return, for each receiving node, frames accepted and rejected by reason."""

    def bus_sheet(self) -> BusSheet | None:
        """Return the diagnostics of the CAN bus, which every exchange fills in anew; None without one."""

    def clocks(self) -> dict[str, dict[str, float | None]]:
        """Return, for each bus, its time stamps against the bench's clock (hil.signals.clocks)."""

    def bus_figures(self) -> dict[str, Any] | None:
        """Return what has happened on the CAN bus so far, as JSON values; None without one."""

    def close(self) -> None:
        """Close every bus and link; safe to call twice."""


class Interlock(Protocol):
    """What has to hold for anything to move, looked at once a frame."""

    def look(self, t_ns: int) -> None:
        """Renew the leave to move for the frame at `t_ns`; raise RigError when the flight has to end."""

    def keep_stopped(self, t_ns: int) -> None:
        """Withdraw the leave, for good; called again in every frame until the end. Never raises."""


class Tape(Protocol):
    """Takes the frames of a flight."""

    def write(self, t_ns: int) -> None:
        """Append the shared frame as it stands."""

    def close(self) -> None:
        """Finish the recording; safe to call twice."""
