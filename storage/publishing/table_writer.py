"""Writes the episode table of a version: one Parquet file, or several where it is large, each with its bounds."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from kinesphere.versions.episode_table import EPISODE_SCHEMA

PART_ROWS = 2**18
"""The most episodes in one file: four megabytes, which are read and decoded in a tenth of a second."""
_ROW = "row"
ROW_GROUP_ROWS = 2**15
"""Episodes in a row group of a part, the smallest unit that is left out if a condition rules it out."""

_BOUNDED = tuple(name for name in EPISODE_SCHEMA.names if name not in ("episode", "recording", "shard"))
"""Columns whose bounds the manifest states: ids are spread over all parts, and some are of people."""


def clustered(table: pa.Table) -> pa.Table:
    """A large table with the episodes of a task together, and in it those of a contributor, in the order they had.

    So a condition on either rules out most parts and row groups. A table that is not large stays as it is.
    """
    if table.num_rows <= PART_ROWS:
        return table
    numbered = table.select(["task", "contributor"]).append_column(_ROW, pa.array(np.arange(table.num_rows)))
    order = pc.sort_indices(numbered, [(name, "ascending") for name in ("task", "contributor", _ROW)])
    return table.take(order).combine_chunks()


def split_table(table: pa.Table) -> Iterator[pa.Table]:
    """The parts of a table, in order; one that is not large is its only part."""
    for first in range(0, max(1, table.num_rows), PART_ROWS):
        yield table.slice(first, PART_ROWS)


def encode_part(part: pa.Table, *, is_only: bool) -> bytes:
    """The Parquet file of a part."""
    buffer = io.BytesIO()
    pq.write_table(part, buffer, compression="zstd", row_group_size=None if is_only else ROW_GROUP_ROWS)
    return buffer.getvalue()


def describe_part(key: str, part: pa.Table, content: bytes) -> dict[str, Any]:
    """What the manifest says about one of several parts."""
    return {
        "key": key,
        "sha256": hashlib.sha256(content).hexdigest(),
        "size_bytes": len(content),
        "rows": part.num_rows,
        "bounds": {name: bounds for name in _BOUNDED if (bounds := _bounds(part[name]))},
    }


def describe_table(parts: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """What the manifest says about a table of several parts; its `sha256` is that of theirs, joined."""
    return {
        "sha256": hashlib.sha256("".join(part["sha256"] for part in parts).encode()).hexdigest(),
        "size_bytes": sum(part["size_bytes"] for part in parts),
        "parts": list(parts),
    }


def _bounds(values: pa.ChunkedArray) -> list[Any]:
    """Least and greatest value, or nothing where values are missing or are no numbers to compare with."""
    if values.null_count or not len(values):
        return []
    if pa.types.is_floating(values.type) and not pc.all(pc.is_finite(values)).as_py():
        return []
    found = pc.min_max(values).as_py()
    return [found["min"], found["max"]]
