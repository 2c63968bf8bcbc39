"""Krippendorff's alpha for unitizing: agreement of two or more annotators on segments, corrected for chance.

The family of coefficients of K. Krippendorff, Y. Mathet, S. Bouvry and A. Widlöcher, "On the reliability of unitizing
textual continua: further developments", Quality & Quantity 50 (2016), which replaces alpha_U of Krippendorff (1995,
2004), as in Krippendorff, Content Analysis, 4th ed. (2019), section 12.6. A *unit* is a segment; what no unit covers is
a *gap*, one of the values. All lengths are in frames.

* Observed coincidences of values c and k: over all ordered pairs of different annotators the frames that the one gives
  c and the other k, over the number of annotators less 1 (equation 32).
* Expected ones: the product of how many frames have c and k, where a unit cannot meet itself: of c with c, the squares
  of its units' lengths are subtracted, and of gaps, which have no length of their own, just their frames (equation 33).
* alpha = 1 - observed / expected disagreement (34). `alpha_units` takes all labels for one: is there something at all
  (35)? `alpha_labels` looks only at frames that two annotators gave a label (36, 37): do they mean the same? A unit's
  length is there how much of it the others have labelled, on average.

1 is perfect, 0 what chance would do, below 0 worse than chance. Without variation, such as one label everywhere, there
is no telling, and the value is NaN. Counts are sums over recordings, so continua are pooled by adding them up.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from annotate.agreement.segment_matching import Intervals

LENGTH, AGREED, SQUARES, PAIRED, PAIRED_SQUARES = range(5)
"""Rows of the counts: frames with a value; coincidences with itself; the squared lengths of its units (of gaps their
frames); frames with it that another annotator gave a label; the squared lengths of its units in these."""


def coincidences(annotators: Sequence[Intervals], frames: int, labels: int) -> NDArray[np.float64]:
    """What the alphas need of one recording, float64 `[5, 1 + labels]`: gaps first, then the labels by code.

    O(m n log n) for m annotators with n segments in all, and O(m^2 n) for their pairs.

    Args:
        annotators: the segments of at least two, none of which overlap another of the same annotator.
        frames: how many the recording has.
        labels: how many labels there are.
    """
    counts = np.zeros((5, 1 + labels))
    edges = np.unique(
        np.concatenate([[0, frames], *(side.start for side in annotators), *(side.end for side in annotators)])
    )
    lengths, others = np.diff(edges), len(annotators) - 1
    values = np.stack([_values(side, edges[:-1]) for side in annotators])
    labelled = (values > 0).sum(axis=0)
    for side, own in zip(annotators, values, strict=True):
        np.add.at(counts[LENGTH], own, lengths)
        agreeing = ((values == own).sum(axis=0) - 1) / others * lengths
        np.add.at(counts[AGREED], own, agreeing)
        is_unit = own > 0
        paired = np.where(is_unit, (labelled - 1) / others * lengths, 0.0)
        np.add.at(counts[PAIRED], own, paired)
        counts[SQUARES, 0] += lengths[~is_unit].sum()
        np.add.at(counts[SQUARES], side.label + 1, np.square((side.end - side.start).astype(np.float64)))
        unit = np.searchsorted(side.start, edges[:-1][is_unit], side="right") - 1
        by_unit = np.bincount(unit, paired[is_unit], len(side))
        np.add.at(counts[PAIRED_SQUARES], side.label + 1, np.square(by_unit))
    return counts


def _values(side: Intervals, moments: NDArray[np.int64]) -> NDArray[np.int64]:
    """The value that an annotator gives some frames: 0 for a gap, else the label's code and 1."""
    if not len(side):
        return np.zeros(len(moments), np.int64)
    unit = np.searchsorted(side.start, moments, side="right") - 1
    return np.where((unit >= 0) & (moments < side.end[unit]), side.label[unit] + 1, 0)


def alpha(counts: NDArray[np.float64]) -> NDArray[np.float64]:
    """Agreement on where units are and what they are called, `[...]` from counts `[..., 5, values]`."""
    return _alpha(counts[..., LENGTH, :], counts[..., AGREED, :].sum(-1), counts[..., SQUARES, :])


def alpha_units(counts: NDArray[np.float64]) -> NDArray[np.float64]:
    """Agreement on where there is a unit, whatever it is called; NaN where there is no gap."""
    length, squares = counts[..., LENGTH, :], counts[..., SQUARES, :]
    gaps, total = length[..., 0], length.sum(-1)
    observed = 2 * (gaps - counts[..., AGREED, 0])
    with np.errstate(divide="ignore", invalid="ignore"):
        expected = 2 * gaps * (total - gaps) / (total - squares.sum(-1) / total)
    return _ratio(observed, expected, total)


def alpha_labels(counts: NDArray[np.float64]) -> NDArray[np.float64]:
    """Agreement on what units are called, where two annotators have one."""
    agreed = counts[..., AGREED, 1:].sum(-1)
    return _alpha(counts[..., PAIRED, 1:], agreed, counts[..., PAIRED_SQUARES, 1:])


def _alpha(
    length: NDArray[np.float64], agreed: NDArray[np.float64], squares: NDArray[np.float64]
) -> NDArray[np.float64]:
    total = length.sum(-1)
    with np.errstate(divide="ignore", invalid="ignore"):
        scale = total - squares.sum(-1) / total
        expected = total - (np.square(length) - squares).sum(-1) / scale
    return _ratio(total - agreed, expected, total)


def _ratio(
    observed: NDArray[np.float64], expected: NDArray[np.float64], total: NDArray[np.float64]
) -> NDArray[np.float64]:
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(expected > 1e-9 * total, 1 - observed / expected, np.nan)
