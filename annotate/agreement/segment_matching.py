"""Which of two annotators' segments mean the same, and where they differ: for measures and for adjudication."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from kinesphere.errors import InvalidInput
from storage.recordings.segment import Segment

Aspect = Literal["missing", "label", "object", "hand", "outcome", "start", "end"]
"""In what two annotators differ on a segment; "missing" where only one of them has it."""

OTHER_LABEL = 0.5
"""What the overlap of two segments counts for in a matching if their labels differ; 1 if they are the same."""
MOST_CANDIDATES = 4_000_000


@dataclass(frozen=True, eq=False)
class Intervals:
    """One annotator's segments of one track as arrays `[n]`, int64, by start and then by end."""

    start: NDArray[np.int64]
    """Frames."""
    end: NDArray[np.int64]
    label: NDArray[np.int64]
    """Codes of labels."""

    def __len__(self) -> int:
        return len(self.start)

    @property
    def is_disjoint(self) -> bool:
        """Whether no frame has two labels."""
        return bool((self.start[1:] >= self.end[:-1]).all())


@dataclass(frozen=True, eq=False)
class Overlaps:
    """All pairs of a segment of one annotator and one of another that share a frame, arrays `[p]`, in order."""

    first: NDArray[np.int64]
    """Places in the one's intervals."""
    second: NDArray[np.int64]
    """Places in the other's."""
    frames: NDArray[np.int64]
    """How many frames they share."""
    iou: NDArray[np.float64]
    """The same over how many frames either has: intersection over union, above 0 and up to 1."""
    is_same_label: NDArray[np.bool_]


@dataclass(frozen=True)
class Correspondence:
    """A segment of one annotator and the one of the other that means the same, where there is one."""

    first: Segment | None
    second: Segment | None
    differs: tuple[Aspect, ...]
    """In what they differ; empty where they agree."""

    @property
    def track(self) -> str:
        """The track that both are of."""
        return self._there[0].track

    @property
    def start_frame(self) -> int:
        """The first frame that either has."""
        return min(segment.start_frame for segment in self._there)

    @property
    def end_frame(self) -> int:
        """The frame after the last that either has."""
        return max(segment.end_frame for segment in self._there)

    @property
    def _there(self) -> list[Segment]:
        return [segment for segment in (self.first, self.second) if segment is not None]


def correspondences(
    first: Iterable[Segment], second: Iterable[Segment], *, tolerance_frames: int = 0
) -> list[Correspondence]:
    """What an adjudicator looks at: each segment of two annotators once, in order of time, with what differs.

    Segments of one track are matched one to one by `matched`; what is left over is missing at the other. Filter by
    `differs` for the differences alone.

    Args:
        tolerance_frames: edges that lie no further apart than this are the same.
    """
    found: list[Correspondence] = []
    sides = list(first), list(second)
    for track in sorted({segment.track for side in sides for segment in side}):
        a, b = (sorted_segments(segment for segment in side if segment.track == track) for side in sides)
        codes: dict[str, int] = {}
        overlaps = overlapping(intervals_of(a, codes), intervals_of(b, codes))
        partner = {int(overlaps.first[pair]): int(overlaps.second[pair]) for pair in matched(overlaps)}
        lonely = set(range(len(b))) - set(partner.values())
        found += [
            Correspondence(segment, b[partner[place]], _differs(segment, b[partner[place]], tolerance_frames))
            if place in partner
            else Correspondence(segment, None, ("missing",))
            for place, segment in enumerate(a)
        ]
        found += [Correspondence(None, b[place], ("missing",)) for place in lonely]
    return sorted(found, key=lambda one: (one.start_frame, one.end_frame, one.track, one.first is None))


def _differs(first: Segment, second: Segment, tolerance: int) -> tuple[Aspect, ...]:
    aspects: dict[Aspect, bool] = {
        "label": first.label != second.label,
        "object": first.object != second.object,
        "hand": first.hand != second.hand,
        "outcome": first.outcome != second.outcome,
        "start": abs(first.start_frame - second.start_frame) > tolerance,
        "end": abs(first.end_frame - second.end_frame) > tolerance,
    }
    return tuple(aspect for aspect, is_so in aspects.items() if is_so)


def sorted_segments(segments: Iterable[Segment]) -> list[Segment]:
    """Segments by start, then by end, then by what they say."""
    return sorted(segments, key=_order)


def _order(segment: Segment) -> tuple[int, int, str, str, str, str]:
    words = (segment.object or "", segment.hand or "", segment.outcome or "")
    return segment.start_frame, segment.end_frame, segment.label, *words


