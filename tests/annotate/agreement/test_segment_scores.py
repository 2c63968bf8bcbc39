"""Scores of action segmentation: against a plain reading of the published definitions, and worked examples."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from annotate.agreement.segment_matching import Intervals, overlapping
from annotate.agreement.segment_scores import edit_distance, edit_score, hits, shared_frames
from storage.recordings.segment import Segment
from tests.support.written_segments import arrays, disjoint, drawn, on_frames, overlapping_segments

PROPERTY = settings(max_examples=100)

CODES = st.lists(st.integers(0, 3), max_size=20)


def f1_as_published(predicted: list[Segment], truth: list[Segment], least: float) -> float:
    """F1 as Lea et al. (2017) and MS-TCN (2019) evaluate it, segment by segment: each takes its best, once."""
    is_taken = [False] * len(truth)
    true_positives = false_positives = 0
    for ours in predicted:
        scores = []
        for theirs in truth:
            shared = min(ours.end_frame, theirs.end_frame) - max(ours.start_frame, theirs.start_frame)
            either = max(ours.end_frame, theirs.end_frame) - min(ours.start_frame, theirs.start_frame)
            scores.append(shared / either if ours.label == theirs.label else 0.0)
        best = scores.index(max(scores)) if scores else -1
        if scores and scores[best] >= least and not is_taken[best]:
            is_taken[best] = True
            true_positives += 1
        else:
            false_positives += 1
    false_negatives = is_taken.count(False)
    if not true_positives:
        return 0.0
    precision = true_positives / (true_positives + false_positives)
    recall = true_positives / (true_positives + false_negatives)
    return 2 * precision * recall / (precision + recall)


def segmental_f1(predicted: Intervals, truth: Intervals, least_iou: float) -> float:
    """The published score, which depends on which labelling is the truth, from the hits that ours counts."""
    segments = len(predicted) + len(truth)
    return 2 * hits(overlapping(predicted, truth), least_iou) / segments if segments else math.nan


def distance_as_published(first: list[int], second: list[int]) -> int:
    table = np.zeros((len(first) + 1, len(second) + 1), int)
    table[:, 0], table[0] = range(len(first) + 1), range(len(second) + 1)
    for i, ours in enumerate(first, 1):
        for j, theirs in enumerate(second, 1):
            replaced = table[i - 1, j - 1] + (ours != theirs)
            table[i, j] = min(table[i - 1, j] + 1, table[i, j - 1] + 1, replaced)
    return int(table[-1, -1])


def f1(first: str, second: str, least: float) -> float:
    (a, b), _ = arrays(drawn(first), drawn(second))
    return segmental_f1(a, b, least)


def edit(first: str, second: str) -> float:
    (a, b), _ = arrays(drawn(first), drawn(second))
    return edit_score(a, b)


@PROPERTY
@given(disjoint(), disjoint(), st.sampled_from([0.1, 0.25, 0.5, 1.0]))
def test_f1_is_what_the_published_evaluation_gives(a: list[Segment], b: list[Segment], least: float) -> None:
    (first, second), _ = arrays(a, b)
    if a or b:
        assert segmental_f1(first, second, least) == pytest.approx(f1_as_published(a, b, least))


@PROPERTY
@given(CODES, CODES)
def test_the_edit_distance_is_levenshteins(first: list[int], second: list[int]) -> None:
    found = edit_distance(np.array(first, np.int64), np.array(second, np.int64))
    assert found == distance_as_published(first, second)


def test_the_edit_distance_of_known_words() -> None:
    """Levenshtein's usual examples, and one longer than a machine word."""
    for first, second, expected in (("kitten", "sitting", 3), ("saturday", "sunday", 3), ("", "abc", 3), ("abc", "", 3),
                                    ("ab" * 100, "ba" * 100, 2), ("a" * 200, "a" * 63, 137)):  # fmt: skip
        codes = (np.array([ord(letter) for letter in word], np.int64) for word in (first, second))
        assert edit_distance(*codes) == expected


def test_f1_in_worked_examples() -> None:
    # an extra fragment: both true segments are found, two of four predicted ones are too many
    assert f1("aababb", "aabbbb", 0.25) == pytest.approx(2 / 3)
    # over-segmentation: three pieces of one action, of which the largest covers 4 frames of 10
    assert f1("aa.aaaa.aa", "aaaaaaaaaa", 0.25) == pytest.approx(0.5)
    assert f1("aa.aaaa.aa", "aaaaaaaaaa", 0.5) == 0
    # an IoU of the threshold itself counts
    assert f1("aaaaa.....", "aaaaaaaaaa", 0.5) == 1
    # nobody minds a shift of a frame, and the background is no segment
    assert f1("..aaaabbbb", ".aaaabbbb.", 0.5) == 1


def test_published_f1_depends_on_which_is_the_truth() -> None:
    touching = [on_frames(0, 10, "a"), on_frames(10, 20, "a")]
    (a, b), _ = arrays(touching, [on_frames(4, 16, "a"), on_frames(16, 30, "a")])
    assert (segmental_f1(a, b, 0.1), segmental_f1(b, a, 0.1)) == (0.5, 1.0)
    assert (hits(overlapping(a, b), 0.1), hits(overlapping(b, a), 0.1)) == (1, 2)


def test_the_edit_score_minds_order_and_pieces_but_not_times() -> None:
    assert edit("aabbcc", "aaccbb") == pytest.approx(1 / 3)
    assert edit("a.....b", "aaa.bbb") == 1
    assert edit("abababab", "aaaabbbb") == pytest.approx(1 - 6 / 8)


def test_scores_of_nothing_are_not_defined_and_of_nothing_against_something_are_zero() -> None:
    assert math.isnan(f1("....", "....", 0.1)) and math.isnan(edit("....", "...."))
    assert f1("....", "aa..", 0.1) == f1("aa..", "....", 0.1) == 0
    assert edit("....", "aa..") == edit("aa..", "....") == 0
    (a, b), _ = arrays(drawn("...."), drawn("aa.."))
    assert shared_frames(a, a) == (0, 0) and shared_frames(a, b) == shared_frames(b, a) == (0, 2)


@PROPERTY
@example([on_frames(0, 10, "a"), on_frames(2, 3, "a"), on_frames(5, 12, "a")], [on_frames(4, 11, "a")])
@given(st.one_of(disjoint(), overlapping_segments()), st.one_of(disjoint(), overlapping_segments()))
def test_shared_frames_are_those_of_sets_of_frames_with_labels(a: list[Segment], b: list[Segment]) -> None:
    ours, theirs = (
        {(frame, segment.label) for segment in side for frame in range(segment.start_frame, segment.end_frame)}
        for side in (a, b)
    )
    (first, second), _ = arrays(a, b)
    assert shared_frames(first, second) == (len(ours & theirs), len(ours | theirs))
