"""Regular grids of time: which frames an episode has at a fixed rate, and between which stored ones they lie."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from kinesphere.errors import CorruptObject
from kinesphere.shards.shard import OpenShards, shard_key
from kinesphere.streaming.episode_spans import Spans
from kinesphere.streaming.resampling import SAME_TIME_NS, Neighbours
from kinesphere.streaming.window_index import Integers

GAP_NS, GAP_FRAMES = 100_000_000, 2.5
"""Nothing is made up between frames further apart than the longer of 0.1 s and 2.5 mean frame times."""

_COARSE_FRAMES = 1024
_THREADS = 16


def grid_times(start: int, stop: int, rate: float) -> Integers:
    """Times of frames `[start, stop)` of a grid, each k / rate, rounded once.

    Args:
        start: number of the first frame.
        stop: number after the last one.
        rate: frames per second.

    Returns:
        int64 `[stop - start]`, nanoseconds after frame 0.
    """
    times: Integers = np.rint(np.arange(start, stop) * 1e9 / rate).astype(np.int64)
    return times


def grid_frames(duration: Integers, rate: float) -> Integers:
    """How many frames of a grid lie in some durations.

    Args:
        duration: int64 nanoseconds from the first to the last frame of each episode.
        rate: frames per second.

    Returns:
        int64, one number a duration, at least 1.
    """
    reach = duration + SAME_TIME_NS
    frames: Integers = np.floor(reach * rate / 1e9).astype(np.int64) + 1
    frames += np.rint(frames * 1e9 / rate) <= reach  # a time that is rounded down may be the last one
    return frames


def largest_gap(frame_rate: NDArray[np.floating]) -> Integers:
    """Beyond which time two frames of a recording are too far apart.

    Args:
        frame_rate: mean frames per second of each recording.

    Returns:
        int64 nanoseconds, one number a recording.
    """
    gap: Integers = np.maximum(GAP_NS, np.rint(GAP_FRAMES * 1e9 / frame_rate.astype(np.float64))).astype(np.int64)
    return gap


def refuse_going_back(times: Integers, shard_id: str) -> None:
    """Make sure that times are ascending.

    Args:
        times: of an episode's stored frames.
        shard_id: the shard that has them.

    Raises:
        CorruptObject: they are not.
    """
    if (np.diff(times) < 0).any():
        raise CorruptObject(f"the times of frames in '{shard_key(shard_id)}' go back; extract the recording again")


def around_episode(stored: Integers, frame_rate: float, rate: float) -> Neighbours:
    """What lies around the frames of a grid of some rate, over all stored times of an episode.

    Args:
        stored: int64 nanoseconds, ascending.
        frame_rate: the mean one of its recording.
        rate: frames per second of the grid.

    Returns:
        One entry a frame of the grid.
    """
    frames = int(grid_frames(stored[-1:] - stored[0], rate)[0])
    gap = int(largest_gap(np.array([frame_rate]))[0])
    return Neighbours.of(stored, stored[0] + grid_times(0, frames, rate), gap)


@dataclass(frozen=True)
class TimeGrid:
    """Chosen episodes at a fixed rate: frame k of an episode is at its first frame's time + k / rate."""

    rate: float
    frames: Integers
    """How many frames each episode has at this rate."""
    largest_gap: Integers
    """See `largest_gap`; nanoseconds, one entry an episode."""
    coarse: Integers
    """The time of every 1,024th stored frame, from an episode's first on; one episode after the other."""
    first_coarse: Integers
    """Where each episode begins in `coarse`, then its length."""

    @classmethod
    def read(cls, shards: OpenShards, spans: Spans, frame_rate: NDArray[np.floating], rate: float) -> TimeGrid:
        """Read the times of all frames of some episodes, once, in threads, keeping one of 1,024.

        The episode table does not tell the time of an episode's last frame (`end_ns` is that frame's end), on which
        the number of frames depends.

        Args:
            shards: where the frames are.
            spans: the episodes.
            frame_rate: mean frames per second of the recording of each.
            rate: frames per second of the grid.

        Returns:
            The grid, with one entry an episode of `spans`.

        Raises:
            CorruptObject: a shard is missing or damaged, or times in it go back.
        """
        first_coarse = np.concatenate([[0], np.cumsum(-(-spans.length // _COARSE_FRAMES))]).astype(np.int64)
        coarse = np.empty(first_coarse[-1], np.int64)
        last = np.empty(len(spans.length), np.int64)

        def read(episodes: Integers) -> None:
            for episode in episodes:
                shard_id = spans.shard_ids[int(spans.shard[episode])].as_py()
                start = int(spans.first_frame[episode])
                times = shards.read(shard_id, "timestamp", start, start + int(spans.length[episode]))
                refuse_going_back(times, shard_id)
                coarse[first_coarse[episode] : first_coarse[episode + 1]] = times[::_COARSE_FRAMES]
                last[episode] = times[-1]

        order = np.lexsort((spans.first_frame, spans.shard))
        with ThreadPoolExecutor(_THREADS, "kinesphere-times") as threads:
            list(threads.map(read, np.array_split(order, min(len(order), 64 * _THREADS))))
        frames = grid_frames(last - coarse[first_coarse[:-1]], rate)
        return cls(rate, frames, largest_gap(frame_rate), coarse, first_coarse)

    @property
    def nbytes(self) -> int:
        """Memory of the arrays."""
        return sum(array.nbytes for array in (self.frames, self.largest_gap, self.coarse, self.first_coarse))

    def times(self, episode: int, start: int, stop: int) -> Integers:
        """Times of frames `[start, stop)` of an episode at this rate, as `timestamp` has them.

        Args:
            episode: its place among the chosen ones.
            start: number of the first frame.
            stop: number after the last one.

        Returns:
            int64 `[stop - start]`, nanoseconds since the recording began.
        """
        return int(self.coarse[self.first_coarse[episode]]) + grid_times(start, stop, self.rate)

    def stored_frames(self, episode: int, start: int, stop: int, length: int) -> tuple[int, int]:
        """Between which stored frames of an episode its frames `[start, stop)` at this rate lie, roughly.

        Args:
            episode: its place among the chosen ones.
            start: number of the first frame.
            stop: number after the last one.
            length: how many stored frames the episode has.

        Returns:
            The first stored frame, and the one after the last, counted in the episode.
        """
        own = self.coarse[self.first_coarse[episode] : self.first_coarse[episode + 1]]
        first, last = own[0] + np.rint(np.array([start, stop - 1]) * 1e9 / self.rate).astype(np.int64) - SAME_TIME_NS
        begin = max(int(np.searchsorted(own, first)) - 1, 0) * _COARSE_FRAMES
        return begin, min(int(np.searchsorted(own, last)) * _COARSE_FRAMES + 1, length)
