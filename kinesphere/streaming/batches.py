"""Batches: windows of one epoch, in its order, cut out of one pool after another."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from kinesphere.shards.shard import OpenShards
from kinesphere.streaming.batch_memory import BatchMemory
from kinesphere.streaming.block_pools import BlockPools
from kinesphere.streaming.episode_spans import Spans
from kinesphere.streaming.epoch import Epoch
from kinesphere.streaming.frame_weights import WEIGHT
from kinesphere.streaming.pool_layout import PoolLayout
from kinesphere.streaming.pools import PoolLoader
from kinesphere.streaming.random_windows import RandomPools
from kinesphere.streaming.stream_settings import StreamSettings
from kinesphere.streaming.time_grid import TimeGrid
from kinesphere.streaming.window_index import WindowIndex
from kinesphere.trajectory import MISSING, ArraySpec
from kinesphere.transforms.transform import Batch
from kinesphere.video.video_keys import VIDEO
from kinesphere.video.video_windows import VideoSource, VideoWindows

_INDEX_BYTES = 64
"""What it takes to say, for each frame of a batch, where it is in the pool."""


class BatchCutter:
    """Cuts the batches of one epoch out of one pool while the next is being read. To be closed."""

    def __init__(
        self,
        settings: StreamSettings,
        layout: PoolLayout,
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
        self._layout = layout
        self._spans = spans
        self._epoch = epoch
        self._video = None if video is None else VideoWindows(video)
        self._video_shape = None if video is None else video.shape
        pools = pools_of(settings)
        self._loader = PoolLoader(shards, spans, index, layout, settings.run_frames, grid=grid, threads=pools.THREADS)
        self._pools = pools(settings, index, epoch, self._loader, step)
        self._memory = BatchMemory()

    @staticmethod
    def memory_bound_bytes(settings: StreamSettings, layout: PoolLayout, video: VideoSource | None) -> int:
        """The most memory that batches take, those of the caller included, and the cutting of one.

        Args:
            settings: of the stream.
            layout: of its arrays.
            video: where the videos are, if they are streamed.

        Returns:
            Bytes; decoders of videos are counted by `VideoSource.memory_bound_bytes`.
        """
        mask_bytes = 1
        frame_bytes = layout.frame_bytes + mask_bytes + (0 if video is None else int(np.prod(video.shape)))
        making = layout.frame_numbers + _INDEX_BYTES
        if settings.frame_weight is not None:
            spec = layout.specs[settings.frame_weight.array]
            frame_bytes += 4 * math.prod(settings.frame_weight.shape(spec))
            making += 5 * spec.numbers  # its numbers in units, and which of them are missing
        cutting = settings.batch_frames * making
        return BatchMemory.memory_bound_bytes(settings.batch_frames * frame_bytes) + cutting

    def close(self) -> None:
        """Leave what is being read."""
        self._loader.close()
        if self._video is not None:
            self._video.close()

    def batch(self, number: int) -> Batch:
        """A batch of the epoch, which may take windows from several pools.

        Args:
            number: of the batch in the epoch, of all ranks together.

        Returns:
            Arrays by key, as `Dataset.stream` says.

        Raises:
            CorruptObject: an object of a shard, or a video, is missing or damaged.
            InvalidInput: a shard has no such array, or another one of its name.
        """
        shape = self._settings.shape
        first = number * self._settings.batch_size
        size = min(self._settings.batch_size, int(self._epoch.first_draw[-1]) - first)
        values = {
            key: self._memory.array(key, (size, shape.frames, *self._layout.specs[key].shape), dtype)
            for key, dtype in self._layout.types.items()
        }
        mask = np.empty((size, shape.frames), np.bool_)
        episode, frame = np.empty(size, np.int64), np.empty(size, np.int64)
        done = 0
        while done < size:
            drawn = self._pools.drawn(first + done, size - done)
            part = slice(done, done + len(drawn.slot))
            offset = drawn.window * shape.stride
            views = {key: array[part] for key, array in values.items()}
            drawn.pool.cut_into(views, mask[part], drawn.slot, offset, shape.history)
            episode[part] = self._spans.row[drawn.index.episode[drawn.block]]
            frame[part] = drawn.index.first_frame[drawn.block] + offset
            done = part.stop
            del drawn  # so that its pool is let go before another is begun
        if not mask.all():
            for key, array in values.items():
                array[~mask] = _missing(self._layout.specs[key], array.dtype)
        found = {key: values[key] for key in self._layout.handed_over}
        if self._video is not None and self._video_shape is not None:
            images = self._memory.array(VIDEO, (size, shape.frames, *self._video_shape), np.uint8)
            self._video.read(episode, values[self._settings.video_times], mask, images)
            found[VIDEO] = images
        weigh = self._settings.frame_weight
        if weigh is not None:
            spec = self._layout.specs[weigh.array]
            found[WEIGHT] = self._memory.array(WEIGHT, (size, shape.frames, *weigh.shape(spec)), np.float32)
            weigh.put(spec, values[weigh.array], found[WEIGHT])
        return found | {"mask": mask, "episode": episode, "frame": frame}


def pools_of(settings: StreamSettings) -> type[BlockPools | RandomPools]:
    """The pools out of which batches are cut, by how windows are sampled.

    Args:
        settings: of the stream.

    Returns:
        Their class.
    """
    return RandomPools if settings.sampling == "random" else BlockPools


def _missing(spec: ArraySpec, dtype: np.dtype[Any]) -> float:
    """What stands in a batch for a frame that is not there."""
    if dtype == np.float32:
        return np.nan
    return MISSING if spec.is_fixed_point else 0
