"""The faults that can be flown: enumerated, each with its sizes, units and ranges."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

__all__ = ["CATALOGUE", "SIZES", "STRUCK", "Choice", "Kind", "Size"]


@dataclass(frozen=True, slots=True)
class Size:
    """A number that a fault takes, from `low` to `high` (both allowed)."""

    name: str
    low: float
    high: float
    unit: str
    text: str

    @property
    def allowed(self) -> str:
        """The range as it is said to people."""
        return f"{self.low:g} to {self.high:g} {self.unit}"


@dataclass(frozen=True, slots=True)
class Choice:
    """A word that a fault takes."""

    name: str
    words: tuple[str, ...]
    text: str

    @property
    def allowed(self) -> str:
        """The words as they are said to people."""
        return " | ".join(self.words)


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind of fault: what it strikes, what it takes, and whether anything reports it."""

    name: str
    strikes: Literal["engine", "board", "fin", "tank"]
    sizes: tuple[Size | Choice, ...]
    silent: bool
    """True when nothing on the bench announces the fault: it has to be inferred."""
    text: str


_VALVE: Final = Choice("valve", ("oxidiser", "fuel"), "which propellant valve")
_SIDE: Final = Choice("side", ("oxidiser", "fuel"), "which propellant")
_AXIS: Final = Choice("axis", ("x", "y"), "which gimbal axis")

