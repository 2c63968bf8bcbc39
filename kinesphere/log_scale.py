"""Positive numbers in one byte on a logarithmic scale: every step is the same share of the number, as suits errors."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kinesphere.errors import InvalidInput

CODES = 255
"""How many numbers there are; code 0 is none of them, but stands for a missing one."""


@dataclass(frozen=True)
class LogScale:
    """What codes of one byte stand for: 0 for a missing number, else `smallest * ratio ** (code - 1)`.

    Raises:
        InvalidInput: the smallest number is not positive, the ratio is not above 1, or float32 cannot hold the largest.
    """

    smallest: float
    """The number of code 1, in the units of its array."""
    ratio: float
    """Each code's number over that of the code before."""

    def __post_init__(self) -> None:
        limits = np.finfo(np.float32)
        if not (self.smallest >= float(limits.tiny) and 1 < self.ratio < 2 and self.largest <= float(limits.max)):
            raise InvalidInput(
                f"a log scale has a positive smallest number and a ratio above 1 with which {CODES} numbers fit into "
                f"float32; got smallest {self.smallest!r} and ratio {self.ratio!r}"
            )

    def __str__(self) -> str:
        return f"{self.smallest:g} x {self.ratio:g}^0..{CODES - 1}"

    @property
    def largest(self) -> float:
        """The number of code 255."""
        return self.smallest * float(self.ratio) ** (CODES - 1)

    @property
    def largest_error(self) -> float:
        """By which share a number within the range is changed at most: half a step."""
        return math.sqrt(self.ratio) - 1

    def encode(self, values: NDArray[Any]) -> tuple[NDArray[np.uint8], int]:
        """The nearest codes.

        Args:
            values: any shape, at least 0, NaN where missing.

        Returns:
            uint8 of the same shape, 0 where missing, and how many numbers lay beyond the range and got the code of its
            end. 0 does.

        Raises:
            InvalidInput: a number is negative.
        """
        missing = np.isnan(values)
        numbers = np.where(missing, self.smallest, values).astype(np.float64)
        if (numbers < 0).any():
            raise InvalidInput(f"a log scale holds no negative numbers, got {numbers.min():g}")
        with np.errstate(divide="ignore"):  # 0 is below the range like other small numbers
            exact = 1 + np.rint(np.log(numbers / self.smallest) / math.log(self.ratio))
        clipped = int(np.count_nonzero((exact < 1) | (exact > CODES)))
        codes = np.clip(exact, 1, CODES).astype(np.uint8)
        codes[missing] = 0
        return codes, clipped

    def decode(self, codes: NDArray[np.uint8], out: NDArray[np.float32] | None = None) -> NDArray[np.float32]:
        """Inverse of `encode`.

        Args:
            codes: uint8, any shape.
            out: where to put the numbers, float32 of the same shape.

        Returns:
            float32 of the same shape, NaN where missing; `out` if given.
        """
        if out is None:
            return np.asarray(self._numbers[codes], np.float32)
        # "clip" never clips here; without it NumPy would make an array of its own and copy
        return np.take(self._numbers, codes, out=out, mode="clip")

    @cached_property
    def _numbers(self) -> NDArray[np.float32]:
        """The number of every code."""
        found = self.smallest * np.float64(self.ratio) ** np.arange(-1, CODES)
        found[0] = np.nan
        return found.astype(np.float32)
