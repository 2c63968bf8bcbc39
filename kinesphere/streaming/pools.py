"""Pools: decoded blocks of frames in memory, out of which windows are cut."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kinesphere.shards.array_layout import CHUNK_FRAMES
from kinesphere.shards.shard import OpenShards
from kinesphere.streaming.episode_spans import Spans
from kinesphere.streaming.epoch import Draws
from kinesphere.streaming.pool_layout import FRAME_TIME, PoolLayout
from kinesphere.streaming.resampling import Neighbours, resampling_bound_bytes
from kinesphere.streaming.time_grid import TimeGrid
from kinesphere.streaming.window_index import Integers, WindowIndex
from kinesphere.trajectory import ArraySpec, from_stored


@dataclass(frozen=True)
class Pool:
    """Blocks of frames, one after the other in one array a key, as the stream hands them over."""

    frames: Mapping[str, NDArray[Any]]
    first: Integers
    """Where each block begins."""
    length: Integers
    """How many frames it has."""
    lead: Integers
    """How many of them come before its first window."""

    def cut_into(
        self,
        out: Mapping[str, NDArray[Any]],
        mask: NDArray[np.bool_],
        slot: Integers,
        frame: Integers,
        history: int,
    ) -> None:
        """Cut windows, and what comes along, into arrays.

        Before the beginning and past the end of a block its outermost frame is repeated.

        Args:
            out: arrays by key, `(len(slot), frames, ...)`, to be filled.
            mask: bool `(len(slot), frames)`, to be filled: which of the frames are there.
            slot: int64, the block of each window.
            frame: int64, where each window begins, counted from the first window of its block.
            history: how many frames come along before each window.
        """
        step = np.arange(mask.shape[1], dtype=np.int64)
        begin = self.lead[slot] + frame - history
        available = (self.length[slot] - begin)[:, None]
        np.less(step, available, out=mask)
        at = np.minimum(step, available - 1)
        if history:
            mask &= step >= -begin[:, None]
            np.maximum(at, -begin[:, None], out=at)
        at += (self.first[slot] + begin)[:, None]
        for name, values in out.items():
            # "clip" never clips here; without it NumPy would cut into memory of its own and copy
            np.take(self.frames[name], at, axis=0, out=values, mode="clip")


@dataclass(frozen=True)
class DrawnWindows:
    """Windows next in the order of an epoch, in the pool that has them. Arrays are int64, one entry a window."""

    index: WindowIndex
    pool: Pool
    block: Integers
    """The window's block in `index`."""
    slot: Integers
    """The block's place in `pool`."""
    window: Integers
    """The window's place in its block."""

    @classmethod
    def of(cls, index: WindowIndex, draws: Draws, pool: Pool, part: slice) -> DrawnWindows:
        """Some of the windows of a pool.

        Args:
            index: of the windows of whole episodes.
            draws: all windows of the pool in their order.
            pool: the pool, whose slots are the blocks of `draws`.
            part: which of them; it may reach beyond the last one.

        Returns:
            The windows there are.
        """
        slot = draws.slot[part]
        return cls(index, pool, draws.blocks[slot], slot, draws.window[part])


Slots = list[tuple[int, Neighbours, slice]]
"""Slots to be resampled: the first of their frames in the shard, what lies around each time, and their place."""


