"""What is in a version: hours by task, person and label, how much was found, and, if asked, how large it is."""

from __future__ import annotations

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from kinesphere.errors import CorruptObject
from kinesphere.objects.store import Objects
from kinesphere.shards.shard import Shard
from kinesphere.statistics.frame_passes import FrameRuns
from kinesphere.versions.manifests import Version
from kinesphere.video.video_keys import blurred_key, video_key

_NANOSECONDS_PER_HOUR = 3.6e12
_SHARES = ("body_share", "left_hand_share", "right_hand_share")
_REQUESTS_AT_ONCE = 16


@dataclass(frozen=True)
class Amount:
    """How much of something there is."""

    episodes: int
    frames: int
    hours: float


@dataclass(frozen=True)
class FrameRates:
    """Mean frame rates of episodes, per second."""

    least: float
    median: float
    greatest: float


@dataclass(frozen=True)
class VersionSummary:
    """What the episode table of a version tells. What several episodes hold counts in each, unless said otherwise."""

    total: Amount
    distinct_frames: int
    """Frames that some episode holds, each once."""
    by_task: Mapping[str, Amount]
    by_contributor: Mapping[str, Amount]
    by_label: Mapping[str, Amount]
    """By label; the empty name is that of episodes without one. The largest amount of hours comes first, as in all."""
    by_scale: Mapping[str, Amount]
    by_image_size: Mapping[str, Amount]
    """By width and height, such as "1280x720"."""
    by_extractor: Mapping[str, Amount]
    found: Mapping[str, float]
    """Share of frames with body, left and right hand in the recordings that episodes are of, weighted by the episodes'
    frames; NaN where there are no episodes."""
    frame_rates: FrameRates | None


@dataclass(frozen=True)
class VersionSizes:
    """How large the objects are that a version points at. A shard or a video counts whole, whatever part is used."""

    shards: int
    shard_bytes: int
    shard_frames: int
    shard_bytes_a_frame: float
    videos: int
    videos_missing: int
    """Videos that the version shows and that are not in the store."""
    video_bytes: int
    video_bytes_a_frame: float


@dataclass(frozen=True)
class _ShardSize:
    size_bytes: int
    frames: int
    lengths: Mapping[str, int]
    """Frames of each recording."""


def summarise(episodes: pa.Table) -> VersionSummary:
    """Summarise an episode table; no other object is read. A million episodes take about a second.

    Args:
        episodes: the episode table of a version.

    Returns:
        Amounts in all and by what episodes have in common.
    """
    lasting = pc.divide(
        pc.cast(pc.subtract(episodes["end_ns"], episodes["start_ns"]), pa.float64()), _NANOSECONDS_PER_HOUR
    )
    table = episodes.append_column("hours", lasting)
    size = pc.binary_join_element_wise(
        pc.cast(table["image_width"], pa.string()), pc.cast(table["image_height"], pa.string()), "x"
    )
    table = table.append_column("image_size", size)
    frames = pc.sum(table["length"]).as_py() or 0
    rates = None
    if len(table):
        rates = FrameRates(*pc.quantile(table["frame_rate"], [0, 0.5, 1], interpolation="lower").to_pylist())
    return VersionSummary(
        total=Amount(len(table), frames, pc.sum(table["hours"]).as_py() or 0.0),
        distinct_frames=FrameRuns.of(episodes).frames,
        by_task=_amounts(table, "task"),
        by_contributor=_amounts(table, "contributor"),
        by_label=_amounts(table, "label"),
        by_scale=_amounts(table, "scale"),
        by_image_size=_amounts(table, "image_size"),
        by_extractor=_amounts(table, "extractor"),
        found={
            share.removesuffix("_share"): pc.sum(pc.multiply(table[share], table["length"])).as_py() / frames
            if frames
            else np.nan
            for share in _SHARES
        },
        frame_rates=rates,
    )


def measure_sizes(objects: Objects, version: Version, episodes: pa.Table) -> VersionSizes:
    """Add up the sizes of a version's shards and videos: two requests a shard and one a video, several at once.

    Args:
        objects: where the datasets lie.
        version: whose sizes.
        episodes: its episode table.

    Returns:
        Bytes of shards and of videos.

    Raises:
        CorruptObject: a shard is missing or damaged.
    """
    recordings = set(episodes["recording"].unique().to_pylist())
    shows_video = version.manifest.get("video", "raw")
    with ThreadPoolExecutor(_REQUESTS_AT_ONCE, "kinesphere-sizes") as threads:
        shards = list(threads.map(lambda shard: _shard_size(objects, shard), episodes["shard"].unique().to_pylist()))
        videos: dict[str, int | None] = {}
        if shows_video != "none":
            names = sorted(recordings)
            found = threads.map(lambda name: _video_size(objects, name, shows_video == "blurred"), names)
            videos = dict(zip(names, found, strict=True))
    shard_bytes, shard_frames = sum(shard.size_bytes for shard in shards), sum(shard.frames for shard in shards)
    there = {name: size for name, size in videos.items() if size is not None}
    # a recording that two extractors went through has as many frames in either shard
    lengths = {name: length for shard in shards for name, length in shard.lengths.items()}
    video_frames = sum(lengths[name] for name in there)
    return VersionSizes(
        shards=len(shards),
        shard_bytes=shard_bytes,
        shard_frames=shard_frames,
        shard_bytes_a_frame=shard_bytes / shard_frames if shard_frames else 0.0,
        videos=len(there),
        videos_missing=len(videos) - len(there),
        video_bytes=sum(there.values()),
        video_bytes_a_frame=sum(there.values()) / video_frames if video_frames else 0.0,
    )


def _amounts(table: pa.Table, column: str) -> dict[str, Amount]:
    """Episodes, frames and hours by the values of a column; those with most hours first."""
    sums = table.group_by(column).aggregate([("episode", "count"), ("length", "sum"), ("hours", "sum")])
    found = {
        row[column] or "": Amount(row["episode_count"], row["length_sum"], row["hours_sum"]) for row in sums.to_pylist()
    }
    return dict(sorted(found.items(), key=lambda item: (-item[1].hours, item[0])))


def _shard_size(objects: Objects, shard_id: str) -> _ShardSize:
    shard = Shard(objects, shard_id)
    listed: Mapping[str, Any] = shard.attributes["objects"]
    lengths = {span["recording"]: int(span["length"]) for span in shard.attributes["trajectories"]}
    size = objects.size(f"{shard.key}/zarr.json") + sum(int(entry["size_bytes"]) for entry in listed.values())
    return _ShardSize(size, shard.frames, lengths)


def _video_size(objects: Objects, recording: str, is_blurred: bool) -> int | None:
    try:
        return objects.size(blurred_key(recording) if is_blurred else video_key(recording))
    except CorruptObject:
        return None
