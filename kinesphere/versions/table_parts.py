"""Parquet files of a version's episode table: one, or where the table is large several, of which only some are read."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from kinesphere.errors import CorruptObject
from kinesphere.objects.store import Objects
from kinesphere.streaming.window_index import Integers
from kinesphere.versions.episode_table import EPISODE_SCHEMA
from kinesphere.versions.parquet_memory import open_parquet


@dataclass(frozen=True)
class Part:
    """One Parquet file of an episode table, as the manifest describes it."""

    key: str
    sha256: str
    rows: int
    bounds: Mapping[str, Sequence[Any]]
    """The least and the greatest value of each column, where that is known and no value is missing."""


def parts_of(manifest: Mapping[str, Any]) -> list[Part]:
    """The parts that a manifest names, in the order of their rows.

    Args:
        manifest: of a version that was not withdrawn.

    Returns:
        At least one part.
    """
    listed = manifest["episodes"]
    if "parts" not in listed:
        return [Part(listed["key"], listed["sha256"], manifest["counts"]["episodes"], {})]
    return [Part(part["key"], part["sha256"], part["rows"], part["bounds"]) for part in listed["parts"]]


def read_part(objects: Objects, part: Part) -> pq.ParquetFile:
    """Read a part, as a file of which columns and row groups can be decoded.

    Args:
        objects: where it lies.
        part: which part.

    Returns:
        The file.

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

    Args:
        objects: where they lie.
        parts: all parts of the table.
        columns: names of columns of `EPISODE_SCHEMA`.

    Returns:
        One row an episode.

    Raises:
        CorruptObject: a part is missing, or is not the one that was published.
    """
    # not read_table: its threads give many chunks, and joining those takes longer than they save
    pieces = [read_part(objects, part).read(list(columns)) for part in parts]
    return pa.concat_tables(pieces).select(list(columns)).cast(_schema(columns)).combine_chunks()


def read_matching(
    objects: Objects, parts: Sequence[Part], columns: Sequence[str], condition: pc.Expression, reads: Sequence[str]
) -> tuple[Integers, pa.Table]:
    """The rows that fulfil a condition, and some of their columns.

    Parts and row groups in which no row can fulfil it are not read, nor are other columns.

    Args:
        objects: where they lie.
        parts: all parts of the table.
        columns: names of columns of `EPISODE_SCHEMA`.
        condition: on columns of the table.
        reads: the columns on which the condition depends.

    Returns:
        int64 `[n]`, the numbers of the rows, and their columns.

    Raises:
        CorruptObject: a part that is needed is missing, or is not the one that was published.
    """
    needed = list(dict.fromkeys([*columns, *reads]))
    pieces, numbers, first = [_schema(columns).empty_table()], [np.empty(0, np.int64)], 0
    for part in parts:
        if _possible(part.bounds, condition):
            rows, piece = _matching(read_part(objects, part), needed, condition)
            numbers.append(rows + first)
            pieces.append(piece.select(list(columns)).cast(_schema(columns)))
        first += part.rows
    return np.concatenate(numbers), pa.concat_tables(pieces).combine_chunks()


def matching_rows(table: pa.Table, condition: pc.Expression) -> Integers:
    """The numbers of a table's rows that fulfil a condition, ascending.

    Args:
        table: any table.
        condition: on its columns.

    Returns:
        int64 `[n]`.
    """
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


def _schema(columns: Sequence[str]) -> pa.Schema:
    return pa.schema([EPISODE_SCHEMA.field(name) for name in columns])
