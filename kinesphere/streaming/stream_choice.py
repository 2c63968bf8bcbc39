"""What a stream chooses from a version: its episodes, its arrays, the groups that share an epoch, and its identity."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pyarrow as pa

from kinesphere.errors import InvalidInput
from kinesphere.streaming.episode_spans import Spans
from kinesphere.streaming.frame_weights import FrameWeight
from kinesphere.streaming.pool_layout import PoolLayout
from kinesphere.streaming.sampling import Weight
from kinesphere.streaming.stream_settings import StreamSettings
from kinesphere.streaming.window_index import Integers
from kinesphere.trajectory import ARRAYS, ArraySpec
from kinesphere.transforms.transform import checked_transforms
from kinesphere.versions.episode_table import EPISODE_SCHEMA
from kinesphere.versions.open_version import OpenVersion


def identity_of(version: OpenVersion, settings: StreamSettings, weight: Weight | None) -> dict[str, Any]:
    """All that decides which windows come in which order, besides the position.

    Args:
        version: what is streamed from.
        settings: of the stream.
        weight: how often episodes are drawn, if that is said.

    Returns:
        Plain JSON values by name, as states have them.
    """
    return {
        "dataset": version.name,
        "version": version.version,
        "episodes_sha256": version.manifest["episodes"]["sha256"],
        "window": settings.shape.window,
        "stride": settings.shape.stride,
        "batch_size": settings.batch_size,
        "shuffle": settings.shuffle,
        "seed": settings.seed,
        "balance": settings.balance,
        "where": settings.where,
        "pool_frames": settings.pool_frames if settings.sampling == "pool" else None,
        "sampling": settings.sampling,
        "weight": None if weight is None else weight.name,
        "rate": settings.frame_rate,
        "split": settings.split,
    }


def chosen_episodes(version: OpenVersion, settings: StreamSettings) -> tuple[Integers, pa.Table]:
    """The rows of the episodes to stream, and what a stream needs to know of them.

    Args:
        version: what is streamed from.
        settings: of the stream.

    Returns:
        int64, rows of `episodes`, and some of their columns.

    Raises:
        InvalidInput: there is no such column or split, or nothing is left.
    """
    balance = settings.balance
    if balance is not None and balance not in EPISODE_SCHEMA.names:
        raise InvalidInput(f"cannot balance by '{balance}'; the columns are {', '.join(EPISODE_SCHEMA.names)}")
    columns = ["shard", "first_frame", "length"]
    columns += ["frame_rate"] if settings.rate is not None else []
    columns += [balance] if balance is not None else []
    return select_episodes(version, columns, settings.where, settings.split)


def select_episodes(
    version: OpenVersion, columns: Sequence[str], where: str | None, split: str | None
) -> tuple[Integers, pa.Table]:
    """The rows of the episodes that fulfil a condition and are of a split.

    Args:
        version: what is streamed from.
        columns: names of columns of `episodes`, perhaps some twice.
        where: a condition on the columns of `episodes`.
        split: such as "train".

    Returns:
        int64, rows of `episodes`, and the columns.

    Raises:
        InvalidInput: there is no such column or split, or nothing is left.
    """
    name = f"{version.name}@{version.version}"
    rows, episodes = version.select(list(dict.fromkeys(columns)), where)
    if len(version) == 0:
        raise InvalidInput(f"{name} holds no episodes; choose another version")
    if split is not None:
        members = version.rows_of_split(split)
        if len(members) == 0:
            raise InvalidInput(f"split '{split}' of {name} holds nobody; it takes more contributors, or a larger share")
        is_member = np.isin(rows, members)
        rows, episodes = rows[is_member], episodes.filter(pa.array(is_member))
    if len(rows) == 0:
        raise InvalidInput(f'where expression "{where}" matches none of the {len(version)} episodes of {name}')
    return rows, episodes


def layout_of(version: OpenVersion, settings: StreamSettings, spans: Spans) -> PoolLayout:
    """What is streamed. Standard arrays are known; what others are, the shard of the first episode says.

    Args:
        version: what is streamed from.
        settings: of the stream.
        spans: its episodes.

    Returns:
        The layout of its pools.

    Raises:
        InvalidInput: a key is no array of the first episode, or it has no such standard deviations.
    """
    specs: Mapping[str, ArraySpec] = ARRAYS
    if settings.needs_specs:
        shard_id = str(spans.shard_ids[int(spans.shard[0])].as_py())
        specs = version.shards.specs(shard_id)
        if settings.frame_weight is not None:
            _check_weight(version, settings.frame_weight, shard_id)
    layout = settings.layout(specs)
    if settings.names is None:
        checked_transforms(settings.transform, settings.also_handed(layout.handed_over))
    return layout


def _check_weight(version: OpenVersion, weight: FrameWeight, shard_id: str) -> None:
    """Make sure that a shard has the standard deviations that weights are made of."""
    try:
        weight.check(version.shards.spec(shard_id, weight.array))
    except InvalidInput as error:
        raise InvalidInput(f"{version.name}@{version.version} cannot be weighed by '{weight.key}': {error}") from error


def groups_of(episodes: pa.Table, column: str | None) -> Integers | None:
    """The group of each chosen episode; episodes without a value are a group of their own.

    Args:
        episodes: with the column.
        column: whose values get equal shares, or None.

    Returns:
        int64, 0 to G - 1 for each episode; None without a column.
    """
    if column is None:
        return None
    values = episodes[column].combine_chunks()
    groups: Integers = values.dictionary_encode(null_encoding="encode").indices.to_numpy().astype(np.int64)
    return groups
