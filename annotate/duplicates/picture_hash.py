"""PDQ: 256 bits of a picture that stay nearly the same when it is encoded, scaled or brightened."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

BITS = 256
_SIDE, _WAVES = 64, 16
_LUMA = np.array([0.299, 0.587, 0.114])
_COSINES = np.sqrt(2 / _SIDE) * np.cos(np.pi / 2 / _SIDE * np.outer(np.arange(1, _WAVES + 1), 2 * np.arange(_SIDE) + 1))
"""(16, 64): the discrete cosine transform without its constant."""
_PASSES = 2


def picture_hashes(image: NDArray[np.uint8]) -> tuple[NDArray[np.uint8], NDArray[np.uint8], int]:
    """The hash of a picture, that of the picture turned over (left to right), and how much structure it has.

    Davis and Rosen, "The TMK+PDQF Video-Hashing Algorithm and the PDQ Image-Hashing Algorithm" (Facebook 2019): the
    picture's light is blurred, 64 x 64 points of it are transformed, and each of the 16 x 16 slowest waves gives a
    bit, which tells whether it is stronger than their median. Ours, because the package `pdqhash` has to be compiled
    where there is no wheel of it; the bits are the same. Both come from one reading: PDQ's dihedral hash, which needs
    one transform only, was 26 bits from that of the mirrored picture.

    Args:
        image: uint8 (height, width, 3), RGB, or its light (0.299 R + 0.587 G + 0.114 B), (height, width).

    Returns:
        uint8 (32,), twice, and the quality, 0 to 100: below 50 a picture has so little structure that it is like any
        other.
    """
    lines = _lines(image)
    points = _across(lines)
    return _bits(points), _bits(_across(lines[:, ::-1])), _quality(points)


def _lines(image: NDArray[np.uint8]) -> NDArray[np.float32]:
    """(64, width): blurred and sampled downwards."""
    light = (image @ _LUMA if image.ndim == 3 else image).astype(np.float32)
    return np.asarray(_points_of(len(light)) @ light, np.float32)


def _across(lines: NDArray[np.float32]) -> NDArray[np.float32]:
    """(64, 64): lines of a picture, blurred and sampled across, too."""
    return np.asarray(lines @ _points_of(lines.shape[1]).T, np.float32)


def _bits(points: NDArray[np.float32]) -> NDArray[np.uint8]:
    waves = _COSINES @ points @ _COSINES.T
    median = np.sort(waves, axis=None)[BITS // 2 - 1]
    return np.packbits(waves > median)


@lru_cache(maxsize=32)
def _points_of(length: int) -> NDArray[np.float32]:
    """(64, length): what each point takes of a line of a picture: blurring and sampling are sums."""
    taken: NDArray[np.float64] = np.eye(length)
    for _ in range(_PASSES):
        taken = _blurred(taken)
    return taken[((np.arange(_SIDE) + 0.5) * length // _SIDE).astype(np.int64)].astype(np.float32)


def _blurred(lines: NDArray[np.float64]) -> NDArray[np.float64]:
    """Means over a box along the first axis, which is smaller where it would leave the picture."""
    length = len(lines)
    box = (length + 2 * _SIDE - 1) // (2 * _SIDE)
    if box == 1:
        return lines
    after = (box + 2) // 2
    at = np.arange(length)
    first, stop = np.maximum(0, at - (box - after)), np.minimum(length, at + after)
    sums = np.concatenate([np.zeros((1, lines.shape[1])), lines.cumsum(0)])
    means: NDArray[np.float64] = (sums[stop] - sums[first]) / (stop - first)[:, None]
    return means


def _quality(points: NDArray[np.float32]) -> int:
    """How much neighbouring points differ altogether: PDQ's measure."""
    steps = sum(int(np.abs(np.trunc(np.diff(points, axis=axis) * 100 / 255)).sum()) for axis in (0, 1))
    return min(100, steps // 90)
