"""The faults that can be flown: enumerated, each with its sizes, units and ranges.

This table is the one declaration of a fault: case files are checked against it, `hil faults` and
docs/FAULTS.md show it, searches and campaigns draw from it.  Whoever draws goes over `variants()` of each
kind and picks for each `Size` a number in one of the ranges `drawn`, for each `Choice` one of its words;
`Size.mildest` is what shrinking goes towards.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Final, Literal

__all__ = [
    "ABILITIES",
    "CATALOGUE",
    "HEALS",
    "RUNGS",
    "SIZES",
    "STRUCK",
    "Ability",
    "Choice",
    "Kind",
    "Rung",
    "Size",
]

Rung = Literal["kernel", "in_process", "process", "emulated", "hardware"]
RUNGS: Final[tuple[Rung, ...]] = ("kernel", "in_process", "process", "emulated", "hardware")
"""What a board of a rig is (Rig.rungs), from the bottom up."""

Ability = Literal[
    "plant",
    "navigation",
    "nav_record",
    "engine_sensors",
    "board",
    "board_restart",
    "board_clock",
    "bus",
    "line",
]
"""What a rig has to be able to do for a fault; hil.rig.abilities knows which rig is."""


@dataclass(frozen=True, slots=True)
class Need:
    """What an ability is, and the rungs that have it."""

    text: str
    rungs: tuple[Rung, ...]


_SIMULATED: Final[tuple[Rung, ...]] = ("kernel", "in_process", "process", "emulated")

ABILITIES: Final[dict[Ability, Need]] = {
    "plant": Need("the bench flies the booster and its surroundings", RUNGS),
    "navigation": Need("the bench gives the navigation solution", RUNGS),
    "nav_record": Need("the navigation solution is handed over as it is, not in whole counts", ("kernel",)),
    "engine_sensors": Need("the bench gives the readings of the engine's sensors", _SIMULATED),
    "board": Need("the bench holds the board's power and program", _SIMULATED),
    "board_restart": Need("the bench restarts the board, and the rig demands no enable frame", _SIMULATED),
    "board_clock": Need("the bench runs the board frame by frame (pace lockstep)", _SIMULATED),
    "bus": Need("the bench is the CAN bus (interface hil)", ("in_process", "process", "emulated")),
    "line": Need("the bench sends the line's bytes", RUNGS[1:]),
}


@dataclass(frozen=True, slots=True)
class Size:
    """A number that a fault takes, from `low` to `high` (both allowed)."""

    name: str
    low: float
    high: float
    unit: str
    text: str
    mild: Literal["low", "high"] | float = "low"
    """Which end, or which value, is the mildest fault."""
    likely: tuple[tuple[float, float], ...] = ()
    """Ranges that generated cases draw from, some of a single value; none: all of low to high."""
    whole: bool = False
    """True for a number of things."""

    @property
    def allowed(self) -> str:
        """The range as it is said to people."""
        unit = "" if self.unit == "1" else f" {self.unit}"
        return f"{self.low:g} to {self.high:g}{unit}{', whole' if self.whole else ''}"

    @property
    def mildest(self) -> float:
        """The value of the mildest fault."""
        if isinstance(self.mild, str):
            return self.low if self.mild == "low" else self.high
        return self.mild

    @property
    def drawn(self) -> tuple[tuple[float, float], ...]:
        """The ranges that generated cases draw from, at least one."""
        return self.likely or ((self.low, self.high),)

    def takes(self, value: object) -> bool:
        """Tell whether `value` is a number that this size may be."""
        if isinstance(value, bool) or not isinstance(value, int | float):
            return False
        return self.low <= value <= self.high and (not self.whole or value == int(value))


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

    def takes(self, value: object) -> bool:
        """Tell whether `value` is one of the words."""
        return value in self.words


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind of fault: what it strikes, what it takes, and whether anything reports it."""

    name: str
    strikes: Literal["engine", "board", "fin", "tank", "navigation", "air", "pad", "message", "line"]
    """What is struck; engine, board, fin, message and line are named by a key of that name."""
    sizes: tuple[Size | Choice, ...]
    """What every fault of this kind takes."""
    silent: bool
    """True when nothing on the bench announces the fault: it has to be inferred."""
    text: str
    needs: Ability = "plant"
    """What the rig has to be able to do."""
    heals: bool = False
    """True when the fault may end by itself (heals_after_s)."""
    what: tuple[tuple[str, tuple[Size | Choice, ...]], ...] = ()
    """Words of the key `what`, and what a fault takes besides for each of them: units and ranges differ."""

    def sizes_for(self, what: str | None) -> tuple[Size | Choice, ...]:
        """Return all that a fault takes: of a kind with `what`, for that word (KeyError for another)."""
        return (*self.sizes, *dict(self.what)[what]) if self.what and what is not None else self.sizes

    def variants(self) -> Iterator[Kind]:
        """Yield plain kinds, one for each word of `what` (as a Choice of one word), all sizes in `sizes`."""
        if not self.what:
            yield self
        for word, sizes in self.what:
            chosen = Choice("what", (word,), "what is struck")
            yield replace(self, sizes=(chosen, *self.sizes, *sizes), what=())


