"""How alike two labellings of one track are: the scores of action segmentation, without correction for chance.

Scores lie from 0 to 1 (papers give them in percent), and are NaN where they are not defined: where neither labelling
has a segment. Where only one has, F1, edit score and frame-wise IoU are 0. What no segment covers is background, and
counts in none of them.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from annotate.agreement.segment_matching import Intervals, Overlaps, overlapping


def hits(overlaps: Overlaps, least_iou: float) -> int:
    """How many segments of the second labelling the first one finds: the true positives of the segmental F1 score.

    As Lea, Flynn, Vidal, Reiter and Hager (Temporal Convolutional Networks for Action Segmentation and Detection,
    CVPR 2017) count them, and Abu Farha and Gall (MS-TCN, CVPR 2019) after them: each segment of the first takes the
    one of the same label with the greatest IoU, the earliest of several, whether or not it is taken already; it is a
    hit if the IoU is at least `least_iou`, and the first to take it. So swapping the two can change the number.
    """
    same = np.flatnonzero(overlaps.is_same_label)
    order = same[np.lexsort((overlaps.second[same], -overlaps.iou[same], overlaps.first[same]))]
    taken = order[np.unique(overlaps.first[order], return_index=True)[1]]
    return len(np.unique(overlaps.second[taken][overlaps.iou[taken] >= least_iou]))


def edit_distance(first: NDArray[np.int64], second: NDArray[np.int64]) -> int:
    """Levenshtein's distance of two sequences of codes: the least insertions, deletions and substitutions.

    A column of the table is two numbers with a bit for each row, which say where it rises and falls (Myers, JACM 46,
    1999; as Hyyro, 2003, computes the distance of whole sequences): O(n m / 64), 0.1 s for 10,000 codes each.
    """
    places: dict[int, int] = {}
    for place, code in enumerate(first.tolist()):
        places[code] = places.get(code, 0) | 1 << place
    every, last, distance = (1 << len(first)) - 1, 1 << len(first) >> 1, len(first)
    if not last:
        return len(second)
    rises, falls = every, 0
    for code in second.tolist():
        same = places.get(code, 0)
        is_diagonal = (((same & rises) + rises) ^ rises) | same | falls
        right_rises = (falls | ~(is_diagonal | rises)) & every
        right_falls = rises & is_diagonal
        distance += bool(right_rises & last) - bool(right_falls & last)
        right_rises, right_falls = right_rises << 1 | 1, right_falls << 1
        rises = (right_falls | ~(same | falls | right_rises)) & every
        falls = right_rises & (same | falls) & every
    return distance


def edit_score(first: Intervals, second: Intervals) -> float:
    """The segmental edit score: 1 less the distance of the sequences of labels over the length of the longer.

    Lea, Reiter, Vidal and Hager, Segmental Spatiotemporal CNNs for Fine-grained Action Segmentation, ECCV 2016. It
    minds the order of labels and whether they are cut up, and not when they begin. Their labels are of frames, so two
    segments of one label that touch are one to them; here they are two.
    """
    longer = max(len(first), len(second))
    return 1 - edit_distance(first.label, second.label) / longer if longer else math.nan


def shared_frames(first: Intervals, second: Intervals) -> tuple[int, int]:
    """How many frames have a label in both labellings, and how many in either: a frame with a label counts once.

    The first over the second is the frame-wise IoU, which is Jaccard's index of the two sets of (frame, label).
    """
    # each label gets a stretch of frames of its own, so that only segments of the same label can meet
    stretch = max((int(side.end.max()) for side in (first, second) if len(side)), default=0)
    a, b = (_merged(side.start + side.label * stretch, side.end + side.label * stretch) for side in (first, second))
    shared = int(overlapping(a, b).frames.sum())
    return shared, int((a.end - a.start).sum() + (b.end - b.start).sum()) - shared


def _merged(start: NDArray[np.int64], end: NDArray[np.int64]) -> Intervals:
    """Intervals that overlap or touch as one."""
    order = np.argsort(start, kind="stable")
    start, latest = start[order], np.maximum.accumulate(end[order]) if len(end) else end
    begins = np.flatnonzero(np.concatenate([[True], start[1:] > latest[:-1]])) if len(start) else order
    last = np.append(begins[1:], len(start)) - 1 if len(start) else order
    return Intervals(start[begins], latest[last], np.zeros(len(begins), np.int64))


def boundary_errors(first: Intervals, second: Intervals, overlaps: Overlaps, pairs: list[int]) -> NDArray[np.int64]:
    """How many frames apart the starts and ends of matched segments are, int64 `[2 pairs]`, never negative."""
    a, b = overlaps.first[pairs], overlaps.second[pairs]
    distances = np.concatenate([first.start[a] - second.start[b], first.end[a] - second.end[b]])
    return np.asarray(np.abs(distances), np.int64)
