"""Hypothesis strategies for landings that go wrong: they draw cases, and shrink towards nominal.

Every strategy shrinks towards fewer, later and smaller faults, and towards the nominal state, so that
what is left of a failing example is what the failure needs.
"""

from __future__ import annotations

from collections.abc import Sequence

from hypothesis import strategies as st

from hil.faults.case import Case, FaultSpec, Initial, Wind

__all__ = ["engine_faults", "initial_states", "off_nominal_cases", "winds"]

LAST_ONSET_S = 20.0
"""Latest onset drawn, after ignition: later than this a burn is over."""


def _about(centre: float, half_range: float) -> st.SearchStrategy[float]:
    """Draw from `centre` +- `half_range`; shrinks towards the centre."""
    return st.floats(-half_range, half_range, width=32).map(lambda offset: centre + offset)


def _onset() -> st.SearchStrategy[float]:
    """Draw a time after ignition in s, in steps of 10 ms; shrinks towards late."""
    return st.integers(0, round(LAST_ONSET_S * 100)).map(lambda early: LAST_ONSET_S - early / 100)


def _size(mild: float, severe: float) -> st.SearchStrategy[float]:
    """Draw between `mild` and `severe`; shrinks towards mild."""
    return st.floats(0.0, 1.0, width=32).map(lambda part: mild + part * (severe - mild))


def initial_states(
    nominal: Initial, *, pos_m: float = 100.0, vel_mps: float = 10.0
) -> st.SearchStrategy[Initial]:
    """Draw states about `nominal`: half-ranges in m and m/s on each pad axis (DESIGN section 4)."""

    def build(offsets: tuple[float, ...]) -> Initial:
        pos = tuple(p + d for p, d in zip(nominal.pos_pad_m, offsets[:3], strict=True))
        vel = tuple(v + d for v, d in zip(nominal.vel_pad_mps, offsets[3:], strict=True))
        return nominal.model_copy(update={"pos_pad_m": pos, "vel_pad_mps": vel})

    return st.tuples(*[_about(0.0, pos_m)] * 3, *[_about(0.0, vel_mps)] * 3).map(build)


def winds(most_mps: float = 8.0) -> st.SearchStrategy[Wind]:
    """Draw steady winds up to `most_mps` on each axis; shrinks towards calm."""
    return st.tuples(_about(0.0, most_mps), _about(0.0, most_mps)).map(lambda w: Wind(mean_mps=w))


def _late(engine: int) -> st.SearchStrategy[FaultSpec]:
    return st.builds(
        lambda delay: FaultSpec(kind="engine.late_ignition", at_s=0.0, engine=engine, delay_s=delay),
        _size(0.2, 3.0),
    )


def _weak(engine: int) -> st.SearchStrategy[FaultSpec]:
    return st.builds(
        lambda onset, factor, tau: FaultSpec(
            kind="engine.thrust_shortfall", after_ignition_s=onset, engine=engine, factor=factor, tau_s=tau
        ),
        _onset(),
        _size(0.97, 0.60),
        _size(0.2, 2.0),
    )


def _out(engine: int) -> st.SearchStrategy[FaultSpec]:
    return st.builds(
        lambda onset, tail: FaultSpec(
            kind="engine.out", after_ignition_s=onset, engine=engine, tail_off_s=tail
        ),
        _onset(),
        _size(0.1, 0.5),
    )


def engine_faults(engines: Sequence[int], *, most: int = 3) -> st.SearchStrategy[tuple[FaultSpec, ...]]:
    """Draw up to `most` engine faults (late, weak, out, at any moment), at most one an engine.

    Ranges are those of the combustion table in docs/DESIGN.md: ignition 0.2-3 s late, thrust 3-40 %
    short, out with a tail-off of 0.1-0.5 s.
    """
    one = st.sampled_from(list(engines)).flatmap(lambda n: st.one_of(_late(n), _weak(n), _out(n)))
    return st.lists(one, max_size=most, unique_by=lambda fault: fault.engine).map(tuple)


def off_nominal_cases(nominal: Case, engines: Sequence[int]) -> st.SearchStrategy[Case]:
    """Draw cases about `nominal`: another state, other wind, engine faults, another seed of the noise."""
    return st.builds(
        lambda initial, wind, faults, seed: nominal.model_copy(
            update={"initial": initial, "wind": wind, "fault": faults, "seed": seed}
        ),
        initial_states(nominal.initial),
        winds(),
        engine_faults(engines),
        st.integers(0, 1000),
    )
