"""Fills an empty catalog from a dump, on SQLite or PostgreSQL, whichever it came from, and brings it up to date."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from sqlalchemy import JSON, Connection, Engine, Inspector, Select, column, func, inspect, select, table, text, update
from sqlalchemy.sql.expression import TableClause
from sqlalchemy.types import TypeEngine

from kinesphere.errors import Conflict
from storage.backup.catalog_dump import Kind, Rows, read_header, read_rows
from storage.catalog.connection import NEWEST_REVISION, connect, database_errors, migrate
from storage.catalog.tables import UtcDateTime


def import_catalog(url: str, dump: bytes) -> None:
    """Fill an empty catalog from a dump.

    The tables are made as they were in the release that dumped them, filled in one transaction, and then brought up
    to date by the migrations that have come since: a dump of an earlier release is upgraded like its catalog.

    Args:
        url: of a database without rows; a SQLite file is made.
        dump: what `dump_catalog` gave.

    Raises:
        Conflict: it holds rows, or tables of another release.
        NewerFormat: a later release dumped it.
        CorruptObject: the dump is damaged; nothing was entered.
        StorageFailed: the database cannot be reached or is full.
    """
    header = read_header(dump)
    refuse_rows(url)
    engine = connect(url, create=True, revision=header.revision)
    try:
        with database_errors(engine.url.render_as_string(hide_password=True)):
            _refuse_other_revision(engine, header.revision)
            with engine.execution_options(writes=True).begin() as connection:
                _fill(connection, dump)
            if header.revision != NEWEST_REVISION:
                migrate(engine, url)
    finally:
        engine.dispose()


def refuse_rows(url: str) -> None:
    """Make sure that a catalog is empty, or not there at all.

    Args:
        url: of a database.

    Raises:
        Conflict: it holds rows.
        StorageFailed: the database cannot be reached.
    """
    held = {name: count for name, count in rows_by_table(url).items() if count}
    if held:
        some = ", ".join(f"{count} in {name}" for name, count in sorted(held.items())[:3])
        raise Conflict(f"the catalog already holds rows ({some}); give an empty database, this one is left as it is")


def rows_by_table(url: str) -> dict[str, int]:
    """How many rows a database holds.

    Args:
        url: of the database; a SQLite file that is not there holds none, and is not made.

    Returns:
        The number by table; the table of migrations is left out.

    Raises:
        StorageFailed: the database cannot be reached.
    """
    engine = connect(url, create=True, revision=None)
    try:
        if engine.dialect.name == "sqlite" and not Path(str(engine.url.database)).is_file():
            return {}
        with database_errors(engine.url.render_as_string(hide_password=True)), engine.connect() as connection:
            names = [name for name in inspect(connection).get_table_names() if name != "alembic_version"]
            return {name: connection.scalar(select(func.count()).select_from(table(name))) or 0 for name in names}
    finally:
        engine.dispose()


def _refuse_other_revision(engine: Engine, revision: str) -> None:
    with engine.connect() as connection:
        found = connection.execute(text("SELECT version_num FROM alembic_version")).scalar()
    if found != revision:
        raise Conflict(
            f"the catalog has tables of release {found} and the backup is of {revision}; give a database without tables"
        )


def _fill(connection: Connection, dump: bytes) -> None:
    inspector, later, filled = inspect(connection), list[_Reference](), dict[str, TableClause]()
    own = {name: _references_to_itself(inspector, name) for name in inspector.get_table_names()}
    for part in read_rows(dump):
        target = filled.setdefault(part.table, _clause(part))
        rows = [
            {name: _value(kind, value) for (name, kind), value in zip(part.columns, row, strict=True)}
            for row in part.rows
        ]
        for name in own[part.table]:  # a row may name one that comes after it
            (key,) = inspector.get_pk_constraint(part.table)["constrained_columns"]
            later += [_Reference(target, key, row[key], name, row[name]) for row in rows if row[name] is not None]
            rows = [{**row, name: None} for row in rows]
        connection.execute(target.insert(), rows)
    for one in later:
        row = one.target.c[one.key] == one.row
        connection.execute(update(one.target).where(row).values({one.name: one.value}))
    if connection.dialect.name == "postgresql":
        for name in filled:
            _advance_counter(connection, name, inspector.get_pk_constraint(name)["constrained_columns"])


@dataclass(frozen=True)
class _Reference:
    """A column of one row that names another row of the same table."""

    target: TableClause
    key: str
    row: Any
    name: str
    value: Any


def _references_to_itself(inspector: Inspector, name: str) -> list[str]:
    return [
        column
        for found in inspector.get_foreign_keys(name)
        if found["referred_table"] == name
        for column in found["constrained_columns"]
    ]


def _clause(part: Rows) -> TableClause:
    return table(part.table, *(column(name, _type(kind)) for name, kind in part.columns))


def _type(kind: Kind) -> TypeEngine[Any] | None:
    if kind == "moment":
        return UtcDateTime()
    return JSON(none_as_null=True) if kind == "json" else None


def _value(kind: Kind, value: Any) -> Any:
    return datetime.fromisoformat(value) if kind == "moment" and value is not None else value


def _advance_counter(connection: Connection, name: str, keys: list[str]) -> None:
    """Let PostgreSQL count on where the rows of a table end."""
    if len(keys) != 1:
        return
    counter = connection.execute(text("SELECT pg_get_serial_sequence(:name, :key)"), {"name": name, "key": keys[0]})
    sequence = counter.scalar()
    if sequence is not None:
        highest: Select[Any] = select(func.max(column(keys[0]))).select_from(table(name))
        connection.execute(
            text("SELECT setval(:sequence, :value)"),
            {
                "sequence": sequence,
                "value": connection.scalar(highest),
            },
        )
