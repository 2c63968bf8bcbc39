"""Krippendorff's alpha for unitizing: his published examples, and what must hold for any segments."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from annotate.agreement.unitizing_alpha import alpha, alpha_labels, alpha_units, coincidences
from storage.recordings.segment import Segment
from tests.support.written_segments import arrays, disjoint, drawn, on_frames, stretched

PROPERTY = settings(max_examples=60)


def alphas(annotators: Sequence[Sequence[Segment]], frames: int) -> tuple[float, float, float]:
    sides, labels = arrays(*annotators)
    counts = coincidences(sides, frames, labels)
    return float(alpha(counts)), float(alpha_units(counts)), float(alpha_labels(counts))


def one_frame_units(values: str) -> list[Segment]:
    """A unit for each frame, so that units cannot be found but only called something."""
    return [on_frames(frame, frame + 1, value) for frame, value in enumerate(values) if value != "."]


def from_first_and_last(*units: tuple[int, int, str]) -> list[Segment]:
    return [on_frames(first - 1, last, label) for first, last, label in units]


def test_three_observers_of_a_continuum_of_60_as_published() -> None:
    """Krippendorff, Content Analysis, 4th ed. (2019), figure 12.11 and section 12.6: 0.510, 0.413 and 0.724.

    The units are as the tests of the R package quallmer transcribe the figure. The second value comes out as 0.4136.
    """
    alex = from_first_and_last((1, 7, "1"), (8, 13, "2"), (31, 32, "5"), (33, 37, "6"), (38, 44, "6"), (45, 60, "7"))
    paul = from_first_and_last((1, 7, "1"), (8, 13, "3"), (14, 21, "5"), (33, 44, "6"))
    suzan = from_first_and_last((1, 7, "1"), (8, 13, "4"), (14, 21, "5"), (33, 37, "6"), (38, 41, "6"), (42, 44, "6"))
    overall, units, labels = alphas([alex, paul, suzan], 60)
    assert round(overall, 3) == 0.510
    assert units == pytest.approx(0.413, abs=0.001)
    assert round(labels, 3) == 0.724
    assert alphas([suzan, alex, paul], 60) == pytest.approx((overall, units, labels)), "in any order"


@pytest.mark.parametrize(
    ("first", "second", "expected"),
    [
        ("0100000010", "1110010000", 0.095),  # Computing Krippendorff's Alpha-Reliability (2011), example A
        ("aabbdcccedda", "babbbccceddd", 0.692),  # the same, example B
        ("..11111111....111111....", "....1111.......11.......", 0.329),  # Krippendorff 1995, A digitised; a dot is 0
    ],
)
def test_of_units_of_one_frame_it_is_the_alpha_for_coding(first: str, second: str, expected: float) -> None:
    overall, _, _ = alphas([one_frame_units(first), one_frame_units(second)], len(first))
    assert round(overall, 3) == expected


def test_what_does_not_vary_is_not_defined() -> None:
    everywhere = drawn("aaaa")
    assert np.isnan(alphas([everywhere, everywhere], 4)).all(), "one label, no gap: nothing to tell apart"
    assert np.isnan(alphas([[], []], 4)).all(), "gaps alone"
    overall, units, labels = alphas([drawn("aabb"), drawn("aabb")], 4)
    assert (overall, labels) == (1, 1) and np.isnan(units), "no gap"
    overall, units, labels = alphas([drawn("aa.."), drawn("aa..")], 4)
    assert (overall, units) == (1, 1) and np.isnan(labels), "one label"
    assert np.isnan(alphas([drawn("aa.."), drawn("..bb")], 4)[2]), "no frame has two labels"


def test_nothing_against_something_is_no_better_than_chance() -> None:
    overall, units, _ = alphas([[], drawn("..aa..bb..")], 10)
    assert overall <= 0 and units <= 0


@PROPERTY
@given(disjoint(), disjoint(), disjoint())
def test_it_is_bounded_and_the_same_in_any_order(a: list[Segment], b: list[Segment], c: list[Segment]) -> None:
    found = alphas([a, b, c], 100)
    assert all(np.isnan(one) or one <= 1 + 1e-12 for one in found)
    assert alphas([c, a, b], 100) == pytest.approx(found, nan_ok=True)
    assert alphas([b, a], 100) == pytest.approx(alphas([a, b], 100), nan_ok=True)


@PROPERTY
@given(disjoint(), st.integers(2, 4))
def test_of_those_who_agree_it_is_one(a: list[Segment], annotators: int) -> None:
    found = alphas([a] * annotators, 100)
    assert all(np.isnan(one) or one == pytest.approx(1) for one in found)


@PROPERTY
@given(disjoint(with_gaps=False), disjoint(with_gaps=False), st.integers(2, 50))
def test_without_gaps_it_does_not_depend_on_the_frame_rate(a: list[Segment], b: list[Segment], factor: int) -> None:
    before, after = alphas([a, b], 100), alphas([stretched(a, factor), stretched(b, factor)], 100 * factor)
    assert after == pytest.approx(before, nan_ok=True)


@PROPERTY
@given(disjoint(), disjoint(), st.integers(2, 50))
def test_labels_alone_never_depend_on_the_frame_rate(a: list[Segment], b: list[Segment], factor: int) -> None:
    before, after = alphas([a, b], 100), alphas([stretched(a, factor), stretched(b, factor)], 100 * factor)
    assert after[2] == pytest.approx(before[2], nan_ok=True)


@PROPERTY
@given(disjoint(), disjoint())
def test_counts_of_recordings_add_up_to_those_of_one_after_the_other(a: list[Segment], b: list[Segment]) -> None:
    moved = [[on_frames(one.start_frame + 100, one.end_frame + 100, one.label) for one in side] for side in (a, b)]
    sides, labels = arrays(a, b, [*a, *moved[0]], [*b, *moved[1]])
    alone = coincidences(sides[:2], 100, labels)
    assert coincidences(sides[2:], 200, labels) == pytest.approx(2 * alone)
