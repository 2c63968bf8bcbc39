"""How far each wrist is from the camera: by its hand's size, by the body's, and by how both move.

A hand of forty pixels says its distance to a tenth, and errs alike for a second; the body's landmarks say it better
where the body is seen, and not at all where there is none. Each says how sure it is, and they are weighed. Distances
are kept as logarithms, since all that is uncertain about a size is a factor.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from kinesphere.trajectory import BODY_LANDMARKS
from pose.landmarks import BODY_HIPS, BODY_SHOULDERS, BODY_WRISTS, VISIBLE
from pose.motion.bias_smoother import LastingError, Smoothed, Sources, smooth_sources
from pose.motion.placement import Placement
from pose.tracking.filtering import LEAST_VISIBLE

Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]

HAND, BODY, CUT_BODY = range(3)
"""The sources: the hand, a body seen whole, and one cut off by the picture's edge or not to be believed."""

LASTING = (
    LastingError(HAND, 0.07, np.inf),
    LastingError(HAND, 0.10, 0.5),
    LastingError(BODY, 0.04, np.inf),
    LastingError(BODY, 0.05, 0.7),
    LastingError(CUT_BODY, 0.5, np.inf),
    LastingError(CUT_BODY, 0.3, 0.7),
)
"""Errors of log distances. For good: people's hands differ by 5 % for their stature, and the network's by as much; its
bodies by 4 %. That people differ in stature is common to all and adds nothing here. For a while: what the network makes
of a pose, as measured on rendered people."""
HAND_NOISE = 3.0
"""Times the hand's deviation by its landmarks: their errors are not independent."""
LEAST_NOISE = 0.02
"""Deviation of a log distance in one frame, at best."""
HIDDEN_NOISE = 0.05
"""Deviation that a wrist adds whose visibility is a half."""

DISAGREE = 0.45
"""Log distances of body and hand that differ by more, where the hand is large, are not of one person."""
LARGE_HAND = 70.0
"""Pixels from which on a hand's distance is believed against the body's."""
MEMORY_SECONDS = 5.0
"""For how long a disagreement speaks against a body, before and after."""
LIVELINESS = 0.3
"""Share of the liveliness in the picture's plane that is granted to the distance, along which hands move less."""
LIVELINESS_SECONDS = 3.0
"""Time over which liveliness is measured."""
LAG_SECONDS = 0.2
"""Speeds this far apart tell the acceleration."""
STILL, WILD = 0.01, 10.0
"""m^2/s^3: spectral densities of acceleration between which every hand lies, at rest and throwing."""

_SEEN_WHOLE = [BODY_LANDMARKS.index("nose"), *BODY_SHOULDERS, *BODY_HIPS]


@dataclass(frozen=True)
class Sizes:
    """What the picture says of distances, frame by frame."""

    by_hand: Floats
    """(frames, 2): metres from the camera's plane to each wrist by its hand's size; NaN where there is no hand."""
    by_hand_variance: Floats
    """(frames, 2): of it, relative."""
    by_body: Floats
    """(frames, 2): by the body's size; NaN where there is no body."""
    by_body_variance: Floats
    """(frames, 2): of it, relative."""
    hand_pixels: Floats
    """(frames, 2): how long the hand is in the picture; NaN where there is none."""


def wrist_sizes(hands: tuple[Placement, Placement], wrists: Floats, body: Placement, hand_pixels: Floats) -> Sizes:
    """Collect what placements say of the wrists' distances.

    Args:
        hands: of the left and the right hand, whose origin is the wrist.
        wrists: (frames, 2, 3) of the body in the camera's frame, metres.
        body: the body's placement.
        hand_pixels: (frames, 2).

    Returns:
        The distances.
    """
    by_hand = np.stack([hand.translation[:, 2] for hand in hands], axis=1)
    variance = np.stack([hand.covariance[:, 5, 5] for hand in hands], axis=1)
    by_body = np.where(wrists[..., 2] > 0.1, wrists[..., 2], np.nan)
    return Sizes(by_hand, variance / by_hand**2, by_body, body.covariance[:, 5, 5][:, None] / by_body**2, hand_pixels)


