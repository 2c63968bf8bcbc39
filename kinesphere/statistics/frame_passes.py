"""Goes through all frames of a version, as often as its statistics need it, reading ahead in threads."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import partial
from itertools import islice
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from kinesphere.errors import InvalidInput
from kinesphere.shards.shard import OpenShards
from kinesphere.statistics.column_counts import ColumnCounts
from kinesphere.statistics.episode_frames import EpisodeFrames
from kinesphere.streaming.window_index import Integers
from kinesphere.trajectory import BASIC_ARRAYS, ArraySpec, in_order
from kinesphere.transforms.relative_actions import RelativeActions, relative_actions
from kinesphere.transforms.wrist_velocity import wrist_velocity

OnProgress = Callable[[int, int], None]
"""Called with how many frames were read, over all passes, and how many will be."""

THREADS = min(8, 2 + (os.cpu_count() or 1))
PIECE_FRAMES = 8192
"""Frames of a run that are read and counted at a time."""
ACTION_PIECE = 2**14
"""Poses that are computed at a time: frames times the horizon."""
COUNTER_BYTES = 9 * 16 * 2**16 * 8
"""The most that the counters of one pass take together; an array that needs more is counted in parts."""

_Block = Mapping[str, NDArray[Any]]
_Piece = tuple[str, int, int]
"""Shard, first frame, frame after the last."""


@dataclass(frozen=True)
class FrameRuns:
    """Every frame that some episode of a table holds, once, as runs in shards; int64, one entry a run."""

    shard_ids: pa.Array
    shard: Integers
    """Place in `shard_ids`."""
    start: Integers
    stop: Integers

    @classmethod
    def of(cls, episodes: pa.Table) -> FrameRuns:
        """Join episodes that overlap or touch; runs are in the order of shard and frame.

        Args:
            episodes: a table with the columns "shard", "first_frame" and "length".

        Returns:
            The runs.
        """
        ids = pc.unique(episodes["shard"]).sort()
        shard = pc.index_in(episodes["shard"].combine_chunks(), ids).to_numpy().astype(np.int64)
        start = episodes["first_frame"].to_numpy()
        stop = start + episodes["length"].to_numpy()
        order = np.lexsort((start, shard))
        shard, start, stop = shard[order], start[order], stop[order]
        if not len(shard):
            return cls(ids, shard, start, stop)
        beyond = int(stop.max()) + 1  # so that one running maximum serves all shards
        reached = np.maximum.accumulate(shard * beyond + stop)
        first = np.flatnonzero(np.r_[True, (shard * beyond + start)[1:] > reached[:-1]])
        last = np.r_[first[1:], len(shard)] - 1
        return cls(ids, shard[first], start[first], reached[last] - shard[first] * beyond)

    @property
    def frames(self) -> int:
        """Number of frames of all runs."""
        return int((self.stop - self.start).sum())

    def pieces(self) -> Iterator[_Piece]:
        """The runs, cut to at most `PIECE_FRAMES`; always alike, since sums of floats depend on it.

        Yields:
            Shard, first frame, and the frame after the last.
        """
        for run in range(len(self.start)):
            shard_id, stop = self.shard_ids[int(self.shard[run])].as_py(), int(self.stop[run])
            for first in range(int(self.start[run]), stop, PIECE_FRAMES):
                yield shard_id, first, min(stop, first + PIECE_FRAMES)


def counted_arrays(shards: OpenShards, runs: FrameRuns) -> dict[str, ArraySpec]:
    """The arrays that any shard of some frames has and that can be counted: all but those of int64, as `timestamp`.

    Args:
        shards: where the frames are.
        runs: which frames.

    Returns:
        By name, the standard ones first; where there are no frames, the basic ones.

    Raises:
        InvalidInput: two shards have different arrays of one name.
        CorruptObject: the metadata of a shard is missing or damaged.
    """
    found: dict[str, tuple[ArraySpec, str]] = {}
    ids = [str(shard_id) for shard_id in runs.shard_ids.to_pylist()]
    with ThreadPoolExecutor(THREADS, "kinesphere-statistics") as threads:
        for shard_id, specs in zip(ids, threads.map(shards.specs, ids), strict=True):
            for name, spec in specs.items():
                known, first_id = found.setdefault(name, (spec, shard_id))
                if not spec.is_stored_like(known):
                    raise InvalidInput(
                        f"array '{name}' is {known} in shard {first_id} and {spec} in shard {shard_id}; there are no "
                        "statistics of both together: publish the episodes of each extractor by themselves"
                    )
    specs_found = [spec for spec, _ in found.values()] or BASIC_ARRAYS.values()
    return in_order(spec for spec in specs_found if spec.dtype != "int64")


def count_arrays(
    shards: OpenShards, runs: FrameRuns, specs: Mapping[str, ArraySpec], on_progress: OnProgress | None
) -> dict[str, ColumnCounts]:
    """Count all numbers of arrays as they are stored, each in the shards that have it.

    Args:
        shards: where the frames are.
        runs: which frames.
        specs: the arrays, as `counted_arrays` gives them.
        on_progress: called with how many frames were read, over all passes, and how many will be.

    Returns:
        The counts after their last pass, by array.

    Raises:
        CorruptObject: an object of a shard is missing or damaged.
    """
    parts = {part: (name, columns) for name, spec in specs.items() for part, columns in _parts(spec).items()}
    counts = {part: ColumnCounts(specs[name].dtype, len(columns)) for part, (name, columns) in parts.items()}

    def read(names: Sequence[str], piece: _Piece) -> tuple[_Block, int]:
        shard, start, stop = piece
        there, block = shards.specs(shard), {}
        for part in names:
            name, columns = parts[part]
            if name in there:
                values = shards.read(shard, name, start, stop)
                if len(columns) < specs[name].numbers:
                    values = np.ascontiguousarray(values.reshape(len(values), -1)[:, columns.start : columns.stop])
                block[part] = values
        return block, stop - start

    _pass_over(counts, runs.pieces, read, runs.frames, on_progress)
    return {name: ColumnCounts.joined([counts[part] for part in _parts(spec)]) for name, spec in specs.items()}


def _parts(spec: ArraySpec) -> dict[str, range]:
    """An array's columns, as many at a time as the counters of a pass have room for, by names of their own."""
    one = ColumnCounts(spec.dtype, 1)
    most = COUNTER_BYTES // max(one.counter_bytes(number) for number in range(one.passes))
    return {
        f"{spec.name}[{first}]": range(first, min(first + most, spec.numbers)) for first in range(0, spec.numbers, most)
    }


