"""Episodes at a fixed rate: which frames lie around each time of a regular grid, and the values between them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from kinesphere.errors import CorruptObject
from kinesphere.shards.shard import OpenShards, shard_key
from kinesphere.streaming.window_index import Integers
from kinesphere.trajectory import ARRAYS, ArraySpec, from_stored

if TYPE_CHECKING:
    from kinesphere.streaming.pools import Spans

SAME_TIME_NS = 20_000
"""A frame this close to a time is the frame of that time: clocks of containers round (1/90,000 s by up to 5.6 us)."""

APART_NS, APART_FRAMES = 100_000_000, 2.5
"""Nothing is made up between frames further apart than the longer of 0.1 s and 2.5 mean frame times."""

FRAME_TIME = "frame_time"
"""The name under which pools hold the time of the nearest frame, by which its picture is found."""

POOL_ARRAYS: Mapping[str, ArraySpec] = {
    **ARRAYS,
    FRAME_TIME: ArraySpec(FRAME_TIME, "int64", (), ("frame",), "ns", "time of the nearest stored frame"),
}

_PIECE_FRAMES = 1024
_COARSE_FRAMES = 1024
_THREADS = 16


def resampling_bytes(run_frames: int, stored_frames: int, numbers: int) -> int:
    """The most memory that a thread takes to resample `run_frames` frames, besides what it reads and what it makes.

    Args:
        stored_frames: of the longest episode, whose times may all be needed, as they all were at first.
        numbers: of a frame of the largest array.
    """
    return 36 * max(run_frames, stored_frames) + 128 * run_frames + _PIECE_FRAMES * (24 * numbers + 1024)


def grid_times(start: int, stop: int, rate: float) -> Integers:
    """Times of frames `[start, stop)` of a grid, in nanoseconds after its frame 0: each k / rate, rounded once."""
    times: Integers = np.rint(np.arange(start, stop) * 1e9 / rate).astype(np.int64)
    return times


def grid_frames(duration: Integers, rate: float) -> Integers:
    """How many frames of a grid lie in some durations, int64 nanoseconds from an episode's first to its last frame."""
    reach = duration + SAME_TIME_NS
    frames: Integers = np.floor(reach * rate / 1e9).astype(np.int64) + 1
    frames += np.rint(frames * 1e9 / rate) <= reach  # a time that is rounded down may be the last one
    return frames


def longest_step(frame_rate: NDArray[np.floating]) -> Integers:
    """Nanoseconds beyond which two frames of recordings of some mean rates are too far apart."""
    step: Integers = np.maximum(APART_NS, np.rint(APART_FRAMES * 1e9 / frame_rate.astype(np.float64))).astype(np.int64)
    return step


@dataclass(frozen=True)
class Neighbours:
    """The stored frames around each of some ascending times; arrays with one entry a time."""

    time: Integers
    before: Integers
    """The frame before the time; where a frame is of that very time, that one."""
    after: Integers
    """The one after `before`, or the same one."""
    weight: NDArray[np.float64]
    """How far the time is on the way from one to the other, 0 to 1."""
    nearest: Integers
    apart: NDArray[np.bool_]
    """Where the two are too far apart."""

    @classmethod
    def of(cls, stored: Integers, time: Integers, longest: int) -> Neighbours:
        """Find them among the ascending times of stored frames, which enclose the others."""
        after = np.searchsorted(stored, time - SAME_TIME_NS).astype(np.int64)
        exact = stored[after] <= time + SAME_TIME_NS
        before = np.where(exact, after, after - 1)
        step = stored[after] - stored[before]
        since = time - stored[before]
        weight = np.where(exact, 0.0, since / np.maximum(step, 1))
        return cls(time, before, after, weight, np.where(2 * since > step, after, before), step > longest)

    def __len__(self) -> int:
        return len(self.time)

    def pieces(self, most: int) -> Iterator[slice]:
        """Cut the times into stretches, each between at most `most` stored frames, or of a single time."""
        start = 0
        while start < len(self):
            stop = int(np.searchsorted(self.after, self.before[start] + most))
            stop = min(max(stop, start + 1), start + _PIECE_FRAMES)
            yield slice(start, stop)
            start = min(stop, len(self))

    def __getitem__(self, part: slice) -> Neighbours:
        return Neighbours(
            self.time[part], self.before[part], self.after[part], self.weight[part], self.nearest[part],
            self.apart[part],
        )  # fmt: skip

    def resampled(self, spec: ArraySpec, stored: NDArray[Any]) -> NDArray[Any]:
        """The values of an array at these times; see `values`."""
        if spec.name == "timestamp":
            return self.time
        out = np.empty((len(self), *spec.shape), np.float32 if spec.scale_factor is not None else spec.dtype)
        for piece in self.pieces(len(stored)):
            self[piece].values(spec, stored, 0, out[piece])
        return out

    def values(self, spec: ArraySpec, stored: NDArray[Any], first: int, out: NDArray[Any]) -> None:
        """Put the values at these times into `out`, `(len(self), *spec.shape)`, in units.

        Positions and `grip` are interpolated linearly, rotations along the arc (`slerp`); a value is NaN where either
        frame has none or they are too far apart. Flags, scores and visibilities are the nearest frame's, 0 where the
        two are too far apart. A frame of that very time is handed over as it is.

        Args:
            stored: an array as stored, of which entry 0 is frame `first`.
        """
        if spec.dtype == "uint8":
            from_stored(spec, stored[self.nearest - first], out)
            out[self.apart] = 0
            return
        from_stored(spec, stored[self.before - first], out)
        between = np.flatnonzero(self.after != self.before)
        if len(between) == 0:
            return
        before, after = out[between], from_stored(spec, stored[self.after[between] - first])
        weight = self.weight[between].reshape(-1, *(1 for _ in spec.shape))
        found = before + weight.astype(np.float32) * (after - before)
        if spec.name == "wrist_pose":
            found[..., 3:] = slerp(before[..., 3:], after[..., 3:], weight)
        found[self.apart[between]] = np.nan
        out[between] = found