def wrist_depth(
    times: Floats,
    sizes: Sizes,
    image: NDArray[np.float32],
    visibility: NDArray[np.float32],
    is_owner: Flags,
    acceleration: Floats,
) -> Smoothed:
    """The logarithm of each wrist's distance over time, of all that is known of it.

    Args:
        times: (frames,) seconds.
        sizes: what each frame says.
        image: (frames, 33, 3) the body in the picture, in image widths and heights.
        visibility: (frames, 33) of its landmarks.
        is_owner: (frames,) whether it can be that of the hands, as `owns_the_hands` tells.
        acceleration: (frames, 2) spectral density, of the logarithm, 1/s^3; see `liveliness`.

    Returns:
        (frames, 2): the logarithms of metres, their rates, and the variances of both.
    """
    whole = _is_whole(image, visibility)[:, None] & is_owner[:, None]
    with np.errstate(invalid="ignore"):
        by_body = np.log(sizes.by_body)
        samples = np.stack(
            [np.log(sizes.by_hand), np.where(whole, by_body, np.nan), np.where(whole, np.nan, by_body)], axis=2
        )
    hidden = HIDDEN_NOISE * (1 / np.clip(visibility[:, list(BODY_WRISTS)], LEAST_VISIBLE, 1) - 1)
    body_variance = sizes.by_body_variance + (LEAST_NOISE / 2) ** 2 + hidden**2
    variances = np.stack(
        [HAND_NOISE**2 * sizes.by_hand_variance + LEAST_NOISE**2, body_variance, body_variance + LEAST_NOISE**2], axis=2
    )
    return smooth_sources(Sources(times, samples, variances, acceleration, LASTING))


def liveliness(times: Floats, speeds: Floats, found: Flags, distance: Floats) -> Floats:
    """How much each wrist's distance is expected to accelerate: as the wrist does in the picture's plane, but less.

    Args:
        times: (frames,) seconds.
        speeds: (frames, 2, 2) of the wrists' rays, 1/s.
        found: (frames, 2) where there is a hand.
        distance: (2,) metres, about.

    Returns:
        (frames, 2): spectral density of a white acceleration of the log distance, 1/s^3.
    """
    step = float(np.median(np.diff(times))) if len(times) > 1 else 1.0
    lag = max(1, round(LAG_SECONDS / step))
    squares, weights = np.zeros(found.shape), np.zeros(found.shape)
    if len(times) > lag:
        both = found[lag:] & found[:-lag]
        change = ((speeds[lag:] - speeds[:-lag]) ** 2).mean(axis=2)
        squares[: len(both)][both], weights[: len(both)][both] = change[both] / (lag * step), 1.0
    usual = np.sqrt(STILL * WILD) / distance**2
    around = _fading_sums(np.concatenate([squares, weights], axis=1), times, LIVELINESS_SECONDS)
    # a tenth of a second of a usual hand stands for what is not seen yet
    usual_weight = 0.1 / step
    mean = (around[:, :2] + usual_weight * usual) / (around[:, 2:] + usual_weight)
    return np.asarray(np.clip(LIVELINESS * mean, STILL / distance**2, WILD / distance**2), np.float64)


def owns_the_hands(times: Floats, sizes: Sizes) -> Flags:
    """Whether a body can be the owner of the hands that are seen about this time.

    Where hands fill the picture the network takes an arm or the back of a chair for a whole person.

    Args:
        times: (frames,) seconds.
        sizes: what each frame says.

    Returns:
        (frames,): False where the hands say that it is another's, or nobody's.
    """
    with np.errstate(invalid="ignore"):
        compared = np.isfinite(sizes.by_hand) & np.isfinite(sizes.by_body) & (sizes.hand_pixels > LARGE_HAND)
        odd = compared & (np.abs(np.log(sizes.by_body) - np.log(sizes.by_hand)) > DISAGREE)
    around = _fading_sums(
        np.stack([odd.any(axis=1), compared.any(axis=1)], axis=1).astype(float), times, MEMORY_SECONDS
    )
    return np.asarray(~odd.any(axis=1) & (around[:, 0] <= around[:, 1] / 2), np.bool_)


def _is_whole(image: NDArray[np.float32], visibility: NDArray[np.float32]) -> Flags:
    """(frames,): whether head and trunk lie in the picture, and the trunk is seen."""
    inside = ((image[:, _SEEN_WHOLE, :2] >= 0) & (image[:, _SEEN_WHOLE, :2] <= 1)).all(axis=(1, 2))
    return np.asarray(inside & (visibility[:, _SEEN_WHOLE[1:]] > VISIBLE).all(axis=1), np.bool_)


def _fading_sums(values: Floats, times: Floats, seconds: float) -> Floats:
    """(frames, n): sums over time, before and after, in which what is `seconds` away counts a third."""
    kept = np.exp(-np.diff(times, prepend=times[0]) / seconds)
    sums, before, after = np.empty_like(values), np.zeros(values.shape[1]), np.zeros(values.shape[1])
    for k in range(len(values)):
        before = before * kept[k] + values[k]
        sums[k] = before
    for k in range(len(values) - 1, -1, -1):
        sums[k] += after
        after = (after + values[k]) * kept[k]
    return sums
