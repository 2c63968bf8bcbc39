"""Statistics of features as LeRobot keeps them, gathered while frames go by."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

SAMPLE_FRAMES = 16_384
"""Quantiles are those of so many frames, evenly spaced; of all, where there are no more."""
_QUANTILES = {"q01": 0.01, "q10": 0.1, "q50": 0.5, "q90": 0.9, "q99": 0.99}


class FeatureStatistics:
    """Of one feature: exact but for quantiles; what is missing counts nowhere.

    T. F. Chan, G. H. Golub, R. J. LeVeque, "Updating formulae and a pairwise algorithm for computing sample
    variances", 1979.
    """

    def __init__(self, numbers: int, step: int) -> None:
        """
        Args:
            step: one frame in so many enters the quantiles.
        """
        self._step = step
        self._frames = 0
        self._count = np.zeros(numbers, np.int64)
        self._mean = np.zeros(numbers)
        self._squares = np.zeros(numbers)
        self._least = np.full(numbers, np.inf)
        self._greatest = np.full(numbers, -np.inf)
        self._sample: list[NDArray[Any]] = []

    def add(self, values: NDArray[Any]) -> None:
        """Count frames, `(frames, numbers)` or `(frames,)`."""
        found = values.reshape(len(values), -1).astype(np.float64)
        self._sample.append(values.reshape(len(values), -1)[(-self._frames) % self._step :: self._step].copy())
        self._frames += len(values)
        there = ~np.isnan(found)
        count = there.sum(axis=0)
        mean = np.where(there, found, 0).sum(axis=0) / np.maximum(count, 1)
        squares = np.where(there, (found - mean) ** 2, 0).sum(axis=0)
        total = self._count + count
        distance, share = mean - self._mean, count / np.maximum(total, 1)
        self._squares += squares + distance**2 * self._count * share
        self._mean += distance * share
        self._count = total
        self._least = np.fmin(self._least, np.where(there, found, np.inf).min(axis=0, initial=np.inf))
        self._greatest = np.fmax(self._greatest, np.where(there, found, -np.inf).max(axis=0, initial=-np.inf))

    def to_json(self) -> dict[str, list[float] | list[int]]:
        """Lists with one entry a number; NaN where it is missing in all frames. `count` is the number of frames."""
        never = self._count == 0
        sample = np.concatenate(self._sample).astype(np.float64)
        quantiles = np.full((len(_QUANTILES), len(never)), np.nan)
        present = ~np.isnan(sample).all(axis=0)
        if present.any():
            quantiles[:, present] = np.nanquantile(sample[:, present], list(_QUANTILES.values()), axis=0)
        found = {
            "min": self._least,
            "max": self._greatest,
            "mean": self._mean,
            "std": np.sqrt(self._squares / np.maximum(self._count, 1)),
            **dict(zip(_QUANTILES, quantiles, strict=True)),
        }
        return {name: np.where(never, np.nan, values).tolist() for name, values in found.items()} | {
            "count": [self._frames]
        }