def refuse_going_back(times: Integers, shard_id: str) -> None:
    """Raise `CorruptObject` unless times are ascending."""
    if (np.diff(times) < 0).any():
        raise CorruptObject(f"the times of frames in '{shard_key(shard_id)}' go back; extract the recording again")


def around_episode(stored: Integers, frame_rate: float, rate: float) -> Neighbours:
    """What lies around the frames of a grid of some rate, over all stored times of an episode.

    Args:
        frame_rate: the mean one of its recording.
    """
    frames = int(grid_frames(stored[-1:] - stored[0], rate)[0])
    longest = int(longest_step(np.array([frame_rate]))[0])
    return Neighbours.of(stored, stored[0] + grid_times(0, frames, rate), longest)


def slerp(before: NDArray[Any], after: NDArray[Any], weight: NDArray[np.float64]) -> NDArray[np.float64]:
    """Spherical linear interpolation of unit quaternions, the shorter way round.

    K. Shoemake, "Animating rotation with quaternion curves", SIGGRAPH 1985. The angle is found by W. Kahan's
    2 atan2(|a - b|, |a + b|), which is exact for small ones too.

    Args:
        before, after: `(..., 4)`, with NaN where missing.
        weight: broadcast against them.
    """
    a, b = before.astype(np.float64), after.astype(np.float64)
    b *= np.where((a * b).sum(axis=-1, keepdims=True) < 0, -1.0, 1.0)
    angle = 2 * np.arctan2(np.linalg.norm(a - b, axis=-1, keepdims=True), np.linalg.norm(a + b, axis=-1, keepdims=True))
    along = np.sin(angle)
    close = along < 1e-9  # where the arc is a line
    along = np.where(close, 1.0, along)
    of_a = np.where(close, 1 - weight, np.sin((1 - weight) * angle) / along)
    of_b = np.where(close, weight, np.sin(weight * angle) / along)
    found = of_a * a + of_b * b
    turned: NDArray[np.float64] = found / np.linalg.norm(found, axis=-1, keepdims=True)
    return turned


@dataclass(frozen=True)
class TimeGrid:
    """Chosen episodes at a fixed rate: frame k of an episode is at its first frame's time + k / rate."""

    rate: float
    frames: Integers
    """How many frames each episode has at this rate."""
    longest: Integers
    """See `longest_step`; nanoseconds, one entry an episode."""
    coarse: Integers
    """The time of every 1,024th stored frame, from an episode's first on; one episode after the other."""
    first_coarse: Integers
    """Where each episode begins in `coarse`, then its length."""

    @classmethod
    def read(cls, shards: OpenShards, spans: Spans, frame_rate: NDArray[np.floating], rate: float) -> TimeGrid:
        """Read the times of all frames of some episodes, once, in threads, keeping one of 1,024.

        The episode table does not tell the time of an episode's last frame (`end_ns` is that frame's end), on which
        the number of frames depends.

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
        return cls(rate, frames, longest_step(frame_rate), coarse, first_coarse)

    @property
    def nbytes(self) -> int:
        """Memory of the arrays."""
        return sum(array.nbytes for array in (self.frames, self.longest, self.coarse, self.first_coarse))

    def times(self, episode: int, start: int, stop: int) -> Integers:
        """Times of frames `[start, stop)` of an episode at this rate, as `timestamp` has them."""
        return int(self.coarse[self.first_coarse[episode]]) + grid_times(start, stop, self.rate)

    def stored_frames(self, episode: int, start: int, stop: int, length: int) -> tuple[int, int]:
        """Between which of an episode's `length` stored frames its frames `[start, stop)` at this rate lie, roughly."""
        own = self.coarse[self.first_coarse[episode] : self.first_coarse[episode + 1]]
        first, last = own[0] + np.rint(np.array([start, stop - 1]) * 1e9 / self.rate).astype(np.int64) - SAME_TIME_NS
        begin = max(int(np.searchsorted(own, first)) - 1, 0) * _COARSE_FRAMES
        return begin, min(int(np.searchsorted(own, last)) * _COARSE_FRAMES + 1, length)
