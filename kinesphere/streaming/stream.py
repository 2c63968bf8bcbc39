"""Streaming: windows of episodes in batches, every window once an epoch, in an order that can be entered anywhere."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import pyarrow as pa

from kinesphere.errors import InvalidInput, NewerFormat
from kinesphere.shards.array_layout import CHUNK_FRAMES
from kinesphere.shards.array_reader import INDEX_ENTRY_BYTES
from kinesphere.shards.shard import MAX_FRAMES, OpenShards
from kinesphere.streaming.batches import Batch, BatchCutter
from kinesphere.streaming.epoch import plan_epoch
from kinesphere.streaming.pools import PoolLoader, Spans, pool_dtype
from kinesphere.streaming.random_windows import BYTES_A_READ, THREADS, group_batches
from kinesphere.streaming.resampling import FRAME_TIME, POOL_ARRAYS, TimeGrid, resampling_bytes
from kinesphere.streaming.sampling import SAMPLINGS, Sampling, Shares, Weight
from kinesphere.streaming.window_index import Integers, WindowIndex, index_windows
from kinesphere.trajectory import ARRAYS
from kinesphere.versions.episode_table import EPISODE_SCHEMA
from kinesphere.video.video_windows import VIDEO

if TYPE_CHECKING:
    from kinesphere.dataset import Dataset

DType = Literal["float32", "int16"]
Transform = Callable[[Batch], Batch]
"""Changes a batch when it is ready. Names of keys that it needs may stand in an attribute `keys`."""

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
    history: int = 0
    future: int = 0
    rate: float | None = None
    transforms: tuple[Transform, ...] = ()
    sampling: Sampling = "pool"
    weight: Weight | None = None
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
        if self.rate is not None and self.dtype != "float32":
            raise InvalidInput('values between frames are no stored numbers: rate needs dtype="float32"')
        if self.weight is not None and not self.shuffle:
            raise InvalidInput("weight draws at random, so it needs shuffle=True")
        if self.weight is not None and self.balance is not None:
            raise InvalidInput("balance and weight both say how often windows are drawn; give one of them")
        if self.sampling not in SAMPLINGS:
            raise InvalidInput(f"sampling should be 'pool' or 'random', got {self.sampling!r}")
        if self.sampling == "random" and not self.shuffle:
            raise InvalidInput("sampling='random' needs shuffle=True")

    @property
    def arrays(self) -> tuple[str, ...]:
        """The arrays that pools hold: the keys, and the times by which frames of the video are found."""
        arrays = tuple(key for key in self.keys if key != VIDEO)
        return arrays if VIDEO not in self.keys or self.video_times in arrays else (*arrays, self.video_times)

    @property
    def video_times(self) -> str:
        """Which of them holds those times."""
        return "timestamp" if self.rate is None else FRAME_TIME

    @property
    def window_frames(self) -> int:
        """Frames of a window with what comes along."""
        return self.history + self.window + self.future

    @property
    def block_frames(self) -> int:
        """The most frames of a block, unless a window is longer."""
        if self.sampling == "random":
            return BLOCK_FRAMES  # whatever the pool: the order does not depend on it
        return min(BLOCK_FRAMES, max(self.window, self.pool_frames // 16))

    @property
    def run_frames(self) -> int:
        """The most frames of several blocks that are read at once."""
        return self.block_frames + self.history + self.future

    @property
    def threads(self) -> int:
        """Threads that read."""
        return THREADS if self.sampling == "random" else PoolLoader.THREADS


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
        rows, episodes = _chosen(dataset, settings)
        self._spans = replace(Spans.of(episodes, np.arange(len(rows))), row=rows)
        self._video = dataset.videos(rows, settings.video_size) if VIDEO in settings.keys else None
        self._grid: TimeGrid | None = None
        if settings.rate is not None:
            frame_rate = episodes["frame_rate"].to_numpy()
            self._grid = TimeGrid.read(dataset.shards, self._spans, frame_rate, settings.rate)
        self._index = index_windows(
            self._lengths, settings.window, settings.stride, settings.block_frames,
            history=settings.history, future=settings.future,
        )  # fmt: skip
        self._shares = _shares(dataset, rows, episodes, self._index, settings)
        self._epoch, self._batch = epoch, 0
        self._rank, self._world_size = rank, world_size

    @property
    def _lengths(self) -> Integers:
        """Frames of each chosen episode, at the rate if there is one."""
        return self._spans.length if self._grid is None else self._grid.frames

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
        the next; of windows where sampling is random) with the history and future that they carry, the order of their
        windows, the runs of frames being decoded, four batches (the one you hold, two whose memory is used again, one
        at the end of an epoch), the compact description of blocks, 8 MB for open shards and their indexes of chunks;
        with a rate, the times of stored frames and what lies between them; with video, its part of the batches and
        the open decoders. What transforms take is theirs.
        """
        settings = self.settings
        specs = [POOL_ARRAYS[key] for key in settings.arrays]
        numbers = [int(np.prod(spec.shape)) for spec in specs]
        stored = [np.dtype(spec.dtype).itemsize * count for spec, count in zip(specs, numbers, strict=True)]
        in_units = settings.dtype == "float32"
        held = [
            pool_dtype(spec, in_units=in_units).itemsize * count for spec, count in zip(specs, numbers, strict=True)
        ]
        run = max(settings.block_frames, settings.window) + settings.history + settings.future + 2 * CHUNK_FRAMES
        reading = settings.threads * run * (2 * max(stored) + max(numbers))
        batch = settings.batch_size * settings.window_frames * (4 * (sum(held) + 1) + sum(numbers) + 64)
        described = self._spans.nbytes + 12 * self._index.nbytes + (0 if self._shares is None else self._shares.nbytes)
        indexes = OpenShards.LIMIT * len(specs) * 2 * INDEX_ENTRY_BYTES * MAX_FRAMES // CHUNK_FRAMES
        pools = 2 * (self._index.most_carried(self._lengths, settings.pool_frames) * sum(held))
        pools += 2 * settings.pool_frames * 72
        if settings.sampling == "random":
            frames = settings.window_frames
            windows = settings.batch_size * group_batches(settings.batch_size, frames, settings.pool_frames)
            pools = 2 * windows * (frames * sum(held) + len(specs) * BYTES_A_READ)
        if self._grid is not None:
            described += self._grid.nbytes
            most_stored = int(self._spans.length.max())
            reading += settings.threads * resampling_bytes(run, most_stored, max(numbers))
        video = 0
        if self._video is not None:
            video = self._video.memory_bound_bytes
            video += 4 * settings.batch_size * settings.window_frames * int(np.prod(self._video.shape))
        return video + pools + reading + batch + described + indexes + 8 * 2**20

    def __iter__(self) -> Iterator[Batch]:
        number = self._epoch
        epoch = plan_epoch(
            self._index,
            self.settings.seed,
            number,
            shuffle=self.settings.shuffle,
            pool_frames=self.settings.pool_frames,
            shares=self._shares,
            sampling=self.settings.sampling,
        )
        cutter = BatchCutter(
            self.settings,
            self._shards,
            self._spans,
            self._index,
            epoch,
            self._video,
            self._grid,
            step=self._world_size,
        )
        with closing(cutter):
            while self._epoch == number and self._batch + self._rank < self.batches:
                batch = cutter.batch(self._batch + self._rank)
                for transform in self.settings.transforms:
                    batch = transform(batch)
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
        before = {"sampling": "pool"} | dict(state)  # that is what states without it are of
        differing = [
            f"{name} was {before.get(name)!r} and is {value!r}"
            for name, value in self._identity.items()
            if before.get(name) != value
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
        """The stream of every `parts`-th batch that this one would give, beginning with number `part`.

        Raises:
            InvalidInput: there is no such part.
        """
        if not 0 <= part < parts:
            raise InvalidInput(f"part should be from 0 to parts - 1, got part {part} of {parts}")
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


def checked_transforms(transform: Transform | Sequence[Transform] | None, keys: Sequence[str]) -> tuple[Transform, ...]:
    """Return transforms as a tuple.

    Raises:
        InvalidInput: one cannot be called, or needs keys that are not streamed.
    """
    transforms = (() if transform is None else (transform,)) if not isinstance(transform, list | tuple) else transform
    for each in transforms:
        name = getattr(each, "__name__", type(each).__name__)
        if not callable(each):
            raise InvalidInput(f"a transform is a function of a batch, or a list of such; got {each!r}")
        missing = [key for key in getattr(each, "keys", ()) if key not in (*keys, "mask", "episode", "frame")]
        if missing:
            raise InvalidInput(f"transform {name} needs {', '.join(missing)}: add it to keys={list(keys)}")
    return tuple(transforms)


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
        "pool_frames": settings.pool_frames if settings.sampling == "pool" else None,
        "sampling": settings.sampling,
        "weight": None if settings.weight is None else settings.weight.name,
        "rate": settings.rate,
        "split": settings.split,
    }


