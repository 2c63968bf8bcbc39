"""On which segments two people agree who have labelled the same recording, and what a third person has to decide."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from operator import attrgetter

from annotate.agreement.segment_matching import Correspondence, correspondences
from storage.catalog import OperationRecord, VersionedSegment
from storage.recordings.segment import Segment

TOLERANCE_FRAMES = 5
"""How far apart two people's edges may be: a sixth of a second, where there are 30 frames in one."""
_said = attrgetter(
    *("track", "start_ns", "end_ns", "start_frame", "end_frame", "label", "object", "hand", "outcome", "note")
)
"""In this order always: ids of adjudications' segments, which are stored, follow from it."""


@dataclass(frozen=True)
class Difference:
    """Where two people's labels differ, and the segment by which an adjudication decides."""

    segment: str
    """Id of the adjudication's segment. It follows from what the two have, so that every page knows it."""
    between: Correspondence

    @property
    def start_ns(self) -> int:
        """When the first of the two begins, in ns since the recording began."""
        return min(side.start_ns for side in (self.between.first, self.between.second) if side is not None)

    @property
    def end_ns(self) -> int:
        """When the last of the two ends."""
        return max(side.end_ns for side in (self.between.first, self.between.second) if side is not None)


def agreed_segments(
    first: Sequence[VersionedSegment],
    second: Sequence[VersionedSegment],
    tolerance_frames: int = TOLERANCE_FRAMES,
) -> list[Segment]:
    """The segments that both have, as the first one has them: those that correspond and do not differ.

    Edges may be so many frames apart, and notes differ.
    """
    compared = _compared(first, second, tolerance_frames)
    return [pair.first for pair in compared if pair.first is not None and not pair.differs]


def differences(
    annotation: str,
    first: Sequence[VersionedSegment],
    second: Sequence[VersionedSegment],
    tolerance_frames: int = TOLERANCE_FRAMES,
) -> list[Difference]:
    """All that is not in `agreed_segments`, in order of time: what the adjudication `annotation` has to decide."""
    found, seen = list[Difference](), Counter[str]()
    for pair in _compared(first, second, tolerance_frames):
        if not pair.differs:
            continue
        sides = [_said(side) if side is not None else None for side in (pair.first, pair.second)]
        words = f"{annotation} {sides!r}"
        seen[words] += 1
        name = hashlib.sha256(f"{words} {seen[words]}".encode()).hexdigest()[:16]
        found.append(Difference(name, pair))
    return found


def decided(log: Iterable[OperationRecord], segments: Collection[str]) -> frozenset[str]:
    """Which of some segments an adjudication has decided, by its log: those that an operation named.

    Where an old revision was brought back, what was decided by then.

    Args:
        log: all operations of the adjudication, oldest first.
    """
    now, at_revision = frozenset[str](), {0: frozenset[str]()}
    for operation in log:
        if operation.restored is not None:
            now = at_revision.get(operation.restored, now)
        else:
            now |= {change.segment for change in operation.changes if change.segment in segments}
        at_revision[operation.revision] = now
    return now


def _compared(
    first: Sequence[VersionedSegment], second: Sequence[VersionedSegment], tolerance_frames: int
) -> list[Correspondence]:
    sides = ([segment.content for segment in side] for side in (first, second))
    return correspondences(*sides, tolerance_frames=tolerance_frames)
