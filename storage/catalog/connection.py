"""Connections to the catalog's database: SQLite in WAL mode or PostgreSQL, and the schema's migrations."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout
from sqlalchemy import Connection, Engine, create_engine, event, inspect, text
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError, DBAPIError, NoSuchModuleError

from kinesphere.errors import (
    Conflict,
    CorruptObject,
    InvalidInput,
    MissingDependency,
    NewerFormat,
    NotFound,
    StorageFailed,
)

MIGRATIONS = Path(__file__).parent / "migrations"
NEWEST_REVISION = "0009"
"""The last migration; a test holds it to the folder."""
_PATIENCE_SECONDS = 3600.0
_THREADS = 40
"""Of the studio, and of anyio's by default: opening a connection anew takes as long as a transaction."""


def connect(url: str, *, create: bool, revision: str | None = "head") -> Engine:
    """Open the database at `url` and bring its schema up to date, or to an earlier revision, or not at all.

    Raises:
        NotFound: there is no such SQLite file (unless `create`).
        NewerFormat: a later release of kinesphere has migrated it.
        StorageFailed: the database cannot be reached or is full.
        InvalidInput: the URL is of no kind we know.
    """
    try:
        parsed = make_url(url)
        if parsed.drivername == "postgresql":
            parsed = parsed.set(drivername="postgresql+psycopg")
        if parsed.get_backend_name() not in ("sqlite", "postgresql"):
            raise InvalidInput(f"catalog URL '{url}': use sqlite:///FILE or postgresql://HOST/DATABASE")
        if parsed.get_backend_name() == "sqlite" and not create and not Path(str(parsed.database)).is_file():
            raise NotFound("catalog", str(parsed.database), hint="the workspace is damaged; restore it from a copy")
        # SQLite's connections are a file each: as many are kept open as the studio has threads.
        # The values of a statement are about people: no error or traceback shows them.
        engine = create_engine(
            parsed, hide_parameters=True, **({"pool_size": _THREADS} if parsed.get_backend_name() == "sqlite" else {})
        )
    except (ArgumentError, NoSuchModuleError) as error:
        raise InvalidInput(f"catalog URL '{url}' cannot be read: {error}") from error
    except ImportError as error:
        raise MissingDependency(f"{error}; install it with: pip install 'kinesphere-studio[postgres]'") from error
    if engine.dialect.name == "sqlite":
        _configure_sqlite(engine)
    if revision is not None:
        shown = parsed.render_as_string(hide_password=True)
        with database_errors(shown):
            migrate(engine, shown, revision)
    return engine


@contextmanager
def database_errors(what: str) -> Iterator[None]:
    """Turn the database's own failures (unreachable, locked, full, damaged) into ours; bugs pass through."""
    try:
        yield
    except OverflowError as error:
        if "SQLite" not in str(error):
            raise
        raise InvalidInput("a number is larger than the catalog can keep") from error
    except DBAPIError as error:
        reason = str(error.orig).strip().splitlines()[0]
        if "disk is full" in reason or "disk I/O error" in reason:
            raise StorageFailed(f"catalog {what}: no space left on device; free some space and try again") from error
        if "not a database" in reason or "malformed" in reason:
            raise CorruptObject(f"catalog {what} is damaged ({reason}); restore it from a copy") from error
        if type(error).__name__ == "DataError":
            raise InvalidInput(f"the catalog cannot keep what it was given: {reason}") from error
        if error.connection_invalidated or type(error).__name__ in ("OperationalError", "InterfaceError"):
            raise StorageFailed(f"catalog {what}: {reason}") from error
        raise


@contextmanager
def one_at_a_time(engine: Engine, purpose: str) -> Iterator[None]:
    """Wait until nobody else does this on this catalog, in any process on any machine, and keep others waiting.

    Who dies makes way: the lock is the operating system's, on a file beside SQLite's, or PostgreSQL's.

    Raises:
        Conflict: somebody else has been at it for an hour.
        StorageFailed: the database cannot be reached.
    """
    if engine.dialect.name == "sqlite":
        try:
            with FileLock(f"{engine.url.database}.{purpose}.lock", timeout=_PATIENCE_SECONDS):
                yield
        except Timeout as error:
            raise Conflict(f"another {purpose} has not ended for an hour; end it, and repeat this one") from error
        return
    with database_errors(engine.url.render_as_string(hide_password=True)):
        connection = engine.connect().execution_options(isolation_level="AUTOCOMMIT")
        connection.detach()  # closed at the end for good, which gives the lock back
    try:
        with database_errors(engine.url.render_as_string(hide_password=True)):
            key = int.from_bytes(hashlib.sha256(purpose.encode()).digest()[:8], "big", signed=True)
            connection.execute(text("SELECT pg_advisory_lock(:key)"), {"key": key})
        yield
    finally:
        connection.close()


def _configure_sqlite(engine: Engine) -> None:
    """WAL, foreign keys, patience with other writers, and transactions that SQLAlchemy controls."""

    @event.listens_for(engine, "connect")
    def _on_connect(connection: Any, _record: Any) -> None:
        connection.isolation_level = None  # else sqlite3 decides by itself when a transaction begins
        # What is deleted is overwritten, whatever the default that this SQLite was built with.
        pragmas = ("journal_mode=WAL", "foreign_keys=ON", "busy_timeout=30000", "synchronous=FULL", "secure_delete=ON")
        for pragma in pragmas:
            connection.execute(f"PRAGMA {pragma}")

    @event.listens_for(engine, "begin")
    def _on_begin(connection: Connection) -> None:
        # A writer takes the lock at once: one that read first could not be upgraded while another writes.
        writes = connection.get_execution_options().get("writes", False)
        connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")


def migrate(engine: Engine, url: str, target: str = "head") -> None:
    """Bring the schema of an open database to a revision, by default the newest; errors as in `connect`."""
    with engine.connect() as connection:
        revision = None
        if inspect(connection).has_table("alembic_version"):
            revision = connection.execute(text("SELECT version_num FROM alembic_version")).scalar()
    if revision == NEWEST_REVISION:
        return  # later than or the same as any other that this release knows
    # Alembic takes a third of a second to import: only where there is something to do.
    from alembic import command
    from alembic.config import Config
    from alembic.script import ScriptDirectory

    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
    known = {script.revision for script in ScriptDirectory.from_config(config).walk_revisions()}
    for named in (revision, target):
        if named not in (None, "head", *known):
            raise NewerFormat(f"the catalog {url}", named, NEWEST_REVISION)
    with engine.execution_options(writes=True).begin() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, target)