def intervals_of(segments: Sequence[Segment], codes: dict[str, int]) -> Intervals:
    """Segments of one track, which are sorted, as arrays.

    Args:
        codes: the code of each label; labels that are not in it yet are added.

    Raises:
        InvalidInput: a segment holds no frame, or begins before the recording.
    """
    for segment in segments:
        if not 0 <= segment.start_frame < segment.end_frame:
            raise InvalidInput(
                f"segment '{segment.label[:100]}' of track '{segment.track}' goes from frame {segment.start_frame} to "
                f"{segment.end_frame}; it must begin at 0 or later and hold a frame"
            )
    columns = [(one.start_frame, one.end_frame, codes.setdefault(one.label, len(codes))) for one in segments]
    return Intervals(*np.array(columns, np.int64).reshape(-1, 3).T.copy())


def overlapping(first: Intervals, second: Intervals) -> Overlaps:
    """All pairs that share a frame, by place in `first`, then in `second`: O(n log n + pairs) for disjoint segments.

    Raises:
        InvalidInput: one annotator's segments overlap each other so much that there are millions of pairs.
    """
    from_place = np.searchsorted(np.maximum.accumulate(second.end), first.start, side="right")
    counts = np.maximum(np.searchsorted(second.start, first.end) - from_place, 0)
    if counts.sum() > MOST_CANDIDATES:
        raise InvalidInput(
            f"{len(first):,} and {len(second):,} segments of one track overlap each other too often to be compared; "
            "a track should have one label at a time"
        )
    a = np.repeat(np.arange(len(first)), counts)
    b = np.arange(len(a)) + np.repeat(from_place - (np.cumsum(counts) - counts), counts)
    shared = np.minimum(first.end[a], second.end[b]) - np.maximum(first.start[a], second.start[b])
    a, b, shared = a[shared > 0], b[shared > 0], shared[shared > 0]
    either = np.maximum(first.end[a], second.end[b]) - np.minimum(first.start[a], second.start[b])
    return Overlaps(a, b, shared, shared / either, first.label[a] == second.label[b])


def matched(overlaps: Overlaps) -> list[int]:
    """The one-to-one matching in order of time with the greatest sum of IoU, as places in `overlaps`.

    The IoU of two segments of different labels counts half, so that a segment is matched with one of its label
    unless another fits more than twice as well. If neither annotator's segments overlap each other, no two matches
    can cross, and this is the greatest of all matchings, found by the heaviest chain that rises in both: O(p log p).
    Swapping annotators gives the same pairs. Of two matchings alike, that which uses earlier pairs counts.
    """
    weights = overlaps.iou * np.where(overlaps.is_same_label, 1.0, OTHER_LABEL)
    best = _HeaviestBelow(int(overlaps.second.max()) + 1 if len(overlaps.second) else 0)
    sums, before = weights.tolist(), [-1] * len(weights)
    waiting: list[int] = []
    for pair, (a, b) in enumerate(zip(overlaps.first.tolist(), overlaps.second.tolist(), strict=True)):
        if waiting and overlaps.first[waiting[-1]] != a:
            for one in waiting:
                best.add(int(overlaps.second[one]), sums[one], one)
            waiting = []
        weight, before[pair] = best.below(b)
        sums[pair] += weight
        waiting.append(pair)
    last = max(range(len(sums)), key=lambda pair: (sums[pair], -pair), default=-1)
    chain = []
    while last >= 0:
        chain.append(last)
        last = before[last]
    return chain[::-1]


class _HeaviestBelow:
    """The heaviest chain that ends below a place: a Fenwick tree of maxima (Fenwick, 1994)."""

    def __init__(self, size: int) -> None:
        self._tree = [(0.0, -1)] * (size + 1)

    def add(self, place: int, weight: float, pair: int) -> None:
        place += 1
        while place < len(self._tree):
            self._tree[place] = _heavier(self._tree[place], (weight, pair))
            place += place & -place

    def below(self, place: int) -> tuple[float, int]:
        found = (0.0, -1)
        while place > 0:
            found = _heavier(found, self._tree[place])
            place -= place & -place
        return found


def _heavier(one: tuple[float, int], other: tuple[float, int]) -> tuple[float, int]:
    """The heavier of two chains, given by weight and last pair; of two alike the one that ends earlier."""
    if one[0] != other[0]:
        return max(one, other)
    return min(one, other)
