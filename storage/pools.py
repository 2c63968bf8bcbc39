"""Pools: decoded blocks of frames in memory, out of which windows are cut."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from .shard_arrays import CHUNK_FRAMES
from .shards import OpenShards
from .trajectory import ARRAYS, ArraySpec, from_stored
from .windows import Integers, WindowIndex


@dataclass(frozen=True)
class Spans:
    """Where chosen episodes lie; one entry an episode."""

    row: Integers
    """Row in the dataset's episode table."""
    shard: Integers
    """Place of its shard in `shard_ids`."""
    shard_ids: pa.Array
    first_frame: Integers
    """In the shard."""
    length: Integers
    """In frames."""

    @classmethod
    def of(cls, episodes: pa.Table, rows: Integers) -> Spans:
        """The spans of some rows of an episode table."""
        chosen = episodes.select(["shard", "first_frame", "length"]).take(pa.array(rows)).combine_chunks()
        shards = chosen["shard"].combine_chunks().dictionary_encode()
        return cls(
            row=rows,
            shard=shards.indices.to_numpy().astype(np.int64),
            shard_ids=shards.dictionary,
            first_frame=chosen["first_frame"].to_numpy(),
            length=chosen["length"].to_numpy(),
        )

    @property
    def nbytes(self) -> int:
        """Memory of the arrays."""
        return int(self.shard_ids.nbytes) + sum(a.nbytes for a in (self.row, self.shard, self.first_frame, self.length))


@dataclass(frozen=True)
class Pool:
    """Blocks of frames, one after the other in one array a key, as the stream hands them over."""

    frames: Mapping[str, NDArray[Any]]
    first: Integers
    """Where each block begins."""
    length: Integers
    """How many frames it has."""

    def cut_into(
        self, out: Mapping[str, NDArray[Any]], mask: NDArray[np.bool_], slot: Integers, frame: Integers
    ) -> None:
        """Cut windows that begin at `frame` of block `slot` into arrays of shape `(len(slot), window, ...)`.

        `mask` tells which of the frames are there: past the end of a block its last frame is repeated.
        """
        step = np.arange(mask.shape[1], dtype=np.int64)
        available = (self.length[slot] - frame)[:, None]
        np.less(step, available, out=mask)
        at = (self.first[slot] + frame)[:, None] + np.minimum(step, available - 1)
        for name, values in out.items():
            # "clip" never clips here; without it NumPy would cut into memory of its own and copy
            np.take(self.frames[name], at, axis=0, out=values, mode="clip")


class PoolLoader:
    """Reads and decodes pools in threads, a block of one array each."""

    THREADS = 8

    def __init__(
        self,
        shards: OpenShards,
        spans: Spans,
        index: WindowIndex,
        keys: Sequence[str],
        run_frames: int,
        *,
        in_units: bool,
        threads: int = THREADS,
    ) -> None:
        """
        Args:
            run_frames: blocks that touch in a shard are read together, up to this many frames at once.
            in_units: decode to float32 in units instead of keeping the numbers as stored.
        """
        self._shards, self._spans, self._index = shards, spans, index
        self._run_frames = run_frames
        self._in_units = in_units
        self._types = {name: pool_dtype(ARRAYS[name], in_units=in_units) for name in keys}
        self._threads = ThreadPoolExecutor(threads, "kinesphere-read")

    def begin(self, blocks: Integers, index: WindowIndex | None = None) -> Callable[[], Pool]:
        """Begin to read the frames of `blocks`, which become the pool's slots in the same order.

        They are blocks of `index`, by default of the loader's own.

        Returns a function that waits for the pool. It raises `CorruptObject` if an object is missing or damaged.
        """
        index = self._index if index is None else index
        length = index.frames[blocks]
        first = np.cumsum(length) - length
        total = int(length.sum())
        pool = Pool(
            {name: np.empty((total, *ARRAYS[name].shape), dtype) for name, dtype in self._types.items()}, first, length
        )
        episode = index.episode[blocks]
        shard, start = self._spans.shard[episode], self._spans.first_frame[episode] + index.first_frame[blocks]
        reads = [
            self._threads.submit(self._read, name, self._spans.shard_ids[int(shard[run[0]])].as_py(), start, run, pool)
            for run in _runs(shard, start, start + length, self._run_frames)
            for name in self._types
        ]

        def finish() -> Pool:
            for read in reads:
                read.result()
            return pool

        return finish

    def close(self) -> None:
        """Leave what was begun."""
        self._threads.shutdown(wait=True, cancel_futures=True)

    def _read(self, name: str, shard_id: str, start: Integers, run: Integers, pool: Pool) -> None:
        """Read one array of a run of slots, whose frames begin at `start` in the shard."""
        spec = ARRAYS[name]
        run_start, run_stop = int(start[run[0]]), int((start[run] + pool.length[run]).max())
        stored = np.empty((run_stop - run_start, *spec.shape), spec.dtype)
        self._shards.read_into(shard_id, name, run_start, stored)
        for slot in run:
            part = stored[start[slot] - run_start :][: pool.length[slot]]
            place = pool.frames[name][pool.first[slot] :][: pool.length[slot]]
            if self._in_units:
                from_stored(spec, part, place)
            else:
                place[...] = part


def pool_dtype(spec: ArraySpec, *, in_units: bool) -> np.dtype[Any]:
    """The type in which a pool holds an array."""
    return np.dtype(np.float32 if in_units and spec.scale_factor is not None else spec.dtype)


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
