"""Segments for tests of matching and agreement: written as text with a letter a frame, or generated."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import groupby, pairwise
from typing import Any

from hypothesis import strategies as st

from annotate.agreement.segment_matching import Intervals, intervals_of, sorted_segments
from storage.recordings.segment import Segment


def on_frames(start_frame: int, end_frame: int, label: str, track: str = "task phase", **words: Any) -> Segment:
    """What an annotator made of frames `[start_frame, end_frame)`, a millisecond each."""
    times = start_frame * 1_000_000, end_frame * 1_000_000
    return Segment(*times, label, track, start_frame=start_frame, end_frame=end_frame, **words)


def drawn(frames: str, *, track: str = "task phase") -> list[Segment]:
    """Segments of a text with the label of each frame: a dot is a gap, and each run of a letter a segment."""
    found, place = [], 0
    for label, run in groupby(frames):
        length = len(list(run))
        if label != ".":
            found.append(on_frames(place, place + length, label, track))
        place += length
    return found


def stretched(segments: Sequence[Segment], factor: int) -> list[Segment]:
    """The same segments in a recording that lasts `factor` times as long."""
    return [
        replace(segment, start_frame=segment.start_frame * factor, end_frame=segment.end_frame * factor)
        for segment in segments
    ]


def arrays(*annotators: Sequence[Segment]) -> tuple[list[Intervals], int]:
    """The segments of each annotator as arrays with common codes, and how many labels there are."""
    codes: dict[str, int] = {}
    return [intervals_of(sorted_segments(segments), codes) for segments in annotators], len(codes)


@st.composite
def disjoint(draw: st.DrawFn, *, with_gaps: bool = True) -> list[Segment]:
    """Segments of one track that do not overlap, some of them touching, within 100 frames."""
    edges = sorted(draw(st.sets(st.integers(0, 100), max_size=13)))
    if not with_gaps:
        edges = sorted({0, *edges, 100})
    found = []
    for start, end in pairwise(edges):
        label = draw(st.sampled_from("abc" if not with_gaps else "abc."))
        if label != ".":
            found.append(on_frames(start, end, label))
    return found


def overlapping_segments() -> st.SearchStrategy[list[Segment]]:
    """Segments of one track that may overlap each other."""
    one = st.tuples(st.integers(0, 90), st.integers(1, 10), st.sampled_from("abc"))
    return st.lists(one.map(lambda drawn: on_frames(drawn[0], drawn[0] + drawn[1], drawn[2])), max_size=12)
