"""Parquet files of a version's episode table: one, or where the table is large several, of which only some are read."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from .episodes import EPISODE_SCHEMA
from .errors import CorruptObject
from .objects import Objects
from .parquet_memory import open_parquet
from .windows import Integers

PART_ROWS = 2**18
"""The most episodes in one file: four megabytes, which are read and decoded in a tenth of a second."""
ROW_GROUP_ROWS = 2**15
"""Episodes in a row group of a part, the smallest unit that is left out if a condition rules it out."""

_BOUNDED = tuple(name for name in EPISODE_SCHEMA.names if name not in ("episode", "recording", "shard"))
"""Columns whose bounds the manifest states: ids are spread over all parts, and some are of people."""


@dataclass(frozen=True)
class Part:
    """One Parquet file of an episode table, as the manifest describes it."""

    key: str
    sha256: str
    rows: int
    bounds: Mapping[str, Sequence[Any]]
    """The least and the greatest value of each column, where that is known and no value is missing."""


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


def parts_of(manifest: Mapping[str, Any]) -> list[Part]:
    """The parts that a manifest names, in the order of their rows."""
    listed = manifest["episodes"]
    if "parts" not in listed:
        return [Part(listed["key"], listed["sha256"], manifest["counts"]["episodes"], {})]
    return [Part(part["key"], part["sha256"], part["rows"], part["bounds"]) for part in listed["parts"]]


def read_part(objects: Objects, part: Part) -> pq.ParquetFile:
    """Read a part, as a file of which columns and row groups can be decoded.

    Raises:
        CorruptObject: it is missing, or is not the one that was published.
    """
    content = objects.get(part.key)
    if hashlib.sha256(content).hexdigest() != part.sha256:
        raise CorruptObject(f"object '{part.key}' was changed after it was published; restore it from a copy")
    file = open_parquet(content)
    if file.metadata.num_rows != part.rows:
        raise CorruptObject(
            f"object '{part.key}' has {file.metadata.num_rows} rows where its manifest states {part.rows}; "
            "restore the version from a copy"
        )
    return file


def read_table(objects: Objects, parts: Sequence[Part], columns: Sequence[str]) -> pa.Table:
    """Some columns of all parts, each in one piece.

    Raises:
        CorruptObject: a part is missing, or is not the one that was published.
    """
    # not read_table: its threads give many chunks, and joining those takes longer than they save
    pieces = [read_part(objects, part).read(list(columns)) for part in parts]
    return pa.concat_tables(pieces).select(list(columns)).cast(_schema(columns)).combine_chunks()


def read_matching(
    objects: Objects, parts: Sequence[Part], columns: Sequence[str], condition: pc.Expression, reads: Sequence[str]
) -> tuple[Integers, pa.Table]:
    """The rows that fulfil a condition: their numbers in the whole table, ascending, and some of their columns.

    Parts and row groups in which no row can fulfil it are not read, nor are other columns.

    Args:
        reads: the columns on which the condition depends.

    Raises:
        CorruptObject: a part that is needed is missing, or is not the one that was published.
    """
    wanted = list(dict.fromkeys([*columns, *reads]))
    pieces, numbers, first = [_schema(columns).empty_table()], [np.empty(0, np.int64)], 0
    for part in parts:
        if _possible(part.bounds, condition):
            rows, piece = _matching(read_part(objects, part), wanted, condition)
            numbers.append(rows + first)
            pieces.append(piece.select(list(columns)).cast(_schema(columns)))
        first += part.rows
    return np.concatenate(numbers), pa.concat_tables(pieces).combine_chunks()


def matching_rows(table: pa.Table, condition: pc.Expression) -> Integers:
    """The numbers of a table's rows that fulfil a condition, ascending."""
    numbered = table.append_column(_ROW, pa.array(np.arange(table.num_rows)))
    rows: Integers = numbered.filter(condition)[_ROW].to_numpy()
    return np.sort(rows)


_ROW = "row"


def _matching(file: pq.ParquetFile, columns: list[str], condition: pc.Expression) -> tuple[Integers, pa.Table]:
    sizes = [file.metadata.row_group(group).num_rows for group in range(file.num_row_groups)]
    firsts = np.cumsum([0, *sizes])
    groups = [group for group in range(file.num_row_groups) if _may_hold(file, group, condition)]
    table = file.read_row_groups(groups, columns)
    rows = np.concatenate([np.empty(0, np.int64), *(np.arange(firsts[g], firsts[g + 1]) for g in groups)])
    chosen = matching_rows(table, condition)
    return rows[chosen], table.take(pa.array(chosen))


def _may_hold(file: pq.ParquetFile, group: int, condition: pc.Expression) -> bool:
    """Whether a row of a row group may fulfil the condition, by what Parquet knows of its columns."""
    known = {}
    for place, field in enumerate(file.schema_arrow):
        found = file.metadata.row_group(group).column(place).statistics
        is_known = found is not None and found.has_min_max and found.has_null_count and not found.null_count
        if is_known and not pa.types.is_floating(field.type):  # of which Parquet leaves out NaN
            known[field.name] = (found.min, found.max)
    return _possible(known, condition)


def _possible(bounds: Mapping[str, Sequence[Any]], condition: pc.Expression) -> bool:
    """Whether the condition can be true of a row whose values lie between the bounds. Arrow does the reasoning."""
    import pyarrow.dataset as pads  # a tenth of what importing this package takes

    known = pc.scalar(True)
    for name, (low, high) in bounds.items():
        type_ = EPISODE_SCHEMA.field(name).type
        least, most = pc.scalar(pa.scalar(low, type_)), pc.scalar(pa.scalar(high, type_))
        known = known & (pc.field(name) >= least) & (pc.field(name) <= most)
    file_format = pads.ParquetFileFormat()
    # Nothing of this file is read: only what is known of it is held against the condition.
    fragment = file_format.make_fragment(pa.BufferReader(b""), partition_expression=known)
    return any(pads.FileSystemDataset([fragment], EPISODE_SCHEMA, file_format).get_fragments(filter=condition))


def _bounds(values: pa.ChunkedArray) -> list[Any]:
    """Least and greatest value, or nothing where values are missing or are no numbers to compare with."""
    if values.null_count or not len(values):
        return []
    if pa.types.is_floating(values.type) and not pc.all(pc.is_finite(values)).as_py():
        return []
    found = pc.min_max(values).as_py()
    return [found["min"], found["max"]]


def _schema(columns: Sequence[str]) -> pa.Schema:
    return pa.schema([EPISODE_SCHEMA.field(name) for name in columns])
