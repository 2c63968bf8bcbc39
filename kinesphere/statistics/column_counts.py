"""Exact quantiles and moments of columns of numbers, by counting: the memory does not grow with the data."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kinesphere.errors import InvalidInput

PERCENTILES = (1, 5, 25, 50, 75, 95, 99)

_DIGIT = 2**16
_RANKS = 2 + len(PERCENTILES)
"""What is looked for in each column: the least value, the percentiles, the greatest."""
_MISSING_FLOAT = np.uint32(2**32 - 1)


@dataclass(frozen=True, eq=False)
class ColumnStatistics:
    """What was found, one entry a column; NaN where a column has no value."""

    count: NDArray[np.int64]
    mean: NDArray[np.float64]
    std: NDArray[np.float64]
    """Of the values themselves (divided by their number, not by one less)."""
    ordered: NDArray[np.float64]
    """float64 `(columns, 9)`: the least value, those at `PERCENTILES`, the greatest."""


class ColumnCounts:
    """Counts the values of columns, in one pass over the data (uint8, int16) or two (float32).

    Every value becomes a key of 8, 16 or 32 bits of the same order. Keys of up to 16 bits are counted value by value.
    Of longer ones the first pass counts the upper 16 bits, which tells for each rank looked for which upper half it
    has; the second counts the lower 16 bits of those keys. That is radix selection with digits of 16 bits (Knuth, "The
    Art of Computer Programming" 3, 5.2.5), and nothing in it is approximate.

    The p-th percentile is the least value that at least p percent of the values do not exceed: the one at rank
    ceil(n p / 100) in order, in whole numbers. It is one of the values; `numpy.quantile` calls it "inverted_cdf".

    -32768 in int16 columns, and in float32 columns all that is not finite, is missing and not counted.
    """

    def __init__(self, dtype: str, columns: int) -> None:
        if dtype not in ("uint8", "int16", "float32"):
            raise InvalidInput(f"columns of uint8, int16 or float32 can be counted, not of {dtype}")
        self._dtype = dtype
        self._columns = columns
        self._digit = 256 if dtype == "uint8" else _DIGIT
        self._pass = -1
        self._histogram = np.zeros((0, 0), np.int64)
        self._moments = _Moments(columns)
        self._ranks = np.zeros((columns, _RANKS), np.int64)
        self._upper = np.zeros((columns, _RANKS), np.int64)
        self._slots = np.zeros((0, 0), np.int16)
        self._first_row = np.zeros(columns, np.int64)
        self.by_value = np.zeros((0, 0), np.int64)
        """After the last pass over uint8: `(columns, 256)`, how often each value occurs."""
        self.result: ColumnStatistics | None = None
        """There after the last pass."""

    @classmethod
    def joined(cls, parts: Sequence[ColumnCounts]) -> ColumnCounts:
        """Counts of some columns each, after their last pass, as those of all columns.

        Args:
            parts: of one type, in the order of their columns.

        Returns:
            What one count of all columns would have found.
        """
        if len(parts) == 1:
            return parts[0]
        found = [part.result for part in parts if part.result is not None]
        assert len(found) == len(parts), "every pass was made"
        whole = cls(parts[0]._dtype, sum(part._columns for part in parts))
        whole.by_value = np.concatenate([part.by_value for part in parts])
        whole.result = ColumnStatistics(
            np.concatenate([part.count for part in found]),
            np.concatenate([part.mean for part in found]),
            np.concatenate([part.std for part in found]),
            np.concatenate([part.ordered for part in found]),
        )
        return whole

    @property
    def passes(self) -> int:
        """How often the data has to be gone through."""
        return 2 if self._dtype == "float32" else 1

    def counter_bytes(self, number: int) -> int:
        """The most memory that pass `number` counts in.

        Args:
            number: of the pass, from 0.

        Returns:
            Bytes.
        """
        return self._columns * (1 if number == 0 else _RANKS) * self._digit * 8

    def begin_pass(self) -> None:
        """Make room to count in."""
        self._pass += 1
        rows = self._columns
        if self._pass == 1:
            rows = 0
            self._slots = np.full((self._columns, _DIGIT), -1, np.int16)
            for column in range(self._columns):
                halves = np.unique(self._upper[column])
                self._slots[column, halves] = np.arange(len(halves))
                self._first_row[column] = rows
                rows += len(halves)
        self._histogram = np.zeros((rows, self._digit), np.int64)

    def count(self, values: NDArray[Any]) -> None:
        """Count rows of values, `(rows, columns)` of the type given; in the same order in every pass.

        Args:
            values: `(rows, columns)`, contiguous.
        """
        keys = _keys(values)
        if self._pass == 0 and self._dtype == "float32":
            self._moments.add(values)
        for column in range(self._columns):
            key = keys[:, column]
            if self._dtype != "float32":
                np.add.at(self._histogram[column], key, 1)
            elif self._pass == 0:
                np.add.at(self._histogram[column], key >> 16, 1)
            else:
                slot = self._slots[column, key >> 16]
                found = slot >= 0
                row = self._first_row[column] + slot[found]
                np.add.at(self._histogram.reshape(-1), row * _DIGIT + (key[found] & 0xFFFF), 1)

    def end_pass(self) -> None:
        """Find the ranks among what was counted; after the last pass `result` is there."""
        if self._pass == 0:
            self._drop_missing()
            total = self._histogram.sum(axis=1)
            percents = np.array([0, *PERCENTILES, 100])
            self._ranks = np.maximum(-(-total[:, None] * percents // 100), 1)
            found = self._found(np.repeat(np.arange(self._columns)[:, None], _RANKS, axis=1))
            if self.passes == 2:
                self._upper = found
            else:
                self.by_value = self._histogram if self._digit == 256 else self.by_value
                self.result = self._of_integers(total, found)
        else:
            rows = self._first_row[:, None] + np.take_along_axis(self._slots, self._upper, axis=1)
            keys = (self._upper << 16 | self._found(rows)).astype(np.uint32)
            moments = self._moments
            ordered = np.where(moments.count[:, None] > 0, _floats(keys).astype(np.float64), np.nan)
            self.result = ColumnStatistics(moments.count, moments.mean_or_nan, moments.std, ordered)
        self._histogram = np.zeros((0, 0), np.int64)

    def _drop_missing(self) -> None:
        if self._dtype == "int16":
            self._histogram[:, 0] = 0
        elif self._dtype == "float32":
            self._histogram[:, int(_MISSING_FLOAT) >> 16] = 0  # no finite number begins with this digit

    def _found(self, rows: NDArray[np.int64]) -> NDArray[np.int64]:
        """The digit at each rank, counted in `rows` of the histogram; the ranks become those within that digit."""
        digits = np.zeros((self._columns, _RANKS), np.int64)
        for column in range(self._columns):
            for place, row in enumerate(rows[column]):
                if place == 0 or row != rows[column, place - 1]:
                    sums = np.cumsum(self._histogram[row])
                if sums[-1] == 0:
                    continue  # a column without a value
                digit = int(np.searchsorted(sums, self._ranks[column, place]))
                digits[column, place] = digit
                self._ranks[column, place] -= sums[digit - 1] if digit else 0
        return digits

    def _of_integers(self, total: NDArray[np.int64], found: NDArray[np.int64]) -> ColumnStatistics:
        """Mean and deviation follow from how often each value occurs, without any rounding before the last step."""
        values = np.arange(self._digit, dtype=np.int64) - (_DIGIT // 2 if self._dtype == "int16" else 0)
        sums = self._histogram @ values
        squares = values * values
        # two halves, for one sum would overflow after 10^10 frames
        upper, lower = self._histogram @ (squares >> 15), self._histogram @ (squares & 0x7FFF)
        mean, std = np.full(self._columns, np.nan), np.full(self._columns, np.nan)
        for column, n in enumerate(total.tolist()):
            if n:
                of_values, of_squares = int(sums[column]), (int(upper[column]) << 15) + int(lower[column])
                mean[column] = of_values / n
                std[column] = math.sqrt((n * of_squares - of_values**2) / n**2)
        ordered = np.where(total[:, None] > 0, values[found].astype(np.float64), np.nan)
        return ColumnStatistics(total, mean, std, ordered)


class _Moments:
    """Mean and squared deviations of float columns, block by block in float64 (Chan, Golub and LeVeque 1983)."""

    def __init__(self, columns: int) -> None:
        self.count = np.zeros(columns, np.int64)
        self._mean = np.zeros(columns)
        self._squares = np.zeros(columns)

    def add(self, values: NDArray[Any]) -> None:
        finite = np.isfinite(values)
        here = finite.sum(axis=0)
        exact = np.where(finite, values, 0).astype(np.float64)
        mean = exact.sum(axis=0) / np.maximum(here, 1)
        squares = (np.where(finite, exact - mean, 0) ** 2).sum(axis=0)
        both = np.maximum(self.count + here, 1)
        difference = mean - self._mean
        self._squares += squares + difference**2 * self.count * here / both
        self._mean += difference * here / both
        self.count = self.count + here

    @property
    def mean_or_nan(self) -> NDArray[np.float64]:
        return np.where(self.count > 0, self._mean, np.nan)

    @property
    def std(self) -> NDArray[np.float64]:
        return np.where(self.count > 0, np.sqrt(self._squares / np.maximum(self.count, 1)), np.nan)


def _keys(values: NDArray[Any]) -> NDArray[Any]:
    """Unsigned numbers of the same order."""
    if values.dtype == np.uint8:
        return values
    if values.dtype == np.int16:
        return values.view(np.uint16) ^ np.uint16(0x8000)
    bits = values.view(np.uint32)
    keys = np.where(bits >> 31, ~bits, bits | np.uint32(0x80000000))
    return np.where(np.isfinite(values), keys, _MISSING_FLOAT)


def _floats(keys: NDArray[np.uint32]) -> NDArray[np.float32]:
    """The float32 of each key."""
    bits = np.where(keys >> 31, keys & np.uint32(0x7FFFFFFF), ~keys)
    return np.ascontiguousarray(bits).view(np.float32)
