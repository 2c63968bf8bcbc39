"""All frames of one episode at once, as `Dataset.episode` gives them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from contextlib import closing
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kinesphere.errors import InvalidInput
from kinesphere.streaming.stream_settings import checked_keys
from kinesphere.streaming.time_grid import around_episode, refuse_going_back
from kinesphere.streaming.window_index import Integers
from kinesphere.streaming.window_shape import checked_rate
from kinesphere.trajectory import from_stored
from kinesphere.versions.open_version import OpenVersion
from kinesphere.video.video_keys import VIDEO
from kinesphere.video.video_windows import VideoWindows

MOST_EPISODE_VIDEO_BYTES = 2**31
"""The most that is decoded at once: about what a laptop has to spare."""


def read_episode(
    version: OpenVersion,
    place: int,
    keys: Sequence[str] | None,
    rate: float | None,
    video_size: tuple[int, int] | None,
) -> dict[str, NDArray[Any]]:
    """Read an episode; see `Dataset.episode`.

    Args:
        version: that has it.
        place: its row in `episodes`.
        keys: names of arrays, and "video".
        rate: frames per second to resample to.
        video_size: height and width to scale the video to.

    Returns:
        One array a key, shape `(frames, ...)`.

    Raises:
        InvalidInput: the episode has no such array, the version has no video, it takes too much, or the rate is out of
            range.
        CorruptObject: an object of its shard is missing or damaged.
    """
    row = version.episodes.slice(place, 1).to_pylist()[0]
    specs = version.shards.specs(row["shard"])
    names = tuple(specs) if keys is None else checked_keys(keys, specs)
    start, stop = row["first_frame"], row["first_frame"] + row["length"]
    rate, around = checked_rate(rate), None
    if rate is not None or VIDEO in names:
        times = version.shards.read(row["shard"], "timestamp", start, stop)
        if rate is not None:
            refuse_going_back(times, row["shard"])
            around = around_episode(times, row["frame_rate"], rate)
            times = times[around.nearest]
    arrays = {}
    for name in names:
        if name == VIDEO:
            arrays[name] = _episode_video(version, place, row["episode"], times, video_size)
            continue
        stored = version.shards.read(row["shard"], name, start, stop)
        spec = specs[name]
        arrays[name] = from_stored(spec, stored) if around is None else around.resampled(spec, stored)
    return arrays


def _episode_video(
    version: OpenVersion, place: int, episode: str, times: Integers, size: tuple[int, int] | None
) -> NDArray[np.uint8]:
    source = version.videos(np.array([place]), size)
    shape = (len(times), *source.shape)
    if math.prod(shape) > MOST_EPISODE_VIDEO_BYTES:
        raise InvalidInput(
            f"the video of episode '{episode}' takes {math.prod(shape) / 2**30:.1f} GiB decoded "
            f"({shape[0]} frames of {source.width}x{source.height}); give a smaller video_size=(height, width), "
            "or stream windows of it"
        )
    frames = np.empty(shape, np.uint8)
    with closing(VideoWindows(source)) as windows:
        windows.read(np.array([place]), times[None], np.ones((1, len(times)), np.bool_), frames[None])
    return frames
