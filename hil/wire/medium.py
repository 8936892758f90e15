"""One pair of wires: who sends when, how long it takes, what goes wrong.

Time is whole nanoseconds of the flight. Controllers are offered frames; the medium arbitrates between what
waits whenever the bus is idle, and a frame that has begun is never interrupted but by an error. As long as
nothing is wrong with anybody, the frames that wait simply go one after the other in the order of
arbitration; else every bit is looked at.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import repeat
from operator import itemgetter
from typing import Final, NamedTuple

import numpy as np

from hil.wire.bitstream import EOF_BITS, Fault, WireBits, read_bits, wire_bits
from hil.wire.canframe import ERROR_STATE, error_frame, is_fd
from hil.wire.controller import PASSIVE_AT, RECOVERY_BITS, Controller, Disturbance
from hil.wire.framebits import IDLE_BITS, INTERMISSION_BITS, Measure, measure_frames

__all__ = ["TX_QUEUE", "BusFigures", "Heard", "Medium", "Streams"]

TX_QUEUE: Final = 128
"""Frames that wait in a controller's transmit queue at most: what comes then is lost, and counted."""

Streams = Callable[[str], np.random.Generator]
"""Gives the random stream of a name."""

_NS: Final = 1_000_000_000
_FLAG_BITS: Final = 6
_DELIMITER_BITS: Final = 8
_SUSPEND_BITS: Final = 8
_END_BITS: Final = 1 + EOF_BITS
"""Bits after the ACK slot: the last recessive ones of a frame."""
_OUT_OF_STEP: Final = 5
"""Number of the bit in which a bit rate that differs has shown itself: six equal bits at the latest."""

_NOBODY: Final[frozenset[Controller]] = frozenset()


Heard = tuple[int, Controller, bytes, frozenset[Controller]]
"""A frame that was on the bus, or news of an error there (flag ERROR in its id): the time (ns) at which its
last bit ended, its sender, the frame, and who did not get it."""


class _Waiting(NamedTuple):
    """A frame in a transmit queue; its order is that of a queue that sends the most urgent first."""

    key: int
    number: int
    ready_ns: int
    controller: Controller
    frame: bytes
    slow: int
    fast: int


_Entry = tuple[int, int, int, Controller, bytes, int, int]
"""The same as a plain tuple, which is made in a fraction of the time."""


@dataclass
class BusFigures:
    """What has happened on the bus so far."""

    frames: int = 0
    errors: int = 0
    """Error frames."""
    busy_ns: int = 0
    """Time of all frames and error frames that have begun, intermissions included."""
    late: int = 0
    """Frames that had to wait for a later frame of the bench, each counted once for every one it waited."""
    lost: int = 0
    """Frames that no transmit queue took."""


@dataclass(frozen=True)
class _Failure:
    """An error frame: in which bit it was seen, by whom first, how it is called."""

    bit: int
    first: frozenset[Controller]
    kind: str


_Clash = tuple[int, frozenset[Controller]]
"""In which bit two frames that were sent at once differ first, and whose bit was overridden."""
_Flips = dict[Controller, list[int]]
"""Numbers of the bits that a controller samples wrongly."""


