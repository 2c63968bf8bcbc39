"""What a segment may say, and where its edges come to lie."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from annotate.labels.label_comparison import agreed_segments
from annotate.labels.segments import checked_segment, is_text
from kinesphere.errors import InvalidInput
from storage.catalog import VersionedSegment
from storage.recordings.segment import Segment
from storage.tasks.task import Labels
from tests.support.annotated_recordings import content

FREE = Labels()
EDGES = np.array([0, 33, 70, 100, 131, 170], np.int64)


def made(labels: Labels = FREE, *, label: str = "reach", **words: Any) -> Segment:
    return checked_segment(replace(Segment(0, 100, label), **words), "r", EDGES, labels)


@given(
    steps=st.lists(st.integers(1, 10**10), min_size=1, max_size=50),
    start=st.integers(-(2**63), 2**63 - 1) | st.integers(0, 10**10),
    length=st.integers(-(10**10), 10**11),
)
def test_edges_move_to_the_nearest_frames_or_the_segment_is_refused(steps: list[int], start: int, length: int) -> None:
    edges = np.array([0, *np.cumsum(steps)], np.int64)
    end = start + length
    nearest = [int(np.abs(edges.astype(object) - moment).argmin()) for moment in (start, end)]
    draft = Segment(start, end, "reach")
    if 0 <= start < end <= edges[-1] and nearest[0] < nearest[1]:
        found = checked_segment(draft, "r", edges, FREE)
        assert [found.start_frame, found.end_frame] == nearest
        assert [found.start_ns, found.end_ns] == [edges[frame] for frame in nearest]
    else:
        with pytest.raises(InvalidInput, match=r"does not lie in|holds no frame"):
            checked_segment(draft, "r", edges, FREE)


@pytest.mark.parametrize("label", ["יד ימין לכוס", "يمسك الكوب\u200f", "👨‍👩‍👧 🏴󠁧󠁢󠁥󠁮󠁧󠁿 ❤️", "Griff — ‘fest’", "握る"])
def test_any_script_and_emoji_can_be_a_label(label: str) -> None:
    assert made(label=label).label == label


@pytest.mark.parametrize(
    "label", ["", " ", "a\nb", "\0", "a\x1b[31m", "\ud800", "a\u202eb", "a\u2028b", "x" * 101, "x" * 100_000]
)
def test_what_cannot_be_shown_or_is_too_long_is_no_label(label: str) -> None:
    with pytest.raises(InvalidInput, match="no label of this task") as caught:
        made(label=label)
    assert len(str(caught.value)) < 300
    assert not is_text(label)


def test_words_come_from_the_task_and_a_note_may_have_lines() -> None:
    labels = Labels(verbs=("reach", "grasp"), objects=("cup",))
    assert made(labels, object="cup", hand="left", outcome="success", note="slow,\nbut well").hand == "left"
    for words, why in (
        ({"label": "reech"}, "did you mean 'reach'"),
        ({"object": "glass"}, "no object of this task; choose from: cup"),
        ({"hand": "third"}, "no hand"),
        ({"outcome": "maybe"}, "choose from: success, failure"),
        ({"track": "head"}, "no track"),
        ({"note": "x" * 1001}, "at most 1000"),
        ({"note": "\x07"}, "none that only control"),
    ):
        with pytest.raises(InvalidInput, match=why):
            made(labels, **words)


def versioned(*contents: Segment) -> list[VersionedSegment]:
    return [VersionedSegment(f"{number}", 1, made) for number, made in enumerate(contents)]


def test_two_people_agree_where_words_are_the_same_and_edges_are_near() -> None:
    first = versioned(content(0, 30), content(30, 60, "grasp"), content(60, 90), content(100, 130, object="cup"))
    second = versioned(
        content(5, 35), content(30, 60, "pour"), content(60, 96), content(100, 130, object="cup", note="fine")
    )
    assert agreed_segments(first, second) == [content(0, 30), content(100, 130, object="cup")]
    assert agreed_segments(first, second, 6) == [content(0, 30), content(60, 90), content(100, 130, object="cup")]


@given(starts=st.lists(st.integers(0, 200), max_size=20))
def test_one_agrees_with_oneself_on_everything_and_with_half_of_it_on_half(starts: list[int]) -> None:
    all_of_it = versioned(*(content(start, start + 5) for start in starts))
    assert len(agreed_segments(all_of_it, all_of_it[::-1])) == len(starts)
    assert len(agreed_segments(all_of_it, all_of_it[::2], 0)) == len(all_of_it[::2])
