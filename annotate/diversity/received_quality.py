"""What the frames of each contributor of a version get: bodies and hands found, and how sure their wrists are."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from itertools import groupby, islice

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from kinesphere.errors import InvalidInput
from kinesphere.shards.shard import OpenShards
from kinesphere.statistics.frame_passes import THREADS, FrameRuns
from kinesphere.trajectory import Valid, from_stored
from kinesphere.versions.open_version import OpenVersion

MOST_RECORDINGS = 4000
MOST_FRAMES = 8192
"""Of a stretch of frames that lie together; of longer ones blocks are read."""
BLOCK_FRAMES = 1024
WRIST_SD = "wrist_pose_sd"

_SEED = 20261129
_BITS = (Valid.BODY, Valid.LEFT_HAND, Valid.RIGHT_HAND, Valid.UNSURE)
_PIECES_AT_A_TIME = 256
_LEAST_SD, _STEP, _BINS = 1e-6, 1.005, 4000
"""Uncertainties are counted in bins of 0.5 %, from a micrometre to hundreds of metres."""

_Piece = tuple[str, str, int, int]
"""Contributor, shard, first frame, frame after the last."""
_Counts = tuple[NDArray[np.int64], NDArray[np.int64]]
"""Frames, and those with each of `_BITS`; how many wrists are in each bin of uncertainty."""


@dataclass(frozen=True)
class ContributorQuality:
    """What the frames of one contributor got that were looked at. Shares are of these frames, 0 to 1."""

    contributor: str
    frames: int
    body: float
    """Share with a body."""
    left_hand: float
    right_hand: float
    unsure: float
    """Share in which the body may be somebody else's."""
    wrist_sd: float | None
    """Median over frames and hands of the stated uncertainty of the wrist's place: the root of the three variances'
    sum, in metres of the recordings' scale. None where no shard states it, or no wrist was found."""


@dataclass(frozen=True)
class VersionQuality:
    """What the frames of a version got, person by person, by their ids."""

    people: tuple[ContributorQuality, ...]
    recordings: int
    """Looked at: all, or a sample drawn with a fixed seed, of every contributor one before any has two."""
    recordings_in_all: int
    frames: int
    """Looked at, those that several episodes hold once."""
    extractors: int
    """How many different extractors and settings made the trajectories of the recordings looked at."""


def measure_quality(version: OpenVersion, *, most_recordings: int = MOST_RECORDINGS) -> VersionQuality:
    """Look at the frames of a version's episodes, or of a sample of them. The same version, the same result.

    Of a stretch of more than `MOST_FRAMES` frames, blocks of `BLOCK_FRAMES` are read that are spread evenly over it.
    Memory does not grow with frames or recordings but for the table of episodes, and by some numbers a contributor.

    Args:
        version: that is open.
        most_recordings: the size of the sample. Where there are more contributors, some are not in it.

    Returns:
        What each contributor's frames got.

    Raises:
        InvalidInput: `most_recordings` is not positive.
        CorruptObject: a shard is missing or damaged.
    """
    if most_recordings < 1:
        raise InvalidInput(f"at least one recording is looked at; got {most_recordings}")
    episodes = version.episodes.select(["contributor", "recording", "shard", "first_frame", "length", "extractor"])
    recordings = episodes.group_by(["contributor", "recording"]).aggregate([])
    in_all = recordings.num_rows
    if in_all > most_recordings:
        chosen = recordings.take(_sample(recordings, most_recordings))
        episodes = episodes.filter(pc.is_in(episodes["recording"], chosen["recording"].combine_chunks()))
    people = tuple(_people(version.shards, _pieces(episodes)))
    return VersionQuality(
        people=people,
        recordings=min(in_all, most_recordings),
        recordings_in_all=in_all,
        frames=sum(one.frames for one in people),
        extractors=pc.count_distinct(episodes["extractor"]).as_py(),
    )


