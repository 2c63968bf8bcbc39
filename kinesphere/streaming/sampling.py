"""What decides how often windows are drawn, and a random order of any number of them that takes no memory."""

from __future__ import annotations

import hashlib
import math
from dataclasses import dataclass, field
from typing import Any, Literal, get_args

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from kinesphere.errors import InvalidInput
from kinesphere.streaming.window_index import Integers, WindowIndex
from kinesphere.training.weight_expression import weights_of

Sampling = Literal["pool", "random"]
SAMPLINGS: tuple[Sampling, ...] = get_args(Sampling)


@dataclass(frozen=True)
class Weight:
    """How often the windows of each episode are drawn, in proportion to one another."""

    name: str
    """The expression, or "sha256:" and the hash of the array that was given: part of a state."""
    values: NDArray[np.float64] = field(compare=False, repr=False)
    """One a row of `episodes`; only those of chosen rows have to be weights."""

    @classmethod
    def of(cls, weight: Any, episodes: pa.Table) -> Weight | None:
        """The weight that an argument of `Dataset.stream` means.

        Args:
            weight: a column's name, an expression over columns, an array with a number for each row, or None.
            episodes: the episode table.

        Returns:
            The weights of all rows, or None.

        Raises:
            InvalidInput: there is no such column, it holds no numbers, the expression cannot be read, or the array has
                no number for every row.
        """
        if weight is None:
            return None
        if isinstance(weight, str):
            return cls(weight, weights_of(weight, episodes))
        if not isinstance(weight, np.ndarray) or weight.dtype.kind not in "iuf" or weight.shape != (len(episodes),):
            given = f"{weight.dtype} {weight.shape}" if isinstance(weight, np.ndarray) else repr(weight)
            raise InvalidInput(
                "weight should be an expression over columns of episodes, or a NumPy array of "
                f"{len(episodes)} numbers, one a row, got {given:.100}"
            )
        values = weight.astype("<f8")
        return cls(f"sha256:{hashlib.sha256(values.tobytes()).hexdigest()}", values)

    def of_rows(self, rows: Integers, episodes: pa.Table) -> NDArray[np.float64]:
        """The weights of chosen rows.

        Args:
            rows: int64 `[n]`.
            episodes: the episode table, for what an error says.

        Returns:
            float64 `[n]`, at least 0.

        Raises:
            InvalidInput: one is missing, negative or not finite, or all are 0.
        """
        weights: NDArray[np.float64] = self.values[rows]
        wrong = np.flatnonzero(~(np.isfinite(weights) & (weights >= 0)))
        if len(wrong):
            episode = episodes["episode"][int(rows[wrong[0]])].as_py()
            raise InvalidInput(
                f"episode '{episode}' has the weight {weights[wrong[0]]}; a weight should be a number, at least 0 "
                "(leave episodes out with where= or a weight of 0)"
            )
        if not weights.any():
            raise InvalidInput(f"all {len(rows)} chosen episodes have the weight 0; nothing would be drawn")
        return weights


@dataclass(frozen=True)
class Shares:
    """How many windows of an epoch each group of blocks gets."""

    group: Integers
    """The group of each block, 0 to G - 1."""
    draws: Integers
    """For each group, how many windows are drawn: together as many as there are windows."""

    @classmethod
    def equal(cls, index: WindowIndex, group_of_episode: Integers) -> Shares:
        """The same for every group, to within one.

        Args:
            index: of the windows.
            group_of_episode: int64, the group of each chosen episode, 0 to G - 1.

        Returns:
            The shares of G groups.
        """
        group = group_of_episode[index.episode]
        groups = int(group.max()) + 1
        draws = np.full(groups, index.total_windows // groups, np.int64)
        draws[: index.total_windows % groups] += 1
        return cls(group, draws)

    @classmethod
    def weighted(cls, index: WindowIndex, weights: NDArray[np.float64]) -> Shares:
        """For each episode in proportion to its weight times its windows, rounded by the largest remainder.

        Method of Hamilton; of equal remainders the episode that comes first. `math.fsum` rounds once, so the shares
        are the same on any machine.

        Args:
            index: of the windows.
            weights: float64, one number a chosen episode, at least 0, one of them more.

        Returns:
            The shares of the episodes, each a group.
        """
        windows = np.bincount(index.episode, weights=index.windows, minlength=len(weights))
        parts = weights / weights.max() * windows
        exact = parts * (index.total_windows / math.fsum(parts))
        draws = np.floor(exact).astype(np.int64)
        order = np.argsort(draws - exact, kind="stable")
        draws[order[: index.total_windows - int(draws.sum())]] += 1
        return cls(index.episode, draws)

    @property
    def nbytes(self) -> int:
        """Memory of the arrays."""
        return self.group.nbytes + self.draws.nbytes


class RandomPermutation:
    """A random order of `range(length)` of which any part can be worked out alone, in memory that does not grow.

    The swap-or-not shuffle (Hoang, Morris and Rogaway, "An enciphering scheme based on a card shuffle", CRYPTO 2012):
    each round pairs x with key - x modulo `length` and swaps the pair if a bit of its hash says so. It works for
    every length, needs no cycle walking, and 128 rounds bring any q of the places within
    length^1.5 / 65 * ((q + length) / (2 length))^65 of uniform: 3e-10 for a batch of 256 out of 2^24 windows.
    """

    ROUNDS = 128

    def __init__(self, length: int, seed: list[int]) -> None:
        raw = np.random.PCG64(seed).random_raw(2 * self.ROUNDS)
        self._length = length
        self._pairing = (raw[: self.ROUNDS] % np.uint64(length)).astype(np.int64)
        self._hashing: NDArray[np.uint64] = raw[self.ROUNDS :]

    def at(self, places: Integers) -> Integers:
        """What stands at some places.

        Args:
            places: int64, from 0 to `length` - 1.

        Returns:
            int64 like `places`.
        """
        values = places.copy()
        for pairing, hashing in zip(self._pairing, self._hashing, strict=True):
            partners = pairing - values
            partners[partners < 0] += self._length
            swapped = mixed(np.maximum(values, partners).view(np.uint64) ^ hashing) >> np.uint64(63) == 1
            np.copyto(values, partners, where=swapped)
        return values


def mixed(numbers: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """A hash of each number: the output function of SplitMix64 (Steele, Lea and Flood, OOPSLA 2014).

    Args:
        numbers: uint64, any shape.

    Returns:
        uint64 of the same shape.
    """
    numbers = (numbers ^ (numbers >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    numbers = (numbers ^ (numbers >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return numbers ^ (numbers >> np.uint64(31))
