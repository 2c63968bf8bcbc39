"""Streaming: windows of episodes in batches, every window once an epoch, in an order that can be entered anywhere."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping
from contextlib import closing
from dataclasses import replace
from typing import Any

import numpy as np
import pyarrow as pa

from kinesphere.errors import InvalidInput, NewerFormat
from kinesphere.log_scale import LogScale
from kinesphere.streaming.batches import BatchCutter, pools_of
from kinesphere.streaming.episode_spans import Spans
from kinesphere.streaming.epoch import Epoch, plan_epoch
from kinesphere.streaming.frame_weights import FrameWeight
from kinesphere.streaming.pool_layout import PoolLayout
from kinesphere.streaming.pools import PoolLoader
from kinesphere.streaming.sampling import Shares, Weight
from kinesphere.streaming.stream_settings import StreamSettings
from kinesphere.streaming.time_grid import TimeGrid
from kinesphere.streaming.window_index import Integers, index_windows
from kinesphere.trajectory import ARRAYS, ArraySpec
from kinesphere.transforms.transform import Batch, checked_transforms
from kinesphere.versions.episode_table import EPISODE_SCHEMA
from kinesphere.versions.open_version import OpenVersion

STATE_VERSION = 1


class WindowStream:
    """An iterable of batches; iterating it once gives one epoch, iterating again the next. See `Dataset.stream`.

    It has one position, which moves as batches are taken, so leaving a loop early and iterating again goes on with
    the rest of the epoch.
    """

    def __init__(self, version: OpenVersion, settings: StreamSettings) -> None:
        """
        Args:
            version: what to stream from.
            settings: what to stream, and how.
        """
        self.settings = settings
        self._shards = version.shards
        weight = None if settings.weight is None else Weight.of(settings.weight, version.episodes)
        self._identity = _identity(version, settings, weight)
        rows, episodes = _chosen(version, settings)
        self._spans = replace(Spans.of(episodes, np.arange(len(rows))), row=rows)
        self._layout = _layout(version, settings, self._spans)
        self._video = version.videos(rows, settings.video_size) if settings.has_video else None
        self._grid: TimeGrid | None = None
        if settings.frame_rate is not None:
            frame_rate = episodes["frame_rate"].to_numpy()
            self._grid = TimeGrid.read(version.shards, self._spans, frame_rate, settings.frame_rate)
        shape = settings.shape
        self._index = index_windows(
            self._lengths, shape.window, shape.stride, settings.block_frames,
            history=shape.history, future=shape.future,
        )  # fmt: skip
        if weight is not None:
            self._shares: Shares | None = Shares.weighted(self._index, weight.of_rows(rows, version.episodes))
        else:
            groups = _groups(episodes, settings.balance)
            self._shares = None if groups is None else Shares.equal(self._index, groups)
        self._epoch, self._batch = settings.epoch, 0
        self._rank, self._world_size = settings.rank, settings.world_size

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
        scales = {name: spec.scale_factor for name, spec in self._layout.specs.items()}
        return {key: scale for key, scale in scales.items() if scale is not None and key in self._layout.handed_over}

    @property
    def log_scales(self) -> dict[str, LogScale]:
        """For dtype="int16": what decodes the uint8 codes of each key that has a log scale, as standard deviations."""
        scales = {name: spec.log_scale for name, spec in self._layout.specs.items()}
        return {key: scale for key, scale in scales.items() if scale is not None and key in self._layout.handed_over}

    @property
    def memory_bound_bytes(self) -> int:
        """The most memory that streaming takes, besides the episode table: the sum of `memory_parts`.

        It follows from `pool_frames`, keys, dtype, window and batch size. What transforms take is theirs.
        """
        return sum(self.memory_parts.values())

    @property
    def memory_parts(self) -> dict[str, int]:
        """What each part takes at most, in bytes, by its own account.

        "pools" are two pools of frames (the one drawn from and the next; of windows where sampling is random) with the
        history and future that they carry, and the order of their windows; "reading" the runs of frames being decoded
        and, with a rate, what lies between stored frames; "batches" four batches (the one you hold, two whose memory is
        used again, one at the end of an epoch); "order" the compact description of blocks and epochs; "episodes" where
        they lie and, with a rate, the times of stored frames; "shards" the open ones with their indexes of chunks; and
        "video" the open decoders.
        """
        settings, index = self.settings, self._index
        pools = pools_of(settings)
        run_frames = settings.run_frames + max(0, settings.shape.window - settings.block_frames)
        longest = None if self._grid is None else int(self._spans.length.max())
        return {
            "pools": pools.memory_bound_bytes(settings, self._layout, index, self._lengths),
            "reading": PoolLoader.memory_bound_bytes(self._layout, run_frames, pools.THREADS, longest),
            "batches": BatchCutter.memory_bound_bytes(settings, self._layout, self._video),
            "order": Epoch.memory_bound_bytes(index, self._shares),
            "episodes": self._spans.nbytes + (0 if self._grid is None else self._grid.nbytes),
            "shards": self._shards.memory_bound_bytes(len(self._layout.types)),
            "video": 0 if self._video is None else self._video.memory_bound_bytes,
        }

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
            self._layout,
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

        Returns:
            The position, and what it is a position in: version, settings that decide the order, seed.
        """
        return {"format_version": STATE_VERSION, **self._identity, "epoch": self._epoch, "batch": self._batch}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go to where a stream was when `state` was taken: the next batch is the one that would have come next.

        Args:
            state: of `state_dict`, perhaps by way of JSON.

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
        """A stream that has given `batches` more of its rank's batches than this one, over ends of epochs.

        Args:
            batches: at least 0.

        Returns:
            Another stream; this one stays where it is.
        """
        ahead = copy.copy(self)
        while len(self):
            remaining = max(0, -(-(self.batches - ahead._batch - self._rank) // self._world_size))
            if batches <= remaining:
                ahead._batch += batches * self._world_size
                if ahead._batch >= self.batches:
                    ahead.skip_epoch()
                break
            batches -= remaining
            ahead.skip_epoch()
        return ahead

    def split(self, part: int, parts: int) -> WindowStream:
        """The stream of every `parts`-th batch that this one would give, beginning with number `part`.

        Args:
            part: from 0 to `parts` - 1.
            parts: among how many the batches are shared.

        Returns:
            Another stream; this one stays as it is.

        Raises:
            InvalidInput: there is no such part.
        """
        if not 0 <= part < parts:
            raise InvalidInput(f"part should be from 0 to parts - 1, got part {part} of {parts}")
        share = copy.copy(self)
        share._rank, share._world_size = self._rank + part * self._world_size, self._world_size * parts
        return share


def _identity(version: OpenVersion, settings: StreamSettings, weight: Weight | None) -> dict[str, Any]:
    """All that decides which windows come in which order, besides the position."""
    return {
        "dataset": version.name,
        "version": version.version,
        "episodes_sha256": version.manifest["episodes"]["sha256"],
        "window": settings.shape.window,
        "stride": settings.shape.stride,
        "batch_size": settings.batch_size,
        "shuffle": settings.shuffle,
        "seed": settings.seed,
        "balance": settings.balance,
        "where": settings.where,
        "pool_frames": settings.pool_frames if settings.sampling == "pool" else None,
        "sampling": settings.sampling,
        "weight": None if weight is None else weight.name,
        "rate": settings.frame_rate,
        "split": settings.split,
    }


def _chosen(version: OpenVersion, settings: StreamSettings) -> tuple[Integers, pa.Table]:
    """The rows of the episodes to stream, and what a stream needs to know of them."""
    name, where, balance = f"{version.name}@{version.version}", settings.where, settings.balance
    if balance is not None and balance not in EPISODE_SCHEMA.names:
        raise InvalidInput(f"cannot balance by '{balance}'; the columns are {', '.join(EPISODE_SCHEMA.names)}")
    columns = ["shard", "first_frame", "length"]
    columns += ["frame_rate"] if settings.rate is not None else []
    columns += [balance] if balance is not None else []
    rows, episodes = version.select(list(dict.fromkeys(columns)), where)
    if len(version) == 0:
        raise InvalidInput(f"{name} holds no episodes; choose another version")
    if settings.split is not None:
        members = version.rows_of_split(settings.split)
        if len(members) == 0:
            raise InvalidInput(
                f"split '{settings.split}' of {name} holds nobody; it takes more contributors, or a larger share"
            )
        is_member = np.isin(rows, members)
        rows, episodes = rows[is_member], episodes.filter(pa.array(is_member))
    if len(rows) == 0:
        raise InvalidInput(f'where expression "{where}" matches none of the {len(version)} episodes of {name}')
    return rows, episodes


def _layout(version: OpenVersion, settings: StreamSettings, spans: Spans) -> PoolLayout:
    """What is streamed. Standard arrays are known; what others are, the shard of the first episode says."""
    specs: Mapping[str, ArraySpec] = ARRAYS
    if settings.needs_specs:
        shard_id = str(spans.shard_ids[int(spans.shard[0])].as_py())
        specs = version.shards.specs(shard_id)
        if settings.frame_weight is not None:
            _check_weight(version, settings.frame_weight, shard_id)
    layout = settings.layout(specs)
    if settings.names is None:
        checked_transforms(settings.transform, settings.also_handed(layout.handed_over))
    return layout


def _check_weight(version: OpenVersion, weight: FrameWeight, shard_id: str) -> None:
    """Make sure that a shard has the standard deviations that weights are made of."""
    try:
        weight.check(version.shards.spec(shard_id, weight.array))
    except InvalidInput as error:
        raise InvalidInput(f"{version.name}@{version.version} cannot be weighed by '{weight.key}': {error}") from error


def _groups(episodes: pa.Table, column: str | None) -> Integers | None:
    """The group of each chosen episode, 0 to G - 1; episodes without a value are a group of their own."""
    if column is None:
        return None
    values = episodes[column].combine_chunks()
    groups: Integers = values.dictionary_encode(null_encoding="encode").indices.to_numpy().astype(np.int64)
    return groups
