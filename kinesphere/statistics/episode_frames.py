"""Frames of chosen episodes as statistics count them: as they are stored, or at a rate, as streams have them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from kinesphere.shards.shard import OpenShards
from kinesphere.streaming.episode_spans import Spans
from kinesphere.streaming.resampling import Neighbours
from kinesphere.streaming.time_grid import TimeGrid
from kinesphere.streaming.window_index import Integers
from kinesphere.trajectory import from_stored


@dataclass(frozen=True)
class EpisodeFrames:
    """The frames of episodes, one episode after the other."""

    shards: OpenShards
    spans: Spans
    grid: TimeGrid | None
    """The rate, if frames are resampled."""

    @classmethod
    def of(cls, shards: OpenShards, episodes: pa.Table, rate: float | None) -> EpisodeFrames:
        """The frames of all episodes of a table.

        Args:
            shards: where they are.
            episodes: with the columns "shard", "first_frame", "length" and, with a rate, "frame_rate".
            rate: frames per second to resample to, if any; the times of all episodes are then read.

        Returns:
            The frames.

        Raises:
            CorruptObject: with a rate, the times of an episode cannot be read.
        """
        spans = Spans.of(episodes, np.arange(len(episodes), dtype=np.int64))
        if rate is None:
            return cls(shards, spans, None)
        return cls(shards, spans, TimeGrid.read(shards, spans, episodes["frame_rate"].to_numpy(), rate))

    @property
    def lengths(self) -> Integers:
        """Frames of each episode."""
        return self.spans.length if self.grid is None else self.grid.frames

    def shard(self, episode: int) -> str:
        """The shard of an episode.

        Args:
            episode: its place in the table.

        Returns:
            The id.
        """
        return str(self.spans.shard_ids[int(self.spans.shard[episode])].as_py())

    def read(self, name: str, episode: int, start: int, stop: int) -> NDArray[Any]:
        """Frames `[start, stop)` of an array of an episode.

        Args:
            name: of the array.
            episode: its place in the table.
            start: first frame.
            stop: the frame after the last.

        Returns:
            `(stop - start, ...)`, in units, as streams have it.

        Raises:
            InvalidInput: its shard has no such array.
            CorruptObject: an object of the shard is missing or damaged.
        """
        shard, first = self.shard(episode), int(self.spans.first_frame[episode])
        spec = self.shards.spec(shard, name)
        if self.grid is None:
            return from_stored(spec, self.shards.read(shard, name, first + start, first + stop))
        low, high = self.grid.stored_frames(episode, start, stop, int(self.spans.length[episode]))
        stored_times = self.shards.read(shard, "timestamp", first + low, first + high)
        times = self.grid.times(episode, start, stop)
        around = Neighbours.of(stored_times, times, int(self.grid.largest_gap[episode]))
        return around.resampled(spec, self.shards.read(shard, name, first + low, first + high))
