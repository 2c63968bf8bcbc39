"""Streaming: windows of episodes in batches, every window once an epoch, in an order that can be entered anywhere."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import pyarrow as pa

from .batches import Batch, BatchCutter
from .epoch import plan_epoch
from .errors import InvalidInput, NewerFormat
from .pools import PoolLoader, Spans, pool_dtype
from .shard_arrays import CHUNK_FRAMES
from .shard_reader import INDEX_ENTRY_BYTES
from .shards import MAX_FRAMES, OpenShards
from .trajectory import ARRAYS
from .video_windows import VIDEO
from .where import where_expression
from .windows import Integers, index_windows

if TYPE_CHECKING:
    from .dataset import Dataset

DType = Literal["float32", "int16"]

STATE_VERSION = 1
BLOCK_FRAMES = 4096
"""The most frames of an episode that are read and drawn from as a unit; a sixteenth of the pool if that is less."""
POOL_FRAMES = 32 * BLOCK_FRAMES


@dataclass(frozen=True)
class StreamSettings:
    """What to stream; see `Dataset.stream`."""

    window: int
    batch_size: int
    keys: tuple[str, ...]
    stride: int
    shuffle: bool
    seed: int
    balance: str | None
    where: str | None
    dtype: DType
    pool_frames: int
    video_size: tuple[int, int] | None = None
    split: str | None = None

    def __post_init__(self) -> None:
        for name, least in (("window", 1), ("batch_size", 1), ("stride", 1), ("seed", 0), ("pool_frames", self.window)):
            value = getattr(self, name)
            if not isinstance(value, int) or value < least:
                raise InvalidInput(f"{name} should be a whole number, at least {least}, got {value!r}")
        if self.dtype not in ("float32", "int16"):
            raise InvalidInput(f"dtype should be 'float32' or 'int16', got {self.dtype!r}")
        if self.video_size is not None and VIDEO not in self.keys:
            raise InvalidInput('video_size is for keys=[..., "video"]')
        if self.balance is not None and not self.shuffle:
            raise InvalidInput("balance draws at random, so it needs shuffle=True")

    @property
    def arrays(self) -> tuple[str, ...]:
        """The arrays of shards to read: the keys, and the times by which frames of the video are found."""
        arrays = tuple(key for key in self.keys if key != VIDEO)
        return arrays if VIDEO not in self.keys or "timestamp" in arrays else (*arrays, "timestamp")

    @property
    def block_frames(self) -> int:
        """The most frames of a block, unless a window is longer."""
        return min(BLOCK_FRAMES, max(self.window, self.pool_frames // 16))


class WindowStream:
    """An iterable of batches; iterating it once gives one epoch, iterating again the next. See `Dataset.stream`.

    It has one position, which moves as batches are taken, so leaving a loop early and iterating again goes on with
    the rest of the epoch.
    """

    def __init__(self, dataset: Dataset, settings: StreamSettings, *, epoch: int, rank: int, world_size: int) -> None:
        if epoch < 0 or not 0 <= rank < world_size:
            raise InvalidInput(
                f"epoch should be at least 0 and rank from 0 to world_size - 1; got epoch {epoch}, rank {rank} "
                f"and world_size {world_size}"
            )
        self.settings = settings
        self._shards = dataset.shards
        self._identity = _identity(dataset, settings)
        rows = _chosen_rows(dataset, settings.where, settings.split)
        self._spans = Spans.of(dataset.episodes, rows)
        self._video = dataset.videos(rows, settings.video_size) if VIDEO in settings.keys else None
        self._index = index_windows(self._spans.length, settings.window, settings.stride, settings.block_frames)
        groups = _groups(dataset.episodes, rows, settings.balance)
        self._groups = None if groups is None else groups[self._index.episode]
        self._epoch, self._batch = epoch, 0
        self._rank, self._world_size = rank, world_size

    @property
    def windows(self) -> int:
        """Windows in an epoch, of all ranks together."""
        return self._index.total_windows

    @property
    def batches(self) -> int:
        """Batches in an epoch, of all ranks together."""
        return -(-self.windows // self.settings.batch_size)

    def __len__(self) -> int:
        """Batches in an epoch of this rank. Ranks differ by one where `batches` is no multiple of the world size."""
        return max(0, -(-(self.batches - self._rank) // self._world_size))

    @property
    def scales(self) -> dict[str, float]:
        """For dtype="int16": what to multiply the integers of each key with, to get its units."""
        scales = {key: ARRAYS[key].scale_factor for key in self.settings.keys if key != VIDEO}
        return {key: scale for key, scale in scales.items() if scale is not None}

    @property
    def memory_bound_bytes(self) -> int:
        """The most memory that streaming takes, besides the episode table.

        It follows from `pool_frames`, keys, dtype, window and batch size: two pools of frames (the one drawn from and
        the next), the order of their windows, the runs of frames being decoded, four batches (the one you hold, two
        whose memory is used again, one at the end of an epoch), the compact description of blocks, 8 MB for open
        shards and their indexes of chunks; with video, its part of the batches and the open decoders.
        """
        settings = self.settings
        specs = [ARRAYS[key] for key in settings.arrays]
        numbers = [int(np.prod(spec.shape)) for spec in specs]
        stored = [np.dtype(spec.dtype).itemsize * count for spec, count in zip(specs, numbers, strict=True)]
        in_units = settings.dtype == "float32"
        held = [
            pool_dtype(spec, in_units=in_units).itemsize * count for spec, count in zip(specs, numbers, strict=True)
        ]
        run = max(settings.block_frames, settings.window) + 2 * CHUNK_FRAMES
        reading = PoolLoader.THREADS * run * (2 * max(stored) + max(numbers))
        batch = settings.batch_size * settings.window * (4 * (sum(held) + 1) + sum(numbers) + 64)
        described = self._spans.nbytes + 12 * self._index.nbytes
        indexes = OpenShards.LIMIT * len(specs) * 2 * INDEX_ENTRY_BYTES * MAX_FRAMES // CHUNK_FRAMES
        pools = 2 * settings.pool_frames * (sum(held) + 72)
        video = 0
        if self._video is not None:
            video = self._video.memory_bound_bytes
            video += 4 * settings.batch_size * settings.window * int(np.prod(self._video.shape))
        return video + pools + reading + batch + described + indexes + 8 * 2**20

    def __iter__(self) -> Iterator[Batch]:
        number = self._epoch
        epoch = plan_epoch(
            self._index,
            self.settings.seed,
            number,
            shuffle=self.settings.shuffle,
            pool_frames=self.settings.pool_frames,
            groups=self._groups,
        )
        cutter = BatchCutter(self.settings, self._shards, self._spans, self._index, epoch, self._video)
        with closing(cutter):
            while self._epoch == number and self._batch + self._rank < self.batches:
                batch = cutter.batch(self._batch + self._rank)
                self._batch += self._world_size
                if self._batch >= self.batches:
                    self.skip_epoch()
                yield batch
                del batch  # so that its memory can be used again
        if self._epoch == number:
            self.skip_epoch()

    def skip_epoch(self) -> None:
        """Move to the beginning of the next epoch."""
        self._epoch, self._batch = self._epoch + 1, 0

    def state_dict(self) -> dict[str, Any]:
        """Where the stream is, as plain JSON values, taken between two batches.

        The position counts the batches that all ranks together have taken, as if in step, so that a stream of any
        rank and world size can load it.
        """
        return {"format_version": STATE_VERSION, **self._identity, "epoch": self._epoch, "batch": self._batch}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go to where a stream was when `state` was taken: the next batch is the one that would have come next.

        Raises:
            InvalidInput: the state is of another version of the dataset, or of a stream with another order.
            NewerFormat: a later release made it.
        """
        try:
            version, epoch, batch = (int(state[name]) for name in ("format_version", "epoch", "batch"))
        except (KeyError, TypeError, ValueError) as error:
            raise InvalidInput(f"this is no state of a stream: {error!r} in {state!r:.200}") from error
        if version > STATE_VERSION:
            raise NewerFormat("the state", version, STATE_VERSION)
        differing = [
            f"{name} was {state.get(name)!r} and is {value!r}"
            for name, value in self._identity.items()
            if state.get(name) != value
        ]
        if differing:
            raise InvalidInput(f"the state is of another stream: {'; '.join(differing)}")
        if epoch < 0 or not 0 <= batch < self.batches:
            raise InvalidInput(f"the state points at batch {batch} of epoch {epoch}; an epoch has {self.batches}")
        self._epoch, self._batch = epoch, batch

    def advanced(self, batches: int) -> WindowStream:
        """A stream that has given `batches` more of its rank's batches than this one, over ends of epochs."""
        ahead = copy.copy(self)
        while len(self):
            left = max(0, -(-(self.batches - ahead._batch - self._rank) // self._world_size))
            if batches <= left:
                ahead._batch += batches * self._world_size
                if ahead._batch >= self.batches:
                    ahead.skip_epoch()
                break
            batches -= left
            ahead.skip_epoch()
        return ahead

    def split(self, part: int, parts: int) -> WindowStream:
        """The stream of every `parts`-th batch that this one would give, beginning with number `part`."""
        share = copy.copy(self)
        share._rank, share._world_size = self._rank + part * self._world_size, self._world_size * parts
        return share


def checked_keys(keys: Sequence[str]) -> tuple[str, ...]:
    """Return the names of arrays as a tuple.

    Raises:
        InvalidInput: one of them is unknown, occurs twice, or a text was given in place of a list.
    """
    if isinstance(keys, str) or not keys or len(set(keys)) < len(keys) or not set(keys) <= {*ARRAYS, VIDEO}:
        raise InvalidInput(f"keys should be a list of some of {', '.join(ARRAYS)}, {VIDEO}, each once; got {keys!r}")
    return tuple(keys)


def _identity(dataset: Dataset, settings: StreamSettings) -> dict[str, Any]:
    """All that decides which windows come in which order, besides the position."""
    return {
        "dataset": dataset.name,
        "version": dataset.version,
        "episodes_sha256": dataset.manifest["episodes"]["sha256"],
        "window": settings.window,
        "stride": settings.stride,
        "batch_size": settings.batch_size,
        "shuffle": settings.shuffle,
        "seed": settings.seed,
        "balance": settings.balance,
        "where": settings.where,
        "split": settings.split,
        "pool_frames": settings.pool_frames,
    }


def _chosen_rows(dataset: Dataset, where: str | None, split: str | None) -> Integers:
    name = f"{dataset.name}@{dataset.version}"
    total = dataset.episodes.num_rows
    if total == 0:
        raise InvalidInput(f"{name} holds no episodes; choose another version")
    rows = np.arange(total, dtype=np.int64) if split is None else dataset.rows_of_split(split)
    if len(rows) == 0:
        raise InvalidInput(f"split '{split}' of {name} holds nobody; it takes more contributors, or a larger share")
    if where is None:
        return rows
    numbered = dataset.episodes.take(pa.array(rows)).append_column("row", pa.array(rows))
    chosen: Integers = numbered.filter(where_expression(where))["row"].to_numpy()
    if len(chosen) == 0:
        raise InvalidInput(f'where expression "{where}" matches none of the {total} episodes of {name}')
    return np.sort(chosen)


def _groups(episodes: pa.Table, rows: Integers, column: str | None) -> Integers | None:
    """The group of each chosen episode, 0 to G - 1; episodes without a value are a group of their own."""
    if column is None:
        return None
    if column not in episodes.column_names:
        raise InvalidInput(f"cannot balance by '{column}'; the columns are {', '.join(episodes.column_names)}")
    values = episodes[column].take(pa.array(rows)).combine_chunks()
    groups: Integers = values.dictionary_encode(null_encoding="encode").indices.to_numpy().astype(np.int64)
    return groups
