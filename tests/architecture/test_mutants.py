"""The mutation tool changes what it should in C, one thing at a time, and leaves the rest alone."""

from __future__ import annotations

import pytest

from tools.c_mutants import Mutant, mutants

CODE = """/* a + b */
#define STEP 0.5 /* of c - d */
static int32_t inside(const double x[3], double low)
{
    double sum[3] = {0.0};
    for (int32_t i = 0; i < 3; i++) {
        sum[i] = x[i] * -STEP;
    }
    take(&sum[0]);
    return x[1] >= low && !sum[2];
}
"""


def found() -> list[Mutant]:
    """Return the mutants of the example."""
    return mutants("example.c", CODE)


def test_comments_directives_and_dimensions_are_left_alone() -> None:
    assert {m.line for m in found()} == {5, 6, 7, 9, 10}
    assert not [m for m in found() if "sum[(3" in m.after or "x[(3" in m.after]


@pytest.mark.parametrize(
    ("operator", "after"),
    [
        ("arithmetic", "sum[i] = x[i] / -STEP;"),
        ("sign", "sum[i] = x[i] * STEP;"),
        ("relation", "for (int32_t i = 0; i <= 3; i++) {"),
        ("relation", "for (int32_t i = 0; i >= 3; i++) {"),
        ("relation", "return x[1] > low && !sum[2];"),
        ("logic", "return x[1] >= low || !sum[2];"),
        ("logic", "return x[1] >= low && sum[2];"),
        ("constant", "for (int32_t i = 0; i < (3 + 1); i++) {"),
        ("constant", "double sum[3] = {1.0};"),
        ("return", "return !(x[1] >= low && !sum[2]);"),
        ("statement", ";"),
    ],
)
def test_each_operator_makes_its_change(operator: str, after: str) -> None:
    assert after in [m.after for m in found() if m.operator == operator]


def test_every_mutant_differs_and_applies_where_it_says() -> None:
    texts = [m.apply(CODE) for m in found()]
    assert len(set(texts)) == len(texts)
    for mutant, text in zip(found(), texts, strict=True):
        pairs = zip(CODE.split("\n"), text.split("\n"), strict=True)
        assert [n for n, (a, b) in enumerate(pairs, 1) if a != b] == [mutant.line]