def blocks_of(start: int, stop: int) -> Sequence[tuple[int, int]]:
    """Which frames of a stretch are read: all, or blocks that are spread evenly from its first frame to its last.

    Args:
        start: first frame.
        stop: the frame after the last.

    Returns:
        First frame and frame after the last of each block, none of which overlap; together at most `MOST_FRAMES`.
    """
    if stop - start <= MOST_FRAMES:
        return [(start, stop)]
    starts = np.linspace(start, stop - BLOCK_FRAMES, MOST_FRAMES // BLOCK_FRAMES).astype(np.int64)
    return [(int(first), int(first) + BLOCK_FRAMES) for first in starts]


def _sample(recordings: pa.Table, most: int) -> pa.Array:
    """Rows of so many recordings: in random order the first of every contributor, then the second, and so on."""
    recordings = recordings.append_column("row", pa.array(np.arange(recordings.num_rows)))
    recordings = recordings.sort_by([("contributor", "ascending"), ("recording", "ascending")])
    _, person = np.unique(recordings["contributor"].to_numpy(), return_inverse=True)
    random = np.random.default_rng(_SEED).random(recordings.num_rows)
    order = np.lexsort((random, person))
    turn = np.empty(len(order), np.int64)
    turn[order] = np.arange(len(order)) - np.searchsorted(person[order], person[order])
    return recordings["row"].take(pa.array(np.sort(np.lexsort((random, turn))[:most])))


def _pieces(episodes: pa.Table) -> Iterator[_Piece]:
    """The frames to read, those of one contributor after those of another; a shard holds those of one."""
    owners = dict(
        zip(*(episodes.group_by("shard").aggregate([("contributor", "min")]).to_pydict().values()), strict=True)
    )
    runs = FrameRuns.of(episodes)
    shards: list[str] = runs.shard_ids.to_pylist()
    order = sorted(range(len(runs.start)), key=lambda run: (owners[shards[runs.shard[run]]], run))
    for run in order:
        shard = shards[runs.shard[run]]
        for start, stop in blocks_of(int(runs.start[run]), int(runs.stop[run])):
            yield owners[shard], shard, start, stop


def _people(shards: OpenShards, pieces: Iterator[_Piece]) -> Iterator[ContributorQuality]:
    with ThreadPoolExecutor(THREADS, "kinesphere-quality") as threads:
        counted = _counted(threads, shards, pieces)
        for contributor, parts in groupby(counted, key=lambda part: part[0]):
            frames, uncertain = np.zeros(1 + len(_BITS), np.int64), np.zeros(_BINS, np.int64)
            for _, (more_frames, more_uncertain) in parts:
                frames += more_frames
                uncertain += more_uncertain
            body, left_hand, right_hand, unsure = (frames[1:] / frames[0]).tolist()
            wrist_sd = _median(uncertain)
            yield ContributorQuality(contributor, int(frames[0]), body, left_hand, right_hand, unsure, wrist_sd)


def _counted(
    threads: ThreadPoolExecutor, shards: OpenShards, pieces: Iterator[_Piece]
) -> Iterator[tuple[str, _Counts]]:
    """What is counted in each piece, in order, some pieces at a time: what was counted and not used takes memory."""
    while some := list(islice(pieces, _PIECES_AT_A_TIME)):
        yield from zip((piece[0] for piece in some), threads.map(partial(_count, shards), some), strict=True)


def _count(shards: OpenShards, piece: _Piece) -> _Counts:
    _, shard, start, stop = piece
    valid = shards.read(shard, "valid", start, stop)
    frames = np.array([len(valid), *(np.count_nonzero(valid & bit) for bit in _BITS)], np.int64)
    specs = shards.specs(shard)
    if WRIST_SD not in specs:  # of an earlier release, or of an extractor that does not state it
        return frames, np.zeros(_BINS, np.int64)
    place = from_stored(specs[WRIST_SD], shards.read(shard, WRIST_SD, start, stop))[..., :3].astype(np.float64)
    distance = np.sqrt(np.square(place).sum(axis=-1)).ravel()
    found = distance[np.isfinite(distance)]
    bins = np.rint(np.log(np.maximum(found, _LEAST_SD) / _LEAST_SD) / np.log(_STEP)).astype(np.int64)
    return frames, np.bincount(np.minimum(bins, _BINS - 1), minlength=_BINS)


def _median(counts: NDArray[np.int64]) -> float | None:
    """Of what was counted in bins, to half of a bin: the least value that half do not exceed."""
    total = int(counts.sum())
    if not total:
        return None
    place = int(np.searchsorted(np.cumsum(counts), -(-total // 2)))
    return float(_LEAST_SD * _STEP**place)
