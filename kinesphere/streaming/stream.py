"""Streaming: windows of episodes in batches, every window once an epoch, in an order that can be entered anywhere."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping
from contextlib import closing
from dataclasses import replace
from typing import Any

import numpy as np

from kinesphere.errors import InvalidInput, NewerFormat
from kinesphere.log_scale import LogScale
from kinesphere.streaming.batches import BatchCutter, pools_of
from kinesphere.streaming.episode_spans import Spans
from kinesphere.streaming.epoch import Epoch, plan_epoch
from kinesphere.streaming.pools import PoolLoader
from kinesphere.streaming.sampling import Shares, Weight
from kinesphere.streaming.stream_choice import chosen_episodes, groups_of, identity_of, layout_of
from kinesphere.streaming.stream_settings import StreamSettings
from kinesphere.streaming.time_grid import TimeGrid
from kinesphere.streaming.window_index import Integers, index_windows
from kinesphere.training.episode_text import EpisodeText
from kinesphere.training.epoch_digest import epoch_hash, planned_hashes
from kinesphere.transforms.transform import Batch
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
        self._text = EpisodeText.of(version, settings.text) if settings.text else None
        weight = None if settings.weight is None else Weight.of(settings.weight, version.episodes)
        self._identity = identity_of(version, settings, weight)
        rows, episodes = chosen_episodes(version, settings)
        self._spans = replace(Spans.of(episodes, np.arange(len(rows))), row=rows)
        self._layout = layout_of(version, settings, self._spans)
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
            groups = groups_of(episodes, settings.balance)
            self._shares = None if groups is None else Shares.equal(self._index, groups)
        self._epoch, self._batch = settings.epoch, 0
        self._rank, self._world_size = settings.rank, settings.world_size
        if len(self) == 0 and settings.drop_last:
            raise InvalidInput(
                f"drop_last leaves nothing: {self.windows} windows are no full batch of {settings.batch_size} for each "
                f"of {settings.world_size} ranks; choose a smaller batch_size, or even_ranks=True in place of drop_last"
            )

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
        """Batches in an epoch, of all ranks together; with `even_ranks` those that come twice count twice."""
        return self._end(0)

    def __len__(self) -> int:
        """Batches in an epoch of this rank. Ranks differ by one where `batches` is no multiple of the world size."""
        return self._left(0)

    @property
    def position(self) -> tuple[int, int]:
        """The epoch, and how many of its batches all ranks together have taken, as if in step."""
        return self._epoch, self._batch

    @property
    def step(self) -> int:
        """How far a batch moves the position."""
        return self._world_size

    @property
    def left(self) -> int:
        """Batches of this rank, or share of it, that are left of the epoch."""
        return self._left(self._batch)

    @property
    def _all_batches(self) -> int:
        """Batches that the windows of an epoch fill, the last perhaps in part."""
        return -(-self.windows // self.settings.batch_size)

    def _end(self, batch: int) -> int:
        """The number after the last batch of an epoch of which ranks have taken `batch`, or any rounds more.

        It depends on where they stand, since an epoch may have been begun with another number of ranks.
        """
        ranks, every = self.settings.world_size, self._all_batches
        if self.settings.even_ranks:
            return batch + -(-(every - batch) // ranks) * ranks
        if self.settings.drop_last:
            return batch + max(0, self.windows // self.settings.batch_size - batch) // ranks * ranks
        return every

    def _left(self, batch: int) -> int:
        """How many batches there are for this rank, or share of it, in an epoch of which `batch` are taken."""
        return max(0, -(-(self._end(batch) - batch - self._rank) // self._world_size))

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
    def handed_over(self) -> dict[str, Any]:
        """What batches have, and how: what streams have to have in common to be mixed."""
        settings, shape = self.settings, self.settings.shape
        return {
            "keys": (*self._layout.handed_over, *(("video",) if settings.has_video else ())),
            "shape": (shape.history, shape.window, shape.future),
            "dtype": settings.dtype,
            "rate": settings.frame_rate,
            "text": tuple(settings.text),
        }

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
            "episodes": sum(part.nbytes for part in (self._spans, self._grid, self._text) if part is not None),
            "shards": self._shards.memory_bound_bytes(len(self._layout.types)),
            "video": 0 if self._video is None else self._video.memory_bound_bytes,
        }

    def __iter__(self) -> Iterator[Batch]:
        number = self._epoch
        epoch = self._planned(number)
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
            while self._epoch == number and self.left:
                end = self._end(self._batch)
                batch = cutter.batch((self._batch + self._rank) % self._all_batches)  # `even_ranks` begins anew
                if self._text is not None:
                    batch |= self._text.of_rows(batch["episode"])
                for transform in self.settings.transforms:
                    batch = transform(batch)
                self._batch += self._world_size
                if self._batch >= end:
                    self.skip_epoch()
                yield batch
                del batch  # so that its memory can be used again
        if self._epoch == number:
            self.skip_epoch()

    def _planned(self, number: int) -> Epoch:
        return plan_epoch(
            self._index,
            self.settings.seed,
            number,
            shuffle=self.settings.shuffle,
            pool_frames=self.settings.pool_frames,
            shares=self._shares,
            sampling=self.settings.sampling,
        )

    def digest(self, epoch: int | None = None) -> str:
        """One hash of an epoch: which windows come in which order and batch, of which data, in which keys and shape.

        It is the same for all ranks, numbers of ranks and workers, and machines, and after a resume; another version,
        seed, epoch or option that changes what batches hold gives another one. Nothing is read for it: shards
        are bound by the hashes that the version names them by. Windows that `drop_last` leaves out count, and
        transforms do not.

        Args:
            epoch: number of the epoch; by default the one in which the stream is.

        Returns:
            64 hexadecimal digits.
        """
        settings, number = self.settings, self._epoch if epoch is None else epoch
        hashes = planned_hashes(self._planned(number), self._spans.row, settings.batch_size, settings.sampling)
        return epoch_hash(self._identity | settings.content | {"epoch": number}, hashes)

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
        epoch, batch = self.check_state(state)
        if epoch < 0 or not 0 <= batch < self._all_batches:
            raise InvalidInput(f"the state points at batch {batch} of epoch {epoch}; an epoch has {self._all_batches}")
        self.go_to(epoch, batch)

    def check_state(self, state: Mapping[str, Any]) -> tuple[int, int]:
        """Make sure that a state is one of this stream.

        Args:
            state: of `state_dict`.

        Returns:
            The epoch and the batch that it points at.

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
        return epoch, batch

    def advanced(self, batches: int) -> WindowStream:
        """A stream that has given `batches` more of its rank's batches than this one, over ends of epochs.

        Args:
            batches: at least 0.

        Returns:
            Another stream; this one stays where it is.
        """
        ahead = copy.copy(self)
        while len(self):
            left, end = ahead.left, ahead._end(ahead._batch)
            if batches <= left:
                ahead._batch += batches * self._world_size
                if ahead._batch >= end:
                    ahead.skip_epoch()
                break
            batches -= left
            ahead.skip_epoch()
        return ahead

    def at(self, epoch: int, batch: int) -> WindowStream:
        """The same stream at a position.

        Args:
            epoch: number of the epoch.
            batch: how many of its batches are taken, as `position` counts them; at its end none is left.

        Returns:
            Another stream; this one stays where it is.
        """
        moved = copy.copy(self)
        moved.go_to(epoch, batch)
        return moved

    def go_to(self, epoch: int, batch: int) -> None:
        """Move to a position.

        Args:
            epoch: number of the epoch.
            batch: how many of its batches are taken, as `position` counts them; at its end none is left.
        """
        self._epoch, self._batch = epoch, batch

    def resized(self, batch_size: int) -> WindowStream:
        """The same windows in the same order, in full batches of another size, for one rank.

        Args:
            batch_size: windows in a batch.

        Returns:
            Another stream, at its beginning; this one stays as it is.

        Raises:
            InvalidInput: there is no full batch.
        """
        other = copy.copy(self)
        other.settings = replace(
            self.settings, batch_size=batch_size, rank=0, world_size=1, drop_last=True, even_ranks=False
        )
        other._identity = self._identity | {"batch_size": batch_size}
        other._rank, other._world_size = 0, 1
        other.go_to(self.settings.epoch, 0)
        if not len(other):
            raise InvalidInput(f"{self.windows} windows are no batch of {batch_size}; choose a smaller one")
        return other

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
