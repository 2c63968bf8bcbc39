"""What an adjudication has to decide, which segment decides it, and what is decided already."""

from __future__ import annotations

from datetime import UTC, datetime

from hypothesis import given
from hypothesis import strategies as st

from annotate.labels.label_comparison import agreed_segments, decided, differences
from storage.catalog import Change, OperationRecord, VersionedSegment
from storage.recordings.segment import Segment
from tests.support.annotated_recordings import content


def versioned(*contents: Segment) -> list[VersionedSegment]:
    return [VersionedSegment(f"{number}", 1, made) for number, made in enumerate(contents)]


def log(*operations: tuple[set[str], int | None]) -> list[OperationRecord]:
    """Operations by the segments that they name and the revision that they bring back, if they do."""
    return [
        OperationRecord(
            revision, f"{revision}", "edit", "dora", datetime.now(UTC), len(names), restored,
            [Change(name, None, None) for name in sorted(names)],
        )
        for revision, (names, restored) in enumerate(operations, 1)
    ]  # fmt: skip


def test_what_is_not_agreed_on_is_a_difference_with_a_segment_of_its_own() -> None:
    first = versioned(content(0, 30), content(30, 60, "grasp", hand="left"), content(90, 120))
    second = versioned(content(2, 33), content(30, 60, "grasp", hand="right"), content(90, 140))
    assert agreed_segments(first, second) == [content(0, 30)]
    hand, end = differences("a", first, second)
    assert (hand.between.differs, end.between.differs) == (("hand",), ("end",))
    assert (end.start_ns, end.end_ns) == (content(90, 140).start_ns, content(90, 140).end_ns)
    assert end.between.second == content(90, 140)
    names = [one.segment for one in (hand, end)]
    assert all(len(name) == 16 and int(name, 16) >= 0 for name in names) and len(set(names)) == 2
    assert [one.segment for one in differences("a", first, second)] == names
    assert not set(names) & {one.segment for one in differences("b", first, second)}, "another adjudication's"
    more = versioned(*(segment.content for segment in first), content(150, 160))
    assert [one.segment for one in differences("a", more, second)][:2] == names, "whatever else there is"


segments = st.lists(
    st.builds(content, st.integers(0, 50), st.integers(51, 99), st.sampled_from(["reach", "grasp"])), max_size=8
).map(lambda contents: versioned(*contents))


@given(segments, segments)
def test_every_segment_is_agreed_on_or_in_one_difference(
    first: list[VersionedSegment], second: list[VersionedSegment]
) -> None:
    found = differences("a", first, second)
    sides = [one.between.first for one in found if one.between.first is not None]
    ours = sorted([*sides, *agreed_segments(first, second)], key=str)
    assert ours == sorted((segment.content for segment in first), key=str)
    assert len({one.segment for one in found}) == len(found)
    theirs = [one.between.second for one in found if one.between.second is not None]
    assert len(theirs) + len(agreed_segments(first, second)) == len(second)


def test_what_an_operation_named_is_decided_until_an_older_revision_is_brought_back() -> None:
    wanted = {"a", "b", "c"}
    assert decided([], wanted) == frozenset()
    assert decided(log(({"x"}, None), ({"a"}, None), ({"b", "y"}, None)), wanted) == {"a", "b"}
    back = log(({"a"}, None), ({"b"}, None), ({"b"}, 1))
    assert decided(back, wanted) == {"a"}
    assert decided([*back, *log(({"c"}, None))], wanted) == {"a", "c"}
    assert decided(log(({"a"}, None), ({"a"}, 0)), wanted) == frozenset()
