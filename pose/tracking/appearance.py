"""What a person's clothes look like, compared from frame to frame: colours of the trunk and of the thighs."""

from __future__ import annotations

import itertools

import numpy as np
from numpy.typing import NDArray

from kinesphere.trajectory import BODY_LANDMARKS
from pose.landmarks import BODY_HIPS, BODY_SHOULDERS
from pose.networks.landmark_networks import BodySighting

_KNEES = BODY_LANDMARKS.index("left_knee"), BODY_LANDMARKS.index("right_knee")
_BINS = 8
_CHROMA = 6.0
"""How much differences of colours are stretched: clothes and skin lie close to grey, and would share a bin or two."""
_ALONG, _ACROSS = np.meshgrid(np.linspace(0.1, 0.9, 16), np.linspace(0.15, 0.85, 12), indexing="ij")
"""Where a part is looked at, from its upper to its lower edge and from the left to the right, clear of its borders."""
_CORNERS = np.array(list(itertools.product((0.0, 1.0), repeat=3)))
_LEAST_INSIDE = 0.6
"""Share of a part that must lie in the region to say anything of it."""

Appearance = NDArray[np.float64]
"""(2, 512): for trunk and thighs, how often each brightness, red-green and yellow-blue occurs; NaN where hidden."""


def appearance_of(sighting: BodySighting) -> Appearance:
    """The colours of the person that the network looked at."""
    at = sighting.in_crop
    shoulders, hips, knees = at[list(BODY_SHOULDERS)], at[list(BODY_HIPS)], at[list(_KNEES)]
    return np.stack([_colours(sighting.crop, shoulders, hips), _colours(sighting.crop, hips, knees)])


def alike(one: Appearance, other: Appearance) -> float:
    """0..1: how alike the parts are that both show (the Bhattacharyya coefficient, averaged); NaN if there are none."""
    each = np.sqrt(one * other).sum(axis=1)
    seen = np.isfinite(each)
    return float(each[seen].mean()) if seen.any() else float("nan")


def blended(known: Appearance, new: Appearance, share: float) -> Appearance:
    """What is known, moved by a share towards what is new, for the parts that are seen."""
    mixed = np.where(np.isnan(known), new, known + share * (new - known))
    return np.where(np.isnan(new), known, mixed)


def _colours(crop: NDArray[np.uint8], upper: NDArray[np.float64], lower: NDArray[np.float64]) -> NDArray[np.float64]:
    """(512,): the colours between two edges (2, 2), each from left to right.

    A colour counts for the eight bins around it, so that a little more light moves it a little.
    """
    edges = [edge[0] + _ACROSS[..., None] * (edge[1] - edge[0]) for edge in (upper, lower)]
    places = edges[0] + _ALONG[..., None] * (edges[1] - edges[0])
    pixels = np.floor(places.reshape(-1, 2) * len(crop)).astype(np.int64)
    inside = ((pixels >= 0) & (pixels < len(crop))).all(axis=1)
    if inside.mean() < _LEAST_INSIDE:
        return np.full(_BINS**3, np.nan)
    red, green, blue = crop[pixels[inside, 1], pixels[inside, 0]].astype(np.float64).T
    bright = (red + green + blue) / 3
    colour = np.stack([bright, 128 + _CHROMA * (red - green), 128 + _CHROMA * ((red + green) / 2 - blue)], axis=1)
    bins = (colour * (_BINS / 256) - 0.5).clip(0, _BINS - 1.001)
    low = np.floor(bins)
    corners = low[:, None] + _CORNERS
    weights = (1 - np.abs(bins[:, None] - corners)).prod(axis=2)
    at = corners.astype(np.int64) @ np.array([_BINS * _BINS, _BINS, 1])
    counts = np.bincount(at.ravel(), weights.ravel(), minlength=_BINS**3)
    shares: NDArray[np.float64] = counts / counts.sum()
    return shares
