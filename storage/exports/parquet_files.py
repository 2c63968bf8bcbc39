"""Parquet files that follow each other: a new one is begun where the last has grown large enough."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

import pyarrow as pa
import pyarrow.parquet as pq

from kinesphere.objects.store import Objects
from kinesphere.versions.parquet_memory import open_parquet


class ParquetFiles:
    """Writes tables of one schema, each a row group; a file is an object once it is whole.

    The file at work lies on the local disk meanwhile, so memory holds one row group.
    """

    def __init__(
        self,
        target: Objects,
        key_of: Callable[[int], str],
        schema: pa.Schema,
        *,
        limit_bytes: int,
        compression: str,
    ) -> None:
        self.number = 0
        """Of the file that the next table goes to."""
        self._target = target
        self._key_of = key_of
        self._schema = schema
        self._limit_bytes = limit_bytes
        self._compression = compression
        self._folder = tempfile.TemporaryDirectory(prefix="kinesphere-export-")
        self._file = Path(self._folder.name) / "part.parquet"
        self._sink: pa.NativeFile | None = None
        self._writer: pq.ParquetWriter | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            self._end(keep=kind is None)
        finally:
            self._folder.cleanup()

    def write(self, table: pa.Table) -> None:
        """Append a table."""
        if self._writer is None:
            self._sink = pa.OSFile(str(self._file), "wb")
            self._writer = pq.ParquetWriter(self._sink, self._schema, compression=self._compression)
        assert self._sink is not None
        self._writer.write_table(table, row_group_size=max(1, table.num_rows))
        if self._sink.tell() >= self._limit_bytes:
            self._end(keep=True)

    def _end(self, *, keep: bool) -> None:
        if self._writer is None or self._sink is None:
            return
        self._writer.close()
        self._sink.close()
        self._writer = self._sink = None
        if keep:
            self._target.put(self._key_of(self.number), self._file)
            self.number += 1


def parquet_bytes(table: pa.Table, compression: str) -> bytes:
    """A small table as one file."""
    sink = pa.BufferOutputStream()
    pq.write_table(table, sink, compression=compression)
    return bytes(sink.getvalue())


def read_owners(target: Objects, keys: Sequence[str]) -> pa.Table:
    """The columns `recording` and `contributor` of some Parquet objects."""
    schema = pa.schema([("recording", pa.string()), ("contributor", pa.string())])
    tables = [open_parquet(target.get(key)).read(schema.names) for key in keys]
    return pa.concat_tables([table.cast(schema) for table in tables]) if tables else schema.empty_table()