def _chosen(dataset: Dataset, settings: StreamSettings) -> tuple[Integers, pa.Table]:
    """The rows of the episodes to stream, and what a stream needs to know of them."""
    name, where, balance = f"{dataset.name}@{dataset.version}", settings.where, settings.balance
    if balance is not None and balance not in EPISODE_SCHEMA.names:
        raise InvalidInput(f"cannot balance by '{balance}'; the columns are {', '.join(EPISODE_SCHEMA.names)}")
    columns = ["shard", "first_frame", "length"]
    columns += ["frame_rate"] if settings.rate is not None else []
    columns += [balance] if balance is not None else []
    rows, episodes = dataset.select(list(dict.fromkeys(columns)), where)
    if len(dataset) == 0:
        raise InvalidInput(f"{name} holds no episodes; choose another version")
    if settings.split is not None:
        members = dataset.rows_of_split(settings.split)
        if len(members) == 0:
            raise InvalidInput(
                f"split '{settings.split}' of {name} holds nobody; it takes more contributors, or a larger share"
            )
        is_member = np.isin(rows, members)
        rows, episodes = rows[is_member], episodes.filter(pa.array(is_member))
    if len(rows) == 0:
        raise InvalidInput(f'where expression "{where}" matches none of the {len(dataset)} episodes of {name}')
    return rows, episodes


def _shares(
    dataset: Dataset, rows: Integers, episodes: pa.Table, index: WindowIndex, settings: StreamSettings
) -> Shares | None:
    """How often blocks are drawn, unless every window is drawn once."""
    if settings.weight is not None:
        return Shares.weighted(index, settings.weight.of_rows(rows, dataset.episodes))
    groups = _groups(episodes, settings.balance)
    return None if groups is None else Shares.equal(index, groups)


def _groups(episodes: pa.Table, column: str | None) -> Integers | None:
    """The group of each chosen episode, 0 to G - 1; episodes without a value are a group of their own."""
    if column is None:
        return None
    values = episodes[column].combine_chunks()
    groups: Integers = values.dictionary_encode(null_encoding="encode").indices.to_numpy().astype(np.int64)
    return groups
