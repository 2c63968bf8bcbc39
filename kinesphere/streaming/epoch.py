"""The order of one epoch: which windows are drawn, in which pools of blocks or one by one, in which sequence.

Random numbers come from the raw stream of NumPy's PCG64, which NumPy keeps the same across releases, and a stable
sort or integer arithmetic, so an order can be drawn again on any machine.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from kinesphere.streaming.sampling import RandomPermutation, Sampling, Shares, mixed
from kinesphere.streaming.window_index import Integers, WindowIndex

_BLOCKS, _BALANCE, _PART, _POOL, _RANDOM, _PART_START = range(6)
"""What random numbers are for; part of their seed, so that no two orders share them."""


@dataclass(frozen=True)
class Draws:
    """The windows of one pool in the order in which they are drawn."""

    blocks: Integers
    """The pool's blocks, ascending, each once."""
    slot: Integers
    """For each draw, its block's place in `blocks`."""
    window: Integers
    """For each draw, the window's place in its block."""


@dataclass(frozen=True)
class Epoch:
    """An epoch as a sequence of entries, each some windows of one block, cut into pools of bounded size.

    An entry draws every window of its block `passes` times, then `part` of them, chosen at random, once more.
    Without shares there is one entry a block, with one pass. Random sampling has no use for pools: there is one, in
    the order of blocks, and `drawn_at_random` says what comes where.
    """

    index: WindowIndex
    seed: int
    number: int
    shuffle: bool
    block: Integers
    passes: Integers
    part: Integers
    first_entry: Integers
    """First entry of each pool, then the number of entries."""

    @cached_property
    def first_draw(self) -> Integers:
        """First draw of each pool in the epoch, then the number of draws."""
        return self._draws_before[self.first_entry]

    @cached_property
    def _draws_before(self) -> Integers:
        """Draws before each entry, then the number of draws."""
        draws = self.passes * self.index.windows[self.block] + self.part
        return np.concatenate([[0], np.cumsum(draws)])

    @cached_property
    def _permutation(self) -> RandomPermutation:
        return RandomPermutation(int(self._draws_before[-1]), [self.seed, self.number, _RANDOM, 0])

    @staticmethod
    def memory_bound_bytes(index: WindowIndex, shares: Shares | None) -> int:
        """The most memory that an epoch's order takes while it is drawn, with the index of its windows.

        Args:
            index: of the windows.
            shares: how often groups of them are drawn, if not every one once.

        Returns:
            Bytes.
        """
        return 12 * index.nbytes + (0 if shares is None else shares.nbytes)

    def draws(self, pool: int) -> Draws:
        """The windows of a pool, in order. Needs no other pool, so an epoch can be entered anywhere.

        Args:
            pool: its number in the epoch.

        Returns:
            Every draw of the pool.
        """
        entries = slice(int(self.first_entry[pool]), int(self.first_entry[pool + 1]))
        block, passes, part = self.block[entries], self.passes[entries], self.part[entries]
        windows = self.index.windows[block]
        count = passes * windows + part
        last = np.cumsum(count)
        entry = np.repeat(np.arange(len(block), dtype=np.int64), count)
        window = (np.arange(len(entry), dtype=np.int64) - (last - count)[entry]) % windows[entry]
        for at in np.flatnonzero(part):
            chosen = permutation(int(windows[at]), self.seed, self.number, _PART, int(block[at]))
            window[last[at] - part[at] : last[at]] = chosen[: part[at]]
        if self.shuffle:
            order = permutation(len(entry), self.seed, self.number, _POOL, pool)
            entry, window = entry[order], window[order]
        blocks, slot_of_entry = np.unique(block, return_inverse=True)
        return Draws(blocks, slot_of_entry[entry], window)

    def drawn_at_random(self, places: Integers) -> tuple[Integers, Integers]:
        """Which windows stand at some places of a random order of all draws.

        The windows that an entry draws once more are spread evenly over its block, from a random beginning.

        Args:
            places: int64, from 0 to the number of draws.

        Returns:
            The block of each window and its place in the block, int64 like `places`.
        """
        drawn = self._permutation.at(places)
        entry = np.searchsorted(self._draws_before, drawn, side="right") - 1
        block, part = self.block[entry], self.part[entry]
        windows = self.index.windows[block]
        offset = drawn - self._draws_before[entry]
        more = offset - self.passes[entry] * windows
        raw = np.random.PCG64([self.seed, self.number, _PART_START, 0]).random_raw()
        start = (mixed(block.view(np.uint64) ^ np.uint64(raw)) % windows.view(np.uint64)).view(np.int64)
        spread = (more * windows + start) // np.maximum(part, 1)
        return block, np.where(more < 0, offset % windows, spread)