HEALS: Final = Size(
    "heals_after_s", 0.01, 600.0, "s", "after its onset the fault is over", likely=((0.1, 5.0),)
)
"""Optional key of kinds that may heal."""

_VALVE: Final = Choice("valve", ("oxidiser", "fuel"), "which propellant valve")
_SIDE: Final = Choice("side", ("oxidiser", "fuel"), "which propellant")
_AXIS: Final = Choice("axis", ("x", "y"), "which gimbal axis")
_BOOT: Final = Size("boot_s", 0.03, 10.0, "s", "until it runs again", likely=((0.05, 1.0),))


def _either_way(least: float, most: float) -> tuple[tuple[float, float], tuple[float, float]]:
    """Return the ranges of sizes of `least` to `most` in either direction."""
    return (-most, -least), (least, most)


_PROPULSION: Final = (
    Kind(
        "engine.out",
        "engine",
        (
            Size(
                "tail_off_s",
                0.0,
                5.0,
                "s",
                "time constant with which the chamber pressure decays",
                mild="high",
                likely=((0.1, 0.5),),
            ),
        ),
        silent=True,
        text="The chamber goes out and cannot be lit again; propellants flow on while the valves are open.",
    ),
    Kind(
        "engine.late_ignition",
        "engine",
        (
            Size(
                "delay_s",
                0.0,
                10.0,
                "s",
                "on top of the healthy engine's ignition delay",
                likely=((0.2, 3.0),),
            ),
        ),
        silent=True,
        text="The chamber lights late.",
    ),
    Kind(
        "engine.thrust_shortfall",
        "engine",
        (
            Size(
                "factor",
                0.0,
                1.2,
                "1",
                "chamber pressure over that of the healthy engine",
                mild=1.0,
                likely=((0.6, 0.97),),
            ),
            Size(
                "tau_s",
                0.0,
                10.0,
                "s",
                "time constant with which it sets in; 0 at once",
                mild="high",
                likely=((0.0, 0.0), (0.2, 2.0)),
            ),
        ),
        silent=True,
        heals=True,
        text="The engine gives less (or more) chamber pressure than its valves call for.",
    ),
    Kind(
        "valve.stuck",
        "engine",
        (_VALVE,),
        silent=True,
        heals=True,
        text="A propellant valve stays where it stands, whatever drives it.",
    ),
    Kind(
        "valve.stuck_at",
        "engine",
        (_VALVE, Size("position", 0.0, 1.0, "1", "where it goes, at its full rate, and stays", mild=0.7)),
        silent=True,
        heals=True,
        text="A propellant valve runs away to a position and stays there.",
    ),
    Kind(
        "valve.slow",
        "engine",
        (_VALVE, Size("rate", 0.1, 0.7, "1", "of the nominal slew rate", mild="high")),
        silent=True,
        heals=True,
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
        heals=True,
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
        (Size("starts", 0.0, 3.0, "starts", "left at the most", mild="high", whole=True),),
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
        heals=True,
        text="The turbopump follows the throttle late.",
    ),
    Kind(
        "engine.chug",
        "engine",
        (
            Size(
                "stiffness",
                0.02,
                0.2,
                "1",
                "injector pressure drop over chamber pressure, at full thrust",
                mild="high",
            ),
            Size("lag_s", 0.001, 0.005, "s", "combustion time lag"),
        ),
        silent=True,
        heals=True,
        text="The injector is soft and the combustion late: whether and how the chamber chugs, follows.",
    ),
    Kind(
        "engine.buzz",
        "engine",
        (
            Size("amplitude", 0.05, 0.3, "1", "of the chamber pressure"),
            Size("frequency_hz", 400.0, 1000.0, "Hz", "of the oscillation", mild="high"),
        ),
        silent=True,
        heals=True,
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
        heals=True,
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
        heals=True,
        text="Gas comes with the propellant, in bursts.",
    ),
    Kind(
        "pump.cavitation",
        "engine",
        (_SIDE, Size("head_loss", 0.03, 0.3, "1", "of the pump's head")),
        silent=True,
        heals=True,
        text="A pump has too little suction head and cavitates.",
    ),
    Kind(
        "pump.overspeed",
        "engine",
        (
            Size("torque", 1.1, 4.0, "1", "of the gas generator's torque for its throttle"),
            Size(
                "trip_speed",
                1.1,
                1.2,
                "1",
                "of full speed, at which the engine's protection cuts it",
                mild="high",
            ),
            Size("trip_s", 0.05, 0.15, "s", "that it waits", mild="high"),
        ),
        silent=True,
        text="The gas generator runs away; above its trip speed the engine is cut for good.",
    ),
    Kind(
        "injector.blockage",
        "engine",
        (_SIDE, Size("area", 0.01, 0.15, "1", "of the injector's area")),
        silent=True,
        heals=True,
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
    Kind(
        "gimbal.stuck", "engine", (), silent=True, heals=True, text="Both gimbal axes stay where they stand."
    ),
    Kind(
        "gimbal.hardover",
        "engine",
        (_AXIS, Size("angle_deg", -8.0, 8.0, "deg", "where it goes, at its full rate, and stays", mild=0.0)),
        silent=True,
        heals=True,
        text="The gimbal runs to an angle and stays there.",
    ),
    Kind(
        "gimbal.bias",
        "engine",
        (
            _AXIS,
            Size(
                "angle_deg",
                -8.0,
                8.0,
                "deg",
                "of the thrust to where the gimbal points",
                mild=0.0,
                likely=_either_way(1.0, 8.0),
            ),
        ),
        silent=True,
        text="The thrust does not point where the gimbal's sensor says.",
    ),
    Kind(
        "gimbal.slow",
        "engine",
        (Size("rate", 0.1, 0.5, "1", "of the nominal rate", mild="high"),),
        silent=True,
        heals=True,
        text="The gimbal moves slowly.",
    ),
    Kind("fin.stuck", "fin", (), silent=True, heals=True, text="A fin stays where it stands."),
    Kind(
        "fin.slow",
        "fin",
        (Size("rate", 0.0, 0.7, "1", "of the nominal rate", mild="high"),),
        silent=True,
        heals=True,
        text="A fin moves slowly, as when its pump stalls.",
    ),
    Kind(
        "bay.fire",
        "engine",
        (
            Size("first_s", 0.0, 5.0, "s", "until the first part is lost", mild="high"),
            Size("spread_s", 0.05, 2.0, "s", "from one loss to the next", mild="high"),
        ),
        silent=True,
        needs="engine_sensors",
        text="A fire at the engine takes sensors and actuators one by one: chamber pressure sensor, gimbal, "
        "fuel valve's sensor, fuel valve, oxidiser valve's sensor, oxidiser valve; last the engine's board.",
    ),
)

_BOARDS: Final = (
    Kind(
        "board.silent",
        "board",
        (),
        silent=True,
        needs="board",
        text="The board dies: it sends nothing and drives nothing; springs close its valves.",
    ),
    Kind(
        "board.reset",
        "board",
        (_BOOT,),
        silent=False,
        needs="board_restart",
        text="The board restarts, dark while it boots, and remembers nothing: a valve board is in SAFE then.",
    ),
    Kind(
        "board.freeze",
        "board",
        (),
        silent=True,
        needs="board",
        heals=True,
        text="The board's program hangs: it sends nothing, and its outputs stay as they were.",
    ),
    Kind(
        "board.slow_clock",
        "board",
        (Size("factor", 0.5, 0.9999, "1", "of the true rate", mild="high", likely=((0.9, 0.999),)),),
        silent=True,
        needs="board_clock",
        heals=True,
        text="The board's clock is slow: its frames come late and its times are behind.",
    ),
    Kind(
        "board.brown_out",
        "board",
        (Size("duration_s", 0.01, 5.0, "s", "without drives", likely=((0.02, 0.5),)), _BOOT),
        silent=False,
        needs="board_restart",
        text="The board's supply sags: its drives fall off while it runs on; then it restarts, dark "
        "while it boots, and remembers nothing.",
    ),
)

_HEIGHT_M: Final = 20_000.0
_LATE: Final = Size("late_s", 0.01, 2.0, "s", "on top of the healthy latency", likely=((0.05, 0.5),))
_PAD_AXES: Final = Choice("axis", ("all", "up", "east", "north"), "which component")
_BODY_AXES: Final = Choice("axis", ("all", "x", "y", "z"), "which body axis")
_AXES: Final[dict[str, tuple[Choice, ...]]] = {
    "position": (_PAD_AXES,),
    "velocity": (_PAD_AXES,),
    "attitude": (_BODY_AXES,),
    "rate": (_BODY_AXES,),
    "height": (),
}
"""What the navigation solution says, and the axes of it."""

_What = tuple[tuple[str, tuple[Size | Choice, ...]], ...]


def _nav(**sizes: Size) -> _What:
    """Return the words of a navigation fault with axis and size, for those quantities that are named."""
    return tuple((word, (*_AXES[word], size)) for word, size in sizes.items())


def _nav_whole(*sizes: Size) -> _What:
    """Return all words of a navigation fault, each with axis and the same sizes; an attitude is one thing."""
    return tuple((word, (*(_AXES[word] if word != "attitude" else ()), *sizes)) for word in _AXES)


def _bias(most: float, unit: str, likely: tuple[float, float]) -> Size:
    return Size("bias", -most, most, unit, "added to what is said", mild=0.0, likely=_either_way(*likely))


def _sigma(most: float, unit: str, likely: tuple[float, float]) -> Size:
    return Size("sigma", 0.0, most, unit, "one sigma of white noise that is added", likely=(likely,))


def _scale(near: float, far: float, low: float = 0.0, high: float = 2.0) -> Size:
    likely = ((1.0 - far, 1.0 - near), (1.0 + near, 1.0 + far))
    return Size("scale", low, high, "1", "what is said over what it should be", mild=1.0, likely=likely)


def _value(low: float, high: float, unit: str, mild: float = 0.0) -> Size:
    return Size("value", low, high, unit, "what is said instead", mild=mild)


_NAVIGATION: Final = (
    Kind(
        "nav.off",
        "navigation",
        (),
        silent=False,
        needs="navigation",
        heals=True,
        what=(("solution", ()), ("height", ())),
        text="The unit does not vouch for its solution; or its radar is lost: the height is its position's.",
    ),
    Kind(
        "nav.stale",
        "navigation",
        (_LATE,),
        silent=False,
        needs="navigation",
        heals=True,
        text="The whole solution comes late, and its time says so.",
    ),
    Kind(
        "nav.frozen",
        "navigation",
        (),
        silent=False,
        needs="navigation",
        heals=True,
        text="The unit says its last solution again and again, the time of it included.",
    ),
    Kind(
        "nav.no_number",
        "navigation",
        (),
        silent=False,
        needs="nav_record",
        heals=True,
        what=tuple((word, ()) for word in _AXES),
        text="A part of the solution is not a number; the links of docs/WIRE.md cannot say such a thing.",
    ),
    Kind(
        "nav.stuck",
        "navigation",
        (),
        silent=True,
        needs="navigation",
        heals=True,
        what=_nav_whole(),
        text="A part of the solution stays as it was, while its time goes on.",
    ),
    Kind(
        "nav.wrong",
        "navigation",
        (),
        silent=True,
        needs="navigation",
        heals=True,
        what=_nav(
            position=_value(-_HEIGHT_M, _HEIGHT_M, "m"),
            velocity=_value(-1000.0, 1000.0, "m/s"),
            rate=_value(-100.0, 100.0, "deg/s"),
            height=_value(-10.0, _HEIGHT_M, "m"),
        ),
        text="A part of the solution has a value that has nothing to do with the truth.",
    ),
    Kind(
        "nav.noise",
        "navigation",
        (),
        silent=True,
        needs="navigation",
        heals=True,
        what=_nav(
            position=_sigma(50.0, "m", (0.5, 5.0)),
            velocity=_sigma(20.0, "m/s", (0.1, 2.0)),
            attitude=_sigma(10.0, "deg", (0.2, 2.0)),
            rate=_sigma(20.0, "deg/s", (0.2, 3.0)),
            height=_sigma(20.0, "m", (0.1, 2.0)),
        ),
        text="A part of the solution is noisy.",
    ),
    Kind(
        "nav.bias",
        "navigation",
        (),
        silent=True,
        needs="navigation",
        heals=True,
        what=_nav(
            position=_bias(100.0, "m", (1.0, 20.0)),
            velocity=_bias(50.0, "m/s", (0.2, 5.0)),
            attitude=_bias(30.0, "deg", (0.2, 5.0)),
            rate=_bias(30.0, "deg/s", (0.2, 5.0)),
            height=_bias(100.0, "m", (0.5, 10.0)),
        ),
        text="A part of the solution is off by as much all the time.",
    ),
    Kind(
        "nav.scale",
        "navigation",
        (),
        silent=True,
        needs="navigation",
        heals=True,
        what=_nav(
            position=_scale(0.002, 0.05),
            velocity=_scale(0.002, 0.05),
            rate=_scale(0.02, 0.3),
            height=_scale(0.005, 0.1),
        ),
        text="A part of the solution is too large or too small by a factor.",
    ),
    Kind(
        "nav.latency",
        "navigation",
        (),
        silent=True,
        needs="navigation",
        heals=True,
        what=_nav_whole(_LATE),
        text="A part of the solution is older than the time that goes with it.",
    ),
)

_READINGS: Final = ("chamber", "oxidiser_valve", "fuel_valve", "gimbal_x", "gimbal_y")
"""What a valve board's sensors say."""


def _engine(chamber: Size, valve: Size, gimbal: Size) -> _What:
    """Return the words of an engine sensor's fault, with the size for each sort of sensor."""
    sorts = (chamber, valve, valve, gimbal, gimbal)
    return tuple((word, (size,)) for word, size in zip(_READINGS, sorts, strict=True))


_OF_FULL: Final = "of the full chamber pressure"
_OF_STROKE: Final = "of the stroke"
_ENGINE_SENSORS: Final = (
    Kind(
        "sensor.off",
        "engine",
        (),
        silent=False,
        needs="engine_sensors",
        heals=True,
        what=tuple((word, ()) for word in _READINGS),
        text="An engine sensor has no valid reading; its board knows and reports a fault.",
    ),
    Kind(
        "sensor.stuck",
        "engine",
        (),
        silent=True,
        needs="engine_sensors",
        heals=True,
        what=tuple((word, ()) for word in _READINGS),
        text="An engine sensor goes on saying what it said.",
    ),
    Kind(
        "sensor.wrong",
        "engine",
        (),
        silent=True,
        needs="engine_sensors",
        heals=True,
        what=_engine(
            _value(0.0, 1.5, _OF_FULL, mild=1.0),
            _value(0.0, 1.0, _OF_STROKE, mild=0.7),
            _value(-8.0, 8.0, "deg"),
        ),
        text="An engine sensor says something that has nothing to do with the truth.",
    ),
    Kind(
        "sensor.noise",
        "engine",
        (),
        silent=True,
        needs="engine_sensors",
        heals=True,
        what=_engine(
            _sigma(0.5, _OF_FULL, (0.01, 0.1)),
            _sigma(0.3, _OF_STROKE, (0.005, 0.05)),
            _sigma(4.0, "deg", (0.1, 1.0)),
        ),
        text="An engine sensor is noisy.",
    ),
    Kind(
        "sensor.bias",
        "engine",
        (),
        silent=True,
        needs="engine_sensors",
        heals=True,
        what=_engine(
            _bias(1.0, _OF_FULL, (0.03, 0.3)),
            _bias(1.0, _OF_STROKE, (0.02, 0.2)),
            _bias(8.0, "deg", (0.3, 4.0)),
        ),
        text="An engine sensor is off by as much all the time.",
    ),
    Kind(
        "sensor.scale",
        "engine",
        (),
        silent=True,
        needs="engine_sensors",
        heals=True,
        what=_engine(_scale(0.03, 0.3), _scale(0.03, 0.3), _scale(0.03, 0.3)),
        text="An engine sensor says too much or too little by a factor.",
    ),
    Kind(
        "sensor.latency",
        "engine",
        (),
        silent=True,
        needs="engine_sensors",
        heals=True,
        what=_engine(_LATE, _LATE, _LATE),
        text="An engine sensor says what was true some time ago.",
    ),
)

_TOWARDS: Final = Size("towards_deg", 0.0, 360.0, "deg", "where it blows to, from north over east")
_SURROUNDINGS: Final = (
    Kind(
        "wind.gust",
        "air",
        (
            Choice(
                "shape", ("cosine", "step"), "one minus cosine over its length (MIL-F-8785C), or all at once"
            ),
            Size("speed_mps", 0.0, 50.0, "m/s", "at its height, on top of the wind", likely=((2.0, 15.0),)),
            _TOWARDS,
            Size("duration_s", 0.1, 60.0, "s", "from its first to its last breath", likely=((0.5, 5.0),)),
        ),
        silent=True,
        text="A gust strikes the stage; it is the same at every height.",
    ),
    Kind(
        "wind.shift",
        "air",
        (
            Size("speed_mps", 0.0, 50.0, "m/s", "on top of the wind", likely=((1.0, 12.0),)),
            _TOWARDS,
            Size(
                "rise_s",
                0.0,
                60.0,
                "s",
                "until all of it blows; 0 at once",
                mild="high",
                likely=((0.0, 10.0),),
            ),
        ),
        silent=True,
        text="The wind turns or freshens for good, at every height.",
    ),
    Kind(
        "air.density",
        "air",
        (Size("factor", 0.5, 2.0, "1", "of the air's density", mild=1.0, likely=((0.9, 1.1),)),),
        silent=True,
        heals=True,
        text="The air is denser or thinner than it was.",
    ),
    Kind(
        "pad.slippery",
        "pad",
        (Size("friction", 0.01, 1.0, "1", "of the feet's friction", mild="high", likely=((0.05, 0.8),)),),
        silent=True,
        text="The pad is wet or icy: the feet slide.",
    ),
)

_SHARE: Final = Size("share", 0.01, 1.0, "1", "of the message's frames, drawn one by one")


def _turned(among: int, of: str) -> Size:
    text = f"of {of}, drawn anew for each frame"
    return Size("bits", 1, among, "bits", text, likely=((1, 3),), whole=True)


_WIRES: Final = (
    Kind(
        "wire.drop",
        "message",
        (_SHARE,),
        silent=False,
        needs="bus",
        heals=True,
        text="Frames of a message are lost.",
    ),
    Kind(
        "wire.duplicate",
        "message",
        (_SHARE, Size("copies", 1, 16, "copies", "sent besides", whole=True)),
        silent=False,
        needs="bus",
        heals=True,
        text="Frames of a message are sent again.",
    ),
    Kind(
        "wire.delay",
        "message",
        (_SHARE, Size("delay_s", 0.01, 1.0, "s", "held back", likely=((0.01, 0.1),))),
        silent=True,
        needs="bus",
        heals=True,
        text="Frames of a message are late.",
    ),
    Kind(
        "wire.reorder",
        "message",
        (_SHARE,),
        silent=False,
        needs="bus",
        heals=True,
        text="Frames of a message are overtaken by the next one.",
    ),
    Kind(
        "wire.corrupt",
        "message",
        (_SHARE, _turned(64, "a frame's data")),
        silent=False,
        needs="bus",
        heals=True,
        text="Bits of a message are turned after its checksum was made; up to 3 bits never go unnoticed.",
    ),
    Kind(
        "wire.falsify",
        "message",
        (_SHARE, _turned(52, "a frame's signals")),
        silent=True,
        needs="bus",
        heals=True,
        text="Bits of a message are turned before its checksum is made: "
        "only a signal out of its range shows it.",
    ),
    Kind(
        "wire.counter",
        "message",
        (Choice("count", ("repeated", "skipped", "backwards"), "how the counter goes on"),),
        silent=False,
        needs="bus",
        heals=True,
        text="A message's counter stands still, skips every other value or counts backwards; "
        "its checksum is good.",
    ),
    Kind(
        "wire.checksum",
        "message",
        (_SHARE,),
        silent=False,
        needs="bus",
        heals=True,
        text="The checksum of a message is wrong.",
    ),
    Kind(
        "wire.silence",
        "board",
        (),
        silent=True,
        needs="bus",
        heals=True,
        text="A board's transmitter is dead: it hears, drives and acknowledges, and says nothing.",
    ),
    Kind(
        "wire.cut",
        "board",
        (),
        silent=True,
        needs="bus",
        heals=True,
        text="A board's stub is off the bus: it hears nobody, and nobody hears or acknowledges it.",
    ),
    Kind(
        "wire.babble",
        "board",
        (Size("identifier", 0, 2047, "id", "of what it sends; below 16 nobody else gets a word in", "high",
              whole=True),),
        silent=False,
        needs="bus",
        heals=True,
        text="A board sends a frame of eight zeros whenever the bus is idle.",
    ),
    Kind(
        "wire.bit_errors",
        "board",
        (Size("bit_error_rate", 1e-7, 1.0, "1", "chance that it samples a bit wrongly",
              likely=((1e-6, 1e-2),)),),
        silent=False,
        needs="bus",
        heals=True,
        text="A board's stub rings: it misreads bits and destroys frames, which are sent again, until it "
        "is error passive or bus-off.",
    ),
    Kind(
        "wire.bit_rate",
        "board",
        (Size("bitrate", 10_000, 1_000_000, "bit/s", "of the board; that of the bus is no fault", "high",
              likely=((125_000, 125_000), (250_000, 250_000), (500_000, 500_000)), whole=True),),
        silent=False,
        needs="bus",
        heals=True,
        text="A board's controller has another bit rate than the bus, and goes bus-off again and again.",
    ),
)  # fmt: skip

_LINES: Final = (
    Kind(
        "serial.break",
        "line",
        (),
        silent=False,
        needs="line",
        heals=True,
        text="A line is held low: one zero byte, then nothing.",
    ),
    Kind(
        "serial.unplug",
        "line",
        (),
        silent=True,
        needs="line",
        heals=True,
        text="A line's plug is out: nothing arrives.",
    ),
    Kind(
        "serial.framing",
        "line",
        (Size("every", 1, 1_000_000, "bytes", "of which one arrives damaged", "high",
              likely=((50, 5000),), whole=True),),
        silent=False,
        needs="line",
        heals=True,
        text="Bytes of a line arrive damaged.",
    ),
    Kind(
        "serial.slow",
        "line",
        (Size("baudrate", 1200, 4_000_000, "baud", "at which bytes go", "high",
              likely=((9600, 115_200),), whole=True),),
        silent=True,
        needs="line",
        heals=True,
        text="A line is slower than what it has to carry: bytes come late, and what no buffer takes is lost.",
    ),
)  # fmt: skip

_KINDS: Final = (
    *_PROPULSION, *_BOARDS, *_NAVIGATION, *_ENGINE_SENSORS, *_SURROUNDINGS, *_WIRES, *_LINES,
)  # fmt: skip

CATALOGUE: Final = {kind.name: kind for kind in _KINDS}
"""Every kind by its name."""

SIZES: Final = frozenset(
    size.name for kind in _KINDS for plain in kind.variants() for size in plain.sizes
) | {HEALS.name}
"""Every key that some kind takes besides its trigger and what it strikes."""

STRUCK: Final = ("engine", "board", "fin", "message", "line")
"""Keys that name what is struck; what there is one of needs none."""