_KINDS: Final = (
    Kind(
        "engine.out",
        "engine",
        (Size("tail_off_s", 0.0, 5.0, "s", "time constant with which the chamber pressure decays"),),
        silent=True,
        text="The chamber goes out and cannot be lit again; propellants flow on while the valves are open.",
    ),
    Kind(
        "engine.late_ignition",
        "engine",
        (Size("delay_s", 0.0, 10.0, "s", "on top of the healthy engine's ignition delay"),),
        silent=True,
        text="The chamber lights late.",
    ),
    Kind(
        "engine.thrust_shortfall",
        "engine",
        (
            Size("factor", 0.0, 1.2, "1", "chamber pressure over that of the healthy engine"),
            Size("tau_s", 0.0, 10.0, "s", "time constant with which it sets in; 0 at once"),
        ),
        silent=True,
        text="The engine gives less (or more) chamber pressure than its valves call for.",
    ),
    Kind(
        "valve.stuck",
        "engine",
        (_VALVE,),
        silent=True,
        text="A propellant valve stays where it stands, whatever drives it.",
    ),
    Kind(
        "valve.stuck_at",
        "engine",
        (_VALVE, Size("position", 0.0, 1.0, "1", "where it goes, at its full rate, and stays")),
        silent=True,
        text="A propellant valve runs away to a position and stays there.",
    ),
    Kind(
        "valve.slow",
        "engine",
        (_VALVE, Size("rate", 0.1, 0.7, "1", "of the nominal slew rate")),
        silent=True,
        text="A propellant valve moves slowly.",
    ),
    Kind(
        "valve.stiction",
        "engine",
        (
            _VALVE,
            Size("band", 0.005, 0.04, "1", "how far the actuator runs ahead before the stem breaks loose"),
            Size("hold_s", 0.02, 0.3, "s", "after which it breaks loose in any case"),
        ),
        silent=True,
        text="A propellant valve sticks and slips.",
    ),
    Kind(
        "valve.leak",
        "engine",
        (_VALVE, Size("leak", 0.005, 0.05, "1", "of the full opening, when the valve is shut")),
        silent=True,
        text="A propellant valve does not shut tight; what leaks before the start pools in the chamber.",
    ),
    Kind(
        "engine.no_ignition",
        "engine",
        (Size("starts", 0.0, 3.0, "starts", "left at the most"),),
        silent=True,
        text="The igniter has few starts left, or none.",
    ),
    Kind(
        "engine.hard_start",
        "engine",
        (
            Size("peak", 1.5, 3.0, "1", "about, of the full chamber pressure"),
            Size("duration_s", 0.005, 0.03, "s", "time constant with which the pooled propellant burns"),
        ),
        silent=True,
        text="Propellant has pooled when the chamber lights; too high a peak destroys it.",
    ),
    Kind(
        "engine.slow_throttle",
        "engine",
        (Size("tau_s", 0.1, 0.8, "s", "time constant of the gas generator behind the valves"),),
        silent=True,
        text="The turbopump follows the throttle late.",
    ),
    Kind(
        "engine.chug",
        "engine",
        (
            Size("stiffness", 0.02, 0.2, "1", "injector pressure drop over chamber pressure, at full thrust"),
            Size("lag_s", 0.001, 0.005, "s", "combustion time lag"),
        ),
        silent=True,
        text="The injector is soft and the combustion late: whether and how the chamber chugs, follows.",
    ),
    Kind(
        "engine.buzz",
        "engine",
        (
            Size("amplitude", 0.05, 0.3, "1", "of the chamber pressure"),
            Size("frequency_hz", 400.0, 1000.0, "Hz", "of the oscillation"),
        ),
        silent=True,
        text="An oscillation above the feed system's range, imposed on the chamber pressure.",
    ),
    Kind(
        "engine.mixture_shift",
        "engine",
        (
            Choice("rich", ("oxidiser", "fuel"), "of which propellant there is too much"),
            Size("shift", 0.05, 0.2, "1", "of the mixture ratio"),
        ),
        silent=True,
        text="One line gives more and the other less than it should.",
    ),
    Kind(
        "feed.gas",
        "engine",
        (
            _SIDE,
            Size("void", 0.05, 0.5, "1", "gas by volume"),
            Size("burst_s", 0.1, 1.0, "s", "length of a burst, and of the pause after it"),
        ),
        silent=True,
        text="Gas comes with the propellant, in bursts.",
    ),
    Kind(
        "pump.cavitation",
        "engine",
        (_SIDE, Size("head_loss", 0.03, 0.3, "1", "of the pump's head")),
        silent=True,
        text="A pump has too little suction head and cavitates.",
    ),
    Kind(
        "pump.overspeed",
        "engine",
        (
            Size("torque", 1.1, 4.0, "1", "of the gas generator's torque for its throttle"),
            Size("trip_speed", 1.1, 1.2, "1", "of full speed, at which the engine's protection cuts it"),
            Size("trip_s", 0.05, 0.15, "s", "that it waits"),
        ),
        silent=True,
        text="The gas generator runs away; above its trip speed the engine is cut for good.",
    ),
    Kind(
        "injector.blockage",
        "engine",
        (_SIDE, Size("area", 0.01, 0.15, "1", "of the injector's area")),
        silent=True,
        text="A part of the injector is blocked.",
    ),
    Kind(
        "tank.load_error",
        "tank",
        (
            Choice("tank", ("oxidiser", "fuel"), "which tank"),
            Size("missing_kg", 0.0, 1500.0, "kg", "less than the flight computer believes"),
        ),
        silent=True,
        text="There is less in a tank than was loaded; meant for the start of a flight (at_s = 0).",
    ),
    Kind("gimbal.stuck", "engine", (), silent=True, text="Both gimbal axes stay where they stand."),
    Kind(
        "gimbal.hardover",
        "engine",
        (_AXIS, Size("angle_deg", -8.0, 8.0, "deg", "where it goes, at its full rate, and stays")),
        silent=True,
        text="The gimbal runs to an angle and stays there.",
    ),
    Kind(
        "gimbal.bias",
        "engine",
        (_AXIS, Size("angle_deg", -8.0, 8.0, "deg", "of the thrust to where the gimbal points")),
        silent=True,
        text="The thrust does not point where the gimbal's sensor says.",
    ),
    Kind(
        "gimbal.slow",
        "engine",
        (Size("rate", 0.1, 0.5, "1", "of the nominal rate"),),
        silent=True,
        text="The gimbal moves slowly.",
    ),
    Kind("fin.stuck", "fin", (), silent=True, text="A fin stays where it stands."),
    Kind(
        "fin.slow",
        "fin",
        (Size("rate", 0.0, 0.7, "1", "of the nominal rate"),),
        silent=True,
        text="A fin moves slowly, as when its pump stalls.",
    ),
    Kind(
        "bay.fire",
        "engine",
        (
            Size("first_s", 0.0, 5.0, "s", "until the first actuator is lost"),
            Size("spread_s", 0.05, 2.0, "s", "from one loss to the next"),
        ),
        silent=True,
        text="A fire at the engine takes its actuators one by one: gimbal, fuel valve, oxidiser valve.",
    ),
    Kind(
        "board.silent",
        "board",
        (),
        silent=True,
        text="The board dies: it sends nothing and drives nothing; its valves stay where they stand.",
    ),
)

CATALOGUE: Final = {kind.name: kind for kind in _KINDS}
"""Every kind by its name."""

SIZES: Final = frozenset(size.name for kind in _KINDS for size in kind.sizes)
"""Every key that some kind takes besides its trigger and what it strikes."""

STRUCK: Final = ("engine", "board", "fin")
"""Keys that name what is struck; a fault of the tanks needs none."""