class Medium:
    """The wires of one bus; bit rates in bit/s, `data_bitrate` None on a bus without bit rate switching."""

    def __init__(
        self,
        bitrate: int,
        data_bitrate: int | None = None,
        *,
        measure: Measure = measure_frames,
        streams: Streams | None = None,
    ) -> None:
        """`streams` are for bit errors alone."""
        self.bitrate = bitrate
        self.data_bitrate = data_bitrate
        self.controllers: list[Controller] = []
        self.figures = BusFigures()
        self._measure = measure
        self._streams = streams
        self._whole = _NS % bitrate == 0 and _NS % (data_bitrate or bitrate) == 0
        self._slow_ns, self._fast_ns = _NS // bitrate, _NS // (data_bitrate or bitrate)
        self._waiting: list[_Entry] = []
        self._number = 0
        self._now_ns = 0
        self._idle_ns = 0
        """From when on the bus is idle."""
        self._dominant_ns = 0
        """When the last dominant bit ended."""
        self._on_the_way: list[Heard] = []
        self._troubled = True

    # ---- who is on the bus, and what is wrong with whom

    def attach(self, name: str) -> Controller:
        """Return a new controller; the order of attaching is the order of delivery between equals."""
        controller = Controller(name)
        self.controllers.append(controller)
        self._troubled = True
        return controller

    def detach(self, controller: Controller) -> None:
        """Take a controller off the bus; what it had not sent is gone."""
        self.controllers.remove(controller)
        self._drop(controller)
        self._troubled = True

    def disturb(self, controller: Controller, disturbance: Disturbance) -> None:
        """Let something be wrong with a controller from now on; Disturbance() ends it.

        Bit errors come from the random stream named after the controller.
        """
        if disturbance.bit_error_rate > 0.0 and controller.draw is None:
            if self._streams is None:
                raise ValueError("bit errors need random streams")
            controller.draw = self._streams(f"can.{controller.name}.bit_errors").random
        controller.disturbance = disturbance
        self._troubled = True

    def configure(
        self,
        controller: Controller,
        *,
        listen_only: bool | None = None,
        fifo: bool | None = None,
        recovers: bool | None = None,
    ) -> None:
        """Change how a controller behaves; None leaves a setting as it is."""
        controller.listen_only = controller.listen_only if listen_only is None else listen_only
        controller.fifo = controller.fifo if fifo is None else fifo
        controller.recovers = controller.recovers if recovers is None else recovers
        self._troubled = True

    def power(self, controller: Controller, on: bool) -> None:
        """Switch a controller on or off; off, it forgets what it had not sent."""
        controller.power(on)
        self._drop(controller)
        self._troubled = True

    def _drop(self, controller: Controller) -> None:
        self._waiting = [entry for entry in self._waiting if entry[3] is not controller]

    # ---- time

    def duration_ns(self, slow: int, fast: int = 0) -> int:
        """Return how long bits at the nominal and at the data bit rate take, to the nearest ns."""
        if self._whole:
            return slow * self._slow_ns + fast * self._fast_ns
        data_bitrate = self.data_bitrate or self.bitrate
        bits = slow * data_bitrate + fast * self.bitrate
        return (2 * bits * _NS + self.bitrate * data_bitrate) // (2 * self.bitrate * data_bitrate)

    # ---- frames in

    def offer(self, senders: Sequence[Controller], frames: Sequence[bytes], t_ns: int) -> None:
        """Put frames into their senders' transmit queues at `t_ns`, in the order in which they were given."""
        keys, slow, fast = self._measure(frames)
        number = self._number
        self._number += len(frames)
        self._waiting += zip(
            keys, range(number, self._number), repeat(t_ns), senders, frames, slow, fast, strict=False
        )
        if t_ns > self._now_ns:
            self._troubled = True
        if self._troubled or len(self._waiting) > TX_QUEUE:
            self._bound_queues()

    def _bound_queues(self) -> None:
        """Throw out what a controller cannot take: bus-off takes nothing, others TX_QUEUE frames."""
        room = {id(c): TX_QUEUE if c.powered and not c.off else 0 for c in self.controllers}
        kept = []
        for entry in sorted(self._waiting, key=itemgetter(1)):
            controller = entry[3]
            if room[id(controller)] > 0:
                room[id(controller)] -= 1
                kept.append(entry)
            else:
                controller.lost += 1
                self.figures.lost += 1
        self._waiting = sorted(kept)

    def waiting(self, controller: Controller) -> int:
        """Return how many frames wait in a controller's transmit queue."""
        return sum(entry[3] is controller for entry in self._waiting)

    # ---- frames out

    def run(self, until_ns: int) -> list[Heard]:
        """Let the bus go on until `until_ns`; return what ended on it by then, in order.

        A frame that begins before `until_ns` goes on; what has not begun then waits.
        """
        if self._troubled and self._is_calm():
            self._troubled = False
        if self._troubled or self._clashing():
            self._run_bit_by_bit(until_ns)
        else:
            self._run_calm(until_ns)
        self._now_ns = max(until_ns, self._now_ns)
        heard, later = self._on_the_way, []
        if heard and heard[-1][0] > until_ns:
            later = [entry for entry in heard if entry[0] > until_ns]
            heard = [entry for entry in heard if entry[0] <= until_ns]
        self._on_the_way = later
        return heard

    @property
    def busy_ns(self) -> int:
        """Time until now in which the bus was not idle, intermissions included."""
        return self.figures.busy_ns - max(self._idle_ns - self._now_ns, 0)

    @property
    def next_end_ns(self) -> int | None:
        """When the frame that is on the bus will have ended; None when there is none."""
        return self._on_the_way[0][0] if self._on_the_way else None

    def waiting_since(self, t_ns: int) -> int:
        """Return how many frames have waited for the bus at least since `t_ns`."""
        return sum(entry[2] <= t_ns for entry in self._waiting)

    @property
    def now_ns(self) -> int:
        """Until when the bus has gone on."""
        return self._now_ns

    @property
    def troubled(self) -> bool:
        """True when something is, or has lately been, wrong with somebody."""
        return self._troubled

    def _is_calm(self) -> bool:
        powered = [controller for controller in self.controllers if controller.powered]
        calm = len(powered) > 1 and all(controller.unharmed for controller in powered)
        return calm and all(entry[2] <= self._now_ns for entry in self._waiting)

    def _clashing(self) -> bool:
        """Tell whether two controllers are about to send frames that arbitration cannot tell apart."""
        senders = {entry[0]: entry[3] for entry in self._waiting}
        return len(senders) < len(self._waiting) and any(
            senders[entry[0]] is not entry[3] for entry in self._waiting
        )

    def _run_calm(self, until_ns: int) -> None:
        waiting, done = self._waiting, 0
        waiting.sort()
        start = max(self._idle_ns, self._now_ns)
        gap, on_the_way = self.duration_ns(INTERMISSION_BITS), self._on_the_way
        whole, slow_ns, fast_ns = self._whole, self._slow_ns, self._fast_ns
        busy = 0
        for _, _, _, controller, frame, slow, fast in waiting:
            if start >= until_ns:
                break
            length = slow * slow_ns + fast * fast_ns if whole else self.duration_ns(slow, fast)
            end = start + length
            on_the_way.append((end, controller, frame, _NOBODY))
            controller.sent += 1
            start = end + gap
            busy += length + gap
            done += 1
        if done:
            del waiting[:done]
            self._idle_ns = start
            self._dominant_ns = start - self.duration_ns(INTERMISSION_BITS + _END_BITS)
            self.figures.frames += done
            self.figures.busy_ns += busy

    # ---- bit by bit

    def _run_bit_by_bit(self, until_ns: int) -> None:
        self._waiting.sort()
        while True:
            start, entries = self._next_start()
            if not entries or start >= until_ns:
                break
            self._see_idle(start)
            self._transmit(start, entries)
        self._try_alone(until_ns)
        self._let_recover(until_ns)

    def _next_start(self) -> tuple[int, list[_Waiting]]:
        """Return when the next frame begins, and what wins arbitration then: more than one if all agree."""
        free = max(self._idle_ns, self._now_ns)
        offers = self._offers(free)
        start = min((max(e.ready_ns, free, e.controller.suspended_ns) for e in offers), default=0)
        best: dict[int, _Waiting] = {}
        for entry in offers:
            controller = entry.controller
            if controller.suspended_ns > start or (entry.ready_ns > start and not controller.fifo):
                continue
            held = best.get(id(controller))
            if held is None or _before(entry, held):
                best[id(controller)] = entry
        contenders = [entry for entry in best.values() if entry.ready_ns <= start]
        lowest = min((entry.key for entry in contenders), default=0)
        return start, [entry for entry in contenders if entry.key == lowest]

    def _offers(self, free_ns: int) -> list[_Waiting]:
        """Return what may be sent next, from `free_ns` on: all that might win arbitration."""
        there = self._most_urgent(free_ns) or [e for e in self._waiting if not e[3].disturbance.cut]
        return [*(_Waiting(*entry) for entry in there), *self._babble()]

    def _most_urgent(self, free_ns: int) -> list[_Entry]:
        """Return what waits at `free_ns` with the lowest key, one entry for each controller.

        None if it takes a look at everything to tell; the queue is sorted.
        """
        best: dict[Controller, _Entry] = {}
        lowest = None
        if any(controller.fifo for controller in self.controllers):
            return []
        for entry in self._waiting:
            controller = entry[3]
            if entry[0] != lowest and lowest is not None:
                break
            if entry[2] <= free_ns and controller.suspended_ns <= free_ns and not controller.disturbance.cut:
                lowest = entry[0]
                best.setdefault(controller, entry)
        return list(best.values())

    def _babble(self) -> list[_Waiting]:
        found = []
        for controller in self.controllers:
            frame = controller.disturbance.babbles
            if frame is not None and controller.on_bus:
                [key], [slow], [fast] = self._measure([frame])
                found.append(_Waiting(key, _ENDLESS, 0, controller, frame, slow, fast))
        return found

    def _try_alone(self, until_ns: int) -> None:
        """Let controllers that are cut off try in vain what waits until `until_ns`: nobody acknowledges."""
        for controller in self.controllers:
            tries = controller.disturbance.cut and controller.powered and not controller.off
            own = [entry for entry in self._waiting if tries and entry[3] is controller]
            if not own:
                continue
            _, _, ready_ns, _, _, slow, fast = min(own)
            bits = slow + _FLAG_BITS + _DELIMITER_BITS + INTERMISSION_BITS - _END_BITS
            spent_ns = until_ns - max(ready_ns, self._now_ns)
            for _ in range(min(spent_ns // self.duration_ns(bits, fast), PASSIVE_AT)):
                controller.failed_to_send(unacknowledged=True)

    def _see_idle(self, start_ns: int) -> None:
        """Let bus-off controllers count the recessive bits before a frame begins."""
        self._let_recover(start_ns)
        seen = self._idle_sequences(start_ns)
        for controller in self.controllers:
            controller.idle_seen += seen if controller.off else 0

    def _let_recover(self, until_ns: int) -> None:
        """Bring back what has been bus-off for long enough at `until_ns`."""
        seen = self._idle_sequences(until_ns)
        for controller in self.controllers:
            waits = controller.off and controller.recovers and controller.powered
            if waits and IDLE_BITS * (controller.idle_seen + seen) >= RECOVERY_BITS:
                controller.recover()

    def _idle_sequences(self, until_ns: int) -> int:
        """Return how often 11 recessive bits have come since the last dominant one."""
        return max(until_ns - self._dominant_ns, 0) // self.duration_ns(IDLE_BITS)

    def _transmit(self, start_ns: int, entries: list[_Waiting]) -> None:
        """Send a frame: by one controller, or by several whose arbitration fields are the same."""
        wrong = self._flips(entries[0].slow + entries[0].fast)
        if len(entries) == 1 and not wrong and self._goes_well(entries[0].controller):
            self._succeed(start_ns, entries, _NOBODY)
            return
        wires = {id(entry): wire_bits(_as_sent(entry)) for entry in entries}
        entries, clash = self._give_way(entries, wires)
        wire = wires[id(entries[0])]
        senders = frozenset(entry.controller for entry in entries)
        failure, missed = self._first_failure(wire, senders, clash, wrong)
        if failure is None:
            self._succeed(start_ns, entries, missed)
        else:
            self._fail(start_ns, entries, wire, failure)

    def _flips(self, bits: int) -> dict[Controller, list[int]]:
        """Return which of so many bits who samples wrongly, of those who do."""
        drawn = {c: c.flips(bits) for c in self.controllers if c.on_bus and c.disturbance.bit_error_rate}
        return {controller: wrong for controller, wrong in drawn.items() if wrong}

    def _goes_well(self, sender: Controller) -> bool:
        """Tell whether a frame without wrong bits gets through: all keep the bit rate, one acknowledges."""
        others = [c for c in self.controllers if c.on_bus and c is not sender]
        in_step = not any(self._out_of_step(controller) for controller in (sender, *others))
        return in_step and any(not controller.listen_only for controller in others)

    @staticmethod
    def _give_way(
        entries: list[_Waiting], wires: dict[int, WireBits]
    ) -> tuple[list[_Waiting], _Clash | None]:
        """Compare what several send after the same arbitration field, bit by bit.

        At the first bit in which they differ those that send a recessive one see an error. Passive ones
        cannot tell the others, who go on; an active one destroys the frame. Returns who goes on, and
        the bit of the clash with who saw it, None without one.
        """
        while len(entries) > 1:
            columns = zip(*(wires[id(entry)].bits for entry in entries), strict=False)
            bit = next((at for at, column in enumerate(columns) if len(set(column)) > 1), None)
            if bit is None:
                return entries, None
            losers = [entry for entry in entries if wires[id(entry)].bits[bit]]
            if not all(entry.controller.passive for entry in losers):
                return entries, (bit, frozenset(entry.controller for entry in losers))
            for entry in losers:
                entry.controller.failed_to_send(unacknowledged=False)
            entries = [entry for entry in entries if entry not in losers]
        return entries, None

    def _first_failure(
        self, wire: WireBits, senders: frozenset[Controller], clash: _Clash | None, wrong: _Flips
    ) -> tuple[_Failure | None, frozenset[Controller]]:
        """Return what destroys the frame first, None if nothing does, and who misses it even so.

        A passive receiver that sees an error cannot destroy the frame: it alone does not get it.
        """
        seen = self._all_seen(wire, senders, clash, wrong)
        missed: set[Controller] = set()
        while seen:
            bit = min(at for at, _ in seen.values())
            first = frozenset(c for c, (at, _) in seen.items() if at == bit)
            if first & senders or any(not c.passive and not c.listen_only for c in first):
                kinds = {seen[c][1] for c in first}
                return _Failure(bit, first, min(kinds)), frozenset(missed)
            missed |= first
            for controller in first:
                controller.failed_to_hear(first=False)
                del seen[controller]
        return None, frozenset(missed)

    def _all_seen(
        self, wire: WireBits, senders: frozenset[Controller], clash: _Clash | None, wrong: _Flips
    ) -> dict[Controller, tuple[int, str]]:
        """Return in which bit each controller that sees an error sees it, and which."""
        seen: dict[Controller, tuple[int, str]] = {}
        garbled = any(self._out_of_step(sender) for sender in senders)
        for controller in self.controllers:
            if not controller.on_bus:
                continue
            found = self._sees(controller, wire, controller in senders, wrong.get(controller, []))
            if found is None and garbled and controller not in senders:
                found = (_OUT_OF_STEP, "form")
            if found is not None:
                seen[controller] = found
        if clash is not None:
            seen.update(dict.fromkeys(clash[1], (clash[0], "bit")))
        self._see_acknowledgement(wire, senders, seen)
        return seen

    def _out_of_step(self, controller: Controller) -> bool:
        return controller.disturbance.bitrate not in (None, self.bitrate)

    def _sees(
        self, controller: Controller, wire: WireBits, sends: bool, wrong: list[int]
    ) -> tuple[int, str] | None:
        """Return in which bit a controller sees an error of its own, and which."""
        if self._out_of_step(controller):
            return _OUT_OF_STEP, "bit" if sends else "stuff"
        wrong = [at for at in wrong if at < len(wire.bits)]
        if not wrong:
            return None
        if sends:
            return wrong[0], "bit"
        bits = list(wire.bits)
        for at in wrong:
            bits[at] ^= 1
        read = read_bits(bits)
        # bits that it cannot tell from good ones do no harm, and a CRC lets nothing else through
        return (min(read.bit, len(wire.bits) - 1), read.kind) if isinstance(read, Fault) else None

    def _see_acknowledgement(
        self,
        wire: WireBits,
        senders: frozenset[Controller],
        seen: dict[Controller, tuple[int, str]],
    ) -> None:
        """Let the senders see an error in the ACK slot when nobody makes it dominant."""
        for controller in self.controllers:
            if controller.on_bus and not controller.listen_only and controller not in senders:
                bit, kind = seen.get(controller, (len(wire.bits), ""))
                if bit > wire.ack and kind != "crc":
                    return
        for sender in senders:
            if seen.get(sender, (wire.ack, ""))[0] >= wire.ack:
                seen[sender] = (wire.ack, "ack")

    def _succeed(self, start_ns: int, entries: list[_Waiting], missed: frozenset[Controller]) -> None:
        first, frame = entries[0], _as_sent(entries[0])
        senders = frozenset(entry.controller for entry in entries)
        slow, fast = first.slow, first.fast
        if frame is not first.frame:
            _, [slow], [fast] = self._measure([frame])
        end = start_ns + self.duration_ns(slow, fast)
        self._occupy(start_ns, end)
        self._dominant_ns = end - self.duration_ns(_END_BITS)
        for controller in self.controllers:
            if controller in senders:
                controller.sent_well()
                self._suspend(controller)
            elif controller.on_bus and controller not in missed:
                controller.heard_well()
        self._remove(entries)
        self.figures.frames += 1
        missed |= senders - {first.controller}  # a sender does not hear itself
        missed |= {controller for controller in self.controllers if not controller.on_bus}
        self._on_the_way.append((end, first.controller, frame, missed))

    def _fail(self, start_ns: int, entries: list[_Waiting], wire: WireBits, failure: _Failure) -> None:
        """Cut a frame off by an error frame; its senders try again, as long as they are not bus-off."""
        senders = frozenset(entry.controller for entry in entries)
        others = [c for c in self.controllers if c.on_bus and c not in senders]
        flags = self._flag_bits(wire, failure, senders, others)
        slow, fast = _bits_until(wire, failure.bit + 1)
        seen_ns = start_ns + self.duration_ns(slow, fast)
        self._dominant_ns = seen_ns + self.duration_ns(flags)
        end = self._dominant_ns + self.duration_ns(_DELIMITER_BITS)
        self._occupy(start_ns, end)
        together = failure.first >= {*senders, *others}
        for controller in others:
            early = controller in failure.first and not together
            controller.failed_to_hear(first=early)
        self.figures.errors += 1
        self._troubled = True  # an error counter has moved: the next frames are looked at bit by bit too
        for sender in senders:
            sender.failed_to_send(unacknowledged=failure.kind == "ack")
            self._suspend(sender)
            if sender.off:
                self._bound_queues()
        sender = entries[0].controller
        news = error_frame(failure.kind, sender.tec, sender.rec, bus_off=sender.off)
        self._on_the_way.append((end, sender, news, _NOBODY))

    @staticmethod
    def _flag_bits(
        wire: WireBits, failure: _Failure, senders: frozenset[Controller], others: list[Controller]
    ) -> int:
        """Return how long the error flags are: the first, and those of the others who see it later.

        They see six equal bits in a row, to which the bits before the flag count, or within the fixed bits
        at the end of the frame the flag's first bit (ISO 11898-1:2015, 10.4.4).
        """
        late = [c for c in (*senders, *others) if c not in failure.first]
        if not late:
            return _FLAG_BITS
        if failure.bit >= wire.ack - 1:
            return 1 + _FLAG_BITS
        active = any(not c.passive and not c.listen_only for c in failure.first)
        level, run = (0 if active else 1), 0
        while run < _FLAG_BITS - 1 and failure.bit - run >= 0 and wire.bits[failure.bit - run] == level:
            run += 1
        return (_FLAG_BITS - run) + _FLAG_BITS

    def _occupy(self, start_ns: int, end_ns: int) -> None:
        self._idle_ns = end_ns + self.duration_ns(INTERMISSION_BITS)
        self.figures.busy_ns += self._idle_ns - start_ns

    def _suspend(self, controller: Controller) -> None:
        """Let a passive transmitter wait 8 bits more than others before it sends again."""
        if controller.passive:
            controller.suspended_ns = self._idle_ns + self.duration_ns(_SUSPEND_BITS)

    def _remove(self, entries: list[_Waiting]) -> None:
        gone = {entry.number for entry in entries} - {_ENDLESS}
        if gone:
            self._waiting = [entry for entry in self._waiting if entry[1] not in gone]


_ENDLESS: Final = -1
"""Number of a frame that is babbled, and never leaves."""


def _before(entry: _Waiting, other: _Waiting) -> bool:
    """Tell whether a controller sends `entry` before `other`."""
    if entry.controller.fifo:
        return entry.number < other.number
    return (entry.key, entry.number) < (other.key, other.number)


def _as_sent(entry: _Waiting) -> bytes:
    """Return a frame as its sender puts it on the bus: a passive one says so in an FD frame."""
    frame = entry.frame
    if is_fd(frame) and entry.controller.passive:
        return frame[:5] + bytes([frame[5] | ERROR_STATE]) + frame[6:]
    return frame


def _bits_until(wire: WireBits, bit: int) -> tuple[int, int]:
    """Return how many of the first `bit` bits are at the nominal and at the data bit rate."""
    fast = max(min(bit, wire.fast_to) - wire.fast_from, 0)
    return bit - fast, fast
