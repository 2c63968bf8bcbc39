"""The format `parquet`: plain tables, one row a frame and one row an episode, for DuckDB, pandas and the like."""

from __future__ import annotations

import json
from typing import Any

import pyarrow as pa

from kinesphere.errors import CorruptObject
from kinesphere.objects.store import Objects
from storage.exports.export_content import (
    OF_EPISODES,
    Content,
    OnProgress,
    arrow_array,
    column_type,
    described,
    number_names,
)
from storage.exports.export_target import clear
from storage.exports.parquet_files import ParquetFiles, parquet_bytes, read_owners

EPISODES = "episodes.parquet"
_FILE_BYTES = 2**28
_ROWS_AT_ONCE = 16_384
_COMPRESSION = "zstd"


class ParquetExporter:
    """`frames/part-00000.parquet` and so on, then `episodes.parquet`.

    A frame's row holds its episode, its number in it, `timestamp` (int64 nanoseconds since the recording began), and
    the arrays, flat: lists of a fixed size of float32, NaN where a number is missing. What each number is called and
    its unit are in the metadata of the column.
    """

    def check(self, content: Content) -> None:
        """All episodes have the arrays.

        Raises:
            InvalidInput: a shard lacks one.
        """
        content.check_arrays()

    def write(self, content: Content, target: Objects, on_progress: OnProgress) -> None:
        """Write frames in the order of episodes, then the episodes, by which readers know that it is whole."""
        dataset = content.opened()
        rows = dataset.episodes.to_pylist()
        schema = _schema(content)
        total, done = sum(row["length"] for row in rows), 0
        frames = []
        with ParquetFiles(target, _part_key, schema, limit_bytes=_FILE_BYTES, compression=_COMPRESSION) as files:
            pending: list[pa.Table] = []
            for row in rows:
                frames.append(0)
                for block in content.blocks(dataset, row):
                    pending.append(_table(row["episode"], frames[-1], block, schema))
                    frames[-1] += len(block["timestamp"])
                    if sum(map(len, pending)) >= _ROWS_AT_ONCE:
                        files.write(pa.concat_tables(pending))
                        pending = []
                done += row["length"]
                on_progress(done, total)
            if pending:
                files.write(pa.concat_tables(pending))
        episodes = dataset.episodes.select([column.name for column in OF_EPISODES])
        episodes = episodes.append_column("frames", pa.array(frames, pa.int64()))
        for name, column in content.consent_columns([row["recording"] for row in rows]).items():
            episodes = episodes.append_column(name, column)
        target.put(EPISODES, parquet_bytes(episodes, _COMPRESSION))

    def erase(self, target: Objects, content: Content | None, *, version: int, dataset: str, receipt: str) -> bool:
        """Delete everything: a person's rows lie in the same files as others'."""
        clear(target)
        return False

    def contributors(self, target: Objects) -> pa.Table:
        """What the table of episodes names; frames without it are of a copy that was cut off.

        Raises:
            CorruptObject: there are frames, and no table tells whose.
        """
        if not target.exists(EPISODES) and target.keys("frames"):
            raise CorruptObject(f"'{EPISODES}' is missing in {target.url}, so nobody can tell whose its frames are")
        return read_owners(target, [EPISODES] if target.exists(EPISODES) else [])


def _part_key(number: int) -> str:
    return f"frames/part-{number:05d}.parquet"


def _schema(content: Content) -> pa.Schema:
    columns = [pa.field("episode", pa.string(), nullable=False), pa.field("frame", pa.int64(), nullable=False)]
    for name in ("timestamp", *content.keys):
        spec = content.arrays[name]
        metadata = described(spec) | ({"names": json.dumps(number_names(spec))} if spec.shape else {})
        columns.append(pa.field(name, column_type(spec), nullable=False, metadata=metadata))
    rate = {} if content.rate is None else {"rate": str(content.rate)}
    return pa.schema(columns, {"kinesphere": content.name, **rate})


def _table(episode: str, first: int, block: dict[str, Any], schema: pa.Schema) -> pa.Table:
    frames = len(block["timestamp"])
    columns = [pa.repeat(episode, frames), pa.array(range(first, first + frames), pa.int64())]
    columns += [arrow_array(block[name]) for name in schema.names[2:]]
    return pa.table(columns, schema)
