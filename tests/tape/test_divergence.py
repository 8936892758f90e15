"""Where two recordings part: every planted difference is found, named and sized."""

from __future__ import annotations

import dataclasses
import math
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hil.signals import PER_ENGINE, RECORDS, Frame
from hil.signals.timing import timing_dtype
from hil.tape import Recording, TapeWriter, first_divergence, read_tape

FRAMES, ENGINES = 2500, 3
"""More frames than are compared at once."""


@pytest.fixture(scope="module")
def tape(tmp_path_factory: pytest.TempPathFactory) -> Recording:
    """A tape as a flight leaves it, every signal another number."""
    path = tmp_path_factory.mktemp("tape") / "tape.mcap"
    frame, rng = Frame(ENGINES), np.random.default_rng(1)
    info = {"landing_engines": [1, 4, 7]}
    writer = TapeWriter(path, frame, np.zeros((), timing_dtype()), info)
    for k in range(FRAMES):
        frame.array["t_ns"], frame.array["frame"] = k * 10_000_000, k
        for part in RECORDS:
            frame.floats(part.name)[:] = rng.normal(size=frame.floats(part.name).size)
        writer.write(k * 10_000_000)
    writer.close()
    return read_tape(path)


def changed(tape: Recording) -> Recording:
    """Return a copy that may be written to."""
    return dataclasses.replace(tape, frames=tape.frames.copy())


def test_equal_recordings_do_not_part(tape: Recording) -> None:
    assert first_divergence(tape, changed(tape)) is None


@settings(max_examples=40, deadline=None)
@given(st.data())
def test_a_planted_difference_is_found_wherever_it_is(tape: Recording, data: st.DataObject) -> None:
    other = changed(tape)
    record = data.draw(st.sampled_from(RECORDS))
    field = data.draw(st.sampled_from(record.fields))
    index = data.draw(st.integers(0, FRAMES - 1))
    count = math.prod(ENGINES if axis == PER_ENGINE else axis for axis in field.shape)
    place = data.draw(st.integers(0, count - 1))
    values = np.atleast_1d(other.frames[record.name][field.name][index])
    before, step = float(values[place]), data.draw(st.integers(1, 1000))
    values[place] += step
    other.frames[record.name][field.name][index] = values if field.shape else values[0]
    found = first_divergence(tape, other)
    assert found is not None
    assert found.signal.startswith(f"{record.name}.{field.name}")
    if field.shape:
        what = f"engine {(1, 4, 7)[place]}" if field.shape == (PER_ENGINE,) else str(place)
        assert found.signal.endswith(f"[{what}]")
    assert (found.unit, found.frame, found.others) == (field.unit, index, 0)
    assert found.t_s == pytest.approx(index * 0.01)
    after = float(np.atleast_1d(other.frames[record.name][field.name][index])[place])
    assert found.values == (before, after)
    assert found.size == abs(after - before)


def test_of_several_the_earliest_frame_and_there_the_cause_is_told(tape: Recording) -> None:
    other = changed(tape)
    other.frames["truth"]["mass_kg"][2000] += 1.0
    other.frames["telemetry"]["thrust_cmd_n"][1500] += 1.0
    other.frames["nav"]["vel_pad_mps"][1500, 1] += 0.25
    found = first_divergence(tape, other)
    assert found is not None
    assert (found.signal, found.frame, found.others) == ("nav.vel_pad_mps[1]", 1500, 1)
    assert "nav.vel_pad_mps[1] at t = 15.00 s (frame 1500): off by 0.25 m/s" in str(found)
    assert "1 more in that frame" in str(found)


def test_a_nan_parts_from_a_number_but_not_from_itself(tape: Recording) -> None:
    other = changed(tape)
    other.frames["telemetry"]["time_to_go_s"][7] = math.nan
    assert first_divergence(other, changed(other)) is None
    found = first_divergence(tape, other)
    assert found is not None
    assert math.isnan(found.size)
    assert found.as_dict()["size"] is None
    assert found.as_dict()["values"][1] is None


def test_a_recording_that_ends_early_parts_there(tape: Recording) -> None:
    short = dataclasses.replace(tape, frames=tape.frames[:100])
    for pair in ((short, tape), (tape, short)):
        found = first_divergence(*pair)
        assert found is not None
        assert (found.signal, found.frame, found.t_s, found.size) == ("frames", 100, 1.0, FRAMES - 100)


def test_flights_of_other_engines_are_not_compared(tape: Recording, tmp_path: Path) -> None:
    writer = TapeWriter(tmp_path / "one.mcap", Frame(1), np.zeros((), timing_dtype()), {})
    writer.close()
    with pytest.raises(ValueError, match="recordings of 3 and of 1 engines"):
        first_divergence(tape, read_tape(tmp_path / "one.mcap"))