def plan_epoch(
    index: WindowIndex,
    seed: int,
    number: int,
    *,
    shuffle: bool,
    pool_frames: int,
    shares: Shares | None,
    sampling: Sampling = "pool",
) -> Epoch:
    """Draw the order of an epoch.

    Args:
        index: of the windows.
        seed: at least 0; with `number` it decides the order.
        number: of the epoch.
        shuffle: whether blocks and windows are put in random order.
        pool_frames: the most frames, and the most draws, that a pool holds.
        shares: how often to draw groups of blocks; None draws every window once.
        sampling: with "random", and `shuffle`, the order is that of `Epoch.drawn_at_random`.

    Returns:
        The epoch; the same arguments give the same one on any machine.
    """
    if shares is None:
        block = np.arange(len(index), dtype=np.int64)
        passes, part = np.ones_like(block), np.zeros_like(block)
    else:
        block, passes, part = _shared(index, shares, seed, number)
    if sampling == "random":
        return Epoch(index, seed, number, shuffle, block, passes, part, np.array([0, len(block)], np.int64))
    if shuffle:
        order = permutation(len(block), seed, number, _BLOCKS, 0)
        block, passes, part = block[order], passes[order], part[order]
    draws = passes * index.windows[block] + part
    return Epoch(index, seed, number, shuffle, block, passes, part, _cut_pools(index.frames[block], draws, pool_frames))


def permutation(length: int, seed: int, epoch: int, purpose: int, place: int) -> Integers:
    """A random order of `range(length)`: the order of as many random 64-bit numbers.

    Args:
        length: how many there are.
        seed: of the stream.
        epoch: number of the epoch.
        purpose: what the order is for; no two purposes share random numbers.
        place: which order of this purpose.

    Returns:
        int64 `[length]`.
    """
    raw: NDArray[np.uint64] = np.random.PCG64([seed, epoch, purpose, place]).random_raw(length)
    order = np.argsort(raw)  # four times as fast as a stable one, and the same where no two numbers are equal
    ordered = raw[order]
    if (ordered[1:] == ordered[:-1]).any():
        order = np.argsort(raw, kind="stable")
    return order.astype(np.int64, copy=False)


def _shared(index: WindowIndex, shares: Shares, seed: int, number: int) -> tuple[Integers, Integers, Integers]:
    """Entries that give every group its share of the epoch, as (block, passes, part).

    A group's share of draws over its windows is its rate; each of its windows is drawn floor(rate) times and some,
    whole blocks of them as far as that goes, once more. Many passes over a block are spread over several entries,
    so that they do not come in one stretch.
    """
    shuffled = permutation(len(index), seed, number, _BALANCE, 0)
    by_group = shuffled[np.argsort(shares.group[shuffled], kind="stable")]
    group, windows = shares.group[by_group], index.windows[by_group]
    available = np.bincount(group, weights=windows).astype(np.int64)
    rate, rest = shares.draws // available, shares.draws % available

    before = np.cumsum(windows) - windows
    before -= np.repeat((np.cumsum(available) - available), np.bincount(group))
    extra = np.clip(rest[group] - before, 0, windows)
    whole = extra == windows

    passes_at_once = np.maximum(1, int(index.windows.max()) // windows)
    full_entries, last_passes = np.divmod(rate[group], passes_at_once)
    repeats = full_entries + (last_passes > 0)
    block = np.repeat(by_group, repeats)
    passes = np.repeat(passes_at_once, repeats)
    last = (np.cumsum(repeats) - 1)[last_passes > 0]
    passes[last] = last_passes[last_passes > 0]
    more = np.flatnonzero(extra)
    return (
        np.concatenate([block, by_group[more]]),
        np.concatenate([passes, whole[more].astype(np.int64)]),
        np.concatenate([np.zeros_like(block), np.where(whole, 0, extra)[more]]),
    )


def _cut_pools(frames: Integers, draws: Integers, pool_frames: int) -> Integers:
    """Bounds of runs of entries with at most `pool_frames` frames and draws each, or of a single entry."""
    frames_up_to, draws_up_to = np.cumsum(frames), np.cumsum(draws)
    bounds = [0]
    while bounds[-1] < len(frames):
        first = bounds[-1]
        frames_before = int(frames_up_to[first - 1]) if first else 0
        draws_before = int(draws_up_to[first - 1]) if first else 0
        stop = min(
            int(np.searchsorted(frames_up_to, frames_before + pool_frames, side="right")),
            int(np.searchsorted(draws_up_to, draws_before + pool_frames, side="right")),
        )
        bounds.append(max(stop, first + 1))
    return np.array(bounds, np.int64)
