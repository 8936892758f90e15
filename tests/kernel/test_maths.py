"""The kernel's own functions against the C library's, to the errors that fk_math.h states."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hil.kernel._kernel import ffi, lib
from tests.kernel.flight import conjugate, cross, rotate

part = st.floats(-1.0, 1.0)
vectors = st.tuples(*[st.floats(-10.0, 10.0)] * 3)
right = st.floats(-math.pi / 2, math.pi / 2)


def unit(q: tuple[float, ...]) -> tuple[float, ...]:
    """Return q at length one; the upright attitude where it has none."""
    n = math.sqrt(sum(x * x for x in q))
    return tuple(x / n for x in q) if n > 1e-3 else (1.0, 0.0, 0.0, 0.0)


attitudes = st.tuples(*[part] * 4).map(unit)


NOBODYS = 1.25
"""What lies behind a vector."""


def called(name: str, size: int, *arguments: Any) -> list[float]:
    """Call a function whose last argument is where the result goes; see that no more is written than that."""
    out = ffi.new("double[]", [0.0] * size + [NOBODYS])
    getattr(lib, name)(*arguments, out)
    assert out[size] == NOBODYS
    return list(out)[:size]


@given(right)
def test_sine_and_cosine(x: float) -> None:
    assert lib.fk_sin(x) == pytest.approx(math.sin(x), abs=1e-11)
    assert lib.fk_cos(x) == pytest.approx(math.cos(x), abs=1e-12)


@pytest.mark.parametrize("x", np.linspace(-math.pi / 2, math.pi / 2, 9))
def test_sine_and_cosine_at_the_ends_of_their_range(x: float) -> None:
    assert lib.fk_sin(x) == pytest.approx(math.sin(x), abs=1e-11)
    assert lib.fk_cos(x) == pytest.approx(math.cos(x), abs=1e-12)


def test_sine_of_a_small_angle_is_that_angle() -> None:
    for x in (1e-3, 0.01, 0.1):
        assert lib.fk_sin(x) == pytest.approx(math.sin(x), rel=1e-15)


@pytest.mark.parametrize("x", np.linspace(-1.0, 1.0, 41))
def test_arc_tangent(x: float) -> None:
    assert lib.fk_atan(x) == pytest.approx(math.atan(x), abs=1e-7)


def test_arc_tangent_is_held_beyond_an_eighth_turn() -> None:
    assert lib.fk_atan(5.0) == lib.fk_atan(1.0)
    assert lib.fk_atan(-5.0) == lib.fk_atan(-1.0)


@pytest.mark.parametrize("x", [0.0, 0.3466, 0.6932, 1.0, -1.0, -0.3466, 40.5, -40.5, 699.9, -699.9])
def test_exponential(x: float) -> None:
    assert lib.fk_exp(x) == pytest.approx(math.exp(x), rel=2e-15, abs=0.0)


def test_exponential_is_held_at_its_ends() -> None:
    assert lib.fk_exp(1e9) == lib.fk_exp(700.0)
    assert lib.fk_exp(-1e9) == lib.fk_exp(-700.0)


@pytest.mark.parametrize(
    "x", [1.0, 0.5, 2.0, 0.70710678, 0.7071067812, 1.4142, 3.0, 1e-300, 1e300, 0.999, 1.001]
)
def test_logarithm(x: float) -> None:
    assert lib.fk_log(x) == pytest.approx(math.log(x), rel=2e-15, abs=1e-15)


@given(st.floats(0.5, 2.0))
def test_exponential_and_logarithm_undo_each_other(x: float) -> None:
    assert lib.fk_exp(lib.fk_log(x)) == pytest.approx(x, rel=3e-15)


@given(st.floats(), st.floats(-5.0, 0.0), st.floats(0.0, 5.0))
def test_clamp_keeps_to_its_bounds_whatever_comes(x: float, low: float, high: float) -> None:
    expected = low if math.isnan(x) else min(max(x, low), high)
    assert lib.fk_clamp(x, low, high) == expected


def test_least_and_largest() -> None:
    assert (lib.fk_min(1.0, 2.0), lib.fk_min(2.0, 1.0)) == (1.0, 1.0)
    assert (lib.fk_max(1.0, 2.0), lib.fk_max(2.0, 1.0)) == (2.0, 2.0)


@pytest.mark.parametrize("wrong", [math.nan, math.inf, -math.inf])
@pytest.mark.parametrize("place", [0, 1, 2])
def test_one_value_that_is_not_finite_is_found(wrong: float, place: int) -> None:
    values = [1.0, 2.0, 3.0]
    assert lib.fk_all_finite(values, 3) == 1
    values[place] = wrong
    assert lib.fk_all_finite(values, 3) == 0
    assert lib.fk_all_finite(values, place) == 1


@given(vectors, vectors)
def test_products_of_vectors(a: Any, b: Any) -> None:
    assert lib.fk_dot(a, b) == pytest.approx(float(np.dot(a, b)), abs=1e-12)
    assert called("fk_cross", 3, a, b) == pytest.approx(list(cross(a, b)), abs=1e-12)
    assert lib.fk_norm(a) == pytest.approx(float(np.linalg.norm(a)), abs=1e-12)


def test_copies_and_sums() -> None:
    a = (1.0, -2.0, 3.0)
    assert called("fk_copy", 3, a) == [1.0, -2.0, 3.0]
    assert called("fk_scale", 3, -2.0, a) == [-2.0, 4.0, -6.0]
    out = ffi.new("double[]", [10.0, 20.0, 30.0])
    lib.fk_add_scaled(0.5, a, out)
    assert list(out) == [10.5, 19.0, 31.5]


@given(attitudes, vectors)
def test_rotation(q: Any, v: Any) -> None:
    turned = called("fk_rotate", 3, q, v)
    assert turned == pytest.approx(list(rotate(q, v)), abs=1e-12)
    assert called("fk_rotate_back", 3, q, turned) == pytest.approx(list(v), abs=1e-11)
    assert called("fk_rotate_back", 3, q, v) == pytest.approx(list(rotate(conjugate(q), v)), abs=1e-12)


def test_body_z_leans_towards_x_when_turned_about_y() -> None:
    half = math.radians(45.0)
    q = (math.cos(half), 0.0, math.sin(half), 0.0)
    assert called("fk_rotate", 3, q, (0.0, 0.0, 1.0)) == pytest.approx([1.0, 0.0, 0.0], abs=1e-12)


def times(p: Any, q: Any) -> list[float]:
    """Return the quaternion that turns by q first, then by p."""
    return [
        p[0] * q[0] - p[1] * q[1] - p[2] * q[2] - p[3] * q[3],
        p[0] * q[1] + p[1] * q[0] + p[2] * q[3] - p[3] * q[2],
        p[0] * q[2] - p[1] * q[3] + p[2] * q[0] + p[3] * q[1],
        p[0] * q[3] + p[1] * q[2] - p[2] * q[1] + p[3] * q[0],
    ]


@given(attitudes, st.tuples(*[part] * 3))
def test_turning_is_the_product_with_the_turn_in_body_axes(q: Any, rate: Any) -> None:
    dt = 1e-3
    out = ffi.new("double[]", list(q))
    lib.fk_turn(out, rate, dt)
    size = math.sqrt(sum(x * x for x in rate))
    half = 0.5 * size * dt
    s = math.sin(half) / size if size > 0.0 else 0.0
    expected = times(q, (math.cos(half), s * rate[0], s * rate[1], s * rate[2]))
    assert list(out) == pytest.approx(expected, abs=1e-9)
    assert sum(x * x for x in out) == pytest.approx(1.0, abs=1e-14)


@given(attitudes, attitudes, st.floats(0.0, 1.0), st.sampled_from([1.0, -1.0]))
def test_a_nudge_goes_part_of_the_way_whatever_the_sign(q: Any, to: Any, gain: float, sign: float) -> None:
    out, other = ffi.new("double[]", list(q)), ffi.new("double[]", list(q))
    lib.fk_nudge(out, to, gain)
    lib.fk_nudge(other, [sign * x for x in to], gain)
    d = sum(a * b for a, b in zip(q, to, strict=True))
    mixed = [a + gain * ((-b if d < 0.0 else b) - a) for a, b in zip(q, to, strict=True)]
    size = math.sqrt(sum(x * x for x in mixed))
    assert list(out) == pytest.approx([x / size for x in mixed], abs=1e-12)
    assert abs(d) < 1e-12 or list(other) == pytest.approx(list(out), abs=1e-12)


def test_what_lies_behind_an_attitude_is_left_alone() -> None:
    out = ffi.new("double[]", [1.0, 0.0, 0.0, 0.0, NOBODYS])
    lib.fk_turn(out, (0.5, -0.2, 0.1), 0.01)
    assert out[4] == NOBODYS
    lib.fk_nudge(out, ffi.new("double[]", [0.0, 1.0, 0.0, 0.0, 5.0]), 0.5)
    assert out[4] == NOBODYS
    out = ffi.new("double[]", [0.0, 0.0, 0.0, 0.0, NOBODYS])
    lib.fk_turn(out, (0.0, 0.0, 0.0), 0.01)
    assert list(out) == [1.0, 0.0, 0.0, 0.0, NOBODYS]


def test_an_attitude_of_no_length_becomes_upright() -> None:
    out = ffi.new("double[]", [0.0, 0.0, 0.0, 0.0])
    lib.fk_turn(out, (0.0, 0.0, 0.0), 0.01)
    assert list(out) == [1.0, 0.0, 0.0, 0.0]
    out = ffi.new("double[]", [math.nan] * 4)
    lib.fk_turn(out, (0.0, 0.0, 0.0), 0.01)
    assert list(out) == [1.0, 0.0, 0.0, 0.0]


@given(
    st.tuples(*[st.floats(-2.0, 2.0)] * 3), st.floats(0.0, 2.0), st.floats(0.1, 2.0), st.sampled_from([0, 1])
)
def test_a_swinging_stage_is_integrated_across_a_change_of_engines(
    start: tuple[float, ...], change_s: float, dt: float, axis: int
) -> None:
    """In steps of a hundredth, exact for a force that grows linearly from step to step."""
    tilt, swing, vel = start
    across = ffi.new("fk_across_t *")
    across.change_s, across.push_mps2 = change_s, (15.0, 11.0)
    across.side_pad_mps2[0][axis], across.side_pad_mps2[1][axis] = 0.7, -0.4
    pos_ahead, vel_ahead = ffi.new("double *", 3.0), ffi.new("double *", vel)
    lib.fk_swing_ahead(across, axis, dt, tilt, swing, pos_ahead, vel_ahead)
    pos, t = 3.0, 0.0
    spans = [(min(change_s, dt), 15.0, 0.7), (max(dt - change_s, 0.0), 11.0, -0.4)]
    for length, push, side in spans:
        h = length / 100
        for _ in range(100):
            accel = push * (tilt + swing * (t + h / 3.0)) + side
            pos += h * vel + h * h / 2.0 * accel
            vel += h * (push * (tilt + swing * (t + h / 2.0)) + side)
            t += h
    assert pos_ahead[0] == pytest.approx(pos, abs=1e-9)
    assert vel_ahead[0] == pytest.approx(vel, abs=1e-9)


@pytest.mark.parametrize(
    ("height_m", "theta", "pressure", "density"),
    [
        (0.0, 1.0, 1.0, 1.225),
        (1000.0, 281.65 / 288.15, 89_874.6 / 101_325.0, 1.11164),
        (5000.0, 255.65 / 288.15, 54_019.9 / 101_325.0, 0.736116),
        (10_000.0, 223.15 / 288.15, 26_436.3 / 101_325.0, 0.412707),
    ],
)
def test_air_is_the_standard_s(height_m: float, theta: float, pressure: float, density: float) -> None:
    """US Standard Atmosphere 1976, table I, by geopotential height."""
    air = lib.fk_air_at(height_m)
    assert air.theta == pytest.approx(theta, rel=1e-5)
    assert air.pressure_ratio == pytest.approx(pressure, rel=3e-4)
    assert air.density_kgpm3 == pytest.approx(density, rel=3e-4)


def test_air_is_held_below_the_ground_and_far_up() -> None:
    assert lib.fk_air_at(-500.0).density_kgpm3 == lib.fk_air_at(0.0).density_kgpm3
    assert lib.fk_air_at(2e4).density_kgpm3 == lib.fk_air_at(1e5).density_kgpm3 > 0.2
