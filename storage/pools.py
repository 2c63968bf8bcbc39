"""Pools: decoded blocks of frames in memory, out of which windows are cut."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from .shard_arrays import CHUNK_FRAMES
from .shards import OpenShards
from .trajectory import ARRAYS
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
    """Blocks of frames, one after the other in one array a key, as stored."""

    frames: Mapping[str, NDArray[Any]]
    first: Integers
    """Where each block begins."""
    length: Integers
    """How many frames it has."""

    def cut(self, slot: Integers, frame: Integers, window: int) -> tuple[dict[str, NDArray[Any]], NDArray[np.bool_]]:
        """Cut windows that begin at `frame` of block `slot`.

        Returns the stored values, shape `(len(slot), window, ...)`, and which of the frames are there: past the end
        of a block its last frame is repeated and the mask is False.
        """
        step = np.arange(window, dtype=np.int64)
        available = (self.length[slot] - frame)[:, None]
        mask = step < available
        at = (self.first[slot] + frame)[:, None] + np.minimum(step, available - 1)
        return {name: np.take(values, at, axis=0) for name, values in self.frames.items()}, mask


def load_pool(
    shards: OpenShards, spans: Spans, index: WindowIndex, blocks: Integers, keys: Sequence[str], run_frames: int
) -> Pool:
    """Read the frames of `blocks`, which become the pool's slots in the same order.

    Blocks that touch in a shard are read together, up to `run_frames` frames at once.

    Raises:
        CorruptObject: an object is missing or damaged.
    """
    length = index.frames[blocks]
    first = np.cumsum(length) - length
    total = int(length.sum())
    frames = {name: np.empty((total, *ARRAYS[name].shape), ARRAYS[name].dtype) for name in keys}
    episode = index.episode[blocks]
    shard, start = spans.shard[episode], spans.first_frame[episode] + index.first_frame[blocks]
    stop = start + length
    for run in _runs(shard, start, stop, run_frames):
        shard_id = spans.shard_ids[int(shard[run[0]])].as_py()
        run_start, run_stop = int(start[run[0]]), int(stop[run].max())
        for name in keys:
            values = shards.read(shard_id, name, run_start, run_stop)
            for slot in run:
                part = values[start[slot] - run_start : stop[slot] - run_start]
                frames[name][first[slot] : first[slot] + length[slot]] = part
    return Pool(frames, first, length)


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
