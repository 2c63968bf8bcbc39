"""Measures of agreement over many recordings, each with its interval: what is counted, pooled and resampled."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import NDArray

from annotate.agreement import unitizing_alpha
from annotate.agreement.segment_matching import Intervals, matched, overlapping
from annotate.agreement.segment_scores import boundary_errors, edit_score, hits, shared_frames

LEAST_IOU = (0.10, 0.25, 0.50)
CONFIDENCE = 0.95


@dataclass(frozen=True)
class Estimate:
    """A measure and the bounds of its 95 % interval."""

    value: float
    low: float | None
    """None where fewer than two recordings tell anything: there is nothing to resample."""
    high: float | None
    recordings: int
    """How many recordings tell something about it."""


@dataclass(frozen=True)
class Measures:
    """How well annotators agree on one track; a measure is None where it is not defined.

    All but the alphas compare two annotators at a time, without correction for chance, and lie from 0 to 1.
    """

    matched_iou: Estimate | None
    """Mean temporal IoU of matched segments, whatever their labels; see `segment_matching.matched`."""
    frame_iou: Estimate | None
    """Frames to which both give the same label, over frames with that label from either (Jaccard's index)."""
    f1_10: Estimate | None
    """Segmental F1 at 10 % overlap, the mean of both ways round (Lea et al. 2017)."""
    f1_25: Estimate | None
    f1_50: Estimate | None
    edit: Estimate | None
    """Segmental edit score, the mean over pairs of labellings (Lea et al. 2016)."""
    boundary_median: Estimate | None
    """Frames between the edges of matched segments: of n in order, number ceil(n / 2)."""
    boundary_p90: Estimate | None
    """The same, number ceil(9 n / 10)."""
    alpha: Estimate | None
    """Krippendorff's alpha for units and their labels, at most 1, 0 at chance; see `unitizing_alpha`."""
    alpha_units: Estimate | None
    """The same for whether there is a unit at all."""
    alpha_labels: Estimate | None
    """The same for what it is called where two annotators have one."""


@dataclass(frozen=True, eq=False)
class Tally:
    """What two labellings of a track add to its measures, or those of one recording together: sums and errors."""

    sums: NDArray[np.float64]
    """float64 `[10]`: hits at each of `LEAST_IOU` both ways; segments; IoU and number of matches; frames shared and
    in all; edit scores and their number."""
    errors: NDArray[np.int64]
    """int64 `[2 matches]`: frames between edges."""


def compare(first: Intervals, second: Intervals) -> Tally:
    """Compare what two annotators labelled on one track of a recording; swapping them changes nothing.

    With 10,000 segments each less than a second: O(n log n), and O(n m / 64) for the edit score.
    """
    overlaps, back = overlapping(first, second), overlapping(second, first)
    pairs = matched(overlaps)
    score = edit_score(first, second)
    is_defined = not np.isnan(score)
    sums = [
        *(hits(overlaps, least) + hits(back, least) for least in LEAST_IOU),
        len(first) + len(second),
        overlaps.iou[pairs].sum(),
        len(pairs),
        *shared_frames(first, second),
        score if is_defined else 0.0,
        is_defined,
    ]
    return Tally(np.array(sums, np.float64), boundary_errors(first, second, overlaps, pairs))


def together(comparisons: Sequence[Tally]) -> Tally:
    """At least one comparison as one tally."""
    return Tally(np.sum([one.sums for one in comparisons], axis=0), np.concatenate([one.errors for one in comparisons]))


def resampled(recordings: int, resamples: int, seed: int) -> NDArray[np.int64]:
    """How often each recording counts, int64 `[1 + draws, recordings]`: once each, then as drawn with replacement.

    Recordings are drawn whole, because segments of one recording are not independent of each other (the cluster
    bootstrap: Davison and Hinkley, Bootstrap Methods and their Application, 1997, section 3.8). Of one there is
    nothing to draw.
    """
    draws = resamples if recordings > 1 else 0
    drawn = np.random.default_rng(seed).multinomial(recordings, np.full(recordings, 1 / recordings), draws)
    return np.concatenate([np.ones((1, recordings), np.int64), drawn])


def estimates(
    tallies: Sequence[Tally], counts: Sequence[NDArray[np.float64] | None], weights: NDArray[np.int64]
) -> Measures:
    """The measures of some recordings together, with percentile intervals (Efron 1979).

    Counts are pooled and then divided, as the authors of the scores do: a recording with many segments weighs more.

    Args:
        counts: the `coincidences` of each, for the alphas; None where they are not defined.
        weights: how often each counts, as from `resampled`.
    """
    sums = np.stack([one.sums for one in tallies])
    pooled = weights @ sums
    ratios: Mapping[str, tuple[int, int]] = {
        "f1_10": (0, 3), "f1_25": (1, 3), "f1_50": (2, 3), "matched_iou": (4, 5), "frame_iou": (6, 7), "edit": (8, 9),
    }  # fmt: skip
    found: dict[str, Estimate | None] = {}
    with np.errstate(divide="ignore", invalid="ignore"):
        for name, (part, whole) in ratios.items():
            found[name] = _estimate(pooled[:, part] / pooled[:, whole], int((sums[:, whole] > 0).sum()))
    found.update(_boundaries([one.errors for one in tallies], weights))
    found.update(_alphas(counts, weights))
    return Measures(**{field.name: found[field.name] for field in fields(Measures)})


def _boundaries(errors: Sequence[NDArray[np.int64]], weights: NDArray[np.int64]) -> dict[str, Estimate | None]:
    values, place = np.unique(np.concatenate(errors), return_inverse=True)
    recording = np.repeat(np.arange(len(errors)), [len(one) for one in errors])
    table = np.zeros((len(errors), len(values)))
    np.add.at(table, (recording, place), 1)
    up_to = np.cumsum(np.rint(weights @ table).astype(np.int64), axis=1)
    number = up_to[:, -1] if len(values) else np.zeros(len(weights), np.int64)
    telling = sum(len(one) > 0 for one in errors)
    found = {}
    for name, tenths in (("boundary_median", 5), ("boundary_p90", 9)):
        shown = np.full(len(weights), np.nan)
        rank = -(-number[number > 0] * tenths // 10)
        shown[number > 0] = values[(up_to[number > 0] < rank[:, None]).sum(axis=1)]
        found[name] = _estimate(shown, telling)
    return found


def _alphas(counts: Sequence[NDArray[np.float64] | None], weights: NDArray[np.int64]) -> dict[str, Estimate | None]:
    places = [place for place, one in enumerate(counts) if one is not None]
    counted = [one for one in counts if one is not None]
    pooled = np.zeros((len(weights), 5, 1))
    if counted:
        stacked = np.stack(counted)
        pooled = (weights[:, places] @ stacked.reshape(len(counted), -1)).reshape(len(weights), *stacked.shape[1:])
    with_both = sum(bool(one[unitizing_alpha.PAIRED, 1:].any()) for one in counted)
    return {
        "alpha": _estimate(unitizing_alpha.alpha(pooled), len(counted)),
        "alpha_units": _estimate(unitizing_alpha.alpha_units(pooled), len(counted)),
        "alpha_labels": _estimate(unitizing_alpha.alpha_labels(pooled), with_both),
    }


def _estimate(values: NDArray[np.float64], recordings: int) -> Estimate | None:
    """The first value, and the interval that 95 % of the others lie in; draws that tell nothing are left out."""
    value, others = float(values[0]), values[1:][~np.isnan(values[1:])]
    if np.isnan(value):
        return None
    if recordings < 2 or not len(others):
        return Estimate(value, None, None, recordings)
    low, high = np.quantile(others, [(1 - CONFIDENCE) / 2, (1 + CONFIDENCE) / 2])
    return Estimate(value, float(low), float(high), recordings)
