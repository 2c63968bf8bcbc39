"""On which segments two people agree who have labelled the same recording."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

from storage.catalog import SegmentContent, VersionedSegment

TOLERANCE_FRAMES = 5
"""How far apart two people's edges may be: a sixth of a second, where there are 30 frames in one."""


def agreed_segments(
    first: Sequence[VersionedSegment],
    second: Sequence[VersionedSegment],
    tolerance_frames: int = TOLERANCE_FRAMES,
) -> list[SegmentContent]:
    """The segments that both have, as the first one has them.

    Two are the same that say the same (but for their notes) on the same track, with edges at most so many frames
    apart. Each counts once: they are paired in order of time.
    """
    theirs = defaultdict[tuple[object, ...], list[SegmentContent]](list)
    for segment in second:
        theirs[_words(segment.content)].append(segment.content)
    for contents in theirs.values():
        contents.sort(key=_place)
    began = dict.fromkeys(theirs, 0)
    found = list[SegmentContent]()
    for ours in sorted(
        (segment.content for segment in first), key=lambda content: (content.start_frame, content.end_frame)
    ):
        words = _words(ours)
        contents, place = theirs.get(words, []), began.get(words, 0)
        while place < len(contents) and contents[place].start_frame < ours.start_frame - tolerance_frames:
            place += 1
        began[words] = place
        for number in range(place, len(contents)):
            other = contents[number]
            if other.start_frame > ours.start_frame + tolerance_frames:
                break
            if abs(other.end_frame - ours.end_frame) <= tolerance_frames:
                found.append(ours)
                del contents[number]
                break
    return found


def _words(content: SegmentContent) -> tuple[object, ...]:
    return content.track, content.label, content.object, content.hand, content.outcome


def _place(content: SegmentContent) -> tuple[int, int]:
    return content.start_frame, content.end_frame
