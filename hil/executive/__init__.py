"""The executive: the rate table, THE loop, the pace, and the safe end of every flight."""

from hil.executive.fly import SAFE_WITHIN_S, Ending, Latch, fly
from hil.executive.loop import SETTLE_S, Crew, Flight, Interrupted, NoInterlock, Stop, turn_crank
from hil.executive.pace import Deadlines, Lockstep, Pace, WallClock
from hil.executive.rates import RateTable

__all__ = [
    "SAFE_WITHIN_S",
    "SETTLE_S",
    "Crew",
    "Deadlines",
    "Ending",
    "Flight",
    "Interrupted",
    "Latch",
    "Lockstep",
    "NoInterlock",
    "Pace",
    "RateTable",
    "Stop",
    "WallClock",
    "fly",
    "turn_crank",
]