def count_resampled(
    frames: EpisodeFrames, specs: Mapping[str, ArraySpec], on_progress: OnProgress | None
) -> dict[str, ColumnCounts]:
    """Count all numbers of arrays in units, at the rate of the frames, each in the shards that have it.

    Args:
        frames: of all episodes.
        specs: the arrays, as `counted_arrays` gives them.
        on_progress: called with how many frames were read, over all passes, and how many will be.

    Returns:
        The counts after their last pass, by array.

    Raises:
        CorruptObject: an object of a shard is missing or damaged.
    """
    in_units = {
        name: replace(spec, dtype=spec.in_units, scale_factor=None, log_scale=None) for name, spec in specs.items()
    }
    parts = {part: (name, columns) for name, spec in in_units.items() for part, columns in _parts(spec).items()}
    counts = {part: ColumnCounts(in_units[name].dtype, len(columns)) for part, (name, columns) in parts.items()}

    def read(names: Sequence[str], piece: _EpisodePiece) -> tuple[_Block, int]:
        episode, first, stop = piece
        there, block = frames.shards.specs(frames.shard(episode)), {}
        for part in names:
            name, columns = parts[part]
            if name in there:
                values = frames.read(name, episode, first, stop).reshape(stop - first, -1)
                block[part] = np.ascontiguousarray(values[:, columns.start : columns.stop])
        return block, stop - first

    _pass_over(counts, lambda: _episode_pieces(frames, PIECE_FRAMES), read, int(frames.lengths.sum()), on_progress)
    return {name: ColumnCounts.joined([counts[part] for part in _parts(spec)]) for name, spec in in_units.items()}


