"""Which segments of two annotators correspond, and in what they differ."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from annotate.agreement import segment_matching
from annotate.agreement.segment_matching import OTHER_LABEL, Overlaps, correspondences, matched, overlapping
from kinesphere.errors import InvalidInput
from storage.recordings.segment import Segment
from tests.support.written_segments import arrays, disjoint, drawn, on_frames, overlapping_segments

PROPERTY = settings(max_examples=100)


def pairs_of(first: Sequence[Segment], second: Sequence[Segment]) -> Overlaps:
    (a, b), _ = arrays(first, second)
    return overlapping(a, b)


def weight_of(overlaps: Overlaps, pairs: Sequence[int]) -> float:
    return sum(float(overlaps.iou[pair]) * (1 if overlaps.is_same_label[pair] else OTHER_LABEL) for pair in pairs)


def heaviest(overlaps: Overlaps, pair: int = 0, taken: frozenset[tuple[str, int]] = frozenset()) -> float:
    """The weight of the heaviest matching of any kind, by trying all."""
    if pair == len(overlaps.first):
        return 0.0
    ends = {("first", int(overlaps.first[pair])), ("second", int(overlaps.second[pair]))}
    without = heaviest(overlaps, pair + 1, taken)
    if ends & taken:
        return without
    return max(without, weight_of(overlaps, [pair]) + heaviest(overlaps, pair + 1, taken | ends))


@PROPERTY
@given(st.one_of(disjoint(), overlapping_segments()), st.one_of(disjoint(), overlapping_segments()))
def test_all_pairs_that_share_a_frame_are_found_with_their_overlap(a: list[Segment], b: list[Segment]) -> None:
    (first, second), _ = arrays(a, b)
    found = overlapping(first, second)
    expected = {}
    for i in range(len(first)):
        for j in range(len(second)):
            ours = set(range(first.start[i], first.end[i]))
            theirs = set(range(second.start[j], second.end[j]))
            if ours & theirs:
                expected[i, j] = (len(ours & theirs), len(ours & theirs) / len(ours | theirs))
    keys = list(zip(found.first.tolist(), found.second.tolist(), strict=True))
    assert keys == sorted(expected)
    assert [expected[key] for key in keys] == list(zip(found.frames.tolist(), found.iou.tolist(), strict=True))


@PROPERTY
@given(disjoint(), disjoint())
def test_no_matching_of_disjoint_segments_is_heavier(a: list[Segment], b: list[Segment]) -> None:
    found = pairs_of(a, b)
    chosen = matched(found)
    assert len(set(found.first[chosen])) == len(chosen) == len(set(found.second[chosen])), "one to one"
    assert weight_of(found, chosen) == pytest.approx(heaviest(found))


@PROPERTY
@given(disjoint(), disjoint())
def test_swapping_annotators_gives_the_same_pairs(a: list[Segment], b: list[Segment]) -> None:
    there, back = pairs_of(a, b), pairs_of(b, a)
    forth = {(there.first[pair], there.second[pair]) for pair in matched(there)}
    assert forth == {(back.second[pair], back.first[pair]) for pair in matched(back)}


@PROPERTY
@given(overlapping_segments(), overlapping_segments())
def test_segments_that_overlap_each_other_are_matched_in_order(a: list[Segment], b: list[Segment]) -> None:
    found = pairs_of(a, b)
    chosen = matched(found)
    assert (np.diff(found.first[chosen]) > 0).all() and (np.diff(found.second[chosen]) > 0).all()


def test_of_two_partners_alike_the_earlier_is_taken() -> None:
    found = pairs_of(drawn("aaaaaaaaaa"), drawn("bbbbbccccc"))
    assert matched(found) == [0]
    assert matched(pairs_of(drawn("aaaaaaaaaabb"), drawn("ccccceeeeedd"))) == [0, 2]


def test_a_segment_is_matched_with_its_label_unless_another_fits_more_than_twice_as_well() -> None:
    ours = drawn("aaaaaaaaaa")
    (near, far) = correspondences(ours, drawn("bbbbbbaaaa"))
    assert (near.first, near.second, near.differs) == (None, on_frames(0, 6, "b"), ("missing",))
    assert far.differs == ("start",)
    (label, missing) = correspondences(ours, drawn("bbbbbbbbaa"))
    assert label.differs == ("label", "end") and label.second == on_frames(0, 8, "b")
    assert missing.second == on_frames(8, 10, "a") and missing.differs == ("missing",)


def test_differences_are_told_one_for_each_segment_in_order_of_time() -> None:
    ours = [*drawn("aaaa....bbbbcccc....dddd"), *drawn("....xxxx", track="left hand")]
    theirs = [
        *drawn("aaaaa...eeee........dddd"),
        *drawn("............ffff", track="left hand"),
    ]
    theirs[2] = replace(theirs[2], object="cup", outcome="spilled")
    found = correspondences(ours, theirs)
    assert [(one.track, one.start_frame, one.end_frame, one.differs) for one in found] == [
        ("task phase", 0, 5, ("end",)),
        ("left hand", 4, 8, ("missing",)),
        ("task phase", 8, 12, ("label",)),
        ("left hand", 12, 16, ("missing",)),
        ("task phase", 12, 16, ("missing",)),
        ("task phase", 20, 24, ("object", "outcome")),
    ]
    assert found[1].second is None and found[3].first is None
    assert correspondences(ours, theirs, tolerance_frames=1)[0].differs == ()


@PROPERTY
@given(disjoint(), disjoint())
def test_every_segment_is_told_once(a: list[Segment], b: list[Segment]) -> None:
    found = correspondences(a, b)
    assert sorted((one.first for one in found if one.first), key=str) == sorted(a, key=str)
    assert sorted((one.second for one in found if one.second), key=str) == sorted(b, key=str)
    assert [one.start_frame for one in found] == sorted(one.start_frame for one in found)
    assert all(one.differs == () for one in correspondences(a, a))


@pytest.mark.parametrize(("start", "end"), [(5, 5), (6, 5), (-1, 5)])
def test_a_segment_without_frames_is_refused(start: int, end: int) -> None:
    with pytest.raises(InvalidInput, match=f"'a' of track 'task phase' goes from frame {start} to {end}; it must"):
        correspondences([on_frames(start, end, "a")], [])


def test_segments_that_overlap_without_end_are_refused_before_memory_is_gone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(segment_matching, "MOST_CANDIDATES", 99)
    heap = [on_frames(0, 10, "a")] * 10
    with pytest.raises(InvalidInput, match="10 and 10 segments of one track overlap each other too often"):
        correspondences(heap, heap)
    assert len(correspondences(heap, heap[:9])) == 10
