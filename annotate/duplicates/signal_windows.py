"""Signals of a recording cut into windows of time, and the bits that tell how alike two windows run."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray


def windows(
    signal: NDArray[np.float32], length: int, *, rate: float, speed: float = 1.0, every: float = 1.0
) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    """Windows of a signal, read at another speed.

    Args:
        signal: (points, channels), `rate` points a second.
        length: points in a window.
        speed: points of the signal from one point of a window to the next.
        every: seconds of the signal from one window to the next.

    Returns the windows' beginnings in nanoseconds, (windows,), and what is in them, (windows, length, channels).
    """
    firsts = np.arange(0, len(signal) - (length - 1) * speed - 1, every * rate)
    if not len(firsts):
        return np.empty(0, np.int64), np.empty((0, length, signal.shape[1]), np.float32)
    at = firsts[:, None] + np.arange(length) * speed
    lower = np.floor(at).astype(np.int64)
    share = (at - lower)[..., None].astype(np.float32)
    found = signal[lower] * (1 - share) + signal[np.minimum(lower + 1, len(signal) - 1)] * share
    return np.rint(firsts / rate * 1e9).astype(np.int64), found


def angle_bits(found: NDArray[np.float32]) -> NDArray[np.uint8]:
    """256 bits a window, (windows, 32), by random hyperplanes: the share of different bits is the angle over pi.

    Charikar, "Similarity estimation techniques from rounding algorithms" (STOC 2002).
    """
    features = found.shape[1] * found.shape[2]
    return np.packbits(found.reshape(len(found), features) @ hyperplanes(features) > 0, axis=1)


@lru_cache(maxsize=2)
def hyperplanes(features: int) -> NDArray[np.float32]:
    """Normals of 256 hyperplanes, (features, 256): the same for ever, or stored fingerprints do not compare."""
    generator = np.random.Generator(np.random.PCG64(20_260_101))
    return generator.standard_normal((features, 256)).astype(np.float32)