def count_actions(
    frames: EpisodeFrames, actions: RelativeActions, on_progress: OnProgress | None
) -> dict[str, ColumnCounts]:
    """Count the numbers of `relative_actions`, all steps of the chunk together, and of `wrist_velocity`.

    Velocities are those that a shard has, and derived from the poses where it has none.

    Args:
        frames: of all episodes.
        actions: how actions are made.
        on_progress: called with how many frames were read, over all passes, and how many will be.

    Returns:
        The counts after their last pass, of "action" and "wrist_velocity".

    Raises:
        CorruptObject: an object of a shard is missing or damaged.
    """
    numbers, horizon = 2 * actions.numbers, actions.horizon
    counts = {"action": ColumnCounts("float32", numbers), "wrist_velocity": ColumnCounts("float32", 12)}

    def read(names: Sequence[str], piece: _EpisodePiece) -> tuple[_Block, int]:
        episode, first, stop = piece
        # one frame before and as many after as the last frame of the piece looks at, none of another episode
        low, high = max(0, first - 1), min(int(frames.lengths[episode]), stop + horizon)
        poses = frames.read("wrist_pose", episode, low, high)
        own = slice(first - low, stop - low)
        block: dict[str, NDArray[Any]] = {}
        if "action" in names:
            grip = frames.read("grip", episode, first, high) if actions.grip else None
            made = relative_actions(poses[first - low :], horizon, grip=grip, rotation=actions.rotation)
            block["action"] = made[: stop - first].reshape(-1, numbers)
        if "wrist_velocity" in names:
            if "wrist_velocity" in frames.shards.specs(frames.shard(episode)):
                velocities = frames.read("wrist_velocity", episode, first, stop)
            else:
                velocities = wrist_velocity(frames.read("timestamp", episode, low, high), poses)[own]
            block["wrist_velocity"] = velocities.reshape(-1, 12)
        return block, stop - first

    length = max(256, ACTION_PIECE // horizon)
    _pass_over(counts, lambda: _episode_pieces(frames, length), read, int(frames.lengths.sum()), on_progress)
    return counts


_EpisodePiece = tuple[int, int, int]
"""Place of the episode, first frame, frame after the last."""


def _episode_pieces(frames: EpisodeFrames, most: int) -> Iterator[_EpisodePiece]:
    for episode, length in enumerate(frames.lengths.tolist()):
        for first in range(0, length, most):
            yield episode, first, min(length, first + most)


def _pass_over(
    counts: Mapping[str, ColumnCounts],
    pieces: Callable[[], Iterator[Any]],
    read: Callable[[Sequence[str], Any], tuple[_Block, int]],
    frames: int,
    on_progress: OnProgress | None,
) -> None:
    """Count all pieces, in passes over as many arrays at a time as their counters have room for.

    Pieces are read in threads and counted in order in this one: counting holds the interpreter's lock.
    """
    passes = [group for number in range(2) for group in _groups(counts, number)]
    done = 0
    with ThreadPoolExecutor(THREADS, "kinesphere-statistics") as threads:
        for names in passes:
            for name in names:
                counts[name].begin_pass()
            for block, length in _read_ahead(threads, partial(read, names), pieces()):
                for name, values in block.items():
                    counts[name].count(values.reshape(len(values), -1))
                done += length
                if on_progress is not None:
                    on_progress(done, frames * len(passes))
            for name in names:
                counts[name].end_pass()


def _groups(counts: Mapping[str, ColumnCounts], number: int) -> list[list[str]]:
    """The arrays that need pass `number`, in groups whose counters fit."""
    groups: list[list[str]] = []
    room: list[int] = []
    for name, columns in counts.items():
        if columns.passes <= number:
            continue
        needed = columns.counter_bytes(number)
        place = next((place for place, free in enumerate(room) if needed <= free), None)
        if place is None:
            place = len(groups)
            groups.append([])
            room.append(COUNTER_BYTES)
        groups[place].append(name)
        room[place] -= needed
    return groups


def _read_ahead(
    threads: ThreadPoolExecutor, read: Callable[[Any], tuple[_Block, int]], pieces: Iterator[Any]
) -> Iterator[tuple[_Block, int]]:
    """What is read of each piece, in order, a few pieces ahead."""
    begun: deque[Future[tuple[_Block, int]]] = deque(
        threads.submit(read, piece) for piece in islice(pieces, THREADS + 2)
    )
    try:
        while begun:
            found = begun.popleft().result()
            begun.extend(threads.submit(read, piece) for piece in islice(pieces, 1))
            yield found
    finally:
        for read_in_vain in begun:
            read_in_vain.cancel()
