"""A catalog as one file of lines, the same for SQLite and PostgreSQL: as it was at one moment, whoever writes in it.

Each line is JSON: first what the file is, then for each table its columns and its rows, last how many there were.
"""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from io import BytesIO
from typing import Any, Literal

from sqlalchemy import JSON, Column, Connection, Engine, select, text
from sqlalchemy import Table as SqlTable

from kinesphere.errors import CorruptObject, NewerFormat
from storage.catalog.connection import database_errors
from storage.catalog.people.account_tables import WebSessionTable
from storage.catalog.tables import RangesType, ScopesType, Table, UtcDateTime

FORMAT_VERSION = 1
KIND = "kinesphere-catalog"
LEFT_OUT = frozenset({WebSessionTable.__tablename__})
"""Tables that no backup holds: whoever was signed in signs in again."""

Kind = Literal["plain", "moment", "json"]
_ROWS_AT_A_TIME = 5_000


@dataclass(frozen=True)
class DumpHeader:
    """What a dump says of itself."""

    revision: str
    """Of the catalog's tables: the last migration that they went through."""
    taken_at: datetime


@dataclass(frozen=True)
class Rows:
    """Some rows of one table, in the order of `columns`."""

    table: str
    columns: Sequence[tuple[str, Kind]]
    rows: Sequence[Sequence[Any]]


def dump_catalog(engine: Engine) -> tuple[bytes, Mapping[str, int]]:
    """All rows of a catalog, as they are at one moment.

    It is one transaction that reads: who writes meanwhile neither waits nor is in it by half.

    Args:
        engine: of the catalog.

    Returns:
        Compressed lines, and the number of rows by table.

    Raises:
        StorageFailed: the database cannot be reached.
    """
    content = BytesIO()
    counts: dict[str, int] = {}
    options: dict[str, Any] = {"isolation_level": "REPEATABLE READ", "postgresql_readonly": True}
    if engine.dialect.name == "sqlite":
        options = {}
    with (
        database_errors(engine.url.render_as_string(hide_password=True)),
        engine.connect().execution_options(**options) as connection,
        gzip.open(content, "wt", encoding="utf-8", compresslevel=6) as out,
    ):
        revision = connection.execute(text("SELECT version_num FROM alembic_version")).scalar_one()
        taken_at = datetime.now(UTC).isoformat()
        _write_line(out, {"kind": KIND, "format_version": FORMAT_VERSION, "revision": revision, "taken_at": taken_at})
        for table in Table.metadata.sorted_tables:
            if table.name not in LEFT_OUT:
                counts[table.name] = _dump_table(connection, table, out)
        _write_line(out, {"end": counts})
    return content.getvalue(), counts


def _dump_table(connection: Connection, table: SqlTable, out: Any) -> int:
    columns = list(table.columns)
    _write_line(out, {"table": table.name, "columns": [(column.name, _kind(column)) for column in columns]})
    chosen = select(*columns).order_by(*table.primary_key.columns)
    count = 0
    with connection.execution_options(yield_per=_ROWS_AT_A_TIME).execute(chosen) as found:
        for row in found:
            _write_line(out, [_plain(column, value) for column, value in zip(columns, row, strict=True)])
            count += 1
    return count


def _write_line(out: Any, value: Any) -> None:
    out.write(json.dumps(value, separators=(",", ":")) + "\n")


def _kind(column: Column[Any]) -> Kind:
    if isinstance(column.type, UtcDateTime):
        return "moment"
    return "json" if isinstance(column.type, JSON | RangesType) else "plain"


def _plain(column: Column[Any], value: Any) -> Any:
    if value is None:
        return None
    if isinstance(column.type, UtcDateTime):
        return value.isoformat()
    if isinstance(column.type, ScopesType):
        return ",".join(value)
    return value


def read_header(dump: bytes) -> DumpHeader:
    """What a dump says of itself.

    Args:
        dump: what `dump_catalog` gave.

    Returns:
        Its header.

    Raises:
        NewerFormat: a later release wrote it.
        CorruptObject: it is no dump of a catalog.
    """
    with gzip.open(BytesIO(dump), "rt", encoding="utf-8") as lines:
        try:
            header = json.loads(next(lines))
            version = int(header["format_version"])
            if header["kind"] != KIND:
                raise ValueError(header["kind"])
            found = DumpHeader(str(header["revision"]), datetime.fromisoformat(header["taken_at"]))
        except (OSError, EOFError, StopIteration, ValueError, KeyError, TypeError) as error:
            raise CorruptObject(f"this is no dump of a catalog ({error}); restore an earlier snapshot") from error
    if version > FORMAT_VERSION:
        raise NewerFormat("the dump of the catalog", version, FORMAT_VERSION)
    return found


def read_rows(dump: bytes) -> Iterator[Rows]:
    """The rows of a dump, table by table, a few thousand at a time.

    Args:
        dump: what `dump_catalog` gave.

    Yields:
        Rows; of a table without rows nothing.

    Raises:
        CorruptObject: it ends before its end, or has other numbers of rows than it says.
    """
    counts: dict[str, int] = {}
    table, columns, rows = "", list[tuple[str, Kind]](), list[Sequence[Any]]()
    try:
        with gzip.open(BytesIO(dump), "rt", encoding="utf-8") as lines:
            next(lines)
            for line in lines:
                value = json.loads(line)
                if isinstance(value, list):
                    rows.append(value)
                    counts[table] += 1
                if rows and (not isinstance(value, list) or len(rows) == _ROWS_AT_A_TIME):
                    yield Rows(table, columns, rows)
                    rows = []
                if isinstance(value, dict) and "table" in value:
                    table, columns = value["table"], [(name, kind) for name, kind in value["columns"]]
                    counts[table] = 0
                elif isinstance(value, dict) and value["end"] == counts:
                    return
    except (OSError, EOFError, StopIteration, ValueError, KeyError, TypeError) as error:
        raise CorruptObject(f"the dump of the catalog cannot be read ({error}); restore an earlier snapshot") from error
    raise CorruptObject("the dump of the catalog was cut short; restore an earlier snapshot")