class PoolLoader:
    """Reads and decodes pools in threads, a block of one array each."""

    THREADS = 8

    def __init__(
        self,
        shards: OpenShards,
        spans: Spans,
        index: WindowIndex,
        layout: PoolLayout,
        run_frames: int,
        *,
        grid: TimeGrid | None = None,
        threads: int = THREADS,
    ) -> None:
        """
        Args:
            index: of the frames that episodes have on `grid`, if there is one.
            layout: what to read, and as what. On a grid it is in units.
            run_frames: blocks that touch in a shard are read together, up to this many frames at once.
            grid: resample to this one.
        """
        self._shards, self._spans, self._index = shards, spans, index
        self._run_frames = run_frames
        self._layout = layout
        self._grid = grid
        self._threads = ThreadPoolExecutor(threads, "kinesphere-read")

    @staticmethod
    def memory_bound_bytes(layout: PoolLayout, run_frames: int, threads: int, longest_resampled: int | None) -> int:
        """The most memory that reading takes, besides the pools: a run of frames of one array a thread.

        Args:
            layout: what is read.
            run_frames: the most frames of several blocks that are read at once, or of one block.
            threads: how many threads read.
            longest_resampled: stored frames of the longest episode, where episodes are resampled.

        Returns:
            Bytes.
        """
        run = run_frames + 2 * CHUNK_FRAMES
        thread = run * (2 * layout.largest_stored_bytes + layout.largest_numbers)
        if longest_resampled is not None:
            thread += resampling_bound_bytes(run, longest_resampled, layout.largest_numbers)
        return threads * thread

    def begin(self, blocks: Integers, index: WindowIndex | None = None) -> Callable[[], Pool]:
        """Begin to read the frames of blocks, which become the pool's slots in the same order.

        Args:
            blocks: int64, blocks of `index`.
            index: by default the loader's own.

        Returns:
            A function that waits for the pool. It raises `CorruptObject` if an object is missing or damaged, and
            `InvalidInput` if a shard has no such array, or another one of its name.
        """
        index = self._index if index is None else index
        lengths = self._spans.length if self._grid is None else self._grid.frames
        begin, end = index.carried(blocks, lengths)
        length = end - begin
        total = int(length.sum())
        pool = Pool(
            {
                name: np.empty((total, *self._layout.specs[name].shape), dtype)
                for name, dtype in self._layout.types.items()
            },
            np.cumsum(length) - length,
            length,
            index.first_frame[blocks] - begin,
        )
        episode = index.episode[blocks]
        shard, first_frame = self._spans.shard[episode], self._spans.first_frame[episode]
        if self._grid is None:
            start = first_frame + begin
            reads = [
                self._threads.submit(self._read, name, self._shard_id(shard[run[0]]), start, run, pool)
                for run in _runs(shard, start, start + length, self._run_frames)
                for name in self._layout.types
            ]
        else:
            around = [
                self._grid.stored_frames(*block)
                for block in zip(episode, begin, end, self._spans.length[episode], strict=True)
            ]
            start, stop = first_frame + np.array(around, np.int64).T
            reads = [
                self._threads.submit(self._resample, self._grid, episode, begin, start, stop, run, pool)
                for run in _runs(shard, start, stop, self._run_frames)
            ]

        def finish() -> Pool:
            for read in reads:
                read.result()
            return pool

        return finish

    def close(self) -> None:
        """Leave what was begun."""
        self._threads.shutdown(wait=True, cancel_futures=True)

    def _shard_id(self, shard: int) -> str:
        return str(self._spans.shard_ids[int(shard)].as_py())

    def _read(self, name: str, shard_id: str, start: Integers, run: Integers, pool: Pool) -> None:
        """Read one array of a run of slots, whose frames begin at `start` in the shard."""
        spec = self._layout.specs[name]
        self._shards.check_spec(shard_id, spec)
        run_start, run_stop = int(start[run[0]]), int((start[run] + pool.length[run]).max())
        stored = np.empty((run_stop - run_start, *spec.shape), spec.dtype)
        self._shards.read_into(shard_id, name, run_start, stored)
        for slot in run:
            part = stored[start[slot] - run_start :][: pool.length[slot]]
            place = pool.frames[name][pool.first[slot] :][: pool.length[slot]]
            if self._layout.in_units:
                from_stored(spec, part, place)
            else:
                place[...] = part

    def _resample(
        self,
        grid: TimeGrid,
        episode: Integers,
        begin: Integers,
        start: Integers,
        stop: Integers,
        run: Integers,
        pool: Pool,
    ) -> None:
        """Read a run of slots, which lie between frames `start` and `stop` of the shard, and resample them.

        Slots hold frames of their `episode` on the grid, from `begin` on.
        """
        shard_id = self._shard_id(self._spans.shard[episode[run[0]]])
        first, end = int(start[run].min()), int(stop[run].max())
        stored_times = self._shards.read(shard_id, "timestamp", first, end)
        slots = []
        for slot in run:
            times = grid.times(int(episode[slot]), int(begin[slot]), int(begin[slot] + pool.length[slot]))
            own = stored_times[start[slot] - first : stop[slot] - first]
            around = Neighbours.of(own, times, int(grid.largest_gap[episode[slot]]))
            slots.append((int(start[slot]), around, slice(int(pool.first[slot]), int(pool.first[slot]) + len(times))))
        for name, frames in pool.frames.items():
            spec = self._layout.specs[name]
            if name == "timestamp":
                for _, around, place in slots:
                    frames[place] = around.time
            elif name == FRAME_TIME:
                for slot_start, around, place in slots:
                    frames[place] = stored_times[slot_start - first + around.nearest]
            else:
                self._resample_array(spec, shard_id, range(first, end), slots, frames)

    def _resample_array(
        self, spec: ArraySpec, shard_id: str, stored_frames: range, slots: Slots, out: NDArray[Any]
    ) -> None:
        """Resample one array of slots that lie in `stored_frames` of the shard, read at once if those are not many."""
        self._shards.check_spec(shard_id, spec)
        whole = len(stored_frames) <= self._run_frames
        first, stored = stored_frames.start, np.empty(0)
        if whole:
            stored = self._shards.read(shard_id, spec.name, first, stored_frames.stop)
        for start, around, place in slots:
            for piece in around.pieces(self._run_frames):
                part = around[piece]
                if not whole:
                    first = start + int(part.before[0])
                    stored = self._shards.read(shard_id, spec.name, first, start + int(part.after[-1]) + 1)
                part.values(spec, stored, first - start, out[place][piece])


def _runs(shard: Integers, start: Integers, stop: Integers, run_frames: int) -> Iterator[Integers]:
    """Slots grouped into runs of one shard with no gap of a chunk or more, by shard and start."""
    order = np.lexsort((start, shard))
    begin, run_stop = 0, int(stop[order[0]])
    for place in range(1, len(order)):
        here, previous = order[place], order[place - 1]
        joins = shard[here] == shard[previous] and start[here] < run_stop + CHUNK_FRAMES
        if not joins or stop[here] - start[order[begin]] > run_frames:
            yield order[begin:place]
            begin, run_stop = place, int(stop[here])
        run_stop = max(run_stop, int(stop[here]))
    yield order[begin:]
