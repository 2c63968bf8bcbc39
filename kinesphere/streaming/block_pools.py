"""Windows in the order of pools: a pool of whole blocks is drawn from while the next one is read."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from kinesphere.streaming.epoch import Draws, Epoch
from kinesphere.streaming.pool_layout import PoolLayout
from kinesphere.streaming.pools import DrawnWindows, Pool, PoolLoader
from kinesphere.streaming.stream_settings import StreamSettings
from kinesphere.streaming.window_index import Integers, WindowIndex

_DRAW_BYTES = 72
"""What the order of the windows takes, for each, while it is drawn."""


class BlockPools:
    """Gives the windows of an epoch from pools of blocks."""

    THREADS = PoolLoader.THREADS

    def __init__(
        self, settings: StreamSettings, index: WindowIndex, epoch: Epoch, loader: PoolLoader, step: int
    ) -> None:
        """
        Args:
            step: batches are asked for in steps of this many; pools are read whole all the same.
        """
        self._index, self._epoch, self._loader = index, epoch, loader
        self._number = -1
        self._draws: Draws | None = None
        self._pool: Pool | None = None
        self._begun: tuple[int, Draws, Callable[[], Pool]] | None = None

    @staticmethod
    def memory_bound_bytes(settings: StreamSettings, layout: PoolLayout, index: WindowIndex, lengths: Integers) -> int:
        """The most memory that two pools take, the one drawn from and the next, with the order of their windows.

        Args:
            settings: of the stream.
            layout: of its arrays.
            index: of its windows.
            lengths: int64, frames of each chosen episode.

        Returns:
            Bytes.
        """
        frames = index.most_carried(lengths, settings.pool_frames)
        return 2 * (frames * layout.frame_bytes + settings.pool_frames * _DRAW_BYTES)

    def drawn(self, first: int, most: int) -> DrawnWindows:
        """The windows at some places of the epoch's order, as far as one pool has them.

        Args:
            first: the first place.
            most: how many places.

        Returns:
            At most so many windows, and at least one.

        Raises:
            CorruptObject: an object of a shard is missing or damaged.
        """
        number = int(np.searchsorted(self._epoch.first_draw, first, side="right")) - 1
        draws, pool = self._loaded(number)
        begin = first - int(self._epoch.first_draw[number])
        return DrawnWindows.of(self._index, draws, pool, slice(begin, begin + most))

    def _loaded(self, number: int) -> tuple[Draws, Pool]:
        if self._draws is None or self._pool is None or number != self._number:
            self._draws = self._pool = None  # two pools at most: this one is let go before another is begun
            _, self._draws, finish = self._take(number)
            self._pool = finish()
            self._number = number
            if number + 2 < len(self._epoch.first_draw):
                self._begun = self._take(number + 1)
        return self._draws, self._pool

    def _take(self, number: int) -> tuple[int, Draws, Callable[[], Pool]]:
        """A pool that is being read, begun now unless it was before."""
        begun, self._begun = self._begun, None
        if begun is not None and begun[0] == number:
            return begun
        draws = self._epoch.draws(number)
        return number, draws, self._loader.begin(draws.blocks)
