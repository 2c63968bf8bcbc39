"""Batches: windows of one epoch, in its order, cut out of one pool after another."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from kinesphere.shards.shard import OpenShards
from kinesphere.streaming.batch_memory import BatchMemory
from kinesphere.streaming.epoch import Draws, Epoch
from kinesphere.streaming.pools import Pool, PoolLoader, Spans, pool_dtype
from kinesphere.streaming.random_windows import RandomPools
from kinesphere.streaming.resampling import POOL_ARRAYS, TimeGrid
from kinesphere.streaming.window_index import WindowIndex
from kinesphere.trajectory import MISSING
from kinesphere.video.video_windows import VIDEO, VideoSource, VideoWindows

if TYPE_CHECKING:
    from kinesphere.streaming.stream import StreamSettings

Batch = dict[str, NDArray[Any]]


class BatchCutter:
    """Cuts the batches of one epoch out of one pool while the next is being read. To be closed."""

    def __init__(
        self,
        settings: StreamSettings,
        shards: OpenShards,
        spans: Spans,
        index: WindowIndex,
        epoch: Epoch,
        video: VideoSource | None = None,
        grid: TimeGrid | None = None,
        *,
        step: int = 1,
    ) -> None:
        """
        Args:
            step: batches are asked for in steps of this many.
        """
        self._settings = settings
        self._spans, self._index = spans, index
        self._epoch = epoch
        in_units = settings.dtype == "float32"
        self._types = {key: pool_dtype(POOL_ARRAYS[key], in_units=in_units) for key in settings.arrays}
        self._video = None if video is None else VideoWindows(video)
        self._video_shape = None if video is None else video.shape
        self._loader = PoolLoader(
            shards,
            spans,
            index,
            settings.arrays,
            settings.run_frames,
            in_units=in_units,
            grid=grid,
            threads=settings.threads,
        )
        is_random = settings.sampling == "random"
        self._random = RandomPools(settings, index, epoch, self._loader, step) if is_random else None
        self._memory = BatchMemory()
        self._number = -1
        self._draws: Draws | None = None
        self._pool: Pool | None = None
        self._begun: tuple[int, Draws, Callable[[], Pool]] | None = None

    def close(self) -> None:
        """Leave what is being read."""
        self._loader.close()
        if self._video is not None:
            self._video.close()

    def batch(self, number: int) -> Batch:
        """Batch `number` of the epoch, which may take windows from several pools."""
        first = number * self._settings.batch_size
        size = min(self._settings.batch_size, int(self._epoch.first_draw[-1]) - first)
        frames = self._settings.window_frames
        values = {
            key: self._memory.array(key, (size, frames, *POOL_ARRAYS[key].shape), dtype)
            for key, dtype in self._types.items()
        }
        mask = np.empty((size, frames), np.bool_)
        episode, frame = np.empty(size, np.int64), np.empty(size, np.int64)
        done = 0
        while done < size:
            if self._random is None:
                pool_number = int(np.searchsorted(self._epoch.first_draw, first + done, side="right")) - 1
                pool_first, pool_stop = (int(bound) for bound in self._epoch.first_draw[pool_number : pool_number + 2])
                index, (draws, pool) = self._index, self._loaded(pool_number)
            else:
                pool_first, pool_stop = first, first + size
                index, draws, pool = self._random.batch(number)
            part = slice(done, min(size, pool_stop - first))
            drawn = slice(first + part.start - pool_first, first + part.stop - pool_first)
            slot, offset = draws.slot[drawn], draws.window[drawn] * self._settings.stride
            views = {key: array[part] for key, array in values.items()}
            pool.cut_into(views, mask[part], slot, offset, self._settings.history)
            block = draws.blocks[slot]
            episode[part] = self._spans.row[index.episode[block]]
            frame[part] = index.first_frame[block] + offset
            done = part.stop
        if not mask.all():
            for key, array in values.items():
                array[~mask] = _missing(key, array.dtype)
        if self._video is not None and self._video_shape is not None:
            images = self._memory.array(VIDEO, (size, frames, *self._video_shape), np.uint8)
            self._video.read(episode, values[self._settings.video_times], mask, images)
            values = {key: values[key] for key in self._settings.keys if key != VIDEO} | {VIDEO: images}
        return values | {"mask": mask, "episode": episode, "frame": frame}

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


def _missing(key: str, dtype: np.dtype[Any]) -> float:
    """What stands in a batch for a frame that is not there."""
    if dtype == np.float32:
        return np.nan
    return MISSING if POOL_ARRAYS[key].is_fixed_point else 0
