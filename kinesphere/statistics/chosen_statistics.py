"""Statistics of what is trained on: some episodes, at a rate, and the actions made of them. They are not kept."""

from __future__ import annotations

from dataclasses import dataclass, replace

import pyarrow as pa

from kinesphere.statistics.episode_frames import EpisodeFrames
from kinesphere.statistics.frame_passes import FrameRuns, OnProgress, count_actions, count_resampled, counted_arrays
from kinesphere.statistics.statistics import (
    ArrayStatistics,
    Statistics,
    compute_statistics,
    count_flags,
    statistics_of,
)
from kinesphere.streaming.stream_choice import select_episodes
from kinesphere.streaming.window_shape import checked_rate
from kinesphere.transforms.relative_actions import RelativeActions
from kinesphere.versions.open_version import OpenVersion


@dataclass(frozen=True)
class Choice:
    """Which episodes are looked at, and at which rate."""

    where: str | None = None
    split: str | None = None
    rate: float | None = None

    def frames(self, version: OpenVersion) -> EpisodeFrames:
        """The frames of these episodes.

        Args:
            version: that has them.

        Returns:
            The frames.

        Raises:
            InvalidInput: the condition cannot be read, there is no such split, nothing is left, or the rate is out of
                range.
        """
        return EpisodeFrames.of(version.shards, self.episodes(version), checked_rate(self.rate))

    def episodes(self, version: OpenVersion) -> pa.Table:
        """These episodes, with the columns that counting needs.

        Args:
            version: that has them.

        Returns:
            Their table.

        Raises:
            InvalidInput: the condition cannot be read, there is no such split, or nothing is left.
        """
        columns = ["shard", "first_frame", "length", "frame_rate"]
        if self.where is None and self.split is None:
            return version.select(columns)[1]
        return select_episodes(version, columns, self.where, self.split)[1]


def chosen_statistics(version: OpenVersion, choice: Choice, on_progress: OnProgress | None = None) -> Statistics:
    """The statistics of some episodes, or at a rate; see `Dataset.statistics`. They are not kept.

    Args:
        version: whose statistics.
        choice: which episodes, and at which rate.
        on_progress: called with how many frames were read, over all passes, and how many will be.

    Returns:
        The statistics, of every array but `timestamp` and others of int64.

    Raises:
        InvalidInput: see `Choice`.
        CorruptObject: an object of a shard is missing or damaged.
    """
    if choice.rate is None:
        return replace(compute_statistics(version, choice.episodes(version), on_progress), **vars(choice))
    frames, runs = choice.frames(version), FrameRuns.of(choice.episodes(version))
    specs = counted_arrays(version.shards, runs)
    counts = count_resampled(frames, specs, on_progress)
    by_value = counts.pop("valid").by_value[0]
    found = {name: ArrayStatistics.of(columns, specs[name].shape) for name, columns in counts.items()}
    total = int(frames.lengths.sum())
    return replace(statistics_of(version, total, count_flags(by_value), found), **vars(choice))


def find_action_statistics(
    version: OpenVersion, actions: RelativeActions, choice: Choice, on_progress: OnProgress | None = None
) -> Statistics:
    """The statistics of what robots are asked to do; see `Dataset.action_statistics`.

    Args:
        version: whose statistics.
        actions: how actions are made.
        choice: of which episodes, and at which rate.
        on_progress: called with how many frames were read, over three passes, and how many will be.

    Returns:
        The statistics of "action" and "wrist_velocity".

    Raises:
        InvalidInput: see `Choice`.
        CorruptObject: an object of a shard is missing or damaged.
    """
    frames = choice.frames(version)
    counts = count_actions(frames, actions, on_progress)
    shapes = {"action": (2, actions.numbers), "wrist_velocity": (2, 6)}
    found = {name: ArrayStatistics.of(counts[name], shape) for name, shape in shapes.items()}
    total = int(frames.lengths.sum())
    return replace(statistics_of(version, total, {}, found), horizon=actions.horizon, **vars(choice))
