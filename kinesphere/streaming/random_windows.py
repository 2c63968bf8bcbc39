"""Windows in a uniformly random order: those of the next batches are read together, while these are used."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from kinesphere.streaming.epoch import Draws, Epoch
from kinesphere.streaming.pool_layout import PoolLayout
from kinesphere.streaming.pools import DrawnWindows, Pool, PoolLoader
from kinesphere.streaming.stream_settings import StreamSettings
from kinesphere.streaming.window_index import Integers, WindowIndex

MOST_WINDOWS = 2048
"""The most windows that are read together, unless a batch has more."""
_READ_BYTES = 2048
"""What a read that waits for its thread takes, at most."""


def group_batches(batch_size: int, window: int, pool_frames: int) -> int:
    """How many batches are read together, at most: as many as the pool holds, and at least one.

    Args:
        batch_size: windows of a batch.
        window: frames of a window with what comes along.
        pool_frames: frames of a pool.

    Returns:
        Number of batches.
    """
    return max(1, min(pool_frames // (batch_size * window), MOST_WINDOWS // batch_size))


@dataclass(frozen=True)
class _Group:
    """Batches that are read together. Every window is a block of its own, in the order of the batches."""

    batches: range
    index: WindowIndex
    finish: Callable[[], Pool]


class RandomPools:
    """Gives the windows of every `step`-th batch of an epoch, read a group of batches ahead."""

    THREADS = 32
    """Reads in flight: each is of a window or a few, so a store's answers are waited for side by side."""

    def __init__(
        self, settings: StreamSettings, index: WindowIndex, epoch: Epoch, loader: PoolLoader, step: int
    ) -> None:
        """
        Args:
            step: batches are asked for in steps of this many.
        """
        self._batch_size = settings.batch_size
        self._most = group_batches(settings.batch_size, settings.shape.frames, settings.pool_frames)
        self._index, self._epoch, self._loader, self._step = index, epoch, loader, step
        self._total = int(epoch.first_draw[-1])
        self._group: _Group | None = None
        self._pool: Pool | None = None
        self._begun: _Group | None = None

    @staticmethod
    def memory_bound_bytes(settings: StreamSettings, layout: PoolLayout, index: WindowIndex, lengths: Integers) -> int:
        """The most memory that two groups of batches take, the one that is used and the next.

        Args:
            settings: of the stream.
            layout: of its arrays.
            index: of its windows.
            lengths: int64, frames of each chosen episode.

        Returns:
            Bytes.
        """
        frames = settings.shape.frames
        windows = settings.batch_size * group_batches(settings.batch_size, frames, settings.pool_frames)
        return 2 * windows * (frames * layout.frame_bytes + len(layout.types) * _READ_BYTES)

    def drawn(self, first: int, most: int) -> DrawnWindows:
        """The windows of a batch.

        Args:
            first: their first place in the epoch's order.
            most: how many; no more than are left of the batch.

        Returns:
            So many windows.

        Raises:
            CorruptObject: an object of a shard is missing or damaged.
        """
        number, begin = divmod(first, self._batch_size)
        group, pool = self._loaded(number)
        begin += group.batches.index(number) * self._batch_size
        blocks = np.arange(len(group.index), dtype=np.int64)
        draws = Draws(blocks, blocks, np.zeros_like(blocks))
        return DrawnWindows.of(group.index, draws, pool, slice(begin, begin + most))

    def _loaded(self, number: int) -> tuple[_Group, Pool]:
        if self._group is None or self._pool is None or number not in self._group.batches:
            self._group = self._pool = None  # two groups at most: this one is let go before another is begun
            begun, self._begun = self._begun, None
            self._group = begun if begun is not None and number in begun.batches else self._begin(number, 1)
            self._pool = self._group.finish()
            # The first batch is wanted soon; each further group may be twice as large as the one before.
            following = self._group.batches[-1] + self._step
            if following * self._batch_size < self._total:
                self._begun = self._begin(following, min(2 * len(self._group.batches), self._most))
        return self._group, self._pool

    def _begin(self, number: int, batches: int) -> _Group:
        """Begin to read up to `batches` batches, from `number` on."""
        last_of_all = -(-self._total // self._batch_size)
        group = range(number, min(number + batches * self._step, last_of_all), self._step)
        places = (np.array(group)[:, None] * self._batch_size + np.arange(self._batch_size)).reshape(-1)
        index = _single_windows(self._index, *self._epoch.drawn_at_random(places[places < self._total]))
        return _Group(group, index, self._loader.begin(np.arange(len(index), dtype=np.int64), index))


def _single_windows(index: WindowIndex, block: Integers, window: Integers) -> WindowIndex:
    """An index of chosen windows, given by block and place in it, each as a block of its own."""
    return replace(
        index,
        episode=index.episode[block],
        first_frame=index.first_frame[block] + window * index.stride,
        windows=np.ones_like(block),
        frames=np.minimum(index.window, index.frames[block]),
    )
